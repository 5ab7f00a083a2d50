//! What the servers of two domains tell each other, and what those would send who stand between them.

use std::sync::LazyLock;

use getrandom::SysRng;
use mikey_sakke::eccsi::SigningKey;
use mikey_sakke::identity::{UidFormat, Uri};
use mikey_sakke::km::BodyError;
use mikey_sakke::km::domain::{Domain, DomainCertificate, Periods};
use mikey_sakke::km::exchange::{
    Announcement, CLOCK_TOLERANCE, ExchangeError, Expected, MAX_ANNOUNCEMENT_OCTETS, announce,
};
use mikey_sakke::kms::{Kms, TrustedCertificates};
use mikey_sakke::time::Timestamp;
use serde_json::{Value, json};

use crate::common::{server, uri};

const PERIOD: u64 = 2_592_000;
const NONCE: [u8; 16] = [7; 16];
/// In the key period 1_544.
const NOW: u64 = 1_795_000_000;
const OLD: Periods = Periods { from: 1_500, to: Some(1_545) };
const NEW: Periods = Periods { from: 1_546, to: None };

static KMS: LazyLock<[Kms; 3]> = LazyLock::new(|| {
    ["kms.example.org", "kms.example.org", "kms.example.net"]
        .map(|name| Kms::generate(uri(name), UidFormat::hashed(PERIOD, 0).unwrap(), &mut SysRng).unwrap())
});

fn asker() -> Uri {
    uri("sip:skms.example.net")
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix(seconds).unwrap()
}

fn domain_of(skms_uri: Uri, certificates: &[(&Kms, Periods)]) -> Domain {
    let certificate = |(kms, periods): &(&Kms, Periods)| DomainCertificate::new(kms.certificate(), *periods, None);
    Domain::new(skms_uri, certificates.iter().map(|entry| certificate(entry).unwrap()).collect()).unwrap()
}

/// Before and after the master secrets are replaced.
fn domain() -> Domain {
    domain_of(server(), &[(&KMS[0], OLD), (&KMS[1], NEW)])
}

/// What is held of the domain: its old certificate.
fn held() -> TrustedCertificates {
    domain_of(server(), &[(&KMS[0], Periods { from: 1_500, to: None })]).trusted_certificates().clone()
}

fn announcement(kms: &Kms, domain: &Domain, seconds: u64) -> String {
    announce(kms, domain, &asker(), &NONCE, at(seconds), &mut SysRng).unwrap()
}

fn verify_at(json: &str, held: &TrustedCertificates, now: u64) -> Result<Vec<Periods>, ExchangeError> {
    let (audience, kms_uri, skms_uri) = (asker(), uri("kms.example.org"), server());
    let expected =
        Expected { audience: &audience, nonce: &NONCE, kms_uri: &kms_uri, skms_uri: &skms_uri, now: at(now) };
    let announcement = Announcement::from_json(json.as_bytes())?;
    let domain = announcement.verify(&expected, held)?;
    Ok(domain.certificates().iter().map(DomainCertificate::periods).collect())
}

fn verify(json: &str) -> Result<Vec<Periods>, ExchangeError> {
    verify_at(json, &held(), NOW)
}

#[test]
fn a_certificate_that_follows_is_vouched_for_by_the_one_before() {
    assert_eq!(verify(&announcement(&KMS[0], &domain(), NOW)), Ok(vec![OLD, NEW]));
    let new = domain().trusted_certificates().clone();
    let later = NOW + 2 * PERIOD;
    assert_eq!(verify_at(&announcement(&KMS[1], &domain(), later), &new, later), Ok(vec![OLD, NEW]));
}

#[test]
fn who_does_not_have_the_master_secrets_is_not_believed() {
    // The new keys vouch for themselves, and so do those of somebody who calls itself by the same names.
    assert_eq!(verify(&announcement(&KMS[1], &domain(), NOW)), Err(ExchangeError::Signature));
    let own = domain_of(server(), &[(&KMS[1], Periods { from: 1, to: None })]);
    assert_eq!(verify(&announcement(&KMS[1], &own, NOW)), Err(ExchangeError::Signature));
}

