//! A site with a server over real TLS: throw-away authority, certificates and token issuer, the configuration, and the
//! server itself, in this process or as the program.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use mikey_sakke::kms::Kms;
use mikey_sakke::time::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};
use rustix::process::{Pid, Signal, kill_process};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use skm::audit::{Action, Event, Outcome};
use skm::config::Config;
use skm::server::{Addresses, Reloader, Server};
use skm::service::{Clock, Service};
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::support::{Issuer, with};

pub(crate) const SKMS_URI: &str = "sip:skms.example.org";
pub(crate) const SERVICE: &str = "urn:example:fleet";
pub(crate) const IDENTITY_KEYS: &str = "urn:mikey-sakke:identity-keys";
pub(crate) const ALICE: &str = "sip:alice@example.org";

/// The URIs in the certificates of those that the policy knows, and the clients of their tokens.
pub(crate) const VAL: (&str, &str) = ("https://val.example.org", "val-server");
pub(crate) const PROVISIONER: (&str, &str) = ("https://provisioner.example.org", "provisioner");
pub(crate) const GROUPS: (&str, &str) = ("https://groups.example.org", "group-manager");

/// The URI in the certificate of an API invoker of CAPIF that needs no token.
pub(crate) const BY_CERTIFICATE: &str = "https://invoker.example.org";

/// How long a test waits for what should happen at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

const CONFIG: &str = r#"
[domain]
skms_uri = "sip:skms.example.org"
kms_uri = "kms.example.org"
user_key_period = 2592000

[listen]
km_uu = "127.0.0.1:0"
km_s = "127.0.0.1:0"
seal_x1 = "127.0.0.1:0"
admin = "127.0.0.1:0"

[tls]
cert = "DIR/server.pem"
key = "DIR/server.key"
client_ca = "DIR/ca.pem"

[auth]
issuer = "https://idms.example.org"
audience = "sip:skms.example.org"
jwks_file = "DIR/jwks.json"

[store]
url = "sqlite:DIR/skms.db"

[seal]
key_file = "DIR/seal.key"

[limits]
requests_per_second = 10000
request_burst = 10000

[[policy]]
san = "https://val.example.org"
client_id = "val-server"
roles = ["val"]
services = ["urn:example:fleet"]

[[policy]]
san = "https://provisioner.example.org"
client_id = "provisioner"
roles = ["provisioner"]
services = ["urn:example:fleet"]

[[policy]]
san = "https://groups.example.org"
client_id = "group-manager"
uri = "sip:groups@example.org"
roles = ["sgm"]
services = ["urn:example:fleet"]
"#;

/// The files of a server, and those who issue its certificates and tokens.
pub(crate) struct Site {
    pub(crate) directory: TempDir,
    pub(crate) tokens: Issuer,
    pub(crate) authority: rcgen::Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
    config: String,
}

