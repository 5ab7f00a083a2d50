//! Access tokens, good and bad: each bad one is refused for a reason of its own.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use mikey_sakke::km::Failure;
use serde_json::{Value, json};
use skm::token::{MAX_TOKEN_OCTETS, Part, TokenError, bearer};
use support::{Issuer, NOW, base64url, claims, header, with};

/// Refuses a token with one header member changed; null removes it.
fn header_error(name: &str, value: Value) -> TokenError {
    let issuer = Issuer::new();
    let header = with(header(), name, value).to_string();
    issuer.verify(&issuer.token("ES256", &header, &claims().to_string())).unwrap_err()
}

fn claim_result(name: &str, value: Value) -> Result<(), TokenError> {
    let issuer = Issuer::new();
    issuer.verify(&issuer.es256(&with(claims(), name, value))).map(drop)
}

/// Refuses a token with one claim changed; null removes it.
fn claim_error(name: &str, value: Value) -> TokenError {
    claim_result(name, value).unwrap_err()
}

/// Refuses a token whose octets are changed after it is signed.
fn changed(change: impl FnOnce(&str) -> String) -> TokenError {
    let issuer = Issuer::new();
    issuer.verify(&change(&issuer.es256(&claims()))).unwrap_err()
}

fn missing(name: &str) -> TokenError {
    TokenError::MissingClaim(name.into())
}

fn malformed(name: &str) -> TokenError {
    TokenError::Claim(name.into())
}

#[test]
fn every_algorithm_is_verified_with_its_key() {
    let issuer = Issuer::new();
    for (alg, kid) in [("ES256", "p256"), ("ES384", "p384"), ("RS256", "rsa"), ("PS256", "rsa"), ("PS256", "rsa-pss")] {
        let header = json!({"typ": "JWT", "alg": alg, "kid": kid}).to_string();
        let token = issuer.verify(&issuer.token(alg, &header, &claims().to_string()));
        assert_eq!(token.unwrap().client_id().as_str(), "client-1", "{alg} with {kid}");
    }
}

#[test]
fn a_valid_token_says_who_and_what() {
    let issuer = Issuer::new();
    let token = issuer.verify(&issuer.es256(&claims())).unwrap();
    assert_eq!(token.subject().as_str(), "device-7");
    assert_eq!(token.user().unwrap().as_str(), "sip:alice@example.org");
    assert_eq!(token.services().unwrap()[0].as_str(), "urn:example:fleet");
    assert_eq!(token.expires().to_unix(), NOW + 600);
    assert_eq!(token.id().unwrap().as_str(), "one");
    assert!(token.has_scope("seal:key-management") && token.has_scope("openid"));
    assert!(!token.has_scope("seal:key") && !token.has_scope("seal:key-provisioning") && !token.has_scope(""));
}

#[test]
fn optional_claims_may_be_missing() {
    for name in ["jti", "val_user_id", "val_service_ids"] {
        assert_eq!(claim_result(name, Value::Null), Ok(()), "{name}");
    }
}

#[test]
fn types_of_access_tokens() {
    let issuer = Issuer::new();
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "JWT"] {
        let header = with(header(), "typ", json!(typ)).to_string();
        assert!(issuer.verify(&issuer.token("ES256", &header, &claims().to_string())).is_ok(), "{typ}");
    }
}

#[test]
fn several_audiences_are_one_of_ours() {
    assert_eq!(claim_result("aud", json!(["other", "sip:skms.example.org"])), Ok(()));
}

#[test]
fn times_within_the_leeway() {
    for (name, value) in [("exp", NOW - 29), ("iat", NOW + 30), ("nbf", NOW + 30)] {
        let claims = with(with(claims(), "iat", json!(NOW - 100)), name, json!(value));
        let issuer = Issuer::new();
        assert!(issuer.verify(&issuer.es256(&claims)).is_ok(), "{name}");
    }
}

#[test]
fn the_longest_life() {
    let issuer = Issuer::new();
    let life = |seconds| with(with(claims(), "iat", json!(NOW)), "exp", json!(NOW + seconds));
    assert!(issuer.verify(&issuer.es256(&life(3600))).is_ok());
    assert_eq!(issuer.verify(&issuer.es256(&life(3601))), Err(TokenError::Life));
}

