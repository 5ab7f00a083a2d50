//! The service without HTTP: a store in a temporary directory, a clock that stands until it is set, tokens of an own
//! issuer.

mod ahead;
mod delegates;
mod documents;
mod domain;
mod external;
mod identity_keys;
mod order;
mod others;
mod provisioning;
mod replay;
mod rollover;
mod turn_over;

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use getrandom::SysRng;
use mikey_sakke::documents::{KmsMessage, KmsResponse, Tolerances};
use mikey_sakke::identity::{KeyPeriod, UidFormat, Uri};
use mikey_sakke::km::Response;
use mikey_sakke::km::retrieval::ValKeyInfo;
use mikey_sakke::kms::{Kms, UserKeys};
use mikey_sakke::time::Timestamp;
use rcgen::KeyPair;
use serde_json::{Value, json};
use skm::audit::{Action, Entry, Event, Outcome};
use skm::config::Config;
use skm::service::{Body, Caller, Clock, KmAnswer, Moment, Point, Precondition, Problem, RecordPath, Service, Stored};
use skm::tls::{ClientCertificate, Peer};
use tempfile::TempDir;

use crate::site::client_params;
use crate::support::{Issuer, NOW, with};

pub(crate) const SKMS: &str = "sip:skms.example.org";
pub(crate) const KMS: &str = "kms.example.org";
pub(crate) const FLEET: &str = "urn:example:fleet";
pub(crate) const OTHER: &str = "urn:example:other";
pub(crate) const IDENTITY: &str = "urn:mikey-sakke:identity-keys";
pub(crate) const ALICE: &str = "sip:alice@example.org";
pub(crate) const BOB: &str = "sip:bob@example.org";
pub(crate) const GROUPS: &str = "sip:groups@example.org";
pub(crate) const PERIOD: u64 = 2_592_000;

/// SAN and client_id of the rows of the policy.
pub(crate) const VAL: (&str, &str) = ("https://val.example.org", "val-server");
pub(crate) const PROVISIONER: (&str, &str) = ("https://provisioner.example.org", "provisioner");
pub(crate) const SGM: (&str, &str) = ("https://groups.example.org", "group-manager");

const CONFIG: &str = r#"
[domain]
skms_uri = "sip:skms.example.org"
skms_id = "skms-1"
kms_uri = "kms.example.org"
user_key_period = 2592000

[listen]
km_uu = "127.0.0.1:0"
km_s = "127.0.0.1:0"
seal_x1 = "127.0.0.1:0"

[tls]
cert = "server.pem"
key = "server.key"
client_ca = "ca.pem"

[auth]
issuer = "https://idms.example.org"
audience = "sip:skms.example.org"
jwks_file = "DIR/jwks.json"

[store]
url = "sqlite:DIR/skms.db"

[seal]
key_file = "DIR/seal.key"

[[policy]]
san = "https://val.example.org"
client_id = "val-server"
uri = "sip:val@example.org"
roles = ["val"]
services = ["urn:example:fleet", "urn:mikey-sakke:identity-keys"]

[[policy]]
san = "https://provisioner.example.org"
client_id = "provisioner"
roles = ["provisioner"]
services = ["urn:example:fleet", "urn:mikey-sakke:identity-keys"]

[[policy]]
san = "https://groups.example.org"
client_id = "group-manager"
uri = "sip:groups@example.org"
roles = ["sgm"]
"#;

/// One for all tests, as they take long to make.
static MASTER: LazyLock<Kms> = LazyLock::new(|| {
    let format = UidFormat::hashed(PERIOD, 0).unwrap();
    Kms::generate(Uri::parse(KMS).unwrap(), format, &mut SysRng).unwrap()
});
static TOKENS: LazyLock<Issuer> = LazyLock::new(Issuer::new);
static CERTIFICATES: LazyLock<[ClientCertificate; 3]> = LazyLock::new(|| {
    [VAL, PROVISIONER, SGM].map(|(san, _)| {
        let certificate = client_params(san).self_signed(&KeyPair::generate().unwrap()).unwrap();
        ClientCertificate::from_der(certificate.der()).unwrap()
    })
});

/// A service, and the time in it.
pub(crate) struct House {
    pub(crate) service: Service,
    pub(crate) config: Config,
    now: Arc<AtomicU64>,
    directory: TempDir,
}

/// Who asks: the point, the certificate, the claims of the token.
#[derive(Clone)]
pub(crate) struct Asker {
    pub(crate) point: Point,
    pub(crate) certificate: Option<ClientCertificate>,
    pub(crate) claims: Value,
}

