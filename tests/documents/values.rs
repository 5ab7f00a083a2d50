//! What stands in the elements: missing, twice, out of order, or with values that they may not have.

use mikey_sakke::documents::DocumentErrorKind as Kind;
use mikey_sakke::documents::{Document, KmsResponse, Tolerances};
use mikey_sakke::error::{KeyMaterialError, UsageError};

use crate::common::*;

/// The document without its first element of this name, and that element.
fn without(document: &str, name: &str) -> (String, String) {
    let start = document.find(&format!("<{name}")).unwrap();
    let close = format!("</{name}>");
    let end = start + document[start..].find(&close).unwrap() + close.len();
    (format!("{}{}", &document[..start], &document[end..]), document[start..end].to_owned())
}

const REQUIRED: &[(&str, &[&str])] = &[
    (REQUEST, &["UserUri", "KmsUri", "Time", "ClientReqUrl"]),
    (INIT, &["UserUri", "KmsUri", "Time", "ClientReqUrl", "KmsCertificate"]),
    (ERROR, &["ErrorCode", "ErrorMsg"]),
    (CERTIFICATE, &["KmsUri", "UserIdFormat", "UserKeyPeriod", "UserKeyOffset", "PubEncKey", "PubAuthKey"]),
    (
        KEY_SET,
        &["KmsUri", "UserUri", "UserID", "KeyPeriodNo", "UserDecryptKey", "UserSigningKeySSK", "UserPubTokenPVT"],
    ),
    (WRAPPED, &["xenc:EncryptedKey", "xenc:CipherData", "xenc:CipherValue"]),
];

const OPTIONAL: &[(&str, &[&str])] = &[
    (REQUEST, &["ClientId"]),
    (INIT, &["KmsId", "KmsMessage", "CertUri", "Issuer", "ValidFrom", "Revoked", "ParameterSet", "KmsDomainList"]),
    (ERROR, &["KmsError"]),
    (KEYPROV, &["KmsKeySet"]),
    (CERTCACHE, &["KmsCertificate"]),
    (KEY_SET, &["ValidFrom", "ValidTo", "Revoked"]),
    (WRAPPED, &["ds:KeyInfo", "ds:KeyName", "xenc:CarriedKeyName", "NewTransportKey", "NewIntegrityKey", "TrK-ID"]),
];

#[test]
fn what_is_required_is_missed_by_name() {
    for (document, names) in REQUIRED {
        for name in *names {
            let local = name.rsplit(':').next().unwrap();
            let kind = refused(without(document, name).0);
            assert!(matches!(kind, Kind::Missing(missing) if missing == local), "{name}: {kind}");
        }
    }
    assert_eq!(refused(without(INIT, "KmsInit").0), Kind::Missing("its content"));
    let algorithm = " Algorithm=\"http://www.w3.org/2009/xmlenc11#kw-aes-256-pad\"";
    assert_eq!(refused(replaced(WRAPPED, algorithm, "")), Kind::Missing("Algorithm"));
}

#[test]
fn what_is_optional_is_not_missed() {
    for (document, names) in OPTIONAL {
        for name in *names {
            assert!(read(without(document, name).0).is_ok(), "{name}");
        }
    }
}

#[test]
fn no_element_stands_twice() {
    for (document, names) in REQUIRED.iter().chain(OPTIONAL) {
        for name in names.iter().filter(|name| !matches!(**name, "KmsKeySet" | "KmsCertificate")) {
            let element = without(document, name).1;
            let local = name.rsplit(':').next().unwrap();
            for tolerances in [STRICT, Tolerances { element_order: true, ..STRICT }] {
                let twice = replaced(document, &element, &element.repeat(2));
                let error = Document::from_xml(twice.as_bytes(), tolerances).unwrap_err();
                assert_eq!((error.kind, error.element.as_deref()), (Kind::Duplicate, Some(local)));
            }
        }
    }
    let init = without(INIT, "KmsInit").1;
    assert_eq!(refused(replaced(INIT, &init, &init.repeat(2))), Kind::Duplicate);
    let provision = without(KEYPROV, "KmsKeyProv").1;
    assert_eq!(refused(replaced(INIT, &init, &(init.clone() + &provision))), Kind::Unexpected);
}

