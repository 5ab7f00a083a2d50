//! R27 to R30: what is answered, and what a client takes for an answer.

use mikey_sakke::km::{Payload, ResponseError, Subject};
use serde_json::{Value, json};
use skm::client::{AnswerError, ClientError};
use sqlx::Connection as _;

use crate::network::{answer, impostor, tapped};
use crate::site::{ALICE, SERVICE, SKMS_URI};
use crate::support::{NOW, with};
use crate::world::{BOB, CAROL, OTHER_SERVICE, World, asking, client, device, payload, request, service, user};

const PAYLOAD: &str = "canary of a payload";

/// A KM Response for Alice, with members changed; null removes one.
fn response(changes: &[(&str, Value)]) -> String {
    let response = json!({"UserUri": ALICE, "SKmsUri": SKMS_URI, "ServiceID": SERVICE, "UserID": ALICE,
        "DateTime": NOW, "Payload": PAYLOAD});
    changes.iter().fold(response, |response, (name, value)| with(response, name, value.clone())).to_string()
}

/// What an SKM-C makes of an answer to the request for Alice's record.
async fn told(world: &World, status: &str, body: &str) -> Result<Payload, ClientError> {
    let (address, _) = impostor(&world.site, answer(status, "Content-Type: application/json", body)).await;
    world.skm_c(&world.settings(address)).record(&service(SERVICE), &user(ALICE)).await
}

/// R27: a response comes back in the secure connection of its request.
#[tokio::test]
async fn r27_request_and_response_share_a_secure_connection() {
    let world = World::new().await;
    let (wire, octets) = tapped(world.km_uu()).await;
    let found = world.skm_c(&world.settings(wire)).record(&service(SERVICE), &Subject::Service).await.unwrap();
    assert_eq!(found.expose(), payload(SERVICE, &Subject::Service));
    let octets = octets.lock().unwrap().concat();
    assert!(!octets.is_empty());
    for clear in [found.expose(), SERVICE, "Bearer", "km-request"] {
        assert!(!octets.windows(clear.len()).any(|window| window == clear.as_bytes()), "{clear}");
    }
}

#[tokio::test]
async fn r27_a_response_from_elsewhere_is_not_fetched() {
    let world = World::new().await;
    let (elsewhere, requests) = impostor(&world.site, answer("200 OK", "A: b", &response(&[]))).await;
    let location = format!("Location: https://localhost:{}/", elsewhere.port());
    let (address, _) = impostor(&world.site, answer("307 Temporary Redirect", &location, "")).await;
    let result = world.skm_c(&world.settings(address)).record(&service(SERVICE), &user(ALICE)).await;
    assert!(matches!(result, Err(ClientError::Answer(AnswerError::Status(307)))), "{result:?}");
    assert!(requests.lock().unwrap().is_empty());
}

/// R28: each identifier of the request stands in the response as it was, and no other.
#[tokio::test]
async fn r28_each_identifier_is_repeated() {
    let world = World::new().await;
    let ue = world.ue().claiming("val_service_ids", json!([SERVICE, OTHER_SERVICE]));
    for subject in [Subject::Service, client("client-1"), device("device-7"), user(ALICE), user(BOB)] {
        for (service, date_time) in [(SERVICE, NOW), (OTHER_SERVICE, NOW), (SERVICE, NOW - 60)] {
            let mut changes = asking(&subject);
            changes.extend([("ServiceID", json!(service)), ("DateTime", json!(date_time))]);
            let (request, answer) = (request(&changes), ue.ask(&changes).await.json());
            for name in ["ServiceID", "ClientID", "DeviceID", "UserID"] {
                assert_eq!(answer.get(name), request.get(name), "{answer}");
            }
        }
    }
}

#[tokio::test]
async fn r28_a_response_with_other_identifiers_is_not_taken() {
    let world = World::new().await;
    assert_eq!(told(&world, "200 OK", &response(&[])).await.unwrap().expose(), PAYLOAD);
    let result = told(&world, "200 OK", &response(&[("ServiceID", json!(OTHER_SERVICE))])).await;
    let error = |result: Result<Payload, ClientError>| match result {
        Err(ClientError::Answer(AnswerError::Response(error))) => Some(error),
        _ => None,
    };
    assert_eq!(error(result), Some(ResponseError::ServiceId));
    for changes in [
        vec![("UserID", json!(BOB))],
        vec![("UserID", Value::Null)],
        vec![("UserID", Value::Null), ("DeviceID", json!(ALICE))],
    ] {
        assert_eq!(error(told(&world, "200 OK", &response(&changes)).await), Some(ResponseError::Subject));
    }
}

/// R29: a success has the key material, and no ErrorCode.
#[tokio::test]
async fn r29_a_success_has_a_payload_and_no_error_code() {
    let world = World::new().await;
    let answer = world.ue().gets(SERVICE, &user(ALICE)).await;
    assert!(answer.get("ErrorCode").is_none());
}

#[tokio::test]
async fn r29_a_success_with_an_error_code_is_not_taken() {
    let world = World::new().await;
    let body = response(&[("Payload", Value::Null), ("ErrorCode", json!("02"))]);
    let result = told(&world, "200 OK", &body).await;
    assert!(matches!(result, Err(ClientError::Answer(AnswerError::Inconsistent { status: 200, .. }))), "{result:?}");
}

#[tokio::test]
async fn r29_a_success_without_a_payload_is_not_taken() {
    let world = World::new().await;
    let result = told(&world, "200 OK", &response(&[("Payload", Value::Null)])).await;
    assert!(matches!(result, Err(ClientError::Answer(AnswerError::NoPayload))), "{result:?}");
}

/// R30: a failure has an ErrorCode, and no Payload.
#[tokio::test]
async fn r30_a_failure_has_an_error_code_and_no_payload() {
    let world = World::new().await;
    let carol = [("UserID", json!(CAROL))];
    world.ue().claiming("val_user_id", json!(CAROL)).ask(&carol).await.assert_km(404, Some("02"));
    world.ue().client.key_request("none", request(&[]).to_string()).await.assert_km(401, Some("03"));
    world.ue().ask(&[("DateTime", json!(0))]).await.assert_km(400, Some("04"));
    world.ue().ask(&carol).await.assert_km(403, Some("04"));
    let url = format!("sqlite:{}", world.site.path("skms.db").display());
    let mut database = sqlx::SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("DROP TABLE sealed_rows").execute(&mut database).await.unwrap();
    world.ue().ask(&[]).await.assert_km(500, Some("01"));
}

#[tokio::test]
async fn r30_a_failure_with_a_payload_is_not_taken() {
    let world = World::new().await;
    for status in ["404 Not Found", "200 OK"] {
        let result = told(&world, status, &response(&[("ErrorCode", json!("02"))])).await;
        assert!(matches!(result, Err(ClientError::Answer(_))), "{result:?}");
    }
}

#[tokio::test]
async fn r30_a_failure_without_an_error_code_is_not_taken() {
    let world = World::new().await;
    let result = told(&world, "404 Not Found", &response(&[])).await;
    assert!(matches!(result, Err(ClientError::Answer(AnswerError::Inconsistent { status: 404, .. }))), "{result:?}");
}
