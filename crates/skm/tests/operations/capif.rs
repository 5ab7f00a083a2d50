//! API invokers of CAPIF on KM-S of the running program.

use serde_json::{Value, json};

use crate::http::{Answer, Client};
use crate::program::run;
use crate::site::{BY_CERTIFICATE, Process, SERVICE, Site, VAL, km_request, now};
use crate::support::{Issuer, capif_claims, with};

const RECORDS: &str = "/ss-kir/v1/key-records";

/// A server that is an API exposing function, with a record of the service, and the core function's tokens.
struct Exposing {
    site: Site,
    server: Process,
    core: Issuer,
}

impl Exposing {
    async fn new() -> Self {
        let core = Issuer::new();
        let site = Site::new().exposing(&core);
        let server = site.spawn(&[]);
        let exposing = Self { site, server, core };
        exposing.provide().await;
        exposing
    }

    async fn provide(&self) {
        use crate::site::{ALICE, PROVISIONER};
        let token = format!("Bearer {}", self.site.token(PROVISIONER.1, "seal:key-provisioning"));
        let headers = [crate::http::JSON, ("authorization", token.as_str())];
        let record = json!({"UserUri": ALICE, "Payload": "keys of the fleet"}).to_string();
        let path = format!("/seal-km/v1/services/{SERVICE}/key-records");
        assert_eq!(self.invoker(PROVISIONER.0).send("PUT", &path, &headers, record).await.status, 201);
    }

    /// A client on KM-S whose certificate has this URI.
    fn invoker(&self, uri: &str) -> Client {
        Client::new(self.server.address("km_s"), self.site.client(uri))
    }

    /// A token of the core function for the VAL server, with claims changed.
    fn token(&self, changes: &[(&str, Value)]) -> String {
        let claims = with(with(capif_claims(), "client_id", json!(VAL.1)), "exp", json!(now() + 600));
        self.core.es256(&changes.iter().fold(claims, |claims, (name, value)| with(claims, name, value.clone())))
    }

    /// What the VAL server is answered with a token.
    async fn ask(&self, token: &str) -> Answer {
        ask(&self.invoker(VAL.0), Some(token)).await
    }

    /// The cause for which the VAL server is refused with a token of the core function.
    async fn refusal(&self, changes: &[(&str, Value)]) -> (u16, String) {
        let answer = self.ask(&self.token(changes)).await;
        (answer.status, answer.json()["cause"].as_str().unwrap().to_owned())
    }
}

async fn ask(client: &Client, token: Option<&str>) -> Answer {
    let value = token.map(|token| format!("Bearer {token}"));
    let header = value.as_ref().map(|value| ("authorization", value.as_str()));
    client.send("GET", &format!("{RECORDS}?val-service-id={SERVICE}"), header.as_slice(), "").await
}

#[tokio::test]
async fn an_invoker_with_a_token_of_the_core_function_is_answered() {
    let exposing = Exposing::new().await;
    let answer = exposing.ask(&exposing.token(&[])).await;
    assert_eq!((answer.status, answer.json()["keyInfo"].as_str()), (200, Some("keys of the fleet")), "{answer:?}");
    let without_capif = exposing.site.sign(&with(
        with(crate::site::claims(VAL.1, "seal:key-management"), "val_user_id", Value::Null),
        "val_service_ids",
        Value::Null,
    ));
    assert_eq!(exposing.ask(&without_capif).await.status, 200, "a VAL server without CAPIF");

    let (forbidden, token) = ((403, "NOT_PERMITTED".to_owned()), (401, "TOKEN".to_owned()));
    let cases = [
        ("another function", "scope", json!("3gpp#aef-2:ss-kir"), &forbidden),
        ("another API", "scope", json!("3gpp#aef-1:ss-gm"), &forbidden),
        ("the scope of SEAL", "scope", json!("seal:key-management"), &forbidden),
        ("another invoker", "client_id", json!("invoker-2"), &forbidden),
        ("no scope", "scope", Value::Null, &token),
        ("a malformed scope", "scope", json!("3gpp#aef-1"), &token),
        ("no invoker", "client_id", Value::Null, &token),
        ("expired", "exp", json!(now() - 30), &token),
        ("for ever", "exp", json!(now() + 86_400), &token),
        ("another audience", "aud", json!("aef-2"), &token),
        ("another issuer", "iss", json!("https://ccf.example.com"), &token),
        ("the issuer of SEAL", "iss", json!("https://idms.example.org"), &token),
    ];
    for (what, name, value, refusal) in cases {
        assert_eq!(exposing.refusal(&[(name, value)]).await, *refusal, "{what}");
    }
    let forged = Issuer::new().es256(&with(capif_claims(), "exp", json!(now() + 600)));
    assert_eq!(exposing.ask(&forged).await.status, 401, "signed by another");
    let other = exposing.invoker("https://val-2.example.org");
    ask(&other, Some(&exposing.token(&[]))).await.assert_problem(403, "NOT_PERMITTED");
}

