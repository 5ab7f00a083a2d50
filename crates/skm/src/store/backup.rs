//! Backups of a store, and how it comes back from one.
//!
//! A backup is what stood in the database at one moment, but for the requests that are remembered against replay. It is
//! sealed with the data key of the store, and holds that key as the store does, wrapped: so whoever has the
//! key-encryption key opens it, and nobody else. It can be restored into any database that a store can be in.

mod archive;
mod rows;
mod sql;

use std::fmt;
use std::io::{self, Read, Write as Output};
use std::time::Duration;

use mikey_sakke::time::Timestamp;

use super::batch::{Batch, Write};
use super::keyring::{Keyring, blocking};
use super::{Store, StoreError};
use crate::audit::{Chain, Event};
use crate::seal::{RandomError, Secret, random};

use archive::{Header, Opener, Sealer};

pub(super) use rows::{Row, TABLES, Value};

/// A backup that is not made, or not restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The store does not do what it is asked for.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file cannot be written or read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A value is too long for a backup.
    #[error("a value in the store is too long for a backup")]
    TooLong,
    /// The file is not a backup.
    #[error("not a backup of a store")]
    NotABackup,
    /// The backup was made by a newer program.
    #[error("the backup was made by a newer version of this program: restore it with that one")]
    Newer,
    /// The backup was made by an older program.
    #[error("the backup was made by an older version of this program: restore it with that one, and then migrate")]
    Older,
    /// The store was sealed with another key.
    #[error("the backup opens with another sealing key: that of the store when the backup was made")]
    OtherKey,
    /// The backup was changed, or is not there to its end.
    #[error("the backup was damaged or cut off; take another")]
    Damaged,
    /// There is something in the store already.
    #[error("the store is not empty; restore into an empty one")]
    NotEmpty,
}

impl From<sqlx::Error> for BackupError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<RandomError> for BackupError {
    fn from(error: RandomError) -> Self {
        Self::Store(error.into())
    }
}

/// What is in a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contents {
    /// The time of it.
    pub time: Timestamp,
    /// The rows with sealed values: records, master secrets, the document of the domain.
    pub sealed_rows: u64,
    /// The entries of the audit logs.
    pub entries: u64,
}

impl Contents {
    const fn none(time: Timestamp) -> Self {
        Self { time, sealed_rows: 0, entries: 0 }
    }

    fn count(&mut self, (table, _): &Row) {
        match TABLES[*table].name {
            "sealed_rows" => self.sealed_rows += 1,
            "audit" => self.entries += 1,
            _ => {}
        }
    }
}

/// As people read it.
impl fmt::Display for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sealed rows, {} entries of the audit log", self.sealed_rows, self.entries)
    }
}

/// Takes what is in a database: the keyring first, and then the rows.
pub(super) trait Sink: Send {
    fn keyring(&mut self, keyring: Keyring) -> Result<(), BackupError>;
    fn row(&mut self, row: Row) -> Result<(), BackupError>;
}

/// Gives the rows of a backup, to their end.
pub(super) type Rows<'a> = &'a mut (dyn FnMut() -> Result<Option<Row>, BackupError> + Send);

/// Writes what is in a database.
struct Archiver<'a, W> {
    store: &'a Store,
    out: Option<W>,
    sealer: Option<Sealer<'a, W>>,
    contents: Contents,
}

impl<W: Output + Send> Sink for Archiver<'_, W> {
    fn keyring(&mut self, keyring: Keyring) -> Result<(), BackupError> {
        if keyring.key_id != self.store.key.id() {
            return Err(StoreError::WrongKey.into());
        }
        let header = Header::new(self.contents.time, random()?, &keyring);
        if let Some(out) = self.out.take() {
            self.sealer = Some(Sealer::start(out, &self.store.key, &header)?);
        }
        Ok(())
    }

    fn row(&mut self, row: Row) -> Result<(), BackupError> {
        self.contents.count(&row);
        let sealer = self.sealer.as_mut().ok_or(StoreError::Damaged("keyring"))?;
        rows::write(sealer, &row)
    }
}

impl Store {
    /// Logs a backup, and writes what then is in the store.
    ///
    /// # Errors
    ///
    /// [`BackupError`]; what was written until then is no backup.
    pub async fn backup(&self, out: impl Output + Send, event: &Event) -> Result<Contents, BackupError> {
        self.log(event).await?;
        let contents = Contents::none(event.time);
        let mut archiver = Archiver { store: self, out: Some(out), sealer: None, contents };
        self.database.dump(&mut archiver).await?;
        archiver.sealer.take().ok_or(StoreError::Damaged("keyring"))?.finish()?;
        Ok(archiver.contents)
    }

    /// Brings a backup into the store at a URL, which is to be empty: all of it, or nothing. Requests are refused as
    /// replays for so long, as the store knows none of those that were answered. The audit log of this name is
    /// continued.
    ///
    /// # Errors
    ///
    /// [`BackupError`]; the store is as it was.
    pub async fn restore(
        url: &str,
        secret: Secret,
        server: &str,
        mut from: impl Read + Send,
        hold: Duration,
        event: &Event,
    ) -> Result<Contents, BackupError> {
        let (header, binding) = Header::read(&mut from)?;
        let (time, keyring) = (header.time()?, header.keyring()?);
        let offered = keyring.clone();
        let keys = blocking(move || offered.open(&secret)).await.map_err(|error| match error {
            StoreError::WrongKey => BackupError::OtherKey,
            StoreError::Damaged(_) => BackupError::Damaged,
            error => error.into(),
        })?;
        let mut opener = Opener::new(from, &keys.data, binding)?;
        let mut contents = Contents::none(time);
        let mut next = || {
            let row = rows::read(&mut opener)?;
            row.iter().for_each(|row| contents.count(row));
            Ok(row)
        };
        let chain = Chain::new(keys.audit.clone(), server.to_owned());
        let batch = Batch::new(chain, keyring.key_id.as_str().into(), vec![(Write::Log, event.clone())]);
        // A clock that was set back since would end the wait too early.
        let until = event.time.max(time).saturating_add(hold);
        Self::database(url).await?.restore(&keyring, &mut next, until, batch).await?;
        Ok(contents)
    }
}
