//! Both ends of the distribution of a key: SKM-Cs, and the SKM-S that provides them with their keys, all of them
//! programs that speak TLS.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use getrandom::SysRng;
use mikey_sakke::eccsi::SIGNATURE_OCTETS;
use mikey_sakke::error::Error;
use mikey_sakke::identity::UidFormat;
use mikey_sakke::imessage::{DistributedKey, KeyBundle, Policy, Profile, Purpose, Responder};
use mikey_sakke::kms::{Kms, UserKeys};
use mikey_sakke::mikey::Message;
use mikey_sakke::mikey::payload::{Idr, Payload, Sakke, Ts};
use mikey_sakke::mikey::registry::{IdRole, SType};
use mikey_sakke::time::Timestamp;
use mikey_sakke_files::{read_bundle, read_certificate, read_user_keys, write_kms};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::oracle;
use crate::site::{ALICE, IDENTITY_KEYS, Process, Site, claims, run};
use crate::support::with;
use crate::world::{BOB, CAROL, uri};

pub(crate) const PERIOD: u64 = 2_592_000;
const KMS_URI: &str = "kms.example.org";

/// Seconds from 1900-01-01T00:00:00Z to 1970-01-01T00:00:00Z.
const YEARS_70: u64 = 2_208_988_800;

/// When period 0 began, such that whenever the tests run it is the middle of a key period.
pub(crate) static OFFSET: LazyLock<u64> =
    LazyLock::new(|| (Timestamp::now().unwrap().to_unix() + YEARS_70 - PERIOD / 2) % PERIOD);

/// Master secrets of the domain, made once, as they take long to make.
pub(crate) static KMS: LazyLock<Kms> =
    LazyLock::new(|| Kms::generate(uri(KMS_URI), UidFormat::hashed(PERIOD, *OFFSET).unwrap(), &mut SysRng).unwrap());

/// A message of Alice to Bob.
pub(crate) static EXCHANGE: LazyLock<Exchange> = LazyLock::new(Exchange::new);

static SHARED: Mutex<Weak<Skms>> = Mutex::new(Weak::new());

/// The key period of an instant, in seconds since 1900.
pub(crate) fn period(since_1900: u64) -> u64 {
    (since_1900 - *OFFSET) / PERIOD
}

pub(crate) fn period_now() -> u64 {
    period(Timestamp::now().unwrap().to_unix() + YEARS_70)
}

/// The UID of a user in a key period, without the engine.
pub(crate) fn uid(user: &str, period: u64) -> [u8; 32] {
    oracle::identity::hashed(user.as_bytes(), KMS_URI.as_bytes(), PERIOD, *OFFSET, period).unwrap()
}

/// The server, whose domain has the master secrets.
pub(crate) struct Skms {
    pub(crate) site: Site,
    server: Process,
}

impl Skms {
    /// One for all tests that run at the same time.
    pub(crate) fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let skms = Arc::new(Self::new());
            *shared = Arc::downgrade(&skms);
            skms
        })
    }

    pub(crate) fn new() -> Self {
        let site = Site::new()
            .set("domain", "user_key_offset", &OFFSET.to_string())
            .set("limits", "issues_per_period", "1000")
            .with_row(
                "san = \"https://others.example.org\"\nclient_id = \"other-manager\"\nuri = \"sip:others@example.org\"\n\
                 roles = [\"sgm\"]\nservices = []",
            );
        site.write("skms.toml", site.config_text());
        write_kms(&site.path("master.json"), false, &KMS).unwrap();
        let import = site.path("master.json");
        operate(&site, &["domain", "import", import.to_str().unwrap()]);
        let server = site.spawn(&[]);
        Self { site, server }
    }

    /// Runs a verb on the server's host.
    pub(crate) fn operate(&self, arguments: &[&str]) {
        operate(&self.site, arguments);
    }

    pub(crate) fn url(&self, listener: &str) -> String {
        format!("https://{}", self.server.address(listener))
    }

    pub(crate) fn ue(&self, user: &'static str) -> Ue<'_> {
        let ue = Ue { skms: self, user, directory: TempDir::new().unwrap() };
        fs::copy(self.site.path("ca.pem"), ue.path("ca.pem")).unwrap();
        ue
    }

    /// A token of a user for his identity keys.
    pub(crate) fn token(&self, user: &str) -> String {
        let claims = with(claims("client-1", "seal:key-management"), "val_user_id", json!(user));
        self.site.sign(&with(claims, "val_service_ids", json!([IDENTITY_KEYS])))
    }
}

fn operate(site: &Site, arguments: &[&str]) {
    let config = site.path("skms.toml");
    let (code, out, error) = run(&[arguments, &["--config", config.to_str().unwrap()]].concat());
    assert_eq!((code, error.as_str()), (Some(0), ""), "{out}");
}

