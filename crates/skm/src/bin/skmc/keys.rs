//! `skmc keys`

use std::io::Write;
use std::path::PathBuf;

use mikey_sakke::identity::Uri;
use mikey_sakke_files::{Access, Moment, certificate_document, write, write_key_set};
use skm::client::Provisioned;
use skm::client::blocking::Client;

use crate::connection::fault;
use crate::fault::Fault;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// URI of the user
    #[arg(long, value_name = "URI")]
    user: Uri,
    /// File for the keys of this key period, readable for its owner alone
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// File for the keys of the next key period, if the server releases them already
    #[arg(long, value_name = "FILE")]
    next: Option<PathBuf>,
    /// File for the certificate that the keys of this key period belong to
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// Replace files that exist
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(arguments: &Arguments, client: &Client, out: &mut dyn Write) -> Result<(), Fault> {
    let Arguments { user, force, .. } = arguments;
    let domain = client.domain().map_err(fault)?;
    let keys = client.identity_keys(user, &domain).map_err(fault)?;
    let certificate = keys.current.keys.certificate();
    if let Some(path) = &arguments.certificate {
        let document = certificate_document(certificate, false)?;
        write(path, Access::Everyone, *force, document.as_bytes())?;
    }
    for (provisioned, path) in [(Some(&keys.current), &arguments.out), (keys.next.as_ref(), &arguments.next)] {
        let Some(Provisioned { keys, key_set }) = provisioned else { continue };
        if let Some(path) = path {
            write_key_set(path, *force, false, keys.certificate(), key_set)?;
        }
        let (from, to) = keys.certificate().uid_format().span(keys.period())?;
        writeln!(out, "{user}: keys for key period {}, {} to {}", keys.period(), Moment(from), Moment(to))?;
    }
    Ok(())
}
