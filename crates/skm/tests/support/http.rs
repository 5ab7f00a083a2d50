//! Clients of a server: HTTPS, and TLS on which a test writes what it likes.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, Version};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::site::PATIENCE;

pub(crate) const KM: &str = "/seal-km/v1/km-request";
pub(crate) const JSON: (&str, &str) = ("content-type", "application/json");
pub(crate) const XML: (&str, &str) = ("content-type", "application/xml");

/// A client of one listener.
pub(crate) struct Client {
    client: reqwest::Client,
    base: String,
}

impl Client {
    /// Over HTTP/2, or HTTP/1.1 if that is all that the listener offers.
    pub(crate) fn new(address: SocketAddr, mut tls: ClientConfig) -> Self {
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Self::build(address, reqwest::Client::builder().tls_backend_preconfigured(tls))
    }

    /// Over HTTP/1.1.
    pub(crate) fn http1(address: SocketAddr, mut tls: ClientConfig) -> Self {
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self::build(address, reqwest::Client::builder().tls_backend_preconfigured(tls).http1_only())
    }

    fn build(address: SocketAddr, builder: reqwest::ClientBuilder) -> Self {
        let client = builder.no_proxy().timeout(PATIENCE).build().unwrap();
        Self { client, base: format!("https://localhost:{}", address.port()) }
    }

    /// In the clear, for the listener for health and metrics.
    pub(crate) fn plain(address: SocketAddr) -> Self {
        let builder = ClientConfig::builder_with_provider(skm::tls::provider());
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let tls = builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
        let client = Self::new(address, tls);
        Self { base: format!("http://{address}"), ..client }
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        self.client.request(method, format!("{}{path}", self.base))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    /// A request with these header fields.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let request =
            headers.iter().fold(self.request(method, path), |request, (name, value)| request.header(*name, *value));
        Answer::of(request.body(body)).await.unwrap()
    }

    /// A KM Request with a token.
    pub(crate) async fn key_request(&self, token: &str, body: impl Into<reqwest::Body>) -> Answer {
        self.send("POST", KM, &[JSON, ("authorization", &format!("Bearer {token}"))], body).await
    }
}

/// What a server answers.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) async fn of(request: RequestBuilder) -> reqwest::Result<Self> {
        let response = request.send().await?;
        let (status, version, headers) = (response.status().as_u16(), response.version(), response.headers().clone());
        Ok(Self { status, version, headers, body: response.text().await? })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    /// Checks what every answer has, and that this is a KM Response with this status and ErrorCode.
    pub(crate) fn assert_km(&self, status: u16, code: Option<&str>) -> Value {
        let value = self.json();
        assert_eq!((self.status, value["ErrorCode"].as_str()), (status, code), "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        for name in ["UserUri", "SKmsUri", "ServiceID"] {
            assert!(value[name].is_string(), "{name} in {self:?}");
        }
        assert!(value["DateTime"].is_u64(), "{self:?}");
        assert!(code.is_none() || value.get("Payload").is_none(), "{self:?}");
        self.assert_headers();
        value
    }

    /// Checks what every answer has, and that this is a problem with this status and cause.
    pub(crate) fn assert_problem(&self, status: u16, cause: &str) {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let value = self.json();
        assert_eq!((self.status, value["cause"].as_str()), (status, Some(cause)), "{self:?}");
        assert_eq!(value["status"], status, "{self:?}");
        assert!(value["title"].is_string() && value["detail"].is_string(), "{self:?}");
        self.assert_headers();
    }

    /// Checks the header fields that go with every answer, and with its status.
    pub(crate) fn assert_headers(&self) {
        assert_eq!(self.header("cache-control"), Some("no-store"), "{self:?}");
        let id = self.header("x-request-id").unwrap_or_default();
        assert!(id.len() == 32 && id.bytes().all(|digit| digit.is_ascii_hexdigit()), "{self:?}");
        assert_eq!(self.header("www-authenticate"), (self.status == 401).then_some("Bearer"), "{self:?}");
        assert_eq!(self.headers.contains_key("retry-after"), self.status == 429, "{self:?}");
    }
}

/// A TLS connection, on which a test writes what it likes. Without ALPN it is HTTP/1.1.
pub(crate) async fn connect(address: SocketAddr, mut tls: ClientConfig, alpn: Option<&str>) -> TlsStream<TcpStream> {
    tls.alpn_protocols = alpn.map(|name| name.as_bytes().to_vec()).into_iter().collect();
    let tcp = TcpStream::connect(address).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(tls)).connect(name, tcp).await.unwrap()
}

/// Writes octets on a connection of its own; what comes back until it ends.
pub(crate) async fn exchange(address: SocketAddr, tls: ClientConfig, octets: &[u8]) -> String {
    let mut stream = connect(address, tls, None).await;
    stream.write_all(octets).await.unwrap();
    read_to_end(&mut stream).await
}

/// What comes in until the connection ends, which it has to.
pub(crate) async fn read_to_end(stream: &mut TlsStream<TcpStream>) -> String {
    let mut answer = Vec::new();
    // An end without close_notify is an error after what came in.
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the connection stays open");
    String::from_utf8_lossy(&answer).into_owned()
}
