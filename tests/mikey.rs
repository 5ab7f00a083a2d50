//! The MIKEY codec against recorded messages, malformed ones, and properties that hold for all.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use mikey_sakke::error::DecodeErrorKind::{
    CsIdMapType, DataType as WrongDataType, Duplicate, DuplicatePolicy, DuplicateRole, Missing,
    PayloadType as UnknownPayload, RandLength, TimestampType, TrailingOctets, Truncated, Version,
};
use mikey_sakke::error::{DecodeError, DecodeErrorKind, UsageError};
use mikey_sakke::mikey::i_message::IMessage;
use mikey_sakke::mikey::payload::{Cert, GeneralExtension, Id, Idr, Payload, Rand, Sakke, Sign, Sp, SpParam, Ts};
use mikey_sakke::mikey::registry::{
    CertType, DataType, ExtensionType, IdRole, IdScheme, IdType, PayloadType, PrfFunc, ProtType, SType, SakkeParams,
};
use mikey_sakke::mikey::{Content, CsIdMap, GenericId, Header, Message, SrtpId};
use proptest::collection::vec as vec_of;
use proptest::prelude::*;
use proptest::sample::Index;

// ---- recorded messages

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// The messages of `test-vectors/imessage.json`: a group master key, a client-server key.
fn recorded() -> Vec<Vec<u8>> {
    let file: serde_json::Value = serde_json::from_str(include_str!("../test-vectors/imessage.json")).unwrap();
    let tests = file["testGroups"][0]["tests"].as_array().unwrap();
    tests.iter().map(|test| unhex(test["message"].as_str().unwrap())).collect()
}

fn names(message: &Message) -> Vec<String> {
    message.layout().map(|part| part.content.to_string()).collect()
}

#[test]
fn a_recorded_message_reads_as_it_was_meant() {
    let octets = &recorded()[0];
    let message = Message::decode(octets).unwrap();
    assert_eq!(
        names(&message),
        ["HDR", "T", "RAND", "IDR", "IDR", "IDR", "IDR", "SP", "SAKKE", "General Extension", "SIGN"]
    );
    let session = GenericId {
        cs_id: 4,
        prot_type: ProtType::SRTP,
        s: false,
        policies: vec![0],
        session_data: vec![],
        spi: unhex("0df9bc3906a12aea"),
    };
    assert_eq!(
        message.header,
        Header {
            data_type: DataType::SAKKE_MSG,
            v: false,
            prf_func: PrfFunc::HMAC_SHA_256,
            csb_id: [0x06, 0xa1, 0x2a, 0xea],
            cs_id_map: CsIdMap::GenericId(vec![session]),
        }
    );
    let Payload::Sp(sp) = &message.payloads[6] else { panic!("not SP") };
    let params = sp.params.iter().map(|param| (param.param_type, param.value[0]));
    let expected = [(0, 6), (1, 16), (2, 4), (4, 12), (5, 0), (6, 0), (18, 4), (19, 0), (20, 16)];
    assert_eq!(params.collect::<Vec<_>>(), expected);

    let profile = IMessage::from_message(&message).unwrap();
    assert_eq!(profile.timestamp, 0xec89_8da8_0000_0000);
    assert_eq!(profile.rand, unhex("ca2f5d51ff0866362c1d85a56f84651e"));
    assert_eq!(profile.csb_id, [0x06, 0xa1, 0x2a, 0xea]);
    assert_eq!(profile.idr(IdRole::RESPONDER_KMS).unwrap().data, b"kms.mydev.streamwide.com");
    assert_eq!(profile.idr(IdRole::INITIATOR_UID).unwrap().data.len(), 32);
    assert_eq!(profile.idr(IdRole::INITIATOR), None);
    assert_eq!((profile.sakke.params, profile.sakke.id_scheme), (SakkeParams::SET_1, IdScheme::UID_3GPP));
    assert_eq!(profile.sakke.data.len(), 273);
    assert_eq!((profile.sign.s_type, profile.sign.signature.len()), (SType::ECCSI, 129));
    assert_eq!(profile.policies().count(), 1);
    assert_eq!(profile.extension(ExtensionType::KEY_PARAMETERS).unwrap().data.len(), 0x47);
    assert_eq!(profile.extension(ExtensionType::SAKKE_TO_SELF), None);
}

