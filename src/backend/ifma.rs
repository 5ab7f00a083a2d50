//! Arithmetic modulo p in AVX-512 IFMA: eight elements side by side, in limbs of 52 bits, in Montgomery form with
//! R = 2^1040.
//!
//! # Reduction
//!
//! With K = -1/p mod 2^52 and NP = (Kp + 1) / 2^52, one step of Montgomery's reduction is
//!
//! ```text
//! t -> (t + (t mod 2^52) Kp) / 2^52 = floor(t / 2^52) + (t mod 2^52) NP
//! ```
//!
//! so that the quotient digit is the low limb itself. It costs nothing, and as multiply-adds read 52 bits only it need
//! not even be masked. Such a step leaves t below 2^1077 instead of 2^1041; the last of the 20 steps is therefore the
//! classic one, with p and a multiplication by K.
//!
//! # Bounds
//!
//! p is 0.5995 * 2^1024. Limbs are below 2^52, so a value is below 2^1040 = 109,312 p. A sum T of products gives
//! T / 2^1040 + (1 + K / 2^52) p < T / 2^1040 + 1.258 p at most, which is below 2p as long as T <= 81,000 p^2. A sum
//! is made of n values, each below 2p or, where subtracted, counted as 8p; so nm <= 800 for all products together keeps
//! T below 800 * (10p)^2. Columns take at most 8 terms below 2^52 in each of 20 steps, less than 2^60.
//!
//! # Safety
//!
//! Every function with a target feature is called from a method of [`Fp8`], [`Sum8`], [`Complex`] or [`Pair`]. Their
//! constructors make sure that the processor has the features, so that a value is the proof.

mod complex;
mod madd;
mod pair;
mod transpose;

use core::arch::x86_64::*;
use core::fmt;
use core::hint::black_box;

use zeroize::Zeroize;

use super::P as P_HEX;
use super::portable::{WORDS, Words, times_two_to_the, words_from_hex};

pub(crate) use complex::{Complex, power_vartime};
use madd::{high, low};
pub(crate) use pair::Pair;

cpufeatures::new!(detected, "avx512f", "avx512ifma");

/// Whether processor and operating system have AVX-512 IFMA. Miri has it if it compiles for it.
pub(crate) fn is_available() -> bool {
    detected::get()
}

/// How many elements are side by side.
pub(crate) const LANES: usize = 8;

/// Limbs of an element.
const LIMBS: usize = 20;

/// Bits of a limb.
const BITS: usize = 52;

pub(crate) type Limbs = [u64; LIMBS];

const MASK: u64 = (1 << BITS) - 1;

const P: Limbs = limbs(&words_from_hex(P_HEX));

/// -1/p mod 2^52.
const K: u64 = {
    // Newton's iteration doubles the correct low bits, of which x = 1 has one.
    let (mut inverse, mut correct_bits) = (1u64, 1);
    while correct_bits < BITS {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(P[0].wrapping_mul(inverse)));
        correct_bits *= 2;
    }
    inverse.wrapping_neg() & MASK
};

/// (Kp + 1) / 2^52.
const NP: Limbs = {
    let mut product = [0; LIMBS];
    let mut carry = 1u128;
    let mut i = 0;
    while i < LIMBS {
        carry += K as u128 * P[i] as u128;
        if i > 0 {
            product[i - 1] = carry as u64 & MASK;
        }
        carry >>= BITS;
        i += 1;
    }
    product[LIMBS - 1] = carry as u64;
    product
};

/// 8p.
const P8: Limbs = {
    let mut product = [0; LIMBS];
    let mut carry = 0;
    let mut i = 0;
    while i < LIMBS {
        carry += 8 * P[i];
        product[i] = carry & MASK;
        carry >>= BITS;
        i += 1;
    }
    product
};

/// R mod p: the element 1.
const ONE: Limbs = limbs(&power_of_two(1_040));

/// p - (R mod p): the element -1.
const MINUS_ONE: Limbs = difference(&P, &ONE);

/// R^2 mod p: brings a number into Montgomery form.
const R_SQUARED: Limbs = limbs(&power_of_two(2_080));

const fn power_of_two(exponent: u32) -> Words {
    let mut one = [0; WORDS];
    one[0] = 1;
    times_two_to_the(exponent, one, &words_from_hex(P_HEX))
}

