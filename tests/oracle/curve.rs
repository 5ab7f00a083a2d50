//! Prime fields, and curves y^2 = x^3 - 3x + B over them in affine coordinates.

use num_bigint::BigUint;
use num_traits::{One, Zero};

use super::{from_octets, octets};

/// The field of integers modulo a prime. Every element is an integer below it.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) prime: BigUint,
}

impl Field {
    pub(crate) fn reduce(&self, a: &BigUint) -> BigUint {
        a % &self.prime
    }

    pub(crate) fn add(&self, a: &BigUint, b: &BigUint) -> BigUint {
        (a + b) % &self.prime
    }

    pub(crate) fn negate(&self, a: &BigUint) -> BigUint {
        (&self.prime - self.reduce(a)) % &self.prime
    }

    pub(crate) fn subtract(&self, a: &BigUint, b: &BigUint) -> BigUint {
        self.add(a, &self.negate(b))
    }

    pub(crate) fn multiply(&self, a: &BigUint, b: &BigUint) -> BigUint {
        (a * b) % &self.prime
    }

    /// a / b; none for b = 0.
    pub(crate) fn divide(&self, a: &BigUint, b: &BigUint) -> Option<BigUint> {
        let inverse = self.reduce(b).modinv(&self.prime)?;
        Some(self.multiply(a, &inverse))
    }
}

/// A point other than the identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Affine {
    pub(crate) x: BigUint,
    pub(crate) y: BigUint,
}

/// A point of a curve; `None` is the identity.
pub(crate) type Point = Option<Affine>;

/// The curve y^2 = x^3 - 3x + B.
#[derive(Clone, Debug)]
pub(crate) struct Curve {
    pub(crate) field: Field,
    pub(crate) b: BigUint,
    /// Octets of an encoded coordinate.
    pub(crate) width: usize,
}

impl Curve {
    pub(crate) fn new(prime: BigUint, b: BigUint) -> Self {
        let width = prime.bits().div_ceil(8) as usize;
        Self { field: Field { prime }, b, width }
    }

    /// Whether both coordinates are below the prime and the equation holds.
    pub(crate) fn contains(&self, point: &Affine) -> bool {
        let (field, x, y) = (&self.field, &point.x, &point.y);
        let cube = field.multiply(&field.multiply(x, x), x);
        let right = field.add(&field.subtract(&cube, &(x * 3u32)), &self.b);
        *x < field.prime && *y < field.prime && field.multiply(y, y) == right
    }

    pub(crate) fn negate(&self, point: &Point) -> Point {
        point.as_ref().map(|Affine { x, y }| Affine { x: x.clone(), y: self.field.negate(y) })
    }

    /// The slope of the tangent at a point, 3(x^2 - 1) / 2y; none where the tangent is vertical.
    pub(crate) fn tangent(&self, at: &Affine) -> Option<BigUint> {
        let square = self.field.multiply(&at.x, &at.x);
        let numerator = self.field.subtract(&square, &BigUint::one()) * 3u32;
        self.field.divide(&numerator, &(&at.y * 2u32))
    }

    /// The slope of the line through two points; none where it is vertical or the points are the same.
    pub(crate) fn chord(&self, one: &Affine, other: &Affine) -> Option<BigUint> {
        let field = &self.field;
        field.divide(&field.subtract(&one.y, &other.y), &field.subtract(&one.x, &other.x))
    }

    /// The sum of two points, given the slope of the line through them.
    pub(crate) fn third(&self, slope: &BigUint, one: &Affine, other: &Affine) -> Affine {
        let field = &self.field;
        let x = field.subtract(&field.multiply(slope, slope), &(&one.x + &other.x));
        let y = field.subtract(&field.multiply(slope, &field.subtract(&one.x, &x)), &one.y);
        Affine { x, y }
    }

    pub(crate) fn add(&self, one: &Point, other: &Point) -> Point {
        let (Some(one_affine), Some(other_affine)) = (one, other) else {
            return one.clone().or_else(|| other.clone());
        };
        let slope =
            if one_affine == other_affine { self.tangent(one_affine) } else { self.chord(one_affine, other_affine) };
        slope.map(|slope| self.third(&slope, one_affine, other_affine))
    }

