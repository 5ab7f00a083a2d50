//! Signatures as octets.

use core::fmt;

use signature::SignatureEncoding;

use super::SIGNATURE_OCTETS;
use crate::error::Rejected;
use crate::group::p256::{self, INTEGER_OCTETS, Integer, POINT_OCTETS, Point};

/// A signature: r and s in 32 octets each, big-endian, and the PVT in 65. Not checked before it is verified.
///
/// (r, s) and (r, q - s) verify alike, so a signature does not identify a message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub(super) [u8; SIGNATURE_OCTETS]);

/// The parts of a signature, in range.
pub(super) struct Components<'a> {
    pub(super) r: &'a [u8; INTEGER_OCTETS],
    pub(super) s: Integer,
    pub(super) pvt: Point,
    pub(super) pvt_octets: &'a [u8; POINT_OCTETS],
}

impl Signature {
    /// The 129 octets.
    pub const fn as_octets(&self) -> &[u8; SIGNATURE_OCTETS] {
        &self.0
    }

    /// Splits the octets; none unless r is in 1..p-1, s in 1..q-1, and PVT a point.
    pub(super) fn components(&self) -> Option<Components<'_>> {
        let (r, rest) = self.0.split_first_chunk()?;
        let (s, pvt_octets) = rest.split_first_chunk()?;
        let pvt_octets: &[u8; POINT_OCTETS] = pvt_octets.try_into().ok()?;
        let r_in_range = *r != [0; INTEGER_OCTETS] && *r < p256::P;
        let s = Integer::from_octets(s).into_option().filter(|s| !bool::from(s.is_zero()))?;
        let pvt = Point::from_octets(pvt_octets)?;
        r_in_range.then_some(Components { r, s, pvt, pvt_octets })
    }
}

impl TryFrom<&[u8]> for Signature {
    type Error = Rejected;

    /// From exactly 129 octets.
    fn try_from(octets: &[u8]) -> Result<Self, Rejected> {
        octets.try_into().map(Self).map_err(|_| Rejected)
    }
}

impl From<Signature> for [u8; SIGNATURE_OCTETS] {
    fn from(signature: Signature) -> Self {
        signature.0
    }
}

impl SignatureEncoding for Signature {
    type Repr = [u8; SIGNATURE_OCTETS];
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(")?;
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))?;
        f.write_str(")")
    }
}
