//! `[capif]`: what the server is to a CAPIF core function (3GPP TS 33.122).

use std::path::PathBuf;
use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::Config;
use super::settings::location;
use crate::policy::{Role, ServiceApi};
use crate::token::{CapifTokenSettings, Location};

/// Why TLS-PSK is refused.
const NO_PSK: &str = "psk is not offered: its key AEF_PSK would have to come from the CAPIF core function into the \
                      handshake, and km_s authenticates both ends by certificates; pki and oauth are";

/// How an API invoker may show who it is and what it may, over CAPIF-2e.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CapifMethod {
    /// By its certificate alone.
    Pki,
    /// By its certificate and an access token of the CAPIF core function.
    OAuth,
}

impl<'de> Deserialize<'de> for CapifMethod {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.to_ascii_lowercase().as_str() {
            "pki" => Ok(Self::Pki),
            "oauth" => Ok(Self::OAuth),
            "psk" => Err(D::Error::custom(NO_PSK)),
            other => Err(D::Error::unknown_variant(other, &["pki", "oauth"])),
        }
    }
}

/// What the server is to a CAPIF core function: an API exposing function with the API of TS 29.549 on KM-S.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capif {
    /// The id that the core function has given to this API exposing function.
    pub aef_id: String,
    /// The name under which the API is published: `ss-kir`.
    #[serde(default = "api_name")]
    pub api_name: String,
    /// How API invokers may come.
    pub methods: Vec<CapifMethod>,
    /// `iss` of the tokens of the core function.
    pub issuer: Option<String>,
    /// `aud` that its tokens must have.
    pub audience: Option<String>,
    /// The keys of the core function in a file.
    pub jwks_file: Option<PathBuf>,
    /// The keys of the core function at a URL.
    pub jwks_url: Option<String>,
}

impl Capif {
    /// The API, as the core function names it.
    pub fn service_api(&self) -> ServiceApi {
        ServiceApi { aef_id: self.aef_id.clone(), api_name: self.api_name.clone() }
    }

    /// Whether a method is offered.
    pub fn offers(&self, method: CapifMethod) -> bool {
        self.methods.contains(&method)
    }

    /// What the tokens of the core function have to be like and where its keys are, if tokens are offered. Clock and
    /// life are those of `[auth]`.
    pub fn tokens(&self, auth: &super::Auth) -> Option<(CapifTokenSettings, Location)> {
        let settings = CapifTokenSettings {
            issuer: self.issuer.clone()?,
            audience: self.audience.clone(),
            aef_id: self.aef_id.clone(),
            leeway: Duration::from_secs(auth.leeway_seconds),
            max_life: Duration::from_secs(auth.max_token_seconds),
        };
        let location = location(self.jwks_file.as_ref(), self.jwks_url.as_ref())?;
        self.offers(CapifMethod::OAuth).then_some((settings, location))
    }

    /// The first key that is wrong together with others, and why.
    fn check(&self, config: &Config) -> Option<(&'static str, &'static str)> {
        let Self { aef_id, api_name, methods, issuer, audience, jwks_file, jwks_url } = self;
        // Not what TS 29.222 puts between names, nor what a scope cannot hold.
        let is_name = |text: &str, separators: &[u8]| {
            let is_allowed = |octet: u8| octet.is_ascii_graphic() && !separators.contains(&octet);
            !text.is_empty() && text.bytes().all(is_allowed)
        };
        let of_oauth = [issuer.is_some(), audience.is_some(), jwks_file.is_some(), jwks_url.is_some()];
        let is_oauth = self.offers(CapifMethod::OAuth);
        let rules = [
            (!is_name(aef_id, b"\"\\;"), "capif.aef_id", "must be a name without spaces, quotes, \\ and ;"),
            (!is_name(api_name, b"\"\\;:,"), "capif.api_name", "must be a name without spaces, quotes, \\ ; : and ,"),
            (methods.is_empty(), "capif.methods", "needs pki or oauth"),
            (config.listen.km_s.is_none(), "capif", "is for km_s, which is not listened on"),
            (
                !is_oauth && of_oauth.contains(&true),
                "capif.methods",
                "lacks oauth, which issuer, audience and jwks are of",
            ),
            (is_oauth && issuer.as_ref().is_none_or(String::is_empty), "capif.issuer", "is needed for oauth"),
            (
                is_oauth && issuer.as_ref() == Some(&config.auth.issuer),
                "capif.issuer",
                "must not be auth.issuer: tokens are told apart by it",
            ),
            (is_oauth && audience.as_ref().is_some_and(String::is_empty), "capif.audience", "must not be empty"),
            (is_oauth && self.tokens(&config.auth).is_none(), "capif", "needs one of jwks_file and jwks_url"),
        ];
        rules.into_iter().find(|(is_wrong, ..)| *is_wrong).map(|(_, key, what)| (key, what))
    }
}

/// The first key that is wrong together with others, with or without `[capif]`, and why.
pub(super) fn check(config: &Config) -> Option<(&'static str, &'static str)> {
    let capif = config.capif.as_ref();
    if let Some(fault) = capif.and_then(|capif| capif.check(config)) {
        return Some(fault);
    }
    let mut by_certificate = config.policy.iter().filter(|row| row.client_id.is_none()).peekable();
    if by_certificate.peek().is_some() && !capif.is_some_and(|capif| capif.offers(CapifMethod::Pki)) {
        return Some(("policy", "a row without client_id is for the method pki of [capif], which is not offered"));
    }
    let has_other_roles = by_certificate.any(|row| row.roles != [Role::ValServer]);
    has_other_roles.then_some(("policy", "a row without client_id has the role val alone"))
}

fn api_name() -> String {
    "ss-kir".into()
}
