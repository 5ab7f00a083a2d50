//! `skms certs`

use std::fs;

use getrandom::SysRng;
use mikey_sakke::identity::{UidFormat, Uri};
use mikey_sakke::km::domain::{Domain, DomainCertificate, Periods};
use mikey_sakke::kms::Kms;
use mikey_sakke::time::Timestamp;
use mikey_sakke_files::write_kms;

use super::Trial;

const PERIOD: u64 = 2_592_000;

fn kms(uri: &str) -> Kms {
    Kms::generate(Uri::parse(uri).unwrap(), UidFormat::hashed(PERIOD, 0).unwrap(), &mut SysRng).unwrap()
}

/// A domain document for key periods up to one.
fn document(kms: &Kms, to: Option<u64>) -> String {
    let certificate = DomainCertificate::new(kms.certificate(), Periods { from: 0, to }, None).unwrap();
    Domain::new(Uri::parse("sip:skms.example.net").unwrap(), vec![certificate]).unwrap().to_json()
}

/// The key period that it is.
fn present() -> u64 {
    Timestamp::now().unwrap().seconds_since_1900() / PERIOD
}

fn import(trial: &Trial, path: &str) -> super::Run {
    trial.run(&["certs", "import", path, "--role", "external", "--origin", "read out by phone"])
}

#[test]
fn certificates_of_another_domain_are_taken_in_listed_and_removed() {
    let trial = Trial::new();
    assert_eq!(trial.run(&["certs", "list"]).done(), "");
    let path = trial.write("other.json", &document(&kms("kms.example.net"), None));
    let out = import(&trial, &path).done();
    assert!(out.contains("kms.example.net: 1 new, 0 changed, 0 known") && out.contains("fingerprint"), "{out}");
    let again = import(&trial, &path).done();
    assert!(again.contains("0 new, 0 changed, 1 known"), "{again}");

    let list = trial.run(&["certs", "list"]).done();
    for part in ["kms.example.net\n", "valid from", "for ever", "by operator", "from read out by phone"] {
        assert!(list.contains(part), "{part} in {list}");
    }
    assert!(!list.contains("Warning"), "{list}");
    let audit = trial.run(&["audit", "list"]).done();
    assert_eq!(audit.matches("certificates of kms.example.net from read out by phone").count(), 1, "{audit}");

    trial.run(&["certs", "remove", "kms.example.net"]).done();
    trial.run(&["certs", "remove", "kms.example.net"]).fails(1, &["no certificates of kms.example.net"]);
    assert_eq!(trial.run(&["certs", "list"]).done(), "");
}

#[test]
fn a_certificate_that_ends_soon_is_warned_of() {
    let trial = Trial::new();
    for (uri, to) in [("kms.example.net", present()), ("kms.example.com", present() + 2)] {
        let path = trial.write("other.json", &document(&kms(uri), Some(to)));
        import(&trial, &path).done();
    }
    let list = trial.run(&["certs", "list"]).done();
    assert_eq!(list.matches(", expires in ").count(), 1, "{list}");
    assert_eq!(list.matches("Warning: nothing is valid of kms.example.net after").count(), 1, "{list}");
    assert!(!list.contains("Warning: nothing is valid of kms.example.com"), "{list}");
}

#[test]
fn what_one_domain_exports_another_takes_in() {
    let (one, two) = (Trial::new(), Trial::new());
    two.configure("kms_uri = \"kms.example.org\"", "kms_uri = \"kms.example.net\"");
    let master = two.path("master.json");
    write_kms(&master, false, &kms("kms.example.net")).unwrap();
    let file = two.path("certificates.json");
    let file = file.to_str().unwrap();
    two.run(&["certs", "export", file]).fails(1, &["no master secrets yet"]);
    two.run(&["domain", "import", master.to_str().unwrap()]).done();
    let out = two.run(&["certs", "export", file]).done();
    two.run(&["certs", "export", file]).fails(1, &["exists already"]);
    assert_eq!(two.run(&["certs", "export"]).done(), fs::read_to_string(file).unwrap());
    // The fingerprint that the one shows is the one that the other compares.
    let fingerprint = out.lines().nth(1).unwrap().trim().split(',').next().unwrap();
    assert_eq!(fingerprint.len(), 64);
    assert!(import(&one, file).done().contains(fingerprint));
    import(&two, file).fails(1, &["certificates.json", "the KMS is that of this domain"]);
}

#[test]
fn a_file_that_holds_no_certificates_is_named() {
    let trial = Trial::new();
    import(&trial, "/no/such/file").fails(2, &["cannot read /no/such/file"]);
    for text in ["", "{}", "<KmsCertificate/>", "no certificate"] {
        let path = trial.write("other", text);
        import(&trial, &path).fails(1, &[path.as_str()]);
    }
    let path = trial.write("other.json", &document(&kms("kms.example.net"), None));
    for arguments in [&["certs", "import", &path][..], &["certs", "import", &path, "--role", "root", "--origin", "a"]] {
        assert_eq!(trial.run(arguments).code, 2);
    }
}
