//! A store in a file.

use std::borrow::Cow;
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use mikey_sakke::identity::Uri;
use mikey_sakke::time::Timestamp;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{SqlSafeStr, Sqlite as Driver, Transaction, query, query_as};

use super::StoreError;
use super::rows::{Change, Condition, Database, Delegate, Keyring, Quota, Replay, RowKey, SealedRow, Version};
use crate::audit::{Chain, Entry, Event, Head};
use crate::seal::SALT_OCTETS;

/// Connections that read.
const READERS: u32 = 4;

/// How long a change waits for that of another process.
const BUSY: Duration = Duration::from_secs(5);

/// The rows of an audit log, in the order of their columns.
type EntryColumns = (i64, i64, String, String, String, Option<i64>, String, String, Vec<u8>);

/// A database of SQLite: WAL, and a change is on the disk when it is done.
#[derive(Debug)]
pub struct Sqlite {
    /// One connection, since SQLite has one writer at a time.
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Sqlite {
    /// Opens the database at `sqlite:PATH`, makes it if there is none, and brings its schema up to date.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let path = path(url).ok_or(StoreError::Url)?;
        // SQLite gives the files beside it the same access.
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(StoreError::Io(path.into(), error)),
            _ => {}
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY);
        let writer = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
        let schema = include_str!("schema.sql").into_sql_str();
        let schema = Migration::new(1, Cow::Borrowed("schema"), MigrationType::Simple, schema, false);
        Migrator::with_migrations(vec![schema]).run(&writer).await?;
        let readers = SqlitePoolOptions::new().max_connections(READERS).connect_with(options.read_only(true)).await?;
        Ok(Self { writer, readers })
    }

    /// A transaction that is the only one to write, from its beginning.
    async fn begin(&self) -> Result<Transaction<'static, Driver>, StoreError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }
}

/// The path of `sqlite:PATH` or `sqlite://PATH`, without parameters.
fn path(url: &str) -> Option<&Path> {
    let path = url.strip_prefix("sqlite:")?;
    let path = path.strip_prefix("//").unwrap_or(path);
    (!path.is_empty() && !path.starts_with(':') && !path.contains(['?', '#', '\0'])).then(|| Path::new(path))
}

