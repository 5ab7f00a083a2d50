//! `skms domain export`

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeySize, PrivateDecryptingKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use getrandom::SysRng;
use mikey_sakke::identity::{UidFormat, Uri};
use mikey_sakke::kms::Kms;
use mikey_sakke_files::{SHARE_OCTETS, join_shares, read_share, write_kms};
use rcgen::KeyPair;

use super::{Trial, mode};

const REASON: &str = "order 7/2026 of the court of Examplestan";

/// Makes tests fail that have no openssl.
const REQUIRE: &str = "MIKEY_SAKKE_REQUIRE_OPENSSL";

/// The octets of an exponent of 65537 at the end of a public key.
const EXPONENT: [u8; 5] = [2, 3, 1, 0, 1];

fn recipients() -> &'static [PrivateDecryptingKey; 2] {
    static KEYS: OnceLock<[PrivateDecryptingKey; 2]> = OnceLock::new();
    KEYS.get_or_init(|| [(); 2].map(|()| PrivateDecryptingKey::generate(KeySize::Rsa3072).unwrap()))
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

fn public(key: &PrivateDecryptingKey) -> Vec<u8> {
    let der: PublicKeyX509Der<'_> = key.public_key().as_der().unwrap();
    der.as_ref().to_vec()
}

fn private(key: &PrivateDecryptingKey) -> String {
    let der: Pkcs8V1Der<'_> = key.as_der().unwrap();
    pem("PRIVATE KEY", der.as_ref())
}

/// A trial with these recipients, without master secrets.
fn with_recipients(first: &str, second: &str) -> Trial {
    let trial = Trial::new();
    let files = [("a.pem", first), ("b.pem", second)].map(|(name, text)| trial.write(name, text));
    trial.write("skms.toml", &format!("{}\n[escrow]\nrecipients = {files:?}\n", trial.text("skms.toml")));
    trial
}

/// A trial with two recipients and master secrets.
fn house() -> (Trial, Kms) {
    let [a, b] = recipients().each_ref().map(|key| pem("PUBLIC KEY", &public(key)));
    let trial = with_recipients(&a, &b);
    let kms = found(&trial);
    (trial, kms)
}

pub(super) fn found(trial: &Trial) -> Kms {
    let format = UidFormat::hashed(2_592_000, 0).unwrap();
    let kms = Kms::generate(Uri::parse("kms.example.org").unwrap(), format, &mut SysRng).unwrap();
    let path = trial.path("master.json");
    write_kms(&path, false, &kms).unwrap();
    trial.run(&["domain", "import", path.to_str().unwrap()]).done();
    fs::remove_file(path).unwrap();
    kms
}

fn export(trial: &Trial, directory: &str) -> super::Run {
    let out = trial.path(directory);
    trial.run(&["domain", "export", "--reason", REASON, "--out", out.to_str().unwrap()])
}

/// Opens a share as a recipient does who has OpenSSL, unless there is none.
fn open(share: &Path, key: &Path) -> Option<[u8; SHARE_OCTETS]> {
    if Command::new("openssl").arg("version").stdout(Stdio::null()).status().is_err() {
        assert!(std::env::var_os(REQUIRE).is_none_or(|value| value != "1"), "{REQUIRE}, and there is no openssl");
        std::io::Write::write_all(&mut std::io::stdout(), b"SKIPPED: openssl is not installed\n").unwrap();
        return None;
    }
    let script = r#"sed -n 's/.*"Share": "\(.*\)".*/\1/p' "$1" | base64 -d |
        openssl pkeyutl -decrypt -inkey "$2" -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256"#;
    let output = Command::new("sh").args(["-c", script, "sh"]).arg(share).arg(key).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(output.stdout.try_into().unwrap())
}

fn contains(octets: &[u8], part: &[u8]) -> bool {
    octets.windows(part.len()).any(|window| window == part)
}

