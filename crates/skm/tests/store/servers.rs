//! Several servers on one database: stores of different names, which race.

use std::collections::BTreeMap;
use std::sync::Arc;

use skm::audit::Fault;
use skm::seal::Secret;
use skm::store::{Change, Condition, Quota, Replay, Store, StoreError};
use sqlx::{Connection, PgConnection};
use tokio::task::JoinHandle;

use crate::site::Site;
use crate::{KEY, NOW, alice, at, event, name, record, uri};

on_both! {
    of_equal_requests_at_two_servers_one_is_fresh,
    a_quota_is_for_all_servers,
    what_is_over_the_quota_is_forgotten,
    a_released_request_is_fresh_once,
    what_a_server_fails_to_commit_is_free,
    to_forget_stale_requests_gets_in_the_way_of_none,
    conditions_hold_for_all_servers,
    a_hold_is_for_all_servers,
    a_store_with_another_key_by_now_is_refused,
}

async fn servers(site: &Site) -> [Arc<Store>; 2] {
    let open = async |server| Arc::new(site.open_with(Secret::from_key(KEY).unwrap(), server).await.unwrap());
    [open("skms-1").await, open("skms-2").await]
}

fn key(number: u32) -> [u8; 32] {
    let mut key = [0; 32];
    // Neighbours lie far apart.
    key[..4].copy_from_slice(&number.wrapping_mul(0x9e37_79b9).to_be_bytes());
    key
}

type Accepted = JoinHandle<Result<Replay, StoreError>>;

fn accept(store: &Arc<Store>, key: [u8; 32], quota: Option<(&str, u32)>) -> Accepted {
    let (store, quota) = (store.clone(), quota.map(|(user, limit)| (uri(user), limit)));
    tokio::spawn(async move {
        let quota = quota.as_ref().map(|(user, limit)| Quota { user, period: 5, limit: *limit });
        store.accept(&key, at(NOW + 11), quota, &event("request")).await
    })
}

/// Each server logged what it accepted.
async fn check_audit(servers: &[Arc<Store>; 2], expected: u64) {
    let [a, b] = servers;
    let entries = a.verify_audit().await.unwrap().entries + b.verify_audit().await.unwrap().entries;
    assert_eq!(entries, expected);
}

async fn of_equal_requests_at_two_servers_one_is_fresh(site: Site) {
    const KEYS: u32 = 300;
    let servers = servers(&site).await;
    let mut tasks = Vec::new();
    for number in 0..KEYS {
        // In different orders, so that the batches of both have what the others have in part, and in another order.
        tasks.push((number, accept(&servers[0], key(number), None)));
        tasks.push((KEYS - 1 - number, accept(&servers[1], key(KEYS - 1 - number), None)));
        tasks.push((number / 2, accept(&servers[1], key(number / 2), None)));
    }
    let mut fresh = BTreeMap::new();
    for (number, task) in tasks {
        match task.await.unwrap().unwrap() {
            Replay::Fresh => *fresh.entry(number).or_insert(0) += 1,
            replay => assert_eq!(replay, Replay::Replayed),
        }
    }
    assert_eq!(fresh, (0..KEYS).map(|number| (number, 1)).collect());
    check_audit(&servers, KEYS.into()).await;
}

async fn a_quota_is_for_all_servers(site: Site) {
    const USERS: [&str; 3] = ["sip:alice@example.org", "sip:bob@example.org", "sip:carol@example.org"];
    let servers = servers(&site).await;
    let mut tasks = Vec::new();
    for number in 0..180 {
        let (server, user) = (number as usize % 2, number as usize / 2 % 3);
        // One server has the users in another order than the other.
        let user = if server == 0 { user } else { 2 - user };
        tasks.push((user, accept(&servers[server], key(number), Some((USERS[user], 10)))));
    }
    let mut fresh = [0; 3];
    for (user, task) in tasks {
        match task.await.unwrap().unwrap() {
            Replay::Fresh => fresh[user] += 1,
            replay => assert_eq!(replay, Replay::OverQuota),
        }
    }
    assert_eq!(fresh, [10; 3]);
    assert!(site.holds("SELECT COUNT(*) = 3 AND MIN(count) = 10 AND MAX(count) = 10 FROM issues").await);
    assert!(site.holds("SELECT COUNT(*) = 30 FROM replays").await);
    check_audit(&servers, 30).await;
}

