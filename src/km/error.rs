//! What is wrong with a message, and how a server says so.

use core::fmt;

use super::ErrorCode;
use crate::time::Timestamp;

/// A body that is not what it should be, with the member that is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyError {
    /// The body is longer than any such body may be.
    TooLong,
    /// The body is not one JSON object in UTF-8.
    Json,
    /// A member stands twice.
    Duplicate,
    /// A member that must be there is not.
    Missing(&'static str),
    /// A member is not a string, or its escapes are not characters.
    Text(&'static str),
    /// A text is empty or too long.
    Length(&'static str),
    /// A text has a control character.
    Character(&'static str),
    /// A member is not an integer of the range that it may have.
    Integer(&'static str),
    /// A member is neither `true` nor `false`.
    Boolean(&'static str),
    /// A member is not an array, or is one with too many elements.
    Array(&'static str),
    /// A URI is not in its one spelling.
    Uri(&'static str),
    /// A query is not percent-encoded UTF-8.
    Escape,
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str("malformed: too long"),
            Self::Json => f.write_str("malformed: not a JSON object in UTF-8"),
            Self::Duplicate => f.write_str("malformed: a member stands twice"),
            Self::Missing(name) => write!(f, "malformed: {name} is missing"),
            Self::Text(name) => write!(f, "malformed: {name} is not a string"),
            Self::Length(name) => write!(f, "malformed: {name} is empty or too long"),
            Self::Character(name) => write!(f, "malformed: {name} has a control character"),
            Self::Integer(name) => write!(f, "malformed: {name} is not an integer in its range"),
            Self::Boolean(name) => write!(f, "malformed: {name} is not true or false"),
            Self::Array(name) => write!(f, "malformed: {name} is not an array, or has too many elements"),
            Self::Uri(name) => write!(f, "malformed: {name} is not a URI in canonical spelling"),
            Self::Escape => f.write_str("malformed: the query is not percent-encoded UTF-8"),
        }
    }
}

impl core::error::Error for BodyError {}

/// A request that is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestError {
    /// The body or the query is malformed.
    Body(BodyError),
    /// The Version is not [`VERSION`](super::VERSION).
    Version,
    /// There is more than one of ClientID, DeviceID and UserID; in `val-tgt-ue`, other than one identifier.
    Identifiers,
    /// SKmsUri is another server.
    OtherServer,
    /// Date/Time is outside the accepted window.
    Stale,
}

impl RequestError {
    /// The ErrorCode to answer with.
    pub const fn error_code(self) -> ErrorCode {
        ErrorCode::NotValidated
    }

    /// The HTTP status to answer with.
    pub const fn http_status(self) -> u16 {
        match self {
            Self::Body(BodyError::TooLong) => 413,
            _ => 400,
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body(error) => error.fmt(f),
            Self::Version => f.write_str("refused: the version is not 1.0.0"),
            Self::Identifiers => f.write_str("refused: a request names one client, device or user at most"),
            Self::OtherServer => f.write_str("refused: the request is for another server"),
            Self::Stale => f.write_str("refused: the time of the request is outside the accepted window"),
        }
    }
}

impl core::error::Error for RequestError {}

impl From<BodyError> for RequestError {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}

/// A response that is not accepted, or that says that the request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponseError {
    /// The body is malformed.
    Body(BodyError),
    /// There is more than one of ClientID, DeviceID and UserID.
    Identifiers,
    /// ErrorCode is not two hexadecimal digits, or 00.
    ErrorCode,
    /// There are both an ErrorCode and a Payload.
    ErrorCodeAndPayload,
    /// SKmsUri is not the server that was addressed.
    OtherServer,
    /// ServiceID is not the one of the request.
    ServiceId,
    /// ClientID, DeviceID or UserID is not the one of the request, or is added, or left out.
    Subject,
    /// Date/Time is outside the accepted window.
    Stale {
        /// The server's time.
        server_time: Timestamp,
        /// The ErrorCode, if there is one: a client refused because its clock is wrong learns by how much.
        error_code: Option<ErrorCode>,
    },
    /// UserUri is not the user of the request.
    UserUri,
    /// The server answers the request with this ErrorCode.
    Failed(ErrorCode),
}

impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body(error) => error.fmt(f),
            Self::Identifiers => f.write_str("malformed: more than one client, device or user"),
            Self::ErrorCode => f.write_str("malformed: no valid ErrorCode"),
            Self::ErrorCodeAndPayload => f.write_str("malformed: both an ErrorCode and a Payload"),
            Self::OtherServer => f.write_str("refused: the response is from another server"),
            Self::ServiceId => f.write_str("refused: the response is for another service"),
            Self::Subject => f.write_str("refused: the response is for another client, device or user"),
            Self::Stale { .. } => f.write_str("refused: the time of the response is outside the accepted window"),
            Self::UserUri => f.write_str("refused: the response is for another user"),
            Self::Failed(code) => write!(f, "the server answers with error {code}"),
        }
    }
}

impl core::error::Error for ResponseError {}

impl From<BodyError> for ResponseError {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}
