//! `skms backup` and `skms restore`

use std::fs::{File, OpenOptions, hard_link, remove_file};
use std::io::{BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use mikey_sakke::km::replay_retention;
use mikey_sakke::time::Timestamp;
use mikey_sakke_files::Moment;
use skm::audit::{Action, Event, Outcome};
use skm::store::{BackupError, Contents, Store, shown};

use crate::fault::Fault;
use crate::operator::{Operator, event, prepare};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// File of the backup
    file: PathBuf,
}

/// Writes a backup to a file that appears whole or not at all, and replaces none.
pub(crate) fn backup(Arguments { file }: &Arguments, config: &Path, out: &mut dyn Write) -> Result<(), Fault> {
    if file.symlink_metadata().is_ok() {
        return Err(anyhow!("{} exists already; choose another name", file.display()).into());
    }
    let operator = Operator::open(config)?;
    let event = operator.event(Action::Backup, file.display())?;
    match write(&operator, &event, file) {
        Ok(contents) => {
            writeln!(out, "{}: {contents}; it opens with the sealing key of this store", file.display())?;
            Ok(())
        }
        Err(error) => {
            // What is wrong with the store may be why there is no backup.
            let _ = operator.wait(operator.store.log(&Event { outcome: Outcome::Failed, ..event }));
            Err(error.context(format!("{}: no backup was made", file.display())).into())
        }
    }
}

fn write(operator: &Operator, event: &Event, file: &Path) -> anyhow::Result<Contents> {
    let mut draft = file.as_os_str().to_owned();
    draft.push(format!(".{}.draft", std::process::id()));
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let written = || {
        let contents = operator.wait(operator.store.backup(BufWriter::new(&opened), event))?;
        if contents.sealed_rows == 0 {
            bail!("there is nothing in store {}; is store.url right?", shown(&operator.config.store.url));
        }
        opened.sync_all()?;
        // Linking, unlike renaming, fails if the name was taken meanwhile.
        hard_link(&draft, file)?;
        Ok(contents)
    };
    let contents = written();
    remove_file(&draft)?;
    contents
}

/// Brings a backup into an empty store.
pub(crate) fn restore(Arguments { file }: &Arguments, path: &Path, out: &mut dyn Write) -> Result<(), Fault> {
    let backup = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    let (config, secret, runtime) = prepare(path)?;
    let (url, server) = (&config.store.url, config.domain.server());
    let now = Timestamp::now()?;
    let event = event(now, Action::Restore, file.display())?;
    let hold = replay_retention(Duration::from_secs(config.time.window_seconds));
    let restored = Store::restore(url, secret, server, BufReader::new(backup), hold, &event);
    let contents = runtime.block_on(restored).map_err(|error| match error {
        BackupError::Store(error) => Fault::from(anyhow!(error).context(format!("store {}", shown(url)))),
        BackupError::NotEmpty => anyhow!(error).context(format!("store {}", shown(url))).into(),
        BackupError::OtherKey => Fault::Usage(anyhow!(error).context(file.display().to_string())),
        error => anyhow!(error).context(file.display().to_string()).into(),
    })?;
    writeln!(out, "{}: {contents}, as they were at {}", shown(url), Moment(contents.time))?;
    writeln!(out, "What was changed later is not there, blocks included.")?;
    writeln!(
        out,
        "Requests are refused for {} s from now on, as they could have been answered before.",
        hold.as_secs()
    )?;
    writeln!(out, "Next: skms audit verify, and skms domain show")?;
    Ok(())
}
