//! SAKKE encapsulated data (RFC 6508, section 6.2.2).

use std::sync::LazyLock;

use mikey_sakke::identity::Uid;
use mikey_sakke::sakke::{PublicKey, ReceiverKey};
use num_bigint::BigUint;

use crate::family::Class::{self, Rejected};
use crate::family::Family;
use crate::oracle::curve::Affine;
use crate::oracle::pairing::pf_power;
use crate::oracle::sakke::{self, SET_1};
use crate::oracle::{from_octets, octets};
use crate::points;
use crate::signatures::{ALICE, BOB};

const SSV: [u8; 16] = [0x5a; 16];

pub(crate) const Z: [u8; 128] = [0x1d; 128];
pub(crate) const OTHER_Z: [u8; 128] = [0x07; 128];

static RECEIVER: LazyLock<ReceiverKey> = LazyLock::new(|| {
    let public_key = PublicKey::from_octets(&sakke::master_key(&Z).unwrap()).unwrap();
    let rsk = sakke::extract(&Z, BOB).unwrap();
    ReceiverKey::import(&public_key, &Uid::from_octets(BOB).unwrap(), &rsk).unwrap()
});

/// Alone, and in a batch between good ones.
#[allow(clippy::ptr_arg, reason = "an input is of one type")]
fn receive(encapsulated: &Vec<u8>) -> Result<(), Class> {
    let alone = RECEIVER.decapsulate(encapsulated);
    let batch = RECEIVER.decapsulate_batch(&[&GOOD, encapsulated, &GOOD]);
    assert!(batch[0].is_ok() && batch[2].is_ok() && batch[1] == alone);
    assert!(alone.as_ref().is_ok_and(|ssv| *ssv.expose() == SSV) || alone.is_err());
    Ok(alone.map(drop)?)
}

/// With an SSV for which R is short enough to be written without being reduced.
static GOOD: LazyLock<Vec<u8>> = LazyLock::new(|| encapsulate(&Z, BOB, &SSV));

fn encapsulate(z: &[u8], identity: &[u8], ssv: &[u8]) -> Vec<u8> {
    sakke::encapsulate(&sakke::master_key(z).unwrap(), identity, ssv).unwrap().encapsulated
}

fn family(name: &'static str) -> Family<Vec<u8>> {
    Family::new(name, GOOD.clone(), receive)
}

#[test]
fn points_of_others() {
    let mut family = family("R of encapsulated data");
    for (name, point) in points::for_sakke(&GOOD[..257]) {
        family.refuse(name, Rejected, |data| data[..257].copy_from_slice(&point));
    }
    let rsk = sakke::extract(&Z, BOB).unwrap();
    for (name, point) in [
        ("the RSK", rsk.clone()),
        ("-RSK", points::for_sakke(&rsk).remove(0).1),
        ("Z", sakke::master_key(&Z).unwrap()),
        ("[b]P + Z", SET_1.curve.encode(&key_point()).unwrap()),
        ("for another user", encapsulate(&Z, ALICE, &SSV)),
        ("under another Z", encapsulate(&OTHER_Z, BOB, &SSV)),
        ("of another SSV", encapsulate(&Z, BOB, &[0x5b; 16])),
    ] {
        family.refuse(name, Rejected, |data| data[..257].copy_from_slice(&point[..257]));
    }
    family.check(POINTS + 7);
}

/// The points that stand in for R here, of those that fit 1024 bits.
const POINTS: usize = 42;

