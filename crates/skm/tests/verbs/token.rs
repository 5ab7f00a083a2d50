//! `skms token`

use std::fs;

use mikey_sakke::time::Timestamp;
use skm::token::{AccessToken, KeySet, Verifier};
use skm::trial::Issuer;

use super::{Trial, mode};

fn verify(trial: &Trial, token: &str) -> AccessToken {
    let keys = KeySet::from_json(trial.text("jwks.json").as_bytes()).unwrap();
    let verifier = Verifier::new(trial.config().auth.token_settings());
    verifier.verify(token, &keys, None, Timestamp::now().unwrap()).unwrap()
}

#[test]
fn a_token_says_what_it_was_asked_to_say() {
    let trial = Trial::new();
    let out = trial.run(&[
        "token",
        "--sub",
        "device-7",
        "--client-id",
        "ue-1",
        "--scope",
        "openid",
        "--scope",
        "seal:key-provisioning",
        "--user",
        "sip:alice@example.org",
        "--service",
        "urn:example:fleet",
        "--service",
        "urn:example:other",
        "--ttl",
        "60",
    ]);
    let out = out.done();
    assert_eq!(out.lines().count(), 1);
    let token = verify(&trial, out.trim_end());
    assert_eq!((token.subject().as_str(), token.client_id().as_str()), ("device-7", "ue-1"));
    assert!(token.has_scope("openid") && token.has_scope("seal:key-provisioning"));
    assert!(!token.has_scope("seal:key-management"));
    assert_eq!(token.user().unwrap().as_str(), "sip:alice@example.org");
    let services: Vec<_> = token.services().unwrap().iter().map(|service| service.as_str()).collect();
    assert_eq!(services, ["urn:example:fleet", "urn:example:other"]);
    let left = token.expires().to_unix().saturating_sub(Timestamp::now().unwrap().to_unix());
    assert!(left <= 60, "{left}");
}

#[test]
fn little_is_needed() {
    let trial = Trial::new();
    let out = trial.run(&["token", "--client-id", "ue-1", "--user", "sip:alice@example.org"]).done();
    let token = verify(&trial, out.trim_end());
    assert_eq!(token.subject().as_str(), "sip:alice@example.org");
    assert!(token.has_scope("seal:key-management"));
    assert_eq!(token.services(), None);
    let again = trial.run(&["token", "--client-id", "ue-1", "--user", "sip:alice@example.org"]).done();
    assert_ne!(again, out, "each has a jti of its own");
}

#[test]
fn the_names_of_claims_follow_the_configuration() {
    let trial = Trial::new();
    trial.configure("[auth]\n", "[auth]\nclaim_user = \"who\"\nclaim_services = \"what\"\nscope_km = \"km\"\n");
    let arguments = ["token", "--client-id", "a", "--user", "sip:alice@example.org", "--service", "urn:a"];
    let token = verify(&trial, trial.run(&arguments).done().trim_end());
    assert_eq!(token.user().unwrap().as_str(), "sip:alice@example.org");
    assert_eq!(token.services().unwrap()[0].as_str(), "urn:a");
    assert!(token.has_scope("km"));
}

#[test]
fn a_token_in_a_file_is_for_its_owner_alone_and_replaces_none_unasked() {
    let trial = Trial::new();
    let path = trial.path("token");
    let arguments = ["token", "--client-id", "a", "--sub", "b", "--out", path.to_str().unwrap()];
    let out = trial.run(&arguments).done();
    assert_eq!(mode(&path), 0o600);
    let first = fs::read_to_string(&path).unwrap();
    assert_eq!(verify(&trial, &first).subject().as_str(), "b");
    assert!(!out.contains(&first));
    trial.run(&arguments).fails(1, &["token exists already", "--force"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), first);
    trial.run(&[&arguments[..], &["--force"]].concat()).done();
    assert_ne!(fs::read_to_string(&path).unwrap(), first);
}

#[test]
fn a_token_that_the_server_would_refuse_is_not_issued() {
    let trial = Trial::new();
    let token = |more: &[&str]| trial.run(&[&["token"], more].concat());
    token(&["--client-id", "a"]).fails(2, &["--sub"]);
    token(&["--sub", "a"]).fails(2, &["--client-id"]);
    token(&["--client-id", "", "--sub", "b"]).fails(2, &["the server would refuse", "client_id"]);
    token(&["--client-id", "a", "--sub", "b", "--scope", "c  d"]).fails(2, &["the server would refuse", "scope"]);
    token(&["--client-id", "a", "--sub", "b", "--ttl", "3601"]).fails(2, &["--ttl 3601", "max_token_seconds", "3600"]);
    token(&["--client-id", "a", "--sub", "b", "--ttl", "0"]).fails(2, &["the server would refuse"]);
}

#[test]
fn there_are_tokens_for_a_trial_alone() {
    let trial = Trial::new();
    let arguments = ["token", "--client-id", "a", "--sub", "b"];
    // The issuer of another trial, and one that is none of a trial.
    let other = Issuer::generate().unwrap().to_jwk();
    trial.write("issuer.key", &other);
    trial.run(&arguments).fails(2, &["the issuer has no such key"]);
    trial.write("issuer.key", &other.replace("trial-", "production-"));
    trial.run(&arguments).fails(2, &["issuer.key: not a private key of a trial issuer"]);
    fs::remove_file(trial.path("issuer.key")).unwrap();
    trial.run(&arguments).fails(2, &["issuer.key: tokens are issued for a trial alone", "skms init --trial"]);
    let line = trial.text("skms.toml").lines().find(|line| line.starts_with("jwks_file")).unwrap().to_owned();
    trial.configure(&line, "jwks_url = \"https://idms.example.org/jwks\"");
    trial.run(&arguments).fails(2, &["skms.toml", "for a trial alone", "jwks_file"]);
}
