//! `skms domain`

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use mikey_sakke::identity::UidFormat;
use mikey_sakke::km::domain::{Domain, Periods};
use mikey_sakke::kms::Kms;
use mikey_sakke_files::{Moment, read_kms};
use skm::audit::Action;
use skm::domain::{ImportError, SecurityDomain, import};

use crate::export;
use crate::fault::Fault;
use crate::operator::Operator;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Shows the key periods and the certificates
    Show,
    /// Takes the master secrets of a file of `mikey-sakke kms init`, into a domain that has none
    Import(Import),
    /// Hands out master secrets in two shares, one for each of the two recipients of [escrow]
    Export(export::Arguments),
}

#[derive(clap::Args)]
pub(crate) struct Import {
    /// File with the master secrets
    file: PathBuf,
}

pub(crate) fn run(command: &Command, config: &Path, out: &mut dyn Write) -> Result<(), Fault> {
    let operator = Operator::open(config)?;
    match command {
        Command::Show => show(&operator, out),
        Command::Import(arguments) => take(&operator, &arguments.file, out),
        Command::Export(arguments) => export::run(&operator, arguments, config, out),
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
    certificates(&domain.published(BTreeSet::new(), BTreeSet::new()), out)
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
