//! Requests that are accepted once, and changes that are committed together.

use std::sync::Arc;

use skm::store::{Change, Condition, Delegate, Quota, Replay};

use crate::site::Site;
use crate::{NOW, alice, at, event, name, record, uri};

/// Nobody has a lock that batches take.
const NO_LOCK: &str = "SELECT NOT EXISTS (SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = database \
    WHERE datname = current_database() AND locktype = 'advisory')";

on_both! {
    of_64_equal_requests_one_is_fresh,
    a_request_is_remembered_until_it_expires,
    issues_are_counted_per_user_and_period,
    of_a_batch_each_change_stands_for_itself,
    a_batch_may_change_a_row_more_than_once,
    what_nobody_waits_for_is_made_or_not,
    a_batch_that_changes_nothing_keeps_no_lock,
}

async fn of_64_equal_requests_one_is_fresh(site: Site) {
    // Two stores, as two processes have them.
    let stores = [Arc::new(site.open().await), Arc::new(site.open().await)];
    let accept = |n: usize| {
        let store = stores[n % 2].clone();
        tokio::spawn(async move { store.accept(&[7; 32], at(NOW + 11), None, &event("race")).await.unwrap() })
    };
    let tasks: Vec<_> = (0..64).map(accept).collect();
    let mut fresh = 0;
    for task in tasks {
        match task.await.unwrap() {
            Replay::Fresh => fresh += 1,
            replay => assert_eq!(replay, Replay::Replayed),
        }
    }
    assert_eq!(fresh, 1);
    assert_eq!(stores[0].verify_audit().await.unwrap().entries, 1);
}

async fn a_request_is_remembered_until_it_expires(site: Site) {
    let store = site.open().await;
    let accept = async |key| store.accept(&[key; 32], at(NOW + 11), None, &event("request")).await.unwrap();
    store.hold(at(NOW + 1)).await.unwrap();
    assert_eq!(accept(1).await, Replay::Held);
    store.hold(at(NOW)).await.unwrap();
    assert_eq!(accept(1).await, Replay::Fresh);
    assert_eq!(accept(2).await, Replay::Fresh);
    assert_eq!(accept(1).await, Replay::Replayed);
    store.release(&[1; 32], &event("request")).await.unwrap();
    assert_eq!(accept(1).await, Replay::Fresh);
    store.prune_replays(at(NOW + 10)).await.unwrap();
    assert_eq!(accept(1).await, Replay::Replayed);
    store.prune_replays(at(NOW + 11)).await.unwrap();
    assert_eq!(accept(1).await, Replay::Fresh);
}

async fn issues_are_counted_per_user_and_period(site: Site) {
    let store = site.open().await;
    let accept = async |key, user, period, limit| {
        let quota = Quota { user: &uri(user), period, limit };
        store.accept(&[key; 32], at(NOW + 11), Some(quota), &event("issue")).await.unwrap()
    };
    assert_eq!(accept(1, "sip:alice@example.org", 5, 0).await, Replay::OverQuota);
    assert_eq!(accept(1, "sip:alice@example.org", 5, 2).await, Replay::Fresh);
    assert_eq!(accept(1, "sip:alice@example.org", 5, 2).await, Replay::Replayed, "a replay does not count");
    assert_eq!(accept(2, "sip:alice@example.org", 5, 2).await, Replay::Fresh);
    assert_eq!(accept(3, "sip:alice@example.org", 5, 2).await, Replay::OverQuota);
    assert_eq!(accept(3, "sip:alice@example.org", 6, 2).await, Replay::Fresh, "what is over the quota is forgotten");
    assert_eq!(accept(4, "sip:bob@example.org", 5, 2).await, Replay::Fresh);
    assert_eq!(accept(1, "sip:alice@example.org", 5, 2).await, Replay::Replayed, "a replay over the quota is one");
    assert_eq!(store.verify_audit().await.unwrap().entries, 4);
}

