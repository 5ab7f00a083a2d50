//! What holds for all octets.

use mikey_sakke::imessage::KeyProperties;
use mikey_sakke::mikey::envelope::EnvelopeKeys;
use mikey_sakke::mikey::i_message::IMessage;
use mikey_sakke::mikey::payload::{Extension, KeyParameters, Payload};
use mikey_sakke::mikey::prf::Prf;
use mikey_sakke::mikey::{Message, Tolerance, Tolerances, inspect};

/// Octets that decode to a message encode to the same octets, whatever is tolerated; what a stricter reading accepts, a
/// more tolerant one reads alike; an inspection agrees about all of it.
pub fn check(octets: &[u8]) {
    let all: Tolerances = Tolerance::ALL.into_iter().collect();
    let mut stricter = None;
    for tolerances in [Tolerances::NONE, Tolerances::default(), all] {
        let message = Message::decode_with(octets, tolerances);
        match &message {
            Ok(message) => {
                assert_eq!(message.encode_with(tolerances).as_deref(), Ok(octets));
                assert_eq!(message.layout().map(|part| part.length).sum::<usize>(), octets.len());
                let _ = IMessage::from_message_with(message, tolerances);
                message.payloads.iter().for_each(check_payload);
            }
            Err(error) => assert!(error.offset <= octets.len()),
        }
        if let Some(stricter) = stricter {
            assert_eq!(message.as_ref().ok(), Some(&stricter));
        }
        let inspection = inspect(octets, tolerances);
        assert_eq!(inspection.message(), message.as_ref().ok());
        assert!(inspection.message().is_some() || !inspection.faults.is_empty());
        for part in &inspection.parts {
            assert_eq!(&octets[part.offset..][..part.octets.len()], part.octets);
            assert_eq!(part.fields().is_empty(), part.content.is_none());
        }
        stricter = message.ok();
    }
}

/// What stands inside a payload encodes to what it was decoded from.
fn check_payload(payload: &Payload) {
    match payload {
        Payload::GeneralExtension(extension) => {
            if let Ok(content) = extension.content() {
                // Separators and an octet that is ignored may be lost; what is said is not.
                let written = content.to_payload().expect("it was read");
                assert_eq!(written.content().as_ref(), Ok(&content));
                if let Extension::KeyParameters(KeyParameters::Plain(octets)) = content {
                    check_properties(&octets);
                }
            }
        }
        Payload::Kemac(kemac) => {
            let keys = EnvelopeKeys::derive(Prf::Mikey1, &[7; 16], [1, 2, 3, 4], &[8; 16], kemac.mac_alg);
            if let Ok(keys) = keys {
                let _ = keys.decrypt(kemac.encr_alg, 9, &kemac.encr_data);
            }
        }
        Payload::Sp(sp) => drop(sp.srtp_params()),
        _ => {}
    }
}

/// The properties of a key are written so that they read the same.
pub fn check_properties(octets: &[u8]) {
    if let Ok(properties) = KeyProperties::decode(octets) {
        let written = properties.encode().expect("it was read");
        assert_eq!(KeyProperties::decode(&written), Ok(properties));
    }
}
