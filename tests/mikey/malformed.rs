//! Octets that are no message, and where they stop being one.

use mikey_sakke::error::DecodeErrorKind::{
    CsIdMapType, DhGroup, HashFunc, Kv, MacAlg, PayloadType as UnknownPayload, TimestampType, TrailingOctets,
    Truncated, Version,
};
use mikey_sakke::error::{DecodeError, DecodeErrorKind};
use mikey_sakke::mikey::payload::{Payload, SpParam};
use mikey_sakke::mikey::{Message, Tolerances};

use crate::common::{after_header, recorded, unhex};

#[track_caller]
fn assert_malformed(octets: &[u8], kind: DecodeErrorKind, offset: usize) {
    assert_eq!(Message::decode(octets), Err(DecodeError { kind, offset }));
}

#[test]
fn every_truncation_is_refused_at_a_place_inside() {
    for octets in recorded() {
        for length in 0..octets.len() {
            let error = Message::decode(&octets[..length]).unwrap_err();
            assert_eq!(error.kind, Truncated, "{length} octets");
            assert!(error.offset <= length, "{length} octets");
        }
    }
}

#[test]
fn a_truncation_is_reported_at_the_field_that_is_cut() {
    assert_malformed(&[], Truncated, 0);
    assert_malformed(&after_header(5, ""), Truncated, 10);
    assert_malformed(&after_header(5, "0000ec898da8000000"), Truncated, 12);
    assert_malformed(&after_header(11, "0010ca2f"), Truncated, 12);
    assert_malformed(&after_header(14, "000101ffff41"), Truncated, 15);
    assert_malformed(&after_header(4, "208101"), Truncated, 12);
}

#[test]
fn octets_after_the_last_payload_are_refused() {
    assert_malformed(&after_header(0, "00"), TrailingOctets, 10);
    assert_malformed(&after_header(11, "0001aabb"), TrailingOctets, 13);
    assert_malformed(&after_header(4, "2001aa00"), TrailingOctets, 13);
    // SIGN announced before another payload: the other is what is left over.
    assert_malformed(&after_header(11, "0401aa2001aa0001bb"), TrailingOctets, 16);
    for mut octets in recorded() {
        let end = octets.len();
        octets.push(0);
        assert_malformed(&octets, TrailingOctets, end);
    }
}

#[test]
fn payloads_of_unknown_type_are_reported_where_they_are_announced() {
    for unknown in [18, 19, 20].into_iter().chain(27..=255) {
        assert_malformed(&after_header(unknown, "00000000"), UnknownPayload(unknown), 2);
        assert_malformed(&after_header(11, &format!("{unknown:02x}00000000")), UnknownPayload(unknown), 10);
    }
}

#[test]
fn numbers_that_decide_a_length_must_be_known() {
    for unknown in 3..=255 {
        assert_malformed(&unhex(&format!("011a0001aabbccdd01{unknown:02x}00")), CsIdMapType(unknown), 9);
    }
    for unknown in 4..=255 {
        assert_malformed(&after_header(5, &format!("00{unknown:02x}0000000000000000")), TimestampType(unknown), 11);
    }
    for unknown in (0..=255).filter(|version| *version != 1) {
        assert_malformed(&unhex(&format!("{unknown:02x}1a0001aabbccdd0001")), Version(unknown), 0);
    }
}

#[test]
fn numbers_of_algorithms_with_an_output_must_be_known() {
    for unknown in 3..=255 {
        assert_malformed(&after_header(1, &format!("00000000{unknown:02x}")), MacAlg(unknown), 14);
        assert_malformed(&after_header(9, &format!("00{unknown:02x}")), MacAlg(unknown), 11);
        assert_malformed(&after_header(8, &format!("00{unknown:02x}")), HashFunc(unknown), 11);
        assert_malformed(&after_header(3, &format!("00{unknown:02x}")), DhGroup(unknown), 11);
    }
    for unknown in 3..16 {
        let octets = after_header(3, &format!("0001{}a{unknown:x}", "55".repeat(96)));
        assert_malformed(&octets, Kv(unknown), 12 + 96);
    }
}