#[test]
fn elements_stand_in_their_order_unless_that_is_tolerated() {
    for (document, first, second) in [
        (REQUEST, "UserUri", "KmsUri"),
        (REQUEST, "Time", "ClientId"),
        (INIT, "UserUri", "KmsUri"),
        (INIT, "KmsId", "ClientReqUrl"),
        (CERTIFICATE, "PubEncKey", "PubAuthKey"),
        (CERTIFICATE, "CertUri", "KmsUri"),
        (KEY_SET, "UserDecryptKey", "UserPubTokenPVT"),
        (KEY_SET, "UserUri", "UserID"),
        (ERROR, "ErrorCode", "ErrorMsg"),
    ] {
        let (rest, moved) = without(document, first);
        let anchor = without(&rest, second).1;
        let swapped = replaced(&rest, &anchor, &(anchor.clone() + &moved));
        let kind = refused(&swapped);
        assert!(matches!(kind, Kind::Order(_) | Kind::Unexpected), "{first}, {second}: {kind}");
        let tolerated = Document::from_xml(swapped.as_bytes(), Tolerances { element_order: true, ..STRICT });
        assert_eq!(format!("{:?}", tolerated.unwrap()), format!("{:?}", read(document).unwrap()));
    }
}

#[test]
fn elements_that_are_not_known_are_refused_in_the_namespace_and_ignored_outside() {
    for (document, name) in [(REQUEST, "Time"), (INIT, "KmsInit"), (CERTIFICATE, "Issuer"), (KEY_SET, "UserID")] {
        let at = document.find(&format!("<{name}")).unwrap();
        let with = |piece: &str| format!("{}{piece}{}", &document[..at], &document[at..]);
        let (kind, element, offset) = error(&with("<Unknown/>"));
        assert_eq!((element.as_deref(), offset), (Some("Unknown"), at));
        assert!(matches!(kind, Kind::Unexpected | Kind::Order(_)), "{kind}");
        assert!(read(with("<x:Unknown xmlns:x='urn:x'>y<x:z/></x:Unknown>")).is_ok());
        assert_eq!(refused(with("text")), Kind::Text);
    }
    assert_eq!(refused(REQUEST.replace("KmsRequest", "KmsQuestion")), Kind::Root);
    let error = KmsResponse::from_xml(REQUEST.as_bytes(), STRICT).unwrap_err();
    assert_eq!((error.kind, error.element.as_deref()), (Kind::Root, Some("KmsRequest")));
}

#[test]
fn what_is_not_supported_is_named() {
    let krr = replaced(REQUEST, "</ClientReqUrl>", "</ClientReqUrl><KrrList/>");
    assert_eq!(refused(krr), Kind::Unsupported("a request after a redirect"));
    let lookup = replaced(INIT, &without(INIT, "KmsInit").1, "<KmsLookup/>");
    assert_eq!(refused(lookup), Kind::Unsupported("a lookup"));
    let format = replaced(INIT, "<UserIdFormat>2", "<UserIdFormat>1");
    assert_eq!(refused(format), Kind::Unsupported("this format of UIDs"));
    let set = replaced(INIT, "<ParameterSet>1", "<ParameterSet>2");
    assert_eq!(refused(set), Kind::Unsupported("this parameter set"));
}

