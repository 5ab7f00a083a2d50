//! Residues of 1024 bits in Montgomery form, on any processor: the specification of faster backends.
//!
//! A residue a is held as aR mod m with R = 2^1024, in words with the least significant first, always reduced to
//! 0..m-1. No function branches on, or indexes by, the value of a residue.

use core::fmt;
use core::hint::black_box;
use core::marker::PhantomData;

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq, CtOption};
use zeroize::Zeroize;

#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
use super::adx;

#[cfg(target_pointer_width = "64")]
mod word {
    pub(crate) type Word = u64;
    pub(crate) type Double = u128;
}

#[cfg(not(target_pointer_width = "64"))]
mod word {
    pub(crate) type Word = u32;
    pub(crate) type Double = u64;
}

use word::Double;
pub(crate) use word::Word;

/// Words of a residue.
pub(crate) const WORDS: usize = 1024 / Word::BITS as usize;

/// Octets of an encoded residue.
pub(crate) const OCTETS: usize = 128;

pub(crate) type Words = [Word; WORDS];

/// A product of two numbers of [`WORDS`] words.
pub(crate) type DoubleWords = [Word; 2 * WORDS];

/// An odd modulus m below 2^1024 and what Montgomery multiplication needs to know about it.
pub(crate) struct Modulus {
    /// m.
    pub(crate) words: Words,
    /// R mod m: the residue 1.
    one: Words,
    /// R^2 mod m: brings a number into Montgomery form.
    r_squared: Words,
    /// -m^-1 mod 2^`Word::BITS`.
    negative_inverse: Word,
    /// The same for `mulx` and `adx`.
    #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
    pub(crate) adx: adx::Constants,
}

impl Modulus {
    /// A modulus from 256 hexadecimal digits.
    pub(crate) const fn from_hex(hex: &str) -> Self {
        let words = words_from_hex(hex);
        let mut one = [0; WORDS];
        one[0] = 1;
        one = times_two_to_the(1024, one, &words);
        let r_squared = times_two_to_the(1024, one, &words);
        let negative_inverse = inverse_64(&words).wrapping_neg() as Word;
        Self {
            words,
            one,
            r_squared,
            negative_inverse,
            #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
            adx: adx::Constants::new(&words, negative_inverse),
        }
    }

    /// m in words of 64 bits, whatever the processor's have.
    pub(crate) const fn words_64(&self) -> [u64; 16] {
        words_64(&self.words)
    }

    /// m^-1 mod 2^64.
    pub(crate) const fn inverse_64(&self) -> u64 {
        inverse_64(&self.words)
    }
}

/// Which modulus a [`Residue`] is reduced by.
pub(crate) trait ModulusOf: Copy + 'static {
    /// The modulus in 256 hexadecimal digits.
    const HEX: &'static str;
    const MODULUS: Modulus;
}

/// An integer modulo m, in Montgomery form.
#[derive(Clone, Copy)]
pub(crate) struct Residue<M> {
    pub(super) words: Words,
    modulus: PhantomData<M>,
}

impl<M: ModulusOf> Residue<M> {
    pub(crate) const ZERO: Self = Self::from_montgomery([0; WORDS]);
    pub(crate) const ONE: Self = Self::from_montgomery(M::MODULUS.one);
    pub(crate) const TWO_TO_THE_1024: Self = Self::from_montgomery(M::MODULUS.r_squared);

    pub(super) const fn from_montgomery(words: Words) -> Self {
        Self { words, modulus: PhantomData }
    }

    /// A constant from 256 hexadecimal digits, a number below m.
    pub(crate) const fn from_hex(hex: &str) -> Self {
        Self::from_montgomery(multiply(&words_from_hex(hex), &M::MODULUS.r_squared, &M::MODULUS))
    }

    /// Reads 128 octets, big-endian; none if the number is m or above.
    pub(crate) fn from_octets(octets: &[u8; OCTETS]) -> CtOption<Self> {
        let words = words_from_octets(octets);
        let (_, borrow) = subtract_words(&words, &M::MODULUS.words, false);
        CtOption::new(Self::reduced_from_words(&words), Choice::from(u8::from(borrow)))
    }

