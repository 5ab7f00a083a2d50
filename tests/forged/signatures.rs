//! ECCSI signatures (RFC 6507, section 5.2.2).
//!
//! That a peer compares Jx with r modulo q instead of p cannot be shown with a signature of this curve: it takes a j
//! with Jx in q..p-1, which is one of 2^128. The comparison itself is tested on such points in
//! `src/group/p256/tests.rs`.

use std::sync::LazyLock;

use mikey_sakke::eccsi::{Kpak, Signature, VerifyingKey};
use mikey_sakke::error::KeyMaterialError;
use mikey_sakke::identity::Uid;
use num_bigint::BigUint;

use crate::family::Class::{self, KeyMaterial, Rejected, Usage};
use crate::family::Family;
use crate::oracle::eccsi::{self, P256};
use crate::oracle::{from_octets, octets};
use crate::points;

pub(crate) const ALICE: &[u8] = b"2026-11\0tel:+447700900123\0";
pub(crate) const BOB: &[u8] = b"2026-11\0tel:+447700900777\0";
const MESSAGE: &[u8] = b"a message";

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Signed {
    kpak: Vec<u8>,
    identity: Vec<u8>,
    message: Vec<u8>,
    signature: Vec<u8>,
}

fn receive(signed: &Signed) -> Result<(), Class> {
    let (kpak, identity) = (Kpak::from_octets(&signed.kpak)?, Uid::from_octets(&signed.identity)?);
    let signature = Signature::try_from(signed.signature.as_slice())?;
    Ok(VerifyingKey::new(&kpak, &identity).verify(&signed.message, &signature)?)
}

/// A signer's keys: KPAK, SSK and PVT, and what KSAK and v are.
pub(crate) struct Signer {
    pub(crate) kpak: Vec<u8>,
    pub(crate) identity: Vec<u8>,
    pub(crate) ssk: Vec<u8>,
    pub(crate) pvt: Vec<u8>,
}

pub(crate) fn signer(ksak: u8, identity: &[u8], v: u8) -> Signer {
    let (ksak, v) = ([ksak; 32], [v; 32]);
    let issued = eccsi::issue(&ksak, identity, &v).unwrap();
    let kpak = eccsi::master_key(&ksak).unwrap();
    Signer { kpak, identity: identity.to_vec(), ssk: issued.ssk, pvt: issued.pvt }
}

impl Signer {
    fn sign(&self, message: &[u8], j: u8) -> Vec<u8> {
        eccsi::sign(&self.kpak, &self.identity, &self.ssk, &self.pvt, message, &[j; 32]).unwrap()
    }
}

static GOOD: LazyLock<Signed> = LazyLock::new(|| {
    let alice = signer(0x11, ALICE, 0x22);
    let signature = alice.sign(MESSAGE, 0x33);
    Signed { kpak: alice.kpak, identity: ALICE.to_vec(), message: MESSAGE.to_vec(), signature }
});

fn family(name: &'static str) -> Family<Signed> {
    Family::new(name, GOOD.clone(), receive)
}

fn set(range: std::ops::Range<usize>, value: &BigUint) -> impl FnOnce(&mut Signed) + use<> {
    let value = octets(value, 32);
    move |signed| signed.signature[range].copy_from_slice(&value)
}

