//! Identity keys out of a Payload.

use std::sync::Arc;

use mikey_sakke::documents::{KeyContent, KmsKeySet, KmsMessage, KmsResponse, Tolerances};
use mikey_sakke::eccsi::SigningPair;
use mikey_sakke::error::{Error, UsageError};
use mikey_sakke::identity::{KeyPeriod, Uri};
use mikey_sakke::km::Payload;
use mikey_sakke::km::domain::Domain;
use mikey_sakke::kms::{KeySet, KmsCertificate, UserKeys};
use mikey_sakke::secret::Secret;
use mikey_sakke::time::Timestamp;

use super::AnswerError;

/// The identity keys that a server hands out at a time.
#[derive(Clone, Debug)]
pub struct IdentityKeys {
    /// Those of the key period that it is.
    pub current: Provisioned,
    /// Those of the next key period, once the server releases them.
    pub next: Option<Provisioned>,
}

/// The keys of a user for a key period, checked.
#[derive(Clone, Debug)]
pub struct Provisioned {
    /// The keys in use.
    pub keys: Arc<UserKeys>,
    /// The same as they came, to be kept in a file.
    pub key_set: KeySet,
}

/// Reads and imports the key sets in the answer to a request of this time.
pub(super) fn read(payload: &Payload, user: &Uri, domain: &Domain, at: Timestamp) -> Result<IdentityKeys, AnswerError> {
    let response = KmsResponse::from_xml(payload.expose().as_bytes(), Tolerances::default())?;
    if response.user_uri != *user {
        return Err(AnswerError::Keys("is for another user"));
    }
    if response.kms_uri != *domain.kms_uri() {
        return Err(AnswerError::Keys("is from another KMS"));
    }
    if response.error.is_some() {
        return Err(AnswerError::Keys("reports an error"));
    }
    let Some(KmsMessage::KeyProv(provision)) = &response.message else {
        return Err(AnswerError::Keys("holds no KmsKeyProv"));
    };
    let (current, next) = match provision.key_sets.as_slice() {
        [current] => (current, None),
        [current, next] => (current, Some(next)),
        _ => return Err(AnswerError::Keys("holds other than one or two key sets")),
    };
    let format = domain.uid_format();
    let number = match format.period_at(at) {
        Ok(KeyPeriod::Number(number)) => number,
        _ => return Err(AnswerError::Keys("is of a time without key period")),
    };
    let import = |key_set: &KmsKeySet, number: u64| {
        if key_set.key_period_no != number || key_set.user_uri != *user {
            return Err(AnswerError::Keys("holds keys of another key period or user"));
        }
        let certificate = certificate_of(domain, KeyPeriod::Number(number));
        let certificate = certificate.ok_or(AnswerError::Keys("holds keys of a key period without certificate"))?;
        provisioned(key_set, certificate).map_err(|error| match error {
            Error::KeyMaterial(error) => AnswerError::KeyMaterial(error),
            Error::Usage(UsageError::TransportKey) => AnswerError::Keys("holds keys under a transport key"),
            _ => AnswerError::Keys("holds keys that do not belong to the certificate"),
        })
    };
    Ok(IdentityKeys { current: import(current, number)?, next: next.map(|next| import(next, number + 1)).transpose()? })
}

/// The certificate of a domain for a key period; none if there is none, or it is revoked.
pub(super) fn certificate_of(domain: &Domain, period: KeyPeriod) -> Option<&Arc<KmsCertificate>> {
    let (start, _) = domain.uid_format().span(period).ok()?;
    domain.trusted_certificates().select(domain.kms_uri(), start)
}

fn provisioned(key_set: &KmsKeySet, certificate: &Arc<KmsCertificate>) -> Result<Provisioned, Error> {
    let keys = Arc::new(key_set.import(certificate, None)?);
    let pvt = *plain(&key_set.pvt)?.expose();
    let signing = SigningPair { ssk: plain(&key_set.ssk)?.clone(), pvt };
    let rsk = plain(&key_set.rsk)?.clone();
    Ok(Provisioned { key_set: KeySet { user: keys.user().clone(), period: keys.period(), rsk, signing }, keys })
}

fn plain<const N: usize>(content: &KeyContent<N>) -> Result<&Secret<[u8; N]>, UsageError> {
    match content {
        KeyContent::Plain(key) => Ok(key),
        KeyContent::Wrapped(_) => Err(UsageError::TransportKey),
    }
}
