//! Schemas that are not the program's own.

use skm::seal::Secret;
use skm::store::{Store, StoreError};
use tokio::task::spawn_blocking;

use crate::site::Site;
use crate::{KEY, event, postgres};

#[tokio::test]
async fn a_database_of_servers_is_not_changed_by_opening_it() {
    let Some(server) = spawn_blocking(postgres::shared).await.unwrap() else { return };
    let url = server.url(&server.database());
    let open = async || Store::open(&url, Secret::from_key(KEY).unwrap(), "skms-1").await;
    let refused = open().await.unwrap_err();
    assert!(matches!(refused, StoreError::TooOld));
    assert!(refused.to_string().contains("skms migrate"));
    assert!(matches!(open().await, Err(StoreError::TooOld)), "opening it made no schema");
    // All at once, as servers that start together do.
    let (a, b, c) = tokio::join!(Store::migrate(&url), Store::migrate(&url), Store::migrate(&url));
    a.and(b).and(c).unwrap();
    let store = open().await.unwrap();
    store.log(&event("kept")).await.unwrap();
    Store::migrate(&url).await.unwrap();
    assert_eq!(store.verify_audit().await.unwrap().entries, 1);
}

#[tokio::test]
async fn a_schema_of_another_version_is_refused() {
    let Some(site) = Site::postgres().await else { return };
    let schemas = [
        ("DELETE FROM _sqlx_migrations", false),
        (
            "INSERT INTO _sqlx_migrations SELECT version + 1, 'next', now(), true, checksum, 0 FROM _sqlx_migrations",
            true,
        ),
        ("UPDATE _sqlx_migrations SET checksum = x'00'", true),
    ];
    for (statements, is_new) in schemas {
        let site = site.another().await;
        site.tamper(statements).await;
        let refused = site.open_with(Secret::from_key(KEY).unwrap(), "skms-1").await;
        match is_new {
            true => assert!(matches!(refused, Err(StoreError::TooNew)), "{statements}: {refused:?}"),
            false => assert!(matches!(refused, Err(StoreError::TooOld)), "{statements}: {refused:?}"),
        }
    }
}

#[tokio::test]
async fn a_file_of_a_newer_program_is_refused() {
    let site = Site::sqlite();
    drop(site.open().await);
    site.tamper("INSERT INTO _sqlx_migrations SELECT 2, 'next', installed_on, 1, checksum, 0 FROM _sqlx_migrations")
        .await;
    let refused = site.open_with(Secret::from_key(KEY).unwrap(), "skms-1").await;
    assert!(matches!(refused, Err(StoreError::TooNew)), "{refused:?}");
}

#[tokio::test]
async fn a_database_without_unicode_is_refused() {
    let Some(server) = spawn_blocking(postgres::shared).await.unwrap() else { return };
    let database = server.database_with(&["-E", "LATIN1", "-T", "template0"]);
    assert!(matches!(Store::migrate(&server.url(&database)).await, Err(StoreError::Encoding)));
}

#[tokio::test]
async fn a_database_on_another_host_is_verified() {
    for mode in ["disable", "allow", "require", "verify-ca"] {
        let url = format!("postgres://skms@db.example.org/skm?sslmode={mode}");
        assert!(matches!(Store::migrate(&url).await, Err(StoreError::Plain)), "{mode}");
    }
}
