//! Rows, sealed and not.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use getrandom::SysRng;
use mikey_sakke::eccsi::Ksak;
use mikey_sakke::km::record::Record;
use mikey_sakke::km::{Payload, Subject};
use mikey_sakke::kms::Validity;
use mikey_sakke::sakke::MasterSecret;
use skm::store::{Change, Condition, Delegate, DomainChange, DomainKeys, Quota, StoreError, Version};

use crate::site::Site;
use crate::{NOW, alice, at, event, name, record, uri};

const CANARY: &str = "key material of a record";

on_both! {
    records_survive_a_restart,
    rows_that_are_asked_for_at_once_go_each_to_who_asked,
    a_row_opens_in_its_place_alone,
    an_old_value_does_not_open_under_a_new_version,
    a_condition_holds_or_nothing_happens,
    of_concurrent_updates_one_wins,
    delegates_and_blocks_are_exact,
    names_that_are_no_keys_of_rows_are_refused,
    nobody_else_writes_the_document_of_the_domain,
    the_pulse_tells_what_servers_keep,
    a_change_of_the_domain_is_made_as_a_whole_or_not_at_all,
}

async fn records_survive_a_restart(site: Site) {
    let service = name("urn:example:fleet");
    let bounded = Validity { from: None, to: Some(at(NOW + 1)) };
    let other = Record::new(uri("sip:bob@example.org"), Payload::new("").unwrap(), bounded).unwrap();
    let client = Subject::Client(name("sip:alice@example.org"));
    let store = site.open().await;
    assert_eq!(store.record(&service, &alice()).await.unwrap(), None);
    let put = store.put_record(&service, &alice(), &record(CANARY), Condition::Any, &event("alice")).await;
    let Change::Created(version) = put.unwrap() else { panic!("not created") };
    // The same identifier of another kind is another record.
    let put = store.put_record(&service, &client, &other, Condition::Absent, &event("client")).await;
    assert!(matches!(put.unwrap(), Change::Created(_)));
    drop(store);

    let store = site.open().await;
    assert_eq!(store.record(&service, &alice()).await.unwrap(), Some((version, record(CANARY))));
    assert_eq!(store.record(&service, &client).await.unwrap().unwrap().1, other);
    assert_eq!(store.record(&service, &Subject::Service).await.unwrap(), None);
    assert_eq!(store.record(&name("urn:example:other"), &alice()).await.unwrap(), None);
}

async fn rows_that_are_asked_for_at_once_go_each_to_who_asked(site: Site) {
    let store = Arc::new(site.open().await);
    let service = name("urn:example:fleet");
    let subject = |number: usize| Subject::Device(name(&format!("device-{number}")));
    for number in (0..30).filter(|number| number % 3 > 0) {
        let payload = record(&format!("payload {number}"));
        store.put_record(&service, &subject(number), &payload, Condition::Any, &event("device")).await.unwrap();
    }
    site.tamper("UPDATE sealed_rows SET version = -1 WHERE id = 'device-4';").await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in (0..30).cycle().take(300) {
        let (store, service, subject) = (Arc::clone(&store), service.clone(), subject(number));
        tasks.spawn(async move { (number, store.record(&service, &subject).await) });
    }
    for (number, found) in tasks.join_all().await {
        match number {
            4 => assert!(matches!(found, Err(StoreError::Damaged(_)))),
            _ if number % 3 == 0 => assert_eq!(found.unwrap(), None),
            _ => assert_eq!(found.unwrap().unwrap().1, record(&format!("payload {number}"))),
        }
    }
}

async fn a_row_opens_in_its_place_alone(site: Site) {
    let swaps = [
        // Rows under each other's identifier.
        "UPDATE sealed_rows SET id = 'z' WHERE id = 'sip:alice@example.org';
         UPDATE sealed_rows SET id = 'sip:alice@example.org' WHERE id = 'sip:bob@example.org';",
        // The sealed value of another row, with its version.
        "UPDATE sealed_rows SET sealed = (SELECT sealed FROM sealed_rows WHERE id = 'sip:bob@example.org'),
            version = (SELECT version FROM sealed_rows WHERE id = 'sip:bob@example.org')
            WHERE id = 'sip:alice@example.org';",
        "UPDATE sealed_rows SET version = version - 1;",
        "UPDATE sealed_rows SET version = -1;",
        "UPDATE sealed_rows SET sealed = x'';",
    ];
    for swap in swaps {
        let site = site.another().await;
        let store = site.open().await;
        let service = name("urn:example:fleet");
        for subject in [&alice(), &Subject::User(uri("sip:bob@example.org"))] {
            let payload = record(subject.value());
            store.put_record(&service, subject, &payload, Condition::Any, &event("user")).await.unwrap();
        }
        site.tamper(swap).await;
        let found = store.record(&service, &alice()).await;
        assert!(matches!(found, Err(StoreError::Damaged("records"))), "{swap}: {found:?}");
    }
}

