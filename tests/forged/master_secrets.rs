//! z and KSAK.

use mikey_sakke::eccsi::Ksak;
use mikey_sakke::error::KeyMaterialError;
use mikey_sakke::sakke::MasterSecret;
use num_bigint::BigUint;

use crate::family::Class::{self, KeyMaterial};
use crate::family::Family;
use crate::oracle::eccsi::P256;
use crate::oracle::octets;
use crate::oracle::sakke::SET_1;

#[allow(clippy::ptr_arg, reason = "an input is of one type")]
fn master_secret(octets: &Vec<u8>) -> Result<(), Class> {
    Ok(MasterSecret::from_octets(octets).map(drop)?)
}

#[allow(clippy::ptr_arg, reason = "an input is of one type")]
fn ksak(octets: &Vec<u8>) -> Result<(), Class> {
    Ok(Ksak::from_octets(octets).map(drop)?)
}

#[test]
fn of_sakke() {
    let (p, q) = (&SET_1.curve.field.prime, &SET_1.q);
    let mut family = Family::new("z", vec![0x1d; 128], master_secret);
    let class = KeyMaterial(KeyMaterialError::MasterSecret);
    for (name, z) in [
        ("0", BigUint::from(0u32)),
        ("1", BigUint::from(1u32)),
        ("q", q.clone()),
        ("q + 1", q + 1u32),
        ("q + 2", q + 2u32),
        ("2q - 1", q * 2u32 - 1u32),
        ("2q + 2", q * 2u32 + 2u32),
        ("p", p.clone()),
        ("2^1022", BigUint::from(1u32) << 1022),
        ("2^1024 - 1", (BigUint::from(1u32) << 1024) - 1u32),
    ] {
        family.refuse(name, class.clone(), |secret| *secret = octets(&z, 128));
    }
    for length in [0, 1, 20, 32, 64, 127, 129, 160, 256] {
        family.refuse(format!("{length} octets"), class.clone(), |secret| secret.resize(length, 0x1d));
    }
    family.refuse("a leading zero octet too many", class, |secret| secret.insert(0, 0));
    family.check(20);
}

#[test]
fn of_eccsi() {
    let (p, q) = (&P256.curve.field.prime, &P256.q);
    let mut family = Family::new("KSAK", vec![0x2b; 32], ksak);
    let class = KeyMaterial(KeyMaterialError::Ksak);
    for (name, ksak) in [
        ("0", BigUint::from(0u32)),
        ("q", q.clone()),
        ("q + 1", q + 1u32),
        ("p", p.clone()),
        ("2^256 - 1", (BigUint::from(1u32) << 256) - 1u32),
    ] {
        family.refuse(name, class.clone(), |secret| *secret = octets(&ksak, 32));
    }
    for length in [0, 1, 16, 31, 33, 48, 64, 128] {
        family.refuse(format!("{length} octets"), class.clone(), |secret| secret.resize(length, 0x2b));
    }
    family.refuse("a leading zero octet too many", class, |secret| secret.insert(0, 0));
    family.check(14);
}
