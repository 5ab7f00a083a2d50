//! KmsRequest (TS 33.180, D.2).

use alloc::string::String;

use zeroize::Zeroizing;

use super::error::{DocumentError, DocumentErrorKind as Kind};
use super::fields::{self, Fields};
use super::response::KmsError;
use super::tree::{self, Element};
use super::writer::DocumentWriter;
use super::{Tolerances, root};
use crate::error::UsageError;
use crate::identity::Uri;
use crate::time::Timestamp;

/// What a client posts to a KMS.
///
/// Who asks is proved by the channel and the access token, not by this document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KmsRequest {
    /// The user.
    pub user_uri: Uri,
    /// The KMS that is asked.
    pub kms_uri: Uri,
    /// When the request was made, to the second.
    pub time: Timestamp,
    /// The client.
    pub client_id: Option<String>,
    /// The device.
    pub device_id: Option<String>,
    /// The URL that the request is posted to.
    pub client_req_url: String,
    /// An error that the client reports.
    pub client_error: Option<KmsError>,
    /// TrK-ID: the name of the transport key in use.
    pub transport_key_id: Option<String>,
    /// Signature-ID: the name of the key in use for signatures.
    pub signature_id: Option<String>,
}

impl KmsRequest {
    pub(super) const ROOT: &'static str = "KmsRequest";

    /// A request for a user to a KMS.
    pub const fn new(user_uri: Uri, kms_uri: Uri, time: Timestamp, client_req_url: String) -> Self {
        Self {
            user_uri,
            kms_uri,
            time,
            client_id: None,
            device_id: None,
            client_req_url,
            client_error: None,
            transport_key_id: None,
            signature_id: None,
        }
    }

    /// Reads a request. One with KrrList, which follows a redirect, is not supported.
    ///
    /// # Errors
    ///
    /// [`DocumentError`].
    pub fn from_xml(octets: &[u8], tolerances: Tolerances) -> Result<Self, DocumentError> {
        Self::read(root(&tree::parse(octets)?, Self::ROOT)?, tolerances)
    }

    pub(super) fn read(element: &Element<'_>, tolerances: Tolerances) -> Result<Self, DocumentError> {
        fields::check_version(element)?;
        let mut parts = Fields::of(element, &["Version"], tolerances)?;
        let mut request = Self::new(
            fields::uri(parts.required("UserUri")?)?,
            fields::uri(parts.required("KmsUri")?)?,
            fields::timestamp(parts.required("Time")?)?,
            String::new(),
        );
        request.client_id = parts.value("ClientId", fields::string)?;
        request.device_id = parts.value("DeviceId", fields::string)?;
        request.client_req_url = fields::string(parts.required("ClientReqUrl")?)?;
        if let Some(redirects) = parts.optional("KrrList") {
            return Err(redirects.error(Kind::Unsupported("a request after a redirect")));
        }
        request.client_error = parts.value("ClientError", |error| KmsError::read(error, tolerances))?;
        request.transport_key_id = parts.value("TrK-ID", fields::string)?;
        request.signature_id = parts.value("Signature-ID", fields::string)?;
        parts.finish()?;
        Ok(request)
    }

    /// Writes the request.
    ///
    /// # Errors
    ///
    /// [`UsageError::FieldLength`] for text that cannot stand in XML, [`UsageError::Time`] for a year after 9999.
    pub fn to_xml(&self) -> Result<Zeroizing<String>, UsageError> {
        DocumentWriter::document(Self::ROOT, &[("Version", "1.1.0")], |writer| {
            writer.text("UserUri", self.user_uri.as_str())?;
            writer.text("KmsUri", self.kms_uri.as_str())?;
            writer.time("Time", self.time)?;
            writer.optional_text("ClientId", self.client_id.as_deref())?;
            writer.optional_text("DeviceId", self.device_id.as_deref())?;
            writer.text("ClientReqUrl", &self.client_req_url)?;
            if let Some(error) = &self.client_error {
                error.write("ClientError", writer)?;
            }
            writer.optional_text("TrK-ID", self.transport_key_id.as_deref())?;
            writer.optional_text("Signature-ID", self.signature_id.as_deref())
        })
    }
}
