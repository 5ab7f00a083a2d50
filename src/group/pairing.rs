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
//!
//! Once prepared, the loop splits into chunks that do not wait for each other, one for each lane of the backend, joined by
//! squarings.
//!
//! The arguments may be exchanged, <A, B> = <B, A>, since both are multiples of P.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use once_cell::race::OnceBox;
use zeroize::Zeroize;

use super::curve::{AffinePoint, OrderQ};
use crate::backend;
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
use crate::backend::ifma::Fp8;
use crate::backend::portable::ModulusOf;
use crate::field::lanes::MAX_LANES;
use crate::field::{Fp, Fp2, Lanes, scalar::Q};
use crate::secret::Secret;

/// The lines of Miller's loop for a fixed first argument, which may be secret (an RSK), prepared for the backend in use.
pub(crate) trait PreparedPairing: Send + Sync + fmt::Debug {
    /// <A, Q> as a class of F_p^2, where Q is a point of E of any order: the loop, then the power (p + 1)/q = 4.
    fn pair(&self, q: &AffinePoint) -> Fp2<Fp>;

    /// <A, Q> for each Q, at less cost than one by one.
    fn pair_batch(&self, q: &[AffinePoint]) -> Vec<Fp2<Fp>>;
}

/// Walks the loop. Constant time in the point.
pub(crate) fn prepare(point: &OrderQ) -> Box<dyn PreparedPairing> {
    let lines = lines(point);
    match backend::current() {
        #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
        backend::Backend::Ifma => Box::new(MillerLines::<Fp8>::new(&lines)),
        _ => Box::new(MillerLines::<Fp>::new(&lines)),
    }
}

/// P, prepared at first use.
pub(crate) fn generator() -> &'static dyn PreparedPairing {
    static GENERATOR: OnceBox<Box<dyn PreparedPairing>> = OnceBox::new();
    &**GENERATOR.get_or_init(|| Box::new(prepare(&OrderQ::GENERATOR)))
}

/// The lines for as many lanes as F has: each has a chunk of consecutive steps of the loop. Some 350 KB with one lane, 820 KB
/// with eight.
#[derive(Debug)]
pub(super) struct MillerLines<F: Lanes>(Secret<Vec<ChunkStep<F>>>);

/// One step in each lane.
#[derive(Clone, Copy, Debug)]
enum ChunkStep<F> {
    /// A tangent in every lane, with value lx + m + iy.
    Tangent { l: F, m: F },
    /// The product of tangent and chord, (l_1 x + m_1 + iy)(l_2 x + m_2 + iy) = (a x^2 + bx + c - y^2) + iy(dx + e). In
    /// lanes that have no chord y^2 is left out, and in those that have no step at all this is 1.
    Product { a: F, b: F, c: F, d: F, e: F, kinds: [u8; MAX_LANES] },
}

/// What a lane has in a step: this is public.
mod kind {
    pub(super) const NOTHING: u8 = 0;
    pub(super) const TANGENT: u8 = 1;
    pub(super) const PRODUCT: u8 = 2;
}

impl<F: Zeroize> Zeroize for ChunkStep<F> {
    fn zeroize(&mut self) {
        match self {
            Self::Tangent { l, m } => [l, m].into_iter().for_each(Zeroize::zeroize),
            Self::Product { a, b, c, d, e, kinds: _ } => [a, b, c, d, e].into_iter().for_each(Zeroize::zeroize),
        }
    }
}

impl<F: Lanes> MillerLines<F> {
    /// Steps of a chunk.
    const CHUNK: usize = STEPS.len().div_ceil(F::LANES);

    pub(super) fn new(lines: &Secret<Vec<Line>>) -> Self {
        // The chunks end with the last step; those before the first step are nothing, in the first lane.
        let missing = Self::CHUNK * F::LANES - STEPS.len();
        let mut own_lines = lines.expose().iter();
        let mut steps = Secret::new(Vec::with_capacity(STEPS.len()));
        for step in STEPS {
            let tangent = own_lines.next().copied();
            let chord = own_lines.by_ref().take(step.lines() - 1).next().copied();
            steps.expose_mut().push(LoopStep::new(tangent, chord));
        }
        let step_of = |lane: usize, step: usize| {
            (lane * Self::CHUNK + step).checked_sub(missing).map_or(LoopStep::NOTHING, |step| steps.expose()[step])
        };
        let mut chunk_steps = Secret::new(Vec::with_capacity(Self::CHUNK));
        for step in 0..Self::CHUNK {
            chunk_steps.expose_mut().push(ChunkStep::gather(|lane| step_of(lane, step)));
        }
        Self(chunk_steps)
    }
}

/// One step of the loop, as the polynomial that [`ChunkStep::Product`] describes.
#[derive(Clone, Copy)]
struct LoopStep {
    coefficients: [Fp; 5],
    kind: u8,
}

impl LoopStep {
    const NOTHING: Self = Self { coefficients: [Fp::ZERO, Fp::ZERO, Fp::ONE, Fp::ZERO, Fp::ZERO], kind: kind::NOTHING };

