//! The data key of a store, and the key that wraps it.

use skm::seal::Secret;
use skm::store::{Condition, StoreError};

use crate::site::Site;
use crate::{KEY, alice, event, name, record};

on_both! {
    another_key_is_refused_at_the_door,
    a_passphrase_opens_what_it_sealed,
    stores_with_one_key_have_data_keys_of_their_own,
    a_keyring_that_was_changed_is_refused,
    those_who_open_a_new_store_at_once_have_the_same_keys,
}

async fn another_key_is_refused_at_the_door(site: Site) {
    drop(site.open().await);
    let other = Secret::from_key(&"0".repeat(64)).unwrap();
    assert!(matches!(site.open_with(other, "skms-1").await, Err(StoreError::WrongKey)));
    // The same text, taken for a passphrase.
    let other = Secret::from_passphrase(KEY).unwrap();
    assert!(matches!(site.open_with(other, "skms-1").await, Err(StoreError::WrongKey)));
}

async fn a_passphrase_opens_what_it_sealed(site: Site) {
    let secret = |text| Secret::from_passphrase(text).unwrap();
    let service = name("urn:example:fleet");
    let store = site.open_with(secret("correct horse battery"), "skms-1").await.unwrap();
    store.put_record(&service, &alice(), &record("7"), Condition::Any, &event("alice")).await.unwrap();
    drop(store);
    let store = site.open_with(secret("correct horse battery\n"), "skms-1").await.unwrap();
    assert_eq!(store.record(&service, &alice()).await.unwrap().unwrap().1, record("7"));
    let other = site.open_with(secret("correct horse batterz"), "skms-1").await;
    assert!(matches!(other, Err(StoreError::WrongKey)));
}

async fn stores_with_one_key_have_data_keys_of_their_own(site: Site) {
    let other = site.another().await;
    let [one, another] = [site.open().await, other.open().await].map(|store| format!("{store:?}"));
    assert!(one.contains("SealKey(") && another.contains("SealKey("), "{one}");
    assert_ne!(one, another);
}

async fn a_keyring_that_was_changed_is_refused(site: Site) {
    for (change, is_wrong_key) in [
        ("data_key = x'00'", true),
        ("data_key = audit_key", true),
        ("audit_key = data_key", false),
        ("salt = x'00'", false),
        ("key_id = '0000000000000000'", false),
    ] {
        let site = site.another().await;
        drop(site.open().await);
        site.tamper(&format!("UPDATE keyring SET {change}")).await;
        let error = site.open_with(Secret::from_key(KEY).unwrap(), "skms-1").await.unwrap_err();
        match error {
            StoreError::WrongKey => assert!(is_wrong_key, "{change}"),
            StoreError::Damaged("keyring") => assert!(!is_wrong_key, "{change}"),
            error => panic!("{change}: {error}"),
        }
    }
}

async fn those_who_open_a_new_store_at_once_have_the_same_keys(site: Site) {
    let open = |server| site.open_with(Secret::from_key(KEY).unwrap(), server);
    let (one, another) = tokio::join!(open("skms-1"), open("skms-2"));
    let (one, another) = (one.unwrap(), another.unwrap());
    let service = name("urn:example:fleet");
    one.put_record(&service, &alice(), &record("7"), Condition::Any, &event("alice")).await.unwrap();
    assert_eq!(another.record(&service, &alice()).await.unwrap().unwrap().1, record("7"));
}
