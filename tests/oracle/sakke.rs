//! SAKKE (RFC 6508) with parameter set 1 (RFC 6509, Appendix A) and SHA-256.

use std::sync::LazyLock;

use num_bigint::BigUint;
use num_traits::{One, Zero};

use super::curve::{Affine, Curve, Point};
use super::pairing::{pairing, pf_power};
use super::{from_octets, integer, octets, sha256};

/// n / 8: the octets of an SSV.
pub(crate) const SSV: usize = 16;
/// L: the octets of an element of F_p or PF_p.
pub(crate) const L: usize = 128;
/// The octets of an encoded point.
pub(crate) const POINT: usize = 2 * L + 1;

pub(crate) struct Set1 {
    /// E: y^2 = x^3 - 3x over F_p.
    pub(crate) curve: Curve,
    /// (p + 1) / 4.
    pub(crate) q: BigUint,
    /// P.
    pub(crate) generator: Affine,
}

pub(crate) static SET_1: LazyLock<Set1> = LazyLock::new(|| {
    let p = integer(
        "997abb1f0a563fda65c61198dad0657a416c0ce19cb48261be9ae358b3e01a2e
         f40aab27e2fc0f1b228730d531a59cb0e791b39ff7c88a19356d27f4a666a6d0
         e26c6487326b4cd4512ac5cd65681ce1b6aff4a831852a82a7cf3c521c3c09aa
         9f94d6af56971f1ffce3e82389857db080c5df10ac7ace87666d807afea85feb",
    );
    let generator = Affine {
        x: integer(
            "53fc09ee332c29ad0a7990053ed9b52a2b1a2fd60aec69c698b2f204b6ff7cbf
             b5edb6c0f6ce2308ab10db9030b09e1043d5f22cdb9dfa55718bd9e7406ce890
             9760af765dd5bccb337c86548b72f2e1a702c3397a60de74a7c1514dba66910d
             d5cfb4cc80728d87ee9163a5b63f73ec80ec46c4967e0979880dc8abeae63895",
        ),
        y: integer(
            "0a8249063f6009f1f9f1f0533634a135d3e82016029906963d778d821e141178
             f5ea69f4654ec2b9e7f7f5e5f0de55f66b598ccf9a140b2e416cff0ca9e032b9
             70dae117ad547c6ccad696b5b7652fe0ac6f1e80164aa989492d979fc5a4d5f2
             13515ad7e9cb99a980bdad5ad5bb4636adb9b5706a67dcde75573fd71bef16d7",
        ),
    };
    let q = (&p + BigUint::one()) / 4u32;
    let curve = Curve::new(p, BigUint::zero());
    Set1 { curve, q, generator }
});

/// g = <P, P>.
pub(crate) static G: LazyLock<BigUint> = LazyLock::new(|| {
    let Set1 { curve, q, generator } = &*SET_1;
    pairing(curve, q, generator, generator).expect("P has order q")
});

/// What an encapsulation gives, its intermediate values included.
#[derive(Debug)]
pub(crate) struct Encapsulation {
    pub(crate) encapsulated: Vec<u8>,
    pub(crate) r: Vec<u8>,
    pub(crate) g_pow_r: Vec<u8>,
}

/// HashToIntegerRange (section 5.1) over integers, for n in 1..=2^65536.
fn hash_below(message: &[u8], n: &BigUint) -> Option<BigUint> {
    if n.is_zero() {
        return None;
    }
    // ceil(lg(n) / 256): for a power of two lg(n) is exact.
    let blocks = (n - BigUint::one()).bits().div_ceil(256);
    if blocks > 256 {
        return None;
    }
    let a = sha256(&[message]);
    let mut h = [0; 32];
    let mut v = Vec::new();
    for _ in 0..blocks {
        h = sha256(&[&h]);
        v.extend(sha256(&[&h, &a]));
    }
    Some(from_octets(&v) % n)
}

/// HashToIntegerRange (section 5.1); the result is as wide as the modulus.
pub(crate) fn hash_to_integer_range(message: &[u8], modulus: &[u8]) -> Option<Vec<u8>> {
    Some(octets(&hash_below(message, &from_octets(modulus))?, modulus.len()))
}

/// A point of order q from its octets.
pub(crate) fn decode(encoded: &[u8]) -> Option<Affine> {
    SET_1.curve.decode(encoded).filter(|point| SET_1.curve.has_order(&SET_1.q, point))
}

/// \[b\]P + Z, for an identifier b.
pub(crate) fn key_point(identity: &[u8], z: &Affine) -> Point {
    let b = from_octets(identity) % &SET_1.q;
    SET_1.curve.add(&SET_1.curve.multiply(&b, &Some(SET_1.generator.clone())), &Some(z.clone()))
}

