//! A server with records, keys and users for whom there is something to steal, and what has to hold for every answer.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};

use getrandom::SysRng;
use mikey_sakke::identity::{UidFormat, Uri};
use mikey_sakke::km::record::Record;
use mikey_sakke::km::retrieval::ProblemDetails;
use mikey_sakke::km::{ErrorCode, Identifier, Kind, Payload, Response, Subject};
use mikey_sakke::kms::{Kms, Validity};
use mikey_sakke::time::Timestamp;
use rustix::process::Signal;
use rustls::ClientConfig;
use serde_json::{Value, json};
use skm::audit::{Action, Event, Outcome};
use skm::store::{Condition, Delegate, Store};

use crate::http::{Answer, Client, KM};
use crate::site::{ALICE, GROUPS, PROVISIONER, Process, SERVICE, SKMS_URI, Site, VAL, claims, km_request, now};
use crate::support::with;

pub(crate) const OTHER: &str = "urn:example:other";
pub(crate) const IDENTITY: &str = "urn:mikey-sakke:identity-keys";
pub(crate) const BOB: &str = "sip:bob@example.org";
pub(crate) const CAROL: &str = "sip:carol@example.org";
pub(crate) const DAVE: &str = "sip:dave@example.org";
pub(crate) const MALLORY: &str = "sip:mallory@example.org";
pub(crate) const MANAGER: &str = "sip:groups@example.org";

/// Another VAL server, and its URI.
pub(crate) const OTHER_VAL: (&str, &str) = ("https://other-val.example.org", "other-val");
pub(crate) const OTHER_VAL_URI: &str = "sip:other-val@example.org";

/// In every record.
pub(crate) const CANARY: &str = "canary-of-key-material";

const OTHER_VAL_ROW: &str = r#"
san = "https://other-val.example.org"
client_id = "other-val"
uri = "sip:other-val@example.org"
roles = ["val"]
services = ["urn:example:other", "urn:mikey-sakke:identity-keys"]
"#;

