//! Who may do what.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use mikey_sakke::identity::Uri;
use mikey_sakke::km::{Failure, Identifier, Kind, Subject};
use serde_json::{Value, json};
use skm::policy::{
    Channel, Policy, PolicySettings, Refusal, Right, Role, Row, ServiceApi, Standing, delegate, principal,
};
use skm::tls::{ClientCertificate, San};
use skm::token::{AccessToken, Verifier};
use support::{Issuer, capif_claims, capif_settings, claims, now, with};

const FLEET: &str = "urn:example:fleet";
const OTHER: &str = "urn:example:other";
const IDENTITY: &str = "urn:mikey-sakke:identity-keys";
const ALICE: &str = "sip:alice@example.org";
const BOB: &str = "sip:bob@example.org";
const SERVER: &str = "sip:server@example.org";

fn identifier(text: &str) -> Identifier {
    Identifier::new(text).unwrap()
}

fn certificate(name: &str) -> ClientCertificate {
    use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, SanType};
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::URI(name.try_into().unwrap())];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    ClientCertificate::from_der(certificate.der()).unwrap()
}

fn row(name: &str, role: Role, services: &[&str]) -> Row {
    Row {
        san: San::parse(name).unwrap(),
        client_id: Some(identifier("client-1")),
        uri: Some(Uri::parse(SERVER).unwrap()),
        roles: vec![role],
        services: services.iter().map(|service| identifier(service)).collect(),
    }
}

/// A VAL server, a group manager and a provisioner, all for one service and with the same client.
fn policy() -> Policy {
    let rows = vec![
        row("urn:val", Role::ValServer, &[FLEET]),
        row("urn:sgm", Role::GroupManager, &[FLEET]),
        row("urn:provisioner", Role::Provisioner, &[FLEET, IDENTITY]),
    ];
    Policy::new(settings(), rows).unwrap()
}

fn settings() -> PolicySettings {
    PolicySettings {
        scope_km: "seal:key-management".into(),
        scope_kp: "seal:key-provisioning".into(),
        identity_service: identifier(IDENTITY),
        skms_uri: Uri::parse("sip:skms.example.org").unwrap(),
        service_api: Some(ServiceApi { aef_id: "aef-1".into(), api_name: "ss-kir".into() }),
    }
}

fn token(changes: &[(&str, Value)]) -> AccessToken {
    let claims = changes.iter().fold(claims(), |claims, (name, value)| with(claims, name, value.clone()));
    let issuer = Issuer::new();
    issuer.verify(&issuer.es256(&claims)).unwrap()
}

/// A token of a server: without user and services.
fn server_token(changes: &[(&str, Value)]) -> AccessToken {
    let none = [("val_user_id", Value::Null), ("val_service_ids", Value::Null)];
    token(&[&none, changes].concat())
}

fn read(token: &AccessToken, channel: Channel<'_>, service: &str, subject: (Kind, &str)) -> Result<Right, Refusal> {
    let subject = Subject::new(subject.0, subject.1).unwrap();
    policy().may_read(Some(token), channel, &identifier(service), &subject, Standing::default())
}

const SERVICE: (Kind, &str) = (Kind::Service, "");

#[test]
fn a_client_in_a_ue_has_what_its_token_names() {
    let token = token(&[]);
    for subject in [SERVICE, (Kind::Client, "client-1"), (Kind::Device, "device-7"), (Kind::User, ALICE)] {
        assert_eq!(read(&token, Channel::KmUu, FLEET, subject), Ok(Right::Own), "{subject:?}");
    }
}

#[test]
fn a_token_for_one_service_reads_no_other() {
    for subject in [SERVICE, (Kind::Client, "client-1"), (Kind::Device, "device-7"), (Kind::User, ALICE)] {
        for service in [OTHER, IDENTITY, "urn:example:flee", "urn:example:fleet2", "URN:example:fleet"] {
            assert_eq!(read(&token(&[]), Channel::KmUu, service, subject), Err(Refusal::Service), "{service}");
        }
    }
}

