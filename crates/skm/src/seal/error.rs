//! Why there is no key.

use std::path::PathBuf;
use std::{fmt, io};

use super::KEY_OCTETS;

/// A key that is not to be had.
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
    /// The random source failed.
    #[error(transparent)]
    Random(#[from] super::RandomError),
    /// The name of a credential is none, or there is no directory with credentials.
    #[error(
        "there is no credential {0:?}: systemd passes one, as with LoadCredential={0}:PATH, under a plain file name"
    )]
    Credential(String),
    /// The token with the key refuses, or is not there.
    #[cfg(feature = "server")]
    #[error(transparent)]
    Token(#[from] super::TokenError),
    /// The data key was wrapped by another key, or was changed since.
    #[error("the data key was wrapped by another key")]
    Wrapped,
}

/// The form of what a key comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A key.
    Key,
    /// A passphrase.
    Passphrase,
    /// The PIN of a token.
    Pin,
}

impl Form {
    /// The octets of a line of this form, at least and at most.
    pub(super) const fn octets(self) -> (usize, usize) {
        match self {
            Self::Key => (2 * KEY_OCTETS, 2 * KEY_OCTETS),
            Self::Passphrase => (12, 4096),
            Self::Pin => (4, 255),
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = self.octets();
        match self {
            Self::Key => write!(f, "a key, {most} hexadecimal digits"),
            Self::Passphrase => write!(f, "a passphrase, one line of {least} to {most} octets in UTF-8"),
            Self::Pin => write!(f, "a PIN, one line of {least} to {most} octets in UTF-8"),
        }
    }
}