/// What is known of a request before it is read.
pub(crate) struct Connection {
    point: Point,
    peer: Peer,
    authorization: Option<String>,
}

impl Connection {
    pub(crate) fn caller(&self) -> Caller<'_> {
        let authorization = self.authorization.as_deref().map(str::as_bytes);
        Caller { point: self.point, peer: &self.peer, authorization, request_id: "request-1" }
    }
}

impl Asker {
    /// Alice's UE, with a token for the one service and for identity keys.
    pub(crate) fn alice() -> Self {
        let claims = with(crate::support::claims(), "val_service_ids", json!([FLEET, IDENTITY]));
        Self { point: Point::KmUu, certificate: None, claims }
    }

    /// A server of the policy, by its SAN and client, at a point, with a scope; its token names neither user nor
    /// services.
    pub(crate) fn server((san, client): (&str, &str), point: Point, scope: &str) -> Self {
        let certificate = CERTIFICATES.iter().find(|certificate| certificate.san().as_str() == san).cloned();
        let claims = with(with(crate::support::claims(), "val_user_id", Value::Null), "val_service_ids", Value::Null);
        let claims = with(with(claims, "client_id", json!(client)), "sub", json!(client));
        Self { point, certificate, claims: with(claims, "scope", json!(scope)) }
    }

    pub(crate) fn val() -> Self {
        Self::server(VAL, Point::KmS, "seal:key-management")
    }

    pub(crate) fn provisioner() -> Self {
        Self::server(PROVISIONER, Point::KmS, "seal:key-provisioning")
    }

    pub(crate) fn groups() -> Self {
        Self::server(SGM, Point::SealX1, "seal:key-management")
    }

    pub(crate) fn claiming(self, name: &str, value: Value) -> Self {
        Self { claims: with(self.claims, name, value), ..self }
    }

    pub(crate) fn at(self, point: Point) -> Self {
        Self { point, ..self }
    }
}

