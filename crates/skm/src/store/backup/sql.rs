//! How a database that speaks SQL gives away all that is in it, and takes it back.

use futures_util::TryStreamExt as _;
use mikey_sakke::time::Timestamp;
use sqlx::{AssertSqlSafe, ColumnIndex, Decode, Encode, Executor, IntoArguments, QueryBuilder, Type, query, query_as};

use super::rows::{Kind, Table};
use super::{BackupError, Row, Rows, Sink, TABLES, Value};
use crate::store::StoreError;
use crate::store::batch::{Batch, seconds};
use crate::store::keyring::Keyring;
use crate::store::sql::{Alone, Dialect, Sql};

/// The rows that are inserted with one statement, at most.
const ROWS: usize = 200;

impl<DB: Dialect> Sql<DB>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    DB::Arguments: IntoArguments<DB>,
    usize: ColumnIndex<DB::Row>,
    i64: for<'r> Decode<'r, DB> + for<'q> Encode<'q, DB> + Type<DB>,
    String: for<'r> Decode<'r, DB> + for<'q> Encode<'q, DB> + Type<DB>,
    Vec<u8>: for<'r> Decode<'r, DB> + for<'q> Encode<'q, DB> + Type<DB>,
{
    /// All that stands there at one moment.
    pub(in crate::store) async fn dump_rows(&self, sink: &mut dyn Sink) -> Result<(), BackupError> {
        let mut connection = self.readers.connect().await?;
        let mut snapshot = DB::snapshot(&mut connection).await?;
        let select = query_as("SELECT key_id, data_key, salt, audit_key FROM keyring");
        let (key_id, data_key, salt, audit_key) = select.fetch_one(&mut *snapshot).await?;
        sink.keyring(Keyring { key_id, data_key, salt, audit_key })?;
        for (index, table) in TABLES.iter().enumerate() {
            let columns: Vec<_> = table.columns.iter().map(|(column, _)| *column).collect();
            let select = format!("SELECT {} FROM {}", columns.join(", "), table.name);
            let mut rows = query(AssertSqlSafe(select)).fetch(&mut *snapshot);
            while let Some(row) = rows.try_next().await? {
                sink.row((index, values(table, &row)?))?;
            }
        }
        Ok(snapshot.rollback().await?)
    }

    /// Puts rows where there are none, and nobody else puts any meanwhile.
    pub(in crate::store) async fn restore_rows(
        &self,
        keyring: &Keyring,
        rows: Rows<'_>,
        until: Timestamp,
        mut batch: Batch,
    ) -> Result<(), BackupError> {
        let mut connection = self.writer.connect().await?;
        let mut transaction = DB::begin(&mut connection, Alone::Everything).await?;
        for name in TABLES.iter().map(|table| table.name).filter(|&name| name != "clock").chain(["replays"]) {
            let select = format!("SELECT COUNT(*) FROM (SELECT 1 FROM {name} LIMIT 1) AS found");
            let (found,): (i64,) = query_as(AssertSqlSafe(select)).fetch_one(&mut *transaction).await?;
            if found != 0 {
                return Err(BackupError::NotEmpty);
            }
        }
        // Opening an empty store made a keyring, and serving it may have set the clock.
        for name in ["keyring", "clock", "replay_hold"] {
            query(AssertSqlSafe(format!("DELETE FROM {name}"))).execute(&mut *transaction).await?;
        }
        query("INSERT INTO keyring (id, key_id, data_key, salt, audit_key) VALUES (1, $1, $2, $3, $4)")
            .bind(keyring.key_id.clone())
            .bind(keyring.data_key.clone())
            .bind(keyring.salt.clone())
            .bind(keyring.audit_key.clone())
            .execute(&mut *transaction)
            .await?;
        let mut waiting: Vec<Row> = Vec::with_capacity(ROWS);
        loop {
            let row = rows()?;
            let is_of_another = |row: &Row| waiting.first().is_some_and(|(table, _)| *table != row.0);
            if waiting.len() == ROWS || row.as_ref().is_none_or(is_of_another) {
                insert(&mut *transaction, std::mem::take(&mut waiting)).await?;
            }
            let Some(row) = row else { break };
            waiting.push(row);
        }
        query("INSERT INTO replay_hold (id, until) VALUES (1, $1)")
            .bind(seconds(until))
            .execute(&mut *transaction)
            .await?;
        Self::change(&mut transaction, &mut batch).await?;
        Ok(transaction.commit().await?)
    }
}

fn values<R: sqlx::Row>(table: &Table, row: &R) -> Result<Vec<Value>, sqlx::Error>
where
    usize: ColumnIndex<R>,
    i64: for<'r> Decode<'r, R::Database> + Type<R::Database>,
    String: for<'r> Decode<'r, R::Database> + Type<R::Database>,
    Vec<u8>: for<'r> Decode<'r, R::Database> + Type<R::Database>,
{
    let value = |(index, &(_, kind)): (usize, &(&str, Kind))| match kind {
        Kind::Integer => row.try_get(index).map(Value::Integer),
        Kind::IntegerOrNull => row.try_get(index).map(|number: Option<i64>| number.map_or(Value::Null, Value::Integer)),
        Kind::Text => row.try_get(index).map(Value::Text),
        Kind::Octets => row.try_get(index).map(Value::Octets),
    };
    table.columns.iter().enumerate().map(value).collect()
}

/// Inserts rows of one table.
async fn insert<'c, DB: sqlx::Database>(
    executor: impl Executor<'c, Database = DB>,
    rows: Vec<Row>,
) -> Result<(), StoreError>
where
    DB::Arguments: IntoArguments<DB>,
    i64: for<'q> Encode<'q, DB> + Type<DB>,
    String: for<'q> Encode<'q, DB> + Type<DB>,
    Vec<u8>: for<'q> Encode<'q, DB> + Type<DB>,
{
    let Some(&(table, _)) = rows.first() else { return Ok(()) };
    let Table { name, columns } = &TABLES[table];
    let columns: Vec<_> = columns.iter().map(|(column, _)| *column).collect();
    let mut insert = QueryBuilder::new("INSERT INTO ");
    insert.push(name).push(" (").push(columns.join(", ")).push(") ");
    insert.push_values(rows, |mut row, (_, values)| {
        for value in values {
            match value {
                Value::Null => row.push("NULL"),
                Value::Integer(number) => row.push_bind(number),
                Value::Text(text) => row.push_bind(text),
                Value::Octets(octets) => row.push_bind(octets),
            };
        }
    });
    insert.build().execute(executor).await?;
    Ok(())
}