#[test]
fn recorded_messages_encode_to_what_was_recorded() {
    for octets in recorded() {
        let message = Message::decode(&octets).unwrap();
        assert_eq!(message.encode().unwrap(), octets);
        assert_eq!(message.signed_length(), Some(octets.len() - 129));
        let signed = message.encode_to_be_signed(SType::ECCSI, 129).unwrap();
        assert_eq!(signed, octets[..octets.len() - 129]);
        assert_eq!(signed[signed.len() - 2..], [0x20, 0x81]);
    }
}

#[test]
fn the_layout_tells_where_each_payload_stands() {
    for octets in recorded() {
        let message = Message::decode(&octets).unwrap();
        let mut end = 0;
        let mut announced = None;
        for part in message.layout() {
            assert_eq!(part.offset, end);
            end += part.length;
            let next = match part.content {
                Content::Header(_) => octets[2],
                Content::Payload(payload) => {
                    assert_eq!(announced, Some(payload.payload_type().0));
                    octets[part.offset]
                }
                Content::Sign(_) => {
                    assert_eq!(announced, Some(PayloadType::SIGN.0));
                    0
                }
            };
            announced = Some(next);
        }
        assert_eq!((end, announced), (octets.len(), Some(0)));
    }
}

// ---- malformed octets

const HEADER: &str = "011a__01aabbccdd0001"; // __ is the next payload

/// Octets of a header with the empty map, announcing `next`, and of what follows.
fn after_header(next: u8, rest: &str) -> Vec<u8> {
    unhex(&(HEADER.replace("__", &format!("{next:02x}")) + rest))
}

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
    let known = [0, 4, 5, 6, 7, 10, 11, 14, 21, 26];
    for unknown in (0..=255).filter(|number| !known.contains(number)) {
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
        assert_eq!(message.encode().unwrap(), octets);

        let octets = map(count, 2, &"040081070002aabb01cc".repeat(count.into()));
        let message = Message::decode(&octets).unwrap();
        assert_eq!(message.header.cs_id_map.count(), usize::from(count));
        assert_eq!(message.encode().unwrap(), octets);

        let octets = map(count, 1, "");
        assert_eq!(Message::decode(&octets).unwrap().encode().unwrap(), octets);
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
    assert_eq!(message.encode().unwrap(), octets);
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
        assert_eq!(Message::decode(&octets).unwrap().encode().unwrap(), octets);
    }
}

// ---- values that do not fit

fn plain(payloads: Vec<Payload>) -> Message {
    Message {
        header: Header {
            data_type: DataType::SAKKE_MSG,
            v: false,
            prf_func: PrfFunc::HMAC_SHA_256,
            csb_id: [0xaa, 0xbb, 0xcc, 0xdd],
            cs_id_map: CsIdMap::EMPTY,
        },
        payloads,
        sign: None,
    }
}

/// The longest value goes, one octet or item more does not.
#[track_caller]
fn assert_limit(limit: usize, message: impl Fn(usize) -> Message) {
    let longest = message(limit);
    assert_eq!(Message::decode(&longest.encode().unwrap()).unwrap(), longest);
    assert_eq!(message(limit + 1).encode(), Err(UsageError::FieldLength));
}