#[tokio::test]
async fn a_token_of_the_core_function_is_for_no_other_route_or_listener() {
    let exposing = Exposing::new().await;
    let token = exposing.token(&[("scope", json!("seal:key-management seal:key-provisioning 3gpp#aef-1:ss-kir"))]);
    assert_eq!(exposing.ask(&token).await.status, 200);
    let invoker = exposing.invoker(VAL.0);
    invoker.key_request(&token, km_request().to_string()).await.assert_km(401, Some("03"));
    let bearer = format!("Bearer {token}");
    for (method, path) in [
        ("GET", "/seal-km/v1/domain"),
        ("GET", "/seal-km/v1/services/urn:example:fleet/key-records"),
        ("DELETE", "/seal-km/v1/services/urn:example:fleet/key-records"),
    ] {
        invoker.send(method, path, &[("authorization", &bearer)], "").await.assert_problem(401, "TOKEN");
    }
    let ue = Client::new(exposing.server.address("km_uu"), exposing.site.anonymous());
    ask(&ue, Some(&token)).await.assert_problem(401, "TOKEN");
}

#[tokio::test]
async fn an_invoker_is_answered_by_its_certificate_alone_where_the_policy_says_so() {
    let exposing = Exposing::new().await;
    let invoker = exposing.invoker(BY_CERTIFICATE);
    assert_eq!(ask(&invoker, None).await.status, 200);
    // Whoever has a row with a client needs its token, and whoever has none has nothing.
    for uri in [VAL.0, "https://val-2.example.org"] {
        ask(&exposing.invoker(uri), None).await.assert_problem(401, "TOKEN");
    }
    for token in [exposing.token(&[]), exposing.site.token(VAL.1, "seal:key-management")] {
        ask(&invoker, Some(&token)).await.assert_problem(403, "NOT_PERMITTED");
    }
    ask(&invoker, Some("none")).await.assert_problem(401, "TOKEN");
    let twice = invoker.request("GET", &format!("{RECORDS}?val-service-id={SERVICE}"));
    let twice = twice.header("authorization", "Bearer one").header("authorization", "Bearer two");
    Answer::of(twice).await.unwrap().assert_problem(401, "TOKEN");
    let other = format!("{RECORDS}?val-service-id=urn:example:other");
    invoker.get(&other).await.assert_problem(403, "NOT_PERMITTED");
    let alice = format!(
        "{RECORDS}?val-service-id={SERVICE}&val-tgt-ue=%7B%22valUserId%22%3A%22sip%3Aalice%40example.org%22%7D"
    );
    invoker.get(&alice).await.assert_problem(403, "NOT_PERMITTED");
    invoker.get("/seal-km/v1/domain").await.assert_problem(401, "TOKEN");
    let body = km_request().to_string();
    invoker.send("POST", crate::http::KM, &[crate::http::JSON], body).await.assert_km(401, Some("03"));
    let log = run(exposing.site.command(&["audit", "list"]), "").done();
    assert!(log.contains(BY_CERTIFICATE), "{log}");
}

#[test]
fn tls_psk_is_refused_before_anything_is_served() {
    let site = Site::new().set("capif", "methods", "[\"psk\"]").set("capif", "aef_id", "\"aef-1\"");
    let run = run(site.command(&["serve"]), "");
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.contains("psk is not offered") && run.err.contains("AEF_PSK"), "{}", run.err);
}
