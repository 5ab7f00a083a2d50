//! Backups: what comes back, and what is refused.

use std::io::{self, Write};
use std::sync::LazyLock;
use std::time::Duration;

use getrandom::SysRng;
use mikey_sakke::eccsi::Ksak;
use mikey_sakke::km::Subject;
use mikey_sakke::sakke::MasterSecret;
use skm::seal::Secret;
use skm::store::{
    BackupError, Condition, Contents, Delegate, DomainChange, DomainKeys, Quota, Replay, Store, StoreError,
};

use crate::site::Site;
use crate::{KEY, NOW, alice, at, event, name, record, uri};

const HOLD: Duration = Duration::from_secs(11);

/// What is not to be found in a backup.
const CANARY: &str = "canary: the key material of a record";

/// Long enough for a chunk to end within it.
static LONG: LazyLock<String> = LazyLock::new(|| "0123456789abcdef".repeat(2500));

on_both! {
    everything_comes_back,
    a_backup_is_of_one_moment,
    requests_of_the_last_window_are_refused,
    a_store_that_is_not_empty_is_left_alone,
    an_empty_store_may_have_been_opened_before,
    a_store_that_was_sealed_again_is_not_written,
    what_was_changed_is_refused,
}

fn quota(limit: u32) -> (mikey_sakke::identity::Uri, u32) {
    (uri("sip:alice@example.org"), limit)
}

async fn issue(store: &Store, key: u8, at_time: u64, (user, limit): &(mikey_sakke::identity::Uri, u32)) -> Replay {
    let quota = Some(Quota { user, period: 1543, limit: *limit });
    let event = skm::audit::Event { time: at(at_time), ..event("issue") };
    store.accept(&[key; 32], at(at_time + 11), quota, &event).await.unwrap()
}

/// A store with something of everything, and a second server's audit log.
async fn full(site: &Site) -> (Store, DomainKeys) {
    let store = site.open().await;
    let service = name("urn:example:fleet");
    store.put_record(&service, &alice(), &record(CANARY), Condition::Any, &event("alice")).await.unwrap();
    for number in 0..8 {
        let client = Subject::Client(name(&format!("client {number}")));
        store.put_record(&service, &client, &record(&LONG), Condition::Any, &event("client")).await.unwrap();
    }
    let keys =
        DomainKeys { z: MasterSecret::generate(&mut SysRng).unwrap(), ksak: Ksak::generate(&mut SysRng).unwrap() };
    let change = DomainChange {
        keys: Some((name("urn:example:certificate"), keys.clone())),
        domain: Some((None, "{\"document\":\"ü\"}".into())),
        external: Some((None, "{}".into())),
    };
    assert!(store.change_domain(&change, &event("domain")).await.unwrap());
    let user = uri("sip:alice@example.org");
    let delegate = Delegate { principal: "urn:example:house".into(), user: user.clone(), expires: at(NOW + 9) };
    store.add_delegate(&delegate, &event("delegate")).await.unwrap();
    store.set_blocked(&uri("sip:eve@example.org"), true, &event("block")).await.unwrap();
    assert_eq!(issue(&store, 1, NOW, &quota(2)).await, Replay::Fresh);
    let period = skm::audit::Event { period: Some(1543), ..event("period") };
    let other = site.open_with(Secret::from_key(KEY).unwrap(), "skms-2").await.unwrap();
    other.log(&period).await.unwrap();
    (store, keys)
}

async fn backup(store: &Store) -> Vec<u8> {
    let mut octets = Vec::new();
    store.backup(&mut octets, &event("backup")).await.unwrap();
    octets
}

async fn restore_with(site: &Site, key: &str, backup: &[u8]) -> Result<Contents, BackupError> {
    Store::restore(&site.url(), Secret::from_key(key).unwrap(), "skms-1", backup, HOLD, &event("restore")).await
}

