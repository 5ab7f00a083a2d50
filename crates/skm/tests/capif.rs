//! CAPIF: the tokens of a core function, and what is configured of it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use serde_json::{Value, json};
use skm::config::{Capif, CapifMethod, Config};
use skm::token::{AccessToken, CapifTokenSettings, Location, TokenError, Verifier};
use support::{Issuer, NOW, base64url, capif_claims, capif_settings, claims, now, with};

fn capif(settings: CapifTokenSettings, changes: &[(&str, Value)]) -> Result<AccessToken, TokenError> {
    let claims = changes.iter().fold(capif_claims(), |claims, (name, value)| with(claims, name, value.clone()));
    let issuer = Issuer::new();
    Verifier::of_capif(settings).verify(&issuer.es256(&claims), &issuer.keys(), None, now())
}

#[test]
fn a_token_of_capif_has_what_its_profile_demands() {
    let token = capif(capif_settings(), &[]).unwrap();
    assert!(token.is_for_service_api("aef-1", "ss-kir") && !token.is_for_service_api("aef-2", "ss-kir"));
    assert_eq!((token.client_id().as_str(), token.subject().as_str()), ("client-1", "client-1"));
    assert_eq!((token.is_of_seal(), token.user(), token.services(), token.device()), (false, None, None, None));
    assert!(!token.has_scope("3gpp#aef-2:ss-gm;aef-1:ss-im,ss-kir"), "it is of use in CAPIF alone");
    for name in ["iss", "exp", "client_id", "scope"] {
        let missing = Err(TokenError::MissingClaim(name.into()));
        assert_eq!(capif(capif_settings(), &[(name, Value::Null)]), missing, "{name}");
    }
}

#[test]
fn a_token_of_capif_by_its_claims() {
    let cases = [
        ("iss", json!("https://idms.example.org"), TokenError::Issuer),
        ("iss", json!("https://ccf.example.org/"), TokenError::Issuer),
        ("scope", json!("3gpp#aef-1"), TokenError::Claim("scope".into())),
        ("scope", json!(""), TokenError::Claim("scope".into())),
        ("scope", json!(["3gpp#aef-1:ss-kir"]), TokenError::Claim("scope".into())),
        ("client_id", json!(""), TokenError::Claim("client_id".into())),
        ("exp", json!(NOW - 30), TokenError::Expired),
        ("exp", json!(NOW + 3601), TokenError::Life),
        ("exp", json!(600), TokenError::Expired),
        ("iat", json!(NOW + 31), TokenError::IssuedInFuture),
        ("iat", json!(NOW - 3001), TokenError::Life),
        ("iat", json!(NOW + 600), TokenError::IssuedInFuture),
        ("nbf", json!(NOW + 31), TokenError::NotYetValid),
        ("aud", json!("aef-2"), TokenError::Audience),
        ("aud", json!([]), TokenError::Audience),
        ("nonce", json!("x"), TokenError::IdToken("nonce")),
        ("cnf", json!({"x5t#S256": base64url([7; 32])}), TokenError::NoCertificate),
    ];
    for (name, value, error) in cases {
        assert_eq!(capif(capif_settings(), &[(name, value.clone())]), Err(error), "{name} {value}");
    }
    for (name, value) in [
        ("exp", json!(NOW - 29)),
        ("exp", json!(NOW + 3600)),
        ("iat", json!(NOW - 3000)),
        ("aud", json!("aef-1")),
        ("aud", json!(["other", "aef-1"])),
        ("sub", json!("invoker")),
    ] {
        assert!(capif(capif_settings(), &[(name, value.clone())]).is_ok(), "{name} {value}");
    }
}

#[test]
fn a_token_of_capif_for_an_audience() {
    let settings = || CapifTokenSettings { audience: Some("seal".into()), ..capif_settings() };
    assert!(capif(settings(), &[("aud", json!("seal"))]).is_ok());
    assert_eq!(capif(settings(), &[("aud", json!("aef-1"))]), Err(TokenError::Audience));
    assert_eq!(capif(settings(), &[]), Err(TokenError::MissingClaim("aud".into())));
}

#[test]
fn tokens_are_told_apart_by_their_issuers() {
    let (seal, capif) = (Verifier::new(support::settings()), Verifier::of_capif(capif_settings()));
    let issuer = Issuer::new();
    let of = |claims: &Value| {
        let token = issuer.es256(claims);
        (seal.is_asked(&token), capif.is_asked(&token))
    };
    assert_eq!((of(&claims()), of(&capif_claims())), ((true, false), (false, true)));
    assert_eq!(of(&json!({})), (false, false));
    for token in ["", ".", "..", "a.b.c", ".e30.", "a.eyJpc3MiOjF9.c"] {
        assert!(!seal.is_asked(token) && !capif.is_asked(token), "{token}");
    }
}