async fn an_old_value_does_not_open_under_a_new_version(site: Site) {
    let store = site.open().await;
    let service = name("urn:example:fleet");
    store.put_record(&service, &alice(), &record("old"), Condition::Any, &event("old")).await.unwrap();
    site.tamper("CREATE TABLE kept AS SELECT sealed FROM sealed_rows;").await;
    store.put_record(&service, &alice(), &record("new"), Condition::Any, &event("new")).await.unwrap();
    site.tamper("UPDATE sealed_rows SET sealed = (SELECT sealed FROM kept);").await;
    assert!(matches!(store.record(&service, &alice()).await, Err(StoreError::Damaged("records"))));
}

async fn a_condition_holds_or_nothing_happens(site: Site) {
    let store = site.open().await;
    let service = name("urn:example:fleet");
    let put =
        async |condition| store.put_record(&service, &alice(), &record("a"), condition, &event("alice")).await.unwrap();
    let delete = async |condition| store.delete_record(&service, &alice(), condition, &event("alice")).await.unwrap();
    assert_eq!(put(Condition::Present).await, Change::Conflict);
    assert_eq!(delete(Condition::Any).await, Change::NotFound);
    assert_eq!(delete(Condition::Present).await, Change::Conflict);
    let Change::Created(first) = put(Condition::Absent).await else { panic!("not created") };
    assert_eq!(put(Condition::Absent).await, Change::Conflict);
    let Change::Replaced(second) = put(Condition::Is(first)).await else { panic!("not replaced") };
    assert_eq!(put(Condition::Is(first)).await, Change::Conflict);
    assert_eq!(delete(Condition::Is(first)).await, Change::Conflict);
    assert_eq!(delete(Condition::Is(second)).await, Change::Deleted);
    let Change::Created(third) = put(Condition::Any).await else { panic!("not created") };
    assert_eq!(put(Condition::Is(second)).await, Change::Conflict, "a version does not come back");
    assert_eq!(Version::from_etag(&third.to_string()), Some(third));
    // What did not happen is not logged.
    assert_eq!(store.verify_audit().await.unwrap().entries, 4);
}

async fn of_concurrent_updates_one_wins(site: Site) {
    let store = Arc::new(site.open().await);
    let service = name("urn:example:fleet");
    let put = store.put_record(&service, &alice(), &record("0"), Condition::Any, &event("first")).await.unwrap();
    let Change::Created(version) = put else { panic!("not created") };
    let update = |n| {
        let (store, service) = (store.clone(), service.clone());
        tokio::spawn(async move {
            let record = record(&format!("payload {n}"));
            store.put_record(&service, &alice(), &record, Condition::Is(version), &event("race")).await.unwrap()
        })
    };
    let tasks: Vec<_> = (0..16).map(update).collect();
    let mut winners = Vec::new();
    for (n, task) in tasks.into_iter().enumerate() {
        match task.await.unwrap() {
            Change::Replaced(version) => winners.push((n, version)),
            change => assert_eq!(change, Change::Conflict),
        }
    }
    let [(n, version)] = winners[..] else { panic!("{winners:?}") };
    let expected = record(&format!("payload {n}"));
    assert_eq!(store.record(&service, &alice()).await.unwrap(), Some((version, expected)));
    assert_eq!(store.verify_audit().await.unwrap().entries, 2);
}

