//! Access tokens.

use serde_json::{Value, json};

use crate::batch::Case;
use crate::http::{Client, JSON, KM};
use crate::site::{Site, VAL, client_params, km_request, now};
use crate::support::{base64url, header, with};
use crate::world::{Expected, FORBIDDEN, GOOD, NO_TOKEN, World, alice, server};

/// How far the clock of the issuer may be off: much, so that the time that a test takes plays no part.
const LEEWAY: u64 = 600;

/// Header members: null removes one.
const HEADERS: &[(&str, &str, Expected)] = &[
    ("typ in upper case", r#"{"typ":"AT+JWT"}"#, GOOD),
    ("typ with its prefix", r#"{"typ":"application/at+jwt"}"#, GOOD),
    ("typ JWT", r#"{"typ":"JWT"}"#, GOOD),
    ("no typ", r#"{"typ":null}"#, NO_TOKEN),
    ("typ of a proof", r#"{"typ":"dpop+jwt"}"#, NO_TOKEN),
    ("typ of a logout token", r#"{"typ":"logout+jwt"}"#, NO_TOKEN),
    ("typ in an array", r#"{"typ":["at+jwt"]}"#, NO_TOKEN),
    ("alg none", r#"{"alg":"none"}"#, NO_TOKEN),
    ("alg None", r#"{"alg":"None"}"#, NO_TOKEN),
    ("alg in lower case", r#"{"alg":"es256"}"#, NO_TOKEN),
    ("alg with a space", r#"{"alg":"ES256 "}"#, NO_TOKEN),
    ("alg ES512", r#"{"alg":"ES512"}"#, NO_TOKEN),
    ("alg ES256K", r#"{"alg":"ES256K"}"#, NO_TOKEN),
    ("alg EdDSA", r#"{"alg":"EdDSA"}"#, NO_TOKEN),
    ("alg RS256 with a key for ES256", r#"{"alg":"RS256"}"#, NO_TOKEN),
    ("alg ES384 with a key for ES256", r#"{"alg":"ES384"}"#, NO_TOKEN),
    ("alg in an array", r#"{"alg":["ES256"]}"#, NO_TOKEN),
    ("no alg", r#"{"alg":null}"#, NO_TOKEN),
    ("no kid", r#"{"kid":null}"#, NO_TOKEN),
    ("an empty kid", r#"{"kid":""}"#, NO_TOKEN),
    ("kid of another key", r#"{"kid":"p384"}"#, NO_TOKEN),
    ("kid of a key that is not there", r#"{"kid":"p521"}"#, NO_TOKEN),
    ("kid in another case", r#"{"kid":"P256"}"#, NO_TOKEN),
    ("kid that is a path", r#"{"kid":"../../../../dev/null"}"#, NO_TOKEN),
    ("kid with SQL", r#"{"kid":"x' UNION SELECT 'key"}"#, NO_TOKEN),
    ("kid that is a number", r#"{"kid":256}"#, NO_TOKEN),
    ("jku", r#"{"jku":"https://evil.example.org/jwks.json"}"#, NO_TOKEN),
    ("jku of the issuer", r#"{"jku":"https://idms.example.org/jwks.json"}"#, NO_TOKEN),
    ("jwk", r#"{"jwk":{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}}"#, NO_TOKEN),
    ("x5u", r#"{"x5u":"https://evil.example.org/cert.pem"}"#, NO_TOKEN),
    ("crit", r#"{"crit":["exp"]}"#, NO_TOKEN),
    ("crit without anything", r#"{"crit":[]}"#, NO_TOKEN),
    ("an unencoded payload", r#"{"b64":false,"crit":["b64"]}"#, NO_TOKEN),
    ("encrypted", r#"{"enc":"A256GCM"}"#, NO_TOKEN),
    ("members that are not known", r#"{"x":{"alg":"none"},"cty":"json"}"#, GOOD),
];

/// Claims: null removes one.
const CLAIMS: &[(&str, &str, Expected)] = &[
    ("no iss", r#"{"iss":null}"#, NO_TOKEN),
    ("another issuer", r#"{"iss":"https://evil.example.org"}"#, NO_TOKEN),
    ("iss with a solidus", r#"{"iss":"https://idms.example.org/"}"#, NO_TOKEN),
    ("iss in upper case", r#"{"iss":"https://IDMS.example.org"}"#, NO_TOKEN),
    ("iss in an array", r#"{"iss":["https://idms.example.org"]}"#, NO_TOKEN),
    ("no aud", r#"{"aud":null}"#, NO_TOKEN),
    ("another audience", r#"{"aud":"sip:other.example.org"}"#, NO_TOKEN),
    ("the audience and more", r#"{"aud":"sip:skms.example.org.evil.example.org"}"#, NO_TOKEN),
    ("audiences without this one", r#"{"aud":["sip:other.example.org","client-1"]}"#, NO_TOKEN),
    ("audiences with this one", r#"{"aud":["sip:other.example.org","sip:skms.example.org"]}"#, GOOD),
    ("no audiences", r#"{"aud":[]}"#, NO_TOKEN),
    ("aud that is a number", r#"{"aud":1}"#, NO_TOKEN),
    ("no sub", r#"{"sub":null}"#, NO_TOKEN),
    ("an empty sub", r#"{"sub":""}"#, NO_TOKEN),
    ("sub with a control character", r#"{"sub":"device-7\u0000"}"#, NO_TOKEN),
    ("no client_id", r#"{"client_id":null}"#, NO_TOKEN),
    ("client_id that is a number", r#"{"client_id":1}"#, NO_TOKEN),
    ("no scope", r#"{"scope":null}"#, NO_TOKEN),
    ("an empty scope", r#"{"scope":""}"#, NO_TOKEN),
    ("scopes in an array", r#"{"scope":["seal:key-management"]}"#, NO_TOKEN),
    ("scopes with two spaces", r#"{"scope":"openid  seal:key-management"}"#, NO_TOKEN),
    ("scopes with a tab", r#"{"scope":"openid\tseal:key-management"}"#, NO_TOKEN),
    ("another scope", r#"{"scope":"seal:key-provisioning"}"#, FORBIDDEN),
    ("a scope that begins so", r#"{"scope":"seal:key-management:none"}"#, FORBIDDEN),
    ("a scope in upper case", r#"{"scope":"SEAL:key-management"}"#, FORBIDDEN),
    ("no services", r#"{"val_service_ids":null}"#, FORBIDDEN),
    ("another service", r#"{"val_service_ids":["urn:example:other"]}"#, FORBIDDEN),
    ("a service in place of all", r#"{"val_service_ids":["*"]}"#, FORBIDDEN),
    ("services in a text", r#"{"val_service_ids":"urn:example:fleet"}"#, NO_TOKEN),
    ("services that are numbers", r#"{"val_service_ids":["urn:example:fleet",1]}"#, NO_TOKEN),
    ("a user that is a number", r#"{"val_user_id":1}"#, NO_TOKEN),
    ("users in an array", r#"{"val_user_id":["sip:alice@example.org"]}"#, NO_TOKEN),
    ("jti that is a number", r#"{"jti":1}"#, NO_TOKEN),
    ("an ID token, by nonce", r#"{"nonce":"x"}"#, NO_TOKEN),
    ("an ID token, by at_hash", r#"{"at_hash":"x"}"#, NO_TOKEN),
    ("an ID token, by c_hash", r#"{"c_hash":"x"}"#, NO_TOKEN),
    ("an ID token, by s_hash", r#"{"s_hash":"x"}"#, NO_TOKEN),
    ("no exp", r#"{"exp":null}"#, NO_TOKEN),
    ("exp in quotes", r#"{"exp":"4102444800"}"#, NO_TOKEN),
    ("exp with an exponent", r#"{"exp":4e9}"#, NO_TOKEN),
    ("exp below zero", r#"{"exp":-1}"#, NO_TOKEN),
    ("exp 2^64", r#"{"exp":18446744073709551616}"#, NO_TOKEN),
    ("exp 2^63", r#"{"exp":9223372036854775808}"#, NO_TOKEN),
    ("exp 0", r#"{"exp":0}"#, NO_TOKEN),
    ("no iat", r#"{"iat":null}"#, NO_TOKEN),
    ("iat 0", r#"{"iat":0}"#, NO_TOKEN),
    ("iat with a fraction", r#"{"iat":1.5}"#, NO_TOKEN),
    ("nbf in quotes", r#"{"nbf":"0"}"#, NO_TOKEN),
    ("bound to a key", r#"{"cnf":{"jkt":"x"}}"#, NO_TOKEN),
    ("bound to a certificate that is not there", r#"{"cnf":{"x5t#S256":"x"}}"#, NO_TOKEN),
    ("bound to a certificate and a key", r#"{"cnf":{"x5t#S256":"x","jkt":"x"}}"#, NO_TOKEN),
    ("bound to nothing", r#"{"cnf":{}}"#, NO_TOKEN),
    ("bound by a text", r#"{"cnf":"x"}"#, NO_TOKEN),
    ("claims that are not known", r#"{"admin":true,"x":[[[{}]]]}"#, GOOD),
];

/// iat, exp and nbf, in seconds from now.
const TIMES: &[(&str, i64, i64, Option<i64>, Expected)] = &[
    ("expired longer ago than the leeway", -1000, -600, None, NO_TOKEN),
    ("expired within the leeway", -1000, -300, None, GOOD),
    ("issued in the future", 900, 1200, None, NO_TOKEN),
    ("issued in the future within the leeway", 300, 1200, None, GOOD),
    ("expires as it is issued", -10, -10, None, NO_TOKEN),
    ("expires before it is issued", -10, -20, None, NO_TOKEN),
    ("lives as long as it may", -10, 3590, None, GOOD),
    ("lives a second too long", -10, 3591, None, NO_TOKEN),
    ("lives for ever", -10, 250_000_000_000, None, NO_TOKEN),
    ("not valid yet", -10, 1200, Some(900), NO_TOKEN),
    ("not valid yet, within the leeway", -10, 1200, Some(300), GOOD),
    ("has been valid", -10, 1200, Some(-100), GOOD),
];

/// Sets the members of a JSON object.
fn set(object: Value, members: &str) -> Value {
    let members: Value = serde_json::from_str(members).unwrap();
    members.as_object().unwrap().iter().fold(object, |object, (name, value)| with(object, name, value.clone()))
}

fn at(seconds: i64) -> Value {
    json!(now().checked_add_signed(seconds).unwrap())
}

/// The parts of a good token.
fn parts(site: &Site) -> [String; 3] {
    let token = site.sign(&alice());
    let parts: Vec<&str> = token.split('.').collect();
    [0, 1, 2].map(|part| parts[part].to_owned())
}

/// Tokens that are not made of header and claims alone.
fn made(site: &Site) -> Vec<(&'static str, String, Expected)> {
    let (good_header, claims) = (header().to_string(), alice().to_string());
    let es256 = |header: &str, claims: &str| site.tokens.token("ES256", header, claims);
    let [head, body, signature] = parts(site);
    let message = format!("{head}.{body}");
    let altered = |text: &str| {
        if let Some(rest) = text.strip_prefix('A') { format!("B{rest}") } else { format!("A{}", &text[1..]) }
    };
    let hmac = |key: &[u8]| {
        let header = json!({"typ": "at+jwt", "alg": "HS256", "kid": "p256"}).to_string();
        let message = format!("{}.{}", base64url(header), base64url(&claims));
        let tag =
            aws_lc_rs::hmac::sign(&aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, key), message.as_bytes());
        format!("{message}.{}", base64url(tag))
    };
    let jwk = site.tokens.jwks()["keys"][0].to_string();
    let point = aws_lc_rs::signature::KeyPair::public_key(&site.tokens.p256).as_ref().to_vec();
    let padded = |octets: usize| {
        let empty = es256(&good_header, &with(alice(), "x", json!("")).to_string());
        let token =
            es256(&good_header, &with(alice(), "x", json!("x".repeat((octets - empty.len()) * 3 / 4))).to_string());
        assert_eq!(token.len(), octets);
        token
    };
    let none = json!({"typ": "at+jwt", "alg": "none", "kid": "p256"}).to_string();
    let der = [&[0x30, 68, 2, 32], &[1; 32][..], &[2, 32], &[1; 32]].concat();
    let rsa = |alg: &str, kid: &str| {
        site.tokens.token(alg, &json!({"typ": "at+jwt", "alg": alg, "kid": kid}).to_string(), &alice().to_string())
    };
    let other = Site::new();
    let deep = |open: &str, close: &str| {
        claims.replacen('{', &format!("{{\"x\":{}{},", open.repeat(1000), close.repeat(1000)), 1)
    };
    vec![
        ("RS256", rsa("RS256", "rsa"), GOOD),
        ("PS256", rsa("PS256", "rsa"), GOOD),
        ("ES384", rsa("ES384", "p384"), GOOD),
        ("RS256 with a key for PS256", rsa("RS256", "rsa-pss"), NO_TOKEN),
        ("a key of the same name of another issuer", other.sign(&alice()), NO_TOKEN),
        ("no parts", "token".into(), NO_TOKEN),
        ("two parts", message.clone(), NO_TOKEN),
        ("without a signature", format!("{message}."), NO_TOKEN),
        ("without claims", format!("{head}..{signature}"), NO_TOKEN),
        ("without a header", format!(".{body}.{signature}"), NO_TOKEN),
        ("two signatures", format!("{message}.{signature}.{signature}"), NO_TOKEN),
        ("five parts, as JWE has", format!("{head}.{body}.{signature}.{body}.{signature}"), NO_TOKEN),
        ("dots", "..".into(), NO_TOKEN),
        ("many dots", ".".repeat(8000), NO_TOKEN),
        ("alg none, without a signature", format!("{}.{}.", base64url(&none), base64url(&claims)), NO_TOKEN),
        ("alg none, with a signature", es256(&none, &claims), NO_TOKEN),
        ("HS256 with the public key", hmac(&point), NO_TOKEN),
        ("HS256 with the public key in JSON", hmac(jwk.as_bytes()), NO_TOKEN),
        ("HS256 with no key", hmac(b""), NO_TOKEN),
        ("a signature altered", format!("{message}.{}", altered(&signature)), NO_TOKEN),
        (
            "claims altered",
            format!("{head}.{}.{signature}", base64url(set(alice(), r#"{"sub":"x"}"#).to_string())),
            NO_TOKEN,
        ),
        ("a signature too short", format!("{message}.{}", &signature[..40]), NO_TOKEN),
        ("a signature too long", format!("{message}.{signature}AAAA"), NO_TOKEN),
        ("a signature of zeros", format!("{message}.{}", base64url([0; 64])), NO_TOKEN),
        ("a signature in DER", format!("{message}.{}", base64url(der)), NO_TOKEN),
        ("a signature with padding", format!("{message}.{signature}=="), NO_TOKEN),
        ("a header with padding", format!("{head}=.{body}.{signature}"), NO_TOKEN),
        ("claims in base64 of another alphabet", format!("{head}.+/+/.{signature}"), NO_TOKEN),
        ("a header that is none", es256("typ=at+jwt", &claims), NO_TOKEN),
        ("a header in an array", es256(&format!("[{good_header}]"), &claims), NO_TOKEN),
        ("a header and more", es256(&format!("{good_header}{{}}"), &claims), NO_TOKEN),
        ("claims in an array", es256(&good_header, &format!("[{claims}]")), NO_TOKEN),
        ("claims that are null", es256(&good_header, "null"), NO_TOKEN),
        ("claims with a byte order mark", es256(&good_header, &format!("\u{feff}{claims}")), NO_TOKEN),
        ("alg twice", es256(r#"{"alg":"none","typ":"at+jwt","kid":"p256","alg":"ES256"}"#, &claims), NO_TOKEN),
        (
            "alg twice, once escaped",
            es256(r#"{"\u0061lg":"none","typ":"at+jwt","kid":"p256","alg":"ES256"}"#, &claims),
            NO_TOKEN,
        ),
        ("sub twice", es256(&good_header, &claims.replacen('{', r#"{"sub":"device-8","#, 1)), NO_TOKEN),
        (
            "a claim twice further down",
            es256(&good_header, &claims.replacen('{', r#"{"x":{"a":1,"a":2},"#, 1)),
            NO_TOKEN,
        ),
        ("arrays in each other", es256(&good_header, &deep("[", "]")), NO_TOKEN),
        ("as long as it may be", padded(8192), GOOD),
        ("too long", padded(8196), NO_TOKEN),
        ("far too long", padded(16_384), NO_TOKEN),
    ]
}

/// The value of Authorization, in which TOKEN is a good token.
const SCHEMES: &[(&str, &str, Expected)] = &[
    ("in lower case", "bearer TOKEN", GOOD),
    ("with two spaces", "Bearer  TOKEN", GOOD),
    ("nothing", "", NO_TOKEN),
    ("no token", "Bearer", NO_TOKEN),
    ("an empty token", "Bearer ", NO_TOKEN),
    ("no scheme", "TOKEN", NO_TOKEN),
    ("Basic", "Basic dXNlcjpwYXNzd29yZA==", NO_TOKEN),
    ("Basic with a token", "Basic TOKEN", NO_TOKEN),
    ("DPoP", "DPoP TOKEN", NO_TOKEN),
    ("a colon", "Bearer: TOKEN", NO_TOKEN),
    ("a tab", "Bearer\tTOKEN", NO_TOKEN),
    ("quotes", "Bearer \"TOKEN\"", NO_TOKEN),
    ("a parameter", "Bearer token=TOKEN", NO_TOKEN),
    ("two tokens", "Bearer TOKEN TOKEN", NO_TOKEN),
    ("two tokens in a list", "Bearer TOKEN, Bearer TOKEN", NO_TOKEN),
    ("two schemes", "Basic dXNlcjo=, Bearer TOKEN", NO_TOKEN),
    ("a percent sign", "Bearer%20TOKEN", NO_TOKEN),
    ("a letter that is none of ASCII", "Bearer TOKEN\u{e9}", NO_TOKEN),
];

#[tokio::test]
async fn tokens() {
    let window = Site::new().set("time", "window_seconds", "3600");
    let world = World::of(window.set("auth", "leeway_seconds", &LEEWAY.to_string())).await;
    let client = world.uu();
    let headers = HEADERS.iter().map(|(name, members, expected)| {
        let header = set(header(), members).to_string();
        (*name, world.site.tokens.token("ES256", &header, &alice().to_string()), *expected)
    });
    let claims =
        CLAIMS.iter().map(|(name, members, expected)| (*name, world.site.sign(&set(alice(), members)), *expected));
    let times = TIMES.iter().map(|(name, issued, expires, from, expected)| {
        let claims = with(with(alice(), "iat", at(*issued)), "exp", at(*expires));
        (*name, world.site.sign(&with(claims, "nbf", from.map_or(Value::Null, at))), *expected)
    });
    let tokens = headers.chain(claims).chain(times).chain(made(&world.site));
    let tokens = tokens.map(|(name, token, expected)| (name, world.presented(&token), expected));
    let schemes = SCHEMES.iter().map(|(name, value, expected)| {
        (*name, value.replace("TOKEN", world.alice().strip_prefix("Bearer ").unwrap()), *expected)
    });
    let cases = tokens.chain(schemes);
    let body = || km_request().to_string().into_bytes();
    world.run(cases.map(|(name, value, expected)| Case::km(name, &client, value, body(), expected))).await;
    elsewhere(&world, &client).await;
    bound(&world).await;
    world.finish(40).await;
}

/// Tokens where none is looked for, and two.
async fn elsewhere(world: &World, client: &Client) {
    let authorization = world.alice();
    let token = authorization.strip_prefix("Bearer ").unwrap();
    let answer = send(client, &format!("{KM}?access_token={token}"), &[JSON]).await;
    world.check_km("in the query", &answer, NO_TOKEN);
    let form = ("content-type", "application/x-www-form-urlencoded");
    let answer = client.send("POST", KM, &[form], format!("access_token={token}")).await;
    world.check_km("in a form", &answer, NO_TOKEN);
    let cookie = format!("access_token={token}");
    for (name, value) in [
        ("cookie", &cookie),
        ("proxy-authorization", &authorization),
        ("x-authorization", &authorization),
        ("x-forwarded-authorization", &authorization),
    ] {
        world.check_km(name, &send(client, KM, &[JSON, (name, value)]).await, NO_TOKEN);
    }
    let twice = [JSON, ("authorization", &authorization), ("authorization", &authorization)];
    world.check_km("twice", &send(client, KM, &twice).await, NO_TOKEN);
    let two = [JSON, ("authorization", "Basic eDp5"), ("authorization", &authorization)];
    world.check_km("after another", &send(client, KM, &two).await, NO_TOKEN);
    world.check_km("once", &send(client, KM, &twice[..2]).await, GOOD);
}

/// Tokens that are bound to a certificate.
async fn bound(world: &World) {
    let (key, other) = (rcgen::KeyPair::generate().unwrap(), rcgen::KeyPair::generate().unwrap());
    let sign = |key| client_params(VAL.0).signed_by(key, &world.site.authority).unwrap();
    let thumbprint = |certificate: &rcgen::Certificate| {
        base64url(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate.der()))
    };
    let (own, another) = (sign(&key), sign(&other));
    let client = Client::new(world.server.address("km_s"), world.site.client_of_key(&own, &key));
    for (name, value, expected) in [
        ("bound to this certificate", thumbprint(&own), GOOD),
        ("bound to another one of the same name", thumbprint(&another), NO_TOKEN),
        ("bound to this certificate, with padding", thumbprint(&own) + "=", NO_TOKEN),
        ("bound to the beginning", thumbprint(&own)[..40].into(), NO_TOKEN),
    ] {
        let authorization = world.bearer(&with(server(VAL.1), "cnf", json!({"x5t#S256": value})));
        let answer = send(&client, KM, &[JSON, ("authorization", &authorization)]).await;
        world.check_km(name, &answer, expected);
    }
}

async fn send(client: &Client, path: &str, headers: &[(&str, &str)]) -> crate::http::Answer {
    client.send("POST", path, headers, km_request().to_string()).await
}