const GOOD: &str = r#"[domain]
skms_uri = "sip:skms.example.org"
kms_uri = "sip:kms.example.org"
user_key_period = 2592000

[listen]
km_s = "127.0.0.1:0"

[tls]
cert = "cert.pem"
key = "key.pem"
client_ca = "ca.pem"

[auth]
issuer = "https://id.example.org"
audience = "sip:skms.example.org"
jwks_file = "jwks.json"

[store]
url = "sqlite:skms.db"

[seal]
key_file = "seal.key"

[capif]
aef_id = "aef-1"
methods = ["pki", "oauth"]
issuer = "https://ccf.example.org"
jwks_file = "ccf.json"

[[policy]]
san = "urn:example:val"
roles = ["val"]
"#;

fn read(from: &str, to: &str) -> Result<Capif, String> {
    assert!(GOOD.contains(from), "{from}");
    let config = Config::read(&GOOD.replacen(from, to, 1), []).map_err(|error| error.to_string())?;
    Ok(config.capif.unwrap())
}

#[test]
fn what_is_configured() {
    let config = Config::read(GOOD, []).unwrap();
    let capif = config.capif.as_ref().unwrap();
    assert_eq!((capif.aef_id.as_str(), capif.api_name.as_str()), ("aef-1", "ss-kir"));
    assert_eq!(capif.methods, [CapifMethod::Pki, CapifMethod::OAuth]);
    let settings = CapifTokenSettings { ..capif_settings() };
    assert_eq!(capif.tokens(&config.auth), Some((settings, Location::File("ccf.json".into()))));
    assert_eq!(config.policy[0].client_id, None);
    assert!(Config::read(&GOOD[..GOOD.find("[capif]").unwrap()], []).unwrap().capif.is_none());
}

#[test]
fn tls_psk_is_refused_with_its_reason() {
    for psk in ["psk", "PSK"] {
        let error = read(r#"["pki", "oauth"]"#, &format!("[\"oauth\", \"{psk}\"]")).unwrap_err();
        assert!(
            error.starts_with("line 27: ") && error.contains("AEF_PSK") && error.contains("certificates"),
            "{error}"
        );
    }
}

#[test]
fn what_is_wrong() {
    let cases = [
        (r#""aef-1""#, r#""""#, "capif.aef_id"),
        (r#""aef-1""#, r#""aef 1""#, "capif.aef_id"),
        (r#""aef-1""#, r#""aef;1""#, "capif.aef_id"),
        (r#""aef-1""#, "\"aef-1\"\napi_name = \"ss-kir,ss-gm\"", "capif.api_name"),
        (r#""aef-1""#, "\"aef-1\"\napi_name = \"\"", "capif.api_name"),
        (r#"["pki", "oauth"]"#, "[]", "capif.methods"),
        (r#"["pki", "oauth"]"#, r#"["tls"]"#, "tls"),
        (r#"["pki", "oauth"]"#, r#"["pki"]"#, "capif.methods"),
        (r#"["pki", "oauth"]"#, r#"["oauth"]"#, "policy"),
        ("issuer = \"https://ccf.example.org\"\n", "", "capif.issuer"),
        ("https://ccf.example.org", "", "capif.issuer"),
        ("https://ccf.example.org", "https://id.example.org", "capif.issuer"),
        ("jwks_file = \"ccf.json\"\n", "", "jwks_file"),
        ("\"ccf.json\"", "\"ccf.json\"\njwks_url = \"https://ccf.example.org/jwks\"", "jwks_file"),
        ("\"ccf.json\"", "\"ccf.json\"\naudience = \"\"", "capif.audience"),
        ("km_s =", "km_uu =", "km_s"),
        ("aef_id", "aef_ids", "aef_ids"),
        (r#"["val"]"#, r#"["val", "provisioner"]"#, "policy"),
        (r#"["val"]"#, "[]", "policy"),
        ("urn:example:val\"", "urn:example:val\"\nclient_id = \"\"", "1024"),
    ];
    for (from, to, says) in cases {
        let error = read(from, to).unwrap_err();
        assert!(error.contains(says), "{from} {to}: {error}");
    }
    let without = GOOD.replace(&GOOD[GOOD.find("[capif]").unwrap()..GOOD.find("[[policy]]").unwrap()], "");
    assert!(Config::read(&without, []).unwrap_err().to_string().contains("pki"));
}

#[test]
fn certificates_alone_need_no_tokens() {
    let capif = read(
        "methods = [\"pki\", \"oauth\"]\nissuer = \"https://ccf.example.org\"\njwks_file = \"ccf.json\"",
        "methods = [\"pki\"]",
    );
    let auth = Config::read(GOOD, []).unwrap().auth;
    assert_eq!(capif.unwrap().tokens(&auth), None);
}