async fn delegates_and_blocks_are_exact(site: Site) {
    let store = site.open().await;
    let (alice, other) = (uri("sip:alice@example.org"), uri("sip:alice@example.com"));
    let delegate = Delegate { principal: "dispatcher".into(), user: alice.clone(), expires: at(NOW + 1) };
    store.add_delegate(&delegate, &event("delegate")).await.unwrap();
    assert!(store.is_delegate("dispatcher", &alice, at(NOW)).await.unwrap());
    assert!(!store.is_delegate("dispatcher", &alice, at(NOW + 1)).await.unwrap());
    assert!(!store.is_delegate("dispatcher", &other, at(NOW)).await.unwrap());
    assert!(!store.is_delegate("Dispatcher", &alice, at(NOW)).await.unwrap());
    assert_eq!(store.delegates().await.unwrap(), [delegate]);
    assert!(store.remove_delegate("dispatcher", &alice, &event("delegate")).await.unwrap());
    assert!(!store.remove_delegate("dispatcher", &alice, &event("delegate")).await.unwrap());
    assert!(!store.is_delegate("dispatcher", &alice, at(NOW)).await.unwrap());

    assert!(store.set_blocked(&alice, true, &event("block")).await.unwrap());
    assert!(!store.set_blocked(&alice, true, &event("block")).await.unwrap());
    assert!(store.is_blocked(&alice).await.unwrap());
    assert_eq!(store.blocked().await.unwrap(), std::slice::from_ref(&alice));
    assert!(!store.is_blocked(&other).await.unwrap());
    assert!(store.set_blocked(&alice, false, &event("block")).await.unwrap());
    assert_eq!(store.blocked().await.unwrap(), []);
    assert!(!store.is_blocked(&alice).await.unwrap());
    assert_eq!(store.verify_audit().await.unwrap().entries, 4);
}

async fn nobody_else_writes_the_document_of_the_domain(site: Site) {
    let store = site.open().await;
    assert_eq!(store.domain().await.unwrap(), None);
    let change = DomainChange { domain: Some((None, "{}".into())), ..DomainChange::default() };
    assert!(store.change_domain(&change, &event("domain")).await.unwrap());
    assert_eq!(store.domain().await.unwrap().unwrap().1, "{}");
    site.tamper("UPDATE sealed_rows SET sealed = x'7b7d'").await;
    assert!(matches!(store.domain().await, Err(StoreError::Damaged("domain"))));
}

async fn the_pulse_tells_what_servers_keep(site: Site) {
    let store = site.open().await;
    let (service, alice, user) = (name("urn:example:fleet"), alice(), uri("sip:alice@example.org"));
    let delegate = Delegate { principal: "dispatcher".into(), user: user.clone(), expires: at(NOW + 1) };
    let (log, quota) = (event("log"), Some(Quota { user: &user, period: 5, limit: 1 }));
    let (z, ksak) = (MasterSecret::generate(&mut SysRng).unwrap(), Ksak::generate(&mut SysRng).unwrap());
    let secrets = DomainChange { keys: Some((name("2026"), DomainKeys { z, ksak })), ..DomainChange::default() };
    let domain = DomainChange { domain: Some((None, "{}".into())), ..DomainChange::default() };
    let external = DomainChange { external: Some((None, "{}".into())), ..DomainChange::default() };
    let mut last = store.pulse().await.unwrap().generation;
    let mut is_raised = async || {
        let before = std::mem::replace(&mut last, store.pulse().await.unwrap().generation);
        assert!(last >= before);
        last > before
    };
    store.set_blocked(&user, true, &log).await.unwrap();
    assert!(is_raised().await, "a block");
    store.set_blocked(&user, true, &log).await.unwrap();
    assert!(!is_raised().await, "no other block");
    store.set_blocked(&user, false, &log).await.unwrap();
    assert!(is_raised().await, "no block any more");
    store.add_delegate(&delegate, &log).await.unwrap();
    assert!(is_raised().await, "a delegate");
    store.remove_delegate("dispatcher", &user, &log).await.unwrap();
    assert!(is_raised().await, "no delegate any more");
    for (change, what) in [(&secrets, "master secrets"), (&domain, "the domain"), (&external, "other domains")] {
        store.change_domain(change, &log).await.unwrap();
        assert!(is_raised().await, "{what}");
    }
    store.change_domain(&domain, &log).await.unwrap();
    assert!(!is_raised().await, "a condition that does not hold");
    store.put_record(&service, &alice, &record("a"), Condition::Any, &log).await.unwrap();
    store.delete_record(&service, &alice, Condition::Any, &log).await.unwrap();
    store.accept(&[1; 32], at(NOW + 11), quota, &log).await.unwrap();
    store.release(&[1; 32], &log).await.unwrap();
    store.log(&log).await.unwrap();
    store.prune_replays(at(NOW + 12)).await.unwrap();
    assert!(!is_raised().await, "what servers do not keep");
}

