//! `skms domain`

use std::fs;
use std::path::{Path, PathBuf};

use getrandom::SysRng;
use mikey_sakke::identity::{KeyPeriod, UidFormat, Uri};
use mikey_sakke::kms::Kms;
use mikey_sakke_files::{read_kms, write_kms};
use skm::domain::SecurityDomain;

use super::Trial;

/// Master secrets as `mikey-sakke kms init` writes them.
fn master(trial: &Trial, name: &str, uri: &str, format: UidFormat) -> (PathBuf, Kms) {
    let path = trial.path(name);
    let kms = Kms::generate(Uri::parse(uri).unwrap(), format, &mut SysRng).unwrap();
    write_kms(&path, false, &kms).unwrap();
    (path, kms)
}

fn hashed(period: u64, offset: u64) -> UidFormat {
    UidFormat::hashed(period, offset).unwrap()
}

fn import(trial: &Trial, path: &Path) -> super::Run {
    trial.run(&["domain", "import", path.to_str().unwrap()])
}

#[tokio::test]
async fn imported_master_secrets_issue_the_keys_that_they_issue_elsewhere() {
    let trial = Trial::new();
    let out = trial.run(&["domain", "show"]).done();
    assert!(out.contains("There are no master secrets yet") && out.contains("skms domain import"), "{out}");
    // The defaults of `mikey-sakke kms init` are those of a trial.
    let (path, kms) = master(&trial, "master.json", "kms.example.org", hashed(2_592_000, 0));
    let out = import(&trial, &path).done();
    assert!(out.contains("kms.example.org"), "{out}");

    let out = trial.run(&["domain", "show"]).done();
    assert!(out.contains(&hex::encode(kms.certificate().public_key().to_octets())), "{out}");
    assert!(out.contains(&hex::encode(kms.certificate().kpak().to_octets())), "{out}");
    assert!(out.contains("for key periods from 0 on"), "{out}");
    for secret in [hex::encode(kms.master_secret().to_octets().expose()), hex::encode(kms.ksak().to_octets().expose())]
    {
        assert!(!out.contains(&secret));
    }

    let (config, store) = trial.store().await;
    let domain = SecurityDomain::load(&store, &config.domain).await.unwrap().unwrap();
    let (_, issuing) = domain.at(1543).unwrap();
    let user = Uri::parse("sip:alice@example.org").unwrap();
    let rsk = |kms: &Kms| kms.issue(&user, KeyPeriod::Number(1543), &mut SysRng).unwrap().rsk.expose().to_vec();
    assert_eq!(rsk(issuing), rsk(&read_kms(&path).unwrap()));
}

#[test]
fn the_master_secrets_of_a_domain_are_not_replaced() {
    let trial = Trial::new();
    let (path, _) = master(&trial, "master.json", "kms.example.org", hashed(2_592_000, 0));
    import(&trial, &path).done();
    let shown = trial.run(&["domain", "show"]).done();
    let (other, _) = master(&trial, "other.json", "kms.example.org", hashed(2_592_000, 0));
    for path in [&path, &other] {
        import(&trial, path).fails(1, &["json: the domain has master secrets already", "skms domain show"]);
    }
    assert_eq!(trial.run(&["domain", "show"]).done(), shown);
    let audit = trial.run(&["audit", "list"]).done();
    assert!(audit.contains("done: domain kms.example.org") && audit.contains("by operator"), "{audit}");
}

#[test]
fn master_secrets_of_another_domain_are_refused() {
    let trial = Trial::new();
    let cases = [
        ("other.example.org", hashed(2_592_000, 0), &["other.example.org", "kms_uri is kms.example.org"][..]),
        ("kms.example.org", hashed(86_400, 0), &["user_key_period = 86400", "user_key_offset = 0"]),
        ("kms.example.org", hashed(2_592_000, 7), &["user_key_period = 2592000", "user_key_offset = 7"]),
        ("kms.example.org", UidFormat::Monthly, &["UIDs of months"]),
    ];
    for (number, (uri, format, says)) in cases.into_iter().enumerate() {
        let (path, _) = master(&trial, &format!("{number}.json"), uri, format);
        import(&trial, &path).fails(1, &[says, &["json: "]].concat());
    }
    assert!(trial.run(&["domain", "show"]).done().contains("no master secrets yet"));
    assert_eq!(trial.run(&["audit", "list"]).done(), "");
}

#[test]
fn a_file_that_holds_no_master_secrets_is_named() {
    let trial = Trial::new();
    import(&trial, &trial.path("none.json")).fails(1, &["cannot read", "none.json"]);
    import(&trial, &trial.path("seal.key")).fails(1, &["seal.key"]);
    let (path, _) = master(&trial, "master.json", "kms.example.org", hashed(2_592_000, 0));
    let (other, _) = master(&trial, "other.json", "kms.example.org", hashed(2_592_000, 0));
    // The secrets of one, the certificate of the other.
    let [mut one, other]: [serde_json::Value; 2] =
        [path, other].map(|path| serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap());
    one["Certificate"] = other["Certificate"].clone();
    let mixed = trial.write("mixed.json", &one.to_string());
    import(&trial, Path::new(&mixed)).fails(1, &["mixed.json", "does not belong to the master secrets"]);
}

#[test]
fn a_domain_that_is_configured_otherwise_is_not_used() {
    let trial = Trial::new();
    let (path, _) = master(&trial, "master.json", "kms.example.org", hashed(2_592_000, 0));
    import(&trial, &path).done();
    trial.configure("user_key_period = 2592000", "user_key_period = 2592001");
    trial.run(&["domain", "show"]).fails(2, &["another user_key_period"]);
}
