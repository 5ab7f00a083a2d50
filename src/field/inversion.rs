//! Inversion, in constant time and, of public values, in variable time: the divisions of Bernstein and Yang ("Fast
//! constant-time gcd computation and modular inversion", 2019), 62 at a time.
//!
//! A step takes (delta, f, g), f odd, to (1 - delta, g, (g - f)/2) if delta > 0 and g is odd, else to
//! (1 + delta, f, (g + (g mod 2) f)/2). The greatest common divisor of f and g does not change, and g reaches 0. The
//! low 62 bits of f and g decide over 62 steps, whose effect is a matrix of small integers. The same matrices applied
//! to (d, e) = (0, 1) modulo m keep f = d x and g = e x, up to powers of 2 that are divided out, so that d ends as the
//! inverse of x when f ends as 1, and as its opposite when f ends as -1.
//!
//! With delta = 1/2 at first, (45907n + 26313) / 19929 steps are enough for any m and x below 2^n: 591 for 256 bits,
//! 2360 for 1024.

/// Steps whose effect one matrix describes.
const BATCH: u32 = 62;
const LIMB_MASK: i64 = (1 << BATCH) - 1;

/// A modulus of W words of 64 bits, in the form that inversion needs.
///
/// Numbers are in base 2^62, least significant limb first: limbs in 0..2^62-1, the last one with the sign. L limbs
/// hold three bits more than the words.
pub(crate) struct Inverter<const W: usize, const L: usize> {
    modulus: [i64; L],
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

impl<const W: usize, const L: usize> Inverter<W, L> {
    const BATCHES: u32 = ((45_907 * 64 * W as u32 + 26_313) / 19_929).div_ceil(BATCH);

    /// Of an odd m with its top bit or the next but one set, and m^-1 mod 2^64; words least significant first.
    pub(crate) const fn new(modulus: &[u64; W], inverse: u64) -> Self {
        assert!(L as u32 * BATCH >= 64 * W as u32 + 3, "enough limbs");
        Self { modulus: to_limbs(modulus), inverse: inverse as i64 & LIMB_MASK }
    }

    /// x^-1 mod m for x below m; 0 for 0.
    pub(crate) fn invert(&self, x: &[u64; W]) -> [u64; W] {
        let (mut f, mut g) = (self.modulus, to_limbs(x));
        let (mut d, mut e) = ([0; L], [0; L]);
        e[0] = 1;
        let mut twice_delta = 1;
        for _ in 0..Self::BATCHES {
            let Matrix { u, v, q, r } = Matrix::of_steps(&mut twice_delta, f[0] as u64, g[0] as u64);
            (f, g) = (quotient([(u, &f), (v, &g)]), quotient([(q, &f), (r, &g)]));
            (d, e) = (self.quotient_mod_m(u, &d, v, &e), self.quotient_mod_m(q, &d, r, &e));
        }
        // f is 1 or -1; or it is m or -m, if x is 0, and then d is 0.
        self.normalised(&d, f[L - 1] >> 63)
    }

    /// x^-1 mod m for a public x below m, by the same steps, as many as it takes; 0 for 0.
    pub(crate) fn invert_vartime(&self, x: &[u64; W]) -> [u64; W] {
        let (mut f, mut g) = (self.modulus, to_limbs(x));
        let (mut d, mut e) = ([0; L], [0; L]);
        e[0] = 1;
        let mut twice_delta = 1;
        while g != [0; L] {
            let Matrix { u, v, q, r } = Matrix::of_steps_vartime(&mut twice_delta, f[0] as u64, g[0] as u64);
            (f, g) = (quotient([(u, &f), (v, &g)]), quotient([(q, &f), (r, &g)]));
            (d, e) = (self.quotient_mod_m(u, &d, v, &e), self.quotient_mod_m(q, &d, r, &e));
        }
        self.normalised(&d, f[L - 1] >> 63)
    }

    /// (ad + be) / 2^62 mod m, for |a| + |b| <= 2^62 and d, e between -2m and m; so is the result.
    ///
    /// A negative d or e counts as d + m or e + m, so that both are between -m and m and the sum between -m 2^62 and
    /// m 2^62. From it goes a multiple of m, 0 to 2^62 - 1 times, that clears the low limb.
    fn quotient_mod_m(&self, a: i64, d: &[i64; L], b: i64, e: &[i64; L]) -> [i64; L] {
        let made_positive = (a & (d[L - 1] >> 63)) + (b & (e[L - 1] >> 63));
        let low = a.wrapping_mul(d[0]).wrapping_add(b.wrapping_mul(e[0]));
        let clearing = self.inverse.wrapping_mul(low).wrapping_add(made_positive) & LIMB_MASK;
        quotient([(a, d), (b, e), (made_positive - clearing, &self.modulus)])
    }

