//! I_MESSAGEs whose payloads are not those that were signed.

use mikey_sakke::eccsi::SIGNATURE_OCTETS;
use mikey_sakke::error::Refusal;
use mikey_sakke::mikey::Message;
use mikey_sakke::mikey::payload::Payload;

use crate::domain::{DOMAIN, idr};
use crate::family::Class::{Malformed, Refused, Rejected};
use crate::message::{GOOD, MALLORY, family, signed, unsigned, with_signature};
use mikey_sakke::mikey::registry::IdRole;

const PAYLOADS: [&str; 8] = [
    "T",
    "RAND",
    "the initiator",
    "the responder",
    "the initiator's KMS",
    "the responder's KMS",
    "SAKKE",
    "key parameters",
];

#[test]
fn lengths() {
    let mut family = family("I_MESSAGEs that were cut");
    let length = GOOD.octets.len();
    for end in 0..length {
        family.refuse(format!("after {end} octets"), Malformed, |arrived| arrived.octets.truncate(end));
    }
    for more in [1, 2, 129, 4_096, 1 << 24] {
        family.refuse(format!("{more} octets too many"), Malformed, |arrived| {
            arrived.octets.resize(length + more, 0);
        });
    }
    family.refuse("twice", Malformed, |arrived| arrived.octets = arrived.octets.repeat(2));
    family.check(length + 6);
}

#[test]
fn payloads() {
    let mut family = family("payloads of an I_MESSAGE removed, repeated and moved");
    assert_eq!(Message::decode(&GOOD.octets).unwrap().payloads.len(), PAYLOADS.len());
    for (index, name) in PAYLOADS.iter().enumerate() {
        let needed = match *name {
            "T" | "RAND" | "SAKKE" => Malformed,
            "the initiator" => Refused(Refusal::UnnamedParty),
            _ => Rejected,
        };
        family.refuse(format!("without {name}"), needed, |arrived| {
            arrived.octets = unsigned(|message| drop(message.payloads.remove(index)));
        });
        family.refuse(format!("{name} twice"), Malformed, |arrived| {
            arrived.octets = unsigned(|message| message.payloads.insert(index, message.payloads[index].clone()));
        });
        family.refuse(format!("{name} twice, signed so"), Malformed, |arrived| {
            arrived.octets =
                signed(&DOMAIN.alice, |message| message.payloads.insert(index, message.payloads[index].clone()));
        });
        if index > 0 {
            family.refuse(format!("{name} before {}", PAYLOADS[index - 1]), Rejected, |arrived| {
                arrived.octets = unsigned(|message| message.payloads.swap(index - 1, index));
            });
        }
    }
    family.refuse("turned round", Rejected, |arrived| {
        arrived.octets = unsigned(|message| message.payloads.reverse());
    });
    family.refuse("an identity more", Rejected, |arrived| {
        arrived.octets = unsigned(|message| message.payloads.push(idr(IdRole::APPLICATION, "x")));
    });
    family.refuse("without payloads", Malformed, |arrived| {
        arrived.octets = unsigned(|message| message.payloads.clear());
    });
    family.refuse("without payloads, signed so", Malformed, |arrived| {
        arrived.octets = signed(&DOMAIN.alice, |message| message.payloads.clear());
    });
    family.check(35);
}

#[test]
fn chains() {
    let mut family = family("chains of payloads that do not end where they should");
    // Where each payload announces the next: that of HDR first.
    let mut places = vec![2];
    let mut at = 10;
    for payload in &Message::decode(&GOOD.octets).unwrap().payloads {
        places.push(at);
        at += match payload {
            Payload::T(_) => 10,
            Payload::Rand(_) => 18,
            Payload::Idr(idr) => 5 + idr.data.len(),
            Payload::Sakke(sakke) => 5 + sakke.data.len(),
            Payload::GeneralExtension(extension) => 4 + extension.data.len(),
            other => panic!("{other:?}"),
        };
    }
    assert_eq!(at, GOOD.octets.len() - SIGNATURE_OCTETS - 2);
    for (index, place) in places.into_iter().enumerate() {
        for (name, next) in [("nothing", 0), ("an unknown payload", 18), ("another unknown payload", 0xff)] {
            family.refuse(format!("{name} after payload {index}"), Malformed, |arrived| arrived.octets[place] = next);
        }
        if index < PAYLOADS.len() {
            family.refuse(format!("SIGN after payload {index}"), Malformed, |arrived| arrived.octets[place] = 4);
        }
    }
    family.check(35);
}

/// The signature is over what is before it, and nothing is after it.
#[test]
fn coverage() {
    let mut family = family("signatures of an I_MESSAGE that do not cover it");
    let end = GOOD.octets.len() - SIGNATURE_OCTETS;
    let sign = GOOD.octets[end - 2..].to_vec();
    let extra = [&[0, 5, 1, 0, 1][..], b"x"].concat();
    family.refuse("a payload after SIGN", Malformed, |arrived| arrived.octets.extend_from_slice(&extra));
    family.refuse("SIGN twice", Malformed, |arrived| arrived.octets.extend_from_slice(&sign));
    family.refuse("SIGN of another user after it", Malformed, |arrived| {
        arrived.octets.extend_from_slice(&[0x20, 129]);
        arrived.octets = with_signature(arrived.octets.clone(), &MALLORY);
    });
    family.refuse("the signature twice in one SIGN", Malformed, |arrived| {
        arrived.octets[end - 2..end].copy_from_slice(&[0x21, 2]);
        arrived.octets.extend_from_slice(&sign[3..]);
    });
    family.refuse("two signatures in one SIGN", Rejected, |arrived| {
        arrived.octets[end - 2..end].copy_from_slice(&[0x21, 2]);
        arrived.octets.extend_from_slice(&sign[2..]);
    });
    family.refuse("a signature with an octet more", Rejected, |arrived| {
        arrived.octets[end - 2..end].copy_from_slice(&[0x20, 130]);
        arrived.octets.push(0);
    });
    family.refuse("a signature with an octet less", Rejected, |arrived| {
        arrived.octets[end - 2..end].copy_from_slice(&[0x20, 128]);
        arrived.octets.pop();
    });
    family.refuse("an empty signature", Rejected, |arrived| {
        arrived.octets.truncate(end);
        arrived.octets[end - 2..end].copy_from_slice(&[0x20, 0]);
    });
    family.refuse("no SIGN", Malformed, |arrived| {
        let mut message = Message::decode(&arrived.octets).unwrap();
        message.sign = None;
        arrived.octets = message.encode().unwrap();
    });
    family.refuse("SIGN in front", Malformed, |arrived| {
        let body = arrived.octets[10..end - 2].to_vec();
        arrived.octets = [&arrived.octets[..2], &[4], &arrived.octets[3..10], &sign, &body].concat();
    });
    family.refuse("a payload between what is signed and SIGN", Rejected, |arrived| {
        arrived.octets = unsigned(|message| message.payloads.push(idr(IdRole::APPLICATION, "y")));
    });
    family.refuse("a payload in front of what is signed", Rejected, |arrived| {
        arrived.octets = unsigned(|message| message.payloads.insert(0, idr(IdRole::APPLICATION, "y")));
    });
    family.check(12);
}
