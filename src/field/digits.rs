//! Scalars as signed digits, for walks over tables.

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::Scalar;
use super::lanes::MAX_LANES;

/// A scalar in base 2^w with digits in -2^(w-1) + 1 ..= 2^(w-1), least significant first. Secret.
///
/// Digits beyond the last are 0; there are enough of them to fill any table.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct SignedDigits {
    magnitudes: [u8; Self::LENGTH],
    /// 1 where the digit is below 0.
    signs: [u8; Self::LENGTH],
}

impl SignedDigits {
    const LENGTH: usize = 512;

    /// The digits of a scalar for w = `window`, at most 6: without a branch, the carry into the last one included.
    pub(crate) fn new(scalar: &Scalar, window: usize) -> Self {
        let octets = zeroize::Zeroizing::new(scalar.to_octets());
        let octet = |i: usize| u16::from(octets.len().checked_sub(1 + i).map_or(0, |i| octets[i]));
        let mut digits = Self { magnitudes: [0; Self::LENGTH], signs: [0; Self::LENGTH] };
        let (base, half) = (1u16 << window, 1u16 << (window - 1));
        let mut carry = 0;
        for (i, (magnitude, sign)) in digits.magnitudes.iter_mut().zip(&mut digits.signs).enumerate() {
            let bit = i * window;
            let bits = (octet(bit / 8) | octet(bit / 8 + 1) << 8) >> (bit % 8);
            let value = (bits & (base - 1)) + carry;
            // 1 if the value is above half: then the digit is value - base, and 1 is carried.
            carry = half.wrapping_sub(value) >> 15;
            let mask = carry.wrapping_neg();
            *magnitude = ((value & !mask) | (base.wrapping_sub(value) & mask)) as u8;
            *sign = carry as u8;
        }
        digits
    }

    /// The absolute values of the digits at `position` and further ones `stride` apart, one for each lane.
    pub(crate) fn magnitudes(&self, position: usize, stride: usize) -> [u8; MAX_LANES] {
        spread(&self.magnitudes, position, stride)
    }

    /// The sign of one digit.
    pub(crate) fn sign(&self, position: usize) -> u8 {
        self.signs.get(position).copied().unwrap_or(0)
    }

    /// The signs of the same digits.
    pub(crate) fn signs(&self, position: usize, stride: usize) -> [u8; MAX_LANES] {
        spread(&self.signs, position, stride)
    }
}

fn spread(digits: &[u8], position: usize, stride: usize) -> [u8; MAX_LANES] {
    core::array::from_fn(|lane| digits.get(position + lane * stride).copied().unwrap_or(0))
}