#[test]
fn numbers() {
    let mut family = family("r and s of a signature");
    let (p, q) = (&P256.curve.field.prime, &P256.q);
    let [r, s] = [0..32, 32..64].map(|range| from_octets(&GOOD.signature[range]));
    let number = |value: u32| BigUint::from(value);
    for (name, value) in [
        ("0", number(0)),
        ("1", number(1)),
        ("q - 1", q - 1u32),
        ("q", q.clone()),
        ("q + 1", q + 1u32),
        ("p - 1", p - 1u32),
        ("p", p.clone()),
        ("p + 1", p + 1u32),
        ("2^256 - 1", (number(1) << 256) - 1u32),
        ("r + 1", &r + 1u32),
        ("s + 1", &s + 1u32),
        ("-r mod p", p - &r),
        ("-r mod q", q - &r % q),
        ("2s mod q", &s * 2u32 % q),
        ("1 / s mod q", s.modinv(q).unwrap()),
        ("1 / r mod q", r.modinv(q).unwrap()),
    ] {
        family.refuse(format!("r = {name}"), Rejected, set(0..32, &value));
        family.refuse(format!("s = {name}"), Rejected, set(32..64, &value));
    }
    family.refuse("r = s", Rejected, set(0..32, &s));
    family.refuse("s = r", Rejected, set(32..64, &r));
    family.refuse("r and s swapped", Rejected, |signed| signed.signature[..64].rotate_left(32));
    family.refuse("r = 0, s = 0", Rejected, |signed| signed.signature[..64].fill(0));
    family.refuse("r = 0, s = 1", Rejected, |signed| {
        signed.signature[..64].fill(0);
        signed.signature[63] = 1;
    });
    family.refuse("r = G.x, s = 1", Rejected, |signed| {
        let g = P256.curve.encode(&P256.g).unwrap();
        signed.signature[..32].copy_from_slice(&g[1..33]);
        signed.signature[32..64].copy_from_slice(&octets(&number(1), 32));
    });
    family.refuse("r and s of little-endian order", Rejected, |signed| {
        signed.signature[..32].reverse();
        signed.signature[32..64].reverse();
    });
    family.refuse("s of little-endian order", Rejected, |signed| signed.signature[32..64].reverse());
    family.check(40);
}

/// (r, q - s) verifies wherever (r, s) does, by the standard: it is told from the other by nobody.
#[test]
fn the_twin_of_a_signature_is_no_forgery() {
    let mut twin = GOOD.clone();
    let s = &P256.q - from_octets(&twin.signature[32..64]);
    set(32..64, &s)(&mut twin);
    assert_eq!(receive(&twin), Ok(()));
    assert!(eccsi::verify(&twin.kpak, &twin.identity, &twin.message, &twin.signature));
}

#[test]
fn tokens() {
    let mut family = family("PVT of a signature");
    let pvt = 64..129;
    for (name, point) in points::for_eccsi(&GOOD.signature[64..]) {
        family.refuse(name, Rejected, |signed| signed.signature[64..].copy_from_slice(&point));
    }
    let negated_kpak = points::for_eccsi(&GOOD.kpak).remove(0).1;
    for (name, point) in [
        ("KPAK", GOOD.kpak.clone()),
        ("-KPAK", negated_kpak),
        ("of another pair of the user", signer(0x11, ALICE, 0x23).pvt),
        ("of another user", signer(0x11, BOB, 0x24).pvt),
        ("of the user at another KMS", signer(0x12, ALICE, 0x25).pvt),
    ] {
        family.refuse(name, Rejected, |signed| signed.signature[pvt.clone()].copy_from_slice(&point));
    }
    family.check(37);
}