/// A number below 2^1024 in limbs.
const fn limbs(words: &Words) -> Limbs {
    let mut limbs = [0; LIMBS];
    let mut i = 0;
    while i < LIMBS {
        let (word, shift) = (i * BITS / 64, i * BITS % 64);
        let low = words[word] >> shift;
        let high = if shift > 64 - BITS && word + 1 < WORDS { words[word + 1] << (64 - shift) } else { 0 };
        limbs[i] = (low | high) & MASK;
        i += 1;
    }
    limbs
}

/// a - b for a above b.
const fn difference(a: &Limbs, b: &Limbs) -> Limbs {
    let mut difference = [0; LIMBS];
    let mut borrow = 0;
    let mut i = 0;
    while i < LIMBS {
        let limb = a[i].wrapping_sub(b[i] + borrow);
        difference[i] = limb & MASK;
        borrow = limb >> 63;
        i += 1;
    }
    difference
}

/// The number that limbs say, modulo 2^1024.
fn words(limbs: &Limbs) -> Words {
    let mut words = [0; WORDS];
    for (i, limb) in limbs.iter().enumerate() {
        let (word, shift) = (i * BITS / 64, i * BITS % 64);
        words[word] |= limb << shift;
        if shift > 64 - BITS && word + 1 < WORDS {
            words[word + 1] |= limb >> (64 - shift);
        }
    }
    words
}

/// Repeats a block for each limb, J being a constant: only fully unrolled are the limbs in registers, and LLVM unrolls
/// loops of this size at opt-level 3 only.
macro_rules! each_limb {
    ($j:ident => $body:block) => { each_limb!($j => $body 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19) };
    ($j:ident => $body:block $($n:literal)*) => { $({ const $j: usize = $n; $body })* };
}

/// Limb j of all elements in register j, element i in lane i; limbs below 2^52.
type Registers = [__m512i; LIMBS];

/// Eight elements, each below 2p.
#[derive(Clone, Copy)]
pub(crate) struct Fp8(Sum8);

/// Eight sums of elements, as the bounds allow them.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Sum8(Registers);

impl Fp8 {
    /// The same limbs in all lanes.
    fn constant(limbs: &Limbs) -> Self {
        assert!(is_available(), "AVX-512 IFMA");
        // SAFETY: the processor has the features.
        unsafe { Self(Sum8(broadcast_limbs(limbs))) }
    }

    pub(crate) fn zero() -> Self {
        Self::constant(&[0; LIMBS])
    }

    pub(crate) fn one() -> Self {
        Self::constant(&ONE)
    }

    pub(crate) fn minus_one() -> Self {
        Self::constant(&MINUS_ONE)
    }

    /// Eight numbers below 2^1024.
    pub(crate) fn from_numbers(numbers: &[Words; LANES]) -> Self {
        let r_squared = Self::constant(&R_SQUARED);
        let elements = numbers.each_ref().map(limbs);
        let by_limb: [[u64; LANES]; LIMBS] = core::array::from_fn(|limb| elements.each_ref().map(|limbs| limbs[limb]));
        // SAFETY: both are 1,280 octets without invalid values.
        let registers = unsafe { core::mem::transmute::<[[u64; LANES]; LIMBS], Registers>(by_limb) };
        Sum8(registers).multiply(&r_squared.0)
    }

    /// The number in a lane, below 1.26 p.
    pub(crate) fn number(&self, lane: usize) -> Words {
        let mut unit = [0; LIMBS];
        unit[0] = 1;
        let numbers = self.0.multiply(&Self::constant(&unit).0);
        words(&numbers.0.by_limb().map(|limbs| limbs[lane]))
    }

    /// Lane i takes lane i + `by`, modulo 8.
    pub(crate) fn rotate(&self, by: usize) -> Self {
        self.permute(core::array::from_fn(|lane| (lane + by) as u64))
    }

    fn permute(&self, from: [u64; LANES]) -> Self {
        // SAFETY: a value exists.
        unsafe { Self(Sum8(permute(&self.0.0, from))) }
    }

    pub(crate) const fn as_sum(&self) -> &Sum8 {
        &self.0
    }

    pub(crate) fn select<const N: usize>(entries: &[Self; N], masks: &[u8; N], default: &Self) -> Self {
        // SAFETY: a value exists.
        unsafe { Self(Sum8(select(entries, masks, &default.0.0))) }
    }
}

impl Sum8 {
    pub(crate) fn add(&self, other: &Self) -> Self {
        // SAFETY: a value exists.
        unsafe { Self(add(&self.0, &other.0)) }
    }

