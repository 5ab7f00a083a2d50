//! The store on a real file.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use getrandom::SysRng;
use mikey_sakke::eccsi::Ksak;
use mikey_sakke::identity::Uri;
use mikey_sakke::km::record::Record;
use mikey_sakke::km::{Identifier, Payload, Subject};
use mikey_sakke::kms::Validity;
use mikey_sakke::sakke::MasterSecret;
use mikey_sakke::time::Timestamp;
use skm::audit::{Action, Event, Fault, Outcome};
use skm::seal::Secret;
use skm::store::{Change, Condition, Delegate, DomainKeys, Quota, Replay, Store, StoreError, Version};
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tempfile::TempDir;

const KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n";
const CANARY: &str = "canary: 8f0c1a6e, the key material of a record";
const NOW: u64 = 1_795_000_000;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix(seconds).unwrap()
}

fn uri(text: &str) -> Uri {
    Uri::parse(text).unwrap()
}

fn name(text: &str) -> Identifier {
    Identifier::new(text).unwrap()
}

fn alice() -> Subject {
    Subject::User(uri("sip:alice@example.org"))
}

fn event(target: &str) -> Event {
    Event {
        time: at(NOW),
        principal: "urn:example:operator".into(),
        action: Action::Provision,
        target: target.into(),
        period: None,
        outcome: Outcome::Done,
        request_id: "7".into(),
    }
}

fn record(payload: &str) -> Record {
    let validity = Validity { from: Some(at(NOW)), to: None };
    Record::new(uri("sip:alice@example.org"), Payload::new(payload).unwrap(), validity).unwrap()
}

fn file(directory: &TempDir) -> PathBuf {
    directory.path().join("skms.db")
}

async fn open_with(directory: &TempDir, secret: Secret, server: &str) -> Result<Store, StoreError> {
    Store::open(&format!("sqlite:{}", file(directory).display()), secret, server).await
}

async fn open(directory: &TempDir) -> Store {
    open_with(directory, Secret::from_key(KEY).unwrap(), "skms-1").await.unwrap()
}

/// Changes the database behind the store's back.
async fn tamper(directory: &TempDir, statements: &'static str) {
    let options = SqliteConnectOptions::new().filename(file(directory));
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql(statements).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn records_survive_a_restart() {
    let directory = TempDir::new().unwrap();
    let service = name("urn:example:fleet");
    let bounded = Validity { from: None, to: Some(at(NOW + 1)) };
    let other = Record::new(uri("sip:bob@example.org"), Payload::new("").unwrap(), bounded).unwrap();
    let client = Subject::Client(name("sip:alice@example.org"));
    let store = open(&directory).await;
    assert_eq!(store.record(&service, &alice()).await.unwrap(), None);
    let put = store.put_record(&service, &alice(), &record(CANARY), Condition::Any, &event("alice")).await;
    let Change::Created(version) = put.unwrap() else { panic!("not created") };
    // The same identifier of another kind is another record.
    let put = store.put_record(&service, &client, &other, Condition::Absent, &event("client")).await;
    assert!(matches!(put.unwrap(), Change::Created(_)));
    drop(store);

    let store = open(&directory).await;
    assert_eq!(store.record(&service, &alice()).await.unwrap(), Some((version, record(CANARY))));
    assert_eq!(store.record(&service, &client).await.unwrap().unwrap().1, other);
    assert_eq!(store.record(&service, &Subject::Service).await.unwrap(), None);
    assert_eq!(store.record(&name("urn:example:other"), &alice()).await.unwrap(), None);
}

#[tokio::test]
async fn the_files_are_their_owners() {
    use std::os::unix::fs::PermissionsExt;
    let directory = TempDir::new().unwrap();
    let store = open(&directory).await;
    store.log(&event("mode")).await.unwrap();
    let modes = std::fs::read_dir(directory.path()).unwrap();
    let modes: Vec<_> = modes.map(|entry| entry.unwrap().metadata().unwrap().permissions().mode() & 0o777).collect();
    assert_eq!(modes, [0o600; 3], "database, WAL and its index");
}

#[tokio::test]
async fn another_key_is_refused_at_the_door() {
    let directory = TempDir::new().unwrap();
    drop(open(&directory).await);
    let other = Secret::from_key(&"0".repeat(64)).unwrap();
    assert!(matches!(open_with(&directory, other, "skms-1").await, Err(StoreError::WrongKey)));
}

#[tokio::test]
async fn a_passphrase_opens_what_it_sealed() {
    let directory = TempDir::new().unwrap();
    let secret = |text| Secret::from_passphrase(text).unwrap();
    let service = name("urn:example:fleet");
    let store = open_with(&directory, secret("correct horse battery"), "skms-1").await.unwrap();
    store.put_record(&service, &alice(), &record(CANARY), Condition::Any, &event("alice")).await.unwrap();
    drop(store);
    let store = open_with(&directory, secret("correct horse battery\n"), "skms-1").await.unwrap();
    assert_eq!(store.record(&service, &alice()).await.unwrap().unwrap().1, record(CANARY));
    let other = open_with(&directory, secret("correct horse batterz"), "skms-1").await;
    assert!(matches!(other, Err(StoreError::WrongKey)));
}

#[tokio::test]
async fn urls_without_a_back_end_are_refused() {
    for url in ["", "sqlite:", "sqlite://", "sqlite::memory:", "sqlite:a.db?mode=memory", "mysql://host/skm", "a.db"] {
        let opened = Store::open(url, Secret::from_key(KEY).unwrap(), "skms-1").await;
        assert!(matches!(opened, Err(StoreError::Url)), "{url}");
    }
}

#[tokio::test]
async fn a_row_opens_in_its_place_alone() {
    let swaps = [
        // Rows under each other's identifier.
        "UPDATE sealed_rows SET id = 'x' WHERE id = 'sip:alice@example.org';
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
        let directory = TempDir::new().unwrap();
        let store = open(&directory).await;
        let service = name("urn:example:fleet");
        for subject in [&alice(), &Subject::User(uri("sip:bob@example.org"))] {
            let payload = record(subject.value());
            store.put_record(&service, subject, &payload, Condition::Any, &event("user")).await.unwrap();
        }
        tamper(&directory, swap).await;
        let found = store.record(&service, &alice()).await;
        assert!(matches!(found, Err(StoreError::Damaged("records"))), "{swap}: {found:?}");
    }
}

#[tokio::test]
async fn an_old_value_does_not_open_under_a_new_version() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).await;
    let service = name("urn:example:fleet");
    store.put_record(&service, &alice(), &record("old"), Condition::Any, &event("old")).await.unwrap();
    tamper(&directory, "CREATE TABLE kept AS SELECT sealed FROM sealed_rows;").await;
    store.put_record(&service, &alice(), &record("new"), Condition::Any, &event("new")).await.unwrap();
    tamper(&directory, "UPDATE sealed_rows SET sealed = (SELECT sealed FROM kept);").await;
    assert!(matches!(store.record(&service, &alice()).await, Err(StoreError::Damaged("records"))));
}

