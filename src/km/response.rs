//! KM Response (TS 33.434, 5.3.3).

use alloc::string::String;
use core::time::Duration;

use zeroize::Zeroizing;

use super::json::{Object, Writer};
use super::{BodyError, Echo, ErrorCode, Identifier, MAX_RESPONSE_OCTETS, Payload, Request, ResponseError, Subject};
use crate::error::UsageError;
use crate::identity::Uri;
use crate::time::Timestamp;

/// The answer to a [`Request`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    user_uri: Uri,
    skms_uri: Uri,
    skms_id: Option<Identifier>,
    echo: Echo,
    date_time: Timestamp,
    outcome: Result<Option<Payload>, ErrorCode>,
}

impl Response {
    /// A response with key material, or with none if the request needs none.
    ///
    /// `user_uri` is the user that it is for: the UserID of the request if there is one, else the user of the token.
    ///
    /// # Errors
    ///
    /// [`UsageError::FieldLength`] if the URI has more than [`MAX_TEXT_OCTETS`](super::MAX_TEXT_OCTETS),
    /// [`UsageError::Time`] after the year 9999.
    pub fn success(
        request: &Request,
        user_uri: Uri,
        payload: Option<Payload>,
        now: Timestamp,
    ) -> Result<Self, UsageError> {
        Self::new(request.skms_uri().clone(), user_uri, request.into(), Ok(payload), now)
    }

    /// A response that reports an error.
    ///
    /// `user_uri` is as in [`Response::success`], or [`ANONYMOUS`](super::ANONYMOUS) for somebody who is not
    /// authenticated.
    ///
    /// # Errors
    ///
    /// Those of [`Response::success`].
    pub fn failure(
        skms_uri: Uri,
        user_uri: Uri,
        echo: Echo,
        code: ErrorCode,
        now: Timestamp,
    ) -> Result<Self, UsageError> {
        Self::new(skms_uri, user_uri, echo, Err(code), now)
    }

    fn new(
        skms_uri: Uri,
        user_uri: Uri,
        echo: Echo,
        outcome: Result<Option<Payload>, ErrorCode>,
        now: Timestamp,
    ) -> Result<Self, UsageError> {
        super::check_length(&skms_uri)?;
        super::check_length(&user_uri)?;
        echo.subject.check_length()?;
        Ok(Self { user_uri, skms_uri, skms_id: None, echo, date_time: super::whole_seconds(now)?, outcome })
    }

    /// The same with SKmsID, an identifier of the server.
    #[must_use]
    pub fn with_skms_id(self, skms_id: Identifier) -> Self {
        Self { skms_id: Some(skms_id), ..self }
    }

    /// Reads a response. What it says counts only once it is accepted for its request: see [`Response::accept`].
    ///
    /// # Errors
    ///
    /// [`ResponseError`], as far as the response alone shows it.
    pub fn from_json(body: &[u8]) -> Result<Self, ResponseError> {
        let object = Object::from_body(body, MAX_RESPONSE_OCTETS)?;
        if Subject::count(&object) > 1 {
            return Err(ResponseError::Identifiers);
        }
        let code = object.optional("ErrorCode", |object, name| {
            ErrorCode::from_digits(&object.text(name)?).ok_or(ResponseError::ErrorCode)
        })?;
        let outcome = match code {
            Some(_) if object.has("Payload") => return Err(ResponseError::ErrorCodeAndPayload),
            Some(code) => Err(code),
            None => Ok(object.optional("Payload", Payload::read)?),
        };
        let is_service_unread = outcome.is_err() && object.string("ServiceID")?.is_empty();
        let service_id = if is_service_unread { None } else { Some(object.identifier("ServiceID")?) };
        Ok(Self {
            user_uri: object.uri("UserUri")?,
            skms_uri: object.uri("SKmsUri")?,
            skms_id: object.optional("SKmsID", Object::identifier)?,
            echo: Echo { service_id, subject: Subject::read(&object)? },
            date_time: object.timestamp("DateTime")?,
            outcome,
        })
    }

    /// Writes the response.
    pub fn to_json(&self) -> Zeroizing<String> {
        Writer::object(|writer| {
            writer.text("UserUri", self.user_uri.as_str());
            writer.text("SKmsUri", self.skms_uri.as_str());
            writer.text("ServiceID", self.echo.service_id.as_ref().map_or("", Identifier::as_str));
            writer.optional_text("SKmsID", self.skms_id.as_ref().map(Identifier::as_str));
            self.echo.subject.write(writer);
            writer.integer("DateTime", self.date_time.to_unix());
            match &self.outcome {
                Ok(payload) => writer.optional_text("Payload", payload.as_ref().map(Payload::expose)),
                Err(code) => writer.text("ErrorCode", code.as_str()),
            }
        })
    }

    /// The key material, if this answers the request, at the local time `now`: it comes from the server that was
    /// addressed, repeats every identifier of the request and adds none, and is at most `window` old or early. There is
    /// no payload where the request needs none.
    ///
    /// An error need not repeat what the server did not come to read: then it has neither ServiceID nor any other
    /// identifier.
    ///
    /// # Errors
    ///
    /// [`ResponseError`], in the order of its variants.
    pub fn accept(self, request: &Request, now: Timestamp, window: Duration) -> Result<Option<Payload>, ResponseError> {
        if self.skms_uri != *request.skms_uri() {
            return Err(ResponseError::OtherServer);
        }
        if self.outcome.is_ok() || self.echo != Echo::NOTHING {
            if self.echo.service_id.as_ref() != Some(request.service_id()) {
                return Err(ResponseError::ServiceId);
            }
            if self.echo.subject != *request.subject() {
                return Err(ResponseError::Subject);
            }
        }
        if !super::is_fresh(self.date_time, now, window) {
            return Err(ResponseError::Stale { server_time: self.date_time, error_code: self.error_code() });
        }
        let is_other_user = |user: &Uri| *user != self.user_uri;
        match (self.outcome, request.subject()) {
            (Err(code), _) => Err(ResponseError::Failed(code)),
            (Ok(_), Subject::User(user)) if is_other_user(user) => Err(ResponseError::UserUri),
            (Ok(payload), _) => Ok(payload),
        }
    }

    /// UserUri: the user that the response is for.
    pub const fn user_uri(&self) -> &Uri {
        &self.user_uri
    }

    /// SKmsUri: the server that sends it.
    pub const fn skms_uri(&self) -> &Uri {
        &self.skms_uri
    }

    /// SKmsID, an identifier of the server.
    pub const fn skms_id(&self) -> Option<&Identifier> {
        self.skms_id.as_ref()
    }

    /// What it repeats of the request.
    pub const fn echo(&self) -> &Echo {
        &self.echo
    }

    /// Date/Time, in whole seconds.
    pub const fn date_time(&self) -> Timestamp {
        self.date_time
    }

    /// ErrorCode, if the request failed.
    pub fn error_code(&self) -> Option<ErrorCode> {
        self.outcome.as_ref().err().copied()
    }

    pub(super) fn into_payload(self) -> Option<Payload> {
        self.outcome.ok().flatten()
    }
}

impl Payload {
    pub(super) fn read(object: &Object<'_>, name: &'static str) -> Result<Self, BodyError> {
        Self::take(object.string(name)?).map_err(|_| BodyError::Length(name))
    }
}