impl Site {
    pub(crate) fn new() -> Self {
        let (root, authority) = authority();
        let directory = TempDir::new().unwrap();
        let config = CONFIG.replace("DIR", directory.path().to_str().unwrap());
        let site = Self { directory, tokens: Issuer::new(), authority, root: root.der().clone(), config };
        site.write("ca.pem", &root.pem());
        site.write_server_certificate();
        site.write("jwks.json", &site.tokens.jwks().to_string());
        site.write("seal.key", &"5a".repeat(32));
        set_owner_only(&site.path("seal.key"));
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Sets a key of a section of the configuration, as `("limits", "idle_seconds", "1")`. In the value, `DIR` is the
    /// directory of the site.
    #[must_use]
    pub(crate) fn set(mut self, section: &str, key: &str, value: &str) -> Self {
        self = self.unset(section, key);
        let heading = format!("\n[{section}]\n");
        if !self.config.contains(&heading) {
            let tables = self.config.find("\n[[policy]]").unwrap();
            self.config.insert_str(tables, &heading);
        }
        let line = format!("{heading}{key} = {}\n", value.replace("DIR", self.directory.path().to_str().unwrap()));
        self.config = self.config.replace(&heading, &line);
        self
    }

    /// Removes a key of a section of the configuration, if it is there.
    #[must_use]
    pub(crate) fn unset(mut self, section: &str, key: &str) -> Self {
        let mut current = String::new();
        let lines = self.config.lines().filter(|line| {
            if line.starts_with('[') {
                (*line).clone_into(&mut current);
            }
            current != format!("[{section}]") || line.split('=').next().unwrap().trim() != key
        });
        self.config = lines.map(|line| format!("{line}\n")).collect();
        self
    }

    /// Makes the server an API exposing function, for the invokers that this core function of CAPIF gives tokens to,
    /// and for one by its certificate alone.
    #[must_use]
    pub(crate) fn exposing(self, core: &Issuer) -> Self {
        self.write("ccf.json", &core.jwks().to_string());
        self.set("capif", "jwks_file", "\"DIR/ccf.json\"")
            .set("capif", "issuer", "\"https://ccf.example.org\"")
            .set("capif", "methods", "[\"pki\", \"oauth\"]")
            .set("capif", "aef_id", "\"aef-1\"")
            .with_row(&format!("san = {BY_CERTIFICATE:?}\nroles = [\"val\"]\nservices = [{SERVICE:?}]"))
    }

    /// Adds a row to the policy.
    #[must_use]
    pub(crate) fn with_row(self, row: &str) -> Self {
        self.with_table("policy", row)
    }

    /// Adds a table to an array of tables.
    #[must_use]
    pub(crate) fn with_table(mut self, array: &str, table: &str) -> Self {
        self.config.push_str(&format!("\n[[{array}]]\n{table}\n"));
        self
    }

    /// Replaces a text of the configuration that is there once.
    #[must_use]
    pub(crate) fn replace(mut self, old: &str, new: &str) -> Self {
        assert_eq!(self.config.matches(old).count(), 1, "{old}");
        self.config = self.config.replace(old, new);
        self
    }

    pub(crate) fn config_text(&self) -> &str {
        &self.config
    }

    pub(crate) fn config(&self) -> Config {
        Config::read(&self.config, []).unwrap()
    }

    /// A new certificate for the server, which takes the place of the old one.
    pub(crate) fn write_server_certificate(&self) {
        let key = KeyPair::generate().unwrap();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let server = CertificateParams::new(names).unwrap().signed_by(&key, &self.authority).unwrap();
        self.write("server.pem", &server.pem());
        self.write("server.key", &key.serialize_pem());
    }

    /// A revocation list of these serial numbers.
    pub(crate) fn write_crl(&self, name: &str, revoked: &[u64]) {
        let revoked_certs = revoked.iter().map(|&serial| RevokedCertParams {
            serial_number: SerialNumber::from(serial),
            revocation_time: date_time_ymd(2001, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2000, 1, 1),
            next_update: date_time_ymd(3000, 1, 1),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: revoked_certs.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        self.write(name, &list.signed_by(&self.authority).unwrap().pem().unwrap());
    }

    /// TLS of a client without certificate.
    pub(crate) fn anonymous(&self) -> ClientConfig {
        roots(self.root.clone()).with_no_client_auth()
    }

    /// TLS of a client whose certificate has this URI.
    pub(crate) fn client(&self, uri: &str) -> ClientConfig {
        self.client_with(&client_params(uri))
    }

    /// TLS of a client with a certificate of the site's authority, with these parameters.
    pub(crate) fn client_with(&self, params: &CertificateParams) -> ClientConfig {
        self.client_of(params, &self.authority)
    }

    /// TLS of a client that trusts this site, with a certificate of any authority.
    pub(crate) fn client_of(&self, params: &CertificateParams, issuer: &rcgen::Issuer<'_, KeyPair>) -> ClientConfig {
        let key = KeyPair::generate().unwrap();
        self.client_of_key(&params.signed_by(&key, issuer).unwrap(), &key)
    }

    /// TLS of a client that trusts this site, with this certificate.
    pub(crate) fn client_of_key(&self, certificate: &rcgen::Certificate, key: &KeyPair) -> ClientConfig {
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        roots(self.root.clone()).with_client_auth_cert(vec![certificate.der().clone()], key).unwrap()
    }

    /// A token of a client with a scope, for the user Alice and the one service.
    pub(crate) fn token(&self, client_id: &str, scope: &str) -> String {
        self.sign(&claims(client_id, scope))
    }

    /// A token of Alice's UE.
    pub(crate) fn ue_token(&self) -> String {
        self.token("client-1", "seal:key-management")
    }

    /// A token with these claims.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.tokens.es256(claims)
    }

    /// The server in this process.
    pub(crate) async fn start(&self) -> Running {
        self.start_at(Clock::system()).await
    }

    /// The server in this process, with this clock.
    pub(crate) async fn start_at(&self, clock: Clock) -> Running {
        let config = self.config();
        let secret = config.seal.source().unwrap().read().unwrap();
        let service = Arc::new(Service::open(&config, secret, clock).await.unwrap());
        let server = Server::bind(&config, Arc::clone(&service)).await.unwrap();
        let (addresses, reloader) = (server.addresses(), server.reloader());
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(server.run(async { drop(stopped.await) }));
        Running { addresses, reloader, service, domain: config.domain, stop: Some(stop), task }
    }

    /// The program with a verb, and this configuration.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.write("skms.toml", &self.config);
        let mut command = Command::new(env!("CARGO_BIN_EXE_skms"));
        command.args(arguments).arg("--config").arg(self.path("skms.toml"));
        command
    }

    /// The server as the program, with further arguments.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Process {
        Process::start(self.command(&[&["serve"], arguments].concat()))
    }
}

