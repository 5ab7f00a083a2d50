//! A store in a file.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteQueryResult, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, QueryBuilder, Sqlite, Transaction, query, query_as};

use super::StoreError;
use super::batch::Batch;
use super::connections::{Check, Connections};
use super::rows::RowKey;
use super::schema;
use super::sql::{Alone, Dialect, FoundRow, Sql};
use crate::audit::Head;

/// Connections that read.
const READERS: usize = 4;

/// How long a change waits for that of another process.
const BUSY: Duration = Duration::from_secs(3);

/// Opens the database at `sqlite:PATH`, makes it if there is none, and brings its schema up to date. A change is on the
/// disk when it is done.
pub(super) async fn open(url: &str) -> Result<Sql<Sqlite>, StoreError> {
    let path = path(url).ok_or(StoreError::Url)?;
    // SQLite gives the files beside it the same access.
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(StoreError::Io(path.into(), Arc::new(error)));
        }
        _ => {}
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY);
    let opened = file(path).map_err(|error| StoreError::Io(path.into(), Arc::new(error)))?;
    let mut connection = options.connect().await?;
    let found = found_schema(&mut connection).await?;
    let migrated = schema::migrator(found, include_str!("sqlite.sql"))?.run(&mut connection).await;
    // Another process that opened it at once may have been first, as nothing keeps two from beginning.
    if let Err(error) = migrated
        && schema::check(found_schema(&mut connection).await?).is_err()
    {
        return Err(error.into());
    }
    connection.close().await?;
    // SQLite has one writer at a time.
    let check: Check = Arc::new({
        let path = path.to_owned();
        move || check(&path, opened)
    });
    let writer = Connections::new(options.clone(), 1, check.clone());
    let readers = Connections::new(options.read_only(true), READERS, check);
    Ok(Sql { writer, readers })
}

async fn found_schema(connection: &mut SqliteConnection) -> Result<Option<schema::Columns>, sqlx::Error> {
    let table = query_as("SELECT name FROM sqlite_schema WHERE type = 'table' AND name = 'schema'");
    let table: Option<(String,)> = table.fetch_optional(&mut *connection).await?;
    if table.is_none() {
        return Ok(None);
    }
    query_as("SELECT version, oldest FROM schema").fetch_optional(connection).await
}

/// What tells the file at a path from any other: its device and its number there.
fn file(path: &Path) -> io::Result<(u64, u64)> {
    std::fs::metadata(path).map(|found| (found.dev(), found.ino()))
}

/// Whether the file that was opened first is still in its place. What is written to one that was removed is lost, and
/// one that was put there since knows nothing of the requests that were answered.
fn check(path: &Path, opened: (u64, u64)) -> Result<(), sqlx::Error> {
    let moved = || io::Error::new(ErrorKind::NotFound, "another file is in the place of the database");
    file(path).is_ok_and(|found| found == opened).then_some(()).ok_or_else(|| sqlx::Error::Io(moved()))
}

/// The path of `sqlite:PATH` or `sqlite://PATH`, without parameters.
fn path(url: &str) -> Option<&Path> {
    let path = url.strip_prefix("sqlite:")?;
    let path = path.strip_prefix("//").unwrap_or(path);
    (!path.is_empty() && !path.starts_with(':') && !path.contains(['?', '#', '\0'])).then(|| Path::new(path))
}

#[async_trait]
impl Dialect for Sqlite {
    const FORGET: &[&str] = &["VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"];
    const CLOCK: &str = "NULL";

    const PRUNE: &str = "DELETE FROM replays WHERE key IN (SELECT key FROM replays WHERE expires <= $1 LIMIT 1000)";

    fn changed(done: &SqliteQueryResult) -> u64 {
        done.rows_affected()
    }

