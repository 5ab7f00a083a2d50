//! `skms delegate`

use std::io::Write;
use std::path::Path;

use anyhow::anyhow;
use mikey_sakke::identity::Uri;
use mikey_sakke::km::Identifier;
use mikey_sakke_files::Moment;
use skm::audit::Action;
use skm::store::Delegate;

use crate::asking::identifier;
use crate::fault::Fault;
use crate::operator::Operator;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Lets a principal have the keys of exactly one user until a time
    Add(Add),
    /// Takes that back
    Remove(Pair),
    /// Lists who may have whose keys
    List,
}

#[derive(clap::Args)]
pub(crate) struct Pair {
    /// Who may have the keys: the name in its certificate, or without one the user of its tokens
    #[arg(long, value_parser = identifier)]
    principal: Identifier,
    /// URI of the user whose keys it may have; exactly this one, no wildcards
    #[arg(long)]
    user: Uri,
}

#[derive(clap::Args)]
pub(crate) struct Add {
    #[command(flatten)]
    pair: Pair,
    /// From when on it may not any more, as in 2026-11-21T08:30:00Z
    #[arg(long, value_name = "TIME")]
    until: Moment,
}

pub(crate) fn run(command: &Command, config: &Path, out: &mut dyn Write) -> Result<(), Fault> {
    let operator = Operator::open(config)?;
    match command {
        Command::Add(arguments) => add(&operator, arguments, config, out),
        Command::Remove(pair) => remove(&operator, pair, out),
        Command::List => list(&operator, out),
    }
}

fn add(operator: &Operator, Add { pair, until }: &Add, config: &Path, out: &mut dyn Write) -> Result<(), Fault> {
    if !operator.config.escrow.allow {
        let advice = "to give one user's keys to another principal, set allow = true in [escrow]";
        return Err(anyhow!("{}: delegates are not allowed; {advice}", config.display()).into());
    }
    if until.0 <= operator.now {
        return Err(Fault::usage(anyhow!("--until {until} is past already")));
    }
    let delegate = Delegate { principal: pair.principal.to_string(), user: pair.user.clone(), expires: until.0 };
    let event = operator.event(Action::Delegate, format!("{} for {} until {until}", pair.user, pair.principal))?;
    operator.wait(operator.store.add_delegate(&delegate, &event))?;
    writeln!(out, "{} may have the keys of {} until {until}", pair.principal, pair.user)?;
    Ok(())
}

fn remove(operator: &Operator, pair: &Pair, out: &mut dyn Write) -> Result<(), Fault> {
    let Pair { principal, user } = pair;
    let event = operator.event(Action::RemoveDelegate, format!("{user} for {principal}"))?;
    if !operator.wait(operator.store.remove_delegate(principal.as_str(), user, &event))? {
        return Err(anyhow!("{principal} is no delegate for {user}; see skms delegate list").into());
    }
    writeln!(out, "{principal} may not have the keys of {user} any more")?;
    Ok(())
}

fn list(operator: &Operator, out: &mut dyn Write) -> Result<(), Fault> {
    let delegates = operator.wait(operator.store.delegates())?;
    if delegates.is_empty() {
        writeln!(out, "no delegates")?;
        return Ok(());
    }
    for Delegate { principal, user, expires } in delegates {
        let note = if expires <= operator.now { " (expired)" } else { "" };
        writeln!(out, "{principal} has the keys of {user} until {}{note}", Moment(expires))?;
    }
    if !operator.config.escrow.allow {
        writeln!(out, "none of them counts, since [escrow] does not allow delegates")?;
    }
    Ok(())
}
