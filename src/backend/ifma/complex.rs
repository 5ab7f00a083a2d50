//! One element of F_p^2 in registers, for chains in which each product waits for the one before.
//!
//! Real and imaginary part are multiplied side by side, and the limbs of each lie across the lanes: limb 5k + r of a
//! part is in lane k of its half of register r. So a shift by one limb renames the registers and moves one of them
//! by a lane, and a limb is broadcast within its half. Reduction and bounds are those of the parent module.

use core::arch::x86_64::*;
use core::array::from_fn;

use zeroize::Zeroize;

use super::{BITS, Fp8, K, LANES, LIMBS, Limbs, MASK, NP, P, P8, broadcast, high, is_available, low, words};
use crate::backend::portable::Words;

/// Registers that hold the limbs of both parts.
pub(super) const REGISTERS: usize = LIMBS / 4;

/// Lane 0 of both halves.
const FIRST_LANES: __mmask8 = 0b0001_0001;

/// The half of the real part, and that of the imaginary part.
pub(super) const REAL: __mmask8 = 0b0000_1111;
pub(super) const IMAGINARY: __mmask8 = 0b1111_0000;

pub(super) type Halves = [__m512i; REGISTERS];

/// a + ib, both parts below 2p.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Complex(Halves);

/// 8p, with 2^52 lent to each limb by the next: no limb is below 2^52 - 1, so none of p's is above it.
const P8_LENT: Limbs = {
    let mut lent = P8;
    let mut i = 0;
    while i < LIMBS - 1 {
        lent[i] += 1 << BITS;
        lent[i + 1] -= 1;
        i += 1;
    }
    lent
};

impl Complex {
    /// The parts that one lane of two values holds.
    pub(crate) fn from_lane(real: &Fp8, imaginary: &Fp8, lane: usize) -> Self {
        assert!(is_available(), "AVX-512 IFMA");
        let [real, imaginary] = [real, imaginary].map(|part| part.0.by_limb().map(|limbs| limbs[lane]));
        // SAFETY: the processor has the features.
        unsafe { Self(halves(&real, &imaginary)) }
    }

    /// The numbers of both parts, below 1.26 p.
    pub(crate) fn numbers(&self) -> [Words; 2] {
        let mut unit = [0; LIMBS];
        unit[0] = 1;
        // SAFETY: a value exists; Halves and the array of words are 320 octets without invalid values.
        let lanes = unsafe {
            let numbers = multiply(&self.0, &halves(&unit, &unit));
            core::mem::transmute::<Halves, [[u64; LANES]; REGISTERS]>(numbers)
        };
        [0, 4].map(|half| words(&from_fn(|limb| lanes[limb % REGISTERS][half + limb / REGISTERS])))
    }

    /// (a + ib)^2 = (a + b)(a - b) + i(2a)b.
    pub(crate) fn square(&self) -> Self {
        // SAFETY: a value exists.
        unsafe { Self(square(&self.0)) }
    }

    /// (a + ib)(c + id) = (ac - bd) + i(ad + bc).
    pub(crate) fn multiply(&self, other: &Self) -> Self {
        // SAFETY: a value exists.
        unsafe { Self(multiply_complex(&self.0, &other.0)) }
    }
}

/// A number below 2^1024 to a power modulo p, below 1.26 p. The exponent is public: time and access pattern depend on
/// it. The imaginary half idles; what counts is how soon a product follows on the one before.
pub(crate) fn power_vartime(number: &Words, exponent: &Words) -> Words {
    let zero = Fp8::zero();
    let base = Complex::from_lane(&Fp8::from_numbers(&[*number; LANES]), &zero, 0);
    let one = Complex::from_lane(&Fp8::one(), &zero, 0);
    // SAFETY: values exist.
    let multiply = |a: &Complex, b: &Complex| Complex(unsafe { multiply(&a.0, &b.0) });
    let mut multiples = [one; 16];
    for i in 1..16 {
        multiples[i] = multiply(&multiples[i - 1], &base);
    }
    let mut power = one;
    for digit in exponent.iter().rev().flat_map(|word| (0..16).rev().map(move |digit| word >> (4 * digit) & 15)) {
        for _ in 0..4 {
            power = multiply(&power, &power);
        }
        power = multiply(&power, &multiples[digit as usize]);
    }
    let [result, _] = power.numbers();
    multiples.iter_mut().for_each(Zeroize::zeroize);
    power.zeroize();
    result
}

