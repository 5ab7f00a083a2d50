//! `inspect --keys`: what a message carries, and whether it is authentic.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[allow(dead_code, reason = "other tests use the rest")]
mod fixed;

use std::fs;

use assert_cmd::Command;
use assert_cmd::assert::Assert;
use mikey_sakke::eccsi::SIGNATURE_OCTETS;
use mikey_sakke::imessage::{Profile, SkId, SrtpKeys, diversify};
use mikey_sakke::mikey::payload::{Payload, Sp};
use mikey_sakke::mikey::prf::Prf;
use mikey_sakke::mikey::registry::{ProtType, SType, SrtpParam};
use mikey_sakke::mikey::{CsIdMap, GenericId, Message, SrtpId};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::{Value, json};
use tempfile::TempDir;

use fixed::{ALICE, ALICE_V, BOB, Given, HASHED, bundle, gmk, gmk_bundle, integer, keys, message, pck, pck_bundle};

/// A folder with the keys of Alice and Bob in the domain of the fixed messages.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        let files = Self(TempDir::new().unwrap());
        let certificate = HASHED.certificate();
        let master = json!({
            "Certificate": {
                "KmsUri": "kms.example.org",
                "UserIdFormat": 2,
                "UserKeyPeriod": 2_592_000,
                "UserKeyOffset": 0,
                "PubEncKey": hex::encode(certificate.public_key().to_octets()),
                "PubAuthKey": hex::encode(certificate.kpak().to_octets()),
            },
            "MasterSecret": hex::encode(HASHED.master_secret().to_octets().expose()),
            "Ksak": hex::encode(HASHED.ksak().to_octets().expose()),
        });
        fs::write(files.0.path().join("master.json"), master.to_string()).unwrap();
        files.run("kms certificate --master master.json --out kms.json").success();
        for user in ["alice", "bob"] {
            let issue = format!("kms issue --master master.json --user sip:{user}@example.org --period 1352");
            files.run(&format!("{issue} --out {user}.json")).success();
        }
        files
    }

    fn run(&self, arguments: &str) -> Assert {
        Command::cargo_bin("mikey-sakke").unwrap().current_dir(&self.0).args(arguments.split(' ')).assert()
    }

    /// Inspects a message with the keys of Bob.
    fn inspect(&self, octets: &[u8], options: &str) -> Assert {
        self.run(&format!("inspect {} --certificate kms.json --keys bob.json{options}", hex::encode(octets)))
    }

    fn json(&self, octets: &[u8], options: &str) -> Value {
        let output = self.inspect(octets, &format!(" --json{options}")).get_output().clone();
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(output.status.success(), json["ok"] == true);
        json
    }
}

fn sent(profile: Profile) -> Vec<u8> {
    let id = [profile.purpose().number() << 4 | 5, 6, 7, 8];
    message(&HASHED, ALICE, ALICE_V, BOB, &bundle(profile, id, 0x30, 0x90), 0x77)
}

/// What SRTP takes, by the engine itself.
fn derived(cs_id: u8, id: SkId) -> SrtpKeys {
    let bundle = gmk_bundle();
    SrtpKeys::derive(Prf::HmacSha256, bundle.key(), cs_id, id, bundle.rand()).unwrap()
}

#[test]
fn a_group_key_has_srtp_keys_for_each_sender() {
    let (files, bundle) = (Files::new(), gmk_bundle());
    let json = files.json(&gmk(), " --ts33180 --show-keys");
    let opened = &json["keys"];
    assert_eq!((&opened["signer"], &opened["verifies"]), (&"sip:groups@example.org".into(), &true.into()));
    assert_eq!((&opened["id"], &opened["purpose"]), (&"0df9bc39".into(), &0.into()));
    assert_eq!(opened["csbId"], hex::encode(&gmk()[4..8]));
    assert_eq!(opened["properties"]["groups"], json!(["sip:team@example.org"]));
    assert_eq!(opened["key"], hex::encode(bundle.key().expose()));

    let [session] = opened["srtp"].as_array().unwrap().as_slice() else { panic!("{opened:#}") };
    let expected = derived(4, diversify(bundle.key(), bundle.id(), BOB.as_bytes()).unwrap());
    let octets = hex::encode(expected.key_and_salt().expose());
    assert_eq!((&session["csId"], &session["sender"]), (&4.into(), &BOB.into()));
    assert_eq!((&session["suite"], &session["ffmpeg"]), (&"AEAD_AES_128_GCM".into(), &Value::Null));
    assert_eq!(session["libsrtp"], octets);
    assert_eq!(session["mki"], format!("0df9bc39{}", hex::encode(&gmk()[4..8])));
    let caps = format!(
        "application/x-srtp, srtp-key=(buffer){octets}, srtp-cipher=(string)aes-128-gcm, srtp-auth=(string)null, \
         srtcp-cipher=(string)aes-128-gcm, srtcp-auth=(string)null, mki=(buffer){}",
        session["mki"].as_str().unwrap()
    );
    assert_eq!(session["gstreamer"], caps);

    let json = files.json(&gmk(), &format!(" --ts33180 --show-keys --sender {ALICE} --cs-id 9"));
    let expected = derived(9, diversify(bundle.key(), bundle.id(), ALICE.as_bytes()).unwrap());
    let session = &json["keys"]["srtp"][0];
    assert_eq!((&session["csId"], &session["sender"]), (&9.into(), &ALICE.into()));
    assert_eq!(session["masterKey"], hex::encode(expected.master_key.expose()));
    assert_eq!(session["masterSalt"], hex::encode(expected.master_salt.expose()));
}

