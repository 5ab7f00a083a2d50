//! One HTTP exchange with the server: TLS with the chosen roots, no redirections, bounded answers.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Proxy, RequestBuilder, Url, redirect};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use zeroize::Zeroizing;

use super::settings::{Certificate, Settings, SettingsError};
use super::token::{TokenSource, authorization};
use super::{AnswerError, ClientError, NetworkError, TokenError, retry};

/// Shorter than what a server keeps an idle connection for.
const IDLE: Duration = Duration::from_secs(45);

pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");
pub(super) const XML: HeaderValue = HeaderValue::from_static("application/xml");

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Zeroizing<Vec<u8>>,
}

pub(super) struct Transport {
    http: reqwest::Client,
    server: Url,
    tokens: Box<dyn TokenSource>,
}

impl std::fmt::Debug for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Transport({})", self.server)
    }
}

impl Transport {
    pub(super) fn new(settings: &Settings, tokens: Box<dyn TokenSource>) -> Result<Self, SettingsError> {
        Ok(Self { http: http(settings)?, server: server(&settings.server)?, tokens })
    }

    /// Posts to a route, and wants an answer of the same media type.
    pub(super) async fn post(
        &self,
        path: &str,
        media: HeaderValue,
        body: String,
        limit: usize,
    ) -> Result<Answer, ClientError> {
        let request = self.http.post(self.url(path, None)).header(CONTENT_TYPE, media.clone());
        self.send(request.header(ACCEPT, media).body(body), limit).await
    }

    /// Gets a route.
    pub(super) async fn get(&self, path: &str, query: Option<&str>, limit: usize) -> Result<Answer, ClientError> {
        self.send(self.http.get(self.url(path, query)).header(ACCEPT, JSON), limit).await
    }

    /// The address of a route.
    pub(super) fn url(&self, path: &str, query: Option<&str>) -> Url {
        url(&self.server, path, query)
    }

    /// Sends a request with an access token, and reads an answer of at most `limit` octets.
    async fn send(&self, request: RequestBuilder, limit: usize) -> Result<Answer, ClientError> {
        let value = authorization(&self.tokens.token().await?)?;
        let mut value = HeaderValue::from_str(&value).map_err(|_| TokenError::Form)?;
        value.set_sensitive(true);
        let mut response = request.header(AUTHORIZATION, value).send().await.map_err(NetworkError::from)?;
        let declared = response.content_length().map_or(limit, |length| usize::try_from(length).unwrap_or(usize::MAX));
        if declared > limit {
            return Err(AnswerError::TooLong.into());
        }
        // Large enough from the start: a buffer that grows leaves copies behind.
        let mut body = Zeroizing::new(Vec::with_capacity(declared));
        while let Some(chunk) = response.chunk().await.map_err(NetworkError::from)? {
            if body.len() + chunk.len() > limit {
                return Err(AnswerError::TooLong.into());
            }
            body.extend_from_slice(&chunk);
        }
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| retry::retry_after(value.as_bytes()));
        Ok(Answer { status: response.status().as_u16(), retry_after, body })
    }
}

/// A client of HTTPS that trusts the roots of the settings alone.
pub(crate) fn http(settings: &Settings) -> Result<reqwest::Client, SettingsError> {
    let builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls(settings)?)
        .https_only(true)
        .redirect(redirect::Policy::none())
        .referer(false)
        .timeout(settings.timeout)
        .pool_idle_timeout(IDLE)
        .no_proxy();
    let builder = match &settings.proxy {
        Some(address) => builder.proxy(proxy(address.expose())?),
        None => builder,
    };
    builder.build().map_err(|error| SettingsError::System(Box::new(error)))
}

/// The address of a route of a server.
pub(crate) fn url(server: &Url, path: &str, query: Option<&str>) -> Url {
    let mut url = server.clone();
    url.set_path(&format!("{}{path}", url.path().trim_end_matches('/')));
    url.set_query(query);
    url
}

/// The address of a server.
pub(crate) fn server(address: &str) -> Result<Url, SettingsError> {
    let url = Url::parse(address).map_err(|_| SettingsError::Server)?;
    let is_plain = url.username().is_empty() && url.password().is_none() && url.query().or(url.fragment()).is_none();
    if url.scheme() == "https" && is_plain { Ok(url) } else { Err(SettingsError::Server) }
}

fn proxy(address: &str) -> Result<Proxy, SettingsError> {
    let url = Url::parse(address).ok().filter(|url| url.scheme() == "http" && url.has_host());
    Proxy::all(url.ok_or(SettingsError::Proxy)?).map_err(|_| SettingsError::Proxy)
}

fn tls(settings: &Settings) -> Result<ClientConfig, SettingsError> {
    let mut roots = RootCertStore::empty();
    for root in read_all("roots", &settings.roots)? {
        roots.add(root)?;
    }
    let builder = ClientConfig::builder_with_provider(crate::tls::provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(Arc::new(roots));
    let mut config = match &settings.certificate {
        None => builder.with_no_client_auth(),
        Some(Certificate { chain, key }) => {
            let key = PrivateKeyDer::from_pem_slice(key.expose());
            let key = key.map_err(|error| SettingsError::Pem("private key", error))?;
            builder.with_client_auth_cert(read_all("client's certificates", chain)?, key)?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.require_ems = true;
    Ok(config)
}

/// All certificates of a text in PEM, at least one.
fn read_all(what: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, SettingsError> {
    let certificates = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|error| SettingsError::Pem(what, error))?;
    if certificates.is_empty() { Err(SettingsError::Empty(what)) } else { Ok(certificates) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_https_with_nothing_but_host_port_and_path() {
        for address in ["https://skms.example.org", "https://[::1]:8443/", "https://example.org/api/root"] {
            assert!(server(address).is_ok(), "{address}");
        }
        for address in [
            "",
            "skms.example.org",
            "http://skms.example.org",
            "https://",
            "https://user@skms.example.org",
            "https://:password@skms.example.org",
            "https://skms.example.org/?a",
            "https://skms.example.org/#a",
            "sip:skms.example.org",
        ] {
            assert!(matches!(server(address), Err(SettingsError::Server)), "{address}");
        }
    }

    #[test]
    fn a_proxy_is_http() {
        assert!(proxy("http://user:password@proxy.example.org:3128").is_ok());
        for address in ["", "proxy:3128", "https://proxy.example.org", "socks5://proxy.example.org", "http://"] {
            assert!(matches!(proxy(address), Err(SettingsError::Proxy)), "{address}");
        }
    }
}
