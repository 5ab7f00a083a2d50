//! `skms provision`

use mikey_sakke::identity::Uri;
use mikey_sakke::km::{Identifier, MAX_PAYLOAD_OCTETS, Subject};

use super::{Run, Trial, run};

const SERVICE: &str = "urn:example:fleet";
const ALICE: [&str; 2] = ["--user", "sip:alice@example.org"];

fn provision(trial: &Trial, verb: &str, more: &[&str]) -> Run {
    trial.run(&[&["provision", verb, "--service", SERVICE], more].concat())
}

fn put(trial: &Trial, target: &[&str], payload: &str) -> Run {
    let arguments = [&["provision", "put", "--service", SERVICE, "--payload-file", "-"], target].concat();
    run(trial.command(&arguments), payload)
}

#[tokio::test]
async fn a_record_of_each_kind_is_stored_as_it_is() {
    let trial = Trial::new();
    let id = |text| Identifier::new(text).unwrap();
    let operator = ["--user-uri", "sip:fleet@example.org"];
    let kinds = [
        (&operator[..], &[][..], Subject::Service, "from the service\n"),
        (&operator, &["--client", "client-1"], Subject::Client(id("client-1")), "from \"the\" client"),
        (&operator, &["--device", "device-7"], Subject::Device(id("device-7")), " from the device\r\n\n"),
        (&[], &ALICE, Subject::User(Uri::parse(ALICE[1]).unwrap()), "von Alice \u{1F511}"),
    ];
    for (user, target, _, payload) in &kinds {
        let out = put(&trial, &[*user, target].concat(), payload).done();
        assert!(out.contains("urn:example:fleet") && out.contains("stored, ETag \""), "{out}");
        assert!(!out.contains("from") && !out.contains("Alice"), "{out}");
    }
    let (_, store) = trial.store().await;
    for (user, target, subject, payload) in kinds {
        let (version, record) = store.record(&id(SERVICE), &subject).await.unwrap().unwrap();
        assert_eq!(record.payload().expose(), payload);
        assert_eq!(record.user_uri().as_str(), *user.get(1).unwrap_or(&ALICE[1]));
        let out = provision(&trial, "get", target).done();
        assert!(out.contains(&version.to_string()) && out.contains(record.user_uri().as_str()), "{out}");
        assert!(!out.contains("from"), "never the key material: {out}");
    }
}

#[test]
fn a_record_is_replaced_and_deleted() {
    let trial = Trial::new();
    let file = trial.write("payload", "one");
    assert!(provision(&trial, "put", &[&ALICE[..], &["--payload-file", &file]].concat()).done().contains(": stored"));
    let first = provision(&trial, "get", &ALICE).done();
    assert!(put(&trial, &ALICE, "two").done().contains(": replaced"));
    assert_ne!(provision(&trial, "get", &ALICE).done(), first, "another version");
    provision(&trial, "get", &[]).fails(1, &["urn:example:fleet: there is no such record"]);
    assert!(provision(&trial, "delete", &ALICE).done().contains("user sip:alice@example.org: deleted"));
    for verb in ["get", "delete"] {
        provision(&trial, verb, &ALICE).fails(1, &["user sip:alice@example.org: there is no such record"]);
    }
    let actions: Vec<_> = trial.run(&["audit", "list"]).done().lines().map(str::to_owned).collect();
    assert_eq!(actions.len(), 3, "{actions:?}");
    assert!(actions[0].contains("done: provision urn:example:fleet user sip:alice@example.org, by operator"));
    assert!(actions[2].contains("done: delete-record urn:example:fleet user sip:alice@example.org, by operator"));
}

#[test]
fn validity_is_shown_beside_what_it_means_now() {
    let trial = Trial::new();
    let put =
        |from: &str, to: &str| put(&trial, &[&ALICE[..], &["--valid-from", from, "--valid-to", to]].concat(), "x");
    put("2001-01-01T00:00:00Z", "9999-12-31T23:59:59Z").done();
    let out = provision(&trial, "get", &ALICE).done();
    assert!(
        out.contains("ValidFrom 2001-01-01T00:00:00Z\n") && out.contains("ValidTo   9999-12-31T23:59:59Z\n"),
        "{out}"
    );
    let out = put("2001-01-01T00:00:00Z", "2002-01-01T01:00:00+01:00").done();
    assert!(out.contains("not given out"), "{out}");
    assert!(provision(&trial, "get", &ALICE).done().contains("ValidTo   2002-01-01T00:00:00Z (past)"));
    put("9999-01-01T00:00:00Z", "9999-12-31T23:59:59Z").done();
    assert!(provision(&trial, "get", &ALICE).done().contains("ValidFrom 9999-01-01T00:00:00Z (not yet)"));
    put("2002-01-01T00:00:00Z", "2002-01-01T00:00:00Z").fails(2, &["--valid-to is not after --valid-from"]);
    put("2002-01-01", "2002-01-01T00:00:00Z").fails(2, &["--valid-from", "2026-11-21T08:30:00Z"]);
}

#[test]
fn key_material_that_no_record_can_hold_is_refused() {
    let trial = Trial::new();
    put(&trial, &ALICE, &"x".repeat(MAX_PAYLOAD_OCTETS)).done();
    put(&trial, &ALICE, &"x".repeat(MAX_PAYLOAD_OCTETS + 1)).fails(1, &["standard input: more than 49152 octets"]);
    put(&trial, &ALICE, "").fails(1, &["standard input: empty"]);
    std::fs::write(trial.path("binary"), [0xff, 0xfe]).unwrap();
    let binary = trial.path("binary").to_str().unwrap().to_owned();
    let file = |path: &str| provision(&trial, "put", &[&ALICE[..], &["--payload-file", path]].concat());
    file(&binary).fails(1, &["binary: not text in UTF-8", "base64"]);
    file("/nowhere/payload").fails(1, &["cannot read /nowhere/payload"]);
    file(trial.directory.path().to_str().unwrap()).fails(1, &["cannot read"]);
}

#[test]
fn a_target_is_named_in_one_way() {
    let trial = Trial::new();
    put(&trial, &["--client", "a", "--device", "b", "--user-uri", "sip:a@example.org"], "x").fails(2, &["--client"]);
    put(&trial, &["--client", "a"], "x").fails(2, &["--user-uri"]);
    put(&trial, &["--user", "SIP:Alice@Example.org"], "x").fails(2, &["--user", "canonical"]);
    put(&trial, &["--client", "", "--user-uri", "sip:a@example.org"], "x").fails(2, &["--client", "1 to 1024 octets"]);
    provision(&trial, "put", &ALICE).fails(2, &["--payload-file"]);
    let reserved = ["provision", "put", "--service", "urn:mikey-sakke:identity-keys", "--payload-file", "-"];
    let reserved = run(trial.command(&[&reserved[..], &ALICE].concat()), "x");
    reserved.fails(1, &["urn:mikey-sakke:identity-keys is reserved", "another ServiceID"]);
    assert_eq!(trial.run(&["audit", "list"]).done(), "");
}
