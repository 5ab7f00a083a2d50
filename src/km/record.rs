//! What a provisioning service stores for a service, client, device or user.

use alloc::string::String;

use zeroize::Zeroizing;

use super::json::{Object, Writer};
use super::{BodyError, MAX_BODY_OCTETS, Payload};
use crate::error::UsageError;
use crate::identity::Uri;
use crate::kms::Validity;

/// A record of key material.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    user_uri: Uri,
    payload: Payload,
    validity: Validity,
}

impl Record {
    /// A record for a user, given out while it is valid, in whole seconds.
    ///
    /// # Errors
    ///
    /// [`UsageError::FieldLength`] if the URI has more than [`MAX_TEXT_OCTETS`](super::MAX_TEXT_OCTETS),
    /// [`UsageError::Time`] if the validity ends before it begins, or after the year 9999.
    pub fn new(user_uri: Uri, payload: Payload, validity: Validity) -> Result<Self, UsageError> {
        super::check_length(&user_uri)?;
        let [from, to] = [validity.from, validity.to].map(|at| at.map(super::whole_seconds).transpose());
        let validity = Validity { from: from?, to: to? };
        if is_empty(validity) {
            return Err(UsageError::Time);
        }
        Ok(Self { user_uri, payload, validity })
    }

    /// Reads a record.
    ///
    /// # Errors
    ///
    /// [`BodyError`].
    pub fn from_json(body: &[u8]) -> Result<Self, BodyError> {
        let object = Object::from_body(body, MAX_BODY_OCTETS)?;
        let user_uri = object.uri("UserUri")?;
        let payload = Payload::read(&object, "Payload")?;
        let from = object.optional("ValidFrom", Object::timestamp)?;
        let to = object.optional("ValidTo", Object::timestamp)?;
        let validity = Validity { from, to };
        if is_empty(validity) {
            return Err(BodyError::Integer("ValidTo"));
        }
        Ok(Self { user_uri, payload, validity })
    }

    /// Writes the record.
    pub fn to_json(&self) -> Zeroizing<String> {
        Writer::object(|writer| {
            writer.text("UserUri", self.user_uri.as_str());
            writer.text("Payload", self.payload.expose());
            for (name, at) in [("ValidFrom", self.validity.from), ("ValidTo", self.validity.to)] {
                if let Some(at) = at {
                    writer.integer(name, at.to_unix());
                }
            }
        })
    }

    /// UserUri: the user that the record is for.
    pub const fn user_uri(&self) -> &Uri {
        &self.user_uri
    }

    /// Payload: the key material.
    pub const fn payload(&self) -> &Payload {
        &self.payload
    }

    /// From ValidFrom up to and without ValidTo; outside of it there is no such record.
    pub const fn validity(&self) -> Validity {
        self.validity
    }
}

fn is_empty(validity: Validity) -> bool {
    validity.from.zip(validity.to).is_some_and(|(from, to)| to <= from)
}
