//! KmsResponse (TS 33.180, D.3).

use alloc::string::{String, ToString};
use core::time::Duration;

use zeroize::Zeroizing;

use super::error::DocumentError;
use super::fields::{self, Fields};
use super::message::KmsMessage;
use super::request::KmsRequest;
use super::tree::{self, Element};
use super::writer::DocumentWriter;
use super::{Tolerances, root};
use crate::error::{Refusal, UsageError};
use crate::identity::Uri;
use crate::time::Timestamp;

/// What a KMS answers.
#[derive(Clone, Debug)]
pub struct KmsResponse {
    /// The user.
    pub user_uri: Uri,
    /// The KMS that answers.
    pub kms_uri: Uri,
    /// When the response was made, to the second.
    pub time: Timestamp,
    /// The name of the KMS.
    pub kms_id: Option<String>,
    /// The URL that the request was posted to.
    pub client_req_url: String,
    /// What was asked for.
    pub message: Option<KmsMessage>,
    /// Why it is not there, or not whole.
    pub error: Option<KmsError>,
    /// TrK-ID: the name of the transport key that keys are wrapped under.
    pub transport_key_id: Option<String>,
    /// Signature-ID: the name of the key in use for signatures.
    pub signature_id: Option<String>,
}

impl KmsResponse {
    pub(super) const ROOT: &'static str = "KmsResponse";

    /// The response to a request, with neither message nor error yet.
    pub fn to(request: &KmsRequest, time: Timestamp) -> Self {
        Self {
            user_uri: request.user_uri.clone(),
            kms_uri: request.kms_uri.clone(),
            time,
            kms_id: None,
            client_req_url: request.client_req_url.clone(),
            message: None,
            error: None,
            transport_key_id: None,
            signature_id: None,
        }
    }

    /// Whether this is the answer to a request, made at most `window` before or after `now`: user, KMS and URL are
    /// repeated, a certificate in KmsInit is that of this KMS, and key sets are of this KMS and user.
    ///
    /// # Errors
    ///
    /// [`Refusal::NotForUs`] for another user or URL, [`Refusal::UntrustedKms`] for another KMS, [`Refusal::Stale`].
    pub fn check(&self, request: &KmsRequest, now: Timestamp, window: Duration) -> Result<(), Refusal> {
        if self.user_uri != request.user_uri || self.client_req_url != request.client_req_url {
            return Err(Refusal::NotForUs);
        }
        let is_this_kms = |kms: &Uri| *kms == request.kms_uri;
        if !is_this_kms(&self.kms_uri) {
            return Err(Refusal::UntrustedKms);
        }
        if self.time < now.saturating_sub(window) || self.time > now.saturating_add(window) {
            return Err(Refusal::Stale);
        }
        match &self.message {
            Some(KmsMessage::Init(init)) if !is_this_kms(init.certificate.certificate.kms_uri()) => {
                Err(Refusal::UntrustedKms)
            }
            Some(KmsMessage::KeyProv(provision)) => provision.key_sets.iter().try_for_each(|key_set| {
                if !is_this_kms(&key_set.kms_uri) {
                    return Err(Refusal::UntrustedKms);
                }
                if key_set.user_uri == request.user_uri { Ok(()) } else { Err(Refusal::NotForUs) }
            }),
            _ => Ok(()),
        }
    }

    /// Reads a response. The keys in it are not checked before they are imported.
    ///
    /// # Errors
    ///
    /// [`DocumentError`], also if Z or KPAK of a certificate fail their checks.
    pub fn from_xml(octets: &[u8], tolerances: Tolerances) -> Result<Self, DocumentError> {
        Self::read(root(&tree::parse(octets)?, Self::ROOT)?, tolerances)
    }

    pub(super) fn read(element: &Element<'_>, tolerances: Tolerances) -> Result<Self, DocumentError> {
        fields::check_version(element)?;
        let mut parts = Fields::of(element, &["Version"], tolerances)?;
        let response = Self {
            user_uri: fields::uri(parts.required("UserUri")?)?,
            kms_uri: fields::uri(parts.required("KmsUri")?)?,
            time: fields::timestamp(parts.required("Time")?)?,
            kms_id: parts.value("KmsId", fields::string)?,
            client_req_url: fields::string(parts.required("ClientReqUrl")?)?,
            message: parts.value("KmsMessage", |message| KmsMessage::read(message, tolerances))?,
            error: parts.value("KmsError", |error| KmsError::read(error, tolerances))?,
            transport_key_id: parts.value("TrK-ID", fields::string)?,
            signature_id: parts.value("Signature-ID", fields::string)?,
        };
        parts.finish()?;
        Ok(response)
    }

    /// Writes the response.
    ///
    /// # Errors
    ///
    /// [`UsageError::UidFormat`] for a certificate whose UIDs are not hashed; [`UsageError::FieldLength`] for text that
    /// cannot stand in XML, and for more than a document may hold; [`UsageError::Time`] for a year after 9999.
    pub fn to_xml(&self) -> Result<Zeroizing<String>, UsageError> {
        DocumentWriter::document(Self::ROOT, &[("Version", super::VERSION)], |writer| {
            writer.text("UserUri", self.user_uri.as_str())?;
            writer.text("KmsUri", self.kms_uri.as_str())?;
            writer.time("Time", self.time)?;
            writer.optional_text("KmsId", self.kms_id.as_deref())?;
            writer.text("ClientReqUrl", &self.client_req_url)?;
            if let Some(message) = &self.message {
                message.write(writer)?;
            }
            if let Some(error) = &self.error {
                error.write("KmsError", writer)?;
            }
            writer.optional_text("TrK-ID", self.transport_key_id.as_deref())?;
            writer.optional_text("Signature-ID", self.signature_id.as_deref())
        })
    }
}

/// An error that the KMS reports, or the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KmsError {
    /// ErrorCode.
    pub code: i64,
    /// ErrorMsg, for people.
    pub message: String,
}

impl KmsError {
    pub(super) fn read(element: &Element<'_>, tolerances: Tolerances) -> Result<Self, DocumentError> {
        let mut parts = Fields::of(element, &["Version"], tolerances)?;
        let error = Self {
            code: fields::integer(parts.required("ErrorCode")?)?,
            message: fields::string(parts.required("ErrorMsg")?)?,
        };
        parts.finish()?;
        Ok(error)
    }

    pub(super) fn write(&self, name: &'static str, writer: &mut DocumentWriter) -> Result<(), UsageError> {
        writer.element(name, &[], |writer| {
            writer.text("ErrorCode", &self.code.to_string())?;
            writer.text("ErrorMsg", &self.message)
        })
    }
}