/// What a run of a program leaves.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        let text = |octets| String::from_utf8(octets).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    #[track_caller]
    pub(crate) fn done(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (Some(0), ""), "{}", self.out);
        self.out
    }

    /// Exits with this code, and says so on standard error alone.
    #[track_caller]
    pub(crate) fn fails(self, code: i32, says: &str) {
        assert_eq!((self.code, self.out.as_str()), (Some(code), ""), "{}", self.err);
        assert!(self.err.contains(says), "{says:?} is not in: {}", self.err);
    }
}

/// A UE with the SKM-C of a user.
pub(crate) struct Ue<'a> {
    skms: &'a Skms,
    user: &'static str,
    directory: TempDir,
}

/// A message, and the key that its initiator has kept.
pub(crate) struct Sent {
    pub(crate) message: Vec<u8>,
    pub(crate) bundle: KeyBundle,
}

impl Ue<'_> {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Runs the SKM-C under a token.
    pub(crate) fn skmc_with(&self, token: &str, arguments: &[&str]) -> Run {
        fs::write(self.path("token"), token).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_skmc"));
        command.current_dir(self.directory.path());
        command.args(["--server", &self.skms.url("km_uu"), "--root", "ca.pem", "--token-file", "token"]);
        Run::of(command.args(arguments))
    }

    /// Runs the SKM-C under a new token of the user.
    pub(crate) fn skmc(&self, arguments: &[&str]) -> Run {
        self.skmc_with(&self.skms.token(self.user), arguments)
    }

    /// Fetches the keys of the user, into `keys.json`.
    pub(crate) fn keys(&self) -> Arc<UserKeys> {
        let files = ["--out", "keys.json", "--certificate", "certificate.json", "--force"];
        self.skmc(&[&["keys", "--user", self.user], &files[..]].concat()).done();
        let certificate = read_certificate(&self.path("certificate.json")).unwrap();
        Arc::new(read_user_keys(&self.path("keys.json"), &certificate).unwrap())
    }

    /// The members of `keys.json`.
    pub(crate) fn key_file(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path("keys.json")).unwrap()).unwrap()
    }

    /// Sends a new key to a user.
    pub(crate) fn send(&self, to: &str, purpose: u8) -> Sent {
        let number = purpose.to_string();
        let files = ["--out", "message", "--save-key", "sent.json", "--force"];
        let options = ["send", "--user", self.user, "--to", to, "--purpose", &number];
        self.skmc(&[&options[..], &files].concat()).done();
        let bundle = read_bundle(&self.path("sent.json"), profile(purpose)).unwrap();
        Sent { message: fs::read(self.path("message")).unwrap(), bundle }
    }

    /// Receives a message: the key, and what the SKM-C says of it; or why there is none.
    pub(crate) fn receive(&self, message: &[u8]) -> Result<(KeyBundle, String), String> {
        fs::write(self.path("received"), message).unwrap();
        let key = self.path("received.json");
        // It is there after an earlier message.
        let _ = fs::remove_file(&key);
        let run = self.skmc(&["receive", "received", "--user", self.user, "--save-key", "received.json"]);
        if run.code == Some(0) {
            return Ok((read_bundle(&key, profile(message[4] >> 4)).unwrap(), run.done()));
        }
        assert!(run.code == Some(1) && run.out.is_empty() && !key.exists(), "{run:?}");
        Err(run.err)
    }
}

fn profile(purpose: u8) -> Profile {
    Profile::seal(Purpose::new(purpose).unwrap())
}

/// A message of one SKM-C to another, and what came before and after it.
pub(crate) struct Exchange {
    pub(crate) alice: Arc<UserKeys>,
    pub(crate) bob: Arc<UserKeys>,
    pub(crate) carol: Arc<UserKeys>,
    pub(crate) message: Vec<u8>,
    /// The key as Alice has it.
    pub(crate) sent: KeyBundle,
    /// The key as Bob has it.
    pub(crate) received: KeyBundle,
    /// What Bob's SKM-C says of it.
    pub(crate) said: String,
    /// When Alice's SKM-C began and ended.
    pub(crate) times: (Timestamp, Timestamp),
}

impl Exchange {
    fn new() -> Self {
        let skms = Skms::shared();
        let [alice, bob, carol] = [ALICE, BOB, CAROL].map(|user| skms.ue(user));
        let start = Timestamp::now().unwrap();
        let Sent { message, bundle } = alice.send(BOB, 1);
        let times = (start, Timestamp::now().unwrap());
        let (received, said) = bob.receive(&message).unwrap();
        let [alice, bob, carol] = [alice, bob, carol].map(|ue| ue.keys());
        Self { alice, bob, carol, message, sent: bundle, received, said, times }
    }

