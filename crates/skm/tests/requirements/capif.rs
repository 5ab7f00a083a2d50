//! R8, R47: the server as an API exposing function of CAPIF.

use mikey_sakke::km::Subject;
use serde_json::{Value, json};
use skm::config::Config;

use crate::http::{Answer, Client, KM};
use crate::site::{BY_CERTIFICATE, SERVICE, Site, VAL};
use crate::support::{Issuer, NOW, capif_claims, with};
use crate::world::{World, payload};

/// A server with a CAPIF core function.
struct Exposing {
    world: World,
    core: Issuer,
}

impl Exposing {
    async fn new() -> Self {
        let core = Issuer::new();
        let site = Site::new().exposing(&core);
        Self { world: World::of(site).await, core }
    }

    /// A client on KM-S whose certificate has this URI.
    fn invoker(&self, uri: &str) -> Client {
        Client::new(self.world.km_s(), self.world.site.client(uri))
    }

    /// A token of the core function for the VAL server, with a claim changed.
    fn token(&self, name: &str, value: Value) -> String {
        self.core.es256(&with(with(capif_claims(), "client_id", json!(VAL.1)), name, value))
    }

    async fn ask(&self, name: &str, value: Value) -> Answer {
        ask(&self.invoker(VAL.0), Some(&self.token(name, value))).await
    }
}

async fn ask(client: &Client, token: Option<&str>) -> Answer {
    let value = token.map(|token| format!("Bearer {token}"));
    let header = value.as_ref().map(|value| ("authorization", value.as_str()));
    client.send("GET", &format!("/ss-kir/v1/key-records?val-service-id={SERVICE}"), header.as_slice(), "").await
}

fn assert_key(answer: &Answer) {
    let key = payload(SERVICE, &Subject::Service);
    assert_eq!((answer.status, answer.json()["keyInfo"].as_str()), (200, Some(key.as_str())), "{answer:?}");
}

/// R8: with CAPIF the method of CAPIF-2e is that of TS 33.122 on which core function and invoker have agreed: an access
/// token that names function and API, or a certificate alone.
#[tokio::test]
async fn r8_a_token_for_this_function_and_api_is_answered() {
    let exposing = Exposing::new().await;
    assert_key(&exposing.ask("jti", json!("one")).await);
}

#[tokio::test]
async fn r8_a_token_for_another_function_or_api_is_refused() {
    let exposing = Exposing::new().await;
    for scope in ["3gpp#aef-2:ss-kir", "3gpp#aef-1:ss-gm", "seal:key-management"] {
        exposing.ask("scope", json!(scope)).await.assert_problem(403, "NOT_PERMITTED");
    }
    exposing.ask("scope", Value::Null).await.assert_problem(401, "TOKEN");
}

#[tokio::test]
async fn r8_a_token_of_the_core_function_that_has_expired_is_refused() {
    let exposing = Exposing::new().await;
    for (expires, is_answered) in [(NOW - 29, true), (NOW - 30, false)] {
        assert_eq!(exposing.ask("exp", json!(expires)).await.status == 200, is_answered);
    }
}

#[tokio::test]
async fn r8_a_token_of_another_invoker_is_refused() {
    let exposing = Exposing::new().await;
    exposing.ask("client_id", json!("invoker-2")).await.assert_problem(403, "NOT_PERMITTED");
}

#[tokio::test]
async fn r8_a_certificate_alone_is_answered_where_the_policy_says_so() {
    let exposing = Exposing::new().await;
    assert_key(&ask(&exposing.invoker(BY_CERTIFICATE), None).await);
}

#[tokio::test]
async fn r8_a_certificate_alone_is_refused_elsewhere() {
    let exposing = Exposing::new().await;
    for uri in [VAL.0, "https://val-2.example.org"] {
        ask(&exposing.invoker(uri), None).await.assert_problem(401, "TOKEN");
    }
}

#[test]
fn r8_tls_psk_is_refused_with_its_reason() {
    let site = Site::new().set("capif", "methods", "[\"psk\"]").set("capif", "aef_id", "\"aef-1\"");
    let error = Config::read(site.config_text(), []).unwrap_err();
    assert!(error.what.contains("psk is not offered") && error.what.contains("AEF_PSK"), "{error}");
}

/// R47: the server is an API exposing function, and KM-S, on which the API stands, an instance of CAPIF-2.
#[tokio::test]
async fn r47_api_invokers_are_answered_on_km_s() {
    let exposing = Exposing::new().await;
    assert_key(&exposing.ask("jti", json!("one")).await);
    assert_key(&ask(&exposing.invoker(BY_CERTIFICATE), None).await);
}

#[tokio::test]
async fn r47_api_invokers_are_refused_elsewhere() {
    let exposing = Exposing::new().await;
    let token = exposing.token("scope", json!("seal:key-management 3gpp#aef-1:ss-kir"));
    let ue = Client::new(exposing.world.km_uu(), exposing.world.site.anonymous());
    ask(&ue, Some(&token)).await.assert_problem(401, "TOKEN");
    let request = crate::world::request(&[]).to_string();
    exposing.invoker(VAL.0).key_request(&token, request.clone()).await.assert_km(401, Some("03"));
    let invoker = exposing.invoker(BY_CERTIFICATE);
    invoker.send("POST", KM, &[crate::http::JSON], request).await.assert_km(401, Some("03"));
}