impl Zeroize for Complex {
    fn zeroize(&mut self) {
        // SAFETY: 40 words that are valid, aligned, and borrowed for as long as this takes.
        let words = unsafe { core::slice::from_raw_parts_mut((&raw mut self.0).cast::<u64>(), REGISTERS * LANES) };
        words.zeroize();
    }
}

#[target_feature(enable = "avx512f")]
pub(super) fn halves(real: &Limbs, imaginary: &Limbs) -> Halves {
    let mut registers = [_mm512_setzero_si512(); REGISTERS];
    let mut r = 0;
    while r < REGISTERS {
        let lane = |part: &Limbs, k: usize| part[k * REGISTERS + r] as i64;
        let [d, c, b, a] = [lane(real, 3), lane(real, 2), lane(real, 1), lane(real, 0)];
        let [h, g, f, e] = [lane(imaginary, 3), lane(imaginary, 2), lane(imaginary, 1), lane(imaginary, 0)];
        registers[r] = _mm512_set_epi64(h, g, f, e, d, c, b, a);
        r += 1;
    }
    registers
}

/// The same constant in both halves.
#[inline]
#[target_feature(enable = "avx512f")]
fn both(limbs: &Limbs) -> Halves {
    halves(limbs, limbs)
}

/// The other half in each half.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn swapped(x: __m512i) -> __m512i {
    _mm512_shuffle_i64x2::<0b01_00_11_10>(x, x)
}

/// Lane k takes lane k + 1 of its half; lane 3 takes zero.
#[inline]
#[target_feature(enable = "avx512f")]
fn down(x: __m512i) -> __m512i {
    _mm512_maskz_permutex_epi64::<0b00_11_10_01>(0b0111_0111, x)
}

