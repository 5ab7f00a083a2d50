//! SAKKE's curve E: y^2 = x^3 - 3x over F_p, with 4q points.

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq, CtOption};
use zeroize::Zeroize;

use crate::field::Fp;

/// Octets of an encoded field element.
const FIELD_OCTETS: usize = 128;

/// Octets of an encoded point: 04, x, y (RFC 6508, section 4).
pub(crate) const POINT_OCTETS: usize = 1 + 2 * FIELD_OCTETS;

/// A point of E other than the identity, of any order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AffinePoint {
    pub(crate) x: Fp,
    pub(crate) y: Fp,
}

impl AffinePoint {
    /// Reads 04, x, y: both coordinates below p, the point on E. The encoding has no identity.
    pub(crate) fn from_octets(octets: &[u8]) -> CtOption<Self> {
        let Some((x, y)) = coordinates(octets) else {
            return CtOption::new(Self { x: Fp::ZERO, y: Fp::ZERO }, Choice::from(0));
        };
        let (x, y) = (Fp::from_octets(x), Fp::from_octets(y));
        let below_p = x.is_some() & y.is_some();
        let (x, y) = (x.unwrap_or(Fp::ZERO), y.unwrap_or(Fp::ZERO));
        let point = Self { x, y };
        CtOption::new(point, below_p & point.is_on_curve())
    }

    /// Whether y^2 = x^3 - 3x.
    pub(crate) fn is_on_curve(&self) -> Choice {
        self.y.square().ct_eq(&curve_right_side(&self.x))
    }

    /// 04, x, y, each coordinate in 128 octets, big-endian.
    pub(crate) fn to_octets(self) -> [u8; POINT_OCTETS] {
        let mut octets = [4; POINT_OCTETS];
        octets[1..=FIELD_OCTETS].copy_from_slice(&self.x.to_octets());
        octets[1 + FIELD_OCTETS..].copy_from_slice(&self.y.to_octets());
        octets
    }

    /// Whether this point has order q.
    ///
    /// E(F_p) is cyclic of order 4q, so the points of order q are the doubles of doubles. A point is a double if
    /// it can be halved, and over this field halving asks for two square roots: with s = sqrt(x), both x and
    /// 2s(xs + y - cs) must be squares, where c^2 = -3. Neither holds for the points of order 2 and 4, nor
    /// for sums with them; (0, 0) is the point of order 2.
    fn has_order_q(&self) -> Choice {
        let s = self.x.square_root_candidate();
        let x_is_square = s.square().ct_eq(&self.x) & !self.x.is_zero();
        let xs_plus_y_minus_cs = self.x.multiply(&s).add(&self.y).subtract(&C.multiply(&s));
        x_is_square & s.double().multiply(&xs_plus_y_minus_cs).is_nonzero_square()
    }
}

impl ConditionallySelectable for AffinePoint {
    fn conditional_select(a: &Self, b: &Self, choice: Choice) -> Self {
        Self { x: Fp::conditional_select(&a.x, &b.x, choice), y: Fp::conditional_select(&a.y, &b.y, choice) }
    }
}

impl ConstantTimeEq for AffinePoint {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.x.ct_eq(&other.x) & self.y.ct_eq(&other.y)
    }
}

impl Zeroize for AffinePoint {
    fn zeroize(&mut self) {
        self.x.zeroize();
        self.y.zeroize();
    }
}

/// A point of E whose order is q.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OrderQ(AffinePoint);

impl OrderQ {
    /// The generator P of parameter set 1 (RFC 6509, appendix A).
    pub(crate) const GENERATOR: Self = Self(AffinePoint {
        x: Fp::from_hex(concat!(
            "53fc09ee332c29ad0a7990053ed9b52a2b1a2fd60aec69c698b2f204b6ff7cbf",
            "b5edb6c0f6ce2308ab10db9030b09e1043d5f22cdb9dfa55718bd9e7406ce890",
            "9760af765dd5bccb337c86548b72f2e1a702c3397a60de74a7c1514dba66910d",
            "d5cfb4cc80728d87ee9163a5b63f73ec80ec46c4967e0979880dc8abeae63895",
        )),
        y: Fp::from_hex(concat!(
            "0a8249063f6009f1f9f1f0533634a135d3e82016029906963d778d821e141178",
            "f5ea69f4654ec2b9e7f7f5e5f0de55f66b598ccf9a140b2e416cff0ca9e032b9",
            "70dae117ad547c6ccad696b5b7652fe0ac6f1e80164aa989492d979fc5a4d5f2",
            "13515ad7e9cb99a980bdad5ad5bb4636adb9b5706a67dcde75573fd71bef16d7",
        )),
    });

    /// Reads the encoding of a point of order q. Constant time: an RSK is read here too.
    pub(crate) fn from_octets(octets: &[u8]) -> CtOption<Self> {
        let point = AffinePoint::from_octets(octets);
        let on_curve = point.is_some();
        let point = point.unwrap_or(Self::GENERATOR.0);
        CtOption::new(Self(point), on_curve & point.has_order_q())
    }

    /// A point known to have order q by the way it was computed.
    pub(super) const fn trust(point: AffinePoint) -> Self {
        Self(point)
    }

    pub(crate) const fn affine(&self) -> &AffinePoint {
        &self.0
    }
}

impl ConditionallySelectable for OrderQ {
    fn conditional_select(a: &Self, b: &Self, choice: Choice) -> Self {
        Self(AffinePoint::conditional_select(&a.0, &b.0, choice))
    }
}

impl Zeroize for OrderQ {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

/// c with c^2 = -3, c itself a square. The two points of E with x = -c are those of order 4.
pub(super) const C: Fp = Fp::from_hex(concat!(
    "6ec2065e3b96c6c3fa90e5a4a5b625f1cec40e7f736f516e33e23042d0b9f81d",
    "ac1140b6ebe07da54dbb23de919eb5d4b9d589b0b2a0120a6f530c25466a22a8",
    "d62e1d53e4958b3e07c2581f698b6f23435f3b69a1602e31991c277dd463a215",
    "3c83f9b4d34a34f5c394033673619d3f4d5228f190710176ab0564f63cb03931",
));

/// x^3 - 3x.
fn curve_right_side(x: &Fp) -> Fp {
    let x_cubed = x.square().multiply(x);
    x_cubed.subtract(&x.double().add(x))
}

/// The two coordinates of 04, x, y. Length and prefix are framing, never secret.
fn coordinates(octets: &[u8]) -> Option<(&[u8; FIELD_OCTETS], &[u8; FIELD_OCTETS])> {
    let octets: &[u8; POINT_OCTETS] = octets.try_into().ok()?;
    let (prefix, x_and_y) = octets.split_first()?;
    let (x, y) = x_and_y.split_first_chunk()?;
    (*prefix == 4).then_some((x, y.try_into().ok()?))
}