async fn restore(site: &Site, backup: &[u8]) -> Result<Contents, BackupError> {
    restore_with(site, KEY, backup).await
}

/// Empty stores: one of the same kind, and one of the other, where that is to be had.
async fn targets(site: &Site) -> Vec<Site> {
    let other = match site {
        Site::Sqlite(_) => Site::postgres().await,
        Site::Postgres(..) => Some(Site::sqlite()),
    };
    [Some(site.another().await), other].into_iter().flatten().collect()
}

async fn everything_comes_back(site: Site) {
    let (store, keys) = full(&site).await;
    let octets = backup(&store).await;
    for secret in [CANARY.as_bytes(), keys.z.to_octets().expose(), keys.ksak.to_octets().expose(), b"alice", b"fleet"] {
        assert!(!octets.windows(secret.len()).any(|window| window == secret));
    }
    for target in targets(&site).await {
        let contents = restore(&target, &octets).await.unwrap();
        assert_eq!((contents.time, contents.sealed_rows), (at(NOW), 12));
        let restored = target.open().await;
        let service = name("urn:example:fleet");
        let subjects = (0..8).map(|number| Subject::Client(name(&format!("client {number}"))));
        for subject in subjects.chain([alice(), Subject::Service]) {
            let [was, is] = [&store, &restored].map(|store| store.record(&service, &subject));
            assert_eq!(is.await.unwrap(), was.await.unwrap());
        }
        let found = restored.domain_keys(&name("urn:example:certificate")).await.unwrap().unwrap();
        assert_eq!(found.z.to_octets().expose(), keys.z.to_octets().expose());
        assert_eq!(found.ksak.to_octets().expose(), keys.ksak.to_octets().expose());
        assert_eq!(restored.domain().await.unwrap(), store.domain().await.unwrap());
        assert_eq!(restored.external().await.unwrap(), store.external().await.unwrap());
        assert_eq!(restored.delegates().await.unwrap(), store.delegates().await.unwrap());
        assert_eq!(restored.blocked().await.unwrap(), [uri("sip:eve@example.org")]);
        // One was issued before, and there are two.
        let later = NOW + HOLD.as_secs();
        assert_eq!(issue(&restored, 2, later, &quota(2)).await, Replay::Fresh);
        assert_eq!(issue(&restored, 3, later, &quota(2)).await, Replay::OverQuota);
        // The audit logs go on, that of the server which restored with the restoration.
        let (was, is) = (store.audit(0).await.unwrap(), restored.audit(0).await.unwrap());
        assert_eq!(is[..was.len()], was[..]);
        assert_eq!(was.last().unwrap().target, "backup");
        assert_eq!(is[was.len()].target, "restore");
        restored.verify_audit().await.unwrap();
        let other = target.open_with(Secret::from_key(KEY).unwrap(), "skms-2").await.unwrap();
        assert_eq!(other.audit(0).await.unwrap()[0].period, Some(1543));
        assert_eq!(other.verify_audit().await.unwrap().entries, 1);
    }
}

/// Calls something once something is written.
struct Meanwhile<'a, F>(&'a mut Vec<u8>, Option<F>);

impl<F: FnOnce()> Write for Meanwhile<'_, F> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if let Some(then) = self.1.take() {
            then();
        }
        self.0.write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Changes a store from a server of its own.
fn change(url: String) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Store::open(&url, Secret::from_key(KEY).unwrap(), "skms-1").await.unwrap();
        let service = name("urn:example:fleet");
        store.put_record(&service, &alice(), &record("later"), Condition::Present, &event("later")).await.unwrap();
        store.set_blocked(&uri("sip:late@example.org"), true, &event("later")).await.unwrap();
    });
}

