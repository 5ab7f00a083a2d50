//! A server, a user, and their messages.

use mikey_sakke::identity::Uri;
use mikey_sakke::km::{Identifier, Payload, Request, Response, Subject};
use mikey_sakke::time::Timestamp;

pub(crate) const NOW: u64 = 1_795_000_000;

pub(crate) const REQUEST: &str = r#"{"Version":"1.0.0","SKmsUri":"sip:skms.example.org","ServiceID":"urn:example:fleet","UserID":"sip:alice@example.org","DateTime":1795000000}"#;

pub(crate) const RESPONSE: &str = r#"{"UserUri":"sip:alice@example.org","SKmsUri":"sip:skms.example.org","ServiceID":"urn:example:fleet","SKmsID":"skms-1","UserID":"sip:alice@example.org","DateTime":1795000000,"Payload":"canary\n\"<key/>\""}"#;

pub(crate) const PAYLOAD: &str = "canary\n\"<key/>\"";

pub(crate) fn at(unix: u64) -> Timestamp {
    Timestamp::from_unix(unix).unwrap()
}

pub(crate) fn now() -> Timestamp {
    at(NOW)
}

pub(crate) fn uri(text: &str) -> Uri {
    Uri::parse(text).unwrap()
}

pub(crate) fn id(text: &str) -> Identifier {
    Identifier::new(text).unwrap()
}

pub(crate) fn server() -> Uri {
    uri("sip:skms.example.org")
}

pub(crate) fn alice() -> Uri {
    uri("sip:alice@example.org")
}

pub(crate) fn payload() -> Payload {
    Payload::new(PAYLOAD).unwrap()
}

/// Every kind of subject, all by the same text.
pub(crate) fn subjects() -> [Subject; 4] {
    let name = "sip:alice@example.org";
    [Subject::Service, Subject::Client(id(name)), Subject::Device(id(name)), Subject::User(uri(name))]
}

pub(crate) fn request_for(subject: Subject) -> Request {
    Request::new(server(), id("urn:example:fleet"), subject, now()).unwrap()
}

/// [`REQUEST`].
pub(crate) fn request() -> Request {
    request_for(Subject::User(alice()))
}

/// [`RESPONSE`].
pub(crate) fn response() -> Response {
    Response::success(&request(), alice(), Some(payload()), now()).unwrap().with_skms_id(id("skms-1"))
}

/// The text with one piece replaced, which must be there.
#[track_caller]
pub(crate) fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}
