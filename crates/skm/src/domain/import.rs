//! How master secrets come into a domain.

use mikey_sakke::error::UsageError;
use mikey_sakke::km::Identifier;
use mikey_sakke::km::domain::{Domain, DomainCertificate, Periods};
use mikey_sakke::kms::{Kms, KmsCertificate};
use sha2::{Digest as _, Sha256};

use crate::audit::Event;
use crate::config;
use crate::store::{Change, Condition, DomainKeys, Store, StoreError};

/// Octets of a hash that tell one certificate of a domain from the others.
const NAME_OCTETS: usize = 8;

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

/// Takes master secrets into the store of a domain that has none, for all key periods. The audit log has two entries: of
/// the secrets, under the CertUri of their certificate, and of the document.
///
/// # Errors
///
/// [`ImportError`]. After one of the store it can be repeated with the same master secrets.
pub async fn import(store: &Store, settings: &config::Domain, kms: &Kms, event: &Event) -> Result<(), ImportError> {
    let certificate = kms.certificate();
    if *certificate.kms_uri() != settings.kms_uri {
        return Err(ImportError::OtherKms);
    }
    if Ok(certificate.uid_format()) != settings.uid_format() {
        return Err(ImportError::OtherPeriods);
    }
    if store.domain().await?.is_some() {
        return Err(ImportError::Present);
    }
    let name = cert_uri(certificate)?;
    let certificate = DomainCertificate::new(certificate, Periods { from: 0, to: None }, Some(name.clone()))?;
    let document = Domain::new(settings.skms_uri.clone(), vec![certificate])?;
    // The secrets come first: a document without them would be of no use. Under their name nothing else can stand.
    let keys = DomainKeys { z: kms.master_secret().clone(), ksak: kms.ksak().clone() };
    let secrets = Event { target: name.to_string(), ..event.clone() };
    store.add_domain_keys(&name, &keys, &secrets).await?;
    match store.put_domain(&document.to_json(), Condition::Absent, event).await? {
        Change::Conflict => Err(ImportError::Present),
        _ => Ok(()),
    }
}

/// CertUri: the URI of the KMS, and a hash of Z and KPAK.
fn cert_uri(certificate: &KmsCertificate) -> Result<Identifier, UsageError> {
    let mut hash = Sha256::new();
    hash.update(certificate.public_key().to_octets());
    hash.update(certificate.kpak().to_octets());
    let hash = hex::encode(&hash.finalize()[..NAME_OCTETS]);
    Identifier::new(&format!("{}/certificates/{hash}", certificate.kms_uri()))
}
