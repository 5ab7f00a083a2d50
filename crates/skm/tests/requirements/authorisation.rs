//! R13 to R18: who is let in, by access tokens.

use mikey_sakke::km::ANONYMOUS;
use mikey_sakke::km::Subject;
use serde_json::{Value, json};
use skm::client::{ClientError, FileToken, TokenError};

use crate::http::{JSON, KM};
use crate::network::tapped;
use crate::site::{ALICE, SERVICE};
use crate::support::{NOW, claims};
use crate::world::{FORBIDDEN, OTHER_SERVICE, TOKEN, World, device, payload, request, service, skm_c};

/// R13: SEAL identity management has authenticated the user before a KM Request.
#[tokio::test]
async fn r13_an_authenticated_user_is_answered() {
    let world = World::new().await;
    assert_eq!(world.ue().gets(SERVICE, &Subject::Service).await["UserUri"], ALICE);
}

#[tokio::test]
async fn r13_a_user_whom_somebody_else_authenticated_is_refused() {
    let world = World::new().await;
    let answer = world.ue().claiming("iss", json!("https://elsewhere.example.org")).ask(&[]).await;
    assert_eq!(answer.assert_km(401, Some("03"))["UserUri"], ANONYMOUS);
}

/// R14: every KM Request carries an access token for key management.
#[tokio::test]
async fn r14_a_token_for_key_management_is_answered() {
    let world = World::new().await;
    world.ue().claiming("scope", json!("seal:key-management")).gets(SERVICE, &Subject::Service).await;
}

#[tokio::test]
async fn r14_a_token_for_something_else_is_refused() {
    let world = World::new().await;
    for scope in ["openid", "seal:key-provisioning", "seal:key-management-2"] {
        world.ue().claiming("scope", json!(scope)).is_refused(SERVICE, &Subject::Service, FORBIDDEN).await;
    }
}

#[tokio::test]
async fn r14_no_request_is_answered_on_the_token_of_another() {
    let world = World::new().await;
    let ue = world.ue();
    ue.gets(SERVICE, &Subject::Service).await;
    ue.client.send("POST", KM, &[JSON], request(&[]).to_string()).await.assert_km(401, Some("03"));
}

/// R15: a client in a UE has its token from SEAL identity management; how a VAL server gets one is left open.
#[tokio::test]
async fn r15_a_client_takes_each_token_from_its_source() {
    let world = World::new().await;
    let path = world.site.path("token");
    let client = skm_c(&world.settings(world.km_uu()), FileToken::new(&path));
    for id in [SERVICE, OTHER_SERVICE] {
        std::fs::write(&path, world.ue().claiming("val_service_ids", json!([id])).token()).unwrap();
        let found = client.record(&service(id), &Subject::Service).await.unwrap();
        assert_eq!(found.expose(), payload(id, &Subject::Service));
    }
}

#[tokio::test]
async fn r15_without_a_token_a_client_sends_nothing() {
    let world = World::new().await;
    let (wire, octets) = tapped(world.km_uu()).await;
    let client = skm_c(&world.settings(wire), FileToken::new(world.site.path("none")));
    let result = client.record(&service(SERVICE), &Subject::Service).await;
    assert!(matches!(result, Err(ClientError::Token(TokenError::Source(_)))), "{result:?}");
    assert!(octets.lock().unwrap().is_empty());
}

/// R16: a client presents a token for each service, which is granted if that is valid.
#[tokio::test]
async fn r16_the_service_of_the_token_is_granted() {
    let world = World::new().await;
    for id in [SERVICE, OTHER_SERVICE] {
        world.ue().claiming("val_service_ids", json!([id])).gets(id, &Subject::Service).await;
    }
}

#[tokio::test]
async fn r16_another_service_is_refused() {
    let world = World::new().await;
    for services in [json!([SERVICE]), json!([]), Value::Null] {
        let ue = world.ue().claiming("val_service_ids", services);
        ue.is_refused(OTHER_SERVICE, &Subject::Service, FORBIDDEN).await;
    }
}

/// R17: the server maps VAL services to the key material of a UE, as identity management maps them to the UE.
#[tokio::test]
async fn r17_a_ue_has_its_own_key_material_in_each_service() {
    let world = World::new().await;
    let ue = world.ue().claiming("val_service_ids", json!([SERVICE, OTHER_SERVICE]));
    for id in [SERVICE, OTHER_SERVICE] {
        ue.gets(id, &device("device-7")).await;
    }
}

#[tokio::test]
async fn r17_the_key_material_of_another_ue_is_refused() {
    let world = World::new().await;
    world.ue().is_refused(SERVICE, &device("device-8"), FORBIDDEN).await;
}

/// R18: what a server takes is an access token, which is short-lived and names an identity and services.
#[tokio::test]
async fn r18_an_access_token_is_taken() {
    let world = World::new().await;
    world.ue().gets(SERVICE, &Subject::Service).await;
}

#[tokio::test]
async fn r18_an_id_token_is_refused() {
    let world = World::new().await;
    world.ue().claiming("nonce", json!("n-0S6_WzA2Mj")).is_refused(SERVICE, &Subject::Service, TOKEN).await;
}

#[tokio::test]
async fn r18_a_refresh_token_is_refused() {
    let world = World::new().await;
    let answer = world.ue().client.key_request("8xLOxBtZp8", request(&[]).to_string()).await;
    answer.assert_km(401, Some("03"));
}

#[tokio::test]
async fn r18_a_token_that_lives_long_is_refused() {
    let world = World::new().await;
    let issued = claims()["iat"].as_u64().unwrap();
    world.ue().claiming("exp", json!(issued + 3600)).gets(SERVICE, &Subject::Service).await;
    world.ue().claiming("exp", json!(issued + 3601)).is_refused(SERVICE, &Subject::Service, TOKEN).await;
}

#[tokio::test]
async fn r18_an_expired_token_is_refused() {
    let world = World::new().await;
    // Half a minute is for clocks that differ.
    for (expires, is_answered) in [(NOW - 29, true), (NOW - 30, false)] {
        let ue = world.ue().claiming("iat", json!(NOW - 600)).claiming("exp", json!(expires));
        assert_eq!(ue.ask(&[]).await.status == 200, is_answered);
    }
}