#[test]
fn algorithm_none() {
    let issuer = Issuer::new();
    let part = |value: Value| base64url(value.to_string());
    let none = part(json!({"typ": "JWT", "alg": "none", "kid": "p256"}));
    let unsigned = format!("{none}.{}.", part(claims()));
    assert_eq!(issuer.verify(&unsigned), Err(TokenError::Parts));
    assert_eq!(issuer.verify(&format!("{unsigned}AA")), Err(TokenError::Algorithm));
}

#[test]
fn hs256_with_the_public_key() {
    use hmac::{KeyInit as _, Mac as _};
    let issuer = Issuer::new();
    let header = with(header(), "alg", json!("HS256"));
    let message = format!("{}.{}", base64url(header.to_string()), base64url(claims().to_string()));
    let key = issuer.jwks()["keys"][0].to_string();
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(message.as_bytes());
    let token = format!("{message}.{}", base64url(mac.finalize().into_bytes()));
    assert_eq!(issuer.verify(&token), Err(TokenError::Algorithm));
}

#[test]
fn other_algorithms() {
    for alg in [json!("ES512"), json!("RS1"), json!("EdDSA"), json!("es256"), json!(""), json!(["ES256"]), Value::Null]
    {
        assert_eq!(header_error("alg", alg.clone()), TokenError::Algorithm, "{alg}");
    }
}

#[test]
fn unknown_key() {
    assert_eq!(header_error("kid", json!("p257")), TokenError::UnknownKey);
    assert_eq!(header_error("kid", json!("")), TokenError::UnknownKey);
}

#[test]
fn no_key_named() {
    assert_eq!(header_error("kid", Value::Null), TokenError::NoKeyId);
    assert_eq!(header_error("kid", json!(7)), TokenError::NoKeyId);
}

#[test]
fn key_of_another_type_or_algorithm() {
    let issuer = Issuer::new();
    for (alg, kid) in [("ES256", "rsa"), ("ES256", "p384"), ("ES384", "p256"), ("RS256", "p256"), ("RS256", "rsa-pss")]
    {
        let header = json!({"typ": "JWT", "alg": alg, "kid": kid}).to_string();
        let token = issuer.token(alg, &header, &claims().to_string());
        assert_eq!(issuer.verify(&token), Err(TokenError::KeyAlgorithm), "{alg} with {kid}");
    }
}

#[test]
fn key_of_another_issuer() {
    let (issuer, other) = (Issuer::new(), Issuer::new());
    assert_eq!(issuer.verify(&other.es256(&claims())), Err(TokenError::Signature));
}

#[test]
fn padding_schemes_are_not_exchanged() {
    let issuer = Issuer::new();
    let header = json!({"typ": "JWT", "alg": "RS256", "kid": "rsa"}).to_string();
    let token = issuer.token("PS256", &header, &claims().to_string());
    assert_eq!(issuer.verify(&token), Err(TokenError::Signature));
}

#[test]
fn members_that_choose_a_key_or_extend_the_rules() {
    for name in ["jku", "jwk", "x5u", "crit"] {
        assert_eq!(header_error(name, json!("x")), TokenError::HeaderMember(name));
    }
}

#[test]
fn other_types() {
    for typ in [json!("id+jwt"), json!("jwt+at"), json!("secevent+jwt"), json!(1), Value::Null] {
        assert_eq!(header_error("typ", typ.clone()), TokenError::Type, "{typ}");
    }
}

#[test]
fn encrypted() {
    assert_eq!(changed(|token| format!("{token}.AA.AA")), TokenError::Encrypted);
    assert_eq!(header_error("enc", json!("A256GCM")), TokenError::Encrypted);
}

