//! Where the keys of the issuer come from, and how often.

use std::io::Read as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mikey_sakke::time::Timestamp;
use reqwest::{Client, Url, redirect};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::sync::watch;

use super::key_set::MAX_SET_OCTETS;
use super::{AccessToken, KeySet, KeySetError, TokenError, Verifier};

/// Two fetches are at least this far apart, however many unknown keys are asked for.
const MIN_INTERVAL: Duration = Duration::from_secs(30);

/// A set older than this is fetched again, so that a key that the issuer withdraws goes.
const REFRESH: Duration = Duration::from_secs(300);

/// A set that cannot be fetched again is kept this long.
const MAX_AGE: Duration = Duration::from_secs(3600);

/// How long a fetch may take.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The address is neither https nor, on loopback, http, or holds a user, a password or a fragment.
    #[error("the address of the key set is not https, nor http on loopback")]
    Address,
    /// The TLS client cannot be set up.
    #[error("cannot set up TLS to fetch the key set: {0}")]
    Tls(#[from] rustls::Error),
    /// The set cannot be fetched.
    #[error("cannot fetch the key set: {0}")]
    Fetch(#[from] reqwest::Error),
    /// The answer is not 200, which a redirection is not either.
    #[error("the key set is answered with {0}")]
    Status(u16),
    /// The file cannot be read.
    #[error("cannot read the key set: {0}")]
    File(#[from] std::io::Error),
    /// The set is refused.
    #[error(transparent)]
    Set(#[from] KeySetError),
}

/// Where a key set is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// In a file.
    File(PathBuf),
    /// At an address: https, or http on loopback.
    Url(String),
}

enum Origin {
    File(PathBuf),
    Url(Client, Url),
}

/// The last good set and when to fetch, with the time passed in.
#[derive(Debug, Default)]
pub struct Cache {
    set: Option<(Arc<KeySet>, Instant)>,
    attempt: Option<Instant>,
}

impl Cache {
    /// The last good set, unless it is too old.
    pub fn current(&self, now: Instant) -> Option<Arc<KeySet>> {
        let (set, fetched) = self.set.as_ref()?;
        (now.saturating_duration_since(*fetched) <= MAX_AGE).then(|| Arc::clone(set))
    }

    /// Whether to fetch now, which then counts as a fetch: if the set is missing, of a certain age, or lacks a key that
    /// is asked for, and the last fetch is long enough ago.
    pub fn begin(&mut self, now: Instant, lacks_key: bool) -> bool {
        let rested = self.attempt.is_none_or(|at| now.saturating_duration_since(at) >= MIN_INTERVAL);
        let stale = self.set.as_ref().is_none_or(|(_, at)| now.saturating_duration_since(*at) >= REFRESH);
        let fetch = rested && (stale || lacks_key);
        if fetch {
            self.attempt = Some(now);
        }
        fetch
    }

    /// Takes in what was fetched.
    pub fn complete(&mut self, set: KeySet, now: Instant) {
        self.set = Some((Arc::new(set), now));
    }
}

/// The keys of the issuer, kept current.
#[derive(Debug)]
pub struct KeySource(Arc<Shared>);

/// What a source and the fetch that is under way share.
struct Shared {
    origin: Origin,
    cache: Mutex<Cache>,
    /// Whether a fetch is under way, for those who wait for its end.
    is_fetching: watch::Sender<bool>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("cache", &self.cache).finish_non_exhaustive()
    }
}

impl KeySource {
    /// A source that has fetched nothing yet.
    ///
    /// # Errors
    ///
    /// [`SourceError::Address`] or [`SourceError::Tls`].
    pub fn new(location: &Location) -> Result<Self, SourceError> {
        let origin = match location {
            Location::File(path) => Origin::File(path.clone()),
            Location::Url(url) => Origin::Url(client()?, checked(url)?),
        };
        Ok(Self(Arc::new(Shared { origin, cache: Mutex::default(), is_fetching: watch::Sender::new(false) })))
    }

    /// Fetches the set, at start or where it is due.
    ///
    /// # Errors
    ///
    /// [`SourceError`]; the last good set stays.
    pub async fn refresh(&self, now: Instant) -> Result<(), SourceError> {
        if self.begin(now, false) { self.fetch(now).await } else { Ok(()) }
    }

    /// Whether there are keys that are not too old.
    pub fn has_keys(&self, now: Instant) -> bool {
        self.0.lock().current(now).is_some()
    }

    /// Checks a token, and fetches the keys again if they are old or do not have the one that the token names. One that
    /// was found valid with the same keys and certificate is not looked at again for a minute, or until it expires.
    ///
    /// # Errors
    ///
    /// As [`Verifier::verify`]; [`TokenError::UnknownKey`] if there are no keys at all.
    pub async fn verify(
        &self,
        verifier: &Verifier,
        token: &str,
        certificate: Option<&[u8; 32]>,
        now: (Timestamp, Instant),
    ) -> Result<Arc<AccessToken>, TokenError> {
        let instant = now.1;
        let check = || {
            let keys = self.0.lock().current(instant).ok_or(TokenError::UnknownKey)?;
            verifier.verify_or_recall(token, &keys, certificate, now)
        };
        if let Err(error) = self.refresh(instant).await {
            tracing::warn!(%error, "the keys of the token issuer are not current");
        }
        let result = check();
        if result != Err(TokenError::UnknownKey) {
            return result;
        }
        if !self.begin(instant, true) {
            // The key may be in the set that somebody else is fetching.
            self.0.fetched().await;
        } else if let Err(error) = self.fetch(instant).await {
            tracing::warn!(%error, "the keys of the token issuer are not current");
        }
        check()
    }

    /// Begins a fetch, if it is time.
    fn begin(&self, now: Instant, lacks_key: bool) -> bool {
        let mut cache = self.0.lock();
        let begins = cache.begin(now, lacks_key);
        if begins {
            self.0.is_fetching.send_replace(true);
        }
        begins
    }

    /// Fetches in a task of its own: a request that is taken back does not take the keys of the others with it.
    async fn fetch(&self, now: Instant) -> Result<(), SourceError> {
        let shared = Arc::clone(&self.0);
        let task = tokio::spawn(async move {
            let _end = FetchEnd(&shared.is_fetching);
            shared.fetch(now).await
        });
        task.await.map_err(std::io::Error::other)?
    }
}

/// Tells those who wait that the fetch has ended, in whatever way.
struct FetchEnd<'a>(&'a watch::Sender<bool>);

