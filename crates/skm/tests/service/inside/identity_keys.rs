//! Identity keys by the KM route.

use mikey_sakke::documents::{KeyContent, KmsMessage, KmsResponse, Tolerances};
use mikey_sakke::identity::KeyPeriod;
use serde_json::{Value, json};
use skm::service::Point;

use super::{ALICE, Asker, BOB, FLEET, GROUPS, House, IDENTITY, KMS, PERIOD, outcome, payload, periods, user_keys};

fn plain<const N: usize>(key: &KeyContent<N>) -> Vec<u8> {
    let KeyContent::Plain(key) = key else { panic!("a wrapped key") };
    key.expose().to_vec()
}

#[tokio::test]
async fn a_user_gets_keys_that_pass_the_checks_of_the_standards() {
    let house = House::new().await;
    let answer = house.keys(&Asker::alice(), ALICE).await;
    assert_eq!(outcome(&answer), (200, ""));
    let xml = payload(&answer.response).unwrap();
    let keys = user_keys(&xml);
    assert_eq!((keys.len(), keys[0].user().as_str()), (1, ALICE));
    assert_eq!(keys[0].period(), KeyPeriod::Number(house.period().0));
    let response = KmsResponse::from_xml(xml.as_bytes(), Tolerances::default()).unwrap();
    assert_eq!((response.user_uri.as_str(), response.kms_uri.as_str()), (ALICE, KMS));
    assert_eq!((response.time.to_unix(), response.kms_id.as_deref()), (house.now(), Some("skms-1")));
    let Some(KmsMessage::KeyProv(provision)) = response.message else { panic!("no KmsKeyProv") };
    let uri = provision.key_sets[0].cert_uri.clone().unwrap();
    assert!(uri.starts_with("kms.example.org/certificates/"), "{uri}");
}

#[tokio::test]
async fn each_issue_has_a_fresh_pvt_and_the_same_rsk() {
    let house = House::new().await;
    let issue = async || {
        house.pass(1);
        let xml = payload(&house.keys(&Asker::alice(), ALICE).await.response).unwrap();
        let response = KmsResponse::from_xml(xml.as_bytes(), Tolerances::default()).unwrap();
        let Some(KmsMessage::KeyProv(provision)) = response.message else { panic!("no KmsKeyProv") };
        let set = &provision.key_sets[0];
        (plain(&set.rsk), plain(&set.ssk), plain(&set.pvt))
    };
    let (one, two) = (issue().await, issue().await);
    assert_eq!(one.0, two.0, "the RSK");
    assert_ne!(one.1, two.1, "the SSK");
    assert_ne!(one.2, two.2, "the PVT");
}

#[tokio::test]
async fn the_next_period_comes_second_and_only_within_the_lead_time() {
    let house = House::new().await;
    let (number, start) = house.period();
    let end = start + PERIOD;
    for (now, expected) in [
        (end - 172_801, vec![number]),
        (end - 172_800, vec![number, number + 1]),
        (end - 1, vec![number, number + 1]),
        (end, vec![number + 1]),
    ] {
        house.set_now(now);
        assert_eq!(periods(&house.keys(&Asker::alice(), ALICE).await), expected, "{} before the end", end - now);
    }
}

#[tokio::test]
async fn the_period_is_that_of_date_time() {
    let house = House::new().await;
    let (number, start) = house.period();
    house.set_now(start + PERIOD + 2);
    let changes = [("ServiceID", json!(IDENTITY)), ("UserID", json!(ALICE)), ("DateTime", json!(start + PERIOD - 2))];
    assert_eq!(periods(&house.km(&Asker::alice(), &changes).await), [number, number + 1]);
}

#[tokio::test]
async fn identity_keys_are_for_users() {
    let house = House::new().await;
    let service = ("ServiceID", json!(IDENTITY));
    for other in [None, Some(("ClientID", json!("client-1"))), Some(("DeviceID", json!("device-7")))] {
        let changes: Vec<_> = [Some(service.clone()), other].into_iter().flatten().collect();
        assert_eq!(outcome(&house.km(&Asker::alice(), &changes).await), (404, "02"));
    }
    assert_eq!(outcome(&house.keys(&Asker::alice(), BOB).await), (403, "04"));
    let narrow = Asker::alice().claiming("val_service_ids", json!([FLEET]));
    assert_eq!(outcome(&house.keys(&narrow, ALICE).await), (403, "04"));
}

