//! `skms reseal`

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use skm::audit::Action;
use skm::seal::{KeySource, SALT_OCTETS};

use crate::fault::Fault;
use crate::operator::{Operator, read_config};
use crate::progress::Progress;

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Arguments {
    /// File with the new key, 64 hexadecimal digits, readable for its owner alone
    #[arg(long, value_name = "FILE")]
    new_key_file: Option<PathBuf>,
    /// Configuration for the same store that names the new key, wherever that is
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments, config: &Path, out: &mut dyn Write) -> Result<(), Fault> {
    let next = arguments.to.as_ref().map(|path| Ok::<_, Fault>((path, read_config(path)?))).transpose()?;
    let source = match (&arguments.new_key_file, &next) {
        (Some(path), _) => Some(KeySource::File(path.clone())),
        (None, Some((_, next))) => next.seal.source(),
        (None, None) => None,
    };
    let source = source.context("no new key")?;
    // Before there are threads, as a variable is unset.
    let secret = source.read().context("the new key")?;
    let operator = Operator::open(config)?;
    if let Some((path, next)) = &next
        && next.store.url != operator.config.store.url
    {
        let here = config.display();
        return Err(Fault::usage(anyhow!("{}: store.url is another than in {here}", path.display())));
    }
    if arguments.new_key_file.is_some() && secret.open(&[0; SALT_OCTETS])?.id() == operator.store.wrapping() {
        return Err(Fault::usage(anyhow!("{source}: this is the key that the store has; nothing was changed")));
    }
    let event = operator.event(Action::Reseal, &source)?;
    let mut progress: Option<Progress> = None;
    let resealed = operator.wait(operator.store.reseal(secret, &event, &mut |done, all| match &mut progress {
        Some(progress) => progress.show(done),
        None => progress = Progress::new(all).ok(),
    }));
    if let Some(progress) = progress {
        progress.end();
    }
    let resealed = resealed?;
    writeln!(out, "{} values are sealed with a new data key, which the new key wraps: {source}", resealed.values)?;
    if let Some(error) = resealed.remains {
        writeln!(out, "Values as they were sealed before may be left in the files of the database: {error}")?;
    }
    writeln!(
        out,
        "Now name the new key in [seal], for every server, and restart them: until then they refuse everything."
    )?;
    writeln!(out, "Keep the old key as long as there are backups from before; it alone opens them.")?;
    Ok(())
}
