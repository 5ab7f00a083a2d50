//! KmsKeySet (TS 33.180, D.3.3).

use alloc::string::{String, ToString};
use alloc::sync::Arc;

use zeroize::Zeroizing;

use super::error::DocumentError;
use super::fields::{self, Fields};
use super::key_wrap::{KeyContent, TransportKey};
use super::tree::{self, Element};
use super::writer::DocumentWriter;
use super::{PVT_OCTETS, RSK_OCTETS, SSK_OCTETS, Tolerances};
use crate::eccsi::SigningPair;
use crate::error::{Error, KeyMaterialError, Refusal, UsageError};
use crate::identity::{KeyPeriod, Uid, Uri};
use crate::kms::{self, KeySet, UserKeys, Validity};
use crate::secret::Secret;

/// The keys of a user for a key period, as a document delivers them: of use only once they are imported.
#[derive(Clone, Debug)]
pub struct KmsKeySet {
    /// The KMS that issued the keys.
    pub kms_uri: Uri,
    /// The URI of its certificate.
    pub cert_uri: Option<String>,
    /// Who issued the document.
    pub issuer: Option<String>,
    /// The user.
    pub user_uri: Uri,
    /// The UID that the keys are bound to.
    pub user_id: Uid,
    /// When the keys are valid; what counts is their key period.
    pub validity: Validity,
    /// The number of the key period.
    pub key_period_no: u64,
    /// Whether the keys are revoked.
    pub is_revoked: bool,
    /// UserDecryptKey: the RSK.
    pub rsk: KeyContent<RSK_OCTETS>,
    /// UserSigningKeySSK: the SSK.
    pub ssk: KeyContent<SSK_OCTETS>,
    /// UserPubTokenPVT: the PVT.
    pub pvt: KeyContent<PVT_OCTETS>,
}

impl KmsKeySet {
    pub(super) const ROOT: &'static str = "KmsKeySet";

    /// The document of a key set that was issued under this certificate, valid for its key period.
    ///
    /// # Errors
    ///
    /// [`UsageError::UidFormat`] unless the UIDs are hashed, the only ones these documents know, or if the key set is
    /// not of this format; [`UsageError::Time`] if the key period has no times.
    pub fn new(certificate: &kms::KmsCertificate, key_set: &KeySet) -> Result<Self, UsageError> {
        let KeySet { user, period, rsk, signing } = key_set;
        let KeyPeriod::Number(key_period_no) = *period else { return Err(UsageError::UidFormat) };
        let (from, to) = certificate.uid_format().span(*period)?;
        Ok(Self {
            kms_uri: certificate.kms_uri().clone(),
            cert_uri: None,
            issuer: None,
            user_uri: user.clone(),
            user_id: certificate.uid(user, *period)?,
            validity: Validity { from: Some(from), to: Some(to) },
            key_period_no,
            is_revoked: false,
            rsk: KeyContent::Plain(rsk.clone()),
            ssk: KeyContent::Plain(signing.ssk.clone()),
            pvt: KeyContent::Plain(Secret::new(signing.pvt)),
        })
    }

    /// The same with every key wrapped under a transport key.
    ///
    /// # Errors
    ///
    /// [`UsageError::FieldLength`] if there is nothing to wrap, which no key set has.
    pub fn wrapped(&self, transport_key: &TransportKey) -> Result<Self, UsageError> {
        Ok(Self {
            rsk: self.rsk.wrapped(transport_key)?,
            ssk: self.ssk.wrapped(transport_key)?,
            pvt: self.pvt.wrapped(transport_key)?,
            ..self.clone()
        })
    }