#[test]
fn parts() {
    assert_eq!(changed(|token| format!("{token}.")), TokenError::Parts);
    assert_eq!(changed(|token| format!("{token}..")), TokenError::Encrypted);
    assert_eq!(changed(|token| format!(".{token}")), TokenError::Parts);
    assert_eq!(changed(|token| token.rsplit_once('.').unwrap().0.into()), TokenError::Parts);
    assert_eq!(changed(|token| token.replace('.', "")), TokenError::Parts);
    assert_eq!(changed(|_| String::new()), TokenError::Parts);
    assert_eq!(changed(|_| "..".into()), TokenError::Parts);
    assert_eq!(changed(|token| format!("{}.", token.rsplit_once('.').unwrap().0)), TokenError::Parts);
}

#[test]
fn oversized() {
    assert_eq!(changed(|token| format!("{token}{}", "A".repeat(MAX_TOKEN_OCTETS))), TokenError::Length);
}

#[test]
fn base64_in_other_forms() {
    let issuer = Issuer::new();
    let part = |text: &str| base64url(text);
    for bad in ["eyJ9=", "e+J9", "e/J9", "eyJ", "e yJ9", "\u{e9}"] {
        let token = format!("{bad}.{}.AA", part("{}"));
        assert_eq!(issuer.verify(&token), Err(TokenError::Base64(Part::Header)), "{bad}");
    }
    assert_eq!(changed(|token| format!("{token}==")), TokenError::Base64(Part::Signature));
    let header = base64url(header().to_string());
    let message = format!("{header}.e30=");
    let signature = base64url(issuer.sign("ES256", message.as_bytes()));
    assert_eq!(issuer.verify(&format!("{message}.{signature}")), Err(TokenError::Base64(Part::Claims)));
}

#[test]
fn a_signature_with_bits_after_its_end() {
    // 64 octets end in a character that carries two bits; with the others set the octets would be the same.
    let error = changed(|token| {
        let last = token.bytes().last().unwrap();
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let value = alphabet.iter().position(|&octet| octet == last).unwrap();
        format!("{}{}", &token[..token.len() - 1], char::from(alphabet[value | 1]))
    });
    assert_eq!(error, TokenError::Base64(Part::Signature));
}

#[test]
fn header_that_is_no_object() {
    let issuer = Issuer::new();
    let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
    for header in ["[]", "null", "\"x\"", "{", "{} {}", "{\"a\":1,}", "\u{feff}{}", "{\"a\":1e999}", &deep] {
        let token = issuer.token("ES256", header, &claims().to_string());
        assert_eq!(issuer.verify(&token), Err(TokenError::Json(Part::Header)), "{header:.20}");
    }
}

#[test]
fn claims_that_are_no_object() {
    let issuer = Issuer::new();
    let header = header().to_string();
    for claims in ["[]", "7", "{\"iss\":}", "{}{}", "{'iss':'x'}"] {
        assert_eq!(issuer.verify(&issuer.token("ES256", &header, claims)), Err(TokenError::Json(Part::Claims)));
    }
}

#[test]
fn members_that_stand_twice() {
    let issuer = Issuer::new();
    let twice = |object: Value, member: &str| format!("{{{member},{}", &object.to_string()[1..]);
    for member in ["\"alg\":\"ES256\"", "\"\\u0061lg\":\"none\""] {
        let token = issuer.token("ES256", &twice(header(), member), &claims().to_string());
        assert_eq!(issuer.verify(&token), Err(TokenError::Duplicate(Part::Header)), "{member}");
    }
    for member in ["\"sub\":\"device-7\"", "\"scope\":\"x\"", "\"unknown\":{\"a\":[{\"b\":1,\"b\":2}]}"] {
        let token = issuer.token("ES256", &header().to_string(), &twice(claims(), member));
        assert_eq!(issuer.verify(&token), Err(TokenError::Duplicate(Part::Claims)), "{member}");
    }
}

#[test]
fn id_tokens() {
    for name in ["nonce", "at_hash", "c_hash", "s_hash"] {
        assert_eq!(claim_error(name, json!("x")), TokenError::IdToken(name));
    }
    let issuer = Issuer::new();
    let id_token = with(with(with(claims(), "client_id", Value::Null), "scope", Value::Null), "aud", json!("client-1"));
    assert_eq!(issuer.verify(&issuer.es256(&id_token)), Err(TokenError::Audience));
}

#[test]
fn required_claims() {
    for name in ["iss", "sub", "aud", "exp", "iat", "client_id", "scope"] {
        assert_eq!(claim_error(name, Value::Null), missing(name));
    }
}