#[test]
fn a_token_without_services_reads_nothing_from_a_ue() {
    for services in [Value::Null, json!([])] {
        let token = token(&[("val_service_ids", services)]);
        assert_eq!(read(&token, Channel::KmUu, FLEET, SERVICE), Err(Refusal::Service));
    }
}

#[test]
fn a_token_for_one_user_reads_no_other() {
    let token = token(&[]);
    for user in [BOB, "sip:alice@example.com", "tel:+15550100"] {
        assert_eq!(read(&token, Channel::KmUu, FLEET, (Kind::User, user)), Err(Refusal::User), "{user}");
    }
    assert_eq!(read(&token, Channel::KmUu, FLEET, (Kind::Client, "client-2")), Err(Refusal::Client));
    assert_eq!(read(&token, Channel::KmUu, FLEET, (Kind::Device, "client-1")), Err(Refusal::Device));
    assert_eq!(read(&token, Channel::KmUu, FLEET, (Kind::Client, "device-7")), Err(Refusal::Client));
}

#[test]
fn users_are_compared_octet_for_octet() {
    for user in ["sip:Alice@example.org", "SIP:alice@example.org", "sip:%61lice@example.org", "sip:alice@EXAMPLE.org"] {
        let token = token(&[("val_user_id", json!(user))]);
        assert_eq!(read(&token, Channel::KmUu, FLEET, (Kind::User, ALICE)), Err(Refusal::User), "{user}");
    }
}

#[test]
fn a_token_without_user_reads_no_user() {
    let token = token(&[("val_user_id", Value::Null), ("sub", json!(ALICE))]);
    assert_eq!(read(&token, Channel::KmUu, FLEET, (Kind::User, ALICE)), Err(Refusal::User));
}

#[test]
fn scope() {
    for scope in ["seal:key-provisioning", "openid", "seal:key-management2", "SEAL:key-management"] {
        let token = token(&[("scope", json!(scope))]);
        assert_eq!(read(&token, Channel::KmUu, FLEET, SERVICE), Err(Refusal::Scope), "{scope}");
    }
}

#[test]
fn a_delegate_reads_the_keys_of_a_user_and_nothing_else() {
    let delegate = Standing { blocked: false, delegate: true };
    let decide = |service: &str, kind, value: &str| {
        let subject = Subject::new(kind, value).unwrap();
        policy().may_read(Some(&token(&[])), Channel::KmUu, &identifier(service), &subject, delegate)
    };
    assert_eq!(decide(FLEET, Kind::User, BOB), Ok(Right::Delegate));
    assert_eq!(decide(FLEET, Kind::User, ALICE), Ok(Right::Own));
    assert_eq!(decide(OTHER, Kind::User, BOB), Err(Refusal::Service));
    assert_eq!(decide(FLEET, Kind::Client, "client-2"), Err(Refusal::Client));
    assert_eq!(decide(FLEET, Kind::Device, "device-8"), Err(Refusal::Device));
}

#[test]
fn the_blocked_read_nothing() {
    let blocked = Standing { blocked: true, delegate: true };
    let subject = Subject::new(Kind::User, ALICE).unwrap();
    let decision = policy().may_read(Some(&token(&[])), Channel::KmUu, &identifier(FLEET), &subject, blocked);
    assert_eq!(decision, Err(Refusal::Blocked));
}

#[test]
fn a_val_server_has_the_services_of_its_row() {
    let certificate = certificate("urn:val");
    let channel = Channel::KmS(Some(&certificate));
    let token = server_token(&[]);
    assert_eq!(read(&token, channel, FLEET, SERVICE), Ok(Right::Own));
    assert_eq!(read(&token, channel, FLEET, (Kind::User, SERVER)), Ok(Right::Own));
    assert_eq!(read(&token, channel, OTHER, SERVICE), Err(Refusal::Service));
    assert_eq!(read(&token, channel, IDENTITY, (Kind::User, SERVER)), Err(Refusal::Service));
    assert_eq!(read(&token, channel, FLEET, (Kind::User, ALICE)), Err(Refusal::User));
    assert_eq!(read(&token, Channel::KmUu, FLEET, SERVICE), Err(Refusal::Service), "the row is not for UEs");
}

