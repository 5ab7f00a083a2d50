//! Octets that decode to a message encode to the same octets; nothing panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mikey_sakke::mikey::Message;
use mikey_sakke::mikey::i_message::IMessage;

fuzz_target!(|octets: &[u8]| {
    if let Ok(message) = Message::decode(octets) {
        assert_eq!(message.encode().as_deref(), Ok(octets));
        let _ = IMessage::from_message(&message);
    }
});
