//! A file, and a server that is killed while it writes to it.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;

use skm::store::{Replay, StoreError};

use crate::site::{Site, file};
use crate::{NOW, at, event};

/// Names the store to the process that is to be killed.
const STORE: &str = "SKM_TEST_STORE";

/// The requests that the killed process has accepted at least.
const ACCEPTED: usize = 300;

#[tokio::test]
async fn the_files_are_their_owners() {
    use std::os::unix::fs::PermissionsExt;
    let site = Site::sqlite();
    let store = site.open().await;
    let Site::Sqlite(directory) = &site else { panic!("not a file") };
    store.log(&event("mode")).await.unwrap();
    let modes = std::fs::read_dir(directory.path()).unwrap();
    let modes: Vec<_> = modes.map(|entry| entry.unwrap().metadata().unwrap().permissions().mode() & 0o777).collect();
    assert_eq!(modes, [0o600; 3], "database, WAL and its index");
}

#[tokio::test]
async fn a_file_that_is_not_in_its_place_is_not_used() {
    let site = Site::sqlite();
    let store = site.open().await;
    store.log(&event("before")).await.unwrap();
    let Site::Sqlite(directory) = &site else { panic!("not a file") };
    let (file, aside) = (file(directory), directory.path().join("aside"));
    std::fs::rename(&file, &aside).unwrap();
    for empty in [false, true] {
        if empty {
            std::fs::write(&file, "").unwrap();
        }
        assert!(matches!(store.log(&event("lost")).await, Err(StoreError::Database(_))), "{empty}");
        assert!(matches!(store.audit(0).await, Err(StoreError::Database(_))), "{empty}");
    }
    std::fs::rename(&aside, &file).unwrap();
    store.log(&event("after")).await.unwrap();
    assert_eq!(store.verify_audit().await.unwrap().entries, 2);
}

fn key(number: u32) -> [u8; 32] {
    let mut key = [0; 32];
    key[..4].copy_from_slice(&number.to_be_bytes());
    key
}

/// Accepts requests from many callers at once until it is killed, and says which.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by a_killed_process_loses_nothing"]
async fn accept_until_killed() {
    let url = std::env::var(STORE).unwrap();
    let secret = skm::seal::Secret::from_key(crate::KEY).unwrap();
    let store = Arc::new(skm::store::Store::open(&url, secret, "skms-1").await.unwrap());
    let caller = |first: u32| {
        let store = store.clone();
        tokio::spawn(async move {
            for number in (first..).step_by(64) {
                let accepted = store.accept(&key(number), at(NOW + 11), None, &event("accepted")).await.unwrap();
                assert_eq!(accepted, Replay::Fresh);
                // In one piece, and not held back.
                std::io::stdout().lock().write_all(format!("accepted {number}\n").as_bytes()).unwrap();
            }
        })
    };
    for task in (0..64).map(caller).collect::<Vec<_>>() {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn a_killed_process_loses_nothing() {
    let site = Site::sqlite();
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::accept_until_killed", "--ignored", "--nocapture"])
        .env(STORE, site.url())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
    let number = |line: String| line.rsplit_once("accepted ").map(|(_, number)| number.parse::<u32>().unwrap());
    let mut accepted: BTreeSet<u32> = lines.by_ref().filter_map(number).take(ACCEPTED).collect();
    assert_eq!(accepted.len(), ACCEPTED, "it stopped on its own");
    process.kill().unwrap();
    process.wait().unwrap();
    accepted.extend(lines.filter_map(number));

    let store = site.open().await;
    let entries = store.verify_audit().await.unwrap().entries;
    assert!(entries >= accepted.len() as u64);
    for &number in &accepted {
        let again = store.accept(&key(number), at(NOW + 11), None, &event("again")).await.unwrap();
        assert_eq!(again, Replay::Replayed, "{number}");
    }
    assert_eq!(store.verify_audit().await.unwrap().entries, entries);
}
