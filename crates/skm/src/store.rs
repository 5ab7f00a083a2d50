//! What the server keeps, and how.
//!
//! [`Store`] seals what is secret and chains the audit log; a database keeps the rows, and sees secrets sealed only.
//! Whatever changes, changes in one transaction with its audit entry; changes that come at once share a transaction.

mod backup;
mod batch;
mod clock;
mod connections;
mod domain;
mod error;
mod keyring;
mod postgres;
mod reader;
mod reseal;
mod rows;
mod rsks;
mod schema;
mod sql;
mod sqlite;
mod url;
mod writer;

use std::fmt;
use std::sync::Arc;

use mikey_sakke::identity::Uri;
use mikey_sakke::km::record::Record;
use mikey_sakke::km::{Identifier, Subject};
use mikey_sakke::time::Timestamp;
use zeroize::Zeroizing;

use crate::audit::{Chain, Entry, Event, Report};
use crate::seal::{OpenError, Place, SealKey, Secret};

use batch::{Answer, Write};
use error::MAX_NAME_OCTETS;
use keyring::{Keys, open_keys};
use reader::Reader;
use rows::{Database, RowKey, SealedRow};
use url::Backend;
use writer::Writer;

pub use backup::{BackupError, Contents};
pub use domain::{DomainChange, DomainKeys};
pub use error::StoreError;
pub use reseal::Resealed;
pub use rows::{Change, Condition, Delegate, Pulse, Quota, Replay, Version};
pub use rsks::{Awaiting, Extraction};
pub use url::shown;

/// The collection of records.
const RECORDS: &str = "records";

/// The only column of a row that is sealed.
const SEALED: &str = "sealed";

/// The entries of the audit log that are read at once.
const PAGE: u32 = 1000;

/// What a server keeps.
pub struct Store {
    database: Arc<dyn Database>,
    reader: Reader,
    writer: Writer,
    wrapping: String,
    key: SealKey,
    chain: Chain,
}

