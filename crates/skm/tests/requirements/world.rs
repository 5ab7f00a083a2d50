//! A server with key material, and those who ask it. Its clock stands, and so do those of its clients.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use getrandom::SysRng;
use mikey_sakke::error::UsageError;
use mikey_sakke::identity::{UidFormat, Uri};
use mikey_sakke::km::record::Record;
use mikey_sakke::km::{Identifier, Payload, Subject};
use mikey_sakke::kms::{Kms, Validity};
use mikey_sakke::secret::Secret;
use mikey_sakke::time::Timestamp;
use serde_json::{Value, json};
use skm::audit::{Action, Event, Outcome};
use skm::client::{self, ClientError, Environment, FixedToken, Settings};
use skm::service::{Clock, Moment};
use skm::store::{Condition, Store};

use crate::http::{Answer, Client, JSON};
use crate::site::{ALICE, GROUPS, PROVISIONER, Running, SERVICE, SKMS_URI, Site, VAL};
use crate::support::{NOW, claims, with};

pub(crate) const OTHER_SERVICE: &str = "urn:example:other";
pub(crate) const BOB: &str = "sip:bob@example.org";
/// A user of the service who has no key material.
pub(crate) const CAROL: &str = "sip:carol@example.org";

/// Master secrets of the domain, made once, as they take long to make.
static KMS: LazyLock<Kms> = LazyLock::new(|| {
    let format = UidFormat::hashed(2_592_000, 0).unwrap();
    Kms::generate(uri("kms.example.org"), format, &mut SysRng).unwrap()
});

pub(crate) struct World {
    pub(crate) site: Site,
    pub(crate) server: Running,
    pub(crate) store: Store,
}

pub(crate) fn uri(text: &str) -> Uri {
    Uri::parse(text).unwrap()
}

pub(crate) fn service(text: &str) -> Identifier {
    Identifier::new(text).unwrap()
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_unix(NOW).unwrap()
}

/// The Payload of the record of a subject, which tells it from all others.
pub(crate) fn payload(service: &str, subject: &Subject) -> String {
    format!("keys of {service} {} {}", subject.kind().as_str(), subject.value())
}

pub(crate) fn user(text: &str) -> Subject {
    Subject::User(uri(text))
}

pub(crate) fn device(text: &str) -> Subject {
    Subject::Device(service(text))
}

pub(crate) fn client(text: &str) -> Subject {
    Subject::Client(service(text))
}

/// The members that ask for a subject.
pub(crate) fn asking(subject: &Subject) -> Vec<(&'static str, Value)> {
    match subject {
        Subject::Service => vec![],
        Subject::Client(client) => vec![("ClientID", json!(client.as_str()))],
        Subject::Device(device) => vec![("DeviceID", json!(device.as_str()))],
        Subject::User(user) => vec![("UserID", json!(user.as_str()))],
    }
}

/// A KM Request for the service as a whole, with members changed; null removes one.
pub(crate) fn request(changes: &[(&str, Value)]) -> Value {
    let request = json!({"Version": "1.0.0", "SKmsUri": SKMS_URI, "ServiceID": SERVICE, "DateTime": NOW});
    changes.iter().fold(request, |request, (name, value)| with(request, name, value.clone()))
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::of(Site::new()).await
    }

    /// A server with a record for each of two services, and for clients, devices and users of both.
    pub(crate) async fn of(site: Site) -> Self {
        let config = site.config();
        let secret = config.seal.source().unwrap().read().unwrap();
        let store = Store::open(&config.store.url, secret, SKMS_URI).await.unwrap();
        let server = site.start_at(clock()).await;
        let world = Self { site, server, store };
        for service in [SERVICE, OTHER_SERVICE] {
            for subject in [
                Subject::Service,
                client("client-1"),
                client("client-2"),
                device("device-7"),
                device("device-8"),
                user(ALICE),
                user(BOB),
            ] {
                world.keep(service, &subject, &payload(service, &subject), Validity::default()).await;
            }
        }
        world
    }

    /// Keeps a record, as an operator on the server's host would.
    pub(crate) async fn keep(&self, service_id: &str, subject: &Subject, payload: &str, validity: Validity) {
        let record = Record::new(uri(ALICE), Payload::new(payload).unwrap(), validity).unwrap();
        let (service, event) = (service(service_id), event());
        self.store.put_record(&service, subject, &record, Condition::Any, &event).await.unwrap();
    }

    /// Gives the domain master secrets.
    pub(crate) async fn import(&self) {
        skm::domain::import(&self.store, &self.site.config().domain, &KMS, &event()).await.unwrap();
    }

    /// Ends the server, and starts it again.
    pub(crate) async fn restart(mut self) -> Self {
        self.server.stop();
        self.server.stopped().await;
        let server = self.site.start_at(clock()).await;
        Self { server, ..self }
    }

    pub(crate) fn km_uu(&self) -> SocketAddr {
        self.server.addresses.km_uu.unwrap()
    }

    pub(crate) fn km_s(&self) -> SocketAddr {
        self.server.addresses.km_s.unwrap()
    }

    pub(crate) fn seal_x1(&self) -> SocketAddr {
        self.server.addresses.seal_x1.unwrap()
    }

    /// Alice's UE, on KM-UU.
    pub(crate) fn ue(&self) -> Asker<'_> {
        let client = Client::new(self.km_uu(), self.site.anonymous());
        Asker { site: &self.site, client, claims: claims() }
    }

    /// The VAL server, on KM-S.
    pub(crate) fn val_server(&self) -> Asker<'_> {
        self.server_on(self.km_s(), VAL)
    }

    /// The group management server, on SEAL-X1.
    pub(crate) fn group_manager(&self) -> Asker<'_> {
        self.server_on(self.seal_x1(), GROUPS)
    }

    /// The operator's server for provisioning, on KM-S.
    pub(crate) fn provisioner(&self) -> Asker<'_> {
        self.server_on(self.km_s(), PROVISIONER).claiming("scope", json!("seal:key-provisioning"))
    }

    /// A server by the URI in its certificate and the client of its token, which names neither user nor services.
    pub(crate) fn server_on(&self, address: SocketAddr, (san, client_id): (&str, &str)) -> Asker<'_> {
        let client = Client::new(address, self.site.client(san));
        let asker = Asker { site: &self.site, client, claims: claims() };
        let asker = asker.claiming("client_id", json!(client_id)).claiming("sub", json!(client_id));
        asker.claiming("val_user_id", Value::Null).claiming("val_service_ids", Value::Null)
    }

    /// The settings of an SKM-C for this server.
    pub(crate) fn settings(&self, address: SocketAddr) -> Settings {
        let roots = std::fs::read(self.site.path("ca.pem")).unwrap();
        let server = format!("https://localhost:{}", address.port());
        Settings { skms_uri: Some(uri(SKMS_URI)), ..Settings::new(server, roots) }
    }

    /// An SKM-C in Alice's UE.
    pub(crate) fn skm_c(&self, settings: &Settings) -> client::Client {
        skm_c(settings, fixed(&self.site.sign(&claims())))
    }
}

