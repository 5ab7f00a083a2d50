//! Where the fuzz targets of the schemes start from: the vectors and every way that the targets have to go on from
//! them.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The content of a seed by its target and name.
type Seeds = BTreeMap<(&'static str, String), Vec<u8>>;

/// The first octet of an integer or point that stands as it is.
const AS_IT_IS: u8 = 0;
/// Octets of an SSV.
const SSV: [u8; 16] = [0x5a; 16];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The tests of one type in a file of vectors.
fn vectors(file: &str, kind: &str) -> Vec<Value> {
    let json: Value = serde_json::from_slice(&fs::read(root().join("test-vectors").join(file)).unwrap()).unwrap();
    let groups = json["testGroups"].as_array().unwrap().iter().filter(|group| group["type"] == kind);
    groups.flat_map(|group| group["tests"].as_array().unwrap().clone()).collect()
}

fn octets(test: &Value, name: &str) -> Vec<u8> {
    let hex = test[name].as_str().unwrap();
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn as_it_is(octets: &[u8]) -> Vec<u8> {
    [&[AS_IT_IS], octets].concat()
}

/// Octets with their number before them.
fn counted(octets: &[u8]) -> Vec<u8> {
    [&[u8::try_from(octets.len()).unwrap()], octets].concat()
}

fn all() -> Seeds {
    let mut seeds = Seeds::new();
    let mut add = |target, name: String, parts: &[&[u8]]| {
        assert!(seeds.insert((target, name), parts.concat()).is_none());
    };
    let first = |file, kind| vectors(file, kind).swap_remove(0);

    for (number, test) in vectors("eccsi_invalid.json", "EccsiVerify").iter().enumerate() {
        let (kpak, signature) = (octets(test, "kpak"), octets(test, "signature"));
        let Some((r, rest)) = signature.split_at_checked(32) else { continue };
        let Some((s, pvt)) = rest.split_at_checked(32).filter(|(_, pvt)| pvt.len() == 65) else { continue };
        let [identity, message] = ["identity", "message"].map(|name| counted(&octets(test, name)));
        let parts = [as_it_is(&kpak), identity, message, as_it_is(r), as_it_is(s), as_it_is(pvt)].concat();
        add("verify", format!("vector-{number}"), &[&[0], &parts]);
    }
    let (issue, sign) = (first("rfc6507.json", "EccsiIssue"), first("rfc6507.json", "EccsiSign"));
    let [ksak, v] = ["ksak", "v"].map(|name| as_it_is(&octets(&issue, name)));
    let (j, identity) = (as_it_is(&octets(&sign, "j")), counted(&octets(&sign, "identity")));
    let signed = [&ksak[..], &v, &j, &identity, &counted(&octets(&sign, "message"))].concat();
    for what in 0..9 {
        add("verify", format!("signed-{what}"), &[&[1], &signed, &[what, 6, 40, 0, 1]]);
    }
    add("oracle", "eccsi".into(), &[&[3], &signed]);
    add("backends", "eccsi".into(), &[&[4], &ksak, &v, &j, &identity, &counted(b"message"), &[2, 130]]);

    for receiver in 0..3 {
        let chosen = |compared| [&[receiver, compared], &SSV[..]].concat();
        add("decapsulate", format!("valid-{receiver}"), &[&chosen(if receiver == 0 { 255 } else { 0 }), &[1]]);
        add("decapsulate", format!("damaged-{receiver}"), &[&chosen(0), &[1, 6, 0, 1, 1]]);
        add("decapsulate", format!("unreduced-{receiver}"), &[&chosen(0), &[3, 0]]);
        // Points by an x, of order 2 or 4, and of both kinds.
        for point in 1..=4 {
            add(
                "decapsulate",
                format!("point-{receiver}-{point}"),
                &[&chosen(0), &[2 + 2 * (point % 2), point], &as_it_is(&[3; 128]), &[200]],
            );
        }
    }
    for test in vectors("sakke_edge.json", "SakkeDecapsulate").iter().take(4) {
        let name = format!("vector-{}", test["tcId"]);
        add("decapsulate", name, &[&[0, 0], &SSV, &[0], &octets(test, "encapsulated")]);
    }

    // Cut, longer, with an octet more and with one less.
    for what in 0..4 {
        let damage = [what, 20, 1, 7];
        add("decapsulate", format!("length-{what}"), &[&[0, 0], &SSV, &[1], &damage]);
        add("verify", format!("length-{what}"), &[&[1], &signed, &[8], &damage]);
        add("key_import", format!("pvt-length-{what}"), &[&[4], &ksak, &v, &identity, &[5], &damage]);
    }

    let (master, extract) = (first("rfc6508.json", "SakkeMasterKey"), first("rfc6508.json", "SakkeExtract"));
    let (z, public_key) = (as_it_is(&octets(&master, "masterSecret")), as_it_is(&octets(&master, "publicKey")));
    let receiver = counted(&octets(&extract, "identity"));
    add("key_import", "public-key".into(), &[&[0, 0], &public_key]);
    add("key_import", "public-key-low".into(), &[&[0, 3], &as_it_is(&[3; 128])]);
    add("key_import", "kpak".into(), &[&[1, 0], &as_it_is(&octets(&sign, "kpak"))]);
    add("key_import", "master-secret".into(), &[&[2], &z]);
    add("key_import", "master-secret-one".into(), &[&[2, AS_IT_IS], &[0; 127], &[1]]);
    add("key_import", "ksak".into(), &[&[3], &ksak]);
    for what in 0..8 {
        add("key_import", format!("pair-{what}"), &[&[4], &ksak, &v, &identity, &[what, 6, 3, 0, 1]]);
    }
    for what in 0..4 {
        add("key_import", format!("rsk-{what}"), &[&[5, what % 2, 0], &receiver, &[what, 3], &as_it_is(&[3; 128])]);
    }
    add("key_import", "rsk-valid".into(), &[&[5, 0, 255], &receiver, &[0]]);
    for (number, name) in
        ["sip:user@example.org", "tel:+447700900123", "2026-11", "1531", "no-cs-id"].iter().enumerate()
    {
        add("key_import", format!("name-{number}"), &[&[6], name.as_bytes()]);
    }

    let several = [&[4], &receiver[..], &[252, 253]].concat();
    add("backends", "extract".into(), &[&[0], &z, &several]);
    for size in 0..4 {
        add("backends", format!("encapsulate-{size}"), &[&[1], &z, &several, &SSV, &[size]]);
    }
    add("backends", "decapsulate".into(), &[&[2, 9], &[&SSV[..], &[3]].concat().repeat(9), &SSV, &[0, 3]]);
    add("backends", "import".into(), &[&[3, 0], &public_key, &[3], &as_it_is(&[3; 128])]);

    let power_of_two = [&[1][..], &[0; 32]].concat();
    add("oracle", "hash-power".into(), &[&[0, 0], &counted(&power_of_two), &receiver]);
    add("oracle", "hash".into(), &[&[0, 0], &counted(&[0xa5; 40]), &receiver]);
    add("oracle", "uid".into(), &[&[1], &receiver, &identity, &[1; 24]]);
    add("oracle", "period-month".into(), &[&[2], &[9; 16], &[1, 1], &2026u16.to_le_bytes(), &[11], &[7; 16]]);
    add(
        "oracle",
        "period-hashed".into(),
        &[&[2], &2_592_000u64.to_le_bytes(), &[0; 8], &[0, 0], &1531u64.to_le_bytes(), &[7; 16]],
    );
    add("oracle", "public-key".into(), &[&[4], &z]);
    add("oracle", "extract".into(), &[&[5], &z, &receiver]);
    add("oracle", "encapsulate".into(), &[&[6], &z, &receiver, &SSV]);

    add("extract", "sent".into(), &[&[0xff]]);
    for place in [0u16, 30, 200, 600] {
        add("extract", format!("damaged-{place}"), &[&[0xff, 6], &place.to_le_bytes(), &[1]]);
    }
    seeds
}

fn path((target, name): &(&str, String)) -> PathBuf {
    root().join("fuzz/seeds").join(target).join(name)
}

#[test]
fn seeds_are_those_that_are_written() {
    for (seed, octets) in &all() {
        assert!(fs::read(path(seed)).is_ok_and(|found| found == *octets), "{seed:?}");
    }
}

#[test]
#[ignore = "writes what the fuzz targets of the schemes start from, fuzz/seeds"]
fn seeds() {
    for (seed, octets) in &all() {
        fs::create_dir_all(path(seed).parent().unwrap()).unwrap();
        fs::write(path(seed), octets).unwrap();
    }
}