impl House {
    /// A service with master secrets.
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// The same with other settings.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let house = Self::without_keys(change).await;
        house.import().await;
        house
    }

    pub(crate) async fn without_keys(change: impl FnOnce(&mut Config)) -> Self {
        let directory = TempDir::new().unwrap();
        let file = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
        };
        file("jwks.json", &TOKENS.jwks().to_string());
        file("seal.key", &"5a".repeat(32));
        let mut config = Config::read(&CONFIG.replace("DIR", directory.path().to_str().unwrap()), []).unwrap();
        change(&mut config);
        let now = Arc::new(AtomicU64::new(NOW));
        let (read, start) = (Arc::clone(&now), Instant::now());
        let clock = Clock::new(move || {
            let seconds = read.load(Ordering::SeqCst);
            let instant = start + Duration::from_secs(seconds - NOW);
            Moment { time: Timestamp::from_unix(seconds).unwrap(), instant }
        });
        let secret = config.seal.source().unwrap().read().unwrap();
        let service = Service::open(&config, secret, clock).await.unwrap();
        Self { service, config, now, directory }
    }

    pub(crate) async fn import(&self) {
        skm::domain::import(self.service.store(), &self.config.domain, &MASTER, &event()).await.unwrap();
    }

    pub(crate) fn database(&self) -> String {
        format!("sqlite:{}", self.directory.path().join("skms.db").display())
    }

    pub(crate) fn now(&self) -> u64 {
        self.now.load(Ordering::SeqCst)
    }

    pub(crate) fn set_now(&self, seconds: u64) {
        self.now.store(seconds, Ordering::SeqCst);
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.now.fetch_add(seconds, Ordering::SeqCst);
    }

    /// The beginning of the present key period, in seconds since 1970.
    pub(crate) fn period(&self) -> (u64, u64) {
        let format = self.config.domain.uid_format().unwrap();
        let period = format.period_at(Timestamp::from_unix(self.now()).unwrap()).unwrap();
        let KeyPeriod::Number(number) = period else { unreachable!() };
        (number, format.span(period).unwrap().0.to_unix())
    }

    /// An access token of the asker, made now.
    pub(crate) fn authorization(&self, asker: &Asker) -> String {
        let mut claims = asker.claims.clone();
        for name in ["iat", "exp"] {
            claims[name] = json!(claims[name].as_u64().unwrap() + self.now() - NOW);
        }
        format!("Bearer {}", TOKENS.es256(&claims))
    }

    /// A connection of the asker, with an access token made now.
    pub(crate) fn connect(&self, asker: &Asker) -> Connection {
        Self::connect_with(asker, Some(&self.authorization(asker)))
    }

    pub(crate) fn connect_with(asker: &Asker, authorization: Option<&str>) -> Connection {
        let address = SocketAddr::from(([192, 0, 2, 1], 40_000));
        let peer = Peer { address, certificate: asker.certificate.clone() };
        Connection { point: asker.point, peer, authorization: authorization.map(str::to_owned) }
    }

    /// A KM Request for the service as a whole, at the present time, with members changed; null removes one.
    pub(crate) fn request(&self, changes: &[(&str, Value)]) -> Value {
        let request = json!({"Version": "1.0.0", "SKmsUri": SKMS, "ServiceID": FLEET, "DateTime": self.now()});
        changes.iter().fold(request, |request, (name, value)| with(request, name, value.clone()))
    }

    pub(crate) async fn km(&self, asker: &Asker, changes: &[(&str, Value)]) -> KmAnswer {
        self.km_text(asker, &self.request(changes).to_string()).await
    }

    pub(crate) async fn km_text(&self, asker: &Asker, text: &str) -> KmAnswer {
        self.service.key_request(&self.connect(asker).caller(), body(text)).await
    }

    /// A KM Request for the identity keys of a user.
    pub(crate) async fn keys(&self, asker: &Asker, user: &str) -> KmAnswer {
        self.km(asker, &[("ServiceID", json!(IDENTITY)), ("UserID", json!(user))]).await
    }

    pub(crate) async fn retrieve(&self, asker: &Asker, query: &str) -> Result<ValKeyInfo, Problem> {
        let answer = self.service.key_records(&self.connect(asker).caller(), Some(query)).await?;
        Ok(ValKeyInfo::from_json(answer.as_bytes()).unwrap())
    }

    pub(crate) async fn put(&self, path: RecordPath<'_>, record: &Value) -> Result<Stored, Problem> {
        let text = record.to_string();
        let connection = self.connect(&Asker::provisioner());
        self.service.put_record(&connection.caller(), path, Precondition::default(), body(&text)).await
    }

    /// Stores a record with this payload.
    pub(crate) async fn provide(&self, subject: Option<(&str, &str)>, payload: &str) {
        let record = json!({"UserUri": ALICE, "Payload": payload});
        self.put(RecordPath { service: FLEET, subject }, &record).await.unwrap();
    }

    /// The entries of the audit log after those that a test has seen.
    pub(crate) async fn audit(&self, seen: usize) -> Vec<Entry> {
        let entries = self.service.store().audit(0).await.unwrap();
        self.service.store().verify_audit().await.unwrap();
        entries.into_iter().skip(seen).collect()
    }
}

pub(crate) fn body(text: &str) -> Body<'_> {
    Body { is_declared: true, octets: Ok(text.as_bytes()) }
}

pub(crate) fn event() -> Event {
    Event {
        time: Timestamp::from_unix(NOW).unwrap(),
        principal: "operator".into(),
        action: Action::Domain,
        target: String::new(),
        period: None,
        outcome: Outcome::Done,
        request_id: "operator-1".into(),
    }
}

/// Status and ErrorCode, which is empty in a success.
pub(crate) fn outcome(answer: &KmAnswer) -> (u16, &'static str) {
    (answer.status, answer.response.error_code().map_or("", mikey_sakke::km::ErrorCode::as_str))
}

/// The Payload, by the JSON that goes out.
pub(crate) fn payload(response: &Response) -> Option<String> {
    let json: Value = serde_json::from_str(&response.to_json()).unwrap();
    json.get("Payload").map(|payload| payload.as_str().unwrap().to_owned())
}

/// The keys in a KmsResponse with KmsKeyProv, taken into use by a user of the domain.
pub(crate) fn user_keys(xml: &str) -> Vec<UserKeys> {
    let response = KmsResponse::from_xml(xml.as_bytes(), Tolerances::default()).unwrap();
    let Some(KmsMessage::KeyProv(provision)) = response.message else { panic!("no KmsKeyProv") };
    provision.key_sets.iter().map(|key_set| key_set.import(MASTER.certificate(), None).unwrap()).collect()
}

/// The numbers of the key periods of the keys in a Payload.
pub(crate) fn periods(answer: &KmAnswer) -> Vec<u64> {
    let number = |keys: UserKeys| match keys.period() {
        KeyPeriod::Number(number) => number,
        KeyPeriod::Month { .. } => panic!("a month"),
    };
    user_keys(&payload(&answer.response).unwrap()).into_iter().map(number).collect()
}