#[test]
fn whole_signatures() {
    let mut family = family("signatures of others");
    for (name, signer) in [
        ("of another pair of the user, for another message", signer(0x11, ALICE, 0x23)),
        ("of another user", signer(0x11, BOB, 0x24)),
        ("of the user at another KMS", signer(0x12, ALICE, 0x22)),
        ("of another user at another KMS", signer(0x12, BOB, 0x22)),
    ] {
        let message: &[u8] = if signer.identity == ALICE && signer.kpak == GOOD.kpak { b"another" } else { MESSAGE };
        family.refuse(name, Rejected, |signed| signed.signature = signer.sign(message, 0x33));
    }
    // Who has no KSAK makes an SSK of what he has.
    let (alice, v) = (signer(0x11, ALICE, 0x44), [0x44; 32]);
    let hs = from_octets(&eccsi::hs(&alice.kpak, ALICE, &alice.pvt).unwrap());
    let q = &P256.q;
    for (name, ssk) in [
        ("SSK = HS v", &hs * from_octets(&v) % q),
        ("SSK = HS", &hs % q),
        ("SSK = v", from_octets(&v)),
        ("SSK = 1", BigUint::from(1u32)),
        ("SSK = -SSK", q - from_octets(&alice.ssk)),
    ] {
        let forger = Signer { ssk: octets(&ssk, 32), ..signer(0x11, ALICE, 0x44) };
        family.refuse(name, Rejected, |signed| signed.signature = forger.sign(MESSAGE, 0x33));
    }
    // KPAK and all that hangs on it replaced.
    let other = signer(0x12, ALICE, 0x22);
    family.refuse("KPAK of another KMS", Rejected, |signed| signed.kpak = other.kpak.clone());
    family.refuse("-KPAK", Rejected, |signed| signed.kpak = points::for_eccsi(&signed.kpak).remove(0).1);
    family.refuse("KPAK = G", Rejected, |signed| signed.kpak = P256.curve.encode(&P256.g).unwrap());
    family.refuse("KPAK = PVT", Rejected, |signed| signed.kpak = signed.signature[64..].to_vec());
    family.refuse("KPAK and PVT swapped", Rejected, |signed| {
        let pvt = signed.signature[64..].to_vec();
        signed.signature[64..].copy_from_slice(&signed.kpak);
        signed.kpak = pvt;
    });
    family.refuse("KPAK is the identity", KeyMaterial(KeyMaterialError::Kpak), |signed| signed.kpak = vec![0]);
    family.check(15);
}

#[test]
fn what_is_signed() {
    let mut family = family("identity and message of a signature");
    for (name, identity) in [
        ("another user", BOB.to_vec()),
        ("another month", b"2026-12\0tel:+447700900123\0".to_vec()),
        ("without its last NUL", ALICE[..ALICE.len() - 1].to_vec()),
        ("with a NUL more", [ALICE, b"\0"].concat()),
        ("with a NUL before", [b"\0", ALICE].concat()),
        ("cut at its first NUL", b"2026-11".to_vec()),
        ("without its NULs", b"2026-11tel:+447700900123".to_vec()),
        ("in capitals", ALICE.to_ascii_uppercase()),
        ("twice", ALICE.repeat(2)),
        ("PVT drawn into it", [ALICE, &[4]].concat()),
        ("one octet", b"2".to_vec()),
    ] {
        family.refuse(format!("identity {name}"), Rejected, |signed| signed.identity = identity);
    }
    let length = Usage(mikey_sakke::error::UsageError::IdentityLength);
    family.refuse("identity empty", length.clone(), |signed| signed.identity.clear());
    family.refuse("identity too long", length, |signed| signed.identity = vec![0x5a; 65_537]);
    for (name, message) in [
        ("empty", vec![]),
        ("without its last octet", MESSAGE[..MESSAGE.len() - 1].to_vec()),
        ("without its first octet", MESSAGE[1..].to_vec()),
        ("with a NUL more", [MESSAGE, b"\0"].concat()),
        ("with a NUL before", [b"\0", MESSAGE].concat()),
        ("twice", MESSAGE.repeat(2)),
        ("in capitals", MESSAGE.to_ascii_uppercase()),
        ("another", b"another".to_vec()),
    ] {
        family.refuse(format!("message {name}"), Rejected, |signed| signed.message = message);
    }
    // The border between what is hashed before it and the message.
    family.refuse("message with r before it", Rejected, |signed| {
        signed.message = [&signed.signature[..32], MESSAGE].concat();
    });
    family.check(22);
}

#[test]
fn octets_and_lengths() {
    let mut octets = family("signatures with one octet altered");
    for octet in 0..129 {
        octets.refuse(format!("octet {octet}"), Rejected, |signed| signed.signature[octet] ^= 0x01);
    }
    octets.check(129);
    let mut lengths = family("signatures of another length");
    for length in (0..=160).filter(|length| *length != 129) {
        lengths.refuse(format!("{length} octets"), Rejected, |signed| signed.signature.resize(length, 0));
    }
    lengths.refuse("two of them", Rejected, |signed| signed.signature = signed.signature.repeat(2));
    lengths.check(161);
}
