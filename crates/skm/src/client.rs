//! The client: an SKM-C, in a UE or in a VAL server.
//!
//! A [`Client`] asks an SKM-S for key material over TLS that ends at the server, and believes an answer only once it is
//! checked against what was asked. [`blocking::Client`] does the same for programs without an asynchronous runtime. A
//! [`KeyCache`] holds the keys of a user from one key period to the next, and makes an
//! [`Initiator`](mikey_sakke::imessage::Initiator) and a [`Responder`](mikey_sakke::imessage::Responder) of them.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use mikey_sakke::identity::Uri;
//! use skm::client::{Client, FileToken, Settings};
//!
//! let settings = Settings::new("https://skms.example.org", std::fs::read("ca.pem")?);
//! let client = Client::new(&settings, FileToken::new("token"))?;
//!
//! let domain = client.domain().await?;
//! let keys = client.identity_keys(&Uri::parse("sip:alice@example.org")?, &domain).await?;
//! println!("{:?}", keys.current.keys);
//! # Ok(())
//! # }
//! ```
//!
//! Tokens and key material are wiped when dropped, and no error shows them. What TLS and HTTP hold in their buffers is
//! beyond reach.

mod answer;
pub mod blocking;
mod cache;
mod environment;
mod error;
mod exchange;
mod identity_keys;
mod retry;
mod settings;
mod slots;
mod token;
pub(crate) mod transport;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use getrandom::rand_core::TryRng;
use mikey_sakke::documents::KmsCertCache;
use mikey_sakke::identity::Uri;
use mikey_sakke::km::domain::Domain;
use mikey_sakke::km::retrieval::{KeyRecordQuery, ValKeyInfo};
use mikey_sakke::km::{Identifier, Payload, Request, Subject};
use mikey_sakke::time::Timestamp;
use tokio::sync::OnceCell;

pub use cache::{CacheSettings, Due, KeyCache};
pub use environment::{Environment, System};
pub use error::{AnswerError, Cause, ClientError, NetworkError, Refused};
pub use identity_keys::{IdentityKeys, Provisioned};
pub use retry::Retry;
pub use settings::{Certificate, Settings, SettingsError};
pub use token::{FileToken, FixedToken, TokenError, TokenSource};

use cache::Steps;
use exchange::Offset;
use slots::Slots;
use transport::Transport;

/// A client of one SKM-S. It holds no key material.
#[derive(Debug)]
pub struct Client {
    transport: Transport,
    environment: Arc<dyn Environment>,
    retry: Retry,
    window: Duration,
    identity_service_id: Identifier,
    skms_uri: OnceCell<Uri>,
    slots: Slots,
    /// How far the server's clock is ahead of this one, once that is known to matter.
    offset: Mutex<Offset>,
}

impl Client {
    /// A client that has not connected yet.
    ///
    /// # Errors
    ///
    /// [`SettingsError`].
    pub fn new(settings: &Settings, tokens: impl TokenSource + 'static) -> Result<Self, SettingsError> {
        Self::with_environment(settings, tokens, Arc::new(System))
    }

    /// A client with a clock and a random source of its own.
    ///
    /// # Errors
    ///
    /// [`SettingsError`].
    pub fn with_environment(
        settings: &Settings,
        tokens: impl TokenSource + 'static,
        environment: Arc<dyn Environment>,
    ) -> Result<Self, SettingsError> {
        Ok(Self {
            transport: Transport::new(settings, Box::new(tokens))?,
            environment,
            retry: settings.retry,
            window: settings.window,
            identity_service_id: Identifier::new(&settings.identity_service_id)
                .map_err(|_| SettingsError::ServiceId)?,
            skms_uri: OnceCell::new_with(settings.skms_uri.clone()),
            slots: Slots::default(),
            offset: Mutex::default(),
        })
    }

    /// The time, as the server has it as far as is known: the local time, until a request was refused because of it.
    ///
    /// # Errors
    ///
    /// [`ClientError::Clock`].
    pub fn now(&self) -> Result<Timestamp, ClientError> {
        Ok(self.offset().apply(self.local_time()?))
    }

