//! The documents of TS 33.180, annex D.

use mikey_sakke::documents::{KmsMessage, KmsRequest, KmsResponse, Role, Tolerances};
use mikey_sakke::identity::{KeyPeriod, Uri};
use mikey_sakke::time::Timestamp;
use serde_json::json;
use skm::service::{Body, BodyFault, IdentityResource, Problem};

use super::external::other_domain;
use super::{ALICE, Asker, BOB, FLEET, House, KMS, MASTER, PERIOD, body, user_keys};

const KEYPROV: IdentityResource<'static> = IdentityResource::KeyProv { user: None, time: None };

fn document(house: &House, change: impl FnOnce(&mut KmsRequest)) -> String {
    let [user, kms] = [ALICE, KMS].map(|uri| Uri::parse(uri).unwrap());
    let time = Timestamp::from_unix(house.now()).unwrap();
    let mut request = KmsRequest::new(user, kms, time, "https://skms.example.org/keymanagement".into());
    change(&mut request);
    request.to_xml().unwrap().to_string()
}

async fn post(house: &House, asker: &Asker, resource: IdentityResource<'_>, text: &str) -> Result<String, Problem> {
    let answer = house.service.identity(&house.connect(asker).caller(), resource, body(text)).await;
    answer.map(|xml| xml.to_string())
}

/// The answer to Alice, a second after the one before.
async fn ask(house: &House, resource: IdentityResource<'_>) -> Result<String, Problem> {
    house.pass(1);
    post(house, &Asker::alice(), resource, &document(house, |_| {})).await
}

fn response(xml: &str) -> KmsResponse {
    KmsResponse::from_xml(xml.as_bytes(), Tolerances::default()).unwrap()
}

/// The period of an instant, as the path has it.
fn time(seconds: u64) -> String {
    format!("{:016X}", Timestamp::from_unix(seconds).unwrap().to_ntp())
}

#[tokio::test]
async fn init_gives_the_certificate() {
    let house = House::new().await;
    let xml = ask(&house, IdentityResource::Init).await.unwrap();
    let answer = response(&xml);
    assert_eq!(answer.client_req_url, "https://skms.example.org/keymanagement");
    let Some(KmsMessage::Init(init)) = answer.message else { panic!("no KmsInit") };
    assert_eq!(init.certificate.role, Some(Role::Root));
    assert!(init.certificate.cert_uri.is_some());
    assert_eq!(init.certificate.certificate.kpak(), MASTER.certificate().kpak());
    assert_eq!(init.certificate.certificate.public_key(), MASTER.certificate().public_key());
}

#[tokio::test]
async fn keyprov_gives_the_keys() {
    let house = House::new().await;
    for resource in [KEYPROV, IdentityResource::KeyProv { user: Some(ALICE), time: None }] {
        let xml = ask(&house, resource).await.unwrap();
        let keys = user_keys(&xml);
        assert_eq!((keys.len(), keys[0].user().as_str()), (1, ALICE));
        let now = Timestamp::from_unix(house.now()).unwrap();
        let request = KmsRequest::from_xml(document(&house, |_| {}).as_bytes(), Tolerances::default()).unwrap();
        assert_eq!(response(&xml).check(&request, now, mikey_sakke::km::DEFAULT_WINDOW), Ok(()));
    }
}

#[tokio::test]
async fn keyprov_gives_the_keys_of_one_period() {
    let house = House::new().await;
    let (number, start) = house.period();
    let get = async |at: u64| {
        let time = time(at);
        let xml = ask(&house, IdentityResource::KeyProv { user: Some(ALICE), time: Some(&time) }).await;
        xml.map(|xml| user_keys(&xml).iter().map(|keys| keys.period()).collect::<Vec<_>>())
            .map_err(|error| error.status)
    };
    assert_eq!(get(house.now()).await, Ok(vec![KeyPeriod::Number(number)]));
    assert_eq!(get(start - 1).await, Ok(vec![KeyPeriod::Number(number - 1)]));
    assert_eq!(get(start - PERIOD - 1).await, Err(404), "too long ago");
    assert_eq!(get(start + PERIOD).await, Err(404), "too early");
    house.set_now(start + PERIOD - 172_800);
    assert_eq!(get(start + PERIOD).await, Ok(vec![KeyPeriod::Number(number + 1)]));
    assert_eq!(get(start + 2 * PERIOD).await, Err(404), "the one after the next");
}

#[tokio::test]
async fn past_periods_are_not_for_delegates() {
    let house = House::with(|config| config.escrow.allow = true).await;
    let delegate = skm::store::Delegate {
        principal: BOB.into(),
        user: Uri::parse(ALICE).unwrap(),
        expires: Timestamp::from_unix(house.now() + 100).unwrap(),
    };
    house.service.store().add_delegate(&delegate, &super::event()).await.unwrap();
    let bob = Asker::alice().claiming("val_user_id", json!(BOB));
    let (_, start) = house.period();
    for (at, expected) in [(house.now(), None), (start - 1, Some(403)), (start - PERIOD - 1, Some(404))] {
        house.pass(1);
        let time = time(at);
        let resource = IdentityResource::KeyProv { user: Some(ALICE), time: Some(&time) };
        let answer = post(&house, &bob, resource, &document(&house, |_| {})).await;
        assert_eq!(answer.err().map(|problem| problem.status), expected);
    }
}

