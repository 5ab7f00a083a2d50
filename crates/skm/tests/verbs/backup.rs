//! `skms backup` and `skms restore`

use std::fs;

use super::{Trial, mode};

const EVE: &str = "sip:eve@example.org";

/// A trial with master secrets and a user who is blocked.
fn house() -> Trial {
    let trial = Trial::new();
    super::export::found(&trial);
    trial.run(&["block", EVE]).done();
    trial
}

/// The same trial with an empty store.
fn emptied(trial: &Trial) {
    for name in ["skms.db", "skms.db-wal", "skms.db-shm"] {
        let _ = fs::remove_file(trial.path(name));
    }
}

fn run(trial: &Trial, verb: &str, name: &str) -> super::Run {
    trial.run(&[verb, trial.path(name).to_str().unwrap()])
}

#[test]
fn a_store_comes_back_from_its_backup() {
    let trial = house();
    let shown = trial.run(&["domain", "show"]).done();
    let out = run(&trial, "backup", "a.backup").done();
    assert!(out.contains("a.backup: 3 sealed rows, 3 entries of the audit log"), "{out}");
    assert_eq!(mode(&trial.path("a.backup")), 0o600);
    trial.run(&["unblock", EVE]).done();

    emptied(&trial);
    let out = run(&trial, "restore", "a.backup").done();
    for says in ["skms.db: 3 sealed rows", "blocks included", "refused for 11 s", "skms audit verify"] {
        assert!(out.contains(says), "{says}: {out}");
    }
    assert_eq!(trial.run(&["domain", "show"]).done(), shown);
    assert!(trial.run(&["block", EVE]).done().contains("was blocked already"));
    trial.run(&["audit", "verify"]).done();
    let log = trial.run(&["audit", "list"]).done();
    let backup = format!("done: backup {}", trial.path("a.backup").display());
    let restore = format!("done: restore {}", trial.path("a.backup").display());
    let lines: Vec<_> = log.lines().collect();
    assert!(lines[2].contains(&backup) && lines[3].contains(&restore) && lines.len() == 4, "{log}");
}

#[test]
fn a_backup_replaces_no_file_and_is_whole_or_not_there() {
    let trial = house();
    run(&trial, "backup", "a.backup").done();
    let first = fs::read(trial.path("a.backup")).unwrap();
    run(&trial, "backup", "a.backup").fails(1, &["a.backup exists already"]);
    assert_eq!(fs::read(trial.path("a.backup")).unwrap(), first);
    std::os::unix::fs::symlink(trial.path("nowhere"), trial.path("link")).unwrap();
    run(&trial, "backup", "link").fails(1, &["link exists already"]);
    run(&trial, "backup", "none/b.backup").fails(1, &["none/b.backup: no backup was made"]);
    let log = trial.run(&["audit", "list"]).done();
    assert!(log.lines().last().unwrap().contains("failed: backup "), "{log}");
    let left = fs::read_dir(trial.directory.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(!left.into_iter().any(|name| name.to_string_lossy().ends_with(".draft")));
}

#[test]
fn a_backup_of_nothing_is_none() {
    // As when the configuration names another file than that of the server.
    let trial = Trial::new();
    run(&trial, "backup", "a.backup").fails(1, &["there is nothing in store sqlite:", "is store.url right?"]);
    assert!(!trial.path("a.backup").exists());
}

#[test]
fn what_does_not_belong_here_is_not_restored() {
    let trial = house();
    run(&trial, "backup", "a.backup").done();
    run(&trial, "restore", "a.backup").fails(1, &["store sqlite:", "skms.db", "is not empty"]);
    trial.run(&["unblock", EVE]).done();
    emptied(&trial);
    let whole = fs::read(trial.path("a.backup")).unwrap();
    fs::write(trial.path("cut.backup"), &whole[..whole.len() - 1]).unwrap();
    run(&trial, "restore", "cut.backup").fails(1, &["cut.backup: the backup was damaged or cut off"]);
    run(&trial, "restore", "seal.key").fails(1, &["seal.key: not a backup"]);
    run(&trial, "restore", "none.backup").fails(1, &["cannot read", "none.backup"]);
    let key = trial.text("seal.key");
    trial.write("seal.key", &"5a".repeat(32));
    // Nothing has made the store anew with that key meanwhile.
    emptied(&trial);
    run(&trial, "restore", "a.backup").fails(2, &["a.backup: the backup opens with another sealing key"]);
    trial.write("seal.key", &key);
    run(&trial, "restore", "a.backup").done();
    trial.run(&["audit", "verify"]).done();
}
