//! `mikey-sakke kms`

use std::path::PathBuf;
use std::process::ExitCode;

use getrandom::SysRng;
use mikey_sakke::identity::{KeyPeriod, UidFormat, Uri};
use mikey_sakke::kms::Kms;
use mikey_sakke_files::{self as files, Access, Moment};

use super::join::{self, Join};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Makes the master secrets of a new security domain
    Init(Init),
    /// Writes the certificate that all users need
    Certificate(Certificate),
    /// Issues the keys of a user for a key period
    Issue(Issue),
    /// Puts the two shares together in which `skms domain export` hands out master secrets
    Join(Join),
}

#[derive(clap::Args)]
pub(crate) struct Init {
    /// URI of the KMS, as in kms.example.org
    #[arg(long)]
    uri: Uri,
    /// Bind keys to tel URIs and calendar months (RFC 6509) instead of hashed UIDs (3GPP TS 33.180)
    #[arg(long, conflicts_with_all = ["period", "offset"])]
    monthly: bool,
    /// Length of a key period in seconds
    #[arg(long, default_value_t = 2_592_000)]
    period: u64,
    /// Seconds from 1900-01-01T00:00:00Z to the start of key period 0
    #[arg(long, default_value_t = 0)]
    offset: u64,
    /// File for the master secrets, readable for its owner alone
    #[arg(long)]
    out: PathBuf,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
}

#[derive(clap::Args)]
pub(crate) struct Certificate {
    /// File with the master secrets
    #[arg(long)]
    master: PathBuf,
    /// File for the certificate; standard output if none is given
    #[arg(long)]
    out: Option<PathBuf>,
    /// Write the XML of 3GPP TS 33.180, annex D, instead of JSON
    #[arg(long)]
    xml: bool,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
}

#[derive(clap::Args)]
pub(crate) struct Issue {
    /// File with the master secrets
    #[arg(long)]
    master: PathBuf,
    /// URI of the user, as in sip:alice@example.org
    #[arg(long)]
    user: Uri,
    /// Key period: its number, or a month as YYYY-MM
    #[arg(long, conflicts_with = "at")]
    period: Option<KeyPeriod>,
    /// Time that the key period contains, as in 2026-11-21T08:30:00Z; now if none is given
    #[arg(long)]
    at: Option<Moment>,
    /// File for the keys, readable for its owner alone
    #[arg(long)]
    out: PathBuf,
    /// Write the XML of 3GPP TS 33.180, annex D, instead of JSON
    #[arg(long)]
    xml: bool,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Init(arguments) => init(arguments)?,
        Command::Certificate(arguments) => certificate(arguments)?,
        Command::Issue(arguments) => issue(arguments)?,
        Command::Join(arguments) => join::run(arguments)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn init(arguments: &Init) -> anyhow::Result<()> {
    let format =
        if arguments.monthly { UidFormat::Monthly } else { UidFormat::hashed(arguments.period, arguments.offset)? };
    let kms = Kms::generate(arguments.uri.clone(), format, &mut SysRng)?;
    files::write_kms(&arguments.out, arguments.force, &kms)?;
    println!("{}: the master secrets of {}; keep the file to yourself", arguments.out.display(), arguments.uri);
    Ok(())
}

fn certificate(arguments: &Certificate) -> anyhow::Result<()> {
    let kms = files::read_kms(&arguments.master)?;
    let document = files::certificate_document(kms.certificate(), arguments.xml)?;
    match &arguments.out {
        None => print!("{}", document.as_str()),
        Some(path) => {
            files::write(path, Access::Everyone, arguments.force, document.as_bytes())?;
            println!("{}: the certificate of {}", path.display(), kms.certificate().kms_uri());
        }
    }
    Ok(())
}

fn issue(arguments: &Issue) -> anyhow::Result<()> {
    let kms = files::read_kms(&arguments.master)?;
    let period = match arguments.period {
        Some(period) => period,
        None => kms.certificate().uid_format().period_at(Moment::or_now(arguments.at)?)?,
    };
    let key_set = kms.issue(&arguments.user, period, &mut SysRng)?;
    files::write_key_set(&arguments.out, arguments.force, arguments.xml, kms.certificate(), &key_set)?;
    println!("{}: the keys of {} for key period {period}", arguments.out.display(), arguments.user);
    Ok(())
}