#[test]
fn two_people_open_the_shares_and_one_alone_has_nothing() {
    let (trial, kms) = house();
    let out = export(&trial, "out").done();
    assert!(out.contains("share-1.json") && out.contains("b.pem") && out.contains("mikey-sakke kms join"), "{out}");
    let keys = [0, 1].map(|at| PathBuf::from(trial.write(&format!("{at}.key"), &private(&recipients()[at]))));
    let paths = ["out/share-1.json", "out/share-2.json"].map(|name| trial.path(name));
    assert_eq!(mode(&trial.path("out")), 0o700);
    let mut opened = Vec::new();
    for (path, key) in paths.iter().zip(&keys) {
        assert_eq!(mode(path), 0o600);
        let share = read_share(path).unwrap();
        assert_eq!((&*share.certificate, share.reason.as_str()), (&**kms.certificate(), REASON));
        let Some(octets) = open(path, key) else { return };
        opened.push(octets);
    }
    let [first, second] = [&opened[0], &opened[1]];
    for shares in [[first, second], [second, first]] {
        let joined = join_shares(kms.certificate(), shares).unwrap();
        assert_eq!(joined.master_secret().to_octets().expose(), kms.master_secret().to_octets().expose());
        assert_eq!(joined.ksak().to_octets().expose(), kms.ksak().to_octets().expose());
    }
    // Neither share is the secret, nor goes with one of another export.
    let secret = [kms.master_secret().to_octets().expose().as_slice(), kms.ksak().to_octets().expose()].concat();
    assert!(first[..] != secret[..] && second[..] != secret[..]);
    export(&trial, "again").done();
    let other = open(&trial.path("again/share-2.json"), &keys[1]).unwrap();
    assert!(join_shares(kms.certificate(), [first, &other]).unwrap_err().to_string().contains("two exports"));
    assert!(join_shares(kms.certificate(), [first, first]).unwrap_err().to_string().contains("the same share"));
    // The recipient of the one opens nothing of the other.
    let mut swapped = Command::new("openssl");
    let encrypted = trial.write("encrypted", "");
    fs::write(&encrypted, read_share(&paths[0]).unwrap().share).unwrap();
    swapped.args(["pkeyutl", "-decrypt", "-in", &encrypted, "-inkey"]).arg(&keys[1]);
    swapped.args(["-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256"]);
    assert!(!swapped.output().unwrap().status.success());
}

#[test]
fn the_log_says_why_and_for_whom_and_nothing_holds_the_secrets() {
    let (trial, kms) = house();
    let run = export(&trial, "out");
    let said = format!("{}{}", run.out, run.err);
    run.done();
    let log = trial.run(&["audit", "list", "--json"]).done();
    let entry: serde_json::Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    let target = entry["target"].as_str().unwrap();
    assert_eq!((entry["action"].as_str(), entry["outcome"].as_str()), (Some("export-domain"), Some("done")));
    let shares = ["out/share-1.json", "out/share-2.json"].map(|name| read_share(&trial.path(name)).unwrap());
    let [first, second] = shares.each_ref().map(|share| share.recipient.as_str());
    let name = shares[0].cert_uri.as_deref().unwrap();
    assert_eq!(target, format!("{name} to {first} and {second}: {REASON}"));
    assert_ne!(first, second);
    assert!(shares.iter().all(|share| Some(share.export.as_str()) == entry["request_id"].as_str()));
    trial.run(&["audit", "verify"]).done();
    let files = ["skms.db", "out/share-1.json", "out/share-2.json"].map(|name| fs::read(trial.path(name)).unwrap());
    let places = [&files[..], &[said.into_bytes(), log.into_bytes()]].concat();
    for secret in [kms.master_secret().to_octets().expose().as_slice(), kms.ksak().to_octets().expose()] {
        for spelling in [secret.to_vec(), hex::encode(secret).into_bytes(), STANDARD.encode(secret).into_bytes()] {
            assert!(!places.iter().any(|place| contains(place, &spelling)));
        }
    }
}

#[test]
fn without_recipients_nothing_is_exported() {
    let trial = Trial::new();
    found(&trial);
    export(&trial, "out").fails(1, &["skms.toml: master secrets are not exported", "recipients in [escrow]"]);
    assert!(!trial.path("out").exists());
    // Nor by what permits delegates.
    trial.write("skms.toml", &format!("{}\n[escrow]\nallow = true\n", trial.text("skms.toml")));
    export(&trial, "out").fails(1, &["not exported"]);
    assert!(!trial.run(&["audit", "list"]).done().contains("export-domain"));
}

#[tokio::test]
async fn nothing_is_written_that_is_not_logged() {
    let (trial, _) = house();
    fs::create_dir(trial.path("out")).unwrap();
    export(&trial, "out").fails(1, &["cannot make", "out"]);
    export(&trial, "missing/out").fails(1, &["cannot make", "missing/out"]);
    assert!(!trial.run(&["audit", "list"]).done().contains("export-domain"));
    trial.tamper("UPDATE audit_heads SET seal = x'00'").await;
    export(&trial, "unlogged").fails(1, &["audit log"]);
    assert_eq!(fs::read_dir(trial.path("unlogged")).unwrap().count(), 0);
}

