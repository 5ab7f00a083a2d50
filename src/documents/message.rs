//! KmsMessage: what a response carries (TS 33.180, D.3).

use alloc::string::ToString;
use alloc::vec::Vec;

use super::certificate::KmsCertificate;
use super::error::{DocumentError, DocumentErrorKind as Kind};
use super::fields::{self, Fields};
use super::key_set::KmsKeySet;
use super::key_wrap::WrappedKey;
use super::tree::{Element, Space};
use super::writer::DocumentWriter;
use super::{Tolerances, VERSION};
use crate::error::UsageError;

/// The certificates that a KmsCertCache may hold.
pub const MAX_CERTIFICATES: usize = 256;

/// The key sets that a KmsKeyProv may hold.
pub const MAX_KEY_SETS: usize = 64;

/// Octets of transport and integrity keys.
const SECURITY_KEY_OCTETS: usize = 32;

/// What a response carries.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum KmsMessage {
    /// The KMS's own certificate.
    Init(KmsInit),
    /// The keys of the user.
    KeyProv(KmsKeyProv),
    /// The certificates of other domains.
    CertCache(KmsCertCache),
}

impl KmsMessage {
    pub(super) fn read(element: &Element<'_>, tolerances: Tolerances) -> Result<Self, DocumentError> {
        Fields::of(element, &[], tolerances)?;
        let (content, more) =
            element.children.split_first().ok_or_else(|| element.error(Kind::Missing("its content")))?;
        let message = match (content.space, content.name) {
            (Space::Interface, "KmsInit") => Self::Init(KmsInit::read(content, tolerances)?),
            (Space::Interface, "KmsKeyProv") => Self::KeyProv(KmsKeyProv::read(content, tolerances)?),
            (Space::Interface, "KmsCertCache") => Self::CertCache(KmsCertCache::read(content, tolerances)?),
            (Space::Interface, "KmsLookup") => return Err(content.error(Kind::Unsupported("a lookup"))),
            _ => return Err(content.error(Kind::Unexpected)),
        };
        match more.first() {
            Some(second) if second.name == content.name => Err(second.error(Kind::Duplicate)),
            Some(second) => Err(second.error(Kind::Unexpected)),
            None => Ok(message),
        }
    }

    pub(super) fn write(&self, writer: &mut DocumentWriter) -> Result<(), UsageError> {
        writer.element("KmsMessage", &[], |writer| match self {
            Self::Init(init) => init.write(writer),
            Self::KeyProv(provision) => provision.write(writer),
            Self::CertCache(cache) => cache.write(writer),
        })
    }
}

/// New keys for the protection of what the KMS and the client exchange, wrapped under the present transport key: to
/// be opened with [`TransportKey::unwrap`](super::TransportKey::unwrap).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewKeys {
    /// A new transport key, of 32 octets.
    pub transport_key: Option<WrappedKey>,
    /// A new integrity key, of 32 octets.
    pub integrity_key: Option<WrappedKey>,
}

impl NewKeys {
    fn read(parts: &mut Fields<'_, '_>, tolerances: Tolerances) -> Result<Self, DocumentError> {
        let key = |element: &Element<'_>| WrappedKey::read(element, SECURITY_KEY_OCTETS, tolerances);
        let transport_key = parts.value("NewTransportKey", key)?;
        Ok(Self { transport_key, integrity_key: parts.value("NewIntegrityKey", key)? })
    }

    fn write(&self, writer: &mut DocumentWriter) -> Result<(), UsageError> {
        let keys = [("NewTransportKey", &self.transport_key), ("NewIntegrityKey", &self.integrity_key)];
        keys.iter().try_for_each(|(name, key)| key.as_ref().map_or(Ok(()), |key| key.write(name, writer)))
    }
}

/// The KMS's own certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KmsInit {
    /// The certificate.
    pub certificate: KmsCertificate,
    /// New transport and integrity keys.
    pub new_keys: NewKeys,
}

impl KmsInit {
    fn read(element: &Element<'_>, tolerances: Tolerances) -> Result<Self, DocumentError> {
        fields::check_version(element)?;
        let mut parts = Fields::of(element, &["Version"], tolerances)?;
        let certificate = KmsCertificate::read(parts.required(KmsCertificate::ROOT)?, tolerances)?;
        let new_keys = NewKeys::read(&mut parts, tolerances)?;
        parts.finish()?;
        Ok(Self { certificate, new_keys })
    }

