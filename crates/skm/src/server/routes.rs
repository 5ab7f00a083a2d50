//! The routes of each listener, and what they ask of the service.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts, RawPathParams, RawQuery, State};
use axum::http::header::{ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get, post, put};
use zeroize::Zeroizing;

use super::answer::{self, document};
use super::body;
use super::front::{Asker, Front, exchange};
use super::media::Media;
use crate::interface::{CERTCACHE, CERTIFICATES, DOMAIN, KEY_RECORDS, KM_REQUEST};
use crate::service::{self, IdentityResource, KmAnswer, Point, Precondition, Problem, RecordPath};
use crate::store::Version;

/// The records of a service.
const RECORDS: &str = "/seal-km/v1/services/{service}/key-records";

/// The key management of TS 33.180, annex D.
const IDENTITY: &str = "/keymanagement/identity/v1";

type Shared = State<Arc<Front>>;

/// The routes of a listener.
pub(super) fn router(front: Arc<Front>) -> Router {
    let mut router = Router::new().route(KM_REQUEST, post(key_request)).route(DOMAIN, only_get(get(domain_document)));
    if matches!(front.point, Point::KmUu | Point::KmS) {
        router = router.route(KEY_RECORDS, only_get(get(key_records)));
    }
    if front.point == Point::KmS {
        router = router.route(CERTIFICATES, only_get(get(certificates)));
        let record = || only_get(put(put_record).get(record_metadata).delete(delete_record));
        router = router.route(RECORDS, record());
        for kind in ["client", "device", "user"] {
            router = router.route(&format!("{RECORDS}/{kind}/{{{kind}}}"), record());
        }
    }
    if matches!(front.point, Point::KmUu | Point::SealX1) {
        router = router
            .route(&format!("{IDENTITY}/init"), post(init))
            .route(&format!("{IDENTITY}/keyprov"), post(keyprov))
            .route(&format!("{IDENTITY}/keyprov/{{uri}}"), post(keyprov))
            .route(&format!("{IDENTITY}/keyprov/{{uri}}/{{time}}"), post(keyprov))
            .route(CERTCACHE, post(certcache))
            .route(&format!("{CERTCACHE}/{{number}}"), post(certcache));
    }
    router
        .fallback(answer::not_found)
        .method_not_allowed_fallback(answer::not_allowed)
        .layer(from_fn_with_state(Arc::clone(&front), exchange))
        .with_state(front)
}

/// GET without HEAD, which would do all the work of a GET, its audit row included.
fn only_get<S: Clone + Send + Sync + 'static>(route: MethodRouter<S>) -> MethodRouter<S> {
    route.head(answer::not_allowed)
}

async fn key_request(State(front): Shared, asker: Asker, headers: HeaderMap, body: Body) -> KmAnswer {
    let body = Received::read(&front, Media::Json, &headers, body).await;
    front.service.key_request(&asker.caller(front.point), body.as_body()).await
}

async fn key_records(
    State(front): Shared,
    asker: Asker,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    check_accept(Media::Json, &headers)?;
    let answer = front.service.key_records(&asker.caller(front.point), query.as_deref()).await?;
    Ok(document(Media::Json, answer))
}

async fn domain_document(State(front): Shared, asker: Asker, headers: HeaderMap) -> Result<Response, Problem> {
    check_accept(Media::Json, &headers)?;
    let answer = front.service.domain_document(&asker.caller(front.point)).await?;
    Ok(document(Media::Json, Zeroizing::new(answer)))
}

async fn certificates(
    State(front): Shared,
    asker: Asker,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    check_accept(Media::Json, &headers)?;
    let answer = front.service.certificates(&asker.caller(front.point), query.as_deref()).await?;
    Ok(document(Media::Json, Zeroizing::new(answer)))
}

