//! The keys of a user for a key period.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use mikey_sakke::documents::{Document, KmsKeySet, KmsMessage, Tolerances};
use mikey_sakke::eccsi::SigningPair;
use mikey_sakke::identity::KeyPeriod;
use mikey_sakke::kms::{KeySet, KmsCertificate, UserKeys};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::fields::{array, secret, uri};
use crate::file::{Access, NO_XML, in_file, is_xml, read_text, to_json, write};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct KeySetFile {
    kms_uri: String,
    user_uri: String,
    #[serde(rename = "UserID")]
    user_id: String,
    /// The number of the period, or the month as `YYYY-MM`.
    key_period_no: String,
    user_decrypt_key: Zeroizing<String>,
    #[serde(rename = "UserSigningKeySSK")]
    ssk: Zeroizing<String>,
    #[serde(rename = "UserPubTokenPVT")]
    pvt: String,
}

/// Reads the keys of a user, and checks them against the certificate: JSON, a KmsKeySet, or a KmsResponse with one.
///
/// # Errors
///
/// The file cannot be read, is malformed, or holds keys that are not those of the certificate's KMS.
pub fn read_user_keys(path: &Path, certificate: &Arc<KmsCertificate>) -> anyhow::Result<UserKeys> {
    let text = read_text(path)?;
    let keys = || -> anyhow::Result<UserKeys> {
        if is_xml(&text) {
            return Ok(
                key_set_of(Document::from_xml(text.as_bytes(), Tolerances::default())?)?.import(certificate, None)?
            );
        }
        let file: KeySetFile = serde_json::from_str(&text)?;
        if file.kms_uri != certificate.kms_uri().as_str() {
            bail!("the keys are of the KMS {}, the certificate of {}", file.kms_uri, certificate.kms_uri());
        }
        let period: KeyPeriod = file.key_period_no.parse().context("KeyPeriodNo")?;
        let user = uri("UserUri", &file.user_uri)?;
        if file.user_id != certificate.uid(&user, period)?.to_string() {
            bail!("UserID is not that of UserUri, KmsUri and KeyPeriodNo");
        }
        let signing =
            SigningPair { ssk: secret("UserSigningKeySSK", &file.ssk)?, pvt: array("UserPubTokenPVT", &file.pvt)? };
        let rsk = secret("UserDecryptKey", &file.user_decrypt_key)?;
        Ok(UserKeys::import(certificate, &KeySet { user, period, rsk, signing })?)
    };
    keys().with_context(|| in_file(path))
}

/// The key set that a document holds alone.
fn key_set_of(document: Document) -> anyhow::Result<KmsKeySet> {
    match document {
        Document::KeySet(key_set) => Ok(*key_set),
        Document::Response(response) => match response.message {
            Some(KmsMessage::KeyProv(provision)) => match <[KmsKeySet; 1]>::try_from(provision.key_sets) {
                Ok([key_set]) => Ok(key_set),
                Err(key_sets) => bail!("the KmsResponse holds {} key sets; give one as a KmsKeySet", key_sets.len()),
            },
            _ => bail!("the KmsResponse holds no KmsKeyProv"),
        },
        _ => bail!("neither a KmsKeySet nor a KmsResponse"),
    }
}

/// Writes the keys of a user for their owner alone: JSON, or a KmsKeySet.
///
/// # Errors
///
/// Those of [`write()`]; the keys are not of the certificate; XML is asked for, and the domain's UIDs are of months.
pub fn write_key_set(
    path: &Path,
    force: bool,
    xml: bool,
    certificate: &KmsCertificate,
    key_set: &KeySet,
) -> anyhow::Result<()> {
    if xml {
        let document = KmsKeySet::new(certificate, key_set).and_then(|document| document.to_xml());
        return write(path, Access::Owner, force, document.context(NO_XML)?.as_bytes());
    }
    let file = KeySetFile {
        kms_uri: certificate.kms_uri().to_string(),
        user_uri: key_set.user.to_string(),
        user_id: certificate.uid(&key_set.user, key_set.period)?.to_string(),
        key_period_no: key_set.period.to_string(),
        user_decrypt_key: hex::encode(key_set.rsk.expose()).into(),
        ssk: hex::encode(key_set.signing.ssk.expose()).into(),
        pvt: hex::encode(key_set.signing.pvt),
    };
    write(path, Access::Owner, force, to_json(&file)?.as_bytes())
}
