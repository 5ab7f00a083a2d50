//! Where the key-encryption key comes from.

use std::fmt;
use std::path::{Path, PathBuf};

use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

use super::error::{Form, KeyError};
use super::file::{line, parse_key, read_credential, read_private};
use super::token::{TokenKey, TokenSource};
use super::{KEY_OCTETS, KeyEncryptionKey, SealKey};

/// The octets of the salt that goes with a passphrase. It is public.
pub const SALT_OCTETS: usize = 16;

/// Memory in KiB, passes and lanes of Argon2id: the second of the settings that RFC 9106 recommends (section 4).
const ARGON2: (u32, u32, u32) = (64 * 1024, 3, 4);

/// Where the key-encryption key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// A file with the key in hexadecimal, which nobody but its owner may read.
    File(PathBuf),
    /// An environment variable with the key in hexadecimal. It is weaker than a file: the environment that a process
    /// was started with stays readable to its user, although the variable is unset once it is read.
    Variable(String),
    /// A file with a passphrase of 12 to 4096 octets, which nobody but its owner may read.
    Passphrase(PathBuf),
    /// A credential that systemd passes to the service, with the key in hexadecimal: a file of this name in the
    /// directory `CREDENTIALS_DIRECTORY`.
    Credential(String),
    /// A key in a token of PKCS #11.
    Token(TokenSource),
}

/// As it stands in `[seal]`.
impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "key_file {}", path.display()),
            Self::Variable(name) => write!(f, "key_env {name}"),
            Self::Passphrase(path) => write!(f, "passphrase_file {}", path.display()),
            Self::Credential(name) => write!(f, "credential {name}"),
            Self::Token(TokenSource { token, key, .. }) => write!(f, "pkcs11 key {key} in token {token}"),
        }
    }
}

/// What was read of a source: a key, a passphrase that makes one with the salt of the store, or what opens a token.
#[derive(Clone)]
pub struct Secret(Content);

#[derive(Clone)]
enum Content {
    Key(Zeroizing<[u8; KEY_OCTETS]>),
    Passphrase(Zeroizing<String>),
    Token(TokenKey),
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
                let text = read_private(path)?;
                Secret::from_key(&text).ok_or_else(|| KeyError::Content(path.clone(), Form::Key))
            }
            Self::Variable(name) => {
                let text = take_variable(name)?;
                text.and_then(|text| Secret::from_key(&text)).ok_or_else(|| KeyError::Variable(name.clone(), Form::Key))
            }
            Self::Passphrase(path) => {
                let text = read_private(path)?;
                Secret::from_passphrase(&text).ok_or_else(|| KeyError::Content(path.clone(), Form::Passphrase))
            }
            Self::Credential(name) => {
                let path = credential(name).ok_or_else(|| KeyError::Credential(name.clone()))?;
                let text = read_credential(&path)?;
                Secret::from_key(&text).ok_or(KeyError::Content(path, Form::Key))
            }
            Self::Token(source) => {
                let text = read_private(&source.pin_file)?;
                let pin = secret_line(&text, Form::Pin);
                let pin = pin.ok_or_else(|| KeyError::Content(source.pin_file.clone(), Form::Pin))?;
                Ok(Secret(Content::Token(TokenKey { source: source.clone(), pin })))
            }
        }
    }
}

impl Secret {
    /// A key of 64 hexadecimal digits, one end of line after them at most.
    pub fn from_key(text: &str) -> Option<Self> {
        parse_key(text).map(|key| Self(Content::Key(key)))
    }

    /// A passphrase on one line.
    pub fn from_passphrase(text: &str) -> Option<Self> {
        secret_line(text, Form::Passphrase).map(|text| Self(Content::Passphrase(text)))
    }

    /// The key. From a passphrase it is derived through Argon2id, which takes 64 MiB and about half a second. A token
    /// is not asked before the key is used.
    ///
    /// # Errors
    ///
    /// [`KeyError`].
    pub fn open(&self, salt: &[u8; SALT_OCTETS]) -> Result<Box<dyn KeyEncryptionKey>, KeyError> {
        let passphrase = match &self.0 {
            Content::Key(key) => return Ok(Box::new(SealKey::new(key))),
            Content::Token(key) => return Ok(Box::new(key.clone())),
            Content::Passphrase(passphrase) => passphrase,
        };
        let (memory, passes, lanes) = ARGON2;
        let params = Params::new(memory, passes, lanes, Some(KEY_OCTETS)).map_err(|_| KeyError::Derivation)?;
        let mut key = Zeroizing::new([0; KEY_OCTETS]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.as_bytes(), salt, key.as_mut_slice())
            .map_err(|_| KeyError::Derivation)?;
        Ok(Box::new(SealKey::new(&key)))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A text of this form on one line.
fn secret_line(text: &str, form: Form) -> Option<Zeroizing<String>> {
    let text = line(text);
    let (least, most) = form.octets();
    let is_line = (least..=most).contains(&text.len()) && !text.contains(char::is_control);
    is_line.then(|| Zeroizing::new(text.to_owned()))
}

/// The path of a credential, unless it has no name for one or there is no directory with credentials.
fn credential(name: &str) -> Option<PathBuf> {
    let is_name = !matches!(name, "" | "." | "..") && !name.contains(['/', '\0']);
    let directory = std::env::var_os("CREDENTIALS_DIRECTORY").filter(|path| Path::new(path).is_absolute())?;
    is_name.then(|| Path::new(&directory).join(name))
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
