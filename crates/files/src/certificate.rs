//! A KMS certificate.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use mikey_sakke::documents::{self, Document, KmsMessage, Tolerances};
use mikey_sakke::identity::UidFormat;
use mikey_sakke::kms::KmsCertificate;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::fields::{octets, uri};
use crate::file::{NO_XML, in_file, is_xml, read_text, to_json};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct CertificateFile {
    pub(crate) kms_uri: String,
    /// 1: `tel` URI and month, 2: hashed UID, as the identifier schemes of the SAKKE payload.
    user_id_format: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_key_period: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_key_offset: Option<u64>,
    pub_enc_key: String,
    pub_auth_key: String,
}

impl From<&KmsCertificate> for CertificateFile {
    fn from(certificate: &KmsCertificate) -> Self {
        let (user_id_format, user_key_period, user_key_offset) = match certificate.uid_format() {
            UidFormat::Monthly => (1, None, None),
            UidFormat::Hashed { period, offset } => (2, Some(period), Some(offset)),
        };
        Self {
            kms_uri: certificate.kms_uri().to_string(),
            user_id_format,
            user_key_period,
            user_key_offset,
            pub_enc_key: hex::encode(certificate.public_key().to_octets()),
            pub_auth_key: hex::encode(certificate.kpak().to_octets()),
        }
    }
}

impl CertificateFile {
    pub(crate) fn uid_format(&self) -> anyhow::Result<UidFormat> {
        match (self.user_id_format, self.user_key_period, self.user_key_offset) {
            (1, None, None) => Ok(UidFormat::Monthly),
            (2, Some(period), Some(offset)) => Ok(UidFormat::hashed(period, offset)?),
            _ => bail!("UserIdFormat is 1, or 2 with UserKeyPeriod and UserKeyOffset"),
        }
    }

    pub(crate) fn check(&self) -> anyhow::Result<KmsCertificate> {
        let public_key = octets("PubEncKey", &self.pub_enc_key)?;
        let kpak = octets("PubAuthKey", &self.pub_auth_key)?;
        Ok(KmsCertificate::new(uri("KmsUri", &self.kms_uri)?, self.uid_format()?, &public_key, &kpak)?)
    }
}

/// Reads a certificate: JSON, a KmsCertificate, or a KmsResponse with a KmsInit.
///
/// # Errors
///
/// The file cannot be read, is malformed, or its certificate fails the checks.
pub fn read_certificate(path: &Path) -> anyhow::Result<Arc<KmsCertificate>> {
    let text = read_text(path)?;
    let certificate = || -> anyhow::Result<Arc<KmsCertificate>> {
        if !is_xml(&text) {
            return Ok(Arc::new(serde_json::from_str::<CertificateFile>(&text)?.check()?));
        }
        match Document::from_xml(text.as_bytes(), Tolerances::default())? {
            Document::Certificate(document) => Ok(document.certificate),
            Document::Response(response) => match response.message {
                Some(KmsMessage::Init(init)) => Ok(init.certificate.certificate),
                _ => bail!("the KmsResponse holds no KmsInit"),
            },
            _ => bail!("neither a KmsCertificate nor a KmsResponse"),
        }
    };
    certificate().with_context(|| in_file(path))
}

/// A certificate as a document: JSON, or XML.
///
/// # Errors
///
/// XML is asked for, and the domain's UIDs are of months.
pub fn certificate_document(certificate: &Arc<KmsCertificate>, xml: bool) -> anyhow::Result<Zeroizing<String>> {
    if xml {
        return documents::KmsCertificate::from(certificate.clone()).to_xml().context(NO_XML);
    }
    to_json(&CertificateFile::from(certificate.as_ref()))
}
