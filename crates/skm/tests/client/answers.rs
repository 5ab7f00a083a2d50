//! Which answers a client believes.

use mikey_sakke::km::retrieval::{KeyRecordQuery, ValTargetUe};
use mikey_sakke::km::{BodyError, ErrorCode, Identifier, MAX_RESPONSE_OCTETS, ResponseError, Subject};
use serde_json::{Value, json};
use skm::client::{AnswerError, ClientError, Refused};

use crate::support::{ALICE, NOW, Reply, SKMS, Seen, alice, granted, pair, service, uri};

/// The good answer to the request of [`alice`], as an object.
fn good() -> Value {
    json!({"UserUri": ALICE, "SKmsUri": SKMS, "ServiceID": "urn:example:fleet", "UserID": ALICE, "DateTime": NOW,
        "Payload": "canary payload"})
}

fn with(members: &[(&str, Value)]) -> Value {
    let mut object = good();
    for (name, value) in members {
        match value {
            Value::Null => drop(object.as_object_mut().unwrap().remove(*name)),
            value => object[*name] = value.clone(),
        }
    }
    object
}

/// The good answer with ErrorCode in place of the Payload.
fn refusal(code: &str) -> Value {
    with(&[("Payload", Value::Null), ("ErrorCode", json!(code))])
}

/// What comes of an answer, and how often it was asked for.
async fn outcome(status: u16, body: impl Into<Vec<u8>>) -> (Result<String, ClientError>, usize) {
    let body = body.into();
    let (server, client, _) = pair(move |_| Reply::new(status, body.clone())).await;
    let result = client.record(&service(), &alice()).await.map(|payload| payload.expose().to_owned());
    (result, server.seen().len())
}

async fn response_error(body: Value) -> ResponseError {
    match outcome(200, body.to_string()).await {
        (Err(ClientError::Answer(AnswerError::Response(error))), 1) => error,
        other => panic!("{body}: {other:?}"),
    }
}

#[tokio::test]
async fn the_request_is_one_of_the_interface() {
    let (server, client, _) = pair(granted).await;
    assert_eq!(client.record(&service(), &alice()).await.unwrap().expose(), "canary payload");
    let [seen] = <[Seen; 1]>::try_from(server.seen()).unwrap();
    assert_eq!(
        (seen.method.as_str(), seen.path.as_str(), seen.query.as_deref()),
        ("POST", "/seal-km/v1/km-request", None)
    );
    assert_eq!(seen.header("authorization"), "Bearer canary.token.value");
    assert_eq!(seen.header("content-type"), "application/json");
    assert_eq!(seen.header("accept"), "application/json");
    let body: Value = serde_json::from_slice(&seen.body).unwrap();
    let expected = json!({"Version": "1.0.0", "SKmsUri": SKMS, "ServiceID": "urn:example:fleet", "UserID": ALICE,
        "DateTime": NOW});
    assert_eq!(body, expected);
    assert_eq!(seen.version, hyper::Version::HTTP_2);
}

#[tokio::test]
async fn every_kind_of_subject_is_asked_for() {
    let id = || Identifier::new("c-1").unwrap();
    for subject in [Subject::Service, Subject::Client(id()), Subject::Device(id()), alice()] {
        let (server, client, _) = pair(granted).await;
        assert_eq!(client.record(&service(), &subject).await.unwrap().expose(), "canary payload");
        assert_eq!(*server.seen()[0].request().subject(), subject);
    }
}

#[tokio::test]
async fn an_answer_with_more_members_is_believed() {
    let body = with(&[("SKmsID", json!("skms-1")), ("Extra", json!([1, 2]))]);
    assert_eq!(outcome(200, body.to_string()).await.0.unwrap(), "canary payload");
}

#[tokio::test]
async fn an_answer_to_something_else_is_not_believed() {
    let cases = [
        (with(&[("SKmsUri", json!("sip:other.example.org"))]), ResponseError::OtherServer),
        (with(&[("ServiceID", json!("urn:example:other"))]), ResponseError::ServiceId),
        (with(&[("ServiceID", json!("URN:example:fleet"))]), ResponseError::ServiceId),
        (with(&[("UserID", json!("sip:bob@example.org"))]), ResponseError::Subject),
        (with(&[("UserID", Value::Null)]), ResponseError::Subject),
        (with(&[("UserID", Value::Null), ("ClientID", json!(ALICE))]), ResponseError::Subject),
        (with(&[("UserID", Value::Null), ("DeviceID", json!(ALICE))]), ResponseError::Subject),
        (with(&[("DeviceID", json!("d"))]), ResponseError::Identifiers),
        (with(&[("UserUri", json!("sip:bob@example.org"))]), ResponseError::UserUri),
    ];
    for (body, error) in cases {
        assert_eq!(response_error(body).await, error);
    }
}

#[tokio::test]
async fn an_identifier_that_was_not_asked_for_is_not_believed() {
    let body = good().to_string();
    let (_server, client, _) = pair(move |_| Reply::new(200, body.clone())).await;
    let error = client.record(&service(), &Subject::Service).await.unwrap_err();
    assert!(matches!(error, ClientError::Answer(AnswerError::Response(ResponseError::Subject))), "{error:?}");
}

