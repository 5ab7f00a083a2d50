//! The keys of another user: for a delegate of exactly that user, until it expires, where there may be any at all.

use mikey_sakke::identity::Uri;
use mikey_sakke::time::Timestamp;
use serde_json::{Value, json};
use skm::store::Delegate;

use super::{ALICE, Asker, BOB, FLEET, House, VAL, event, outcome, payload, periods};

async fn appoint(house: &House, principal: &str, user: &str, expires: u64) {
    let expires = Timestamp::from_unix(expires).unwrap();
    let delegate = Delegate { principal: principal.into(), user: Uri::parse(user).unwrap(), expires };
    house.service.store().add_delegate(&delegate, &event()).await.unwrap();
}

#[tokio::test]
async fn a_delegate_needs_escrow() {
    let house = House::new().await;
    appoint(&house, ALICE, BOB, house.now() + 100).await;
    assert_eq!(outcome(&house.keys(&Asker::alice(), BOB).await), (403, "04"));
}

#[tokio::test]
async fn a_delegate_has_the_keys_of_one_user_until_it_expires() {
    let house = House::with(|config| config.escrow.allow = true).await;
    let alice = Asker::alice();
    assert_eq!(house.keys(&alice, BOB).await.status, 403);
    appoint(&house, ALICE, BOB, house.now() + 100).await;
    house.pass(1);
    let answer = house.keys(&alice, BOB).await;
    assert_eq!(outcome(&answer), (200, ""));
    assert_eq!(answer.response.user_uri().as_str(), BOB);
    assert_eq!(periods(&answer), [house.period().0]);
    let entries = house.audit(0).await;
    let last = entries.last().unwrap();
    assert_eq!((last.principal.as_str(), last.target.as_str(), last.outcome.as_str()), (ALICE, BOB, "done"));
    assert_eq!(house.keys(&alice, "sip:carol@example.org").await.status, 403);
    let bob = Asker::alice().claiming("val_user_id", json!(BOB));
    assert_eq!(house.keys(&bob, ALICE).await.status, 403, "it does not go the other way");
    house.pass(98);
    assert_eq!(house.keys(&alice, BOB).await.status, 200);
    house.pass(1);
    assert_eq!(house.keys(&alice, BOB).await.status, 403);
}

#[tokio::test]
async fn a_delegate_is_a_user_or_a_certificate_and_no_subject() {
    let house = House::with(|config| config.escrow.allow = true).await;
    appoint(&house, "device-7", BOB, house.now() + 100).await;
    appoint(&house, "client-1", BOB, house.now() + 100).await;
    appoint(&house, VAL.0, BOB, house.now() + 100).await;
    assert_eq!(house.keys(&Asker::alice(), BOB).await.status, 403);
    let nobody = Asker::alice().claiming("val_user_id", Value::Null);
    assert_eq!(house.keys(&nobody, BOB).await.status, 403);
    let named = nobody.claiming("sub", json!(VAL.0));
    assert_eq!(house.keys(&named, BOB).await.status, 403);
    assert_eq!(house.keys(&Asker::val(), BOB).await.status, 200);
}

#[tokio::test]
async fn a_delegate_does_not_get_round_service_scope_and_block() {
    let house = House::with(|config| config.escrow.allow = true).await;
    house.provide(Some(("user", BOB)), "record").await;
    appoint(&house, ALICE, BOB, house.now() + 100).await;
    let bob = ("UserID", json!(BOB));
    let record = house.km(&Asker::alice(), std::slice::from_ref(&bob)).await;
    assert_eq!(payload(&record.response).as_deref(), Some("record"));
    let narrow = Asker::alice().claiming("val_service_ids", json!([FLEET]));
    assert_eq!(house.keys(&narrow, BOB).await.status, 403);
    let unscoped = Asker::alice().claiming("scope", json!("openid"));
    assert_eq!(house.keys(&unscoped, BOB).await.status, 403);
    assert!(house.service.store().set_blocked(&Uri::parse(BOB).unwrap(), true, &event()).await.unwrap());
    assert_eq!(house.keys(&Asker::alice(), BOB).await.status, 403, "the user is blocked");
    appoint(&house, ALICE, "sip:groups@example.org", house.now() + 100).await;
    assert_eq!(house.keys(&Asker::alice(), "sip:groups@example.org").await.status, 403, "a group manager");
}
