//! `skms clock`

use std::io::Write;
use std::path::Path;

use mikey_sakke_files::Moment;
use skm::audit::Action;

use crate::fault::Fault;
use crate::operator::Operator;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Shows the time here, and the latest that a server has seen
    Show,
    /// Takes the time here for right, so that servers that stopped issuing keys go on
    Accept,
}

pub(crate) fn run(command: &Command, config: &Path, out: &mut dyn Write) -> Result<(), Fault> {
    let operator = Operator::open(config)?;
    let now = Moment(operator.now);
    match command {
        Command::Show => {
            writeln!(out, "here    {now}")?;
            let Some(latest) = operator.wait(operator.store.latest_time())? else {
                writeln!(out, "latest  none: no server has run yet")?;
                return Ok(());
            };
            writeln!(out, "latest  {}", Moment(latest))?;
            if operator.config.domain.has_jumped(latest, operator.now) {
                writeln!(out, "They are more than a key period apart, so no identity keys are issued.")?;
                writeln!(out, "Put the clock right, or if it is, run skms clock accept")?;
            }
        }
        Command::Accept => {
            let event = operator.event(Action::AcceptClock, now)?;
            operator.wait(operator.store.accept_time(&event))?;
            writeln!(out, "{now} is the time; servers go on within 5 s")?;
        }
    }
    Ok(())
}