    /// Reads 128 octets, big-endian, as a number of any size up to 2^1024 - 1, modulo m.
    pub(crate) fn from_octets_reduced(octets: &[u8; OCTETS]) -> Self {
        Self::reduced_from_words(&words_from_octets(octets))
    }

    /// The residue of a number below 2^1024, given as words, least significant first.
    #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
    pub(crate) fn from_words(words: &Words) -> Self {
        Self::reduced_from_words(words)
    }

    /// Any number below 2^1024 modulo m: multiplication by R^2 gives a product below mR, which is all that
    /// Montgomery's reduction asks for.
    fn reduced_from_words(words: &Words) -> Self {
        Self::from_montgomery(*words).multiply(&Self::TWO_TO_THE_1024)
    }

    /// The number in 0..m-1, as 128 octets, big-endian.
    pub(crate) fn to_octets(self) -> [u8; OCTETS] {
        let mut octets = [0; OCTETS];
        for (chunk, word) in octets.rchunks_exact_mut(size_of::<Word>()).zip(self.to_words()) {
            chunk.copy_from_slice(&word.to_be_bytes());
        }
        octets
    }

    /// The number in 0..m-1, as words, least significant first.
    pub(crate) fn to_words(self) -> Words {
        let mut unit = [0; WORDS];
        unit[0] = 1;
        self.multiply(&Self::from_montgomery(unit)).words
    }

    /// The number in 0..m-1, as words of 64 bits, whatever the processor's have.
    pub(crate) fn to_words_64(self) -> [u64; 16] {
        words_64(&self.to_words())
    }

    /// The residue of a number below 2^1024 in words of 64 bits.
    pub(crate) fn from_words_64(words: &[u64; 16]) -> Self {
        Self::reduced_from_words(&words_from_64(words))
    }

    pub(crate) fn add(&self, other: &Self) -> Self {
        Self::from_montgomery(add(&self.words, &other.words, &M::MODULUS.words))
    }

    pub(crate) fn subtract(&self, other: &Self) -> Self {
        Self::from_montgomery(subtract(&self.words, &other.words, &M::MODULUS.words))
    }

    pub(crate) fn negate(&self) -> Self {
        Self::ZERO.subtract(self)
    }

    pub(crate) fn double(&self) -> Self {
        self.add(self)
    }

    pub(crate) fn multiply(&self, other: &Self) -> Self {
        super::product::multiply(self, other)
    }

    pub(crate) fn square(&self) -> Self {
        self.multiply(self)
    }

    pub(crate) fn is_zero(&self) -> Choice {
        self.words.as_slice().ct_eq(Self::ZERO.words.as_slice())
    }
}

impl<M: ModulusOf> ConditionallySelectable for Residue<M> {
    fn conditional_select(a: &Self, b: &Self, choice: Choice) -> Self {
        let mut words = a.words;
        for (word, other) in words.iter_mut().zip(&b.words) {
            word.conditional_assign(other, choice);
        }
        Self::from_montgomery(words)
    }
}

