//! `skms block` and `skms unblock`

use std::io::Write;
use std::path::Path;

use anyhow::anyhow;
use mikey_sakke::identity::Uri;
use skm::audit::Action;

use crate::fault::Fault;
use crate::operator::Operator;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// URI of the user, as in sip:alice@example.org
    uri: Uri,
}

pub(crate) fn run(arguments: &Arguments, block: bool, config: &Path, out: &mut dyn Write) -> Result<(), Fault> {
    let Arguments { uri } = arguments;
    let operator = Operator::open(config)?;
    let event = operator.event(if block { Action::Block } else { Action::Unblock }, uri)?;
    match (operator.wait(operator.store.set_blocked(uri, block, &event))?, block) {
        (true, true) => writeln!(out, "{uri}: blocked: it gets no keys any more, and is listed in revokedUsers")?,
        (true, false) => writeln!(out, "{uri}: no longer blocked")?,
        (false, true) => writeln!(out, "{uri}: was blocked already")?,
        (false, false) => return Err(anyhow!("{uri} is not blocked").into()),
    }
    Ok(())
}
