//! SSK, PVT and KPAK, as they are delivered (RFC 6507, section 5.1.2).

use std::sync::LazyLock;

use mikey_sakke::eccsi::{Kpak, SigningKey};
use mikey_sakke::error::KeyMaterialError;
use mikey_sakke::identity::Uid;
use num_bigint::BigUint;

use crate::family::Class::{self, KeyMaterial};
use crate::family::Family;
use crate::oracle::eccsi::P256;
use crate::oracle::{from_octets, octets};
use crate::points;
use crate::signatures::{ALICE, BOB, signer};

const KPAK: Class = KeyMaterial(KeyMaterialError::Kpak);
const PVT: Class = KeyMaterial(KeyMaterialError::Pvt);
const SSK: Class = KeyMaterial(KeyMaterialError::Ssk);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Delivered {
    kpak: Vec<u8>,
    identity: Vec<u8>,
    ssk: Vec<u8>,
    pvt: Vec<u8>,
}

fn delivered(ksak: u8, identity: &[u8], v: u8) -> Delivered {
    let signer = signer(ksak, identity, v);
    Delivered { kpak: signer.kpak, identity: signer.identity, ssk: signer.ssk, pvt: signer.pvt }
}

fn receive(delivered: &Delivered) -> Result<(), Class> {
    let (kpak, identity) = (Kpak::from_octets(&delivered.kpak)?, Uid::from_octets(&delivered.identity)?);
    Ok(SigningKey::import(&kpak, &identity, &delivered.ssk, &delivered.pvt).map(drop)?)
}

static GOOD: LazyLock<Delivered> = LazyLock::new(|| delivered(0x11, ALICE, 0x25));

fn family(name: &'static str) -> Family<Delivered> {
    Family::new(name, GOOD.clone(), receive)
}

#[test]
fn secret_signing_keys() {
    let mut family = family("SSKs");
    let q = &P256.q;
    let ssk = from_octets(&GOOD.ssk);
    for (name, number) in [
        ("0", BigUint::from(0u32)),
        ("1", BigUint::from(1u32)),
        ("q - 1", q - 1u32),
        ("q", q.clone()),
        ("2^256 - 1", (BigUint::from(1u32) << 256) - 1u32),
        ("SSK + 1", &ssk + 1u32),
        ("-SSK", q - &ssk),
        ("2 SSK", &ssk * 2u32 % q),
        ("1 / SSK", ssk.modinv(q).unwrap()),
        ("KSAK", from_octets(&[0x11; 32])),
        ("v", from_octets(&[0x25; 32])),
    ] {
        family.refuse(name, SSK, |delivered| delivered.ssk = octets(&number, 32));
    }
    for (name, ssk) in [
        ("of another pair of the user", delivered(0x11, ALICE, 0x23).ssk),
        ("of another user", delivered(0x11, BOB, 0x22).ssk),
        ("of another KMS", delivered(0x12, ALICE, 0x22).ssk),
    ] {
        family.refuse(name, SSK, |delivered| delivered.ssk = ssk);
    }
    for length in [0, 1, 31, 33, 64, 65, 128] {
        family.refuse(format!("{length} octets"), SSK, |delivered| delivered.ssk.resize(length, 0));
    }
    family.refuse("a leading zero octet too many", SSK, |delivered| delivered.ssk.insert(0, 0));
    family.refuse("of little-endian order", SSK, |delivered| delivered.ssk.reverse());
    family.check(23);
}

/// Those of the curve are points: SSK does not go with them.
fn class(name: &str, other: Class) -> Class {
    match name {
        "negated" | "doubled" | "G" | "-G" | "+ G" | "x = 0, on the curve" => SSK,
        _ => other,
    }
}

#[test]
fn public_validation_tokens() {
    let mut family = family("PVTs");
    for (name, point) in points::for_eccsi(&GOOD.pvt) {
        let class = class(&name, PVT);
        family.refuse(name, class, |delivered| delivered.pvt = point);
    }
    for (name, pvt) in [
        ("of another pair of the user", delivered(0x11, ALICE, 0x23).pvt),
        ("that is KPAK", GOOD.kpak.clone()),
        ("that is -KPAK", points::for_eccsi(&GOOD.kpak).remove(0).1),
    ] {
        family.refuse(name, SSK, |delivered| delivered.pvt = pvt);
    }
    for length in [0, 1, 32, 33, 64, 66, 129, 257] {
        family.refuse(format!("{length} octets"), PVT, |delivered| delivered.pvt.resize(length, 0));
    }
    family.check(43);
}

#[test]
fn public_authentication_keys() {
    let mut family = family("KPAKs");
    for (name, point) in points::for_eccsi(&GOOD.kpak) {
        let class = class(&name, KPAK);
        family.refuse(name, class, |delivered| delivered.kpak = point);
    }
    family.refuse("of another KMS", SSK, |good| good.kpak = delivered(0x12, ALICE, 0x22).kpak);
    family.refuse("that is the PVT", SSK, |delivered| delivered.kpak = delivered.pvt.clone());
    family.refuse("the identity, of one octet", KPAK, |delivered| delivered.kpak = vec![0]);
    for length in [0, 1, 32, 33, 64, 66, 129, 257] {
        family.refuse(format!("{length} octets"), KPAK, |delivered| delivered.kpak.resize(length, 0));
    }
    family.check(43);
}

#[test]
fn pairs() {
    let mut family = family("pairs of SSK and PVT");
    let q = &P256.q;
    family.refuse("both of another user", SSK, |good| {
        let other = delivered(0x11, BOB, 0x23);
        (good.ssk, good.pvt) = (other.ssk, other.pvt);
    });
    family.refuse("both of another KMS", SSK, |good| {
        let other = delivered(0x12, ALICE, 0x22);
        (good.ssk, good.pvt) = (other.ssk, other.pvt);
    });
    family.refuse("both negated", SSK, |good| {
        good.ssk = octets(&(q - from_octets(&good.ssk)), 32);
        good.pvt = points::for_eccsi(&good.pvt).remove(0).1;
    });
    family.refuse("PVT and KPAK swapped", SSK, |good| std::mem::swap(&mut good.pvt, &mut good.kpak));
    for (name, identity) in [
        ("another user", BOB.to_vec()),
        ("another month", b"2026-12\0tel:+447700900123\0".to_vec()),
        ("a NUL more", [ALICE, b"\0"].concat()),
        ("a NUL less", ALICE[..ALICE.len() - 1].to_vec()),
        ("cut at its first NUL", b"2026-11".to_vec()),
    ] {
        family.refuse(format!("for {name}"), SSK, |good| good.identity = identity);
    }
    family.check(9);
}