/// z in 2..q-1 from its octets.
fn master_secret(encoded: &[u8]) -> Option<BigUint> {
    Some(from_octets(encoded)).filter(|z| *z > BigUint::one() && *z < SET_1.q)
}

/// Whether octets encode a z in 2..q-1.
pub(crate) fn is_master_secret(encoded: &[u8]) -> bool {
    master_secret(encoded).is_some()
}

/// Z = \[z\]P, for z in 2..q-1.
pub(crate) fn master_key(z: &[u8]) -> Option<Vec<u8>> {
    let z = master_secret(z)?;
    SET_1.curve.encode(&SET_1.curve.multiply(&z, &Some(SET_1.generator.clone())))
}

/// RSK = \[(a + z)^-1\]P for an identifier a (section 6.1.1); none for a + z = 0 modulo q.
pub(crate) fn extract(z: &[u8], identity: &[u8]) -> Option<Vec<u8>> {
    let sum = (from_octets(identity) + master_secret(z)?) % &SET_1.q;
    let inverse = sum.modinv(&SET_1.q)?;
    SET_1.curve.encode(&SET_1.curve.multiply(&inverse, &Some(SET_1.generator.clone())))
}

/// Z and RSK, if both are of order q and <\[a\]P + Z, RSK> = g (section 6.1.2).
fn accept(public_key: &[u8], identity: &[u8], rsk: &[u8]) -> Option<(Affine, Affine)> {
    let (z, k) = (decode(public_key)?, decode(rsk)?);
    let g = pairing(&SET_1.curve, &SET_1.q, &key_point(identity, &z)?, &k)?;
    (g == *G).then_some((z, k))
}

/// Whether a receiver may use the RSK that it received.
pub(crate) fn validate(public_key: &[u8], identity: &[u8], rsk: &[u8]) -> bool {
    accept(public_key, identity, rsk).is_some()
}

/// HashToIntegerRange(w, 2^n) for an element of PF_p.
fn mask(w: &BigUint) -> Option<BigUint> {
    hash_below(&octets(w, L), &(BigUint::one() << (8 * SSV)))
}

/// R = \[r\](\[b\]P + Z) with r = HashToIntegerRange(SSV || b, q), and r.
fn commit(ssv: &[u8], identity: &[u8], z: &Affine) -> Option<(Affine, BigUint)> {
    let r = hash_below(&[ssv, identity].concat(), &SET_1.q)?;
    let point = SET_1.curve.multiply(&r, &Some(key_point(identity, z)?))?;
    Some((point, r))
}

/// The encapsulated data R || H of an SSV (section 6.2.1).
pub(crate) fn encapsulate(public_key: &[u8], identity: &[u8], ssv: &[u8]) -> Option<Encapsulation> {
    let z = decode(public_key)?;
    if ssv.len() != SSV {
        return None;
    }
    let (point, r) = commit(ssv, identity, &z)?;
    let g_pow_r = pf_power(&SET_1.curve.field, &G, &r)?;
    let h = from_octets(ssv) ^ mask(&g_pow_r)?;
    Some(Encapsulation {
        encapsulated: [SET_1.curve.encode(&Some(point))?, octets(&h, SSV)].concat(),
        r: octets(&r, L),
        g_pow_r: octets(&g_pow_r, L),
    })
}

/// A receiver that checked its own keys.
#[derive(Debug)]
pub(crate) struct Receiver {
    identity: Vec<u8>,
    z: Affine,
    k: Affine,
}

impl Receiver {
    pub(crate) fn import(public_key: &[u8], identity: &[u8], rsk: &[u8]) -> Option<Self> {
        let (z, k) = accept(public_key, identity, rsk)?;
        Some(Self { identity: identity.to_vec(), z, k })
    }

    /// The SSV in encapsulated data (section 6.2.2).
    pub(crate) fn decapsulate(&self, encapsulated: &[u8]) -> Option<Vec<u8>> {
        let (point, h) = encapsulated.split_at_checked(POINT)?;
        if h.len() != SSV {
            return None;
        }
        // TEST = R leaves no R that is not of order q, which the pairing need not notice.
        let point = SET_1.curve.decode(point)?;
        let w = pairing(&SET_1.curve, &SET_1.q, &point, &self.k)?;
        let ssv = octets(&(from_octets(h) ^ mask(&w)?), SSV);
        let (test, _) = commit(&ssv, &self.identity, &self.z)?;
        (test == point).then_some(ssv)
    }
}

/// The SSV in encapsulated data, by a receiver that first checks its own keys.
pub(crate) fn decapsulate(public_key: &[u8], identity: &[u8], rsk: &[u8], encapsulated: &[u8]) -> Option<Vec<u8>> {
    Receiver::import(public_key, identity, rsk)?.decapsulate(encapsulated)
}
