//! A database that speaks SQL: what can be said in the same words to all of them.

use std::time::Duration;

use async_trait::async_trait;
use mikey_sakke::identity::Uri;
use mikey_sakke::time::Timestamp;
use sqlx::{AssertSqlSafe, ColumnIndex, Decode, Encode, Executor, IntoArguments, Transaction, Type, query, query_as};

use super::StoreError;
use super::backup::{BackupError, Rows, Sink};
use super::batch::{Answer, Batch, seconds};
use super::connections::Connections;
use super::keyring::Keyring;
use super::reseal::{Reseal, Resealed};
use super::rows::{Database, Delegate, Pulse, RowColumns, RowKey, SealedRow, Version};
use crate::audit::{Entry, Head};

/// An entry of the audit log, in the order of its columns.
type EntryColumns = (i64, i64, String, String, String, Option<i64>, String, String, Vec<u8>);

/// What a batch is to know: the id of the data key in the keyring, the hold, and the head of the audit log.
type State = (String, Option<i64>, Option<i64>, Option<Vec<u8>>, Option<Vec<u8>>);

/// A row with a sealed value, behind the place of its key among those that were asked for.
pub(super) type FoundRow = (i64, i64, Vec<u8>);

/// What a database says in words of its own: how a batch begins, and what of it takes one statement for many rows.
#[async_trait]
pub(super) trait Dialect: sqlx::Database {
    /// An expression for the microseconds since 1970-01-01T00:00:00Z by the clock of the database, or NULL.
    const CLOCK: &str;

    /// Deletes some of the replay keys that expired before `$1`, none that a batch is changing.
    const PRUNE: &str;
    /// What removes the remains of values that were replaced.
    const FORGET: &[&str];

    /// The rows that a statement changed.
    fn changed(done: &Self::QueryResult) -> u64;
    /// Begins a transaction that nobody gets in the way of.
    async fn begin<'c>(
        connection: &'c mut Self::Connection,
        alone: Alone<'_>,
    ) -> Result<Transaction<'c, Self>, StoreError>;
    /// Begins a transaction that reads what stands there at one moment.
    async fn snapshot(connection: &mut Self::Connection) -> Result<Transaction<'_, Self>, sqlx::Error>;
    /// Loads or claims the replay keys and the counters of issues that a batch wants.
    async fn load(connection: &mut Self::Connection, batch: &mut Batch) -> Result<(), StoreError>;
    /// Inserts entries of the audit log, and inserts or replaces its head, replay keys and counters of issues.
    async fn save(connection: &mut Self::Connection, batch: &Batch) -> Result<(), StoreError>;
    /// The rows that there are of keys: the place of the key, the version, the sealed value.
    async fn find(connection: &mut Self::Connection, keys: &[RowKey]) -> Result<Vec<FoundRow>, StoreError>;
}

/// What a transaction does that nobody else may do meanwhile.
#[derive(Clone, Copy, Debug)]
pub(super) enum Alone<'a> {
    /// It changes anything.
    Everything,
    /// It continues the audit log of this server, and changes only replay keys and counters of issues that it claims.
    AuditLog(&'a str),
    /// It adds rows that nobody depends on, which only what changes everything may not meanwhile.
    Nothing,
}

/// A database with its connections.
#[derive(Debug)]
pub(super) struct Sql<DB: sqlx::Database> {
    /// One connection, as batches come one after the other.
    pub(super) writer: Connections<DB::Connection>,
    pub(super) readers: Connections<DB::Connection>,
}

