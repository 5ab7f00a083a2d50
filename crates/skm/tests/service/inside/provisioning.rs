//! Records: who may store them, and when they are there.

use serde_json::{Value, json};
use skm::service::{Body, BodyFault, Point, Precondition, Problem, RecordPath, Stored};

use super::{ALICE, Asker, BOB, FLEET, House, IDENTITY, OTHER, PROVISIONER, SGM, VAL, body, event, outcome, payload};

const SERVICE: RecordPath<'static> = RecordPath { service: FLEET, subject: None };
const OF_ALICE: RecordPath<'static> = RecordPath { service: FLEET, subject: Some(("user", ALICE)) };

fn record(payload: &str) -> Value {
    json!({"UserUri": ALICE, "Payload": payload})
}

async fn put(
    house: &House,
    asker: &Asker,
    path: RecordPath<'_>,
    (if_match, if_none_match): (Option<&str>, Option<&str>),
    text: &str,
) -> Result<Stored, Problem> {
    let [if_match, if_none_match] = [if_match, if_none_match].map(|value| value.map(str::as_bytes));
    let precondition = Precondition { if_match, if_none_match };
    house.service.put_record(&house.connect(asker).caller(), path, precondition, body(text)).await
}

async fn status(house: &House, asker: &Asker, path: RecordPath<'_>) -> u16 {
    put(house, asker, path, (None, None), &record("x").to_string()).await.map_or_else(|problem| problem.status, |_| 200)
}

async fn metadata(house: &House, path: RecordPath<'_>) -> Result<(String, Value), Problem> {
    let connection = house.connect(&Asker::provisioner());
    let metadata = house.service.record_metadata(&connection.caller(), path).await?;
    Ok((metadata.version.to_string(), serde_json::from_str(&metadata.json).unwrap()))
}

async fn delete(house: &House, asker: &Asker, path: RecordPath<'_>, if_match: Option<&str>) -> Result<(), u16> {
    let if_match = if_match.map(str::as_bytes);
    let deleted = house.service.delete_record(&house.connect(asker).caller(), path, if_match).await;
    deleted.map_err(|problem| problem.status)
}

#[tokio::test]
async fn a_record_is_made_replaced_read_and_deleted() {
    let house = House::new().await;
    let made = house.put(OF_ALICE, &record("one")).await.unwrap();
    assert!(made.is_new);
    let (tag, described) = metadata(&house, OF_ALICE).await.unwrap();
    assert_eq!((tag, described), (made.version.to_string(), json!({"UserUri": ALICE})));
    let bounded = json!({"UserUri": BOB, "Payload": "two", "ValidFrom": 1, "ValidTo": 4_000_000_000_u64});
    let replaced = house.put(OF_ALICE, &bounded).await.unwrap();
    assert!(!replaced.is_new && replaced.version != made.version);
    let (_, described) = metadata(&house, OF_ALICE).await.unwrap();
    assert_eq!(described, json!({"UserUri": BOB, "ValidFrom": 1, "ValidTo": 4_000_000_000_u64}));
    let found = house.km(&Asker::alice(), &[("UserID", json!(ALICE))]).await;
    assert_eq!(payload(&found.response).as_deref(), Some("two"));
    assert_eq!(delete(&house, &Asker::provisioner(), OF_ALICE, None).await, Ok(()));
    assert_eq!(delete(&house, &Asker::provisioner(), OF_ALICE, None).await, Err(404));
    assert_eq!(metadata(&house, OF_ALICE).await.unwrap_err().status, 404);
    house.pass(1);
    assert_eq!(outcome(&house.km(&Asker::alice(), &[("UserID", json!(ALICE))]).await), (404, "02"));
}