/// Status, and the ErrorCode, or the cause of a problem; nothing with a success.
pub(crate) type Expected = (u16, &'static str);

pub(crate) const GOOD: Expected = (200, "");
pub(crate) const MALFORMED: Expected = (400, "04");
pub(crate) const NO_TOKEN: Expected = (401, "03");
pub(crate) const FORBIDDEN: Expected = (403, "04");
pub(crate) const NOTHING: Expected = (404, "02");

/// The program, with somebody who counts the cases.
pub(crate) struct World {
    pub(crate) site: Site,
    pub(crate) server: Process,
    cases: Cell<usize>,
    failed: RefCell<Vec<String>>,
    tokens: RefCell<Vec<String>>,
}

impl World {
    /// A server with all that there is to steal, and a wide window, so that time plays no part.
    pub(crate) async fn new() -> Self {
        Self::of(roomy().set("time", "window_seconds", "3600")).await
    }

    /// The same with other settings.
    pub(crate) async fn of(site: Site) -> Self {
        let site = site.with_row(OTHER_VAL_ROW).set("escrow", "allow", "true");
        fill(&site).await;
        let server = site.spawn(&[]);
        Self { site, server, cases: Cell::new(0), failed: RefCell::default(), tokens: RefCell::default() }
    }

    /// The store of the server, beside the server.
    pub(crate) async fn store(&self) -> Store {
        open(&self.site).await
    }

    /// Ends the server, and starts it again on the same store, with other settings.
    pub(crate) fn restart(self, change: impl FnOnce(Site) -> Site) -> Self {
        let Self { site, server, .. } = self;
        end(server, &self.tokens.borrow());
        let site = change(site);
        let server = site.spawn(&[]);
        Self { site, server, ..self }
    }

    /// A client of KM-UU.
    pub(crate) fn uu(&self) -> Client {
        Client::new(self.server.address("km_uu"), self.site.anonymous())
    }

    /// A client of another listener, with a certificate of this name.
    pub(crate) fn mutual(&self, listener: &str, name: &str) -> Client {
        Client::new(self.server.address(listener), self.site.client(name))
    }

    pub(crate) fn anonymous(&self) -> ClientConfig {
        self.site.anonymous()
    }

    /// A token with these claims, as the value of Authorization.
    pub(crate) fn bearer(&self, claims: &Value) -> String {
        self.presented(&self.site.sign(claims))
    }

    /// A token as the value of Authorization.
    pub(crate) fn presented(&self, token: &str) -> String {
        self.tokens.borrow_mut().push(token.to_owned());
        format!("Bearer {token}")
    }

    /// A token of Alice's UE that was not used before.
    pub(crate) fn alice(&self) -> String {
        self.bearer(&alice())
    }

    /// Checks an answer of the KM route.
    pub(crate) fn check_km(&self, name: &str, answer: &Answer, (status, code): Expected) {
        self.case(name, || {
            answer.assert_km(status, Some(code).filter(|code| !code.is_empty()));
            let response = Response::from_json(answer.body.as_bytes());
            let response = response.unwrap_or_else(|error| panic!("{error}: {answer:?}"));
            assert_eq!(response.error_code().map_or("", ErrorCode::as_str), code);
            assert_eq!(response.skms_uri().as_str(), SKMS_URI);
            self.check_secrets(answer);
        });
    }

    /// Checks an answer of another route.
    pub(crate) fn check(&self, name: &str, answer: &Answer, (status, cause): Expected) {
        self.case(name, || {
            if cause.is_empty() {
                assert_eq!(answer.status, status, "{answer:?}");
                answer.assert_headers();
            } else {
                answer.assert_problem(status, cause);
                ProblemDetails::from_json(answer.body.as_bytes()).unwrap();
            }
            self.check_secrets(answer);
        });
    }

    fn check_secrets(&self, answer: &Answer) {
        let text = format!("{:?}\n{}", answer.headers, answer.body);
        assert!(answer.status == 200 || !text.contains(CANARY), "{text}");
        assert!(!self.has_token(&text), "{text}");
    }

    /// One case. If it fails the others are still looked at.
    pub(crate) fn case(&self, name: &str, check: impl FnOnce()) {
        self.cases.set(self.cases.get() + 1);
        if catch_unwind(AssertUnwindSafe(check)).is_err() {
            self.failed.borrow_mut().push(name.to_owned());
        }
    }

    /// Whether a text has the signature of a token that was sent.
    pub(crate) fn has_token(&self, text: &str) -> bool {
        has_token(&self.tokens.borrow(), text)
    }

    /// Checks that good requests are answered on every listener.
    pub(crate) async fn assert_up(&self) {
        let servers = [(VAL, "km_s"), (GROUPS, "seal_x1")];
        let servers =
            servers.map(|((san, client), listener)| (self.mutual(listener, san), self.bearer(&server(client))));
        // A UE that has not been there before, so that no limit of others counts for it.
        let ue = self.bearer(&ue(ALICE, "client-0", "device-0", &[SERVICE]));
        for (client, authorization) in [(self.uu(), ue)].into_iter().chain(servers) {
            let headers = [crate::http::JSON, ("authorization", authorization.as_str())];
            client.send("POST", KM, &headers, km_request().to_string()).await.assert_km(200, None);
        }
        let ready = Client::plain(self.server.address("admin")).get("/readyz").await;
        assert_eq!(ready.status, 200, "{ready:?}");
    }

    /// Checks that the server is up, has told nobody anything, and ends as it should; and that there were at least so
    /// many cases.
    pub(crate) async fn finish(self, least: usize) {
        assert_eq!(self.failed.take(), [""; 0]);
        self.assert_up().await;
        let Self { site, server, cases, tokens, .. } = self;
        let cases = cases.get();
        end(server, &tokens.borrow());
        open(&site).await.verify_audit().await.unwrap();
        assert!(cases >= least, "{cases} cases");
        println!("{cases} cases");
    }
}

/// Ends a server as it should end, and checks all that it has logged.
fn end(server: Process, tokens: &[String]) {
    server.signal(Signal::TERM);
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(!log.contains(CANARY) && !has_token(tokens, &log), "{log}");
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
        assert_ne!(line["level"], "ERROR", "{line}");
    }
}

