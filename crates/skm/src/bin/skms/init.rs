//! `skms init`

mod files;

use std::fs::DirBuilder;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf, absolute};

use anyhow::{Context, anyhow};
use mikey_sakke::time::Timestamp;
use mikey_sakke_files::{Access, write};

use crate::fault::Fault;
use files::NewFile;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Directory for the files, which is made if there is none
    #[arg(long)]
    dir: PathBuf,
    /// Make all that a trial needs, with certificates and a token issuer to be thrown away
    #[arg(long)]
    trial: bool,
}

pub(crate) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Fault> {
    let directory = absolute(&arguments.dir).with_context(|| arguments.dir.display().to_string())?;
    let files = match arguments.trial {
        true => files::trial(&directory, Timestamp::now()?)?,
        false => files::template(&directory)?,
    };
    write_all(&directory, &files)?;
    for file in &files {
        let note = if file.is_secret { " (readable for its owner alone)" } else { "" };
        writeln!(out, "{}: {}{note}", directory.join(file.name).display(), file.what)?;
    }
    let config = directory.join(files[0].name);
    if arguments.trial {
        writeln!(out, "\nNext: skms --config {} serve --trial", shown(&config))?;
    } else {
        writeln!(out, "\nTo be filled in, in {}:", config.display())?;
        for (number, line) in (1..).zip(files[0].text.lines()) {
            if let Some(key) = line.strip_suffix(" = \"\"") {
                writeln!(out, "  line {number}: {key}")?;
            }
        }
        writeln!(out, "Keep a copy of {}, away from the store: nothing opens the store without it.", files[1].name)?;
        writeln!(out, "Next: skms --config {} config check, which says what is missing", shown(&config))?;
    }
    Ok(())
}

/// Writes all files, or none if one is there already.
fn write_all(directory: &Path, files: &[NewFile]) -> Result<(), Fault> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    if let Some(file) = files.iter().find(|file| directory.join(file.name).symlink_metadata().is_ok()) {
        let path = directory.join(file.name);
        return Err(anyhow!("{} exists already; nothing was written; choose another --dir", path.display()).into());
    }
    for file in files {
        let access = if file.is_secret { Access::Owner } else { Access::Everyone };
        write(&directory.join(file.name), access, false, file.text.as_bytes())?;
    }
    Ok(())
}

/// A path for a shell.
fn shown(path: &Path) -> String {
    let path = path.display().to_string();
    let is_plain = path.chars().all(|letter| letter.is_ascii_alphanumeric() || "/._-+@%:,=".contains(letter));
    if is_plain { path } else { format!("'{}'", path.replace('\'', "'\\''")) }
}