    /// Takes the keys into use, with all checks of [`UserKeys::import`]; the UID must be that of user, KMS and key
    /// period.
    ///
    /// # Errors
    ///
    /// [`Refusal::UntrustedKms`] if the certificate is that of another KMS, [`UsageError::Certificate`] if it is
    /// revoked, [`KeyMaterialError`] if the keys are revoked or fail a check, [`UsageError::TransportKey`] if one is
    /// needed and there is none, [`Error::Rejected`] if a key does not open under it.
    pub fn import(
        &self,
        certificate: &Arc<kms::KmsCertificate>,
        transport_key: Option<&TransportKey>,
    ) -> Result<UserKeys, Error> {
        if self.kms_uri != *certificate.kms_uri() {
            return Err(Refusal::UntrustedKms.into());
        }
        if certificate.is_revoked() {
            return Err(UsageError::Certificate.into());
        }
        if self.is_revoked {
            return Err(KeyMaterialError::Revoked.into());
        }
        let period = KeyPeriod::Number(self.key_period_no);
        if certificate.uid(&self.user_uri, period)? != self.user_id {
            return Err(KeyMaterialError::UserId.into());
        }
        let signing = SigningPair { ssk: self.ssk.open(transport_key)?, pvt: *self.pvt.open(transport_key)?.expose() };
        let rsk = self.rsk.open(transport_key)?;
        UserKeys::import(certificate, &KeySet { user: self.user_uri.clone(), period, rsk, signing })
    }

    /// Reads a document that is a KmsKeySet alone. The keys are not checked before they are imported.
    ///
    /// # Errors
    ///
    /// [`DocumentError`].
    pub fn from_xml(octets: &[u8], tolerances: Tolerances) -> Result<Self, DocumentError> {
        Self::read(super::root(&tree::parse(octets)?, Self::ROOT)?, tolerances)
    }

    /// Writes a document that is a KmsKeySet alone.
    ///
    /// # Errors
    ///
    /// [`UsageError::FieldLength`] for text that cannot stand in XML or a UID that is no hash, [`UsageError::Time`] for
    /// a year after 9999.
    pub fn to_xml(&self) -> Result<Zeroizing<String>, UsageError> {
        let version = [("Version", super::CONTENT_VERSION)];
        DocumentWriter::document(Self::ROOT, &version, |writer| self.write_content(writer))
    }

    pub(super) fn read(element: &Element<'_>, tolerances: Tolerances) -> Result<Self, DocumentError> {
        fields::check_version(element)?;
        let mut parts = Fields::of(element, &["Version"], tolerances)?;
        let key_set = Self {
            kms_uri: fields::uri(parts.required("KmsUri")?)?,
            cert_uri: parts.value("CertUri", fields::string)?,
            issuer: parts.value("Issuer", fields::string)?,
            user_uri: fields::uri(parts.required("UserUri")?)?,
            user_id: fields::uid(parts.required("UserID")?)?,
            validity: super::read_validity(&mut parts)?,
            key_period_no: fields::number(parts.required("KeyPeriodNo")?)?,
            is_revoked: parts.value("Revoked", fields::boolean)?.unwrap_or(false),
            rsk: KeyContent::read(parts.required("UserDecryptKey")?, tolerances)?,
            ssk: KeyContent::read(parts.required("UserSigningKeySSK")?, tolerances)?,
            pvt: KeyContent::read(parts.required("UserPubTokenPVT")?, tolerances)?,
        };
        parts.finish()?;
        Ok(key_set)
    }

    pub(super) fn write(&self, writer: &mut DocumentWriter) -> Result<(), UsageError> {
        let version = [("Version", super::CONTENT_VERSION)];
        writer.element(Self::ROOT, &version, |writer| self.write_content(writer))
    }

    fn write_content(&self, writer: &mut DocumentWriter) -> Result<(), UsageError> {
        if self.user_id.as_octets().len() != super::UID_OCTETS {
            return Err(UsageError::FieldLength);
        }
        writer.text("KmsUri", self.kms_uri.as_str())?;
        writer.optional_text("CertUri", self.cert_uri.as_deref())?;
        writer.optional_text("Issuer", self.issuer.as_deref())?;
        writer.text("UserUri", self.user_uri.as_str())?;
        writer.hex("UserID", self.user_id.as_octets())?;
        writer.optional_time("ValidFrom", self.validity.from)?;
        writer.optional_time("ValidTo", self.validity.to)?;
        writer.text("KeyPeriodNo", &self.key_period_no.to_string())?;
        writer.text("Revoked", if self.is_revoked { "true" } else { "false" })?;
        self.rsk.write("UserDecryptKey", writer)?;
        self.ssk.write("UserSigningKeySSK", writer)?;
        self.pvt.write("UserPubTokenPVT", writer)
    }
}
