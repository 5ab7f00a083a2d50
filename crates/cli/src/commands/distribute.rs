//! `mikey-sakke distribute`

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use getrandom::SysRng;
use mikey_sakke::identity::Uri;
use mikey_sakke::imessage::{Initiator, KeyBundle, Recipient};

use crate::files;
use crate::moment::Moment;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// File with the certificate of your KMS
    #[arg(long)]
    certificate: PathBuf,
    /// File with your keys
    #[arg(long)]
    keys: PathBuf,
    /// URI of the recipient
    #[arg(long)]
    to: Uri,
    /// File with the certificate of the recipient's KMS, if it is another one
    #[arg(long)]
    to_certificate: Option<PathBuf>,
    /// File with the key to distribute, as written by --save-key or extract; a new key if none is given
    #[arg(long, conflicts_with_all = ["purpose", "save_key"])]
    key: Option<PathBuf>,
    /// Purpose of a new key, 0 to 15: the first 4 bits of its SK-ID
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(..16))]
    purpose: u8,
    /// File for a new key, readable for its owner alone
    #[arg(long)]
    save_key: Option<PathBuf>,
    /// Time of the message, as in 2026-11-21T08:30:00Z; now if none is given
    #[arg(long)]
    at: Option<Moment>,
    /// File for the message, in binary; standard output in base64 if none is given
    #[arg(long)]
    out: Option<PathBuf>,
    /// Replace files if they exist
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let certificate = files::read_certificate(&arguments.certificate)?;
    let keys = files::read_user_keys(&arguments.keys, &certificate)?;
    let recipient = Recipient {
        user: arguments.to.clone(),
        certificate: match &arguments.to_certificate {
            Some(path) => files::read_certificate(path)?,
            None => certificate,
        },
    };
    if arguments.key.is_none() && arguments.save_key.is_none() {
        bail!("a new key is of no use unless you keep it; pass --save-key FILE, or --key FILE for one you have");
    }
    let bundle = match &arguments.key {
        Some(path) => files::read_bundle(path)?,
        None => KeyBundle::generate(arguments.purpose, &mut SysRng)?,
    };
    let at = Moment::or_now(arguments.at)?;
    let message = Initiator::new(Arc::new(keys)).distribute(&bundle, &recipient, at, &mut SysRng)?;

    if let Some(path) = &arguments.save_key {
        files::write_bundle(path, arguments.force, bundle.id(), bundle.rand(), bundle.key().expose())?;
    }
    match &arguments.out {
        Some(path) => {
            files::write(path, files::Access::Everyone, arguments.force, &message)?;
            eprintln!("{}: key {} for {}", path.display(), bundle.id(), recipient.user);
        }
        None => writeln!(std::io::stdout(), "{}", STANDARD.encode(&message))?,
    }
    Ok(ExitCode::SUCCESS)
}
