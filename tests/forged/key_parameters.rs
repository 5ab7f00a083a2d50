//! The key parameters of an I_MESSAGE (TS 33.180, E.6), in a message that its initiator has signed.

use mikey_sakke::error::Refusal;
use mikey_sakke::mikey::Message;
use mikey_sakke::mikey::payload::Payload;

use crate::domain::{DOMAIN, now};
use crate::family::Class::{self, Malformed, Refused, Rejected};
use crate::message::{bundle, extension, family, message, signed};

#[test]
fn of_a_key() {
    let mut family = family("key parameters of an I_MESSAGE");
    let mut refuse = |name: &str, class: Class, change: &dyn Fn(&mut Vec<u8>)| {
        family.refuse(name, class, |arrived| {
            arrived.octets = signed(&DOMAIN.alice, |message| change(&mut extension(message).data));
        });
    };
    let other = extension(&mut Message::decode(&message(&DOMAIN.alice, &bundle(), now())).unwrap()).data.clone();
    for (name, octet) in [
        ("the message type", 0),
        ("date and time", 1),
        ("the payload ID", 6),
        ("the sequence number", 10),
        ("the algorithm", 11),
        ("the first octet of the IV", 12),
        ("the last octet of the IV", 27),
        ("the DPPK-ID", 28),
        ("the length of the ciphertext", 34),
        ("the first octet of the ciphertext", 35),
    ] {
        refuse(&format!("altered: {name}"), Rejected, &|data| data[octet] ^= 1);
    }
    for tag_octet in 1..=16 {
        refuse(&format!("altered: octet {tag_octet} of the tag, from its end"), Rejected, &|data| {
            let at = data.len() - tag_octet;
            data[at] ^= 1;
        });
    }
    refuse("of another message", Rejected, &|data| data.clone_from(&other));
    refuse("of another message, with the DPPK-ID of this one", Rejected, &|data| {
        let dppk_id = data[28..32].to_vec();
        data.clone_from(&other);
        data[28..32].copy_from_slice(&dppk_id);
    });
    refuse("with the tag of another message", Rejected, &|data| {
        let (end, other_end) = (data.len() - 16, other.len() - 16);
        data[end..].copy_from_slice(&other[other_end..]);
    });
    refuse("empty", Rejected, &|data| data.clear());
    for length in [1, 11, 12, 28, 31, 32, 34, 35, 50] {
        refuse(&format!("cut after {length} octets"), Rejected, &|data| data.truncate(length));
    }
    refuse("without the last octet of the tag", Rejected, &|data| data.truncate(data.len() - 1));
    refuse("with an octet more", Rejected, &|data| data.push(0));
    refuse("without the tag", Rejected, &|data| {
        data.truncate(data.len() - 16);
        let length = (data.len() - 35) as u16;
        data[33..35].copy_from_slice(&length.to_be_bytes());
    });
    for algorithm in [2, 0xff] {
        refuse(&format!("algorithm {algorithm}"), Rejected, &|data| data[11] = algorithm);
    }
    refuse("in clear, too short", Refused(Refusal::KeyParameters), &|data| *data = vec![1, 0, 0, 0, 1]);
    refuse("in clear, one octet", Refused(Refusal::KeyParameters), &|data| *data = vec![1]);
    family.refuse("twice", Malformed, |arrived| {
        arrived.octets = signed(&DOMAIN.alice, |message| {
            let again = Payload::GeneralExtension(extension(message).clone());
            message.payloads.push(again);
        });
    });
    family.check(47);
}
