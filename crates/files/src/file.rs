//! Reading files, and writing them in one piece with the access that they need.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

/// What a monthly domain meets.
pub(crate) const NO_XML: &str = "cannot be written as XML, which knows hashed UIDs alone";

pub(crate) fn to_json(file: &impl Serialize) -> anyhow::Result<Zeroizing<String>> {
    let mut json = Zeroizing::new(serde_json::to_string_pretty(file)?);
    json.push('\n');
    Ok(json)
}

/// Who may read a file that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The owner alone: mode 0600.
    Owner,
    /// Whom the system lets by default.
    Everyone,
}

/// Writes a file in one piece: it appears whole or not at all, and replaces another only if forced.
///
/// # Errors
///
/// The file exists and is not to be replaced, or the system refuses.
pub fn write(path: &Path, access: Access, force: bool, octets: &[u8]) -> anyhow::Result<()> {
    if path.exists() && !force {
        bail!("{} exists already; choose another name, or pass --force to replace it", path.display());
    }
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}.draft", std::process::id()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if access == Access::Owner {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    let written = options.open(&draft).and_then(|mut file| {
        file.write_all(octets)?;
        file.sync_all()?;
        // Linking, unlike renaming, fails if the name was taken meanwhile.
        if force { std::fs::rename(&draft, path) } else { std::fs::hard_link(&draft, path) }
    });
    // After a rename the draft is gone already.
    let _ = std::fs::remove_file(&draft);
    written.with_context(|| format!("cannot write {}", path.display()))
}

pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    serde_json::from_str(&read_text(path)?).with_context(|| in_file(path))
}

pub(crate) fn read_text(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Zeroizing::new(text))
}

/// JSON does not begin like this.
pub(crate) fn is_xml(text: &str) -> bool {
    text.trim_start_matches('\u{FEFF}').trim_start().starts_with('<')
}

pub(crate) fn in_file(path: &Path) -> String {
    format!("in {}", path.display())
}
