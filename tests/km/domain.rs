//! The domain document.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use getrandom::SysRng;
use mikey_sakke::error::{KeyMaterialError, UsageError};
use mikey_sakke::identity::{KeyPeriod, UidFormat};
use mikey_sakke::imessage::Initiators;
use mikey_sakke::km::BodyError;
use mikey_sakke::km::domain::{Domain, DomainCertificate, DomainError, MAX_DOMAIN_OCTETS, Periods};
use mikey_sakke::kms::Kms;

use crate::common::{id, replaced, server, uri};

const PERIOD: u64 = 2_592_000;
const FIRST: Periods = Periods { from: 1_500, to: Some(1_520) };
const SECOND: Periods = Periods { from: 1_521, to: None };

fn kms(name: &str, format: UidFormat) -> Kms {
    Kms::generate(uri(name), format, &mut SysRng).unwrap()
}

fn format() -> UidFormat {
    UidFormat::hashed(PERIOD, 0).unwrap()
}

/// The KMS before its master secrets were replaced, and after.
static KEYS: LazyLock<[Kms; 2]> = LazyLock::new(|| [(); 2].map(|()| kms("kms.example.org", format())));

fn certificate(kms: &Kms, periods: Periods) -> DomainCertificate {
    DomainCertificate::new(kms.certificate(), periods, Some(id("urn:example:cert"))).unwrap()
}

fn domain() -> Domain {
    let certificates = vec![certificate(&KEYS[0], FIRST), certificate(&KEYS[1], SECOND)];
    let mut domain = Domain::new(server(), certificates).unwrap();
    domain.group_managers = ["sip:gms@example.org", "sip:old@example.org"].map(uri).into();
    domain.acceptable_kms = [uri("kms.example.net")].into();
    domain.revoked_users = ["sip:old@example.org", "sip:mallory@example.org"].map(uri).into();
    domain
}

/// The document of [`domain`].
pub(crate) static JSON: LazyLock<String> = LazyLock::new(|| domain().to_json());

fn read(json: &str) -> Result<Domain, DomainError> {
    Domain::from_json(json.as_bytes())
}

#[track_caller]
fn refused(from: &str, to: &str) -> DomainError {
    read(&replaced(&JSON, from, to)).unwrap_err()
}

#[test]
fn a_domain_is_written_as_it_is_read() {
    let (read, domain) = (read(&JSON).unwrap(), domain());
    assert_eq!(read.to_json(), *JSON);
    assert_eq!((read.skms_uri(), read.kms_uri(), read.uid_format()), (&server(), &uri("kms.example.org"), format()));
    assert_eq!(read.certificates(), domain.certificates());
    assert_eq!(read.group_managers, domain.group_managers);
    assert_eq!(read.acceptable_kms, domain.acceptable_kms);
    assert_eq!(read.revoked_users, domain.revoked_users);
    let json: serde_json::Value = serde_json::from_str(&JSON).unwrap();
    assert_eq!(json["userIdFormat"], 2);
    assert_eq!(json["certificates"][1].get("toPeriod"), None);
    assert_eq!(json["certificates"][0]["toPeriod"], 1_520);
    assert_eq!(json["certificates"][0]["PubEncKey"].as_str().unwrap().len(), 514);
    let bare = replaced(&JSON, "\"CertUri\":\"urn:example:cert\",", "\"other\":[],");
    assert_eq!(self::read(&bare).unwrap().certificates()[0].cert_uri(), None);
}

#[test]
fn certificates_are_trusted_in_their_key_periods() {
    let domain = read(&JSON).unwrap();
    let trusted = domain.trusted_certificates();
    let kpak_at = |number: u64| {
        let (start, end) = format().span(KeyPeriod::Number(number)).unwrap();
        let last = end.saturating_sub(std::time::Duration::from_secs(1));
        let [first, last] = [start, last]
            .map(|at| trusted.select(domain.kms_uri(), at).map(|certificate| certificate.kpak().to_octets()));
        assert_eq!(first, last);
        first
    };
    let [old, new] = [0, 1].map(|index| Some(KEYS[index].certificate().kpak().to_octets()));
    assert_eq!([1_499, 1_500, 1_520, 1_521, 9_999].map(kpak_at), [None, old, old, new, new]);
    assert_eq!(trusted.select(&uri("kms.example.net"), format().span(KeyPeriod::Number(1_510)).unwrap().0), None);
}

