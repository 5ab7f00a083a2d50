//! What the server decides about each request, without HTTP.
//!
//! A [`Service`] is asked by the listeners: each route is a method, which takes what came in and returns what to
//! answer. The checks stand in one order: the token, how often its principal comes, the body, the policy, whether the
//! request was answered before, and only then whether there is what is asked for. Whatever is refused after the token
//! was found valid is an entry of the audit log, but for too many requests.

mod ahead;
mod answer;
mod caller;
mod capif;
mod certificates;
mod expiry;
mod identity;
mod key_management;
mod provisioning;
mod retrieval;
mod session;
mod time;

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use mikey_sakke::identity::Uri;
use mikey_sakke::km::{ANONYMOUS, Echo, ErrorCode, Failure, Identifier, Response, Subject};
use mikey_sakke::time::Timestamp;
use zeroize::Zeroizing;

use crate::config::{Config, PeerDomain};
use crate::domain::{Externals, Issuer, Lead, LoadError, SecurityDomain};
use crate::limits::{Limiter, Rate};
use crate::metrics::Metrics;
use crate::policy::Policy;
use crate::seal::Secret;
use crate::store::{Store, StoreError, Version};
use crate::token::{KeySource, SourceError, Verifier};

pub use answer::{KmAnswer, Problem};
pub use caller::{Body, BodyFault, Caller, Clock, IdentityResource, Moment, Point, Precondition, RecordPath};

use ahead::Ahead;
use expiry::Expiry;
use session::{Principal, Refused, Session, Tokens};

/// How many more tokens that are not valid are answered of an address than requests of a principal.
const STRANGERS: u32 = 10;

/// The key management server.
#[derive(Debug)]
pub struct Service {
    skms_uri: Uri,
    skms_id: Option<Identifier>,
    kms_uri: Uri,
    /// UserUri for somebody who is not known.
    nobody: Uri,
    window: Duration,
    lead: Lead,
    issues_per_period: u32,
    /// Whether there are delegates.
    escrow: bool,
    clock: Clock,
    start: Instant,
    policy: Policy,
    tokens: Tokens,
    /// Those of a CAPIF core function.
    capif_tokens: Option<Tokens>,
    /// The servers of other domains.
    peers: Vec<PeerDomain>,
    principals: Limiter<Principal>,
    /// Addresses whose tokens are not valid.
    strangers: Limiter<IpAddr>,
    store: Store,
    domain_settings: crate::config::Domain,
    /// The latest time of all servers, when it was looked at.
    latest: RwLock<Option<Timestamp>>,
    domain: RwLock<Option<Arc<SecurityDomain>>>,
    issuer: Issuer,
    expiry: Expiry,
    ahead: Ahead,
    metrics: Arc<Metrics>,
}

/// Why there is no service.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The domain in the store cannot be used.
    #[error(transparent)]
    Domain(#[from] LoadError),
    /// The keys of a token issuer cannot be fetched from where they are said to be.
    #[error("the keys of a token issuer: {0}")]
    TokenKeys(#[from] SourceError),
    /// There are no threads to issue keys on.
    #[error("no threads to issue keys on: {0}")]
    Threads(#[from] io::Error),
    /// The configuration was not checked.
    #[error("the configuration contradicts itself")]
    Config,
}

/// Why the service cannot answer at present.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotReady {
    /// The store does not answer, or its domain cannot be used.
    #[error(transparent)]
    Domain(#[from] LoadError),
    /// The keys of the token issuer are not there.
    #[error("there are no keys of the token issuer")]
    TokenKeys,
    /// The clock of this host is not that of the database.
    #[error("the clock of this host is more than 1 s from that of the database")]
    Apart,
    /// The clock of this host is far from the latest time of all servers.
    #[error("the clock is more than a key period from the latest time of all servers: see skms clock show")]
    Jumped,
}

/// A record that was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Whether there was none before: 201, else 204.
    pub is_new: bool,
    /// Its version, for ETag.
    pub version: Version,
}

/// What may be known of a record without its key material.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Its version, for ETag.
    pub version: Version,
    /// The JSON object: UserUri, and ValidFrom and ValidTo if there are any.
    pub json: String,
}

