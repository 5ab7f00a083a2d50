//! Session descriptions: what is found in them is found again when it is written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mikey_sakke::mikey::sdp::{Attribute, Level, attributes, to_attribute};

fuzz_target!(|description: &str| {
    for found in attributes(description) {
        match found {
            Ok(Attribute { message, .. }) => {
                assert!(message.len() <= description.len());
                let line = to_attribute(&message).expect("it was read");
                let again: Vec<_> = attributes(&line).collect();
                assert_eq!(again, [Ok(Attribute { level: Level::Session, message })]);
            }
            Err(error) => assert!(description.is_char_boundary(error.offset)),
        }
    }
});
