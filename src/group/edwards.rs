//! The points of order q on the twisted Edwards form of E.
//!
//! -3 is a square modulo p, so E is isomorphic over F_p to -X^2 + Y^2 = 1 + X^2 Y^2, by
//!
//! ```text
//! X = kx / y            Y = (x - c) / (x + c)
//! x = c(1 + Y)/(1 - Y)  y = kx / X                with c^2 = -3, k^2 = -2c
//! ```
//!
//! In extended coordinates (X : Y : Z : T), XY = ZT, one law adds and doubles (Hisil, Wong, Carter and Dawson,
//! 2008). Among points of order q and the identity (0 : 1 : 1 : 0) it has no exception. With points of even order it does:
//! sums become (0 : 0 : 0 : 0), and the two points of order 4 have no image. Hence the only way in is [`OrderQ`].

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq, CtOption};
use zeroize::Zeroize;

use super::curve::{AffinePoint, C, OrderQ};
use crate::field::{Fp, Scalar};

/// k = s/c where s^2 = -2c^3.
pub(super) const K: Fp = Fp::from_hex(concat!(
    "4c32f1884ee6e53a303dc4c051913488681786e7a1b210f72ae8bcf61aa8f77c",
    "55a3c3e4a46edebf8abecb3f862d7f143d847f48d5c56d9cb40e3aa87a8f7ff6",
    "f7c89627aed1adf6a97d1ad7408170a84c58d51b3a7a2f0aeb21b5d78a245104",
    "b788ac3736dc1ed20a838a8fd5aa89fcb4bb9515a3c86a84d17b5f5d6e2609fe",
));

/// A point of order q, or the identity.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EdwardsPoint {
    x: Fp,
    y: Fp,
    z: Fp,
    t: Fp,
}

impl EdwardsPoint {
    pub(crate) const IDENTITY: Self = Self { x: Fp::ZERO, y: Fp::ONE, z: Fp::ONE, t: Fp::ZERO };

    /// self + other, 8 multiplications.
    pub(crate) fn add(&self, other: &Self) -> Self {
        let a = self.y.subtract(&self.x).multiply(&other.y.subtract(&other.x));
        let b = self.y.add(&self.x).multiply(&other.y.add(&other.x));
        let c = self.t.multiply(&other.t).double();
        let d = self.z.multiply(&other.z).double();
        Self::complete(&b.subtract(&a), &d.subtract(&c), &d.add(&c), &b.add(&a))
    }

    /// self + self, 4 multiplications and 4 squarings.
    pub(crate) fn double(&self) -> Self {
        let xx = self.x.square();
        let yy = self.y.square();
        let zz_doubled = self.z.square().double();
        let e = self.x.add(&self.y).square().subtract(&xx).subtract(&yy);
        let g = yy.subtract(&xx);
        Self::complete(&e, &g.subtract(&zz_doubled), &g, &xx.add(&yy).negate())
    }

    /// The last step of addition and doubling.
    fn complete(e: &Fp, f: &Fp, g: &Fp, h: &Fp) -> Self {
        Self { x: e.multiply(f), y: g.multiply(h), z: f.multiply(g), t: e.multiply(h) }
    }

    /// [k]self, in constant time: 4 bits of k at a time, every multiple read and one selected by mask.
    pub(crate) fn multiply(&self, k: &Scalar) -> Self {
        let mut multiples = [Self::IDENTITY; 16];
        for i in 1..16 {
            multiples[i] = multiples[i - 1].add(self);
        }
        let mut sum = Self::IDENTITY;
        for digit in k.nibbles().iter() {
            sum = sum.double().double().double().double();
            let mut addend = Self::IDENTITY;
            for (i, multiple) in (0u8..).zip(&multiples) {
                addend.conditional_assign(multiple, i.ct_eq(digit));
            }
            sum = sum.add(&addend);
        }
        multiples.iter_mut().for_each(Zeroize::zeroize);
        sum
    }

    /// X = 0 and Y = Z. Z = 0, which no sum of points of order q has, is no identity either.
    pub(crate) fn is_identity(&self) -> Choice {
        self.x.is_zero() & self.y.ct_eq(&self.z) & !self.z.is_zero()
    }

    /// The point on E; none for the identity. One inversion, of X(Z - Y).
    pub(crate) fn to_order_q(self) -> CtOption<OrderQ> {
        let z_plus_y = self.z.add(&self.y);
        let z_minus_y = self.z.subtract(&self.y);
        let inverse = self.x.multiply(&z_minus_y).invert();
        let finite = inverse.is_some();
        let scale = C.multiply(&z_plus_y).multiply(&inverse.unwrap_or(Fp::ZERO));
        let point = AffinePoint { x: scale.multiply(&self.x), y: scale.multiply(&K).multiply(&self.z) };
        CtOption::new(OrderQ::trust(point), finite)
    }

    /// Whether this is the given point of E, whatever the order of that one: compared without inversion.
    pub(crate) fn is_affine(&self, point: &AffinePoint) -> Choice {
        let z_plus_y = self.z.add(&self.y);
        let z_minus_y = self.z.subtract(&self.y);
        let c_z_plus_y = C.multiply(&z_plus_y);
        let x_agrees = point.x.multiply(&z_minus_y).ct_eq(&c_z_plus_y);
        let y_agrees = point.y.multiply(&self.x).multiply(&z_minus_y).ct_eq(&K.multiply(&c_z_plus_y).multiply(&self.z));
        x_agrees & y_agrees & !self.x.is_zero() & !self.z.is_zero()
    }
}

impl From<&OrderQ> for EdwardsPoint {
    /// (X : Y : Z : T) = (kx(x + c) : y(x - c) : y(x + c) : kx(x - c)).
    fn from(point: &OrderQ) -> Self {
        let AffinePoint { x, y } = point.affine();
        let kx = K.multiply(x);
        let x_plus_c = x.add(&C);
        let x_minus_c = x.subtract(&C);
        Self {
            x: kx.multiply(&x_plus_c),
            y: y.multiply(&x_minus_c),
            z: y.multiply(&x_plus_c),
            t: kx.multiply(&x_minus_c),
        }
    }
}

impl ConditionallySelectable for EdwardsPoint {
    fn conditional_select(a: &Self, b: &Self, choice: Choice) -> Self {
        Self {
            x: Fp::conditional_select(&a.x, &b.x, choice),
            y: Fp::conditional_select(&a.y, &b.y, choice),
            z: Fp::conditional_select(&a.z, &b.z, choice),
            t: Fp::conditional_select(&a.t, &b.t, choice),
        }
    }
}

impl Zeroize for EdwardsPoint {
    fn zeroize(&mut self) {
        self.x.zeroize();
        self.y.zeroize();
        self.z.zeroize();
        self.t.zeroize();
    }
}
