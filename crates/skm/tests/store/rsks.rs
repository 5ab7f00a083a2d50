//! RSKs that were extracted before they are asked for.

use mikey_sakke::identity::Uri;
use mikey_sakke::sakke::Rsk;
use skm::store::{Awaiting, Condition, Extraction, Quota, Replay, Store, StoreError};

use crate::search::{contains, spellings};
use crate::site::Site;
use crate::{NOW, alice, at, event, name, record, uri};

on_both! {
    an_rsk_is_there_for_its_certificate_period_and_user_alone,
    who_was_issued_keys_lately_awaits_an_rsk,
    pages_go_through_all_users_once,
    all_but_those_to_keep_are_deleted,
    a_store_under_another_key_takes_none,
    an_rsk_opens_in_its_place_alone_and_cannot_be_read,
}

fn extraction(certificate: &str, period: u64) -> Extraction {
    Extraction { certificate: name(certificate), period }
}

fn rsk(octet: u8) -> Rsk {
    Rsk::new([octet; 257])
}

fn user(number: u32) -> Uri {
    uri(&format!("sip:user{number:04}@example.org"))
}

/// Issues keys to a user for a period.
async fn issue(store: &Store, user: &Uri, period: u64) {
    let mut key = [0; 32];
    getrandom::fill(&mut key).unwrap();
    let quota = Some(Quota { user, period, limit: 64 });
    assert_eq!(store.accept(&key, at(NOW + 600), quota, &event("issue")).await.unwrap(), Replay::Fresh);
}

async fn an_rsk_is_there_for_its_certificate_period_and_user_alone(site: Site) {
    let store = site.open().await;
    let (one, other) = (extraction("one", 12), extraction("one 1", 2));
    assert!(!store.has_rsks(&one).await.unwrap());
    store.add_rsks(&one, &[]).await.unwrap();
    assert!(!store.has_rsks(&one).await.unwrap());
    store.add_rsks(&one, &[(user(1), rsk(1)), (user(2), rsk(2))]).await.unwrap();
    // Who has one keeps it.
    store.add_rsks(&one, &[(user(2), rsk(3)), (user(3), rsk(3))]).await.unwrap();
    for (number, expected) in [(1, Some(rsk(1))), (2, Some(rsk(2))), (3, Some(rsk(3))), (4, None)] {
        assert_eq!(store.rsk(&one, &user(number)).await.unwrap(), expected);
    }
    for other in [other, extraction("one", 13), extraction("two", 12), extraction("one", 1)] {
        assert!(!store.has_rsks(&other).await.unwrap());
        assert_eq!(store.rsk(&other, &user(1)).await.unwrap(), None);
    }
    drop(store);
    let store = site.open().await;
    assert!(store.has_rsks(&one).await.unwrap());
    assert_eq!(store.rsk(&one, &user(1)).await.unwrap(), Some(rsk(1)));
    assert_eq!(store.verify_audit().await.unwrap().entries, 0);
}

async fn who_was_issued_keys_lately_awaits_an_rsk(site: Site) {
    let store = site.open().await;
    for (number, period) in [(1, 9), (2, 10), (3, 11), (3, 10), (4, 11), (5, 12), (6, 11), (6, 9)] {
        issue(&store, &user(number), period).await;
    }
    store.set_blocked(&user(4), true, &event("block")).await.unwrap();
    let who = Awaiting { extraction: extraction("one", 12), since: 10 };
    store.add_rsks(&who.extraction, &[(user(5), rsk(5))]).await.unwrap();
    let names = |numbers: &[u32]| numbers.iter().map(|number| user(*number).to_string()).collect::<Vec<_>>();
    assert_eq!(store.awaiting(&who, "").await.unwrap(), names(&[2, 3, 6]));
    assert_eq!(store.count_awaiting(&who).await.unwrap(), 3);
    assert_eq!(store.awaiting(&who, user(3).as_str()).await.unwrap(), names(&[6]));
    let next = Awaiting { extraction: extraction("one", 13), ..who };
    assert_eq!(store.awaiting(&next, "").await.unwrap(), names(&[2, 3, 5, 6]), "for another period");
    store.set_blocked(&user(4), false, &event("block")).await.unwrap();
    assert_eq!(store.count_awaiting(&next).await.unwrap(), 5);
}

async fn pages_go_through_all_users_once(site: Site) {
    let store = site.open().await;
    let rows: Vec<_> = (0..1200).map(|number| format!("('{}', 10, 1)", user(number))).collect();
    site.tamper(&format!("INSERT INTO issues (user_uri, period, count) VALUES {}", rows.join(", "))).await;
    let who = Awaiting { extraction: extraction("one", 11), since: 10 };
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let page = store.awaiting(&who, &after).await.unwrap();
        let Some(last) = page.last() else { break };
        after.clone_from(last);
        assert!(page.len() <= 512);
        all.extend(page);
    }
    assert_eq!(all, (0..1200).map(|number| user(number).to_string()).collect::<Vec<_>>());
    assert_eq!(store.count_awaiting(&who).await.unwrap(), 1200);
}

async fn all_but_those_to_keep_are_deleted(site: Site) {
    let store = site.open().await;
    let rsks: Vec<_> = (0..700).map(|number| (user(number), rsk(7))).collect();
    let all = [extraction("one", 11), extraction("one", 12), extraction("two", 12), extraction("two", 13)];
    for extraction in &all {
        store.add_rsks(extraction, &rsks).await.unwrap();
    }
    store.keep_rsks(&all[1..3]).await.unwrap();
    for (extraction, kept) in all.iter().zip([false, true, true, false]) {
        assert_eq!(store.has_rsks(extraction).await.unwrap(), kept);
        assert_eq!(store.rsk(extraction, &user(699)).await.unwrap().is_some(), kept);
    }
    // Nothing else goes with them.
    let service = name("urn:example:fleet");
    store.put_record(&service, &alice(), &record("a"), Condition::Absent, &event("record")).await.unwrap();
    store.keep_rsks(&[]).await.unwrap();
    assert!(!store.has_rsks(&all[1]).await.unwrap());
    assert!(store.record(&service, &alice()).await.unwrap().is_some());
}

async fn a_store_under_another_key_takes_none(site: Site) {
    let store = site.open().await;
    site.tamper("UPDATE keyring SET key_id = 'another'").await;
    let added = store.add_rsks(&extraction("one", 11), &[(user(1), rsk(1))]).await;
    assert!(matches!(added, Err(StoreError::WrongKey)), "{added:?}");
    assert!(!store.has_rsks(&extraction("one", 11)).await.unwrap());
}

async fn an_rsk_opens_in_its_place_alone_and_cannot_be_read(site: Site) {
    let store = site.open().await;
    let canary: [u8; 257] = std::array::from_fn(|place| (place * place % 251) as u8);
    let one = extraction("one", 11);
    store.add_rsks(&one, &[(user(1), Rsk::new(canary)), (user(2), rsk(2))]).await.unwrap();
    let everything = site.everything();
    assert!(contains(&everything, user(1).as_str().as_bytes()));
    for spelling in spellings(&canary) {
        assert!(!contains(&everything, &spelling));
    }
    site.tamper("UPDATE sealed_rows SET service = 'one 12'").await;
    for number in [1, 2] {
        let found = store.rsk(&extraction("one", 12), &user(number)).await;
        assert!(matches!(found, Err(StoreError::Damaged("rsks"))), "{found:?}");
    }
}