#[test]
fn a_value_longer_than_its_field_is_refused() {
    let (id_type, role) = (IdType::URI, IdRole::INITIATOR);
    let data = |length| vec![0x5a; length];
    assert_limit(255, |n| plain(vec![Payload::Rand(Rand(data(n)))]));
    assert_limit(65_535, |n| plain(vec![Payload::Id(Id { id_type, data: data(n) })]));
    assert_limit(65_535, |n| plain(vec![Payload::Idr(Idr { role, id_type, data: data(n) })]));
    assert_limit(65_535, |n| plain(vec![Payload::Cert(Cert { cert_type: CertType::X509V3, data: data(n) })]));
    assert_limit(65_535, |n| {
        let extension_type = ExtensionType::VENDOR_ID;
        plain(vec![Payload::GeneralExtension(GeneralExtension { extension_type, data: data(n) })])
    });
    assert_limit(65_535, |n| {
        let (params, id_scheme) = (SakkeParams::SET_1, IdScheme::UID_3GPP);
        plain(vec![Payload::Sakke(Sakke { params, id_scheme, data: data(n) })])
    });
    let sp = |params| plain(vec![Payload::Sp(Sp { policy: 0, prot_type: ProtType::SRTP, params })]);
    assert_limit(255, |n| sp(vec![SpParam { param_type: 0, value: data(n) }]));
    // 21,845 parameters of one octet take 65,535 octets.
    assert_limit(21_845, |n| sp(vec![SpParam { param_type: 0, value: data(1) }; n]));
    assert_limit(4_095, |n| Message { sign: Some(Sign { s_type: SType::ECCSI, signature: data(n) }), ..plain(vec![]) });
    assert_limit(15, |n| Message { sign: Some(Sign { s_type: SType(n as u8), signature: data(1) }), ..plain(vec![]) });

    let with = |header: Header| Message { header, payloads: vec![], sign: None };
    let header = || plain(vec![]).header;
    assert_limit(127, |n| with(Header { prf_func: PrfFunc(n as u8), ..header() }));
    let mapped = |cs_id_map| with(Header { cs_id_map, ..header() });
    assert_limit(255, |n| mapped(CsIdMap::SrtpId(vec![SrtpId { policy: 0, ssrc: 1, roc: 2 }; n])));
    let session = |policies, session_data, spi| GenericId {
        cs_id: 0,
        prot_type: ProtType::SRTP,
        s: true,
        policies: data(policies),
        session_data: data(session_data),
        spi: data(spi),
    };
    assert_limit(255, |n| mapped(CsIdMap::GenericId(vec![session(0, 0, 0); n])));
    assert_limit(127, |n| mapped(CsIdMap::GenericId(vec![session(n, 0, 0)])));
    assert_limit(65_535, |n| mapped(CsIdMap::GenericId(vec![session(0, n, 0)])));
    assert_limit(255, |n| mapped(CsIdMap::GenericId(vec![session(0, 0, n)])));
}

#[test]
fn a_signature_that_cannot_be_announced_is_refused() {
    let message = plain(vec![]);
    assert_eq!(message.encode_to_be_signed(SType(15), 4_095).unwrap(), after_header(4, "ffff"));
    assert_eq!(message.encode_to_be_signed(SType(16), 1), Err(UsageError::FieldLength));
    assert_eq!(message.encode_to_be_signed(SType::ECCSI, 4_096), Err(UsageError::FieldLength));
    assert_eq!(message.encode_to_be_signed(SType::ECCSI, usize::MAX), Err(UsageError::FieldLength));
    assert_eq!(message.signed_length(), None);
}

// ---- the profile of the I_MESSAGE

fn idr(role: IdRole) -> Payload {
    Payload::Idr(Idr { role, id_type: IdType::URI, data: b"sip:user@example.org".to_vec() })
}

fn sp(policy: u8) -> Payload {
    Payload::Sp(Sp { policy, prot_type: ProtType::SRTP, params: vec![] })
}

fn extension(data: u8) -> Payload {
    Payload::GeneralExtension(GeneralExtension { extension_type: ExtensionType::KEY_PARAMETERS, data: vec![data] })
}

fn t() -> Payload {
    Payload::T(Ts::NtpUtc(0xec89_8da8_0000_0001))
}

fn rand(length: usize) -> Payload {
    Payload::Rand(Rand(vec![7; length]))
}

fn sakke() -> Payload {
    Payload::Sakke(Sakke { params: SakkeParams::SET_1, id_scheme: IdScheme::UID_3GPP, data: vec![4; 273] })
}

