//! Servers that are restarted one after the other, under load.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::fleet::{Fleet, Link, patient};
use crate::site::PATIENCE;
use crate::traffic::{Journal, Unserved};

const NAMES: [&str; 2] = ["skms-1", "skms-2"];

/// Clients in all, half of which prefer each server.
const CLIENTS: usize = 8;

/// Where the servers are, as a load balancer knows it.
type Links = [RwLock<Arc<Link>>; 2];

/// One client of both servers: who has no connection to the one goes to the other.
async fn work(
    fleet: Arc<Fleet>,
    links: Arc<Links>,
    number: usize,
    served: Arc<[AtomicUsize; 2]>,
    stop: Arc<AtomicBool>,
) -> Journal {
    let mut journal = Journal::default();
    for round in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let client = format!("client-{number}-{round}");
        for attempt in 0.. {
            let server = (number + attempt) % 2;
            let link = Arc::clone(&links[server].read().unwrap());
            match journal.serve(&fleet, &link, &client).await {
                Ok(()) => {
                    served[server].fetch_add(1, Ordering::Relaxed);
                    break;
                }
                Err(Unserved::Network(error)) if attempt < 2 => assert!(!error.is_timeout(), "{error:?}"),
                Err(unserved) => panic!("attempt {attempt}: {unserved:?}"),
            }
        }
    }
    journal
}

async fn flow(served: &[AtomicUsize; 2], server: usize) {
    let (enough, end) = (served[server].load(Ordering::Relaxed) + 20, Instant::now() + PATIENCE);
    while served[server].load(Ordering::Relaxed) < enough {
        assert!(Instant::now() < end, "nobody is served");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_under_load_fails_nobody() {
    let Some(fleet) = Fleet::of(patient()).await.map(Arc::new) else { return };
    let servers = NAMES.map(|name| fleet.serve(name));
    let links: Arc<Links> = Arc::new([0, 1].map(|server| RwLock::new(Arc::new(fleet.link(&servers[server])))));
    let (served, stop) = (Arc::new([const { AtomicUsize::new(0) }; 2]), Arc::new(AtomicBool::new(false)));
    let client = |number| tokio::spawn(work(fleet.clone(), links.clone(), number, served.clone(), stop.clone()));
    let clients: Vec<_> = (0..CLIENTS).map(client).collect();
    let mut running = Vec::new();
    for (index, server) in servers.into_iter().enumerate() {
        flow(&served, index).await;
        server.signal(Signal::TERM);
        let (status, log) = server.wait();
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(!log.contains(r#""level":"ERROR""#), "{log}");
        flow(&served, 1 - index).await;
        let again = fleet.serve(NAMES[index]);
        *links[index].write().unwrap() = Arc::new(fleet.link(&again));
        running.push(again);
    }
    flow(&served, 0).await;
    flow(&served, 1).await;
    stop.store(true, Ordering::Relaxed);
    let mut journal = Journal::default();
    for client in clients {
        journal.extend(client.await.unwrap());
    }
    journal.check(&fleet, &fleet.link(&running[0])).await;
    journal.check_audit(&fleet, &NAMES);
}
