//! Certificates and keys as XML documents.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;

use assert_cmd::Command;
use predicates::str::contains;
use tempfile::TempDir;

fn run(folder: &TempDir, arguments: &str) -> assert_cmd::assert::Assert {
    Command::cargo_bin("mikey-sakke").unwrap().current_dir(folder).args(arguments.split(' ')).assert()
}

#[test]
fn documents_and_json_are_read_alike() {
    let folder = TempDir::new().unwrap();
    run(&folder, "kms init --uri kms.example.org --out master.json").success();
    run(&folder, "kms certificate --master master.json --xml --out kms.xml").success();
    run(&folder, "kms certificate --master master.json --out kms.json").success();
    run(&folder, "kms issue --master master.json --user sip:alice@example.org --xml --out alice.xml").success();
    run(&folder, "kms issue --master master.json --user sip:bob@example.org --out bob.json").success();
    let printed = run(&folder, "kms certificate --master master.json --xml").success().get_output().stdout.clone();
    assert_eq!(printed, fs::read(folder.path().join("kms.xml")).unwrap());

    let to_bob = "distribute --keys alice.xml --to sip:bob@example.org";
    run(&folder, &format!("{to_bob} --certificate kms.xml --save-key key.json --out m.mikey")).success();
    run(&folder, "extract --certificate kms.json --keys bob.json --out received.json m.mikey").success();
    let read = |name| fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(read("received.json"), read("key.json"));

    // Damaged keys are refused, whatever the form.
    let damaged = read("alice.xml").replacen("<KeyPeriodNo>", "<KeyPeriodNo>1", 1);
    fs::write(folder.path().join("alice.xml"), damaged).unwrap();
    run(&folder, &format!("{to_bob} --certificate kms.xml --save-key other.json")).failure().stderr(contains("UserID"));
    fs::write(folder.path().join("kms.xml"), "<!DOCTYPE x>").unwrap();
    run(&folder, &format!("{to_bob} --certificate kms.xml --save-key other.json"))
        .failure()
        .stderr(contains("DOCTYPE"));
}

#[test]
fn responses_of_a_kms_are_read() {
    let documents = concat!(env!("CARGO_MANIFEST_DIR"), "/../../test-vectors/documents");
    let folder = TempDir::new().unwrap();
    let command = |keys: &str| {
        format!(
            "distribute --certificate {documents}/peer-init.xml --keys {documents}/{keys} --to sip:bob@example.org \
             --at 2011-02-14T12:00:00Z --save-key key.json --out m.mikey"
        )
    };
    run(&folder, &command("peer-keyprov.xml")).success();
    for (keys, error) in [
        ("peer-keyprov-wrapped.xml", "a transport key is needed"),
        ("response-keyprov.xml", "holds 2 key sets"),
        ("response-error.xml", "holds no KmsKeyProv"),
        ("request.xml", "neither a KmsKeySet"),
    ] {
        run(&folder, &command(keys)).failure().stdout("").stderr(contains(error));
    }
}

#[cfg(unix)]
#[test]
fn keys_in_xml_are_their_owner_s_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new().unwrap();
    run(&folder, "kms init --uri kms.example.org --out master.json").success();
    run(&folder, "kms issue --master master.json --user sip:alice@example.org --xml --out alice.xml").success();
    let mode = fs::metadata(folder.path().join("alice.xml")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn domains_by_the_month_have_no_xml() {
    let folder = TempDir::new().unwrap();
    run(&folder, "kms init --uri kms.example.org --monthly --out master.json").success();
    run(&folder, "kms certificate --master master.json --xml").failure().stdout("").stderr(contains("hashed UIDs"));
    let issue = "kms issue --master master.json --user tel:+447700900123 --period 2026-11 --xml --out alice.xml";
    run(&folder, issue).failure().stderr(contains("hashed UIDs"));
    assert!(!folder.path().join("alice.xml").exists());
}
