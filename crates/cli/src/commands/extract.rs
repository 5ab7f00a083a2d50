//! `mikey-sakke extract`

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use mikey_sakke::Error;
use mikey_sakke::error::Refusal;
use mikey_sakke::imessage::{Initiators, Policy, Responder};
use mikey_sakke_files::{self as files, Moment};

use crate::input;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The message: a file, `-` for standard input, or hexadecimal, base64 or an SDP key-mgmt attribute
    message: String,
    /// File with the certificate of your KMS; messages of its users are accepted
    #[arg(long)]
    certificate: PathBuf,
    /// File with the certificate of another KMS whose users' messages are accepted; may be given several times
    #[arg(long)]
    trust: Vec<PathBuf>,
    /// File with your keys
    #[arg(long)]
    keys: PathBuf,
    /// Your local time, as in 2026-11-21T08:30:00Z; now if none is given
    #[arg(long)]
    at: Option<Moment>,
    /// How many seconds the message may be older or newer than your local time
    #[arg(long, default_value_t = Policy::default().window.as_secs())]
    window: u64,
    /// Take keys for the purposes that TS 33.180 gives them, with end-point diversity for group master keys
    #[arg(long)]
    ts33180: bool,
    /// File for the key, readable for its owner alone
    #[arg(long)]
    out: PathBuf,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let message = input::message(&arguments.message)?;
    let certificate = files::read_certificate(&arguments.certificate)?;
    let keys = files::read_user_keys(&arguments.keys, &certificate)?;
    let purposes = match arguments.ts33180 {
        true => Policy::ts33180(Initiators::Any, Initiators::Any),
        false => Policy::default(),
    };
    let policy = Policy { window: Duration::from_secs(arguments.window), ..purposes };
    let mut responder = Responder::new(Arc::new(keys), policy);
    responder.trust(certificate)?;
    for path in &arguments.trust {
        responder.trust(files::read_certificate(path)?)?;
    }
    let key = responder.extract(&message, Moment::or_now(arguments.at)?).map_err(advise)?;
    files::write_bundle(&arguments.out, arguments.force, key.id, &key.rand, key.key.expose())?;
    println!(
        "{}: key {} of purpose {}, from {}, sent {}",
        arguments.out.display(),
        key.id,
        key.id.purpose(),
        key.initiator,
        Moment(key.timestamp)
    );
    Ok(ExitCode::SUCCESS)
}

/// What to do about a refusal, where something can be done here.
fn advise(error: Error) -> anyhow::Error {
    let advice = match &error {
        Error::Refused(Refusal::Stale) => "set the clock, or pass --at or --window",
        Error::Refused(Refusal::UntrustedKms) => "pass --trust with the certificate of the KMS if you trust it",
        Error::Refused(Refusal::KeyPeriod) => "get the keys of the key period that the message was sent in",
        Error::Refused(Refusal::NotForUs) => "pass --keys with the keys of the user it is for",
        Error::Decode(_) => "see what is there with `mikey-sakke inspect`",
        _ => return error.into(),
    };
    anyhow!("{error}; {advice}")
}
