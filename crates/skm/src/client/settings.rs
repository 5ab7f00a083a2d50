//! What a client has to know of its server.

use std::time::Duration;

use mikey_sakke::identity::Uri;
use mikey_sakke::km::DEFAULT_WINDOW;
use mikey_sakke::secret::Secret;
use rustls::pki_types::pem;

use super::Retry;
use crate::interface::IDENTITY_SERVICE_ID;

/// What a client has to know of its server. Proxies in the environment do not count.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address of the server: https, with a path in front of that of each route if there is one.
    pub server: String,
    /// The roots of the server's certificate, in PEM, at least one. No others are trusted.
    pub roots: Vec<u8>,
    /// The certificate to show to the server, which KM-S and SEAL-X1 demand.
    pub certificate: Option<Certificate>,
    /// The http address of a proxy, with user and password if it wants them. It is asked for a tunnel (CONNECT), so
    /// that TLS ends at the server.
    pub proxy: Option<Secret<String>>,
    /// SKmsUri of the server. Without one, what the server calls itself in its domain is taken at the first request.
    pub skms_uri: Option<Uri>,
    /// The ServiceID of identity keys.
    pub identity_service_id: String,
    /// How far Date/Time of an answer may be from the time of this client, either way.
    pub window: Duration,
    /// How long one attempt may take, from the connection to the last octet of the answer: 30 seconds by default.
    pub timeout: Duration,
    /// How often a request is made again.
    pub retry: Retry,
}

impl Settings {
    /// A server with the roots of its certificate, in PEM; the rest has its defaults.
    pub fn new(server: impl Into<String>, roots: impl Into<Vec<u8>>) -> Self {
        Self {
            server: server.into(),
            roots: roots.into(),
            certificate: None,
            proxy: None,
            skms_uri: None,
            identity_service_id: IDENTITY_SERVICE_ID.to_owned(),
            window: DEFAULT_WINDOW,
            timeout: Duration::from_secs(30),
            retry: Retry::default(),
        }
    }
}

/// A certificate of this client.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The certificate and those that lead from it to the root, in PEM.
    pub chain: Vec<u8>,
    /// Its private key, in PEM.
    pub key: Secret<Vec<u8>>,
}

/// Settings of which no client can be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The address of the server is not https, or has a user, a query or a fragment.
    #[error("the address of the server is not https, or has more than host, port and path")]
    Server,
    /// The address of the proxy is not http.
    #[error("the address of the proxy is not http")]
    Proxy,
    /// The ServiceID of identity keys is none.
    #[error("the ServiceID of identity keys is empty, too long or has control characters")]
    ServiceId,
    /// The roots, the certificate or its key are not PEM.
    #[error("cannot read the {0}: {1}")]
    Pem(&'static str, pem::Error),
    /// There is no root, or no certificate.
    #[error("there is no certificate among the {0}")]
    Empty(&'static str),
    /// The certificate, its key or a root is refused.
    #[error("the certificate, its key or a root is refused: {0}")]
    Certificate(#[from] rustls::Error),
    /// There is no HTTP client, or no thread for it.
    #[error("cannot set up the client: {0}")]
    System(Box<dyn std::error::Error + Send + Sync>),
}
