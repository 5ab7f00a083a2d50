//! Records.

use mikey_sakke::error::UsageError;
use mikey_sakke::km::record::Record;
use mikey_sakke::km::{BodyError, MAX_BODY_OCTETS, MAX_PAYLOAD_OCTETS, Payload};
use mikey_sakke::kms::Validity;

use crate::common::{NOW, PAYLOAD, alice, at, payload, replaced};

const RECORD: &str =
    r#"{"UserUri":"sip:alice@example.org","Payload":"canary","ValidFrom":1795000000,"ValidTo":1795003600}"#;

fn read(json: &str) -> Result<Record, BodyError> {
    Record::from_json(json.as_bytes())
}

#[test]
fn a_record_is_written_as_it_is_read() {
    let record = read(RECORD).unwrap();
    assert_eq!(record.user_uri(), &alice());
    assert_eq!(record.payload().expose(), "canary");
    assert_eq!(record.validity(), Validity { from: Some(at(NOW)), to: Some(at(NOW + 3_600)) });
    assert_eq!(*record.to_json(), RECORD);
    let always = Record::new(alice(), payload(), Validity::ALWAYS).unwrap();
    assert_eq!(read(&always.to_json()), Ok(always.clone()));
    assert_eq!(always.payload().expose(), PAYLOAD);
}

#[test]
fn a_record_is_valid_for_a_time() {
    let validity = read(RECORD).unwrap().validity();
    assert!(validity.includes(at(NOW)) && validity.includes(at(NOW + 3_599)));
    assert!(!validity.includes(at(NOW - 1)) && !validity.includes(at(NOW + 3_600)));
    let open = read(&replaced(RECORD, ",\"ValidTo\":1795003600", "")).unwrap().validity();
    assert!(open.includes(at(NOW + 3_600)) && !open.includes(at(NOW - 1)));
    for to in ["1795000000", "1794999999", "0"] {
        assert_eq!(read(&replaced(RECORD, "1795003600", to)), Err(BodyError::Integer("ValidTo")), "{to}");
    }
    let empty = Validity { from: Some(at(NOW)), to: Some(at(NOW)) };
    assert_eq!(Record::new(alice(), payload(), empty), Err(UsageError::Time));
}

#[test]
fn malformed_records_are_refused() {
    let (user, payload) = ("\"UserUri\":\"sip:alice@example.org\"", "\"Payload\":\"canary\"");
    for (from, to, error) in [
        (user, "\"x\":1", BodyError::Missing("UserUri")),
        (payload, "\"payload\":\"canary\"", BodyError::Missing("Payload")),
        (payload, "\"Payload\":null", BodyError::Text("Payload")),
        (payload, "\"Payload\":{\"a\":\"canary\"}", BodyError::Text("Payload")),
        (payload, "\"Payload\":\"\\ud800\"", BodyError::Text("Payload")),
        (payload, "\"Payload\":\"a\",\"Payload\":\"b\"", BodyError::Duplicate),
        ("sip:alice@", "Sip:alice@", BodyError::Uri("UserUri")),
        ("sip:alice@example.org", "", BodyError::Length("UserUri")),
        ("1795000000", "-1", BodyError::Integer("ValidFrom")),
        ("1795000000", "1795000000.0", BodyError::Integer("ValidFrom")),
        ("1795000000", "null", BodyError::Integer("ValidFrom")),
        ("1795003600", "\"1795003600\"", BodyError::Integer("ValidTo")),
        ("1795003600", "253402300800", BodyError::Integer("ValidTo")),
        ("1795003600", "18446744073709551616", BodyError::Integer("ValidTo")),
        ("}", "", BodyError::Json),
    ] {
        assert_eq!(read(&replaced(RECORD, from, to)), Err(error), "{to}");
    }
}

#[test]
fn a_payload_has_a_longest_length() {
    let of = |octets| read(&replaced(RECORD, "canary", &"a".repeat(octets)));
    assert_eq!(of(MAX_PAYLOAD_OCTETS).unwrap().payload().expose().len(), MAX_PAYLOAD_OCTETS);
    assert_eq!(of(MAX_PAYLOAD_OCTETS + 1), Err(BodyError::Length("Payload")));
    assert_eq!(of(MAX_BODY_OCTETS), Err(BodyError::TooLong));
    assert_eq!(of(0).unwrap().payload(), &Payload::default());
    // What counts is the text, not its escapes.
    let escaped = read(&replaced(RECORD, "canary", &"\\u0061".repeat(10_000))).unwrap();
    assert_eq!(escaped.payload().expose(), "a".repeat(10_000));
}