#[test]
fn a_certificate_that_is_revoked_is_not_trusted() {
    let domain = read(&replaced(&JSON, "\"Revoked\":false", "\"Revoked\":true")).unwrap();
    let at = |number| format().span(KeyPeriod::Number(number)).unwrap().0;
    assert_eq!(domain.trusted_certificates().select(domain.kms_uri(), at(1_510)), None);
    assert!(domain.trusted_certificates().select(domain.kms_uri(), at(1_530)).is_some());
    assert!(domain.trusted_certificates().is_revoked(KEYS[0].certificate()));
    assert_eq!(read(&domain.to_json()).unwrap().certificates(), domain.certificates());
}

#[test]
fn group_managers_distribute_to_groups_unless_they_are_revoked() {
    let domain = read(&JSON).unwrap();
    let Initiators::Only(managers) = domain.group_initiators() else { panic!("anyone") };
    assert_eq!(managers, BTreeSet::from([uri("sip:gms@example.org")]));
    let Initiators::AllBut(blocked) = domain.initiators() else { panic!("nobody") };
    assert_eq!(blocked, domain.revoked_users);
    // Without any, nobody may, not everybody.
    let none = Domain::new(server(), vec![certificate(&KEYS[0], FIRST)]).unwrap();
    assert!(matches!(none.group_initiators(), Initiators::Only(managers) if managers.is_empty()));
}

#[test]
fn points_are_checked() {
    let z = serde_json::from_str::<serde_json::Value>(&JSON).unwrap()["certificates"][0].clone();
    let (z, kpak) = (z["PubEncKey"].as_str().unwrap(), z["PubAuthKey"].as_str().unwrap());
    let lower = JSON.replace(z, &z.to_lowercase()).replace(kpak, &kpak.to_lowercase());
    assert!(read(&lower).is_ok());
    let changed = |hex: &str, last: &str| format!("{}{last}", &hex[..hex.len() - 2]);
    for (hex, error) in [(z, KeyMaterialError::PublicKey), (kpak, KeyMaterialError::Kpak)] {
        let other = if hex.ends_with("00") { "01" } else { "00" };
        let zero = format!("04{}", "0".repeat(hex.len() - 2));
        for point in
            [changed(hex, other), format!("02{}", &hex[2..]), "0".repeat(hex.len()), zero, "F".repeat(hex.len())]
        {
            assert_eq!(refused(hex, &point), DomainError::KeyMaterial(error), "{point}");
        }
    }
    for (name, hex) in [("PubEncKey", z), ("PubAuthKey", kpak)] {
        assert_eq!(refused(hex, &hex[2..]), BodyError::Length(name).into());
        assert_eq!(refused(hex, &format!("{hex}00")), BodyError::Length(name).into());
        assert_eq!(refused(hex, ""), BodyError::Length(name).into());
        assert_eq!(refused(hex, &changed(hex, "0x")), BodyError::Text(name).into());
        assert_eq!(refused(hex, &changed(hex, "é")), BodyError::Text(name).into());
    }
    // One curve's point for the other's.
    assert_eq!(refused(z, kpak), BodyError::Length("PubEncKey").into());
}

#[test]
fn key_periods_are_checked() {
    for (from, to, error) in [
        ("\"toPeriod\":1520", "\"toPeriod\":1499", UsageError::KeyPeriod),
        ("\"toPeriod\":1520", "\"toPeriod\":1521", UsageError::CertificateOverlap),
        ("\"toPeriod\":1520,", "", UsageError::CertificateOverlap),
        ("\"fromPeriod\":1521", "\"fromPeriod\":1520", UsageError::CertificateOverlap),
        ("\"fromPeriod\":1521", "\"fromPeriod\":18446744073709551615", UsageError::Time),
        ("\"userKeyPeriod\":2592000", "\"userKeyPeriod\":0", UsageError::UidFormat),
        ("\"userKeyOffset\":0", "\"userKeyOffset\":2592000", UsageError::UidFormat),
    ] {
        assert_eq!(refused(from, to), DomainError::Usage(error), "{to}");
    }
    assert!(read(&replaced(&JSON, "\"toPeriod\":1520", "\"toPeriod\":1500")).is_ok());
}