impl<M: ModulusOf> ConstantTimeEq for Residue<M> {
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

/// a + b + carry: the sum and the carry.
const fn add_with_carry(a: Word, b: Word, carry: bool) -> (Word, bool) {
    let (sum, first) = a.overflowing_add(b);
    let (sum, second) = sum.overflowing_add(carry as Word);
    (sum, first | second)
}

/// a - b - borrow: the difference and the borrow.
const fn subtract_with_borrow(a: Word, b: Word, borrow: bool) -> (Word, bool) {
    let (difference, first) = a.overflowing_sub(b);
    let (difference, second) = difference.overflowing_sub(borrow as Word);
    (difference, first | second)
}

/// a + b * c + carry, which fits two words: low and high.
const fn multiply_add(a: Word, b: Word, c: Word, carry: Word) -> (Word, Word) {
    let sum = a as Double + b as Double * c as Double + carry as Double;
    (sum as Word, (sum >> Word::BITS) as Word)
}

/// All ones if the condition holds, else 0, in a form of which the compiler makes no branch.
const fn mask(condition: bool) -> Word {
    black_box((condition as Word).wrapping_neg())
}

/// a - b - borrow modulo R, and the borrow.
#[inline(always)]
pub(super) const fn subtract_words(a: &Words, b: &Words, mut borrow: bool) -> (Words, bool) {
    let mut difference = [0; WORDS];
    let mut i = 0;
    while i < WORDS {
        (difference[i], borrow) = subtract_with_borrow(a[i], b[i], borrow);
        i += 1;
    }
    (difference, borrow)
}

/// a + b + carry modulo R, and the carry.
#[inline(always)]
pub(super) const fn add_words(a: &Words, b: &Words, mut carry: bool) -> (Words, bool) {
    let mut sum = [0; WORDS];
    let mut i = 0;
    while i < WORDS {
        (sum[i], carry) = add_with_carry(a[i], b[i], carry);
        i += 1;
    }
    (sum, carry)
}

/// a if the condition holds, else b.
#[inline(always)]
const fn choose(condition: bool, a: &Words, b: &Words) -> Words {
    let mask = mask(condition);
    let mut chosen = [0; WORDS];
    let mut i = 0;
    while i < WORDS {
        chosen[i] = b[i] ^ ((a[i] ^ b[i]) & mask);
        i += 1;
    }
    chosen
}

/// Brings carry * R + a, a number below 2m, below m.
#[inline(always)]
pub(super) const fn reduce_once(a: &Words, carry: bool, m: &Words) -> Words {
    let (difference, borrow) = subtract_words(a, m, false);
    // Too much was subtracted if the borrow is not covered by the carry.
    choose(borrow & !carry, a, &difference)
}

/// Brings a - borrow * R, a number of -m..m, to 0..m-1.
#[inline(always)]
pub(super) const fn raise_once(a: &Words, borrow: bool, m: &Words) -> Words {
    choose(borrow, &add_words(a, m, false).0, a)
}

const fn add(a: &Words, b: &Words, m: &Words) -> Words {
    let (sum, carry) = add_words(a, b, false);
    reduce_once(&sum, carry, m)
}

const fn subtract(a: &Words, b: &Words, m: &Words) -> Words {
    let (difference, borrow) = subtract_words(a, b, false);
    raise_once(&difference, borrow, m)
}

/// a * b, one word of b at a time.
#[inline]
pub(crate) const fn product(a: &Words, b: &Words) -> DoubleWords {
    let mut t = [0; 2 * WORDS];
    let mut i = 0;
    while i < WORDS {
        let mut carry = 0;
        let mut j = 0;
        while j < WORDS {
            (t[i + j], carry) = multiply_add(t[i + j], a[j], b[i], carry);
            j += 1;
        }
        t[i + WORDS] = carry;
        i += 1;
    }
    t
}

/// t / R mod m, for t < mR: Montgomery's reduction. A multiple of m makes one word after the other 0, the lowest first.
#[inline]
pub(crate) const fn reduce(mut t: DoubleWords, m: &Modulus) -> Words {
    let mut top = false;
    let mut i = 0;
    while i < WORDS {
        let k = t[i].wrapping_mul(m.negative_inverse);
        let (_, mut carry) = multiply_add(t[i], k, m.words[0], 0);
        let mut j = 1;
        while j < WORDS {
            (t[i + j], carry) = multiply_add(t[i + j], k, m.words[j], carry);
            j += 1;
        }
        (t[i + WORDS], top) = add_with_carry(t[i + WORDS], carry, top);
        i += 1;
    }
    let (_, high) = halves(&t);
    reduce_once(high, top, &m.words)
}

/// ab / R mod m, for ab < mR: product and reduction in turns, one word of b at a time, which is a little faster than
/// one after the other. The sum stays below 2m after each word, so that one bit beyond its words is enough.
#[inline]
pub(crate) const fn multiply(a: &Words, b: &Words, m: &Modulus) -> Words {
    let mut t = [0; WORDS];
    let mut top = false;
    let mut i = 0;
    while i < WORDS {
        let mut carry = 0;
        let mut j = 0;
        while j < WORDS {
            (t[j], carry) = multiply_add(t[j], a[j], b[i], carry);
            j += 1;
        }
        let (next, overflow) = add_with_carry(carry, 0, top);

        let k = t[0].wrapping_mul(m.negative_inverse);
        (_, carry) = multiply_add(t[0], k, m.words[0], 0);
        j = 1;
        while j < WORDS {
            (t[j - 1], carry) = multiply_add(t[j], k, m.words[j], carry);
            j += 1;
        }
        (t[WORDS - 1], top) = add_with_carry(next, carry, false);
        top |= overflow;
        i += 1;
    }
    reduce_once(&t, top, &m.words)
}

/// The low half and the high half.
pub(super) const fn halves(words: &DoubleWords) -> (&Words, &Words) {
    let (halves, _) = words.as_chunks();
    (&halves[0], &halves[1])
}

/// a * 2^n mod m, by doubling: for constants.
pub(super) const fn times_two_to_the(n: u32, a: Words, m: &Words) -> Words {
    let mut power = a;
    let mut i = 0;
    while i < n {
        power = add(&power, &power, m);
        i += 1;
    }
    power
}

/// Octets of a word.
const WORD_OCTETS: usize = size_of::<Word>();

/// The same number in words of 64 bits.
const fn words_64(words: &Words) -> [u64; 16] {
    let mut wide = [0; 16];
    let mut i = 0;
    while i < OCTETS {
        let octet = (words[i / WORD_OCTETS] >> (8 * (i % WORD_OCTETS))) as u8;
        wide[i / 8] |= (octet as u64) << (8 * (i % 8));
        i += 1;
    }
    wide
}

/// The same number in words of the processor.
fn words_from_64(wide: &[u64; 16]) -> Words {
    let mut words = [0; WORDS];
    for i in 0..OCTETS {
        let octet = (wide[i / 8] >> (8 * (i % 8))) as u8;
        words[i / WORD_OCTETS] |= Word::from(octet) << (8 * (i % WORD_OCTETS));
    }
    words
}

/// m^-1 mod 2^64 for an odd m.
const fn inverse_64(m: &Words) -> u64 {
    let [low, ..] = words_64(m);
    // Newton's iteration doubles the correct low bits, of which x = 1 has one.
    let (mut inverse, mut correct_bits) = (1u64, 1);
    while correct_bits < u64::BITS {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(low.wrapping_mul(inverse)));
        correct_bits *= 2;
    }
    inverse
}

fn words_from_octets(octets: &[u8; OCTETS]) -> Words {
    let mut words = [0; WORDS];
    for (word, chunk) in words.iter_mut().zip(octets.rchunks_exact(size_of::<Word>())) {
        *word = chunk.iter().fold(0, |value, octet| (value << 8) | Word::from(*octet));
    }
    words
}

pub(super) const fn words_from_hex(hex: &str) -> Words {
    const DIGITS: usize = size_of::<Word>() * 2;
    let digits = hex.as_bytes();
    assert!(digits.len() == 2 * OCTETS, "256 hexadecimal digits");
    let mut words = [0; WORDS];
    let mut i = 0;
    while i < digits.len() {
        let value = match digits[i] {
            digit @ b'0'..=b'9' => digit - b'0',
            digit @ b'a'..=b'f' => digit - b'a' + 10,
            _ => panic!("lower-case hexadecimal digits"),
        };
        let word = &mut words[WORDS - 1 - i / DIGITS];
        *word = (*word << 4) | value as Word;
        i += 1;
    }
    words
}
