//! `skms migrate`

use std::io::Write;
use std::path::Path;

use crate::fault::Fault;
use crate::operator::Operator;

pub(crate) fn run(config: &Path, out: &mut dyn Write) -> Result<(), Fault> {
    // A store that is opened is brought up to date.
    let operator = Operator::open(config)?;
    writeln!(out, "{}: its schema is that of this program", operator.config.store.url)?;
    Ok(())
}