async fn of_a_batch_each_change_stands_for_itself(site: Site) {
    let store = site.open().await;
    let (service, other, alice) = (name("urn:example:fleet"), name("urn:example:other"), alice());
    let (log, fresh, replayed, over) = (event("log"), event("fresh"), event("replayed"), event("over"));
    let (put, conflict, nothing) = (event("put"), event("conflict"), event("nothing"));
    let (user, record) = (uri("sip:alice@example.org"), record("a"));
    let quota = || Some(Quota { user: &user, period: 5, limit: 1 });
    let expires = at(NOW + 11);
    // All are queued before the first is taken.
    let answers = tokio::join!(
        store.log(&log),
        store.accept(&[1; 32], expires, quota(), &fresh),
        store.accept(&[1; 32], expires, None, &replayed),
        store.accept(&[2; 32], expires, quota(), &over),
        store.put_record(&service, &alice, &record, Condition::Absent, &put),
        store.put_record(&service, &alice, &record, Condition::Absent, &conflict),
        store.delete_record(&other, &alice, Condition::Any, &nothing),
        store.set_blocked(&user, false, &nothing),
        store.remove_delegate("nobody", &user, &nothing),
        store.accept(&[2; 32], expires, None, &log),
    );
    answers.0.unwrap();
    assert_eq!(answers.1.unwrap(), Replay::Fresh);
    assert_eq!(answers.2.unwrap(), Replay::Replayed);
    assert_eq!(answers.3.unwrap(), Replay::OverQuota);
    assert!(matches!(answers.4.unwrap(), Change::Created(_)));
    assert_eq!(answers.5.unwrap(), Change::Conflict);
    assert_eq!(answers.6.unwrap(), Change::NotFound);
    assert!(!answers.7.unwrap());
    assert!(!answers.8.unwrap());
    assert_eq!(answers.9.unwrap(), Replay::Fresh, "what is over the quota is forgotten");
    let logged: Vec<_> = store.audit(0).await.unwrap().into_iter().map(|entry| entry.target).collect();
    assert_eq!(logged, ["log", "fresh", "put", "log"]);
    assert_eq!(store.verify_audit().await.unwrap().entries, 4);
}

async fn a_batch_may_change_a_row_more_than_once(site: Site) {
    let store = site.open().await;
    let (service, alice) = (name("urn:example:fleet"), alice());
    let (log, user) = (event("log"), uri("sip:alice@example.org"));
    let (a, b, expires) = (record("a"), record("b"), at(NOW + 11));
    let delegate = Delegate { principal: "dispatcher".into(), user: user.clone(), expires };
    store.accept(&[1; 32], expires, None, &log).await.unwrap();
    store.set_blocked(&user, true, &log).await.unwrap();
    // All are queued before the first is taken.
    let answers = tokio::join!(
        store.log(&log),
        store.release(&[1; 32], &log),
        store.accept(&[1; 32], expires, None, &log),
        store.accept(&[2; 32], expires, None, &log),
        store.release(&[2; 32], &log),
        store.set_blocked(&user, false, &log),
        store.set_blocked(&user, true, &log),
        store.put_record(&service, &alice, &a, Condition::Absent, &log),
        store.delete_record(&service, &alice, Condition::Present, &log),
        store.put_record(&service, &alice, &b, Condition::Absent, &log),
        store.add_delegate(&delegate, &log),
        store.remove_delegate("dispatcher", &user, &log),
    );
    assert_eq!((answers.2.unwrap(), answers.3.unwrap()), (Replay::Fresh, Replay::Fresh));
    assert!(answers.5.unwrap() && answers.6.unwrap() && answers.11.unwrap());
    assert_eq!(answers.8.unwrap(), Change::Deleted);
    let Change::Created(version) = answers.9.unwrap() else { panic!("not created") };
    assert_eq!(store.record(&service, &alice).await.unwrap(), Some((version, b)));
    assert_eq!(store.accept(&[1; 32], expires, None, &log).await.unwrap(), Replay::Replayed);
    assert_eq!(store.accept(&[2; 32], expires, None, &log).await.unwrap(), Replay::Fresh);
    assert!(store.is_blocked(&user).await.unwrap());
    assert_eq!(store.delegates().await.unwrap(), []);
    assert_eq!(store.verify_audit().await.unwrap().entries, 15);
}

async fn what_nobody_waits_for_is_made_or_not(site: Site) {
    let store = Arc::new(site.open().await);
    let accept = |n: u8| {
        let store = store.clone();
        tokio::spawn(async move { store.accept(&[n; 32], at(NOW + 11), None, &event("left")).await })
    };
    let tasks: Vec<_> = (0..100).map(accept).collect();
    tokio::task::yield_now().await;
    tasks.iter().for_each(|task| task.abort());
    let mut made = 0;
    for n in 0..100 {
        let again = store.accept(&[n; 32], at(NOW + 11), None, &event("again")).await.unwrap();
        made += u64::from(again == Replay::Replayed);
    }
    let entries = store.audit(0).await.unwrap();
    let left = entries.iter().filter(|entry| entry.target == "left").count() as u64;
    assert_eq!(left, made, "an entry for each that was made");
    assert_eq!(store.verify_audit().await.unwrap().entries, 100);
}

async fn a_batch_that_changes_nothing_keeps_no_lock(site: Site) {
    let store = site.open().await;
    for expected in [Replay::Fresh, Replay::Replayed] {
        assert_eq!(store.accept(&[1; 32], at(NOW + 11), None, &event("request")).await.unwrap(), expected);
    }
    // What another server does next, while this one has nothing to do.
    match site {
        Site::Sqlite(_) => site.tamper("BEGIN IMMEDIATE; COMMIT").await,
        Site::Postgres(..) => assert!(site.holds(NO_LOCK).await),
    }
    assert_eq!(store.accept(&[2; 32], at(NOW + 11), None, &event("request")).await.unwrap(), Replay::Fresh);
}
