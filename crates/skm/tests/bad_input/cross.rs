//! Key material of other services, users, clients and devices, over each listener.

use serde_json::{Value, json};

use crate::batch::Case;
use crate::http::Client;
use crate::site::{ALICE, GROUPS, PROVISIONER, SERVICE, VAL};
use crate::support::with;
use crate::world::{
    BOB, CANARY, CAROL, DAVE, Expected, FORBIDDEN, GOOD, IDENTITY, MALFORMED, MALLORY, MANAGER, NOTHING, OTHER,
    OTHER_VAL, OTHER_VAL_URI, World, alice, request, server, ue,
};

/// Who asks.
#[derive(Clone, Copy)]
enum Who {
    Alice,
    Bob,
    /// Who is blocked.
    Mallory,
    /// Who has the keys of Bob by delegation.
    Carol,
    /// Who had them.
    Dave,
    /// Somebody whose token names no user.
    Nobody,
    Val,
    /// The VAL server of the other service, which has the keys of Bob by delegation.
    OtherVal,
    Groups,
}

use Who::{Alice, Bob, Carol, Dave, Groups, Mallory, Nobody, OtherVal, Val};

impl Who {
    fn claims(self) -> Value {
        match self {
            Alice => alice(),
            Bob => ue(BOB, "client-2", "device-8", &[SERVICE, IDENTITY]),
            Mallory => ue(MALLORY, "client-3", "device-9", &[SERVICE, IDENTITY]),
            Carol => ue(CAROL, "client-4", "device-10", &[SERVICE, IDENTITY]),
            Dave => ue(DAVE, "client-5", "device-11", &[SERVICE, IDENTITY]),
            Nobody => with(alice(), "val_user_id", Value::Null),
            Val => server(VAL.1),
            OtherVal => server(OTHER_VAL.1),
            Groups => server(GROUPS.1),
        }
    }

    /// Of clients for KM-UU, KM-S twice, and SEAL-X1.
    const fn client(self, [ue, val, other_val, groups]: &[Client; 4]) -> &Client {
        match self {
            Val => val,
            OtherVal => other_val,
            Groups => groups,
            _ => ue,
        }
    }
}

const CLIENT: &str = "ClientID";
const DEVICE: &str = "DeviceID";
const USER: &str = "UserID";

