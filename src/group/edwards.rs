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
//! 2008). Among points of order q and the identity (0 : 1 : 1 : 0) it has no exception. With points of even order it
//! does: sums become (0 : 0 : 0 : 0), and the two points of order 4 have no image. Hence the only way in is [`OrderQ`].

use subtle::{Choice, ConstantTimeEq, CtOption};
use zeroize::Zeroize;

use super::curve::{AffinePoint, C, OrderQ};
use crate::field::{Fp, Lanes};

/// k = s/c where s^2 = -2c^3.
pub(super) const K: Fp = Fp::from_hex(concat!(
    "4c32f1884ee6e53a303dc4c051913488681786e7a1b210f72ae8bcf61aa8f77c",
    "55a3c3e4a46edebf8abecb3f862d7f143d847f48d5c56d9cb40e3aa87a8f7ff6",
    "f7c89627aed1adf6a97d1ad7408170a84c58d51b3a7a2f0aeb21b5d78a245104",
    "b788ac3736dc1ed20a838a8fd5aa89fcb4bb9515a3c86a84d17b5f5d6e2609fe",
));

/// A point of order q, or the identity; as many of them as F has lanes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EdwardsPoint<F> {
    x: F,
    y: F,
    z: F,
    t: F,
}

impl<F: Lanes> EdwardsPoint<F> {
    pub(crate) fn identity() -> Self {
        Self { x: F::zero(), y: F::one(), z: F::one(), t: F::zero() }
    }

    /// A point in each lane.
    pub(crate) fn gather(point: impl Fn(usize) -> EdwardsPoint<Fp>) -> Self {
        Self {
            x: F::gather(|lane| point(lane).x),
            y: F::gather(|lane| point(lane).y),
            z: F::gather(|lane| point(lane).z),
            t: F::gather(|lane| point(lane).t),
        }
    }

    /// The point in one lane.
    pub(crate) fn lane(&self, lane: usize) -> EdwardsPoint<Fp> {
        let [x, y, z, t] = [&self.x, &self.y, &self.z, &self.t].map(|coordinate| coordinate.lane(lane));
        EdwardsPoint { x, y, z, t }
    }

    /// The points of all lanes.
    pub(crate) fn lanes(&self) -> impl Iterator<Item = EdwardsPoint<Fp>> + use<'_, F> {
        (0..F::LANES).map(|lane| self.lane(lane))
    }

    /// self + other, 8 multiplications.
    pub(crate) fn add(&self, other: &Self) -> Self {
        let (minus, plus) = (F::subtract(other.y.as_sum(), &other.x), F::add(other.y.as_sum(), other.x.as_sum()));
        let z = F::multiply(self.z.as_sum(), other.z.as_sum());
        self.add_parts(&minus, &plus, other.t.as_sum(), z.as_sum())
    }

    /// The sum with the affine point of which Y - X, Y + X and XY are given, 7 multiplications.
    pub(crate) fn add_affine(&self, minus: &F::Sum, plus: &F::Sum, t: &F::Sum) -> Self {
        self.add_parts(minus, plus, t, self.z.as_sum())
    }

    /// The sum with the point for which Y - X, Y + X and T are given, and the product of both Z.
    fn add_parts(&self, minus: &F::Sum, plus: &F::Sum, t: &F::Sum, z: &F::Sum) -> Self {
        let a = F::multiply(&F::subtract(self.y.as_sum(), &self.x), minus);
        let b = F::multiply(&F::add(self.y.as_sum(), self.x.as_sum()), plus);
        let c = F::multiply(&F::add(self.t.as_sum(), self.t.as_sum()), t);
        let d = F::add(z, z);
        let (a_sum, b_sum) = (a.as_sum(), b.as_sum());
        Self::complete(&F::subtract(b_sum, &a), &F::subtract(&d, &c), &F::add(&d, c.as_sum()), &F::add(b_sum, a_sum))
    }

    /// self + self, 8 multiplications.
    pub(crate) fn double(&self) -> Self {
        let (x, y, z) = (self.x.as_sum(), self.y.as_sum(), self.z.as_sum());
        let xx = F::multiply(x, x);
        let yy = F::multiply(y, y);
        let zz = F::multiply(z, z);
        let x_plus_y = F::add(x, y);
        let all = F::multiply(&x_plus_y, &x_plus_y);
        let e = F::subtract(&F::subtract(all.as_sum(), &xx), &yy);
        let f = F::subtract(&F::add(&F::add(zz.as_sum(), zz.as_sum()), xx.as_sum()), &yy);
        let g = F::subtract(yy.as_sum(), &xx);
        let h = F::add(xx.as_sum(), yy.as_sum());
        Self::complete(&e, &f, &g, &h)
    }

    /// The last step of addition and doubling. Where F and H have the other sign, all coordinates have, and the point
    /// is the same.
    fn complete(e: &F::Sum, f: &F::Sum, g: &F::Sum, h: &F::Sum) -> Self {
        Self { x: F::multiply(e, f), y: F::multiply(g, h), z: F::multiply(f, g), t: F::multiply(e, h) }
    }

    /// The sum of all lanes, in each of them.
    pub(crate) fn fold(&self) -> Self {
        let mut sum = *self;
        let mut by = F::LANES / 2;
        while by > 0 {
            let [x, y, z, t] = [&sum.x, &sum.y, &sum.z, &sum.t].map(|coordinate| coordinate.rotate(by));
            sum = sum.add(&Self { x, y, z, t });
            by /= 2;
        }
        sum
    }

    pub(super) const fn z(&self) -> &F {
        &self.z
    }

    /// X and Y of the affine point, given the inverse of Z.
    pub(super) fn scaled(&self, z_inverse: &F) -> (F, F) {
        let scale = |coordinate: &F| F::multiply(coordinate.as_sum(), z_inverse.as_sum());
        (scale(&self.x), scale(&self.y))
    }
}

impl EdwardsPoint<Fp> {
    /// The denominator of the coordinates on E, X(Z - Y): 0 for the identity alone.
    pub(crate) fn denominator(&self) -> Fp {
        self.x.multiply(&self.z.subtract(&self.y))
    }

    /// The point on E, given the inverse of its denominator; (0, 0), which is not the point, if that is 0.
    pub(crate) fn to_affine(self, inverse: &Fp) -> OrderQ {
        let scale = C.multiply(&self.z.add(&self.y)).multiply(inverse);
        OrderQ::trust(AffinePoint { x: scale.multiply(&self.x), y: scale.multiply(&K).multiply(&self.z) })
    }

    /// The point on E; none for the identity. One inversion.
    pub(crate) fn to_order_q(self) -> CtOption<OrderQ> {
        let inverse = self.denominator().invert();
        let finite = inverse.is_some();
        CtOption::new(self.to_affine(&inverse.unwrap_or(Fp::ZERO)), finite)
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

impl From<&OrderQ> for EdwardsPoint<Fp> {
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

impl<F: Zeroize> Zeroize for EdwardsPoint<F> {
    fn zeroize(&mut self) {
        self.x.zeroize();
        self.y.zeroize();
        self.z.zeroize();
        self.t.zeroize();
    }
}
