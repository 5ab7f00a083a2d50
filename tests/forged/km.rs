//! What a client gets in place of the KM Response to its request, and a server in place of a KM Request.

use mikey_sakke::identity::Uri;
use mikey_sakke::km::{
    DEFAULT_WINDOW, Identifier, MAX_BODY_OCTETS, Request, RequestError, Response, ResponseError, Subject,
};
use mikey_sakke::time::Timestamp;

use crate::family::Class::{self, Malformed, Refused};
use crate::family::Family;
use mikey_sakke::error::Refusal;

const REQUEST: &str = r#"{"Version":"1.0.0","SKmsUri":"sip:skms.example.org","ServiceID":"urn:example:fleet","UserID":"sip:alice@example.org","DateTime":1795000000}"#;
const RESPONSE: &str = r#"{"UserUri":"sip:alice@example.org","SKmsUri":"sip:skms.example.org","ServiceID":"urn:example:fleet","SKmsID":"skms-1","UserID":"sip:alice@example.org","DateTime":1795000000,"Payload":"<key/>"}"#;

fn now() -> Timestamp {
    Timestamp::from_unix(1_795_000_000).unwrap()
}

fn server() -> Uri {
    Uri::parse("sip:skms.example.org").unwrap()
}

#[allow(clippy::ptr_arg, reason = "an input is of one type")]
fn request(body: &String) -> Result<(), Class> {
    let checked =
        Request::from_json(body.as_bytes()).and_then(|request| request.check(&server(), now(), DEFAULT_WINDOW));
    checked.map_err(|error| match error {
        RequestError::Body(_) | RequestError::Identifiers => Malformed,
        RequestError::OtherServer => Refused(Refusal::NotForUs),
        RequestError::Stale => Refused(Refusal::Stale),
        other => Class::Wrong(other.to_string()),
    })
}

#[allow(clippy::ptr_arg, reason = "an input is of one type")]
fn response(body: &String) -> Result<(), Class> {
    let user = Subject::User(Uri::parse("sip:alice@example.org").unwrap());
    let request = Request::new(server(), Identifier::new("urn:example:fleet").unwrap(), user, now()).unwrap();
    let accepted =
        Response::from_json(body.as_bytes()).and_then(|answer| answer.accept(&request, now(), DEFAULT_WINDOW));
    accepted.map(drop).map_err(|error| match error {
        ResponseError::Body(_)
        | ResponseError::Identifiers
        | ResponseError::ErrorCode
        | ResponseError::ErrorCodeAndPayload => Malformed,
        ResponseError::OtherServer | ResponseError::ServiceId | ResponseError::Subject | ResponseError::UserUri => {
            Refused(Refusal::NotForUs)
        }
        ResponseError::Stale { .. } => Refused(Refusal::Stale),
        ResponseError::Failed(_) => Class::Rejected,
        other => Class::Wrong(other.to_string()),
    })
}

/// Replaces one piece, which is there.
fn replace(from: &'static str, to: String) -> impl FnOnce(&mut String) {
    move |body| {
        assert!(body.contains(from), "{from}");
        *body = body.replacen(from, &to, 1);
    }
}

