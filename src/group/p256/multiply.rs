//! Multiplication of points by integers.

use subtle::ConditionallySelectable;
use zeroize::Zeroizing;

use super::point::{AffinePoint, Point, odd_multiples};
use super::table::{PreparedPoint, WINDOW_BITS, WINDOW_ENTRIES, WINDOWS, Window, generator_windows, select};
use crate::field::p256::Integer;

/// Odd multiples of a point that is used once: as many as make the fewest additions in all.
const ENTRIES: usize = 8;

/// Digits of an integer in signed form, least significant first: one more than it has bits.
type Digits = [i16; 257];

impl Point {
    /// \[k\]G, in constant time: one addition per window of k, and no doubling.
    ///
    /// k or q - k is odd; n is that one. It is the sum of s_i 2^i over i in 0..259, each s_i 1 or -1: 1 where bit
    /// i + 1 of n is set, and for i = 258. Seven s_i make the digit of a window: odd, hence never 0.
    ///
    /// Additions meet neither the identity nor equal points before the last window w = 36. The sum over the windows
    /// before w is odd and below 2^(7w) in absolute value, the summand is not below that, and both together are below
    /// 2^252 < q. The last addition meets equal points for one n, 30 2^252 - q, and therefore is a complete one.
    pub(crate) fn multiply_generator(k: &Integer) -> Self {
        let mut n = Zeroizing::new(k.to_words());
        let negated = Zeroizing::new(k.negate().to_words());
        let is_even = (n[0] & 1).wrapping_sub(1);
        for (word, other) in n.iter_mut().zip(negated.iter()) {
            *word ^= (*word ^ other) & is_even;
        }
        let signs = Zeroizing::new(signs(&n));

        let windows = generator_windows();
        let addend = |w: usize| signed_entry(&windows[w], bits(&signs, w * WINDOW_BITS, WINDOW_BITS));
        let mut sum = Self::from_affine(&addend(0));
        for w in 1..WINDOWS - 1 {
            sum = sum.add_affine_unequal(&addend(w));
        }
        sum = sum.add(&Self::from_affine(&addend(WINDOWS - 1)));
        sum.negate_masked(is_even);
        // Neither 0 nor its opposite is odd.
        sum.conditional_assign(&Self::IDENTITY, k.is_zero());
        sum
    }

    /// \[k\]self for public values: the time depends on them.
    pub(crate) fn multiply_vartime(&self, k: &Integer) -> Self {
        self.multiply_add_vartime(k, &Self::IDENTITY, &Integer::ZERO)
    }

    /// \[k\]self + \[l\]other for public values: the time depends on them.
    pub(crate) fn multiply_add_vartime(&self, k: &Integer, other: &Self, l: &Integer) -> Self {
        let (first, second) = (multiples(self), multiples(other));
        sum_vartime([Term::new(first.as_slice().as_flattened(), k), Term::new(second.as_slice().as_flattened(), l)])
    }

    /// \[k\]G + \[l\]prepared + \[m\]other for public values: the time depends on them.
    pub(crate) fn multiply_add_prepared_vartime(
        k: &Integer,
        prepared: &PreparedPoint,
        l: &Integer,
        other: &Self,
        m: &Integer,
    ) -> Self {
        let multiples = multiples(other);
        sum_vartime([
            Term::new(PreparedPoint::generator().odd_multiples(), k),
            Term::new(prepared.odd_multiples(), l),
            Term::new(multiples.as_slice().as_flattened(), m),
        ])
    }
}

/// Bit i is set where s_i of an odd n is 1, for n = sum of s_i 2^i over all bits of all windows.
fn signs(n: &[u64; 4]) -> [u64; 5] {
    const LAST: usize = WINDOWS * WINDOW_BITS - 1;
    let [n0, n1, n2, n3] = *n;
    let halved = [(n1 << 63) | (n0 >> 1), (n2 << 63) | (n1 >> 1), (n3 << 63) | (n2 >> 1), n3 >> 1];
    [halved[0], halved[1], halved[2], halved[3], 1 << (LAST - 256)]
}

/// The multiple for the signs of a window, v: (2v + 1 - 2^7) times its point.
#[inline(always)]
fn signed_entry(window: &Window, v: u64) -> AffinePoint {
    const HALF: u64 = WINDOW_ENTRIES as u64;
    let is_negative = (v / HALF).wrapping_sub(1);
    let mut entry = select(window, (v ^ is_negative) & (HALF - 1));
    entry.negate_masked(is_negative);
    entry
}

/// Bits of a number from `start` on, fewer than 64.
fn bits(words: &[u64; 5], start: usize, count: usize) -> u64 {
    let pair = u128::from(words[start / 64]) | u128::from(words.get(start / 64 + 1).copied().unwrap_or(0)) << 64;
    (pair >> (start % 64)) as u64 & ((1 << count) - 1)
}

/// The odd multiples of a public point that is used once; none of the identity.
fn multiples(point: &Point) -> Option<[AffinePoint; ENTRIES]> {
    point.to_affine_vartime().map(|point| odd_multiples(&point))
}

/// One summand of a sum: odd multiples of a point, and the digits of an integer by which to take them. The identity
/// has no multiples here and the digits are all 0.
struct Term<'a> {
    multiples: &'a [AffinePoint],
    digits: Digits,
}

impl<'a> Term<'a> {
    fn new(multiples: &'a [AffinePoint], k: &Integer) -> Self {
        let digits = if multiples.is_empty() { [0; 257] } else { signed_digits(k, multiples.len()) };
        Self { multiples, digits }
    }
}

/// The sum of all terms, with their doublings in common.
fn sum_vartime<const N: usize>(terms: [Term<'_>; N]) -> Point {
    let mut sum = Point::IDENTITY;
    for i in (0..257).rev() {
        sum = sum.double();
        for Term { multiples, digits } in &terms {
            let digit = digits[i];
            if digit != 0 {
                let mut multiple = multiples[usize::from(digit.unsigned_abs() / 2)];
                // By mask, for half of all branches would be predicted wrong.
                multiple.negate_masked((digit >> 15) as u64);
                sum = sum.add_affine_vartime(&multiple);
            }
        }
    }
    sum
}

/// k = sum of d_i 2^i, where each d_i is 0 or odd and below 2 `entries`, a power of two, in absolute value, and
/// few are not 0.
fn signed_digits(k: &Integer, entries: usize) -> Digits {
    let [w0, w1, w2, w3] = k.to_words();
    let words = [w0, w1, w2, w3, 0];
    let width = entries.ilog2() as usize + 2;
    let mut digits = [0; 257];
    let (mut i, mut carry) = (0, 0);
    while i < 257 {
        if bits(&words, i, 1) == carry {
            i += 1;
            continue;
        }
        // Odd, for bit i and the carry differ; it counts as negative if its highest bit is set.
        let digit = bits(&words, i, width) + carry;
        carry = digit >> (width - 1);
        digits[i] = digit as i16 - ((carry as i16) << width);
        i += width;
    }
    digits
}
