//! `mikey-sakke kms join`: master secrets out of the two shares of an export.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use assert_cmd::Command;
use mikey_sakke_files::{Moment, SHARE_OCTETS, Share, read_kms, write_share};
use predicates::str::contains;
use tempfile::TempDir;

/// A folder with master secrets, their two opened shares, and a file of the export.
struct Export(TempDir);

impl Export {
    fn new() -> Self {
        let export = Self(TempDir::new().unwrap());
        export.run(&["kms", "init", "--uri", "kms.example.org", "--out", "master.json"]).success();
        let kms = read_kms(&export.path("master.json")).unwrap();
        let secrets = [kms.master_secret().to_octets().expose().as_slice(), kms.ksak().to_octets().expose()].concat();
        let first = [0x5a; SHARE_OCTETS];
        fs::write(export.path("1.share"), first).unwrap();
        fs::write(export.path("2.share"), first.iter().zip(&secrets).map(|(a, b)| a ^ b).collect::<Vec<_>>()).unwrap();
        let share = Share {
            certificate: kms.certificate().clone(),
            cert_uri: Some("kms.example.org/certificates/1".into()),
            reason: "order 7\u{1b}[2J".into(),
            time: "2026-11-21T08:30:00Z".parse::<Moment>().unwrap(),
            export: "0123456789abcdef".into(),
            recipient: "00".repeat(32),
            share: vec![7; 384],
        };
        write_share(&export.path("share-1.json"), &share).unwrap();
        export
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> assert_cmd::assert::Assert {
        Command::cargo_bin("mikey-sakke").unwrap().current_dir(&self.0).args(arguments).assert()
    }

    fn join(&self, shares: [&str; 2]) -> assert_cmd::assert::Assert {
        let [first, second] = shares;
        self.run(&["kms", "join", first, second, "--for", "share-1.json", "--out", "joined.json"])
    }
}

#[test]
fn both_shares_make_the_master_secrets() {
    let export = Export::new();
    // What the file says is not obeyed by a terminal.
    let said = "the master secrets of kms.example.org, exported 2026-11-21T08:30:00Z for: order 7\u{FFFD}[2J;";
    export.join(["1.share", "2.share"]).success().stdout(contains(said)).stderr("");
    assert_eq!(fs::read(export.path("joined.json")).unwrap(), fs::read(export.path("master.json")).unwrap());
    assert_eq!(fs::metadata(export.path("joined.json")).unwrap().permissions().mode() & 0o777, 0o600);
    export.join(["2.share", "1.share"]).failure().stderr(contains("exists already"));
    fs::remove_file(export.path("joined.json")).unwrap();
    export.join(["2.share", "1.share"]).success();
}

#[test]
fn shares_that_do_not_belong_together_are_refused() {
    let export = Export::new();
    let good = fs::read(export.path("2.share")).unwrap();
    for at in [0, 127, 128, SHARE_OCTETS - 1] {
        let mut other = good.clone();
        other[at] ^= 1;
        fs::write(export.path("other.share"), other).unwrap();
        export.join(["1.share", "other.share"]).failure().stdout("").stderr(contains("of two exports"));
    }
    export.join(["1.share", "1.share"]).failure().stderr(contains("the same share"));
    // Of the octets of z and KSAK, none may be those of no secret at all.
    for octet in [0, 0xff] {
        fs::write(export.path("other.share"), [octet ^ 0x5a; SHARE_OCTETS]).unwrap();
        export.join(["1.share", "other.share"]).failure();
    }
    // Those of another domain.
    let other = Export::new();
    fs::copy(other.path("2.share"), export.path("other.share")).unwrap();
    export.join(["1.share", "other.share"]).failure().stderr(contains("of another certificate"));
    fs::copy(other.path("share-1.json"), export.path("share-1.json")).unwrap();
    export.join(["1.share", "2.share"]).failure().stderr(contains("of another certificate"));
    assert!(!export.path("joined.json").exists());
}

#[test]
fn what_is_no_opened_share_is_named() {
    let export = Export::new();
    for length in [0, SHARE_OCTETS - 1, SHARE_OCTETS + 1, 384] {
        fs::write(export.path("other.share"), vec![1; length]).unwrap();
        let says = format!("other.share has {length} octets, and a share has 160; open what stands under Share");
        export.join(["1.share", "other.share"]).failure().stdout("").stderr(contains(says));
    }
    export.join(["share-1.json", "2.share"]).failure().stderr(contains("share-1.json has"));
    export.join(["1.share", "none.share"]).failure().stderr(contains("cannot read none.share"));
    export.join(["1.share", "/dev/zero"]).failure().stderr(contains("/dev/zero has 8192 octets"));
    let arguments = ["kms", "join", "1.share", "2.share", "--for", "master.json", "--out", "joined.json"];
    export.run(&arguments).failure().stderr(contains("master.json"));
    export.run(&["kms", "join", "1.share", "--for", "share-1.json", "--out", "joined.json"]).failure();
    assert!(!export.path("joined.json").exists());
}
