//! The ErrorCode of a response, and the conditions that lead to it.

use core::fmt;

use super::RequestError;

/// Why a request failed: the ErrorCode of a response, one octet in two hexadecimal digits (TS 33.434, 5.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// 01: unspecified error. The reserved codes 05 to FF are read as this one.
    Unspecified,
    /// 02: there is no key information for this service, client, device or user.
    NotAvailable,
    /// 03: the request is rejected.
    Rejected,
    /// 04: the request cannot be validated.
    NotValidated,
}

impl ErrorCode {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Unspecified, Self::NotAvailable, Self::Rejected, Self::NotValidated];

    /// The two digits.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "01",
            Self::NotAvailable => "02",
            Self::Rejected => "03",
            Self::NotValidated => "04",
        }
    }

    /// Reads two hexadecimal digits, upper or lower case: a reserved code is [`Self::Unspecified`], and 00 none at all.
    pub fn from_digits(text: &str) -> Option<Self> {
        let is_code = text.len() == 2 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        let code = u8::from_str_radix(text, 16).ok().filter(|_| is_code)?;
        match code {
            0 => None,
            2 => Some(Self::NotAvailable),
            3 => Some(Self::Rejected),
            4 => Some(Self::NotValidated),
            _ => Some(Self::Unspecified),
        }
    }

    /// The HTTP statuses that go with the code in TS 29.122, table 5.2.6-1, and for a request that is not taken in.
    pub const fn http_statuses(self) -> &'static [u16] {
        match self {
            Self::Unspecified => &[500],
            Self::NotAvailable => &[404],
            Self::Rejected => &[401, 429],
            Self::NotValidated => &[400, 403, 413, 415],
        }
    }

    /// The code that goes with the HTTP status of an error, 400 to 599; a status that no code is assigned to is
    /// [`Self::Unspecified`].
    pub fn from_http_status(status: u16) -> Option<Self> {
        let assigned = Self::ALL.into_iter().find(|code| code.http_statuses().contains(&status));
        assigned.or((400..600).contains(&status).then_some(Self::Unspecified))
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a server does not answer a request with key material, in the order in which it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// There are too many requests.
    OverLimit,
    /// The access token is missing or not valid.
    Token,
    /// The body is not declared to be JSON.
    ContentType,
    /// The request is malformed, for another server, or not of this time.
    Request(RequestError),
    /// The token is valid, and does not permit this.
    NotPermitted,
    /// The request was answered before.
    Replay,
    /// There is no such record.
    NoRecord,
    /// The server failed.
    Internal,
}

impl Failure {
    /// The ErrorCode to answer with.
    pub const fn error_code(self) -> ErrorCode {
        match self {
            Self::OverLimit | Self::Token => ErrorCode::Rejected,
            Self::Request(error) => error.error_code(),
            Self::ContentType | Self::NotPermitted | Self::Replay => ErrorCode::NotValidated,
            Self::NoRecord => ErrorCode::NotAvailable,
            Self::Internal => ErrorCode::Unspecified,
        }
    }

    /// The HTTP status to answer with.
    pub const fn http_status(self) -> u16 {
        match self {
            Self::OverLimit => 429,
            Self::Token => 401,
            Self::ContentType => 415,
            Self::Request(error) => error.http_status(),
            Self::NotPermitted | Self::Replay => 403,
            Self::NoRecord => 404,
            Self::Internal => 500,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OverLimit => f.write_str("refused: too many requests"),
            Self::Token => f.write_str("refused: the access token is missing or not valid"),
            Self::ContentType => f.write_str("refused: the body is not application/json"),
            Self::Request(error) => error.fmt(f),
            Self::NotPermitted => f.write_str("refused: this is not permitted"),
            Self::Replay => f.write_str("refused: the request was answered before"),
            Self::NoRecord => f.write_str("there is no such key information"),
            Self::Internal => f.write_str("the server failed"),
        }
    }
}

impl core::error::Error for Failure {}

impl From<RequestError> for Failure {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}