    /// There is one writer, whatever it changes.
    async fn begin<'c>(
        connection: &'c mut SqliteConnection,
        _: Alone<'_>,
    ) -> Result<Transaction<'c, Self>, StoreError> {
        Ok(connection.begin_with("BEGIN IMMEDIATE").await?)
    }

    async fn snapshot(connection: &mut SqliteConnection) -> Result<Transaction<'_, Self>, sqlx::Error> {
        connection.begin().await
    }

    async fn load(connection: &mut SqliteConnection, batch: &mut Batch) -> Result<(), StoreError> {
        let keys = batch.replays.wanted();
        if !keys.is_empty() {
            let mut select = QueryBuilder::new("SELECT key, expires FROM replays WHERE key IN (");
            select.push_values(keys, |mut row, key| {
                row.push_bind(key.to_vec());
            });
            let select = select.push(")").build_query_as().persistent(false);
            let found: Vec<(Vec<u8>, i64)> = select.fetch_all(&mut *connection).await?;
            for (key, expires) in found {
                batch.replays.load(key.try_into().map_err(|_| StoreError::Damaged("replays"))?, expires);
            }
        }
        let issues = batch.issues.wanted();
        if !issues.is_empty() {
            let mut select =
                QueryBuilder::new("SELECT user_uri, period, count FROM issues WHERE (user_uri, period) IN (");
            select.push_values(issues, |mut row, (user, period)| {
                row.push_bind(user).push_bind(period);
            });
            let select = select.push(")").build_query_as().persistent(false);
            let found: Vec<(String, i64, i64)> = select.fetch_all(&mut *connection).await?;
            found.into_iter().for_each(|(user, period, count)| batch.issues.load((user, period), count));
        }
        Ok(())
    }

    async fn save(connection: &mut SqliteConnection, batch: &Batch) -> Result<(), StoreError> {
        let replays: Vec<_> = batch.replays.put().collect();
        if !replays.is_empty() {
            let mut replace = QueryBuilder::new("INSERT OR REPLACE INTO replays (key, expires) ");
            replace.push_values(replays, |mut row, (key, expires)| {
                row.push_bind(key.to_vec()).push_bind(expires);
            });
            replace.build().persistent(false).execute(&mut *connection).await?;
        }
        let issues: Vec<_> = batch.issues.put().collect();
        if !issues.is_empty() {
            let mut replace = QueryBuilder::new("INSERT OR REPLACE INTO issues (user_uri, period, count) ");
            replace.push_values(issues, |mut row, ((user, period), count)| {
                row.push_bind(user).push_bind(period).push_bind(count);
            });
            replace.build().persistent(false).execute(&mut *connection).await?;
        }
        let mut insert = QueryBuilder::new(
            "INSERT INTO audit (server, sequence, time, principal, action, target, period, outcome, request_id, mac) ",
        );
        insert.push_values(&batch.entries, |mut row, entry| {
            row.push_bind(batch.server()).push_bind(entry.sequence).push_bind(entry.time).push_bind(&entry.principal);
            row.push_bind(&entry.action).push_bind(&entry.target).push_bind(entry.period).push_bind(&entry.outcome);
            row.push_bind(&entry.request_id).push_bind(&entry.mac);
        });
        insert.build().persistent(false).execute(&mut *connection).await?;
        if let Some(Head { sequence, mac, seal }) = &batch.head {
            query("INSERT OR REPLACE INTO audit_heads (server, sequence, mac, seal) VALUES ($1, $2, $3, $4)")
                .bind(batch.server())
                .bind(sequence)
                .bind(mac)
                .bind(seal)
                .execute(&mut *connection)
                .await?;
        }
        Ok(())
    }

    async fn find(connection: &mut SqliteConnection, keys: &[RowKey]) -> Result<Vec<FoundRow>, StoreError> {
        let mut select = QueryBuilder::new("WITH wanted (number, collection, service, kind, id) AS (");
        select.push_values((0_i64..).zip(keys), |mut row, (number, key)| {
            let [service, kind, id] = key.columns();
            row.push_bind(number).push_bind(key.collection);
            row.push_bind(service.to_owned()).push_bind(kind.to_owned()).push_bind(id.to_owned());
        });
        // In this order, so that each is looked up by its key.
        select.push(
            ") SELECT number, version, sealed FROM wanted CROSS JOIN sealed_rows USING (collection, service, kind, id)",
        );
        Ok(select.build_query_as().persistent(false).fetch_all(connection).await?)
    }
}