#[test]
fn a_user_of_the_domain_does_not_speak_for_it() {
    // With its own keys, in its own name and in that of the server.
    let user = domain_of(uri("sip:mallory@example.org"), &[(&KMS[0], OLD)]);
    assert_eq!(verify(&announcement(&KMS[0], &user, NOW)), Err(ExchangeError::OtherDomain));
    let text = announcement(&KMS[0], &domain(), NOW);
    let mut forged: Value = serde_json::from_str(&text).unwrap();
    let certificate = KMS[0].certificate();
    let uid = certificate.uid_at(&uri("sip:mallory@example.org"), at(NOW)).unwrap();
    let pair = KMS[0].ksak().issue(&uid, &mut SysRng).unwrap();
    let key = SigningKey::import(certificate.kpak(), &uid, pair.ssk.expose(), &pair.pvt).unwrap();
    let statement = forged["Statement"].as_str().unwrap();
    let message = [b"SEAL KM-E certificates\0", statement.as_bytes()].concat();
    let signature = key.sign(&message, &mut SysRng).unwrap();
    forged["Signature"] = json!(signature.as_octets().iter().map(|octet| format!("{octet:02x}")).collect::<String>());
    assert_eq!(verify(&forged.to_string()), Err(ExchangeError::Signature));
}

#[test]
fn what_the_key_signs_otherwise_is_no_statement() {
    let text = announcement(&KMS[0], &domain(), NOW);
    let mut forged: Value = serde_json::from_str(&text).unwrap();
    let certificate = KMS[0].certificate();
    let uid = certificate.uid_at(&server(), at(NOW)).unwrap();
    let pair = KMS[0].ksak().issue(&uid, &mut SysRng).unwrap();
    let key = SigningKey::import(certificate.kpak(), &uid, pair.ssk.expose(), &pair.pvt).unwrap();
    let signature = key.sign(forged["Statement"].as_str().unwrap().as_bytes(), &mut SysRng).unwrap();
    forged["Signature"] = json!(signature.as_octets().iter().map(|octet| format!("{octet:02x}")).collect::<String>());
    assert_eq!(verify(&forged.to_string()), Err(ExchangeError::Signature), "without the label");
}

#[test]
fn an_answer_to_another_question_is_not_accepted() {
    let to = |audience: &Uri, nonce| announce(&KMS[0], &domain(), audience, &nonce, at(NOW), &mut SysRng).unwrap();
    assert_eq!(verify(&to(&asker(), [8; 16])), Err(ExchangeError::OtherQuestion));
    assert_eq!(verify(&to(&uri("sip:skms.example.com"), NONCE)), Err(ExchangeError::OtherQuestion));
}

#[test]
fn another_domain_or_server_is_not_accepted() {
    let other_kms = domain_of(server(), &[(&KMS[2], OLD)]);
    assert_eq!(verify(&announcement(&KMS[2], &other_kms, NOW)), Err(ExchangeError::OtherDomain));
    let other_server = domain_of(uri("sip:skms2.example.org"), &[(&KMS[0], OLD)]);
    assert_eq!(verify(&announcement(&KMS[0], &other_server, NOW)), Err(ExchangeError::OtherDomain));
}

#[test]
fn an_old_answer_is_not_accepted() {
    let text = announcement(&KMS[0], &domain(), NOW);
    let tolerance = CLOCK_TOLERANCE.as_secs();
    for (now, is_accepted) in [(tolerance, true), (tolerance + 1, false)] {
        for now in [NOW + now, NOW - now] {
            let expected = if is_accepted { Ok(vec![OLD, NEW]) } else { Err(ExchangeError::Stale) };
            assert_eq!(verify_at(&text, &held(), now), expected, "{now}");
        }
    }
}