impl Drop for FetchEnd<'_> {
    fn drop(&mut self) {
        self.0.send_replace(false);
    }
}

impl Shared {
    async fn fetch(&self, now: Instant) -> Result<(), SourceError> {
        let octets = match &self.origin {
            Origin::File(path) => read(path)?,
            Origin::Url(client, url) => get(client, url).await?,
        };
        let set = KeySet::from_json(&octets)?;
        self.lock().complete(set, now);
        Ok(())
    }

    /// Waits for the end of the fetch, if one is under way.
    async fn fetched(&self) {
        // It cannot fail while the sender is here.
        let _ = self.is_fetching.subscribe().wait_for(|is_fetching| !is_fetching).await;
    }

    fn lock(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn checked(url: &str) -> Result<Url, SourceError> {
    let url = Url::parse(url).map_err(|_| SourceError::Address)?;
    let host = url.host_str().ok_or(SourceError::Address)?;
    let is_loopback = host.trim_matches(['[', ']']).parse().is_ok_and(|address: IpAddr| address.is_loopback());
    let is_plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let is_allowed = url.scheme() == "https" || (url.scheme() == "http" && is_loopback);
    if is_plain && is_allowed { Ok(url) } else { Err(SourceError::Address) }
}

fn client() -> Result<Client, SourceError> {
    let tls = rustls::ClientConfig::builder_with_provider(crate::tls::provider())
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()?
        .with_no_client_auth();
    let client = Client::builder().tls_backend_preconfigured(tls).redirect(redirect::Policy::none());
    Ok(client.timeout(FETCH_TIMEOUT).no_proxy().build()?)
}

async fn get(client: &Client, url: &Url) -> Result<Vec<u8>, SourceError> {
    let mut response = client.get(url.clone()).send().await?;
    if response.status() != reqwest::StatusCode::OK {
        return Err(SourceError::Status(response.status().as_u16()));
    }
    let mut octets = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if octets.len() + chunk.len() > MAX_SET_OCTETS {
            return Err(KeySetError::Length.into());
        }
        octets.extend_from_slice(&chunk);
    }
    Ok(octets)
}

/// Reads at most one octet more than a set may have.
fn read(path: &Path) -> Result<Vec<u8>, SourceError> {
    let mut octets = Vec::new();
    std::fs::File::open(path)?.take(MAX_SET_OCTETS as u64 + 1).read_to_end(&mut octets)?;
    Ok(octets)
}
