//! The key under which a request is remembered.

use std::collections::BTreeSet;
use std::time::Duration;

use mikey_sakke::km::{DEFAULT_WINDOW, Kind, Request, Subject, Token, replay_key, replay_retention};

use crate::common::{NOW, alice, at, id, request, request_for, server, subjects, uri};

const TOKEN: Token<'static> =
    Token { issuer: "https://sim.example.org", subject: "alice", client: "app", hash: &[7; 32] };

#[test]
fn the_key_is_the_hash_that_is_documented() {
    // Computed with Python's hashlib and struct.
    let expected = hex_literal::hex!("7106c20862e8755451d8944fda76aea0cd296d13869a9f4f472020339129fe38");
    assert_eq!(replay_key(&TOKEN, &request()), expected);
}

#[test]
fn the_same_request_has_the_same_key() {
    let again = Request::from_json(request().to_json().as_bytes()).unwrap();
    assert_eq!(replay_key(&TOKEN, &again), replay_key(&TOKEN, &request()));
    let reordered = r#" { "DateTime" : 1795000000, "extra": 1, "UserID":"sip:alice\u0040example.org",
        "ServiceID":"urn:example:fleet", "SKmsUri":"sip:skms.example.org", "Version":"1.0.0" } "#;
    let reordered = Request::from_json(reordered.as_bytes()).unwrap();
    assert_eq!(replay_key(&TOKEN, &reordered), replay_key(&TOKEN, &request()));
}

#[test]
fn every_part_counts_and_none_runs_into_the_next() {
    let new = |skms: &str, service: &str, kind, value: &str, seconds| {
        Request::new(uri(skms), id(service), Subject::new(kind, value).unwrap(), at(seconds)).unwrap()
    };
    let user = |skms, service, value, seconds| new(skms, service, Kind::User, value, seconds);
    let mut keys = BTreeSet::new();
    let mut count = 0;
    let mut add = |key| {
        keys.insert(key);
        count += 1;
    };
    for token in [
        TOKEN,
        Token { issuer: "https://sim.example.net", ..TOKEN },
        Token { issuer: "https://sim.example.orga", subject: "lice", ..TOKEN },
        Token { subject: "bob", ..TOKEN },
        Token { subject: "alicea", client: "pp", ..TOKEN },
        Token { subject: "", client: "aliceapp", ..TOKEN },
        Token { client: "other", ..TOKEN },
        Token { hash: &[8; 32], ..TOKEN },
    ] {
        add(replay_key(&token, &request()));
    }
    for request in [
        user("sip:skms.example.net", "urn:example:fleet", "sip:alice@example.org", NOW),
        user("sip:skms.example.org", "urn:example:fleet2", "sip:alice@example.org", NOW),
        user("sip:skms.example.org", "urn:example:fleets", "ip:alice@example.org", NOW),
        user("sip:skms.example.org", "urn:example:fleet", "sip:bob@example.org", NOW),
        user("sip:skms.example.org", "urn:example:fleet", "sip:alice@example.org", NOW + 1),
        user("sip:skms.example.org", "urn:example:fleet", "sip:alice@example.org", NOW - 1),
        new("sip:skms.example.org", "urn:example:fleet", Kind::Client, "a", NOW),
        new("sip:skms.example.org", "urn:example:fleet", Kind::Device, "a", NOW),
        new("sip:skms.example.org", "urn:example:fleeta", Kind::Service, "", NOW),
    ] {
        add(replay_key(&TOKEN, &request));
    }
    for subject in subjects().into_iter().filter(|subject| *subject != Subject::User(alice())) {
        add(replay_key(&TOKEN, &request_for(subject)));
    }
    assert_eq!(keys.len(), count);
}

#[test]
fn a_request_is_remembered_until_it_is_stale() {
    // Accepted as early as may be, at the last moment before it is forgotten it is refused for its time alone.
    let first = at(NOW - DEFAULT_WINDOW.as_secs());
    assert!(request().check(&server(), first, DEFAULT_WINDOW).is_ok());
    let forgotten = first.saturating_add(replay_retention(DEFAULT_WINDOW));
    assert!(request().check(&server(), forgotten, DEFAULT_WINDOW).is_err());
    let just_before = forgotten.saturating_sub(Duration::from_millis(1));
    assert!(request().check(&server(), just_before, DEFAULT_WINDOW).is_ok());
    assert_eq!(replay_retention(Duration::MAX), Duration::MAX);
}