#[test]
fn keys_are_hexadecimal_of_their_length() {
    for (document, name, octets) in [
        (CERTIFICATE, "PubEncKey", 257),
        (CERTIFICATE, "PubAuthKey", 65),
        (KEY_SET, "UserDecryptKey", 257),
        (KEY_SET, "UserSigningKeySSK", 32),
        (KEY_SET, "UserPubTokenPVT", 65),
        (KEY_SET, "UserID", 32),
    ] {
        let hex = value(document, name);
        let changed = |to: &str| replaced(document, hex, to);
        assert!(read(changed(&hex.to_lowercase())).is_ok());
        assert!(read(changed(&format!("\n\t {hex}\r\n"))).is_ok());
        // A few digits by reference are digits all the same.
        let first = format!("&#{};", hex.as_bytes()[0]);
        assert!(read(changed(&format!("{first}{}", &hex[1..]))).is_ok());

        let offset = changed("?").find("?</").unwrap();
        let refused = |to: &str| {
            let (kind, element, at) = error(&changed(to));
            assert_eq!((element.as_deref(), at), (Some(name), offset), "{to}");
            kind
        };
        assert_eq!(refused(&hex[1..]), Kind::Value("hexadecimal"));
        assert_eq!(refused(&hex[2..]), Kind::Length(octets));
        assert_eq!(refused(&format!("{hex}00")), Kind::Length(octets));
        assert_eq!(refused(&hex.repeat(100)), Kind::Length(octets));
        assert_eq!(refused(&format!("{}g", &hex[..hex.len() - 1])), Kind::Value("hexadecimal"));
        assert_eq!(refused(&format!("{} {}", &hex[..9], &hex[10..])), Kind::Value("hexadecimal"));
        assert!(matches!(refused(&format!("0x{hex}")), Kind::Length(_)));
        assert!(matches!(refused(&format!("{} \n{}", &hex[..10], &hex[10..])), Kind::Length(_)));
        assert!(matches!(refused(&format!("é{}", &hex[2..])), Kind::Value(_)));
        let (kind, element, _) = error(&changed(""));
        assert_eq!((kind, element.as_deref()), (Kind::Value("there"), Some(name)));
    }
}

#[test]
fn the_user_id_may_be_base64_of_32_octets() {
    let hex = value(KEY_SET, "UserID");
    let changed = |to: &str| replaced(KEY_SET, hex, to);
    let base64 = "m2KuxAWqsd+guzQkfp6LIHdAc55BSNn2wcw3O+yK+lU=";
    assert_eq!(lone_key_set(&changed(base64)).user_id, lone_key_set(KEY_SET).user_id);
    for wrong in [
        "m2KuxAWqsd-guzQkfp6LIHdAc55BSNn2wcw3O-yK-lU=",
        "m2KuxAWqsd+guzQkfp6LIHdAc55BSNn2wcw3O+yK+lV=",
        "m2KuxAWqsd+guzQkfp6LIHdAc55BSNn2wcw3O+yK+g==",
        "m2KuxAWqsd+guzQkfp6LIHdAc55BSNn2wcw3O+yK+lU",
        "m2KuxAWqsd+guzQkfp6LIHdAc55BSNn2wcw3O+yK",
    ] {
        assert_eq!(error(&changed(wrong)).1.as_deref(), Some("UserID"), "{wrong}");
    }
}

#[test]
fn points_of_certificates_are_checked_when_they_are_read() {
    for (name, kind) in [("PubEncKey", KeyMaterialError::PublicKey), ("PubAuthKey", KeyMaterialError::Kpak)] {
        let hex = value(CERTIFICATE, name);
        let last = if hex.ends_with('0') { "1" } else { "0" };
        for wrong in
            [format!("{}{last}", &hex[..hex.len() - 1]), format!("02{}", &hex[2..]), "00".repeat(hex.len() / 2)]
        {
            let document = replaced(CERTIFICATE, hex, &wrong);
            let offset = document.find(&wrong).unwrap();
            assert_eq!(error(&document), (Kind::KeyMaterial(kind), Some(name.into()), offset));
        }
    }
}