    pub(crate) fn subtract(&self, other: &Fp8) -> Self {
        // SAFETY: a value exists.
        unsafe { Self(subtract(&self.0, &other.0.0)) }
    }

    pub(crate) fn multiply(&self, other: &Self) -> Fp8 {
        // SAFETY: a value exists.
        unsafe { Fp8(Self(multiply(&self.0, &other.0))) }
    }

    /// ab + cd.
    pub(crate) fn multiply_add(a: &Self, b: &Self, c: &Self, d: &Self) -> Fp8 {
        // SAFETY: a value exists.
        unsafe { Fp8(Self(multiply_add(&a.0, &b.0, &c.0, &d.0))) }
    }

    pub(crate) fn sum_of_products(pairs: [(&Self, &Self); 3]) -> Fp8 {
        // SAFETY: a value exists.
        unsafe { Fp8(Self(sum_of_three_products(pairs.map(|(a, b)| (&a.0, &b.0))))) }
    }

    /// In each lane of the mask `set`, in others `unset`.
    pub(crate) fn choose(mask: u8, set: &Self, unset: &Self) -> Self {
        // SAFETY: a value exists.
        unsafe { Self(choose(mask, &set.0, &unset.0)) }
    }

    /// All lanes take one lane.
    pub(crate) fn spread(&self, lane: usize) -> Self {
        // SAFETY: a value exists.
        unsafe { Self(permute(&self.0, [lane as u64; LANES])) }
    }

    /// Writes limbs below 2^52 into one lane.
    pub(crate) fn set_lane(&mut self, lane: usize, limbs: &Limbs) {
        // SAFETY: both are 1,280 octets without invalid values, borrowed for as long as this takes.
        let by_limb = unsafe { &mut *(&raw mut self.0).cast::<[[u64; LANES]; LIMBS]>() };
        for (lanes, limb) in by_limb.iter_mut().zip(limbs) {
            lanes[lane] = *limb;
        }
    }

    fn by_limb(&self) -> [[u64; LANES]; LIMBS] {
        // SAFETY: both are 1,280 octets without invalid values.
        unsafe { core::mem::transmute::<Registers, [[u64; LANES]; LIMBS]>(self.0) }
    }
}

/// The lanes in which an octet has the given value.
pub(crate) fn equal(octets: &[u8; LANES], value: u8) -> u8 {
    // Arithmetic on one word: an octet of `difference` is 0 where the octets are equal.
    const LOW: u64 = 0x0101_0101_0101_0101;
    let difference = u64::from_le_bytes(*octets) ^ (u64::from(value) * LOW);
    // Bit 7 of each octet: whether it is not 0. Then the eight bits into one octet.
    let not_zero = (((difference & (0x7f * LOW)) + 0x7f * LOW) | difference) & (0x80 * LOW);
    let bits = (not_zero >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    !(bits as u8)
}

impl Zeroize for Fp8 {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

impl Zeroize for Sum8 {
    fn zeroize(&mut self) {
        // SAFETY: 160 words that are valid, aligned, and borrowed for as long as this takes.
        let words = unsafe { core::slice::from_raw_parts_mut((&raw mut self.0).cast::<u64>(), LIMBS * LANES) };
        words.zeroize();
    }
}

impl fmt::Debug for Sum8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sum8")
    }
}

impl fmt::Debug for Fp8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fp8")
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn broadcast(x: u64) -> __m512i {
    _mm512_set1_epi64(x as i64)
}

#[target_feature(enable = "avx512f")]
fn broadcast_limbs(limbs: &Limbs) -> Registers {
    let mut registers = [_mm512_setzero_si512(); LIMBS];
    each_limb!(J => {
        registers[J] = broadcast(limbs[J]);
    });
    registers
}

/// t += ab, with b one limb.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn multiply_limb(t: &mut [__m512i; LIMBS + 1], a: &Registers, b: __m512i) {
    each_limb!(J => {
        t[J] = low(t[J], a[J], b);
        t[J + 1] = high(t[J + 1], a[J], b);
    });
}

/// One step of reduction: t = floor(t / 2^52) + (t mod 2^52) NP.
// The shift is part of the low products: a loop of its own becomes a memmove, and keeps t in memory.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn reduce_step(t: &mut [__m512i; LIMBS + 1]) {
    let m = t[0];
    t[1] = _mm512_add_epi64(t[1], _mm512_srli_epi64::<52>(m));
    each_limb!(J => {
        t[J] = low(t[J + 1], m, broadcast(NP[J]));
    });
    t[LIMBS] = _mm512_setzero_si512();
    each_limb!(J => {
        t[J + 1] = high(t[J + 1], m, broadcast(NP[J]));
    });
}