fn has_token(tokens: &[String], text: &str) -> bool {
    let signatures = tokens.iter().filter_map(|token| token.rsplit('.').next());
    signatures.filter(|signature| signature.len() > 40).any(|signature| text.contains(signature))
}

/// A site that takes as many handshakes as a test makes.
pub(crate) fn roomy() -> Site {
    Site::new().set("limits", "handshakes_per_second", "100000").set("limits", "handshakes_per_address", "1000")
}

/// The claims of Alice's UE, which is client-1 on device-7.
pub(crate) fn alice() -> Value {
    ue(ALICE, "client-1", "device-7", &[SERVICE, IDENTITY])
}

/// The claims of a UE.
pub(crate) fn ue(user: &str, client: &str, device: &str, services: &[&str]) -> Value {
    let claims = with(claims(client, "seal:key-management"), "val_user_id", json!(user));
    with(with(claims, "sub", json!(device)), "val_service_ids", json!(services))
}

/// The claims of a server, which name neither user nor service.
pub(crate) fn server(client: &str) -> Value {
    let scope = if client == PROVISIONER.1 { "seal:key-provisioning" } else { "seal:key-management" };
    let claims = with(claims(client, scope), "val_user_id", Value::Null);
    with(with(claims, "sub", json!(client)), "val_service_ids", Value::Null)
}

/// A KM Request of now with members set, or removed by null.
pub(crate) fn request(changes: &[(&str, Value)]) -> Value {
    changes.iter().fold(km_request(), |request, (name, value)| with(request, name, value.clone()))
}

pub(crate) fn event(action: Action) -> Event {
    Event {
        time: Timestamp::now().unwrap(),
        principal: "operator".into(),
        action,
        target: String::new(),
        period: None,
        outcome: Outcome::Done,
        request_id: "operator".into(),
    }
}

pub(crate) fn uri(text: &str) -> Uri {
    Uri::parse(text).unwrap()
}

/// Opens the store of a site.
pub(crate) async fn open(site: &Site) -> Store {
    let config = site.config();
    let secret = config.seal.source().unwrap().read().unwrap();
    Store::open(&config.store.url, secret, config.domain.skms_uri.as_str()).await.unwrap()
}

/// Puts into the store: records of everybody, master secrets, somebody who is blocked, and delegates.
async fn fill(site: &Site) {
    let store = open(site).await;
    let subjects = [
        (Kind::Service, ""),
        (Kind::Client, "client-1"),
        (Kind::Client, "client-2"),
        (Kind::Device, "device-7"),
        (Kind::Device, "device-8"),
        (Kind::User, ALICE),
        (Kind::User, BOB),
        (Kind::User, MALLORY),
        (Kind::User, MANAGER),
    ];
    for service in [SERVICE, OTHER] {
        for (kind, id) in subjects {
            let subject = Subject::new(kind, id).unwrap();
            let payload = Payload::new(&format!("{CANARY} of {service} {} {id}", kind.as_str())).unwrap();
            let record = Record::new(uri(ALICE), payload, Validity::default()).unwrap();
            let (service, event) = (Identifier::new(service).unwrap(), event(Action::Provision));
            store.put_record(&service, &subject, &record, Condition::Any, &event).await.unwrap();
        }
    }
    let config = site.config();
    let format = UidFormat::hashed(config.domain.user_key_period, 0).unwrap();
    let kms = Kms::generate(config.domain.kms_uri.clone(), format, &mut SysRng).unwrap();
    skm::domain::import(&store, &config.domain, &kms, &event(Action::Domain)).await.unwrap();
    store.set_blocked(&uri(MALLORY), true, &event(Action::Block)).await.unwrap();
    for (principal, expires) in [(CAROL, now() + 3600), (DAVE, now() - 1), (OTHER_VAL.0, now() + 3600)] {
        let expires = Timestamp::from_unix(expires).unwrap();
        let delegate = Delegate { principal: principal.into(), user: uri(BOB), expires };
        store.add_delegate(&delegate, &event(Action::Delegate)).await.unwrap();
    }
}
