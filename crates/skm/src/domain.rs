//! The security domain of a server: its certificates, and the master secrets behind them.
//!
//! The store keeps the document of the domain, and under the CertUri of each certificate the master secrets. Who
//! manages groups, which other domains are accepted and who is revoked is not kept with it, but added where the
//! document is published ([`published`]): it follows from the policy, the certificates of other domains and the blocks.
//!
//! [`published`]: SecurityDomain::published

mod external;
mod import;
mod issuer;
mod periods;
mod preissue;
mod rollover;

use std::collections::BTreeSet;
use std::sync::Arc;

use mikey_sakke::error::Error;
use mikey_sakke::identity::{UidFormat, Uri};
use mikey_sakke::km::domain::{Domain, DomainCertificate, DomainError};
use mikey_sakke::kms::{Kms, KmsCertificate};
use sha2::{Digest as _, Sha256};

use crate::config;
use crate::store::{Extraction, Store, StoreError, Version};

pub use external::{
    EXPIRY_WARNING, ExternalCertificate, ExternalError, Externals, Offer, OfferError, Taken, import_external,
    remove_external,
};
pub use import::{ImportError, import};
pub use issuer::{IssueError, Issuer, KeyOrder, Slot};
pub use periods::{Asked, Lead, NotReleased, released};
pub use preissue::{Page, Preissue, PreissueError};
pub use rollover::{RolloverError, Start, roll_over};

/// A stored domain that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The document is malformed.
    #[error("the document of the domain: {0}")]
    Document(#[from] DomainError),
    /// The master secrets are not those of the certificate.
    #[error("the master secrets of a certificate of the domain: {0}")]
    Secrets(Error),
    /// There are no master secrets for a certificate.
    #[error("there are no master secrets for a certificate of the domain")]
    NoSecrets,
    /// The domain is not the one that is configured.
    #[error("the domain in the store has another {0} than the configuration")]
    Other(&'static str),
}

/// A security domain with its master secrets.
#[derive(Debug)]
pub struct SecurityDomain {
    version: Version,
    document: Domain,
    /// The issuing side of each certificate, in the order of the document.
    issuing: Vec<Arc<Kms>>,
}

impl SecurityDomain {
    /// Reads the domain from the store; none if it has no master secrets yet.
    ///
    /// # Errors
    ///
    /// [`LoadError`].
    pub async fn load(store: &Store, settings: &config::Domain) -> Result<Option<Self>, LoadError> {
        let Some((version, json)) = store.domain().await? else { return Ok(None) };
        let document = Domain::from_json(json.as_bytes())?;
        check(&document, settings)?;
        let mut issuing = Vec::with_capacity(document.certificates().len());
        for certificate in document.certificates() {
            let name = certificate.cert_uri().ok_or(LoadError::NoSecrets)?;
            let keys = store.domain_keys(name).await?.ok_or(LoadError::NoSecrets)?;
            let kms = Kms::new(document.kms_uri().clone(), document.uid_format(), keys.ksak, keys.z);
            let kms = kms.map_err(LoadError::Secrets)?;
            if !has_the_keys_of(&kms, certificate) {
                return Err(StoreError::Damaged("domain_keys").into());
            }
            issuing.push(Arc::new(kms));
        }
        Ok(Some(Self { version, document, issuing }))
    }

    /// The version that was read.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// The certificate for a key period, with its issuing side; none if there is none, or it is revoked.
    pub fn at(&self, period: u64) -> Option<(&DomainCertificate, &Arc<Kms>)> {
        self.certificates().find(|(certificate, _)| {
            let periods = certificate.periods();
            let is_for = periods.from <= period && periods.to.is_none_or(|to| period <= to);
            is_for && !certificate.certificate().is_revoked()
        })
    }

    /// All certificates, each with its issuing side.
    pub fn certificates(&self) -> impl Iterator<Item = (&DomainCertificate, &Arc<Kms>)> {
        self.document.certificates().iter().zip(&self.issuing)
    }

    /// What RSKs are extracted for in a key period, and the issuing side; none as with [`at`](Self::at).
    pub fn extraction(&self, period: u64) -> Option<(Extraction, &Arc<Kms>)> {
        let (certificate, kms) = self.at(period)?;
        Some((Extraction { certificate: certificate.cert_uri()?.clone(), period }, kms))
    }

    /// How UIDs and key periods are formed.
    pub fn uid_format(&self) -> UidFormat {
        self.document.uid_format()
    }

    /// What is kept of the document: neither groupManagers nor acceptableKms nor revokedUsers.
    pub const fn document(&self) -> &Domain {
        &self.document
    }

    /// The document to publish, with these groupManagers, acceptableKms and revokedUsers.
    pub fn published(
        &self,
        group_managers: BTreeSet<Uri>,
        acceptable_kms: BTreeSet<Uri>,
        revoked_users: BTreeSet<Uri>,
    ) -> Domain {
        let mut document = self.document.clone();
        (document.group_managers, document.acceptable_kms) = (group_managers, acceptable_kms);
        document.revoked_users = revoked_users;
        document
    }
}

/// What tells the keys of a certificate from all others, for people to compare: SHA-256 of Z and KPAK, in hexadecimal.
pub fn fingerprint(certificate: &KmsCertificate) -> String {
    let hash = Sha256::new().chain_update(certificate.public_key().to_octets());
    hex::encode(hash.chain_update(certificate.kpak().to_octets()).finalize())
}

fn check(document: &Domain, settings: &config::Domain) -> Result<(), LoadError> {
    if *document.skms_uri() != settings.skms_uri {
        return Err(LoadError::Other("skms_uri"));
    }
    if *document.kms_uri() != settings.kms_uri {
        return Err(LoadError::Other("kms_uri"));
    }
    if Ok(document.uid_format()) != settings.uid_format() {
        return Err(LoadError::Other("user_key_period or user_key_offset"));
    }
    Ok(())
}

fn has_the_keys_of(kms: &Kms, certificate: &DomainCertificate) -> bool {
    let (made, published) = (kms.certificate(), certificate.certificate());
    made.public_key() == published.public_key() && made.kpak() == published.kpak()
}
