//! `skms certs`

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::ValueEnum;
use mikey_sakke::identity::Uri;
use mikey_sakke::km::Identifier;
use mikey_sakke::kms::{KmsCertificate, Validity};
use mikey_sakke::time::Timestamp;
use mikey_sakke_files::{Access, Moment, write};
use skm::audit::Action;
use skm::config::PeerDomain;
use skm::domain::{
    EXPIRY_WARNING, ExternalCertificate, Externals, Offer, SecurityDomain, Taken, fingerprint, import_external,
    remove_external,
};
use skm::exchange::{self, Trust};

use crate::asking::{identifier, read};
use crate::fault::Fault;
use crate::operator::Operator;

/// Seconds of a day.
const DAY: u64 = 86_400;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Takes in the certificates of another domain, whose users are to be reached and accepted
    Import(Import),
    /// Asks the servers of other domains, the peers of the configuration, for their certificates, and takes them in
    Fetch(Fetch),
    /// Lists the certificates of other domains, with where they came from and how long they are valid
    List,
    /// Writes the certificates of this domain, for other domains to take in
    Export(Export),
    /// Removes the certificates of another domain, whose users are not accepted any more
    Remove(Remove),
}

#[derive(clap::Args)]
pub(crate) struct Import {
    /// File with the domain document of an SKM-S, or a KmsCertificate or a KmsResponse with KmsInit (TS 33.180)
    file: PathBuf,
    /// What the KMS is to the users of this domain
    #[arg(long, value_enum)]
    role: Role,
    /// Where the file came from and how that was made sure of, for those who read the list later
    #[arg(long, value_name = "TEXT", value_parser = identifier)]
    origin: Identifier,
}

#[derive(Clone, Copy, ValueEnum)]
enum Role {
    /// The KMS of another domain
    External,
}

#[derive(clap::Args)]
pub(crate) struct Fetch {
    /// URI of the KMS of a peer, as in kms.example.net; all peers unless given
    kms: Option<Uri>,
    /// Fingerprint of the certificate that is valid now, which you have compared with the other operator, where none
    /// is held yet
    #[arg(long, value_name = "FINGERPRINT", requires = "kms")]
    first: Option<String>,
}

#[derive(clap::Args)]
pub(crate) struct Export {
    /// File for the document; standard output unless given
    file: Option<PathBuf>,
    /// Replace a file that exists
    #[arg(long)]
    force: bool,
}

#[derive(clap::Args)]
pub(crate) struct Remove {
    /// URI of the KMS, as in kms.example.net
    kms: Uri,
}

pub(crate) fn run(command: &Command, config: &Path, out: &mut dyn Write) -> Result<(), Fault> {
    let operator = Operator::open(config)?;
    match command {
        Command::Import(arguments) => import(&operator, arguments, out),
        Command::Fetch(arguments) => fetch(&operator, arguments, out),
        Command::List => list(&operator, out),
        Command::Export(arguments) => export(&operator, arguments, out),
        Command::Remove(arguments) => remove(&operator, &arguments.kms, out),
    }
}

fn import(operator: &Operator, arguments: &Import, out: &mut dyn Write) -> Result<(), Fault> {
    let Import { file, role: Role::External, origin } = arguments;
    let offer = Offer::read(&read(file)?).with_context(|| file.display().to_string())?;
    let kms = offer.kms_uri();
    let event = operator.event(Action::Domain, format!("certificates of {kms} from {origin}"))?;
    let taken = operator
        .wait(import_external(&operator.store, &operator.config.domain, &offer, origin, &event))
        .with_context(|| file.display().to_string())?;
    let Taken { new, changed, known } = taken;
    writeln!(out, "{kms}: {new} new, {changed} changed, {known} known already")?;
    for certificate in offer.certificates() {
        writeln!(out, "  {}", line(certificate, operator.now))?;
    }
    if new > 0 {
        writeln!(out, "Compare the fingerprints with the other domain's, by another way than the file came.")?;
    }
    Ok(())
}

