//! `skms provision`

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use mikey_sakke::identity::Uri;
use mikey_sakke::km::record::Record;
use mikey_sakke::km::{Identifier, MAX_PAYLOAD_OCTETS, Payload, Subject};
use mikey_sakke::kms::Validity;
use mikey_sakke_files::Moment;
use skm::audit::Action;
use skm::store::{Change, Condition};
use zeroize::Zeroizing;

use crate::asking::identifier;
use crate::fault::Fault;
use crate::operator::Operator;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Stores the key material of a service, or of one of its clients, devices or users, in place of what was there
    Put(Put),
    /// Shows what is known of a record, without its key material
    Get(Target),
    /// Deletes a record
    Delete(Target),
}

#[derive(clap::Args)]
pub(crate) struct Target {
    /// ServiceID, as in urn:example:fleet
    #[arg(long, value_parser = identifier)]
    service: Identifier,
    /// ClientID of the client that it is for
    #[arg(long, value_parser = identifier, group = "subject")]
    client: Option<Identifier>,
    /// DeviceID of the device that it is for
    #[arg(long, value_parser = identifier, group = "subject")]
    device: Option<Identifier>,
    /// UserID of the user that it is for, a URI
    #[arg(long, group = "subject")]
    user: Option<Uri>,
}

#[derive(clap::Args)]
pub(crate) struct Put {
    #[command(flatten)]
    target: Target,
    /// URI of the user that the record belongs to; that of --user if none is given
    #[arg(long, required_unless_present = "user")]
    user_uri: Option<Uri>,
    /// File with the key material, `-` for standard input: text that is stored as it is, ends of lines included
    #[arg(long, value_name = "FILE")]
    payload_file: PathBuf,
    /// Give it out from this time on, as in 2026-11-21T08:30:00Z
    #[arg(long, value_name = "TIME")]
    valid_from: Option<Moment>,
    /// Give it out up to this time
    #[arg(long, value_name = "TIME")]
    valid_to: Option<Moment>,
}

impl Target {
    fn subject(&self) -> Subject {
        match self {
            Self { client: Some(client), .. } => Subject::Client(client.clone()),
            Self { device: Some(device), .. } => Subject::Device(device.clone()),
            Self { user: Some(user), .. } => Subject::User(user.clone()),
            _ => Subject::Service,
        }
    }

    /// For people and for the audit log.
    fn name(&self) -> String {
        let subject = self.subject();
        match subject {
            Subject::Service => self.service.to_string(),
            _ => format!("{} {} {}", self.service, subject.kind().as_str(), subject.value()),
        }
    }
}

pub(crate) fn run(command: &Command, config: &Path, out: &mut dyn Write) -> Result<(), Fault> {
    match command {
        Command::Put(arguments) => put(arguments, config, out),
        Command::Get(target) => get(target, config, out),
        Command::Delete(target) => delete(target, config, out),
    }
}

fn put(arguments: &Put, config: &Path, out: &mut dyn Write) -> Result<(), Fault> {
    let Put { target, user_uri, payload_file, valid_from, valid_to } = arguments;
    let user = user_uri.clone().or_else(|| target.user.clone()).context("--user-uri is missing")?;
    let validity = Validity { from: valid_from.map(|from| from.0), to: valid_to.map(|to| to.0) };
    if validity.from.zip(validity.to).is_some_and(|(from, to)| to <= from) {
        return Err(Fault::usage(anyhow!("--valid-to is not after --valid-from")));
    }
    let operator = Operator::open(config)?;
    if target.service == operator.config.domain.identity_service_id {
        let what = "is reserved for identity keys, which the server issues itself";
        return Err(anyhow!("{} {what}; store records under another ServiceID", target.service).into());
    }
    let text = read_payload(payload_file)?;
    let payload = Payload::new(&text).with_context(|| too_long(payload_file))?;
    let record = Record::new(user, payload, validity).context("the record")?;
    let event = operator.event(Action::Provision, target.name())?;
    let subject = target.subject();
    let stored = operator.store.put_record(&target.service, &subject, &record, Condition::Any, &event);
    match operator.wait(stored)? {
        Change::Created(version) => writeln!(out, "{}: stored, ETag {version}", target.name())?,
        Change::Replaced(version) => writeln!(out, "{}: replaced, ETag {version}", target.name())?,
        Change::Deleted | Change::Conflict | Change::NotFound => return Err(anyhow!("the store refused").into()),
    }
    if validity.to.is_some_and(|to| to <= operator.now) {
        writeln!(out, "it is not given out, as its validity is past")?;
    }
    Ok(())
}

fn get(target: &Target, config: &Path, out: &mut dyn Write) -> Result<(), Fault> {
    let operator = Operator::open(config)?;
    let found = operator.wait(operator.store.record(&target.service, &target.subject()))?;
    let (version, record) = found.with_context(|| missing(target))?;
    let Validity { from, to } = record.validity();
    writeln!(out, "Record    {}", target.name())?;
    writeln!(out, "UserUri   {}", record.user_uri())?;
    if let Some(from) = from {
        let note = if operator.now < from { " (not yet)" } else { "" };
        writeln!(out, "ValidFrom {}{note}", Moment(from))?;
    }
    if let Some(to) = to {
        let note = if to <= operator.now { " (past)" } else { "" };
        writeln!(out, "ValidTo   {}{note}", Moment(to))?;
    }
    writeln!(out, "ETag      {version}")?;
    Ok(())
}

fn delete(target: &Target, config: &Path, out: &mut dyn Write) -> Result<(), Fault> {
    let operator = Operator::open(config)?;
    let event = operator.event(Action::DeleteRecord, target.name())?;
    let subject = target.subject();
    let deleted = operator.store.delete_record(&target.service, &subject, Condition::Any, &event);
    match operator.wait(deleted)? {
        Change::Deleted => writeln!(out, "{}: deleted", target.name())?,
        _ => return Err(anyhow!(missing(target)).into()),
    }
    Ok(())
}

fn missing(target: &Target) -> String {
    format!("{}: there is no such record", target.name())
}

fn too_long(path: &Path) -> String {
    format!("{}: more than {MAX_PAYLOAD_OCTETS} octets, which no record holds", path.display())
}

/// The text of a file, or of standard input.
fn read_payload(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let place = if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() };
    let source: Box<dyn Read> = match path == Path::new("-") {
        true => Box::new(std::io::stdin().lock()),
        false => Box::new(File::open(path).with_context(|| format!("cannot read {place}"))?),
    };
    // Room from the start: a buffer that grows leaves copies behind.
    let mut octets = Zeroizing::new(Vec::with_capacity(2 * MAX_PAYLOAD_OCTETS));
    source
        .take(MAX_PAYLOAD_OCTETS as u64 + 1)
        .read_to_end(&mut octets)
        .with_context(|| format!("cannot read {place}"))?;
    if octets.len() > MAX_PAYLOAD_OCTETS {
        bail!(too_long(Path::new(&place)));
    }
    if octets.is_empty() {
        bail!("{place}: empty; a record needs key material");
    }
    match str::from_utf8(&octets) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => bail!("{place}: not text in UTF-8; write binary key material in base64 or hexadecimal"),
    }
}