/// What a secret may look like in a file: its octets, hexadecimal, and base64 at each of its three phases.
fn spellings(secret: &[u8]) -> Vec<Vec<u8>> {
    let bases = (0..3).flat_map(|phase| {
        let part = &secret[phase..phase + 15];
        [BASE64_STANDARD.encode(part), BASE64_URL_SAFE_NO_PAD.encode(part)]
    });
    let texts = bases.chain([hex::encode(&secret[..16]), hex::encode_upper(&secret[..16])]);
    texts.map(String::into_bytes).chain([secret[..16].to_vec()]).collect()
}

#[tokio::test]
async fn no_secret_is_in_the_files() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).await;
    let z = MasterSecret::generate(&mut SysRng).unwrap();
    let keys = DomainKeys { z, ksak: Ksak::generate(&mut SysRng).unwrap() };
    let service = name("urn:example:fleet");
    store.put_record(&service, &alice(), &record(CANARY), Condition::Any, &event("in the log")).await.unwrap();
    let added = store.add_domain_keys(&name("2026"), &keys, &event("domain")).await.unwrap();
    assert!(matches!(added, Change::Created(_)));
    assert_eq!(store.add_domain_keys(&name("2026"), &keys, &event("domain")).await.unwrap(), Change::Conflict);
    let found = store.domain_keys(&name("2026")).await.unwrap().unwrap();
    let (z, ksak) = (keys.z.to_octets(), keys.ksak.to_octets());
    assert_eq!(found.z.to_octets().expose(), z.expose());
    assert_eq!(found.ksak.to_octets().expose(), ksak.expose());

    // First in the WAL, then in the database.
    let seal_key = hex::decode(KEY.trim()).unwrap();
    for statements in ["SELECT 1", "PRAGMA wal_checkpoint(TRUNCATE)"] {
        tamper(&directory, statements).await;
        let files = std::fs::read_dir(directory.path()).unwrap();
        let files: Vec<u8> = files.flat_map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect();
        let contains = |octets: &[u8]| files.windows(octets.len()).any(|window| window == octets);
        // The search finds what is there.
        assert!(contains(b"in the log"));
        for secret in [CANARY.as_bytes(), z.expose(), ksak.expose(), &seal_key] {
            for spelling in spellings(secret) {
                assert!(!contains(&spelling), "{}", String::from_utf8_lossy(&spelling));
            }
        }
    }
}

#[tokio::test]
async fn a_condition_holds_or_nothing_happens() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).await;
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