/// Who asks for what: the ServiceID, and a member with its value.
const CASES: &[(Who, &str, &str, &str, Expected)] = &[
    (Alice, SERVICE, "", "", GOOD),
    (Alice, SERVICE, CLIENT, "client-1", GOOD),
    (Alice, SERVICE, DEVICE, "device-7", GOOD),
    (Alice, SERVICE, USER, ALICE, GOOD),
    (Alice, SERVICE, CLIENT, "client-2", FORBIDDEN),
    (Alice, SERVICE, CLIENT, "client-99", FORBIDDEN),
    (Alice, SERVICE, CLIENT, "device-7", FORBIDDEN),
    (Alice, SERVICE, CLIENT, ALICE, FORBIDDEN),
    (Alice, SERVICE, CLIENT, "Client-1", FORBIDDEN),
    (Alice, SERVICE, CLIENT, "client-1 ", FORBIDDEN),
    (Alice, SERVICE, CLIENT, "*", FORBIDDEN),
    (Alice, SERVICE, DEVICE, "device-8", FORBIDDEN),
    (Alice, SERVICE, DEVICE, "client-1", FORBIDDEN),
    (Alice, SERVICE, USER, BOB, FORBIDDEN),
    (Alice, SERVICE, USER, "sip:nobody@example.org", FORBIDDEN),
    (Alice, SERVICE, USER, MALLORY, FORBIDDEN),
    (Alice, SERVICE, USER, MANAGER, FORBIDDEN),
    (Alice, SERVICE, USER, "alice@example.org", FORBIDDEN),
    (Alice, SERVICE, USER, "sips:alice@example.org", FORBIDDEN),
    (Alice, SERVICE, USER, "sip:Alice@example.org", FORBIDDEN),
    (Alice, SERVICE, USER, "sip:alice@example.org.evil.example.org", FORBIDDEN),
    (Alice, SERVICE, USER, "SIP:alice@example.org", MALFORMED),
    (Alice, SERVICE, USER, "sip:alice@Example.org", MALFORMED),
    (Alice, SERVICE, USER, "sip:%61lice@example.org", MALFORMED),
    (Alice, SERVICE, USER, "sip:alice@example.org:5060", MALFORMED),
    (Alice, SERVICE, USER, "sip:alice@example.org;user=ip", MALFORMED),
    (Alice, SERVICE, USER, "sip:alice@example.org?subject=x", MALFORMED),
    (Alice, SERVICE, USER, "sip:alice@example.org#", MALFORMED),
    (Alice, SERVICE, USER, "sip:alice@example.org ", MALFORMED),
    (Alice, SERVICE, USER, " sip:alice@example.org", MALFORMED),
    (Alice, SERVICE, USER, "sip:alice:secret@example.org", FORBIDDEN),
    (Alice, SERVICE, USER, "<sip:alice@example.org>", FORBIDDEN),
    (Alice, SERVICE, USER, "sip:al\u{131}ce@example.org", FORBIDDEN),
    (Alice, SERVICE, USER, "sip:\u{ff41}lice@example.org", MALFORMED),
    (Alice, SERVICE, USER, "sip:alice@ex\u{e4}mple.org", FORBIDDEN),
    (Alice, SERVICE, USER, "sip:alice@example.org\u{200b}", FORBIDDEN),
    (Alice, OTHER, "", "", FORBIDDEN),
    (Alice, OTHER, CLIENT, "client-1", FORBIDDEN),
    (Alice, OTHER, DEVICE, "device-7", FORBIDDEN),
    (Alice, OTHER, USER, ALICE, FORBIDDEN),
    (Alice, "urn:example:nothing", "", "", FORBIDDEN),
    (Alice, "URN:example:fleet", "", "", FORBIDDEN),
    (Alice, "urn:example:fleet/", "", "", FORBIDDEN),
    (Alice, "*", "", "", FORBIDDEN),
    (Alice, IDENTITY, "", "", NOTHING),
    (Alice, IDENTITY, CLIENT, "client-1", NOTHING),
    (Alice, IDENTITY, DEVICE, "device-7", NOTHING),
    (Alice, IDENTITY, CLIENT, "client-2", FORBIDDEN),
    (Alice, IDENTITY, USER, ALICE, GOOD),
    (Alice, IDENTITY, USER, BOB, FORBIDDEN),
    (Alice, IDENTITY, USER, MANAGER, FORBIDDEN),
    (Alice, IDENTITY, USER, MALLORY, FORBIDDEN),
    (Bob, SERVICE, USER, BOB, GOOD),
    (Bob, SERVICE, USER, ALICE, FORBIDDEN),
    (Bob, SERVICE, CLIENT, "client-1", FORBIDDEN),
    (Bob, SERVICE, DEVICE, "device-7", FORBIDDEN),
    (Mallory, SERVICE, "", "", FORBIDDEN),
    (Mallory, SERVICE, USER, MALLORY, FORBIDDEN),
    (Mallory, SERVICE, CLIENT, "client-3", FORBIDDEN),
    (Mallory, IDENTITY, USER, MALLORY, FORBIDDEN),
    (Carol, IDENTITY, USER, BOB, GOOD),
    (Carol, IDENTITY, USER, ALICE, FORBIDDEN),
    (Carol, IDENTITY, USER, MANAGER, FORBIDDEN),
    (Carol, SERVICE, CLIENT, "client-2", FORBIDDEN),
    (Carol, OTHER, USER, BOB, FORBIDDEN),
    (Dave, IDENTITY, USER, BOB, FORBIDDEN),
    (Dave, SERVICE, USER, BOB, FORBIDDEN),
    (Nobody, SERVICE, "", "", GOOD),
    (Nobody, SERVICE, USER, ALICE, FORBIDDEN),
    (Nobody, IDENTITY, USER, ALICE, FORBIDDEN),
    (Val, SERVICE, "", "", GOOD),
    (Val, SERVICE, USER, ALICE, FORBIDDEN),
    (Val, SERVICE, CLIENT, "client-1", FORBIDDEN),
    (Val, OTHER, "", "", FORBIDDEN),
    (Val, IDENTITY, USER, ALICE, FORBIDDEN),
    (Val, IDENTITY, "", "", FORBIDDEN),
    (OtherVal, OTHER, "", "", GOOD),
    (OtherVal, SERVICE, "", "", FORBIDDEN),
    (OtherVal, IDENTITY, USER, BOB, GOOD),
    (OtherVal, IDENTITY, USER, ALICE, FORBIDDEN),
    (OtherVal, IDENTITY, USER, MANAGER, FORBIDDEN),
    (OtherVal, IDENTITY, USER, OTHER_VAL_URI, GOOD),
    (Groups, SERVICE, "", "", GOOD),
    (Groups, OTHER, "", "", FORBIDDEN),
    (Groups, SERVICE, USER, ALICE, FORBIDDEN),
    (Groups, IDENTITY, USER, MANAGER, GOOD),
    (Groups, IDENTITY, USER, ALICE, FORBIDDEN),
    (Groups, IDENTITY, USER, BOB, FORBIDDEN),
];

