//! The issuer of access tokens of a trial.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mikey_sakke::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::TrialError;
use crate::config::Auth;
use crate::seal::random;

/// How the `kid` of every issuer of a trial begins.
const KID: &str = "trial-";

/// Octets of a coordinate of P-256, and of a private key.
const OCTETS: usize = 32;

/// Signs access tokens (RFC 9068) with ES256.
pub struct Issuer {
    kid: String,
    pair: EcdsaKeyPair,
    private: Zeroizing<[u8; OCTETS]>,
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Issuer({})", self.kid)
    }
}

/// What a token is to say, beside who issues it, for whom and when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// `sub`.
    pub subject: String,
    /// `client_id`.
    pub client_id: String,
    /// `scope`: values with one space between two.
    pub scope: String,
    /// The VAL user.
    pub user: Option<String>,
    /// The VAL services; the claim is left out if there are none.
    pub services: Vec<String>,
}

/// A private key as a JWK (RFC 7517, RFC 7518).
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PrivateJwk {
    kty: String,
    crv: String,
    kid: String,
    x: String,
    y: String,
    d: Zeroizing<String>,
}

impl Issuer {
    /// An issuer with a new key.
    ///
    /// # Errors
    ///
    /// [`TrialError`].
    pub fn generate() -> Result<Self, TrialError> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
        let private = aws_lc_rs::encoding::AsBigEndian::<aws_lc_rs::encoding::EcPrivateKeyBin<'_>>::as_be_bytes(
            &pair.private_key(),
        )?;
        let private = Zeroizing::new(private.as_ref().try_into().map_err(|_| aws_lc_rs::error::Unspecified)?);
        Ok(Self { kid: format!("{KID}{}", hex::encode(random::<8>()?)), pair, private })
    }

    /// Reads what [`Issuer::to_jwk`] writes.
    ///
    /// # Errors
    ///
    /// [`TrialError::Key`].
    pub fn from_jwk(text: &str) -> Result<Self, TrialError> {
        let jwk: PrivateJwk = serde_json::from_str(text).map_err(|_| TrialError::Key)?;
        if jwk.kty != "EC" || jwk.crv != "P-256" || !jwk.kid.starts_with(KID) {
            return Err(TrialError::Key);
        }
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map(Zeroizing::new).map_err(|_| TrialError::Key);
        let (x, y, d) = (decode(&jwk.x)?, decode(&jwk.y)?, decode(&jwk.d)?);
        let private = Zeroizing::new(<[u8; OCTETS]>::try_from(&d[..]).map_err(|_| TrialError::Key)?);
        let point = [&[4], &x[..], &y[..]].concat();
        let pair =
            EcdsaKeyPair::from_private_key_and_public_key(&ECDSA_P256_SHA256_FIXED_SIGNING, &private[..], &point)
                .map_err(|_| TrialError::Key)?;
        Ok(Self { kid: jwk.kid, pair, private })
    }

    /// The private key, as a JWK.
    pub fn to_jwk(&self) -> Zeroizing<String> {
        let (x, y) = self.coordinates();
        let d = Zeroizing::new(URL_SAFE_NO_PAD.encode(self.private.as_slice()));
        let jwk = PrivateJwk { kty: "EC".into(), crv: "P-256".into(), kid: self.kid.clone(), x, y, d };
        Zeroizing::new(serde_json::to_string(&jwk).unwrap_or_else(|_| unreachable!("texts are JSON")))
    }

    /// The public key in a JWK Set, for `[auth] jwks_file`.
    pub fn jwks(&self) -> String {
        let (x, y) = self.coordinates();
        let key = json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.kid, "x": x, "y": y,
        });
        format!("{:#}\n", json!({ "keys": [key] }))
    }

    /// `kid`.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// A token from now on, for a time in seconds, from the issuer and for the audience of a configuration.
    ///
    /// # Errors
    ///
    /// [`TrialError`].
    pub fn token(&self, auth: &Auth, claims: &Claims, now: Timestamp, seconds: u64) -> Result<String, TrialError> {
        let issued = now.to_unix();
        let mut body = json!({
            "iss": auth.issuer,
            "aud": auth.audience,
            "sub": claims.subject,
            "client_id": claims.client_id,
            "scope": claims.scope,
            "iat": issued,
            "exp": issued.saturating_add(seconds),
            "jti": hex::encode(random::<16>()?),
        });
        if let Some(user) = &claims.user {
            body[&auth.claim_user] = json!(user);
        }
        if !claims.services.is_empty() {
            body[&auth.claim_services] = json!(claims.services);
        }
        let header = json!({"typ": "at+jwt", "alg": "ES256", "kid": self.kid});
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(body));
        let signature = self.pair.sign(&SystemRandom::new(), message.as_bytes())?;
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    fn coordinates(&self) -> (String, String) {
        // An uncompressed point: 04, x, y.
        let point = self.pair.public_key().as_ref();
        let (x, y) = point[1..].split_at(OCTETS);
        (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y))
    }
}

