//! Keys in files.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use zeroize::Zeroizing;

use super::error::{Form, KeyError};
use super::{KEY_OCTETS, SealKey};

/// The octets that are read of a file: the longest line, its end, and one more, by which a longer one is noticed.
const FILE_OCTETS: usize = Form::Passphrase.octets().1 + 3;

impl SealKey {
    /// The key in a file, in 64 hexadecimal digits, which nobody but its owner may read.
    ///
    /// # Errors
    ///
    /// [`KeyError`].
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let text = read_private(path)?;
        let key = parse_key(&text).ok_or_else(|| KeyError::Content(path.to_owned(), Form::Key))?;
        Ok(Self::new(&key))
    }
}

/// A key of 64 hexadecimal digits, one end of line after them at most.
pub(super) fn parse_key(text: &str) -> Option<Zeroizing<[u8; KEY_OCTETS]>> {
    let mut key = Zeroizing::new([0; KEY_OCTETS]);
    hex::decode_to_slice(line(text), key.as_mut_slice()).ok()?;
    Some(key)
}

/// A text without the end of its line.
pub(super) fn line(text: &str) -> &str {
    text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text))
}

/// The text of a file that is its owner's alone, and whose owner is the user of this process.
pub(super) fn read_private(path: &Path) -> Result<Zeroizing<String>, KeyError> {
    read(open_private(path)?, path)
}

/// The text of a credential. systemd may own it, and let the user of the service read it through an access control
/// list, whose mask stands in the place of the rights of the group.
#[cfg(feature = "server")]
pub(super) fn read_credential(path: &Path) -> Result<Zeroizing<String>, KeyError> {
    let (file, owner, mode) = open(path)?;
    if owner != 0 && owner != rustix::process::geteuid().as_raw() {
        return Err(KeyError::Owner(path.to_owned()));
    }
    if mode & 0o037 != 0 {
        return Err(KeyError::Access(path.to_owned(), mode));
    }
    read(file, path)
}

/// The text of a file, as far as a key or a passphrase goes.
fn read(file: File, path: &Path) -> Result<Zeroizing<String>, KeyError> {
    // Room from the start: a buffer that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(2 * FILE_OCTETS));
    let read = file.take(FILE_OCTETS as u64).read_to_string(&mut text);
    read.map_err(|error| KeyError::Io(path.to_owned(), error))?;
    Ok(text)
}

/// Opens a file that is its owner's alone, and whose owner is the user of this process.
pub(crate) fn open_private(path: &Path) -> Result<File, KeyError> {
    let (file, owner, mode) = open(path)?;
    if owner != rustix::process::geteuid().as_raw() {
        return Err(KeyError::Owner(path.to_owned()));
    }
    if mode & 0o077 != 0 {
        return Err(KeyError::Access(path.to_owned(), mode));
    }
    Ok(file)
}

/// Opens a regular file, with its owner and its mode.
fn open(path: &Path) -> Result<(File, u32, u32), KeyError> {
    let failed = |error| KeyError::Io(path.to_owned(), error);
    let found = std::fs::metadata(path).map_err(failed)?;
    // Opening a pipe would wait for its other end.
    if !found.is_file() {
        return Err(KeyError::NotAFile(path.to_owned()));
    }
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(KeyError::NotAFile(path.to_owned()));
    }
    let (owner, mode) = (metadata.uid(), metadata.mode() & 0o7777);
    Ok((file, owner, mode))
}
