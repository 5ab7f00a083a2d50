//! Inversion in constant time: the divisions of Bernstein and Yang ("Fast constant-time gcd computation and modular
//! inversion", 2019), 62 at a time.
//!
//! A step takes (delta, f, g), f odd, to (1 - delta, g, (g - f)/2) if delta > 0 and g is odd, else to
//! (1 + delta, f, (g + (g mod 2) f)/2). The greatest common divisor of f and g does not change, and g reaches 0. The
//! low 62 bits of f and g decide over 62 steps, whose effect is a matrix of small integers. The same matrices applied
//! to (d, e) = (0, 1) modulo m keep f = d x and g = e x, up to powers of 2 that are divided out, so that d ends as the
//! inverse of x when f ends as 1, and as its opposite when f ends as -1.
//!
//! With delta = 1/2 at first, 590 steps are enough for any m and x below 2^256 (Wuille's bound, by a computation of
//! the hull of all reachable (f, g)). Here 620 are done.

use super::words::Words;

/// Steps whose effect one matrix describes.
const BATCH: u32 = 62;
const BATCHES: u32 = 10;
const LIMB_MASK: i64 = (1 << BATCH) - 1;

/// A number in base 2^62, least significant limb first: limbs in 0..2^62-1, the last one with the sign.
type Limbs = [i64; 5];

/// A modulus in the form that inversion needs.
pub(super) struct Inverter {
    modulus: Limbs,
    /// m^-1 mod 2^62.
    inverse: i64,
}

/// 2^62 times the effect of a batch of steps: f' = uf + vg, g' = qf + rg. Rows sum to at most 2^62 in absolute values.
struct Matrix {
    u: i64,
    v: i64,
    q: i64,
    r: i64,
}

impl Inverter {
    /// Of an odd m, 2^255 < m < 2^256, and m^-1 mod 2^64.
    pub(super) const fn new(modulus: &Words, inverse: u64) -> Self {
        Self { modulus: to_limbs(modulus), inverse: inverse as i64 & LIMB_MASK }
    }

    /// x^-1 mod m for x below m; 0 for 0.
    pub(super) fn invert(&self, x: &Words) -> Words {
        let (mut f, mut g) = (self.modulus, to_limbs(x));
        let (mut d, mut e) = ([0; 5], [1, 0, 0, 0, 0]);
        let mut twice_delta = 1;
        for _ in 0..BATCHES {
            let Matrix { u, v, q, r } = Matrix::of_steps(&mut twice_delta, f[0] as u64, g[0] as u64);
            (f, g) = (quotient([(u, &f), (v, &g)]), quotient([(q, &f), (r, &g)]));
            (d, e) = (self.quotient_mod_m(u, &d, v, &e), self.quotient_mod_m(q, &d, r, &e));
        }
        // f is 1 or -1; or it is m or -m, if x is 0, and then d is 0.
        self.normalised(&d, f[4] >> 63)
    }

    /// (ad + be) / 2^62 mod m, for |a| + |b| <= 2^62 and d, e between -2m and m; so is the result.
    ///
    /// A negative d or e counts as d + m or e + m, so that both are between -m and m and the sum between -m 2^62 and
    /// m 2^62. From it goes a multiple of m, 0 to 2^62 - 1 times, that clears the low limb.
    fn quotient_mod_m(&self, a: i64, d: &Limbs, b: i64, e: &Limbs) -> Limbs {
        let made_positive = (a & (d[4] >> 63)) + (b & (e[4] >> 63));
        let low = a.wrapping_mul(d[0]).wrapping_add(b.wrapping_mul(e[0]));
        let clearing = self.inverse.wrapping_mul(low).wrapping_add(made_positive) & LIMB_MASK;
        quotient([(a, d), (b, e), (made_positive - clearing, &self.modulus)])
    }

    /// d between -2m and m, negated if the mask `negative` is all ones, in 0..m-1.
    fn normalised(&self, d: &Limbs, negative: i64) -> Words {
        let d = sum([(1, d), ((d[4] >> 63) & 1, &self.modulus)]);
        let d = sum([(negative | 1, &d)]);
        to_words(&sum([(1, &d), ((d[4] >> 63) & 1, &self.modulus)]))
    }
}

impl Matrix {
    /// The matrix of the next steps, from 2 delta and the low limbs of f and g. Of these, as many bits are right
    /// as there are steps left.
    fn of_steps(twice_delta: &mut i64, mut f: u64, mut g: u64) -> Self {
        // Entries are signed, and added modulo 2^64.
        let (mut u, mut v, mut q, mut r) = (1u64, 0u64, 0u64, 1u64);
        for _ in 0..BATCH {
            let odd = (g & 1).wrapping_neg();
            // 2 delta is odd, hence never 0.
            let swap = odd & !((*twice_delta >> 63) as u64);
            let signed = |x: u64| ((x ^ swap).wrapping_sub(swap)) & odd;
            (g, q, r) = (g.wrapping_add(signed(f)), q.wrapping_add(signed(u)), r.wrapping_add(signed(v)));
            // From g - f back to g.
            (f, u, v) = (f.wrapping_add(g & swap), u.wrapping_add(q & swap), v.wrapping_add(r & swap));
            *twice_delta = (*twice_delta ^ swap as i64) - swap as i64 + 2;
            (g, u, v) = (g >> 1, u << 1, v << 1);
        }
        Self { u: u as i64, v: v as i64, q: q as i64, r: r as i64 }
    }
}

/// The sum of a x over all (a, x), which has to fit five limbs.
fn sum<const N: usize>(terms: [(i64, &Limbs); N]) -> Limbs {
    let (mut limbs, top) = carried(terms);
    limbs[4] |= top << BATCH;
    limbs
}

/// The sum of a x over all (a, x), a multiple of 2^62, divided by it.
fn quotient<const N: usize>(terms: [(i64, &Limbs); N]) -> Limbs {
    let ([_, limbs @ ..], top) = carried(terms);
    [limbs[0], limbs[1], limbs[2], limbs[3], top]
}

/// The sum of a x over all (a, x): five limbs in 0..2^62-1, and what is above them.
///
/// With at most three terms, |a| <= 2^62 and |x| limbs below 2^62, all that is added stays below 2^126.
fn carried<const N: usize>(terms: [(i64, &Limbs); N]) -> (Limbs, i64) {
    let mut limbs = [0; 5];
    let mut carry = 0i128;
    for (i, limb) in limbs.iter_mut().enumerate() {
        for (a, x) in &terms {
            carry += i128::from(*a) * i128::from(x[i]);
        }
        *limb = carry as i64 & LIMB_MASK;
        carry >>= BATCH;
    }
    (limbs, carry as i64)
}

const fn to_limbs(w: &Words) -> Limbs {
    let limbs = [w[0], (w[0] >> 62) | (w[1] << 2), (w[1] >> 60) | (w[2] << 4), (w[2] >> 58) | (w[3] << 6), w[3] >> 56];
    let [l0, l1, l2, l3, l4] = limbs;
    let m = LIMB_MASK as u64;
    [(l0 & m) as i64, (l1 & m) as i64, (l2 & m) as i64, (l3 & m) as i64, l4 as i64]
}

const fn to_words(limbs: &Limbs) -> Words {
    let [l0, l1, l2, l3, l4] = *limbs;
    let (l0, l1, l2, l3, l4) = (l0 as u64, l1 as u64, l2 as u64, l3 as u64, l4 as u64);
    [l0 | (l1 << 62), (l1 >> 2) | (l2 << 60), (l2 >> 4) | (l3 << 58), (l3 >> 6) | (l4 << 56)]
}
