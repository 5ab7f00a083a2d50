//! Points and their addition: y^2 = x^3 - 3x + b over F_p, a group of prime order.

use core::fmt;

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroize;

use super::{INTEGER_OCTETS, POINT_OCTETS};
use crate::field::p256::Coordinate;
use crate::secret::declassify;

/// The coefficient b (RFC 6507, appendix A).
const B: Coordinate = Coordinate::from_printed([
    0x5ac6_35d8_aa3a_93e7,
    0xb3eb_bd55_7698_86bc,
    0x651d_06b0_cc53_b0f6,
    0x3bce_3c3e_27d2_604b,
]);

/// A point other than the identity.
#[derive(Clone, Copy)]
pub(super) struct AffinePoint {
    pub(super) x: Coordinate,
    pub(super) y: Coordinate,
}

impl AffinePoint {
    /// The base point G (RFC 6507, appendix A).
    pub(super) const GENERATOR: Self = Self {
        x: Coordinate::from_printed([
            0x6b17_d1f2_e12c_4247,
            0xf8bc_e6e5_63a4_40f2,
            0x7703_7d81_2deb_33a0,
            0xf4a1_3945_d898_c296,
        ]),
        y: Coordinate::from_printed([
            0x4fe3_42e2_fe1a_7f9b,
            0x8ee7_eb4a_7c0f_9e16,
            0x2bce_3357_6b31_5ece,
            0xcbb6_4068_37bf_51f5,
        ]),
    };

    fn is_on_curve(&self) -> bool {
        let x_squared_minus_3 = self.x.square().subtract(&Coordinate::ONE.double().add(&Coordinate::ONE));
        self.y.square().subtract(&x_squared_minus_3.multiply(&self.x).add(&B)).is_zero_vartime()
    }

    /// Negates self where the mask is all ones.
    #[inline(always)]
    pub(super) fn negate_masked(&mut self, mask: u64) {
        let negated = self.y.negate();
        self.y.assign_masked(&negated, mask);
    }

    /// Replaces self by `other` where the mask is all ones, and keeps it where the mask is 0.
    #[inline(always)]
    pub(super) fn assign_masked(&mut self, other: &Self, mask: u64) {
        self.x.assign_masked(&other.x, mask);
        self.y.assign_masked(&other.y, mask);
    }
}

/// A point of P-256, the identity included: (X/Z^2, Y/Z^3), or the identity if Z = 0.
#[derive(Clone, Copy)]
pub(crate) struct Point {
    x: Coordinate,
    y: Coordinate,
    z: Coordinate,
}

impl Point {
    pub(crate) const IDENTITY: Self = Self { x: Coordinate::ONE, y: Coordinate::ONE, z: Coordinate::ZERO };
    #[cfg(test)]
    pub(crate) const GENERATOR: Self = Self::from_affine(&AffinePoint::GENERATOR);

    /// Reads 04, x, y of a public point, both coordinates below p, the point on the curve.
    pub(crate) fn from_octets(octets: &[u8]) -> Option<Self> {
        let octets: &[u8; POINT_OCTETS] = octets.try_into().ok()?;
        let ([4], coordinates) = octets.split_first_chunk()? else { return None };
        let (x, y) = coordinates.split_first_chunk()?;
        let x = Coordinate::from_octets(x).into_option()?;
        let y = Coordinate::from_octets(y.try_into().ok()?).into_option()?;
        let point = AffinePoint { x, y };
        point.is_on_curve().then(|| Self::from_affine(&point))
    }

    /// 04, x, y; none for the identity, which has no such encoding.
    pub(crate) fn to_octets(self) -> Option<[u8; POINT_OCTETS]> {
        let AffinePoint { x, y } = self.to_affine()?;
        let mut octets = [4; POINT_OCTETS];
        octets[1..=INTEGER_OCTETS].copy_from_slice(&x.to_octets());
        octets[1 + INTEGER_OCTETS..].copy_from_slice(&y.to_octets());
        Some(octets)
    }

    pub(super) const fn from_affine(point: &AffinePoint) -> Self {
        Self { x: point.x, y: point.y, z: Coordinate::ONE }
    }

