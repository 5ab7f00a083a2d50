//! The certificate of a key management server.

use crate::eccsi::Kpak;
#[cfg(doc)]
use crate::error::KeyMaterialError;
use crate::error::{Error, UsageError};
use crate::identity::{KeyPeriod, Uid, UidFormat, Uri};
use crate::sakke::{PublicKey, TableSize};
use crate::time::Timestamp;

/// What everyone may know of a key management server, and what its users trust.
///
/// It must arrive over an authenticated channel. A new one is valid always and not revoked; see
/// [`KmsCertificate::with_validity`] and [`KmsCertificate::revoked`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KmsCertificate {
    kms_uri: Uri,
    uid_format: UidFormat,
    public_key: PublicKey,
    kpak: Kpak,
    validity: Validity,
    is_revoked: bool,
}

impl KmsCertificate {
    /// A certificate from its parts, checked: `public_key` is Z in 257 octets, `kpak` KPAK in 65, both 04, x, y.
    ///
    /// # Errors
    ///
    /// [`KeyMaterialError::PublicKey`], [`KeyMaterialError::Kpak`], or [`UsageError::UidFormat`] for key periods of
    /// impossible length or offset.
    pub fn new(kms_uri: Uri, uid_format: UidFormat, public_key: &[u8], kpak: &[u8]) -> Result<Self, Error> {
        Self::from_keys(kms_uri, uid_format, PublicKey::from_octets(public_key)?, Kpak::from_octets(kpak)?)
    }

    pub(super) fn from_keys(
        kms_uri: Uri,
        uid_format: UidFormat,
        public_key: PublicKey,
        kpak: Kpak,
    ) -> Result<Self, Error> {
        if !uid_format.is_valid() {
            return Err(UsageError::UidFormat.into());
        }
        Ok(Self { kms_uri, uid_format, public_key, kpak, validity: Validity::ALWAYS, is_revoked: false })
    }

    /// The same certificate with this validity.
    #[must_use]
    pub fn with_validity(self, validity: Validity) -> Self {
        Self { validity, ..self }
    }

    /// The same certificate, revoked: nothing is encapsulated to its Z or accepted under its KPAK any more.
    #[must_use]
    pub fn revoked(self) -> Self {
        Self { is_revoked: true, ..self }
    }

    /// The same certificate, with Z to be prepared with a table of this size.
    #[must_use]
    pub fn with_table_size(self, table_size: TableSize) -> Self {
        Self { public_key: self.public_key.with_table_size(table_size), ..self }
    }

    /// The URI of the KMS.
    pub const fn kms_uri(&self) -> &Uri {
        &self.kms_uri
    }

    /// How the KMS forms UIDs and key periods.
    pub const fn uid_format(&self) -> UidFormat {
        self.uid_format
    }

    /// Z, to which SSVs are encapsulated.
    pub const fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// KPAK, under which signatures are verified.
    pub const fn kpak(&self) -> &Kpak {
        &self.kpak
    }

    /// When it is valid.
    pub const fn validity(&self) -> Validity {
        self.validity
    }

    /// Whether it is revoked.
    pub const fn is_revoked(&self) -> bool {
        self.is_revoked
    }

    /// Whether keys of this KMS may be used for a message with this timestamp.
    pub fn is_usable_at(&self, at: Timestamp) -> bool {
        !self.is_revoked && self.validity.includes(at)
    }

    /// Whether it is for the same KMS, with the same keys and UIDs, whatever its validity.
    pub fn has_the_keys_of(&self, other: &Self) -> bool {
        self.kms_uri == other.kms_uri
            && self.uid_format == other.uid_format
            && self.public_key == other.public_key
            && self.kpak == other.kpak
    }

    /// The UID of a user of this KMS in a key period.
    ///
    /// # Errors
    ///
    /// [`UsageError::UidFormat`] if URI or period do not fit the format.
    pub fn uid(&self, user: &Uri, period: KeyPeriod) -> Result<Uid, UsageError> {
        self.uid_format.uid(user, &self.kms_uri, period)
    }

    /// The UID of a user of this KMS at an instant.
    ///
    /// # Errors
    ///
    /// [`UsageError::UidFormat`] if the URI does not fit the format, [`UsageError::Time`] if the instant has no key
    /// period.
    pub fn uid_at(&self, user: &Uri, at: Timestamp) -> Result<Uid, UsageError> {
        self.uid(user, self.uid_format.period_at(at)?)
    }
}

/// A span of time, from one instant up to and without another, open where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Validity {
    /// The first instant.
    pub from: Option<Timestamp>,
    /// The first instant after it.
    pub to: Option<Timestamp>,
}

impl Validity {
    /// Without end at either side.
    pub const ALWAYS: Self = Self { from: None, to: None };

    /// Whether an instant is in this span.
    pub fn includes(self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at) && self.to.is_none_or(|to| at < to)
    }

    /// Whether some instant is in both spans.
    pub fn overlaps(self, other: Self) -> bool {
        let is_before = |one: Self, other: Self| one.to.zip(other.from).is_some_and(|(to, from)| to <= from);
        !self.is_empty() && !other.is_empty() && !is_before(self, other) && !is_before(other, self)
    }

    fn is_empty(self) -> bool {
        self.from.zip(self.to).is_some_and(|(from, to)| to <= from)
    }
}