#[test]
fn other_entity_tags_are_no_versions() {
    let bad = ["", "\"", "\"\"", "*", "0123456789abcdef", "W/\"0123456789abcdef\"", "\"0123456789ABCDEF\""];
    let worse = ["\"+123456789abcdef\"", "\"0123456789abcde\"", "\"0123456789abcdef0\"", "\"0123456789abcdé\""];
    for etag in bad.into_iter().chain(worse) {
        assert_eq!(Version::from_etag(etag), None, "{etag}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_concurrent_updates_one_wins() {
    let directory = TempDir::new().unwrap();
    let store = Arc::new(open(&directory).await);
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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_equal_requests_one_is_fresh() {
    let directory = TempDir::new().unwrap();
    // Two stores over one file, as two processes have it.
    let stores = [Arc::new(open(&directory).await), Arc::new(open(&directory).await)];
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

#[tokio::test]
async fn a_request_is_remembered_until_it_expires() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).await;
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

#[tokio::test]
async fn issues_are_counted_per_user_and_period() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).await;
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

#[tokio::test]
async fn delegates_and_blocks_are_exact() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).await;
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
    assert!(!store.is_blocked(&other).await.unwrap());
    assert!(store.set_blocked(&alice, false, &event("block")).await.unwrap());
    assert!(!store.is_blocked(&alice).await.unwrap());
    assert_eq!(store.verify_audit().await.unwrap().entries, 4);
}

#[tokio::test]
async fn nobody_else_writes_the_document_of_the_domain() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).await;
    assert_eq!(store.domain().await.unwrap(), None);
    let put = store.put_domain("{}", Condition::Absent, &event("domain")).await.unwrap();
    let Change::Created(version) = put else { panic!("not created") };
    assert_eq!(store.domain().await.unwrap(), Some((version, "{}".into())));
    tamper(&directory, "UPDATE sealed_rows SET sealed = CAST('{}' AS BLOB)").await;
    assert!(matches!(store.domain().await, Err(StoreError::Damaged("domain"))));
}

async fn logged(directory: &TempDir) -> Store {
    let store = open(directory).await;
    for n in 1..=5 {
        store.log(&Event { period: Some(n), ..event(&format!("target {n}")) }).await.unwrap();
    }
    store
}

#[tokio::test]
async fn tampering_with_the_audit_log_is_found() {
    let cases = [
        ("UPDATE audit SET target = 'target 9' WHERE sequence = 3", Fault::Changed(3)),
        ("UPDATE audit SET time = time + 1 WHERE sequence = 3", Fault::Changed(3)),
        ("UPDATE audit SET principal = 'x' WHERE sequence = 3", Fault::Changed(3)),
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
        let directory = TempDir::new().unwrap();
        let store = logged(&directory).await;
        assert_eq!(store.verify_audit().await.unwrap().entries, 5);
        tamper(&directory, statements).await;
        match store.verify_audit().await {
            Err(StoreError::Audit(found)) => assert_eq!(found, fault, "{statements}"),
            other => panic!("{statements}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn servers_have_chains_of_their_own() {
    let directory = TempDir::new().unwrap();
    let store = logged(&directory).await;
    let other = open_with(&directory, Secret::from_key(KEY).unwrap(), "skms-2").await.unwrap();
    assert_eq!(other.verify_audit().await.unwrap().entries, 0);
    other.log(&event("other")).await.unwrap();
    assert_eq!(other.verify_audit().await.unwrap().entries, 1);
    assert_eq!(store.verify_audit().await.unwrap().entries, 5);
    assert_eq!(store.audit(3).await.unwrap().len(), 2);
    // The entries of one server do not pass for those of another.
    tamper(
        &directory,
        "DELETE FROM audit WHERE server = 'skms-2'; DELETE FROM audit_heads WHERE server = 'skms-2'; \
         UPDATE audit SET server = 'skms-2'; UPDATE audit_heads SET server = 'skms-2'",
    )
    .await;
    assert!(matches!(other.verify_audit().await, Err(StoreError::Audit(Fault::Changed(1)))));
}

#[tokio::test]
async fn a_log_of_several_pages_verifies() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).await;
    for n in 1..=1001 {
        store.log(&event(&n.to_string())).await.unwrap();
    }
    assert_eq!(store.verify_audit().await.unwrap().entries, 1001);
    tamper(&directory, "UPDATE audit SET target = 'x' WHERE sequence = 1001").await;
    assert!(matches!(store.verify_audit().await, Err(StoreError::Audit(Fault::Changed(1001)))));
}

#[tokio::test]
async fn what_cannot_be_logged_is_not_done() {
    let directory = TempDir::new().unwrap();
    let store = logged(&directory).await;
    tamper(&directory, "UPDATE audit_heads SET sequence = 4").await;
    assert!(matches!(store.log(&event("next")).await, Err(StoreError::Audit(Fault::Head))));
    assert!(matches!(store.accept(&[1; 32], at(NOW), None, &event("next")).await, Err(StoreError::Audit(Fault::Head))));
    tamper(&directory, "UPDATE audit_heads SET sequence = 5").await;
    assert_eq!(store.accept(&[1; 32], at(NOW), None, &event("next")).await.unwrap(), Replay::Fresh);
}
