//! Key sets and wrapped keys: only what passes every check becomes keys, and nothing secret is printed.

use std::sync::Arc;
use std::time::Duration;

use mikey_sakke::documents::DocumentErrorKind as Kind;
use mikey_sakke::documents::{
    Document, KeyContent, KmsKeyProv, KmsKeySet, KmsMessage, KmsRequest, KmsResponse, Tolerances, TransportKey,
    WrappedKey,
};
use mikey_sakke::error::{Error, KeyMaterialError, Refusal, UsageError};
use mikey_sakke::kms;
use mikey_sakke::secret::Secret;
use mikey_sakke::time::Timestamp;

use crate::common::*;

fn provision(document: &str, tolerances: Tolerances) -> KmsKeyProv {
    let response = KmsResponse::from_xml(document.as_bytes(), tolerances).unwrap();
    let Some(KmsMessage::KeyProv(provision)) = response.message else { panic!("no keys") };
    provision
}

fn import(key_set: &KmsKeySet) -> Result<(), Error> {
    key_set.import(&certificate(), Some(&transport_key())).map(drop)
}

#[test]
fn keys_of_every_example_pass_their_checks() {
    let tolerances = Tolerances { rfc3394_key_wrap: true, ..STRICT };
    for document in [PEER_KEYPROV, PEER_WRAPPED, PEER_RFC3394, KEYPROV, WRAPPED] {
        for key_set in &provision(document, tolerances).key_sets {
            let keys = key_set.import(&certificate(), Some(&transport_key())).unwrap();
            assert_eq!(keys.user(), &uri("sip:alice@example.org"));
            assert_eq!(keys.period(), mikey_sakke::identity::KeyPeriod::Number(key_set.key_period_no));
        }
    }
}

#[test]
fn keys_that_fail_a_check_are_not_imported() {
    for (name, error) in [
        ("UserDecryptKey", KeyMaterialError::Rsk),
        ("UserSigningKeySSK", KeyMaterialError::Ssk),
        ("UserPubTokenPVT", KeyMaterialError::Pvt),
        ("UserID", KeyMaterialError::UserId),
    ] {
        let hex = value(KEY_SET, name);
        let last = if hex.ends_with('0') { "1" } else { "0" };
        let damaged = replaced(KEY_SET, hex, &format!("{}{last}", &hex[..hex.len() - 1]));
        assert_eq!(import(&lone_key_set(&damaged)), Err(error.into()), "{name}");
    }
    // The keys of another period, which are good in themselves.
    let next = &provision(KEYPROV, STRICT).key_sets[1];
    let mut mixed = lone_key_set(KEY_SET);
    mixed.rsk = next.rsk.clone();
    assert_eq!(import(&mixed), Err(KeyMaterialError::Rsk.into()));
    let mut mixed = lone_key_set(KEY_SET);
    mixed.ssk = next.ssk.clone();
    assert_eq!(import(&mixed), Err(KeyMaterialError::Ssk.into()));
}

#[test]
fn user_kms_and_period_are_those_of_the_user_id() {
    for (from, to, error) in [
        ("<KeyPeriodNo>1352", "<KeyPeriodNo>1353", Error::from(KeyMaterialError::UserId)),
        ("<KeyPeriodNo>1352", "<KeyPeriodNo>18446744073709551615", KeyMaterialError::UserId.into()),
        ("<UserUri>sip:alice@", "<UserUri>sip:mallory@", KeyMaterialError::UserId.into()),
        ("<KmsUri>kms.example.org", "<KmsUri>kms.example.com", Refusal::UntrustedKms.into()),
        ("<Revoked>false", "<Revoked>true", KeyMaterialError::Revoked.into()),
    ] {
        assert_eq!(import(&lone_key_set(&replaced(KEY_SET, from, to))), Err(error), "{to}");
    }
    // A key set and a UserID that fit each other, and not the keys.
    let bob = KmsKeySet::new(&certificate(), &key_set(&KMS, "sip:bob@example.org", PERIOD, 0x14143)).unwrap();
    let mut stolen = lone_key_set(KEY_SET);
    (stolen.user_uri, stolen.user_id) = (bob.user_uri, bob.user_id);
    assert_eq!(import(&stolen), Err(KeyMaterialError::Ssk.into()));
    // A revoked certificate, and one of another domain that took the same name.
    let revoked = Arc::new(kms::KmsCertificate::clone(&certificate()).revoked());
    let key_set = lone_key_set(KEY_SET);
    assert_eq!(key_set.import(&revoked, None).map(drop), Err(UsageError::Certificate.into()));
}