#[test]
fn keys_are_not_shown_unless_asked_for() {
    let (files, key) = (Files::new(), hex::encode(gmk_bundle().key().expose()));
    let text = files.inspect(&gmk(), " --ts33180").success();
    let said = contains("Opened at the time of the message, 2011-02-17T00:00:00Z, without a replay cache")
        .and(contains("Key identifier               0df9bc39"))
        .and(contains("sip:team@example.org"))
        .and(contains("not shown without --show-keys"));
    text.stdout(said.and(contains(&key).not()).and(contains("srtp-key").not()));
    let json = files.json(&gmk(), " --ts33180")["keys"].clone();
    assert_eq!(json["id"], "0df9bc39");
    assert!(["key", "rand", "srtp"].iter().all(|member| json.get(member).is_none()), "{json:#}");
    let shown = files.inspect(&gmk(), " --ts33180 --show-keys").success();
    shown.stdout(contains(&key).and(contains("Packets carry the rollover counter")));
}

#[test]
fn a_hidden_initiator_is_known_by_uid() {
    let (files, bundle) = (Files::new(), pck_bundle());
    let opened = files.json(&pck(), " --show-keys")["keys"].clone();
    let uid = HASHED.certificate().uid_at(&fixed::uri(ALICE), fixed::at()).unwrap();
    assert_eq!((&opened["signer"], &opened["verifies"]), (&uid.to_string().into(), &true.into()));
    assert_eq!((&opened["id"], &opened["properties"]["text"]), (&"1abcdef0".into(), &"call".into()));
    let sessions = opened["srtp"].as_array().unwrap();
    assert_eq!(sessions.len(), 2);
    for (session, cs_id) in sessions.iter().zip([0, 1]) {
        let expected = SrtpKeys::derive(Prf::HmacSha256, bundle.key(), cs_id, bundle.id(), bundle.rand()).unwrap();
        assert_eq!(session["libsrtp"], hex::encode(expected.key_and_salt().expose()));
        assert_eq!((&session["mki"], &session["sender"]), (&"1abcdef0".into(), &Value::Null));
        assert!(session["inline"].as_str().unwrap().ends_with("|448585456:4"), "{session:#}");
    }
}

#[test]
fn each_program_gets_what_it_takes() {
    let files = Files::new();
    let stream = |policy| SrtpId { policy, ssrc: 1, roc: 0 };
    let (encryption, tag) = (SrtpParam::ENCRYPTION, SrtpParam::AUTHENTICATION_TAG_LENGTH);
    let policies = vec![
        Sp::srtp(0, &[(encryption, 1)]),
        Sp::srtp(1, &[(encryption, 1), (tag, 4)]),
        Sp::srtp(2, &[(encryption, 6), (SrtpParam::AEAD_TAG_LENGTH, 16)]),
        Sp::srtp(3, &[(encryption, 2)]),
        Sp::srtp(4, &[(SrtpParam::SRTP_ENCRYPTION_SWITCH, 0)]),
        Sp::srtp(5, &[(SrtpParam::KEY_DERIVATION_RATE, 1)]),
    ];
    let map = CsIdMap::SrtpId((0..6).map(stream).collect());
    let octets = sent(Profile::ts33180_pck().with_sessions(map, policies.clone()));
    let json = files.json(&octets, " --show-keys");
    let sessions = json["keys"]["srtp"].as_array().unwrap();
    for (session, suite) in sessions.iter().zip(["AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"]) {
        assert_eq!((&session["suite"], session["policy"].is_u64()), (&suite.into(), true));
        assert_eq!(session["libsrtp"].as_str().unwrap().len(), 60);
        let inline = session["inline"].as_str().unwrap().strip_prefix("inline:").unwrap();
        assert_eq!(inline.len(), 40);
        assert_eq!(session["ffmpeg"], format!("-srtp_in_suite {suite} -srtp_in_params {inline}"));
    }
    assert!(sessions[1]["gstreamer"].as_str().unwrap().contains("srtp-auth=(string)hmac-sha1-32"));
    assert!(sessions[1]["gstreamer"].as_str().unwrap().ends_with("srtcp-auth=(string)hmac-sha1-80"));
    assert_eq!((&sessions[2]["mki"], &sessions[2]["ffmpeg"]), (&"".into(), &Value::Null));
    for (session, cs_id) in sessions[3..].iter().zip(4..) {
        assert_eq!(session["why"], format!("CS ID {cs_id}: no program takes keys for this policy"));
    }

    // FFmpeg reads no packets with MKI.
    let session = GenericId {
        cs_id: 7,
        prot_type: ProtType::SRTP,
        s: false,
        policies: vec![0],
        session_data: vec![],
        spi: vec![1, 2],
    };
    let with_mki = Profile::ts33180_pck().with_sessions(CsIdMap::GenericId(vec![session]), policies[..1].to_vec());
    let json = files.json(&sent(with_mki), " --show-keys");
    let session = &json["keys"]["srtp"][0];
    assert_eq!((&session["mki"], &session["ffmpeg"]), (&"0102".into(), &Value::Null));
}

