//! Numbers of four and eight 64-bit words, least significant first.

pub(super) type Words = [u64; 4];
pub(super) type Product = [u64; 8];

/// a + b + carry: the sum and the carry.
#[inline(always)]
pub(super) const fn add_with_carry(a: u64, b: u64, carry: bool) -> (u64, bool) {
    let (sum, first) = a.overflowing_add(b);
    let (sum, second) = sum.overflowing_add(carry as u64);
    (sum, first | second)
}

/// a - b - borrow: the difference and the borrow.
#[inline(always)]
const fn subtract_with_borrow(a: u64, b: u64, borrow: bool) -> (u64, bool) {
    let (difference, first) = a.overflowing_sub(b);
    let (difference, second) = difference.overflowing_sub(borrow as u64);
    (difference, first | second)
}

/// a + b * c + carry, which fits two words: low and high.
#[inline(always)]
pub(super) const fn multiply_add(a: u64, b: u64, c: u64, carry: u64) -> (u64, u64) {
    let sum = a as u128 + b as u128 * c as u128 + carry as u128;
    (sum as u64, (sum >> 64) as u64)
}

/// a + b modulo 2^256, and the carry.
#[inline(always)]
pub(super) const fn add_words(a: &Words, b: &Words) -> (Words, bool) {
    let (w0, carry) = add_with_carry(a[0], b[0], false);
    let (w1, carry) = add_with_carry(a[1], b[1], carry);
    let (w2, carry) = add_with_carry(a[2], b[2], carry);
    let (w3, carry) = add_with_carry(a[3], b[3], carry);
    ([w0, w1, w2, w3], carry)
}

/// a - b - borrow modulo 2^256, and the borrow.
#[inline(always)]
pub(super) const fn subtract_words(a: &Words, b: &Words, borrow: bool) -> (Words, bool) {
    let (w0, borrow) = subtract_with_borrow(a[0], b[0], borrow);
    let (w1, borrow) = subtract_with_borrow(a[1], b[1], borrow);
    let (w2, borrow) = subtract_with_borrow(a[2], b[2], borrow);
    let (w3, borrow) = subtract_with_borrow(a[3], b[3], borrow);
    ([w0, w1, w2, w3], borrow)
}

/// `words` where `keep`, else 0.
#[inline(always)]
pub(super) const fn masked(words: &Words, keep: bool) -> Words {
    let mask = (keep as u64).wrapping_neg();
    [words[0] & mask, words[1] & mask, words[2] & mask, words[3] & mask]
}

/// b where the mask is all ones, a where it is 0.
#[inline(always)]
pub(super) const fn selected(a: &Words, b: &Words, mask: u64) -> Words {
    let [a0, a1, a2, a3] = *a;
    [a0 ^ ((a0 ^ b[0]) & mask), a1 ^ ((a1 ^ b[1]) & mask), a2 ^ ((a2 ^ b[2]) & mask), a3 ^ ((a3 ^ b[3]) & mask)]
}

/// a * b: low and high.
#[inline(always)]
const fn multiply(a: u64, b: u64) -> (u64, u64) {
    multiply_add(0, a, b, 0)
}

/// a * b, row by row. The low halves of a row are added in one run of carries, the high halves in another one: short
/// chains, which the processor overlaps.
#[inline(always)]
pub(super) const fn product(a: &Words, b: &Words) -> Product {
    let (t0, h0) = multiply(a[0], b[0]);
    let (l1, h1) = multiply(a[1], b[0]);
    let (l2, h2) = multiply(a[2], b[0]);
    let (l3, h3) = multiply(a[3], b[0]);
    let (t1, carry) = add_with_carry(l1, h0, false);
    let (t2, carry) = add_with_carry(l2, h1, carry);
    let (t3, carry) = add_with_carry(l3, h2, carry);
    let t4 = h3 + carry as u64;
    let (t1, [t2, t3, t4, t5]) = add_row([t1, t2, t3, t4], a, b[1]);
    let (t2, [t3, t4, t5, t6]) = add_row([t2, t3, t4, t5], a, b[2]);
    let (t3, [t4, t5, t6, t7]) = add_row([t3, t4, t5, t6], a, b[3]);
    [t0, t1, t2, t3, t4, t5, t6, t7]
}

