//! Each tolerance, on and off.

use mikey_sakke::error::{DecodeError, DecodeErrorKind, UsageError};
use mikey_sakke::mikey::i_message::IMessage;
use mikey_sakke::mikey::registry::CsIdMapType;
use mikey_sakke::mikey::{CsIdMap, Header, Message, Tolerance, Tolerances, UnknownTolerance, inspect};

use crate::common::{plain, rand, sakke, signed, sp, t, unhex};

const BY_DEFAULT: [Tolerance; 2] = [Tolerance::SpWithEmptyMap, Tolerance::GenericIdNoCs];

#[test]
fn tolerances_have_names() {
    let names = ["sp-with-empty-map", "generic-id-no-cs", "missing-cs-blocks", "short-rand", "sign-header-excluded"];
    for (tolerance, name) in Tolerance::ALL.into_iter().zip(names) {
        assert_eq!(tolerance.to_string(), name);
        assert_eq!(name.parse(), Ok(tolerance));
    }
    for name in ["", "Short-Rand", "short_rand", "short-rand ", "all"] {
        assert_eq!(name.parse::<Tolerance>(), Err(UnknownTolerance));
    }
    assert!(names.iter().all(|name| UnknownTolerance.to_string().contains(name)));
}

#[test]
fn the_default_set_is_what_the_field_needs() {
    assert_eq!(Tolerances::default().iter().collect::<Vec<_>>(), BY_DEFAULT);
    assert_eq!(Tolerances::default().to_string(), "sp-with-empty-map,generic-id-no-cs");
    assert_eq!(Tolerances::NONE.to_string(), "");
    let all: Tolerances = Tolerance::ALL.into_iter().collect();
    for tolerance in Tolerance::ALL {
        assert!(Tolerances::NONE.with(tolerance).contains(tolerance));
        assert!(!all.without(tolerance).contains(tolerance));
        assert_eq!(all.without(tolerance).iter().count(), 4);
        assert_eq!(Tolerances::default().contains(tolerance), BY_DEFAULT.contains(&tolerance));
    }
}

/// Octets that are read with one tolerance, and refused without it with an error at an offset.
#[track_caller]
fn assert_tolerated(octets: &[u8], tolerance: Tolerance, kind: DecodeErrorKind, offset: usize) {
    let (on, off) = (Tolerances::NONE.with(tolerance), Tolerances::NONE);
    let message = Message::decode_with(octets, on).unwrap();
    assert_eq!(message.encode_with(on).unwrap(), octets);
    assert_eq!(message.encode_with(off), Err(UsageError::OnlyTolerated));
    assert_eq!(message.encode(), Err(UsageError::OnlyTolerated));
    assert_eq!(Message::decode_with(octets, off), Err(DecodeError { kind, offset }));
    assert_eq!(Message::decode(octets).is_ok(), BY_DEFAULT.contains(&tolerance));
    assert!(inspect(octets, on).faults.is_empty());
    assert_eq!(inspect(octets, off).faults[0].error, DecodeError { kind, offset });
}

fn mapped(cs_id_map: CsIdMap) -> Message {
    let message = signed(vec![t(), rand(16), sp(0), sakke()]);
    Message { header: Header { cs_id_map, ..message.header }, ..message }
}

#[test]
fn sp_with_empty_map() {
    let octets = mapped(CsIdMap::Empty(0)).encode_with(Tolerances::default()).unwrap();
    assert_tolerated(&octets, Tolerance::SpWithEmptyMap, DecodeErrorKind::SpWithEmptyMap, 10 + 10 + 18);
    let message = Message::decode(&octets).unwrap();
    assert_eq!(message.encode_to_be_signed(message.sign.as_ref().unwrap().s_type, 129), Err(UsageError::OnlyTolerated));
}

#[test]
fn generic_id_no_cs() {
    let octets = mapped(CsIdMap::GenericId(vec![])).encode_with(Tolerances::default()).unwrap();
    assert_tolerated(&octets, Tolerance::GenericIdNoCs, DecodeErrorKind::NoCryptoSessions, 8);
}

#[test]
fn missing_cs_blocks() {
    let all: Tolerances = Tolerance::ALL.into_iter().collect();
    for map_type in [CsIdMapType::SRTP_ID, CsIdMapType::GENERIC_ID] {
        for count in [1, 2, 255] {
            let message = mapped(CsIdMap::Missing { map_type, count });
            let octets = message.encode_with(all).unwrap();
            assert_eq!(octets[8..10], [count, map_type.0]);
            assert_eq!(Message::decode_with(&octets, all).unwrap(), message);
            assert_eq!(message.header.cs_id_map.count(), usize::from(count));
            assert!(Message::decode(&octets).is_err());
            assert_eq!(message.encode(), Err(UsageError::OnlyTolerated));
            assert_eq!(inspect(&octets, all).message(), Some(&message));
            assert!(inspect(&octets, Tolerances::default()).message().is_none());
        }
    }
    // The blocks are there: they are read, whatever is tolerated.
    let octets = unhex("011a0001aabbccdd0100010000000200000003");
    assert!(matches!(Message::decode_with(&octets, all).unwrap().header.cs_id_map, CsIdMap::SrtpId(_)));
    for (map_type, count) in [(CsIdMapType::EMPTY, 1), (CsIdMapType::SRTP_ID, 0)] {
        let message = mapped(CsIdMap::Missing { map_type, count });
        assert_eq!(message.encode_with(all), Err(UsageError::FieldLength));
    }
}

#[test]
fn an_error_without_the_blocks_is_that_with_them() {
    let all: Tolerances = Tolerance::ALL.into_iter().collect();
    let octets = unhex("011a0501aabbccdd0100aabb");
    assert_eq!(Message::decode_with(&octets, all), Message::decode(&octets));
}

#[test]
fn short_rand() {
    let tolerances = Tolerances::default().with(Tolerance::ShortRand);
    for length in 0..=255 {
        let message = signed(vec![t(), rand(length), sakke()]);
        let octets = message.encode().unwrap();
        let accepted = |tolerances| {
            let accepted = IMessage::from_message_with(&message, tolerances).is_ok();
            assert_eq!(inspect(&octets, tolerances).faults.is_empty(), accepted);
            accepted
        };
        assert_eq!(accepted(Tolerances::default()), length >= 16);
        assert_eq!(accepted(tolerances), length >= 8);
        assert_eq!(IMessage::from_message(&message).is_ok(), length >= 16);
    }
}

#[test]
fn sign_header_excluded() {
    let message = signed(vec![t(), rand(16), sakke()]);
    let length = message.encode().unwrap().len() - 129;
    let tolerances = Tolerances::default().with(Tolerance::SignHeaderExcluded);
    assert_eq!(message.signed_lengths(Tolerances::default()).collect::<Vec<_>>(), [length]);
    assert_eq!(message.signed_lengths(tolerances).collect::<Vec<_>>(), [length, length - 2]);
    assert_eq!(plain(vec![]).signed_lengths(tolerances).count(), 0);
}
