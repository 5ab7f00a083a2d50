//! What every exchange has: a request id, an answer whatever happens, header fields, a log line, a count.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::answer::{self, Reason};
use super::body::Bounds;
use crate::interface::KM_REQUEST;
use crate::seal::{RandomError, random};
use crate::service::{Caller, Point, Problem, Service};
use crate::tls::Peer;

/// The header field with the id of the request.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the routes of one listener share.
#[derive(Debug)]
pub(super) struct Front {
    pub(super) service: Arc<Service>,
    pub(super) point: Point,
    pub(super) bounds: Bounds,
}

/// The name of a listener, as in the configuration.
pub(super) const fn name(point: Point) -> &'static str {
    match point {
        Point::KmUu => "km_uu",
        Point::KmS => "km_s",
        Point::SealX1 => "seal_x1",
    }
}

/// The id of a request: 32 hexadecimal digits, at random. One that a client sends plays no part.
#[derive(Clone)]
pub(super) struct RequestId(Arc<str>);

impl RequestId {
    fn random() -> Result<Self, RandomError> {
        Ok(Self(hex::encode(random::<16>()?).into()))
    }
}

/// Who asks, as far as connection and header tell. Header fields in which a proxy would tell it play no part.
pub(super) struct Asker {
    peer: Arc<Peer>,
    authorization: Option<HeaderValue>,
    request_id: RequestId,
}

impl Asker {
    pub(super) fn caller(&self, point: Point) -> Caller<'_> {
        Caller {
            point,
            peer: &self.peer,
            authorization: self.authorization.as_ref().map(HeaderValue::as_bytes),
            request_id: &self.request_id.0,
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Asker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let peer = parts.extensions.get::<Arc<Peer>>().cloned().ok_or_else(answer::failed)?;
        let request_id = parts.extensions.get::<RequestId>().cloned().ok_or_else(answer::failed)?;
        // Which of two tokens would count is not for anybody to guess, and they are not none.
        let mut values = parts.headers.get_all(AUTHORIZATION).iter();
        let first = values.next().cloned();
        let authorization = if values.next().is_none() { first } else { Some(HeaderValue::from_static("")) };
        Ok(Self { peer, authorization, request_id })
    }
}

/// The frame around every exchange.
pub(super) async fn exchange(
    State(front): State<Arc<Front>>,
    path: Option<MatchedPath>,
    mut request: Request,
    next: Next,
) -> Response {
    let start = Instant::now();
    let listener = name(front.point);
    let route = path.as_ref().map_or("none", MatchedPath::as_str);
    let is_km_request = route == KM_REQUEST && request.method() == Method::POST;
    let request_id = RequestId::random();
    let answer = match &request_id {
        Ok(request_id) => {
            request.extensions_mut().insert(request_id.clone());
            unless_panicking(next.run(request)).await
        }
        Err(_) => None,
    };
    let mut response = answer.unwrap_or_else(|| front.failed(is_km_request));
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let id = request_id.as_ref().map_or("", |id| &id.0);
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    let status = response.status().as_u16();
    front.service.metrics().request(listener, route, status);
    let reason = response.extensions().get::<Reason>().map(|reason| reason.0);
    if let Some(reason) = reason {
        front.service.metrics().refusal(listener, reason);
    }
    let milliseconds = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(listener, route, status, reason, milliseconds, request_id = id, "answered");
    response
}

impl Front {
    /// The answer where the server failed to make one.
    fn failed(&self, is_km_request: bool) -> Response {
        if is_km_request { self.service.failed_key_request().into_response() } else { answer::failed().into_response() }
    }
}

/// What a future comes to; none if it panics. What it worked on is dropped, so nobody sees it half done.
async fn unless_panicking<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    std::future::poll_fn(|context| {
        let poll = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
        match poll {
            Ok(poll) => poll.map(Some),
            Err(_) => Poll::Ready(None),
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"
        domain = { skms_uri = "sip:skms.example.org", kms_uri = "kms.example.org", user_key_period = 2592000 }
        listen = { km_uu = "127.0.0.1:0" }
        tls = { cert = "none", key = "none" }
        auth = { issuer = "i", audience = "a", jwks_file = "none" }
        store = { url = "sqlite:DIR/skms.db" }
        seal = { key_file = "none" }
    "#;

    #[tokio::test]
    async fn a_panic_is_no_answer() {
        assert_eq!(unless_panicking(async { 7 }).await, Some(7));
        assert_eq!(unless_panicking(async { panic!("on purpose") }).await, None::<()>);
        let late = async {
            tokio::task::yield_now().await;
            panic!("on purpose")
        };
        assert_eq!(unless_panicking(late).await, None::<()>);
    }

    /// What is answered where a handler panics.
    async fn panicking(method: Method, path: &str) -> (u16, Option<HeaderValue>, Vec<u8>) {
        let directory = tempfile::TempDir::new().unwrap();
        let config = CONFIG.replace("DIR", directory.path().to_str().unwrap());
        let config = crate::config::Config::read(&config, []).unwrap();
        let secret = crate::seal::Secret::from_key(&"5a".repeat(32)).unwrap();
        let service = Service::open(&config, secret, crate::service::Clock::system()).await.unwrap();
        let bounds = Bounds { octets: 1, time: std::time::Duration::from_secs(1) };
        let front = Arc::new(Front { service: Arc::new(service), point: Point::KmUu, bounds });
        async fn panic() {
            panic!("on purpose")
        }
        let router = axum::Router::new()
            .route(KM_REQUEST, axum::routing::any(panic))
            .route("/other", axum::routing::any(panic))
            .layer(axum::middleware::from_fn_with_state(front, exchange));
        let router = hyper_util::service::TowerToHyperService::new(router);
        let request = Request::builder().method(method).uri(path).body(axum::body::Body::empty()).unwrap();
        let response = hyper::service::Service::call(&router, request).await.unwrap();
        let (status, no_store) = (response.status().as_u16(), response.headers().get(CACHE_CONTROL).cloned());
        (status, no_store, axum::body::to_bytes(response.into_body(), 1000).await.unwrap().to_vec())
    }

    #[tokio::test]
    async fn a_panic_is_answered() {
        let (status, no_store, body) = panicking(Method::POST, KM_REQUEST).await;
        assert_eq!((status, no_store), (500, Some(HeaderValue::from_static("no-store"))));
        let response = mikey_sakke::km::Response::from_json(&body).unwrap();
        assert_eq!(response.error_code(), Some(mikey_sakke::km::ErrorCode::Unspecified));
        for (method, path) in [(Method::GET, KM_REQUEST), (Method::POST, "/other")] {
            let (status, no_store, body) = panicking(method, path).await;
            assert_eq!((status, no_store), (500, Some(HeaderValue::from_static("no-store"))));
            let problem = mikey_sakke::km::retrieval::ProblemDetails::from_json(&body).unwrap();
            assert_eq!((problem.status, problem.cause.as_deref()), (Some(500), Some("UNSPECIFIED")));
        }
    }

    #[test]
    fn request_ids_differ() {
        let [one, two] = [RequestId::random().unwrap(), RequestId::random().unwrap()];
        assert_eq!(one.0.len(), 32);
        assert_ne!(one.0, two.0);
    }
}