    fn write(&self, writer: &mut DocumentWriter) -> Result<(), UsageError> {
        writer.element("KmsInit", &[("Version", VERSION)], |writer| {
            self.certificate.write(writer)?;
            self.new_keys.write(writer)
        })
    }
}

/// The keys of the user.
#[derive(Clone, Debug)]
pub struct KmsKeyProv {
    /// Key sets, at most one of a user for a key period of a KMS.
    pub key_sets: Vec<KmsKeySet>,
    /// New transport and integrity keys.
    pub new_keys: NewKeys,
}

impl KmsKeyProv {
    fn read(element: &Element<'_>, tolerances: Tolerances) -> Result<Self, DocumentError> {
        fields::check_version(element)?;
        let mut parts = Fields::of(element, &["Version"], tolerances)?;
        let mut key_sets: Vec<KmsKeySet> = Vec::new();
        for key_set in parts.all(KmsKeySet::ROOT) {
            if key_sets.len() == MAX_KEY_SETS {
                return Err(key_set.error(Kind::TooMany));
            }
            let read = KmsKeySet::read(key_set, tolerances)?;
            if key_sets.iter().any(|other| are_for_the_same(other, &read)) {
                return Err(key_set.error(Kind::DuplicateKeySet));
            }
            key_sets.push(read);
        }
        let new_keys = NewKeys::read(&mut parts, tolerances)?;
        parts.finish()?;
        Ok(Self { key_sets, new_keys })
    }

    fn write(&self, writer: &mut DocumentWriter) -> Result<(), UsageError> {
        let is_repeated =
            |(index, one)| self.key_sets.iter().take(index).any(|other: &KmsKeySet| are_for_the_same(one, other));
        if self.key_sets.len() > MAX_KEY_SETS || self.key_sets.iter().enumerate().any(is_repeated) {
            return Err(UsageError::FieldLength);
        }
        writer.element("KmsKeyProv", &[("Version", VERSION)], |writer| {
            self.key_sets.iter().try_for_each(|key_set| key_set.write(writer))?;
            self.new_keys.write(writer)
        })
    }
}

fn are_for_the_same(one: &KmsKeySet, other: &KmsKeySet) -> bool {
    one.kms_uri == other.kms_uri && one.user_uri == other.user_uri && one.key_period_no == other.key_period_no
}

/// The certificates of other domains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KmsCertCache {
    /// The certificates.
    pub certificates: Vec<KmsCertificate>,
    /// Which state of the cache this is.
    pub cache_num: Option<u64>,
}

impl KmsCertCache {
    fn read(element: &Element<'_>, tolerances: Tolerances) -> Result<Self, DocumentError> {
        fields::check_version(element)?;
        let cache_num = match fields::attribute(element, "CacheNum") {
            None => None,
            Some(text) => Some(fields::parse_number(text).ok_or_else(|| element.error(Kind::Attribute))?),
        };
        let mut parts = Fields::of(element, &["Version", "CacheNum"], tolerances)?;
        let mut certificates = Vec::new();
        for certificate in parts.all(KmsCertificate::ROOT) {
            if certificates.len() == MAX_CERTIFICATES {
                return Err(certificate.error(Kind::TooMany));
            }
            certificates.push(KmsCertificate::read(certificate, tolerances)?);
        }
        parts.finish()?;
        Ok(Self { certificates, cache_num })
    }

    fn write(&self, writer: &mut DocumentWriter) -> Result<(), UsageError> {
        if self.certificates.len() > MAX_CERTIFICATES {
            return Err(UsageError::FieldLength);
        }
        let cache_num = self.cache_num.map(|number| number.to_string());
        let mut attributes = Vec::from([("Version", VERSION)]);
        attributes.extend(cache_num.as_deref().map(|number| ("CacheNum", number)));
        writer.element("KmsCertCache", &attributes, |writer| {
            self.certificates.iter().try_for_each(|certificate| certificate.write(writer))
        })
    }
}
