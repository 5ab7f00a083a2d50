//! How master secrets come into a domain.

use mikey_sakke::error::UsageError;
use mikey_sakke::km::Identifier;
use mikey_sakke::km::domain::{Domain, DomainCertificate, Periods};
use mikey_sakke::kms::{Kms, KmsCertificate};

use super::{Externals, fingerprint};
use crate::audit::Event;
use crate::config;
use crate::store::{DomainChange, DomainKeys, Store, StoreError};

/// Digits of a fingerprint that tell one certificate of a domain from the others.
const NAME_DIGITS: usize = 16;

/// Master secrets that are not taken in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// They are of another KMS than the configured one.
    #[error("the master secrets are of another KMS than domain.kms_uri")]
    OtherKms,
    /// Their key periods are not the configured ones.
    #[error("the master secrets are for other key periods than domain.user_key_period and user_key_offset")]
    OtherPeriods,
    /// The domain has master secrets already.
    #[error("the domain has master secrets already")]
    Present,
    /// The domain cannot be described.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Takes master secrets into the store of a domain that has none, for all key periods.
///
/// # Errors
///
/// [`ImportError`].
pub async fn import(store: &Store, settings: &config::Domain, kms: &Kms, event: &Event) -> Result<(), ImportError> {
    check_kms(settings, kms)?;
    if store.domain().await?.is_some() {
        return Err(ImportError::Present);
    }
    let name = cert_uri(kms.certificate())?;
    let certificate = DomainCertificate::new(kms.certificate(), Periods { from: 0, to: None }, Some(name.clone()))?;
    let document = Domain::new(settings.skms_uri.clone(), vec![certificate])?;
    let externals = Externals::load(store).await?;
    let change = DomainChange {
        keys: Some((name, DomainKeys { z: kms.master_secret().clone(), ksak: kms.ksak().clone() })),
        domain: Some((None, document.to_json())),
        external: Some(externals.next(event.time)?),
    };
    if store.change_domain(&change, event).await? { Ok(()) } else { Err(ImportError::Present) }
}

/// Whether the master secrets are for the domain that is configured.
pub(super) fn check_kms(settings: &config::Domain, kms: &Kms) -> Result<(), ImportError> {
    let certificate = kms.certificate();
    if *certificate.kms_uri() != settings.kms_uri {
        return Err(ImportError::OtherKms);
    }
    if Ok(certificate.uid_format()) != settings.uid_format() {
        return Err(ImportError::OtherPeriods);
    }
    Ok(())
}

/// CertUri: the URI of the KMS, and the beginning of the fingerprint.
pub(super) fn cert_uri(certificate: &KmsCertificate) -> Result<Identifier, UsageError> {
    let name = &fingerprint(certificate)[..NAME_DIGITS];
    Identifier::new(&format!("{}/certificates/{name}", certificate.kms_uri()))
}
