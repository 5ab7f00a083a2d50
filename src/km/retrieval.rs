//! The REST API for the same exchange: SS_KeyInfoRetrieval of 3GPP TS 29.549.
//!
//! A GET of `{apiRoot}/ss-kir/v1/key-records` with a [`KeyRecordQuery`] is answered by [`ValKeyInfo`], or by
//! [`ProblemDetails`] (RFC 9457). URI and HTTPS take the place of Version, SKmsUri and Date/Time.

mod problem;
mod query;

use zeroize::Zeroizing;

use alloc::string::String;

use super::json::{Object, Writer};
use super::{Identifier, MAX_RESPONSE_OCTETS, Payload, Request, RequestError, Response, ResponseError, Subject};
use crate::error::UsageError;
use crate::identity::Uri;
use crate::time::Timestamp;

pub use problem::ProblemDetails;
pub use query::KeyRecordQuery;

/// ValTargetUe: whose key information of a service is meant. There is no VAL client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValTargetUe {
    /// `valUserId`: a VAL user, in a KM message UserID.
    ValUserId(Uri),
    /// `valUeId`: a VAL UE, in a KM message DeviceID.
    ValUeId(Identifier),
}

impl ValTargetUe {
    /// The target of a subject, which is none for the service as a whole.
    ///
    /// # Errors
    ///
    /// [`UsageError::FieldLength`] for a VAL client, which has no member here.
    pub fn from_subject(subject: &Subject) -> Result<Option<Self>, UsageError> {
        match subject {
            Subject::Service => Ok(None),
            Subject::Client(_) => Err(UsageError::FieldLength),
            Subject::Device(device) => Ok(Some(Self::ValUeId(device.clone()))),
            Subject::User(user) => Ok(Some(Self::ValUserId(user.clone()))),
        }
    }

    /// The subject of a target.
    pub fn into_subject(target: Option<Self>) -> Subject {
        match target {
            None => Subject::Service,
            Some(Self::ValUeId(device)) => Subject::Device(device),
            Some(Self::ValUserId(user)) => Subject::User(user),
        }
    }

    fn read(object: &Object<'_>) -> Result<Self, RequestError> {
        let user = object.optional("valUserId", Object::uri)?;
        let ue = object.optional("valUeId", Object::identifier)?;
        match (user, ue) {
            _ if object.len() != 1 => Err(RequestError::Identifiers),
            (Some(user), None) => Ok(Self::ValUserId(user)),
            (None, Some(ue)) => Ok(Self::ValUeId(ue)),
            _ => Err(RequestError::Identifiers),
        }
    }

    fn write(&self, writer: &mut Writer) {
        match self {
            Self::ValUserId(user) => writer.text("valUserId", user.as_str()),
            Self::ValUeId(ue) => writer.text("valUeId", ue.as_str()),
        }
    }
}

/// ValKeyInfo: the key information, the body of a response with status 200.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValKeyInfo {
    /// `userUri`: in a KM Response UserUri.
    pub user_uri: Uri,
    /// `skmsId`: in a KM Response SKmsID.
    pub skms_id: Option<Identifier>,
    /// `valService`: in a KM Response ServiceID.
    pub val_service: Identifier,
    /// `valTgtUe`: in a KM Response UserID or DeviceID.
    pub val_tgt_ue: Option<ValTargetUe>,
    /// `keyInfo`: in a KM Response the Payload, empty where there is none.
    pub key_info: Payload,
}

impl ValKeyInfo {
    /// Reads the body.
    ///
    /// # Errors
    ///
    /// [`ResponseError`].
    pub fn from_json(body: &[u8]) -> Result<Self, ResponseError> {
        let object = Object::from_body(body, MAX_RESPONSE_OCTETS)?;
        let target = object.optional("valTgtUe", Object::object)?;
        let target = target.map(|target| ValTargetUe::read(&target)).transpose();
        Ok(Self {
            user_uri: object.uri("userUri")?,
            skms_id: object.optional("skmsId", Object::identifier)?,
            val_service: object.identifier("valService")?,
            val_tgt_ue: target.map_err(|error| match error {
                RequestError::Body(error) => ResponseError::Body(error),
                _ => ResponseError::Identifiers,
            })?,
            key_info: Payload::read(&object, "keyInfo")?,
        })
    }

    /// Writes the body.
    pub fn to_json(&self) -> Zeroizing<String> {
        Writer::object(|writer| {
            writer.text("userUri", self.user_uri.as_str());
            writer.optional_text("skmsId", self.skms_id.as_ref().map(Identifier::as_str));
            writer.text("valService", self.val_service.as_str());
            if let Some(target) = &self.val_tgt_ue {
                writer.member("valTgtUe", |writer| target.write(writer));
            }
            writer.text("keyInfo", self.key_info.expose());
        })
    }

    /// The key information of a KM Response that reports success.
    ///
    /// # Errors
    ///
    /// [`ResponseError::Failed`] if it reports an error, [`ResponseError::Subject`] for a VAL client, which has no
    /// member here.
    pub fn from_response(response: Response) -> Result<Self, ResponseError> {
        if let Some(code) = response.error_code() {
            return Err(ResponseError::Failed(code));
        }
        let echo = response.echo();
        Ok(Self {
            user_uri: response.user_uri().clone(),
            skms_id: response.skms_id().cloned(),
            val_service: echo.service_id.clone().ok_or(ResponseError::ServiceId)?,
            val_tgt_ue: ValTargetUe::from_subject(&echo.subject).map_err(|_| ResponseError::Subject)?,
            key_info: response.into_payload().unwrap_or_default(),
        })
    }

    /// The KM Response that says the same, from this server at this time; to be accepted as any other.
    ///
    /// # Errors
    ///
    /// [`UsageError::FieldLength`] if a URI has more than [`MAX_TEXT_OCTETS`](super::MAX_TEXT_OCTETS),
    /// [`UsageError::Time`] after the year 9999.
    pub fn into_response(self, skms_uri: Uri, now: Timestamp) -> Result<Response, UsageError> {
        let request = Request::new(skms_uri, self.val_service, ValTargetUe::into_subject(self.val_tgt_ue), now)?;
        let response = Response::success(&request, self.user_uri, Some(self.key_info), now)?;
        Ok(match self.skms_id {
            Some(skms_id) => response.with_skms_id(skms_id),
            None => response,
        })
    }
}