#[test]
fn data_of_others() {
    let mut family = family("encapsulated data of others");
    family.refuse("to another user", Rejected, |data| *data = encapsulate(&Z, ALICE, &SSV));
    family.refuse("under another Z", Rejected, |data| *data = encapsulate(&OTHER_Z, BOB, &SSV));
    family.refuse("to a user with a NUL less", Rejected, |data| {
        *data = encapsulate(&Z, &BOB[..BOB.len() - 1], &SSV);
    });
    family.refuse("to a user with a NUL more", Rejected, |data| {
        *data = encapsulate(&Z, &[BOB, b"\0"].concat(), &SSV);
    });
    let q_more = octets(&(from_octets(BOB) + &SET_1.q), 128);
    family.refuse("to the same number mod q", Rejected, |data| *data = encapsulate(&Z, &q_more, &SSV));
    family.refuse("to the same number, with a zero octet before", Rejected, |data| {
        *data = encapsulate(&Z, &[b"\0", BOB].concat(), &SSV);
    });
    for (name, h) in [
        ("H of another SSV", encapsulate(&Z, BOB, &[0x5b; 16])[257..].to_vec()),
        ("H to another user", encapsulate(&Z, ALICE, &SSV)[257..].to_vec()),
        ("H is the SSV", SSV.to_vec()),
        ("H of zeros", vec![0; 16]),
        ("H of ones", vec![0xff; 16]),
        ("H turned round", GOOD[257..].iter().rev().copied().collect()),
        ("H inverted", GOOD[257..].iter().map(|octet| !octet).collect()),
    ] {
        family.refuse(name, Rejected, |data| data[257..].copy_from_slice(&h));
    }
    family.refuse("H before R", Rejected, |data| data.rotate_right(16));
    family.refuse("H in front of R's coordinates", Rejected, |data| data[1..].rotate_right(16));
    family.refuse("coordinates of little-endian order", Rejected, |data| {
        data[1..129].reverse();
        data[129..257].reverse();
    });
    family.check(16);
}

fn key_point() -> Option<Affine> {
    sakke::key_point(BOB, &sakke::decode(&sakke::master_key(&Z).unwrap()).unwrap())
}

/// R and H go together, and the SSV comes out: but r is not that of the SSV and the identity, which only TEST tells.
#[test]
fn values_of_r_that_were_chosen() {
    let mut family = family("encapsulated data with an r that was chosen");
    let own = sakke::encapsulate(&sakke::master_key(&Z).unwrap(), BOB, &SSV).unwrap().r;
    let own = from_octets(&own);
    let q = &SET_1.q;
    for (name, r) in [
        ("1", BigUint::from(1u32)),
        ("2", BigUint::from(2u32)),
        ("q - 1", q - 1u32),
        ("r + 1", (&own + 1u32) % q),
        ("-r", q - &own),
        ("2r", &own * 2u32 % q),
        ("1 / r", own.modinv(q).unwrap()),
        ("of the SSV alone", hash_to_range(&SSV, &octets(q, 128))),
        ("of identity and SSV", hash_to_range(&[BOB, &SSV].concat(), &octets(q, 128))),
        ("of SSV and another user", hash_to_range(&[&SSV, ALICE].concat(), &octets(q, 128))),
    ] {
        let point = SET_1.curve.encode(&SET_1.curve.multiply(&r, &key_point())).unwrap();
        let power = pf_power(&SET_1.curve.field, &sakke::G, &r).unwrap();
        let mask = hash_to_range(&octets(&power, 128), &[&[1], &[0; 16][..]].concat());
        let h = octets(&(from_octets(&SSV) ^ mask), 16);
        family.refuse(format!("r = {name}"), Rejected, |data| *data = [point, h].concat());
    }
    family.check(10);
}

fn hash_to_range(message: &[u8], modulus: &[u8]) -> BigUint {
    from_octets(&sakke::hash_to_integer_range(message, modulus).unwrap())
}

#[test]
fn octets_and_lengths() {
    let mut altered = family("encapsulated data with one octet altered");
    for octet in 0..273 {
        altered.refuse(format!("octet {octet}"), Rejected, |data| data[octet] ^= 0x01);
    }
    altered.check(273);
    let mut lengths = family("encapsulated data of another length");
    for length in (0..=300).filter(|length| *length != 273) {
        lengths.refuse(format!("{length} octets"), Rejected, |data| data.resize(length, 0));
    }
    lengths.refuse("two of them", Rejected, |data| *data = data.repeat(2));
    lengths.check(301);
}