/// A listener, and the name in the certificate; none for KM-UU.
type At = Option<(&'static str, &'static str)>;

/// Where somebody comes from, claims of the token, and what the record of the service comes to.
fn mixed() -> Vec<(&'static str, At, Value, Expected)> {
    let for_other = with(server(VAL.1), "val_service_ids", json!([OTHER]));
    let for_nothing = with(server(VAL.1), "val_service_ids", json!([]));
    let provisioning = with(server(VAL.1), "scope", json!("seal:key-provisioning"));
    let of_mallory = with(server(VAL.1), "val_user_id", json!(MALLORY));
    vec![
        ("the VAL server on SEAL-X1", Some(("seal_x1", VAL.0)), server(VAL.1), FORBIDDEN),
        ("the group manager on KM-S", Some(("km_s", GROUPS.0)), server(GROUPS.1), FORBIDDEN),
        (
            "a provisioner",
            Some(("km_s", PROVISIONER.0)),
            with(server(PROVISIONER.1), "scope", json!("seal:key-management")),
            FORBIDDEN,
        ),
        ("a certificate that no row has", Some(("km_s", "https://unknown.example.org")), server(VAL.1), FORBIDDEN),
        ("a certificate in another case", Some(("km_s", "https://VAL.example.org")), server(VAL.1), FORBIDDEN),
        ("a certificate with a solidus", Some(("km_s", "https://val.example.org/")), server(VAL.1), FORBIDDEN),
        ("the certificate of one, the token of another", Some(("km_s", VAL.0)), server(OTHER_VAL.1), FORBIDDEN),
        ("the token of one, the certificate of another", Some(("km_s", OTHER_VAL.0)), server(VAL.1), FORBIDDEN),
        ("the certificate of a server, the token of a UE", Some(("km_s", VAL.0)), alice(), FORBIDDEN),
        ("the token of a server on KM-UU", None, server(VAL.1), FORBIDDEN),
        ("the token of a group manager on KM-UU", None, server(GROUPS.1), FORBIDDEN),
        ("a token for another service", Some(("km_s", VAL.0)), for_other, FORBIDDEN),
        ("a token for no service", Some(("km_s", VAL.0)), for_nothing, FORBIDDEN),
        ("a token for provisioning", Some(("km_s", VAL.0)), provisioning, FORBIDDEN),
        ("a token of somebody who is blocked", Some(("km_s", VAL.0)), of_mallory, FORBIDDEN),
        ("as it should be", Some(("km_s", VAL.0)), server(VAL.1), GOOD),
    ]
}

/// Queries of the retrieval API, and what answers Alice's UE.
const QUERIES: &[(&str, Expected)] = &[
    ("val-service-id=urn:example:fleet", GOOD),
    ("val-service-id=urn:example:fleet&val-tgt-ue=%7B%22valUserId%22:%22sip:alice@example.org%22%7D", GOOD),
    ("val-service-id=urn:example:fleet&val-tgt-ue=%7B%22valUeId%22:%22device-7%22%7D", GOOD),
    ("val-service-id=urn:example:other", (403, "NOT_PERMITTED")),
    (
        "val-service-id=urn:example:fleet&val-tgt-ue=%7B%22valUserId%22:%22sip:bob@example.org%22%7D",
        (403, "NOT_PERMITTED"),
    ),
    ("val-service-id=urn:example:fleet&val-tgt-ue=%7B%22valUeId%22:%22device-8%22%7D", (403, "NOT_PERMITTED")),
    ("val-service-id=urn:example:fleet&val-tgt-ue=%7B%22valUserId%22:%22sip:alice@EXAMPLE.org%22%7D", (400, "REQUEST")),
    (
        "val-service-id=urn:example:fleet&val-tgt-ue=%7B%22valUserId%22:%22sip:alice@example.org%22,\
         %22valUserId%22:%22sip:bob@example.org%22%7D",
        (400, "REQUEST"),
    ),
    (
        "val-service-id=urn:example:fleet&val-tgt-ue=%7B%22valUserId%22:%22sip:alice@example.org%22,\
         %22valUeId%22:%22device-7%22%7D",
        (400, "REQUEST"),
    ),
    ("val-service-id=urn:example:fleet&val-tgt-ue=%7B%7D", (400, "REQUEST")),
    ("val-service-id=urn:example:fleet&val-tgt-ue=", (400, "REQUEST")),
    ("val-service-id=urn:example:fleet&val-service-id=urn:example:other", (400, "REQUEST")),
    ("val-service-id=urn:example:fleet&val%2Dservice%2Did=urn:example:other", (400, "REQUEST")),
    ("val-service-id=urn:example:fleet%00", (400, "REQUEST")),
    ("val-service-id=%ff", (400, "REQUEST")),
    ("val-service-id=%", (400, "REQUEST")),
    ("val-service-id=", (400, "REQUEST")),
    ("VAL-SERVICE-ID=urn:example:fleet", (400, "REQUEST")),
    ("", (400, "REQUEST")),
];

