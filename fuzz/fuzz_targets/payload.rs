//! One payload: the first octet chooses its type, the others are its content.
#![no_main]

mod common;

use libfuzzer_sys::fuzz_target;
use mikey_sakke::mikey::payload::KeyData;

/// All payload types that have a number, and one that has none; 20 is Key data, as it stands in KEMAC.
const TYPES: [u8; 26] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20, 21, 22, 23, 24, 25, 26, 99];
const SIGN: u8 = 4;
const KEY_DATA: u8 = 20;

fuzz_target!(|octets: &[u8]| {
    let Some((first, content)) = octets.split_first() else { return };
    let payload_type = TYPES[usize::from(*first) % TYPES.len()];
    if payload_type == KEY_DATA
        && let Ok(keys) = KeyData::decode_all(content)
    {
        assert_eq!(KeyData::encode_all(&keys).expect("they were read").expose(), content);
    }
    let mut message = vec![1, 0, payload_type, 0, 1, 2, 3, 4, 0, 0];
    if payload_type != SIGN {
        message.push(0);
    }
    message.extend_from_slice(content);
    common::check(&message);
});
