//! `skms domain`

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use getrandom::SysRng;
use mikey_sakke::identity::{KeyPeriod, UidFormat};
use mikey_sakke::km::domain::{Domain, Periods};
use mikey_sakke::kms::Kms;
use mikey_sakke_files::{Moment, read_kms};
use skm::audit::Action;
use skm::domain::{ImportError, RolloverError, SecurityDomain, Start, fingerprint, import, roll_over};

use crate::export;
use crate::fault::Fault;
use crate::operator::Operator;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Shows the key periods and the certificates
    Show,
    /// Takes the master secrets of a file of `mikey-sakke kms init`, into a domain that has none
    Import(Import),
    /// Hands out master secrets in two shares, one for each of the two recipients that the configuration names
    Export(export::Arguments),
    /// Gives the domain new master secrets, from a key period on or at once
    Rollover(Rollover),
}

#[derive(clap::Args)]
pub(crate) struct Import {
    /// File with the master secrets
    file: PathBuf,
}

#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("start").required(true)))]
pub(crate) struct Rollover {
    /// The first key period of the new master secrets, of which no keys may have been given out yet
    #[arg(long, value_name = "N", group = "start")]
    from_period: Option<u64>,
    /// From the present key period on, and at once
    #[arg(long, group = "start", requires = "revoke_old")]
    now: bool,
    /// Revoke all certificates that the domain has: no key that was ever given out is accepted any more
    #[arg(long, conflicts_with = "from_period")]
    revoke_old: bool,
    /// File with the new master secrets, of `mikey-sakke kms init`; made by this program unless given
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

pub(crate) fn run(command: &Command, config: &Path, out: &mut dyn Write) -> Result<(), Fault> {
    let operator = Operator::open(config)?;
    match command {
        Command::Show => show(&operator, out),
        Command::Import(arguments) => take(&operator, &arguments.file, out),
        Command::Export(arguments) => export::run(&operator, arguments, config, out),
        Command::Rollover(arguments) => replace(&operator, arguments, out),
    }
}

fn show(operator: &Operator, out: &mut dyn Write) -> Result<(), Fault> {
    let settings = &operator.config.domain;
    let domain = operator.wait(SecurityDomain::load(&operator.store, settings))?;
    let format = settings.uid_format()?;
    let period = format.period_at(operator.now)?;
    let (_, end) = format.span(period)?;
    writeln!(out, "SKM-S       {}", settings.skms_uri)?;
    writeln!(out, "KMS         {}", settings.kms_uri)?;
    writeln!(out, "Key periods {} s each; now {period}, until {}", settings.user_key_period, Moment(end))?;
    let Some(domain) = domain else {
        let advice = "skms domain import takes those of mikey-sakke kms init";
        writeln!(out, "There are no master secrets yet, so nobody gets identity keys; {advice}")?;
        return Ok(());
    };
    certificates(domain.document(), out)
}

fn certificates(domain: &Domain, out: &mut dyn Write) -> Result<(), Fault> {
    for entry in domain.certificates() {
        let certificate = entry.certificate();
        let Periods { from, to } = entry.periods();
        let periods = to.map_or_else(|| format!("from {from} on"), |to| format!("from {from} to {to}"));
        let revoked = if certificate.is_revoked() { ", revoked" } else { "" };
        let name = entry.cert_uri().map_or("without CertUri", |name| name.as_str());
        writeln!(out, "Certificate {name}, for key periods {periods}{revoked}")?;
        writeln!(out, "  PubEncKey  {}", hex::encode(certificate.public_key().to_octets()))?;
        writeln!(out, "  PubAuthKey {}", hex::encode(certificate.kpak().to_octets()))?;
    }
    Ok(())
}

fn take(operator: &Operator, file: &Path, out: &mut dyn Write) -> Result<(), Fault> {
    let kms = read_kms(file)?;
    let settings = &operator.config.domain;
    let event = operator.event(Action::Domain, &settings.kms_uri)?;
    operator
        .wait(import(&operator.store, settings, &kms, &event))
        .map_err(|error| advise(operator, &kms, error))
        .with_context(|| file.display().to_string())?;
    writeln!(out, "{}: the master secrets of {} are in the store", file.display(), settings.kms_uri)?;
    writeln!(out, "The file is as secret as they are; keep it offline, or delete it.")?;
    Ok(())
}

fn replace(operator: &Operator, arguments: &Rollover, out: &mut dyn Write) -> Result<(), Fault> {
    let settings = &operator.config.domain;
    let kms = match &arguments.key {
        Some(file) => read_kms(file)?,
        None => Kms::generate(settings.kms_uri.clone(), settings.uid_format()?, &mut SysRng)?,
    };
    let start = arguments.from_period.map_or(Start::Now, Start::Period);
    let event = operator.event(Action::Domain, &settings.kms_uri)?;
    let from = operator
        .wait(roll_over(&operator.store, &operator.config, &kms, start, &event))
        .map_err(|error| advise_rollover(operator, &kms, error))?;
    let (begin, _) = settings.uid_format()?.span(KeyPeriod::Number(from))?;
    writeln!(
        out,
        "{}: new master secrets from key period {from} on, which begins {}",
        settings.kms_uri,
        Moment(begin)
    )?;
    writeln!(out, "  {}", fingerprint(kms.certificate()))?;
    match start {
        Start::Period(_) => writeln!(out, "Those before count until then. Servers and clients notice by themselves.")?,
        Start::Now => writeln!(
            out,
            "All certificates before are revoked. Clients notice when they next read the domain document, within an \
             hour; until then they accept what the old keys sign, and do not understand those who have noticed."
        )?,
    }
    writeln!(out, "Make a backup, and give other domains the new certificate: skms certs export")?;
    Ok(())
}

fn advise_rollover(operator: &Operator, kms: &Kms, error: RolloverError) -> anyhow::Error {
    match error {
        RolloverError::Import(error) => advise(operator, kms, error),
        RolloverError::None => anyhow!("{error}; see skms domain show and import"),
        RolloverError::Planned(_) | RolloverError::Changed => anyhow!("{error}; see skms domain show"),
        error => error.into(),
    }
}

/// What to do about a refusal.
fn advise(operator: &Operator, kms: &Kms, error: ImportError) -> anyhow::Error {
    let settings = &operator.config.domain;
    let certificate = kms.certificate();
    match error {
        ImportError::OtherKms => {
            anyhow!("the master secrets are of {}, and domain.kms_uri is {}", certificate.kms_uri(), settings.kms_uri)
        }
        ImportError::OtherPeriods => match certificate.uid_format() {
            UidFormat::Monthly => anyhow!("the master secrets are for UIDs of months; the server issues hashed ones"),
            UidFormat::Hashed { period, offset } => anyhow!(
                "the master secrets are for user_key_period = {period} and user_key_offset = {offset}; say so in [domain]"
            ),
        },
        ImportError::Present => anyhow!("{error}; see skms domain show"),
        _ => error.into(),
    }
}
