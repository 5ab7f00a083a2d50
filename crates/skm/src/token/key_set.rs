//! The keys of an issuer: a JWK Set (RFC 7517).

use std::collections::HashMap;
use std::fmt;

use aws_lc_rs::signature::{self, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents, VerificationAlgorithm};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::TokenError;
use super::json::{self, Object, Value};

/// The octets that a set may have.
pub(super) const MAX_SET_OCTETS: usize = 64 * 1024;

/// How a token is signed (RFC 7518, section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// ECDSA with P-384 and SHA-384.
    Es384,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PSS with SHA-256.
    Ps256,
}

impl Algorithm {
    /// The algorithm of this `alg`, if it is one that is allowed.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "RS256" => Self::Rs256,
            "PS256" => Self::Ps256,
            _ => return None,
        })
    }

    fn rsa(self) -> Option<&'static RsaParameters> {
        match self {
            Self::Rs256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
            Self::Ps256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
            Self::Es256 | Self::Es384 => None,
        }
    }
}

/// Why a set of keys is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeySetError {
    /// It has more than 64 KiB.
    #[error("the key set is too long")]
    Length,
    /// It is not a JSON object with an array `keys` of objects, or a member stands twice.
    #[error("the key set is malformed")]
    Json,
    /// Two keys have the same `kid`.
    #[error("two keys have the same kid")]
    Duplicate,
    /// A key of a known type is malformed or too short.
    #[error("a key is malformed")]
    Key,
    /// A key that is published holds its private part.
    #[error("the key set holds a private key")]
    Private,
    /// It has no key that can verify a token.
    #[error("the key set has no key to verify tokens with")]
    Empty,
}

enum Verify {
    Ec(ParsedPublicKey),
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
}

struct Key {
    verify: Verify,
    /// Those that the key is for: one, or both for RSA if the key does not say.
    algorithms: Vec<Algorithm>,
}

/// The keys that an issuer signs with, by their `kid`.
///
/// Keys without `kid`, of other types or curves, for other algorithms or for encryption are left out.
pub struct KeySet(HashMap<String, Key>);

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl KeySet {
    /// Reads a JWK Set of at most 64 KiB.
    ///
    /// # Errors
    ///
    /// [`KeySetError`].
    pub fn from_json(octets: &[u8]) -> Result<Self, KeySetError> {
        if octets.len() > MAX_SET_OCTETS {
            return Err(KeySetError::Length);
        }
        let mut set = json::object(octets).map_err(|_| KeySetError::Json)?;
        let Some(Value::Array(jwks)) = set.remove("keys") else { return Err(KeySetError::Json) };
        let mut keys = HashMap::new();
        for jwk in jwks {
            let Value::Object(jwk) = jwk else { return Err(KeySetError::Json) };
            if jwk.contains_key("d") {
                return Err(KeySetError::Private);
            }
            let Some(kid) = text(&jwk, "kid") else { continue };
            let Some(key) = Key::read(&jwk)? else { continue };
            if keys.insert(kid.to_owned(), key).is_some() {
                return Err(KeySetError::Duplicate);
            }
        }
        if keys.is_empty() { Err(KeySetError::Empty) } else { Ok(Self(keys)) }
    }

    /// Checks a signature over a message.
    pub(super) fn verify(
        &self,
        kid: &str,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), TokenError> {
        let key = self.0.get(kid).ok_or(TokenError::UnknownKey)?;
        if !key.algorithms.contains(&algorithm) {
            return Err(TokenError::KeyAlgorithm);
        }
        let verified = match (&key.verify, algorithm.rsa()) {
            (Verify::Ec(key), None) => key.verify_sig(message, signature),
            (Verify::Rsa(key), Some(parameters)) => key.verify(parameters, message, signature),
            _ => return Err(TokenError::KeyAlgorithm),
        };
        verified.map_err(|_| TokenError::Signature)
    }
}

impl Key {
    /// Reads a key; none if it is of no use here.
    fn read(jwk: &Object) -> Result<Option<Self>, KeySetError> {
        if text(jwk, "use").is_some_and(|purpose| purpose != "sig") || !may_verify(jwk) {
            return Ok(None);
        }
        let mut algorithms = match (text(jwk, "kty"), text(jwk, "crv")) {
            (Some("EC"), Some("P-256")) => vec![Algorithm::Es256],
            (Some("EC"), Some("P-384")) => vec![Algorithm::Es384],
            (Some("RSA"), _) => vec![Algorithm::Rs256, Algorithm::Ps256],
            _ => return Ok(None),
        };
        if let Some(alg) = jwk.get("alg") {
            let Value::Text(alg) = alg else { return Err(KeySetError::Key) };
            algorithms.retain(|&allowed| Algorithm::from_name(alg) == Some(allowed));
        }
        let verify = match algorithms.first() {
            None => return Ok(None),
            Some(Algorithm::Es256) => Verify::Ec(point(jwk, &signature::ECDSA_P256_SHA256_FIXED, 32)?),
            Some(Algorithm::Es384) => Verify::Ec(point(jwk, &signature::ECDSA_P384_SHA384_FIXED, 48)?),
            Some(Algorithm::Rs256 | Algorithm::Ps256) => Verify::Rsa(modulus(jwk)?),
        };
        Ok(Some(Self { verify, algorithms }))
    }
}

fn text<'a>(object: &'a Object, name: &str) -> Option<&'a str> {
    match object.get(name) {
        Some(Value::Text(text)) => Some(text),
        _ => None,
    }
}

fn may_verify(jwk: &Object) -> bool {
    match jwk.get("key_ops") {
        None => true,
        Some(Value::Array(operations)) => {
            operations.iter().any(|operation| matches!(operation, Value::Text(name) if name == "verify"))
        }
        Some(_) => false,
    }
}

fn octets(jwk: &Object, name: &str) -> Result<Vec<u8>, KeySetError> {
    let text = text(jwk, name).ok_or(KeySetError::Key)?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| KeySetError::Key)
}

/// A point of a curve whose coordinates have `length` octets.
fn point(
    jwk: &Object,
    algorithm: &'static dyn VerificationAlgorithm,
    length: usize,
) -> Result<ParsedPublicKey, KeySetError> {
    let (x, y) = (octets(jwk, "x")?, octets(jwk, "y")?);
    if x.len() != length || y.len() != length {
        return Err(KeySetError::Key);
    }
    ParsedPublicKey::new(algorithm, [&[4], &x[..], &y[..]].concat()).map_err(|_| KeySetError::Key)
}

/// An RSA key of 2048 to 8192 bits.
fn modulus(jwk: &Object) -> Result<RsaPublicKeyComponents<Vec<u8>>, KeySetError> {
    let (n, e) = (octets(jwk, "n")?, octets(jwk, "e")?);
    let has_leading_zero = n.first().is_none_or(|&octet| octet == 0) || e.first().is_none_or(|&octet| octet == 0);
    if has_leading_zero || !(256..=1024).contains(&n.len()) {
        return Err(KeySetError::Key);
    }
    Ok(RsaPublicKeyComponents { n, e })
}
