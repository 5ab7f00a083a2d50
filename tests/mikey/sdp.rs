//! The key-mgmt attribute of SDP.

use mikey_sakke::error::{DecodeError, DecodeErrorKind, UsageError};
use mikey_sakke::mikey::sdp::{Attribute, Level, MAX_MESSAGE_OCTETS, attributes, to_attribute};
use proptest::prelude::*;

use crate::common::recorded;

fn found(description: &str) -> Vec<Result<Attribute, DecodeError>> {
    attributes(description).collect()
}

fn attribute(level: Level, message: &[u8]) -> Result<Attribute, DecodeError> {
    Ok(Attribute { level, message: message.to_vec() })
}

#[test]
fn attributes_are_found_at_their_level() {
    let recorded = recorded();
    let line = |message: &[u8]| to_attribute(message).unwrap();
    let description = format!(
        "v=0\r\ns=-\r\n{}\r\nt=0 0\r\nm=audio 1 RTP/SAVP 0\r\n{}\r\nm=video 2 RTP/SAVP 1\r\nm=text 3 x y\r\n{}\r\n",
        line(&recorded[0]),
        line(&recorded[1]),
        line(&[7]),
    );
    let expected = [
        attribute(Level::Session, &recorded[0]),
        attribute(Level::Media(0), &recorded[1]),
        attribute(Level::Media(2), &[7]),
    ];
    assert_eq!(found(&description), expected);
    assert_eq!(found(&description.replace("\r\n", "\n")), expected);
}

#[test]
fn case_and_space_do_not_matter() {
    for line in [
        "a=key-mgmt:mikey ARoFAQ==",
        "a=key-mgmt: mikey  ARoFAQ== ",
        "a=Key-Mgmt:MIKEY\tARoFAQ==\r\n",
        "v=0\na=KEY-MGMT:Mikey ARoFAQ==\t\r\nb=1",
    ] {
        assert_eq!(found(line), [attribute(Level::Session, &[1, 0x1a, 5, 1])], "{line:?}");
    }
}

#[test]
fn other_lines_are_passed_over() {
    for line in [
        "",
        "a=key-mgmt:keyp1 ARoFAQ==",
        "a=key-mgmt:mikeyx ARoFAQ==",
        "a=key-mgmt-x:mikey ARoFAQ==",
        "a=key-mgmt mikey ARoFAQ==",
        "A=key-mgmt:mikey ARoFAQ==",
        " a=key-mgmt:mikey ARoFAQ==",
        "x=a=key-mgmt:mikey ARoFAQ==",
        "a=sendrecv",
    ] {
        assert_eq!(found(line), [], "{line:?}");
    }
}

#[test]
fn what_is_no_base64_is_reported_where_it_stands() {
    let refused = |description: &str, offset| {
        assert_eq!(found(description), [Err(DecodeError { kind: DecodeErrorKind::Base64, offset })], "{description:?}");
    };
    refused("a=key-mgmt:mikey ARoFAQ=", 17);
    refused("v=0\r\na=key-mgmt:mikey  ARoFAQ==x \r\n", 5 + 18);
    refused("a=key-mgmt:mikey ARoF AQ==", 17);
    refused("a=key-mgmt:mikey ARoFAR==", 17); // bits beyond the last octet
    refused("a=key-mgmt:mikey A-_FAQ==", 17);
    refused("a=key-mgmt:mikey \u{e4}RoFAQ==", 17);
    refused("a=key-mgmt:mikey", 16);
    refused("a=key-mgmt:mikey \r\n", 16);
}

#[test]
fn one_malformed_attribute_does_not_hide_another() {
    let outcome = found("a=key-mgmt:mikey !\r\na=key-mgmt:mikey ARoFAQ==\r\n");
    assert!(outcome[0].is_err());
    assert_eq!(outcome[1..], [attribute(Level::Session, &[1, 0x1a, 5, 1])]);
}

#[test]
fn a_message_has_a_largest_size() {
    let longest = vec![0x5a; MAX_MESSAGE_OCTETS];
    let line = to_attribute(&longest).unwrap();
    assert_eq!(found(&line), [attribute(Level::Session, &longest)]);
    assert_eq!(to_attribute(&vec![0x5a; MAX_MESSAGE_OCTETS + 1]), Err(UsageError::FieldLength));
    assert_eq!(to_attribute(&[]), Err(UsageError::FieldLength));
    let longer = line + "AAAA";
    assert_eq!(found(&longer), [Err(DecodeError { kind: DecodeErrorKind::TooLong, offset: 17 })]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(ProptestConfig::default().cases * 2) })]

    #[test]
    fn what_is_written_is_read(message in proptest::collection::vec(any::<u8>(), 1..600)) {
        let line = to_attribute(&message).unwrap();
        prop_assert!(line.is_ascii() && !line.contains(['\r', '\n']));
        prop_assert_eq!(found(&line), [attribute(Level::Session, &message)]);
    }

    #[test]
    fn arbitrary_text_does_no_harm(text in "(a=key-mgmt:mikey|m=|[A-Za-z0-9+/= \r\n\u{e4}]){0,40}") {
        for attribute in attributes(&text) {
            match attribute {
                Ok(attribute) => prop_assert!(attribute.message.len() <= text.len()),
                Err(error) => prop_assert!(text.is_char_boundary(error.offset)),
            }
        }
    }
}
