//! The messages of `docs/messages.md` are those that come of the inputs stated there, octet by octet, and `inspect`
//! finds the same payloads in the same places.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[allow(dead_code, reason = "other tests use the rest")]
mod fixed;

use assert_cmd::Command;
use serde_json::Value;

const DOCUMENT: &str = include_str!("../../../docs/messages.md");

/// A payload as the document has it.
#[derive(Debug, PartialEq)]
struct Part {
    name: String,
    offset: usize,
    octets: Vec<u8>,
}

/// The payloads of each message, in the order of the document.
fn documented() -> Vec<Vec<Part>> {
    let mut messages = Vec::new();
    let mut is_code = false;
    for line in DOCUMENT.lines() {
        if line.starts_with("## ") {
            messages.push(Vec::<Part>::new());
        } else if let Some(heading) = line.strip_prefix("### ") {
            let (name, octets) = heading.split_once(": octets ").unwrap();
            let offset = octets.split(' ').next().unwrap().parse().unwrap();
            messages.last_mut().unwrap().push(Part { name: name.to_owned(), offset, octets: Vec::new() });
        } else if line.starts_with("```") {
            is_code = !is_code;
        } else if is_code {
            let part = messages.last_mut().unwrap().last_mut().unwrap();
            let (offset, rest) = line.trim_start().split_once("  ").unwrap();
            assert_eq!(offset.parse::<usize>().unwrap(), part.offset + part.octets.len(), "{line}");
            let octets = rest.split("  ").next().unwrap().replace(' ', "");
            part.octets.extend(hex::decode(octets).unwrap());
        }
    }
    for part in messages.iter().flatten() {
        let heading = format!("### {}: octets {} to {}\n", part.name, part.offset, part.offset + part.octets.len() - 1);
        assert!(DOCUMENT.contains(&heading), "{heading}");
    }
    messages
}

/// The payloads of a message as `inspect` shows them.
fn inspected(message: &[u8]) -> Vec<Part> {
    let mut command = Command::cargo_bin("mikey-sakke").unwrap();
    let output = command.args(["inspect", "--json", &hex::encode(message)]).assert().success().get_output().clone();
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let payloads = json["payloads"].as_array().unwrap();
    let header = usize::try_from(payloads[0]["offset"].as_u64().unwrap()).unwrap();
    let header = Part { name: "HDR".into(), offset: 0, octets: message[..header].to_vec() };
    let part = |payload: &Value| Part {
        name: payload["name"].as_str().unwrap().to_owned(),
        offset: payload["offset"].as_u64().unwrap().try_into().unwrap(),
        octets: hex::decode(payload["raw"].as_str().unwrap()).unwrap(),
    };
    [header].into_iter().chain(payloads.iter().map(part)).collect()
}

#[test]
fn the_document_has_the_octets_of_the_messages() {
    let documented = documented();
    let messages = [fixed::plain(), fixed::gmk(), fixed::pck()];
    assert_eq!(documented.len(), messages.len());
    for (parts, message) in documented.iter().zip(messages) {
        let octets: Vec<u8> = parts.iter().flat_map(|part| part.octets.clone()).collect();
        assert_eq!(hex::encode(octets), hex::encode(&message));
        assert_eq!(*parts, inspected(&message));
    }
}

/// The first message was computed by another program as well.
#[test]
fn the_plain_message_is_the_one_among_the_vectors() {
    let file: Value = serde_json::from_str(include_str!("../../../test-vectors/worked_examples.json")).unwrap();
    let tests = file["testGroups"].as_array().unwrap().iter().flat_map(|group| group["tests"].as_array().unwrap());
    let mut messages = tests.filter(|test| test["csbId"] == "2a5c19f7").map(|test| test["message"].as_str().unwrap());
    assert_eq!(messages.next(), Some(hex::encode(fixed::plain()).as_str()));
}

#[test]
fn the_document_states_what_went_into_the_messages() {
    for bundle in [fixed::gmk_bundle(), fixed::pck_bundle()] {
        let properties = bundle.properties().unwrap().encode().unwrap();
        let stated = [hex::encode(bundle.key().expose()), bundle.id().to_string(), hex::encode(properties)];
        for value in stated {
            assert!(DOCUMENT.contains(&format!("`{value}`")), "{value}");
        }
    }
    let guk_id = hex::encode(&fixed::gmk()[4..8]);
    assert!(DOCUMENT.contains(&format!("the GUK-ID `{guk_id}`")), "{guk_id}");
    let period = fixed::HASHED.certificate().uid_format().period_at(fixed::at()).unwrap();
    assert!(DOCUMENT.contains(&format!("falls in period {period},")), "{period}");
}
