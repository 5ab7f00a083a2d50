//! An issuer of tokens with throw-away keys.

#![allow(dead_code, reason = "not every test needs all of it")]

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mikey_sakke::time::Timestamp;
use serde_json::{Value, json};
use skm::token::{AccessToken, CapifTokenSettings, KeySet, TokenError, TokenSettings, Verifier};
use std::sync::LazyLock;
use std::time::Duration;

pub(crate) const NOW: u64 = 1_795_000_000;

/// One for all issuers, as it takes long to make.
static RSA: LazyLock<RsaKeyPair> = LazyLock::new(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap());

pub(crate) fn base64url(octets: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(octets)
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_unix(NOW).unwrap()
}

pub(crate) fn settings() -> TokenSettings {
    TokenSettings {
        issuer: "https://idms.example.org".into(),
        audience: "sip:skms.example.org".into(),
        leeway: Duration::from_secs(30),
        max_life: Duration::from_secs(3600),
        claim_user: "val_user_id".into(),
        claim_services: "val_service_ids".into(),
    }
}

/// Those of a CAPIF core function, without an audience.
pub(crate) fn capif_settings() -> CapifTokenSettings {
    CapifTokenSettings {
        issuer: "https://ccf.example.org".into(),
        audience: None,
        aef_id: "aef-1".into(),
        leeway: Duration::from_secs(30),
        max_life: Duration::from_secs(3600),
    }
}

pub(crate) struct Issuer {
    pub(crate) p256: EcdsaKeyPair,
    pub(crate) p384: EcdsaKeyPair,
    pub(crate) rsa: &'static RsaKeyPair,
}

impl Issuer {
    pub(crate) fn new() -> Self {
        Self {
            p256: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            p384: EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap(),
            rsa: &RSA,
        }
    }

    /// The keys `p256`, `p384`, `rsa` for both RSA algorithms, and `rsa-pss` for PS256 alone.
    pub(crate) fn jwks(&self) -> Value {
        // RSAPublicKey of RFC 8017, A.1.1, with 2048 bits and the exponent 65537.
        let der = self.rsa.public_key().as_ref();
        let (n, e) = (base64url(&der[9..265]), base64url(&der[267..]));
        json!({"keys": [
            ec("p256", "P-256", self.p256.public_key().as_ref()),
            ec("p384", "P-384", self.p384.public_key().as_ref()),
            {"kty": "RSA", "kid": "rsa", "use": "sig", "n": n, "e": e},
            {"kty": "RSA", "kid": "rsa-pss", "alg": "PS256", "n": n, "e": e},
        ]})
    }

    pub(crate) fn keys(&self) -> KeySet {
        KeySet::from_json(self.jwks().to_string().as_bytes()).unwrap()
    }

    pub(crate) fn sign(&self, alg: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        let rsa = |padding: &'static dyn signature::RsaEncoding| {
            let mut out = vec![0; self.rsa.public_modulus_len()];
            self.rsa.sign(padding, &random, message, &mut out).unwrap();
            out
        };
        match alg {
            "ES256" => self.p256.sign(&random, message).unwrap().as_ref().to_vec(),
            "ES384" => self.p384.sign(&random, message).unwrap().as_ref().to_vec(),
            "RS256" => rsa(&signature::RSA_PKCS1_SHA256),
            "PS256" => rsa(&signature::RSA_PSS_SHA256),
            _ => panic!("no such algorithm"),
        }
    }

    /// Signs header and claims as they are, with the key for the algorithm that `alg` names.
    pub(crate) fn token(&self, alg: &str, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", base64url(header), base64url(claims));
        let signature = base64url(self.sign(alg, message.as_bytes()));
        format!("{message}.{signature}")
    }

    /// A token with ES256.
    pub(crate) fn es256(&self, claims: &Value) -> String {
        self.token("ES256", &header().to_string(), &claims.to_string())
    }

    pub(crate) fn verify(&self, token: &str) -> Result<AccessToken, TokenError> {
        self.verify_bound(token, None)
    }

    pub(crate) fn verify_bound(&self, token: &str, certificate: Option<&[u8; 32]>) -> Result<AccessToken, TokenError> {
        Verifier::new(settings()).verify(token, &self.keys(), certificate, now())
    }
}

fn ec(kid: &str, crv: &str, point: &[u8]) -> Value {
    let (x, y) = point[1..].split_at(point.len() / 2);
    json!({"kty": "EC", "kid": kid, "crv": crv, "x": base64url(x), "y": base64url(y)})
}

pub(crate) fn header() -> Value {
    json!({"typ": "at+jwt", "alg": "ES256", "kid": "p256"})
}

pub(crate) fn claims() -> Value {
    json!({
        "iss": "https://idms.example.org",
        "sub": "device-7",
        "aud": "sip:skms.example.org",
        "iat": NOW - 10,
        "exp": NOW + 600,
        "client_id": "client-1",
        "scope": "openid seal:key-management",
        "jti": "one",
        "val_user_id": "sip:alice@example.org",
        "val_service_ids": ["urn:example:fleet"],
    })
}

/// What a CAPIF core function puts into a token, by its profile.
pub(crate) fn capif_claims() -> Value {
    json!({
        "iss": "https://ccf.example.org",
        "exp": NOW + 600,
        "client_id": "client-1",
        "scope": "3gpp#aef-2:ss-gm;aef-1:ss-im,ss-kir",
    })
}

/// An object with one member set, or removed by null.
pub(crate) fn with(mut object: Value, name: &str, value: Value) -> Value {
    if value.is_null() {
        object.as_object_mut().unwrap().remove(name);
    } else {
        object[name] = value;
    }
    object
}