#[tokio::test]
async fn an_answer_of_another_time_is_not_believed() {
    for (time, is_believed) in [(NOW - 5, true), (NOW + 5, true), (NOW - 6, false), (NOW + 6, false), (0, false)] {
        let (result, requests) = outcome(200, with(&[("DateTime", json!(time))]).to_string()).await;
        assert_eq!(result.is_ok(), is_believed, "{time}");
        assert_eq!(requests, 1, "an answer that was granted is not asked for again");
        if let Err(error) = result {
            let stale = ClientError::Answer(AnswerError::Response(ResponseError::Stale {
                server_time: crate::support::at(time),
                error_code: None,
            }));
            assert_eq!(error.to_string(), stale.to_string());
        }
    }
}

#[tokio::test]
async fn malformed_answers_are_the_servers_fault() {
    let text = |body: Value| body.to_string();
    let cases: [(String, ResponseError); 13] = [
        (String::new(), BodyError::Json.into()),
        ("null".to_owned(), BodyError::Json.into()),
        ("[]".to_owned(), BodyError::Json.into()),
        (text(good()) + "{}", BodyError::Json.into()),
        (text(good()).replacen('{', "{\"Payload\":\"x\",", 1), BodyError::Duplicate.into()),
        (text(good()).replacen('{', "{\"x\":1,\"x\":1,", 1), BodyError::Duplicate.into()),
        (text(with(&[("UserUri", Value::Null)])), BodyError::Missing("UserUri").into()),
        (text(with(&[("DateTime", Value::Null)])), BodyError::Missing("DateTime").into()),
        (text(with(&[("DateTime", json!(1.5))])), BodyError::Integer("DateTime").into()),
        (text(with(&[("SKmsUri", json!("SIP:skms.example.org"))])), BodyError::Uri("SKmsUri").into()),
        (text(with(&[("Payload", json!("a".repeat(49_153)))])), BodyError::Length("Payload").into()),
        (text(with(&[("ErrorCode", json!("01"))])), ResponseError::ErrorCodeAndPayload),
        (text(with(&[("Payload", Value::Null), ("ErrorCode", json!("00"))])), ResponseError::ErrorCode),
    ];
    for (body, expected) in cases {
        match outcome(200, body.clone()).await {
            (Err(ClientError::Answer(AnswerError::Response(error))), 1) => assert_eq!(error, expected, "{body}"),
            other => panic!("{body}: {other:?}"),
        }
    }
    let latin = [b"{\"UserUri\":\"\xe9\"}".as_slice(), good().to_string().as_bytes()].concat();
    assert!(matches!(outcome(200, latin).await.0, Err(ClientError::Answer(_))));
}

#[tokio::test]
async fn success_without_key_material_is_none() {
    let (result, _) = outcome(200, with(&[("Payload", Value::Null)]).to_string()).await;
    assert!(matches!(result, Err(ClientError::Answer(AnswerError::NoPayload))), "{result:?}");
    assert_eq!(outcome(200, with(&[("Payload", json!(""))]).to_string()).await.0.unwrap(), "");
}

#[tokio::test]
async fn each_error_code_comes_with_its_status() {
    let cases = [
        (401, "03", ErrorCode::Rejected),
        (400, "04", ErrorCode::NotValidated),
        (403, "04", ErrorCode::NotValidated),
        (404, "02", ErrorCode::NotAvailable),
        (413, "04", ErrorCode::NotValidated),
        (415, "04", ErrorCode::NotValidated),
    ];
    for (status, digits, code) in cases {
        match outcome(status, refusal(digits).to_string()).await {
            (Err(ClientError::Refused(refused)), 1) => {
                assert_eq!(refused, Refused { status, code, retry_after: None });
            }
            other => panic!("{status}: {other:?}"),
        }
    }
    let unread = with(&[
        ("Payload", Value::Null),
        ("UserID", Value::Null),
        ("ServiceID", json!("")),
        ("UserUri", json!("sip:anonymous@anonymous.invalid")),
        ("ErrorCode", json!("03")),
    ]);
    assert!(matches!(outcome(401, unread.to_string()).await.0, Err(ClientError::Refused(_))));
}