#[test]
fn a_row_does_not_widen_a_token() {
    let certificate = certificate("urn:val");
    let token = server_token(&[("val_service_ids", json!([OTHER]))]);
    for service in [FLEET, OTHER] {
        let decision = read(&token, Channel::KmS(Some(&certificate)), service, SERVICE);
        assert_eq!(decision, Err(Refusal::Service), "{service}");
    }
}

#[test]
fn certificate_and_client_stand_in_one_row() {
    let (val, unknown) = (certificate("urn:val"), certificate("urn:VAL"));
    let other = server_token(&[("client_id", json!("client-2"))]);
    assert_eq!(read(&other, Channel::KmS(Some(&val)), FLEET, SERVICE), Err(Refusal::NoRow));
    assert_eq!(read(&server_token(&[]), Channel::KmS(Some(&unknown)), FLEET, SERVICE), Err(Refusal::NoRow));
    assert_eq!(read(&server_token(&[]), Channel::KmS(None), FLEET, SERVICE), Err(Refusal::NoCertificate));
    assert_eq!(read(&server_token(&[]), Channel::SealX1(None), FLEET, SERVICE), Err(Refusal::NoCertificate));
}

#[test]
fn roles_keep_to_their_listeners() {
    let [val, sgm, provisioner] = ["urn:val", "urn:sgm", "urn:provisioner"].map(certificate);
    for (channel, name) in [
        (Channel::KmS(Some(&sgm)), "sgm"),
        (Channel::KmS(Some(&provisioner)), "provisioner"),
        (Channel::SealX1(Some(&val)), "val"),
        (Channel::SealX1(Some(&provisioner)), "provisioner"),
    ] {
        assert_eq!(read(&server_token(&[]), channel, FLEET, SERVICE), Err(Refusal::Role), "{name}");
    }
}

#[test]
fn a_group_manager_reads_its_own_identity_keys_alone() {
    let certificate = certificate("urn:sgm");
    let channel = Channel::SealX1(Some(&certificate));
    assert_eq!(read(&server_token(&[]), channel, IDENTITY, (Kind::User, SERVER)), Ok(Right::Own));
    assert_eq!(read(&server_token(&[]), channel, IDENTITY, (Kind::User, ALICE)), Err(Refusal::User));
    assert_eq!(read(&server_token(&[]), channel, OTHER, (Kind::User, SERVER)), Err(Refusal::Service));
}

fn provision(token: &AccessToken, channel: Channel<'_>, service: &str) -> Result<(), Refusal> {
    policy().may_provision(token, channel, &identifier(service))
}

#[test]
fn provisioning_takes_certificate_scope_and_row() {
    let [certificate, val, unknown] = ["urn:provisioner", "urn:val", "urn:unknown"].map(certificate);
    let channel = Channel::KmS(Some(&certificate));
    let scope = ("scope", json!("seal:key-provisioning"));
    let token = server_token(std::slice::from_ref(&scope));
    assert_eq!(provision(&token, channel, FLEET), Ok(()));
    assert_eq!(provision(&server_token(&[]), channel, FLEET), Err(Refusal::Scope));
    assert_eq!(provision(&token, Channel::KmS(None), FLEET), Err(Refusal::NoCertificate));
    assert_eq!(provision(&token, Channel::KmS(Some(&unknown)), FLEET), Err(Refusal::NoRow));
    assert_eq!(provision(&token, Channel::KmS(Some(&val)), FLEET), Err(Refusal::Role));
    assert_eq!(provision(&token, channel, OTHER), Err(Refusal::Service));
    assert_eq!(provision(&token, Channel::KmUu, FLEET), Err(Refusal::Channel));
    assert_eq!(provision(&token, Channel::SealX1(Some(&certificate)), FLEET), Err(Refusal::Channel));
    let other = server_token(&[scope.clone(), ("client_id", json!("client-2"))]);
    assert_eq!(provision(&other, channel, FLEET), Err(Refusal::NoRow));
    let narrow = server_token(&[scope, ("val_service_ids", json!([OTHER]))]);
    assert_eq!(provision(&narrow, channel, FLEET), Err(Refusal::Service));
}

