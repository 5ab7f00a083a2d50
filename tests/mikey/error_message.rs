//! Error messages, and which failure is answered with which.

use mikey_sakke::Error;
use mikey_sakke::error::{DecodeError, DecodeErrorKind, KeyMaterialError, Refusal, UsageError};
use mikey_sakke::mikey::error_message::{ErrorMessage, answer};
use mikey_sakke::mikey::payload::{ErrorReport, Payload, Sp, Ts};
use mikey_sakke::mikey::registry::{DataType, ErrorNo, SrtpParam};
use mikey_sakke::mikey::{Header, Message, inspect};

use crate::common::{plain, rand, recorded, sakke, signed, t, unhex};

const MALFORMED: Error = Error::Decode(DecodeError { kind: DecodeErrorKind::Truncated, offset: 0 });

#[test]
fn every_failure_has_its_number_or_none() {
    let number = |failure: Error| answer(&failure).map(|number| number.0);
    let refused = |refusal| number(Error::Refused(refusal));
    assert_eq!(number(MALFORMED), Some(13));
    assert_eq!(refused(Refusal::Unsupported), Some(13));
    assert_eq!(refused(Refusal::Stale), Some(1));
    assert_eq!(refused(Refusal::KeyPeriod), Some(1));
    assert_eq!(refused(Refusal::Prf), Some(2));
    assert_eq!(refused(Refusal::UntrustedKms), Some(7));
    assert_eq!(refused(Refusal::UnnamedParty), Some(7));
    assert_eq!(refused(Refusal::NotForUs), Some(7));
    assert_eq!(refused(Refusal::Initiator), Some(0));
    assert_eq!(refused(Refusal::Purpose), Some(0));
    assert_eq!(refused(Refusal::PolicyProtocol), Some(9));
    assert_eq!(refused(Refusal::PolicyParameter), Some(10));

    assert_eq!(number(Error::Rejected), None);
    assert_eq!(refused(Refusal::Replay), None);
    assert_eq!(refused(Refusal::ReplayUnknown), None);
    assert_eq!(number(Error::Random), None);
    assert_eq!(number(Error::Usage(UsageError::Range)), None);
    assert_eq!(number(Error::KeyMaterial(KeyMaterialError::Rsk)), None);
}

#[test]
fn an_answer_has_csb_id_and_timestamp_of_what_it_answers() {
    for octets in recorded() {
        let answered = ErrorMessage::answering(&octets, &Error::Refused(Refusal::Stale)).unwrap();
        let message = answered.to_message();
        let sent = message.encode().unwrap();
        let received = Message::decode(&octets).unwrap();
        assert_eq!(message.header.data_type, DataType::ERROR);
        assert_eq!(message.header.csb_id, received.header.csb_id);
        assert_eq!(message.payloads[0], received.payloads[0]);
        let report = ErrorReport { error_no: ErrorNo::INVALID_TS, reserved: 0 };
        assert_eq!(message.payloads[1..], [Payload::Err(report)]);
        assert_eq!(ErrorMessage::from_message(&Message::decode(&sent).unwrap()), Ok(answered));
        assert!(inspect(&sent, mikey_sakke::mikey::Tolerances::NONE).faults.is_empty());
    }
}

#[test]
fn the_octets_of_an_error_message() {
    let error = ErrorMessage {
        csb_id: [1, 2, 3, 4],
        ts: Ts::NtpUtc(5),
        errors: vec![ErrorNo::INVALID_SPPAR, ErrorNo::INVALID_PRF],
        policies: vec![Sp::srtp(7, &[(SrtpParam::ENCRYPTION, 6)])],
    };
    let octets = unhex("010605000102030400000c0000000000000000050c0a00000a0200000007000003000106");
    assert_eq!(error.to_message().encode().unwrap(), octets);
    assert_eq!(ErrorMessage::from_message(&Message::decode(&octets).unwrap()), Ok(error));
}

#[test]
fn what_must_not_be_answered_is_not() {
    let octets = signed(vec![t(), rand(16), sakke()]).encode().unwrap();
    assert!(ErrorMessage::answering(&octets, &MALFORMED).is_some());
    assert_eq!(ErrorMessage::answering(&octets, &Error::Rejected), None);
    assert_eq!(ErrorMessage::answering(&octets, &Error::Refused(Refusal::Replay)), None);
    // An Error message, however malformed.
    let error = ErrorMessage::answering(&octets, &MALFORMED).unwrap().to_message().encode().unwrap();
    for length in 0..=error.len() {
        assert_eq!(ErrorMessage::answering(&error[..length], &MALFORMED), None);
    }
    // Without a timestamp there is nothing to answer with.
    let unstamped = signed(vec![rand(16), sakke()]).encode().unwrap();
    assert_eq!(ErrorMessage::answering(&unstamped, &MALFORMED), None);
    assert_eq!(ErrorMessage::answering(&octets[..12], &MALFORMED), None);
    // A message that breaks off after its timestamp is answered.
    assert!(ErrorMessage::answering(&octets[..30], &MALFORMED).is_some());
}

#[test]
fn an_error_message_has_its_data_type_and_one_timestamp() {
    let error = |payloads| {
        let message = plain(payloads);
        Message { header: Header { data_type: DataType::ERROR, ..message.header }, ..message }
    };
    let refused = |message: &Message, kind, offset| {
        assert_eq!(ErrorMessage::from_message(message), Err(DecodeError { kind, offset }));
    };
    assert!(ErrorMessage::from_message(&error(vec![t()])).is_ok());
    refused(&plain(vec![t()]), DecodeErrorKind::DataType(26), 1);
    refused(&error(vec![]), DecodeErrorKind::Missing(5), 0);
    refused(&error(vec![t(), t()]), DecodeErrorKind::Duplicate(5), 20);
}
