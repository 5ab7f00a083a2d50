//! The settings, with their defaults and limits.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use mikey_sakke::error::UsageError;
use mikey_sakke::identity::{UidFormat, Uri};
use mikey_sakke::km::{Identifier, MAX_TEXT_OCTETS};
use mikey_sakke::time::Timestamp;
use serde::Deserialize;

use super::{Capif, PeerDomain, capif, peer, read};
use crate::interface::{IDENTITY_SERVICE_ID, NEXT_LEAD_SECONDS};
use crate::limits::Rate;
use crate::policy::{Policy, PolicySettings, Role, Row};
use crate::seal::{KeySource, TokenSource};
use crate::store::shown;
use crate::tls::TlsSettings;
use crate::token::{Location, TokenSettings};

/// The configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `[domain]`: the security domain.
    pub domain: Domain,
    /// `[listen]`: where to listen.
    pub listen: Listen,
    /// `[tls]`: how connections are protected.
    pub tls: TlsSettings,
    /// `[auth]`: which access tokens are accepted.
    pub auth: Auth,
    /// `[capif]`: what the server is to a CAPIF core function, if it is anything.
    pub capif: Option<Capif>,
    /// `[store]`: where the store is.
    pub store: Store,
    /// `[seal]`: where the key is that seals the store.
    pub seal: Seal,
    /// `[time]`: how far clocks may be apart.
    #[serde(default)]
    pub time: Time,
    /// `[limits]`: how much anybody may ask for.
    #[serde(default)]
    pub limits: Limits,
    /// `[[policy]]`: who may do what.
    #[serde(default)]
    pub policy: Vec<Row>,
    /// `[[peer]]`: the servers of other domains with which certificates are exchanged.
    #[serde(default)]
    pub peer: Vec<PeerDomain>,
    /// `[escrow]`: keys of users for others than the user.
    #[serde(default)]
    pub escrow: Escrow,
}

/// Declares a section: keys with a default have it behind them.
macro_rules! section {
    ($(#[$section:meta])* $name:ident { $($(#[$field:meta])* $key:ident: $kind:ty = $default:expr,)* }) => {
        $(#[$section])*
        #[derive(Clone, Debug, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name { $($(#[$field])* pub $key: $kind,)* }

        impl Default for $name {
            fn default() -> Self {
                Self { $($key: $default,)* }
            }
        }
    };
}

/// The security domain.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Domain {
    /// The URI of this server.
    #[serde(deserialize_with = "read::uri")]
    pub skms_uri: Uri,
    /// The URI of the KMS, to which UIDs are bound.
    #[serde(deserialize_with = "read::uri")]
    pub kms_uri: Uri,
    /// The id of this server in its answers.
    #[serde(default, deserialize_with = "read::optional_identifier")]
    pub skms_id: Option<Identifier>,
    /// How UIDs are made; 2, hashed, is the only one.
    #[serde(default = "hashed")]
    pub user_id_format: u64,
    /// The length of a key period in seconds.
    pub user_key_period: u64,
    /// The beginning of a key period in seconds.
    #[serde(default)]
    pub user_key_offset: u64,
    /// How long before its beginning the keys of the next period are given out, in seconds: 172,800.
    #[serde(default = "next_lead")]
    pub next_lead_seconds: u64,
    /// How many past periods' keys are given out: 1.
    #[serde(default = "one")]
    pub past_periods: u64,
    /// The ServiceID under which identity keys are asked for: `urn:mikey-sakke:identity-keys`.
    #[serde(default = "identity_service", deserialize_with = "read::identifier")]
    pub identity_service_id: Identifier,
}

impl Domain {
    /// What tells this server from others with the same store, in the audit log: `skms_id`, or `skms_uri`.
    pub fn server(&self) -> &str {
        self.skms_id.as_ref().map_or(self.skms_uri.as_str(), Identifier::as_str)
    }

    /// Whether a time is more than a key period from the latest that a server has seen, so that it cannot be believed.
    pub const fn has_jumped(&self, latest: Timestamp, now: Timestamp) -> bool {
        latest.to_unix().abs_diff(now.to_unix()) > self.user_key_period
    }

    /// How UIDs and key periods are formed.
    ///
    /// # Errors
    ///
    /// [`UsageError::UidFormat`] if no key periods are possible.
    pub const fn uid_format(&self) -> Result<UidFormat, UsageError> {
        UidFormat::hashed(self.user_key_period, self.user_key_offset)
    }
}

/// Where to listen: addresses with a port, 0 for a free one.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// For clients in a UE.
    pub km_uu: Option<SocketAddr>,
    /// For VAL servers, and for provisioning.
    pub km_s: Option<SocketAddr>,
    /// For group management servers.
    pub seal_x1: Option<SocketAddr>,
    /// For health and metrics, on loopback only.
    pub admin: Option<SocketAddr>,
}