impl Store {
    /// Opens the store at a URL, for the server of this name in the audit log.
    ///
    /// `sqlite:PATH` is a file, which is made if there is none, for its owner alone. `postgres://USER@HOST/DATABASE` is
    /// a database of PostgreSQL with the schema that [`migrate`](Self::migrate) makes; a host that is neither a
    /// directory with a socket nor on the loopback interface is reached over TLS, and its certificate is verified.
    ///
    /// Tasks of the runtime that this is called on read and make changes.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn open(url: &str, secret: Secret, server: &str) -> Result<Self, StoreError> {
        Self::over(Self::database(url).await?, secret, server).await
    }

    async fn database(url: &str) -> Result<Arc<dyn Database>, StoreError> {
        Ok(match Backend::of(url)? {
            Backend::Sqlite => Arc::new(sqlite::open(url).await?),
            Backend::Postgres => Arc::new(postgres::open(url).await?),
        })
    }

    /// Brings the schema of the database at a URL up to date. [`open`](Self::open) does so for a file, which only one
    /// server has, and refuses any other schema than its own for a database that servers share.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn migrate(url: &str) -> Result<(), StoreError> {
        match Backend::of(url)? {
            Backend::Sqlite => sqlite::open(url).await.map(drop),
            Backend::Postgres => postgres::migrate(url).await,
        }
    }

    /// A store over a database.
    async fn over(database: Arc<dyn Database>, secret: Secret, server: &str) -> Result<Self, StoreError> {
        let Keys { wrapping, data: key, audit } = open_keys(&*database, secret).await?;
        let chain = Chain::new(audit, server.to_owned());
        let (reader, writer) =
            (Reader::start(database.clone()), Writer::start(database.clone(), chain.clone(), key.id()));
        Ok(Self { database, reader, writer, wrapping, key, chain })
    }

    /// The record for a subject of a service, valid or not, with its version.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn record(
        &self,
        service: &Identifier,
        subject: &Subject,
    ) -> Result<Option<(Version, Record)>, StoreError> {
        let Some((version, value)) = self.get(&record_key(service, subject)).await? else {
            return Ok(None);
        };
        let record = rows::decode_record(&value).ok_or(StoreError::Damaged(RECORDS))?;
        Ok(Some((version, record)))
    }

    /// Stores a record if the condition holds.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn put_record(
        &self,
        service: &Identifier,
        subject: &Subject,
        record: &Record,
        condition: Condition,
        event: &Event,
    ) -> Result<Change, StoreError> {
        stored_name(subject.value())?;
        self.put(record_key(service, subject), &rows::encode_record(record), condition, event).await
    }

    /// Deletes a record if the condition holds.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn delete_record(
        &self,
        service: &Identifier,
        subject: &Subject,
        condition: Condition,
        event: &Event,
    ) -> Result<Change, StoreError> {
        self.change(Write::Delete { key: record_key(service, subject), condition }, event).await
    }

    /// Remembers a request that passed all checks before this one, and logs it: `key` is its
    /// [`replay_key`](mikey_sakke::km::replay_key), kept until `expires`. With a quota it counts as an issue of keys as
    /// well. Nothing but [`Replay::Fresh`] changes or logs anything.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; the request is then to be refused as well.
    pub async fn accept(
        &self,
        key: &[u8; 32],
        expires: Timestamp,
        quota: Option<Quota<'_>>,
        event: &Event,
    ) -> Result<Replay, StoreError> {
        let quota = match quota {
            Some(Quota { user, period, limit }) => Some(((stored_name(user.as_str())?, period.cast_signed()), limit)),
            None => None,
        };
        self.change(Write::Accept { key: *key, expires, quota }, event).await
    }

    /// Forgets a request whose answer failed in the server, and logs that, so that it may be sent again. What was
    /// counted against a quota stays counted.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn release(&self, key: &[u8; 32], event: &Event) -> Result<(), StoreError> {
        self.change(Write::Release { key: *key }, event).await.map(|_: bool| ())
    }

    /// Whether anything changed that servers keep in memory, and what time it is to the database.
    ///
    /// # Errors
    ///
    /// [`StoreError::WrongKey`] if the store was sealed with another key since it was opened, or another
    /// [`StoreError`].
    pub async fn pulse(&self) -> Result<Pulse, StoreError> {
        let (key_id, pulse) = self.database.pulse().await?;
        if key_id == self.key.id() { Ok(pulse) } else { Err(StoreError::WrongKey) }
    }

    /// Forgets the requests that are stale by now.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn prune_replays(&self, now: Timestamp) -> Result<(), StoreError> {
        self.database.prune_replays(now).await
    }

    /// Accepts no request before this time: what a store restored from a backup needs, since it does not know the
    /// requests of the last window.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn hold(&self, until: Timestamp) -> Result<(), StoreError> {
        self.database.hold(until).await
    }

    /// Lets a principal have the keys of exactly this user until a time.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn add_delegate(&self, delegate: &Delegate, event: &Event) -> Result<(), StoreError> {
        let Delegate { principal, user, expires } = delegate;
        let key = (stored_name(principal)?, stored_name(user.as_str())?);
        self.change(Write::AddDelegate { key, expires: *expires }, event).await.map(|_: bool| ())
    }

    /// Takes that back; false if there is nothing to take back.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn remove_delegate(&self, principal: &str, user: &Uri, event: &Event) -> Result<bool, StoreError> {
        let key = (stored_name(principal)?, stored_name(user.as_str())?);
        self.change(Write::RemoveDelegate { key }, event).await
    }

    /// Whether the principal may have the keys of this user now.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn is_delegate(&self, principal: &str, user: &Uri, now: Timestamp) -> Result<bool, StoreError> {
        if stored_name(principal).is_err() {
            return Ok(false);
        }
        self.database.is_delegate(principal, user.as_str(), now).await
    }

    /// All delegates, expired ones included.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn delegates(&self) -> Result<Vec<Delegate>, StoreError> {
        self.database.delegates().await
    }

    /// Blocks a URI, or no longer; false if that changes nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn set_blocked(&self, uri: &Uri, blocked: bool, event: &Event) -> Result<bool, StoreError> {
        let uri = stored_name(uri.as_str())?;
        self.change(if blocked { Write::Block { uri } } else { Write::Unblock { uri } }, event).await
    }

    /// Whether a URI is blocked.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn is_blocked(&self, uri: &Uri) -> Result<bool, StoreError> {
        self.database.is_blocked(uri.as_str()).await
    }

    /// All URIs that are blocked.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn blocked(&self) -> Result<Vec<Uri>, StoreError> {
        self.database.blocked().await
    }

    /// Logs an event that changes nothing else.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn log(&self, event: &Event) -> Result<(), StoreError> {
        self.change(Write::Log, event).await.map(|_: bool| ())
    }

    /// The entries of this server's audit log after a number, at most 1000 at a time.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn audit(&self, after: i64) -> Result<Vec<Entry>, StoreError> {
        self.database.entries(self.chain.server(), after, PAGE).await
    }

    /// Verifies this server's audit log from its first entry to its last, as it stands at the beginning.
    ///
    /// # Errors
    ///
    /// [`StoreError::Audit`] for the first fault.
    pub async fn verify_audit(&self) -> Result<Report, StoreError> {
        let head = self.database.head(self.chain.server()).await?;
        let end = head.as_ref().map_or(i64::MAX, |head| head.sequence);
        let mut verifier = self.chain.verify();
        loop {
            let mut entries = self.audit(verifier.sequence()).await?;
            let is_last = entries.len() < PAGE as usize || entries.last().is_some_and(|last| last.sequence >= end);
            entries.retain(|entry| entry.sequence <= end);
            entries.iter().try_for_each(|entry| verifier.entry(entry))?;
            if is_last {
                return Ok(verifier.finish(head.as_ref())?);
            }
        }
    }

    async fn get(&self, key: &RowKey) -> Result<Option<(Version, Zeroizing<Vec<u8>>)>, StoreError> {
        let Some(row) = self.reader.read(key).await? else {
            return Ok(None);
        };
        let row_key = key.columns();
        match self.key.open(place(key, &row_key, row.version), &row.sealed) {
            Ok(value) => Ok(Some((row.version, value))),
            Err(OpenError) if self.key.sealed(&row.sealed) => Err(StoreError::Damaged(key.collection)),
            Err(OpenError) => Err(self.check_key().await.err().unwrap_or(StoreError::Damaged(key.collection))),
        }
    }

    async fn put(&self, key: RowKey, value: &[u8], condition: Condition, event: &Event) -> Result<Change, StoreError> {
        let (key, row, condition) = self.sealed(key, value, condition)?;
        self.change(Write::Put { key, row, condition }, event).await
    }

    fn sealed(
        &self,
        key: RowKey,
        value: &[u8],
        condition: Condition,
    ) -> Result<(RowKey, SealedRow, Condition), StoreError> {
        let version = Version::random()?;
        let row_key = key.columns();
        let sealed = self.key.seal(place(&key, &row_key, version), value)?;
        Ok((key, SealedRow { version, sealed }, condition))
    }

    async fn change<T: TryFrom<Answer>>(&self, write: Write, event: &Event) -> Result<T, StoreError> {
        let answer = self.writer.write(write, event.clone()).await?;
        T::try_from(answer).map_err(|_| sqlx::Error::WorkerCrashed.into())
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("key", &self.key).field("chain", &self.chain).finish_non_exhaustive()
    }
}

/// A name that can be part of the key of a row in every database.
fn stored_name(name: &str) -> Result<String, StoreError> {
    let is_fit = name.len() <= MAX_NAME_OCTETS && !name.chars().any(char::is_control);
    is_fit.then(|| name.to_owned()).ok_or(StoreError::Name)
}

fn record_key(service: &Identifier, subject: &Subject) -> RowKey {
    RowKey {
        collection: RECORDS,
        service: service.as_str().into(),
        kind: subject.kind().as_str(),
        id: subject.value().into(),
    }
}

fn place<'a>(key: &'a RowKey, row: &'a [&'a str; 3], version: Version) -> Place<'a> {
    Place { table: key.collection, row, column: SEALED, version: version.get() }
}
