//! A server that is killed in the middle of its work, beside one that goes on.

use std::sync::Arc;

use rustix::process::Signal;

use crate::fleet::{Fleet, admin, patient};
use crate::site::Process;
use crate::traffic::{Journal, Traffic, Unserved};

/// Clients of each server.
const CLIENTS: usize = 8;

const NAMES: [&str; 2] = ["skms-1", "skms-2"];

/// Kills a server once it has served so many, and lets the other serve as many more: what was acknowledged by both.
async fn kill(fleet: &Arc<Fleet>, run: &str, victim: Process, survivor: &Process, served: usize) -> Journal {
    let links = |server| (0..CLIENTS).map(|_| fleet.link(server)).collect::<Vec<_>>();
    let of_victim = Traffic::start(fleet, &format!("{run}-victim"), links(&victim));
    let of_survivor = Traffic::start(fleet, &format!("{run}-survivor"), links(survivor));
    of_victim.flow(served).await;
    victim.signal(Signal::KILL);
    assert_eq!(victim.wait().0.code(), None, "it ended otherwise");
    of_survivor.flow(served).await;
    let (mut journal, unserved) = of_victim.stop().await;
    assert!(unserved.iter().all(|unserved| matches!(unserved, Unserved::Network(_))), "{unserved:?}");
    assert_eq!(unserved.len(), CLIENTS, "who is served by nobody hears of it");
    let (others, unserved) = of_survivor.stop().await;
    assert!(unserved.is_empty(), "{unserved:?}");
    journal.extend(others);
    journal
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_loses_nothing_that_it_acknowledged() {
    let Some(fleet) = Fleet::of(patient()).await.map(Arc::new) else { return };
    let [victim, survivor] = NAMES.map(|name| fleet.serve(name));
    let journal = kill(&fleet, "once", victim, &survivor, 40).await;
    journal.check(&fleet, &fleet.link(&survivor)).await;
    journal.check_audit(&fleet, &NAMES);
    // It comes back as one of the same name.
    let again = fleet.serve(NAMES[0]);
    assert_eq!(admin(&again).get("/readyz").await.status, 200);
    Journal::default().serve(&fleet, &fleet.link(&again), "again").await.unwrap();
    fleet.audit(NAMES[0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes; run by .ci/run operations"]
async fn servers_that_are_killed_in_turns_lose_nothing_that_they_acknowledged() {
    let Some(fleet) = Fleet::of(patient()).await.map(Arc::new) else { return };
    let mut servers = NAMES.map(|name| fleet.serve(name));
    let mut journal = Journal::default();
    for (run, victim) in [0, 1].into_iter().cycle().take(10).enumerate() {
        let [one, two] = servers;
        let (dying, survivor) = if victim == 0 { (one, two) } else { (two, one) };
        // Not always at the same point of its work.
        journal.extend(kill(&fleet, &format!("{run}"), dying, &survivor, 10 + 7 * run).await);
        let again = fleet.serve(NAMES[victim]);
        servers = if victim == 0 { [again, survivor] } else { [survivor, again] };
    }
    for server in &servers {
        journal.check(&fleet, &fleet.link(server)).await;
    }
    journal.check_audit(&fleet, &NAMES);
}
