//! New keys for a store: all that is sealed in it is sealed with another data key, in one transaction.

use sqlx::{
    AssertSqlSafe, ColumnIndex, Connection, Decode, Encode, Executor, IntoArguments, QueryBuilder, Type, query,
    query_as,
};

use super::batch::{Batch, Write};
use super::keyring::{Keyring, blocking};
use super::sql::{Alone, Dialect, Sql};
use super::{SEALED, Store, StoreError};
use crate::audit::Event;
use crate::seal::{OpenError, Place, SealKey, Secret};

/// The rows that are read, and written, at once.
const ROWS: usize = 200;

/// Collection, service, kind and identifier, version, and the sealed value.
type Columns = (String, String, String, String, i64, Vec<u8>);

/// What a store gets in the place of what it has.
pub(super) struct Reseal<'a> {
    old: &'a SealKey,
    new: &'a SealKey,
    keyring: &'a Keyring,
    progress: &'a mut (dyn FnMut(usize, usize) + Send),
}

/// A store that has been sealed anew.
#[derive(Debug)]
pub struct Resealed {
    /// How many values.
    pub values: usize,
    /// Why the remains of the values before might still be in the files of the database, if they might.
    pub remains: Option<StoreError>,
}

impl Store {
    /// The id of the key-encryption key, which is public.
    pub fn wrapping(&self) -> &str {
        &self.wrapping
    }

    /// Seals all that is sealed with a new data key, which a secret wraps, and logs that, or changes nothing. From then
    /// on this store, and every other one that is open on the database, refuses with [`StoreError::WrongKey`] until it
    /// is opened with that secret. `progress` is told how many values are done, and of how many.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; [`StoreError::DamagedRow`] for a value that does not open.
    pub async fn reseal(
        &self,
        secret: Secret,
        event: &Event,
        progress: &mut (dyn FnMut(usize, usize) + Send),
    ) -> Result<Resealed, StoreError> {
        let chain = self.chain.clone();
        let (keyring, new) = blocking(move || Keyring::make(&secret, chain.key())).await?;
        let batch = Batch::new(self.chain.clone(), self.key.id().into(), vec![(Write::Log, event.clone())]);
        let reseal = Reseal { old: &self.key, new: &new, keyring: &keyring, progress };
        self.database.reseal(reseal, batch).await
    }

    /// Fails if the store was given another data key since it was opened.
    pub(super) async fn check_key(&self) -> Result<(), StoreError> {
        let keyring = self.database.keyring().await?.ok_or(StoreError::Damaged("keyring"))?;
        if keyring.key_id == self.key.id() { Ok(()) } else { Err(StoreError::WrongKey) }
    }
}

impl Reseal<'_> {
    fn row(&self, (collection, service, kind, id, version, sealed): Columns) -> Result<Columns, StoreError> {
        let sealed = {
            let version = version.cast_unsigned();
            let place = Place { table: &collection, row: &[&service, &kind, &id], column: SEALED, version };
            let value = self.old.open(place, &sealed).map_err(|OpenError| {
                StoreError::DamagedRow(format!("{collection} {service} {kind} {id}").trim().to_owned())
            })?;
            self.new.seal(place, &value)?
        };
        Ok((collection, service, kind, id, version, sealed))
    }
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
    pub(super) async fn reseal_rows(&self, reseal: Reseal<'_>, mut batch: Batch) -> Result<Resealed, StoreError> {
        let mut connection = self.writer.connect().await?;
        let mut transaction = DB::begin(&mut connection, Alone::Everything).await?;
        // Fails if it has another key by now.
        Self::change(&mut transaction, &mut batch).await?;
        let (all,): (i64,) = query_as("SELECT COUNT(*) FROM sealed_rows").fetch_one(&mut *transaction).await?;
        let (all, mut done) = (usize::try_from(all).unwrap_or_default(), 0);
        // No collection has an empty name, so all rows come after this.
        let mut last: [String; 4] = Default::default();
        loop {
            (reseal.progress)(done, all);
            let [collection, service, kind, id] = last.clone();
            let select = query_as(
                "SELECT collection, service, kind, id, version, sealed FROM sealed_rows \
                 WHERE (collection, service, kind, id) > ($1, $2, $3, $4) \
                 ORDER BY collection, service, kind, id LIMIT $5",
            )
            .bind(collection)
            .bind(service)
            .bind(kind)
            .bind(id)
            .bind(ROWS as i64);
            let found: Vec<Columns> = select.fetch_all(&mut *transaction).await?;
            let Some((collection, service, kind, id, ..)) = found.last() else { break };
            last = [collection, service, kind, id].map(String::clone);
            done += found.len();
            let rows = found.into_iter().map(|row| reseal.row(row)).collect::<Result<Vec<_>, _>>()?;
            let mut replace =
                QueryBuilder::new("INSERT INTO sealed_rows (collection, service, kind, id, version, sealed) ");
            replace.push_values(rows, |mut values, (collection, service, kind, id, version, sealed)| {
                values.push_bind(collection).push_bind(service).push_bind(kind).push_bind(id);
                values.push_bind(version).push_bind(sealed);
            });
            replace.push(" ON CONFLICT (collection, service, kind, id) DO UPDATE SET sealed = excluded.sealed");
            replace.build().execute(&mut *transaction).await?;
        }
        let Keyring { key_id, data_key, salt, audit_key } = reseal.keyring.clone();
        query("UPDATE keyring SET key_id = $1, data_key = $2, salt = $3, audit_key = $4")
            .bind(key_id)
            .bind(data_key)
            .bind(salt)
            .bind(audit_key)
            .execute(&mut *transaction)
            .await?;
        query("UPDATE generation SET value = value + 1").execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(Resealed { values: done, remains: Self::forget(connection).await.err() })
    }

    /// Removes what is left of values that were replaced.
    async fn forget(mut connection: DB::Connection) -> Result<(), StoreError> {
        for statement in DB::FORGET {
            query(AssertSqlSafe(*statement)).execute(&mut connection).await?;
        }
        Ok(connection.close().await?)
    }
}
