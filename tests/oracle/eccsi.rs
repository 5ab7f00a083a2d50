//! ECCSI (RFC 6507) over P-256 and SHA-256, as RFC 6509 prescribes.

use std::sync::LazyLock;

use num_bigint::BigUint;
use num_traits::{One, Zero};

use super::curve::{Affine, Curve, Point, is_scalar};
use super::{from_octets, integer, octets, sha256};

/// N: the octets of an integer, a coordinate and a hash.
const N: usize = 32;

/// P-256 (FIPS 186-4, D.1.2.3), whose q cannot be derived from p.
pub(crate) struct P256 {
    pub(crate) curve: Curve,
    pub(crate) q: BigUint,
    pub(crate) g: Point,
}

pub(crate) static P256: LazyLock<P256> = LazyLock::new(|| {
    let two = |exponent: u32| BigUint::one() << exponent;
    let p = two(256) - two(224) + two(192) + two(96) - BigUint::one();
    P256 {
        curve: Curve::new(p, integer("5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b")),
        q: integer("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"),
        g: Some(Affine {
            x: integer("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"),
            y: integer("4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"),
        }),
    }
});

/// What the KMS issues to a signer.
#[derive(Debug)]
pub(crate) struct Issued {
    pub(crate) ssk: Vec<u8>,
    pub(crate) pvt: Vec<u8>,
    pub(crate) hs: Vec<u8>,
}

/// An integer in 1..q-1 from its octets.
fn scalar(encoded: &[u8]) -> Option<BigUint> {
    Some(from_octets(encoded)).filter(|k| is_scalar(k, &P256.q))
}

/// HS = Hash(G || KPAK || ID || PVT).
pub(crate) fn hs(kpak: &[u8], identity: &[u8], pvt: &[u8]) -> Option<[u8; 32]> {
    Some(sha256(&[&P256.curve.encode(&P256.g)?, kpak, identity, pvt]))
}

/// KPAK = \[KSAK\]G, for KSAK in 1..q-1.
pub(crate) fn master_key(ksak: &[u8]) -> Option<Vec<u8>> {
    P256.curve.encode(&P256.curve.multiply(&scalar(ksak)?, &P256.g))
}

/// SSK and PVT for an identifier (section 5.1.1), with v in 1..q-1 chosen by the caller.
pub(crate) fn issue(ksak: &[u8], identity: &[u8], v: &[u8]) -> Option<Issued> {
    let pvt = P256.curve.encode(&P256.curve.multiply(&scalar(v)?, &P256.g))?;
    let hs = hs(&master_key(ksak)?, identity, &pvt)?;
    let ssk = (from_octets(ksak) + from_octets(&hs) * from_octets(v)) % &P256.q;
    let refused = ssk.is_zero() || (from_octets(&hs) % &P256.q).is_zero();
    (!refused).then(|| Issued { ssk: octets(&ssk, N), pvt, hs: hs.to_vec() })
}

/// Whether a signer may use the pair that it received (section 5.1.2): KPAK = \[SSK\]G - \[HS\]PVT.
pub(crate) fn validate(kpak: &[u8], identity: &[u8], ssk: &[u8], pvt: &[u8]) -> bool {
    let check = || {
        let curve = &P256.curve;
        let (k, t) = (curve.decode(kpak)?, curve.decode(pvt)?);
        let ssk = Some(ssk).filter(|ssk| ssk.len() == N).and_then(scalar)?;
        let hs = from_octets(&hs(kpak, identity, pvt)?);
        let difference = curve.add(&curve.multiply(&ssk, &P256.g), &curve.negate(&curve.multiply(&hs, &Some(t))));
        Some(difference == Some(k))
    };
    check() == Some(true)
}

/// A signature (section 5.2.1), with j in 1..q-1 chosen by the caller. The keys are taken as they are.
pub(crate) fn sign(kpak: &[u8], identity: &[u8], ssk: &[u8], pvt: &[u8], message: &[u8], j: &[u8]) -> Option<Vec<u8>> {
    let (q, j) = (&P256.q, scalar(j)?);
    let r = P256.curve.multiply(&j, &P256.g)?.x;
    let r_octets = octets(&r, N);
    let he = from_octets(&sha256(&[&hs(kpak, identity, pvt)?, &r_octets, message]));
    // The sum has no inverse where it is 0 modulo q, and j must be chosen anew.
    let inverse = ((he + r * from_octets(ssk)) % q).modinv(q)?;
    // s' is below q, hence below 2^256, and s = s'.
    let s = inverse * j % q;
    Some([r_octets, octets(&s, N), pvt.to_vec()].concat())
}

/// Whether a signature is valid (section 5.2.2).
pub(crate) fn verify(kpak: &[u8], identity: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let check = || {
        let curve = &P256.curve;
        let (r_octets, rest) = signature.split_at_checked(N)?;
        let (s, pvt) = rest.split_at_checked(N)?;
        let (k, t) = (curve.decode(kpak)?, curve.decode(pvt)?);
        let (r, s) = (from_octets(r_octets), scalar(s)?);
        if !is_scalar(&r, &curve.field.prime) {
            return None;
        }
        let hs = hs(kpak, identity, pvt)?;
        let he = from_octets(&sha256(&[&hs, r_octets, message]));
        let y = curve.add(&curve.multiply(&from_octets(&hs), &Some(t)), &Some(k));
        let sum = curve.add(&curve.multiply(&he, &P256.g), &curve.multiply(&r, &y));
        Some(curve.multiply(&s, &sum)?.x == r)
    };
    check() == Some(true)
}
