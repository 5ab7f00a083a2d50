//! XML of the identity routes.

use mikey_sakke::documents::{KmsRequest, KmsResponse, Tolerances};
use mikey_sakke::time::Timestamp;

use crate::batch::Case;
use crate::http::Client;
use crate::site::{ALICE, GROUPS, PROVISIONER, VAL, now};
use crate::support::with;
use crate::world::{BOB, CAROL, Expected, GOOD, MALLORY, MANAGER, World, alice, server, ue, uri};

const MALFORMED: Expected = (400, "REQUEST");
const NOT_PERMITTED: Expected = (403, "NOT_PERMITTED");
const NOT_AVAILABLE: Expected = (404, "NOT_AVAILABLE");
const NO_ROUTE: Expected = (404, "NO_SUCH_RESOURCE");
const KEYPROV: &str = "keyprov";
const LAUGHS: [&str; 3] = [
    r#"<!ENTITY a "aaaaaaaaaa">"#,
    r#"<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">"#,
    r#"<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">"#,
];

/// A request of a user to the KMS.
fn document(user: &str, kms: &str, time: u64) -> String {
    let url = "https://kms.example.org/keymanagement/identity/v1/keyprov".into();
    KmsRequest::new(uri(user), uri(kms), Timestamp::from_unix(time).unwrap(), url).to_xml().unwrap().to_string()
}

