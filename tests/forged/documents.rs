//! Key sets and certificates of a KMS in XML, as they are imported (TS 33.180, annex D).

use std::sync::Arc;

use mikey_sakke::documents::{KmsCertificate, KmsKeySet, Tolerances};
use mikey_sakke::error::KeyMaterialError::{Pvt, Revoked, Rsk, Ssk, UserId};
use mikey_sakke::error::Refusal;
use mikey_sakke::kms;

use crate::family::Class::{self, KeyMaterial, Malformed, Refused};
use crate::family::Family;

const CERTIFICATE: &str = include_str!("../../test-vectors/documents/certificate.xml");
const KEY_SET: &str = include_str!("../../test-vectors/documents/key-set.xml");

fn kms_certificate() -> Arc<kms::KmsCertificate> {
    KmsCertificate::from_xml(CERTIFICATE.as_bytes(), Tolerances::default()).unwrap().certificate
}

#[allow(clippy::ptr_arg, reason = "an input is of one type")]
fn key_set(document: &String) -> Result<(), Class> {
    let key_set = KmsKeySet::from_xml(document.as_bytes(), Tolerances::default()).map_err(|_| Malformed)?;
    Ok(key_set.import(&kms_certificate(), None).map(drop)?)
}

#[allow(clippy::ptr_arg, reason = "an input is of one type")]
fn certificate(document: &String) -> Result<(), Class> {
    let certificate = KmsCertificate::from_xml(document.as_bytes(), Tolerances::default()).map_err(|_| Malformed)?;
    // The keys of its user go with it.
    let key_set = KmsKeySet::from_xml(KEY_SET.as_bytes(), Tolerances::default()).unwrap();
    Ok(key_set.import(&certificate.certificate, None).map(drop)?)
}

/// The text of an element that stands once.
fn value<'a>(document: &'a str, element: &str) -> &'a str {
    let start = document.find(&format!("<{element}")).unwrap();
    let start = start + document[start..].find('>').unwrap() + 1;
    &document[start..start + document[start..].find('<').unwrap()]
}

fn replace(from: &str, to: &str) -> impl FnOnce(&mut String) + use<> {
    let (from, to) = (from.to_owned(), to.to_owned());
    move |document| {
        assert!(document.contains(&from), "{from}");
        *document = document.replacen(&from, &to, 1);
    }
}

/// With its last digit changed.
fn altered(hex: &str) -> String {
    let (head, last) = hex.split_at(hex.len() - 1);
    format!("{head}{}", if last == "0" { "1" } else { "0" })
}

/// What may be wrong with any document.
fn damage(family: &mut Family<String>, root: &str) {
    let open = format!("<{root}");
    for (name, from, to) in [
        ("a DOCTYPE", open.clone(), format!("<!DOCTYPE {root}>{open}")),
        ("an entity", "kms.example.org".into(), "&kms;".into()),
        ("CDATA", "kms.example.org".into(), "<![CDATA[kms.example.org]]>".into()),
        ("a comment in a value", "kms.example.org".into(), "kms.<!-- -->example.org".into()),
        ("a character that XML does not allow", "kms.example.org".into(), "kms.example.org\u{1}".into()),
        ("another namespace", "urn:3gpp:ns:mcsecKMSInterface:1.0".into(), "urn:x".into()),
        ("an element that is not closed", "</KmsUri>".into(), String::new()),
        ("an element twice", "<KmsUri>".into(), "<KmsUri>kms.example.org</KmsUri><KmsUri>".into()),
        ("elements nested 10,000 deep", "<KmsUri>".into(), format!("{}<KmsUri>", "<a>".repeat(10_000))),
        ("a text of 16 MiB", "<KmsUri>kms.example.org".into(), format!("<KmsUri>{}", "k".repeat(1 << 24))),
        ("a URI of 65,536 octets", "<KmsUri>kms.example.org".into(), format!("<KmsUri>{}", "k".repeat(65_536))),
        ("a signature", "<KmsUri>".into(), "<Signature xmlns=\"http://www.w3.org/2000/09/xmldsig#\"/><KmsUri>".into()),
    ] {
        family.refuse(name, Malformed, replace(&from, &to));
    }
}

#[test]
fn key_sets() {
    let mut family = Family::new("key sets in XML", KEY_SET.to_owned(), key_set);
    for (element, error) in
        [("UserDecryptKey", Rsk), ("UserSigningKeySSK", Ssk), ("UserPubTokenPVT", Pvt), ("UserID", UserId)]
    {
        let hex = value(KEY_SET, element);
        family.refuse(format!("{element} altered"), KeyMaterial(error), replace(hex, &altered(hex)));
        family.refuse(format!("{element} short"), Malformed, replace(hex, &hex[2..]));
        family.refuse(format!("{element} long"), Malformed, replace(hex, &format!("{hex}00")));
        family.refuse(format!("{element} empty"), Malformed, replace(hex, ""));
        family.refuse(format!("{element} of half an octet less"), Malformed, replace(hex, &hex[1..]));
    }
    for (element, error) in [("UserDecryptKey", Rsk), ("UserSigningKeySSK", Ssk), ("UserPubTokenPVT", Pvt)] {
        let hex = value(KEY_SET, element);
        let zeros = "0".repeat(hex.len());
        family.refuse(format!("{element} of zeros"), KeyMaterial(error), replace(hex, &zeros));
    }
    for (name, class, from, to) in [
        ("of another user", KeyMaterial(UserId), "sip:alice@", "sip:bob@"),
        ("of another KMS", Refused(Refusal::UntrustedKms), "kms.example.org", "kms.example.net"),
        ("of another key period", KeyMaterial(UserId), ">1352<", ">1353<"),
        ("revoked", KeyMaterial(Revoked), ">false<", ">true<"),
    ] {
        family.refuse(name, class, replace(from, to));
    }
    damage(&mut family, "KmsKeySet");
    family.check(39);
}

#[test]
fn certificates() {
    let mut family = Family::new("certificates in XML", CERTIFICATE.to_owned(), certificate);
    for element in ["PubEncKey", "PubAuthKey"] {
        let hex = value(CERTIFICATE, element);
        family.refuse(format!("{element} altered"), Malformed, replace(hex, &altered(hex)));
        family.refuse(format!("{element} short"), Malformed, replace(hex, &hex[2..]));
        family.refuse(format!("{element} long"), Malformed, replace(hex, &format!("{hex}00")));
        family.refuse(format!("{element} empty"), Malformed, replace(hex, ""));
        family.refuse(format!("{element} of zeros"), Malformed, replace(hex, &"0".repeat(hex.len())));
        family.refuse(format!("{element} compressed"), Malformed, replace(hex, &format!("02{}", &hex[2..])));
    }
    let origin = format!("04{}", "0".repeat(512));
    family.refuse("PubEncKey of order 2", Malformed, replace(value(CERTIFICATE, "PubEncKey"), &origin));
    for (name, class, from, to) in [
        ("of another KMS", Refused(Refusal::UntrustedKms), "<KmsUri>kms.example.org", "<KmsUri>kms.example.net"),
        ("of other key periods", KeyMaterial(UserId), ">2592000<", ">2592001<"),
        ("of key periods that begin later", KeyMaterial(UserId), "<UserKeyOffset>0", "<UserKeyOffset>1"),
        ("of key periods of no length", Malformed, ">2592000<", ">0<"),
        ("of another parameter set", Malformed, "<ParameterSet>1", "<ParameterSet>2"),
    ] {
        family.refuse(name, class, replace(from, to));
    }
    damage(&mut family, "KmsCertificate");
    family.check(30);
}
