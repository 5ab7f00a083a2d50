//! A token for one service, user, device or client never reads what is another's.

use serde_json::{Value, json};
use skm::service::Point;

use super::{ALICE, Asker, BOB, FLEET, House, OTHER, VAL, outcome, payload};

#[tokio::test]
async fn a_token_reads_what_it_names_alone() {
    let house = House::new().await;
    let of_others = [
        ("ServiceID", OTHER),
        ("ServiceID", "urn:example:fleet2"),
        ("ServiceID", "URN:example:fleet"),
        ("ServiceID", "urn:example:flee"),
        ("UserID", BOB),
        ("UserID", "sip:alice@example.com"),
        ("UserID", "sip:alice2@example.org"),
        ("UserID", "tel:+15550100"),
        ("DeviceID", "device-8"),
        ("DeviceID", "client-1"),
        ("DeviceID", ALICE),
        ("DeviceID", "Device-7"),
        ("ClientID", "client-2"),
        ("ClientID", "device-7"),
        ("ClientID", ALICE),
    ];
    for (member, value) in of_others {
        house.pass(1);
        let answer = house.km(&Asker::alice(), &[(member, json!(value))]).await;
        assert_eq!((outcome(&answer), payload(&answer.response)), ((403, "04"), None), "{member} {value}");
    }
}

#[tokio::test]
async fn a_token_without_user_reads_no_user() {
    let house = House::new().await;
    house.provide(Some(("user", ALICE)), "secret").await;
    for claims in [
        [("val_user_id", Value::Null), ("sub", json!(ALICE))],
        [("val_user_id", json!("SIP:alice@example.org")), ("client_id", json!(ALICE))],
    ] {
        let asker = claims.into_iter().fold(Asker::alice(), |asker, (name, value)| asker.claiming(name, value));
        let answer = house.km(&asker, &[("UserID", json!(ALICE))]).await;
        assert_eq!(outcome(&answer), (403, "04"));
    }
}

#[tokio::test]
async fn a_val_server_has_its_services_and_no_user_but_itself() {
    let house = House::new().await;
    house.provide(None, "service").await;
    house.provide(Some(("user", ALICE)), "alice").await;
    house.provide(Some(("user", "sip:val@example.org")), "val").await;
    let val = Asker::val();
    let service = house.km(&val, &[]).await;
    assert_eq!(payload(&service.response).as_deref(), Some("service"));
    assert_eq!(service.response.user_uri().as_str(), "sip:val@example.org");
    let own = house.km(&val, &[("UserID", json!("sip:val@example.org"))]).await;
    assert_eq!(payload(&own.response).as_deref(), Some("val"));
    assert_eq!(house.km(&val, &[("UserID", json!(ALICE))]).await.status, 403);
    assert_eq!(house.km(&val, &[("ServiceID", json!(OTHER))]).await.status, 403);
    assert_eq!(house.km(&val.clone().at(Point::KmUu), &[]).await.status, 403, "KM-UU knows no rows");
}

#[tokio::test]
async fn a_record_for_nobody_in_particular_tells_whom_it_is_for() {
    let house = House::new().await;
    house.provide(Some(("device", "device-7")), "device").await;
    let device = Asker::alice().claiming("val_user_id", Value::Null);
    let answer = house.km(&device, &[("DeviceID", json!("device-7"))]).await;
    assert_eq!((answer.status, answer.response.user_uri().as_str()), (200, ALICE));
}

#[tokio::test]
async fn retrieval_by_rest_has_the_same_rules() {
    let house = House::new().await;
    house.provide(None, "service").await;
    house.provide(Some(("user", ALICE)), "alice").await;
    house.provide(Some(("device", "device-7")), "device").await;
    let alice = Asker::alice();
    let target = |name: &str, value: &str| {
        let value = value.replace(':', "%3A").replace('@', "%40");
        format!("val-service-id=urn%3Aexample%3Afleet&val-tgt-ue=%7B%22{name}%22%3A%22{value}%22%7D")
    };
    let found = house.retrieve(&alice, "val-service-id=urn:example:fleet").await.unwrap();
    assert_eq!((found.key_info.expose(), found.user_uri.as_str()), ("service", ALICE));
    assert_eq!(found.skms_id.unwrap().as_str(), "skms-1");
    for _ in 0..2 {
        let found = house.retrieve(&alice, &target("valUserId", ALICE)).await.unwrap();
        assert_eq!((found.key_info.expose(), found.val_service.as_str()), ("alice", FLEET));
    }
    assert_eq!(house.retrieve(&alice, &target("valUeId", "device-7")).await.unwrap().key_info.expose(), "device");
    let refused = async |asker: &Asker, query: &str| house.retrieve(asker, query).await.unwrap_err().status;
    assert_eq!(refused(&alice, &target("valUserId", BOB)).await, 403);
    assert_eq!(refused(&alice, &target("valUeId", "device-8")).await, 403);
    assert_eq!(refused(&alice, "val-service-id=urn:example:other").await, 403);
    for query in ["", "val-service-id=", "val-tgt-ue=%7B%7D", "val-service-id=a&val-service-id=a", "val-service-id=%zz"]
    {
        assert_eq!(refused(&alice, query).await, 400, "{query}");
    }
    assert_eq!(refused(&alice, &target("valClientId", "client-1")).await, 400);
    let unscoped = Asker::server(VAL, Point::KmS, "seal:key-provisioning");
    assert_eq!(refused(&unscoped, "val-service-id=urn:example:fleet").await, 403);
    let entries = house.audit(0).await;
    assert_eq!(entries.iter().filter(|entry| entry.action == "read-record" && entry.outcome == "done").count(), 4);
}

#[tokio::test]
async fn identity_keys_by_rest() {
    let house = House::new().await;
    let query =
        "val-service-id=urn:mikey-sakke:identity-keys&val-tgt-ue=%7B%22valUserId%22:%22sip:alice@example.org%22%7D";
    let found = house.retrieve(&Asker::alice(), query).await.unwrap();
    let keys = super::user_keys(found.key_info.expose());
    assert_eq!(keys[0].user().as_str(), ALICE);
}
