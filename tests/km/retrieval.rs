//! SS_KeyInfoRetrieval of TS 29.549, and how it maps to the KM messages.

use mikey_sakke::error::UsageError;
use mikey_sakke::km::retrieval::{KeyRecordQuery, ValKeyInfo, ValTargetUe};
use mikey_sakke::km::{BodyError, DEFAULT_WINDOW, ErrorCode, Payload, RequestError, Response, ResponseError, Subject};

use crate::common::{
    PAYLOAD, alice, id, now, payload, replaced, request, request_for, response, server, subjects, uri,
};

const QUERY: &str =
    "val-service-id=urn%3Aexample%3Afleet&val-tgt-ue=%7B%22valUserId%22%3A%22sip%3Aalice%40example.org%22%7D";

const KEY_INFO: &str = r#"{"userUri":"sip:alice@example.org","skmsId":"skms-1","valService":"urn:example:fleet","valTgtUe":{"valUserId":"sip:alice@example.org"},"keyInfo":"canary"}"#;

fn query() -> KeyRecordQuery {
    KeyRecordQuery { val_service_id: id("urn:example:fleet"), val_tgt_ue: Some(ValTargetUe::ValUserId(alice())) }
}

/// The query with this value of `val-tgt-ue`, percent-encoded.
fn with_target(json: &str) -> Result<KeyRecordQuery, RequestError> {
    let encoded: String = json.bytes().map(|octet| format!("%{octet:02x}")).collect();
    KeyRecordQuery::parse(&format!("val-service-id=a&val-tgt-ue={encoded}"))
}

#[test]
fn a_query_is_written_as_it_is_read() {
    assert_eq!(KeyRecordQuery::parse(QUERY), Ok(query()));
    assert_eq!(query().to_query(), QUERY);
    let ue = KeyRecordQuery { val_tgt_ue: Some(ValTargetUe::ValUeId(id("é &+%=#?"))), ..query() };
    let service = KeyRecordQuery { val_service_id: id("a b"), val_tgt_ue: None };
    for query in [ue, service] {
        assert_eq!(KeyRecordQuery::parse(&query.to_query()), Ok(query));
    }
}

#[test]
fn other_spellings_of_a_query_are_read() {
    let service = KeyRecordQuery { val_service_id: id("a b"), val_tgt_ue: None };
    for query in
        ["val-service-id=a+b", "val-service-id=a%20b&", "&x=1&&y&val-service-id=a b&x=2", "val%2Dservice-id=a+b"]
    {
        assert_eq!(KeyRecordQuery::parse(query), Ok(service.clone()), "{query}");
    }
    // As a client writes it that puts a space into JSON, and encodes as forms do.
    let spaced = "val-tgt-ue=%7B%22valUserId%22%3A+%22sip%3Aalice%40example.org%22%7D&val-service-id=urn:example:fleet";
    assert_eq!(KeyRecordQuery::parse(spaced), Ok(query()));
    // A plus sign that is not encoded is a space, so that a number with one is refused, not misread.
    let number = |plus| with_target_raw(&format!("%7B%22valUserId%22:%22tel:{plus}447700900123%22%7D"));
    assert!(number("%2B").is_ok());
    assert_eq!(number("+"), Err(BodyError::Uri("valUserId").into()));
}

fn with_target_raw(encoded: &str) -> Result<KeyRecordQuery, RequestError> {
    KeyRecordQuery::parse(&format!("val-service-id=a&val-tgt-ue={encoded}"))
}