/// A good request of Alice with one text replaced by another.
type Change = (&'static str, &'static str, &'static str, Expected);

const CHANGES: &[Change] = &[
    ("as it should be", "", "", GOOD),
    ("a byte order mark", "<?xml", "\u{feff}<?xml", GOOD),
    ("a comment", "<UserUri>", "<!-- x --><UserUri>", GOOD),
    ("an element of an extension", "</KmsRequest>", "<x:y xmlns:x=\"urn:x\"><x:z/></x:y></KmsRequest>", GOOD),
    (
        "an inclusion, which is an extension",
        "</KmsRequest>",
        "<xi:include xmlns:xi=\"http://www.w3.org/2001/XInclude\" \
         href=\"file:///etc/passwd\" parse=\"text\"/></KmsRequest>",
        GOOD,
    ),
    ("a URL that is a file", "https://kms.example.org/keymanagement/identity/v1/keyprov", "file:///etc/passwd", GOOD),
    ("a predefined entity", "<UserUri>sip:alice", "<UserUri>sip&#58;alice", GOOD),
    ("a DTD", "<KmsRequest", "<!DOCTYPE KmsRequest><KmsRequest", MALFORMED),
    (
        "a DTD from elsewhere",
        "<KmsRequest",
        "<!DOCTYPE KmsRequest SYSTEM \"http://127.0.0.1:1/x.dtd\"><KmsRequest",
        MALFORMED,
    ),
    ("an internal entity", "<KmsRequest", "<!DOCTYPE x [<!ENTITY a \"sip:alice@example.org\">]><KmsRequest", MALFORMED),
    (
        "an external entity",
        "<KmsRequest",
        "<!DOCTYPE x [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><KmsRequest",
        MALFORMED,
    ),
    (
        "a parameter entity",
        "<KmsRequest",
        "<!DOCTYPE x [<!ENTITY % a SYSTEM \"http://127.0.0.1:1/x\">%a;]><KmsRequest",
        MALFORMED,
    ),
    ("an entity that is not declared", "sip:alice@example.org<", "&a;<", MALFORMED),
    ("a character that is none", "sip:alice", "sip:alice&#0;", MALFORMED),
    ("a character beyond the last", "sip:alice", "sip:alice&#x110000;", MALFORMED),
    ("half a surrogate pair", "sip:alice", "sip:alice&#xd800;", MALFORMED),
    ("NUL", "sip:alice", "sip:alice\0", MALFORMED),
    ("CDATA", "sip:alice@example.org<", "<![CDATA[sip:alice@example.org]]><", MALFORMED),
    ("a processing instruction", "<UserUri>", "<?php echo 1 ?><UserUri>", MALFORMED),
    ("a style sheet", "<KmsRequest", "<?xml-stylesheet href=\"http://127.0.0.1:1/x.xsl\"?><KmsRequest", MALFORMED),
    ("a comment in a value", "sip:alice@example.org<", "sip:<!-- x -->alice@example.org<", MALFORMED),
    ("XML 1.1", "version=\"1.0\"", "version=\"1.1\"", MALFORMED),
    ("another encoding", "UTF-8", "UTF-16", MALFORMED),
    ("UTF-7", "UTF-8", "UTF-7", MALFORMED),
    ("two declarations", "<KmsRequest", "<?xml version=\"1.0\"?><KmsRequest", MALFORMED),
    ("text before the declaration", "<?xml", "x<?xml", MALFORMED),
    ("text among the elements", "<UserUri>", "x<UserUri>", MALFORMED),
    ("two documents", "</KmsRequest>", "</KmsRequest><KmsRequest/>", MALFORMED),
    ("text after the document", "</KmsRequest>", "</KmsRequest>x", MALFORMED),
    ("cut off", "</KmsRequest>", "", MALFORMED),
    ("another end", "</KmsRequest>", "</kmsrequest>", MALFORMED),
    ("another document", "KmsRequest", "KmsResponse", MALFORMED),
    ("another namespace", "mcsecKMSInterface:1.0", "mcsecKMSInterface:2.0", MALFORMED),
    (
        "a prefix that is not declared",
        "<UserUri>sip:alice@example.org</UserUri>",
        "<a:UserUri>sip:alice@example.org</a:UserUri>",
        MALFORMED,
    ),
    ("an attribute twice", "<KmsRequest", "<KmsRequest Version=\"1.1.0\"", MALFORMED),
    ("another version", "Version=\"1.", "Version=\"2.", MALFORMED),
    ("nil", "<UserUri>", "<UserUri xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\" i:nil=\"true\">", MALFORMED),
    ("no user", "<UserUri>sip:alice@example.org</UserUri>", "", MALFORMED),
    ("an empty user", "sip:alice@example.org<", "<", MALFORMED),
    ("two users", "<UserUri>", "<UserUri>sip:bob@example.org</UserUri><UserUri>", MALFORMED),
    ("another user at the end", "</KmsRequest>", "<UserUri>sip:bob@example.org</UserUri></KmsRequest>", MALFORMED),
    ("an element in the user", "sip:alice@example.org<", "<UserUri>sip:alice@example.org</UserUri><", MALFORMED),
    ("a user in upper case", "sip:alice", "SIP:alice", MALFORMED),
    ("a user with a port", "alice@example.org", "alice@example.org:5060", MALFORMED),
    ("an element that is not known", "</KmsRequest>", "<Admin>true</Admin></KmsRequest>", MALFORMED),
    ("a redirect", "</KmsRequest>", "<KrrList/></KmsRequest>", MALFORMED),
    (
        "a signature",
        "</KmsRequest>",
        "<Signature xmlns=\"http://www.w3.org/2000/09/xmldsig#\"/></KmsRequest>",
        MALFORMED,
    ),
    ("a signed document", "KmsRequest", "SignedKmsRequest", MALFORMED),
    ("no time", "<Time>", "<Time/><Time>", MALFORMED),
    ("a time that is a number", "TIME", "1795000000", MALFORMED),
    ("the 31st of February", "TIME", "2026-02-31T12:00:00Z", MALFORMED),
    ("hour 24", "TIME", "2026-02-28T24:00:00Z", MALFORMED),
    ("the year 0", "TIME", "0000-01-01T00:00:00Z", MALFORMED),
    ("a time long ago", "TIME", "2020-01-01T00:00:00Z", MALFORMED),
    ("a time to come", "TIME", "2999-01-01T00:00:00Z", MALFORMED),
    ("a zone that is none", "TIME", "2026-01-01T00:00:00+99:00", MALFORMED),
    ("another KMS", "<KmsUri>kms.example.org", "<KmsUri>kms.example.com", MALFORMED),
    ("a KMS in upper case", "<KmsUri>kms.example.org", "<KmsUri>KMS.example.org", MALFORMED),
];

/// Paths below the interface, for Alice.
const PATHS: &[(&str, Expected)] = &[
    ("init", GOOD),
    ("keyprov/sip%3Aalice%40example.org", GOOD),
    ("keyprov/sip:alice@example.org", GOOD),
    ("certcache", GOOD),
    ("certcache/7", GOOD),
    ("keyprov/sip:bob@example.org", MALFORMED),
    ("keyprov/SIP:alice@example.org", MALFORMED),
    ("keyprov/sip%3Aalice%40example.org%00", MALFORMED),
    ("keyprov/%ff", MALFORMED),
    ("keyprov/sip:alice@example.org/now", MALFORMED),
    ("keyprov/sip:alice@example.org/EDE4A5A00000000", MALFORMED),
    ("keyprov/sip:alice@example.org/EDE4A5A0000000000", MALFORMED),
    ("keyprov/sip:alice@example.org/+DE4A5A000000000", MALFORMED),
    ("keyprov/sip:alice@example.org/0x00000000000000", MALFORMED),
    ("certcache/-1", MALFORMED),
    ("certcache/x", MALFORMED),
    ("certcache/18446744073709551616", MALFORMED),
    ("keyprov/sip:alice@example.org/EDE4A5A000000000/x", NO_ROUTE),
    ("keyprov/", NO_ROUTE),
    ("../../../seal-km/v1/none", NO_ROUTE),
    ("redirect", NO_ROUTE),
];

/// What is too long to write down.
fn long(good: &str) -> Vec<(&'static str, Vec<u8>, Expected)> {
    let end = "</KmsRequest>";
    let with = |more: &str| good.replace(end, &format!("{more}{end}")).into_bytes();
    let deep = |depth: usize| format!("{}{}", "<x xmlns=\"urn:x\">".repeat(depth), "</x>".repeat(depth));
    let laughs = format!("<!DOCTYPE x [{}]><KmsRequest", LAUGHS.concat());
    let laughing = good.replace("<KmsRequest", &laughs).replace(">sip:alice@example.org<", ">&c;<");
    let attributes: String = (0..100).map(|number| format!(" a{number}=\"\"")).collect();
    vec![
        ("a billion laughs", laughing.into(), MALFORMED),
        ("elements in each other, 10 deep", with(&deep(10)), GOOD),
        ("elements in each other, 2,000 deep", with(&deep(2000)), MALFORMED),
        ("elements that do not end", [good.as_bytes(), "<x>".repeat(20_000).as_bytes()].concat(), MALFORMED),
        ("100 attributes", good.replace("<UserUri>", &format!("<UserUri{attributes}>")).into(), MALFORMED),
        (
            "an attribute of 60,000 octets",
            good.replace("<UserUri>", &format!("<UserUri a=\"{}\">", "x".repeat(60_000))).into(),
            MALFORMED,
        ),
        (
            "a user of 60,000 octets",
            good.replace("sip:alice", &format!("sip:{}", "a".repeat(60_000))).into(),
            MALFORMED,
        ),
        ("a name of 60,000 octets", with(&format!("<{}/>", "x".repeat(60_000))), MALFORMED),
        (
            "60,000 octets of white space",
            good.replace("<UserUri>", &format!("{}<UserUri>", " ".repeat(60_000))).into(),
            GOOD,
        ),
        ("20,000 elements of an extension", with(&format!("<e xmlns=\"urn:x\">{}</e>", "<x/>".repeat(15_900))), GOOD),
        (
            "character references without end",
            good.replace("sip:alice", &format!("sip:{}", "&#97;".repeat(12_000))).into(),
            MALFORMED,
        ),
        ("too long", with(&" ".repeat(70_000)), (413, "BODY_TOO_LARGE")),
        ("far too long", with(&" ".repeat(900_000)), (413, "BODY_TOO_LARGE")),
        ("nothing", Vec::new(), MALFORMED),
        ("JSON", b"{}".to_vec(), MALFORMED),
        ("UTF-16", good.encode_utf16().flat_map(u16::to_be_bytes).collect(), MALFORMED),
        ("an octet that is no UTF-8", [good.as_bytes(), b"\xff"].concat(), MALFORMED),
    ]
}

#[tokio::test]
async fn documents() {
    let world = World::new().await;
    let client = world.uu();
    let good = || document(ALICE, "kms.example.org", now());
    let time = |text: &str, time: &str| {
        let (before, rest) = text.split_once("<Time>").unwrap();
        format!("{before}<Time>{time}{}", &rest[rest.find("</Time>").unwrap()..])
    };
    let changed = CHANGES.iter().map(|(name, from, to, expected)| {
        let text = if *from == "TIME" { time(&good(), to) } else { good().replace(from, to) };
        assert!(from.is_empty() || text != good(), "{name} changes nothing");
        (*name, text.into_bytes(), *expected)
    });
    let cases = changed.chain(long(&good()));
    let answers = world
        .run(cases.map(|(name, body, expected)| case(name, &client, KEYPROV, world.alice(), body, expected)))
        .await;
    world
        .run(PATHS.iter().map(|(path, expected)| case(path, &client, path, world.alice(), good().into(), *expected)))
        .await;
    for answer in &answers {
        assert!(!answer.body.contains("root:"), "{answer:?}");
        if answer.status == 200 {
            KmsResponse::from_xml(answer.body.as_bytes(), Tolerances::default()).unwrap();
        }
    }
    for declared in ["application/json", "text/html", "application/xml; charset=utf-16", "application/soap+xml", ""] {
        let case = case(declared, &client, KEYPROV, world.alice(), good().into(), (415, "CONTENT_TYPE"));
        let headers = vec![case.headers[0].clone(), ("content-type", declared.into())];
        world.run([Case { headers, ..case }]).await;
    }
    others(&world, &client).await;
    replays(&world, &client).await;
    periods(&world, &client).await;
    world.finish(100).await;
}

fn case<'a>(
    name: &str,
    client: &'a Client,
    path: &str,
    authorization: String,
    body: Vec<u8>,
    expected: Expected,
) -> Case<'a> {
    let path = format!("/keymanagement/identity/v1/{path}");
    let headers = vec![("authorization", authorization), ("content-type", "application/xml".into())];
    Case { name: name.into(), client, method: "POST", path, headers, body, expected }
}

