//! Messages that break off, or go on, or are damaged: everything that an inspection says lies within the octets, and
//! the parts follow on each other.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mikey_sakke::Error;
use mikey_sakke::mikey::error_message::ErrorMessage;
use mikey_sakke::mikey::registry::DataType;
use mikey_sakke::mikey::{Message, Tolerance, Tolerances, inspect};

fuzz_target!(|octets: &[u8]| {
    let Some((first, octets)) = octets.split_first() else { return };
    let tolerances: Tolerances =
        Tolerance::ALL.into_iter().enumerate().filter(|(bit, _)| first >> bit & 1 == 1).map(|(_, one)| one).collect();
    let inspection = inspect(octets, tolerances);
    let mut end = 0;
    for part in &inspection.parts {
        assert_eq!(part.offset, end);
        end += part.octets.len();
        assert_eq!(&octets[part.offset..end], part.octets);
        let _ = (part.fields(), part.to_string());
    }
    assert_eq!(inspection.length, end);
    for fault in &inspection.faults {
        assert!(fault.error.offset <= octets.len());
        assert!(fault.payload.is_none_or(|payload| payload + 1 < inspection.parts.len()));
        let _ = fault.to_string();
    }
    let decoded = Message::decode_with(octets, tolerances);
    assert_eq!(inspection.message(), decoded.as_ref().ok());
    if let Err(error) = decoded {
        assert!(inspection.faults.iter().any(|fault| fault.error == error));
        if let Some(answer) = ErrorMessage::answering(octets, &Error::Decode(error)) {
            let message = answer.to_message();
            assert_ne!(inspection.header().map(|header| header.data_type), Some(DataType::ERROR));
            assert_eq!(ErrorMessage::from_message(&message), Ok(answer));
            assert!(message.encode().is_ok());
        }
    }
});