#[test]
fn malformed_queries_are_refused() {
    let target = "val-tgt-ue=%7B%22valUeId%22:%22a%22%7D";
    for (query, error) in [
        ("", BodyError::Missing("val-service-id")),
        (target, BodyError::Missing("val-service-id")),
        ("Val-Service-Id=a", BodyError::Missing("val-service-id")),
        ("?val-service-id=a", BodyError::Missing("val-service-id")),
        ("val-service-id", BodyError::Length("val-service-id")),
        ("val-service-id=", BodyError::Length("val-service-id")),
        ("val-service-id=a%00", BodyError::Character("val-service-id")),
        ("val-service-id=%0d%0a", BodyError::Character("val-service-id")),
        ("val-service-id=a&val-service-id=a", BodyError::Duplicate),
        ("val-service-id=a&val%2dservice%2did=b", BodyError::Duplicate),
        (&format!("val-service-id=a&{target}&{target}"), BodyError::Duplicate),
        ("val-service-id=%", BodyError::Escape),
        ("val-service-id=%4", BodyError::Escape),
        ("val-service-id=%4g", BodyError::Escape),
        ("val-service-id=%+1", BodyError::Escape),
        ("val-service-id=%ff", BodyError::Escape),
        ("val-service-id=%c0%80", BodyError::Escape),
        ("val-service-id=a&%=1", BodyError::Escape),
        ("val-service-id=a&val-tgt-ue=", BodyError::Json),
        ("val-service-id=a&val-tgt-ue=sip:alice@example.org", BodyError::Json),
        ("val-service-id=a&val-tgt-ue=%7B%22valUeId%22:%22a%22%7D%7D", BodyError::Json),
    ] {
        assert_eq!(KeyRecordQuery::parse(query), Err(error.into()), "{query}");
    }
    let long = format!("val-service-id={}", "a".repeat(1_025));
    assert_eq!(KeyRecordQuery::parse(&long), Err(BodyError::Length("val-service-id").into()));
}

