//! The pairing < , > of RFC 6508, section 3.2, with the first argument prepared.
//!
//! Miller's loop walks from A to [q]A and multiplies up the lines through the points it meets, evaluated at the
//! distorted point [i]Q = (-x, iy). A line through (Cx, Cy) with slope l has there the value
//!
//! ```text
//! l(Qx + Cx) - Cy + iQy = (l Qx + m) + iQy    with m = l Cx - Cy
//! ```
//!
//! so that l and m, the only part that depends on A, can be computed once. The RFC walks the bits of q - 1; this
//! loop takes the signed digits of q, which skip a third of the additions. That changes f by vertical lines alone, whose
//! values lie in F_p and vanish in PF_p. For the same reason a line may be scaled by anything in F_p.
//! The arguments may be exchanged, <A, B> = <B, A>, since both are multiples of P.

use alloc::vec::Vec;

use zeroize::Zeroize;

use super::curve::{AffinePoint, OrderQ};
use super::pf::Pf;
use crate::backend::portable::ModulusOf;
use crate::field::{Fp, Fp2, scalar::Q};
use crate::secret::Secret;

/// One line of the loop, as l and m.
#[derive(Clone, Copy, Debug)]
struct Line {
    l: Fp,
    m: Fp,
}

impl Line {
    /// f times this line at [i]Q.
    fn apply(&self, f: &Fp2<Fp>, q: &AffinePoint) -> Fp2<Fp> {
        f.multiply(&self.l.multiply(&q.x).add(&self.m), &q.y)
    }
}

impl Zeroize for Line {
    fn zeroize(&mut self) {
        self.l.zeroize();
        self.m.zeroize();
    }
}

/// The lines of Miller's loop for a fixed first argument, which may be secret (an RSK): some 350 KiB.
#[derive(Clone, Debug)]
pub(crate) struct MillerLines(Secret<Vec<Line>>);

impl MillerLines {
    /// Walks the loop. Constant time in the point.
    pub(crate) fn prepare(point: &OrderQ) -> Self {
        let plus = *point.affine();
        let minus = AffinePoint { x: plus.x, y: plus.y.negate() };
        let mut current = Jacobian { x: plus.x, y: plus.y, z: Fp::ONE };
        let mut lines = Secret::new(Vec::with_capacity(LINES));
        for step in STEPS {
            lines.expose_mut().push(current.double());
            match step {
                Step::Double => {}
                Step::DoubleAdd => lines.expose_mut().push(current.add(&plus)),
                Step::DoubleSubtract => lines.expose_mut().push(current.add(&minus)),
            }
        }
        current.zeroize();
        Self(normalise(lines))
    }

    /// <A, Q>, where Q is a point of E of any order: the loop, then the power (p + 1)/q = 4.
    pub(crate) fn pair(&self, q: &AffinePoint) -> Pf {
        let mut lines = self.0.expose().iter();
        let mut f = Fp2::one();
        for step in STEPS {
            f = f.square();
            for line in lines.by_ref().take(step.lines()) {
                f = line.apply(&f, q);
            }
        }
        Pf::class_of(&f.square().square())
    }
}

/// One step of the loop over the signed digits of q, by the digit 0, 1 or -1.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Double,
    DoubleAdd,
    DoubleSubtract,
}

impl Step {
    const fn lines(self) -> usize {
        match self {
            Self::Double => 1,
            Self::DoubleAdd | Self::DoubleSubtract => 2,
        }
    }
}

/// The steps after the leading digit of q, most significant first. The last digit is not 0, as q is odd, but the
/// chord of that step is the vertical through A and -A: it is left out by its position.
const STEPS: [Step; Q_BITS - 1] = steps();

/// Bits of q, and digits of its non-adjacent form.
const Q_BITS: usize = 1022;

const LINES: usize = {
    let mut lines = 0;
    let mut i = 0;
    while i < STEPS.len() {
        lines += STEPS[i].lines();
        i += 1;
    }
    lines
};