#[test]
fn an_export_without_a_reason_is_none() {
    let (trial, _) = house();
    let out = trial.path("out");
    let out = out.to_str().unwrap();
    trial.run(&["domain", "export", "--out", out]).fails(2, &["--reason"]);
    for reason in ["", "  ", "one\nother", &"x".repeat(1025)] {
        trial.run(&["domain", "export", "--out", out, "--reason", reason]).fails(2, &["--reason", "says why"]);
    }
    assert!(!trial.path("out").exists());
    let [a, b] = recipients().each_ref().map(|key| pem("PUBLIC KEY", &public(key)));
    export(&with_recipients(&a, &b), "out").fails(1, &["no master secrets"]);
}

#[test]
fn a_certificate_that_the_domain_does_not_have_is_not_exported() {
    let (trial, _) = house();
    let out = trial.path("out");
    let arguments = ["domain", "export", "--reason", REASON, "--out", out.to_str().unwrap(), "--certificate"];
    trial.run(&[&arguments[..], &["kms.example.org/certificates/0"]].concat()).fails(1, &["no such certificate"]);
    export(&trial, "first").done();
    let name = read_share(&trial.path("first/share-1.json")).unwrap().cert_uri.unwrap();
    trial.run(&[&arguments[..], &[name.as_str()]].concat()).done();
}

#[test]
fn keys_that_are_no_two_recipients_are_refused() {
    let [a, b] = recipients();
    let good = pem("PUBLIC KEY", &public(b));
    let with_exponent = |exponent: [u8; 3]| {
        let der = public(b);
        let numbers = der.strip_suffix(&EXPONENT[..]).unwrap();
        pem("PUBLIC KEY", &[numbers, &EXPONENT[..2], &exponent].concat())
    };
    let small = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
    let elliptic = KeyPair::generate().unwrap().public_key_pem();
    let certificate = rcgen::generate_simple_self_signed(Vec::new()).unwrap().cert.pem();
    let cases = [
        (private(a), "a.pem: a private key"),
        // Beside the public one as well.
        (pem("PUBLIC KEY", &public(a)) + &private(a), "a.pem: a private key"),
        (pem("PUBLIC KEY", &public(a)) + &good, "a.pem: not one public key"),
        (certificate, "a.pem: not one public key"),
        (String::new(), "a.pem: not one public key"),
        ("ssh-rsa AAAA a@example.org\n".into(), "a.pem: not one public key"),
        (pem("PUBLIC KEY", b"0"), "a.pem: no RSA key"),
        (pem("PUBLIC KEY", &[public(a), vec![0]].concat()), "a.pem: no RSA key"),
        (elliptic, "a.pem: no RSA key"),
        (pem("PUBLIC KEY", &public(&small)), "a.pem: the RSA key has 2048 bits"),
        (with_exponent([0, 0xff, 0xfb]), "a.pem: the RSA key has an exponent"),
        (with_exponent([1, 0, 2]), "a.pem: the RSA key has an exponent"),
        // One key under two exponents is still one person's.
        (with_exponent([1, 0, 3]), "both recipients have the same key"),
    ];
    let trial = with_recipients(&good, &good);
    let says = ["skms.toml: [escrow] recipients", "both recipients have the same key"];
    export(&trial, "out").fails(2, &says);
    for (first, says) in cases {
        trial.write("a.pem", &first);
        trial.run(&["config", "check"]).fails(2, &["skms.toml: [escrow] recipients", says]);
    }
    trial.write("a.pem", &pem("PUBLIC KEY", &public(a)));
    fs::remove_file(trial.path("b.pem")).unwrap();
    trial.run(&["config", "check"]).fails(2, &["[escrow] recipients", "b.pem"]);
    let whole = trial.text("skms.toml");
    for files in ["[\"a.pem\"]", "[\"a.pem\", \"b.pem\", \"c.pem\"]"] {
        let line = whole.lines().find(|line| line.starts_with("recipients")).unwrap();
        trial.write("skms.toml", &whole.replace(line, &format!("recipients = {files}")));
        trial.run(&["config", "check"]).fails(2, &["escrow.recipients: must be two files"]);
    }
}
