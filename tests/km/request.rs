//! KM Request: R20 to R25.

use std::time::Duration;

use mikey_sakke::error::UsageError;
use mikey_sakke::identity::Uri;
use mikey_sakke::km::{
    BodyError, DEFAULT_WINDOW, Echo, Identifier, Kind, MAX_TEXT_OCTETS, Request, RequestError, Subject,
};

use crate::common::{NOW, REQUEST, alice, at, id, now, replaced, request, request_for, server, subjects, uri};

fn read(json: &str) -> Result<Request, RequestError> {
    Request::from_json(json.as_bytes())
}

#[test]
fn a_request_is_written_as_it_is_read() {
    assert_eq!(read(REQUEST), Ok(request()));
    assert_eq!(request().to_json(), REQUEST);
    for subject in subjects() {
        let request = request_for(subject);
        assert_eq!(read(&request.to_json()), Ok(request));
    }
}

#[test]
fn r20_the_version_is_1_0_0() {
    let json = REQUEST.replace("1.0.0", "1.\\u0030.0");
    assert!(read(&json).is_ok());
    for version in ["0.0.0", "1.0", "1.0.1", "1.0.0 ", "1.0.00", "2.0.0", "v1.0.0", "１.0.0"] {
        assert_eq!(read(&replaced(REQUEST, "1.0.0", version)), Err(RequestError::Version), "{version}");
    }
    let missing = RequestError::Body(BodyError::Missing("Version"));
    assert_eq!(read(&replaced(REQUEST, "\"Version\":\"1.0.0\",", "")), Err(missing));
    let no_text = RequestError::Body(BodyError::Text("Version"));
    assert_eq!(read(&replaced(REQUEST, "\"1.0.0\"", "1.0")), Err(no_text));
}

#[test]
fn r21_a_request_names_one_service() {
    assert_eq!(read(REQUEST).unwrap().service_id(), &id("urn:example:fleet"));
    let service = "\"ServiceID\":\"urn:example:fleet\",";
    let missing = RequestError::Body(BodyError::Missing("ServiceID"));
    assert_eq!(read(&replaced(REQUEST, service, "")), Err(missing));
    for twice in [service.repeat(2), format!("{service}\"Serv\\u0069ceID\":\"b\",")] {
        assert_eq!(read(&replaced(REQUEST, service, &twice)), Err(BodyError::Duplicate.into()));
    }
    let list = replaced(REQUEST, "\"urn:example:fleet\"", "[\"a\",\"b\"]");
    assert_eq!(read(&list), Err(RequestError::Body(BodyError::Text("ServiceID"))));
}

#[test]
fn r22_at_most_one_identifier_stands_beside_the_service() {
    for subject in subjects() {
        assert_eq!(read(&request_for(subject.clone()).to_json()).unwrap().subject(), &subject);
    }
    let members = ["\"ClientID\":\"a\"", "\"DeviceID\":\"b\"", "\"UserID\":\"sip:alice@example.org\""];
    for (first, second) in [(0, 1), (0, 2), (1, 2), (2, 0)] {
        let two = format!("{},{}", members[first], members[second]);
        assert_eq!(read(&replaced(REQUEST, members[2], &two)), Err(RequestError::Identifiers), "{two}");
    }
    // A second one counts whatever it holds, and may not be hidden as null.
    for second in ["null", "\"\"", "0"] {
        let two = format!("{},\"ClientID\":{second}", members[2]);
        assert_eq!(read(&replaced(REQUEST, members[2], &two)), Err(RequestError::Identifiers));
    }
    assert_eq!(read(&replaced(REQUEST, members[2], &members.join(","))), Err(RequestError::Identifiers));
    let null = replaced(REQUEST, "\"sip:alice@example.org\"", "null");
    assert_eq!(read(&null), Err(RequestError::Body(BodyError::Text("UserID"))));
}

#[test]
fn r23_each_identifier_has_its_member() {
    let members = [None, Some("ClientID"), Some("DeviceID"), Some("UserID")];
    for (subject, member) in subjects().into_iter().zip(members) {
        let json: serde_json::Value = serde_json::from_str(&request_for(subject.clone()).to_json()).unwrap();
        let object = json.as_object().unwrap();
        assert_eq!(object["ServiceID"], "urn:example:fleet");
        for name in ["ClientID", "DeviceID", "UserID"] {
            let value = object.get(name).and_then(|value| value.as_str());
            assert_eq!(value, (Some(name) == member).then_some(subject.value()), "{name}");
        }
    }
    // A user is a URI in its one spelling; a client or device is any text.
    let other = "SIP:alice@example.org";
    assert_eq!(read(&replaced(REQUEST, "sip:alice@", "SIP:alice@")), Err(RequestError::Body(BodyError::Uri("UserID"))));
    let client = replaced(&replaced(REQUEST, "UserID", "ClientID"), "sip:alice@", "SIP:alice@");
    assert_eq!(read(&client).unwrap().subject(), &Subject::Client(id(other)));
}

