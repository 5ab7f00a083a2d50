//! `skms domain export`

use std::fs::DirBuilder;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use mikey_sakke::km::domain::DomainCertificate;
use mikey_sakke::km::{Identifier, MAX_TEXT_OCTETS};
use mikey_sakke::kms::Kms;
use mikey_sakke_files::{Moment, Share, write_share};
use skm::audit::Action;
use skm::config::Config;
use skm::domain::SecurityDomain;
use skm::escrow::{Recipient, Recipients};

use crate::asking::identifier;
use crate::fault::Fault;
use crate::operator::Operator;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Why; the audit log and both files say so
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: String,
    /// Directory for the two files, which is made
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Which certificate's master secrets, by its CertUri, if the domain has several
    #[arg(long, value_name = "CERTURI", value_parser = identifier)]
    certificate: Option<Identifier>,
}

pub(crate) fn run(operator: &Operator, arguments: &Arguments, config: &Path, out: &mut dyn Write) -> Result<(), Fault> {
    let Arguments { reason, out: directory, certificate } = arguments;
    let recipients = recipients(&operator.config).with_context(|| config.display().to_string());
    let Some(recipients) = recipients.map_err(Fault::Usage)? else {
        let advice = "recipients in [escrow] would be two files with public keys";
        return Err(anyhow!("{}: master secrets are not exported; {advice}", config.display()).into());
    };
    let domain = operator.wait(SecurityDomain::load(&operator.store, &operator.config.domain))?;
    let domain = domain.context("the domain has no master secrets")?;
    let (certificate, kms) = choose(&domain, certificate.as_ref())?;
    let name = certificate.cert_uri().context("the certificate has no CertUri")?;
    let shares = recipients.split(kms.master_secret(), kms.ksak())?;
    let mut builder = DirBuilder::new();
    builder.mode(0o700).create(directory).with_context(|| format!("cannot make {}", directory.display()))?;

    // Before anything is written, so that nobody has a share that the log does not know of.
    let [first, second] = recipients.get();
    let target = format!("{name} to {} and {}: {reason}", first.id(), second.id());
    let event = operator.event(Action::ExportDomain, target)?;
    operator.wait(operator.store.log(&event))?;

    let files = operator.config.escrow.recipients.iter().zip(recipients.get()).zip(shares);
    for (number, ((file, recipient), share)) in (1..).zip(files) {
        let path = directory.join(format!("share-{number}.json"));
        let share = Share {
            certificate: Arc::clone(kms.certificate()),
            cert_uri: Some(name.to_string()),
            reason: reason.clone(),
            time: Moment(operator.now),
            export: event.request_id.clone(),
            recipient: recipient.id().to_owned(),
            share,
        };
        write_share(&path, &share)
            .context("the audit log says that master secrets were exported; export them again")?;
        writeln!(out, "{}: for whoever has the private key of {}", path.display(), file.display())?;
    }
    writeln!(out, "Each opens Share with that key, and mikey-sakke kms join puts both together.")?;
    Ok(())
}

/// The certificate of this CertUri, or the only one.
fn choose<'a>(
    domain: &'a SecurityDomain,
    name: Option<&Identifier>,
) -> Result<(&'a DomainCertificate, &'a Arc<Kms>), Fault> {
    let is_it = |certificate: &DomainCertificate| name.is_none() || certificate.cert_uri() == name;
    let mut found = domain.certificates().filter(|(certificate, _)| is_it(certificate));
    match (found.next(), found.next()) {
        (Some(found), None) => Ok(found),
        (None, _) => Err(anyhow!("the domain has no such certificate; see skms domain show").into()),
        _ => Err(Fault::usage(anyhow!(
            "the domain has several certificates; name one with --certificate: see skms domain show"
        ))),
    }
}

/// A reason on the command line.
fn reason(text: &str) -> Result<String, &'static str> {
    let says_something = (1..=MAX_TEXT_OCTETS).contains(&text.len()) && !text.trim().is_empty();
    let is_line = says_something && !text.contains(char::is_control);
    is_line.then(|| text.to_owned()).ok_or("needs a line of 1 to 1024 octets that says why")
}

/// The recipients that the configuration names, if it names any.
pub(crate) fn recipients(config: &Config) -> anyhow::Result<Option<Recipients>> {
    let [first, second] = config.escrow.recipients.as_slice() else { return Ok(None) };
    let read = |path: &Path| -> anyhow::Result<Recipient> {
        let read = || -> anyhow::Result<Recipient> { Ok(Recipient::from_pem(&std::fs::read(path)?)?) };
        read().with_context(|| format!("[escrow] recipients: {}", path.display()))
    };
    Ok(Some(Recipients::new([read(first)?, read(second)?]).context("[escrow] recipients")?))
}
