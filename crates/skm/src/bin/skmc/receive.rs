//! `skmc receive`

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context as _;
use mikey_sakke::identity::Uri;
use mikey_sakke_files::{Moment, write_bundle};
use skm::client::blocking::Client;

use crate::asking::read;
use crate::connection::{fault, fetch};
use crate::fault::Fault;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// File with the message
    message: PathBuf,
    /// URI of the user whom it is for
    #[arg(long, value_name = "URI")]
    user: Uri,
    /// File for the key, readable for its owner alone
    #[arg(long, value_name = "FILE")]
    save_key: Option<PathBuf>,
    /// Replace a file that exists
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(arguments: &Arguments, client: &Client, out: &mut dyn Write) -> Result<(), Fault> {
    let Arguments { message, user, force, .. } = arguments;
    let octets = read(message)?;
    let mut cache = fetch(client, user)?;
    let now = client.now().map_err(fault)?;
    let responder = cache.responder().with_context(|| format!("there are no keys of {user}"))?;
    let key = responder.extract(&octets, now).with_context(|| message.display().to_string())?;
    if let Some(path) = &arguments.save_key {
        write_bundle(path, *force, key.id, &key.rand, key.key.expose())?;
    }
    let (id, purpose, initiator, kms) = (key.id, key.id.purpose(), &key.initiator, &key.initiator_kms);
    let (message, sent) = (message.display(), Moment(key.timestamp));
    writeln!(out, "{message}: key {id} of purpose {purpose}, from {initiator} of {kms}, sent {sent}")?;
    Ok(())
}
