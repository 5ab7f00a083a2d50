//! KM Request (TS 33.434, 5.3.2).

use alloc::string::String;
use core::time::Duration;

use super::json::{Object, Writer};
use super::{Identifier, MAX_BODY_OCTETS, RequestError, Subject, VERSION};
use crate::error::UsageError;
use crate::identity::Uri;
use crate::time::Timestamp;

/// A request for key material.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    skms_uri: Uri,
    service_id: Identifier,
    subject: Subject,
    date_time: Timestamp,
}

impl Request {
    /// A request to a server, made at this time, of which the whole seconds are stated.
    ///
    /// # Errors
    ///
    /// [`UsageError::FieldLength`] if a URI has more than [`MAX_TEXT_OCTETS`](super::MAX_TEXT_OCTETS),
    /// [`UsageError::Time`] after the year 9999.
    pub fn new(skms_uri: Uri, service_id: Identifier, subject: Subject, now: Timestamp) -> Result<Self, UsageError> {
        super::check_length(&skms_uri)?;
        subject.check_length()?;
        Ok(Self { skms_uri, service_id, subject, date_time: super::whole_seconds(now)? })
    }

    /// Reads a request.
    ///
    /// # Errors
    ///
    /// [`RequestError`]; those about server and time are for [`Request::check`].
    pub fn from_json(body: &[u8]) -> Result<Self, RequestError> {
        let object = Object::from_body(body, MAX_BODY_OCTETS)?;
        if *object.text("Version")? != VERSION {
            return Err(RequestError::Version);
        }
        if Subject::count(&object) > 1 {
            return Err(RequestError::Identifiers);
        }
        Ok(Self {
            skms_uri: object.uri("SKmsUri")?,
            service_id: object.identifier("ServiceID")?,
            subject: Subject::read(&object)?,
            date_time: object.timestamp("DateTime")?,
        })
    }

    /// Writes the request.
    pub fn to_json(&self) -> String {
        let mut json = Writer::object(|writer| {
            writer.text("Version", VERSION);
            writer.text("SKmsUri", self.skms_uri.as_str());
            writer.text("ServiceID", self.service_id.as_str());
            self.subject.write(writer);
            writer.integer("DateTime", self.date_time.to_unix());
        });
        core::mem::take(&mut *json)
    }

    /// Checks that the request is for this server and of this time: at most `window` before or after `now`, both in
    /// whole seconds.
    ///
    /// # Errors
    ///
    /// [`RequestError::OtherServer`], then [`RequestError::Stale`].
    pub fn check(&self, skms_uri: &Uri, now: Timestamp, window: Duration) -> Result<(), RequestError> {
        if self.skms_uri != *skms_uri {
            Err(RequestError::OtherServer)
        } else if !super::is_fresh(self.date_time, now, window) {
            Err(RequestError::Stale)
        } else {
            Ok(())
        }
    }

    /// SKmsUri: the server that is addressed.
    pub const fn skms_uri(&self) -> &Uri {
        &self.skms_uri
    }

    /// ServiceID: the VAL service.
    pub const fn service_id(&self) -> &Identifier {
        &self.service_id
    }

    /// ClientID, DeviceID or UserID, if there is one.
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Date/Time, in whole seconds.
    pub const fn date_time(&self) -> Timestamp {
        self.date_time
    }
}

/// What a response that reports an error repeats of its request, as far as that could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Echo {
    /// ServiceID.
    pub service_id: Option<Identifier>,
    /// ClientID, DeviceID or UserID.
    pub subject: Subject,
}

impl Echo {
    /// Of a request that was not read.
    pub const NOTHING: Self = Self { service_id: None, subject: Subject::Service };

    /// Of a body, however malformed: identifiers that are, and that the object has beyond doubt.
    pub fn of_json(body: &[u8]) -> Self {
        let Ok(object) = Object::from_body(body, MAX_BODY_OCTETS) else { return Self::NOTHING };
        let Ok(service_id) = object.identifier("ServiceID") else { return Self::NOTHING };
        let subject = if Subject::count(&object) == 1 { Subject::read(&object).ok() } else { None };
        Self { service_id: Some(service_id), subject: subject.unwrap_or(Subject::Service) }
    }
}

impl From<&Request> for Echo {
    fn from(request: &Request) -> Self {
        Self { service_id: Some(request.service_id.clone()), subject: request.subject.clone() }
    }
}
