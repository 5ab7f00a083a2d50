//! Clocks that are wrong.

use std::time::{Duration, Instant};

use mikey_sakke::time::Timestamp;
use skm::service::{Clock, Moment};
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;

use crate::fleet::{Fleet, admin, found_domain};
use crate::http::Client;
use crate::program::run;
use crate::site::{IDENTITY_KEYS, PATIENCE, Process, SERVICE, Site, claims, identity_request, km_request, now};
use crate::support::with;

/// A key period of the site.
const PERIOD: u64 = 2_592_000;

/// Writes down another time than the present one as the latest.
async fn set_latest(site: &Site, latest: u64) {
    let url = format!("sqlite:{}", site.path("skms.db").display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    let statement = format!("DELETE FROM clock; INSERT INTO clock (id, latest) VALUES (1, {latest})");
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

async fn ask(site: &Site, server: &Process, request: serde_json::Value) -> crate::http::Answer {
    let services = serde_json::json!([SERVICE, IDENTITY_KEYS]);
    let token = site.sign(&with(claims("client-1", "seal:key-management"), "val_service_ids", services));
    Client::new(server.address("km_uu"), site.anonymous()).key_request(&token, request.to_string()).await
}

async fn stops_and_goes_on(latest: impl Fn(u64) -> u64) {
    let site = Site::new().set("time", "window_seconds", "600");
    found_domain(&site);
    set_latest(&site, latest(now())).await;
    let server = site.spawn(&[]);
    ask(&site, &server, identity_request()).await.assert_km(500, Some("01"));
    server.wait_for_log("the clock has jumped");
    // Records are answered: there is none.
    ask(&site, &server, km_request()).await.assert_km(404, Some("02"));
    let ready = admin(&server).get("/readyz").await;
    assert!(ready.status == 503 && ready.body.contains("skms clock show"), "{ready:?}");
    let shown = run(site.command(&["clock", "show"]), "").done();
    assert!(shown.contains("skms clock accept"), "{shown}");

    run(site.command(&["clock", "accept"]), "").done();
    let end = Instant::now() + PATIENCE;
    while admin(&server).get("/readyz").await.status != 200 {
        assert!(Instant::now() < end, "{}", server.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(Duration::from_millis(1100)).await;
    ask(&site, &server, identity_request()).await.assert_km(200, None);
    let shown = run(site.command(&["clock", "show"]), "").done();
    assert!(!shown.contains("skms clock accept"), "{shown}");
    assert!(run(site.command(&["audit", "list"]), "").done().contains("done: accept-clock"));
}

#[tokio::test]
async fn a_clock_that_jumped_ahead_stops_identity_keys_until_it_is_accepted() {
    stops_and_goes_on(|now| now - PERIOD - 60).await;
}

#[tokio::test]
async fn a_clock_that_jumped_back_stops_identity_keys_until_it_is_accepted() {
    stops_and_goes_on(|now| now + PERIOD + 60).await;
}

#[tokio::test]
async fn a_clock_that_is_off_by_less_goes_on() {
    let site = Site::new();
    found_domain(&site);
    for latest in [now() - PERIOD + 60, now() + PERIOD - 60] {
        set_latest(&site, latest).await;
        let server = site.spawn(&[]);
        ask(&site, &server, identity_request()).await.assert_km(200, None);
        assert_eq!(admin(&server).get("/readyz").await.status, 200);
        tokio::time::sleep(Duration::from_millis(1100)).await;
    }
    // The later one stays.
    let shown = run(site.command(&["clock", "show"]), "").done();
    assert!(!shown.contains("accept"), "{shown}");
}

#[tokio::test]
async fn a_host_whose_clock_is_not_that_of_the_database_is_not_ready() {
    let Some(fleet) = Fleet::new().await else { return };
    for (ahead, status) in [(-3_i64, 503), (0, 200), (3, 503)] {
        let clock = Clock::new(move || {
            let now = Timestamp::now().unwrap();
            let by = Duration::from_secs(ahead.unsigned_abs());
            let time = if ahead < 0 { now.saturating_sub(by) } else { now.saturating_add(by) };
            Moment { time, instant: Instant::now() }
        });
        let running = fleet.site.start_at(clock).await;
        let ready = Client::plain(running.addresses.admin.unwrap()).get("/readyz").await;
        assert_eq!(ready.status, status, "{ahead} s: {ready:?}");
        assert!(status == 200 || ready.body.contains("more than 1 s from that of the database"), "{ready:?}");
    }
}