#[test]
fn a_message_without_sessions_needs_a_cs_id() {
    let (files, octets) = (Files::new(), sent(Profile::ts33180_csk()));
    let without = files.inspect(&octets, " --show-keys").success();
    without.stdout(contains("No SRTP keys: the message states no crypto session; pass --cs-id N."));
    let json = files.json(&octets, " --show-keys --cs-id 6");
    assert_eq!(json["keys"]["srtp"][0]["csId"], 6);
    assert_eq!(json["keys"]["srtp"][0]["mki"], "25060708");
    assert_eq!(json["keys"]["srtp"][0]["policy"], Value::Null);
}

#[test]
fn a_failed_check_is_a_fault() {
    let (files, octets) = (Files::new(), sent(Profile::ts33180_pck()));
    assert_eq!(files.json(&octets, "")["ok"], true);
    let signature = octets.len() - SIGNATURE_OCTETS;

    let mut forged = octets.clone();
    forged[signature + 40] ^= 1;
    let json = files.json(&forged, " --show-keys");
    assert_eq!(json["keys"]["verifies"], false);
    assert!(json["keys"].get("key").is_none());
    let fault = json!({ "offset": signature - 2, "payload": 7, "what": "the signature does not verify" });
    assert_eq!(json["faults"], json!([fault]));
    files.inspect(&forged, "").failure().stdout(contains("does not verify"));

    let mut altered = Message::decode(&octets).unwrap();
    for payload in &mut altered.payloads {
        if let Payload::Sakke(sakke) = payload {
            *sakke.data.last_mut().unwrap() ^= 1;
        }
    }
    let mut signed = altered.encode_to_be_signed(SType::ECCSI, SIGNATURE_OCTETS).unwrap();
    let alice = keys(&HASHED, ALICE, ALICE_V);
    let signed_again = alice.signing().sign(&signed, &mut Given::new([integer(0x55)])).unwrap();
    signed.extend_from_slice(signed_again.as_octets());
    let json = files.json(&signed, " --show-keys");
    assert_eq!((&json["keys"]["verifies"], json["keys"].get("key")), (&true.into(), None));
    assert_eq!(json["faults"][0]["payload"], 6);
    files.inspect(&signed, "").failure().stdout(contains("a cryptographic check of SAKKE"));
}

#[test]
fn what_cannot_be_opened_is_said() {
    let (files, octets) = (Files::new(), hex::encode(sent(Profile::ts33180_pck())));
    let with = |options: &str| files.run(&format!("inspect {octets} {options}"));
    let for_another = with("--certificate kms.json --keys alice.json").failure();
    for_another.stdout(contains("not verified").and(contains("another responder")));
    let malformed = files.run(&format!("inspect {}00 --certificate kms.json --keys bob.json", octets)).failure();
    malformed.stdout(contains("The message is not opened"));
    for (options, missing) in [
        ("--keys bob.json", "--certificate"),
        ("--certificate kms.json", "--keys"),
        ("--show-keys", "--keys"),
        ("--certificate kms.json --keys bob.json --cs-id 1", "--show-keys"),
    ] {
        with(options).failure().stdout("").stderr(contains(missing));
    }
    with("--certificate kms.json --keys missing.json").failure().stdout("").stderr(contains("missing.json"));
}
