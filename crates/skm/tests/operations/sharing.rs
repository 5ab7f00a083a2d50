//! What servers on one database share.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::fleet::{Fleet, Link, client_request, patient};
use crate::http::Client;
use crate::site::{ALICE, Process, SERVICE, Site, VAL, claims, identity_request, km_request};
use crate::support::with;

const NAMES: [&str; 2] = ["skms-1", "skms-2"];

/// The longest that a server goes by what was true before.
const STALE: Duration = Duration::from_secs(2);

async fn granted(link: &Link, token: &str, request: &Value) -> Value {
    link.ask(token, request).await.unwrap().assert_km(200, None)
}

async fn refused(link: &Link, token: &str, request: &Value) {
    link.ask(token, request).await.unwrap().assert_km(403, Some("04"));
}

/// The same request at once at all servers, over several connections: how many were granted. The others are refused.
async fn race(fleet: &Fleet, servers: &[Process; 2], requests: usize) -> usize {
    let links: Vec<_> =
        servers.iter().flat_map(|server| [fleet.link(server), fleet.link(server)]).map(Arc::new).collect();
    for link in &links {
        // What comes at once over no connection yet makes one each.
        assert_eq!(link.ue.get("/").await.status, 404);
    }
    let (token, request) = (fleet.site.ue_token(), Arc::new(client_request("client-1")));
    let mut asking = JoinSet::new();
    for number in 0..requests {
        let (link, token, request) = (Arc::clone(&links[number % links.len()]), token.clone(), Arc::clone(&request));
        asking.spawn(async move { link.ask(&token, &request).await.unwrap() });
    }
    let answers = asking.join_all().await;
    let (granted, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    refused.iter().for_each(|answer| drop(answer.assert_km(403, Some("04"))));
    granted.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_requests_raced_at_both_are_answered_once() {
    let Some(fleet) = Fleet::of(patient()).await else { return };
    let servers = NAMES.map(|name| fleet.serve(name));
    assert_eq!(fleet.link(&servers[0]).put("client-1", "keys of the fleet").await.unwrap().status, 201);
    let races = [100, 100, 100, 1_000];
    for requests in races {
        assert_eq!(race(&fleet, &servers, requests).await, 1);
    }
    let entries: Vec<_> = NAMES.iter().flat_map(|name| fleet.audit(name)).collect();
    let count = |outcome: &str| {
        entries.iter().filter(|entry| entry["action"] == "read-record" && entry["outcome"] == outcome).count()
    };
    let refused = races.iter().sum::<usize>() - races.len();
    assert_eq!((count("done"), count("refused")), (races.len(), refused));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_stores_or_answers_the_other_knows() {
    let Some(fleet) = Fleet::of(patient()).await else { return };
    let servers = NAMES.map(|name| fleet.serve(name));
    let [one, two] = [0, 1].map(|server| fleet.link(&servers[server]));
    assert_eq!(one.put("client-1", "the first").await.unwrap().status, 201);
    assert_eq!(two.put("client-1", "the second").await.unwrap().status, 204);
    let (token, request) = (fleet.site.ue_token(), client_request("client-1"));
    let answer = granted(&one, &token, &request).await;
    assert_eq!((&answer["Payload"], &answer["SKmsID"]), (&"the second".into(), &"skms-1".into()));
    refused(&two, &token, &request).await;
    refused(&one, &token, &request).await;
    let answer = granted(&two, &fleet.site.ue_token(), &request).await;
    assert_eq!((&answer["Payload"], &answer["SKmsID"]), (&"the second".into(), &"skms-2".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_sets_of_a_user_are_counted_for_all() {
    let Some(fleet) = Fleet::of(patient().set("limits", "issues_per_period", "3")).await else { return };
    fleet.found_domain();
    let servers = NAMES.map(|name| fleet.serve(name));
    let links: Vec<_> = servers.iter().map(|server| Arc::new(fleet.link(server))).collect();
    let mut asking = JoinSet::new();
    for number in 0..12 {
        let (link, token) = (Arc::clone(&links[number % 2]), fleet.user_token(ALICE));
        asking.spawn(async move { link.ask(&token, &identity_request()).await.unwrap().status });
    }
    let mut statuses = asking.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses, [&[200; 3][..], &[429; 9]].concat());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_counts_at_all_within_two_seconds() {
    let Some(fleet) = Fleet::of(patient()).await else { return };
    fleet.found_domain();
    let servers = NAMES.map(|name| fleet.serve(name));
    let links: Vec<_> = servers.iter().map(|server| fleet.link(server)).collect();
    assert_eq!(links[0].put("client-1", "keys of the fleet").await.unwrap().status, 201);
    let ask = async |link: &Link| link.ask(&fleet.site.ue_token(), &client_request("client-1")).await.unwrap().status;
    let revoked = async |link: &Link| {
        let token = format!("Bearer {}", fleet.user_token("sip:bob@example.org"));
        let answer = link.ue.send("GET", "/seal-km/v1/domain", &[("authorization", &token)], "").await;
        answer.json()["revokedUsers"].clone()
    };
    for (verb, status, users) in [("block", 403, json!([ALICE])), ("unblock", 200, json!([]))] {
        fleet.skms(&[verb, ALICE]).done();
        sleep(STALE).await;
        for link in &links {
            assert_eq!((ask(link).await, revoked(link).await), (status, users.clone()));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delegate_counts_at_all_within_two_seconds() {
    let Some(fleet) = Fleet::of(patient().set("escrow", "allow", "true")).await else { return };
    fleet.found_domain();
    let servers = NAMES.map(|name| fleet.serve(name));
    let clients = [0, 1].map(|server| Client::new(servers[server].address("km_s"), fleet.site.client(VAL.0)));
    let claims = with(claims(VAL.1, "seal:key-management"), "val_user_id", Value::Null);
    let token = || fleet.site.sign(&with(claims.clone(), "val_service_ids", Value::Null));
    let request = with(with(km_request(), "ServiceID", json!(SERVICE)), "UserID", json!(ALICE));
    let pair = ["--principal", VAL.0, "--user", ALICE];
    // There is no record of hers; who may not know of it is refused.
    for client in &clients {
        client.key_request(&token(), request.to_string()).await.assert_km(403, Some("04"));
    }
    fleet.skms(&[&["delegate", "add"], &pair[..], &["--until", "9999-01-01T00:00:00Z"]].concat()).done();
    sleep(STALE).await;
    for client in &clients {
        client.key_request(&token(), request.to_string()).await.assert_km(404, Some("02"));
    }
    fleet.skms(&[&["delegate", "remove"], &pair[..]].concat()).done();
    sleep(STALE).await;
    for client in &clients {
        client.key_request(&token(), request.to_string()).await.assert_km(403, Some("04"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_has_an_audit_log_of_its_own() {
    let Some(fleet) = Fleet::new().await else { return };
    let servers = NAMES.map(|name| fleet.serve(name));
    let [one, two] = [0, 1].map(|server| fleet.link(&servers[server]));
    let stored = [one.put("a", "x").await.unwrap(), two.put("b", "x").await.unwrap(), two.put("c", "x").await.unwrap()];
    let ids = stored.map(|answer| answer.header("x-request-id").unwrap().to_owned());
    fleet.skms(&["block", "sip:eve@example.org"]).done();
    let logged = |name: &str| {
        fleet.audit(name).iter().map(|entry| entry["request_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(logged(NAMES[0]), ids[..1]);
    assert_eq!(logged(NAMES[1]), ids[1..]);
    // The operator is none of the servers, and has the log of the domain.
    assert_eq!(fleet.skms(&["audit", "list"]).done().lines().count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_of_one_name_keep_one_audit_log() {
    let Some(fleet) = Fleet::new().await.map(Arc::new) else { return };
    let servers = ["skms", "skms"].map(|name| fleet.serve(name));
    let mut storing = JoinSet::new();
    for (index, server) in servers.iter().enumerate() {
        for number in 0..8 {
            let link = fleet.link(server);
            storing.spawn(async move { link.put(&format!("client-{index}-{number}"), "x").await.unwrap().status });
        }
    }
    assert_eq!(storing.join_all().await, [201; 16]);
    assert_eq!(fleet.audit("skms").len(), 16);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rates_are_counted_by_each() {
    let site = Site::new().set("limits", "requests_per_second", "1").set("limits", "request_burst", "1");
    let Some(fleet) = Fleet::of(site).await else { return };
    let servers = NAMES.map(|name| fleet.serve(name));
    let [one, two] = [0, 1].map(|server| Arc::new(fleet.link(&servers[server])));
    let mut storing = JoinSet::new();
    for number in 0..20 {
        let one = Arc::clone(&one);
        storing.spawn(async move { one.put(&format!("client-{number}"), "x").await.unwrap().status });
    }
    assert!(storing.join_all().await.contains(&429), "the provisioner may come once in a second");
    assert_eq!(two.put("client", "x").await.unwrap().status, 201);
}
