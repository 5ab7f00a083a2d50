//! `skms init`

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use skm::policy::Role;
use skm::tls::ClientCertificate;
use skm::trial::{is_trial_certificate, is_trial_issuer};
use tempfile::TempDir;

use super::{Trial, mode, run, skms};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

fn init(directory: &Path, more: &[&str]) -> super::Run {
    let mut command = skms(["init"]);
    command.args(more).arg("--dir").arg(directory);
    run(command, "")
}

fn contents(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    files.map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap())).collect()
}

#[test]
fn a_trial_is_whole() {
    let trial = Trial::new();
    let out = trial.run(&["config", "check"]).done();
    assert!(out.contains("in order") && out.contains("--trial"), "{out}");
    for name in ["ca.pem", "server.pem", "val-server.pem", "provisioner.pem", "group-manager.pem"] {
        assert!(is_trial_certificate(trial.text(name).as_bytes()), "{name}");
    }
    assert!(is_trial_issuer(trial.text("jwks.json").as_bytes()));
    assert!(!trial.path("skms.db").exists(), "init opens no store");
}

#[test]
fn the_policy_of_a_trial_is_that_of_its_certificates() {
    let trial = Trial::new();
    let rows = trial.config().policy;
    assert_eq!(rows.len(), 3);
    for (row, (name, role)) in rows.iter().zip([
        ("val-server", Role::ValServer),
        ("provisioner", Role::Provisioner),
        ("group-manager", Role::GroupManager),
    ]) {
        let der = CertificateDer::from_pem_slice(trial.text(&format!("{name}.pem")).as_bytes()).unwrap();
        assert_eq!(*ClientCertificate::from_der(&der).unwrap().san(), row.san);
        assert_eq!((row.client_id.as_ref().unwrap().as_str(), &row.roles[..]), (name, &[role][..]));
    }
}

#[test]
fn what_is_secret_is_for_its_owner_alone() {
    let place = TempDir::new().unwrap();
    let directory = place.path().join("a/b");
    let out = init(&directory, &["--trial"]).done();
    assert!(out.contains("serve --trial"), "{out}");
    assert_eq!(mode(&directory), 0o700);
    for (name, octets) in contents(&directory) {
        let text = String::from_utf8(octets).unwrap();
        let is_secret = name.ends_with(".key");
        assert_eq!(mode(&directory.join(&name)) & 0o077 == 0, is_secret, "{name}");
        assert_eq!(text.contains("PRIVATE KEY") || text.contains("\"d\"") || name == "seal.key", is_secret, "{name}");
    }
    init(place.path(), &[]).done();
    assert_eq!(mode(&place.path().join("seal.key")), 0o600);
}

#[test]
fn two_trials_share_nothing() {
    let (one, other) = (Trial::new(), Trial::new());
    for name in ["seal.key", "issuer.key", "jwks.json", "ca.pem", "server.key"] {
        assert_ne!(one.text(name), other.text(name), "{name}");
    }
}

#[test]
fn nothing_is_overwritten() {
    for more in [&["--trial"][..], &[]] {
        let place = TempDir::new().unwrap();
        init(place.path(), more).done();
        let before = contents(place.path());
        init(place.path(), more).fails(1, &["skms.toml exists already", "nothing was written", "--dir"]);
        assert_eq!(contents(place.path()), before);

        let place = TempDir::new().unwrap();
        std::os::unix::fs::symlink("nowhere", place.path().join("seal.key")).unwrap();
        init(place.path(), more).fails(1, &["seal.key exists already", "nothing was written"]);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }
}

#[test]
fn the_directory_may_have_any_name_that_a_configuration_can_hold() {
    let place = TempDir::new().unwrap();
    let directory = place.path().join("an \"odd\" {name}'s \\ place");
    let out = init(&directory, &["--trial"]).done();
    assert!(out.contains("{name}'\\''s"), "quoted for a shell: {out}");
    let mut check = skms(["config", "check", "--config"]);
    check.arg(directory.join("skms.toml"));
    run(check, "").done();
    for name in ["a?b", "a#b", "a\nb"] {
        init(&place.path().join(name), &["--trial"]).fails(2, &["a path in the configuration is"]);
        assert!(!place.path().join(name).exists());
    }
    init(Path::new("/dev/null/a"), &[]).fails(1, &["cannot make /dev/null/a"]);
    run(skms(["init"]), "").fails(2, &["--dir"]);
}

#[test]
fn a_template_says_what_is_missing_and_is_accepted_once_it_is_filled_in() {
    let trial = Trial::new();
    let place = TempDir::new().unwrap();
    let out = init(place.path(), &[]).done();
    let path = place.path().join("skms.toml");
    let mut text = fs::read_to_string(&path).unwrap();
    for (key, value) in [
        ("skms_uri", "sip:skms.example.org"),
        ("kms_uri", "kms.example.org"),
        ("issuer", "https://idms.example.org"),
        ("audience", "sip:skms.example.org"),
    ] {
        let empty = format!("\n{key} = \"\"\n");
        let line = 2 + text[..text.find(&empty).unwrap()].matches('\n').count();
        assert!(out.contains(&format!("line {line}: {key}")), "{out}");
        let check = || run(skms(["config", "check", "--config", path.to_str().unwrap()]), "");
        check().fails(2, &["skms.toml: line "]);
        text = text.replace(&empty, &format!("\n{key} = \"{value}\"\n"));
        fs::write(&path, &text).unwrap();
    }
    let check = || run(skms(["config", "check", "--config", path.to_str().unwrap()]), "");
    check().fails(2, &["server.pem", "server.key", "client-ca.pem", "jwks.json"]);
    for (from, to) in [("server.pem", "server.pem"), ("server.key", "server.key"), ("ca.pem", "client-ca.pem")] {
        fs::copy(trial.path(from), place.path().join(to)).unwrap();
    }
    fs::copy(trial.path("jwks.json"), place.path().join("jwks.json")).unwrap();
    check().done();
}

#[test]
fn the_defaults_that_a_template_shows_are_those_of_the_program() {
    let place = TempDir::new().unwrap();
    init(place.path(), &[]).done();
    let text = fs::read_to_string(place.path().join("skms.toml")).unwrap();
    let text = text.replace(" = \"\"\n", " = \"sip:a@example.org\"\n");
    // What stands behind "# " and has " = " is a setting; the rows of the policy are an example and no default.
    let (settings, rows) = text.split_once("# [[policy]]").unwrap();
    let shown: String = settings
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|line| line.contains(" = ")).unwrap_or(line))
        .flat_map(|line| [line, "\n"])
        .collect();
    let [shown, silent] = [&shown, settings].map(|text| skm::config::Config::read(text, []).unwrap());
    assert_eq!(format!("{shown:?}"), format!("{silent:?}"));
    let rows = format!("{settings}[[policy]]{}", rows.replace("\n# ", "\n"));
    assert_eq!(skm::config::Config::read(&rows, []).unwrap().policy.len(), 1);
}