/// TLS of a client without certificate that trusts this authority, in PEM.
pub(crate) fn trusting(authority: &str) -> ClientConfig {
    let root = CertificateDer::from_pem_slice(authority.as_bytes()).unwrap();
    roots(root).with_no_client_auth()
}

fn roots(root: CertificateDer<'static>) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
    let mut roots = RootCertStore::empty();
    roots.add(root).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    builder.with_root_certificates(roots)
}

fn authority() -> (rcgen::Certificate, rcgen::Issuer<'static, KeyPair>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.self_signed(&key).unwrap(), rcgen::Issuer::new(params, key))
}

pub(crate) fn set_owner_only(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// The parameters of a client's certificate that is in order.
pub(crate) fn client_params(uri: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "client");
    params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

/// The time of the system, in seconds since 1970.
pub(crate) fn now() -> u64 {
    Timestamp::now().unwrap().to_unix()
}

/// The claims of a token that is in order now.
pub(crate) fn claims(client_id: &str, scope: &str) -> Value {
    let claims = with(crate::support::claims(), "iat", json!(now() - 10));
    let claims = with(claims, "exp", json!(now() + 600));
    with(with(claims, "client_id", json!(client_id)), "scope", json!(scope))
}

/// A KM Request of now for Alice's identity keys.
pub(crate) fn identity_request() -> Value {
    with(with(km_request(), "ServiceID", json!(IDENTITY_KEYS)), "UserID", json!(ALICE))
}

/// A KM Request of now for the service as a whole.
pub(crate) fn km_request() -> Value {
    json!({"Version": "1.0.0", "SKmsUri": SKMS_URI, "ServiceID": SERVICE, "DateTime": now()})
}

/// A server in this process. It is dropped with its connections.
pub(crate) struct Running {
    pub(crate) addresses: Addresses,
    pub(crate) reloader: Reloader,
    pub(crate) service: Arc<Service>,
    domain: skm::config::Domain,
    stop: Option<oneshot::Sender<()>>,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    /// Gives the domain master secrets.
    pub(crate) async fn found_domain(&self) {
        let (uri, format) = (self.domain.kms_uri.clone(), self.domain.uid_format().unwrap());
        let kms = Kms::generate(uri, format, &mut getrandom::SysRng).unwrap();
        let event = Event {
            time: Timestamp::now().unwrap(),
            principal: "operator".into(),
            action: Action::Domain,
            target: self.domain.kms_uri.to_string(),
            period: None,
            outcome: Outcome::Done,
            request_id: "test".into(),
        };
        skm::domain::import(self.service.store(), &self.domain, &kms, &event).await.unwrap();
    }

    /// Tells the server to stop, as a signal would.
    pub(crate) fn stop(&mut self) {
        self.stop.take();
    }

    /// Waits until the server has stopped.
    pub(crate) async fn stopped(&mut self) {
        tokio::time::timeout(PATIENCE, &mut self.task).await.unwrap().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The program. It is killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    /// Its one line on standard output.
    pub(crate) ready: Value,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts a command that serves, and waits until it says that it is ready.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let lines = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            let mut line = String::new();
            while stderr.read_line(&mut line).is_ok_and(|octets| octets > 0) {
                lines.lock().unwrap().push_str(&std::mem::take(&mut line));
            }
        });
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        // From here on it is killed if something fails.
        let mut process = Self { child, ready: Value::Null, log, reader: Some(reader) };
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line);
        process.ready = ready.unwrap_or_else(|_| panic!("not ready: {line:?}\n{}", process.log()));
        process
    }

    /// The address of a listener.
    pub(crate) fn address(&self, listener: &str) -> SocketAddr {
        self.ready[listener].as_str().unwrap().parse().unwrap()
    }

    pub(crate) fn id(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.id(), signal).unwrap();
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until it has logged a text.
    pub(crate) fn wait_for_log(&self, text: &str) {
        let end = std::time::Instant::now() + PATIENCE;
        while !self.log().contains(text) {
            assert!(std::time::Instant::now() < end, "{text:?} is not in\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until it ends.
    pub(crate) fn wait(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        self.reader.take().unwrap().join().unwrap();
        (status, self.log())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It fails if the process has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the program to its end, or kills it if it does not end: its code, standard output and standard error.
pub(crate) fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_skms"))
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let end = std::time::Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() && std::time::Instant::now() < end {
        std::thread::sleep(Duration::from_millis(10));
    }
    // It fails if the process has ended; otherwise there is no code.
    let _ = child.kill();
    let (mut out, mut error) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    (child.wait().unwrap().code(), out, error)
}
