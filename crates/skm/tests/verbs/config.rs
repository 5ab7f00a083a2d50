//! `skms config check`, and what every verb says of a wrong configuration.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::{Trial, run, skms};

#[test]
fn a_configuration_that_is_not_there_is_named() {
    for verb in
        [&["config", "check"][..], &["migrate"], &["audit", "list"], &["token", "--client-id", "a", "--sub", "b"]]
    {
        let mut command = skms(verb.iter().copied());
        command.args(["--config", "/nowhere/skms.toml"]);
        run(command, "").fails(2, &["/nowhere/skms.toml: No such file", "--config FILE", "skms init"]);
    }
}

#[test]
fn the_default_is_in_the_working_directory() {
    let trial = Trial::new();
    let mut command = skms(["config", "check"]);
    command.current_dir(trial.directory.path());
    assert!(run(command, "").done().starts_with("skms.toml: in order"));
}

#[test]
fn a_fault_is_shown_with_file_and_line_or_with_its_variable() {
    let trial = Trial::new();
    let mut command = trial.command(&["config", "check"]);
    command.env("SKMS__LIMITS__REQUEST_BURST", "0");
    run(command, "").fails(2, &["environment variable SKMS__LIMITS__REQUEST_BURST", "must not be 0"]);
    trial.configure("user_key_offset = 0", "user_key_ofset = 0");
    let line = 1 + trial.text("skms.toml").lines().position(|line| line.starts_with("user_key_ofset")).unwrap();
    for verb in [["config", "check"], ["audit", "verify"]] {
        trial.run(&verb).fails(2, &["skms.toml", &format!("line {line}: "), "user_key_ofset"]);
    }
}

#[test]
fn every_file_that_is_wrong_is_named() {
    let trial = Trial::new();
    fs::remove_file(trial.path("server.pem")).unwrap();
    trial.write("jwks.json", "{}");
    fs::set_permissions(trial.path("seal.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let says =
        ["server.pem", "jwks.json: the key set is malformed", "seal.key: open to others (mode 0644)", "chmod 600"];
    trial.run(&["config", "check"]).fails(2, &says);
    trial.run(&["audit", "verify"]).fails(2, &["seal.key: open to others"]);
}

#[test]
fn the_key_of_another_certificate_is_refused() {
    let trial = Trial::new();
    trial.write("server.key", &trial.text("val-server.key"));
    trial.run(&["config", "check"]).fails(2, &["[tls]", "the certificate, its key or a root is refused"]);
    trial.write("server.key", "no key");
    trial.run(&["config", "check"]).fails(2, &["[tls]", "server.key"]);
}

#[test]
fn a_check_changes_nothing() {
    let trial = Trial::new();
    let count = || fs::read_dir(trial.directory.path()).unwrap().count();
    let before = count();
    trial.run(&["config", "check"]).done();
    assert_eq!(count(), before);
}

#[test]
fn the_sealing_key_may_stand_in_a_variable() {
    let trial = Trial::new();
    let key = trial.text("seal.key");
    trial.run(&["block", "sip:eve@example.org"]).done();
    let line = trial.text("skms.toml").lines().find(|line| line.starts_with("key_file")).unwrap().to_owned();
    trial.configure(&line, "key_env = \"SEALING_KEY\"");
    let mut command = trial.command(&["audit", "verify"]);
    command.env("SEALING_KEY", key.trim());
    assert!(run(command, "").done().contains("1 entries"));
    trial.run(&["audit", "verify"]).fails(2, &["the environment variable SEALING_KEY is not a key"]);
}

#[test]
fn a_store_of_another_key_or_place_is_refused() {
    let trial = Trial::new();
    assert!(trial.run(&["migrate"]).done().contains("skms.db"));
    assert_eq!(super::mode(&trial.path("skms.db")), 0o600);
    trial.write("seal.key", &format!("{}\n", "0".repeat(64)));
    trial.run(&["migrate"]).fails(2, &["skms.db", "the sealing key is not the one that the store was made with"]);
    trial.configure("skms.db", "nowhere/skms.db");
    trial.run(&["migrate"]).fails(2, &["nowhere/skms.db", "No such file"]);
}

#[test]
fn usage_is_told_apart_from_failure() {
    run(skms([]), "").fails_with_help();
    run(skms(["nonsense"]), "").fails(2, &["nonsense", "--help"]);
    let help = run(skms(["--help"]), "").done();
    assert!(help.contains("Exit status: 0 done, 1 refused or failed, 2 wrong usage or configuration, 3"), "{help}");
}

impl super::Run {
    #[track_caller]
    fn fails_with_help(self) {
        assert_eq!((self.code, self.out.as_str()), (2, ""));
        assert!(self.err.contains("Usage: skms"), "{}", self.err);
    }
}