fn fetch(operator: &Operator, arguments: &Fetch, out: &mut dyn Write) -> Result<(), Fault> {
    let Operator { config, store, .. } = operator;
    let is_wanted = |peer: &&PeerDomain| arguments.kms.as_ref().is_none_or(|kms| *kms == peer.kms_uri);
    let peers: Vec<_> = config.peer.iter().filter(is_wanted).collect();
    if peers.is_empty() {
        return Err(Fault::usage(anyhow!("the configuration has no such [[peer]]")));
    }
    let trust = arguments.first.as_deref().map_or(Trust::Held, Trust::Fingerprint);
    let mut failed = None;
    for peer in peers {
        let kms = &peer.kms_uri;
        let event = operator.event(Action::Domain, format!("certificates of {kms} from {}", peer.server))?;
        match operator.wait(exchange::fetch(config, store, peer, trust, &event)) {
            Ok((domain, Taken { new, changed, known })) => {
                writeln!(out, "{kms}: {new} new, {changed} changed, {known} known already")?;
                for entry in domain.certificates() {
                    writeln!(out, "  {}", line(entry.certificate(), operator.now))?;
                }
            }
            Err(error) => {
                // The others are asked all the same.
                if let Some(before) = failed.replace(anyhow!(error).context(kms.to_string())) {
                    eprintln!("error: {before:#}");
                }
            }
        }
    }
    failed.map_or(Ok(()), |error| Err(error.into()))
}

fn list(operator: &Operator, out: &mut dyn Write) -> Result<(), Fault> {
    let externals = operator.wait(Externals::load(&operator.store))?;
    for (kms, entries) in externals.by_kms() {
        writeln!(out, "{kms}")?;
        for entry @ ExternalCertificate { origin, by, at, .. } in entries {
            writeln!(out, "  {}", line(entry.certificate(), operator.now))?;
            writeln!(out, "    taken in by {by} at {}, from {origin}", Moment(*at))?;
        }
    }
    for (kms, end) in externals.ends() {
        if end <= operator.now.saturating_add(EXPIRY_WARNING) {
            writeln!(out, "Warning: nothing is valid of {kms} after {}; get its new certificate", Moment(end))?;
        }
    }
    Ok(())
}

/// A certificate on a line.
fn line(certificate: &KmsCertificate, now: Timestamp) -> String {
    let Validity { from, to } = certificate.validity();
    let from = from.map_or_else(|| "ever".to_owned(), |from| Moment(from).to_string());
    let to = to.map_or_else(|| "for ever".to_owned(), |to| format!("to {}", Moment(to)));
    let state = match certificate.validity() {
        _ if certificate.is_revoked() => ", revoked".to_owned(),
        Validity { to: Some(to), .. } if to <= now => ", expired".to_owned(),
        Validity { to: Some(to), .. } if to <= now.saturating_add(EXPIRY_WARNING) => {
            let left = Duration::from_secs(to.to_unix() - now.to_unix()).as_secs() / DAY;
            format!(", expires in {left} days")
        }
        Validity { from: Some(from), .. } if from > now => ", not valid yet".to_owned(),
        _ => String::new(),
    };
    format!("{}, valid from {from} {to}{state}", fingerprint(certificate))
}

fn export(operator: &Operator, arguments: &Export, out: &mut dyn Write) -> Result<(), Fault> {
    let domain = operator.wait(SecurityDomain::load(&operator.store, &operator.config.domain))?;
    let domain = domain.ok_or_else(|| anyhow!("the domain has no master secrets yet; see skms domain show"))?;
    let mut json = domain.published(BTreeSet::new(), BTreeSet::new(), BTreeSet::new()).to_json();
    json.push('\n');
    let Some(file) = &arguments.file else { return Ok(out.write_all(json.as_bytes())?) };
    write(file, Access::Everyone, arguments.force, json.as_bytes())?;
    writeln!(out, "{}: the certificates of {}", file.display(), domain.document().kms_uri())?;
    for entry in domain.document().certificates() {
        writeln!(out, "  {}", line(entry.certificate(), operator.now))?;
    }
    Ok(())
}

fn remove(operator: &Operator, kms: &Uri, out: &mut dyn Write) -> Result<(), Fault> {
    let event = operator.event(Action::Domain, format!("certificates of {kms} removed"))?;
    match operator.wait(remove_external(&operator.store, kms, &event))? {
        0 => Err(anyhow!("there are no certificates of {kms}; see skms certs list").into()),
        removed => Ok(writeln!(out, "{kms}: {removed} removed: its users are not accepted any more")?),
    }
}
