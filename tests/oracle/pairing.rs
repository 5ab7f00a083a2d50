//! F_p^2, PF_p and the pairing (RFC 6508, sections 2.1 and 3.2).

use num_bigint::BigUint;
use num_traits::{One, Zero};

use super::curve::{Affine, Curve, Field, Jacobian};

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
/// None where a line is vertical, which shows that the points are not of order q.
///
/// In Jacobian coordinates, as a division for each bit would take most of a test's time: lines are taken times an
/// element of F_p, which the class in PF_p does not see. `oracle_self` compares it with [`pairing_by_slopes`].
pub(crate) fn pairing(curve: &Curve, q: &BigUint, r: &Affine, point: &Affine) -> Option<BigUint> {
    let field = &curve.field;
    let exponent = q - BigUint::one();
    let mut v = Fp2::one();
    let mut c = Jacobian::from(r);
    for bit in (0..exponent.bits() - 1).rev() {
        v = v.square(field).multiply(field, &tangent_at(field, &c, point)?);
        c = c.double(field);
        if exponent.bit(bit) {
            v = v.multiply(field, &chord_at(field, &c, r, point)?);
            c = c.add_affine(field, r);
        }
    }
    reduced(field, q, &v)
}

/// The tangent at C, at \[i\]Q = (-Qx, iQy), times 2YZ^3.
fn tangent_at(field: &Field, Jacobian { x, y, z }: &Jacobian, point: &Affine) -> Option<Fp2> {
    let z_squared = field.multiply(z, z);
    let run = field.multiply(&(y * 2u32), &field.multiply(z, &z_squared));
    let rise = field.multiply(&(field.subtract(x, &z_squared) * 3u32), &(x + &z_squared));
    let a = field.subtract(&(rise * (&point.x * &z_squared + x)), &(y * y * 2u32));
    (!run.is_zero()).then(|| Fp2 { a, b: field.multiply(&run, &point.y) })
}

/// The line through C and R, at \[i\]Q, times Z(Rx Z^2 - X).
fn chord_at(field: &Field, Jacobian { x, y, z }: &Jacobian, r: &Affine, point: &Affine) -> Option<Fp2> {
    let z_squared = field.multiply(z, z);
    let run = field.multiply(z, &field.subtract(&(&r.x * &z_squared), x));
    let rise = field.subtract(&(&r.y * z * &z_squared), y);
    let a = field.subtract(&(rise * (&point.x + &r.x)), &(&r.y * &run));
    (!run.is_zero()).then(|| Fp2 { a, b: field.multiply(&run, &point.y) })
}

/// The class of v^((p + 1) / q).
fn reduced(field: &Field, q: &BigUint, v: &Fp2) -> Option<BigUint> {
    let cofactor = (&field.prime + BigUint::one()) / q;
    v.power(field, &cofactor).class(field)
}

/// The pairing to the letter, with a division for each slope. It takes very long.
pub(crate) fn pairing_by_slopes(curve: &Curve, q: &BigUint, r: &Affine, point: &Affine) -> Option<BigUint> {
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
    reduced(field, q, &v)
}
