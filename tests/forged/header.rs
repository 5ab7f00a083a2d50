//! Fields of an I_MESSAGE, altered after it was signed.

use std::time::Duration;

use mikey_sakke::eccsi::SIGNATURE_OCTETS;
use mikey_sakke::error::Refusal;

use crate::domain::now;
use crate::family::Class::{self, Malformed, Refused, Rejected};
use crate::message::{Arrived, GOOD, family};

/// Where some octets begin, which stand there once.
fn place(octets: &[u8]) -> usize {
    let mut places = GOOD.octets.windows(octets.len()).enumerate().filter(|(_, window)| *window == octets);
    let place = places.next().unwrap().0;
    assert!(places.next().is_none());
    place
}

/// Where the identity in a role begins: its payload, next payload first.
fn idr(role: u8, uri: &str) -> usize {
    let head = [role, 1, 0, uri.len() as u8];
    place(&[&head, uri.as_bytes()].concat()) - 1
}

fn put(at: usize, octets: &[u8]) -> impl FnOnce(&mut Arrived) + use<> {
    let octets = octets.to_vec();
    move |arrived| arrived.octets[at..at + octets.len()].copy_from_slice(&octets)
}

fn flip(at: usize) -> impl FnOnce(&mut Arrived) {
    move |arrived| arrived.octets[at] ^= 1
}

#[test]
fn fields() {
    let mut family = family("fields of an I_MESSAGE altered after it was signed");
    let mut refuse =
        |name: &str, class: Class, change: Box<dyn FnOnce(&mut Arrived)>| family.refuse(name, class, change);
    for version in [0, 2, 0x81, 0xff] {
        refuse(&format!("version {version}"), Malformed, Box::new(put(0, &[version])));
    }
    for data_type in [0, 1, 2, 6, 9, 25, 27, 0xff] {
        refuse(&format!("data type {data_type}"), Malformed, Box::new(put(1, &[data_type])));
    }
    for next in [0, 4, 10, 11, 14, 18, 19, 26, 27, 0xff] {
        refuse(&format!("the first payload is of type {next}"), Malformed, Box::new(put(2, &[next])));
    }
    refuse("V set", Rejected, Box::new(put(3, &[0x81])));
    refuse("PRF MIKEY-1", Rejected, Box::new(put(3, &[0])));
    for prf in [2, 0x7f] {
        refuse(&format!("PRF {prf}"), Refused(Refusal::Prf), Box::new(put(3, &[prf])));
    }
    refuse("CSB ID: another purpose", Rejected, Box::new(put(4, &[GOOD.octets[4] ^ 0x40])));
    refuse("CSB ID: a purpose that is not expected", Rejected, Box::new(put(4, &[GOOD.octets[4] ^ 0xa0])));
    for octet in 4..8 {
        refuse(&format!("CSB ID: octet {octet}"), Rejected, Box::new(flip(octet)));
    }
    refuse("#CS and map of type SRTP-ID: one session", Malformed, Box::new(put(8, &[1, 0])));
    refuse("#CS and map of type SRTP-ID: 255 sessions", Malformed, Box::new(put(8, &[255, 0])));
    refuse("map of type GENERIC-ID without session", Rejected, Box::new(put(8, &[0, 2])));
    refuse("map of type GENERIC-ID: 255 sessions", Malformed, Box::new(put(8, &[255, 2])));
    refuse("CS ID map of unknown type", Malformed, Box::new(put(9, &[3])));
    refuse("T: type NTP", Rejected, Box::new(put(11, &[1])));
    for ts_type in [2, 3, 4, 0xff] {
        refuse(&format!("T: type {ts_type}"), Malformed, Box::new(put(11, &[ts_type])));
    }
    for (name, octet, class) in [
        ("T: the last bit of the fraction", 19, Rejected),
        ("T: one second", 15, Rejected),
        ("T: 256 seconds", 14, Rejected),
        ("T: 2^16 seconds", 13, Refused(Refusal::Stale)),
        ("T: 2^24 seconds", 12, Refused(Refusal::Stale)),
    ] {
        refuse(name, class, Box::new(flip(octet)));
    }
    refuse("T: zero", Refused(Refusal::Stale), Box::new(put(12, &[0; 8])));
    refuse("T: all ones", Refused(Refusal::Stale), Box::new(put(12, &[0xff; 8])));
    refuse("RAND: the first octet", Rejected, Box::new(flip(22)));
    refuse("RAND: zeros", Rejected, Box::new(put(22, &[0; 16])));
    for length in [0, 1, 15, 17, 0xff] {
        refuse(&format!("RAND: length {length}"), Malformed, Box::new(put(21, &[length])));
    }
    let (user, not_ours) = (Refused(Refusal::Initiator), Refused(Refusal::NotForUs));
    let kms = Refused(Refusal::UntrustedKms);
    for (name, role, uri, other, type_class, data_class, role_class) in [
        ("initiator", 1, "sip:alice@example.org", 2, user.clone(), Rejected, Refused(Refusal::UnnamedParty)),
        ("responder", 2, "sip:bob@example.org", 1, not_ours.clone(), not_ours, Rejected),
        ("initiator's KMS", 6, "kms.example.org", 7, kms.clone(), kms.clone(), Rejected),
        ("responder's KMS", 7, "kms.example.org", 6, kms.clone(), kms.clone(), Rejected),
    ] {
        let at = idr(role, uri);
        refuse(&format!("{name}: another role that is there"), Malformed, Box::new(put(at + 1, &[other])));
        refuse(&format!("{name}: an unknown role"), role_class, Box::new(put(at + 1, &[0x77])));
        for id_type in [0, 2, 3, 0xff] {
            let name = format!("{name}: type {id_type}");
            refuse(&name, type_class.clone(), Box::new(put(at + 2, &[id_type])));
        }
        refuse(&format!("{name}: another name"), data_class, Box::new(flip(at + 5)));
        refuse(&format!("{name}: in capitals"), type_class.clone(), Box::new(put(at + 5, &[uri.as_bytes()[0] - 32])));
        refuse(&format!("{name}: not UTF-8"), type_class.clone(), Box::new(put(at + 5, &[0xff])));
        refuse(&format!("{name}: with a NUL"), type_class, Box::new(put(at + 5 + uri.len() - 1, &[0])));
        refuse(&format!("{name}: longer than the message"), Malformed, Box::new(put(at + 3, &[0xff, 0xff])));
        refuse(&format!("{name}: empty"), Malformed, Box::new(put(at + 3, &[0, 0])));
    }
    let at = place(&[21, 1, 2, 0x01, 0x11, 4]) + 3;
    let unsupported = Refused(Refusal::Unsupported);
    for params in [0, 2, 0xff] {
        refuse(&format!("SAKKE: parameters {params}"), unsupported.clone(), Box::new(put(at - 2, &[params])));
    }
    for scheme in [0, 1, 3, 0xff] {
        refuse(&format!("SAKKE: identifier scheme {scheme}"), unsupported.clone(), Box::new(put(at - 1, &[scheme])));
    }
    refuse("SAKKE: longer than the message", Malformed, Box::new(put(at, &[0xff, 0xff])));
    refuse("SAKKE: empty", Malformed, Box::new(put(at, &[0, 0])));
    for (name, octet) in [("prefix of R", 2), ("Rx", 3), ("Ry", 131), ("the first of H", 259), ("the last of H", 274)] {
        refuse(&format!("SAKKE: {name}"), Rejected, Box::new(flip(at + octet)));
    }
    let sign = GOOD.octets.len() - SIGNATURE_OCTETS - 2;
    for s_type in [0, 1, 3, 0xf] {
        refuse(&format!("SIGN: type {s_type}"), unsupported.clone(), Box::new(put(sign, &[s_type << 4])));
    }
    for length in [0u16, 1, 128, 130, 0xfff] {
        let head = (0x2000 | length).to_be_bytes();
        refuse(&format!("SIGN: length {length}"), Malformed, Box::new(put(sign, &head)));
    }
    for (name, octet) in [("r", 2), ("s", 34), ("prefix of PVT", 66), ("x of PVT", 67), ("y of PVT", 130)] {
        refuse(&format!("SIGN: {name}"), Rejected, Box::new(flip(sign + octet)));
    }
    family.check(HOW_MANY);
}

