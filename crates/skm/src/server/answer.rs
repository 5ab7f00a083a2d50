//! Answers as they go out: KM Responses, documents and problems (RFC 9457).

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use mikey_sakke::km::Failure;
use zeroize::Zeroizing;

use super::media::Media;
use crate::service::{KmAnswer, Problem};

/// The media type of a problem.
const PROBLEM: &str = "application/problem+json";

/// Why a request was refused, as an extension of the answer: for those who count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reason(pub(super) &'static str);

impl IntoResponse for KmAnswer {
    fn into_response(self) -> Response {
        let reason = match self.status {
            200 => None,
            401 => Some("TOKEN"),
            403 => Some("NOT_PERMITTED"),
            404 => Some("NOT_AVAILABLE"),
            413 => Some("BODY_TOO_LARGE"),
            415 => Some("CONTENT_TYPE"),
            429 => Some("OVER_LIMIT"),
            500.. => Some("UNSPECIFIED"),
            _ => Some("REQUEST"),
        };
        let body = secret(self.response.to_json());
        finish(Media::Json.content_type(), body, self.status, reason, self.retry_after)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        finish(PROBLEM, self.to_json().into(), self.status, Some(self.cause), self.retry_after)
    }
}

/// A document with status 200.
pub(super) fn document(media: Media, text: Zeroizing<String>) -> Response {
    finish(media.content_type(), secret(text), 200, None, None)
}

/// There is no such path here.
pub(super) async fn not_found() -> Problem {
    Problem::new(404, "Not Found", "NO_SUCH_RESOURCE", "there is no such resource on this listener")
}

/// The path has no such method. The router adds Allow.
pub(super) async fn not_allowed() -> Problem {
    Problem::new(405, "Method Not Allowed", "METHOD", "the resource does not have this method")
}

/// The client does not accept what the route answers with.
pub(super) fn not_acceptable(media: Media) -> Problem {
    Problem::new(406, "Not Acceptable", "ACCEPT", &format!("the answer would be {}", media.content_type()))
}

/// The path is not percent-encoded UTF-8.
pub(super) fn malformed_path() -> Problem {
    Problem::new(400, "Bad Request", "REQUEST", "malformed: the path is not percent-encoded UTF-8")
}

/// The server failed.
pub(super) fn failed() -> Problem {
    Failure::Internal.into()
}

fn finish(
    content_type: &'static str,
    body: Body,
    status: u16,
    reason: Option<&'static str>,
    retry_after: Option<u64>,
) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if status == 401 {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(seconds) = retry_after {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    if let Some(reason) = reason {
        response.extensions_mut().insert(Reason(reason));
    }
    response
}

/// A body that is wiped once it is sent.
fn secret(text: Zeroizing<String>) -> Body {
    struct Secret(Zeroizing<String>);
    impl AsRef<[u8]> for Secret {
        fn as_ref(&self) -> &[u8] {
            self.0.as_bytes()
        }
    }
    Body::from(Bytes::from_owner(Secret(text)))
}