/// The non-adjacent form of q: digit i is bit i + 1 of 3q minus bit i + 1 of q.
const fn steps() -> [Step; Q_BITS - 1] {
    const fn bit(words: &[u8], i: usize) -> u8 {
        (words[i / 8] >> (i % 8)) & 1
    }
    let q = little_endian_octets();
    let mut three_q = [0; 130];
    let mut carry = 0;
    let mut i = 0;
    while i < three_q.len() {
        let sum = carry + 3 * q[i] as u16;
        three_q[i] = sum as u8;
        carry = sum >> 8;
        i += 1;
    }
    let mut steps = [Step::Double; Q_BITS - 1];
    let mut digit = 1;
    while digit < Q_BITS - 1 {
        steps[Q_BITS - 2 - digit] = match (bit(&three_q, digit + 1), bit(&q, digit + 1)) {
            (1, 0) => Step::DoubleAdd,
            (0, 1) => Step::DoubleSubtract,
            _ => Step::Double,
        };
        digit += 1;
    }
    steps
}

/// q, least significant octet first.
const fn little_endian_octets() -> [u8; 130] {
    let words = Q::MODULUS.words;
    let octets_in_word = size_of_val(&words[0]);
    let mut octets = [0; 130];
    let mut i = 0;
    while i < 128 {
        octets[i] = (words[i / octets_in_word] >> (8 * (i % octets_in_word))) as u8;
        i += 1;
    }
    octets
}

/// A line scaled by d: (l Qx + m + d iQy).
#[derive(Clone, Copy, Debug)]
struct ScaledLine {
    l: Fp,
    m: Fp,
    d: Fp,
}

impl Zeroize for ScaledLine {
    fn zeroize(&mut self) {
        self.l.zeroize();
        self.m.zeroize();
        self.d.zeroize();
    }
}

/// A point (X/Z^2, Y/Z^3) of the walk.
#[derive(Debug)]
struct Jacobian {
    x: Fp,
    y: Fp,
    z: Fp,
}

impl Jacobian {
    /// Doubles, and gives the tangent. Its slope is n/d', with n = 3(X - Z^2)(X + Z^2) and d' = 2YZ, the new Z.
    fn double(&mut self) -> ScaledLine {
        let zz = self.z.square();
        let yy = self.y.square();
        let product = self.x.subtract(&zz).multiply(&self.x.add(&zz));
        let n = product.double().add(&product);
        let z = self.y.multiply(&self.z).double();
        let line = ScaledLine { l: n.multiply(&zz), m: n.multiply(&self.x).subtract(&yy.double()), d: z.multiply(&zz) };
        let xyy4 = self.x.multiply(&yy).double().double();
        let x = n.square().subtract(&xyy4.double());
        let yyyy8 = yy.double().square().double();
        self.y = n.multiply(&xyy4.subtract(&x)).subtract(&yyyy8);
        self.x = x;
        self.z = z;
        line
    }

    /// Adds an affine point S, and gives the chord. Its slope is r/d, with r = Sy Z^3 - Y and d = Z(Sx Z^2 - X), the new Z.
    fn add(&mut self, s: &AffinePoint) -> ScaledLine {
        let zz = self.z.square();
        let h = s.x.multiply(&zz).subtract(&self.x);
        let r = s.y.multiply(&zz.multiply(&self.z)).subtract(&self.y);
        let z = self.z.multiply(&h);
        let line = ScaledLine { l: r, m: r.multiply(&s.x).subtract(&s.y.multiply(&z)), d: z };
        let hh = h.square();
        let hhh = hh.multiply(&h);
        let xhh = self.x.multiply(&hh);
        let x = r.square().subtract(&hhh).subtract(&xhh.double());
        self.y = r.multiply(&xhh.subtract(&x)).subtract(&self.y.multiply(&hhh));
        self.x = x;
        self.z = z;
        line
    }

    fn zeroize(&mut self) {
        self.x.zeroize();
        self.y.zeroize();
        self.z.zeroize();
    }
}

/// Divides every line by its d, with one inversion for all. No d is 0, since the walk of a point of order q meets
/// no point of order 2 and, before its end, neither A nor -A.
fn normalise(scaled: Secret<Vec<ScaledLine>>) -> Secret<Vec<Line>> {
    let mut products = Secret::new(Vec::with_capacity(LINES));
    let mut product = Fp::ONE;
    for line in scaled.expose() {
        products.expose_mut().push(product);
        product = product.multiply(&line.d);
    }
    let mut inverse = product.invert().unwrap_or(Fp::ZERO);
    let mut lines = Secret::new(Vec::with_capacity(LINES));
    for (line, product) in scaled.expose().iter().zip(products.expose()).rev() {
        let d_inverse = inverse.multiply(product);
        lines.expose_mut().push(Line { l: line.l.multiply(&d_inverse), m: line.m.multiply(&d_inverse) });
        inverse = inverse.multiply(&line.d);
    }
    lines.expose_mut().reverse();
    lines
}
