//! The certificates that a client trusts.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::KmsCertificate;
use crate::error::UsageError;
use crate::identity::Uri;
use crate::time::Timestamp;

/// The certificates of each KMS that is trusted, by its URI. Those of one KMS are valid one after the other: a new one
/// takes over where its master secrets are replaced, and the timestamp of a message selects between them.
#[derive(Clone, Debug, Default)]
pub struct TrustedCertificates(BTreeMap<Uri, Vec<Arc<KmsCertificate>>>);

impl TrustedCertificates {
    /// Adds a certificate. One with the same keys takes the place of what is there, so that a new validity counts at
    /// once; but what is revoked stays revoked.
    ///
    /// # Errors
    ///
    /// [`UsageError::CertificateOverlap`] if another certificate of the KMS is valid at some of the same time, and
    /// neither is revoked. Nothing is changed then.
    pub fn add(&mut self, certificate: Arc<KmsCertificate>) -> Result<(), UsageError> {
        let of_kms = self.0.entry(certificate.kms_uri().clone()).or_default();
        let same = of_kms.iter().position(|trusted| trusted.has_the_keys_of(&certificate));
        let certificate = match same.map(|index| &of_kms[index]) {
            Some(trusted) if trusted.is_revoked() && !certificate.is_revoked() => {
                Arc::new(KmsCertificate::clone(&certificate).revoked())
            }
            _ => certificate,
        };
        let overlaps = |(index, trusted): (usize, &Arc<KmsCertificate>)| {
            Some(index) != same && !trusted.is_revoked() && trusted.validity().overlaps(certificate.validity())
        };
        if !certificate.is_revoked() && of_kms.iter().enumerate().any(overlaps) {
            return Err(UsageError::CertificateOverlap);
        }
        match same.map(|index| &mut of_kms[index]) {
            Some(trusted) => *trusted = certificate,
            None => of_kms.push(certificate),
        }
        Ok(())
    }

    /// The certificate of a KMS that counts for a message with this timestamp; none if there is none, or it is revoked.
    pub fn select(&self, kms: &Uri, at: Timestamp) -> Option<&Arc<KmsCertificate>> {
        self.0.get(kms)?.iter().find(|certificate| certificate.is_usable_at(at))
    }

    /// Whether a certificate is known to be revoked, whatever this copy of it says.
    pub fn is_revoked(&self, certificate: &KmsCertificate) -> bool {
        self.iter().any(|trusted| trusted.is_revoked() && trusted.has_the_keys_of(certificate))
    }

    /// All certificates, by the URI of their KMS.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<KmsCertificate>> {
        self.0.values().flatten()
    }
}
