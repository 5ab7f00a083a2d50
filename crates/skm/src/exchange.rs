//! Getting the certificates of other domains from their servers (KM-E), and keeping them current.
//!
//! A peer is asked over mutual TLS with a nonce. What it answers is taken in if it is signed under a certificate of its
//! domain that is held already ([`mikey_sakke::km::exchange`]); the first one a person has to compare.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mikey_sakke::identity::Uri;
use mikey_sakke::km::Identifier;
use mikey_sakke::km::domain::Domain;
use mikey_sakke::km::exchange::{Announcement, ExchangeError, Expected, MAX_ANNOUNCEMENT_OCTETS, NONCE_OCTETS};
use mikey_sakke::kms::{KmsCertificate, TrustedCertificates};
use mikey_sakke::secret::Secret;
use mikey_sakke::time::Timestamp;

use crate::audit::{Action, Event, Outcome};
use crate::client::{Certificate, Settings, SettingsError, transport};
use crate::config::{Config, PeerDomain};
use crate::domain::{ExternalError, Externals, Offer, Taken, fingerprint, import_external};
use crate::interface::CERTIFICATES;
use crate::seal::{RandomError, random};
use crate::service::{Clock, Service};
use crate::store::{Store, StoreError};

/// How often a running server asks its peers.
const INTERVAL: Duration = Duration::from_secs(3600);

/// Why nothing was taken in of a peer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// A file that is needed to ask cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: std::io::Error,
    },
    /// The configuration of the peer is of no use.
    #[error("the configuration of the peer: {0}")]
    Settings(#[from] SettingsError),
    /// The random source failed.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// It cannot be reached, or does not answer in time.
    #[error("cannot reach the server: {}", innermost(.0))]
    Network(#[from] reqwest::Error),
    /// It answers with another status than 200.
    #[error("the server answers with {0}")]
    Status(u16),
    /// It answers with more than is taken.
    #[error("the answer is too long")]
    TooLong,
    /// Nothing is held of the domain yet, or nothing that is valid.
    #[error("no certificate of the domain is held that is valid now and not revoked; compare {} with the other operator by another way, and take it in with --first", .0)]
    NotHeld(String),
    /// The fingerprint is another one.
    #[error("the certificate that is valid now has another fingerprint: {0}")]
    OtherFingerprint(String),
    /// The answer is not accepted.
    #[error("the answer is not accepted: {0}")]
    Refused(#[from] ExchangeError),
    /// What it says is not taken in.
    #[error(transparent)]
    External(#[from] ExternalError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The reason behind the others.
fn innermost(error: &reqwest::Error) -> &dyn std::error::Error {
    let mut error: &dyn std::error::Error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error
}

/// Under what an answer is believed.
#[derive(Clone, Copy, Debug)]
pub enum Trust<'a> {
    /// A certificate of the domain that is held.
    Held,
    /// The certificate in the answer, if it has this fingerprint, which somebody has compared.
    Fingerprint(&'a str),
}

/// Asks a peer for the certificates of its domain and takes them in. `event` says who does, and when.
///
/// # Errors
///
/// [`PeerError`].
pub async fn fetch(
    config: &Config,
    store: &Store,
    peer: &PeerDomain,
    trust: Trust<'_>,
    event: &Event,
) -> Result<(Domain, Taken), PeerError> {
    let nonce = random::<NONCE_OCTETS>()?;
    let announcement = ask(config, peer, &nonce).await?;
    let now = event.time;
    let expected = Expected {
        audience: &config.domain.skms_uri,
        nonce: &nonce,
        kms_uri: &peer.kms_uri,
        skms_uri: &peer.skms_uri,
        now,
    };
    let held = match trust {
        Trust::Held => Externals::load(store).await?.trusted(),
        Trust::Fingerprint(compared) => first(&announcement, &peer.kms_uri, now, compared)?,
    };
    let domain = match announcement.verify(&expected, &held) {
        Err(ExchangeError::NotHeld) => {
            return Err(PeerError::NotHeld(claimed(&announcement, &peer.kms_uri, now).unwrap_or_default()));
        }
        verified => verified?,
    };
    let origin = Identifier::new(&peer.server).map_err(|_| SettingsError::Server)?;
    let taken = import_external(store, &config.domain, &Offer::of_domain(domain), &origin, event).await?;
    Ok((domain.clone(), taken))
}

/// The certificate in the answer itself, if somebody has compared its fingerprint.
fn first(
    announcement: &Announcement,
    kms_uri: &Uri,
    now: Timestamp,
    compared: &str,
) -> Result<TrustedCertificates, PeerError> {
    let claimed = claimed(announcement, kms_uri, now).ok_or(ExchangeError::NotHeld)?;
    if !claimed.eq_ignore_ascii_case(compared) {
        return Err(PeerError::OtherFingerprint(claimed));
    }
    Ok(announcement.unverified_domain().trusted_certificates().clone())
}

/// The fingerprint of the certificate that would be valid now.
fn claimed(announcement: &Announcement, kms_uri: &Uri, now: Timestamp) -> Option<String> {
    let certificate: Option<&Arc<KmsCertificate>> =
        announcement.unverified_domain().trusted_certificates().select(kms_uri, now);
    certificate.map(|certificate| fingerprint(certificate))
}

/// Asks a peer, with files that are read anew each time.
async fn ask(config: &Config, peer: &PeerDomain, nonce: &[u8; NONCE_OCTETS]) -> Result<Announcement, PeerError> {
    let roots = peer.roots.as_ref().or(config.tls.client_ca.as_ref()).ok_or(SettingsError::Empty("roots"))?;
    let cert = peer.cert.as_ref().unwrap_or(&config.tls.cert);
    let key = peer.key.as_ref().unwrap_or(&config.tls.key);
    let certificate = Certificate { chain: read(cert)?, key: Secret::new(read(key)?) };
    let settings = Settings { certificate: Some(certificate), ..Settings::new(&peer.server, read(roots)?) };
    let (http, server) = (transport::http(&settings)?, transport::server(&settings.server)?);
    let query = format!("nonce={}", hex::encode(nonce));
    let mut response = http.get(transport::url(&server, CERTIFICATES, Some(&query))).send().await?;
    if response.status() != reqwest::StatusCode::OK {
        return Err(PeerError::Status(response.status().as_u16()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_ANNOUNCEMENT_OCTETS {
            return Err(PeerError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Announcement::from_json(&body)?)
}

fn read(path: &Path) -> Result<Vec<u8>, PeerError> {
    std::fs::read(path).map_err(|error| PeerError::File { path: path.to_owned(), error })
}

/// Asks all peers at once and then every hour, for as long as it is let.
pub async fn follow(config: &Config, service: Arc<Service>, clock: &Clock) {
    let mut interval = tokio::time::interval(INTERVAL);
    loop {
        interval.tick().await;
        for peer in &config.peer {
            let event = Event {
                time: clock.now().time,
                principal: peer.skms_uri.to_string(),
                action: Action::Domain,
                target: format!("certificates of {} from {}", peer.kms_uri, peer.server),
                period: None,
                outcome: Outcome::Done,
                request_id: random::<16>().map(hex::encode).unwrap_or_default(),
            };
            let kms = peer.kms_uri.as_str();
            match fetch(config, service.store(), peer, Trust::Held, &event).await {
                Ok((_, Taken { new, changed, .. })) => tracing::info!(kms, new, changed, "asked a peer"),
                Err(error) => tracing::error!(kms, %error, "nothing is taken in of a peer"),
            }
        }
    }
}