/// Keys and documents of others.
async fn others(world: &World, client: &Client) {
    let unscoped = with(alice(), "scope", "openid".into());
    let without = with(alice(), "val_service_ids", serde_json::json!(["urn:example:fleet"]));
    let mallory = ue(MALLORY, "client-3", "device-9", &["urn:mikey-sakke:identity-keys"]);
    let carol = ue(CAROL, "client-4", "device-10", &["urn:mikey-sakke:identity-keys"]);
    for (name, claims, user, expected) in [
        ("for another user", alice(), BOB, NOT_PERMITTED),
        ("for a group manager", alice(), MANAGER, NOT_PERMITTED),
        ("for somebody who is blocked", alice(), MALLORY, NOT_PERMITTED),
        ("by somebody who is blocked", mallory, MALLORY, NOT_PERMITTED),
        ("without the scope", unscoped, ALICE, NOT_PERMITTED),
        ("without the service", without, ALICE, NOT_PERMITTED),
        ("as a delegate", carol.clone(), BOB, GOOD),
        ("as a delegate of another", carol, ALICE, NOT_PERMITTED),
    ] {
        let paths = ["init", KEYPROV, "certcache"];
        let body = || document(user, "kms.example.org", now()).into();
        world.run(paths.iter().map(|path| case(name, client, path, world.bearer(&claims), body(), expected))).await;
    }
    let groups = world.mutual("seal_x1", GROUPS.0);
    for (name, user, expected) in
        [("itself", MANAGER, GOOD), ("Alice", ALICE, NOT_PERMITTED), ("Bob", BOB, NOT_PERMITTED)]
    {
        let body = document(user, "kms.example.org", now()).into();
        world.run([case(name, &groups, KEYPROV, world.bearer(&server(GROUPS.1)), body, expected)]).await;
    }
    let val = world.mutual("seal_x1", VAL.0);
    let body = || document(ALICE, "kms.example.org", now()).into_bytes();
    world.run([case("a VAL server", &val, KEYPROV, world.bearer(&server(VAL.1)), body(), NOT_PERMITTED)]).await;
    let km_s = world.mutual("km_s", PROVISIONER.0);
    world.run([case("on KM-S", &km_s, KEYPROV, world.bearer(&server(PROVISIONER.1)), body(), NO_ROUTE)]).await;
    world.run([case("no token", client, KEYPROV, "Bearer x".into(), body(), (401, "TOKEN"))]).await;
}

