//! What an inspection says of well-formed and of damaged messages.

use mikey_sakke::error::DecodeErrorKind::{
    self, Duplicate, Missing, PayloadType as UnknownPayload, RandLength, TimestampType, TrailingOctets, Truncated,
    Version,
};
use mikey_sakke::mikey::payload::{KeyData, KeyValidity, Payload, Ts};
use mikey_sakke::mikey::registry::{DataType, EncrAlg, KeyDataType, MacAlg, PayloadType};
use mikey_sakke::mikey::{Field, Header, Inspection, Message, Tolerances, Value, inspect};
use mikey_sakke::secret::Secret;

use crate::common::{after_header, plain, rand, recorded, sakke, signed, sp, t, unhex};

fn inspected(octets: &[u8]) -> Inspection<'_> {
    inspect(octets, Tolerances::default())
}

/// Offset, payload and kind of each fault.
fn faults(octets: &[u8]) -> Vec<(usize, Option<usize>, DecodeErrorKind)> {
    inspected(octets).faults.iter().map(|fault| (fault.error.offset, fault.payload, fault.error.kind)).collect()
}

fn names(octets: &[u8]) -> Vec<String> {
    inspected(octets).parts.iter().map(ToString::to_string).collect()
}

#[test]
fn recorded_messages_have_no_faults() {
    for octets in recorded() {
        let inspection = inspected(&octets);
        assert_eq!(inspection.faults, []);
        assert_eq!(inspection.length, octets.len());
        assert_eq!(inspection.signed_length, Some(octets.len() - 129));
        assert_eq!(inspection.message(), Message::decode(&octets).ok().as_ref());
        assert_eq!(inspection.header(), inspection.message().map(|message| &message.header));
        assert!(inspection.parts.iter().all(|part| !part.fields().is_empty()));
    }
}

/// The field of a name, at any depth.
fn field<'a>(fields: &'a [Field], name: &str) -> Option<&'a Value> {
    fields.iter().find_map(|Field { name: found, value }| match value {
        value if *found == name => Some(value),
        Value::Fields(inner) => field(inner, name),
        Value::List(values) => values.iter().find_map(|value| match value {
            Value::Fields(inner) => field(inner, name),
            _ => None,
        }),
        _ => None,
    })
}

#[test]
fn fields_have_the_names_of_the_standards() {
    let octets = &recorded()[0];
    let inspection = inspected(octets);
    let fields: Vec<Field> = inspection.parts.iter().flat_map(|part| part.fields()).collect();
    let expected = [
        ("data type", Value::Named(26, Some("SAKKE msg"))),
        ("V", Value::Flag(false)),
        ("PRF func", Value::Named(1, Some("PRF-HMAC-SHA-256"))),
        ("CSB ID", Value::Octets(unhex("06a12aea"))),
        ("#CS", Value::Number(1)),
        ("CS ID map type", Value::Named(2, Some("GENERIC-ID"))),
        ("CS ID", Value::Number(4)),
        ("SPI", Value::Octets(unhex("0df9bc3906a12aea"))),
        ("TS type", Value::Named(0, Some("NTP-UTC"))),
        ("TS value", Value::Ntp(0xec89_8da8_0000_0000)),
        ("RAND", Value::Octets(unhex("ca2f5d51ff0866362c1d85a56f84651e"))),
        ("Value", Value::Named(6, Some("AES-GCM"))),
        ("ID scheme", Value::Named(2, Some("3GPP hashed UID"))),
        ("SAKKE data length", Value::Number(273)),
        ("DPPK-ID", Value::Octets(unhex("06a12aea"))),
        ("S type", Value::Named(2, Some("ECCSI"))),
        ("Signature length", Value::Number(129)),
    ];
    for (name, value) in expected {
        assert_eq!(field(&fields, name), Some(&value), "{name}");
    }
    let kms = Value::Text("kms.mydev.streamwide.com".into());
    assert!(fields.iter().any(|field| field.name == "ID data" && field.value == kms));
}

#[test]
fn keys_are_not_among_the_fields() {
    let key = KeyData {
        key_type: KeyDataType::TGK,
        key: Secret::new(vec![0xaa; 16]),
        salt: None,
        validity: KeyValidity::Spi(vec![1, 2]),
    };
    let encr_data = KeyData::encode_all(&[key]).unwrap().expose().clone();
    let kemac =
        mikey_sakke::mikey::payload::Kemac { encr_alg: EncrAlg::NULL, encr_data, mac_alg: MacAlg::NULL, mac: vec![] };
    let fields = Payload::Kemac(kemac).fields();
    assert_eq!(field(&fields, "Key data length"), Some(&Value::Number(16)));
    assert_eq!(field(&fields, "SPI"), Some(&Value::Octets(vec![1, 2])));
    assert!(!format!("{fields:?}").contains("170, 170"));
}

