//! KM Response: R27 to R30.

use std::time::Duration;

use mikey_sakke::error::UsageError;
use mikey_sakke::km::record::Record;
use mikey_sakke::km::{
    ANONYMOUS, BodyError, DEFAULT_WINDOW, Echo, ErrorCode, MAX_PAYLOAD_OCTETS, MAX_RESPONSE_OCTETS, Payload, Request,
    Response, ResponseError, Subject,
};
use mikey_sakke::kms::Validity;

use crate::common::{
    NOW, PAYLOAD, RESPONSE, alice, at, id, now, payload, replaced, request, request_for, response, server, subjects,
    uri,
};

fn read(json: &str) -> Result<Response, ResponseError> {
    Response::from_json(json.as_bytes())
}

fn accept(json: &str, request: &Request) -> Result<Option<Payload>, ResponseError> {
    read(json)?.accept(request, now(), DEFAULT_WINDOW)
}

/// [`RESPONSE`] with one piece replaced, as the answer to its request.
#[track_caller]
fn accept_with(from: &str, to: &str) -> Result<Option<Payload>, ResponseError> {
    accept(&replaced(RESPONSE, from, to), &request())
}

fn failure(echo: Echo, code: ErrorCode) -> Response {
    Response::failure(server(), uri(ANONYMOUS), echo, code, now()).unwrap()
}

#[test]
fn a_response_is_written_as_it_is_read() {
    assert_eq!(read(RESPONSE), Ok(response()));
    let json: serde_json::Value = serde_json::from_str(&response().to_json()).unwrap();
    assert_eq!(json, serde_json::from_str::<serde_json::Value>(RESPONSE).unwrap());
    for code in ErrorCode::ALL {
        for echo in [Echo::NOTHING, (&request()).into()] {
            let response = failure(echo, code);
            assert_eq!(read(&response.to_json()), Ok(response));
        }
    }
}

#[test]
fn r27_a_payload_is_printed_by_nothing() {
    let record = Record::new(alice(), payload(), Validity::ALWAYS).unwrap();
    let printed = format!(
        "{:?} {:?} {:?} {:?}",
        payload(),
        response(),
        record,
        response().accept(&request(), now(), DEFAULT_WINDOW)
    );
    assert!(!printed.contains("canary"), "{printed}");
    assert!(response().to_json().contains("canary") && record.to_json().contains("canary"));
    let malformed = replaced(RESPONSE, "<key/>", "\\ud800");
    let error = read(&malformed).unwrap_err();
    assert_eq!(error, ResponseError::Body(BodyError::Text("Payload")));
    assert!(!format!("{error:?} {error}").contains("canary"));
}

#[test]
fn r28_each_identifier_is_echoed_unchanged() {
    assert_eq!(accept(RESPONSE, &request()), Ok(Some(payload())));
    for subject in subjects() {
        let request = request_for(subject);
        let answer = Response::success(&request, alice(), Some(payload()), now()).unwrap();
        assert_eq!(accept(&answer.to_json(), &request), Ok(Some(payload())));
    }
    for other in ["urn:example:fleet2", "urn:example:Fleet", "urn:example:flee\\u0442"] {
        assert_eq!(accept_with("urn:example:fleet", other), Err(ResponseError::ServiceId), "{other}");
    }
    let other_user = accept_with("\"UserID\":\"sip:alice@", "\"UserID\":\"sip:bob@");
    assert_eq!(other_user, Err(ResponseError::Subject));
}