/// Whether a JWK Set has a key of an issuer of a trial.
pub fn is_trial_issuer(jwks: &[u8]) -> bool {
    let set: Value = serde_json::from_slice(jwks).unwrap_or_default();
    let mut keys = set["keys"].as_array().into_iter().flatten();
    keys.any(|key| key["kid"].as_str().is_some_and(|kid| kid.starts_with(KID)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::token::{KeySet, TokenError, Verifier};

    const NOW: u64 = 1_795_000_000;

    fn auth() -> Auth {
        toml::from_str("issuer = \"https://idms.example.org\"\naudience = \"sip:skms.example.org\"").unwrap()
    }

    fn verify(issuer: &Issuer, claims: &Claims) -> Result<crate::token::AccessToken, TokenError> {
        let (auth, now) = (auth(), Timestamp::from_unix(NOW).unwrap());
        let token = issuer.token(&auth, claims, now, 600).unwrap();
        let keys = KeySet::from_json(issuer.jwks().as_bytes()).unwrap();
        Verifier::new(auth.token_settings()).verify(&token, &keys, None, now.saturating_add(Duration::from_secs(1)))
    }

    #[test]
    fn a_token_is_found_valid_and_says_what_it_was_told() {
        let issuer = Issuer::generate().unwrap();
        let claims = Claims {
            subject: "device-7".into(),
            client_id: "ue-1".into(),
            scope: "openid seal:key-management".into(),
            user: Some("sip:alice@example.org".into()),
            services: vec!["urn:example:fleet".into(), "urn:example:\"\\".into()],
        };
        let token = verify(&issuer, &claims).unwrap();
        assert_eq!(token.subject().as_str(), "device-7");
        assert_eq!(token.client_id().as_str(), "ue-1");
        assert!(token.has_scope("seal:key-management") && token.has_scope("openid"));
        assert_eq!(token.user().unwrap().as_str(), "sip:alice@example.org");
        assert_eq!(token.services().unwrap()[1].as_str(), "urn:example:\"\\");
        let none = Claims { user: None, services: Vec::new(), ..claims };
        let token = verify(&issuer, &none).unwrap();
        assert_eq!((token.user(), token.services()), (None, None));
    }

    #[test]
    fn the_private_key_is_read_again() {
        let issuer = Issuer::generate().unwrap();
        let read = Issuer::from_jwk(&issuer.to_jwk()).unwrap();
        assert_eq!(read.jwks(), issuer.jwks());
        let jwk: Value = serde_json::from_str(&issuer.to_jwk()).unwrap();
        let other: Value = serde_json::from_str(&Issuer::generate().unwrap().to_jwk()).unwrap();
        for (name, value) in [
            ("kid", json!("production")),
            ("kty", json!("RSA")),
            ("crv", json!("P-384")),
            ("d", json!("AA")),
            ("d", json!("!")),
            // Not the private key of this public one.
            ("d", other["d"].clone()),
            ("x", other["x"].clone()),
            ("more", json!(1)),
        ] {
            let mut wrong = jwk.clone();
            wrong[name] = value;
            assert!(matches!(Issuer::from_jwk(&wrong.to_string()), Err(TrialError::Key)), "{name}");
        }
        assert!(matches!(Issuer::from_jwk(""), Err(TrialError::Key)));
        assert_eq!(format!("{issuer:?}"), format!("Issuer({})", issuer.kid()));
    }

    #[test]
    fn an_issuer_of_a_trial_is_known_again() {
        let issuer = Issuer::generate().unwrap();
        assert!(is_trial_issuer(issuer.jwks().as_bytes()));
        assert!(!issuer.jwks().contains("\"d\""));
        let among_others = json!({"keys": [{"kid": "a"}, {}, {"kid": issuer.kid()}]});
        assert!(is_trial_issuer(among_others.to_string().as_bytes()));
        for other in ["", "[]", "{\"keys\":7}", "{\"keys\":[{\"kid\":\"production\"},{\"kid\":1}]}"] {
            assert!(!is_trial_issuer(other.as_bytes()), "{other}");
        }
    }
}
