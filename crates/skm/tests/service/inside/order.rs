//! The order of the checks on the KM route: what fails first decides, and how the audit log has it.

use mikey_sakke::km::ANONYMOUS;
use serde_json::{Value, json};
use skm::service::{Body, BodyFault, KmAnswer, Point};

use super::{ALICE, Asker, BOB, FLEET, House, IDENTITY, OTHER, SKMS, body, outcome, payload};

/// The bodies that could not be read, or are not declared.
const NO_BODIES: [(Body<'static>, u16); 4] = [
    (Body { is_declared: true, octets: Err(BodyFault::TooLarge) }, 413),
    (Body { is_declared: false, octets: Err(BodyFault::TooLarge) }, 413),
    (Body { is_declared: false, octets: Ok(b"{}") }, 415),
    (Body { is_declared: true, octets: Err(BodyFault::Incomplete) }, 400),
];

async fn ask(house: &House, authorization: Option<&str>, body: Body<'_>) -> KmAnswer {
    let connection = House::connect_with(&Asker::alice(), authorization);
    house.service.key_request(&connection.caller(), body).await
}

#[tokio::test]
async fn a_record_is_answered_as_it_was_stored() {
    let house = House::new().await;
    house.provide(None, "of the service \u{1f511}\n<>&\"").await;
    let answer = house.km(&Asker::alice(), &[]).await;
    assert_eq!(outcome(&answer), (200, ""));
    let json: Value = serde_json::from_str(&answer.response.to_json()).unwrap();
    let expected = json!({
        "UserUri": ALICE, "SKmsUri": SKMS, "ServiceID": FLEET, "SKmsID": "skms-1", "DateTime": house.now(),
        "Payload": "of the service \u{1f511}\n<>&\"",
    });
    assert_eq!(json, expected);
}

#[tokio::test]
async fn each_subject_has_a_record_of_its_own() {
    let house = House::new().await;
    let subjects = [("client", "client-1"), ("device", "device-7"), ("user", ALICE)];
    house.provide(None, "service").await;
    for (member, (kind, id)) in ["ClientID", "DeviceID", "UserID"].into_iter().zip(subjects) {
        let missing = house.km(&Asker::alice(), &[(member, json!(id))]).await;
        assert_eq!(outcome(&missing), (404, "02"), "no record of the {kind}, and not that of the service");
        house.provide(Some((kind, id)), kind).await;
        house.pass(1);
        let found = house.km(&Asker::alice(), &[(member, json!(id))]).await;
        assert_eq!(payload(&found.response).as_deref(), Some(kind));
    }
}

#[tokio::test]
async fn without_a_valid_token_nothing_else_is_looked_at() {
    let house = House::new().await;
    let good = house.authorization(&Asker::alice());
    let late = house.authorization(&Asker::alice().claiming("exp", json!(1_794_999_000)));
    let bad = [
        None,
        Some(""),
        Some("Bearer"),
        Some("Bearer x"),
        Some("Basic eDp5"),
        Some(&good[..good.len() - 2]),
        Some(&late),
    ];
    for authorization in bad {
        for (unread, _) in NO_BODIES {
            let answer = ask(&house, authorization, unread).await;
            assert_eq!(outcome(&answer), (401, "03"), "{authorization:?}");
        }
        let request = house.request(&[("UserID", json!(BOB)), ("DateTime", json!(1))]).to_string();
        let answer = ask(&house, authorization, body(&request)).await;
        assert_eq!((outcome(&answer), answer.retry_after), ((401, "03"), None));
        assert_eq!(answer.response.user_uri().as_str(), ANONYMOUS);
        assert_eq!(answer.response.echo().service_id.as_ref().unwrap().as_str(), FLEET);
        assert_eq!(answer.response.echo().subject.value(), BOB);
    }
    assert!(house.audit(1).await.is_empty(), "somebody who is not authenticated writes nothing");
}

#[tokio::test]
async fn tokens_that_are_not_valid_are_limited_by_address() {
    let house = House::new().await;
    for _ in 0..200 {
        assert_eq!(ask(&house, Some("Bearer x"), body("{}")).await.status, 401);
    }
    let over = ask(&house, Some("Bearer x"), body("{}")).await;
    assert_eq!((outcome(&over), over.retry_after), ((429, "03"), Some(1)));
    assert_eq!(outcome(&house.km(&Asker::alice(), &[]).await), (404, "02"), "others from there go on");
}

#[tokio::test]
async fn over_its_limit_a_principal_is_answered_nothing_else() {
    let house = House::new().await;
    let alice = Asker::alice();
    for _ in 0..20 {
        assert_eq!(outcome(&house.km_text(&alice, "{").await), (400, "04"));
    }
    let logged = house.audit(0).await.len();
    for text in ["{", "{}", &house.request(&[]).to_string()] {
        let over = house.km_text(&alice, text).await;
        assert_eq!((outcome(&over), over.retry_after), ((429, "03"), Some(1)));
    }
    assert!(house.audit(logged).await.is_empty(), "a flood is no flood of entries");
    for other in [alice.clone().claiming("sub", json!("device-8")), alice.clone().claiming("client_id", json!("c-2"))] {
        assert_eq!(house.km(&other, &[]).await.status, 404);
    }
    house.pass(1);
    assert_eq!(house.km(&alice, &[]).await.status, 404);
}

#[tokio::test]
async fn a_body_that_is_none() {
    let house = House::new().await;
    let authorization = house.authorization(&Asker::alice());
    for (unread, status) in NO_BODIES {
        let answer = ask(&house, Some(&authorization), unread).await;
        assert_eq!(outcome(&answer), (status, "04"));
        assert_eq!(answer.response.user_uri().as_str(), ALICE);
        assert_eq!(answer.response.echo().service_id, None);
    }
}

#[tokio::test]
async fn a_request_that_is_malformed() {
    let house = House::new().await;
    let alice = Asker::alice().claiming("val_service_ids", json!([]));
    let cases = [
        ("Version", json!("0.0.0")),
        ("Version", json!(1)),
        ("Version", Value::Null),
        ("SKmsUri", Value::Null),
        ("SKmsUri", json!("SIP:skms.example.org")),
        ("SKmsUri", json!("sip:other.example.org")),
        ("ServiceID", Value::Null),
        ("ServiceID", json!("")),
        ("ServiceID", json!("x".repeat(1025))),
        ("UserID", json!("SIP:alice@example.org")),
        ("UserID", json!("")),
        ("ClientID", json!(7)),
        ("DateTime", Value::Null),
        ("DateTime", json!("1795000000")),
        ("DateTime", json!(1.5)),
        ("DateTime", json!(-1)),
    ];
    for (name, value) in cases {
        house.pass(1);
        let answer = house.km(&alice, &[(name, value.clone())]).await;
        assert_eq!(outcome(&answer), (400, "04"), "{name}: {value}");
    }
    house.pass(1);
    let two = house.km(&alice, &[("ClientID", json!("client-1")), ("UserID", json!(ALICE))]).await;
    assert_eq!(outcome(&two), (400, "04"));
    let twice = house.request(&[]).to_string().replacen('{', "{\"ServiceID\":\"urn:example:fleet\",", 1);
    assert_eq!(outcome(&house.km_text(&alice, &twice).await), (400, "04"));
}

#[tokio::test]
async fn date_time_may_be_five_seconds_away() {
    let house = House::new().await;
    for (apart, expected) in [(-6, 400), (-5, 404), (5, 404), (6, 400)] {
        let at = house.now().checked_add_signed(apart).unwrap();
        let answer = house.km(&Asker::alice(), &[("DateTime", json!(at))]).await;
        assert_eq!(answer.status, expected, "{apart}");
        assert_eq!(answer.response.date_time().to_unix(), house.now(), "every answer tells the time");
    }
}

#[tokio::test]
async fn what_is_not_permitted_is_so_whether_or_not_it_is_there() {
    let house = House::new().await;
    let alice = Asker::alice();
    for subject in [None, Some(("user", BOB))] {
        for _ in 0..2 {
            let (service, user) = if subject.is_some() { (FLEET, json!(BOB)) } else { (OTHER, Value::Null) };
            house.pass(1);
            let answer = house.km(&alice, &[("ServiceID", json!(service)), ("UserID", user)]).await;
            assert_eq!(outcome(&answer), (403, "04"));
            house.provide(subject, "secret").await;
        }
    }
    let entries = house.audit(0).await;
    let refused: Vec<_> = entries.iter().filter(|entry| entry.outcome == "refused").collect();
    assert_eq!(refused.len(), 4);
    assert_eq!(refused[0].target, OTHER);
    assert_eq!(refused[2].target, format!("{FLEET} user {BOB}"));
}

#[tokio::test]
async fn scope_and_point_and_row() {
    let house = House::new().await;
    house.provide(None, "secret").await;
    let alice = Asker::alice();
    let unscoped = alice.clone().claiming("scope", json!("seal:key-provisioning openid"));
    assert_eq!(outcome(&house.km(&unscoped, &[]).await), (403, "04"));
    assert_eq!(house.km(&alice.clone().at(Point::KmS), &[]).await.status, 403, "there is no certificate");
    assert_eq!(house.km(&Asker::val(), &[]).await.status, 200);
    assert_eq!(house.km(&Asker::val().at(Point::SealX1), &[]).await.status, 403, "the row is no group manager's");
    let stranger = Asker::val().claiming("client_id", json!("client-1"));
    assert_eq!(house.km(&stranger, &[]).await.status, 403, "the certificate is that of another client");
    let narrow = Asker::val().claiming("val_service_ids", json!([OTHER]));
    assert_eq!(house.km(&narrow, &[]).await.status, 403, "the token is for another service");
}

#[tokio::test]
async fn the_blocked_get_nothing_until_they_are_unblocked() {
    let house = House::new().await;
    house.provide(None, "secret").await;
    let block = async |uri: &str, blocked| {
        let uri = mikey_sakke::identity::Uri::parse(uri).unwrap();
        assert!(house.service.store().set_blocked(&uri, blocked, &super::event()).await.unwrap());
    };
    block(ALICE, true).await;
    assert_eq!(outcome(&house.km(&Asker::alice(), &[]).await), (403, "04"));
    assert_eq!(house.keys(&Asker::alice(), ALICE).await.status, 403);
    assert_eq!(house.km(&Asker::val(), &[]).await.status, 200);
    block(ALICE, false).await;
    house.pass(1);
    assert_eq!(house.km(&Asker::alice(), &[]).await.status, 200);
    block("sip:val@example.org", true).await;
    assert_eq!(house.km(&Asker::val(), &[]).await.status, 403, "the server of the row");
}

#[tokio::test]
async fn each_refusal_is_one_entry() {
    let house = House::new().await;
    let alice = Asker::alice();
    let seen = house.audit(0).await.len();
    let authorization = house.authorization(&alice);
    for (unread, _) in NO_BODIES {
        ask(&house, Some(&authorization), unread).await;
    }
    house.km_text(&alice, "[]").await;
    house.km(&alice, &[("ServiceID", json!(OTHER))]).await;
    house.km(&alice, &[]).await;
    house.km(&alice, &[]).await;
    house.keys(&alice, BOB).await;
    house.keys(&alice, ALICE).await;
    let entries = house.audit(seen).await;
    let said: Vec<_> = entries.iter().map(|entry| (entry.action.as_str(), entry.outcome.as_str())).collect();
    let refused = |action| (action, "refused");
    let mut expected = vec![refused("request"); 5];
    expected.extend([refused("read-record"); 3]);
    expected.extend([refused("issue"), ("issue", "done")]);
    assert_eq!(said, expected);
    assert!(entries.iter().all(|entry| entry.request_id == "request-1" && entry.principal == ALICE));
    assert_eq!(entries[9].period, Some(house.period().0.cast_signed()));
    assert_eq!(entries[9].target, ALICE);
}

#[tokio::test]
async fn a_store_that_is_gone_is_01() {
    let house = House::new().await;
    house.provide(None, "secret").await;
    let pool = sqlx::SqlitePool::connect(&house.database()).await.unwrap();
    sqlx::query("ALTER TABLE sealed_rows RENAME TO gone").execute(&pool).await.unwrap();
    for answer in [house.km(&Asker::alice(), &[]).await, house.keys(&Asker::alice(), ALICE).await] {
        assert_eq!(outcome(&answer), (500, "01"));
        assert_eq!(payload(&answer.response), None);
    }
    assert_eq!(house.km(&Asker::alice(), &[("ServiceID", json!(OTHER))]).await.status, 403, "what comes before it");
    assert!(house.service.is_ready().await.is_err());
    sqlx::query("ALTER TABLE gone RENAME TO sealed_rows").execute(&pool).await.unwrap();
    assert_eq!(house.km(&Asker::alice(), &[]).await.status, 200, "it was not answered");
    assert!(house.service.is_ready().await.is_ok());
}

#[tokio::test]
async fn without_the_audit_log_nothing_is_given_out() {
    let house = House::new().await;
    house.provide(None, "secret").await;
    let pool = sqlx::SqlitePool::connect(&house.database()).await.unwrap();
    sqlx::query("ALTER TABLE audit RENAME TO gone").execute(&pool).await.unwrap();
    for asked in [FLEET, OTHER, IDENTITY] {
        let answer = house.km(&Asker::alice(), &[("ServiceID", json!(asked))]).await;
        assert_eq!(outcome(&answer), (500, "01"), "{asked}");
    }
}