    /// The timestamp in the message.
    pub(crate) fn at(&self) -> Timestamp {
        let stamp = payload(&self.message, T);
        Timestamp::from_ntp(u64::from_be_bytes(stamp[1..].try_into().unwrap()), self.times.0)
    }

    /// The message with a change, stamped now and signed by a user.
    pub(crate) fn forged(&self, signer: &UserKeys, change: impl FnOnce(&mut Message)) -> Vec<u8> {
        let mut message = Message::decode(&self.message).unwrap();
        let now = Timestamp::now().unwrap().to_ntp();
        for payload in &mut message.payloads {
            if let Payload::T(stamp) = payload {
                *stamp = Ts::NtpUtc(now);
            }
        }
        change(&mut message);
        let mut octets = message.encode_to_be_signed(SType::ECCSI, SIGNATURE_OCTETS).unwrap();
        let signature = signer.signing().sign(&octets, &mut SysRng).unwrap();
        octets.extend_from_slice(signature.as_octets());
        octets
    }
}

/// SAKKE of a message.
pub(crate) fn sakke_of(message: &mut Message) -> &mut Sakke {
    let mut payloads = message.payloads.iter_mut();
    payloads.find_map(|payload| if let Payload::Sakke(sakke) = payload { Some(sakke) } else { None }).unwrap()
}

/// IDR of a role in a message.
pub(crate) fn idr_of(message: &mut Message, wanted: IdRole) -> &mut Idr {
    let mut payloads = message.payloads.iter_mut();
    let found = payloads.find_map(|payload| match payload {
        Payload::Idr(idr) if idr.role == wanted => Some(idr),
        _ => None,
    });
    found.unwrap()
}

/// A responder that trusts the domain and remembers nothing.
pub(crate) fn responder(keys: &Arc<UserKeys>, policy: Policy) -> Responder {
    let mut responder = Responder::new(keys.clone(), policy);
    responder.trust(keys.certificate().clone()).unwrap();
    responder
}

pub(crate) fn extract(keys: &Arc<UserKeys>, message: &[u8], at: Timestamp) -> Result<DistributedKey, Error> {
    responder(keys, Policy::default()).extract(message, at)
}

pub(crate) const SIGN: u8 = 4;
pub(crate) const T: u8 = 5;
pub(crate) const RAND: u8 = 11;
pub(crate) const IDR: u8 = 14;
const GENERAL_EXTENSION: u8 = 21;
pub(crate) const SAKKE: u8 = 26;

/// The types of the payloads of a message, and what follows their next-payload octets: octet by octet as RFC 3830,
/// section 6, RFC 6043, section 6.6, and RFC 6509, section 4, lay them out, after a header with the empty map of RFC
/// 4563.
pub(crate) fn payloads(message: &[u8]) -> Vec<(u8, &[u8])> {
    let (mut next, mut rest, mut payloads) = (message[2], &message[10..], vec![]);
    let long = |at: &[u8]| usize::from(u16::from_be_bytes([at[0], at[1]]));
    while next != SIGN {
        let content = &rest[1..];
        let length = match next {
            T => 1 + 8,
            RAND => 1 + usize::from(content[0]),
            IDR | SAKKE => 4 + long(&content[2..]),
            GENERAL_EXTENSION => 3 + long(&content[1..]),
            _ => panic!("payload type {next}"),
        };
        payloads.push((next, &content[..length]));
        (next, rest) = (rest[0], &content[length..]);
    }
    assert_eq!(rest.len(), 2 + (long(rest) & 0xfff), "octets after the signature");
    payloads.push((SIGN, rest));
    payloads
}

/// The one payload of a type.
pub(crate) fn payload(message: &[u8], wanted: u8) -> &[u8] {
    let found: Vec<_> = payloads(message).into_iter().filter(|(kind, _)| *kind == wanted).collect();
    assert_eq!(found.len(), 1);
    found[0].1
}

/// The URI that stands in IDR of a role.
pub(crate) fn identity(message: &[u8], role: u8) -> &str {
    let found = payloads(message).into_iter().find(|(kind, content)| *kind == IDR && content[0] == role).unwrap().1;
    assert_eq!(found[1], 1, "a URI");
    str::from_utf8(&found[4..]).unwrap()
}

/// Key, SK-ID and RAND.
pub(crate) fn parts(bundle: &KeyBundle) -> ([u8; 16], [u8; 4], [u8; 16]) {
    (*bundle.key().expose(), bundle.id().to_octets(), *bundle.rand())
}