#[tokio::test]
async fn preconditions() {
    let house = House::new().await;
    let asker = Asker::provisioner();
    let text = record("x").to_string();
    let put = async |if_match: Option<&str>, if_none_match: Option<&str>| {
        put(&house, &asker, SERVICE, (if_match, if_none_match), &text).await
    };
    let failed = |result: Result<Stored, Problem>| result.unwrap_err().status;
    assert_eq!(failed(put(Some("*"), None).await), 412, "there is none");
    assert_eq!(failed(put(Some("\"0000000000000000\""), None).await), 412);
    let first = put(None, Some("*")).await.unwrap();
    assert_eq!(failed(put(None, Some("*")).await), 412, "there is one");
    let tag = first.version.to_string();
    let second = put(Some(&format!("\"x\", {tag}")), None).await.unwrap();
    assert_eq!(failed(put(Some(&tag), None).await), 412, "it was replaced");
    assert_eq!(failed(put(Some(&format!("W/{}", second.version)), None).await), 412);
    assert_eq!(failed(put(None, Some("\"x\"")).await), 400);
    assert!(!put(Some("*"), None).await.unwrap().is_new);
    house.pass(10);
    assert_eq!(delete(&house, &asker, SERVICE, Some(&tag)).await, Err(412));
    let (tag, _) = metadata(&house, SERVICE).await.unwrap();
    assert_eq!(delete(&house, &asker, SERVICE, Some(&tag)).await, Ok(()));
    assert_eq!(delete(&house, &asker, SERVICE, Some("*")).await, Err(412));
}

#[tokio::test]
async fn provisioning_needs_certificate_scope_and_row() {
    let house = House::new().await;
    assert_eq!(status(&house, &Asker::provisioner(), SERVICE).await, 200);
    let unscoped = Asker::server(PROVISIONER, Point::KmS, "seal:key-management");
    let others = [
        ("scope", unscoped),
        ("role", Asker::server(VAL, Point::KmS, "seal:key-provisioning")),
        ("role", Asker::server(SGM, Point::KmS, "seal:key-provisioning")),
        ("client", Asker::provisioner().claiming("client_id", json!("val-server"))),
        ("certificate", Asker { certificate: None, ..Asker::provisioner() }),
        ("certificate", Asker { certificate: Asker::val().certificate, ..Asker::provisioner() }),
        ("point", Asker::provisioner().at(Point::KmUu)),
        ("point", Asker::provisioner().at(Point::SealX1)),
        ("services of the token", Asker::provisioner().claiming("val_service_ids", json!([OTHER]))),
        ("a UE", Asker::alice().claiming("scope", json!("seal:key-provisioning"))),
    ];
    for (what, asker) in others {
        assert_eq!(status(&house, &asker, SERVICE).await, 403, "{what}");
        assert_eq!(delete(&house, &asker, SERVICE, None).await, Err(403), "{what}");
        let read = house.service.record_metadata(&house.connect(&asker).caller(), SERVICE).await;
        assert_eq!(read.unwrap_err().status, 403, "{what}");
    }
}

#[tokio::test]
async fn a_provisioner_keeps_to_its_services() {
    let house = House::new().await;
    let asker = Asker::provisioner();
    assert_eq!(status(&house, &asker, RecordPath { service: OTHER, subject: None }).await, 403);
    let reserved = RecordPath { service: IDENTITY, subject: Some(("user", ALICE)) };
    assert_eq!(status(&house, &asker, reserved).await, 403, "identity keys are not provisioned");
    assert_eq!(house.km(&asker, &[]).await.status, 403, "who stores does not read");
    let uri = mikey_sakke::identity::Uri::parse(ALICE).unwrap();
    house.service.store().set_blocked(&uri, true, &event()).await.unwrap();
    assert_eq!(status(&house, &asker, OF_ALICE).await, 200, "a blocked user may be provided for");
    let as_alice = asker.claiming("val_user_id", json!(ALICE));
    assert_eq!(status(&house, &as_alice, SERVICE).await, 403, "and not provide");
}