#[test]
fn issuer() {
    for issuer in ["https://idms.example.org/", "https://IDMS.example.org", "", "https://evil.example"] {
        assert_eq!(claim_error("iss", json!(issuer)), TokenError::Issuer, "{issuer}");
    }
    assert_eq!(claim_error("iss", json!(["https://idms.example.org"])), malformed("iss"));
}

#[test]
fn audience() {
    for audience in [json!("sip:skms.example.com"), json!(["a", "b"]), json!([]), json!("SIP:skms.example.org")] {
        assert_eq!(claim_error("aud", audience.clone()), TokenError::Audience, "{audience}");
    }
    for audience in [json!(["sip:skms.example.org", 1]), json!({}), json!(""), json!([["sip:skms.example.org"]])] {
        assert_eq!(claim_error("aud", audience.clone()), malformed("aud"), "{audience}");
    }
}

#[test]
fn expired() {
    assert_eq!(claim_error("exp", json!(NOW - 20)), TokenError::Life, "before iat");
    let issuer = Issuer::new();
    let old = with(with(claims(), "iat", json!(NOW - 1000)), "exp", json!(NOW - 30));
    assert_eq!(issuer.verify(&issuer.es256(&old)), Err(TokenError::Expired));
}

#[test]
fn not_yet() {
    assert_eq!(claim_error("nbf", json!(NOW + 31)), TokenError::NotYetValid);
}

#[test]
fn issued_in_the_future() {
    assert_eq!(claim_error("iat", json!(NOW + 31)), TokenError::IssuedInFuture);
}

#[test]
fn life() {
    assert_eq!(claim_error("exp", json!(NOW + 3600)), TokenError::Life);
    assert_eq!(claim_error("exp", json!(NOW - 10)), TokenError::Life, "none at all");
    assert_eq!(claim_error("iat", json!(0)), TokenError::Life);
}

#[test]
fn times_that_are_no_integers() {
    let issuer = Issuer::new();
    for name in ["exp", "iat", "nbf"] {
        let rest = with(claims(), name, Value::Null).to_string();
        for value in ["1795000000.0", "1.795e9", "\"1795000000\"", "-1", "-0", "18446744073709551616", "true", "null"] {
            let claims = format!("{{\"{name}\":{value},{}", &rest[1..]);
            let token = issuer.token("ES256", &header().to_string(), &claims);
            assert_eq!(issuer.verify(&token), Err(malformed(name)), "{name} {value}");
        }
    }
    assert_eq!(claim_error("exp", json!(u64::MAX)), malformed("exp"));
}

#[test]
fn names_that_are_no_identifiers() {
    let long = "x".repeat(1025);
    for name in ["sub", "client_id", "jti", "val_user_id"] {
        for value in [json!(""), json!("a\nb"), json!(1), json!(["a"]), json!({}), json!(true), json!(long)] {
            assert_eq!(claim_error(name, value.clone()), malformed(name), "{name} {value}");
        }
    }
}

#[test]
fn services_that_are_no_list() {
    for value in [json!("urn:example:fleet"), json!([""]), json!([null]), json!({"0": "urn:example:fleet"})] {
        assert_eq!(claim_error("val_service_ids", value), malformed("val_service_ids"));
    }
}

#[test]
fn scopes_that_are_none() {
    for value in [json!(""), json!(" a"), json!("a  b"), json!("a\tb"), json!(["a"]), json!("a\"b"), json!("\u{e9}")] {
        assert_eq!(claim_error("scope", value.clone()), malformed("scope"), "{value}");
    }
}

#[test]
fn bound_to_a_certificate() {
    let issuer = Issuer::new();
    let certificate = [7; 32];
    let bound = |cnf: Value| issuer.es256(&with(claims(), "cnf", cnf));
    let token = bound(json!({"x5t#S256": base64url(certificate)}));
    assert!(issuer.verify_bound(&token, Some(&certificate)).is_ok());
    assert_eq!(issuer.verify_bound(&token, None), Err(TokenError::NoCertificate));
    assert_eq!(issuer.verify_bound(&token, Some(&[8; 32])), Err(TokenError::OtherCertificate));
    for thumbprint in ["", "AA", "Bwc=", "!"] {
        let token = bound(json!({"x5t#S256": thumbprint}));
        assert_eq!(issuer.verify_bound(&token, Some(&certificate)), Err(TokenError::OtherCertificate));
    }
}

