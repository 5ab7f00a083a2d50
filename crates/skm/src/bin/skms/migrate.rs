//! `skms migrate`

use std::io::Write;
use std::path::Path;

use skm::store::shown;

use crate::fault::Fault;
use crate::operator::Operator;

pub(crate) fn run(config: &Path, out: &mut dyn Write) -> Result<(), Fault> {
    let operator = Operator::migrate(config)?;
    writeln!(out, "{}: its schema is that of this program", shown(&operator.config.store.url))?;
    Ok(())
}