/// Which access tokens are accepted.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// `iss`.
    pub issuer: String,
    /// `aud`.
    pub audience: String,
    /// The keys of the issuer in a file.
    pub jwks_file: Option<PathBuf>,
    /// The keys of the issuer at a URL.
    pub jwks_url: Option<String>,
    /// How far the issuer's clock may be off: 30.
    #[serde(default = "leeway")]
    pub leeway_seconds: u64,
    /// The longest life of a token: 3600.
    #[serde(default = "token_life")]
    pub max_token_seconds: u64,
    /// The scope for key management.
    #[serde(default = "scope_km")]
    pub scope_km: String,
    /// The scope for provisioning.
    #[serde(default = "scope_kp")]
    pub scope_kp: String,
    /// The claim with the user.
    #[serde(default = "claim_user")]
    pub claim_user: String,
    /// The claim with the services.
    #[serde(default = "claim_services")]
    pub claim_services: String,
}

impl Auth {
    /// What tokens have to be like.
    pub fn token_settings(&self) -> TokenSettings {
        TokenSettings {
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            leeway: Duration::from_secs(self.leeway_seconds),
            max_life: Duration::from_secs(self.max_token_seconds),
            claim_user: self.claim_user.clone(),
            claim_services: self.claim_services.clone(),
        }
    }

    /// Where the keys of the issuer are, unless there is no place or two.
    pub fn location(&self) -> Option<Location> {
        location(self.jwks_file.as_ref(), self.jwks_url.as_ref())
    }
}

/// Where keys are, unless there is no place or two.
pub(super) fn location(file: Option<&PathBuf>, url: Option<&String>) -> Option<Location> {
    match (file, url) {
        (Some(path), None) => Some(Location::File(path.clone())),
        (None, Some(url)) => Some(Location::Url(url.clone())),
        _ => None,
    }
}

/// Where the store is.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// `sqlite:PATH`, or `postgres://…`, which may hold a password.
    pub url: String,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("url", &shown(&self.url)).finish()
    }
}

/// Where the key is that seals the store: exactly one of these.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    /// A file.
    pub key_file: Option<PathBuf>,
    /// An environment variable.
    pub key_env: Option<String>,
    /// A file with a passphrase.
    pub passphrase_file: Option<PathBuf>,
    /// A credential of systemd.
    pub credential: Option<String>,
    /// A key in a token of PKCS #11.
    pub pkcs11: Option<TokenSource>,
}

impl Seal {
    /// The source, unless there are none or several.
    pub fn source(&self) -> Option<KeySource> {
        let Self { key_file, key_env, passphrase_file, credential, pkcs11 } = self.clone();
        let sources = [
            key_file.map(KeySource::File),
            key_env.map(KeySource::Variable),
            passphrase_file.map(KeySource::Passphrase),
            credential.map(KeySource::Credential),
            pkcs11.map(KeySource::Token),
        ];
        let mut named = sources.into_iter().flatten();
        named.next().filter(|_| named.next().is_none())
    }
}

section! {
    /// How far clocks may be apart.
    Time {
        /// The difference between the Date/Time of a request and the time here, inclusive: 5.
        window_seconds: u64 = 5,
    }
}

section! {
    /// How much anybody may ask for.
    Limits {
        /// Octets of a body: 65,536.
        body_octets: u32 = 64 * 1024,
        /// Seconds until the header of a request is there, and until a handshake is done: 10.
        header_seconds: u32 = 10,
        /// Seconds until its body is there: 10.
        body_seconds: u32 = 10,
        /// Seconds that a connection may be idle: 60.
        idle_seconds: u32 = 60,
        /// Streams of a connection of HTTP/2: 100.
        http2_streams: u32 = 100,
        /// Connections of a listener at a time: 4096.
        max_connections: u32 = 4096,
        /// Connections of a listener from one address at a time: 1024.
        connections_per_address: u32 = 1024,
        /// Handshakes of an address at a time: 64.
        handshakes_per_address: u32 = 64,
        /// Handshakes of an address in a second, and twice as many at once: 100.
        handshakes_per_second: u32 = 100,
        /// Requests of a principal in a second: 10.
        requests_per_second: u32 = 10,
        /// Requests of a principal at once: 20.
        request_burst: u32 = 20,
        /// Key sets for a user and period: 64.
        issues_per_period: u32 = 64,
        /// Requests for key sets that may wait: 256.
        issue_queue: u32 = 256,
        /// Threads that issue them: all that the processor has but one, at least one.
        issue_threads: u32 = spare_threads(),
    }
}

impl Limits {
    /// How often a principal may ask.
    pub const fn rate(&self) -> Rate {
        Rate { per_second: self.requests_per_second, burst: self.request_burst }
    }
}

section! {
    /// Keys of users for others than the user.
    Escrow {
        /// Whether delegates are permitted: no.
        allow: bool = false,
        /// Files with the public keys of the two recipients of exported master secrets: without them there is no export.
        recipients: Vec<PathBuf> = Vec::new(),
    }
}

impl Config {
    /// Who may do what, unless two rows are for the same.
    pub fn rules(&self) -> Option<Policy> {
        let settings = PolicySettings {
            scope_km: self.auth.scope_km.clone(),
            scope_kp: self.auth.scope_kp.clone(),
            identity_service: self.domain.identity_service_id.clone(),
            skms_uri: self.domain.skms_uri.clone(),
            service_api: self.capif.as_ref().map(Capif::service_api),
        };
        Policy::new(settings, self.policy.clone()).ok()
    }

