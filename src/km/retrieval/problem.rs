//! What a retrieval is answered with that fails.

use alloc::string::{String, ToString};

use crate::km::json::{Object, Writer};
use crate::km::{BodyError, ErrorCode, Failure, MAX_BODY_OCTETS};

/// ProblemDetails: the body of a response with the status of an error, of type `application/problem+json`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProblemDetails {
    /// `status`: the HTTP status.
    pub status: Option<u16>,
    /// `title`: the status in words.
    pub title: Option<String>,
    /// `detail`: what happened this time.
    pub detail: Option<String>,
    /// `cause`: the reason as a name for programs.
    pub cause: Option<String>,
}

impl ProblemDetails {
    /// Reads the body.
    ///
    /// # Errors
    ///
    /// [`BodyError`]; [`BodyError::Integer`] if the status is not one of 100 to 599.
    pub fn from_json(body: &[u8]) -> Result<Self, BodyError> {
        let object = Object::from_body(body, MAX_BODY_OCTETS)?;
        let text = |object: &Object<'_>, name| object.string(name).map(|text| text.to_string());
        let status = |object: &Object<'_>, name| {
            let status = u16::try_from(object.integer(name)?).ok();
            status.filter(|status| (100..600).contains(status)).ok_or(BodyError::Integer(name))
        };
        Ok(Self {
            status: object.optional("status", status)?,
            title: object.optional("title", text)?,
            detail: object.optional("detail", text)?,
            cause: object.optional("cause", text)?,
        })
    }

    /// Writes the body.
    pub fn to_json(&self) -> String {
        let mut json = Writer::object(|writer| {
            if let Some(status) = self.status {
                writer.integer("status", status.into());
            }
            for (name, text) in [("title", &self.title), ("detail", &self.detail), ("cause", &self.cause)] {
                writer.optional_text(name, text.as_deref());
            }
        });
        core::mem::take(&mut *json)
    }

    /// The ErrorCode that goes with the status.
    pub fn error_code(&self) -> Option<ErrorCode> {
        self.status.and_then(ErrorCode::from_http_status)
    }
}

impl From<Failure> for ProblemDetails {
    fn from(failure: Failure) -> Self {
        let title = match failure.http_status() {
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "Not Found",
            413 => "Content Too Large",
            415 => "Unsupported Media Type",
            429 => "Too Many Requests",
            500 => "Internal Server Error",
            _ => "Bad Request",
        };
        Self {
            status: Some(failure.http_status()),
            title: Some(title.to_string()),
            detail: Some(failure.to_string()),
            cause: None,
        }
    }
}
