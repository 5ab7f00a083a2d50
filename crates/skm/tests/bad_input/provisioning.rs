//! Provisioning: who may not, and records that are none.

use serde_json::{Value, json};

use crate::batch::Case;
use crate::http::{Answer, Client};
use crate::site::{GROUPS, PROVISIONER, SERVICE, VAL, now};
use crate::support::with;
use crate::world::{CANARY, Expected, GOOD, IDENTITY, OTHER, World, alice, event, request, server, uri};
use skm::audit::Action;

const NOT_PERMITTED: Expected = (403, "NOT_PERMITTED");
const MALFORMED: Expected = (400, "REQUEST");
const NOT_THERE: Expected = (404, "NOT_AVAILABLE");
const NO_ROUTE: Expected = (404, "NO_SUCH_RESOURCE");
const NO_METHOD: Expected = (405, "METHOD");
const CONFLICT: Expected = (412, "PRECONDITION");
const CREATED: Expected = (201, "");
const REPLACED: Expected = (204, "");

const RECORD: &str = r#"{"UserUri":"sip:alice@example.org","Payload":"canary-of-key-material"}"#;

fn path(service: &str, rest: &str) -> String {
    format!("/seal-km/v1/services/{service}/key-records{rest}")
}

/// Who tries to store a record: listener, name in the certificate, claims of the token, ServiceID.
fn callers() -> Vec<(&'static str, &'static str, &'static str, Value, &'static str, Expected)> {
    let good = || server(PROVISIONER.1);
    let scope = |claims: Value, scope: &str| with(claims, "scope", json!(scope));
    let both = "seal:key-management seal:key-provisioning";
    vec![
        ("as it should be", "km_s", PROVISIONER.0, good(), SERVICE, REPLACED),
        ("without the scope", "km_s", PROVISIONER.0, scope(good(), "seal:key-management"), SERVICE, NOT_PERMITTED),
        (
            "with another scope",
            "km_s",
            PROVISIONER.0,
            scope(good(), "seal:key-provisioning:none"),
            SERVICE,
            NOT_PERMITTED,
        ),
        ("for another service", "km_s", PROVISIONER.0, good(), OTHER, NOT_PERMITTED),
        ("for a service in upper case", "km_s", PROVISIONER.0, good(), "urn:example:FLEET", NOT_PERMITTED),
        ("for all services", "km_s", PROVISIONER.0, good(), "*", NOT_PERMITTED),
        ("for identity keys", "km_s", PROVISIONER.0, good(), IDENTITY, NOT_PERMITTED),
        (
            "with a token for another service",
            "km_s",
            PROVISIONER.0,
            with(good(), "val_service_ids", json!([OTHER])),
            SERVICE,
            NOT_PERMITTED,
        ),
        (
            "with a token for no service",
            "km_s",
            PROVISIONER.0,
            with(good(), "val_service_ids", json!([])),
            SERVICE,
            NOT_PERMITTED,
        ),
        ("the VAL server", "km_s", VAL.0, scope(server(VAL.1), both), SERVICE, NOT_PERMITTED),
        ("the VAL server with the token of the provisioner", "km_s", VAL.0, good(), SERVICE, NOT_PERMITTED),
        (
            "the provisioner with the token of the VAL server",
            "km_s",
            PROVISIONER.0,
            scope(server(VAL.1), both),
            SERVICE,
            NOT_PERMITTED,
        ),
        ("the group manager on KM-S", "km_s", GROUPS.0, scope(server(GROUPS.1), both), SERVICE, NOT_PERMITTED),
        ("a UE's token", "km_s", PROVISIONER.0, scope(alice(), both), SERVICE, NOT_PERMITTED),
        ("a certificate that no row has", "km_s", "urn:example:nobody", good(), SERVICE, NOT_PERMITTED),
        ("on KM-UU", "km_uu", PROVISIONER.0, good(), SERVICE, NO_ROUTE),
        ("on SEAL-X1", "seal_x1", PROVISIONER.0, good(), SERVICE, NO_ROUTE),
    ]
}