fn signed(payloads: Vec<Payload>) -> Message {
    Message { sign: Some(Sign { s_type: SType::ECCSI, signature: vec![9; 129] }), ..plain(payloads) }
}

#[track_caller]
fn assert_profile(message: &Message, expected: Result<(), DecodeError>) {
    let decoded = Message::decode(&message.encode().unwrap()).unwrap();
    assert_eq!(IMessage::from_message(&decoded).map(|_| ()), expected);
}

#[track_caller]
fn assert_outside(message: &Message, kind: DecodeErrorKind, offset: usize) {
    assert_profile(message, Err(DecodeError { kind, offset }));
}

#[test]
fn payloads_of_an_i_message_may_have_any_order() {
    let mut payloads =
        vec![t(), rand(16), idr(IdRole::INITIATOR), idr(IdRole::RESPONDER), sp(0), sakke(), extension(1)];
    for _ in 0..payloads.len() {
        payloads.rotate_left(1);
        assert_profile(&signed(payloads.clone()), Ok(()));
        assert_profile(&signed(payloads.iter().rev().cloned().collect()), Ok(()));
    }
}

#[test]
fn v_flag_prf_and_map_of_an_i_message_may_have_any_value() {
    let message = signed(vec![t(), rand(16), sp(0), sakke()]);
    for cs_id_map in [CsIdMap::Empty(3), CsIdMap::GenericId(vec![]), CsIdMap::SrtpId(vec![])] {
        let header = Header { v: true, prf_func: PrfFunc(99), cs_id_map, ..message.header.clone() };
        assert_profile(&Message { header, ..message.clone() }, Ok(()));
    }
}

#[test]
fn an_i_message_has_its_data_type() {
    for data_type in (0..=255).filter(|data_type| *data_type != 26) {
        let mut message = signed(vec![t(), rand(16), sakke()]);
        message.header.data_type = DataType(data_type);
        assert_outside(&message, WrongDataType(data_type), 1);
    }
}

#[test]
fn an_i_message_lacks_nothing() {
    assert_outside(&signed(vec![rand(16), sakke()]), Missing(5), 0);
    assert_outside(&signed(vec![t(), sakke()]), Missing(11), 0);
    assert_outside(&signed(vec![t(), rand(16)]), Missing(26), 0);
    assert_outside(&plain(vec![t(), rand(16), sakke()]), Missing(4), 0);
}

#[test]
fn an_i_message_repeats_nothing_that_stands_once() {
    // HDR has 10 octets, T 10, RAND 18, SAKKE 278, an IDR 25, an SP without parameters 5.
    assert_outside(&signed(vec![t(), rand(16), t(), sakke()]), Duplicate(5), 38);
    assert_outside(&signed(vec![t(), rand(16), rand(16), sakke()]), Duplicate(11), 38);
    assert_outside(&signed(vec![t(), sakke(), rand(16), sakke()]), Duplicate(26), 20 + 278 + 18);
    assert_outside(&signed(vec![sp(3), sp(4), sp(3), t(), rand(16), sakke()]), DuplicatePolicy(3), 10 + 5 + 5 + 1);
    assert_profile(&signed(vec![sp(3), sp(4), t(), rand(16), sakke()]), Ok(()));
    for role in 0..=255 {
        let message = signed(vec![t(), rand(16), idr(IdRole(role)), sakke(), idr(IdRole(role))]);
        if [1, 2, 6, 7, 8, 9].contains(&role) {
            assert_outside(&message, DuplicateRole(role), 38 + 25 + 278 + 1);
        } else {
            assert_profile(&message, Ok(()));
        }
    }
}

#[test]
fn an_i_message_has_an_ntp_timestamp() {
    let stamped = |ts| signed(vec![Payload::T(ts), rand(16), sakke()]);
    assert_profile(&stamped(Ts::NtpUtc(1)), Ok(()));
    assert_profile(&stamped(Ts::Ntp(1)), Ok(()));
    assert_outside(&stamped(Ts::Counter(1)), TimestampType(2), 11);
    assert_outside(&stamped(Ts::NtpUtc32(1)), TimestampType(3), 11);
}

