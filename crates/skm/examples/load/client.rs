//! Clients that send requests as fast as they are answered.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use axum::body::Bytes;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use axum::http::{self, HeaderValue};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use mikey_sakke::km::{Request, Response};
use mikey_sakke::time::Timestamp;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use crate::figures::{Figures, MARK, Usage};
use crate::process::{Running, Side};
use crate::requests::Requests;
use crate::site::Site;

/// Where requests go.
const ROUTE: &str = "/seal-km/v1/km-request";

/// The type of bodies.
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Requests at a time on a connection of HTTP/2.
const STREAMS: u32 = 16;

/// How far the answer's time may be from that of the request.
const WINDOW: Duration = Duration::from_secs(5);

/// A turn of requests to one server.
pub(crate) struct Turn {
    pub(crate) site: Arc<Site>,
    pub(crate) requests: Requests,
    pub(crate) server: Running,
    pub(crate) side: Side,
    pub(crate) http: u8,
    pub(crate) at_once: u32,
    /// Requests that are not measured, before those that are.
    pub(crate) warm_up: u64,
    pub(crate) measured: u64,
    pub(crate) progress: Progress,
}

/// What the clients of a turn have done.
#[derive(Default)]
pub(crate) struct Progress {
    sent: AtomicU64,
    begin: Mutex<Option<(Instant, Option<Usage>)>>,
    memory_at_mark: Mutex<Option<u64>>,
}

/// One end of a connection.
enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// What one client has seen: how long answers took, and those that were not expected.
type Seen = (Vec<Duration>, BTreeMap<String, u64>);

impl Turn {
    /// Sends all requests.
    pub(crate) async fn run(self) -> anyhow::Result<Figures> {
        let senders = self.connect().await?;
        let turn = Arc::new(self);
        let mut clients = JoinSet::new();
        for sender in senders {
            clients.spawn(Arc::clone(&turn).client(sender));
        }
        let mut figures = Figures::default();
        while let Some(seen) = clients.join_next().await {
            let (latencies, unexpected) = seen??;
            figures.latencies.extend(latencies);
            for (what, number) in unexpected {
                *figures.unexpected.entry(what).or_default() += number;
            }
        }
        let end = Instant::now();
        let (begin, before) = take(&turn.progress.begin).context("nothing was measured")?;
        figures.elapsed = end - begin;
        figures.latencies.sort_unstable();
        figures.usage = before.zip(turn.server.usage()?).map(|(before, after)| after.since(before));
        figures.memory_at_mark = take(&turn.progress.memory_at_mark);
        Ok(figures)
    }

    async fn connect(&self) -> anyhow::Result<Vec<Sender>> {
        let (protocol, share) = if self.http == 2 { ("h2", STREAMS) } else { ("http/1.1", 1) };
        let connector = TlsConnector::from(Arc::new(self.site.tls(protocol)?));
        let mut senders = Vec::new();
        for _ in 0..self.at_once.div_ceil(share) {
            let stream = TcpStream::connect(self.server.address).await.context("cannot connect")?;
            stream.set_nodelay(true)?;
            let name = ServerName::try_from("localhost")?;
            let stream = TokioIo::new(connector.connect(name, stream).await.context("no TLS")?);
            if self.http == 2 {
                let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
                tokio::spawn(connection);
                senders.extend((0..share).map(|_| Sender::Http2(sender.clone())));
            } else {
                let (sender, connection) = http1::handshake(stream).await?;
                tokio::spawn(connection);
                senders.push(Sender::Http1(sender));
            }
        }
        senders.truncate(self.at_once as usize);
        Ok(senders)
    }

    /// Sends one request after the other, as long as there are any.
    async fn client(self: Arc<Self>, mut sender: Sender) -> anyhow::Result<Seen> {
        let (mut latencies, mut unexpected) = (Vec::new(), BTreeMap::new());
        loop {
            let number = self.progress.sent.fetch_add(1, Ordering::Relaxed);
            if number >= self.warm_up + self.measured {
                return Ok((latencies, unexpected));
            }
            if number == self.warm_up {
                *lock(&self.progress.begin) = Some((Instant::now(), self.server.usage()?));
            }
            if number == MARK {
                *lock(&self.progress.memory_at_mark) = self.server.usage()?.map(|usage| usage.memory);
            }
            let (request, token) = self.requests.next().await?;
            let begin = Instant::now();
            let (status, body) = sender.send(&request, token).await?;
            if number >= self.warm_up {
                latencies.push(begin.elapsed());
            }
            if let Some(what) = self.fault(&request, status, &body) {
                *unexpected.entry(what).or_default() += 1;
            }
        }
    }

    /// What is other than expected in an answer: a KM Response to this request, with a Payload.
    fn fault(&self, request: &Request, status: u16, body: &[u8]) -> Option<String> {
        if self.side == Side::Control {
            return (status != 200).then(|| format!("status {status}"));
        }
        let response = match Response::from_json(body) {
            Ok(response) => response,
            Err(error) => return Some(format!("status {status}: {error}")),
        };
        if let Some(code) = response.error_code() {
            return Some(format!("status {status}: error code {code}"));
        }
        match Timestamp::now().map(|now| response.accept(request, now, WINDOW)) {
            Ok(Ok(Some(_))) if status == 200 => None,
            Ok(Ok(_)) => Some(format!("status {status}, and no Payload")),
            Ok(Err(error)) => Some(format!("status {status}: {error}")),
            Err(error) => Some(error.to_string()),
        }
    }
}

impl Sender {
    async fn send(&mut self, request: &Request, token: HeaderValue) -> anyhow::Result<(u16, Bytes)> {
        let body = Full::new(Bytes::from(request.to_json()));
        let builder = http::Request::post(ROUTE).header(AUTHORIZATION, token).header(CONTENT_TYPE, JSON);
        let response = match self {
            Self::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(builder.header(HOST, "localhost").body(body)?).await?
            }
            Self::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(builder.uri(format!("https://localhost{ROUTE}")).body(body)?).await?
            }
        };
        let status = response.status().as_u16();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn take<T>(mutex: &Mutex<Option<T>>) -> Option<T> {
    lock(mutex).take()
}
