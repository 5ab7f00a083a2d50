//! The checks of a token, in their order.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mikey_sakke::km::Identifier;
use mikey_sakke::time::Timestamp;
use sha2::{Digest as _, Sha256};

use super::capif::{CapifTokenSettings, ServiceApis};
use super::claims::Claims;
use super::json::{self, JsonError, Object, Value};
use super::verified::{Key, Verified};
use super::{AccessToken, Algorithm, KeySet, Part, TokenError};

/// The octets that a token may have.
pub const MAX_TOKEN_OCTETS: usize = 8192;

/// Header members that would let the token choose its key, or extend the rules (RFC 7515, section 4.1).
const REFUSED_MEMBERS: [&str; 4] = ["jku", "jwk", "x5u", "crit"];

/// Claims that OpenID Connect puts into ID tokens alone (OpenID Connect Core 1.0, sections 2 and 3.3.2.11).
const ID_TOKEN_CLAIMS: [&str; 4] = ["nonce", "at_hash", "c_hash", "s_hash"];

/// What tokens have to be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSettings {
    /// `iss`, octet for octet.
    pub issuer: String,
    /// The value that `aud` is or holds.
    pub audience: String,
    /// How far the clock of the issuer may be off, in whole seconds.
    pub leeway: Duration,
    /// The time from `iat` to `exp`, at most.
    pub max_life: Duration,
    /// The claim that names the VAL user.
    pub claim_user: String,
    /// The claim that lists the VAL services.
    pub claim_services: String,
}

/// Whose tokens are checked.
#[derive(Debug)]
enum Settings {
    Seal(TokenSettings),
    Capif(CapifTokenSettings),
}

/// Checks access tokens.
#[derive(Debug)]
pub struct Verifier {
    settings: Settings,
    verified: Mutex<Verified<AccessToken>>,
}

/// The token in the value of an Authorization header field (RFC 6750, section 2.1).
///
/// # Errors
///
/// [`TokenError::Missing`].
pub fn bearer(value: &[u8]) -> Result<&str, TokenError> {
    let value = std::str::from_utf8(value).map_err(|_| TokenError::Missing)?;
    let (scheme, token) = value.split_once(' ').ok_or(TokenError::Missing)?;
    let token = token.trim_start_matches(' ');
    let is_token = |octet: u8| octet.is_ascii_alphanumeric() || b"-._~+/=".contains(&octet);
    if !scheme.eq_ignore_ascii_case("Bearer") || token.is_empty() || !token.bytes().all(is_token) {
        return Err(TokenError::Missing);
    }
    Ok(token)
}

impl Verifier {
    /// A verifier of the tokens of a SEAL identity management server.
    pub fn new(settings: TokenSettings) -> Self {
        Self { settings: Settings::Seal(settings), verified: Mutex::default() }
    }

    /// A verifier of the tokens of a CAPIF core function.
    pub fn of_capif(settings: CapifTokenSettings) -> Self {
        Self { settings: Settings::Capif(settings), verified: Mutex::default() }
    }

    /// Whether a token says that it is from the issuer whose tokens are checked here. What it says is not checked yet.
    pub fn is_asked(&self, token: &str) -> bool {
        let claims = token.split('.').nth(1).and_then(|claims| Some(Claims(object(claims, Part::Claims).ok()?)));
        let issuer = match &self.settings {
            Settings::Seal(settings) => &settings.issuer,
            Settings::Capif(settings) => &settings.issuer,
        };
        token.len() <= MAX_TOKEN_OCTETS && claims.is_some_and(|claims| check_issuer(&claims, issuer).is_ok())
    }

    /// Checks a token as [`verify`](Self::verify) does, unless it was found valid with these keys and this certificate
    /// less than a minute ago and has not expired.
    pub(super) fn verify_or_recall(
        &self,
        token: &str,
        keys: &Arc<KeySet>,
        certificate: Option<&[u8; 32]>,
        now: (Timestamp, Instant),
    ) -> Result<Arc<AccessToken>, TokenError> {
        let key = Key::new(token, certificate);
        if let Some(token) = self.verified().get(keys, &key, now) {
            return Ok(token);
        }
        let token = Arc::new(self.verify(token, keys, certificate, now.0)?);
        self.verified().insert(keys, key, &token, token.expires, now);
        Ok(token)
    }

