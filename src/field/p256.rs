//! The two prime fields of P-256: coordinates modulo p, and integers modulo q, the order of the group.
//!
//! A residue a is held as aR mod m with R = 2^256, in four words with the least significant first, always reduced to
//! 0..m-1. No function branches on, or indexes by, the value of a residue.
//!
//! Multiplications are calls: inlined into a formula they are no faster, for want of registers.
//!
//! Modulo q speed hardly matters and Montgomery's reduction is the textbook's. Modulo p it decides: p is
//! -1 mod 2^64 and has few non-zero bits in signed form, so that the reduction needs no multiplication.

#[cfg(test)]
mod tests;
mod words;

use core::fmt;
use core::marker::PhantomData;

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq, CtOption};
use zeroize::Zeroize;

use super::inversion::Inverter;
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
use crate::backend::p256_adx;
use words::{
    Product, Words, add_with_carry, add_words, masked, multiply_add, product, selected, square, subtract_words,
};

/// Octets of an encoded residue.
pub(crate) const OCTETS: usize = 32;

/// A prime modulus m, 2^255 < m < 2^256, and what is derived from it.
pub(crate) struct Modulus {
    words: Words,
    /// R mod m: the residue 1.
    one: Words,
    /// R^2 mod m: brings a number into Montgomery form.
    r_squared: Words,
    /// R^3 mod m: does so twice, as an inverse needs.
    r_cubed: Words,
    /// -m^-1 mod 2^64.
    negative_inverse: u64,
    inverter: Inverter<4, 5>,
}

impl Modulus {
    const fn new(words: Words) -> Self {
        let mut one = [1, 0, 0, 0];
        let mut r_squared = one;
        let mut i = 0;
        while i < 512 {
            r_squared = add(&r_squared, &r_squared, &words);
            i += 1;
            if i == 256 {
                one = r_squared;
            }
        }
        // Newton's iteration doubles the correct low bits, of which x = 1 has one.
        let mut inverse: u64 = 1;
        let mut correct_bits = 1;
        while correct_bits < u64::BITS {
            inverse = inverse.wrapping_mul(2u64.wrapping_sub(words[0].wrapping_mul(inverse)));
            correct_bits *= 2;
        }
        let negative_inverse = inverse.wrapping_neg();
        let r_cubed = reduce(product(&r_squared, &r_squared), &words, negative_inverse);
        Self { words, one, r_squared, r_cubed, negative_inverse, inverter: Inverter::new(&words, inverse) }
    }
}

/// Which modulus a [`Residue`] is reduced by.
pub(crate) trait ModulusOf: Copy + 'static {
    const MODULUS: Modulus;

    /// t / R mod m, for t < mR.
    fn reduce(t: Product) -> Words {
        reduce(t, &Self::MODULUS.words, Self::MODULUS.negative_inverse)
    }

    /// ab / R mod m.
    #[inline(always)]
    fn multiply(a: &Words, b: &Words) -> Words {
        Self::reduce(product(a, b))
    }

    /// a^2 / R mod m.
    #[inline(always)]
    fn square(a: &Words) -> Words {
        Self::reduce(square(a))
    }

    /// (ab - cd) / R mod m.
    #[inline(always)]
    fn difference_of_products([a, b]: [&Words; 2], [c, d]: [&Words; 2]) -> Words {
        Self::reduce(difference(product(a, b), product(c, d), &Self::MODULUS.words))
    }
}

/// The prime q = 2^256 - 2^224 + 2^192 - 0x4319055258e8617b0c46353d039cdaaf, the order of G (RFC 6507, appendix A).
#[derive(Clone, Copy)]
pub(crate) struct Q;

impl ModulusOf for Q {
    const MODULUS: Modulus =
        Modulus::new([0xf3b9_cac2_fc63_2551, 0xbce6_faad_a717_9e84, 0xffff_ffff_ffff_ffff, 0xffff_ffff_0000_0000]);
}

/// The prime p = 2^256 - 2^224 + 2^192 + 2^96 - 1 (RFC 6507, appendix A).
#[derive(Clone, Copy)]
pub(crate) struct P;

impl ModulusOf for P {
    const MODULUS: Modulus = Modulus::new([0xffff_ffff_ffff_ffff, 0xffff_ffff, 0, 0xffff_ffff_0000_0001]);

    /// A step clears the lowest word k by adding kp, for -p^-1 = 1 mod 2^64, and drops it. With t = k + 2^64 u that
    /// leaves (t + kp) / 2^64 = u + 2^32 k + 2^128 (2^64 - 2^32 + 1) k.
    ///
    /// The lower half of t goes through four steps on its own. Being below 2^256 before a step, it is at most
    /// (2^256 - 1 + (2^64 - 1)p) / 2^64 < p + 2^160 < 2^256 after. In the end it is (lower + np) / R with
    /// lower, n < R, hence at most p. The upper half is below p, and the sum of both below 2p.
    #[inline(always)]
    fn reduce(t: Product) -> Words {
        let [mut t0, mut t1, mut t2, mut t3, upper @ ..] = t;
        for _ in 0..4 {
            let k = t0;
            let (k_low, k_high) = multiply_add(0, k, 0xffff_ffff_0000_0001, 0);
            let carry;
            (t0, carry) = add_with_carry(t1, k << 32, false);
            let (sum, carry) = add_with_carry(t2, k >> 32, carry);
            t1 = sum;
            let (sum, carry) = add_with_carry(t3, k_low, carry);
            t2 = sum;
            t3 = k_high + carry as u64;
        }
        add(&[t0, t1, t2, t3], &upper, &Self::MODULUS.words)
    }

