//! Another implementation reads the messages: Wireshark's MIKEY dissector.
//!
//! Where `tshark` is not installed the test says so and does no more, unless MIKEY_SAKKE_REQUIRE_TSHARK is set.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

/// The UDP port of MIKEY.
const PORT: u16 = 2269;

#[test]
fn wireshark_recognises_every_field() {
    if Command::new("tshark").arg("--version").output().is_err() {
        assert!(std::env::var_os("MIKEY_SAKKE_REQUIRE_TSHARK").is_none(), "tshark is required and not installed");
        println!("SKIPPED: tshark is not installed");
        return;
    }
    let folder = TempDir::new().unwrap();
    let message = message(folder.path());
    let capture = folder.path().join("message.pcap");
    fs::write(&capture, pcap(&message)).unwrap();
    let output =
        Command::new("tshark").args(["-T", "json", "--no-duplicate-keys", "-r"]).arg(&capture).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let packets: Value = serde_json::from_slice(&output.stdout).unwrap();
    let layers = &packets[0]["_source"]["layers"];
    assert!(layers.get("_ws.malformed").is_none(), "{layers:#}");
    let mikey = &layers["mikey"];
    assert!(!mikey.to_string().contains("_ws.expert"), "{mikey:#}");
    let hex = hex::encode(&message)
        .as_bytes()
        .chunks(2)
        .map(|octet| String::from_utf8_lossy(octet).into_owned())
        .collect::<Vec<_>>();
    let octets = |range: std::ops::Range<usize>| hex[range].join(":");

    let names = ["sip:alice@example.org", "sip:bob@example.org", "kms.example.org", "kms.example.org"];
    let expected: Vec<(&str, Vec<String>)> = vec![
        ("mikey.version", vec!["1".into()]),
        ("mikey.type", vec!["26".into()]),
        ("mikey.v.set", vec!["0".into()]),
        ("mikey.prf_func", vec!["1".into()]),
        ("mikey.csb_id", vec![format!("0x{}", hex[4..8].concat())]),
        ("mikey.cs_count", vec!["0".into()]),
        ("mikey.cs_id_map_type", vec!["1".into()]),
        ("mikey.t.ts_type", vec!["0".into()]),
        ("mikey.rand.len", vec!["16".into()]),
        ("mikey.rand.data", vec![octets(22..38)]),
        ("mikey.id.role", ["1", "2", "6", "7"].map(str::to_owned).to_vec()),
        ("mikey.id.type", ["1"; 4].map(str::to_owned).to_vec()),
        ("mikey.id.len", names.map(|name| name.len().to_string()).to_vec()),
        ("mikey.id.data", names.map(str::to_owned).to_vec()),
        ("mikey.sakke.params", vec!["1".into()]),
        ("mikey.sakke.idscheme", vec!["2".into()]),
        ("mikey.sakke.len", vec!["273".into()]),
        ("mikey.sakke.data", vec![octets(message.len() - 131 - 273..message.len() - 131)]),
        ("mikey.sign.type", vec!["2".into()]),
        ("mikey.sign.len", vec!["129".into()]),
        ("mikey.sign.data", vec![octets(message.len() - 129..message.len())]),
    ];
    for (field, values) in expected {
        assert_eq!(found(mikey, field), values, "{field} in {mikey:#}");
    }
    assert!(found(mikey, "mikey.t.ntp").concat().starts_with("Nov 21, 2026 08:30:00"), "{mikey:#}");
    // By the names of the payloads: HDR, four IDR, RAND, SAKKE, T.
    let next_payloads = ["5", "14", "14", "14", "26", "14", "4", "11"];
    assert_eq!(found(mikey, "mikey.next_payload"), next_payloads, "{mikey:#}");
}

/// A message from Alice to Bob, made by the command line.
fn message(folder: &Path) -> Vec<u8> {
    for arguments in [
        "kms init --uri kms.example.org --out master.json",
        "kms certificate --master master.json --out kms.json",
        "kms issue --master master.json --user sip:alice@example.org --at 2026-11-21T08:30:00Z --out alice.json",
        "distribute --certificate kms.json --keys alice.json --to sip:bob@example.org --at 2026-11-21T08:30:00Z --save-key key.json --out m.mikey",
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mikey-sakke"));
        assert!(command.current_dir(folder).args(arguments.split(' ')).status().unwrap().success());
    }
    fs::read(folder.join("m.mikey")).unwrap()
}

/// The values of a field, wherever it stands, in the order of the tree.
fn found(tree: &Value, field: &str) -> Vec<String> {
    match tree {
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, value)| match value {
                Value::String(text) if name == field => vec![text.clone()],
                Value::Array(values) if name == field => {
                    values.iter().flat_map(|value| value.as_str().map(str::to_owned)).collect()
                }
                _ => found(value, field),
            })
            .collect(),
        Value::Array(values) => values.iter().flat_map(|value| found(value, field)).collect(),
        _ => Vec::new(),
    }
}

/// A capture of one UDP datagram over IPv4, without link layer.
fn pcap(payload: &[u8]) -> Vec<u8> {
    const LINKTYPE_RAW: u32 = 101;
    let udp_length = u16::try_from(8 + payload.len()).unwrap();
    let mut packet = vec![0x45, 0];
    packet.extend((20 + udp_length).to_be_bytes());
    packet.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    packet.extend([127, 0, 0, 1, 127, 0, 0, 1]);
    packet.extend([PORT.to_be_bytes(), PORT.to_be_bytes(), udp_length.to_be_bytes(), [0, 0]].concat());
    packet.extend(payload);

    let length = u32::try_from(packet.len()).unwrap();
    let mut capture = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, LINKTYPE_RAW, 0, 0, length, length] {
        capture.extend(word.to_le_bytes());
    }
    [capture, packet].concat()
}