    fn verified(&self) -> MutexGuard<'_, Verified<AccessToken>> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks a token that a client presents, who has a certificate of this SHA-256 or none.
    ///
    /// # Errors
    ///
    /// [`TokenError`]; [`TokenError::UnknownKey`] may pass once the issuer's keys are fetched again.
    pub fn verify(
        &self,
        token: &str,
        keys: &KeySet,
        certificate: Option<&[u8; 32]>,
        now: Timestamp,
    ) -> Result<AccessToken, TokenError> {
        if token.len() > MAX_TOKEN_OCTETS {
            return Err(TokenError::Length);
        }
        let parts: Vec<&str> = token.split('.').collect();
        let [header, claims, signature] = parts[..] else {
            return Err(if parts.len() == 5 { TokenError::Encrypted } else { TokenError::Parts });
        };
        if header.is_empty() || claims.is_empty() || signature.is_empty() {
            return Err(TokenError::Parts);
        }
        let (kid, algorithm) = check_header(&object(header, Part::Header)?)?;
        let message = &token[..header.len() + 1 + claims.len()];
        keys.verify(&kid, algorithm, message.as_bytes(), &decode(signature, Part::Signature)?)?;
        let claims = Claims(object(claims, Part::Claims)?);
        self.check_claims(&claims, certificate, now, Sha256::digest(token).into())
    }

    fn check_claims(
        &self,
        claims: &Claims,
        certificate: Option<&[u8; 32]>,
        now: Timestamp,
        hash: [u8; 32],
    ) -> Result<AccessToken, TokenError> {
        if let Some(name) = ID_TOKEN_CLAIMS.into_iter().find(|name| claims.has(name)) {
            return Err(TokenError::IdToken(name));
        }
        let token = match &self.settings {
            Settings::Seal(settings) => of_seal(settings, claims, now, hash)?,
            Settings::Capif(settings) => of_capif(settings, claims, now, hash)?,
        };
        check_confirmation(claims.confirmation()?, certificate)?;
        Ok(token)
    }
}

/// The token of a SEAL identity management server (RFC 9068).
fn of_seal(
    settings: &TokenSettings,
    claims: &Claims,
    now: Timestamp,
    hash: [u8; 32],
) -> Result<AccessToken, TokenError> {
    check_issuer(claims, &settings.issuer)?;
    if !is_among(&claims.required("aud", |claims, _| claims.audiences())?, &settings.audience) {
        return Err(TokenError::Audience);
    }
    Ok(AccessToken {
        issuer: settings.issuer.clone(),
        subject: claims.required("sub", Claims::identifier)?,
        client_id: claims.required("client_id", Claims::identifier)?,
        scopes: claims.required("scope", Claims::scopes)?,
        service_apis: None,
        user: claims.identifier(&settings.claim_user)?,
        services: claims.identifiers(&settings.claim_services)?,
        id: claims.identifier("jti")?,
        expires: Times { leeway: settings.leeway, max_life: settings.max_life, now }
            .check(claims, Some(claims.required("iat", Claims::timestamp)?))?,
        hash,
    })
}

/// The token of a CAPIF core function, which has `iss`, `client_id`, `scope` and `exp` alone by its profile, and of the
/// others those that it is given.
fn of_capif(
    settings: &CapifTokenSettings,
    claims: &Claims,
    now: Timestamp,
    hash: [u8; 32],
) -> Result<AccessToken, TokenError> {
    check_issuer(claims, &settings.issuer)?;
    let is_for_this_server = match (claims.audiences()?, &settings.audience) {
        (Some(audiences), Some(audience)) => is_among(&audiences, audience),
        (Some(audiences), None) => is_among(&audiences, &settings.aef_id),
        (None, Some(_)) => return Err(TokenError::MissingClaim("aud".into())),
        (None, None) => true,
    };
    if !is_for_this_server {
        return Err(TokenError::Audience);
    }
    let client_id = claims.required("client_id", Claims::identifier)?;
    let scopes = claims.required("scope", Claims::scopes)?;
    let service_apis = ServiceApis::of_scopes(&scopes).ok_or_else(|| TokenError::Claim("scope".into()))?;
    Ok(AccessToken {
        issuer: settings.issuer.clone(),
        subject: claims.identifier("sub")?.unwrap_or_else(|| client_id.clone()),
        client_id,
        // They mean nothing to this server but in CAPIF's one.
        scopes: Vec::new(),
        service_apis: Some(service_apis),
        user: None,
        services: None,
        id: claims.identifier("jti")?,
        expires: Times { leeway: settings.leeway, max_life: settings.max_life, now }
            .check(claims, claims.timestamp("iat")?)?,
        hash,
    })
}