#[test]
fn an_i_message_has_a_rand_of_128_bits() {
    for length in 0..=255 {
        let message = signed(vec![t(), rand(length), sakke()]);
        if length < 16 {
            assert_outside(&message, RandLength, 21);
        } else {
            assert_profile(&message, Ok(()));
        }
    }
}

#[test]
fn of_several_extensions_of_one_type_the_first_counts() {
    let message = signed(vec![t(), extension(1), rand(16), sakke(), extension(2)]);
    let profile = IMessage::from_message(&message).unwrap();
    assert_eq!(profile.extension(ExtensionType::KEY_PARAMETERS).unwrap().data, [1]);
}

// ---- properties

fn octets(longest: usize) -> impl Strategy<Value = Vec<u8>> {
    vec_of(any::<u8>(), 0..=longest)
}

fn any_ts() -> impl Strategy<Value = Ts> {
    prop_oneof![
        any::<u64>().prop_map(Ts::NtpUtc),
        any::<u64>().prop_map(Ts::Ntp),
        any::<u32>().prop_map(Ts::Counter),
        any::<u32>().prop_map(Ts::NtpUtc32),
    ]
}

fn any_sp() -> impl Strategy<Value = Sp> {
    let param = (any::<u8>(), octets(255)).prop_map(|(param_type, value)| SpParam { param_type, value });
    let parts = (any::<u8>(), any::<u8>(), vec_of(param, 0..8));
    parts.prop_map(|(policy, prot_type, params)| Sp { policy, prot_type: ProtType(prot_type), params })
}

fn any_payload() -> impl Strategy<Value = Payload> {
    let pair = || (any::<u8>(), any::<u8>(), octets(400));
    let one = || (any::<u8>(), octets(400));
    prop_oneof![
        any_ts().prop_map(Payload::T),
        octets(255).prop_map(|bits| Payload::Rand(Rand(bits))),
        one().prop_map(|(id_type, data)| Payload::Id(Id { id_type: IdType(id_type), data })),
        pair().prop_map(|(role, id_type, data)| {
            Payload::Idr(Idr { role: IdRole(role), id_type: IdType(id_type), data })
        }),
        one().prop_map(|(cert_type, data)| Payload::Cert(Cert { cert_type: CertType(cert_type), data })),
        any_sp().prop_map(Payload::Sp),
        one().prop_map(|(extension_type, data)| {
            Payload::GeneralExtension(GeneralExtension { extension_type: ExtensionType(extension_type), data })
        }),
        pair().prop_map(|(params, id_scheme, data)| {
            Payload::Sakke(Sakke { params: SakkeParams(params), id_scheme: IdScheme(id_scheme), data })
        }),
    ]
}

fn any_map() -> impl Strategy<Value = CsIdMap> {
    let srtp = any::<(u8, u32, u32)>().prop_map(|(policy, ssrc, roc)| SrtpId { policy, ssrc, roc });
    let generic = (any::<(u8, u8, bool)>(), octets(127), octets(300), octets(255)).prop_map(
        |((cs_id, prot_type, s), policies, session_data, spi)| GenericId {
            cs_id,
            prot_type: ProtType(prot_type),
            s,
            policies,
            session_data,
            spi,
        },
    );
    prop_oneof![
        vec_of(srtp, 0..=255).prop_map(CsIdMap::SrtpId),
        any::<u8>().prop_map(CsIdMap::Empty),
        vec_of(generic, 0..6).prop_map(CsIdMap::GenericId),
    ]
}

fn any_message() -> impl Strategy<Value = Message> {
    let sign = (0u8..16, octets(4_095)).prop_map(|(s_type, signature)| Sign { s_type: SType(s_type), signature });
    let header = (any::<(u8, bool, [u8; 4])>(), 0u8..128, any_map());
    (header, vec_of(any_payload(), 0..12), proptest::option::of(sign)).prop_map(
        |(((data_type, v, csb_id), prf_func, cs_id_map), payloads, sign)| Message {
            header: Header { data_type: DataType(data_type), v, prf_func: PrfFunc(prf_func), csb_id, cs_id_map },
            payloads,
            sign,
        },
    )
}

