//! Authorities, servers, proxies and clocks of the tests.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use mikey_sakke::error::UsageError;
use mikey_sakke::identity::Uri;
use mikey_sakke::km::{Identifier, Payload, Request, Response, Subject};
use mikey_sakke::secret::Secret;
use mikey_sakke::time::Timestamp;
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use skm::client::{Certificate, Client, ClientError, Environment, FixedToken, Settings};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

pub(crate) const NOW: u64 = 1_795_000_000;
pub(crate) const SKMS: &str = "sip:skms.example.org";
pub(crate) const ALICE: &str = "sip:alice@example.org";

pub(crate) fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix(seconds).unwrap()
}

pub(crate) fn uri(text: &str) -> Uri {
    Uri::parse(text).unwrap()
}

pub(crate) fn service() -> Identifier {
    Identifier::new("urn:example:fleet").unwrap()
}

pub(crate) fn alice() -> Subject {
    Subject::User(uri(ALICE))
}

/// An authority for certificates.
pub(crate) struct Authority {
    pub(crate) pem: String,
    der: CertificateDer<'static>,
    issuer: rcgen::Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let certificate = params.self_signed(&key).unwrap();
        let (pem, der) = (certificate.pem(), certificate.der().clone());
        Self { pem, der, issuer: rcgen::Issuer::new(params, key) }
    }

    /// A configuration of a server with a certificate for a name or an address.
    pub(crate) fn server(&self, name: &str) -> ServerConfig {
        self.server_with(name, |_| ())
    }

    pub(crate) fn server_with(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> ServerConfig {
        let (chain, key) = self.issue(name, change);
        builder().with_no_client_auth().with_single_cert(chain, key).unwrap()
    }

    /// The same, that demands certificates of this authority.
    pub(crate) fn mutual_server(&self, name: &str) -> ServerConfig {
        let (chain, key) = self.issue(name, |_| ());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), skm::tls::provider());
        builder().with_client_cert_verifier(verifier.build().unwrap()).with_single_cert(chain, key).unwrap()
    }

    pub(crate) fn issue(
        &self,
        name: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
    }

    /// A certificate of a client.
    pub(crate) fn client(&self) -> Certificate {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["val.example.org".to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = Secret::new(key.serialize_pem().into_bytes());
        Certificate { chain: certificate.pem().into_bytes(), key }
    }
}

fn builder() -> rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier> {
    ServerConfig::builder_with_provider(skm::tls::provider()).with_safe_default_protocol_versions().unwrap()
}

/// A request as a server sees it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) version: hyper::Version,
    pub(crate) headers: hyper::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub(crate) fn request(&self) -> Request {
        Request::from_json(&self.body).unwrap()
    }
}

/// What a server answers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    /// To wait before the answer.
    pub(crate) delay: Duration,
    /// To send no Content-Length.
    pub(crate) hides_length: bool,
    /// To end the connection instead, over HTTP/2 the stream.
    pub(crate) is_cut: bool,
}

impl Reply {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, body: body.into(), ..Self::default() }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }
}

type Answer = dyn Fn(&Seen) -> Reply + Send + Sync;

/// A server that runs until it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(
        mut tls: ServerConfig,
        alpn: &[&str],
        answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        tls.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, seen) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let (answer, all): (Arc<Answer>, _) = (Arc::new(answer), seen.clone());
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, answer, all) = (acceptor.clone(), answer.clone(), all.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let handle = |request| handle(request, answer.clone(), all.clone());
                    let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                    // A client that does not like the answer goes away.
                    let _ = builder.serve_connection(TokioIo::new(stream), service_fn(handle)).await;
                });
            }
        });
        Self { address, seen, task }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Date/Time of each KM Request.
    pub(crate) fn times(&self) -> Vec<u64> {
        self.seen().iter().map(|seen| seen.request().date_time().to_unix()).collect()
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn handle(
    request: hyper::Request<Incoming>,
    answer: Arc<Answer>,
    all: Arc<Mutex<Vec<Seen>>>,
) -> io::Result<hyper::Response<Content>> {
    let (head, body) = request.into_parts();
    let seen = Seen {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().map(str::to_owned),
        version: head.version,
        headers: head.headers,
        body: body.collect().await.unwrap().to_bytes().to_vec(),
    };
    all.lock().unwrap().push(seen.clone());
    let reply = answer(&seen);
    tokio::time::sleep(reply.delay).await;
    if reply.is_cut {
        return Err(io::ErrorKind::ConnectionAborted.into());
    }
    let mut response = hyper::Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    let content = Content { octets: Full::new(reply.body.into()), hides_length: reply.hides_length };
    Ok(response.body(content).unwrap())
}

/// A body that need not say how long it is.
struct Content {
    octets: Full<Bytes>,
    hides_length: bool,
}

impl Body for Content {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.octets).poll_frame(context)
    }

    fn size_hint(&self) -> SizeHint {
        if self.hides_length { SizeHint::default() } else { self.octets.size_hint() }
    }
}