/// The last step of reduction, with p itself, and the carries.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn reduce_last(mut t: [__m512i; LIMBS + 1]) -> Registers {
    let m = low(_mm512_setzero_si512(), t[0], broadcast(K));
    each_limb!(J => {
        t[J] = low(t[J], m, broadcast(P[J]));
        t[J + 1] = high(t[J + 1], m, broadcast(P[J]));
    });
    t[1] = _mm512_add_epi64(t[1], _mm512_srli_epi64::<52>(t[0]));
    let [_, t @ ..] = t;
    carry(t)
}

/// Limbs below 2^52 from signed columns.
#[inline]
#[target_feature(enable = "avx512f")]
fn carry(mut t: Registers) -> Registers {
    let mask = broadcast(MASK);
    // All limbs but the last.
    each_limb!(J => {
        t[J + 1] = _mm512_add_epi64(t[J + 1], _mm512_srai_epi64::<52>(t[J]));
        t[J] = _mm512_and_si512(t[J], mask);
    } 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18);
    t
}

/// The sum of the products of all pairs, divided by R, with one reduction.
// Without black_box the limbs of a are loaded before the loop, and spilled. Only speed depends on it.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn sum_of_products<const N: usize>(pairs: [(&Registers, &Registers); N]) -> Registers {
    let mut t = [_mm512_setzero_si512(); LIMBS + 1];
    for i in 0..LIMBS - 1 {
        for (a, b) in pairs {
            multiply_limb(&mut t, black_box(a), b[i]);
        }
        reduce_step(&mut t);
    }
    for (a, b) in pairs {
        multiply_limb(&mut t, a, b[LIMBS - 1]);
    }
    reduce_last(t)
}

#[inline(never)]
#[target_feature(enable = "avx512f,avx512ifma")]
fn multiply(a: &Registers, b: &Registers) -> Registers {
    sum_of_products([(a, b)])
}

#[inline(never)]
#[target_feature(enable = "avx512f,avx512ifma")]
fn multiply_add(a: &Registers, b: &Registers, c: &Registers, d: &Registers) -> Registers {
    sum_of_products([(a, b), (c, d)])
}

#[inline(never)]
#[target_feature(enable = "avx512f,avx512ifma")]
fn sum_of_three_products(pairs: [(&Registers, &Registers); 3]) -> Registers {
    sum_of_products(pairs)
}

#[inline(never)]
#[target_feature(enable = "avx512f")]
fn add(a: &Registers, b: &Registers) -> Registers {
    let mut t = *a;
    each_limb!(J => {
        t[J] = _mm512_add_epi64(t[J], b[J]);
    });
    carry(t)
}

/// a - b + 8p, for b at most 8p.
#[inline(never)]
#[target_feature(enable = "avx512f")]
fn subtract(a: &Registers, b: &Registers) -> Registers {
    let mut t = *a;
    each_limb!(J => {
        t[J] = _mm512_add_epi64(t[J], _mm512_sub_epi64(broadcast(P8[J]), b[J]));
    });
    carry(t)
}

/// Lane i takes lane `from`\[i\], modulo 8.
#[target_feature(enable = "avx512f")]
fn permute(a: &Registers, from: [u64; LANES]) -> Registers {
    let [f0, f1, f2, f3, f4, f5, f6, f7] = from.map(|lane| lane as i64);
    let lanes = _mm512_set_epi64(f7, f6, f5, f4, f3, f2, f1, f0);
    let mut t = *a;
    each_limb!(J => {
        t[J] = _mm512_permutexvar_epi64(lanes, t[J]);
    });
    t
}

#[inline(never)]
#[target_feature(enable = "avx512f")]
fn select<const N: usize>(entries: &[Fp8; N], masks: &[u8; N], default: &Registers) -> Registers {
    let mut t = *default;
    for i in 0..N {
        each_limb!(J => {
            t[J] = _mm512_mask_mov_epi64(t[J], masks[i], entries[i].0.0[J]);
        });
    }
    t
}

#[target_feature(enable = "avx512f")]
fn choose(mask: u8, set: &Registers, unset: &Registers) -> Registers {
    let mut t = *unset;
    each_limb!(J => {
        t[J] = _mm512_mask_mov_epi64(t[J], mask, set[J]);
    });
    t
}
