//! Many users over the end of a key period.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use getrandom::SysRng;
use mikey_sakke::Error;
use mikey_sakke::documents::{KeyContent, KmsMessage, KmsResponse, Tolerances};
use mikey_sakke::eccsi::{SIGNATURE_OCTETS, SigningPair};
use mikey_sakke::error::Refusal;
use mikey_sakke::identity::{KeyPeriod, Uri};
use mikey_sakke::imessage::{KeyBundle, Profile, Purpose, Recipient};
use mikey_sakke::km::domain::Domain;
use mikey_sakke::kms::{KeySet, Kms, UserKeys};
use mikey_sakke::mikey::payload::{Payload, Sign, Ts};
use mikey_sakke::mikey::registry::SType;
use mikey_sakke::mikey::{self, Message};
use mikey_sakke::secret::Secret;
use mikey_sakke::time::Timestamp;
use serde_json::json;
use skm::client::{CacheSettings, Due, IdentityKeys, KeyCache, Provisioned};
use skm::domain::{Preissue, SecurityDomain, Start, roll_over};

use super::{Asker, House, PERIOD, event, outcome, payload};

/// The lead time by default.
const LEAD: u64 = 172_800;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix(seconds).unwrap()
}

fn asker(user: &Uri) -> Asker {
    Asker::alice().claiming("val_user_id", json!(user.as_str())).claiming("sub", json!(user.as_str()))
}

fn plain<const N: usize>(content: &KeyContent<N>) -> Secret<[u8; N]> {
    let KeyContent::Plain(key) = content else { panic!("a wrapped key") };
    key.clone()
}

/// The domain as a user reads it. Users of the same document share what is prepared for its certificates, which is more
/// than a megabyte for each.
async fn domain(house: &House, asker: &Asker) -> Domain {
    static READ: Mutex<BTreeMap<String, Domain>> = Mutex::new(BTreeMap::new());
    let document = house.service.domain_document(&house.connect(asker).caller()).await.unwrap();
    let mut read = READ.lock().unwrap();
    let domain = read.entry(document).or_insert_with_key(|document| Domain::from_json(document.as_bytes()).unwrap());
    domain.clone()
}

/// Fetches what a cache is due, which has to succeed, and says whether that was keys.
async fn refresh(house: &House, cache: &mut KeyCache) -> bool {
    let due = cache.due(at(house.now()), &mut SysRng).unwrap();
    if due == Due::Nothing {
        return false;
    }
    let asker = asker(cache.user());
    let domain = domain(house, &asker).await;
    let keys = if due == Due::Keys { Some(fetch(house, &asker, cache.user(), &domain).await) } else { None };
    cache.take(domain, keys, at(house.now()), &mut SysRng).unwrap();
    due == Due::Keys
}

async fn fetch(house: &House, asker: &Asker, user: &Uri, domain: &Domain) -> IdentityKeys {
    let answer = house.keys(asker, user.as_str()).await;
    assert_eq!(outcome(&answer), (200, ""), "{user}");
    let xml = payload(&answer.response).unwrap();
    let response = KmsResponse::from_xml(xml.as_bytes(), Tolerances::default()).unwrap();
    let Some(KmsMessage::KeyProv(provision)) = response.message else { panic!("no KmsKeyProv") };
    let mut provisioned = provision.key_sets.iter().map(|set| {
        let (start, _) = domain.uid_format().span(KeyPeriod::Number(set.key_period_no)).unwrap();
        let certificate = domain.trusted_certificates().select(domain.kms_uri(), start).unwrap();
        let keys = Arc::new(set.import(certificate, None).unwrap());
        let signing = SigningPair { ssk: plain(&set.ssk), pvt: *plain(&set.pvt).expose() };
        let key_set = KeySet { user: user.clone(), period: keys.period(), rsk: plain(&set.rsk), signing };
        Provisioned { keys, key_set }
    });
    IdentityKeys { current: provisioned.next().unwrap(), next: provisioned.next() }
}

/// A message from one user to another, at a time.
fn message(from: &KeyCache, to: &Uri, time: u64) -> (Vec<u8>, KeyBundle) {
    let bundle = KeyBundle::generate(Profile::seal(Purpose::PCK), &mut SysRng).unwrap();
    let domain = from.domain().unwrap();
    let certificate = domain.trusted_certificates().select(domain.kms_uri(), at(time)).unwrap().clone();
    let recipient = Recipient { user: to.clone(), certificate };
    (from.initiator().unwrap().distribute(&bundle, &recipient, at(time), &mut SysRng).unwrap(), bundle)
}

/// The message with another time, signed again with these keys.
fn restamped(octets: &[u8], keys: &UserKeys, time: u64) -> Vec<u8> {
    let mut message = Message::decode(octets).unwrap();
    let stamp = message.payloads.iter_mut().find(|payload| matches!(payload, Payload::T(_))).unwrap();
    *stamp = Payload::T(Ts::NtpUtc(at(time).to_ntp()));
    message.sign = Some(Sign { s_type: SType::ECCSI, signature: vec![0; SIGNATURE_OCTETS] });
    let mut octets = message.encode_with(mikey::Tolerances::default()).unwrap();
    octets.truncate(octets.len() - SIGNATURE_OCTETS);
    let signature = keys.signing().sign(&octets, &mut SysRng).unwrap();
    octets.extend_from_slice(signature.as_octets());
    octets
}