#[test]
fn a_target_has_exactly_one_member() {
    let target = |json: &str| with_target(json).map(|query| query.val_tgt_ue);
    assert_eq!(target(r#"{"valUeId":"ue-1"}"#), Ok(Some(ValTargetUe::ValUeId(id("ue-1")))));
    assert_eq!(target(r#" {"valUserId" : "sip:\u0061lice@example.org"} "#), Ok(Some(ValTargetUe::ValUserId(alice()))));
    for json in [
        "{}",
        r#"{"valUserId":"sip:alice@example.org","valUeId":"ue-1"}"#,
        r#"{"valUeId":"ue-1","other":1}"#,
        r#"{"valueid":"ue-1"}"#,
        r#"{"valClientId":"c"}"#,
    ] {
        assert_eq!(target(json), Err(RequestError::Identifiers), "{json}");
    }
    for (json, error) in [
        (r#"{"valUeId":"a","valUeId":"b"}"#, BodyError::Duplicate),
        (r#"{"valUeId":1}"#, BodyError::Text("valUeId")),
        (r#"{"valUeId":""}"#, BodyError::Length("valUeId")),
        (r#"{"valUserId":null}"#, BodyError::Text("valUserId")),
        (r#"{"valUserId":"SIP:alice@example.org"}"#, BodyError::Uri("valUserId")),
        (r#"[{"valUeId":"a"}]"#, BodyError::Json),
        ("null", BodyError::Json),
    ] {
        assert_eq!(target(json), Err(error.into()), "{json}");
    }
}

#[test]
fn a_query_maps_to_a_request_and_back() {
    assert_eq!(KeyRecordQuery::from_request(&request()), Ok(query()));
    assert_eq!(query().into_request(server(), now()), Ok(request()));
    for subject in subjects() {
        let request = request_for(subject.clone());
        match KeyRecordQuery::from_request(&request) {
            Ok(query) => {
                let query = KeyRecordQuery::parse(&query.to_query()).unwrap();
                assert_eq!(query.into_request(server(), now()), Ok(request));
            }
            // There is no VAL client in the REST API.
            Err(error) => assert!(error == UsageError::FieldLength && matches!(subject, Subject::Client(_))),
        }
    }
}

#[test]
fn key_information_maps_to_a_response_and_back() {
    let info = ValKeyInfo::from_response(response()).unwrap();
    assert_eq!((info.user_uri.clone(), info.skms_id.clone()), (alice(), Some(id("skms-1"))));
    assert_eq!(info.key_info.expose(), PAYLOAD);
    assert_eq!(ValKeyInfo::from_json(info.to_json().as_bytes()), Ok(info.clone()));
    assert_eq!(info.into_response(server(), now()), Ok(response()));
    for subject in subjects() {
        let request = request_for(subject.clone());
        let answer = Response::success(&request, alice(), Some(payload()), now()).unwrap();
        match ValKeyInfo::from_response(answer) {
            Ok(info) => {
                let answer = info.into_response(server(), now()).unwrap();
                assert_eq!(answer.accept(&request, now(), DEFAULT_WINDOW), Ok(Some(payload())));
            }
            Err(error) => assert!(error == ResponseError::Subject && matches!(subject, Subject::Client(_))),
        }
    }
    let none = Response::success(&request(), alice(), None, now()).unwrap();
    assert_eq!(ValKeyInfo::from_response(none).unwrap().key_info, Payload::default());
    let failed = Response::failure(server(), alice(), (&request()).into(), ErrorCode::NotAvailable, now()).unwrap();
    assert_eq!(ValKeyInfo::from_response(failed), Err(ResponseError::Failed(ErrorCode::NotAvailable)));
}

#[test]
fn key_information_for_another_is_not_accepted() {
    let accept = |json: &str| {
        let answer = ValKeyInfo::from_json(json.as_bytes()).unwrap().into_response(server(), now()).unwrap();
        answer.accept(&request(), now(), DEFAULT_WINDOW)
    };
    assert!(accept(KEY_INFO).is_ok());
    assert_eq!(accept(&replaced(KEY_INFO, "fleet", "float")), Err(ResponseError::ServiceId));
    assert_eq!(accept(&replaced(KEY_INFO, "valUserId", "valUeId")), Err(ResponseError::Subject));
    let target = r#""valTgtUe":{"valUserId":"sip:alice@example.org"},"#;
    assert_eq!(accept(&replaced(KEY_INFO, target, "")), Err(ResponseError::Subject));
    let other = replaced(KEY_INFO, "\"userUri\":\"sip:alice@", "\"userUri\":\"sip:bob@");
    assert_eq!(accept(&other), Err(ResponseError::UserUri));
}

#[test]
fn malformed_key_information_is_refused() {
    let read = |json: &str| ValKeyInfo::from_json(json.as_bytes());
    assert_eq!(read(KEY_INFO).unwrap().user_uri, uri("sip:alice@example.org"));
    for (from, to, error) in [
        ("userUri", "userURI", BodyError::Missing("userUri")),
        ("valService", "valServiceId", BodyError::Missing("valService")),
        ("keyInfo", "keyinfo", BodyError::Missing("keyInfo")),
        ("\"canary\"", "null", BodyError::Text("keyInfo")),
        ("\"canary\"", "\"canary\",\"keyInfo\":\"\"", BodyError::Duplicate),
        ("skms-1", "", BodyError::Length("skmsId")),
        ("urn:example:fleet", "\\u0000", BodyError::Character("valService")),
        ("{\"valUserId\":\"sip:alice@example.org\"}", "null", BodyError::Json),
        ("{\"valUserId\":\"sip:alice@", "{\"valUserId\":\"SIP:alice@", BodyError::Uri("valUserId")),
    ] {
        assert_eq!(read(&replaced(KEY_INFO, from, to)), Err(error.into()), "{to}");
    }
    for target in ["{}", r#"{"valUeId":"a","valUserId":"sip:alice@example.org"}"#, r#"{"a":1}"#] {
        let json = replaced(KEY_INFO, r#"{"valUserId":"sip:alice@example.org"}"#, target);
        assert_eq!(read(&json), Err(ResponseError::Identifiers), "{target}");
    }
    assert!(!format!("{:?}", read(KEY_INFO)).contains("canary"));
}
