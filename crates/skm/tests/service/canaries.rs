//! Secrets that a server was given turn up nowhere but in the answers to those who may have them, whatever its operator
//! asks for.

use std::collections::BTreeMap;
use std::process::Command;

use getrandom::SysRng;
use mikey_sakke::identity::{UidFormat, Uri};
use mikey_sakke::kms::Kms;
use mikey_sakke_files::write_kms;
use rustix::process::Signal;
use serde_json::json;

use crate::http::{Client, JSON};
use crate::search::{contains, spellings};
use crate::site::{IDENTITY_KEYS, PROVISIONER, Process, SERVICE, Site, claims, identity_request, km_request, run};
use crate::support::with;

const RECORD: &str = "canary: 5d1f8e0a, the key material of a record";
const RECORD_PATH: &str = "/seal-km/v1/services/urn:example:fleet/key-records";

/// What an operator can ask for.
const VERBS: [&str; 11] = [
    "config check",
    "migrate",
    "domain show",
    "domain export --reason test --out OUT",
    "backup BACKUP",
    "clock show",
    "clock accept",
    "block sip:eve@example.org",
    "delegate list",
    "audit list --json",
    "audit verify",
];

#[tokio::test]
async fn no_secret_is_in_database_logs_metrics_refusals_or_what_verbs_print() {
    let site = Site::new().set("escrow", "recipients", r#"["DIR/1.pem", "DIR/2.pem"]"#);
    site.write("1.pem", include_str!("../support/recipients/1.pem"));
    site.write("2.pem", include_str!("../support/recipients/2.pem"));
    site.write("skms.toml", site.config_text());
    let kms_uri = Uri::parse("kms.example.org").unwrap();
    let kms = Kms::generate(kms_uri, UidFormat::hashed(2_592_000, 0).unwrap(), &mut SysRng).unwrap();
    write_kms(&site.path("master.json"), false, &kms).unwrap();
    let [config, master] = ["skms.toml", "master.json"].map(|name| site.path(name));
    let import = ["--config", config.to_str().unwrap(), "domain", "import", master.to_str().unwrap()];
    let (status, said, complained) = run(&import);
    assert_eq!(status, Some(0), "{complained}");

    let mut command = Command::new(env!("CARGO_BIN_EXE_skms"));
    command.args(["serve", "--config"]).arg(&config).env("SKMS_LOG", "trace");
    let server = Process::start(command);
    let provisioner = Client::new(server.address("km_s"), site.client(PROVISIONER.0));
    let bearer = format!("Bearer {}", site.token(PROVISIONER.1, "seal:key-provisioning"));
    let headers = [JSON, ("authorization", bearer.as_str())];
    let record = format!(r#"{{"UserUri":"sip:fleet@example.org","Payload":"{RECORD}"}}"#);
    assert_eq!(provisioner.send("PUT", RECORD_PATH, &headers, record.clone()).await.status, 201);
    // The search finds what is there: to those who may have it, the record is answered.
    let handset = Client::new(server.address("km_uu"), site.anonymous());
    let answer = handset.key_request(&site.ue_token(), km_request().to_string()).await;
    assert!(contains(answer.body.as_bytes(), RECORD.as_bytes()), "{answer:?}");
    let claims = claims("client-1", "seal:key-management");
    let identity = site.sign(&with(claims, "val_service_ids", json!([IDENTITY_KEYS])));
    handset.key_request(&identity, identity_request().to_string()).await.assert_km(200, None);

    let mut refused = Vec::new();
    let of_bob = with(km_request(), "UserID", "sip:bob@example.org".into()).to_string();
    for body in [of_bob, record.clone(), record.replace('}', "")] {
        refused.push(handset.key_request(&site.ue_token(), body).await);
    }
    refused.push(provisioner.send("PUT", RECORD_PATH, &headers, record.replace("UserUri", "Useruri")).await);
    let unmet = [headers[0], headers[1], ("if-match", "\"0000000000000000\"")];
    refused.push(provisioner.send("PUT", RECORD_PATH, &unmet, record).await);
    assert!(refused.iter().all(|answer| (400..500).contains(&answer.status)), "{refused:?}");
    let metrics = Client::plain(server.address("admin")).get("/metrics").await.body;
    let mut places: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for (index, answer) in refused.into_iter().enumerate() {
        places.insert(format!("refusal {index}"), answer.body.into_bytes());
    }
    // Before the server ends, while changes are in the WAL alone.
    for name in ["skms.db", "skms.db-wal", "skms.db-shm"] {
        places.insert(name.into(), std::fs::read(site.path(name)).unwrap());
    }
    server.signal(Signal::TERM);
    let (_, log) = server.wait();
    places.insert("skms.db at the end".into(), std::fs::read(site.path("skms.db")).unwrap());
    let texts = [("log", log), ("metrics", metrics), ("import", said + &complained)];
    for verb in VERBS {
        let [out, backup] = ["out", "a.backup"].map(|name| site.path(name).to_str().unwrap().to_owned());
        let path = |word| match word {
            "OUT" => &out,
            "BACKUP" => &backup,
            word => word,
        };
        let arguments: Vec<_> = verb.split(' ').map(path).collect();
        let (status, said, complained) = run(&[&["--config", config.to_str().unwrap()], &arguments[..]].concat());
        assert_eq!(status, Some(0), "{verb}: {complained}");
        places.insert(format!("skms {verb}"), (said + &complained).into_bytes());
    }
    for name in ["out/share-1.json", "out/share-2.json", "a.backup"] {
        places.insert(name.into(), std::fs::read(site.path(name)).unwrap());
    }
    places.extend(texts.map(|(name, text)| (name.into(), text.into_bytes())));
    assert!(contains(&places["skms.db-wal"], SERVICE.as_bytes()));

    let seal_key = [0x5a; 32];
    let (z, ksak) = (kms.master_secret().to_octets(), kms.ksak().to_octets());
    let secrets =
        [("record", RECORD.as_bytes()), ("z", z.expose()), ("KSAK", ksak.expose()), ("sealing key", &seal_key)];
    for (place, octets) in &places {
        for (secret, value) in secrets {
            for spelling in spellings(value) {
                assert!(!contains(octets, &spelling), "{secret} in {place}: {}", String::from_utf8_lossy(&spelling));
            }
        }
    }
}