#[test]
fn r28_no_identifier_is_left_out_moved_or_added() {
    let user = "\"UserID\":\"sip:alice@example.org\",";
    assert_eq!(accept_with(user, ""), Err(ResponseError::Subject));
    for member in ["ClientID", "DeviceID"] {
        assert_eq!(accept_with("UserID", member), Err(ResponseError::Subject), "{member}");
        let two = format!("{user}\"{member}\":\"sip:alice@example.org\",");
        assert_eq!(accept_with(user, &two), Err(ResponseError::Identifiers), "{member}");
    }
    // Every subject but that of the request is refused, also one that is added to the service as a whole.
    for asked in subjects() {
        for answered in subjects() {
            let answer = Response::success(&request_for(answered.clone()), alice(), Some(payload()), now()).unwrap();
            let accepted = accept(&answer.to_json(), &request_for(asked.clone()));
            assert_eq!(accepted.is_ok(), asked == answered, "{asked:?} {answered:?}");
            assert!(accepted.is_ok() || accepted == Err(ResponseError::Subject));
        }
    }
}

#[test]
fn a_response_is_from_the_server_that_was_addressed() {
    let other = accept_with("sip:skms.example.org", "sip:skms.example.net");
    assert_eq!(other, Err(ResponseError::OtherServer));
    let spelling = accept_with("sip:skms.example.org", "sip:SKMS.example.org");
    assert_eq!(spelling, Err(ResponseError::Body(BodyError::Uri("SKmsUri"))));
}

#[test]
fn a_response_is_for_the_user_who_is_named() {
    let other = accept_with("\"UserUri\":\"sip:alice@", "\"UserUri\":\"sip:bob@");
    assert_eq!(other, Err(ResponseError::UserUri));
    // Where the request names no user, whose token it was counts, which the client does not know better.
    let request = request_for(Subject::Service);
    let answer = Response::success(&request, uri("sip:bob@example.org"), None, now()).unwrap();
    assert_eq!(accept(&answer.to_json(), &request), Ok(None));
}

#[test]
fn a_response_is_recent() {
    let accept = |seconds: u64| response().accept(&request(), at(seconds), DEFAULT_WINDOW);
    for seconds in [NOW - 5, NOW, NOW + 5] {
        assert_eq!(accept(seconds), Ok(Some(payload())), "{seconds}");
    }
    for seconds in [0, NOW - 6, NOW + 6] {
        assert_eq!(accept(seconds), Err(ResponseError::Stale { server_time: now(), error_code: None }), "{seconds}");
    }
    // Who is refused because his clock is wrong learns by how much.
    let refused = failure((&request()).into(), ErrorCode::NotValidated);
    let stale = ResponseError::Stale { server_time: now(), error_code: Some(ErrorCode::NotValidated) };
    assert_eq!(refused.clone().accept(&request(), at(NOW + 600), DEFAULT_WINDOW), Err(stale));
    let failed = ResponseError::Failed(ErrorCode::NotValidated);
    assert_eq!(refused.accept(&request(), at(NOW + 600), Duration::from_secs(600)), Err(failed));
}

