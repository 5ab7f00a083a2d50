//! A database that goes away and comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use skm::seal::Secret;
use skm::store::{Condition, Replay, Store, StoreError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::postgres::Postgres;
use crate::{KEY, NOW, alice, at, event, name, record};

/// Longer than any answer takes, on any machine.
const NEVER: Duration = Duration::from_secs(60);

async fn check(store: &Store, number: u8) {
    let accepted = store.accept(&[number; 32], at(NOW + 11), None, &event("after")).await;
    assert_eq!(accepted.unwrap(), Replay::Fresh);
    assert!(store.record(&name("urn:example:fleet"), &alice()).await.unwrap().is_some());
}

async fn check_is_lost(store: &Store) {
    let log = event("lost");
    let (service, alice) = (name("urn:example:fleet"), alice());
    let lost = async {
        tokio::join!(
            store.accept(&[1; 32], at(NOW + 11), None, &log),
            store.accept(&[2; 32], at(NOW + 11), None, &log),
            store.record(&service, &alice),
            store.verify_audit(),
        )
    };
    let lost = timeout(NEVER, lost).await.expect("an answer");
    assert!(matches!(lost.0, Err(StoreError::Database(_))));
    assert!(matches!(lost.1, Err(StoreError::Database(_))), "each of a batch is told");
    assert!(matches!(lost.2, Err(StoreError::Database(_))));
    assert!(matches!(lost.3, Err(StoreError::Database(_))));
}

async fn open(url: &str) -> Store {
    let store = Store::open(url, Secret::from_key(KEY).unwrap(), "skms-1").await.unwrap();
    let service = name("urn:example:fleet");
    store.put_record(&service, &alice(), &record("a"), Condition::Any, &event("before")).await.unwrap();
    store
}

/// A server of the test's own, with a database that is ready.
async fn server() -> Option<(Arc<Postgres>, String)> {
    let server = spawn_blocking(Postgres::start).await.unwrap()?;
    let database = server.database();
    Store::migrate(&server.url(&database)).await.unwrap();
    Some((Arc::new(server), database))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_stops_is_found_again() {
    let Some((server, database)) = server().await else { return };
    let store = open(&server.url(&database)).await;
    server.stop();
    check_is_lost(&store).await;
    let opened = Store::open(&server.url(&database), Secret::from_key(KEY).unwrap(), "skms-1").await;
    assert!(matches!(opened, Err(StoreError::Database(_))));
    server.start_again(&[]);
    check(&store, 1).await;
    assert_eq!(store.verify_audit().await.unwrap().entries, 2);
}

/// As behind a network that went silent: connections stand, and nothing comes through them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_falls_silent_is_given_up() {
    let Some((server, database)) = server().await else { return };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let silent = Arc::new(AtomicBool::new(false));
    tokio::spawn(forward(listener, server.directory().join(".s.PGSQL.5432"), silent.clone()));
    let store = open(&format!("postgres://postgres@{address}/{database}?sslmode=disable")).await;
    silent.store(true, Ordering::Relaxed);
    check_is_lost(&store).await;
    silent.store(false, Ordering::Relaxed);
    check(&store, 3).await;
}

async fn forward(listener: TcpListener, socket: std::path::PathBuf, silent: Arc<AtomicBool>) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = UnixStream::connect(&socket).await.unwrap().into_split();
        tokio::spawn(copy(from_client, to_server, silent.clone()));
        tokio::spawn(copy(from_server, to_client, silent.clone()));
    }
}

/// Copies until it is silent, then never again, and does not close.
async fn copy(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin, silent: Arc<AtomicBool>) {
    let mut buffer = vec![0; 65_536];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if silent.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