#[tokio::test]
async fn the_pulse_has_the_clock_of_a_database_that_has_one() {
    let file = Site::sqlite();
    assert_eq!(file.open().await.pulse().await.unwrap().clock, None);
    let Some(site) = Site::postgres().await else { return };
    let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let clock = site.open().await.pulse().await.unwrap().clock.unwrap();
    let after = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    // It is the same machine, and rounded to microseconds.
    assert!(before.as_micros() <= clock.as_micros() && clock.as_micros() <= after.as_micros());
}

async fn a_change_of_the_domain_is_made_as_a_whole_or_not_at_all(site: Site) {
    let store = site.open().await;
    let keys = || {
        let z = MasterSecret::generate(&mut SysRng).unwrap();
        Some((name("2026"), DomainKeys { z, ksak: Ksak::generate(&mut SysRng).unwrap() }))
    };
    let text = |read, text: &str| Some((read, text.to_owned()));
    let first = DomainChange { keys: keys(), domain: text(None, "1"), external: text(None, "a") };
    assert!(store.change_domain(&first, &event("domain")).await.unwrap());
    let (domain, external) = (store.domain().await.unwrap().unwrap().0, store.external().await.unwrap().unwrap().0);

    // The name of the secrets is taken, or a document is another than was read.
    let stale = [
        DomainChange { keys: keys(), domain: text(Some(domain), "2"), external: text(Some(external), "b") },
        DomainChange { keys: None, domain: text(Some(external), "2"), external: text(Some(external), "b") },
        DomainChange { keys: None, domain: text(Some(domain), "2"), external: text(None, "b") },
    ];
    for change in &stale {
        assert!(!store.change_domain(change, &event("domain")).await.unwrap());
        assert_eq!(store.domain().await.unwrap(), Some((domain, "1".into())));
        assert_eq!(store.external().await.unwrap(), Some((external, "a".into())));
    }
    let next = DomainChange { keys: None, domain: text(Some(domain), "2"), external: text(Some(external), "b") };
    assert!(store.change_domain(&next, &event("domain")).await.unwrap());
    assert!(!store.change_domain(&next, &event("domain")).await.unwrap(), "once");
    assert_eq!(store.verify_audit().await.unwrap().entries, 2);
}

async fn names_that_are_no_keys_of_rows_are_refused(site: Site) {
    let store = site.open().await;
    let alice = uri("sip:alice@example.org");
    for principal in ["dispatcher\0", "dispatcher\n", &"d".repeat(1025)] {
        let delegate = Delegate { principal: principal.into(), user: alice.clone(), expires: at(NOW + 1) };
        assert!(matches!(store.add_delegate(&delegate, &event("delegate")).await, Err(StoreError::Name)));
        assert!(!store.is_delegate(principal, &alice, at(NOW)).await.unwrap());
    }
    let long = uri(&format!("sip:{}@example.org", "a".repeat(2000)));
    assert!(matches!(store.set_blocked(&long, true, &event("block")).await, Err(StoreError::Name)));
    let subject = Subject::User(long);
    let put = store.put_record(&name("fleet"), &subject, &record("a"), Condition::Any, &event("put")).await;
    assert!(matches!(put, Err(StoreError::Name)));
    // The longest ones fit, and do not compress.
    let noise = |state: u64| -> String {
        let letters = std::iter::repeat_n((), 1024).scan(state, |state, ()| {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            Some(char::from(b'a' + (*state >> 59) as u8 % 26))
        });
        letters.collect()
    };
    let (service, subject) = (name(&noise(1)), Subject::Client(name(&noise(2))));
    let put = store.put_record(&service, &subject, &record("a"), Condition::Any, &event("put")).await.unwrap();
    assert!(matches!(put, Change::Created(_)));
    assert!(store.record(&service, &subject).await.unwrap().is_some());
}
