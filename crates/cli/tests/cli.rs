//! The command line as people use it: the way of a key through files, and what they see when it goes wrong.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use mikey_sakke::hazmat::backend::{Backend, current};
use predicates::prelude::*;
use predicates::str::{contains, starts_with};
use tempfile::TempDir;

/// A folder with the files of a KMS, Alice and Bob.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        let files = Self(TempDir::new().unwrap());
        files.run("kms init --uri kms.example.org --out master.json").success();
        files.run("kms certificate --master master.json --out kms.json").success();
        for user in ["alice", "bob"] {
            files
                .run(&format!("kms issue --master master.json --user sip:{user}@example.org --out {user}.json"))
                .success();
        }
        files
    }

    /// With a message from Alice to Bob.
    fn with_message() -> Self {
        let files = Self::new();
        files.run(&format!("{DISTRIBUTE} --save-key key.json --out m.mikey")).success();
        files
    }

    fn run(&self, arguments: &str) -> assert_cmd::assert::Assert {
        Command::cargo_bin("mikey-sakke").unwrap().current_dir(&self.0).args(arguments.split(' ')).assert()
    }

    /// Runs what has to fail: nothing on standard output, and an error that says the problem.
    fn fails(&self, arguments: &str, error: &str) {
        self.run(arguments).failure().stdout("").stderr(contains(error));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn replace(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "{text}");
        fs::write(self.path(name), text.replacen(from, to, 1)).unwrap();
    }
}

const DISTRIBUTE: &str = "distribute --certificate kms.json --keys alice.json --to sip:bob@example.org";
const EXTRACT: &str = "extract --certificate kms.json --keys bob.json --out received.json";

#[test]
fn a_key_travels_through_files() {
    let files = Files::with_message();
    files.run(&format!("{EXTRACT} m.mikey")).success().stdout(contains("from sip:alice@example.org"));
    assert_eq!(files.read("received.json"), files.read("key.json"));

    // The same key to somebody else, the message on standard output, and in again on standard input.
    let message = files.run(&format!("{DISTRIBUTE} --key key.json")).success().get_output().stdout.clone();
    let mut extract = Command::cargo_bin("mikey-sakke").unwrap();
    extract.current_dir(&files.0).args(EXTRACT.split(' ')).args(["--force", "-"]).write_stdin(message);
    extract.assert().success();
    assert_eq!(files.read("received.json"), files.read("key.json"));
}

#[test]
fn a_key_goes_to_the_members_of_a_group() {
    let files = Files::new();
    let members = ["sip:bob@example.org", "sip:carol@example.org", "tel:+447700900123"];
    fs::write(files.path("members.txt"), format!("{}\r\n\n{}\n{}", members[0], members[1], members[2])).unwrap();
    let group = "distribute --certificate kms.json --keys alice.json --members members.txt";
    let sent = files.run(&format!("{group} --threads 2 --save-key key.json")).success().get_output().stdout.clone();
    let sent = String::from_utf8(sent).unwrap();
    let (uris, messages): (Vec<_>, Vec<_>) = sent.lines().map(|line| line.split_once(' ').unwrap()).unzip();
    assert_eq!(uris, members);
    files.run(&format!("{EXTRACT} {}", messages[0])).success();
    assert_eq!(files.read("received.json"), files.read("key.json"));
    files.fails(&format!("{EXTRACT} --force {}", messages[1]), "for another responder");

    // Who cannot have a message does not keep the others from theirs.
    files.run("kms init --uri kms.example.net --monthly --out months.json").success();
    files.run("kms certificate --master months.json --out to.json").success();
    let sent = files.run(&format!("{group} --key key.json --to-certificate to.json")).failure();
    sent.stdout(starts_with("tel:+447700900123 ")).stderr(contains("no message for sip:carol@example.org"));

    files.fails(&format!("{group} --key key.json --threads 0"), "0 is not in 1..=1024");
    files.fails(&format!("{group} --key key.json --to sip:bob@example.org"), "cannot be used with");
    files.fails(&format!("{group} --key key.json --out m.mikey"), "cannot be used with");
    files.fails("distribute --certificate kms.json --keys alice.json --key key.json", "--to <TO>");
    files.replace("members.txt", "sip:carol", "Sip:carol");
    files.fails(&format!("{group} --key key.json"), "members.txt, line 3");
}

