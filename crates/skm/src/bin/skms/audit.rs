//! `skms audit`

use std::io::Write;
use std::path::Path;

use anyhow::{Context, anyhow};
use mikey_sakke::time::Timestamp;
use mikey_sakke_files::Moment;
use serde_json::json;
use skm::audit::Entry;
use skm::store::StoreError;

use crate::fault::Fault;
use crate::operator::Operator;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Shows the entries, the oldest first
    List(List),
    /// Finds out whether an entry was changed, removed or moved
    Verify,
}

#[derive(clap::Args)]
pub(crate) struct List {
    /// One JSON object on each line
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(command: &Command, config: &Path, out: &mut dyn Write) -> Result<(), Fault> {
    let operator = Operator::open(config)?;
    match command {
        Command::List(arguments) => list(&operator, arguments.json, out),
        Command::Verify => verify(&operator, out),
    }
}

fn list(operator: &Operator, json: bool, out: &mut dyn Write) -> Result<(), Fault> {
    let mut last = 0;
    loop {
        let entries = operator.wait(operator.store.audit(last))?;
        let Some(end) = entries.last() else { return Ok(()) };
        last = end.sequence;
        for entry in &entries {
            if json {
                writeln!(out, "{}", to_json(entry))?;
            } else {
                writeln!(out, "{}", line(entry))?;
            }
        }
    }
}

fn to_json(entry: &Entry) -> serde_json::Value {
    json!({
        "sequence": entry.sequence,
        "time": entry.time,
        "principal": entry.principal,
        "action": entry.action,
        "target": entry.target,
        "period": entry.period,
        "outcome": entry.outcome,
        "request_id": entry.request_id,
        "mac": hex::encode(&entry.mac),
    })
}

/// An entry for people. Whoever can write to the database decides what stands there, so nothing reaches the terminal
/// as a command to it.
fn line(entry: &Entry) -> String {
    let Entry { sequence, principal, action, target, outcome, request_id, .. } = entry;
    let time = u64::try_from(entry.time).ok().and_then(|seconds| Timestamp::from_unix(seconds).ok());
    let time = time.map_or_else(|| entry.time.to_string(), |time| Moment(time).to_string());
    let period = entry.period.map(|period| format!(", period {period}")).unwrap_or_default();
    let line = format!("{sequence} {time} {outcome}: {action} {target}{period}, by {principal} ({request_id})");
    line.chars().flat_map(|letter| if letter.is_control() { vec!['\u{FFFD}'] } else { vec![letter] }).collect()
}

fn verify(operator: &Operator, out: &mut dyn Write) -> Result<(), Fault> {
    let server = operator.config.domain.server();
    match operator.wait(operator.store.verify_audit()) {
        Ok(report) if report.entries == 0 => writeln!(out, "audit log of {server}: no entries yet")?,
        Ok(report) => {
            writeln!(out, "audit log of {server}: {} entries, each in its place", report.entries)?;
            writeln!(out, "last entry: {}", report.head)?;
        }
        Err(error @ StoreError::Audit(_)) => {
            let advice = "compare the log with a backup, and find out who can write to the store";
            return Err(anyhow!(error).context(format!("audit log of {server}, {advice}")).into());
        }
        Err(error) => return Err(error).context("the audit log cannot be read").map_err(Into::into),
    }
    Ok(())
}