/// A clock that stands still but for sleep, and a random source that says what it is told.
#[derive(Debug, Default)]
pub(crate) struct Host {
    pub(crate) time: Mutex<Option<Timestamp>>,
    pub(crate) slept: Mutex<Vec<Duration>>,
    pub(crate) random: Mutex<VecDeque<u64>>,
}

impl Host {
    pub(crate) fn new(seconds: u64) -> Arc<Self> {
        Arc::new(Self { time: Mutex::new(Some(at(seconds))), ..Self::default() })
    }

    pub(crate) fn set(&self, time: Timestamp) {
        *self.time.lock().unwrap() = Some(time);
    }

    pub(crate) fn pass(&self, duration: Duration) {
        let mut time = self.time.lock().unwrap();
        *time = time.map(|time| time.saturating_add(duration));
    }

    pub(crate) fn slept(&self) -> Vec<Duration> {
        self.slept.lock().unwrap().clone()
    }
}

#[async_trait]
impl Environment for Host {
    fn now(&self) -> Result<Timestamp, UsageError> {
        self.time.lock().unwrap().ok_or(UsageError::Time)
    }

    async fn sleep(&self, duration: Duration) {
        self.slept.lock().unwrap().push(duration);
        self.pass(duration);
        tokio::task::yield_now().await;
    }

    fn random(&self) -> Result<u64, ClientError> {
        Ok(self.random.lock().unwrap().pop_front().unwrap_or(0))
    }
}

pub(crate) fn token() -> FixedToken {
    FixedToken::new(Secret::new("canary.token.value".to_owned()))
}

/// Settings for a server, whose SKmsUri is known.
pub(crate) fn settings(authority: &Authority, server: &Server) -> Settings {
    Settings { skms_uri: Some(uri(SKMS)), ..Settings::new(server.url(), authority.pem.clone()) }
}

/// A server on HTTP/2, and a client of it whose clock stands at [`NOW`].
pub(crate) async fn pair(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> (Server, Client, Arc<Host>) {
    let authority = Authority::new("authority");
    let server = Server::start(authority.server("127.0.0.1"), &["h2"], answer).await;
    let host = Host::new(NOW);
    let client = Client::with_environment(&settings(&authority, &server), token(), host.clone()).unwrap();
    (server, client, host)
}

/// The answer of a server whose clock stands at [`NOW`].
pub(crate) fn granted(seen: &Seen) -> Reply {
    granted_at(seen, NOW)
}

pub(crate) fn granted_at(seen: &Seen, now: u64) -> Reply {
    let request = seen.request();
    let user = match request.subject() {
        Subject::User(user) => user.clone(),
        _ => uri("sip:token@example.org"),
    };
    let payload = Payload::new("canary payload").unwrap();
    let response = Response::success(&request, user, Some(payload), at(now)).unwrap();
    Reply::new(200, response.to_json().as_bytes())
}

/// One answer after the other, the last one from then on.
pub(crate) fn in_turn(replies: Vec<Box<Answer>>) -> impl Fn(&Seen) -> Reply + Send + Sync {
    let next = AtomicU64::new(0);
    move |seen| {
        let index = next.fetch_add(1, Ordering::SeqCst) as usize;
        replies[index.min(replies.len() - 1)](seen)
    }
}
