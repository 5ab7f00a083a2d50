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

#[inline(always)]
pub(super) const fn product(a: &Words, b: &Words) -> Product {
    let mut t = [0; 8];
    let mut i = 0;
    while i < 4 {
        let mut carry = 0;
        (t[i], carry) = multiply_add(t[i], a[0], b[i], carry);
        (t[i + 1], carry) = multiply_add(t[i + 1], a[1], b[i], carry);
        (t[i + 2], carry) = multiply_add(t[i + 2], a[2], b[i], carry);
        (t[i + 3], carry) = multiply_add(t[i + 3], a[3], b[i], carry);
        t[i + 4] = carry;
        i += 1;
    }
    t
}

/// a^2: the products of different words once, doubled, and the squares of words.
#[inline(always)]
pub(super) const fn square(a: &Words) -> Product {
    let (t1, carry) = multiply_add(0, a[0], a[1], 0);
    let (t2, carry) = multiply_add(0, a[0], a[2], carry);
    let (t3, t4) = multiply_add(0, a[0], a[3], carry);
    let (t3, carry) = multiply_add(t3, a[1], a[2], 0);
    let (t4, t5) = multiply_add(t4, a[1], a[3], carry);
    let (t5, t6) = multiply_add(t5, a[2], a[3], 0);

    let (s0, s1) = multiply_add(0, a[0], a[0], 0);
    let (s2, s3) = multiply_add(0, a[1], a[1], 0);
    let (s4, s5) = multiply_add(0, a[2], a[2], 0);
    let (s6, s7) = multiply_add(0, a[3], a[3], 0);
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