#[tokio::test]
async fn without_master_secrets_there_are_no_identity_keys_until_there_are() {
    let house = House::without_keys(|_| {}).await;
    house.provide(None, "secret").await;
    assert_eq!(house.km(&Asker::alice(), &[]).await.status, 200);
    assert_eq!(outcome(&house.keys(&Asker::alice(), ALICE).await), (404, "02"));
    house.import().await;
    house.pass(1);
    assert_eq!(house.keys(&Asker::alice(), ALICE).await.status, 200, "the server need not be started again");
}

#[tokio::test]
async fn a_group_manager_has_its_keys_on_seal_x1_alone() {
    let house = House::with(|config| config.escrow.allow = true).await;
    let answer = house.keys(&Asker::groups(), GROUPS).await;
    assert_eq!(outcome(&answer), (200, ""));
    assert_eq!(user_keys(&payload(&answer.response).unwrap())[0].user().as_str(), GROUPS);
    let named = Asker::alice().claiming("val_user_id", json!(GROUPS));
    assert_eq!(house.keys(&named, GROUPS).await.status, 403);
    assert_eq!(house.keys(&Asker::groups().at(Point::KmS), GROUPS).await.status, 403);
    assert_eq!(house.keys(&Asker::groups().at(Point::KmUu), GROUPS).await.status, 403);
    assert_eq!(house.keys(&Asker::groups(), ALICE).await.status, 403);
    assert_eq!(house.keys(&Asker::val().at(Point::SealX1), GROUPS).await.status, 403);
}

#[tokio::test]
async fn a_user_and_period_have_so_many_key_sets() {
    let house = House::with(|config| config.limits.issues_per_period = 3).await;
    let (number, start) = house.period();
    for _ in 0..3 {
        house.pass(1);
        assert_eq!(house.keys(&Asker::alice(), ALICE).await.status, 200);
    }
    house.pass(1);
    let seen = house.audit(0).await.len();
    let over = house.keys(&Asker::alice(), ALICE).await;
    assert_eq!((outcome(&over), over.retry_after), ((429, "03"), Some(start + PERIOD - house.now())));
    assert!(house.audit(seen).await.is_empty());
    let bob = Asker::alice().claiming("val_user_id", json!(BOB));
    assert_eq!(house.keys(&bob, BOB).await.status, 200, "another user");
    house.set_now(start + PERIOD);
    assert_eq!(periods(&house.keys(&Asker::alice(), ALICE).await), [number + 1], "another period");
}

#[tokio::test]
async fn a_full_queue_sends_away() {
    let full = |config: &mut skm::config::Config| (config.limits.issue_threads, config.limits.issue_queue) = (0, 0);
    let house = House::with(full).await;
    house.provide(None, "secret").await;
    let seen = house.audit(0).await.len();
    let over = house.keys(&Asker::alice(), ALICE).await;
    assert_eq!((outcome(&over), over.retry_after), ((429, "03"), Some(1)));
    assert_eq!(payload(&over.response), None);
    assert!(house.audit(seen).await.is_empty());
    assert_eq!(outcome(&house.keys(&Asker::alice(), BOB).await), (403, "04"), "what is not permitted comes first");
    assert_eq!(house.km(&Asker::alice(), &[]).await.status, 200, "records need no queue");
}

#[tokio::test]
async fn many_ask_at_the_same_time() {
    let house = House::with(|config| config.limits.issue_queue = 64).await;
    let askers: Vec<_> = (0..16)
        .map(|number| {
            let user = format!("sip:user-{number}@example.org");
            (Asker::alice().claiming("val_user_id", json!(user)), user)
        })
        .collect();
    let (house, mut tasks) = (std::sync::Arc::new(house), Vec::new());
    for (asker, user) in askers {
        let house = std::sync::Arc::clone(&house);
        tasks.push(tokio::spawn(async move { (house.keys(&asker, &user).await, user) }));
    }
    for task in tasks {
        let (answer, user) = task.await.unwrap();
        assert_eq!(user_keys(&payload(&answer.response).unwrap())[0].user().as_str(), user);
    }
}

#[tokio::test]
async fn a_token_of_another_service_does_not_widen_to_identity_keys() {
    let house = House::new().await;
    for services in [Value::Null, json!([]), json!([FLEET])] {
        let asker = Asker::alice().claiming("val_service_ids", services);
        assert_eq!(outcome(&house.keys(&asker, ALICE).await), (403, "04"));
    }
}