    /// d between -2m and m, negated if the mask `negative` is all ones, in 0..m-1.
    fn normalised(&self, d: &[i64; L], negative: i64) -> [u64; W] {
        let d = sum([(1, d), ((d[L - 1] >> 63) & 1, &self.modulus)]);
        let d = sum([(negative | 1, &d)]);
        to_words(&sum([(1, &d), ((d[L - 1] >> 63) & 1, &self.modulus)]))
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

    /// The same matrix for public f and g, several steps at a time: an even g is halved as often as it can be, and
    /// with delta below 0 the next steps only add f, so that together they add a multiple of it.
    fn of_steps_vartime(twice_delta: &mut i64, mut f: u64, mut g: u64) -> Self {
        let (mut u, mut v, mut q, mut r) = (1u64, 0u64, 0u64, 1u64);
        let mut left = BATCH;
        loop {
            let zeros = (g | (u64::MAX << left)).trailing_zeros();
            (g, u, v) = (g >> zeros, u << zeros, v << zeros);
            *twice_delta += 2 * i64::from(zeros);
            left -= zeros;
            if left == 0 {
                return Self { u: u as i64, v: v as i64, q: q as i64, r: r as i64 };
            }
            if *twice_delta > 0 {
                *twice_delta = -*twice_delta;
                (f, u, v, g, q, r) = (g, q, r, f.wrapping_neg(), u.wrapping_neg(), v.wrapping_neg());
            }
            // An odd f is its own inverse modulo 8, and Newton's iteration makes that 64.
            let steps = ((1 - *twice_delta) as u64 / 2).min(u64::from(left)).min(6);
            let inverse = f.wrapping_mul(2u64.wrapping_sub(f.wrapping_mul(f)));
            let times = g.wrapping_mul(inverse).wrapping_neg() & ((1 << steps) - 1);
            let add = |x: u64, y: u64| x.wrapping_add(times.wrapping_mul(y));
            (g, q, r) = (add(g, f), add(q, u), add(r, v));
        }
    }
}

/// The sum of a x over all (a, x), which has to fit the limbs.
fn sum<const L: usize, const N: usize>(terms: [(i64, &[i64; L]); N]) -> [i64; L] {
    let (mut limbs, top) = carried(terms);
    limbs[L - 1] |= top << BATCH;
    limbs
}

/// The sum of a x over all (a, x), a multiple of 2^62, divided by it.
fn quotient<const L: usize, const N: usize>(terms: [(i64, &[i64; L]); N]) -> [i64; L] {
    let (mut limbs, top) = carried(terms);
    limbs.copy_within(1.., 0);
    limbs[L - 1] = top;
    limbs
}

/// The sum of a x over all (a, x): limbs in 0..2^62-1, and what is above them.
///
/// With at most three terms, |a| <= 2^62 and |x| limbs below 2^62, all that is added stays below 2^126.
#[inline(always)]
fn carried<const L: usize, const N: usize>(terms: [(i64, &[i64; L]); N]) -> ([i64; L], i64) {
    let mut limbs = [0; L];
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

const fn to_limbs<const W: usize, const L: usize>(words: &[u64; W]) -> [i64; L] {
    let mut limbs = [0; L];
    let mut i = 0;
    while i < L {
        let (word, shift) = (i * BATCH as usize / 64, i * BATCH as usize % 64);
        let low = if word < W { words[word] >> shift } else { 0 };
        let high = if shift > 2 && word + 1 < W { words[word + 1] << (64 - shift) } else { 0 };
        limbs[i] = (low | high) as i64 & LIMB_MASK;
        i += 1;
    }
    limbs
}

fn to_words<const W: usize, const L: usize>(limbs: &[i64; L]) -> [u64; W] {
    let mut words = [0; W];
    for (i, limb) in limbs.iter().enumerate() {
        let (word, shift) = (i * BATCH as usize / 64, i * BATCH as usize % 64);
        if word < W {
            words[word] |= (*limb as u64) << shift;
        }
        if shift > 2 && word + 1 < W {
            words[word + 1] |= *limb as u64 >> (64 - shift);
        }
    }
    words
}
