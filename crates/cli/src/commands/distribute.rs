//! `mikey-sakke distribute`

use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use getrandom::SysRng;
use mikey_sakke::identity::Uri;
use mikey_sakke::imessage::{Initiator, KeyBundle, Recipient};
use mikey_sakke_files::{self as files, Moment};
use rayon::iter::ParallelIterator;

use crate::input;
use crate::profile::ProfileArguments;
use crate::threads::Threads;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// File with the certificate of your KMS
    #[arg(long)]
    certificate: PathBuf,
    /// File with your keys
    #[arg(long)]
    keys: PathBuf,
    /// URI of the recipient
    #[arg(long, required_unless_present = "members")]
    to: Option<Uri>,
    /// File with the URIs of the members of a group, one on each line, for a message to each of them: standard output
    /// then has a line with URI and message in base64 for each
    #[arg(long, value_name = "FILE", conflicts_with_all = ["to", "out"])]
    members: Option<PathBuf>,
    #[command(flatten)]
    threads: Threads,
    /// File with the certificate of the KMS of those who receive, if it is another one
    #[arg(long)]
    to_certificate: Option<PathBuf>,
    /// File with the key to distribute, as written by --save-key or extract; a new key if none is given
    #[arg(long, conflicts_with = "save_key")]
    key: Option<PathBuf>,
    #[command(flatten)]
    profile: ProfileArguments,
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
    let their_certificate = match &arguments.to_certificate {
        Some(path) => files::read_certificate(path)?,
        None => certificate,
    };
    let users = match &arguments.members {
        Some(path) => input::uris(path)?,
        None => arguments.to.iter().cloned().collect(),
    };
    let recipients: Vec<Recipient> =
        users.into_iter().map(|user| Recipient { user, certificate: their_certificate.clone() }).collect();
    if arguments.key.is_none() && arguments.save_key.is_none() {
        bail!("a new key is of no use unless you keep it; pass --save-key FILE, or --key FILE for one you have");
    }
    let profile = arguments.profile.profile()?;
    let mut bundle = match &arguments.key {
        Some(path) => files::read_bundle(path, profile)?,
        None => KeyBundle::generate(profile, &mut SysRng)?,
    };
    if let Some(properties) = arguments.profile.properties(bundle.id().purpose()) {
        bundle = bundle.with_properties(properties);
    }
    let at = Moment::or_now(arguments.at)?;
    let initiator = Initiator::new(Arc::new(keys));
    let messages: Vec<_> = arguments
        .threads
        .pool()?
        .install(|| initiator.par_distribute_to_group(&bundle, &recipients, at, &mut SysRng).collect());
    if let ([Err(error)], None) = (&messages[..], &arguments.members) {
        return Err(error.clone().into());
    }

    if let Some(path) = &arguments.save_key {
        files::write_bundle(path, arguments.force, bundle.id(), bundle.rand(), bundle.key().expose())?;
    }
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut failed = false;
    for (recipient, message) in recipients.iter().zip(messages) {
        match (message, &arguments.out) {
            (Err(error), _) => {
                eprintln!("error: no message for {}: {error}", recipient.user);
                failed = true;
            }
            (Ok(message), Some(path)) => {
                files::write(path, files::Access::Everyone, arguments.force, &message)?;
                eprintln!("{}: key {} for {}", path.display(), bundle.id(), recipient.user);
            }
            (Ok(message), None) if arguments.members.is_some() => {
                writeln!(out, "{} {}", recipient.user, STANDARD.encode(&message))?;
            }
            (Ok(message), None) => writeln!(out, "{}", STANDARD.encode(&message))?,
        }
    }
    out.flush()?;
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
