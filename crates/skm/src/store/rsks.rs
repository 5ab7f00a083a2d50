//! RSKs that were extracted before they are asked for.
//!
//! They lie sealed among the other rows, under certificate, key period and user. They are not in the audit log: whoever
//! has them extracted logs that, and whoever is issued keys is logged as ever.

use async_trait::async_trait;
use mikey_sakke::identity::Uri;
use mikey_sakke::km::Identifier;
use mikey_sakke::sakke::Rsk;
use sqlx::{AssertSqlSafe, ColumnIndex, Decode, Encode, Executor, IntoArguments, QueryBuilder, Type, query_as};

use super::rows::{RowKey, SealedRow, Version};
use super::sql::{Alone, Dialect, Sql};
use super::{Store, StoreError, place, stored_name};

/// The collection of RSKs.
const RSKS: &str = "rsks";

/// The users of a page that is asked for, and the RSKs that are deleted at a time.
const PAGE: u16 = 512;

/// What RSKs are extracted for: a certificate and a key period.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Extraction {
    /// The CertUri.
    pub certificate: Identifier,
    /// The number of the key period.
    pub period: u64,
}

impl Extraction {
    /// The column that the rows of its RSKs share.
    fn column(&self) -> String {
        format!("{} {}", self.certificate, self.period)
    }

    fn row(&self, user: &str) -> RowKey {
        RowKey { collection: RSKS, service: self.column(), kind: "", id: user.into() }
    }
}

/// Who has no RSK yet.
#[derive(Clone, Debug)]
pub struct Awaiting {
    /// By which certificate, and for which period.
    pub extraction: Extraction,
    /// Who was issued keys for this key period or a later one.
    pub since: u64,
}

impl Store {
    /// Users who were issued keys and are not blocked, and whose RSK is not there: some, in order, after this one.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn awaiting(&self, who: &Awaiting, after: &str) -> Result<Vec<String>, StoreError> {
        self.database.awaiting(who, after).await
    }

    /// How many they are.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn count_awaiting(&self, who: &Awaiting) -> Result<u64, StoreError> {
        self.database.count_awaiting(who).await
    }

    /// Stores RSKs, but for those that are there already.
    ///
    /// # Errors
    ///
    /// [`StoreError::WrongKey`] if the store was sealed with another key since it was opened, or another
    /// [`StoreError`]; then none of them is stored.
    pub async fn add_rsks(&self, extraction: &Extraction, rsks: &[(Uri, Rsk)]) -> Result<(), StoreError> {
        let row = |(user, rsk): &(Uri, Rsk)| {
            let key = extraction.row(&stored_name(user.as_str())?);
            let version = Version::random()?;
            let sealed = self.key.seal(place(&key, &key.columns(), version), rsk.expose())?;
            Ok((key, SealedRow { version, sealed }))
        };
        let rows = rsks.iter().map(row).collect::<Result<Vec<_>, StoreError>>()?;
        self.database.add_rows(&self.key.id(), rows).await
    }

    /// The RSK of a user, if it is there.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn rsk(&self, extraction: &Extraction, user: &Uri) -> Result<Option<Rsk>, StoreError> {
        let Some((_, value)) = self.get(&extraction.row(user.as_str())).await? else { return Ok(None) };
        let rsk = value.as_slice().try_into().map_err(|_| StoreError::Damaged(RSKS))?;
        Ok(Some(Rsk::new(rsk)))
    }

    /// Whether there are any.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn has_rsks(&self, extraction: &Extraction) -> Result<bool, StoreError> {
        self.database.has_rows(RSKS, &extraction.column()).await
    }

    /// Deletes all RSKs but these.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn keep_rsks(&self, kept: &[Extraction]) -> Result<(), StoreError> {
        let columns: Vec<_> = kept.iter().map(Extraction::column).collect();
        while self.database.delete_rows_but(RSKS, &columns).await? == usize::from(PAGE) {}
        Ok(())
    }
}