/// A change to the octets of a message, as an attacker or a bad line makes it.
#[derive(Clone, Debug)]
enum Mutation {
    Set(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, Index),
    Repeat(Index, Index),
}

impl Mutation {
    fn apply(&self, octets: &mut Vec<u8>) {
        let span = |from: &Index, to: &Index, length: usize| {
            let (from, to) = (from.index(length + 1), to.index(length + 1));
            from.min(to)..from.max(to)
        };
        match self {
            Self::Set(_, _) if octets.is_empty() => {}
            Self::Set(at, value) => {
                let at = at.index(octets.len());
                octets[at] = *value;
            }
            Self::Insert(at, inserted) => {
                let at = at.index(octets.len() + 1);
                octets.splice(at..at, inserted.iter().copied());
            }
            Self::Remove(from, to) => drop(octets.drain(span(from, to, octets.len()))),
            Self::Repeat(from, to) => {
                let span = span(from, to, octets.len());
                let copy = octets[span.clone()].to_vec();
                octets.splice(span.start..span.start, copy);
            }
        }
    }
}

fn any_mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        6 => any::<(Index, u8)>().prop_map(|(at, value)| Mutation::Set(at, value)),
        1 => (any::<Index>(), octets(8)).prop_map(|(at, inserted)| Mutation::Insert(at, inserted)),
        1 => any::<(Index, Index)>().prop_map(|(from, to)| Mutation::Remove(from, to)),
        1 => any::<(Index, Index)>().prop_map(|(from, to)| Mutation::Repeat(from, to)),
    ]
}

/// What holds for all octets: an error points into them; a message is its octets, and the layout covers them.
fn check(octets: &[u8]) -> Result<(), TestCaseError> {
    let message = match Message::decode(octets) {
        Ok(message) => message,
        Err(error) => {
            prop_assert!(error.offset <= octets.len());
            return Ok(());
        }
    };
    let encoded = message.encode().unwrap();
    prop_assert_eq!(&encoded, octets);
    prop_assert_eq!(message.layout().map(|part| part.length).sum::<usize>(), octets.len());
    if let Err(error) = IMessage::from_message(&message) {
        prop_assert!(error.offset < octets.len());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

    #[test]
    fn arbitrary_octets_do_no_harm(octets in octets(600)) {
        check(&octets)?;
    }

    #[test]
    fn arbitrary_payloads_do_no_harm(next in 0u8..28, octets in octets(600)) {
        let mut message = after_header(next, "");
        message.extend(octets);
        check(&message)?;
    }

    #[test]
    fn a_mutated_message_is_refused_or_is_its_octets(
        which in any::<Index>(),
        mutations in vec_of(any_mutation(), 1..4),
    ) {
        let recorded = recorded();
        let mut octets = recorded[which.index(recorded.len())].clone();
        mutations.iter().for_each(|mutation| mutation.apply(&mut octets));
        check(&octets)?;
    }

    #[test]
    fn a_message_decodes_from_its_octets(message in any_message()) {
        let octets = message.encode().unwrap();
        prop_assert_eq!(Message::decode(&octets).unwrap(), message.clone());
        check(&octets)?;
        if let Some(sign) = &message.sign {
            let mut built = message.encode_to_be_signed(sign.s_type, sign.signature.len()).unwrap();
            prop_assert_eq!(Some(built.len()), message.signed_length());
            built.extend_from_slice(&sign.signature);
            prop_assert_eq!(built, octets);
        }
    }
}

#[test]
fn every_octet_of_a_recorded_message_set_to_every_value_does_no_harm() {
    for octets in recorded() {
        let payload_octets = octets.len() - 129;
        for at in 0..payload_octets {
            for value in 0..=255 {
                let mut changed = octets.clone();
                changed[at] = value;
                check(&changed).unwrap();
            }
        }
    }
}