/// Extracts the RSKs for a period of all users who were issued keys, and says how many there were.
async fn preissue(house: &House, period: u64, present: u64) -> u64 {
    let store = house.service.store();
    let domain = SecurityDomain::load(store, &house.config.domain).await.unwrap().unwrap();
    let mut preissue = Preissue::new(store, &domain, period, present).unwrap();
    let mut stored = 0;
    while let Some(page) = preissue.page().await.unwrap() {
        assert!(page.failed.is_empty());
        stored += page.stored;
    }
    stored
}

/// So many users hold the keys of a key period; they fetch those of the next in its lead time, and exchange messages on
/// both sides of its beginning. The next period can have new master secrets.
async fn turn_over(users: usize, rolls_over: bool) {
    let house = House::new().await;
    let (number, start) = house.period();
    let end = start + PERIOD;
    let settings = CacheSettings { domain_age: Duration::from_secs(PERIOD), ..CacheSettings::default() };
    let user = |number| Uri::parse(&format!("sip:user-{number}@example.org")).unwrap();
    let mut caches: Vec<_> = (0..users).map(|number| KeyCache::new(user(number), settings.clone())).collect();
    for cache in &mut caches {
        assert!(refresh(&house, cache).await);
    }

    if rolls_over {
        // What was extracted before is by the certificate that is replaced.
        assert_eq!(preissue(&house, number + 1, number).await, users as u64);
        let store = house.service.store();
        let (kms_uri, format) = (house.config.domain.kms_uri.clone(), house.config.domain.uid_format().unwrap());
        let kms = Kms::generate(kms_uri, format, &mut SysRng).unwrap();
        roll_over(store, &house.config, &kms, Start::Period(number + 1), &event()).await.unwrap();
    }

    // In the lead time each comes at a moment of its own.
    house.set_now(end - LEAD);
    assert_eq!(preissue(&house, number + 1, number).await, users as u64);
    let wakes = caches.iter().enumerate().map(|(place, cache)| Reverse((cache.refresh_at().unwrap(), place)));
    let mut wakes: BinaryHeap<_> = wakes.collect();
    let mut eighths = [0; 8];
    while let Some(Reverse((time, place))) = wakes.pop() {
        let time = time.to_unix();
        assert!((end - LEAD..end).contains(&time), "{time}");
        // The clock of the service has whole seconds.
        house.set_now((time + 1).max(house.now()));
        eighths[((time - (end - LEAD)) * 8 / LEAD) as usize] += 1;
        assert!(refresh(&house, &mut caches[place]).await);
        let periods: Vec<_> = caches[place].keys().map(|keys| keys.period()).collect();
        assert_eq!(periods, [number, number + 1].map(KeyPeriod::Number));
    }
    // A seventh is expected in each of the first seven; a third of a hundred come in one of them in one run of 10^5.
    assert!(eighths.iter().all(|&came| came * 3 < users) && eighths[7] == 0, "{eighths:?}");

    // Two exchange messages that were made before and after the end, and nobody asks the server for that.
    house.set_now(end + 10);
    assert_eq!(house.period().0, number + 1);
    let mut caches = caches.into_iter();
    while let (Some(mut one), Some(mut other)) = (caches.next(), caches.next()) {
        for is_back in [false, true] {
            let (from, to) = if is_back { (&other, &mut one) } else { (&one, &mut other) };
            let old = from.keys().next().unwrap().clone();
            let [old_kpak, new_kpak] =
                [&old, from.keys().last().unwrap()].map(|keys| keys.certificate().kpak().clone());
            assert_eq!((old.period(), old_kpak != new_kpak), (KeyPeriod::Number(number), rolls_over));
            let user = to.user().clone();
            let [(before, before_key), (after, after_key)] = [end - 5, end + 5].map(|time| message(from, &user, time));
            let (misdated, _) = message(from, &user, end - 4);
            let responder = to.responder().unwrap();
            let refused = responder.extract(&restamped(&misdated, &old, end + 5), at(end + 10)).unwrap_err();
            assert!(matches!(refused, Error::Rejected | Error::Refused(Refusal::KeyPeriod)), "{refused}");
            let key = responder.extract(&restamped(&misdated, &old, end - 5), at(end + 10));
            assert!(key.is_ok(), "it is the time that is wrong, and nothing else");
            for (octets, expected) in [(before, before_key), (after, after_key)] {
                assert_eq!(responder.extract(&octets, at(end + 10)).unwrap().key, *expected.key());
            }
        }
    }

    // Those who start anew get keys of the new period.
    for number in (0..users).step_by(10) {
        assert!(refresh(&house, &mut KeyCache::new(user(number), settings.clone())).await);
    }
    house.service.prune().await;
    let verified = house.service.store().verify_audit().await.unwrap();
    assert!(verified.entries >= 2 * users as u64);
}

#[tokio::test]
async fn a_hundred_users_turn_over() {
    turn_over(100, false).await;
}

#[tokio::test]
async fn a_hundred_users_turn_over_to_new_master_secrets() {
    turn_over(100, true).await;
}

#[tokio::test]
#[ignore = "takes minutes; run by .ci/run operations"]
async fn ten_thousand_users_turn_over() {
    turn_over(10_000, false).await;
}

#[tokio::test]
#[ignore = "takes minutes; run by .ci/run operations"]
async fn ten_thousand_users_turn_over_to_new_master_secrets() {
    turn_over(10_000, true).await;
}
