//! A database of a test's own.

use std::path::PathBuf;

use skm::seal::Secret;
use skm::store::{Store, StoreError};
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use crate::KEY;
use crate::postgres::{self, Postgres};

/// Where a store is.
pub(crate) enum Site {
    Sqlite(TempDir),
    Postgres(&'static Postgres, String),
}

impl Site {
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(TempDir::new().unwrap())
    }

    /// A database with its schema, unless there is no server.
    pub(crate) async fn postgres() -> Option<Self> {
        let server = tokio::task::spawn_blocking(postgres::shared).await.unwrap()?;
        let site = Self::Postgres(server, server.database());
        Store::migrate(&site.url()).await.unwrap();
        Some(site)
    }

    /// Another of its kind.
    pub(crate) async fn another(&self) -> Self {
        match self {
            Self::Sqlite(_) => Self::sqlite(),
            Self::Postgres(..) => Self::postgres().await.unwrap(),
        }
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite(directory) => format!("sqlite:{}", file(directory).display()),
            Self::Postgres(server, database) => server.url(database),
        }
    }

    pub(crate) async fn open(&self) -> Store {
        self.open_with(Secret::from_key(KEY).unwrap(), "skms-1").await.unwrap()
    }

    pub(crate) async fn open_with(&self, secret: Secret, server: &str) -> Result<Store, StoreError> {
        Store::open(&self.url(), secret, server).await
    }

    /// Changes the database behind the store's back. Octets are written `x'00'`.
    pub(crate) async fn tamper(&self, statements: &str) {
        match self {
            Self::Sqlite(_) => {
                let mut connection = SqliteConnection::connect(&self.url()).await.unwrap();
                sqlx::raw_sql(sqlx::AssertSqlSafe(statements)).execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
            }
            Self::Postgres(..) => {
                let statements = statements.replace("x'", "'\\x");
                let mut connection = PgConnection::connect(&self.url()).await.unwrap();
                sqlx::raw_sql(sqlx::AssertSqlSafe(statements)).execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
            }
        }
    }

    /// Whether something holds in the database.
    pub(crate) async fn holds(&self, select: &str) -> bool {
        let select = sqlx::AssertSqlSafe(select);
        match self {
            Self::Sqlite(_) => {
                let mut connection = SqliteConnection::connect(&self.url()).await.unwrap();
                sqlx::query_scalar(select).fetch_one(&mut connection).await.unwrap()
            }
            Self::Postgres(..) => {
                let mut connection = PgConnection::connect(&self.url()).await.unwrap();
                sqlx::query_scalar(select).fetch_one(&mut connection).await.unwrap()
            }
        }
    }

    /// All that somebody finds who takes the database away.
    pub(crate) fn everything(&self) -> Vec<u8> {
        match self {
            Self::Sqlite(directory) => {
                let files = std::fs::read_dir(directory.path()).unwrap();
                files.flat_map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect()
            }
            Self::Postgres(server, database) => server.dump(database),
        }
    }
}

pub(crate) fn file(directory: &TempDir) -> PathBuf {
    directory.path().join("skms.db")
}