#[test]
fn r29_success_has_the_payload_and_no_error_code() {
    let accepted = accept(RESPONSE, &request()).unwrap();
    assert_eq!(accepted.as_ref().map(Payload::expose), Some(PAYLOAD));
    assert_eq!(read(RESPONSE).unwrap().error_code(), None);
    let both = accept_with("\"Payload\"", "\"ErrorCode\":\"02\",\"Payload\"");
    assert_eq!(both, Err(ResponseError::ErrorCodeAndPayload));
    // A request that needs none gets none, which is not the same as an empty one.
    let none = r#","Payload":"canary\n\"<key/>\"""#;
    assert_eq!(accept_with(none, ""), Ok(None));
    assert_eq!(accept_with(none, r#","Payload":"""#), Ok(Some(Payload::default())));
    assert_eq!(accept_with(none, r#","Payload":null"#), Err(ResponseError::Body(BodyError::Text("Payload"))));
}

#[test]
fn r30_failure_has_an_error_code_and_no_payload() {
    for code in ErrorCode::ALL {
        let json = failure((&request()).into(), code).to_json();
        assert!(json.contains(&format!("\"ErrorCode\":\"{code}\"")) && !json.contains("Payload"));
        assert_eq!(accept(&json, &request()), Err(ResponseError::Failed(code)));
        let with_payload = replaced(&json, "\"ErrorCode\"", "\"Payload\":\"\",\"ErrorCode\"");
        assert_eq!(accept(&with_payload, &request()), Err(ResponseError::ErrorCodeAndPayload));
    }
    for (digits, code) in [("00", None), ("05", Some(ErrorCode::Unspecified)), ("fF", Some(ErrorCode::Unspecified))] {
        let json = replaced(&failure(Echo::NOTHING, ErrorCode::Rejected).to_json(), "\"03\"", &format!("\"{digits}\""));
        let expected = code.map_or(ResponseError::ErrorCode, ResponseError::Failed);
        assert_eq!(accept(&json, &request()), Err(expected), "{digits}");
    }
}

#[test]
fn an_error_echoes_all_or_nothing() {
    let failed = Err(ResponseError::Failed(ErrorCode::Rejected));
    let answer = |echo| failure(echo, ErrorCode::Rejected).accept(&request(), now(), DEFAULT_WINDOW);
    assert_eq!(answer(Echo::NOTHING), failed);
    assert_eq!(answer((&request()).into()), failed);
    let service_id = Some(id("urn:example:fleet"));
    assert_eq!(answer(Echo { service_id, subject: Subject::Service }), Err(ResponseError::Subject));
    let subject = Subject::User(alice());
    assert_eq!(answer(Echo { service_id: None, subject }), Err(ResponseError::ServiceId));
    assert_eq!(answer(Echo { service_id: Some(id("b")), subject: Subject::Service }), Err(ResponseError::ServiceId));
    // Success repeats the service whatever happens.
    assert_eq!(accept_with("urn:example:fleet", ""), Err(ResponseError::Body(BodyError::Length("ServiceID"))));
}

#[test]
fn the_longest_payload_fits() {
    for character in ["\0", "\"", "a", "\u{7f}"] {
        let longest = Payload::new(&character.repeat(MAX_PAYLOAD_OCTETS)).unwrap();
        let answer = Response::success(&request(), alice(), Some(longest.clone()), now()).unwrap();
        let json = answer.to_json();
        assert!(json.len() <= MAX_RESPONSE_OCTETS);
        assert_eq!(accept(&json, &request()), Ok(Some(longest)));
    }
    assert_eq!(Payload::new(&"a".repeat(MAX_PAYLOAD_OCTETS + 1)), Err(UsageError::FieldLength));
    let long = "a".repeat(MAX_PAYLOAD_OCTETS);
    assert_eq!(accept_with("canary", &long), Err(ResponseError::Body(BodyError::Length("Payload"))));
    let blank = " ".repeat(MAX_RESPONSE_OCTETS);
    assert_eq!(accept_with("{", &format!("{{{blank}")), Err(ResponseError::Body(BodyError::TooLong)));
}

#[test]
fn members_of_a_response_are_required() {
    for (member, name) in [
        ("\"UserUri\":\"sip:alice@example.org\",", "UserUri"),
        ("\"SKmsUri\":\"sip:skms.example.org\",", "SKmsUri"),
        ("\"ServiceID\":\"urn:example:fleet\",", "ServiceID"),
        ("\"DateTime\":1795000000,", "DateTime"),
    ] {
        assert_eq!(accept_with(member, ""), Err(ResponseError::Body(BodyError::Missing(name))));
        assert_eq!(accept_with(member, &member.repeat(2)), Err(ResponseError::Body(BodyError::Duplicate)));
    }
    assert_eq!(accept_with("\"SKmsID\":\"skms-1\",", ""), Ok(Some(payload())));
    assert_eq!(accept_with("\"DateTime\"", "\"Extra\":[{}],\"DateTime\""), Ok(Some(payload())));
    assert_eq!(accept_with("skms-1", ""), Err(ResponseError::Body(BodyError::Length("SKmsID"))));
    assert_eq!(
        accept_with("sip:alice@example.org", "alice example"),
        Err(ResponseError::Body(BodyError::Uri("UserUri")))
    );
}