async fn put_record(
    State(front): Shared,
    asker: Asker,
    path: Segments,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let body = Received::read(&front, Media::Json, &headers, body).await;
    let (if_match, if_none_match) = (list(&headers, &IF_MATCH), list(&headers, &IF_NONE_MATCH));
    let precondition = Precondition { if_match: if_match.as_deref(), if_none_match: if_none_match.as_deref() };
    let caller = asker.caller(front.point);
    let stored = front.service.put_record(&caller, path.record(), precondition, body.as_body()).await?;
    let status = if stored.is_new { StatusCode::CREATED } else { StatusCode::NO_CONTENT };
    Ok(with_etag(status.into_response(), stored.version))
}

async fn record_metadata(
    State(front): Shared,
    asker: Asker,
    path: Segments,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    check_accept(Media::Json, &headers)?;
    let metadata = front.service.record_metadata(&asker.caller(front.point), path.record()).await?;
    Ok(with_etag(document(Media::Json, Zeroizing::new(metadata.json)), metadata.version))
}

async fn delete_record(
    State(front): Shared,
    asker: Asker,
    path: Segments,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let if_match = list(&headers, &IF_MATCH);
    front.service.delete_record(&asker.caller(front.point), path.record(), if_match.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn init(front: Shared, asker: Asker, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    identity(front, asker, headers, body, IdentityResource::Init).await
}

async fn keyprov(
    front: Shared,
    asker: Asker,
    path: Segments,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let resource = IdentityResource::KeyProv { user: path.get("uri"), time: path.get("time") };
    identity(front, asker, headers, body, resource).await
}

async fn certcache(
    front: Shared,
    asker: Asker,
    path: Segments,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    identity(front, asker, headers, body, IdentityResource::CertCache { number: path.get("number") }).await
}

async fn identity(
    State(front): Shared,
    asker: Asker,
    headers: HeaderMap,
    body: Body,
    resource: IdentityResource<'_>,
) -> Result<Response, Problem> {
    check_accept(Media::Xml, &headers)?;
    let body = Received::read(&front, Media::Xml, &headers, body).await;
    let answer = front.service.identity(&asker.caller(front.point), resource, body.as_body()).await?;
    Ok(document(Media::Xml, answer))
}

/// A body as it came in.
struct Received {
    is_declared: bool,
    octets: Result<Zeroizing<Vec<u8>>, service::BodyFault>,
}

impl Received {
    async fn read(front: &Front, media: Media, headers: &HeaderMap, body: Body) -> Self {
        Self { is_declared: media.is_declared(headers), octets: body::read(body, front.bounds).await }
    }

    fn as_body(&self) -> service::Body<'_> {
        let octets = self.octets.as_ref().map(|octets| octets.as_slice()).map_err(|fault| *fault);
        service::Body { is_declared: self.is_declared, octets }
    }
}

/// The segments of a path that are not fixed, decoded, by their names.
struct Segments(Vec<(String, String)>);

impl Segments {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    fn record(&self) -> RecordPath<'_> {
        let mut service = "";
        let mut subject = None;
        for (name, value) in &self.0 {
            match name.as_str() {
                "service" => service = value,
                kind => subject = Some((kind, value.as_str())),
            }
        }
        RecordPath { service, subject }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Segments {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let segments = RawPathParams::from_request_parts(parts, state).await;
        let segments = segments.map_err(|_| answer::malformed_path())?;
        Ok(Self(segments.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()))
    }
}

fn check_accept(media: Media, headers: &HeaderMap) -> Result<(), Problem> {
    if media.is_accepted(headers) { Ok(()) } else { Err(answer::not_acceptable(media)) }
}

/// A header field that is a list, whose values may stand in several lines (RFC 9110, section 5.3).
fn list(headers: &HeaderMap, name: &HeaderName) -> Option<Vec<u8>> {
    let values: Vec<&[u8]> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
    (!values.is_empty()).then(|| values.join(&b", "[..]))
}

fn with_etag(mut response: Response, version: Version) -> Response {
    if let Ok(etag) = HeaderValue::from_str(&version.to_string()) {
        response.headers_mut().insert(ETAG, etag);
    }
    response
}