#[test]
fn r24_a_request_is_for_this_server() {
    assert_eq!(request().check(&server(), now(), DEFAULT_WINDOW), Ok(()));
    for other in ["sip:skms.example.net", "skms.example.org", "https://skms.example.org", "sip:SKMS@skms.example.org"] {
        assert_eq!(request().check(&uri(other), now(), DEFAULT_WINDOW), Err(RequestError::OtherServer));
    }
    // Another spelling of the same server is not compared at all.
    for spelling in
        ["SIP:skms.example.org", "sip:SKMS.example.org", "sip:skms.example.org:5061", "sip:skms.ex%61mple.org"]
    {
        let json = replaced(REQUEST, "sip:skms.example.org", spelling);
        assert_eq!(read(&json), Err(RequestError::Body(BodyError::Uri("SKmsUri"))), "{spelling}");
    }
    // The server counts before the time.
    let late = at(NOW + 60);
    assert_eq!(request().check(&alice(), late, DEFAULT_WINDOW), Err(RequestError::OtherServer));
}

#[test]
fn r24_a_request_is_recent() {
    let check = |now: u64, window: u64| request().check(&server(), at(now), Duration::from_secs(window));
    for now in [NOW - 5, NOW - 1, NOW, NOW + 1, NOW + 5] {
        assert_eq!(check(now, 5), Ok(()), "{now}");
    }
    for now in [0, NOW - 6, NOW + 6, NOW + 3_600, 253_402_300_799] {
        assert_eq!(check(now, 5), Err(RequestError::Stale), "{now}");
    }
    assert_eq!((check(NOW, 0), check(NOW + 1, 0)), (Ok(()), Err(RequestError::Stale)));
    assert_eq!((check(NOW + 60, 60), check(NOW + 61, 60)), (Ok(()), Err(RequestError::Stale)));
    // Both sides count whole seconds.
    let within = at(NOW + 5).saturating_add(Duration::from_millis(999));
    assert_eq!(request().check(&server(), within, DEFAULT_WINDOW), Ok(()));
    let sent = Request::new(server(), id("a"), Subject::Service, within).unwrap();
    assert_eq!(sent.date_time(), at(NOW + 5));
    // Date/Time of the far past and future neither wrap nor panic.
    for (far, accepted) in [("0", false), ("253402300799", false), ("1795000000", true)] {
        let request = read(&replaced(REQUEST, "1795000000", far)).unwrap();
        assert_eq!(request.check(&server(), now(), DEFAULT_WINDOW).is_ok(), accepted, "{far}");
    }
}

#[test]
fn r25_a_request_selects_the_service_or_one_client_device_or_user_of_it() {
    // What is selected is service and subject: the same text as another kind is another selection.
    let selected: Vec<_> = subjects().into_iter().map(|subject| request_for(subject).subject().clone()).collect();
    for (index, one) in selected.iter().enumerate() {
        for (other_index, other) in selected.iter().enumerate() {
            assert_eq!(one == other, index == other_index);
        }
    }
    for subject in subjects() {
        assert_eq!(Subject::new(subject.kind(), subject.value()), Ok(subject.clone()));
        assert_eq!(Kind::from_name(subject.kind().as_str()), Some(subject.kind()));
    }
    for (kind, value) in [
        (Kind::Service, "a"),
        (Kind::Client, ""),
        (Kind::Device, "a\0"),
        (Kind::User, ""),
        (Kind::User, "sip:alice@EXAMPLE.org"),
    ] {
        assert!(Subject::new(kind, value).is_err(), "{kind:?} {value}");
    }
    for name in ["", "User", "users", "user/", "*"] {
        assert_eq!(Kind::from_name(name), None, "{name}");
    }
}

#[test]
fn texts_have_1_to_1024_octets() {
    let longest = "é".repeat(MAX_TEXT_OCTETS / 2);
    assert!(Identifier::new(&longest).is_ok());
    let long = format!("{longest}a");
    assert_eq!(Identifier::new(&long), Err(UsageError::FieldLength));
    let uri_of = |octets: usize| Uri::parse(&format!("sip:{}", "a".repeat(octets - 4))).unwrap();
    let with = |skms, subject| Request::new(skms, id("a"), subject, now());
    let (fits, too_long) = (uri_of(MAX_TEXT_OCTETS), uri_of(MAX_TEXT_OCTETS + 1));
    let request = with(fits.clone(), Subject::User(fits.clone())).unwrap();
    assert_eq!(read(&request.to_json()), Ok(request));
    assert_eq!(with(too_long.clone(), Subject::Service), Err(UsageError::FieldLength));
    assert_eq!(with(fits, Subject::User(too_long.clone())), Err(UsageError::FieldLength));
    assert_eq!(Subject::new(Kind::User, too_long.as_str()), Err(UsageError::FieldLength));
}

#[test]
fn an_echo_has_what_is_beyond_doubt() {
    let of = |json: &str| Echo::of_json(json.as_bytes());
    let full = Echo::from(&request());
    let service = Echo { subject: Subject::Service, ..full.clone() };
    assert_eq!(of(REQUEST), full);
    assert_eq!(of(&replaced(REQUEST, "1.0.0", "2.0.0")), full);
    assert_eq!(of(&replaced(REQUEST, "1795000000", "\"now\"")), full);
    assert_eq!(of(&replaced(REQUEST, "sip:alice@", "SIP:alice@")), service);
    assert_eq!(of(&replaced(REQUEST, "\"UserID\"", "\"ClientID\":\"a\",\"UserID\"")), service);
    for nothing in [
        "",
        "[]",
        "{}",
        &REQUEST[1..],
        &replaced(REQUEST, "\"Version\"", "\"ServiceID\":\"b\",\"Version\""),
        &replaced(REQUEST, "urn:example:fleet", ""),
    ] {
        assert_eq!(of(nothing), Echo::NOTHING, "{nothing}");
    }
}