    /// The coordinates, in constant time but for the answer whether there are any: none for the identity.
    pub(super) fn to_affine(self) -> Option<AffinePoint> {
        let inverse = self.z.invert();
        if !declassify(inverse.is_some(), "whether a multiple of a point is the identity is seen in what is published")
        {
            return None;
        }
        let inverse = inverse.unwrap_or(Coordinate::ZERO);
        let inverse_squared = inverse.square();
        Some(AffinePoint {
            x: self.x.multiply(&inverse_squared),
            y: self.y.multiply(&inverse_squared).multiply(&inverse),
        })
    }

    /// The coordinates of a public point, without inversion if it comes from an encoding: none for the identity.
    pub(super) fn to_affine_vartime(self) -> Option<AffinePoint> {
        let is_affine = self.z.subtract(&Coordinate::ONE).is_zero_vartime();
        if is_affine { Some(AffinePoint { x: self.x, y: self.y }) } else { self.to_affine() }
    }

    /// Whether this is a point with the given x-coordinate, 32 octets, big-endian, a number below p. Needs no
    /// inversion.
    pub(crate) fn has_x_vartime(&self, x: &[u8; INTEGER_OCTETS]) -> bool {
        Coordinate::from_octets(x).into_option().is_some_and(|x| {
            !self.is_identity_vartime() && x.multiply(&self.z.square()).subtract(&self.x).is_zero_vartime()
        })
    }

    pub(super) fn is_identity_vartime(&self) -> bool {
        self.z.is_zero_vartime()
    }

    /// self + self, 4 multiplications and 4 squarings. Right for the identity; and no point is its own opposite.
    ///
    /// Neighbouring multiplications are independent where they can be, for the processor to overlap them.
    #[inline(always)]
    pub(super) fn double(&self) -> Self {
        let z_squared = self.z.square();
        let two_y = self.y.double();
        let four_yy = two_y.square();
        let slope = triple(&self.x.subtract(&z_squared).multiply(&self.x.add(&z_squared)));
        let s = self.x.multiply(&four_yy);
        let z = two_y.multiply(&self.z);
        let slope_squared = slope.square();
        let two_yy = four_yy.halve();
        let x = slope_squared.subtract(&s.double());
        let y = Coordinate::difference_of_products(&slope, &s.subtract(&x), &four_yy, &two_yy);
        Self { x, y, z }
    }

    /// self + other, in constant time.
    pub(crate) fn add(&self, other: &Self) -> Self {
        let mut sum = Difference::of(self, other).sum();
        let doubled = self.double();
        sum.conditional_assign(&doubled, self.ct_eq(other));
        sum.conditional_assign(self, other.z.is_zero());
        sum.conditional_assign(other, self.z.is_zero());
        sum
    }

    /// self + other, 8 multiplications and 3 squarings, in constant time.
    ///
    /// Neither may self be the identity, nor both the same point. Opposite points are fine.
    #[inline(always)]
    pub(super) fn add_affine_unequal(&self, other: &AffinePoint) -> Self {
        Difference::of_affine(self, other).sum()
    }

    /// self + other, for public points.
    #[inline(always)]
    pub(super) fn add_affine_vartime(&self, other: &AffinePoint) -> Self {
        if self.is_identity_vartime() {
            return Self::from_affine(other);
        }
        let difference = Difference::of_affine(self, other);
        if difference.h.is_zero_vartime() && difference.r.is_zero_vartime() {
            return self.double();
        }
        difference.sum()
    }

    /// Negates self where the mask is all ones.
    pub(super) fn negate_masked(&mut self, mask: u64) {
        let negated = self.y.negate();
        self.y.assign_masked(&negated, mask);
    }
}

/// What two points, brought to a common denominator, differ by: the first half of an addition.
struct Difference {
    /// The first point's coordinates over the common denominator.
    u: Coordinate,
    s: Coordinate,
    /// The differences to the second point's, in x and y.
    h: Coordinate,
    r: Coordinate,
    /// The product of both Z.
    z: Coordinate,
}

impl Difference {
    fn of(first: &Point, second: &Point) -> Self {
        let (zz1, zz2) = (first.z.square(), second.z.square());
        let u = first.x.multiply(&zz2);
        let s = first.y.multiply(&zz2).multiply(&second.z);
        let h = second.x.multiply(&zz1).subtract(&u);
        let r = second.y.multiply(&zz1).multiply(&first.z).subtract(&s);
        Self { u, s, h, r, z: first.z.multiply(&second.z) }
    }