/// Records that are none, and some that are.
const RECORDS: &[(&str, &str, Expected)] = &[
    ("nothing", "", MALFORMED),
    ("an empty object", "{}", MALFORMED),
    ("cut off", r#"{"UserUri":"sip:alice@example.org","Payload":"x"#, MALFORMED),
    ("an array", r#"[{"UserUri":"sip:alice@example.org","Payload":"x"}]"#, MALFORMED),
    ("no UserUri", r#"{"Payload":"x"}"#, MALFORMED),
    ("no Payload", r#"{"UserUri":"sip:alice@example.org"}"#, MALFORMED),
    ("a Payload that is null", r#"{"UserUri":"sip:alice@example.org","Payload":null}"#, MALFORMED),
    ("a Payload that is an object", r#"{"UserUri":"sip:alice@example.org","Payload":{"key":"x"}}"#, MALFORMED),
    ("a Payload with half a surrogate pair", r#"{"UserUri":"sip:alice@example.org","Payload":"\ud800"}"#, MALFORMED),
    ("a Payload twice", r#"{"UserUri":"sip:alice@example.org","Payload":"x","Payload":"y"}"#, MALFORMED),
    (
        "a Payload twice, once escaped",
        r#"{"UserUri":"sip:alice@example.org","Payload":"x","P\u0061yload":"y"}"#,
        MALFORMED,
    ),
    ("a user in upper case", r#"{"UserUri":"SIP:alice@example.org","Payload":"x"}"#, MALFORMED),
    ("an empty user", r#"{"UserUri":"","Payload":"x"}"#, MALFORMED),
    ("a user that is a number", r#"{"UserUri":1,"Payload":"x"}"#, MALFORMED),
    (
        "an end before the beginning",
        r#"{"UserUri":"sip:alice@example.org","Payload":"x","ValidFrom":20,"ValidTo":10}"#,
        MALFORMED,
    ),
    (
        "an end at the beginning",
        r#"{"UserUri":"sip:alice@example.org","Payload":"x","ValidFrom":10,"ValidTo":10}"#,
        MALFORMED,
    ),
    ("a beginning below zero", r#"{"UserUri":"sip:alice@example.org","Payload":"x","ValidFrom":-1}"#, MALFORMED),
    ("a beginning with a fraction", r#"{"UserUri":"sip:alice@example.org","Payload":"x","ValidFrom":1.0}"#, MALFORMED),
    ("an end in quotes", r#"{"UserUri":"sip:alice@example.org","Payload":"x","ValidTo":"4102444800"}"#, MALFORMED),
    ("an end that is null", r#"{"UserUri":"sip:alice@example.org","Payload":"x","ValidTo":null}"#, MALFORMED),
    ("an end after 9999", r#"{"UserUri":"sip:alice@example.org","Payload":"x","ValidTo":253402300800}"#, MALFORMED),
    (
        "an end at 2^64",
        r#"{"UserUri":"sip:alice@example.org","Payload":"x","ValidTo":18446744073709551616}"#,
        MALFORMED,
    ),
    (
        "members that are not known",
        r#"{"UserUri":"sip:alice@example.org","Payload":"x","Version":"../../x","ETag":"*"}"#,
        REPLACED,
    ),
    (
        "characters of all kinds",
        r#"{"UserUri":"sip:alice@example.org","Payload":"\u0000\"\\\r\n<&>' OR 1=1; --\ud83d\udd11"}"#,
        REPLACED,
    ),
];

/// If-Match, If-None-Match, and what becomes of a change of a record whose version ETAG is.
const CONDITIONS: &[(&str, Option<&str>, Option<&str>, Expected)] = &[
    ("of another version", Some("\"0123456789abcdef\""), None, CONFLICT),
    ("weak", Some("W/ETAG"), None, CONFLICT),
    ("without quotes", Some("BARE"), None, CONFLICT),
    ("in single quotes", Some("'BARE'"), None, CONFLICT),
    ("a star in quotes", Some("\"*\""), None, CONFLICT),
    ("an empty one", Some(""), None, CONFLICT),
    ("an empty version", Some("\"\""), None, CONFLICT),
    ("cut off", Some("\"BARE"), None, CONFLICT),
    ("a long one", Some("LONG"), None, CONFLICT),
    ("none there", None, Some("*"), CONFLICT),
    ("none like this", None, Some("ETAG"), MALFORMED),
    ("there and not there", Some("*"), Some("*"), CONFLICT),
    ("this one, if there is none", Some("ETAG"), Some("*"), CONFLICT),
];

/// The provisioner.
struct Provisioner<'a> {
    world: &'a World,
    client: Client,
}

impl Provisioner<'_> {
    async fn send(
        &self,
        name: &str,
        method: &'static str,
        path: &str,
        more: &[(&str, &str)],
        body: &str,
        expected: Expected,
    ) -> Answer {
        let authorization = self.world.bearer(&server(PROVISIONER.1));
        let headers = [&[("authorization", authorization.as_str())], more].concat();
        let answer = self.client.send(method, path, &headers, body.to_owned()).await;
        self.world.check(name, &answer, expected);
        assert!(!answer.body.contains(CANARY) && !answer.body.contains("Payload\":"), "{name}: {answer:?}");
        answer
    }

    async fn put(&self, name: &str, path: &str, body: &str, expected: Expected) -> Answer {
        self.send(name, "PUT", path, &[crate::http::JSON], body, expected).await
    }

    /// What Alice reads of her record.
    async fn read_by_alice(&self, name: &str, expected: Expected) -> Value {
        let body = request(&[("UserID", json!("sip:alice@example.org"))]).to_string().into();
        let client = self.world.uu();
        self.world.run([Case::km(name, &client, self.world.alice(), body, expected)]).await[0].json()
    }
}

#[tokio::test]
async fn provisioning() {
    let world = World::new().await;
    let client = world.mutual("km_s", PROVISIONER.0);
    for (name, listener, san, claims, service, expected) in callers() {
        let client = world.mutual(listener, san);
        let case = |method| Case {
            name: format!("{name}: {method}"),
            client: &client,
            method,
            path: path(service, ""),
            headers: vec![("authorization", world.bearer(&claims)), ("content-type", "application/json".into())],
            body: if method == "PUT" { RECORD.into() } else { Vec::new() },
            expected: if expected == REPLACED && method == "GET" { GOOD } else { expected },
        };
        let methods = ["PUT", "GET", "DELETE"];
        let last = if expected == REPLACED { 2 } else { 3 };
        world.run(methods[..last].iter().map(|method| case(method))).await;
    }
    let provisioner = Provisioner { world: &world, client };
    bodies(&provisioner).await;
    conditions(&provisioner).await;
    methods(&provisioner).await;
    validity(&provisioner).await;
    blocked(&provisioner).await;
    world.finish(80).await;
}

async fn bodies(provisioner: &Provisioner<'_>) {
    let alice = path(SERVICE, "/user/sip:alice@example.org");
    for (name, body, expected) in RECORDS {
        provisioner.put(name, &alice, body, *expected).await;
    }
    let payload =
        |text: &str, times| format!(r#"{{"UserUri":"sip:alice@example.org","Payload":"{}"}}"#, text.repeat(times));
    for (name, body, expected) in [
        ("a Payload as long as it may be", payload("x", 49_152), REPLACED),
        ("a Payload one octet too long", payload("x", 49_153), MALFORMED),
        ("a Payload too long by its characters", payload("\u{1f511}", 12_289), MALFORMED),
        ("a body too long by its escapes", payload(r"\u0078", 20_000), (413, "BODY_TOO_LARGE")),
        ("a body too long", payload("x", 65_536), (413, "BODY_TOO_LARGE")),
    ] {
        provisioner.put(name, &alice, &body, expected).await;
    }
    let large = provisioner.read_by_alice("what is stored is what was the last that fits", GOOD).await;
    assert_eq!(large["Payload"], "x".repeat(49_152));
    for declared in ["text/plain", "application/xml", "application/merge-patch+json"] {
        let headers = [("content-type", declared)];
        provisioner.send(declared, "PUT", &alice, &headers, RECORD, (415, "CONTENT_TYPE")).await;
    }
    provisioner.send("no type", "PUT", &alice, &[], RECORD, (415, "CONTENT_TYPE")).await;
    for (name, rest, expected) in [
        ("another kind", "/group/x", NO_ROUTE),
        ("a kind in upper case", "/USER/sip:alice@example.org", NO_ROUTE),
        ("no identifier", "/user/", NO_ROUTE),
        ("a user in upper case", "/user/SIP:alice@example.org", MALFORMED),
        ("a user with a port", "/user/sip:alice@example.org:5060", MALFORMED),
        ("a client with NUL", "/client/a%00", MALFORMED),
        ("a client that is no UTF-8", "/client/%ff", MALFORMED),
        ("a client of 1,025 octets", &format!("/client/{}", "x".repeat(1025)), MALFORMED),
        ("a client of 1,024 octets", &format!("/client/{}", "x".repeat(1024)), CREATED),
        ("a client with SQL", "/client/x'%3B%20DROP%20TABLE%20sealed_rows%3B--", CREATED),
        ("a client that is a path", "/client/..%2F..%2Fx", CREATED),
    ] {
        provisioner.put(name, &path(SERVICE, rest), RECORD, expected).await;
    }
}

async fn conditions(provisioner: &Provisioner<'_>) {
    let record = path(SERVICE, "/client/conditions");
    provisioner.send("if it is there", "PUT", &record, &[crate::http::JSON, ("if-match", "*")], RECORD, CONFLICT).await;
    provisioner.send("what is not there", "DELETE", &record, &[], "", NOT_THERE).await;
    provisioner.send("what is not there", "GET", &record, &[], "", NOT_THERE).await;
    let created = provisioner.put("created", &record, RECORD, CREATED).await;
    let etag = created.header("etag").unwrap();
    for (name, if_match, if_none_match, expected) in CONDITIONS {
        let value = |text: &str| {
            text.replace("ETAG", etag).replace("BARE", etag.trim_matches('"')).replace("LONG", &etag.repeat(500))
        };
        let [if_match, if_none_match] = [if_match, if_none_match].map(|text| text.map(value));
        let mut headers = vec![crate::http::JSON];
        headers.extend(if_match.as_deref().map(|value| ("if-match", value)));
        headers.extend(if_none_match.as_deref().map(|value| ("if-none-match", value)));
        provisioner.send(name, "PUT", &record, &headers, RECORD, *expected).await;
        if if_none_match.is_none() {
            provisioner.send(name, "DELETE", &record, &headers[1..], "", *expected).await;
        }
    }
    let present = provisioner.send("untouched", "GET", &record, &[], "", GOOD).await;
    assert_eq!(present.header("etag"), Some(etag));
    provisioner
        .send("of this version", "PUT", &record, &[crate::http::JSON, ("if-match", etag)], RECORD, REPLACED)
        .await;
    provisioner.send("of the version before", "DELETE", &record, &[("if-match", etag)], "", CONFLICT).await;
    provisioner.send("whatever it is", "DELETE", &record, &[("if-match", "*")], "", REPLACED).await;
    provisioner.send("once more", "DELETE", &record, &[("if-match", "*")], "", CONFLICT).await;
}

async fn methods(provisioner: &Provisioner<'_>) {
    let record = path(SERVICE, "");
    for method in ["POST", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "put"] {
        provisioner.send(method, method, &record, &[crate::http::JSON], RECORD, NO_METHOD).await;
    }
    let disguised = [crate::http::JSON, ("x-http-method-override", "DELETE"), ("x-http-method", "DELETE")];
    provisioner.send("another method in a field", "POST", &record, &disguised, RECORD, NO_METHOD).await;
    provisioner.send("metadata in XML", "GET", &record, &[("accept", "application/xml")], "", (406, "ACCEPT")).await;
    provisioner.send("two tokens", "GET", &record, &[("authorization", "Bearer x")], "", (401, "TOKEN")).await;
    provisioner.send("metadata", "GET", &record, &[], "", GOOD).await;
}

/// Outside of its validity a record is not there.
async fn validity(provisioner: &Provisioner<'_>) {
    let alice = path(SERVICE, "/user/sip:alice@example.org");
    let record = |from: u64, to: u64| {
        json!({"UserUri": "sip:alice@example.org", "Payload": CANARY, "ValidFrom": from, "ValidTo": to}).to_string()
    };
    for (name, from, to, expected) in [
        ("valid", now() - 100, now() + 1000, GOOD),
        ("not valid any more", now() - 100, now() - 1, (404, "02")),
        ("not valid yet", now() + 1000, now() + 2000, (404, "02")),
    ] {
        provisioner.put(name, &alice, &record(from, to), REPLACED).await;
        provisioner.read_by_alice(name, expected).await;
    }
    provisioner.send("deleted", "DELETE", &alice, &[], "", REPLACED).await;
    provisioner.read_by_alice("deleted", (404, "02")).await;
}

/// A server that is blocked stores nothing, by the user in its token.
async fn blocked(provisioner: &Provisioner<'_>) {
    const BLOCKED: &str = "sip:provisioner@example.org";
    let store = provisioner.world.store().await;
    store.set_blocked(&uri(BLOCKED), true, &event(Action::Block)).await.unwrap();
    let claims = with(server(PROVISIONER.1), "val_user_id", json!(BLOCKED));
    let headers =
        vec![("authorization", provisioner.world.bearer(&claims)), ("content-type", "application/json".into())];
    let case = Case {
        name: "blocked".into(),
        client: &provisioner.client,
        method: "PUT",
        path: path(SERVICE, ""),
        headers,
        body: RECORD.into(),
        expected: NOT_PERMITTED,
    };
    provisioner.world.run([case]).await;
}