#[test]
fn keys_can_be_bound_to_months_and_telephone_numbers() {
    let files = Files(TempDir::new().unwrap());
    files.run("kms init --uri kms.example.org --monthly --out master.json").success();
    files.run("kms certificate --master master.json --out kms.json").success();
    files.fails(
        "kms issue --master master.json --user sip:bob@example.org --out bob.json",
        "identifier format does not fit",
    );
    for (user, file) in [("tel:+447700900123", "alice.json"), ("tel:+447700900777", "bob.json")] {
        files.run(&format!("kms issue --master master.json --user {user} --period 2026-11 --out {file}")).success();
    }
    files
        .run("distribute --certificate kms.json --keys alice.json --to tel:+447700900777 --save-key key.json --out m.mikey --at 2026-11-30T23:59:59Z")
        .success();
    files.run(&format!("{EXTRACT} m.mikey --at 2026-12-01T00:00:10Z")).success();
    files.fails(&format!("{EXTRACT} m.mikey --force --at 2026-12-01T00:10:00Z"), "outside the accepted window");
    files.fails(
        "distribute --certificate kms.json --keys alice.json --to tel:+447700900777 --save-key new.json --at 2026-12-01T00:00:00Z",
        "no keys are held for the key period",
    );
}

#[cfg(unix)]
#[test]
fn secret_files_are_their_owner_s_alone() {
    use std::os::unix::fs::PermissionsExt;
    let files = Files::with_message();
    files.run(&format!("{EXTRACT} m.mikey")).success();
    for name in ["master.json", "alice.json", "key.json", "received.json"] {
        assert_eq!(fs::metadata(files.path(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    let drafts = fs::read_dir(files.0.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().path().extension() == Some("draft".as_ref()));
    assert_eq!(drafts.count(), 0);
}

#[test]
fn no_file_is_overwritten_unless_forced() {
    let files = Files::with_message();
    let before = files.read("master.json");
    files.fails("kms init --uri kms.example.org --out master.json", "exists already");
    files.fails("kms certificate --master master.json --out kms.json", "exists already");
    files.fails("kms issue --master master.json --user sip:bob@example.org --out bob.json", "pass --force");
    files.fails(&format!("{DISTRIBUTE} --save-key other.json --out m.mikey"), "exists already");
    assert_eq!(files.read("master.json"), before);
    files.run("kms init --uri kms.example.org --out master.json --force").success();
    assert_ne!(files.read("master.json"), before);
}

#[test]
fn secrets_are_never_printed() {
    let files = Files::with_message();
    let secrets: Vec<String> = ["master.json", "alice.json", "bob.json", "key.json"]
        .into_iter()
        .flat_map(|name| secrets_in(&files.path(name)))
        .collect();
    assert_eq!(secrets.len(), 7);
    for command in [
        "kms certificate --master master.json".to_owned(),
        "kms issue --master master.json --user sip:bob@example.org --out again.json".to_owned(),
        format!("{DISTRIBUTE} --key key.json"),
        format!("{EXTRACT} m.mikey"),
        "inspect m.mikey".to_owned(),
        "inspect --json m.mikey".to_owned(),
    ] {
        let output = files.run(&command).success().get_output().clone();
        let printed = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        for secret in &secrets {
            assert!(!printed.contains(secret.as_str()), "{command} printed a secret");
        }
    }
}

/// The secret members of a file.
fn secrets_in(path: &Path) -> Vec<String> {
    let json: serde_json::Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    ["MasterSecret", "Ksak", "UserDecryptKey", "UserSigningKeySSK", "Key"]
        .into_iter()
        .filter_map(|name| json.get(name).map(|value| value.as_str().unwrap().to_owned()))
        .collect()
}

#[test]
fn errors_name_the_problem() {
    let files = Files::with_message();
    files.fails("kms init --uri KMS.example.org --out x.json", "canonical spelling");
    files.fails("kms init --uri kms.example.org --period 0 --out x.json", "does not fit");
    files.fails("kms certificate --master missing.json", "cannot read missing.json");
    files.fails("kms certificate --master kms.json", "in kms.json");
    files.fails(DISTRIBUTE, "pass --save-key FILE");
    files.fails(&format!("{EXTRACT} nothing.mikey"), "is neither a file that can be read");
    files.fails(&format!("{EXTRACT} m.mikey --at yesterday"), "2026-11-21T08:30:00Z");
    files.fails(&format!("{EXTRACT} m.mikey --at 2020-01-01T00:00:00Z"), "pass --at or --window");
    files.fails(&format!("{EXTRACT} 00"), "mikey-sakke inspect");
    files.fails("distribute --certificate kms.json --keys alice.json --to bob --purpose 16", "16 is not in 0..16");
    files.run("inspect 00").failure().stdout(contains("malformed at octet 0"));
    files.fails("speed --seconds 0", "from 0.01 to 3600");
    files.fails("demo --members 0", "0 is not in 1..");
    files.fails("vectors", "required");
}

#[test]
fn altered_key_material_is_refused() {
    let altered = |name: &str, from: &str, to: &str, error: &str| {
        let files = Files::with_message();
        files.replace(name, from, to);
        files.fails(&format!("{EXTRACT} m.mikey"), error);
    };
    altered("bob.json", "sip:bob@example.org", "sip:eve@example.org", "UserID is not that of");
    altered("bob.json", "\"UserDecryptKey\": \"04", "\"UserDecryptKey\": \"05", "the RSK does not belong");
    altered("bob.json", "\"UserSigningKeySSK\": \"", "\"UserSigningKeySSK\": \"00", "has 33 octets, not 32");
    altered("bob.json", "\"UserPubTokenPVT\": \"04", "\"UserPubTokenPVT\": \"02", "PVT is not a point");
    altered("kms.json", "\"PubEncKey\": \"04", "\"PubEncKey\": \"03", "not a point of order q");
    altered("kms.json", "\"PubAuthKey\": \"04", "\"PubAuthKey\": \"xx", "PubAuthKey is not hexadecimal");
    altered("kms.json", "kms.example.org", "kms.example.net", "the keys are of the KMS");
    altered("kms.json", "{", "{ \"Unknown\": 1,", "unknown field `Unknown`");
    altered("kms.json", "\"UserIdFormat\": 2", "\"UserIdFormat\": 1", "UserIdFormat is 1, or 2");

    let files = Files::new();
    files.replace("master.json", "\"Ksak\": \"", "\"Ksak\": \"f");
    files.fails("kms certificate --master master.json", "in master.json");
}

#[test]
fn the_demo_holds() {
    let files = Files(TempDir::new().unwrap());
    let demo = files.run("demo --members 3").success();
    demo.stdout(contains("All of it holds.").and(contains("FAILED").not()).and(contains("every member has a message")));
}

#[test]
fn inspect_reads_every_form_of_a_message() {
    let files = Files::with_message();
    let octets = fs::read(files.path("m.mikey")).unwrap();
    let hex = hex::encode(&octets);
    fs::write(files.path("m.hex"), hex.to_uppercase()).unwrap();
    let shown = files.run("inspect m.mikey").success().get_output().stdout.clone();
    for form in ["m.hex", hex.as_str()] {
        files.run(&format!("inspect {form}")).success().stdout(shown.clone());
    }

    let json = files.run("inspect --json m.mikey").success().get_output().stdout.clone();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["ok"], true);
    assert_eq!(json["length"], octets.len());
    assert_eq!(json["signedLength"], octets.len() - 129);
    assert_eq!(json["header"]["csbId"], hex[8..16]);
    let types: Vec<_> =
        json["payloads"].as_array().unwrap().iter().map(|payload| payload["type"].as_u64().unwrap()).collect();
    assert_eq!(types, [5, 11, 14, 14, 14, 14, 26, 4]);
    let raw: String =
        json["payloads"].as_array().unwrap().iter().map(|payload| payload["raw"].as_str().unwrap()).collect();
    assert_eq!(hex[20..], raw);

    let cut = files.run(&format!("inspect --json {}", &hex[..hex.len() - 2])).failure().get_output().stdout.clone();
    let cut: serde_json::Value = serde_json::from_slice(&cut).unwrap();
    assert_eq!((&cut["ok"], &cut["header"]), (&false.into(), &json["header"]));
    let last = cut["payloads"].as_array().unwrap().len() - 1;
    assert_eq!(cut["payloads"][last]["type"], 4);
    assert_eq!(cut["faults"].as_array().unwrap().len(), 1);
    assert_eq!(cut["faults"][0]["payload"], last);
    assert_eq!(cut["signedLength"], serde_json::Value::Null);
}

#[test]
fn inspect_tolerates_by_name() {
    // An I_MESSAGE with a map of type GENERIC-ID and #CS 0, and with a RAND of 8 octets.
    let message =
        concat!("011a0501aabbccdd0002", "0b000000000000000000", "1a085a5a5a5a5a5a5a5a", "04010200015a", "20015a");
    let files = Files(TempDir::new().unwrap());
    let short = "RAND is shorter than 16 octets";
    files.run(&format!("inspect {message}")).failure().stdout(contains(short));
    files.run(&format!("inspect {message} --tolerate short-rand")).success();
    let strict = files.run(&format!("inspect {message} --strict --tolerate short-rand")).failure();
    strict.stdout(contains("malformed at octet 8: the GENERIC-ID map has no crypto session"));
    files.run(&format!("inspect {message} --strict --tolerate short-rand,generic-id-no-cs")).success();
    let json = files.run(&format!("inspect {message} --strict --json")).failure().get_output().stdout.clone();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["faults"].as_array().unwrap().len(), 2);
    files.fails(&format!("inspect {message} --tolerate all"), "there are sp-with-empty-map");
}

#[test]
fn vectors_counts_what_passed_and_failed() {
    let files = Files(TempDir::new().unwrap());
    let vectors = concat!(env!("CARGO_MANIFEST_DIR"), "/../../test-vectors/identity.json");
    files.run(&format!("vectors {vectors}")).success().stdout("5 passed, 0 failed\n");
    fs::copy(vectors, files.path("altered.json")).unwrap();
    files.replace("altered.json", "\"month\": \"2011-02\"", "\"month\": \"2011-03\"");
    files.run("vectors altered.json").failure().stdout(
        starts_with("FAILED altered.json: UidMonthly tcId 1").and(predicates::str::ends_with("4 passed, 1 failed\n")),
    );
    files.run("vectors missing.json").failure().stdout("0 passed, 1 failed\n").stderr(contains("missing.json"));
}

#[test]
fn speed_reports_every_operation() {
    let files = Files(TempDir::new().unwrap());
    let json = files.run("speed --seconds 0.01 --json").success().get_output().stdout.clone();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let operations: Vec<_> = json.as_array().unwrap().iter().map(|line| line["op"].as_str().unwrap()).collect();
    assert_eq!(
        operations,
        [
            "sakke-encapsulate",
            "sakke-encapsulate-batch",
            "sakke-encapsulate-prepared",
            "sakke-encapsulate-prepared-batch",
            "sakke-decapsulate",
            "sakke-decapsulate-batch",
            "sakke-validate-rsk",
            "sakke-extract",
            "sakke-extract-batch",
            "eccsi-sign",
            "eccsi-verify",
            "imessage-distribute",
            "imessage-distribute-batch",
            "imessage-extract",
        ]
    );
    assert!(json.as_array().unwrap().iter().all(|line| line["ops_per_second"].as_f64().unwrap() > 0.0));
}

/// The backends that `speed` names, run with arguments and with or without the environment variable.
fn measured(arguments: &str, variable: Option<&str>) -> Vec<String> {
    let mut command = Command::cargo_bin("mikey-sakke").unwrap();
    command.env_remove(VARIABLE).envs(variable.map(|name| (VARIABLE, name)));
    let output = command.args(arguments.split(' ')).assert().success().get_output().stdout.clone();
    let json: serde_json::Value = serde_json::from_slice(&output).unwrap();
    let mut names: Vec<_> =
        json.as_array().unwrap().iter().map(|line| line["backend"].as_str().unwrap().to_owned()).collect();
    names.dedup();
    names
}

const VARIABLE: &str = "MIKEY_SAKKE_BACKEND";

#[test]
fn the_backend_can_be_chosen() {
    const SPEED: &str = "speed --seconds 0.01 --json";
    let files = Files(TempDir::new().unwrap());
    assert_eq!(measured(SPEED, None), [current().name()]);
    for backend in Backend::ALL {
        let (before, after) = (format!("--backend {backend} {SPEED}"), format!("{SPEED} --backend {backend}"));
        if backend.is_available() {
            assert_eq!(measured(&before, None), [backend.name()]);
            assert_eq!(measured(&after, Some("portable")), [backend.name()]);
            assert_eq!(measured(SPEED, Some(backend.name())), [backend.name()]);
        } else {
            files.fails(&before, &format!("the backend {backend} is not available on this processor"));
        }
    }
    let text = files.run("--backend portable speed --seconds 0.01").success();
    text.stdout(starts_with("Backend portable, one core\n"));
    files.fails("--backend abacus speed", "[possible values: portable, adx, ifma]");
    let mut command = Command::cargo_bin("mikey-sakke").unwrap();
    command.env(VARIABLE, "abacus").arg("demo").assert().failure().stdout("").stderr(contains("'abacus'"));
}