    #[inline(always)]
    fn multiply(a: &Words, b: &Words) -> Words {
        #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
        if let Some(adx) = p256_adx::in_use() {
            return adx.p256_reduce(adx.p256_product(a, b));
        }
        Self::reduce(product(a, b))
    }

    #[inline(always)]
    fn square(a: &Words) -> Words {
        #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
        if let Some(adx) = p256_adx::in_use() {
            return adx.p256_reduce(adx.p256_square(a));
        }
        Self::reduce(square(a))
    }

    #[inline(always)]
    fn difference_of_products([a, b]: [&Words; 2], [c, d]: [&Words; 2]) -> Words {
        let m = &Self::MODULUS.words;
        #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
        if let Some(adx) = p256_adx::in_use() {
            return adx.p256_reduce(difference(adx.p256_product(a, b), adx.p256_product(c, d), m));
        }
        Self::reduce(difference(product(a, b), product(c, d), m))
    }
}

/// An integer modulo m, in Montgomery form.
#[derive(Clone, Copy)]
pub(crate) struct Residue<M> {
    words: Words,
    modulus: PhantomData<M>,
}

/// A coordinate: an element of F_p.
pub(crate) type Coordinate = Residue<P>;

/// An integer modulo q.
pub(crate) type Integer = Residue<Q>;

impl<M: ModulusOf> Residue<M> {
    pub(crate) const ZERO: Self = Self::from_montgomery([0; 4]);
    pub(crate) const ONE: Self = Self::from_montgomery(M::MODULUS.one);

    const fn from_montgomery(words: Words) -> Self {
        Self { words, modulus: PhantomData }
    }

    /// A constant, from a number below m in words with the most significant first, as it is printed.
    pub(crate) const fn from_printed(number: [u64; 4]) -> Self {
        let [w3, w2, w1, w0] = number;
        let t = product(&[w0, w1, w2, w3], &M::MODULUS.r_squared);
        Self::from_montgomery(reduce(t, &M::MODULUS.words, M::MODULUS.negative_inverse))
    }

    /// Reads 32 octets, big-endian; none if the number is m or above.
    pub(crate) fn from_octets(octets: &[u8; OCTETS]) -> CtOption<Self> {
        let (_, below_m) = subtract_words(&words::from_octets(octets), &M::MODULUS.words, false);
        CtOption::new(Self::from_octets_reduced(octets), Choice::from(below_m as u8))
    }

    /// Reads 32 octets, big-endian, modulo m: the product of any number below R and R^2 mod m is below mR.
    pub(crate) fn from_octets_reduced(octets: &[u8; OCTETS]) -> Self {
        Self::from_montgomery(M::reduce(product(&words::from_octets(octets), &M::MODULUS.r_squared)))
    }

    /// The number in 0..m-1, as 32 octets, big-endian.
    pub(crate) fn to_octets(self) -> [u8; OCTETS] {
        words::to_octets(&self.to_words())
    }

    /// The number in 0..m-1, as words, least significant first.
    pub(crate) fn to_words(self) -> Words {
        let [w0, w1, w2, w3] = self.words;
        M::reduce([w0, w1, w2, w3, 0, 0, 0, 0])
    }

    #[inline(always)]
    pub(crate) fn add(&self, other: &Self) -> Self {
        Self::from_montgomery(add(&self.words, &other.words, &M::MODULUS.words))
    }

    #[inline(always)]
    pub(crate) fn subtract(&self, other: &Self) -> Self {
        let (difference, borrow) = subtract_words(&self.words, &other.words, false);
        Self::from_montgomery(add_words(&difference, &masked(&M::MODULUS.words, borrow)).0)
    }

    #[inline(always)]
    pub(crate) fn negate(&self) -> Self {
        Self::ZERO.subtract(self)
    }

    #[inline(always)]
    pub(crate) fn double(&self) -> Self {
        self.add(self)
    }

    /// self / 2: of self and self + m, which is even.
    #[inline(always)]
    pub(crate) fn halve(&self) -> Self {
        let odd = self.words[0] & 1 == 1;
        let ([w0, w1, w2, w3], carry) = add_words(&self.words, &masked(&M::MODULUS.words, odd));
        let halved = [(w1 << 63) | (w0 >> 1), (w2 << 63) | (w1 >> 1), (w3 << 63) | (w2 >> 1)];
        Self::from_montgomery([halved[0], halved[1], halved[2], ((carry as u64) << 63) | (w3 >> 1)])
    }

