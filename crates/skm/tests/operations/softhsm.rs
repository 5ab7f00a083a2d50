//! A key-encryption key in a token, with SoftHSM in the place of a device.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::http::Client;
use crate::program::{Run, run};
use crate::site::{Process, Site, set_owner_only};

/// Makes tests fail that have no SoftHSM.
const REQUIRE: &str = "MIKEY_SAKKE_REQUIRE_SOFTHSM";

const MODULES: [&str; 2] = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"];
pub(crate) const PIN: &str = "canary-4711";
const KEY: &str = "--keygen --key-type AES:32 --sensitive --private --label";

/// Tokens in a directory.
pub(crate) struct Tokens {
    directory: TempDir,
    module: &'static str,
}

impl Tokens {
    /// A token `skms` with a key `kek`, unless SoftHSM is not installed.
    pub(crate) fn new() -> Option<Self> {
        let has =
            |name: &str| std::env::split_paths(&std::env::var_os("PATH").unwrap()).any(|path| path.join(name).exists());
        let module = MODULES.into_iter().find(|module| Path::new(module).exists());
        let Some(module) = module.filter(|_| has("softhsm2-util") && has("pkcs11-tool")) else {
            assert!(std::env::var_os(REQUIRE).is_none_or(|value| value != "1"), "{REQUIRE}, and there is none");
            // Not through the macro, whose output tests that pass do not show.
            std::io::stdout().write_all(b"SKIPPED: softhsm2 and opensc are not installed\n").unwrap();
            return None;
        };
        let tokens = Self { directory: TempDir::new().unwrap(), module };
        let directory = tokens.tokens();
        std::fs::create_dir(&directory).unwrap();
        let text = format!("directories.tokendir = {}\nobjectstore.backend = file\n", directory.display());
        std::fs::write(tokens.configuration(), text).unwrap();
        tokens.init("skms");
        tokens.tool(&format!("{KEY} kek"));
        Some(tokens)
    }

    fn tokens(&self) -> PathBuf {
        self.directory.path().join("tokens")
    }

    fn configuration(&self) -> PathBuf {
        self.directory.path().join("softhsm2.conf")
    }

