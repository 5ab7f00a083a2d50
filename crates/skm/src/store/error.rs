//! What goes wrong in a store.

use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::Arc;

use sqlx::migrate::MigrateError;

use crate::audit::Fault;
use crate::seal::{KeyError, RandomError};

/// A store that does not do what it is asked for.
///
/// It can be cloned, since requests that are committed together fail together.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The URL is none that the store has a back end for.
    #[error("store.url: not of the form sqlite:PATH or postgres://USER@HOST/DATABASE")]
    Url,
    /// The URL asks for a connection over a network that anybody could end elsewhere.
    #[error("store.url: a database on another host needs sslmode=verify-full")]
    Plain,
    /// The file of the database cannot be made.
    #[error("{0}: {1}")]
    Io(PathBuf, #[source] Arc<io::Error>),
    /// The database failed, or did not answer in time.
    #[error("the database failed: {0}")]
    Database(#[source] Arc<sqlx::Error>),
    /// There is no schema in the database, or it is older than this program.
    #[error("the schema of the database is not up to date: run skms migrate")]
    TooOld,
    /// The schema of the database is newer than this program, or was made by something else.
    #[error(
        "the schema of the database is not one that this program knows: skms migrate of the newest version made it"
    )]
    TooNew,
    /// The database does not keep text in UTF-8.
    #[error("the encoding of the database is not UTF8")]
    Encoding,
    /// The schema of the database cannot be brought up to date.
    #[error("the schema of the database: {0}")]
    Migrate(#[source] Arc<MigrateError>),
    /// There is no sealing key.
    #[error(transparent)]
    Key(Arc<KeyError>),
    /// The store is sealed with another key, also since another was given to it while it was open.
    #[error("the key in [seal] is not the one that the store is sealed with")]
    WrongKey,
    /// A name that is to be stored is too long, or has control characters.
    #[error("a name is longer than {MAX_NAME_OCTETS} octets or has control characters")]
    Name,
    /// A row was changed outside of the store.
    #[error("a row of {0} was changed outside of the store")]
    Damaged(&'static str),
    /// A sealed row was changed outside of the store.
    #[error("the row {0} was changed outside of the store")]
    DamagedRow(String),
    /// The audit log was changed outside of the store.
    #[error("audit log: {0}")]
    Audit(#[from] Fault),
    /// The random source failed.
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// The octets of a name that is part of the key of a row, at most: an index of PostgreSQL holds two.
pub(super) const MAX_NAME_OCTETS: usize = 1024;

/// The database did not answer in time.
pub(super) fn too_late() -> sqlx::Error {
    io::Error::new(ErrorKind::TimedOut, "no answer in time").into()
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(Arc::new(error))
    }
}

impl From<MigrateError> for StoreError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::VersionMissing(_) | MigrateError::VersionMismatch(_) => Self::TooNew,
            MigrateError::Execute(error) => error.into(),
            error => Self::Migrate(Arc::new(error)),
        }
    }
}

impl From<KeyError> for StoreError {
    fn from(error: KeyError) -> Self {
        Self::Key(Arc::new(error))
    }
}