async fn what_is_over_the_quota_is_forgotten(site: Site) {
    let servers = servers(&site).await;
    let (log, alice) = (event("log"), uri("sip:alice@example.org"));
    let none = || Some(Quota { user: &alice, period: 5, limit: 0 });
    let one = || Some(Quota { user: &alice, period: 6, limit: 1 });
    let expires = at(NOW + 11);
    let (store, [first, second, third]) = (&servers[0], [1, 2, 3].map(key));
    // One batch, of which the first and the third claim what they do not get.
    let answers = tokio::join!(
        store.log(&log),
        store.accept(&first, expires, none(), &log),
        store.accept(&second, expires, one(), &log),
        store.accept(&third, expires, one(), &log),
        store.accept(&second, expires, one(), &log),
        store.accept(&third, at(NOW + 12), None, &log),
    );
    answers.0.unwrap();
    assert_eq!(answers.1.unwrap(), Replay::OverQuota);
    assert_eq!(answers.2.unwrap(), Replay::Fresh);
    assert_eq!(answers.3.unwrap(), Replay::OverQuota);
    assert_eq!(answers.4.unwrap(), Replay::Replayed);
    assert_eq!(answers.5.unwrap(), Replay::Fresh);
    // Nothing is left of what was refused: no key, no count, no user.
    let expected =
        format!("SELECT COUNT(*) = 2 AND MIN(expires) = {0} AND MAX(expires) = {0} + 1 FROM replays", NOW + 11);
    assert!(site.holds(&expected).await);
    assert!(site.holds("SELECT COUNT(*) = 1 AND MIN(period) = 6 AND MIN(count) = 1 FROM issues").await);
    assert_eq!(accept(&servers[1], key(1), None).await.unwrap().unwrap(), Replay::Fresh);
    check_audit(&servers, 4).await;
}

async fn a_released_request_is_fresh_once(site: Site) {
    let servers = servers(&site).await;
    let mut accepted = 0;
    for number in 0..30 {
        let [a, b] = &servers;
        assert_eq!(accept(a, key(number), None).await.unwrap().unwrap(), Replay::Fresh);
        let released = tokio::spawn({
            let a = a.clone();
            async move { a.release(&key(number), &event("released")).await }
        });
        let raced = [accept(b, key(number), None), accept(a, key(number), None), accept(b, key(number), None)];
        let mut fresh = 0;
        for task in raced {
            fresh += usize::from(task.await.unwrap().unwrap() == Replay::Fresh);
        }
        released.await.unwrap().unwrap();
        fresh += usize::from(accept(b, key(number), None).await.unwrap().unwrap() == Replay::Fresh);
        assert_eq!(fresh, 1, "after it was released, once");
        accepted += 3;
    }
    check_audit(&servers, accepted).await;
}

async fn what_a_server_fails_to_commit_is_free(site: Site) {
    let servers = servers(&site).await;
    servers[0].log(&event("before")).await.unwrap();
    // So that what it claims is rolled back.
    site.tamper("UPDATE audit_heads SET sequence = 7 WHERE server = 'skms-1'").await;
    let user = "sip:alice@example.org";
    let broken = accept(&servers[0], key(0), Some((user, 100))).await.unwrap();
    assert!(matches!(broken, Err(StoreError::Audit(Fault::Head))), "{broken:?}");
    let attempt = |number| [0, 1].map(|n| accept(&servers[n], key(number), Some((user, 100))));
    for [broken, sound] in (0..100).map(attempt).collect::<Vec<_>>() {
        // Where the sound server was first there is nothing to commit.
        let broken = broken.await.unwrap();
        assert!(matches!(broken, Err(StoreError::Audit(Fault::Head)) | Ok(Replay::Replayed)), "{broken:?}");
        assert_eq!(sound.await.unwrap().unwrap(), Replay::Fresh);
    }
    assert_eq!(accept(&servers[1], key(100), Some((user, 100))).await.unwrap().unwrap(), Replay::OverQuota);
    assert_eq!(servers[1].verify_audit().await.unwrap().entries, 100);
}

async fn to_forget_stale_requests_gets_in_the_way_of_none(site: Site) {
    const KEYS: u32 = 1500;
    let servers = servers(&site).await;
    let stale = async |store: Arc<Store>| {
        for _ in 0..20 {
            store.prune_replays(at(NOW + 11)).await.unwrap();
        }
    };
    let forget: Vec<_> = servers.iter().map(|store| tokio::spawn(stale(store.clone()))).collect();
    let tasks: Vec<_> = (0..KEYS).map(|number| accept(&servers[number as usize % 2], key(number), None)).collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap(), Replay::Fresh);
    }
    for task in forget {
        task.await.unwrap();
    }
    servers[0].prune_replays(at(NOW + 11)).await.unwrap();
    assert!(site.holds("SELECT COUNT(*) = 0 FROM replays").await, "more than are forgotten at once");
    check_audit(&servers, KEYS.into()).await;
}

async fn conditions_hold_for_all_servers(site: Site) {
    let servers = servers(&site).await;
    let service = name("urn:example:fleet");
    let put = servers[0].put_record(&service, &alice(), &record("0"), Condition::Any, &event("first")).await.unwrap();
    let Change::Created(version) = put else { panic!("not created") };
    let update = |n: usize| {
        let (store, service) = (servers[n % 2].clone(), service.clone());
        tokio::spawn(async move {
            let record = record(&format!("payload {n}"));
            store.put_record(&service, &alice(), &record, Condition::Is(version), &event("race")).await.unwrap()
        })
    };
    let mut updates = Vec::new();
    let mut requests = Vec::new();
    for n in 0..32 {
        updates.push(update(n));
        requests.push(accept(&servers[n / 2 % 2], key(n as u32), None));
    }
    let mut winners = Vec::new();
    for (n, task) in updates.into_iter().enumerate() {
        match task.await.unwrap() {
            Change::Replaced(version) => winners.push((n, version)),
            change => assert_eq!(change, Change::Conflict),
        }
    }
    for task in requests {
        assert_eq!(task.await.unwrap().unwrap(), Replay::Fresh);
    }
    let [(n, version)] = winners[..] else { panic!("{winners:?}") };
    let expected = Some((version, record(&format!("payload {n}"))));
    assert_eq!(servers[0].record(&service, &alice()).await.unwrap(), expected);
    assert_eq!(servers[1].record(&service, &alice()).await.unwrap(), expected);
    check_audit(&servers, 34).await;
}