/// t + a * b: the lowest word and the others.
#[inline(always)]
const fn add_row(t: Words, a: &Words, b: u64) -> (u64, Words) {
    let (l0, h0) = multiply(a[0], b);
    let (l1, h1) = multiply(a[1], b);
    let (l2, h2) = multiply(a[2], b);
    let (l3, h3) = multiply(a[3], b);
    let (t0, carry) = add_with_carry(t[0], l0, false);
    let (t1, carry) = add_with_carry(t[1], l1, carry);
    let (t2, carry) = add_with_carry(t[2], l2, carry);
    let (t3, carry) = add_with_carry(t[3], l3, carry);
    let t4 = carry as u64;
    let (t1, carry) = add_with_carry(t1, h0, false);
    let (t2, carry) = add_with_carry(t2, h1, carry);
    let (t3, carry) = add_with_carry(t3, h2, carry);
    (t0, [t1, t2, t3, t4 + h3 + carry as u64])
}

/// a^2: the products of different words once, doubled, and the squares of words.
#[inline(always)]
pub(super) const fn square(a: &Words) -> Product {
    let (t1, h1) = multiply(a[0], a[1]);
    let (l2, h2) = multiply(a[0], a[2]);
    let (l3, h3) = multiply(a[0], a[3]);
    let (l4, h4) = multiply(a[1], a[3]);
    let (l5, h5) = multiply(a[2], a[3]);
    let (l, h) = multiply(a[1], a[2]);
    let (t2, carry) = add_with_carry(l2, h1, false);
    let (t3, carry) = add_with_carry(l3, h2, carry);
    let (t4, carry) = add_with_carry(l4, h3, carry);
    let (t5, carry) = add_with_carry(l5, h4, carry);
    let t6 = h5 + carry as u64;
    let (t3, carry) = add_with_carry(t3, l, false);
    let (t4, carry) = add_with_carry(t4, h, carry);
    let (t5, carry) = add_with_carry(t5, 0, carry);
    let t6 = t6 + carry as u64;

    let (s0, s1) = multiply(a[0], a[0]);
    let (s2, s3) = multiply(a[1], a[1]);
    let (s4, s5) = multiply(a[2], a[2]);
    let (s6, s7) = multiply(a[3], a[3]);
    let (u1, carry) = add_with_carry(t1 << 1, s1, false);
    let (u2, carry) = add_with_carry((t2 << 1) | (t1 >> 63), s2, carry);
    let (u3, carry) = add_with_carry((t3 << 1) | (t2 >> 63), s3, carry);
    let (u4, carry) = add_with_carry((t4 << 1) | (t3 >> 63), s4, carry);
    let (u5, carry) = add_with_carry((t5 << 1) | (t4 >> 63), s5, carry);
    let (u6, carry) = add_with_carry((t6 << 1) | (t5 >> 63), s6, carry);
    [s0, u1, u2, u3, u4, u5, u6, (t6 >> 63) + s7 + carry as u64]
}

/// Reads 32 octets, big-endian.
pub(super) fn from_octets(octets: &[u8; 32]) -> Words {
    let mut words = [0; 4];
    for (word, chunk) in words.iter_mut().zip(octets.rchunks_exact(8)) {
        *word = chunk.iter().fold(0, |value, octet| (value << 8) | u64::from(*octet));
    }
    words
}

/// 32 octets, big-endian.
pub(super) fn to_octets(words: &Words) -> [u8; 32] {
    let mut octets = [0; 32];
    for (chunk, word) in octets.rchunks_exact_mut(8).zip(words) {
        chunk.copy_from_slice(&word.to_be_bytes());
    }
    octets
}
