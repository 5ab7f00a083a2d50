//! Where the fuzz target starts from.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::common::{REQUEST, RESPONSE, replaced};
use crate::domain::JSON;

/// Bodies of every kind that the target reads, each behind the octet that chooses the kind.
fn all() -> Vec<(&'static str, Vec<u8>)> {
    let failure = r#"{"UserUri":"sip:anonymous@anonymous.invalid","SKmsUri":"sip:skms.example.org","ServiceID":"","DateTime":1795000000,"ErrorCode":"03"}"#;
    let record = r#"{"UserUri":"sip:alice@example.org","Payload":"\u00e9\ud83d\ude00\n","ValidFrom":1,"ValidTo":2}"#;
    let query = "val-service-id=a+b&val-tgt-ue=%7B%22valUeId%22:%22a%22%7D";
    let info =
        r#"{"userUri":"sip:a@b","skmsId":"s","valService":"a","valTgtUe":{"valUserId":"sip:a@b"},"keyInfo":"k"}"#;
    let problem = r#"{"status":404,"title":"Not Found","detail":"d","cause":"c"}"#;
    let domain = &**JSON;
    let client = replaced(REQUEST, "UserID", "ClientID");
    let domain_of_peer = json!({
        "Audience": "sip:skms.example.net", "Nonce": "07".repeat(16), "DateTime": 1_795_000_000, "Domain": domain,
    });
    let announcement = json!({ "Statement": domain_of_peer.to_string(), "Signature": "01".repeat(129) }).to_string();
    let kinds: [(&str, u8, &str); 9] = [
        ("request", 0, REQUEST),
        ("request-client", 0, &client),
        ("response", 1, RESPONSE),
        ("failure", 1, failure),
        ("record", 2, record),
        ("query", 3, query),
        ("key-info", 4, info),
        ("problem", 5, problem),
        ("announcement", 7, &announcement),
    ];
    let seed = |(name, kind, body): (&'static str, u8, &str)| (name, [&[kind], body.as_bytes()].concat());
    kinds.into_iter().chain([("domain", 6, domain)]).map(seed).collect()
}

#[test]
fn seeds_have_every_kind() {
    let seeds = all();
    for kind in 0..=7 {
        assert!(seeds.iter().any(|(_, octets)| octets[0] == kind), "{kind}");
    }
}

#[test]
#[ignore = "writes what the fuzz target starts from, fuzz/seeds/km"]
fn seeds() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds/km"));
    fs::create_dir_all(folder).unwrap();
    for (name, octets) in all() {
        fs::write(folder.join(name), octets).unwrap();
    }
}