/// A source that always gives this token.
pub(crate) fn fixed(token: &str) -> FixedToken {
    FixedToken::new(Secret::new(token.to_owned()))
}

/// An SKM-C whose clock stands as the server's does.
pub(crate) fn skm_c(settings: &Settings, tokens: impl client::TokenSource + 'static) -> client::Client {
    client::Client::with_environment(settings, tokens, Arc::new(Host)).unwrap()
}

#[derive(Debug)]
struct Host;

#[async_trait]
impl Environment for Host {
    fn now(&self) -> Result<Timestamp, UsageError> {
        Ok(now())
    }

    async fn sleep(&self, _: Duration) {
        tokio::task::yield_now().await;
    }

    fn random(&self) -> Result<u64, ClientError> {
        Ok(0)
    }
}

/// Who asks: a connection, and what is in its tokens.
pub(crate) struct Asker<'a> {
    site: &'a Site,
    pub(crate) client: Client,
    claims: Value,
}

impl Asker<'_> {
    /// The same with a claim set, or removed by null.
    pub(crate) fn claiming(self, name: &str, value: Value) -> Self {
        Self { claims: with(self.claims, name, value), ..self }
    }

    pub(crate) fn through(self, client: Client) -> Self {
        Self { client, ..self }
    }

    /// A new token.
    pub(crate) fn token(&self) -> String {
        self.site.sign(&self.claims)
    }

    /// Sends a KM Request for the service as a whole, with members changed, under a new token.
    pub(crate) async fn ask(&self, changes: &[(&str, Value)]) -> Answer {
        self.client.key_request(&self.token(), request(changes).to_string()).await
    }

    /// Asks for the record of a subject, and gets it and no other.
    pub(crate) async fn gets(&self, service: &str, subject: &Subject) -> Value {
        let mut changes = asking(subject);
        changes.push(("ServiceID", json!(service)));
        let answer = self.ask(&changes).await.assert_km(200, None);
        assert_eq!(answer["Payload"], payload(service, subject));
        answer
    }

    /// Asks for the record of a subject, and is refused with this status and ErrorCode.
    pub(crate) async fn is_refused(&self, service: &str, subject: &Subject, (status, code): (u16, &str)) {
        let mut changes = asking(subject);
        changes.push(("ServiceID", json!(service)));
        self.ask(&changes).await.assert_km(status, Some(code));
    }

    /// Stores a record of a service as provisioning does.
    pub(crate) async fn puts(&self, service: &str, payload: &str) -> Answer {
        let record = json!({"UserUri": ALICE, "Payload": payload}).to_string();
        let authorization = format!("Bearer {}", self.token());
        let path = format!("/seal-km/v1/services/{service}/key-records");
        self.client.send("PUT", &path, &[JSON, ("authorization", &authorization)], record).await
    }
}

pub(crate) const TOKEN: (u16, &str) = (401, "03");
pub(crate) const FORBIDDEN: (u16, &str) = (403, "04");
pub(crate) const NOTHING: (u16, &str) = (404, "02");

fn clock() -> Clock {
    let start = Instant::now();
    Clock::new(move || Moment { time: now(), instant: start })
}

fn event() -> Event {
    Event {
        time: now(),
        principal: "operator".into(),
        action: Action::Provision,
        target: String::new(),
        period: None,
        outcome: Outcome::Done,
        request_id: "operator".into(),
    }
}
