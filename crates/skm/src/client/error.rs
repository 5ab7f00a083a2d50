//! Why there is no answer to believe.

use std::fmt;
use std::time::Duration;

use mikey_sakke::documents::DocumentError;
use mikey_sakke::error::{KeyMaterialError, Refusal, UsageError};
use mikey_sakke::km::domain::DomainError;
use mikey_sakke::km::{BodyError, ErrorCode, ResponseError};

use super::TokenError;

/// Why a request came to nothing, by who is at fault. No variant holds a token or key material.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The caller: a value that cannot be sent.
    #[error("cannot be asked for: {0}")]
    Usage(#[from] UsageError),
    /// This host: its clock stands outside the years that can be expressed.
    #[error("the clock: {0}")]
    Clock(UsageError),
    /// This host: the random source failed.
    #[error("the random source failed")]
    Random,
    /// This host: the thread behind a [`blocking::Client`](super::blocking::Client) is gone.
    #[error("the client's thread has ended")]
    Thread,
    /// The source of access tokens.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Whatever lies between this client and the server, or claims to be the server.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The server: its answer is not accepted.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// The server does not grant the request.
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// Why no answer came from the server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// There is no connection to the server or the proxy, or the proxy does not let this client through.
    #[error("cannot connect: {0}")]
    Connect(Cause),
    /// Whoever answered has no certificate for this server under the chosen roots: it is not the server, or a proxy
    /// ends TLS.
    #[error("the certificate is not one of the server under the chosen roots: {0}")]
    Certificate(Cause),
    /// TLS failed otherwise, for want of a client certificate that the server accepts for instance.
    #[error("TLS failed: {0}")]
    Tls(Cause),
    /// The answer was not complete in time.
    #[error("no complete answer in time")]
    Timeout,
    /// The connection failed after it was made, each time that the request was made.
    #[error("the connection failed: {0}")]
    Interrupted(Cause),
}

/// The last cause in the chain of an error, in words.
#[derive(Debug)]
pub struct Cause(String);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<reqwest::Error> for NetworkError {
    fn from(error: reqwest::Error) -> Self {
        let mut tls = None;
        let mut last: &(dyn std::error::Error + 'static) = &error;
        while let Some(source) = last.source() {
            tls = tls.or_else(|| source.downcast_ref().or_else(|| wrapped(source.downcast_ref()?)));
            last = source;
        }
        let cause = Cause(tls.map_or_else(|| last.to_string(), ToString::to_string));
        match tls {
            Some(rustls::Error::InvalidCertificate(_)) => Self::Certificate(cause),
            Some(_) => Self::Tls(cause),
            None if error.is_timeout() => Self::Timeout,
            None if error.is_connect() => Self::Connect(cause),
            None => Self::Interrupted(cause),
        }
    }
}

/// The TLS error in an I/O error, which may wrap another one. It says what it wraps, and does not name it as its
/// source.
fn wrapped(error: &std::io::Error) -> Option<&rustls::Error> {
    let inner = error.get_ref()?;
    inner.downcast_ref().or_else(|| wrapped(inner.downcast_ref()?))
}

/// Why an answer is not accepted: the server is at fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// The status is not one of this exchange: a redirection for instance, which is not followed.
    #[error("the server answers with HTTP status {0}, and nothing that belongs to it")]
    Status(u16),
    /// The answer is longer than any may be.
    #[error("the answer of the server is too long")]
    TooLong,
    /// The KM Response is malformed, or not the answer to the request.
    #[error(transparent)]
    Response(#[from] ResponseError),
    /// HTTP status and ErrorCode do not go together.
    #[error("the answer of the server has HTTP status {status} and {}", Code(*.code))]
    Inconsistent {
        /// The HTTP status.
        status: u16,
        /// The ErrorCode, if there is one.
        code: Option<ErrorCode>,
    },
    /// The answer holds no key material.
    #[error("the answer of the server holds no key material")]
    NoPayload,
    /// The description of the domain is not accepted.
    #[error(transparent)]
    Domain(#[from] DomainError),
    /// The description of the domain is that of another SKM-S.
    #[error("refused: the domain is that of another SKM-S")]
    OtherServer,
    /// The key material is no KmsResponse.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// The KmsResponse is not one with the keys of this user from this KMS for these key periods.
    #[error("refused: the KmsResponse {0}")]
    Keys(&'static str),
    /// The KmsResponse is not the answer to the request for the certificates of other domains.
    #[error("refused: the certificates of other domains: {0}")]
    CertCache(Refusal),
    /// The KmsResponse holds no certificates of other domains, or an error.
    #[error("refused: the KmsResponse holds no KmsCertCache")]
    NoCertCache,
    /// Two certificates of another domain are valid at the same time.
    #[error("refused: the certificates of other domains: {0}")]
    Certificates(UsageError),
    /// A key fails its checks.
    #[error(transparent)]
    KeyMaterial(#[from] KeyMaterialError),
}

impl From<BodyError> for AnswerError {
    fn from(error: BodyError) -> Self {
        Self::Response(error.into())
    }
}

struct Code(Option<ErrorCode>);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(code) => write!(f, "ErrorCode {code}"),
            None => f.write_str("no ErrorCode"),
        }
    }
}

/// What the server answers instead of key material.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server refuses: {}", describe(*.code))]
pub struct Refused {
    /// The HTTP status.
    pub status: u16,
    /// The ErrorCode, in the REST API the one that goes with the status.
    pub code: ErrorCode,
    /// When to come again, if the server says so.
    pub retry_after: Option<Duration>,
}

const fn describe(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::Unspecified => "error 01, it failed",
        ErrorCode::NotAvailable => "error 02, there is no such key information",
        ErrorCode::Rejected => "error 03, the access token is not accepted, or there are too many requests",
        ErrorCode::NotValidated => "error 04, the request is not valid or not permitted",
    }
}
