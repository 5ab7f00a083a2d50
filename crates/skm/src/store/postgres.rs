//! A store in a database of PostgreSQL, for one server or several.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions, Connection, Postgres, Transaction, query, query_as};
use tokio::time::timeout;

use super::StoreError;
use super::batch::{Batch, IssueKey};
use super::connections::Connections;
use super::error::too_late;
use super::schema;
use super::sql::{Dialect, Sql};

/// Connections that read.
const READERS: usize = 8;

/// How long a migration waits for its connection. What it changes may take any time.
const CONNECT: Duration = Duration::from_secs(4);

/// What the server is to give up on its own, in milliseconds: a statement that waits for a lock, and a transaction
/// whose client is gone, which others wait for.
const SESSION: [(&str, &str); 2] = [("lock_timeout", "3000"), ("idle_in_transaction_session_timeout", "3000")];

/// Opens the database at `postgres://USER@HOST/DATABASE`, whose schema is to be there.
pub(super) async fn open(url: &str) -> Result<Sql<Postgres>, StoreError> {
    let options = options(url)?.options(SESSION);
    let writer = Connections::new(options.clone(), 1, Arc::new(|| Ok(())));
    schema::check(writer.ask(|connection| Box::pin(found_schema(connection))).await?)?;
    Ok(Sql { writer, readers: Connections::new(options, READERS, Arc::new(|| Ok(()))) })
}

/// Brings the schema up to date, while no other does.
pub(super) async fn migrate(url: &str) -> Result<(), StoreError> {
    let connected = timeout(CONNECT, options(url)?.connect()).await;
    let mut connection = connected.map_err(|_| too_late())??;
    let (encoding,): (String,) = query_as("SHOW server_encoding").fetch_one(&mut connection).await?;
    if encoding != "UTF8" {
        return Err(StoreError::Encoding);
    }
    let found = found_schema(&mut connection).await?;
    schema::migrator(found, include_str!("postgres.sql"))?.run(&mut connection).await?;
    Ok(connection.close().await?)
}

async fn found_schema(connection: &mut PgConnection) -> Result<Option<schema::Columns>, sqlx::Error> {
    let (exists,): (bool,) = query_as("SELECT to_regclass('schema') IS NOT NULL").fetch_one(&mut *connection).await?;
    if !exists {
        return Ok(None);
    }
    query_as("SELECT version, oldest FROM schema").fetch_optional(connection).await
}

/// Over a network, only the database itself is to be reached.
fn options(url: &str) -> Result<PgConnectOptions, StoreError> {
    let has_authority = url.split_once("://").is_some_and(|(_, rest)| !rest.is_empty());
    let options = PgConnectOptions::from_str(url).ok().filter(|_| has_authority).ok_or(StoreError::Url)?;
    let options = options.application_name("skms");
    let host = options.get_host();
    let is_here = options.get_socket().is_some()
        || host.starts_with('/')
        || host == "localhost"
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    match options.get_ssl_mode() {
        _ if is_here => Ok(options),
        PgSslMode::VerifyFull => Ok(options),
        // What is meant unless something else is said.
        PgSslMode::Prefer => Ok(options.ssl_mode(PgSslMode::VerifyFull)),
        _ => Err(StoreError::Plain),
    }
}

#[async_trait]
impl Dialect for Postgres {
    const CLOCK: &str = "(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT";

    /// Batches of all servers come one after the other, whatever rows they change: a condition that holds when it is
    /// checked holds until the commit.
    async fn begin(connection: &mut PgConnection) -> Result<Transaction<'_, Self>, StoreError> {
        let mut transaction = connection.begin().await?;
        let locked = query("SELECT id FROM keyring FOR UPDATE").execute(&mut *transaction).await?;
        if locked.rows_affected() != 1 {
            return Err(StoreError::Damaged("keyring"));
        }
        Ok(transaction)
    }

    async fn load(connection: &mut PgConnection, batch: &mut Batch) -> Result<(), StoreError> {
        let keys = batch.replays.wanted();
        if !keys.is_empty() {
            let select = query_as("SELECT key, expires FROM replays WHERE key = ANY($1)").bind(&keys);
            let found: Vec<([u8; 32], i64)> = select.fetch_all(&mut *connection).await?;
            found.into_iter().for_each(|(key, expires)| batch.replays.load(key, expires));
        }
        let (users, periods): (Vec<_>, Vec<_>) = batch.issues.wanted().into_iter().unzip();
        if !users.is_empty() {
            let select = query_as(
                "SELECT user_uri, period, count FROM issues \
                 JOIN UNNEST($1::TEXT[], $2::BIGINT[]) AS wanted (user_uri, period) USING (user_uri, period)",
            )
            .bind(users)
            .bind(periods);
            let found: Vec<(String, i64, i64)> = select.fetch_all(&mut *connection).await?;
            found.into_iter().for_each(|(user, period, count)| batch.issues.load((user, period), count));
        }
        Ok(())
    }

    async fn save(connection: &mut PgConnection, batch: &Batch) -> Result<(), StoreError> {
        let (keys, expiries): (Vec<[u8; 32]>, Vec<i64>) = batch.replays.put().unzip();
        if !keys.is_empty() {
            query(
                "INSERT INTO replays (key, expires) SELECT * FROM UNNEST($1::BYTEA[], $2::BIGINT[]) \
                 ON CONFLICT (key) DO UPDATE SET expires = excluded.expires",
            )
            .bind(keys)
            .bind(expiries)
            .execute(&mut *connection)
            .await?;
        }
        let (issues, counts): (Vec<&IssueKey>, Vec<&i64>) = batch.issues.put().unzip();
        if !issues.is_empty() {
            let (users, periods): (Vec<_>, Vec<_>) =
                issues.iter().map(|(user, period)| (user.as_str(), *period)).unzip();
            query(
                "INSERT INTO issues (user_uri, period, count) \
                 SELECT * FROM UNNEST($1::TEXT[], $2::BIGINT[], $3::BIGINT[]) \
                 ON CONFLICT (user_uri, period) DO UPDATE SET count = excluded.count",
            )
            .bind(users)
            .bind(periods)
            .bind(counts)
            .execute(&mut *connection)
            .await?;
        }
        let entries = &batch.entries;
        query(
            "INSERT INTO audit (server, sequence, time, principal, action, target, period, outcome, request_id, mac) \
             SELECT $1, * FROM UNNEST($2::BIGINT[], $3::BIGINT[], $4::TEXT[], $5::TEXT[], $6::TEXT[], $7::BIGINT[], \
             $8::TEXT[], $9::TEXT[], $10::BYTEA[])",
        )
        .bind(batch.server())
        .bind(entries.iter().map(|entry| entry.sequence).collect::<Vec<_>>())
        .bind(entries.iter().map(|entry| entry.time).collect::<Vec<_>>())
        .bind(entries.iter().map(|entry| entry.principal.as_str()).collect::<Vec<_>>())
        .bind(entries.iter().map(|entry| entry.action.as_str()).collect::<Vec<_>>())
        .bind(entries.iter().map(|entry| entry.target.as_str()).collect::<Vec<_>>())
        .bind(entries.iter().map(|entry| entry.period).collect::<Vec<_>>())
        .bind(entries.iter().map(|entry| entry.outcome.as_str()).collect::<Vec<_>>())
        .bind(entries.iter().map(|entry| entry.request_id.as_str()).collect::<Vec<_>>())
        .bind(entries.iter().map(|entry| entry.mac.as_slice()).collect::<Vec<_>>())
        .execute(&mut *connection)
        .await?;
        Ok(())
    }
}