#[tokio::test]
async fn certcache_gives_what_there_is_of_other_domains() {
    let house = House::new().await;
    let cache = async |number: Option<u64>| {
        let number = number.map(|number| number.to_string());
        let xml = ask(&house, IdentityResource::CertCache { number: number.as_deref() }).await.unwrap();
        let Some(KmsMessage::CertCache(cache)) = response(&xml).message else { panic!("no KmsCertCache") };
        (cache.certificates, cache.cache_num.unwrap())
    };
    // The master secrets of this domain count as well.
    let (none, first) = cache(None).await;
    assert!(none.is_empty() && first > 0);

    let other = other_domain("kms.example.net");
    house.take_in(&other).await;
    let (all, second) = cache(Some(first)).await;
    assert!(second > first);
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].role, Some(Role::External));
    assert!(all[0].certificate.has_the_keys_of(other.certificates()[0].certificate()));
    assert_eq!(cache(None).await, (all.clone(), second));
    assert_eq!(cache(Some(second)).await, (Vec::new(), second), "the client has them");
    assert_eq!(cache(Some(second + 7)).await, (all, second), "the client has them of another store");

    let refused = ask(&house, IdentityResource::CertCache { number: Some("-1") }).await.unwrap_err();
    assert_eq!(refused.status, 400);
}

#[tokio::test]
async fn the_order_of_checks_is_that_of_the_km_route() {
    let house = House::new().await;
    let alice = Asker::alice();
    let unread = async |octets, is_declared| {
        let body = Body { is_declared, octets };
        house.service.identity(&house.connect(&alice).caller(), KEYPROV, body).await.unwrap_err().status
    };
    assert_eq!(unread(Err(BodyFault::TooLarge), true).await, 413);
    assert_eq!(unread(Ok(b"<KmsRequest/>"), false).await, 415);
    let nobody = House::connect_with(&alice, None);
    assert_eq!(house.service.identity(&nobody.caller(), KEYPROV, body("")).await.unwrap_err().status, 401);
    let foreign = alice.clone().claiming("val_service_ids", json!([FLEET]));
    let malformed = ["", "{}", "<KmsRequest/>", "<!DOCTYPE x [<!ENTITY a \"b\">]><KmsRequest/>"];
    for text in malformed {
        let refused = post(&house, &foreign, KEYPROV, text).await.unwrap_err();
        assert_eq!((refused.status, refused.cause), (400, "REQUEST"), "{text}");
    }
    let refused = async |resource, change: fn(&mut KmsRequest)| {
        post(&house, &foreign, resource, &document(&house, change)).await.unwrap_err().status
    };
    let other = Uri::parse("kms.example.com").unwrap();
    let text = document(&house, |request| request.kms_uri = other);
    assert_eq!(post(&house, &foreign, KEYPROV, &text).await.unwrap_err().status, 400);
    for apart in [-6, 6] {
        let at = Timestamp::from_unix(house.now().checked_add_signed(apart).unwrap()).unwrap();
        let text = document(&house, |request| request.time = at);
        assert_eq!(post(&house, &foreign, KEYPROV, &text).await.unwrap_err().status, 400, "{apart}");
    }
    assert_eq!(refused(IdentityResource::KeyProv { user: Some(BOB), time: None }, |_| {}).await, 400);
    for time in ["", "0", "2026-11-21T00:00:00Z", "+6B4323200000000", "D6B432320000000", "D6B43232000000000"] {
        assert_eq!(
            refused(IdentityResource::KeyProv { user: Some(ALICE), time: Some(time) }, |_| {}).await,
            400,
            "{time}"
        );
    }
    house.pass(2);
    for resource in [KEYPROV, IdentityResource::Init, IdentityResource::CertCache { number: None }] {
        assert_eq!(refused(resource, |_| {}).await, 403);
    }
    let bob = document(&house, |request| request.user_uri = Uri::parse(BOB).unwrap());
    assert_eq!(post(&house, &alice, KEYPROV, &bob).await.unwrap_err().status, 403);
}

#[tokio::test]
async fn keys_are_given_once_for_a_document() {
    let house = House::new().await;
    let (alice, text) = (Asker::alice(), document(&house, |_| {}));
    let connection = house.connect(&alice);
    let (number, start) = house.period();
    let past = time(start - 1);
    let send = async |resource| {
        let answer = house.service.identity(&connection.caller(), resource, body(&text)).await;
        answer.map(drop).map_err(|problem| problem.status)
    };
    for resource in [KEYPROV, IdentityResource::KeyProv { user: Some(ALICE), time: Some(&past) }] {
        assert_eq!(send(resource).await, Ok(()));
        assert_eq!(send(resource).await, Err(403));
    }
    for _ in 0..2 {
        assert_eq!(send(IdentityResource::Init).await, Ok(()), "what is public is given as often as it is asked for");
    }
    let km = house.request(&[("ServiceID", json!(super::IDENTITY)), ("UserID", json!(ALICE))]).to_string();
    let answer = house.service.key_request(&connection.caller(), body(&km)).await;
    assert_eq!(answer.status, 200, "a KM Request is another request");
    let issues = house.audit(0).await.into_iter().filter(|entry| entry.action == "issue" && entry.outcome == "done");
    let issued: Vec<_> = issues.map(|entry| entry.period.unwrap().cast_unsigned()).collect();
    assert_eq!(issued, [number, number - 1, number]);
}

#[tokio::test]
async fn without_master_secrets_there_are_no_documents() {
    let house = House::without_keys(|_| {}).await;
    for resource in [KEYPROV, IdentityResource::Init] {
        assert_eq!(ask(&house, resource).await.unwrap_err().status, 404);
    }
}