/// Appends the event and commits.
async fn commit(mut change: Transaction<'static, Driver>, chain: &Chain, event: &Event) -> Result<(), StoreError> {
    let head: Option<(i64, Vec<u8>, Vec<u8>)> =
        query_as("SELECT sequence, mac, seal FROM audit_heads WHERE server = ?")
            .bind(chain.server())
            .fetch_optional(&mut *change)
            .await?;
    let head = head.map(|(sequence, mac, seal)| Head { sequence, mac, seal });
    let (entry, head) = chain.append(head.as_ref(), event)?;
    query(
        "INSERT INTO audit (server, sequence, time, principal, action, target, period, outcome, request_id, mac) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(chain.server())
    .bind(entry.sequence)
    .bind(entry.time)
    .bind(entry.principal)
    .bind(entry.action)
    .bind(entry.target)
    .bind(entry.period)
    .bind(entry.outcome)
    .bind(entry.request_id)
    .bind(entry.mac)
    .execute(&mut *change)
    .await?;
    query("INSERT OR REPLACE INTO audit_heads (server, sequence, mac, seal) VALUES (?, ?, ?, ?)")
        .bind(chain.server())
        .bind(head.sequence)
        .bind(head.mac)
        .bind(head.seal)
        .execute(&mut *change)
        .await?;
    Ok(change.commit().await?)
}

async fn version(change: &mut Transaction<'static, Driver>, key: &RowKey) -> Result<Option<Version>, StoreError> {
    let [service, kind, id] = key.columns();
    let found: Option<(i64,)> =
        query_as("SELECT version FROM sealed_rows WHERE collection = ? AND service = ? AND kind = ? AND id = ?")
            .bind(key.collection)
            .bind(service)
            .bind(kind)
            .bind(id)
            .fetch_optional(&mut **change)
            .await?;
    found.map(|(column,)| Version::from_column(column).ok_or(StoreError::Damaged(key.collection))).transpose()
}

const fn seconds(at: Timestamp) -> i64 {
    at.to_unix().cast_signed()
}

#[async_trait]
impl Database for Sqlite {
    async fn salt(&self, offered: [u8; SALT_OCTETS]) -> Result<Vec<u8>, StoreError> {
        query("INSERT OR IGNORE INTO salts (id, salt) VALUES (1, ?)")
            .bind(offered.to_vec())
            .execute(&self.writer)
            .await?;
        let (salt,) = query_as("SELECT salt FROM salts").fetch_one(&self.writer).await?;
        Ok(salt)
    }

    async fn keyring(&self, offered: Keyring) -> Result<Keyring, StoreError> {
        query("INSERT OR IGNORE INTO keyring (id, key_id, audit_key) VALUES (1, ?, ?)")
            .bind(offered.key_id)
            .bind(offered.audit_key)
            .execute(&self.writer)
            .await?;
        let (key_id, audit_key) = query_as("SELECT key_id, audit_key FROM keyring").fetch_one(&self.writer).await?;
        Ok(Keyring { key_id, audit_key })
    }

    async fn get(&self, key: &RowKey) -> Result<Option<SealedRow>, StoreError> {
        let [service, kind, id] = key.columns();
        let found: Option<(i64, Vec<u8>)> = query_as(
            "SELECT version, sealed FROM sealed_rows WHERE collection = ? AND service = ? AND kind = ? AND id = ?",
        )
        .bind(key.collection)
        .bind(service)
        .bind(kind)
        .bind(id)
        .fetch_optional(&self.readers)
        .await?;
        let Some((version, sealed)) = found else {
            return Ok(None);
        };
        let version = Version::from_column(version).ok_or(StoreError::Damaged(key.collection))?;
        Ok(Some(SealedRow { version, sealed }))
    }

    async fn put(
        &self,
        key: &RowKey,
        row: SealedRow,
        condition: Condition,
        chain: &Chain,
        event: &Event,
    ) -> Result<Change, StoreError> {
        let mut change = self.begin().await?;
        let found = version(&mut change, key).await?;
        if !condition.holds(found) {
            return Ok(Change::Conflict);
        }
        let [service, kind, id] = key.columns();
        query(
            "INSERT OR REPLACE INTO sealed_rows (collection, service, kind, id, version, sealed) \
             VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(key.collection)
        .bind(service)
        .bind(kind)
        .bind(id)
        .bind(row.version.to_column())
        .bind(row.sealed)
        .execute(&mut *change)
        .await?;
        commit(change, chain, event).await?;
        Ok(if found.is_some() { Change::Replaced(row.version) } else { Change::Created(row.version) })
    }

    async fn delete(
        &self,
        key: &RowKey,
        condition: Condition,
        chain: &Chain,
        event: &Event,
    ) -> Result<Change, StoreError> {
        let mut change = self.begin().await?;
        let found = version(&mut change, key).await?;
        if !condition.holds(found) {
            return Ok(Change::Conflict);
        }
        if found.is_none() {
            return Ok(Change::NotFound);
        }
        let [service, kind, id] = key.columns();
        query("DELETE FROM sealed_rows WHERE collection = ? AND service = ? AND kind = ? AND id = ?")
            .bind(key.collection)
            .bind(service)
            .bind(kind)
            .bind(id)
            .execute(&mut *change)
            .await?;
        commit(change, chain, event).await?;
        Ok(Change::Deleted)
    }

    async fn accept(
        &self,
        key: &[u8; 32],
        expires: Timestamp,
        quota: Option<Quota<'_>>,
        chain: &Chain,
        event: &Event,
    ) -> Result<Replay, StoreError> {
        let mut change = self.begin().await?;
        let held: Option<(i64,)> = query_as("SELECT until FROM replay_hold WHERE until > ?")
            .bind(seconds(event.time))
            .fetch_optional(&mut *change)
            .await?;
        if held.is_some() {
            return Ok(Replay::Held);
        }
        let inserted = query("INSERT OR IGNORE INTO replays (key, expires) VALUES (?, ?)")
            .bind(key.to_vec())
            .bind(seconds(expires))
            .execute(&mut *change)
            .await?;
        if inserted.rows_affected() == 0 {
            return Ok(Replay::Replayed);
        }
        if let Some(Quota { user, period, limit }) = quota {
            let counted = query(
                "INSERT INTO issues (user, period, count) SELECT ?1, ?2, 1 WHERE ?3 > 0 \
                 ON CONFLICT (user, period) DO UPDATE SET count = count + 1 WHERE count < ?3",
            )
            .bind(user.as_str())
            .bind(period.cast_signed())
            .bind(i64::from(limit))
            .execute(&mut *change)
            .await?;
            if counted.rows_affected() == 0 {
                return Ok(Replay::OverQuota);
            }
        }
        commit(change, chain, event).await?;
        Ok(Replay::Fresh)
    }

    async fn release(&self, key: &[u8; 32], chain: &Chain, event: &Event) -> Result<(), StoreError> {
        let mut change = self.begin().await?;
        query("DELETE FROM replays WHERE key = ?").bind(key.to_vec()).execute(&mut *change).await?;
        commit(change, chain, event).await
    }

    async fn prune_replays(&self, now: Timestamp) -> Result<u64, StoreError> {
        let deleted = query("DELETE FROM replays WHERE expires <= ?").bind(seconds(now)).execute(&self.writer).await?;
        Ok(deleted.rows_affected())
    }

    async fn hold(&self, until: Timestamp) -> Result<(), StoreError> {
        query("INSERT OR REPLACE INTO replay_hold (id, until) VALUES (1, ?)")
            .bind(seconds(until))
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    async fn add_delegate(&self, delegate: &Delegate, chain: &Chain, event: &Event) -> Result<(), StoreError> {
        let mut change = self.begin().await?;
        query("INSERT OR REPLACE INTO delegates (principal, user, expires) VALUES (?, ?, ?)")
            .bind(&delegate.principal)
            .bind(delegate.user.as_str())
            .bind(seconds(delegate.expires))
            .execute(&mut *change)
            .await?;
        commit(change, chain, event).await
    }

    async fn remove_delegate(
        &self,
        principal: &str,
        user: &str,
        chain: &Chain,
        event: &Event,
    ) -> Result<bool, StoreError> {
        let mut change = self.begin().await?;
        let deleted = query("DELETE FROM delegates WHERE principal = ? AND user = ?")
            .bind(principal)
            .bind(user)
            .execute(&mut *change)
            .await?;
        if deleted.rows_affected() == 0 {
            return Ok(false);
        }
        commit(change, chain, event).await?;
        Ok(true)
    }

    async fn is_delegate(&self, principal: &str, user: &str, now: Timestamp) -> Result<bool, StoreError> {
        let found: Option<(i64,)> =
            query_as("SELECT expires FROM delegates WHERE principal = ? AND user = ? AND expires > ?")
                .bind(principal)
                .bind(user)
                .bind(seconds(now))
                .fetch_optional(&self.readers)
                .await?;
        Ok(found.is_some())
    }

    async fn delegates(&self) -> Result<Vec<Delegate>, StoreError> {
        let rows: Vec<(String, String, i64)> =
            query_as("SELECT principal, user, expires FROM delegates ORDER BY principal, user")
                .fetch_all(&self.readers)
                .await?;
        let delegate = |(principal, user, expires): (String, String, i64)| {
            let expires = Timestamp::from_unix(u64::try_from(expires).ok()?).ok()?;
            Some(Delegate { principal, user: Uri::parse(&user).ok()?, expires })
        };
        rows.into_iter().map(|row| delegate(row).ok_or(StoreError::Damaged("delegates"))).collect()
    }

    async fn set_blocked(&self, uri: &str, blocked: bool, chain: &Chain, event: &Event) -> Result<bool, StoreError> {
        let mut change = self.begin().await?;
        let statement = match blocked {
            true => query("INSERT OR IGNORE INTO blocks (uri) VALUES (?)"),
            false => query("DELETE FROM blocks WHERE uri = ?"),
        };
        if statement.bind(uri).execute(&mut *change).await?.rows_affected() == 0 {
            return Ok(false);
        }
        commit(change, chain, event).await?;
        Ok(true)
    }

    async fn is_blocked(&self, uri: &str) -> Result<bool, StoreError> {
        let found: Option<(String,)> =
            query_as("SELECT uri FROM blocks WHERE uri = ?").bind(uri).fetch_optional(&self.readers).await?;
        Ok(found.is_some())
    }

    async fn log(&self, chain: &Chain, event: &Event) -> Result<(), StoreError> {
        commit(self.begin().await?, chain, event).await
    }

    async fn entries(&self, server: &str, after: i64, limit: u32) -> Result<Vec<Entry>, StoreError> {
        let rows: Vec<EntryColumns> = query_as(
            "SELECT sequence, time, principal, action, target, period, outcome, request_id, mac FROM audit \
             WHERE server = ? AND sequence > ? ORDER BY sequence LIMIT ?",
        )
        .bind(server)
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await?;
        let entry = |(sequence, time, principal, action, target, period, outcome, request_id, mac): EntryColumns| {
            Entry { sequence, time, principal, action, target, period, outcome, request_id, mac }
        };
        Ok(rows.into_iter().map(entry).collect())
    }

    async fn head(&self, server: &str) -> Result<Option<Head>, StoreError> {
        let head: Option<(i64, Vec<u8>, Vec<u8>)> =
            query_as("SELECT sequence, mac, seal FROM audit_heads WHERE server = ?")
                .bind(server)
                .fetch_optional(&self.readers)
                .await?;
        Ok(head.map(|(sequence, mac, seal)| Head { sequence, mac, seal }))
    }
}