#[test]
fn nothing_is_provisioned_for_identity_keys() {
    let certificate = certificate("urn:provisioner");
    let token = server_token(&[("scope", json!("seal:key-provisioning"))]);
    assert_eq!(provision(&token, Channel::KmS(Some(&certificate)), IDENTITY), Err(Refusal::ReservedService));
}

#[test]
fn the_user_of_an_answer() {
    let certificate = certificate("urn:val");
    let channel = Channel::KmS(Some(&certificate));
    let answer =
        |token: &AccessToken, channel, subject| policy().user_uri(Some(token), channel, &subject).unwrap().to_string();
    let service = Subject::Service;
    assert_eq!(answer(&token(&[]), Channel::KmUu, Subject::new(Kind::User, BOB).unwrap()), BOB);
    assert_eq!(answer(&token(&[]), channel, service.clone()), ALICE);
    assert_eq!(answer(&server_token(&[]), channel, service.clone()), SERVER);
    assert_eq!(policy().user_uri(Some(&server_token(&[])), Channel::KmUu, &service), None);
}

#[test]
fn whom_a_request_concerns() {
    let certificate = certificate("urn:val");
    let bob = Subject::new(Kind::User, BOB).unwrap();
    let concerned = policy().concerned(Some(&token(&[])), Channel::KmS(Some(&certificate)), &bob);
    assert_eq!(concerned.iter().map(Uri::as_str).collect::<Vec<_>>(), [BOB, ALICE, SERVER]);
}

#[test]
fn the_keys_of_a_group_manager_are_for_itself_alone() {
    let [sgm, val] = ["urn:sgm", "urn:val"].map(certificate);
    let own = server_token(&[]);
    assert_eq!(policy().group_managers().iter().map(Uri::as_str).collect::<Vec<_>>(), [SERVER]);
    assert_eq!(read(&own, Channel::SealX1(Some(&sgm)), IDENTITY, (Kind::User, SERVER)), Ok(Right::Own));
    let named = token(&[("val_user_id", json!(SERVER)), ("val_service_ids", json!([IDENTITY, FLEET]))]);
    assert_eq!(read(&named, Channel::KmUu, IDENTITY, (Kind::User, SERVER)), Err(Refusal::GroupManager));
    assert_eq!(read(&named, Channel::KmUu, FLEET, (Kind::User, SERVER)), Ok(Right::Own), "its records are not keys");
    let rows = vec![row("urn:sgm", Role::GroupManager, &[]), row("urn:val", Role::ValServer, &[IDENTITY])];
    let other = Row { uri: Some(Uri::parse(BOB).unwrap()), ..row("urn:other", Role::GroupManager, &[]) };
    let policy = Policy::new(settings(), [rows, vec![other]].concat()).unwrap();
    let delegate = Standing { blocked: false, delegate: true };
    let decide = |token: &AccessToken, channel| {
        let server = Subject::new(Kind::User, SERVER).unwrap();
        policy.may_read(Some(token), channel, &identifier(IDENTITY), &server, delegate)
    };
    assert_eq!(decide(&own, Channel::SealX1(Some(&sgm))), Ok(Right::Own));
    assert_eq!(decide(&own, Channel::KmS(Some(&val))), Err(Refusal::GroupManager));
    assert_eq!(decide(&named, Channel::KmUu), Err(Refusal::GroupManager));
    let of_other = certificate("urn:other");
    assert_eq!(decide(&named, Channel::SealX1(Some(&of_other))), Err(Refusal::GroupManager));
}

#[test]
fn the_keys_of_the_server_are_for_nobody() {
    let token = token(&[("val_user_id", json!("sip:skms.example.org")), ("val_service_ids", json!([IDENTITY, FLEET]))]);
    let server = (Kind::User, "sip:skms.example.org");
    assert_eq!(read(&token, Channel::KmUu, IDENTITY, server), Err(Refusal::Server));
    assert_eq!(read(&token, Channel::KmUu, FLEET, server), Ok(Right::Own), "its records are not keys");
}