#[test]
fn a_user_has_one_key_set_for_a_period() {
    let one = KEY_SET.split_once("?>").unwrap().1;
    let twice = replaced(KEYPROV, "<KmsKeySet", &format!("{one}<KmsKeySet"));
    assert_eq!(refused(twice), Kind::DuplicateKeySet);
    // Another period, user or KMS is another key set.
    for (from, to) in [("1352", "1351"), ("sip:alice@", "sip:bob@"), ("kms.example.org", "kms.example.com")] {
        let other = replaced(one, &format!(">{from}"), &format!(">{to}"));
        assert!(read(replaced(KEYPROV, "<KmsKeySet", &format!("{other}<KmsKeySet"))).is_ok(), "{to}");
    }
    let mut written = provision(KEYPROV, STRICT);
    written.key_sets.push(written.key_sets[0].clone());
    let mut response = KmsResponse::from_xml(KEYPROV.as_bytes(), STRICT).unwrap();
    response.message = Some(KmsMessage::KeyProv(written));
    assert_eq!(response.to_xml(), Err(UsageError::FieldLength));
}

#[test]
fn a_response_answers_its_request() {
    let request = |document: &str| KmsRequest::from_xml(document.as_bytes(), STRICT).unwrap();
    let response = |document: &str| KmsResponse::from_xml(document.as_bytes(), STRICT).unwrap();
    let now = Timestamp::from_unix(1_297_684_802).unwrap();
    let window = Duration::from_secs(5);
    let asked = request(REQUEST);
    assert_eq!(response(INIT).check(&asked, now, window), Ok(()));
    for (from, to, refusal) in [
        ("<UserUri>sip:alice@", "<UserUri>sip:bob@", Refusal::NotForUs),
        ("v1/init<", "v1/keyprov<", Refusal::NotForUs),
        (
            "<KmsUri>kms.example.org</KmsUri>\n  <Time>",
            "<KmsUri>kms.example.com</KmsUri>\n  <Time>",
            Refusal::UntrustedKms,
        ),
        (
            "<KmsUri>kms.example.org</KmsUri>\n        <Issuer>",
            "<KmsUri>kms.example.com</KmsUri>\n        <Issuer>",
            Refusal::UntrustedKms,
        ),
    ] {
        assert_eq!(response(&replaced(INIT, from, to)).check(&asked, now, window), Err(refusal), "{to}");
    }
    for (seconds, expected) in [(0, Ok(())), (5, Ok(())), (6, Err(Refusal::Stale))] {
        let away = Duration::from_secs(seconds);
        assert_eq!(response(INIT).check(&asked, now.saturating_add(away), window), expected);
        assert_eq!(response(INIT).check(&asked, now.saturating_sub(away), window), expected);
    }

    let asked = request(&replaced(REQUEST, "v1/init<", "v1/keyprov<"));
    assert_eq!(response(KEYPROV).check(&asked, now, window), Ok(()));
    let start = KEYPROV.find("<KmsKeySet").unwrap();
    let (head, key_sets) = KEYPROV.split_at(start);
    let another_kms = format!("{head}{}", replaced(key_sets, "<KmsUri>kms.example.org", "<KmsUri>kms.example.com"));
    assert_eq!(response(&another_kms).check(&asked, now, window), Err(Refusal::UntrustedKms));
    let another_user = format!("{head}{}", replaced(key_sets, "<UserUri>sip:alice@", "<UserUri>sip:bob@"));
    assert_eq!(response(&another_user).check(&asked, now, window), Err(Refusal::NotForUs));
}

