//! A store in a database of PostgreSQL, for one server or several.

use std::collections::BTreeSet;
use std::mem::take;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgQueryResult, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Postgres, Transaction, query, query_as};
use tokio::time::timeout;

use super::StoreError;
use super::batch::{Batch, IssueKey};
use super::connections::Connections;
use super::error::too_late;
use super::rows::RowKey;
use super::schema;
use super::sql::{Alone, Dialect, FoundRow, Sql};

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

/// The lock that those share who accept requests, and that one has alone who changes anything else: `SKM-S`.
const BATCHES: i64 = 0x53_4b_4d_2d_53;

/// Stands for when a replay key expires that was there before: that it is there is all that counts.
const EXPIRES_SOMETIME: i64 = i64::MIN;

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
    const FORGET: &[&str] = &["VACUUM FULL sealed_rows", "VACUUM FULL keyring"];
    const CLOCK: &str = "(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT";

    const PRUNE: &str = "DELETE FROM replays WHERE key = ANY(ARRAY(\
        SELECT key FROM replays WHERE expires <= $1 LIMIT 1000 FOR UPDATE SKIP LOCKED))";

    fn changed(done: &PgQueryResult) -> u64 {
        done.rows_affected()
    }

    /// The locks are taken before anything is read, so that each statement after them sees what was committed by those
    /// who had them before. Each sees what others committed until it began, whatever the database is set to.
    async fn begin<'c>(
        connection: &'c mut PgConnection,
        alone: Alone<'_>,
    ) -> Result<Transaction<'c, Self>, StoreError> {
        let locks = match alone {
            Alone::Everything => format!("SELECT pg_advisory_xact_lock({BATCHES})"),
            Alone::AuditLog(server) => format!(
                "SELECT pg_advisory_xact_lock_shared({BATCHES}); SELECT pg_advisory_xact_lock({})",
                audit_log(server)
            ),
            Alone::Nothing => format!("SELECT pg_advisory_xact_lock_shared({BATCHES})"),
        };
        let begin = AssertSqlSafe(format!("BEGIN ISOLATION LEVEL READ COMMITTED; {locks}"));
        Ok(connection.begin_with(begin).await?)
    }

    async fn snapshot(connection: &mut PgConnection) -> Result<Transaction<'_, Self>, sqlx::Error> {
        let mut transaction = connection.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        // Nobody waits for it.
        query("SET LOCAL idle_in_transaction_session_timeout = 0").execute(&mut *transaction).await?;
        Ok(transaction)
    }

    /// A replay key that another transaction is inserting is waited for: if that commits, it is there, and if not, it
    /// is ours. So is a counter, of which the update sees what was committed last. All claim in one order, that of
    /// the keys, so that no two wait for each other.
    async fn load(connection: &mut PgConnection, batch: &mut Batch) -> Result<(), StoreError> {
        let claims = take(&mut batch.claims);
        if !claims.replays.is_empty() {
            let (keys, expiries): (Vec<[u8; 32]>, Vec<i64>) = claims.replays.iter().unzip();
            let insert = query_as(
                "INSERT INTO replays (key, expires) SELECT * FROM UNNEST($1::BYTEA[], $2::BIGINT[]) \
                 ON CONFLICT DO NOTHING RETURNING key",
            )
            .bind(keys)
            .bind(expiries);
            let claimed: Vec<([u8; 32],)> = insert.fetch_all(&mut *connection).await?;
            let claimed: BTreeSet<_> = claimed.into_iter().map(|(key,)| key).collect();
            for (key, expires) in claims.replays {
                if claimed.contains(&key) {
                    batch.replays.claim(key, None, expires);
                } else {
                    batch.replays.load(key, EXPIRES_SOMETIME);
                }
            }
        }
        if !claims.issues.is_empty() {
            let (issues, increments): (Vec<&IssueKey>, Vec<i64>) = claims.issues.iter().unzip();
            let (users, periods): (Vec<&str>, Vec<i64>) =
                issues.into_iter().map(|(user, period)| (user.as_str(), *period)).unzip();
            let insert = query_as(
                "INSERT INTO issues (user_uri, period, count) \
                 SELECT * FROM UNNEST($1::TEXT[], $2::BIGINT[], $3::BIGINT[]) \
                 ON CONFLICT (user_uri, period) DO UPDATE SET count = issues.count + excluded.count \
                 RETURNING user_uri, period, count",
            )
            .bind(users)
            .bind(periods)
            .bind(increments);
            let claimed: Vec<(String, i64, i64)> = insert.fetch_all(&mut *connection).await?;
            for (user, period, count) in claimed {
                let issue = (user, period);
                let found = count - claims.issues.get(&issue).ok_or(StoreError::Damaged("issues"))?;
                batch.issues.claim(issue, (found > 0).then_some(found), count);
            }
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
        for ((user, period), count) in batch.issues.put() {
            query("UPDATE issues SET count = $3 WHERE user_uri = $1 AND period = $2")
                .bind(user)
                .bind(period)
                .bind(count)
                .execute(&mut *connection)
                .await?;
        }
        let entries = &batch.entries;
        let head = batch.head.as_ref();
        query(
            "WITH head AS ( \
                INSERT INTO audit_heads (server, sequence, mac, seal) VALUES ($1, $11, $12, $13) ON CONFLICT (server) \
                DO UPDATE SET sequence = excluded.sequence, mac = excluded.mac, seal = excluded.seal \
             ) \
             INSERT INTO audit (server, sequence, time, principal, action, target, period, outcome, request_id, mac) \
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
        .bind(head.map(|head| head.sequence))
        .bind(head.map(|head| head.mac.as_slice()))
        .bind(head.map(|head| head.seal.as_slice()))
        .execute(&mut *connection)
        .await?;
        Ok(())
    }

    async fn find(connection: &mut PgConnection, keys: &[RowKey]) -> Result<Vec<FoundRow>, StoreError> {
        let columns = |number: usize| keys.iter().map(move |key| key.columns()[number].to_owned()).collect::<Vec<_>>();
        let select = query_as(
            "SELECT number - 1, version, sealed \
             FROM UNNEST($1::TEXT[], $2::TEXT[], $3::TEXT[], $4::TEXT[]) WITH ORDINALITY \
             AS wanted (collection, service, kind, id, number) JOIN sealed_rows USING (collection, service, kind, id)",
        );
        let select = select.bind(keys.iter().map(|key| key.collection).collect::<Vec<_>>());
        let select = select.bind(columns(0)).bind(columns(1)).bind(columns(2));
        Ok(select.fetch_all(connection).await?)
    }
}

/// The lock of the audit log of a server. Another lock of the same number costs time, nothing else.
fn audit_log(server: &str) -> i64 {
    let hash: [u8; 32] = Sha256::digest(server).into();
    i64::from_be_bytes([hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]])
}
