//! A store that gets another key.

use std::process::{Command, Stdio};

use getrandom::SysRng;
use mikey_sakke::eccsi::Ksak;
use mikey_sakke::km::Subject;
use mikey_sakke::sakke::MasterSecret;
use skm::seal::Secret;
use skm::store::{Change, Condition, DomainChange, DomainKeys, Store, StoreError};

use crate::search::contains;
use crate::site::Site;
use crate::{KEY, alice, event, name, record, uri};

/// Names the store to the process that is to die.
const STORE: &str = "SKM_TEST_STORE";

/// More than are read at once.
const RECORDS: usize = 450;

on_both! {
    everything_opens_with_the_new_key_alone,
    a_store_that_is_open_refuses_from_then_on,
    a_value_that_does_not_open_is_named,
    a_process_that_dies_changes_nothing,
}

fn new_key() -> Secret {
    Secret::from_key(&"7".repeat(64)).unwrap()
}

fn user(number: usize) -> Subject {
    Subject::User(uri(&format!("sip:user{number}@example.org")))
}

async fn fill(store: &Store, records: usize) {
    let service = name("urn:example:fleet");
    for number in 0..records {
        let record = record(&format!("payload {number}"));
        store.put_record(&service, &user(number), &record, Condition::Any, &event("user")).await.unwrap();
    }
}

async fn everything_opens_with_the_new_key_alone(site: Site) {
    let store = site.open().await;
    fill(&store, RECORDS).await;
    let service = name("urn:example:fleet");
    let keys =
        DomainKeys { z: MasterSecret::generate(&mut SysRng).unwrap(), ksak: Ksak::generate(&mut SysRng).unwrap() };
    let change = DomainChange {
        keys: Some((name("2026"), keys.clone())),
        domain: Some((None, "{}".into())),
        external: Some((None, "[]".into())),
    };
    assert!(store.change_domain(&change, &event("domain")).await.unwrap());
    let (version, _) = store.record(&service, &user(7)).await.unwrap().unwrap();
    let entries = store.verify_audit().await.unwrap().entries;
    let generation = store.pulse().await.unwrap().generation;

    let mut steps = Vec::new();
    let mut note = |done, all| steps.push((done, all));
    let resealed = store.reseal(new_key(), &event("key_file new.key"), &mut note).await.unwrap();
    let all = RECORDS + 3;
    assert_eq!(steps, [(0, all), (200, all), (400, all), (all, all)]);
    assert_eq!(resealed.values, all);
    assert!(resealed.remains.is_none(), "{:?}", resealed.remains);
    drop(store);

    assert!(matches!(site.open_with(Secret::from_key(KEY).unwrap(), "skms-1").await, Err(StoreError::WrongKey)));
    let store = site.open_with(new_key(), "skms-1").await.unwrap();
    for number in 0..RECORDS {
        let (_, found) = store.record(&service, &user(number)).await.unwrap().unwrap();
        assert_eq!(found, record(&format!("payload {number}")));
    }
    let found = store.domain_keys(&name("2026")).await.unwrap().unwrap();
    assert_eq!(found.z.to_octets().expose(), keys.z.to_octets().expose());
    assert_eq!(store.domain().await.unwrap().unwrap().1, "{}");
    assert_eq!(store.external().await.unwrap().unwrap().1, "[]");
    // Versions stay, the audit log goes on, and whoever keeps the domain in memory reads it again.
    let put = store.put_record(&service, &user(7), &record("8"), Condition::Is(version), &event("user")).await.unwrap();
    assert!(matches!(put, Change::Replaced(_)), "{put:?}");
    assert_eq!(store.verify_audit().await.unwrap().entries, entries + 2);
    assert!(store.pulse().await.unwrap().generation > generation);
    let logged = store.audit(entries.cast_signed()).await.unwrap();
    assert_eq!(logged[0].target, "key_file new.key");
}

