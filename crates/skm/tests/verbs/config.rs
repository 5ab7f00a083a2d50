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
    trial.run(&["migrate"]).fails(2, &["skms.db", "the key in [seal] is not the one that the store is sealed with"]);
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

#[test]
fn a_credential_of_systemd_is_the_key() {
    let trial = Trial::new();
    let (old, name) = (trial.path("seal.key"), "key.txt");
    trial.configure(&format!("key_file = {old:?}"), &format!("credential = {name:?}"));
    let directory = trial.path("credentials");
    fs::create_dir(&directory).unwrap();
    let file = directory.join(name);
    fs::copy(&old, &file).unwrap();
    let check = |place: Option<&std::path::Path>| {
        let mut command = trial.command(&["config", "check"]);
        command.env_remove("CREDENTIALS_DIRECTORY");
        place.map(|place| command.env("CREDENTIALS_DIRECTORY", place));
        run(command, "")
    };
    // With an access control list, its mask is what the group seems to have.
    for (mode, is_good) in [(0o400, true), (0o440, true), (0o600, true), (0o444, false), (0o460, false)] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        match is_good {
            true => assert!(check(Some(&directory)).done().contains("in order")),
            false => check(Some(&directory)).fails(2, &["[seal]", "key.txt: open to others"]),
        }
    }
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    for place in [None, Some("credentials".as_ref()), Some("".as_ref())] {
        check(place).fails(2, &["[seal]", "there is no credential \"key.txt\"", "LoadCredential=key.txt:"]);
    }
    fs::write(&file, "not a key").unwrap();
    check(Some(&directory)).fails(2, &["[seal]", "key.txt: not a key, 64 hexadecimal digits"]);
    fs::remove_file(&file).unwrap();
    check(Some(&directory)).fails(2, &["[seal]", "key.txt: No such file"]);
    for other in ["", ".", "..", "../seal.key", "/etc/passwd"] {
        let text = trial.text("skms.toml").replace(&format!("{name:?}"), &format!("{other:?}"));
        let path = trial.write("other.toml", &text);
        let mut command = skms(["config", "check", "--config", &path]);
        command.env("CREDENTIALS_DIRECTORY", &directory);
        run(command, "").fails(2, &["[seal]", "there is no credential"]);
    }
}