/// The wrapped RSK of the example.
fn wrapped_rsk() -> WrappedKey {
    let provision = provision(WRAPPED, STRICT);
    let KeyContent::Wrapped(wrapped) = &provision.key_sets[0].rsk else { panic!("not wrapped") };
    wrapped.clone()
}

#[test]
fn wrapped_keys_are_those_of_another_implementation_of_rfc_5649() {
    let (ours, theirs) = (provision(WRAPPED, STRICT), provision(PEER_WRAPPED, STRICT));
    assert_eq!(ours.key_sets[0].rsk, theirs.key_sets[0].rsk);
    assert_eq!(ours.key_sets[0].ssk, theirs.key_sets[0].ssk);
    assert_eq!(ours.key_sets[0].pvt, theirs.key_sets[0].pvt);
    assert_eq!(ours.new_keys, theirs.new_keys);
    let new: Secret<[u8; 32]> = transport_key().unwrap(theirs.new_keys.transport_key.as_ref().unwrap()).unwrap();
    assert_eq!(*new.expose(), std::array::from_fn(|index| 0x60 + u8::try_from(index).unwrap()));
}

#[test]
fn keys_of_any_length_are_wrapped() {
    fn there_and_back<const N: usize>() {
        let key = Secret::new([0xA5; N]);
        let wrapped = transport_key().wrap(&key).unwrap();
        assert_eq!(wrapped.as_octets().len(), N.next_multiple_of(8) + 8);
        assert_eq!(transport_key().unwrap::<N>(&wrapped), Ok(key));
    }
    there_and_back::<1>();
    there_and_back::<8>();
    there_and_back::<9>();
    there_and_back::<32>();
    there_and_back::<65>();
    there_and_back::<257>();
    assert_eq!(transport_key().wrap(&Secret::new([])), Err(UsageError::FieldLength));
}

#[test]
fn a_wrapped_key_opens_under_its_transport_key_alone() {
    let wrapped = wrapped_rsk();
    assert!(transport_key().unwrap::<257>(&wrapped).is_ok());
    let other = TransportKey::new(Secret::new([0; 32]), None);
    assert!(other.unwrap::<257>(&wrapped).is_err());
    // A length in the same block, and one in another.
    assert!(transport_key().unwrap::<258>(&wrapped).is_err());
    assert!(transport_key().unwrap::<256>(&wrapped).is_err());
    let base64 = value(WRAPPED, "xenc:CipherValue");
    let damaged = replaced(WRAPPED, base64, &base64.replacen('A', "B", 1));
    let key_set = &provision(&damaged, STRICT).key_sets[0];
    assert_eq!(import(key_set), Err(Error::Rejected));
    assert_eq!(key_set.import(&certificate(), None).map(drop), Err(UsageError::TransportKey.into()));
}

#[test]
fn what_a_transport_key_opens_is_checked_like_any_key() {
    let mut key_set = lone_key_set(KEY_SET);
    key_set.rsk = KeyContent::Plain(Secret::new([4; 257]));
    let wrapped = key_set.wrapped(&transport_key()).unwrap();
    assert_eq!(import(&wrapped), Err(KeyMaterialError::Rsk.into()));
}

#[test]
fn key_wrap_without_padding_is_a_tolerance() {
    assert_eq!(refused(PEER_RFC3394), Kind::Unsupported("this algorithm"));
    let tolerances = Tolerances { rfc3394_key_wrap: true, ..STRICT };
    let (bare, padded) = (provision(PEER_RFC3394, tolerances), provision(PEER_WRAPPED, tolerances));
    assert_ne!(bare.key_sets[0].ssk, padded.key_sets[0].ssk);
    let new = |provision: &KmsKeyProv| -> Secret<[u8; 32]> {
        transport_key().unwrap(provision.new_keys.integrity_key.as_ref().unwrap()).unwrap()
    };
    assert_eq!(new(&bare), new(&padded));
}