async fn a_hold_is_for_all_servers(site: Site) {
    let servers = servers(&site).await;
    servers[0].hold(at(NOW + 1)).await.unwrap();
    let (log, expires, first) = (event("log"), at(NOW + 11), key(1));
    let held = tokio::join!(servers[1].log(&log), servers[1].accept(&first, expires, None, &log));
    held.0.unwrap();
    assert_eq!(held.1.unwrap(), Replay::Held);
    assert!(site.holds("SELECT COUNT(*) = 0 FROM replays").await);
    servers[0].hold(at(NOW)).await.unwrap();
    assert_eq!(accept(&servers[1], key(1), None).await.unwrap().unwrap(), Replay::Fresh);
    check_audit(&servers, 2).await;
}

async fn a_store_with_another_key_by_now_is_refused(site: Site) {
    let [store, _] = servers(&site).await;
    store.log(&event("before")).await.unwrap();
    site.tamper("UPDATE keyring SET key_id = 'another'").await;
    assert!(matches!(store.pulse().await, Err(StoreError::WrongKey)));
    assert!(matches!(store.log(&event("after")).await, Err(StoreError::WrongKey)));
    assert!(matches!(accept(&store, key(1), None).await.unwrap(), Err(StoreError::WrongKey)));
    let put = store.put_record(&name("fleet"), &alice(), &record("a"), Condition::Any, &event("after")).await;
    assert!(matches!(put, Err(StoreError::WrongKey)));
    assert!(site.holds("SELECT COUNT(*) = 0 FROM replays").await);
    assert_eq!(store.verify_audit().await.unwrap().entries, 1);
}

/// Waits until somebody waits for a lock in this database.
async fn somebody_waits(site: &Site) {
    const WAITS: &str = "SELECT EXISTS (SELECT FROM pg_stat_activity \
        WHERE datname = current_database() AND wait_event_type = 'Lock')";
    while !site.holds(WAITS).await {}
}

#[tokio::test]
async fn a_key_that_another_is_claiming_is_waited_for_and_no_other() {
    let Some(site) = Site::postgres().await else { return };
    let servers = servers(&site).await;
    for (number, (end, expected)) in [("COMMIT", Replay::Replayed), ("ROLLBACK", Replay::Fresh)].into_iter().enumerate()
    {
        let (number, mut other) = (3 * number as u32, PgConnection::connect(&site.url()).await.unwrap());
        let claim = format!(
            "BEGIN; SELECT pg_advisory_xact_lock_shared({BATCHES}); INSERT INTO replays VALUES ('\\x{}', 0)",
            hex::encode(key(number))
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(claim)).execute(&mut other).await.unwrap();
        let waiting = accept(&servers[0], key(number), None);
        somebody_waits(&site).await;
        assert_eq!(accept(&servers[1], key(number + 1), None).await.unwrap().unwrap(), Replay::Fresh);
        sqlx::raw_sql(end).execute(&mut other).await.unwrap();
        assert_eq!(waiting.await.unwrap().unwrap(), expected, "{end}");
    }
}

/// The lock that those share who accept requests.
const BATCHES: i64 = 0x53_4b_4d_2d_53;

#[tokio::test]
async fn who_changes_anything_else_waits_for_those_who_accept_requests() {
    let Some(site) = Site::postgres().await else { return };
    let [store, other] = servers(&site).await;
    let mut accepting = PgConnection::connect(&site.url()).await.unwrap();
    let share = format!("BEGIN; SELECT pg_advisory_xact_lock_shared({BATCHES})");
    sqlx::raw_sql(sqlx::AssertSqlSafe(share)).execute(&mut accepting).await.unwrap();
    assert_eq!(accept(&other, key(1), None).await.unwrap().unwrap(), Replay::Fresh, "a lock to share");
    let blocked = tokio::spawn({
        let store = store.clone();
        async move { store.set_blocked(&uri("sip:alice@example.org"), true, &event("block")).await }
    });
    somebody_waits(&site).await;
    assert_eq!(store.blocked().await.unwrap(), []);
    // What comes after it waits for it, so that it need not wait for ever.
    let behind = accept(&other, key(2), None);
    sqlx::raw_sql("COMMIT").execute(&mut accepting).await.unwrap();
    assert!(blocked.await.unwrap().unwrap());
    assert_eq!(behind.await.unwrap().unwrap(), Replay::Fresh);
}