#[test]
fn certificates_are_of_one_domain_and_each_has_its_keys() {
    let new = |certificates| Domain::new(server(), certificates).map(|_| ()).unwrap_err();
    let first = || certificate(&KEYS[0], FIRST);
    assert_eq!(new(vec![]), UsageError::Certificate);
    assert_eq!(new(vec![first(), certificate(&KEYS[0], SECOND)]), UsageError::Certificate);
    let other = kms("kms.example.net", format());
    assert_eq!(new(vec![first(), certificate(&other, SECOND)]), UsageError::Certificate);
    let longer = kms("kms.example.org", UidFormat::hashed(2 * PERIOD, 0).unwrap());
    assert_eq!(new(vec![first(), certificate(&longer, SECOND)]), UsageError::Certificate);
    let monthly = kms("kms.example.org", UidFormat::Monthly);
    assert_eq!(DomainCertificate::new(monthly.certificate(), FIRST, None), Err(UsageError::UidFormat));
}

#[test]
fn malformed_domains_are_refused() {
    let value: serde_json::Value = serde_json::from_str(&JSON).unwrap();
    for name in value.as_object().unwrap().keys() {
        let mut without = value.clone();
        without.as_object_mut().unwrap().remove(name);
        let DomainError::Body(BodyError::Missing(missing)) = read(&without.to_string()).unwrap_err() else { panic!() };
        assert_eq!(missing, name);
    }
    for name in ["PubEncKey", "PubAuthKey", "fromPeriod", "Revoked"] {
        let mut without = value.clone();
        without["certificates"][1].as_object_mut().unwrap().remove(name);
        assert_eq!(read(&without.to_string()).unwrap_err(), BodyError::Missing(name).into());
    }
    let set = |pointer: &str, to: serde_json::Value| {
        let mut changed = value.clone();
        *changed.pointer_mut(pointer).unwrap() = to;
        read(&changed.to_string()).unwrap_err()
    };
    use serde_json::json;
    for (pointer, to, error) in [
        ("/certificates", json!({}), BodyError::Array("certificates")),
        ("/certificates", json!([[]]), BodyError::Json),
        ("/certificates", json!([1]), BodyError::Json),
        ("/certificates/0/Revoked", json!("false"), BodyError::Boolean("Revoked")),
        ("/certificates/0/Revoked", json!(0), BodyError::Boolean("Revoked")),
        ("/certificates/0/fromPeriod", json!("1500"), BodyError::Integer("fromPeriod")),
        ("/certificates/0/toPeriod", json!(1520.0), BodyError::Integer("toPeriod")),
        ("/certificates/0/toPeriod", json!(null), BodyError::Integer("toPeriod")),
        ("/certificates/0/CertUri", json!(""), BodyError::Length("CertUri")),
        ("/userKeyPeriod", json!(-1), BodyError::Integer("userKeyPeriod")),
        ("/userIdFormat", json!("2"), BodyError::Integer("userIdFormat")),
        ("/groupManagers", json!(null), BodyError::Array("groupManagers")),
        ("/groupManagers", json!("sip:gms@example.org"), BodyError::Array("groupManagers")),
        ("/groupManagers/0", json!(null), BodyError::Text("groupManagers")),
        ("/groupManagers/0", json!("SIP:gms@example.org"), BodyError::Uri("groupManagers")),
        ("/acceptableKms/0", json!(""), BodyError::Length("acceptableKms")),
        ("/revokedUsers/0", json!({"a": 1}), BodyError::Text("revokedUsers")),
        ("/SKmsUri", json!("skms.Example.org"), BodyError::Uri("SKmsUri")),
        ("/KmsUri", json!("kms.example.org:443"), BodyError::Uri("KmsUri")),
    ] {
        assert_eq!(set(pointer, to.clone()), error.into(), "{pointer} {to}");
    }
    assert_eq!(set("/userIdFormat", json!(1)), DomainError::UserIdFormat);
    assert_eq!(set("/certificates", json!([])), DomainError::Usage(UsageError::Certificate));
    let many = vec![value["certificates"][0].clone(); 257];
    assert_eq!(set("/certificates", json!(many)), BodyError::Array("certificates").into());
    assert_eq!(refused("\"Revoked\":false", "\"Revoked\":false,\"Revoked\":true"), BodyError::Duplicate.into());
    assert_eq!(refused("\"revokedUsers\"", "\"groupManagers\":[],\"revokedUsers\""), BodyError::Duplicate.into());
    assert_eq!(read(&" ".repeat(MAX_DOMAIN_OCTETS + 1)).unwrap_err(), BodyError::TooLong.into());
}