#[inline(never)]
#[target_feature(enable = "avx512f,avx512ifma")]
fn square(f: &Halves) -> Halves {
    let p8 = both(&P8_LENT);
    let (mut left, mut right) = (*f, *f);
    for r in 0..REGISTERS {
        let other = swapped(f[r]); // b | a
        let a = _mm512_mask_mov_epi64(f[r], IMAGINARY, other); // a | a
        left[r] = _mm512_add_epi64(a, other); // a + b | 2a
        right[r] = _mm512_mask_add_epi64(f[r], REAL, f[r], _mm512_sub_epi64(p8[r], other)); // a - b | b
    }
    multiply(&carry(left), &carry(right))
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn multiply_complex(f: &Halves, g: &Halves) -> Halves {
    let p8 = both(&P8_LENT);
    let (mut a, mut b, mut swapped_g) = (*f, *f, *g);
    for r in 0..REGISTERS {
        let other = swapped(f[r]);
        a[r] = _mm512_mask_mov_epi64(f[r], IMAGINARY, other); // a | a
        b[r] = _mm512_mask_sub_epi64(f[r], REAL, p8[r], other); // -b | b
        swapped_g[r] = swapped(g[r]); // d | c
    }
    let (one, other) = (multiply(&a, g), multiply(&carry(b), &swapped_g));
    let mut sum = one;
    for r in 0..REGISTERS {
        sum[r] = _mm512_add_epi64(one[r], other[r]);
    }
    carry(sum)
}

/// ab / R in each half.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn multiply(a: &Halves, b: &Halves) -> Halves {
    let zero = _mm512_setzero_si512();
    let (np, p) = (both(&NP), both(&P));
    // Two accumulators, t for ab and s for m NP, so that a step waits for one multiply-add of s only. They lack the
    // high halves of a b_i and m NP, which belong one limb up and are added after the shift.
    let (mut t, mut s) = ([zero; REGISTERS], [zero; REGISTERS]);
    let (mut m, mut b_i) = (zero, _mm512_permutex_epi64::<0>(b[0]));
    for j in 0..REGISTERS {
        t[j] = low(zero, a[j], b_i);
    }
    let mut lowest = t[0];
    // Reduction by one limb, then the next limb of b, which is limb 5k + r.
    macro_rules! step { ($k:literal: $($r:literal)*) => { $(
        let next_b = _mm512_permutex_epi64::<{ 0b01_01_01_01 * $k }>(b[$r]);
        let next_m = _mm512_permutex_epi64::<0>(lowest);
        let over = _mm512_maskz_srli_epi64::<52>(FIRST_LANES, lowest);
        t = [t[1], t[2], t[3], t[4], down(lowest)];
        s = [s[1], s[2], s[3], s[4], zero];
        for j in 0..REGISTERS {
            t[j] = low(high(t[j], a[j], b_i), a[j], next_b);
            s[j] = low(high(s[j], m, np[j]), next_m, np[j]);
        }
        lowest = _mm512_add_epi64(s[0], _mm512_add_epi64(t[0], over));
        (m, b_i) = (next_m, next_b);
    )* } }
    step!(0: 1 2 3 4);
    step!(1: 0 1 2 3 4);
    step!(2: 0 1 2 3 4);
    step!(3: 0 1 2 3 4);
    // The last step, with p itself.
    let q = _mm512_permutex_epi64::<0>(low(zero, lowest, broadcast(K)));
    lowest = low(lowest, q, p[0]);
    for j in 1..REGISTERS {
        s[j] = low(s[j], q, p[j]);
    }
    let over = _mm512_maskz_srli_epi64::<52>(FIRST_LANES, lowest);
    t = [_mm512_add_epi64(t[1], over), t[2], t[3], t[4], down(lowest)];
    s = [s[1], s[2], s[3], s[4], zero];
    for j in 0..REGISTERS {
        s[j] = high(high(s[j], m, np[j]), q, p[j]);
        t[j] = _mm512_add_epi64(high(t[j], a[j], b_i), s[j]);
    }
    carry(t)
}

/// Limbs below 2^52 from columns in 0..2^63; the value must be below 2^1040.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn carry(mut t: Halves) -> Halves {
    let most = broadcast(MASK);
    // Within the lanes, then from each lane into the first limb of the next.
    for r in 0..REGISTERS {
        let mut over = _mm512_srli_epi64::<52>(t[r]);
        t[r] = _mm512_and_si512(t[r], most);
        if r == REGISTERS - 1 {
            over = _mm512_maskz_permutex_epi64::<0b10_01_00_00>(!FIRST_LANES, over);
        }
        t[(r + 1) % REGISTERS] = _mm512_add_epi64(t[(r + 1) % REGISTERS], over);
    }
    // All carries left are 0 or 1, and start from t[0]. Bit k of a mask is lane k; lane 3 carries nothing out. The sum
    // of two masks carries from lane to lane as the limbs do.
    let mut full = [0; REGISTERS];
    for r in 0..REGISTERS {
        full[r] = _mm512_cmpeq_epu64_mask(t[r], most);
    }
    let over = _mm512_cmpgt_epu64_mask(t[0], most);
    let run = full[1] & full[2] & full[3] & full[4] & 0b0111_0111;
    let (generate, propagate) = (over & run, full[0] & run);
    let mut carried = (2 * generate + propagate) ^ propagate;
    for r in 0..REGISTERS {
        t[r] = _mm512_and_si512(_mm512_mask_add_epi64(t[r], carried, t[r], broadcast(1)), most);
        carried = if r == 0 { over | carried & full[0] } else { carried & full[r] };
    }
    t
}
