//! Another implementation reads the messages: Wireshark's MIKEY dissector names each field with what was put in.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod expected;
#[path = "../fixed/mod.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod fixed;
mod modes;
mod recorded;
mod sakke;
mod tshark;

use mikey_sakke::mikey::{CsIdMap, Message, Tolerances};

/// Has messages dissected, and asserts that Wireshark agrees in every field. Where it does not know the map, it is
/// shown the same payloads behind an empty one as well.
fn assert_dissected(messages: &[(&str, Vec<u8>)]) {
    if !tshark::is_installed() {
        return;
    }
    let mut all = Vec::new();
    for (name, octets) in messages {
        let message = Message::decode(octets).unwrap();
        if matches!(&message.header.cs_id_map, CsIdMap::GenericId(sessions) if !sessions.is_empty()) {
            let mut plain = message.clone();
            plain.header.cs_id_map = CsIdMap::EMPTY;
            let behind = plain.encode_with(Tolerances::default()).unwrap();
            let length = behind.len() - 10;
            assert_eq!(behind[10..], octets[octets.len() - length..], "{name}");
            all.push((format!("{name}, behind an empty map"), plain, behind));
        }
        all.push(((*name).to_owned(), message, octets.clone()));
    }
    let octets: Vec<_> = all.iter().map(|(_, _, octets)| octets.clone()).collect();
    for ((name, message, _), dissection) in all.iter().zip(tshark::dissect(&octets)) {
        expected::assert_agrees(name, message, &dissection);
    }
}
