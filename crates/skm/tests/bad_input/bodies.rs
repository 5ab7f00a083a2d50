//! JSON and bodies of the KM route.

use crate::batch::Case;
use crate::http::Client;
use crate::site::now;
use crate::world::{Expected, FORBIDDEN, GOOD, MALFORMED, NO_TOKEN, World};

const TOO_LARGE: Expected = (413, "04");
const NO_JSON: Expected = (415, "04");

/// A good request, of which every case changes something. NOW is the time.
const REQUEST: [(&str, &str); 4] = [
    ("Version", r#""1.0.0""#),
    ("SKmsUri", r#""sip:skms.example.org""#),
    ("ServiceID", r#""urn:example:fleet""#),
    ("DateTime", "NOW"),
];

/// What is sent.
#[derive(Clone, Copy)]
enum Sent {
    /// The good request, with this JSON as the value of a member.
    Set(&'static str, &'static str),
    Without(&'static str),
    /// The good request with this after its last member.
    And(&'static str),
    /// The good request with octets before and after it.
    Between(&'static [u8], &'static [u8]),
    Octets(&'static [u8]),
}

use Sent::{And, Between, Octets, Set, Without};

impl Sent {
    fn octets(self) -> Vec<u8> {
        match self {
            Set(name, value) => set(name, value),
            Without(name) => object(REQUEST.into_iter().filter(|(known, _)| *known != name), ""),
            And(more) => object(REQUEST.into_iter(), more),
            Between(before, after) => [before, &object(REQUEST.into_iter(), ""), after].concat(),
            Octets(octets) => octets.to_vec(),
        }
    }
}

/// These members, and this after the last.
fn object<'a>(members: impl Iterator<Item = (&'a str, &'a str)>, more: &str) -> Vec<u8> {
    let members: Vec<String> = members.map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}{more}}}", members.join(",")).replace("NOW", &now().to_string()).into()
}

/// The good request with a member, in the place of the one of this name, or at the end.
fn set(name: &str, value: &str) -> Vec<u8> {
    let others = REQUEST.into_iter().filter(|(known, _)| *known != name);
    object(others.chain([(name, value)]), "")
}

const CASES: &[(&str, Sent, Expected)] = &[
    ("as it should be", Between(b"", b""), GOOD),
    ("white space around it", Between(b" \t\r\n", b"\n\n"), GOOD),
    ("nothing", Octets(b""), MALFORMED),
    ("white space", Octets(b" \n"), MALFORMED),
    ("one brace", Octets(b"{"), MALFORMED),
    ("an empty object", Octets(b"{}"), MALFORMED),
    ("null", Octets(b"null"), MALFORMED),
    ("a text", Octets(b"\"Version\""), MALFORMED),
    ("a number", Octets(b"1e400"), MALFORMED),
    ("in an array", Between(b"[", b"]"), MALFORMED),
    ("cut off before the last brace", Octets(br#"{"Version":"1.0.0","DateTime":1"#), MALFORMED),
    ("cut off in an escape", Octets(br#"{"Version":"1.0.0\u00"#), MALFORMED),
    ("cut off in a character", Octets(b"{\"Version\":\"\xe2\x82"), MALFORMED),
    ("one object after the other", Between(b"", b"{}"), MALFORMED),
    ("text after it", Between(b"", b"x"), MALFORMED),
    ("NUL after it", Between(b"", b"\0"), MALFORMED),
    ("a brace too many", Between(b"", b"}"), MALFORMED),
    ("a comma too many", And(","), MALFORMED),
    ("a comment", And("/* */"), MALFORMED),
    ("single quotes", Set("ServiceID", "'urn:example:fleet'"), MALFORMED),
    ("a name without quotes", And(",x:1"), MALFORMED),
    ("a number as a name", And(",1:1"), MALFORMED),
    ("NaN", And(",\"x\":NaN"), MALFORMED),
    ("a number with a leading zero somewhere else", And(",\"x\":01"), MALFORMED),
    ("a byte order mark", Between(b"\xef\xbb\xbf", b""), MALFORMED),
    ("UTF-16", Octets(b"\xff\xfe{\0}\0"), MALFORMED),
    ("an octet that is no UTF-8", Between(b"", b"\xff"), MALFORMED),
    ("Latin-1 in a text", Octets(b"{\"ServiceID\":\"urn:\xe9\"}"), MALFORMED),
    ("an overlong solidus", Octets(b"{\"ServiceID\":\"urn:\xc0\xaf\"}"), MALFORMED),
    ("a surrogate in UTF-8", Octets(b"{\"ServiceID\":\"urn:\xed\xa0\x80\"}"), MALFORMED),
    ("beyond the last character", Octets(b"{\"ServiceID\":\"urn:\xf4\x90\x80\x80\"}"), MALFORMED),
    ("NUL in a text", Set("ServiceID", "\"urn:\0fleet\""), MALFORMED),
    ("a line end in a text", Set("ServiceID", "\"urn:\nfleet\""), MALFORMED),
    ("an escape that is none", Set("ServiceID", r#""urn:\x41""#), MALFORMED),
    ("an escape with digits that are none", Set("ServiceID", r#""urn:\u00g1""#), MALFORMED),
    ("an escape with a sign", Set("ServiceID", r#""urn:\u+041""#), MALFORMED),
    ("half a surrogate pair", Set("ServiceID", r#""urn:\ud800""#), MALFORMED),
    ("the other half", Set("ServiceID", r#""urn:\udc00""#), MALFORMED),
    ("both halves in the wrong order", Set("ServiceID", r#""urn:\udc00\ud800""#), MALFORMED),
    ("half a pair in a name", And(r#","\ud800":1"#), MALFORMED),
    ("half a pair in a member that is not known", And(r#","x":"\ud800""#), GOOD),
    ("a member twice", And(r#","ServiceID":"urn:example:fleet""#), MALFORMED),
    ("a member twice, with another value", And(r#","ServiceID":"urn:example:other""#), MALFORMED),
    ("a member twice, once escaped", And(r#","Service\u0049D":"urn:example:other""#), MALFORMED),
    ("a time twice", And(r#","DateTime":1"#), MALFORMED),
    ("a member that is not known twice", And(r#","x":1,"x":1"#), MALFORMED),
    (
        "a user twice, once escaped",
        And(r#","UserID":"sip:alice@example.org","\u0055serID":"sip:bob@example.org""#),
        MALFORMED,
    ),
    ("members that are not known", And(r#","__proto__":{"ErrorCode":"00"},"Payload":"x","":null"#), GOOD),
    ("members in another case are not known", And(r#","serviceid":"urn:example:other""#), GOOD),
    ("a client and a user", And(r#","ClientID":"client-1","UserID":"sip:alice@example.org""#), MALFORMED),
    ("a device and a user", And(r#","DeviceID":"device-7","UserID":"sip:alice@example.org""#), MALFORMED),
    ("a client and null", And(r#","ClientID":"client-1","DeviceID":null"#), MALFORMED),
    ("no user", Set("UserID", "null"), MALFORMED),
    ("an empty user", Set("UserID", r#""""#), MALFORMED),
    ("users in an array", Set("UserID", r#"["sip:alice@example.org"]"#), MALFORMED),
    ("a user that is a path", Set("UserID", r#""../alice""#), FORBIDDEN),
    ("a user in upper case", Set("UserID", r#""sip:alice@EXAMPLE.org""#), MALFORMED),
    ("a user with a line end", Set("UserID", r#""sip:alice@example.org\r\nX: y""#), MALFORMED),
    ("a client that is a number", Set("ClientID", "1"), MALFORMED),
    ("a client in another case", Set("ClientID", r#""CLIENT-1""#), FORBIDDEN),
    ("a device with SQL", Set("DeviceID", r#""' OR '1'='1""#), FORBIDDEN),
    ("no Version", Without("Version"), MALFORMED),
    ("Version 1.0", Set("Version", r#""1.0""#), MALFORMED),
    ("Version 1.0.1", Set("Version", r#""1.0.1""#), MALFORMED),
    ("Version with a space", Set("Version", r#""1.0.0 ""#), MALFORMED),
    ("Version as a number", Set("Version", "1.0"), MALFORMED),
    ("Version in escapes", Set("Version", r#""\u0031.0.0""#), GOOD),
    ("no SKmsUri", Without("SKmsUri"), MALFORMED),
    ("another server", Set("SKmsUri", r#""sip:other.example.org""#), MALFORMED),
    ("a server in upper case", Set("SKmsUri", r#""SIP:skms.example.org""#), MALFORMED),
    ("a server with a port", Set("SKmsUri", r#""sip:skms.example.org:5061""#), MALFORMED),
    ("a server with a user", Set("SKmsUri", r#""sip:skms.example.org@evil.example.org""#), MALFORMED),
    ("a server with a parameter", Set("SKmsUri", r#""sip:skms.example.org;transport=tls""#), MALFORMED),
    ("a server in full-width letters", Set("SKmsUri", "\"sip:\u{ff53}kms.example.org\""), MALFORMED),
    ("no ServiceID", Without("ServiceID"), MALFORMED),
    ("ServiceID is true", Set("ServiceID", "true"), MALFORMED),
    ("ServiceID is an object", Set("ServiceID", r#"{"a":"urn:example:fleet"}"#), MALFORMED),
    ("an empty ServiceID", Set("ServiceID", r#""""#), MALFORMED),
    ("NUL in ServiceID", Set("ServiceID", r#""urn:example:fleet\u0000""#), MALFORMED),
    ("a line end in ServiceID", Set("ServiceID", r#""urn:example:fleet\n""#), MALFORMED),
    ("a control character of ISO 6429 in ServiceID", Set("ServiceID", r#""urn:example:fleet\u0085""#), MALFORMED),
    ("white space after ServiceID", Set("ServiceID", r#""urn:example:fleet ""#), FORBIDDEN),
    ("no DateTime", Without("DateTime"), MALFORMED),
    ("DateTime is null", Set("DateTime", "null"), MALFORMED),
    ("DateTime in quotes", Set("DateTime", "\"NOW\""), MALFORMED),
    ("DateTime with a fraction", Set("DateTime", "NOW.0"), MALFORMED),
    ("DateTime with an exponent", Set("DateTime", "NOWe0"), MALFORMED),
    ("DateTime 1e9", Set("DateTime", "1e9"), MALFORMED),
    ("DateTime below zero", Set("DateTime", "-1"), MALFORMED),
    ("DateTime minus zero", Set("DateTime", "-0"), MALFORMED),
    ("DateTime with a plus sign", Set("DateTime", "+NOW"), MALFORMED),
    ("DateTime with a leading zero", Set("DateTime", "0NOW"), MALFORMED),
    ("DateTime in hexadecimal", Set("DateTime", "0x6afb6e00"), MALFORMED),
    ("DateTime 2^63", Set("DateTime", "9223372036854775808"), MALFORMED),
    ("DateTime 2^64", Set("DateTime", "18446744073709551616"), MALFORMED),
    ("DateTime in milliseconds", Set("DateTime", "NOW000"), MALFORMED),
    ("DateTime as a date", Set("DateTime", "\"2026-11-21T12:00:00Z\""), MALFORMED),
    ("DateTime in an array", Set("DateTime", "[NOW]"), MALFORMED),
];

/// What is too long to write down.
fn long() -> Vec<(&'static str, Vec<u8>, Expected)> {
    let good = Between(b"", b"").octets();
    let padded = |octets: usize| [good.clone(), vec![b' '; octets - good.len()]].concat();
    let quoted = |text: &str, times| format!("\"{}\"", text.repeat(times));
    let many: Vec<String> = (0..4000).map(|number| format!("\"x{number}\":0")).collect();
    vec![
        ("as long as it may be", padded(65_536), GOOD),
        ("one octet too long", padded(65_537), TOO_LARGE),
        ("100,000 octets", padded(100_000), TOO_LARGE),
        ("a megabyte", padded(1 << 20), TOO_LARGE),
        ("a ServiceID of 1,024 octets", set("ServiceID", &quoted("x", 1024)), FORBIDDEN),
        ("a ServiceID of 1,025 octets", set("ServiceID", &quoted("x", 1025)), MALFORMED),
        ("a ServiceID of 1,025 octets in escapes", set("ServiceID", &quoted(r"\u0078", 1025)), MALFORMED),
        ("a ServiceID of 60,000 octets", set("ServiceID", &quoted("x", 60_000)), MALFORMED),
        ("a user of 60,000 octets", set("UserID", &format!("\"sip:{}@example.org\"", "a".repeat(60_000))), MALFORMED),
        ("DateTime of 60,000 digits", set("DateTime", &"1".repeat(60_000)), MALFORMED),
        ("a number with 60,000 digits somewhere else", set("x", &"1".repeat(60_000)), GOOD),
        ("a name of 60,000 octets", set(&"x".repeat(60_000), "1"), GOOD),
        ("4,000 members that are not known", set("x", &format!("0,{}", many.join(","))), GOOD),
        (
            "arrays in each other in a member that is not known",
            set("x", &("[".repeat(30_000) + &"]".repeat(30_000))),
            GOOD,
        ),
        ("arrays that never end", set("x", &"[".repeat(60_000)), MALFORMED),
        ("objects in each other", set("x", &r#"{"x":"#.repeat(10_000)), MALFORMED),
        ("an array as it is, 60,000 deep", "[".repeat(60_000).into_bytes(), MALFORMED),
    ]
}

const CONTENT_TYPES: &[(&str, &[&str], Expected)] = &[
    ("with a charset", &["application/json; charset=UTF-8"], GOOD),
    ("none", &[], NO_JSON),
    ("an empty one", &[""], NO_JSON),
    ("text", &["text/plain"], NO_JSON),
    ("a form", &["application/x-www-form-urlencoded"], NO_JSON),
    ("a form in parts", &["multipart/form-data; boundary=x"], NO_JSON),
    ("XML", &["application/xml"], NO_JSON),
    ("JSON of another kind", &["application/json-patch+json"], NO_JSON),
    ("a problem", &["application/problem+json"], NO_JSON),
    ("UTF-16", &["application/json; charset=utf-16"], NO_JSON),
    ("two charsets", &["application/json; charset=utf-8; charset=utf-7"], NO_JSON),
    ("two in one line", &["application/json, text/plain"], NO_JSON),
    ("two lines", &["application/json", "application/json"], NO_JSON),
    ("JSON in a comment", &["text/plain; application/json"], NO_JSON),
];

#[tokio::test]
async fn bodies() {
    let world = World::new().await;
    let client = world.uu();
    let older = Client::http1(world.server.address("km_uu"), world.anonymous());
    let cases = || {
        let cases = CASES.iter().map(|(name, sent, expected)| (*name, sent.octets(), *expected));
        cases.chain(long())
    };
    for client in [&client, &older] {
        world
            .run(cases().map(|(name, octets, expected)| Case::km(name, client, world.alice(), octets, expected)))
            .await;
    }
    // Nobody is told what is wrong with a body before the token is found valid.
    world.run(cases().map(|(name, octets, _)| Case::km(name, &client, "Bearer x".into(), octets, NO_TOKEN))).await;
    world
        .run(CONTENT_TYPES.iter().map(|(name, values, expected)| declared(&world, &client, name, values, *expected)))
        .await;
    world
        .run(["gzip", "br", "identity", "deflate, gzip"].into_iter().map(|coding| {
            let case = declared(&world, &client, coding, &["application/json"], NO_JSON);
            Case { headers: [case.headers, vec![("content-encoding", coding.into())]].concat(), ..case }
        }))
        .await;
    world.finish(300).await;
}

/// A good body that is declared so.
fn declared<'a>(world: &World, client: &'a Client, name: &str, types: &[&str], expected: Expected) -> Case<'a> {
    let types = types.iter().map(|value| ("content-type", (*value).to_owned()));
    let headers = types.chain([("authorization", world.alice())]).collect();
    Case { headers, ..Case::km(name, client, String::new(), Between(b"", b"").octets(), expected) }
}