#[tokio::test]
async fn records_that_are_none() {
    let house = House::new().await;
    let asker = Asker::provisioner();
    let bad = [
        "".to_owned(),
        "[]".into(),
        "{}".into(),
        json!({"UserUri": ALICE}).to_string(),
        json!({"Payload": "x"}).to_string(),
        json!({"UserUri": "SIP:alice@example.org", "Payload": "x"}).to_string(),
        json!({"UserUri": ALICE, "Payload": 7}).to_string(),
        json!({"UserUri": ALICE, "Payload": "x".repeat(49_153)}).to_string(),
        json!({"UserUri": ALICE, "Payload": "x", "ValidFrom": "1"}).to_string(),
        json!({"UserUri": ALICE, "Payload": "x", "ValidFrom": 5, "ValidTo": 5}).to_string(),
        "{\"UserUri\":\"sip:alice@example.org\",\"Payload\":\"x\",\"Payload\":\"y\"}".into(),
    ];
    for text in bad {
        house.pass(1);
        let other = RecordPath { service: OTHER, subject: None };
        let refused = put(&house, &asker, other, (None, None), &text).await.unwrap_err();
        assert_eq!(refused.status, 400, "{text:.60}");
    }
    for (octets, is_declared, expected) in
        [(Err(BodyFault::TooLarge), true, 413), (Ok(&b"{}"[..]), false, 415), (Err(BodyFault::Incomplete), true, 400)]
    {
        let (connection, body) = (house.connect(&asker), Body { is_declared, octets });
        let stored = house.service.put_record(&connection.caller(), SERVICE, Precondition::default(), body).await;
        assert_eq!(stored.unwrap_err().status, expected);
    }
}

#[tokio::test]
async fn paths_that_are_none() {
    let house = House::new().await;
    let long = "x".repeat(1025);
    let paths = [
        ("", None, 400),
        ("a\nb", None, 400),
        (&long, None, 400),
        (FLEET, Some(("user", "SIP:alice@example.org")), 400),
        (FLEET, Some(("user", "")), 400),
        (FLEET, Some(("client", "")), 400),
        (FLEET, Some(("device", &long[..])), 400),
        (FLEET, Some(("service", "x")), 404),
        (FLEET, Some(("User", ALICE)), 404),
    ];
    for (service, subject, expected) in paths {
        house.pass(1);
        assert_eq!(
            status(&house, &Asker::provisioner(), RecordPath { service, subject }).await,
            expected,
            "{subject:?}"
        );
    }
}

#[tokio::test]
async fn a_record_is_there_while_it_is_valid() {
    let house = House::new().await;
    let (from, to) = (house.now() + 10, house.now() + 20);
    house.put(SERVICE, &json!({"UserUri": ALICE, "Payload": "x", "ValidFrom": from, "ValidTo": to})).await.unwrap();
    for (now, expected) in [(from - 1, (404, "02")), (from, (200, "")), (to - 1, (200, "")), (to, (404, "02"))] {
        house.set_now(now);
        assert_eq!(outcome(&house.km(&Asker::alice(), &[]).await), expected, "{now}");
    }
}

#[tokio::test]
async fn what_is_provisioned_is_logged_without_its_payload() {
    let house = House::new().await;
    let seen = house.audit(0).await.len();
    let asker = Asker::provisioner();
    house.put(OF_ALICE, &record("canary")).await.unwrap();
    let _ = put(&house, &asker, OF_ALICE, (None, Some("*")), &record("canary").to_string()).await;
    let _ = status(&house, &asker, RecordPath { service: OTHER, subject: None }).await;
    delete(&house, &asker, OF_ALICE, None).await.unwrap();
    let entries = house.audit(seen).await;
    let said: Vec<_> = entries.iter().map(|entry| (entry.outcome.as_str(), entry.target.as_str())).collect();
    let of_alice = "urn:example:fleet user sip:alice@example.org";
    assert_eq!(said, [("done", of_alice), ("refused", of_alice), ("refused", OTHER), ("done", of_alice)]);
    assert!(entries.iter().all(|entry| entry.principal == PROVISIONER.0 && !format!("{entry:?}").contains("canary")));
}
