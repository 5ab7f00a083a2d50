//! The query of a retrieval.

use alloc::string::String;
use alloc::vec::Vec;

use super::ValTargetUe;
use crate::error::UsageError;
use crate::identity::Uri;
use crate::km::json::{Object, Writer};
use crate::km::{BodyError, Identifier, MAX_BODY_OCTETS, Request, RequestError};
use crate::time::Timestamp;

const SERVICE: &str = "val-service-id";
const TARGET: &str = "val-tgt-ue";

/// The query of a GET of `key-records`: `val-service-id` and, as JSON, `val-tgt-ue`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecordQuery {
    /// `val-service-id`: in a KM Request ServiceID.
    pub val_service_id: Identifier,
    /// `val-tgt-ue`: in a KM Request UserID or DeviceID.
    pub val_tgt_ue: Option<ValTargetUe>,
}

impl KeyRecordQuery {
    /// Reads what stands behind the `?` of a URL. A plus sign is a space, as forms have it; parameters that are not
    /// known are ignored.
    ///
    /// # Errors
    ///
    /// [`RequestError::Body`], also for more than [`MAX_BODY_OCTETS`] and for a parameter that stands twice;
    /// [`RequestError::Identifiers`] unless `val-tgt-ue` has exactly one member, and a known one.
    pub fn parse(query: &str) -> Result<Self, RequestError> {
        if query.len() > MAX_BODY_OCTETS {
            return Err(BodyError::TooLong.into());
        }
        let (mut service, mut target) = (None, None);
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let known = match &*decode(name)? {
                SERVICE => &mut service,
                TARGET => &mut target,
                _ => continue,
            };
            if known.replace(decode(value)?).is_some() {
                return Err(BodyError::Duplicate.into());
            }
        }
        let service = service.ok_or(BodyError::Missing(SERVICE))?;
        let target = target.map(|json| ValTargetUe::read(&Object::parse(&json)?)).transpose()?;
        Ok(Self { val_service_id: Identifier::read(&service, SERVICE)?, val_tgt_ue: target })
    }

    /// Writes the query, without a `?`.
    pub fn to_query(&self) -> String {
        let mut query = String::from(SERVICE);
        query.push('=');
        encode(self.val_service_id.as_str(), &mut query);
        if let Some(target) = &self.val_tgt_ue {
            query.push('&');
            query.push_str(TARGET);
            query.push('=');
            encode(&Writer::object(|writer| target.write(writer)), &mut query);
        }
        query
    }

    /// The query that asks for the same as a KM Request.
    ///
    /// # Errors
    ///
    /// [`UsageError::FieldLength`] for a VAL client, which has no member here.
    pub fn from_request(request: &Request) -> Result<Self, UsageError> {
        let val_tgt_ue = ValTargetUe::from_subject(request.subject())?;
        Ok(Self { val_service_id: request.service_id().clone(), val_tgt_ue })
    }

    /// The KM Request to a server that asks for the same, at this time.
    ///
    /// # Errors
    ///
    /// Those of [`Request::new`].
    pub fn into_request(self, skms_uri: Uri, now: Timestamp) -> Result<Request, UsageError> {
        Request::new(skms_uri, self.val_service_id, ValTargetUe::into_subject(self.val_tgt_ue), now)
    }
}

/// The text that is percent-encoded.
fn decode(encoded: &str) -> Result<String, BodyError> {
    let mut octets = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        octets.push(match first {
            b'+' => b' ',
            b'%' => {
                let digits = after.first_chunk::<2>().ok_or(BodyError::Escape)?;
                let mut octet = [0];
                base16ct::mixed::decode(digits, &mut octet).map_err(|_| BodyError::Escape)?;
                rest = &after[2..];
                octet[0]
            }
            other => *other,
        });
    }
    String::from_utf8(octets).map_err(|_| BodyError::Escape)
}

/// Appends a text with all but the unreserved characters of RFC 3986, section 2.3, percent-encoded.
fn encode(text: &str, query: &mut String) {
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            query.push(octet.into());
        } else {
            query.push_str(&alloc::format!("%{octet:02X}"));
        }
    }
}
