//! What goes out.

use mikey_sakke::km;
use mikey_sakke::km::Failure;
use mikey_sakke::km::retrieval::ProblemDetails;

/// The answer of the KM route: a KM Response, whatever went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KmAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub response: km::Response,
    /// Retry-After in seconds, with status 429.
    pub retry_after: Option<u64>,
}

/// Why a request of another route is refused (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The status in words.
    pub title: &'static str,
    /// What happened this time.
    pub detail: String,
    /// The reason as a name for programs.
    pub cause: &'static str,
    /// Retry-After in seconds, with status 429.
    pub retry_after: Option<u64>,
}

impl Problem {
    /// A problem that is none of a [`Failure`].
    pub fn new(status: u16, title: &'static str, cause: &'static str, detail: &str) -> Self {
        Self { status, title, detail: detail.into(), cause, retry_after: None }
    }

    /// The body, of type `application/problem+json`.
    pub fn to_json(&self) -> String {
        let details = ProblemDetails {
            status: Some(self.status),
            title: Some(self.title.into()),
            detail: Some(self.detail.clone()),
            cause: Some(self.cause.into()),
        };
        details.to_json()
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let (title, cause) = match failure.http_status() {
            401 => ("Unauthorized", "TOKEN"),
            403 => ("Forbidden", "NOT_PERMITTED"),
            404 => ("Not Found", "NOT_AVAILABLE"),
            413 => ("Content Too Large", "BODY_TOO_LARGE"),
            415 => ("Unsupported Media Type", "CONTENT_TYPE"),
            429 => ("Too Many Requests", "OVER_LIMIT"),
            500 => ("Internal Server Error", "UNSPECIFIED"),
            _ => ("Bad Request", "REQUEST"),
        };
        Self::new(failure.http_status(), title, cause, &failure.to_string())
    }
}
