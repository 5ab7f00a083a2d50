//! One connection: HTTP/1.1 or HTTP/2 over a stream, for as long as it is of use.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::sleep_until;

use super::activity::{Activity, Patience};
use crate::tls::Peer;

/// Octets that the header of a request may have.
const MAX_HEADER_OCTETS: u32 = 32 * 1024;

/// Octets that a client may send over HTTP/2 before somebody reads them: per stream, and in all.
const WINDOWS: (u32, u32) = (64 * 1024, 512 * 1024);

/// Octets of answers that wait for a client to read them, per stream.
const MAX_SEND_OCTETS: usize = 64 * 1024;

/// Streams that a client may reset before the server has looked at them, and that it may let the server reset by its
/// errors (CVE-2023-44487, CVE-2025-8671).
const MAX_RESETS: (usize, usize) = (20, 64);

/// The version of HTTP that a connection speaks, as ALPN says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Http1,
    Http2,
}

/// How connections are served.
#[derive(Clone, Debug)]
pub(super) struct Connections {
    builder: Builder<TokioExecutor>,
    patience: Patience,
    router: Router,
}

impl Connections {
    pub(super) fn new(router: Router, patience: Patience, streams: u32) -> Self {
        let mut builder = Builder::new(TokioExecutor::new());
        let header_octets = MAX_HEADER_OCTETS as usize;
        // Its timeout runs while a connection is idle as well: Activity knows the difference.
        builder.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(header_octets);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(streams)
            .max_pending_accept_reset_streams(MAX_RESETS.0)
            .max_local_error_reset_streams(MAX_RESETS.1)
            .max_header_list_size(MAX_HEADER_OCTETS)
            .initial_stream_window_size(WINDOWS.0)
            .initial_connection_window_size(WINDOWS.1)
            .max_send_buf_size(MAX_SEND_OCTETS);
        Self { builder, patience, router }
    }

    /// Serves a connection until it ends, has nothing to say any more, or the server stops.
    pub(super) async fn serve(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        version: Version,
        peer: Peer,
        mut stop: watch::Receiver<bool>,
    ) {
        let activity = Activity::new(self.patience, Instant::now());
        let service = Exchanges {
            router: TowerToHyperService::new(self.router),
            peer: Arc::new(peer),
            activity: Arc::clone(&activity),
        };
        let stream = Watched { stream, activity: (version == Version::Http1).then(|| Arc::clone(&activity)) };
        let builder = match version {
            Version::Http1 => self.builder.http1_only(),
            Version::Http2 => self.builder.http2_only(),
        };
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let mut sleep = pin!(sleep_until(Instant::now().into()));
        let mut is_ending = false;
        loop {
            let until_end = poll_fn(|context| {
                if let Poll::Ready(result) = connection.as_mut().poll(context) {
                    return Poll::Ready(Some(result));
                }
                let now = Instant::now();
                let Some(deadline) = activity.deadline(now) else { return Poll::Pending };
                if deadline <= now {
                    return Poll::Ready(None);
                }
                if sleep.deadline() != deadline.into() {
                    sleep.as_mut().reset(deadline.into());
                }
                sleep.as_mut().poll(context).map(|()| None)
            });
            tokio::select! {
                result = until_end => match result {
                    Some(result) => return log(result),
                    None if is_ending => return,
                    None => {}
                },
                _ = stop.wait_for(|is_stopping| *is_stopping), if !is_ending => {}
                // There is a deadline again. Over HTTP/2 requests are tasks of their own, and one that is taken back ends
                // after the connection has heard of it.
                () = activity.request_ended() => continue,
            }
            is_ending = true;
            connection.as_mut().graceful_shutdown();
            activity.end_soon(Instant::now());
        }
    }
}

fn log(result: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = result {
        tracing::debug!(error = &*error, "a connection ended with an error");
    }
}

/// What answers the requests of one connection.
#[derive(Debug)]
struct Exchanges {
    router: TowerToHyperService<Router>,
    peer: Arc<Peer>,
    activity: Arc<Activity>,
}

impl Service<Request<Incoming>> for Exchanges {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let in_flight = self.activity.begin();
        request.extensions_mut().insert(Arc::clone(&self.peer));
        let answer = self.router.call(request);
        Box::pin(async move {
            let answer = answer.await;
            in_flight.answered();
            answer
        })
    }
}

/// A stream that reports when octets come in, if anybody wants to know.
#[derive(Debug)]
struct Watched<S> {
    stream: S,
    activity: Option<Arc<Activity>>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buf))?;
        if let Some(activity) = self.activity.as_ref().filter(|_| buf.filled().len() > before) {
            activity.receive(Instant::now());
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
