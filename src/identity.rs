//! Identities: who a key belongs to, and for which key period.
//!
//! A user is named by a [`Uri`]. What the schemes bind keys to is the [`Uid`], octets made of that URI and a
//! [`KeyPeriod`] in the [`UidFormat`] of the key management server, so that keys expire by themselves.

mod period;
mod uri;

use alloc::boxed::Box;
use core::fmt;

use sha2::{Digest, Sha256};

use crate::error::UsageError;
use crate::ts33220;

pub use period::{KeyPeriod, Overlap, UidFormat};
pub use uri::Uri;

/// The octets of an identity as the schemes take them, 1 to 65,536 of them: ID in RFC 6507, b in RFC 6508.
///
/// They are hashed as they are, and read as one big-endian integer where SAKKE needs a number.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid(Box<[u8]>);

impl Uid {
    /// Octets in any format.
    ///
    /// # Errors
    ///
    /// [`UsageError::IdentityLength`] if there are none, or more than 65,536.
    pub fn from_octets(octets: &[u8]) -> Result<Self, UsageError> {
        match octets.len() {
            1..=0x1_0000 => Ok(Self(octets.into())),
            _ => Err(UsageError::IdentityLength),
        }
    }

    /// The identifier of RFC 6509, section 3.2: `YYYY-MM`, NUL, the URI, NUL.
    ///
    /// # Errors
    ///
    /// [`UsageError::UidFormat`] if the URI is not of the scheme `tel`, for which alone this format is defined, or the
    /// month is none.
    pub fn monthly(user: &Uri, year: u16, month: u8) -> Result<Self, UsageError> {
        if user.scheme() != Some("tel") || year > 9999 || !(1..=12).contains(&month) {
            return Err(UsageError::UidFormat);
        }
        Self::from_octets(alloc::format!("{year:04}-{month:02}\0{user}\0").as_bytes())
    }

    /// The 32-octet identifier of 3GPP TS 33.180, F.2.1: a hash over user, KMS and key period.
    ///
    /// `period` and `offset` are in seconds, `number` counts periods since 1900-01-01T00:00:00Z plus the offset.
    pub fn hashed(user: &Uri, kms: &Uri, period: u64, offset: u64, number: u64) -> Result<Self, UsageError> {
        Self::hashed_octets(user.as_str().as_bytes(), kms.as_str().as_bytes(), period, offset, number)
    }

    pub(crate) fn hashed_octets(
        user: &[u8],
        kms: &[u8],
        period: u64,
        offset: u64,
        number: u64,
    ) -> Result<Self, UsageError> {
        let integers = [period, offset, number].map(ts33220::integer);
        let [period, offset, number] = integers.each_ref().map(|octets| octets.as_slice());
        let s = ts33220::string(0x00, &[b"MIKEY-SAKKE-UID", user, kms, period, offset, number])?;
        Self::from_octets(&Sha256::digest(s))
    }

    /// The octets.
    pub fn as_octets(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uid({self})")
    }
}

/// In hexadecimal.
impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}