#[test]
fn values_are_what_their_types_say() {
    for (document, name, wrong, kind) in [
        (REQUEST, "UserUri", "SIP:alice@example.org", Kind::Usage(UsageError::Uri)),
        (REQUEST, "KmsUri", "kms.example.org:443", Kind::Usage(UsageError::Uri)),
        (REQUEST, "UserUri", "sip:alice@example.org sip:bob@example.org", Kind::Usage(UsageError::Uri)),
        (REQUEST, "Time", "yesterday", Kind::Value("a date and time")),
        (REQUEST, "Time", "2011-02-29T12:00:00Z", Kind::Value("a date and time")),
        (REQUEST, "Time", "1297684800", Kind::Value("a date and time")),
        (ERROR, "ErrorCode", "5.0", Kind::Value("an integer")),
        (ERROR, "ErrorCode", "99999999999999999999", Kind::Value("an integer")),
        (CERTIFICATE, "Revoked", "no", Kind::Value("true or false")),
        (CERTIFICATE, "Revoked", "TRUE", Kind::Value("true or false")),
        (CERTIFICATE, "UserKeyPeriod", "-1", Kind::Value("a number")),
        (CERTIFICATE, "UserKeyPeriod", "+1", Kind::Value("a number")),
        (CERTIFICATE, "UserKeyPeriod", "18446744073709551616", Kind::Value("a number")),
        (CERTIFICATE, "UserKeyPeriod", "0", Kind::Usage(UsageError::UidFormat)),
        (CERTIFICATE, "UserKeyOffset", "2592000", Kind::Usage(UsageError::UidFormat)),
        (KEY_SET, "KeyPeriodNo", "1e3", Kind::Value("a number")),
        (KEY_SET, "KeyPeriodNo", "2011-02", Kind::Value("a number")),
        (KEY_SET, "ValidTo", "2011-01-19T00:00:00Z", Kind::Value("after ValidFrom")),
    ] {
        let right = value(document, name);
        let changed = replaced(document, &format!("<{name}>{right}<"), &format!("<{name}>{wrong}<"));
        let (found, element, offset) = error(&changed);
        assert_eq!(found, kind, "{name}: {wrong}");
        if name.starts_with("UserKey") && matches!(kind, Kind::Usage(_)) {
            // What does not fit is the two together.
            assert_eq!(
                (element.as_deref(), offset),
                (Some("KmsCertificate"), changed.find("<KmsCertificate").unwrap())
            );
        } else {
            assert_eq!(
                (element.as_deref(), offset),
                (Some(name), changed.find(&format!("<{name}>{wrong}<")).unwrap() + name.len() + 2),
                "{name}: {wrong}"
            );
        }
    }
    for (name, right) in [("Revoked", "1"), ("Revoked", " true "), ("UserKeyOffset", "0000")] {
        let document =
            replaced(CERTIFICATE, &format!("<{name}>{}", value(CERTIFICATE, name)), &format!("<{name}>{right}"));
        assert!(read(document).is_ok());
    }
}

#[test]
fn white_space_in_text_is_collapsed() {
    let document = replaced(ERROR, "no such certificate:", "\n  no\tsuch \r\n certificate&#10;:");
    let Document::Response(response) = read(document).unwrap() else { panic!("not a response") };
    assert_eq!(response.error.unwrap().message, "no such certificate : <kms.example.net>");
}

#[test]
fn errors_say_what_and_where() {
    let document = replaced(INIT, "<UserKeyPeriod>2592000", "<UserKeyPeriod>x");
    let offset = document.find(">x<").unwrap() + 1;
    let error = read(&document).unwrap_err();
    assert_eq!(error.to_string(), format!("malformed at octet {offset}, UserKeyPeriod: the value is not a number"));
    assert_eq!(read("").unwrap_err().to_string(), "malformed at octet 0: the XML is not well-formed");
    let long = format!("<{} xmlns=\"urn:3gpp:ns:mcsecKMSInterface:1.0\"/>", "ü".repeat(1_000));
    assert_eq!(error_length(&long), 64);
}

fn error_length(document: &str) -> usize {
    read(document).unwrap_err().element.unwrap().chars().count()
}