/// The same document again.
async fn replays(world: &World, client: &Client) {
    let (authorization, body) = (world.alice(), document(ALICE, "kms.example.org", now()));
    let spaced = body.replace("<UserUri>", "\n<UserUri>");
    for (name, body, expected) in
        [("first", &body, GOOD), ("again", &body, NOT_PERMITTED), ("with white space", &spaced, NOT_PERMITTED)]
    {
        world.run([case(name, client, KEYPROV, authorization.clone(), body.clone().into(), expected)]).await;
    }
}

/// Key periods that are not released.
async fn periods(world: &World, client: &Client) {
    const PERIOD: u64 = 2_592_000;
    // NTP counts from 1900.
    let ntp = |at: u64| format!("keyprov/sip:alice@example.org/{:08X}00000000", (at + 2_208_988_800) & 0xFFFF_FFFF);
    for (name, path, expected) in [
        ("the present one", ntp(now()), GOOD),
        ("the one after the next", ntp(now() + 2 * PERIOD), NOT_AVAILABLE),
        ("one in ten years", ntp(now() + 122 * PERIOD), NOT_AVAILABLE),
        ("the one before the last", ntp(now() - 2 * PERIOD), NOT_AVAILABLE),
        ("one ten years ago", ntp(now() - 122 * PERIOD), NOT_AVAILABLE),
    ] {
        let body = document(ALICE, "kms.example.org", now()).into();
        world.run([case(name, client, &path, world.alice(), body, expected)]).await;
    }
}
