//! The profile of the I_MESSAGE.

use mikey_sakke::error::DecodeErrorKind::{
    DataType as WrongDataType, Duplicate, DuplicateExtension, DuplicatePolicy, DuplicateRole, Missing, RandLength,
    TimestampType,
};
use mikey_sakke::error::{DecodeError, DecodeErrorKind};
use mikey_sakke::mikey::i_message::IMessage;
use mikey_sakke::mikey::payload::{Payload, Ts};
use mikey_sakke::mikey::registry::{DataType, ExtensionType, IdRole, PrfFunc};
use mikey_sakke::mikey::{CsIdMap, Header, Message, Tolerances};

use crate::common::{extension, idr, plain, rand, sakke, signed, sp, t};

#[track_caller]
fn assert_profile(message: &Message, expected: Result<(), DecodeError>) {
    let decoded = Message::decode(&message.encode_with(Tolerances::default()).unwrap()).unwrap();
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
    let twice = signed(vec![extension(1), t(), extension(2), rand(16), sakke()]);
    assert_outside(&twice, DuplicateExtension(7), 10 + 5 + 10 + 1);
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
    let vendor_id = |data| {
        let mut payload = extension(data);
        if let Payload::GeneralExtension(extension) = &mut payload {
            extension.extension_type = ExtensionType::VENDOR_ID;
        }
        payload
    };
    let message = signed(vec![t(), vendor_id(1), rand(16), sakke(), extension(3), vendor_id(2)]);
    let profile = IMessage::from_message(&message).unwrap();
    assert_eq!(profile.extension(ExtensionType::VENDOR_ID).unwrap().data, [1]);
    assert_eq!(profile.extension(ExtensionType::KEY_PARAMETERS).unwrap().data, [3]);
}