impl<DB: Dialect> Sql<DB>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    DB::Arguments: IntoArguments<DB>,
    usize: ColumnIndex<DB::Row>,
    i64: for<'r> Decode<'r, DB> + for<'q> Encode<'q, DB> + Type<DB>,
    String: for<'r> Decode<'r, DB> + for<'q> Encode<'q, DB> + Type<DB>,
    Vec<u8>: for<'r> Decode<'r, DB> + for<'q> Encode<'q, DB> + Type<DB>,
{
    /// Makes the changes of a batch. False if there are none.
    pub(super) async fn change(connection: &mut DB::Connection, batch: &mut Batch) -> Result<bool, StoreError> {
        Self::load(connection, batch).await?;
        let is_change = batch.apply()?;
        if is_change {
            Self::save(connection, batch).await?;
        }
        Ok(is_change)
    }

    async fn load(connection: &mut DB::Connection, batch: &mut Batch) -> Result<(), StoreError> {
        let select = query_as(
            "SELECT key_id, until, sequence, mac, seal FROM keyring \
             LEFT JOIN replay_hold ON TRUE LEFT JOIN audit_heads ON server = $1",
        )
        .bind(batch.server().to_owned());
        let state: Option<State> = select.fetch_optional(&mut *connection).await?;
        let (key_id, hold, sequence, mac, seal) = state.ok_or(StoreError::Damaged("keyring"))?;
        if key_id != batch.key_id() {
            return Err(StoreError::WrongKey);
        }
        batch.hold = hold;
        batch.head = sequence.zip(mac).zip(seal).map(|((sequence, mac), seal)| Head { sequence, mac, seal });
        DB::load(connection, batch).await?;
        for key in batch.sealed.wanted() {
            if let Some(row) = Self::row(&mut *connection, &key).await? {
                batch.sealed.load(key, row);
            }
        }
        for (principal, user) in batch.delegates.wanted() {
            let select = query_as("SELECT expires FROM delegates WHERE principal = $1 AND user_uri = $2")
                .bind(principal.clone())
                .bind(user.clone());
            let found: Option<(i64,)> = select.fetch_optional(&mut *connection).await?;
            if let Some((expires,)) = found {
                batch.delegates.load((principal, user), expires);
            }
        }
        for uri in batch.blocks.wanted() {
            let select = query_as("SELECT uri FROM blocks WHERE uri = $1").bind(uri);
            let found: Option<(String,)> = select.fetch_optional(&mut *connection).await?;
            if let Some((uri,)) = found {
                batch.blocks.load(uri, ());
            }
        }
        Ok(())
    }

    async fn save(connection: &mut DB::Connection, batch: &Batch) -> Result<(), StoreError> {
        DB::save(connection, batch).await?;
        if batch.changes_what_is_kept() {
            query("UPDATE generation SET value = value + 1").execute(&mut *connection).await?;
        }
        for key in batch.replays.deleted() {
            query("DELETE FROM replays WHERE key = $1").bind(key.to_vec()).execute(&mut *connection).await?;
        }
        for (user, period) in batch.issues.deleted() {
            query("DELETE FROM issues WHERE user_uri = $1 AND period = $2")
                .bind(user.clone())
                .bind(*period)
                .execute(&mut *connection)
                .await?;
        }
        for (key, row) in batch.sealed.put() {
            let [service, kind, id] = key.columns();
            query(
                "INSERT INTO sealed_rows (collection, service, kind, id, version, sealed) VALUES ($1, $2, $3, $4, $5, $6) \
                 ON CONFLICT (collection, service, kind, id) \
                 DO UPDATE SET version = excluded.version, sealed = excluded.sealed",
            )
            .bind(key.collection.to_owned())
            .bind(service.to_owned())
            .bind(kind.to_owned())
            .bind(id.to_owned())
            .bind(row.version.to_column())
            .bind(row.sealed.clone())
            .execute(&mut *connection)
            .await?;
        }
        for key in batch.sealed.deleted() {
            let [service, kind, id] = key.columns();
            query("DELETE FROM sealed_rows WHERE collection = $1 AND service = $2 AND kind = $3 AND id = $4")
                .bind(key.collection.to_owned())
                .bind(service.to_owned())
                .bind(kind.to_owned())
                .bind(id.to_owned())
                .execute(&mut *connection)
                .await?;
        }
        for ((principal, user), expires) in batch.delegates.put() {
            query(
                "INSERT INTO delegates (principal, user_uri, expires) VALUES ($1, $2, $3) \
                 ON CONFLICT (principal, user_uri) DO UPDATE SET expires = excluded.expires",
            )
            .bind(principal.clone())
            .bind(user.clone())
            .bind(*expires)
            .execute(&mut *connection)
            .await?;
        }
        for (principal, user) in batch.delegates.deleted() {
            query("DELETE FROM delegates WHERE principal = $1 AND user_uri = $2")
                .bind(principal.clone())
                .bind(user.clone())
                .execute(&mut *connection)
                .await?;
        }
        for (uri, ()) in batch.blocks.put() {
            query("INSERT INTO blocks (uri) VALUES ($1) ON CONFLICT DO NOTHING")
                .bind(uri.clone())
                .execute(&mut *connection)
                .await?;
        }
        for uri in batch.blocks.deleted() {
            query("DELETE FROM blocks WHERE uri = $1").bind(uri.clone()).execute(&mut *connection).await?;
        }
        Ok(())
    }

    /// A row with a sealed value.
    async fn row<'c>(
        executor: impl Executor<'c, Database = DB>,
        key: &RowKey,
    ) -> Result<Option<SealedRow>, StoreError> {
        let [service, kind, id] = key.columns();
        let select = query_as(
            "SELECT version, sealed FROM sealed_rows WHERE collection = $1 AND service = $2 AND kind = $3 AND id = $4",
        )
        .bind(key.collection.to_owned())
        .bind(service.to_owned())
        .bind(kind.to_owned())
        .bind(id.to_owned());
        let Some((version, sealed)) = select.fetch_optional(executor).await? else {
            return Ok(None);
        };
        let version = Version::from_column(version).ok_or(StoreError::Damaged(key.collection))?;
        Ok(Some(SealedRow { version, sealed }))
    }

    /// The head of a chain.
    async fn end<'c>(executor: impl Executor<'c, Database = DB>, server: &str) -> Result<Option<Head>, StoreError> {
        let select = query_as("SELECT sequence, mac, seal FROM audit_heads WHERE server = $1").bind(server.to_owned());
        let head: Option<(i64, Vec<u8>, Vec<u8>)> = select.fetch_optional(executor).await?;
        Ok(head.map(|(sequence, mac, seal)| Head { sequence, mac, seal }))
    }
}

