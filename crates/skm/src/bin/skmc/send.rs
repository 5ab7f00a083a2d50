//! `skmc send`

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context as _;
use getrandom::SysRng;
use mikey_sakke::identity::Uri;
use mikey_sakke::imessage::{KeyBundle, Profile, Purpose, Recipient};
use mikey_sakke_files::{Access, write, write_bundle};
use skm::client::blocking::Client;

use crate::connection::{fault, fetch};
use crate::fault::Fault;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// URI of the user whom the key is from
    #[arg(long, value_name = "URI")]
    user: Uri,
    /// URI of the user whom it is for
    #[arg(long, value_name = "URI")]
    to: Uri,
    /// URI of the KMS that he has his keys from, if that is not the one of this domain
    #[arg(long, value_name = "URI")]
    kms: Option<Uri>,
    /// Purpose of the key, 0 to 15: the first 4 bits of its SK-ID
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(..16))]
    purpose: u8,
    /// File for the message
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// File for the key, readable for its owner alone
    #[arg(long, value_name = "FILE")]
    save_key: Option<PathBuf>,
    /// Replace files that exist
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(arguments: &Arguments, client: &Client, out: &mut dyn Write) -> Result<(), Fault> {
    let Arguments { user, to, kms, force, .. } = arguments;
    let cache = fetch(client, user)?;
    let now = client.now().map_err(fault)?;
    let initiator = cache.initiator().with_context(|| format!("there are no keys of {user}"))?;
    let domain = cache.domain().context("there is no domain")?;
    let kms = kms.as_ref().unwrap_or(domain.kms_uri());
    let certificate = cache.certificate(kms, now);
    let certificate =
        certificate.with_context(|| format!("no certificate of {kms} is valid now and accepted"))?.clone();
    let bundle = KeyBundle::generate(Profile::seal(Purpose::new(arguments.purpose)?), &mut SysRng)?;
    let message = initiator.distribute(&bundle, &Recipient { user: to.clone(), certificate }, now, &mut SysRng)?;
    // The key first: without it the message is of no use to whom it is from.
    if let Some(path) = &arguments.save_key {
        write_bundle(path, *force, bundle.id(), bundle.rand(), bundle.key().expose())?;
    }
    write(&arguments.out, Access::Everyone, *force, &message)?;
    let (id, purpose) = (bundle.id(), bundle.id().purpose());
    writeln!(out, "{}: key {id} of purpose {purpose}, from {user}, to {to}", arguments.out.display())?;
    Ok(())
}
