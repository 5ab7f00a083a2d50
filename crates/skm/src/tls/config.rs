//! Server configurations, from files.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use serde::Deserialize;

use super::client::Verifier;
use super::provider;

/// The lowest version that is offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum MinVersion {
    /// TLS 1.2: `"1.2"`.
    #[default]
    #[serde(rename = "1.2")]
    Tls12,
    /// TLS 1.3: `"1.3"`.
    #[serde(rename = "1.3")]
    Tls13,
}

impl MinVersion {
    fn versions(self) -> Vec<&'static SupportedProtocolVersion> {
        match self {
            Self::Tls12 => vec![&TLS13, &TLS12],
            Self::Tls13 => vec![&TLS13],
        }
    }
}

/// Whether clients have to show a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// They are not asked for one.
    NotAsked,
    /// They have to.
    Demanded,
}

/// The files of a configuration, all in PEM.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    /// The certificate of the server, and those that lead from it to the root.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The roots of the clients' certificates.
    pub client_ca: Option<PathBuf>,
    /// Revocation lists. If there are any, one of every authority of a client's chain is needed, and none of them may
    /// have passed its next update.
    #[serde(default)]
    pub crl_files: Vec<PathBuf>,
    /// The lowest version.
    #[serde(default)]
    pub min_version: MinVersion,
}

/// Why a configuration cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read, or is not PEM.
    #[error("cannot read {}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: pem::Error,
    },
    /// A file holds nothing of what it is for.
    #[error("there is nothing of use in {}", .0.display())]
    Empty(PathBuf),
    /// Client certificates are demanded, and there are no roots for them.
    #[error("client certificates are demanded, and there is no client_ca")]
    NoClientCa,
    /// The roots or the revocation lists are refused.
    #[error("the roots or the revocation lists of the clients are refused: {0}")]
    Clients(#[from] VerifierBuilderError),
    /// The certificate, its key or a root is refused.
    #[error("the certificate, its key or a root is refused: {0}")]
    Certificate(#[from] rustls::Error),
}

/// A configuration that is read again on demand.
#[derive(Debug)]
pub struct Tls {
    settings: TlsSettings,
    clients: ClientAuth,
    current: RwLock<Arc<ServerConfig>>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// [`TlsError`].
    pub fn new(settings: TlsSettings, clients: ClientAuth) -> Result<Self, TlsError> {
        let current = RwLock::new(Arc::new(server_config(&settings, clients)?));
        Ok(Self { settings, clients, current })
    }

    /// Reads the files again, for the handshakes from now on.
    ///
    /// # Errors
    ///
    /// [`TlsError`]; what was read before stays.
    pub fn reload(&self) -> Result<(), TlsError> {
        let config = Arc::new(server_config(&self.settings, self.clients)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    /// The configuration for the next handshake.
    pub fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn server_config(settings: &TlsSettings, clients: ClientAuth) -> Result<ServerConfig, TlsError> {
    let provider = provider();
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&settings.min_version.versions())?;
    let builder = match clients {
        ClientAuth::NotAsked => builder.with_no_client_auth(),
        ClientAuth::Demanded => builder.with_client_cert_verifier(client_verifier(settings, provider)?),
    };
    let chain = read_all::<CertificateDer<'static>>(&settings.cert)?;
    let key = PrivateKeyDer::from_pem_file(&settings.key)
        .map_err(|error| TlsError::File { path: settings.key.clone(), error })?;
    let mut config = builder.with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.max_early_data_size = 0;
    config.require_ems = true;
    if clients == ClientAuth::Demanded {
        // A resumed session would skip the check of the certificate, and so outlive its revocation.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(config)
}

fn client_verifier(
    settings: &TlsSettings,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let client_ca = settings.client_ca.as_ref().ok_or(TlsError::NoClientCa)?;
    let mut roots = RootCertStore::empty();
    for root in read_all::<CertificateDer<'static>>(client_ca)? {
        roots.add(root)?;
    }
    let mut lists = Vec::new();
    for path in &settings.crl_files {
        lists.extend(read_all::<CertificateRevocationListDer<'static>>(path)?);
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .with_crls(lists)
        .enforce_revocation_expiration()
        .build()?;
    Ok(Arc::new(Verifier(verifier)))
}

/// All objects of a kind in a file, at least one.
fn read_all<T: PemObject>(path: &Path) -> Result<Vec<T>, TlsError> {
    let read = || T::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>();
    let objects = read().map_err(|error| TlsError::File { path: path.to_owned(), error })?;
    if objects.is_empty() { Err(TlsError::Empty(path.to_owned())) } else { Ok(objects) }
}
