//! RSKs and KMS Public Keys, as they are delivered (RFC 6508, section 6.1.2).

use std::sync::LazyLock;

use mikey_sakke::error::KeyMaterialError::{PublicKey as PublicKeyError, Rsk};
use mikey_sakke::error::UsageError;
use mikey_sakke::identity::Uid;
use mikey_sakke::sakke::{PublicKey, ReceiverKey};

use crate::encapsulated::{OTHER_Z, Z};
use crate::family::Class::{self, KeyMaterial, Usage};
use crate::family::Family;
use crate::oracle::sakke::{self, SET_1};
use crate::oracle::{from_octets, octets};
use crate::points;
use crate::signatures::{ALICE, BOB};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Delivered {
    public_key: Vec<u8>,
    identity: Vec<u8>,
    rsk: Vec<u8>,
}

fn receive(delivered: &Delivered) -> Result<(), Class> {
    let public_key = PublicKey::from_octets(&delivered.public_key)?;
    let identity = Uid::from_octets(&delivered.identity)?;
    Ok(ReceiverKey::import(&public_key, &identity, &delivered.rsk).map(drop)?)
}

static GOOD: LazyLock<Delivered> = LazyLock::new(|| Delivered {
    public_key: sakke::master_key(&Z).unwrap(),
    identity: BOB.to_vec(),
    rsk: sakke::extract(&Z, BOB).unwrap(),
});

fn family(name: &'static str) -> Family<Delivered> {
    Family::new(name, GOOD.clone(), receive)
}

#[test]
fn receiver_secret_keys() {
    let mut family = family("RSKs");
    for (name, point) in points::for_sakke(&GOOD.rsk) {
        family.refuse(name, KeyMaterial(Rsk), |delivered| delivered.rsk = point);
    }
    let b = from_octets(BOB);
    for (name, point) in [
        ("of another user", sakke::extract(&Z, ALICE).unwrap()),
        ("of another KMS", sakke::extract(&OTHER_Z, BOB).unwrap()),
        ("of another user of another KMS", sakke::extract(&OTHER_Z, ALICE).unwrap()),
        ("of the user with a NUL more", sakke::extract(&Z, &[BOB, b"\0"].concat()).unwrap()),
        ("of the number after", sakke::extract(&Z, &octets(&(b + 1u32), BOB.len())).unwrap()),
        ("that is Z", GOOD.public_key.clone()),
        ("that is -Z", points::for_sakke(&GOOD.public_key).remove(0).1),
        ("that is [b]P + Z", {
            let z = sakke::decode(&GOOD.public_key).unwrap();
            SET_1.curve.encode(&sakke::key_point(BOB, &z)).unwrap()
        }),
    ] {
        family.refuse(name, KeyMaterial(Rsk), |delivered| delivered.rsk = point);
    }
    for length in [0, 1, 64, 65, 128, 129, 255, 256, 258, 273, 514] {
        family.refuse(format!("{length} octets"), KeyMaterial(Rsk), |delivered| delivered.rsk.resize(length, 0));
    }
    family.check(61);
}

#[test]
fn public_keys() {
    let mut family = family("KMS Public Keys");
    // Those of order q are keys, of other KMSs: the RSK does not go with them.
    let of_order_q = ["negated", "doubled", "P", "-P", "+ P"];
    for (name, point) in points::for_sakke(&GOOD.public_key) {
        let class = if of_order_q.contains(&name.as_str()) { Rsk } else { PublicKeyError };
        family.refuse(name, KeyMaterial(class), |delivered| delivered.public_key = point);
    }
    family.refuse("of another KMS", KeyMaterial(Rsk), |delivered| {
        delivered.public_key = sakke::master_key(&OTHER_Z).unwrap();
    });
    family.refuse("that is the RSK", KeyMaterial(Rsk), |delivered| delivered.public_key = delivered.rsk.clone());
    let b = from_octets(BOB);
    family.refuse("under which the user has no key", Usage(UsageError::IdentityWithoutKey), |delivered| {
        delivered.public_key = sakke::master_key(&octets(&(&SET_1.q - b), 128)).unwrap();
    });
    for length in [0, 1, 64, 65, 128, 129, 255, 256, 258, 273, 514] {
        let class = KeyMaterial(PublicKeyError);
        family.refuse(format!("{length} octets"), class, |delivered| delivered.public_key.resize(length, 0));
    }
    family.check(54);
}

#[test]
fn identities() {
    let mut family = family("identities of an RSK");
    let without_key = octets(&(&SET_1.q - from_octets(&Z) % &SET_1.q), 128);
    for (name, identity) in [
        ("another user", ALICE.to_vec()),
        ("a NUL more", [BOB, b"\0"].concat()),
        ("a NUL less", BOB[..BOB.len() - 1].to_vec()),
        ("cut at its first NUL", b"2026-11".to_vec()),
        ("in capitals", BOB.to_ascii_uppercase()),
        ("its number turned round", BOB.iter().rev().copied().collect()),
        ("twice", BOB.repeat(2)),
        ("one zero octet", vec![0]),
    ] {
        family.refuse(name, KeyMaterial(Rsk), |delivered| delivered.identity = identity);
    }
    family.refuse("that has no key", Usage(UsageError::IdentityWithoutKey), |delivered| {
        delivered.identity = without_key;
    });
    family.refuse("empty", Usage(UsageError::IdentityLength), |delivered| delivered.identity.clear());
    family.refuse("too long", Usage(UsageError::IdentityLength), |delivered| delivered.identity = vec![1; 65_537]);
    family.check(11);
}