    fn new(tangent: Option<Line>, chord: Option<Line>) -> Self {
        match (tangent, chord) {
            (Some(t), None) => Self { coefficients: [Fp::ZERO, t.l, t.m, Fp::ZERO, Fp::ONE], kind: kind::TANGENT },
            (Some(t), Some(c)) => Self {
                coefficients: [
                    t.l.multiply(&c.l),
                    t.l.multiply(&c.m).add(&t.m.multiply(&c.l)),
                    t.m.multiply(&c.m),
                    t.l.add(&c.l),
                    t.m.add(&c.m),
                ],
                kind: kind::PRODUCT,
            },
            (None, _) => Self::NOTHING,
        }
    }
}

impl Zeroize for LoopStep {
    fn zeroize(&mut self) {
        self.coefficients.zeroize();
    }
}

impl<F: Lanes> ChunkStep<F> {
    fn gather(step: impl Fn(usize) -> LoopStep) -> Self {
        let kinds = core::array::from_fn(|lane| if lane < F::LANES { step(lane).kind } else { kind::TANGENT });
        let gather = |coefficient: usize| F::gather(|lane| step(lane).coefficients[coefficient]);
        if kinds == [kind::TANGENT; MAX_LANES] {
            return Self::Tangent { l: gather(1), m: gather(2) };
        }
        Self::Product { a: gather(0), b: gather(1), c: gather(2), d: gather(3), e: gather(4), kinds }
    }

    /// What one lane has, in all lanes.
    fn spread(&self, lane: usize) -> Self {
        match self {
            Self::Tangent { l, m } => Self::Tangent { l: l.spread(lane), m: m.spread(lane) },
            Self::Product { b, c, kinds, .. } if kinds[lane] == kind::TANGENT => {
                Self::Tangent { l: b.spread(lane), m: c.spread(lane) }
            }
            Self::Product { a, b, c, d, e, kinds } => {
                let [a, b, c, d, e] = [a, b, c, d, e].map(|coefficient| coefficient.spread(lane));
                Self::Product { a, b, c, d, e, kinds: [kinds[lane]; MAX_LANES] }
            }
        }
    }

    /// f times this step at [i]Q.
    fn apply(&self, f: &Fp2<F>, q: &Argument<F>) -> Fp2<F> {
        let (x, y) = (q.x.as_sum(), q.y.as_sum());
        match self {
            Self::Tangent { l, m } => f.multiply(&F::add(F::multiply(l.as_sum(), x).as_sum(), m.as_sum()), y),
            Self::Product { a, b, c, d, e, kinds } => {
                let yy = F::choose(&F::equal(kinds, kind::PRODUCT), q.minus_yy.as_sum(), F::zero().as_sum());
                let polynomial = F::multiply_add(a.as_sum(), q.xx.as_sum(), b.as_sum(), x);
                let real = F::add(&F::add(polynomial.as_sum(), c.as_sum()), &yy);
                let slope = F::add(F::multiply(d.as_sum(), x).as_sum(), e.as_sum());
                f.multiply(&real, F::multiply(&slope, y).as_sum())
            }
        }
    }
}

/// The second argument in each lane: x and y, x^2 and -y^2.
struct Argument<F> {
    x: F,
    y: F,
    xx: F,
    minus_yy: F,
}

impl<F: Lanes> Argument<F> {
    fn gather(point: impl Fn(usize) -> AffinePoint) -> Self {
        Self {
            x: F::gather(|lane| point(lane).x),
            y: F::gather(|lane| point(lane).y),
            xx: F::gather(|lane| point(lane).x.square()),
            minus_yy: F::gather(|lane| point(lane).y.square().negate()),
        }
    }
}

impl<F: Lanes + fmt::Debug> PreparedPairing for MillerLines<F> {
    /// Each lane takes its own chunk.
    fn pair(&self, q: &AffinePoint) -> Fp2<Fp> {
        let q = Argument::<F>::gather(|_| *q);
        let mut f = Fp2::one();
        for step in self.0.expose() {
            f = step.apply(&f.square(), &q);
        }
        let (a, b) = F::join(&f.a, &f.b, Self::CHUNK);
        f.zeroize();
        Fp2 { a, b }.square().square()
    }

    /// Each lane takes an argument of its own, through all chunks.
    fn pair_batch(&self, q: &[AffinePoint]) -> Vec<Fp2<Fp>> {
        let mut values = Vec::with_capacity(q.len());
        for q in q.chunks(F::LANES) {
            // Lanes without an argument repeat the first.
            let argument = Argument::<F>::gather(|lane| q[if lane < q.len() { lane } else { 0 }]);
            let mut f = Fp2::<F>::one();
            for lane in 0..F::LANES {
                for step in self.0.expose() {
                    f = step.spread(lane).apply(&f.square(), &argument);
                }
            }
            f = f.square().square();
            values.extend((0..q.len()).map(|lane| f.lane(lane)));
            f.zeroize();
        }
        values
    }
}

/// One line of the loop, as l and m.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    l: Fp,
    m: Fp,
}

impl Zeroize for Line {
    fn zeroize(&mut self) {
        self.l.zeroize();
        self.m.zeroize();
    }
}

/// All lines of the loop, in its order.
pub(super) fn lines(point: &OrderQ) -> Secret<Vec<Line>> {
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
    normalise(lines)
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
