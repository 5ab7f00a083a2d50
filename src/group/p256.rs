//! P-256, the group of ECCSI: integers modulo its order q, and points.
//!
//! There are two ways to multiply. [`Point::multiply_generator`] is for secret integers. Everything named `vartime` is
//! for public values, such as those of a verification, and its time and access pattern depend on them.

mod multiply;
mod point;
mod table;
#[cfg(test)]
mod tests;

use rand_core::TryCryptoRng;
use zeroize::Zeroizing;

use crate::error::Error;
pub(crate) use crate::field::p256::Integer;
use crate::secret::declassify;

pub(crate) use point::Point;
pub(crate) use table::PreparedPoint;

/// Octets of an encoded integer modulo q, or modulo the field prime p.
pub(crate) const INTEGER_OCTETS: usize = 32;

/// Octets of an encoded point: 04, x, y.
pub(crate) const POINT_OCTETS: usize = 1 + 2 * INTEGER_OCTETS;

/// The field prime p, 32 octets, big-endian (RFC 6507, appendix A).
pub(crate) const P: [u8; INTEGER_OCTETS] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, //
    0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
];

/// The encoding of the base point G (RFC 6507, appendix A).
pub(crate) const GENERATOR_OCTETS: [u8; POINT_OCTETS] = [
    0x04, //
    0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2, //
    0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, //
    0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, //
    0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5, //
];

impl Integer {
    /// A uniformly random integer in 1..q-1, by drawing 256 bits until they are in range.
    pub(crate) fn random<R: TryCryptoRng + ?Sized>(rng: &mut R) -> Result<Self, Error> {
        loop {
            let mut octets = Zeroizing::new([0; INTEGER_OCTETS]);
            rng.try_fill_bytes(octets.as_mut_slice()).map_err(|_| Error::Random)?;
            let integer = Self::from_octets(&octets);
            let in_range = integer.is_some() & !integer.unwrap_or(Self::ZERO).is_zero();
            if declassify(in_range, "a discarded draw is not used") {
                return Ok(integer.unwrap_or(Self::ZERO));
            }
        }
    }
}