    /// \[k\]P by double-and-add; k is not reduced.
    ///
    /// In Jacobian coordinates, as a division for each bit would take most of a test's time. `oracle_self` compares it
    /// with [`Curve::add`].
    pub(crate) fn multiply(&self, k: &BigUint, point: &Point) -> Point {
        let point = point.as_ref()?;
        let sum = (0..k.bits()).rev().fold(Jacobian::identity(), |sum, bit| {
            let double = sum.double(&self.field);
            if k.bit(bit) { double.add_affine(&self.field, point) } else { double }
        });
        sum.to_affine(&self.field)
    }

    /// Whether a point other than the identity has this prime order.
    pub(crate) fn has_order(&self, order: &BigUint, point: &Affine) -> bool {
        self.multiply(order, &Some(point.clone())).is_none()
    }

    /// 04 || x || y. None for the identity, which has no encoding.
    pub(crate) fn encode(&self, point: &Point) -> Option<Vec<u8>> {
        let Affine { x, y } = point.as_ref()?;
        Some([vec![4], octets(x, self.width), octets(y, self.width)].concat())
    }

    /// A point of the curve from 04 || x || y.
    pub(crate) fn decode(&self, encoded: &[u8]) -> Option<Affine> {
        let (4, coordinates) = encoded.split_first()? else { return None };
        let (x, y) = coordinates.split_at_checked(self.width)?;
        let point = Affine { x: from_octets(x), y: from_octets(y) };
        (y.len() == self.width && self.contains(&point)).then_some(point)
    }
}

/// The point (X / Z^2, Y / Z^3); the identity where Z = 0.
pub(crate) struct Jacobian {
    pub(crate) x: BigUint,
    pub(crate) y: BigUint,
    pub(crate) z: BigUint,
}

impl From<&Affine> for Jacobian {
    fn from(Affine { x, y }: &Affine) -> Self {
        Self { x: x.clone(), y: y.clone(), z: BigUint::one() }
    }
}

impl Jacobian {
    fn identity() -> Self {
        Self { x: BigUint::one(), y: BigUint::one(), z: BigUint::zero() }
    }

    /// Z = 0 stays, and Y = 0, a point of order 2, gives Z = 0.
    pub(crate) fn double(&self, field: &Field) -> Self {
        let Self { x, y, z } = self;
        let z_squared = field.multiply(z, z);
        let y_squared = field.multiply(y, y);
        let product = field.multiply(x, &y_squared);
        // The tangent's slope: 3(X - Z^2)(X + Z^2), as a = -3.
        let slope = field.multiply(&(field.subtract(x, &z_squared) * 3u32), &(x + &z_squared));
        let new_x = field.subtract(&field.multiply(&slope, &slope), &(&product * 8u32));
        let fall = field.multiply(&slope, &field.subtract(&(&product * 4u32), &new_x));
        let new_y = field.subtract(&fall, &(&y_squared * &y_squared * 8u32));
        Self { x: new_x, y: new_y, z: field.reduce(&(y * z * 2u32)) }
    }

    /// Opposite points give Z = 0.
    pub(crate) fn add_affine(&self, field: &Field, other: &Affine) -> Self {
        let Self { x, y, z } = self;
        if z.is_zero() {
            return other.into();
        }
        let z_squared = field.multiply(z, z);
        let run = field.subtract(&field.multiply(&other.x, &z_squared), x);
        let rise = field.subtract(&field.multiply(&other.y, &field.multiply(&z_squared, z)), y);
        if run.is_zero() && rise.is_zero() {
            return self.double(field);
        }
        let run_squared = field.multiply(&run, &run);
        let run_cubed = field.multiply(&run_squared, &run);
        let product = field.multiply(x, &run_squared);
        let new_x = field.subtract(&field.multiply(&rise, &rise), &(&run_cubed + &product * 2u32));
        let fall = field.multiply(&rise, &field.subtract(&product, &new_x));
        let new_y = field.subtract(&fall, &(y * &run_cubed));
        Self { x: new_x, y: new_y, z: field.multiply(z, &run) }
    }

    fn to_affine(&self, field: &Field) -> Point {
        let z_squared = field.multiply(&self.z, &self.z);
        let x = field.divide(&self.x, &z_squared)?;
        let y = field.divide(&self.y, &field.multiply(&z_squared, &self.z))?;
        Some(Affine { x, y })
    }
}

/// Whether 0 < k < order.
pub(crate) fn is_scalar(k: &BigUint, order: &BigUint) -> bool {
    !k.is_zero() && k < order
}