impl Service {
    /// Opens the store and starts the threads that issue keys.
    ///
    /// # Errors
    ///
    /// [`ServiceError`].
    pub async fn open(config: &Config, secret: Secret, clock: Clock) -> Result<Self, ServiceError> {
        let Config { domain, auth, limits, .. } = config;
        let location = auth.location().ok_or(ServiceError::Config)?;
        let policy = config.rules().ok_or(ServiceError::Config)?;
        let store = Store::open(&config.store.url, secret, domain.server()).await?;
        let loaded = SecurityDomain::load(&store, domain).await?;
        if loaded.is_none() {
            tracing::warn!("the domain has no master secrets: there are no identity keys");
        }
        let rate = limits.rate();
        let strangers =
            Rate { per_second: rate.per_second.saturating_mul(STRANGERS), burst: rate.burst.saturating_mul(STRANGERS) };
        let next = Duration::from_secs(domain.next_lead_seconds);
        let start = clock.now().instant;
        let nobody = Uri::parse(ANONYMOUS).map_err(|_| ServiceError::Config)?;
        // What the answer to a request that nothing is known of takes, so that there always is one.
        Response::failure(
            domain.skms_uri.clone(),
            nobody.clone(),
            Echo::NOTHING,
            ErrorCode::Unspecified,
            clock.now().time,
        )
        .map_err(|_| ServiceError::Config)?;
        let metrics = Arc::new(Metrics::default());
        Ok(Self {
            skms_uri: domain.skms_uri.clone(),
            skms_id: domain.skms_id.clone(),
            kms_uri: domain.kms_uri.clone(),
            nobody,
            window: Duration::from_secs(config.time.window_seconds),
            lead: Lead { next, past_periods: domain.past_periods },
            issues_per_period: limits.issues_per_period,
            escrow: config.escrow.allow,
            clock,
            start,
            policy,
            tokens: Tokens { verifier: Verifier::new(auth.token_settings()), keys: KeySource::new(&location)? },
            capif_tokens: config.capif.as_ref().map_or(Ok(None), |capif| capif::tokens(capif, auth))?,
            peers: config.peer.clone(),
            principals: Limiter::new(rate),
            strangers: Limiter::new(strangers),
            store,
            domain_settings: domain.clone(),
            latest: RwLock::new(None),
            domain: RwLock::new(loaded.map(Arc::new)),
            issuer: Issuer::start(limits.issue_threads, limits.issue_queue, Arc::clone(&metrics))?,
            expiry: Expiry::default(),
            ahead: Ahead::default(),
            metrics,
        })
    }

    /// POST `/seal-km/v1/km-request`.
    pub async fn key_request(&self, caller: &Caller<'_>, body: Body<'_>) -> KmAnswer {
        self.answer_key_request(caller, body).await
    }

    /// The answer to a KM Request for which the server failed to make one.
    pub fn failed_key_request(&self) -> KmAnswer {
        self.km_failure(&Failure::Internal.into(), None, Echo::NOTHING, self.clock.now().time)
    }

    /// GET `/ss-kir/v1/key-records`, with what stands behind the `?`: ValKeyInfo in JSON.
    ///
    /// # Errors
    ///
    /// [`Problem`].
    pub async fn key_records(&self, caller: &Caller<'_>, query: Option<&str>) -> Result<Zeroizing<String>, Problem> {
        let mut session = self.authenticate_invoker(caller, self.clock.now()).await?;
        let result = self.read_for_retrieval(&mut session, query).await;
        Ok(self.conclude(&session, result).await?)
    }

    /// PUT of a record.
    ///
    /// # Errors
    ///
    /// [`Problem`], of status 412 if the precondition does not hold.
    pub async fn put_record(
        &self,
        caller: &Caller<'_>,
        path: RecordPath<'_>,
        precondition: Precondition<'_>,
        body: Body<'_>,
    ) -> Result<Stored, Problem> {
        let mut session = self.authenticate(caller, self.clock.now()).await?;
        let result = self.store_record(&mut session, path, precondition, body).await;
        Ok(self.conclude(&session, result).await?)
    }