#[tokio::test]
async fn status_and_error_code_have_to_agree() {
    let cases = [
        (200, refusal("02")),
        (200, refusal("01")),
        (400, refusal("02")),
        (403, refusal("03")),
        (404, refusal("04")),
        (404, refusal("05")),
        (401, good()),
        (404, good()),
        (201, good()),
        (301, refusal("01")),
    ];
    for (status, body) in cases {
        match outcome(status, body.to_string()).await {
            (Err(ClientError::Answer(AnswerError::Inconsistent { status: stated, .. })), 1) => {
                assert_eq!(stated, status)
            }
            other => panic!("{status} {body}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_refusal_of_something_else_is_not_believed() {
    for (name, value) in [("SKmsUri", "sip:other.example.org"), ("ServiceID", "urn:x"), ("UserID", "sip:x@example.org")]
    {
        let mut body = refusal("02");
        body[name] = json!(value);
        let (result, requests) = outcome(404, body.to_string()).await;
        assert!(matches!(result, Err(ClientError::Answer(AnswerError::Response(_)))), "{name}: {result:?}");
        assert_eq!(requests, 1);
    }
}

#[tokio::test]
async fn statuses_without_a_km_response_are_named() {
    for (status, body) in [(204, ""), (400, "<html>"), (404, "{}"), (418, ""), (302, "")] {
        let (result, requests) = outcome(status, body).await;
        assert!(matches!(result, Err(ClientError::Answer(AnswerError::Status(s))) if s == status), "{result:?}");
        assert_eq!(requests, 1);
    }
}

#[tokio::test]
async fn an_answer_may_be_as_long_as_any_is_and_no_longer() {
    let padded = |octets: usize| {
        let body = good().to_string();
        format!("{}{body}", " ".repeat(octets - body.len()))
    };
    assert!(outcome(200, padded(MAX_RESPONSE_OCTETS)).await.0.is_ok());
    for octets in [MAX_RESPONSE_OCTETS + 1, 4 * MAX_RESPONSE_OCTETS] {
        let (result, requests) = outcome(200, padded(octets)).await;
        assert!(matches!(result, Err(ClientError::Answer(AnswerError::TooLong))), "{result:?}");
        assert_eq!(requests, 1);
    }
    for (octets, is_believed) in [(MAX_RESPONSE_OCTETS, true), (MAX_RESPONSE_OCTETS + 1, false)] {
        let body = padded(octets);
        let (server, client, _) = pair(move |_| Reply { hides_length: true, ..Reply::new(200, body.clone()) }).await;
        let result = client.record(&service(), &alice()).await;
        assert_eq!(result.is_ok(), is_believed, "{result:?}");
        assert!(is_believed || matches!(result, Err(ClientError::Answer(AnswerError::TooLong))), "{result:?}");
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn errors_show_neither_token_nor_payload() {
    let bodies = [
        (200, with(&[("SKmsUri", json!("sip:other.example.org"))])),
        (200, with(&[("ErrorCode", json!("01"))])),
        (200, with(&[("DateTime", json!("canary payload"))])),
        (404, good()),
        (403, refusal("04")),
    ];
    for (status, body) in bodies {
        let body = body.to_string();
        let (_server, client, _) = pair(move |_| Reply::new(status, body.clone())).await;
        let error = client.record(&service(), &alice()).await.unwrap_err();
        let shown = format!("{error} {error:?} {client:?}");
        assert!(!shown.contains("canary"), "{shown}");
    }
    let (_server, client, _) = pair(granted).await;
    let payload = client.record(&service(), &alice()).await.unwrap();
    assert!(!format!("{payload:?}").contains("canary"));
}

fn key_info() -> Value {
    json!({"userUri": ALICE, "valService": "urn:example:fleet", "valTgtUe": {"valUserId": ALICE}, "keyInfo": "canary"})
}

async fn retrieved(status: u16, body: Value) -> Result<String, ClientError> {
    let body = body.to_string();
    let (server, client, _) = pair(move |_| Reply::new(status, body.clone())).await;
    let query = KeyRecordQuery { val_service_id: service(), val_tgt_ue: Some(ValTargetUe::ValUserId(uri(ALICE))) };
    let result = client.key_info(&query).await.map(|info| info.key_info.expose().to_owned());
    let [seen] = <[Seen; 1]>::try_from(server.seen()).unwrap();
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("GET", "/ss-kir/v1/key-records"));
    assert_eq!(KeyRecordQuery::parse(seen.query.as_deref().unwrap()), Ok(query));
    assert_eq!(seen.header("authorization"), "Bearer canary.token.value");
    result
}

#[tokio::test]
async fn the_rest_api_is_checked_alike() {
    assert_eq!(retrieved(200, key_info()).await.unwrap(), "canary");
    let cases = [
        ("valService", json!("urn:example:other"), ResponseError::ServiceId),
        ("valTgtUe", json!({"valUserId": "sip:bob@example.org"}), ResponseError::Subject),
        ("valTgtUe", json!({"valUeId": ALICE}), ResponseError::Subject),
        ("userUri", json!("sip:bob@example.org"), ResponseError::UserUri),
        ("keyInfo", json!(1), BodyError::Text("keyInfo").into()),
    ];
    for (name, value, expected) in cases {
        let mut body = key_info();
        body[name] = value;
        match retrieved(200, body).await {
            Err(ClientError::Answer(AnswerError::Response(error))) => assert_eq!(error, expected),
            other => panic!("{name}: {other:?}"),
        }
    }
    for (status, code) in
        [(404, ErrorCode::NotAvailable), (403, ErrorCode::NotValidated), (406, ErrorCode::Unspecified)]
    {
        let error = retrieved(status, json!({"status": status})).await.unwrap_err();
        assert!(matches!(error, ClientError::Refused(refused) if refused.code == code && refused.status == status));
    }
    assert!(matches!(retrieved(307, key_info()).await, Err(ClientError::Answer(AnswerError::Status(307)))));
}