#[async_trait]
impl<DB: Dialect> Database for Sql<DB>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    DB::Arguments: IntoArguments<DB>,
    usize: ColumnIndex<DB::Row>,
    i64: for<'r> Decode<'r, DB> + for<'q> Encode<'q, DB> + Type<DB>,
    String: for<'r> Decode<'r, DB> + for<'q> Encode<'q, DB> + Type<DB>,
    Vec<u8>: for<'r> Decode<'r, DB> + for<'q> Encode<'q, DB> + Type<DB>,
{
    async fn keyring(&self) -> Result<Option<Keyring>, StoreError> {
        let select = query_as("SELECT key_id, data_key, salt, audit_key FROM keyring");
        let row = self.writer.ask(|writer| Box::pin(select.fetch_optional(writer))).await?;
        Ok(row.map(|(key_id, data_key, salt, audit_key)| Keyring { key_id, data_key, salt, audit_key }))
    }

    async fn offer(&self, keyring: &Keyring) -> Result<(), StoreError> {
        let insert = query(
            "INSERT INTO keyring (id, key_id, data_key, salt, audit_key) VALUES (1, $1, $2, $3, $4) ON CONFLICT DO NOTHING",
        )
        .bind(keyring.key_id.clone())
        .bind(keyring.data_key.clone())
        .bind(keyring.salt.clone())
        .bind(keyring.audit_key.clone());
        self.writer.ask(|writer| Box::pin(insert.execute(writer))).await.map(drop)
    }

    async fn pulse(&self) -> Result<(String, Pulse), StoreError> {
        let select = format!("SELECT key_id, value, {} FROM generation, keyring", DB::CLOCK);
        let select = query_as(AssertSqlSafe(select));
        let found: Option<(String, i64, Option<i64>)> =
            self.readers.ask(|reader| Box::pin(select.fetch_optional(reader))).await?;
        let (key_id, generation, clock) = found.ok_or(StoreError::Damaged("keyring"))?;
        // A time before 1970 is as wrong as 1970.
        let clock = clock.map(|microseconds| Duration::from_micros(microseconds.try_into().unwrap_or(0)));
        Ok((key_id, Pulse { generation, clock }))
    }

    async fn commit(&self, mut batch: Batch) -> Result<Vec<Answer>, StoreError> {
        let commit = async move |writer: &mut DB::Connection| {
            let alone = if batch.is_of_requests() { Alone::AuditLog(batch.server()) } else { Alone::Everything };
            let mut transaction = DB::begin(writer, alone).await?;
            match Self::change(&mut transaction, &mut batch).await {
                Ok(true) => transaction.commit().await?,
                // Dropped, it would end with the next batch or the connection, and other servers wait for its locks.
                Ok(false) => transaction.rollback().await?,
                Err(error) => {
                    transaction.rollback().await?;
                    return Err(error);
                }
            }
            Ok::<_, StoreError>(batch.answers)
        };
        self.writer.ask(|writer| Box::pin(commit(writer))).await
    }

    async fn prune_replays(&self, now: Timestamp) -> Result<(), StoreError> {
        loop {
            let delete = query(DB::PRUNE).bind(seconds(now));
            let deleted = self.writer.ask(|writer| Box::pin(delete.execute(writer))).await?;
            // A few at a time, so that no batch waits for long.
            if DB::changed(&deleted) == 0 {
                return Ok(());
            }
        }
    }

    async fn latest_time(&self) -> Result<Option<i64>, StoreError> {
        let select = query_as("SELECT latest FROM clock");
        let found: Option<(i64,)> = self.readers.ask(|reader| Box::pin(select.fetch_optional(reader))).await?;
        Ok(found.map(|(latest,)| latest))
    }

    async fn note_time(&self, time: Timestamp, any: bool) -> Result<(), StoreError> {
        let note = query(
            "INSERT INTO clock (id, latest) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET latest = excluded.latest \
             WHERE clock.latest < excluded.latest OR $2 = 1",
        )
        .bind(seconds(time))
        .bind(i64::from(any));
        self.writer.ask(|writer| Box::pin(note.execute(writer))).await.map(drop)
    }

    async fn hold(&self, until: Timestamp) -> Result<(), StoreError> {
        let replace = query(
            "INSERT INTO replay_hold (id, until) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET until = excluded.until",
        )
        .bind(seconds(until));
        self.writer.ask(|writer| Box::pin(replace.execute(writer))).await.map(drop)
    }

    async fn dump(&self, sink: &mut dyn Sink) -> Result<(), BackupError> {
        self.dump_rows(sink).await
    }

    async fn restore(
        &self,
        keyring: &Keyring,
        rows: Rows<'_>,
        until: Timestamp,
        batch: Batch,
    ) -> Result<(), BackupError> {
        self.restore_rows(keyring, rows, until, batch).await
    }

    async fn reseal(&self, reseal: Reseal<'_>, batch: Batch) -> Result<Resealed, StoreError> {
        self.reseal_rows(reseal, batch).await
    }

    async fn rows(&self, keys: Vec<RowKey>) -> Result<Vec<Option<RowColumns>>, StoreError> {
        self.readers
            .ask(|reader| {
                Box::pin(async move {
                    let mut rows = vec![None; keys.len()];
                    for (number, version, sealed) in DB::find(reader, &keys).await? {
                        if let Some(row) = usize::try_from(number).ok().and_then(|number| rows.get_mut(number)) {
                            *row = Some((version, sealed));
                        }
                    }
                    Ok::<_, StoreError>(rows)
                })
            })
            .await
    }

    async fn is_delegate(&self, principal: &str, user: &str, now: Timestamp) -> Result<bool, StoreError> {
        let select = query_as("SELECT expires FROM delegates WHERE principal = $1 AND user_uri = $2 AND expires > $3")
            .bind(principal.to_owned())
            .bind(user.to_owned())
            .bind(seconds(now));
        let found: Option<(i64,)> = self.readers.ask(|reader| Box::pin(select.fetch_optional(reader))).await?;
        Ok(found.is_some())
    }

    async fn delegates(&self) -> Result<Vec<Delegate>, StoreError> {
        let select = query_as("SELECT principal, user_uri, expires FROM delegates ORDER BY principal, user_uri");
        let rows: Vec<(String, String, i64)> = self.readers.ask(|reader| Box::pin(select.fetch_all(reader))).await?;
        let delegate = |(principal, user, expires): (String, String, i64)| {
            let expires = Timestamp::from_unix(u64::try_from(expires).ok()?).ok()?;
            Some(Delegate { principal, user: Uri::parse(&user).ok()?, expires })
        };
        rows.into_iter().map(|row| delegate(row).ok_or(StoreError::Damaged("delegates"))).collect()
    }

    async fn is_blocked(&self, uri: &str) -> Result<bool, StoreError> {
        let select = query_as("SELECT uri FROM blocks WHERE uri = $1").bind(uri.to_owned());
        let found: Option<(String,)> = self.readers.ask(|reader| Box::pin(select.fetch_optional(reader))).await?;
        Ok(found.is_some())
    }

    async fn blocked(&self) -> Result<Vec<Uri>, StoreError> {
        let select = query_as("SELECT uri FROM blocks ORDER BY uri");
        let rows: Vec<(String,)> = self.readers.ask(|reader| Box::pin(select.fetch_all(reader))).await?;
        rows.into_iter().map(|(uri,)| Uri::parse(&uri).map_err(|_| StoreError::Damaged("blocks"))).collect()
    }

    async fn entries(&self, server: &str, after: i64, limit: u32) -> Result<Vec<Entry>, StoreError> {
        let select = query_as(
            "SELECT sequence, time, principal, action, target, period, outcome, request_id, mac FROM audit \
             WHERE server = $1 AND sequence > $2 ORDER BY sequence LIMIT $3",
        )
        .bind(server.to_owned())
        .bind(after)
        .bind(i64::from(limit));
        let rows: Vec<EntryColumns> = self.readers.ask(|reader| Box::pin(select.fetch_all(reader))).await?;
        let entry = |(sequence, time, principal, action, target, period, outcome, request_id, mac): EntryColumns| {
            Entry { sequence, time, principal, action, target, period, outcome, request_id, mac }
        };
        Ok(rows.into_iter().map(entry).collect())
    }

    async fn head(&self, server: &str) -> Result<Option<Head>, StoreError> {
        let server = server.to_owned();
        self.readers.ask(|reader| Box::pin(async move { Self::end(reader, &server).await })).await
    }
}
