//! Accepted requests in a second, by the number of callers at once.

#![allow(clippy::unwrap_used, reason = "a measurement may panic")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mikey_sakke::identity::Uri;
use mikey_sakke::time::Timestamp;
use skm::audit::{Action, Event, Outcome};
use skm::seal::Secret;
use skm::store::{Quota, Replay, Store};
use tempfile::TempDir;

#[path = "../tests/support/postgres.rs"]
mod postgres;

const CALLERS: [usize; 4] = [1, 16, 64, 256];
const DURATION: Duration = Duration::from_secs(3);
const NOW: u64 = 1_795_000_000;

#[tokio::main]
async fn main() {
    let directory = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    measure("SQLite", &format!("sqlite:{}/skms.db", directory.path().display()), &["skms-1"]).await;
    let Some(server) = postgres::shared() else { return };
    let url = server.url(&server.database());
    Store::migrate(&url).await.unwrap();
    measure("PostgreSQL", &url, &["skms-1"]).await;
    measure("PostgreSQL and two servers", &url, &["skms-1", "skms-2"]).await;
}

async fn measure(name: &str, url: &str, servers: &[&str]) {
    let mut stores = Vec::new();
    for server in servers {
        let secret = Secret::from_key(&"5a".repeat(32)).unwrap();
        stores.push(Arc::new(Store::open(url, secret, server).await.unwrap()));
    }
    // No request is sent twice, whatever was measured before.
    static NEXT: AtomicU64 = AtomicU64::new(0);
    for callers in CALLERS {
        let (begin, first) = (Instant::now(), NEXT.load(Ordering::Relaxed));
        let call = |caller| tokio::spawn(call(Arc::clone(&stores[caller % stores.len()]), &NEXT, begin + DURATION));
        for task in (0..callers).map(call).collect::<Vec<_>>() {
            task.await.unwrap();
        }
        let accepted = (NEXT.load(Ordering::Relaxed) - first) as f64;
        let rate = accepted / begin.elapsed().as_secs_f64();
        println!("{name}, {callers:3} callers: {rate:6.0} a second, {:6.2} ms each", 1e3 * callers as f64 / rate);
    }
}

/// Sends requests of different users, one after the other.
async fn call(store: Arc<Store>, next: &AtomicU64, until: Instant) {
    let expires = Timestamp::from_unix(NOW + 600).unwrap();
    while Instant::now() < until {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let user = Uri::parse(&format!("sip:user{number}@example.org")).unwrap();
        let event = Event {
            time: Timestamp::from_unix(NOW).unwrap(),
            principal: "device-7".into(),
            action: Action::Issue,
            target: user.to_string(),
            period: Some(5),
            outcome: Outcome::Done,
            request_id: number.to_string(),
        };
        let mut key = [0; 32];
        // Keys of requests are hashes: those of neighbours lie far apart.
        key[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        key[24..].copy_from_slice(&number.to_be_bytes());
        let quota = Quota { user: &user, period: 5, limit: 64 };
        assert_eq!(store.accept(&key, expires, Some(quota), &event).await.unwrap(), Replay::Fresh);
    }
}