#[test]
fn bound_by_other_means() {
    let good = base64url([7; 32]);
    for cnf in
        [json!({"jkt": "x"}), json!({"x5t#S256": good, "jkt": "x"}), json!({}), json!("x"), json!({"x5t#S256": 1})]
    {
        let issuer = Issuer::new();
        let token = issuer.es256(&with(claims(), "cnf", cnf.clone()));
        assert_eq!(issuer.verify_bound(&token, Some(&[7; 32])), Err(TokenError::Confirmation), "{cnf}");
    }
}

/// Replaces the signature of a valid token.
fn signed_with(signature: impl FnOnce(&[u8]) -> Vec<u8>) -> TokenError {
    let issuer = Issuer::new();
    let token = issuer.es256(&claims());
    let (message, good) = token.rsplit_once('.').unwrap();
    let good = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, good).unwrap();
    issuer.verify(&format!("{message}.{}", base64url(signature(&good)))).unwrap_err()
}

#[test]
fn signature_in_der() {
    let error = signed_with(|good| {
        let integer = |half: &[u8]| [&[2, 33, 0], half].concat();
        let (r, s) = good.split_at(32);
        let body = [integer(r), integer(s)].concat();
        [&[0x30, u8::try_from(body.len()).unwrap()], &body[..]].concat()
    });
    assert_eq!(error, TokenError::Signature);
}

#[test]
fn signature_of_zeros() {
    assert_eq!(signed_with(|_| vec![0; 64]), TokenError::Signature);
    assert_eq!(signed_with(|_| vec![0]), TokenError::Signature);
    assert_eq!(signed_with(|_| vec![255; 64]), TokenError::Signature);
}

#[test]
fn signature_cut_and_extended() {
    assert_eq!(signed_with(|good| good[..63].to_vec()), TokenError::Signature);
    assert_eq!(signed_with(|good| [good, &[0]].concat()), TokenError::Signature);
    assert_eq!(signed_with(|good| good.iter().rev().copied().collect()), TokenError::Signature);
}

#[test]
fn claims_changed_after_signing() {
    let error = changed(|token| {
        let parts: Vec<&str> = token.split('.').collect();
        let other = with(claims(), "val_user_id", json!("sip:bob@example.org"));
        format!("{}.{}.{}", parts[0], base64url(other.to_string()), parts[2])
    });
    assert_eq!(error, TokenError::Signature);
}

#[test]
fn no_octet_may_change() {
    let issuer = Issuer::new();
    let (token, keys) = (issuer.es256(&claims()), issuer.keys());
    let verifier = skm::token::Verifier::new(support::settings());
    for index in 0..token.len() {
        let mut octets = token.clone().into_bytes();
        octets[index] = if octets[index] == b'A' { b'B' } else { b'A' };
        let other = String::from_utf8(octets).unwrap();
        assert!(verifier.verify(&other, &keys, None, support::now()).is_err(), "octet {index}");
        assert!(verifier.verify(&token[..index], &keys, None, support::now()).is_err(), "{index} octets");
    }
}

#[test]
fn authorization_header() {
    assert_eq!(bearer(b"Bearer a.b-c_d~+/="), Ok("a.b-c_d~+/="));
    assert_eq!(bearer(b"bearer x"), Ok("x"));
    for bad in
        [&b""[..], b"Bearer", b"Bearer ", b"Basic x", b"Bearer a b", b"Bearer a,b", b"x", b"Bearer \xff", b" Bearer x"]
    {
        assert_eq!(bearer(bad), Err(TokenError::Missing), "{bad:?}");
    }
}

#[test]
fn every_reason_is_a_401_with_03() {
    let failure = Failure::from(TokenError::Signature);
    assert_eq!((failure.http_status(), failure.error_code().as_str()), (401, "03"));
}