#[test]
fn the_domain_is_for_whoever_has_the_scope() {
    let [val, unknown] = ["urn:val", "urn:unknown"].map(certificate);
    let decide = |token: &AccessToken, channel| policy().may_read_domain(token, channel, false);
    assert_eq!(decide(&token(&[]), Channel::KmUu), Ok(()));
    assert_eq!(decide(&server_token(&[]), Channel::KmS(Some(&val))), Ok(()));
    assert_eq!(decide(&server_token(&[]), Channel::KmS(Some(&unknown))), Err(Refusal::NoRow));
    assert_eq!(decide(&server_token(&[]), Channel::SealX1(None)), Err(Refusal::NoCertificate));
    let provisioning = token(&[("scope", json!("seal:key-provisioning"))]);
    assert_eq!(decide(&provisioning, Channel::KmUu), Err(Refusal::Scope));
    assert_eq!(policy().may_read_domain(&token(&[]), Channel::KmUu, true), Err(Refusal::Blocked));
}

#[test]
fn who_makes_a_request() {
    let val = certificate("urn:val");
    assert_eq!(principal(Some(&token(&[])), Channel::KmUu), ALICE);
    assert_eq!(principal(Some(&server_token(&[])), Channel::KmUu), "device-7");
    assert_eq!(principal(Some(&token(&[])), Channel::KmS(Some(&val))), "urn:val");
    assert_eq!(delegate(Some(&token(&[])), Channel::KmUu), Some(ALICE));
    assert_eq!(delegate(Some(&server_token(&[])), Channel::KmUu), None, "a subject is no user");
    assert_eq!(delegate(Some(&token(&[])), Channel::KmS(Some(&val))), Some("urn:val"));
}

#[test]
fn rows_do_not_contradict_each_other() {
    let rows = vec![row("urn:val", Role::ValServer, &[FLEET]), row("urn:val", Role::Provisioner, &[OTHER])];
    assert!(Policy::new(settings(), rows).is_err());
    let alone = |role| Row { client_id: None, ..row("urn:val", role, &[FLEET]) };
    assert!(Policy::new(settings(), vec![alone(Role::ValServer), alone(Role::ValServer)]).is_err());
    assert!(Policy::new(settings(), vec![alone(Role::ValServer), row("urn:val", Role::ValServer, &[])]).is_ok());
}

/// A token of the CAPIF core function for this API, with claims changed.
fn capif_token(changes: &[(&str, Value)]) -> AccessToken {
    let claims = changes.iter().fold(capif_claims(), |claims, (name, value)| with(claims, name, value.clone()));
    let issuer = Issuer::new();
    let verifier = Verifier::of_capif(capif_settings());
    verifier.verify(&issuer.es256(&claims), &issuer.keys(), None, now()).unwrap()
}

#[test]
fn an_api_invoker_has_the_services_of_its_row() {
    let [certificate, unknown] = ["urn:val", "urn:unknown"].map(certificate);
    let channel = Channel::KmS(Some(&certificate));
    let token = capif_token(&[]);
    for subject in [SERVICE, (Kind::User, SERVER), (Kind::Client, "client-1")] {
        assert_eq!(read(&token, channel, FLEET, subject), Ok(Right::Own), "{subject:?}");
    }
    assert_eq!(read(&token, channel, OTHER, SERVICE), Err(Refusal::Service));
    assert_eq!(read(&token, channel, FLEET, (Kind::User, ALICE)), Err(Refusal::User));
    assert_eq!(read(&token, Channel::KmS(Some(&unknown)), FLEET, SERVICE), Err(Refusal::NoRow));
    assert_eq!(read(&token, Channel::KmS(None), FLEET, SERVICE), Err(Refusal::NoCertificate));
    assert_eq!(read(&capif_token(&[("client_id", json!("client-2"))]), channel, FLEET, SERVICE), Err(Refusal::NoRow));
    assert_eq!(read(&token, Channel::KmUu, FLEET, SERVICE), Err(Refusal::Channel));
}

#[test]
fn a_token_of_capif_names_neither_user_nor_device_nor_services() {
    let certificate = certificate("urn:val");
    let channel = Channel::KmS(Some(&certificate));
    let claims =
        [("sub", json!("device-7")), ("val_user_id", json!(ALICE)), ("val_service_ids", json!([FLEET, OTHER]))];
    let token = capif_token(&claims);
    assert_eq!(read(&token, channel, FLEET, (Kind::Device, "device-7")), Err(Refusal::Device));
    assert_eq!(read(&token, channel, FLEET, (Kind::User, ALICE)), Err(Refusal::User));
    assert_eq!(read(&token, channel, OTHER, SERVICE), Err(Refusal::Service));
    assert_eq!(read(&capif_token(&[]), channel, FLEET, (Kind::Device, "client-1")), Err(Refusal::Device));
}

