//! The listener for health and metrics: plain HTTP, on loopback.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::map_response;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use super::answer;
use crate::service::{Problem, Service};

/// How long the service may take to say that it is ready.
const READY_TIME: Duration = Duration::from_secs(2);

/// The media type of metrics.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route("/healthz", get(StatusCode::OK))
        .route("/readyz", get(ready))
        .route("/metrics", get(encode))
        .fallback(answer::not_found)
        .method_not_allowed_fallback(answer::not_allowed)
        .layer(map_response(no_store))
        .with_state(service)
}

async fn ready(State(service): State<Arc<Service>>) -> Result<StatusCode, Problem> {
    let not_ready = |what: &str| Problem::new(503, "Service Unavailable", "NOT_READY", what);
    match tokio::time::timeout(READY_TIME, service.is_ready()).await {
        Ok(Ok(())) => Ok(StatusCode::OK),
        Ok(Err(reason)) => {
            tracing::warn!(%reason, "not ready");
            Err(not_ready(&reason.to_string()))
        }
        Err(_) => Err(not_ready("the store takes too long")),
    }
}

async fn encode(State(service): State<Arc<Service>>) -> Result<Response, Problem> {
    let text = service.metrics().encode().map_err(|_| answer::failed())?;
    Ok(([(CONTENT_TYPE, HeaderValue::from_static(OPEN_METRICS))], text).into_response())
}

async fn no_store(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