    /// The first key that is wrong together with others, and why.
    pub(super) fn check(&self) -> Option<(&'static str, &'static str)> {
        let Self { domain, listen, auth, time, limits, .. } = self;
        let lifetime = domain.user_key_period;
        let listeners = [listen.km_uu, listen.km_s, listen.seal_x1];
        let Limits {
            body_octets,
            header_seconds,
            body_seconds,
            idle_seconds,
            http2_streams,
            max_connections,
            connections_per_address,
            handshakes_per_address,
            handshakes_per_second,
            requests_per_second,
            request_burst,
            issues_per_period,
            issue_queue,
            issue_threads,
        } = *limits;
        let counts = [
            ("limits.body_octets", body_octets),
            ("limits.header_seconds", header_seconds),
            ("limits.body_seconds", body_seconds),
            ("limits.idle_seconds", idle_seconds),
            ("limits.http2_streams", http2_streams),
            ("limits.max_connections", max_connections),
            ("limits.connections_per_address", connections_per_address),
            ("limits.handshakes_per_address", handshakes_per_address),
            ("limits.handshakes_per_second", handshakes_per_second),
            ("limits.requests_per_second", requests_per_second),
            ("limits.request_burst", request_burst),
            ("limits.issues_per_period", issues_per_period),
            ("limits.issue_queue", issue_queue),
            ("limits.issue_threads", issue_threads),
        ];
        let none = counts.into_iter().find(|(_, count)| *count == 0).map(|(key, _)| (key, "must not be 0"));
        let rules = [
            (domain.user_id_format != 2, "domain.user_id_format", "must be 2: hashed UIDs are the only ones"),
            (
                domain.uid_format().is_err(),
                "domain.user_key_period",
                "no key periods are possible with it and user_key_offset",
            ),
            (domain.next_lead_seconds > lifetime, "domain.next_lead_seconds", "must not be more than user_key_period"),
            (
                domain.skms_uri.as_str().len() > MAX_TEXT_OCTETS,
                "domain.skms_uri",
                "must not be longer than 1024 octets",
            ),
            (domain.kms_uri.as_str().len() > MAX_TEXT_OCTETS, "domain.kms_uri", "must not be longer than 1024 octets"),
            (listeners.iter().all(Option::is_none), "listen", "needs km_uu, km_s or seal_x1"),
            (listen.admin.is_some_and(|at| !at.ip().is_loopback()), "listen.admin", "must be a loopback address"),
            (
                (listen.km_s.is_some() || listen.seal_x1.is_some()) && self.tls.client_ca.is_none(),
                "tls.client_ca",
                "is needed by km_s and seal_x1",
            ),
            (auth.issuer.is_empty(), "auth.issuer", "must not be empty"),
            (auth.audience.is_empty(), "auth.audience", "must not be empty"),
            (auth.location().is_none(), "auth", "needs one of jwks_file and jwks_url"),
            (
                self.rules().is_none(),
                "policy",
                "two rows are for the same san and client_id, or both without client_id",
            ),
            (
                self.policy.iter().any(|row| row.roles.contains(&Role::GroupManager) && row.uri.is_none()),
                "policy",
                "a row with the role sgm needs a uri",
            ),
            (time.window_seconds == 0, "time.window_seconds", "must not be 0"),
            (
                !matches!(self.escrow.recipients.len(), 0 | 2),
                "escrow.recipients",
                "must be two files, each with the public key of one recipient",
            ),
            (
                self.seal.source().is_none(),
                "seal",
                "needs one of key_file, key_env, passphrase_file, credential and pkcs11",
            ),
            (
                self.seal.pkcs11.as_ref().is_some_and(|token| !token.module.is_absolute()),
                "seal.pkcs11",
                "module must be an absolute path: no other library is to be found in its place",
            ),
        ];
        rules
            .into_iter()
            .find(|(is_wrong, ..)| *is_wrong)
            .map(|(_, key, what)| (key, what))
            .or(none)
            .or_else(|| capif::check(self))
            .or_else(|| peer::check(self))
    }
}

fn identity_service() -> Identifier {
    Identifier::new(IDENTITY_SERVICE_ID).unwrap_or_else(|_| unreachable!("a short text"))
}

fn spare_threads() -> u32 {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    u32::try_from(threads.saturating_sub(1).max(1)).unwrap_or(1)
}

const fn hashed() -> u64 {
    2
}

const fn next_lead() -> u64 {
    NEXT_LEAD_SECONDS
}

const fn one() -> u64 {
    1
}

const fn leeway() -> u64 {
    30
}

const fn token_life() -> u64 {
    3600
}

fn scope_km() -> String {
    "seal:key-management".into()
}

fn scope_kp() -> String {
    "seal:key-provisioning".into()
}

fn claim_user() -> String {
    "val_user_id".into()
}

fn claim_services() -> String {
    "val_service_ids".into()
}