async fn a_backup_is_of_one_moment(site: Site) {
    let (store, _) = full(&site).await;
    let mut octets = Vec::new();
    // Records and audit log as they were at the beginning, although both tables are read later.
    let url = site.url();
    let write = move || std::thread::spawn(|| change(url)).join().unwrap();
    store.backup(Meanwhile(&mut octets, Some(write)), &event("backup")).await.unwrap();
    assert!(store.is_blocked(&uri("sip:late@example.org")).await.unwrap());
    let target = site.another().await;
    restore(&target, &octets).await.unwrap();
    let restored = target.open().await;
    let found = restored.record(&name("urn:example:fleet"), &alice()).await.unwrap().unwrap();
    assert_eq!(found.1, record(CANARY));
    assert_eq!(restored.blocked().await.unwrap(), [uri("sip:eve@example.org")]);
    assert!(restored.audit(0).await.unwrap().iter().all(|entry| entry.target != "later"));
}

async fn requests_of_the_last_window_are_refused(site: Site) {
    let (store, _) = full(&site).await;
    let octets = backup(&store).await;
    let target = site.another().await;
    restore(&target, &octets).await.unwrap();
    let restored = target.open().await;
    let until = NOW + HOLD.as_secs();
    for (key, time) in [(1, NOW), (2, NOW), (2, NOW - 1000), (3, until - 1)] {
        assert_eq!(issue(&restored, key, time, &quota(9)).await, Replay::Held);
    }
    assert_eq!(issue(&restored, 3, until, &quota(9)).await, Replay::Fresh);
    // With a clock that went back since the backup, the wait counts from the backup.
    let target = site.another().await;
    let early = skm::audit::Event { time: at(NOW - 3600), ..event("restore") };
    let secret = Secret::from_key(KEY).unwrap();
    Store::restore(&target.url(), secret, "skms-1", &octets[..], HOLD, &early).await.unwrap();
    assert_eq!(issue(&target.open().await, 3, until - 1, &quota(9)).await, Replay::Held);
}

async fn a_store_that_is_not_empty_is_left_alone(site: Site) {
    let (store, _) = full(&site).await;
    let octets = backup(&store).await;
    // Itself as well.
    assert!(matches!(restore(&site, &octets).await, Err(BackupError::NotEmpty)));
    let target = site.another().await;
    target.open().await.log(&event("only")).await.unwrap();
    assert!(matches!(restore(&target, &octets).await, Err(BackupError::NotEmpty)));
    let kept = target.open().await;
    assert_eq!(kept.audit(0).await.unwrap().len(), 1);
    kept.verify_audit().await.unwrap();
    assert_eq!(kept.domain().await.unwrap(), None);
    // What was restored is not restored again.
    let target = site.another().await;
    restore(&target, &octets).await.unwrap();
    assert!(matches!(restore(&target, &octets).await, Err(BackupError::NotEmpty)));
}

async fn an_empty_store_may_have_been_opened_before(site: Site) {
    let (store, _) = full(&site).await;
    let octets = backup(&store).await;
    let target = site.another().await;
    let other = target.open_with(Secret::from_key(&"7".repeat(64)).unwrap(), "skms-3").await.unwrap();
    restore(&target, &octets).await.unwrap();
    assert_eq!(target.open().await.domain().await.unwrap(), store.domain().await.unwrap());
    // Whoever had it open does not take the new rows for damaged ones of its own.
    assert!(matches!(other.pulse().await, Err(StoreError::WrongKey)));
}

async fn a_store_that_was_sealed_again_is_not_written(site: Site) {
    let (store, _) = full(&site).await;
    site.tamper("UPDATE keyring SET key_id = '0000000000000000'").await;
    let mut octets = Vec::new();
    let made = store.backup(&mut octets, &event("backup")).await;
    assert!(matches!(made, Err(BackupError::Store(StoreError::WrongKey))), "{made:?}");
    assert!(octets.is_empty());
}