    #[inline(never)]
    pub(crate) fn multiply(&self, other: &Self) -> Self {
        Self::from_montgomery(M::multiply(&self.words, &other.words))
    }

    /// ab - cd, with one reduction for both products.
    #[inline(never)]
    pub(crate) fn difference_of_products(a: &Self, b: &Self, c: &Self, d: &Self) -> Self {
        Self::from_montgomery(M::difference_of_products([&a.words, &b.words], [&c.words, &d.words]))
    }

    #[inline(never)]
    pub(crate) fn square(&self) -> Self {
        Self::from_montgomery(M::square(&self.words))
    }

    /// The inverse, in constant time; none for 0.
    pub(crate) fn invert(&self) -> CtOption<Self> {
        let inverse = M::MODULUS.inverter.invert(&self.words);
        // (aR)^-1 R^3 / R = a^-1 R.
        let inverse = Self::from_montgomery(M::reduce(product(&inverse, &M::MODULUS.r_cubed)));
        CtOption::new(inverse, !self.is_zero())
    }

    /// The inverse of a public residue; 0 for 0.
    pub(crate) fn invert_vartime(&self) -> Self {
        let inverse = M::MODULUS.inverter.invert_vartime(&self.words);
        Self::from_montgomery(M::reduce(product(&inverse, &M::MODULUS.r_cubed)))
    }

    pub(crate) fn is_zero(&self) -> Choice {
        self.ct_eq(&Self::ZERO)
    }

    /// Whether this is 0, where that is public.
    pub(crate) fn is_zero_vartime(&self) -> bool {
        self.words == [0; 4]
    }
}

impl<M> Residue<M> {
    /// Replaces self by `other` where the mask is all ones, and keeps it where the mask is 0.
    #[inline(always)]
    pub(crate) fn assign_masked(&mut self, other: &Self, mask: u64) {
        self.words = selected(&self.words, &other.words, mask);
    }
}

impl<M> ConditionallySelectable for Residue<M>
where
    Self: Copy,
{
    fn conditional_select(a: &Self, b: &Self, choice: Choice) -> Self {
        let mut selected = *a;
        selected.assign_masked(b, u64::from(choice.unwrap_u8()).wrapping_neg());
        selected
    }
}

impl<M> ConstantTimeEq for Residue<M> {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.words.as_slice().ct_eq(other.words.as_slice())
    }
}

impl<M> Zeroize for Residue<M> {
    fn zeroize(&mut self) {
        self.words.zeroize();
    }
}

impl<M> fmt::Debug for Residue<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Residue")
    }
}

/// a + b mod m, for b below m and a sum below 2m.
///
/// Both candidates, a + b and a + (b - m), are sums of their own: where a comes last, the way from it is short.
#[inline(always)]
const fn add(a: &Words, b: &Words, m: &Words) -> Words {
    let (b_minus_m, _) = subtract_words(b, m, false);
    let (sum, _) = add_words(a, b);
    let (reduced, not_negative) = add_words(a, &b_minus_m);
    selected(&sum, &reduced, (not_negative as u64).wrapping_neg())
}

/// t - u for both below mR; if negative, plus mR, which leaves it below mR.
#[inline(always)]
fn difference(t: Product, u: Product, m: &Words) -> Product {
    let [t0, t1, t2, t3, t_upper @ ..] = t;
    let [u0, u1, u2, u3, u_upper @ ..] = u;
    let ([d0, d1, d2, d3], borrow) = subtract_words(&[t0, t1, t2, t3], &[u0, u1, u2, u3], false);
    let (upper, borrow) = subtract_words(&t_upper, &u_upper, borrow);
    let ([d4, d5, d6, d7], _) = add_words(&upper, &masked(m, borrow));
    [d0, d1, d2, d3, d4, d5, d6, d7]
}

/// Brings carry * R + a, a number below 2m, below m.
#[inline(always)]
const fn reduce_once(a: &Words, carry: bool, m: &Words) -> Words {
    let (difference, borrow) = subtract_words(a, m, false);
    // Too much was subtracted if the borrow is not covered by the carry.
    selected(&difference, a, ((borrow & !carry) as u64).wrapping_neg())
}

/// t / R mod m, for t < mR: Montgomery's reduction, with -m^-1 mod 2^64.
const fn reduce(mut t: Product, m: &Words, negative_inverse: u64) -> Words {
    // The carry out of word i + 4, to go into the next one.
    let mut top = false;
    let mut i = 0;
    while i < 4 {
        let k = t[i].wrapping_mul(negative_inverse);
        let mut carry = 0;
        let mut j = 0;
        while j < 4 {
            (t[i + j], carry) = multiply_add(t[i + j], k, m[j], carry);
            j += 1;
        }
        (t[i + 4], top) = add_with_carry(t[i + 4], carry, top);
        i += 1;
    }
    reduce_once(&[t[4], t[5], t[6], t[7]], top, m)
}
