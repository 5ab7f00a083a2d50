//! Schemas that are not the program's own.

use std::net::TcpListener;

use rcgen::generate_simple_self_signed;
use skm::seal::Secret;
use skm::store::{Store, StoreError};
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use crate::postgres::Postgres;
use crate::site::Site;
use crate::{KEY, event, postgres};

/// What a program says that brings a schema to its next version.
const NEXT: &str =
    "INSERT INTO _sqlx_migrations SELECT 2, 'next', installed_on, success, checksum, 0 FROM _sqlx_migrations";

on_both! {
    a_schema_that_the_program_is_too_old_for_is_refused,
    a_newer_schema_for_this_program_as_well_is_used_and_left,
    tables_of_something_else_are_left_alone,
}

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
        ("DELETE FROM schema", false),
        ("UPDATE schema SET version = 0, oldest = 0", false),
        ("UPDATE schema SET version = 2, oldest = 2", true),
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

async fn a_schema_that_the_program_is_too_old_for_is_refused(site: Site) {
    drop(site.open().await);
    site.tamper(NEXT).await;
    site.tamper("UPDATE schema SET version = 2, oldest = 2").await;
    let refused = site.open_with(Secret::from_key(KEY).unwrap(), "skms-1").await;
    assert!(matches!(refused, Err(StoreError::TooNew)), "{refused:?}");
    let migrated = Store::migrate(&site.url()).await;
    assert!(matches!(migrated, Err(StoreError::TooNew)), "{migrated:?}");
}

async fn a_newer_schema_for_this_program_as_well_is_used_and_left(site: Site) {
    site.open().await.log(&event("before")).await.unwrap();
    site.tamper(NEXT).await;
    site.tamper("UPDATE schema SET version = 2, oldest = 1; ALTER TABLE audit ADD COLUMN added INT").await;
    Store::migrate(&site.url()).await.unwrap();
    let store = site.open().await;
    store.log(&event("after")).await.unwrap();
    assert_eq!(store.verify_audit().await.unwrap().entries, 2);
    site.tamper("UPDATE audit SET added = 1").await;
}

async fn tables_of_something_else_are_left_alone(site: Site) {
    drop(site.open().await);
    site.tamper("DROP TABLE schema; UPDATE _sqlx_migrations SET checksum = x'00'").await;
    assert!(matches!(Store::migrate(&site.url()).await, Err(StoreError::TooNew)));
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

#[tokio::test]
async fn the_certificate_of_the_database_is_verified() {
    let Some(server) = spawn_blocking(Postgres::start).await.unwrap() else { return };
    let database = server.database();
    Store::migrate(&server.url(&database)).await.unwrap();
    let [right, wrong] = [(); 2].map(|()| generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap());
    let certificate = server.write("server.pem", &right.cert.pem());
    let key = server.write("server.key", &right.signing_key.serialize_pem());
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    server.stop();
    server.start_again(&[
        ("listen_addresses", "127.0.0.1"),
        ("port", &port.to_string()),
        ("ssl", "on"),
        ("ssl_cert_file", certificate.to_str().unwrap()),
        ("ssl_key_file", key.to_str().unwrap()),
    ]);
    let directory = TempDir::new().unwrap();
    for (root, is_right) in [(&right, true), (&wrong, false)] {
        let file = directory.path().join("root.pem");
        std::fs::write(&file, root.cert.pem()).unwrap();
        let url = format!("postgres://postgres@127.0.0.1:{port}/{database}");
        let url = format!("{url}?sslmode=verify-full&sslrootcert={}", file.display());
        let opened = Store::open(&url, Secret::from_key(KEY).unwrap(), "skms-1").await;
        match is_right {
            true => opened.unwrap().log(&event("over TLS")).await.unwrap(),
            false => assert!(matches!(opened, Err(StoreError::Database(_))), "{opened:?}"),
        }
    }
}