    /// Makes another token.
    fn init(&self, label: &str) {
        let mut command = Command::new("softhsm2-util");
        command.args(["--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "so-pin"]);
        assert_eq!(self.run(command).code, 0);
    }

    /// Does something to the token `skms`, as another program.
    pub(crate) fn tool(&self, arguments: &str) {
        let mut command = Command::new("pkcs11-tool");
        command.args(["--module", self.module, "--token-label", "skms", "--login", "--pin", PIN]);
        command.args(arguments.split(' '));
        let done = self.run(command);
        assert_eq!(done.code, 0, "{}", done.err);
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, mut command: Command) -> Run {
        command.env("SOFTHSM2_CONF", self.configuration());
        run(command, "")
    }

    /// A site whose key is in the token.
    pub(crate) fn site(&self) -> Site {
        let site = Site::new();
        self.write_pin(&site, PIN);
        site.unset("seal", "key_file").set("seal", "pkcs11", &self.source("skms", "kek"))
    }

    /// Where a key is, for a configuration.
    pub(crate) fn source(&self, token: &str, key: &str) -> String {
        let module = self.module;
        format!("{{ module = {module:?}, token = {token:?}, key = {key:?}, pin_file = \"DIR/pin\" }}")
    }

    pub(crate) fn write_pin(&self, site: &Site, pin: &str) {
        site.write("pin", pin);
        set_owner_only(&site.path("pin"));
    }

    /// Starts a server.
    pub(crate) fn serve(&self, site: &Site) -> Process {
        let mut command = site.command(&["serve"]);
        command.env("SOFTHSM2_CONF", self.configuration());
        Process::start(command)
    }

    fn check(&self, site: &Site) -> Run {
        let check = self.run(site.command(&["config", "check"]));
        assert!(!check.out.contains("canary") && !check.err.contains("canary"), "{check:?}");
        check
    }
}

#[tokio::test]
async fn a_server_asks_the_token_at_its_start_alone() {
    let Some(tokens) = Tokens::new() else { return };
    let site = tokens.site();
    let provision = |uri: &str| {
        site.write("payload", "7");
        let (service, payload) = (crate::site::SERVICE, site.path("payload"));
        let payload = payload.to_str().unwrap();
        let arguments = ["provision", "put", "--service", service, "--user", uri, "--payload-file", payload];
        tokens.run(site.command(&arguments))
    };
    assert!(tokens.check(&site).done().contains("in order"));
    provision("sip:alice@example.org").done();

    // The token is unplugged while the server runs, which does not need it.
    let server = tokens.serve(&site);
    let (place, aside) = (tokens.tokens(), tokens.directory.path().join("aside"));
    std::fs::rename(&place, &aside).unwrap();
    std::fs::create_dir(&place).unwrap();
    assert_eq!(Client::plain(server.address("admin")).get("/readyz").await.status, 200);
    let refused = provision("sip:bob@example.org");
    assert_eq!((refused.code, refused.err.contains("there is no token \"skms\"")), (2, true), "{}", refused.err);
    drop(server);

    std::fs::remove_dir(&place).unwrap();
    std::fs::rename(&aside, &place).unwrap();
    provision("sip:bob@example.org").done();
    // Another key of the same name opens nothing.
    tokens.tool("--delete-object --type secrkey --label kek");
    tokens.tool(&format!("{KEY} kek"));
    let refused = provision("sip:carol@example.org");
    assert_eq!((refused.code, refused.err.contains("not the one")), (2, true), "{}", refused.err);
}

#[test]
fn a_wrong_pin_is_tried_once() {
    let Some(tokens) = Tokens::new() else { return };
    let site = tokens.site();
    tokens.write_pin(&site, "canary-4712\n");
    tokens.check(&site).fails(2, &["token \"skms\": the PIN is wrong"]);
    // Neither is it tried again, nor another one, before somebody has logged in.
    for pin in ["canary-4712", PIN] {
        tokens.write_pin(&site, pin);
        tokens.check(&site).fails(2, &["the PIN that was tried last was wrong", "pkcs11-tool"]);
        let served = tokens.run(site.command(&["serve"]));
        assert_eq!(served.code, 2, "{}", served.err);
        assert!(!served.err.contains("canary"), "{}", served.err);
    }
    tokens.tool("--list-objects");
    tokens.check(&site).done();
}

#[test]
fn what_is_not_fit_is_refused() {
    let Some(tokens) = Tokens::new() else { return };
    let mut site = tokens.site();
    tokens.init("double");
    tokens.init("double");
    for (label, kind) in [
        ("readable", "--keygen --key-type AES:32 --private"),
        ("extractable", "--keygen --key-type AES:32 --private --sensitive --extractable"),
        ("public", "--keygen --key-type AES:32 --sensitive"),
        ("short", "--keygen --key-type AES:16 --private --sensitive"),
        ("generic", "--keygen --key-type GENERIC:32 --private --sensitive"),
        ("pair", "--keypairgen --key-type EC:prime256v1"),
        ("twice", "--keygen --key-type AES:32 --private --sensitive"),
        ("twice", "--keygen --key-type AES:32 --private --sensitive"),
    ] {
        tokens.tool(&format!("{kind} --label {label}"));
    }
    let good = tokens.source("skms", "kek");
    let with = |old: &str, new: &str| {
        assert!(good.contains(old), "{old}");
        good.replacen(old, new, 1)
    };
    let key = |label| tokens.source("skms", label);
    let module = format!("{:?}", tokens.module);
    site.write("module.so", "no library");
    let cases = [
        (with(&module, "\"/no/such/module.so\""), "/no/such/module.so: no module of PKCS #11"),
        (with(&module, "\"DIR/module.so\""), "module.so: no module of PKCS #11"),
        (with(&module, "\"libsofthsm2.so\""), "module must be an absolute path"),
        (with("key =", "pin = \"1\", key ="), "pin"),
        (with("token = \"skms\", ", ""), "token"),
        (tokens.source("nobody", "kek"), "there is no token \"nobody\""),
        (tokens.source("", "kek"), "there is no token"),
        (tokens.source("double", "kek"), "more than one token \"double\""),
        (key("nobody"), "there is no secret key \"nobody\""),
        (key("pair"), "there is no secret key \"pair\""),
        (key("twice"), "more than one secret key \"twice\""),
        (key("readable"), "CKA_SENSITIVE"),
        (key("extractable"), "CKA_EXTRACTABLE"),
        (key("public"), "CKA_PRIVATE"),
        (key("short"), "256 bits"),
        (key("generic"), "none of AES"),
    ];
    for (source, says) in cases {
        site = site.set("seal", "pkcs11", &source);
        tokens.check(&site).fails(2, &[says]);
    }
    site = site.set("seal", "pkcs11", &good).set("seal", "key_file", "\"DIR/seal.key\"");
    tokens.check(&site).fails(2, &["needs one of"]);
    site = site.unset("seal", "key_file");
    for pin in ["", "123", "canary\n4711", &"7".repeat(256)] {
        tokens.write_pin(&site, pin);
        tokens.check(&site).fails(2, &["not a PIN"]);
    }
    site.write("pin", PIN);
    std::fs::set_permissions(site.path("pin"), std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
    tokens.check(&site).fails(2, &["chmod 600"]);
    tokens.write_pin(&site, PIN);
    // None of them was a try of the PIN that failed.
    tokens.check(&site).done();
}
