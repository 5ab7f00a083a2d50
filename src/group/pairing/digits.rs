//! The digits of q that Miller's loop walks along.

use core::array;

use crate::backend::portable::ModulusOf;
use crate::field::Lanes;
use crate::field::lanes::MAX_LANES;
use crate::field::scalar::Q;

/// How many digits follow the leading one.
const LENGTH: usize = 511;

/// The digits of q in base 4 after the leading 1, most significant first, in -2..=2.
///
/// 2 and -2 cost most. Where the digit can be either, it is the one that leaves an odd number for the next digit, so
/// that no two of them are neighbours.
pub(in super::super) const DIGITS: [i8; LENGTH] = digits();

const fn digits() -> [i8; LENGTH] {
    let mut digits = [0; LENGTH];
    let mut carry = 0;
    let mut i = 0;
    while i < LENGTH {
        (digits[LENGTH - 1 - i], carry) = match bit(2 * i) + 2 * bit(2 * i + 1) + carry {
            2 if bit(2 * i + 2) == 0 => (-2, 1),
            value @ 0..=2 => (value, 0),
            value => (value - 4, 1),
        };
        i += 1;
    }
    assert!(bit(2 * LENGTH) + carry == 1, "the leading digit");
    digits
}

/// A bit of q.
const fn bit(i: usize) -> i8 {
    let words = &Q::MODULUS.words;
    let bits = 8 * size_of_val(&words[0]);
    if i / bits < words.len() { (words[i / bits] >> (i % bits) & 1) as i8 } else { 0 }
}

/// Digits in each lane: a lane has as many consecutive ones.
pub(super) const fn chunk<F: Lanes>() -> usize {
    LENGTH.div_ceil(F::LANES)
}

/// Lane, and step within the lane, of digit i. The chunks end with the last digit; the first lane begins with steps
/// that have none.
pub(super) const fn place<F: Lanes>(i: usize) -> (usize, usize) {
    let i = i + chunk::<F>() * F::LANES - LENGTH;
    (i / chunk::<F>(), i % chunk::<F>())
}

/// What a step has in each lane: this is public.
#[derive(Clone, Copy, Debug)]
pub(super) struct StepDigits {
    /// 0, 1 or 2, or [`NOTHING`].
    magnitudes: [u8; MAX_LANES],
    /// 1 where the digit is below 0.
    signs: [u8; MAX_LANES],
}

/// The magnitude where there is no digit.
pub(super) const NOTHING: u8 = 3;

impl StepDigits {
    pub(super) fn new<F: Lanes>(step: usize) -> Self {
        let digit = |lane: usize| {
            // Lanes that there are not are like the first.
            let lane = if lane < F::LANES { lane } else { 0 };
            (lane * chunk::<F>() + step + LENGTH).checked_sub(chunk::<F>() * F::LANES).map(|i| (i, DIGITS[i]))
        };
        // The last digit counts as 0: its chord is left out.
        let magnitude = |(i, digit): (usize, i8)| if i == LENGTH - 1 { 0 } else { digit.unsigned_abs() };
        Self {
            magnitudes: array::from_fn(|lane| digit(lane).map_or(NOTHING, magnitude)),
            signs: array::from_fn(|lane| digit(lane).map_or(0, |(_, digit)| u8::from(digit < 0))),
        }
    }

    /// Those of one lane in all lanes.
    pub(super) fn spread(&self, lane: usize) -> Self {
        Self { magnitudes: [self.magnitudes[lane]; MAX_LANES], signs: [self.signs[lane]; MAX_LANES] }
    }

    /// The magnitude, if it is the same in all lanes.
    pub(super) fn common_magnitude(&self) -> Option<u8> {
        let [first, others @ ..] = self.magnitudes;
        others.iter().all(|magnitude| *magnitude == first).then_some(first)
    }

    /// Whether a lane has this magnitude.
    pub(super) fn have(&self, magnitude: u8) -> bool {
        self.magnitudes.contains(&magnitude)
    }

    /// Whether a lane has a slope in this place: the tangents are the first and the third, the chord of a digit 2 or
    /// -2 is the second, that of 1 or -1 the last.
    pub(super) fn have_slope(&self, place: usize) -> bool {
        place.is_multiple_of(2) || self.have(if place == 1 { 2 } else { 1 })
    }

    /// The lanes that have this magnitude.
    pub(super) fn with<F: Lanes>(&self, magnitude: u8) -> F::Mask {
        F::equal(&self.magnitudes, magnitude)
    }

    /// The lanes whose digit is below 0.
    pub(super) fn negative<F: Lanes>(&self) -> F::Mask {
        F::equal(&self.signs, 1)
    }
}