async fn a_store_that_is_open_refuses_from_then_on(site: Site) {
    let (store, other) = (site.open().await, site.open_with(Secret::from_key(KEY).unwrap(), "skms-2").await.unwrap());
    fill(&store, 1).await;
    store.reseal(new_key(), &event("new"), &mut |_, _| ()).await.unwrap();
    let service = name("urn:example:fleet");
    for store in [store, other] {
        assert!(matches!(store.record(&service, &user(0)).await, Err(StoreError::WrongKey)));
        let put = store.put_record(&service, &alice(), &record("8"), Condition::Any, &event("user")).await;
        assert!(matches!(put, Err(StoreError::WrongKey)), "{put:?}");
        assert!(matches!(store.log(&event("log")).await, Err(StoreError::WrongKey)));
        let again = store.reseal(new_key(), &event("again"), &mut |_, _| ()).await;
        assert!(matches!(again, Err(StoreError::WrongKey)), "{again:?}");
    }
    // A value that says to be sealed with another key, in a store that has the same key as ever, was changed.
    let site = site.another().await;
    let store = site.open().await;
    fill(&store, 1).await;
    site.tamper("UPDATE sealed_rows SET sealed = x'010000000000000000'").await;
    assert!(matches!(store.record(&service, &user(0)).await, Err(StoreError::Damaged("records"))));
}

// A derivation takes long, and the database plays no part in it.
#[tokio::test]
async fn the_new_key_may_come_from_a_passphrase() {
    let site = Site::sqlite();
    let secret = |text| Secret::from_passphrase(text).unwrap();
    let store = site.open_with(secret("correct horse battery"), "skms-1").await.unwrap();
    fill(&store, 1).await;
    store.reseal(secret("another horse battery"), &event("new"), &mut |_, _| ()).await.unwrap();
    let old = site.open_with(secret("correct horse battery"), "skms-1").await;
    assert!(matches!(old, Err(StoreError::WrongKey)));
    let store = site.open_with(secret("another horse battery"), "skms-1").await.unwrap();
    assert!(store.record(&name("urn:example:fleet"), &user(0)).await.unwrap().is_some());
}

async fn a_value_that_does_not_open_is_named(site: Site) {
    let store = site.open().await;
    fill(&store, RECORDS).await;
    site.tamper("UPDATE sealed_rows SET version = version - 1 WHERE id = 'sip:user99@example.org'").await;
    let error = store.reseal(new_key(), &event("new"), &mut |_, _| ()).await.unwrap_err();
    assert!(matches!(&error, StoreError::DamagedRow(_)), "{error:?}");
    assert!(error.to_string().contains("records urn:example:fleet user sip:user99@example.org"), "{error}");
    // As before.
    assert!(store.record(&name("urn:example:fleet"), &user(0)).await.unwrap().is_some());
    assert_eq!(store.verify_audit().await.unwrap().entries, RECORDS as u64);
}

/// Dies when some values are sealed anew.
#[tokio::test]
#[ignore = "run by a_process_that_dies_changes_nothing"]
async fn die_while_resealing() {
    let url = std::env::var(STORE).unwrap();
    let store = Store::open(&url, Secret::from_key(KEY).unwrap(), "skms-1").await.unwrap();
    let die = |done, _| {
        if done == 400 {
            std::process::exit(77)
        }
    };
    store.reseal(new_key(), &event("new"), &mut { die }).await.unwrap();
}

async fn a_process_that_dies_changes_nothing(site: Site) {
    let store = site.open().await;
    fill(&store, RECORDS).await;
    drop(store);
    let mut process = Command::new(std::env::current_exe().unwrap());
    process.args(["--exact", "reseal::die_while_resealing", "--ignored"]).env(STORE, site.url()).stdout(Stdio::null());
    assert_eq!(process.status().unwrap().code(), Some(77));
    assert!(matches!(site.open_with(new_key(), "skms-1").await, Err(StoreError::WrongKey)));
    let store = site.open().await;
    for number in 0..RECORDS {
        assert!(store.record(&name("urn:example:fleet"), &user(number)).await.unwrap().is_some());
    }
    assert_eq!(store.verify_audit().await.unwrap().entries, RECORDS as u64);
    store.reseal(new_key(), &event("new"), &mut |_, _| ()).await.unwrap();
}

#[tokio::test]
async fn nothing_is_left_of_what_was_sealed_before() {
    let site = Site::sqlite();
    let store = site.open().await;
    fill(&store, RECORDS).await;
    // The id of the data key stands in every value.
    let id = format!("{store:?}").split("SealKey(").nth(1).unwrap()[..16].to_owned();
    let octets = hex::decode(&id).unwrap();
    assert!(contains(&site.everything(), &octets));
    store.reseal(new_key(), &event("new"), &mut |_, _| ()).await.unwrap();
    assert!(!contains(&site.everything(), &octets) && !contains(&site.everything(), id.as_bytes()));
}
