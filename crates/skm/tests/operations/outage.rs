//! A database that goes away under the servers, and comes back.

use std::sync::Arc;
use std::time::Instant;

use crate::fleet::{Fleet, Link, admin, client_request, patient};
use crate::site::{PATIENCE, Process};
use crate::traffic::{Journal, Traffic, Unserved};

const NAMES: [&str; 2] = ["skms-1", "skms-2"];

async fn wait_for_readiness(server: &Process, status: u16) {
    let (admin, end) = (admin(server), Instant::now() + PATIENCE);
    while admin.get("/readyz").await.status != status {
        assert!(Instant::now() < end, "not {status}");
    }
    assert_eq!(admin.get("/healthz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_wait_for_their_database() {
    let Some(fleet) = Fleet::alone(patient()).await.map(Arc::new) else { return };
    let servers = NAMES.map(|name| fleet.serve(name));
    let traffic =
        Traffic::start(&fleet, "before", servers.iter().flat_map(|server| [(); 4].map(|()| fleet.link(server))));
    traffic.flow(20).await;
    // As a crash of it would end it.
    fleet.postgres.stop();
    for server in &servers {
        wait_for_readiness(server, 503).await;
        let link: Link = fleet.link(server);
        link.ask(&fleet.site.ue_token(), &client_request("client-1")).await.unwrap().assert_km(500, Some("01"));
        assert_eq!(link.put("client-1", "x").await.unwrap().status, 500);
    }
    let (mut journal, unserved) = traffic.stop().await;
    for unserved in &unserved {
        assert!(matches!(unserved, Unserved::Refused(answer) if answer.status == 500), "{unserved:?}");
    }
    fleet.postgres.start_again(&[]);
    for (number, server) in servers.iter().enumerate() {
        wait_for_readiness(server, 200).await;
        let link = fleet.link(server);
        let mut after = Journal::default();
        after.serve(&fleet, &link, &format!("after-{number}")).await.unwrap();
        journal.extend(after);
    }
    for server in &servers {
        journal.check(&fleet, &fleet.link(server)).await;
    }
    journal.check_audit(&fleet, &NAMES);
}