async fn what_was_changed_is_refused(site: Site) {
    const CHUNK: usize = 65_536 + 37;
    let (store, _) = full(&site).await;
    let good = backup(&store).await;
    let again = backup(&store).await;
    let header = |backup: &[u8]| 24 + u32::from_be_bytes(backup[20..24].try_into().unwrap()) as usize;
    let start = header(&good);
    assert!(good.len() > start + 4 * CHUNK, "several chunks");
    let with = |at: usize, octet: u8| {
        let mut changed = good.clone();
        changed[at] ^= octet;
        changed
    };
    let chunk = |number: usize| &good[start + number * CHUNK..start + (number + 1) * CHUNK];
    let joined = |parts: &[&[u8]]| parts.concat();
    let (first, rest) = (&good[..start], &good[start + 2 * CHUNK..]);
    let mut bad = vec![
        ("swapped", joined(&[first, chunk(1), chunk(0), rest])),
        ("repeated", joined(&[first, chunk(0), chunk(0), chunk(1), rest])),
        ("left out", joined(&[first, chunk(0), rest])),
        ("begun late", joined(&[first, chunk(1), rest])),
        ("appended", joined(&[&good, &[0]])),
        ("with another behind it", joined(&[&good, &good])),
        ("under another header", joined(&[&again[..header(&again)], &good[start..]])),
        ("with a chunk of another", joined(&[first, &again[header(&again)..][..CHUNK], chunk(1), rest])),
    ];
    let cuts = [start, start + 1, start + CHUNK - 1, start + CHUNK, start + 2 * CHUNK, good.len() - 1];
    bad.extend(cuts.map(|at| ("cut off", good[..at].to_vec())));
    // Format, key id, nonce, ciphertext and tag of the first chunk, and the last octet.
    let octets = [0, 1, 9, 21, 1000, CHUNK - 1].map(|at| start + at);
    bad.extend(octets.into_iter().chain([good.len() - 1]).map(|at| ("changed", with(at, 1))));
    // A digit of each member of the header.
    let json = String::from_utf8(good[24..start].to_vec()).unwrap();
    for member in ["time", "id", "key_id", "data_key", "salt", "audit_key"] {
        let at = json.find(&format!("\"{member}\":")).unwrap() + member.len() + 3;
        let at = at + json[at..].find(|digit: char| digit.is_ascii_hexdigit()).unwrap();
        let digit = if json.as_bytes()[at] == b'1' { b'2' } else { b'1' };
        bad.push(("with a changed header", with(24 + at, json.as_bytes()[at] ^ digit)));
    }
    bad.push(("with an endless header", joined(&[&good[..20], &[0xff; 4], &good[24..]])));
    let target = site.another().await;
    for (what, backup) in &bad {
        let refused = restore(&target, backup).await;
        // What the wrapping says of a data key that was changed is what it says to another key.
        assert!(matches!(refused, Err(BackupError::Damaged | BackupError::OtherKey)), "{what}: {refused:?}");
    }
    let refused = restore_with(&target, &"7".repeat(64), &good).await;
    assert!(matches!(refused, Err(BackupError::OtherKey)), "{refused:?}");
    for other in [&b""[..], b"SKM-S backup", b"SQLite format 3\0 and so on", &good[1..], &[0; 100]] {
        assert!(matches!(restore(&target, other).await, Err(BackupError::NotABackup)));
    }
    let newer = joined(&[&good[..16], &2_u32.to_be_bytes(), &good[20..]]);
    assert!(matches!(restore(&target, &newer).await, Err(BackupError::Newer)));
    for (schema, is_newer) in [("9", true), ("0", false)] {
        let changed = json.replacen("\"schema\":1", &format!("\"schema\":{schema}"), 1);
        let changed = joined(&[&good[..24], changed.as_bytes(), &good[start..]]);
        let refused = restore(&target, &changed).await;
        assert!(matches!(refused, Err(BackupError::Newer)) == is_newer, "{refused:?}");
        assert!(matches!(refused, Err(BackupError::Older)) != is_newer, "{refused:?}");
    }
    // None of them left anything behind.
    restore(&target, &good).await.unwrap();
}
