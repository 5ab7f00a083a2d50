//! The audit log, and those who tamper with it.

use skm::audit::{Event, Fault};
use skm::seal::Secret;
use skm::store::{Replay, Store, StoreError};

use crate::site::Site;
use crate::{KEY, NOW, at, event};

on_both! {
    tampering_with_the_audit_log_is_found,
    servers_have_chains_of_their_own,
    a_log_of_several_pages_verifies,
    control_characters_are_not_logged,
    what_cannot_be_logged_is_not_done,
}

async fn logged(site: &Site) -> Store {
    let store = site.open().await;
    for n in 1..=5 {
        store.log(&Event { period: Some(n), ..event(&format!("target {n}")) }).await.unwrap();
    }
    store
}

async fn tampering_with_the_audit_log_is_found(site: Site) {
    let cases = [
        ("UPDATE audit SET target = 'target 9' WHERE sequence = 3", Fault::Changed(3)),
        ("UPDATE audit SET time = time + 1 WHERE sequence = 3", Fault::Changed(3)),
        ("UPDATE audit SET principal = 'z' WHERE sequence = 3", Fault::Changed(3)),
        ("UPDATE audit SET action = 'block' WHERE sequence = 3", Fault::Changed(3)),
        ("UPDATE audit SET period = NULL WHERE sequence = 3", Fault::Changed(3)),
        ("UPDATE audit SET outcome = 'refused' WHERE sequence = 3", Fault::Changed(3)),
        ("UPDATE audit SET request_id = '8' WHERE sequence = 3", Fault::Changed(3)),
        ("UPDATE audit SET mac = x'00' WHERE sequence = 5", Fault::Changed(5)),
        ("UPDATE audit SET principal = principal || 'p', action = 'rovision' WHERE sequence = 1", Fault::Changed(1)),
        ("DELETE FROM audit WHERE sequence = 1", Fault::Missing(1)),
        ("DELETE FROM audit WHERE sequence = 3", Fault::Missing(3)),
        ("DELETE FROM audit WHERE sequence = 5", Fault::Missing(5)),
        ("DELETE FROM audit", Fault::Missing(1)),
        ("UPDATE audit SET server = 'skms-2'", Fault::Missing(1)),
        // Two entries in each other's place.
        (
            "UPDATE audit SET sequence = -1 WHERE sequence = 2; UPDATE audit SET sequence = 2 WHERE sequence = 3; \
             UPDATE audit SET sequence = 3 WHERE sequence = -1",
            Fault::Changed(2),
        ),
        // One removed, and the next in its place.
        ("DELETE FROM audit WHERE sequence = 4; UPDATE audit SET sequence = 4 WHERE sequence = 5", Fault::Changed(4)),
        // The last one removed, and the head set back.
        (
            "DELETE FROM audit WHERE sequence = 5; \
             UPDATE audit_heads SET sequence = 4, mac = (SELECT mac FROM audit WHERE sequence = 4)",
            Fault::Head,
        ),
        ("DELETE FROM audit_heads", Fault::Head),
    ];
    for (statements, fault) in cases {
        let site = site.another().await;
        let store = logged(&site).await;
        assert_eq!(store.verify_audit().await.unwrap().entries, 5);
        site.tamper(statements).await;
        match store.verify_audit().await {
            Err(StoreError::Audit(found)) => assert_eq!(found, fault, "{statements}"),
            other => panic!("{statements}: {other:?}"),
        }
    }
}

async fn servers_have_chains_of_their_own(site: Site) {
    let store = logged(&site).await;
    let other = site.open_with(Secret::from_key(KEY).unwrap(), "skms-2").await.unwrap();
    assert_eq!(other.verify_audit().await.unwrap().entries, 0);
    other.log(&event("other")).await.unwrap();
    assert_eq!(other.verify_audit().await.unwrap().entries, 1);
    assert_eq!(store.verify_audit().await.unwrap().entries, 5);
    assert_eq!(store.audit(3).await.unwrap().len(), 2);
    // The entries of one server do not pass for those of another.
    site.tamper(
        "DELETE FROM audit WHERE server = 'skms-2'; DELETE FROM audit_heads WHERE server = 'skms-2'; \
         UPDATE audit SET server = 'skms-2'; UPDATE audit_heads SET server = 'skms-2'",
    )
    .await;
    assert!(matches!(other.verify_audit().await, Err(StoreError::Audit(Fault::Changed(1)))));
}

async fn a_log_of_several_pages_verifies(site: Site) {
    let store = site.open().await;
    for n in 1..=1001 {
        store.log(&event(&n.to_string())).await.unwrap();
    }
    assert_eq!(store.verify_audit().await.unwrap().entries, 1001);
    site.tamper("UPDATE audit SET target = 'z' WHERE sequence = 1001").await;
    assert!(matches!(store.verify_audit().await, Err(StoreError::Audit(Fault::Changed(1001)))));
}

async fn what_cannot_be_logged_is_not_done(site: Site) {
    let store = logged(&site).await;
    site.tamper("UPDATE audit_heads SET sequence = 4").await;
    assert!(matches!(store.log(&event("next")).await, Err(StoreError::Audit(Fault::Head))));
    assert!(matches!(store.accept(&[1; 32], at(NOW), None, &event("next")).await, Err(StoreError::Audit(Fault::Head))));
    site.tamper("UPDATE audit_heads SET sequence = 5").await;
    assert_eq!(store.accept(&[1; 32], at(NOW), None, &event("next")).await.unwrap(), Replay::Fresh);
}

async fn control_characters_are_not_logged(site: Site) {
    let store = site.open().await;
    let event = Event { principal: "a\0b".into(), request_id: "\u{1b}[2J".into(), ..event("line\nline") };
    store.log(&event).await.unwrap();
    let [entry] = &store.audit(0).await.unwrap()[..] else { panic!("not one entry") };
    assert_eq!([&*entry.principal, &*entry.target, &*entry.request_id], ["a\\u{0}b", "line\\u{a}line", "\\u{1b}[2J"]);
    assert_eq!(store.verify_audit().await.unwrap().entries, 1);
}