/// The rows behind them.
#[async_trait]
pub(super) trait RskRows {
    async fn awaiting(&self, who: &Awaiting, after: &str) -> Result<Vec<String>, StoreError>;
    async fn count_awaiting(&self, who: &Awaiting) -> Result<u64, StoreError>;
    /// Inserts rows that are not there, into a store with this sealing key.
    async fn add_rows(&self, key_id: &str, rows: Vec<(RowKey, SealedRow)>) -> Result<(), StoreError>;
    async fn has_rows(&self, collection: &'static str, service: &str) -> Result<bool, StoreError>;
    /// Deletes rows of a collection under other services, a page at most, and says how many.
    async fn delete_rows_but(&self, collection: &'static str, services: &[String]) -> Result<usize, StoreError>;
}

const AWAITING: &str = "FROM issues WHERE period >= $1 AND user_uri > $2 \
    AND NOT EXISTS (SELECT 1 FROM blocks WHERE uri = user_uri) \
    AND NOT EXISTS (SELECT 1 FROM sealed_rows WHERE collection = $3 AND service = $4 AND kind = '' AND id = user_uri)";

#[async_trait]
impl<DB: Dialect> RskRows for Sql<DB>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    DB::Arguments: IntoArguments<DB>,
    usize: ColumnIndex<DB::Row>,
    i64: for<'r> Decode<'r, DB> + for<'q> Encode<'q, DB> + Type<DB>,
    String: for<'r> Decode<'r, DB> + for<'q> Encode<'q, DB> + Type<DB>,
    Vec<u8>: for<'r> Decode<'r, DB> + for<'q> Encode<'q, DB> + Type<DB>,
{
    async fn awaiting(&self, who: &Awaiting, after: &str) -> Result<Vec<String>, StoreError> {
        let select = format!("SELECT DISTINCT user_uri {AWAITING} ORDER BY user_uri LIMIT $5");
        let select = query_as(AssertSqlSafe(select))
            .bind(who.since.cast_signed())
            .bind(after.to_owned())
            .bind(RSKS.to_owned())
            .bind(who.extraction.column())
            .bind(i64::from(PAGE));
        let rows: Vec<(String,)> = self.readers.ask(|reader| Box::pin(select.fetch_all(reader))).await?;
        Ok(rows.into_iter().map(|(user,)| user).collect())
    }

    async fn count_awaiting(&self, who: &Awaiting) -> Result<u64, StoreError> {
        let select = query_as(AssertSqlSafe(format!("SELECT COUNT(DISTINCT user_uri) {AWAITING}")))
            .bind(who.since.cast_signed())
            .bind(String::new())
            .bind(RSKS.to_owned())
            .bind(who.extraction.column());
        let (count,): (i64,) = self.readers.ask(|reader| Box::pin(select.fetch_one(reader))).await?;
        Ok(count.cast_unsigned())
    }

    async fn add_rows(&self, key_id: &str, rows: Vec<(RowKey, SealedRow)>) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let key_id = key_id.to_owned();
        let add = async move |writer: &mut DB::Connection| {
            let mut transaction = DB::begin(writer, Alone::Nothing).await?;
            let (found,): (String,) = query_as("SELECT key_id FROM keyring").fetch_one(&mut *transaction).await?;
            if found != key_id {
                transaction.rollback().await?;
                return Err(StoreError::WrongKey);
            }
            let mut insert =
                QueryBuilder::<DB>::new("INSERT INTO sealed_rows (collection, service, kind, id, version, sealed) ");
            insert.push_values(rows, |mut row, (key, SealedRow { version, sealed })| {
                row.push_bind(key.collection.to_owned()).push_bind(key.service).push_bind(key.kind.to_owned());
                row.push_bind(key.id).push_bind(version.to_column()).push_bind(sealed);
            });
            insert.push(" ON CONFLICT DO NOTHING").build().execute(&mut *transaction).await?;
            Ok(transaction.commit().await?)
        };
        self.writer.ask(|writer| Box::pin(add(writer))).await
    }

    async fn has_rows(&self, collection: &'static str, service: &str) -> Result<bool, StoreError> {
        let select = query_as("SELECT id FROM sealed_rows WHERE collection = $1 AND service = $2 LIMIT 1")
            .bind(collection.to_owned())
            .bind(service.to_owned());
        let found: Option<(String,)> = self.readers.ask(|reader| Box::pin(select.fetch_optional(reader))).await?;
        Ok(found.is_some())
    }

    async fn delete_rows_but(&self, collection: &'static str, services: &[String]) -> Result<usize, StoreError> {
        let others = "SELECT collection, service, kind, id FROM sealed_rows WHERE collection = ";
        let mut delete = QueryBuilder::<DB>::new("DELETE FROM sealed_rows WHERE (collection, service, kind, id) IN (");
        delete.push(others).push_bind(collection.to_owned());
        for service in services {
            delete.push(" AND service <> ").push_bind(service.clone());
        }
        delete.push(" LIMIT ").push_bind(i64::from(PAGE)).push(") RETURNING id");
        let delete = self.writer.ask(|writer| Box::pin(async move { delete.build_query_as().fetch_all(writer).await }));
        let deleted: Vec<(String,)> = delete.await?;
        Ok(deleted.len())
    }
}
