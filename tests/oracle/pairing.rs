//! F_p^2, PF_p and the pairing (RFC 6508, sections 2.1 and 3.2).

use num_bigint::BigUint;
use num_traits::{One, Zero};

use super::curve::{Affine, Curve, Field};

/// a + ib in F_p^2, where i^2 = -1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fp2 {
    pub(crate) a: BigUint,
    pub(crate) b: BigUint,
}

impl Fp2 {
    pub(crate) fn one() -> Self {
        Self { a: BigUint::one(), b: BigUint::zero() }
    }

    pub(crate) fn multiply(&self, field: &Field, other: &Self) -> Self {
        let (a, b, c, d) = (&self.a, &self.b, &other.a, &other.b);
        Self { a: field.subtract(&(a * c), &(b * d)), b: field.add(&(a * d), &(b * c)) }
    }

    pub(crate) fn square(&self, field: &Field) -> Self {
        self.multiply(field, self)
    }

    pub(crate) fn power(&self, field: &Field, exponent: &BigUint) -> Self {
        (0..exponent.bits()).rev().fold(Self::one(), |power, bit| {
            let square = power.square(field);
            if exponent.bit(bit) { square.multiply(field, self) } else { square }
        })
    }

    /// The class of a + ib in PF_p as b/a; none for a = 0.
    pub(crate) fn class(&self, field: &Field) -> Option<BigUint> {
        field.divide(&self.b, &self.a)
    }
}

/// The product of two elements of PF_p, each written t for the class of 1 + it: (t + u) / (1 - tu).
pub(crate) fn pf_multiply(field: &Field, t: &BigUint, u: &BigUint) -> Option<BigUint> {
    field.divide(&(t + u), &field.subtract(&BigUint::one(), &(t * u)))
}

/// The power of an element of PF_p, both written t for the class of 1 + it.
pub(crate) fn pf_power(field: &Field, t: &BigUint, exponent: &BigUint) -> Option<BigUint> {
    Fp2 { a: BigUint::one(), b: t.clone() }.power(field, exponent).class(field)
}

/// The pairing <R, Q> of two points of order q on E: y^2 = x^3 - 3x, where q divides p + 1.
///
/// None where a division by zero shows that the points are not of order q.
pub(crate) fn pairing(curve: &Curve, q: &BigUint, r: &Affine, point: &Affine) -> Option<BigUint> {
    let field = &curve.field;
    // The line of slope `slope` through C, at [i]Q = (-Qx, iQy).
    let line = |slope: &BigUint, c: &Affine| Fp2 {
        a: field.subtract(&field.multiply(slope, &(&point.x + &c.x)), &c.y),
        b: point.y.clone(),
    };
    let exponent = q - BigUint::one();
    let mut v = Fp2::one();
    let mut c = r.clone();
    for bit in (0..exponent.bits() - 1).rev() {
        let slope = curve.tangent(&c)?;
        v = v.square(field).multiply(field, &line(&slope, &c));
        c = curve.third(&slope, &c, &c);
        if exponent.bit(bit) {
            let slope = curve.chord(&c, r)?;
            v = v.multiply(field, &line(&slope, &c));
            c = curve.third(&slope, &c, r);
        }
    }
    let cofactor = (&field.prime + BigUint::one()) / q;
    v.power(field, &cofactor).class(field)
}