#[test]
fn encrypted_keys_have_one_form() {
    let pad = "http://www.w3.org/2009/xmlenc11#kw-aes-256-pad";
    for algorithm in ["", "http://www.w3.org/2001/04/xmlenc#kw-aes128", "http://www.w3.org/2001/04/xmlenc#aes256-cbc"] {
        assert_eq!(refused(replaced(WRAPPED, pad, algorithm)), Kind::Unsupported("this algorithm"));
    }
    let base64 = value(WRAPPED, "xenc:CipherValue");
    for (wrong, kind) in [
        (base64.trim_end_matches('=').to_owned(), Kind::Value("base64")),
        (format!("{base64}===="), Kind::Value("base64")),
        (format!("-{}", &base64[1..]), Kind::Value("base64")),
        ("AAAAAAAAAAA=".to_owned(), Kind::Length(272)),
        (format!("AAAA{base64}"), Kind::Length(272)),
    ] {
        assert_eq!(refused(replaced(WRAPPED, base64, &wrong)), kind, "{wrong}");
    }
    for (from, to, kind) in [
        ("xsi:type=\"EncKeyContentType\"", "xsi:type=\"KeyContentType\"", Kind::Attribute),
        ("xsi:type=\"EncKeyContentType\"", "xsi:type=\"Other\"", Kind::Attribute),
        (
            "<xenc:CipherValue>",
            "<xenc:CipherReference URI=\"http://127.0.0.1/\"/><xenc:CipherValue>",
            Kind::Order("CipherValue"),
        ),
        ("<ds:KeyName>", "<ds:X509Data/><ds:KeyName>", Kind::Unexpected),
        ("</xenc:EncryptedKey>", "</xenc:EncryptedKey>00", Kind::Text),
    ] {
        assert_eq!(refused(replaced(WRAPPED, from, to)), kind, "{to}");
    }
    assert!(read(WRAPPED.replace("xsi:type=\"EncKeyContentType\"", "xsi:type=\"k:EncKeyContentType\"")).is_ok());
    assert!(read(WRAPPED.replace(" xsi:type=\"EncKeyContentType\"", "")).is_ok());
    assert!(read(KEYPROV.replace(" xsi:type=\"KeyContentType\"", "")).is_ok());
    let declared = KEYPROV.replace("xsi:type=\"KeyContentType\"", "xsi:type=\"EncKeyContentType\"");
    assert!(read(declared).is_err());
    // A new transport key is never in the clear.
    let element = &WRAPPED[WRAPPED.find("<NewTransportKey").unwrap()..];
    let element = &element[..element.find("</NewTransportKey>").unwrap()];
    let plain = format!("<NewTransportKey xsi:type=\"KeyContentType\">{}", "00".repeat(32));
    assert!(read(replaced(WRAPPED, element, &plain)).is_err());
}

#[test]
fn secrets_are_not_printed() {
    let key_set = lone_key_set(KEY_SET);
    let printed = format!("{:?} {:?} {:?}", key_set, transport_key(), read(KEYPROV).unwrap()).to_uppercase();
    for name in ["UserDecryptKey", "UserSigningKeySSK"] {
        let hex = value(KEY_SET, name);
        let octets: Vec<u8> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        let decimal = format!("{:?}", &octets[..8]);
        assert!(!printed.contains(&hex[..16]) && !printed.contains(decimal.trim_matches(['[', ']'])));
    }
    assert!(!printed.contains("64, 65, 66"));
    assert_eq!(format!("{:?}", wrapped_rsk()), "WrappedKey");
    // Nor does an error repeat a value.
    let wrong = replaced(KEY_SET, value(KEY_SET, "UserSigningKeySSK"), &format!("{}X", "5E".repeat(32)));
    let error = read(wrong).unwrap_err();
    assert!(!format!("{error:?} {error}").contains("5E5E"));
    assert!(matches!(read(KEY_SET).unwrap(), Document::KeySet(_)));
}