#[test]
fn every_truncation_shows_what_is_there() {
    for octets in recorded() {
        let whole = inspected(&octets);
        for length in 0..octets.len() {
            let cut = inspected(&octets[..length]);
            let intact = whole.parts.iter().take_while(|part| part.offset + part.octets.len() <= length).count();
            assert_eq!(cut.parts[..intact], whole.parts[..intact], "{length} octets");
            for part in &cut.parts[intact..] {
                assert_eq!((part.content.as_ref(), part.octets), (None, &octets[part.offset..length]));
                assert_eq!(part.payload_type, whole.parts[intact].payload_type);
                assert_eq!(cut.faults[0].payload, Some(intact - 1));
            }
            assert_eq!(cut.faults.len(), 1, "{length} octets: {:?}", cut.faults);
            assert_eq!(cut.faults[0].error.kind, Truncated);
        }
    }
}

#[test]
fn a_malformed_policy_is_passed_over() {
    let octets = after_header(10, "0b0000000300021000020000");
    assert_eq!(names(&octets), ["HDR", "SP", "RAND"]);
    let found = faults(&octets);
    assert_eq!(found[0], (17, Some(0), Truncated));
    // An I_MESSAGE lacks more than that.
    let missing: Vec<_> = found[1..].iter().map(|(_, _, kind)| *kind).collect();
    assert_eq!(missing, [RandLength, Missing(5), Missing(26), Missing(4)]);
    assert!(inspected(&octets).message().is_none());
    assert_eq!(inspected(&octets).parts[1].fields(), []);
}

#[test]
fn another_version_is_read_like_the_first() {
    for mut octets in recorded() {
        octets[0] = 2;
        assert_eq!(faults(&octets), [(0, None, Version(2))]);
        assert_eq!(names(&octets).len(), names(&recorded()[0]).len().min(names(&octets).len()));
        assert_eq!(inspected(&octets).length, octets.len());
        assert!(inspected(&octets).message().is_none());
    }
}

#[test]
fn all_faults_are_found() {
    let mut octets = signed(vec![Payload::T(Ts::Counter(1)), rand(8), rand(16), sp(1), sp(1), t()])
        .encode_with(Tolerances::default())
        .unwrap();
    octets[0] = 9;
    octets.push(0xff);
    // HDR 10, T 6, RAND 10 and 18, SP 5 and 5, T 10, SIGN 131.
    let expected = [
        (0, None, Version(9)),
        (195, None, TrailingOctets),
        (11, Some(0), TimestampType(2)),
        (17, Some(1), RandLength),
        (26, Some(2), Duplicate(11)),
        (50, Some(4), DecodeErrorKind::DuplicatePolicy(1)),
        (54, Some(5), Duplicate(5)),
        (0, None, Missing(26)),
    ];
    assert_eq!(faults(&octets), expected);
}

#[test]
fn what_cannot_be_told_apart_ends_the_inspection() {
    let octets = after_header(11, "6301aa0011223344");
    assert_eq!(names(&octets), ["HDR", "RAND", "0x63"]);
    assert_eq!(inspected(&octets).parts[2].octets, unhex("0011223344"));
    assert_eq!(inspected(&octets).length, octets.len());
    assert_eq!(faults(&octets)[0], (10, Some(0), UnknownPayload(0x63)));
    assert_eq!(inspected(&[]).parts, []);
    assert_eq!(faults(&[]), [(0, None, Truncated)]);
    assert_eq!(faults(&unhex("011a0501aabbccdd0103")), [(9, None, DecodeErrorKind::CsIdMapType(3))]);
}

#[test]
fn only_an_i_message_is_held_against_its_profile() {
    let message = |data_type| Message { header: Header { data_type, ..plain(vec![]).header }, ..plain(vec![]) };
    for data_type in (0..=255).map(DataType).filter(|data_type| *data_type != DataType::SAKKE_MSG) {
        assert_eq!(faults(&message(data_type).encode().unwrap()), []);
    }
    assert_eq!(faults(&message(DataType::SAKKE_MSG).encode().unwrap()).len(), 4);
}

#[test]
fn a_malformed_payload_is_not_missing() {
    // T of an unknown type has no known length; nothing is said of what may come after it.
    let octets = signed(vec![rand(16), sakke(), t()]).encode().unwrap();
    let mut malformed = octets.clone();
    let timestamp = 10 + 18 + 278;
    malformed[timestamp + 1] = 9;
    assert_eq!(faults(&malformed), [(timestamp + 1, Some(2), TimestampType(9))]);
    let types: Vec<_> = inspected(&malformed).parts.iter().map(|part| part.payload_type).collect();
    assert_eq!(types, [None, Some(PayloadType::RAND), Some(PayloadType::SAKKE), Some(PayloadType::T)]);
}