fn check_issuer(claims: &Claims, issuer: &str) -> Result<(), TokenError> {
    if claims.required("iss", Claims::text)? == issuer { Ok(()) } else { Err(TokenError::Issuer) }
}

fn is_among(audiences: &[Identifier], own: &str) -> bool {
    audiences.iter().any(|audience| audience.as_str() == own)
}

/// When a token may have been issued, and how long it may live.
struct Times {
    leeway: Duration,
    max_life: Duration,
    now: Timestamp,
}

impl Times {
    /// Checks when the token was issued, becomes valid and expires, and returns the last.
    fn check(&self, claims: &Claims, issued: Option<Timestamp>) -> Result<Timestamp, TokenError> {
        let expires = claims.required("exp", Claims::timestamp)?;
        let latest = self.now.saturating_add(self.leeway);
        if issued.is_some_and(|issued| issued > latest) {
            return Err(TokenError::IssuedInFuture);
        }
        if claims.timestamp("nbf")?.is_some_and(|from| from > latest) {
            return Err(TokenError::NotYetValid);
        }
        if expires.saturating_add(self.leeway) <= self.now {
            return Err(TokenError::Expired);
        }
        let life = match issued {
            Some(issued) => expires.to_unix().checked_sub(issued.to_unix()).filter(|&life| life > 0),
            None => Some(expires.to_unix().saturating_sub(self.now.to_unix())),
        };
        if life.is_none_or(|life| Duration::from_secs(life) > self.max_life) {
            return Err(TokenError::Life);
        }
        Ok(expires)
    }
}

/// The key and the algorithm that a header names.
fn check_header(header: &Object) -> Result<(String, Algorithm), TokenError> {
    if let Some(name) = REFUSED_MEMBERS.into_iter().find(|&name| header.contains_key(name)) {
        return Err(TokenError::HeaderMember(name));
    }
    if header.contains_key("enc") {
        return Err(TokenError::Encrypted);
    }
    match header.get("typ") {
        Some(Value::Text(typ)) if is_access_token_type(typ) => {}
        _ => return Err(TokenError::Type),
    }
    let algorithm = match header.get("alg") {
        Some(Value::Text(alg)) => Algorithm::from_name(alg).ok_or(TokenError::Algorithm)?,
        _ => return Err(TokenError::Algorithm),
    };
    match header.get("kid") {
        Some(Value::Text(kid)) => Ok((kid.clone(), algorithm)),
        _ => Err(TokenError::NoKeyId),
    }
}

/// Media types know no case, and `application/` may be left out (RFC 7515, section 4.1.9).
fn is_access_token_type(typ: &str) -> bool {
    ["at+jwt", "application/at+jwt", "JWT"].iter().any(|name| name.eq_ignore_ascii_case(typ))
}

fn check_confirmation(thumbprint: Option<&str>, certificate: Option<&[u8; 32]>) -> Result<(), TokenError> {
    let Some(thumbprint) = thumbprint else { return Ok(()) };
    let certificate = certificate.ok_or(TokenError::NoCertificate)?;
    match URL_SAFE_NO_PAD.decode(thumbprint) {
        Ok(thumbprint) if thumbprint == certificate => Ok(()),
        _ => Err(TokenError::OtherCertificate),
    }
}

fn decode(text: &str, part: Part) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenError::Base64(part))
}

fn object(text: &str, part: Part) -> Result<Object, TokenError> {
    json::object(&decode(text, part)?).map_err(|error| match error {
        JsonError::Form => TokenError::Json(part),
        JsonError::Duplicate => TokenError::Duplicate(part),
    })
}