#[test]
fn a_certificate_that_is_not_held_or_revoked_or_over_vouches_for_nothing() {
    let text = announcement(&KMS[0], &domain(), NOW);
    assert_eq!(verify_at(&text, &TrustedCertificates::default(), NOW), Err(ExchangeError::NotHeld));
    let mut revoked = held();
    revoked.add(std::sync::Arc::new(held().iter().next().unwrap().as_ref().clone().revoked())).unwrap();
    assert_eq!(verify_at(&text, &revoked, NOW), Err(ExchangeError::NotHeld));
    let later = NOW + 2 * PERIOD;
    let over = domain().trusted_certificates().clone();
    assert_eq!(verify_at(&announcement(&KMS[0], &domain(), later), &over, later), Err(ExchangeError::Signature));
}

#[test]
fn no_part_of_an_answer_may_change() {
    let text = announcement(&KMS[0], &domain(), NOW);
    let value: Value = serde_json::from_str(&text).unwrap();
    let statement = value["Statement"].as_str().unwrap();
    for (from, to) in [
        ("\"DateTime\":1795000000", "\"DateTime\":1795000001"),
        ("\\u0022fromPeriod\\u0022:1546", "\\u0022fromPeriod\\u0022:1547"),
        ("\\u0022Revoked\\u0022:false", "\\u0022Revoked\\u0022:true"),
        ("{\"Audience\"", "{ \"Audience\""),
    ] {
        assert!(statement.contains(from), "{from} is not in {statement}");
        let changed = json!({"Statement": statement.replacen(from, to, 1), "Signature": value["Signature"]});
        assert_eq!(verify(&changed.to_string()), Err(ExchangeError::Signature), "{from}");
    }
    let signature = value["Signature"].as_str().unwrap();
    for index in [0, 63, 64, 127, 130, 200, 257] {
        let mut digits = signature.to_owned().into_bytes();
        digits[index] = if digits[index] == b'0' { b'1' } else { b'0' };
        let changed = json!({"Statement": statement, "Signature": String::from_utf8(digits).unwrap()});
        assert_eq!(verify(&changed.to_string()), Err(ExchangeError::Signature), "digit {index}");
    }
}

#[test]
fn malformed_answers() {
    let text = announcement(&KMS[0], &domain(), NOW);
    let value: Value = serde_json::from_str(&text).unwrap();
    let (statement, signature) = (value["Statement"].as_str().unwrap(), &value["Signature"]);
    let body = |error| Err(ExchangeError::Body(error));
    assert_eq!(verify(""), body(BodyError::Json));
    assert_eq!(verify("[]"), body(BodyError::Json));
    assert_eq!(verify("{}"), body(BodyError::Missing("Statement")));
    assert_eq!(verify(&format!("{{{}", &text[1..text.len() - 1])), body(BodyError::Json));
    assert_eq!(verify(&" ".repeat(MAX_ANNOUNCEMENT_OCTETS + 1)), body(BodyError::TooLong));
    let twice = text.replacen("{\"Statement\"", "{\"Signature\":\"\",\"Statement\"", 1);
    assert_eq!(verify(&twice), body(BodyError::Duplicate));
    let short = json!({"Statement": statement, "Signature": "00"}).to_string();
    assert_eq!(verify(&short), body(BodyError::Length("Signature")));
    let with = |statement: &str| json!({"Statement": statement, "Signature": signature}).to_string();
    assert_eq!(verify(&with("{}")), body(BodyError::Missing("Audience")));
    assert_eq!(verify(&with("x")), body(BodyError::Json));
    assert_eq!(verify(&with(&statement.replace("\"Nonce\":\"07", "\"Nonce\":\""))), body(BodyError::Length("Nonce")));
    let no_domain = statement.replace("KmsUri", "KmsUrl");
    assert!(matches!(verify(&with(&no_domain)), Err(ExchangeError::Domain(_))));
}
