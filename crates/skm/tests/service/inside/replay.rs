//! A request is answered once.

use mikey_sakke::time::Timestamp;
use serde_json::json;

use super::{ALICE, Asker, House, body, outcome};

/// How many requests the store remembers.
async fn remembered(house: &House) -> i64 {
    let pool = sqlx::SqlitePool::connect(&house.database()).await.unwrap();
    let (count,) = sqlx::query_as("SELECT COUNT(*) FROM replays").fetch_one(&pool).await.unwrap();
    count
}

#[tokio::test]
async fn a_request_is_answered_once() {
    let house = House::new().await;
    house.provide(None, "secret").await;
    let alice = Asker::alice();
    let (text, connection) = (house.request(&[]).to_string(), house.connect(&alice));
    let send = async || outcome(&house.service.key_request(&connection.caller(), body(&text)).await);
    assert_eq!(send().await, (200, ""));
    assert_eq!(send().await, (403, "04"));
    for _ in 0..5 {
        house.pass(1);
        assert_eq!(send().await, (403, "04"));
        house.service.prune().await;
    }
    house.pass(1);
    assert_eq!(send().await, (400, "04"), "it is stale");
    assert_eq!(house.km(&alice, &[]).await.status, 200, "another second is another request");
    assert_eq!(house.km(&alice, &[("DeviceID", json!("device-7"))]).await.status, 404, "so is another subject");
    assert_eq!(house.km(&alice.claiming("jti", json!("two")), &[]).await.status, 200, "and another token");
}

#[tokio::test]
async fn a_replay_is_refused_before_it_is_seen_that_there_is_nothing() {
    let house = House::new().await;
    let alice = Asker::alice();
    let (text, connection) = (house.request(&[]).to_string(), house.connect(&alice));
    let send = async || outcome(&house.service.key_request(&connection.caller(), body(&text)).await);
    assert_eq!(send().await, (404, "02"));
    house.provide(None, "secret").await;
    assert_eq!(send().await, (403, "04"));
}

#[tokio::test]
async fn what_was_refused_before_may_be_sent_again() {
    let house = House::new().await;
    let alice = Asker::alice();
    let (text, connection) =
        (house.request(&[("UserID", json!("sip:bob@example.org"))]).to_string(), house.connect(&alice));
    let send = async || outcome(&house.service.key_request(&connection.caller(), body(&text)).await);
    for _ in 0..2 {
        assert_eq!(send().await, (403, "04"));
    }
    assert_eq!(remembered(&house).await, 0);
}

#[tokio::test]
async fn stale_requests_are_forgotten() {
    let house = House::new().await;
    house.km(&Asker::alice(), &[]).await;
    house.pass(10);
    house.service.prune().await;
    assert_eq!(remembered(&house).await, 1, "for twice the window");
    house.pass(1);
    house.service.prune().await;
    assert_eq!(remembered(&house).await, 0);
}

#[tokio::test]
async fn a_restored_store_waits_until_it_knows_all_requests() {
    let house = House::new().await;
    house.provide(None, "secret").await;
    house.service.store().hold(Timestamp::from_unix(house.now() + 5).unwrap()).await.unwrap();
    assert_eq!(outcome(&house.km(&Asker::alice(), &[]).await), (403, "04"));
    assert_eq!(house.keys(&Asker::alice(), ALICE).await.status, 403);
    house.pass(5);
    assert_eq!(house.km(&Asker::alice(), &[]).await.status, 200);
}

#[tokio::test]
async fn a_request_that_the_server_failed_to_answer_may_be_sent_again() {
    // A row with a URI that no KM Response can carry.
    let long = format!("sip:{}@example.org", "x".repeat(1024));
    let house = House::with(|config| config.policy[0].uri = mikey_sakke::identity::Uri::parse(&long).ok()).await;
    house.provide(None, "secret").await;
    let seen = house.audit(0).await.len();
    let val = Asker::val();
    let (text, connection) = (house.request(&[]).to_string(), house.connect(&val));
    let send = async || outcome(&house.service.key_request(&connection.caller(), body(&text)).await);
    for _ in 0..2 {
        assert_eq!(send().await, (500, "01"));
    }
    let outcomes: Vec<_> = house.audit(seen).await.into_iter().map(|entry| entry.outcome).collect();
    assert_eq!(outcomes, ["done", "failed", "done", "failed"]);
}