#[tokio::test]
async fn others() {
    let world = World::new().await;
    let clients =
        [world.uu(), world.mutual("km_s", VAL.0), world.mutual("km_s", OTHER_VAL.0), world.mutual("seal_x1", GROUPS.0)];
    let cases = CASES.iter().map(|&(who, service, member, id, expected)| {
        let mut body = request(&[("ServiceID", json!(service))]);
        if !member.is_empty() {
            body[member] = id.into();
        }
        let claims = who.claims();
        let name = format!("{} for {service} {member} {id}", claims["sub"]);
        Case::km(&name, who.client(&clients), world.bearer(&claims), body.to_string().into(), expected)
    });
    let answers = world.run(cases).await;
    for (&(_, service, member, id, expected), answer) in CASES.iter().zip(answers) {
        if expected == GOOD {
            let kind = member.strip_suffix("ID").unwrap_or("service").to_lowercase();
            let payload = answer.json()["Payload"].as_str().unwrap().to_owned();
            let is_own = if service == IDENTITY {
                payload.contains(&format!(">{id}<"))
            } else {
                payload == format!("{CANARY} of {service} {kind} {id}")
            };
            assert!(is_own, "{service} {member} {id}: {payload}");
        }
    }
    for (name, listener, claims, expected) in mixed() {
        let client = listener.map_or_else(|| world.uu(), |(listener, san)| world.mutual(listener, san));
        let body = request(&[]).to_string().into();
        world.run([Case::km(name, &client, world.bearer(&claims), body, expected)]).await;
    }
    retrieval(&world, &clients[0]).await;
    domain(&world).await;
    world.finish(100).await;
}

/// A GET with a token.
fn get<'a>(name: &str, client: &'a Client, path: &str, authorization: String, expected: Expected) -> Case<'a> {
    let headers = vec![("authorization", authorization)];
    Case { name: name.into(), client, method: "GET", path: path.into(), headers, body: Vec::new(), expected }
}

async fn retrieval(world: &World, client: &Client) {
    let path = |query: &str| format!("/ss-kir/v1/key-records?{query}");
    let cases = QUERIES.iter().map(|(query, expected)| get(query, client, &path(query), world.alice(), *expected));
    world.run(cases).await;
    let without = get("no token", client, &path(QUERIES[0].0), "Bearer x".into(), (401, "TOKEN"));
    world.run([without]).await;
}

/// Who may read what the server publishes.
async fn domain(world: &World) {
    const FORBIDDEN: Expected = (403, "NOT_PERMITTED");
    let unscoped = with(alice(), "scope", json!("openid"));
    for (name, listener, claims, expected) in [
        ("a UE", None, alice(), GOOD),
        ("a UE without the scope", None, unscoped, FORBIDDEN),
        ("who is blocked", None, Mallory.claims(), FORBIDDEN),
        ("a VAL server", Some(("km_s", VAL.0)), server(VAL.1), GOOD),
        ("the certificate of another server", Some(("km_s", OTHER_VAL.0)), server(VAL.1), FORBIDDEN),
        ("a certificate that no row has", Some(("seal_x1", "urn:x")), server(GROUPS.1), FORBIDDEN),
    ] {
        let client = listener.map_or_else(|| world.uu(), |(listener, san)| world.mutual(listener, san));
        world.run([get(name, &client, "/seal-km/v1/domain", world.bearer(&claims), expected)]).await;
    }
}
