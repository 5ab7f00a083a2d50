//! `skmc`, the program.

use std::path::Path;
use std::process::{Command, Output};

use mikey_sakke::identity::{KeyPeriod, UidFormat};
use mikey_sakke::km::ErrorCode;
use mikey_sakke::time::Timestamp;
use mikey_sakke_files::{read_certificate, read_user_keys};
use tempfile::TempDir;

use crate::domains::{PERIOD, Site};
use crate::support::{ALICE, Authority, Reply, Server, granted_at, uri};

const BOB: &str = "sip:bob@example.org";

/// A directory with the root of the server's certificate and a token.
struct Place(TempDir);

impl Place {
    fn new(roots: &[u8]) -> Self {
        let place = Self(TempDir::new().unwrap());
        place.write("ca.pem", roots);
        place.write("token", b"canary.token.value\n");
        place
    }

    fn write(&self, name: &str, octets: &[u8]) {
        std::fs::write(self.0.path().join(name), octets).unwrap();
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    /// Runs the program, with the options that lead to a server.
    async fn run(&self, server: &str, arguments: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_skmc"));
        command.current_dir(self.0.path());
        command.args(["--server", server, "--root", "ca.pem", "--token-file", "token"]).args(arguments);
        let Output { status, stdout, stderr } =
            tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let [stdout, stderr] = [stdout, stderr].map(|octets| String::from_utf8(octets).unwrap());
        assert!(!stderr.contains("canary.token"), "{stderr}");
        (status.code().unwrap(), stdout, stderr)
    }
}

async fn site() -> (Site, Place) {
    let site = Site::of_now().await;
    let place = Place::new(&site.settings.roots);
    (site, place)
}

fn mode(path: &Path) -> u32 {
    std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(path).unwrap()) & 0o777
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_saved_for_their_owner_alone() {
    let (site, place) = site().await;
    let arguments = ["keys", "--user", ALICE, "--out", "keys.json", "--certificate", "certificate.json"];
    let (code, out, error) = place.run(&site.server.url(), &arguments).await;
    assert_eq!((code, error.as_str()), (0, ""));
    let period = UidFormat::hashed(PERIOD, 0).unwrap().period_at(Timestamp::now().unwrap()).unwrap();
    assert!(out.starts_with(&format!("{ALICE}: keys for key period {period}, ")), "{out}");
    assert_eq!(mode(&place.path("keys.json")), 0o600);
    let certificate = read_certificate(&place.path("certificate.json")).unwrap();
    let keys = read_user_keys(&place.path("keys.json"), &certificate).unwrap();
    assert_eq!((keys.user(), keys.period()), (&uri(ALICE), period));
    assert!(matches!(period, KeyPeriod::Number(_)));

    let (code, _, error) = place.run(&site.server.url(), &arguments).await;
    assert_eq!(code, 1, "{error}");
    let forced = [&arguments[..], &["--force"]].concat();
    assert_eq!(place.run(&site.server.url(), &forced).await.0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_goes_from_one_user_to_another() {
    let (site, place) = site().await;
    let url = site.server.url();
    let send = ["send", "--user", ALICE, "--to", BOB, "--purpose", "1", "--out", "message", "--save-key", "sent.json"];
    let (code, out, error) = place.run(&url, &send).await;
    assert_eq!((code, error.as_str()), (0, ""));
    assert!(out.contains("of purpose 1") && out.contains(BOB), "{out}");

    let receive = ["receive", "message", "--user", BOB, "--save-key", "received.json"];
    let (code, out, error) = place.run(&url, &receive).await;
    assert_eq!((code, error.as_str()), (0, ""));
    assert!(out.contains("of purpose 1") && out.contains(ALICE), "{out}");
    let [sent, received] = ["sent.json", "received.json"].map(|name| std::fs::read(place.path(name)).unwrap());
    assert_eq!(sent, received);
    assert_eq!(mode(&place.path("received.json")), 0o600);

    let (code, _, error) = place.run(&url, &["receive", "message", "--user", ALICE]).await;
    assert_eq!(code, 1);
    assert!(error.contains("another responder"), "{error}");
    let group = ["send", "--user", ALICE, "--to", BOB, "--purpose", "0", "--out", "group"];
    assert_eq!(place.run(&url, &group).await.0, 0);
    let (code, _, error) = place.run(&url, &["receive", "group", "--user", BOB]).await;
    assert_eq!(code, 1);
    assert!(error.contains("no keys are accepted from this initiator"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_printed() {
    let authority = Authority::new("authority");
    let now = || Timestamp::now().unwrap().to_unix();
    let answer = move |seen: &crate::support::Seen| granted_at(seen, now());
    let server = Server::start(authority.server("127.0.0.1"), &["h2"], answer).await;
    let place = Place::new(authority.pem.as_bytes());
    let with_uri = |arguments: &[&'static str]| [&["--skms-uri", "sip:skms.example.org", "record"], arguments].concat();
    for arguments in [
        vec!["--service", "urn:example:fleet"],
        vec!["--service", "urn:example:fleet", "--client", "c"],
        vec!["--service", "urn:example:fleet", "--device", "d"],
        vec!["--service", "urn:example:fleet", "--user", ALICE],
    ] {
        let (code, out, error) = place.run(&server.url(), &with_uri(&arguments)).await;
        assert_eq!((code, out.as_str(), error.as_str()), (0, "canary payload\n", ""));
    }
    let times: std::collections::BTreeSet<_> = server.times().into_iter().collect();
    assert_eq!(times.len(), 4, "runs one after the other are no replays");
    let kinds: Vec<_> = server.seen().iter().map(|seen| seen.request().subject().kind().as_str()).collect();
    assert_eq!(kinds, ["service", "client", "device", "user"]);
    let both = with_uri(&["--service", "s", "--client", "c", "--user", ALICE]);
    assert_eq!(place.run(&server.url(), &both).await.0, 2);
    let (code, _, error) = place.run(&server.url(), &with_uri(&["--service", "s", "--user", "SIP:x"])).await;
    assert_eq!(code, 2, "{error}");
    assert_eq!(server.seen().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_told_apart_from_wrong_usage() {
    let (site, place) = site().await;
    let url = site.server.url();
    let keys = ["keys", "--user", ALICE];
    place.write("other.pem", Authority::new("other").pem.as_bytes());
    place.write("empty", b"");
    let cases: [(&[&str], i32, &str); 5] = [
        (&["--root", "missing", "--token-file", "token"], 2, "missing"),
        (&["--root", "empty", "--token-file", "token"], 2, "no certificate"),
        (&["--root", "ca.pem", "--token-file", "missing"], 2, "missing"),
        (&["--root", "ca.pem", "--token-file", "token", "--cert", "ca.pem"], 2, "--key"),
        (&["--root", "other.pem", "--token-file", "token"], 1, "certificate"),
    ];
    for (options, expected, text) in cases {
        let mut command = Command::new(env!("CARGO_BIN_EXE_skmc"));
        command.current_dir(place.0.path()).args(["--server", &url]).args(options).args(keys);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(expected), "{options:?}: {error}");
        assert!(error.contains(text) && output.stdout.is_empty(), "{options:?}: {error}");
    }
    assert_eq!(place.run("http://127.0.0.1:1", &keys).await.0, 2);
    assert_eq!(place.run("https://127.0.0.1:1", &keys).await.0, 1);
    let too_many = ["send", "--user", ALICE, "--to", BOB, "--purpose", "16", "--out", "m"];
    assert_eq!(place.run(&url, &too_many).await.0, 2);
    assert_eq!(site.server.seen().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_error_codes_are_named() {
    let authority = Authority::new("authority");
    let place = Place::new(authority.pem.as_bytes());
    for code in [ErrorCode::NotAvailable, ErrorCode::Rejected, ErrorCode::NotValidated] {
        let answer = move |seen: &crate::support::Seen| -> Reply { crate::domains::refusal(seen, code) };
        let server = Server::start(authority.server("127.0.0.1"), &["h2"], answer).await;
        let arguments = ["--skms-uri", "sip:skms.example.org", "record", "--service", "s"];
        let (exit, out, error) = place.run(&server.url(), &arguments).await;
        assert_eq!((exit, out.as_str()), (1, ""));
        assert!(error.contains(&format!("error {code}")), "{error}");
    }
}
