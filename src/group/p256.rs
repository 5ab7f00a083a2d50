//! P-256, the group of ECCSI: integers modulo its order q, and points.

use p256::elliptic_curve::ops::{LinearCombination, Reduce};
use p256::elliptic_curve::sec1::{FromSec1Point, ToSec1Point};
use p256::elliptic_curve::{Group, PrimeField};
use p256::{FieldBytes, ProjectivePoint, Sec1Point};
use rand_core::TryCryptoRng;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq, CtOption};
use zeroize::{Zeroize, Zeroizing};

use crate::error::Error;
use crate::secret::declassify;

/// Octets of an encoded integer modulo q, or modulo the field prime p.
pub(crate) const INTEGER_OCTETS: usize = 32;

/// Octets of an encoded point: 04, x, y.
pub(crate) const POINT_OCTETS: usize = 1 + 2 * INTEGER_OCTETS;

/// The field prime p, 32 octets, big-endian (RFC 6507, appendix A).
pub(crate) const P: [u8; INTEGER_OCTETS] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, //
    0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
];

/// The encoding of the base point G (RFC 6507, appendix A).
pub(crate) const GENERATOR_OCTETS: [u8; POINT_OCTETS] = [
    0x04, //
    0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2, //
    0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, //
    0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, //
    0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5, //
];

/// An integer modulo q.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Integer(p256::Scalar);

impl Integer {
    pub(crate) const ZERO: Self = Self(p256::Scalar::ZERO);

    /// Reads 32 octets, big-endian; none if the number is q or above.
    pub(crate) fn from_octets(octets: &[u8; INTEGER_OCTETS]) -> CtOption<Self> {
        let integer = p256::Scalar::from_repr(FieldBytes::from(*octets));
        let below_q = integer.is_some();
        CtOption::new(Self(integer.unwrap_or(p256::Scalar::ZERO)), below_q)
    }

    /// Reads 32 octets, big-endian, modulo q.
    pub(crate) fn from_octets_reduced(octets: &[u8; INTEGER_OCTETS]) -> Self {
        Self(p256::Scalar::reduce(&FieldBytes::from(*octets)))
    }

    /// A uniformly random integer in 1..q-1, by drawing 256 bits until they are in range.
    pub(crate) fn random<R: TryCryptoRng + ?Sized>(rng: &mut R) -> Result<Self, Error> {
        loop {
            let mut octets = Zeroizing::new([0; INTEGER_OCTETS]);
            rng.try_fill_bytes(octets.as_mut_slice()).map_err(|_| Error::Random)?;
            let integer = Self::from_octets(&octets);
            let in_range = integer.is_some() & !integer.unwrap_or(Self::ZERO).is_zero();
            if declassify(in_range, "a discarded draw is not used") {
                return Ok(integer.unwrap_or(Self::ZERO));
            }
        }
    }

    pub(crate) fn to_octets(self) -> [u8; INTEGER_OCTETS] {
        self.0.to_repr().into()
    }

    pub(crate) fn add(&self, other: &Self) -> Self {
        Self(self.0 + other.0)
    }

    pub(crate) fn multiply(&self, other: &Self) -> Self {
        Self(self.0 * other.0)
    }

    /// The inverse; none for 0.
    pub(crate) fn invert(&self) -> CtOption<Self> {
        let inverse = self.0.invert();
        let exists = inverse.is_some();
        CtOption::new(Self(inverse.unwrap_or(p256::Scalar::ZERO)), exists)
    }

    pub(crate) fn is_zero(&self) -> Choice {
        self.0.ct_eq(&p256::Scalar::ZERO)
    }
}

impl ConditionallySelectable for Integer {
    fn conditional_select(a: &Self, b: &Self, choice: Choice) -> Self {
        Self(p256::Scalar::conditional_select(&a.0, &b.0, choice))
    }
}

impl Zeroize for Integer {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

/// A point of P-256, the identity included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point(ProjectivePoint);

impl Point {
    pub(crate) const GENERATOR: Self = Self(ProjectivePoint::GENERATOR);

    /// Reads 04, x, y of a public point, both coordinates below p, the point on the curve.
    pub(crate) fn from_octets(octets: &[u8]) -> Option<Self> {
        if octets.len() != POINT_OCTETS || octets.first() != Some(&4) {
            return None;
        }
        let point = Sec1Point::from_bytes(octets).ok()?;
        ProjectivePoint::from_sec1_point(&point).into_option().map(Self)
    }

    /// 04, x, y; none for the identity, which has no such encoding.
    pub(crate) fn to_octets(self) -> Option<[u8; POINT_OCTETS]> {
        self.0.to_affine().to_sec1_point(false).as_bytes().try_into().ok()
    }

    /// \[k\]G, in constant time.
    pub(crate) fn multiply_generator(k: &Integer) -> Self {
        Self(ProjectivePoint::mul_by_generator(&k.0))
    }

    pub(crate) fn add(&self, other: &Self) -> Self {
        Self(self.0 + other.0)
    }

    /// \[k\]self for public values: the time depends on them.
    pub(crate) fn multiply_vartime(&self, k: &Integer) -> Self {
        Self(ProjectivePoint::lincomb_vartime(&[(self.0, k.0)]))
    }

    /// \[k\]self + \[l\]other for public values: the time depends on them.
    pub(crate) fn multiply_add_vartime(&self, k: &Integer, other: &Self, l: &Integer) -> Self {
        Self(ProjectivePoint::lincomb_vartime(&[(self.0, k.0), (other.0, l.0)]))
    }
}

impl ConstantTimeEq for Point {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl Zeroize for Point {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_has_its_encoding() {
        assert_eq!(Point::GENERATOR.to_octets(), Some(GENERATOR_OCTETS));
    }

    #[test]
    fn only_uncompressed_points_on_the_curve_are_read() {
        let mut octets = GENERATOR_OCTETS;
        assert!(Point::from_octets(&octets).is_some());
        assert!(Point::from_octets(&octets[..64]).is_none());
        assert!(Point::from_octets(&[]).is_none());
        for prefix in [0, 2, 3, 5, 6, 7] {
            octets[0] = prefix;
            assert!(Point::from_octets(&octets).is_none(), "{prefix}");
            assert!(Point::from_octets(&octets[..33]).is_none(), "{prefix}");
        }
        octets[0] = 4;
        octets[64] ^= 1;
        assert!(Point::from_octets(&octets).is_none());
        assert!(Point::from_octets(&[0]).is_none());
    }
}
