//! Where the sealing key comes from.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::{fmt, io};

use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

use super::{KEY_OCTETS, SealKey};

/// The octets of the salt that goes with a passphrase. It is public.
pub const SALT_OCTETS: usize = 16;

/// The octets that a passphrase has, at least and at most.
const PASSPHRASE_OCTETS: (usize, usize) = (12, 4096);

/// The octets that are read of a file: a passphrase, its end of line, and one more, by which a longer one is noticed.
const FILE_OCTETS: usize = PASSPHRASE_OCTETS.1 + 3;

/// Memory in KiB, passes and lanes of Argon2id: the second of the settings that RFC 9106 recommends (section 4).
const ARGON2: (u32, u32, u32) = (64 * 1024, 3, 4);

/// Where the sealing key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// A file with the key in hexadecimal, which nobody but its owner may read.
    File(PathBuf),
    /// An environment variable with the key in hexadecimal. It is weaker than a file: the environment that a process
    /// was started with stays readable to its user, although the variable is unset once it is read.
    Variable(String),
    /// A file with a passphrase of 12 to 4096 octets, which nobody but its owner may read.
    Passphrase(PathBuf),
}

/// A sealing key that is not to be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The file cannot be read.
    #[error("{0}: {1}")]
    Io(PathBuf, #[source] io::Error),
    /// The file is not a regular one.
    #[error("{0}: not a regular file")]
    NotAFile(PathBuf),
    /// The file is somebody else's.
    #[error("{0}: belongs to another user; let the user of the server own it")]
    Owner(PathBuf),
    /// Others than its owner may read or write the file.
    #[error("{0}: open to others (mode {1:04o}); make it readable to its owner alone, as with chmod 600")]
    Access(PathBuf, u32),
    /// The file is not of the form that it should have.
    #[error("{0}: not {1}")]
    Content(PathBuf, Form),
    /// The variable is not set, or not to the form that it should have.
    #[error("the environment variable {0} is not {1}")]
    Variable(String, Form),
    /// The variable cannot be unset.
    #[error("the environment variable {0} cannot be unset once there are threads, or without /proc")]
    Threads(String),
    /// The derivation from the passphrase failed.
    #[error("no memory to derive a key from the passphrase")]
    Derivation,
}

/// The form of what a key comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A key.
    Key,
    /// A passphrase.
    Passphrase,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key => write!(f, "a key, {} hexadecimal digits", 2 * KEY_OCTETS),
            Self::Passphrase => {
                let (least, most) = PASSPHRASE_OCTETS;
                write!(f, "a passphrase, one line of {least} to {most} octets in UTF-8")
            }
        }
    }
}

/// What was read of a source: a key, or a passphrase that makes one with the salt of the store.
#[derive(Clone)]
pub struct Secret(Content);

#[derive(Clone)]
enum Content {
    Key(Zeroizing<[u8; KEY_OCTETS]>),
    Passphrase(Zeroizing<String>),
}

impl KeySource {
    /// Reads the source. A variable is unset, so this stands before the first thread is started.
    ///
    /// # Errors
    ///
    /// [`KeyError`].
    pub fn read(&self) -> Result<Secret, KeyError> {
        match self {
            Self::File(path) => {
                let text = read_file(path)?;
                Secret::from_key(&text).ok_or_else(|| KeyError::Content(path.clone(), Form::Key))
            }
            Self::Variable(name) => {
                let text = take_variable(name)?;
                text.and_then(|text| Secret::from_key(&text)).ok_or_else(|| KeyError::Variable(name.clone(), Form::Key))
            }
            Self::Passphrase(path) => {
                let text = read_file(path)?;
                Secret::from_passphrase(&text).ok_or_else(|| KeyError::Content(path.clone(), Form::Passphrase))
            }
        }
    }
}

impl Secret {
    /// A key of 64 hexadecimal digits, one end of line after them at most.
    pub fn from_key(text: &str) -> Option<Self> {
        let mut key = Zeroizing::new([0; KEY_OCTETS]);
        hex::decode_to_slice(line(text), key.as_mut_slice()).ok()?;
        Some(Self(Content::Key(key)))
    }

    /// A passphrase on one line.
    pub fn from_passphrase(text: &str) -> Option<Self> {
        let text = line(text);
        let (least, most) = PASSPHRASE_OCTETS;
        let is_line = (least..=most).contains(&text.len()) && !text.contains(char::is_control);
        is_line.then(|| Self(Content::Passphrase(Zeroizing::new(text.to_owned()))))
    }

    /// The key. From a passphrase it is derived through Argon2id, which takes 64 MiB and about half a second.
    ///
    /// # Errors
    ///
    /// [`KeyError::Derivation`].
    pub fn into_key(self, salt: &[u8; SALT_OCTETS]) -> Result<SealKey, KeyError> {
        let passphrase = match self.0 {
            Content::Key(key) => return Ok(SealKey::new(&key)),
            Content::Passphrase(passphrase) => passphrase,
        };
        let (memory, passes, lanes) = ARGON2;
        let params = Params::new(memory, passes, lanes, Some(KEY_OCTETS)).map_err(|_| KeyError::Derivation)?;
        let mut key = Zeroizing::new([0; KEY_OCTETS]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.as_bytes(), salt, key.as_mut_slice())
            .map_err(|_| KeyError::Derivation)?;
        Ok(SealKey::new(&key))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

fn line(text: &str) -> &str {
    text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text))
}

/// The text of a file that is its owner's alone, and whose owner is the user of this process.
fn read_file(path: &Path) -> Result<Zeroizing<String>, KeyError> {
    // Room from the start: a buffer that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(2 * FILE_OCTETS));
    let read = open_private(path)?.take(FILE_OCTETS as u64).read_to_string(&mut text);
    read.map_err(|error| KeyError::Io(path.to_owned(), error))?;
    Ok(text)
}

/// Opens a file that is its owner's alone, and whose owner is the user of this process.
pub(crate) fn open_private(path: &Path) -> Result<File, KeyError> {
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
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(KeyError::Owner(path.to_owned()));
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Access(path.to_owned(), mode));
    }
    Ok(file)
}

/// Reads a variable and unsets it, so that processes started later do not inherit it.
fn take_variable(name: &str) -> Result<Option<Zeroizing<String>>, KeyError> {
    let Ok(text) = std::env::var(name).map(Zeroizing::new) else {
        return Ok(None);
    };
    let threads = std::fs::read_dir("/proc/self/task").map(Iterator::count);
    if threads.ok() != Some(1) {
        return Err(KeyError::Threads(name.to_owned()));
    }
    // SAFETY: the kernel says that this is the only thread, so nobody reads or writes the environment meanwhile.
    unsafe { std::env::remove_var(name) };
    Ok(Some(text))
}