#[test]
fn requests() {
    let mut family = Family::new("KM Requests", REQUEST.to_owned(), request);
    let (not_for_us, stale) = (Refused(Refusal::NotForUs), Refused(Refusal::Stale));
    let user = r#""UserID":"sip:alice@example.org""#;
    for (name, class, from, to) in [
        ("another server", not_for_us, "sip:skms.example.org", "sip:skms.example.net".into()),
        ("too early", stale.clone(), "1795000000", "1794990000".into()),
        ("too late", stale.clone(), "1795000000", "1795010000".into()),
        ("an era before", stale.clone(), "1795000000", "0".into()),
        ("the last second", stale, "1795000000", "253402300799".into()),
        ("after the last second", Malformed, "1795000000", "253402300800".into()),
        ("in milliseconds", Malformed, "1795000000", "1795000000000".into()),
        ("before 1970", Malformed, "1795000000", "-1".into()),
        ("a fraction", Malformed, "1795000000", "1795000000.5".into()),
        ("a time in text", Malformed, "1795000000", "\"1795000000\"".into()),
        ("two users", Malformed, user, format!("{user},{user}")),
        ("a user and a device", Malformed, user, format!("{user},\"DeviceID\":\"d\"")),
        ("a user and a client", Malformed, user, format!("{user},\"ClientID\":\"c\"")),
        ("a user with a NUL", Malformed, "alice@", "alice\\u0000@".into()),
        ("a user in another spelling", Malformed, "sip:alice", "SIP:alice".into()),
        ("a user with half a character", Malformed, "alice", "\\ud800".into()),
        ("a user that is a list", Malformed, user, r#""UserID":["sip:alice@example.org"]"#.into()),
        ("no service", Malformed, r#""ServiceID":"urn:example:fleet","#, String::new()),
        ("no version", Malformed, r#""Version":"1.0.0","#, String::new()),
        ("no time", Malformed, r#","DateTime":1795000000"#, String::new()),
        ("no server", Malformed, r#""SKmsUri":"sip:skms.example.org","#, String::new()),
        ("something after it", Malformed, "1795000000}", "1795000000}x".into()),
        ("nested 10,000 deep", Malformed, "{\"V", format!("{}{}", "[".repeat(10_000), "{\"V")),
        ("nested 10,000 deep, not closed", Malformed, "{\"V", format!("{{\"a\":{}\"V", "{\"a\":".repeat(10_000))),
        ("too long", Malformed, "{\"V", format!("{{{}\"V", " ".repeat(MAX_BODY_OCTETS))),
        ("of 16 MiB", Malformed, "{\"V", format!("{{{}\"V", " ".repeat(1 << 24))),
    ] {
        family.refuse(name, class, replace(from, to));
    }
    for cut in [1, 20, 60, 100, REQUEST.len() - 1] {
        family.refuse(format!("cut after {cut} octets"), Malformed, |body| body.truncate(cut));
    }
    family.check(31);
}

#[test]
fn responses() {
    let mut family = Family::new("KM Responses", RESPONSE.to_owned(), response);
    let (not_for_us, stale) = (Refused(Refusal::NotForUs), Refused(Refusal::Stale));
    for (name, class, from, to) in [
        ("of another server", not_for_us.clone(), "sip:skms.example.org", "sip:skms.example.net".into()),
        ("for another service", not_for_us.clone(), "urn:example:fleet", "urn:example:other".into()),
        ("for another user", not_for_us.clone(), r#""UserUri":"sip:alice"#, r#""UserUri":"sip:bob"#.into()),
        ("that echoes another user", not_for_us.clone(), r#""UserID":"sip:alice"#, r#""UserID":"sip:bob"#.into()),
        ("that echoes no user", not_for_us.clone(), r#""UserID":"sip:alice@example.org","#, String::new()),
        ("that echoes a client", not_for_us, r#""UserID":"sip:alice"#, r#""ClientID":"sip:alice"#.into()),
        ("too early", stale.clone(), "1795000000", "1794990000".into()),
        ("too late", stale, "1795000000", "1795010000".into()),
        ("an error with a payload", Malformed, r#""SKmsID""#, r#""ErrorCode":"01","SKmsID""#.into()),
        ("an error", Class::Rejected, r#""Payload":"<key/>""#, r#""ErrorCode":"01""#.into()),
        ("an error of no number", Malformed, r#""Payload":"<key/>""#, r#""ErrorCode":"zz""#.into()),
        ("error 00", Malformed, r#""Payload":"<key/>""#, r#""ErrorCode":"00""#.into()),
        ("a user and a device", Malformed, r#""SKmsID""#, r#""DeviceID":"d","SKmsID""#.into()),
        ("two payloads", Malformed, r#""SKmsID""#, r#""Payload":"<other/>","SKmsID""#.into()),
        ("two payloads, one escaped", Malformed, r#""SKmsID""#, r#""\u0050ayload":"<other/>","SKmsID""#.into()),
        ("a payload that is no text", Malformed, r#""<key/>""#, r#"{"key":1}"#.into()),
        ("a payload with half a character", Malformed, "<key/>", "\\ud800".into()),
        ("no server", Malformed, r#""SKmsUri":"sip:skms.example.org","#, String::new()),
        ("no time", Malformed, r#""DateTime":1795000000,"#, String::new()),
        ("something after it", Malformed, "<key/>\"}", "<key/>\"}{}".into()),
        ("nested 10,000 deep", Malformed, "{\"U", format!("{}{{\"U", "[".repeat(10_000))),
        ("of 16 MiB", Malformed, "{\"U", format!("{{{}\"U", " ".repeat(1 << 24))),
    ] {
        family.refuse(name, class, replace(from, to));
    }
    for cut in [1, 20, 60, 100, 150, RESPONSE.len() - 1] {
        family.refuse(format!("cut after {cut} octets"), Malformed, |body| body.truncate(cut));
    }
    family.check(28);
}