    /// What the server publishes of its security domain.
    ///
    /// # Errors
    ///
    /// [`ClientError`]; [`AnswerError::OtherServer`] if the domain is that of another SKM-S than the one configured.
    pub async fn domain(&self) -> Result<Domain, ClientError> {
        let domain = self.fetch_domain().await?;
        if self.skms_uri.get().is_some_and(|skms_uri| skms_uri != domain.skms_uri()) {
            return Err(AnswerError::OtherServer.into());
        }
        // Another task may have set it meanwhile, to the same: there is but one server.
        let _ = self.skms_uri.set(domain.skms_uri().clone());
        Ok(domain)
    }

    /// The key material of a service, or of one client, device or user of it.
    ///
    /// Of requests for the same within one second, the later ones wait: they differ in their time alone.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn record(&self, service: &Identifier, subject: &Subject) -> Result<Payload, ClientError> {
        let accepted = self.request(service, subject).await?;
        accepted.payload.ok_or_else(|| AnswerError::NoPayload.into())
    }

    /// The same by the REST API of TS 29.549, which has no VAL clients.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn key_info(&self, query: &KeyRecordQuery) -> Result<ValKeyInfo, ClientError> {
        self.retrieve(query).await
    }

    /// The identity keys of a user for the key period that it is, and once the server releases them, for the next.
    ///
    /// Both are checked against the certificates of the domain.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn identity_keys(&self, user: &Uri, domain: &Domain) -> Result<IdentityKeys, ClientError> {
        let accepted = self.request(&self.identity_service_id, &Subject::User(user.clone())).await?;
        let payload = accepted.payload.ok_or(AnswerError::NoPayload)?;
        Ok(identity_keys::read(&payload, user, domain, accepted.request.date_time())?)
    }

    /// The certificates of other domains, for a user of this one; none if `known` is the present CacheNum.
    ///
    /// They are checked, but whether to trust them the domain says: see
    /// [`acceptable_kms`](Domain::acceptable_kms). Over KM-S there are none, and the request is refused.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn cert_cache(
        &self,
        user: &Uri,
        domain: &Domain,
        known: Option<u64>,
    ) -> Result<KmsCertCache, ClientError> {
        self.fetch_certificates(user, domain.kms_uri(), known).await
    }

    /// Fetches what a cache is due at the local time `now`, if anything: see [`KeyCache`].
    ///
    /// # Errors
    ///
    /// [`ClientError`]; the cache keeps what it had, and what was fetched before that.
    pub async fn refresh<R: TryRng + ?Sized>(
        &self,
        cache: &mut KeyCache,
        now: Timestamp,
        rng: &mut R,
    ) -> Result<(), ClientError> {
        let mut steps = Steps::default();
        loop {
            match steps.next(cache.due(now, rng)?) {
                Due::Nothing => return Ok(()),
                Due::Certificates { kms, known } => {
                    cache.take_certificates(self.fetch_certificates(cache.user(), &kms, known).await)?;
                }
                Due::Domain => cache.take(self.domain().await?, None, now, rng)?,
                Due::Keys => {
                    let domain = self.domain().await?;
                    let keys = self.identity_keys(cache.user(), &domain).await?;
                    cache.take(domain, Some(keys), now, rng)?;
                }
            }
        }
    }

    /// SKmsUri: the one configured, else the one that the server gives itself in its domain.
    async fn skms_uri(&self) -> Result<&Uri, ClientError> {
        self.skms_uri.get_or_try_init(|| async { Ok(self.fetch_domain().await?.skms_uri().clone()) }).await
    }

    async fn new_request(&self, service: &Identifier, subject: &Subject) -> Result<Request, ClientError> {
        let skms_uri = self.skms_uri().await?.clone();
        let date_time = self.slot(service, subject).await?;
        Ok(Request::new(skms_uri, service.clone(), subject.clone(), date_time)?)
    }
}