const HOW_MANY: usize = 132;

#[test]
fn times() {
    let mut family = family("the time at which an I_MESSAGE arrives");
    let window = Duration::from_secs(300);
    let tick = Duration::from_nanos(1);
    let refuse = |name, refusal, at| (name, Refused(refusal), at);
    for (name, class, at) in [
        refuse("just after the window", Refusal::Stale, now().saturating_add(window + tick)),
        refuse("just before the window", Refusal::Stale, now().saturating_sub(window + tick)),
        refuse("a day after", Refusal::Stale, now().saturating_add(Duration::from_secs(86_400))),
        refuse("a day before", Refusal::Stale, now().saturating_sub(Duration::from_secs(86_400))),
        refuse("a key period after", Refusal::Stale, now().saturating_add(Duration::from_secs(2_592_000))),
        refuse("half an era after", Refusal::Stale, now().saturating_add(Duration::from_secs(1 << 31))),
        // The timestamp is that of now again, in a key period of which there are no keys.
        refuse("an era after", Refusal::KeyPeriod, now().saturating_add(Duration::from_secs(1 << 32))),
        refuse("two eras after", Refusal::KeyPeriod, now().saturating_add(Duration::from_secs(1 << 33))),
    ] {
        family.refuse(name, class, |arrived| arrived.now = at);
    }
    family.refuse("again", Refused(Refusal::Replay), |arrived| arrived.before = Some(GOOD.octets.clone()));
    family.check(9);
}