    /// GET of a record: never its Payload.
    ///
    /// # Errors
    ///
    /// [`Problem`].
    pub async fn record_metadata(&self, caller: &Caller<'_>, path: RecordPath<'_>) -> Result<Metadata, Problem> {
        let mut session = self.authenticate(caller, self.clock.now()).await?;
        let result = self.describe_record(&mut session, path).await;
        Ok(self.conclude(&session, result).await?)
    }

    /// DELETE of a record, with the value of If-Match.
    ///
    /// # Errors
    ///
    /// [`Problem`], of status 412 if the precondition does not hold.
    pub async fn delete_record(
        &self,
        caller: &Caller<'_>,
        path: RecordPath<'_>,
        if_match: Option<&[u8]>,
    ) -> Result<(), Problem> {
        let mut session = self.authenticate(caller, self.clock.now()).await?;
        let result = self.remove_record(&mut session, path, if_match).await;
        Ok(self.conclude(&session, result).await?)
    }

    /// GET `/seal-km/v1/domain`: the document in JSON.
    ///
    /// # Errors
    ///
    /// [`Problem`].
    pub async fn domain_document(&self, caller: &Caller<'_>) -> Result<String, Problem> {
        let session = self.authenticate(caller, self.clock.now()).await?;
        let result = self.published_domain(&session).await;
        Ok(self.conclude(&session, result).await?)
    }

    /// POST below `/keymanagement/identity/v1/`: a KmsResponse in XML.
    ///
    /// # Errors
    ///
    /// [`Problem`].
    pub async fn identity(
        &self,
        caller: &Caller<'_>,
        resource: IdentityResource<'_>,
        body: Body<'_>,
    ) -> Result<Zeroizing<String>, Problem> {
        let mut session = self.authenticate(caller, self.clock.now()).await?;
        let result = self.read_identity(&mut session, resource, body).await;
        Ok(self.conclude(&session, result).await?)
    }

    /// Whether it can answer: the store does, and there are keys of the token issuer.
    ///
    /// # Errors
    ///
    /// [`NotReady`].
    pub async fn is_ready(&self) -> Result<(), NotReady> {
        self.domain().await?;
        self.is_on_time().await?;
        let now = self.clock.now().instant;
        self.tokens.refresh(now).await;
        if let Some(tokens) = &self.capif_tokens {
            // Without them all but API invokers are answered.
            tokens.refresh(now).await;
        }
        if self.tokens.keys.has_keys(now) { Ok(()) } else { Err(NotReady::TokenKeys) }
    }

    /// Forgets the requests that would be refused as stale by now, and drops RSKs that were extracted for key periods
    /// that are past. To be called every few seconds.
    pub async fn prune(&self) {
        if let Err(error) = self.store.prune_replays(self.clock.now().time).await {
            tracing::error!(%error, "cannot forget requests that are stale");
        }
        if let Err(error) = self.drop_extracted().await {
            tracing::error!(%error, "cannot drop RSKs of other key periods");
        }
    }

    /// What is counted.
    pub const fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// What the server keeps, for the operator on its host.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    async fn published_domain(&self, session: &Session<'_>) -> Result<String, Refused> {
        let blocked = self.is_blocked(session, &Subject::Service).await?;
        self.policy.may_read_domain(session.token()?, session.channel(), blocked)?;
        let domain = self.domain().await?.ok_or(Failure::NoRecord)?;
        let revoked: BTreeSet<Uri> = self.store.blocked().await?.into_iter().collect();
        let acceptable = Externals::load(&self.store).await?.acceptable_kms();
        Ok(domain.published(self.policy.group_managers(), acceptable, revoked).to_json())
    }

    /// The domain as it stands in the store, read again if it was changed there.
    async fn domain(&self) -> Result<Option<Arc<SecurityDomain>>, LoadError> {
        let present = self.store.domain().await?.map(|(version, _)| version);
        let known = self.domain.read().unwrap_or_else(PoisonError::into_inner).clone();
        if known.as_ref().map(|domain| domain.version()) == present {
            return Ok(known);
        }
        let read = SecurityDomain::load(&self.store, &self.domain_settings).await?.map(Arc::new);
        self.domain.write().unwrap_or_else(PoisonError::into_inner).clone_from(&read);
        Ok(read)
    }
}