    #[inline(always)]
    fn of_affine(first: &Point, second: &AffinePoint) -> Self {
        let zz = first.z.square();
        let yz = second.y.multiply(&first.z);
        let h = second.x.multiply(&zz).subtract(&first.x);
        let r = yz.multiply(&zz).subtract(&first.y);
        Self { u: first.x, s: first.y, h, r, z: first.z }
    }

    /// The sum of the two points, unless they are the same or one is the identity. Opposite points have h = 0, and
    /// the sum Z = 0.
    #[inline(always)]
    fn sum(&self) -> Point {
        let hh = self.h.square();
        let rr = self.r.square();
        let hhh = hh.multiply(&self.h);
        let v = self.u.multiply(&hh);
        let z = self.z.multiply(&self.h);
        let x = rr.subtract(&hhh).subtract(&v.double());
        let y = Coordinate::difference_of_products(&self.r, &v.subtract(&x), &self.s, &hhh);
        Point { x, y, z }
    }
}

impl ConditionallySelectable for Point {
    fn conditional_select(a: &Self, b: &Self, choice: Choice) -> Self {
        Self {
            x: Coordinate::conditional_select(&a.x, &b.x, choice),
            y: Coordinate::conditional_select(&a.y, &b.y, choice),
            z: Coordinate::conditional_select(&a.z, &b.z, choice),
        }
    }
}

impl ConstantTimeEq for Point {
    fn ct_eq(&self, other: &Self) -> Choice {
        let Difference { h, r, .. } = Difference::of(self, other);
        let (identity, other_identity) = (self.z.is_zero(), other.z.is_zero());
        (identity & other_identity) | (!identity & !other_identity & h.is_zero() & r.is_zero())
    }
}

impl Zeroize for Point {
    fn zeroize(&mut self) {
        self.x.zeroize();
        self.y.zeroize();
        self.z.zeroize();
    }
}

impl fmt::Debug for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Point")
    }
}

#[inline(always)]
fn triple(a: &Coordinate) -> Coordinate {
    a.double().add(a)
}

/// P, 3P, 5P, ..., (2N - 1)P, for a public P.
///
/// 2P is added again and again by Meloni's co-Z addition: both summands have the same Z, and the sum comes with 2P
/// brought to its own Z, which is Z times the difference h of the two X. That a summand is 2P or -2P cannot happen.
pub(super) fn odd_multiples<const N: usize>(point: &AffinePoint) -> [AffinePoint; N] {
    let (mut twice, scaled, mut z) = double_and_scale(point);
    let mut multiples = [scaled; N];
    let mut differences = [z; N];
    for i in 1..N {
        let AffinePoint { x, y } = multiples[i - 1];
        let (h, r) = (twice.x.subtract(&x), twice.y.subtract(&y));
        let hh = h.square();
        let (u, v) = (twice.x.multiply(&hh), x.multiply(&hh));
        let s = twice.y.multiply(&u.subtract(&v));
        let x = r.square().subtract(&u).subtract(&v);
        multiples[i] = AffinePoint { x, y: r.multiply(&u.subtract(&x)).subtract(&s) };
        twice = AffinePoint { x: u, y: s };
        differences[i] = h;
        z = z.multiply(&h);
    }
    // 1/Z of the last multiple, times its difference, is that of the one before. No Z is 0.
    let mut inverse = z.invert_vartime();
    for (multiple, h) in multiples.iter_mut().zip(&differences).rev() {
        let inverse_squared = inverse.square();
        multiple.x = multiple.x.multiply(&inverse_squared);
        multiple.y = multiple.y.multiply(&inverse_squared).multiply(&inverse);
        inverse = inverse.multiply(h);
    }
    multiples
}

/// 2P and P over the common Z = 2y, and that.
fn double_and_scale(point: &AffinePoint) -> (AffinePoint, AffinePoint, Coordinate) {
    let Point { x, y, z } = Point::from_affine(point).double();
    let zz = z.square();
    let scaled = AffinePoint { x: point.x.multiply(&zz), y: point.y.multiply(&zz).multiply(&z) };
    (AffinePoint { x, y }, scaled, z)
}