#[test]
fn a_token_of_capif_is_for_this_function_and_api() {
    let certificate = certificate("urn:val");
    let channel = Channel::KmS(Some(&certificate));
    for scope in ["3gpp#aef-2:ss-kir", "3gpp#aef-1:ss-gm", "3gpp#aef-1:ss-gm;aef-2:ss-kir", "seal:key-management"] {
        let token = capif_token(&[("scope", json!(scope))]);
        assert_eq!(read(&token, channel, FLEET, SERVICE), Err(Refusal::Scope), "{scope}");
    }
    let other = server_token(&[("scope", json!("3gpp#aef-1:ss-kir"))]);
    assert_eq!(read(&other, channel, FLEET, SERVICE), Err(Refusal::Scope), "it is of another issuer");
}

#[test]
fn a_token_of_capif_is_for_reading_alone() {
    let certificate = certificate("urn:provisioner");
    let channel = Channel::KmS(Some(&certificate));
    let scope = ("scope", json!("seal:key-management seal:key-provisioning 3gpp#aef-1:ss-kir"));
    let token = capif_token(&[scope]);
    assert_eq!(provision(&token, channel, FLEET), Err(Refusal::Scope));
    assert_eq!(policy().may_read_domain(&token, channel, false), Err(Refusal::Scope));
}

#[test]
fn a_certificate_alone_reads_where_a_row_has_no_client() {
    let [alone, val] = ["urn:alone", "urn:val"].map(certificate);
    let rows = vec![
        Row { client_id: None, ..row("urn:alone", Role::ValServer, &[FLEET]) },
        row("urn:val", Role::ValServer, &[FLEET]),
    ];
    let policy = Policy::new(settings(), rows).unwrap();
    let decide = |channel, service: &str, kind, value: &str| {
        let subject = Subject::new(kind, value).unwrap();
        policy.may_read(None, channel, &identifier(service), &subject, Standing::default())
    };
    let (channel, other) = (Channel::KmS(Some(&alone)), Channel::KmS(Some(&val)));
    assert_eq!((policy.needs_no_token(channel), policy.needs_no_token(other)), (true, false));
    assert_eq!(decide(channel, FLEET, Kind::Service, ""), Ok(Right::Own));
    assert_eq!(decide(channel, FLEET, Kind::User, SERVER), Ok(Right::Own));
    assert_eq!(decide(channel, OTHER, Kind::Service, ""), Err(Refusal::Service));
    assert_eq!(decide(channel, FLEET, Kind::User, ALICE), Err(Refusal::User));
    assert_eq!(decide(channel, FLEET, Kind::Client, "client-1"), Err(Refusal::Client));
    assert_eq!(decide(channel, FLEET, Kind::Device, "device-7"), Err(Refusal::Device));
    assert_eq!(decide(other, FLEET, Kind::Service, ""), Err(Refusal::NoRow));
    assert_eq!(decide(Channel::KmS(None), FLEET, Kind::Service, ""), Err(Refusal::NoCertificate));
    assert_eq!(decide(Channel::KmUu, FLEET, Kind::Service, ""), Err(Refusal::Channel));
    let subject = Subject::Service;
    let with_token =
        policy.may_read(Some(&server_token(&[])), channel, &identifier(FLEET), &subject, Standing::default());
    assert_eq!(with_token, Err(Refusal::NoRow), "there is a row without a token alone");
    assert_eq!(principal(None, channel), "urn:alone");
    assert_eq!(policy.user_uri(None, channel, &subject).unwrap().as_str(), SERVER);
}

#[test]
fn every_refusal_is_a_403_with_04() {
    let failure = Failure::from(Refusal::User);
    assert_eq!((failure.http_status(), failure.error_code().as_str()), (403, "04"));
}