#[test]
fn parameters_of_a_policy_stay_within_it() {
    let sp = |params: &str| after_header(10, &format!("000500{:04x}{params}", params.len() / 2));
    let Payload::Sp(sp_read) = &Message::decode(&sp("000106000107ff00")).unwrap().payloads[0] else { panic!("not SP") };
    let param = |param_type, value: &[u8]| SpParam { param_type, value: value.to_vec() };
    assert_eq!(sp_read.params, [param(0, &[6]), param(0, &[7]), param(0xff, &[])]);

    assert_malformed(&sp("0001060102aa"), Truncated, 20); // a value one octet longer than the policy
    assert_malformed(&sp("00010601"), Truncated, 19); // a type without length
    // The same in a policy that is followed by enough octets of another payload.
    assert_malformed(&after_header(10, "0b050000060001060102aa0004aabbccdd"), Truncated, 20);
    // A policy that claims more than the message has.
    assert_malformed(&after_header(10, "00050000ff000106"), Truncated, 15);
}

#[test]
fn crypto_sessions_of_a_map_stay_within_the_message() {
    let map = |count: u8, map_type: u8, info: &str| unhex(&format!("011a0001aabbccdd{count:02x}{map_type:02x}{info}"));
    let srtp = "011111111122222222";
    for count in 0..=255 {
        let octets = map(count, 0, &srtp.repeat(count.into()));
        let message = Message::decode(&octets).unwrap();
        assert_eq!(message.header.cs_id_map.count(), usize::from(count));
        assert_eq!(message.encode_with(Tolerances::default()).unwrap(), octets);

        let octets = map(count, 2, &"040081070002aabb01cc".repeat(count.into()));
        let message = Message::decode(&octets).unwrap();
        assert_eq!(message.header.cs_id_map.count(), usize::from(count));
        assert_eq!(message.encode_with(Tolerances::default()).unwrap(), octets);

        let octets = map(count, 1, "");
        assert_eq!(Message::decode(&octets).unwrap().encode_with(Tolerances::default()).unwrap(), octets);
    }
    assert_malformed(&map(255, 0, &srtp.repeat(254)), Truncated, 10 + 254 * 9);
    assert_malformed(&map(255, 0, ""), Truncated, 10);
    assert_malformed(&map(255, 2, ""), Truncated, 10);
    assert_malformed(&map(1, 2, "0400ff00"), Truncated, 13); // 127 policies
    assert_malformed(&map(1, 2, "040000ffff00"), Truncated, 15); // session data
    assert_malformed(&map(1, 2, "0400000000ff00"), Truncated, 16); // SPI
    assert_malformed(&map(0, 0, srtp), TrailingOctets, 10);
    assert_malformed(&map(2, 1, "0000"), TrailingOctets, 10); // map info with the empty map
}

#[test]
fn a_chain_that_names_its_own_type_ends_with_the_octets() {
    let payloads = 100_000;
    let octets = after_header(11, &"0b00".repeat(payloads));
    assert_malformed(&octets, Truncated, octets.len());
    let mut octets = octets;
    let last = octets.len() - 2;
    octets[last] = 0;
    let message = Message::decode(&octets).unwrap();
    assert_eq!(message.payloads.len(), payloads);
    assert_eq!(message.encode_with(Tolerances::default()).unwrap(), octets);
}

#[test]
fn what_is_not_looked_at_is_kept() {
    // V, an unassigned PRF, an unassigned data type, S type and roles; and nothing after HDR.
    for octets in [
        unhex("01c800ffaabbccdd0001"),
        after_header(4, "f003aabbcc"),
        after_header(4, "2000"),
        after_header(14, "00fffe0001aa"),
        after_header(6, "00ee0001aa"),
        after_header(7, "0099000130"),
        after_header(21, "00c80000"),
        after_header(26, "00fffe0001aa"),
        after_header(10, "00ff010000"),
        after_header(11, "0000"),
    ] {
        assert_eq!(Message::decode(&octets).unwrap().encode_with(Tolerances::default()).unwrap(), octets);
    }
}
