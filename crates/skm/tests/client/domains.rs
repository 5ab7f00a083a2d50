//! Security domains of the tests, and servers that hand out their keys.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};

use getrandom::SysRng;
use mikey_sakke::documents::{
    KmsCertCache, KmsKeyProv, KmsKeySet, KmsMessage, KmsRequest, KmsResponse, NewKeys, Tolerances,
};
use mikey_sakke::identity::{KeyPeriod, UidFormat, Uri};
use mikey_sakke::km::domain::{Domain, DomainCertificate, Periods};
use mikey_sakke::km::{ErrorCode, Payload, Response, Subject};
use mikey_sakke::kms::{KeySet, Kms};
use mikey_sakke::time::Timestamp;
use skm::client::{Client, Environment as _};

use crate::support::{ALICE, Authority, Host, NOW, Reply, SKMS, Seen, Server, at, settings, token, uri};

pub(crate) const PERIOD: u64 = 2_592_000;
/// The route of the certificates of other domains.
pub(crate) const CERTCACHE: &str = "/keymanagement/identity/v1/certcache";
pub(crate) const LEAD: u64 = 172_800;

/// The number of the key period that [`NOW`] is in, and when it ends.
pub(crate) const CURRENT: u64 = 1_544;
pub(crate) const END: u64 = (CURRENT + 1) * PERIOD - 2_208_988_800;

/// Master secrets that all tests share, and others.
pub(crate) static KMS: LazyLock<Arc<Kms>> = LazyLock::new(|| Arc::new(new_kms("kms.example.org")));
pub(crate) static OTHER: LazyLock<Arc<Kms>> = LazyLock::new(|| Arc::new(new_kms("kms.example.org")));

pub(crate) fn new_kms(kms_uri: &str) -> Kms {
    Kms::generate(uri(kms_uri), UidFormat::hashed(PERIOD, 0).unwrap(), &mut SysRng).unwrap()
}

pub(crate) fn certificate(kms: &Kms, from: u64, to: Option<u64>) -> DomainCertificate {
    DomainCertificate::new(kms.certificate(), Periods { from, to }, None).unwrap()
}

pub(crate) fn domain() -> Domain {
    Domain::new(uri(SKMS), vec![certificate(&KMS, 0, None)]).unwrap()
}

/// The keys of a user for a key period; for the same user and period issued once.
pub(crate) fn issue(kms: &Arc<Kms>, user: &str, period: u64) -> KeySet {
    type Issued = BTreeMap<(Vec<u8>, String, u64), KeySet>;
    static ISSUED: Mutex<Issued> = Mutex::new(BTreeMap::new());
    let key = (kms.certificate().kpak().to_octets().to_vec(), user.to_owned(), period);
    let mut issued = ISSUED.lock().unwrap();
    let issue = || kms.issue(&uri(user), KeyPeriod::Number(period), &mut SysRng).unwrap();
    issued.entry(key).or_insert_with(issue).clone()
}

pub(crate) fn document(kms: &Arc<Kms>, user: &str, period: u64) -> KmsKeySet {
    KmsKeySet::new(kms.certificate(), &issue(kms, user, period)).unwrap()
}

/// A KmsResponse with these key sets for a user.
pub(crate) fn response(user: &Uri, key_sets: Vec<KmsKeySet>) -> KmsResponse {
    let url = "https://skms.example.org/seal-km/v1/km-request".to_owned();
    let request = KmsRequest::new(user.clone(), uri("kms.example.org"), at(NOW), url);
    let message = KmsMessage::KeyProv(KmsKeyProv { key_sets, new_keys: NewKeys::default() });
    KmsResponse { message: Some(message), ..KmsResponse::to(&request, at(NOW)) }
}

/// An SKM-S with the clock of its client, that hands out keys of the domain that it has at a time.
pub(crate) struct Site {
    pub(crate) server: Server,
    pub(crate) client: Client,
    pub(crate) host: Arc<Host>,
    pub(crate) state: Arc<Mutex<State>>,
    pub(crate) settings: skm::client::Settings,
}

pub(crate) struct State {
    pub(crate) domain: Domain,
    /// Whose keys are handed out, by the first key period.
    pub(crate) issuers: BTreeMap<u64, Arc<Kms>>,
    pub(crate) lead: u64,
    pub(crate) is_down: bool,
    /// The certificates of other domains; 404 without any.
    pub(crate) external: Option<KmsCertCache>,
    /// What is changed in the answer with them.
    pub(crate) forge: fn(&mut KmsResponse),
}

impl Site {
    pub(crate) async fn start(now: Timestamp) -> Self {
        let host = Host::new(0);
        host.set(now);
        let clock = host.clone();
        Self::serve(host, move || clock.now().unwrap()).await
    }

    /// A site for clients that read the system's clock, as it does.
    pub(crate) async fn of_now() -> Self {
        Self::serve(Host::new(NOW), || Timestamp::now().unwrap()).await
    }

    async fn serve(host: Arc<Host>, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        let issuers = BTreeMap::from([(0, KMS.clone())]);
        let state = Arc::new(Mutex::new(State {
            domain: domain(),
            issuers,
            lead: LEAD,
            is_down: false,
            external: None,
            forge: |_| (),
        }));
        let shared = state.clone();
        let answer = move |seen: &Seen| shared.lock().unwrap().answer(seen, clock());
        let authority = Authority::new("authority");
        let server = Server::start(authority.server("127.0.0.1"), &["h2"], answer).await;
        let settings = settings(&authority, &server);
        let client = Client::with_environment(&settings, token(), host.clone()).unwrap();
        Self { server, client, host, state, settings }
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.host.now().unwrap()
    }

    /// How many requests for keys there were.
    pub(crate) fn key_requests(&self) -> usize {
        self.server.seen().iter().filter(|seen| seen.method == "POST").count()
    }
}

impl State {
    fn certificates(&self, seen: &Seen, now: Timestamp) -> Reply {
        let Some(cache) = &self.external else { return Reply::new(404, "") };
        assert_eq!((seen.header("content-type"), seen.header("accept")), ("application/xml", "application/xml"));
        let request = KmsRequest::from_xml(&seen.body, Tolerances::default()).unwrap();
        assert!(request.client_req_url.starts_with("https://") && request.client_req_url.ends_with(&seen.path));
        let known = seen.path[CERTCACHE.len()..].strip_prefix('/').map(|number| number.parse().unwrap());
        let certificates = if known == cache.cache_num { Vec::new() } else { cache.certificates.clone() };
        let message = KmsMessage::CertCache(KmsCertCache { certificates, ..cache.clone() });
        let mut response = KmsResponse { message: Some(message), ..KmsResponse::to(&request, now) };
        (self.forge)(&mut response);
        Reply::new(200, response.to_xml().unwrap().as_bytes())
    }

    fn answer(&self, seen: &Seen, now: Timestamp) -> Reply {
        if self.is_down {
            return Reply::new(403, "");
        }
        if seen.path == "/seal-km/v1/domain" {
            return Reply::new(200, self.domain.to_json());
        }
        if seen.path.starts_with(CERTCACHE) {
            return self.certificates(seen, now);
        }
        let request = seen.request();
        let Subject::User(user) = request.subject() else { panic!("not a user") };
        assert_eq!(request.service_id().as_str(), "urn:mikey-sakke:identity-keys");
        let format = self.domain.uid_format();
        let KeyPeriod::Number(number) = format.period_at(now).unwrap() else { panic!("no number") };
        let (_, end) = format.span(KeyPeriod::Number(number)).unwrap();
        let with_next = end.to_unix() - now.to_unix() <= self.lead;
        let key_set = |number| {
            let (_, kms) = self.issuers.range(..=number).next_back().unwrap();
            document(kms, user.as_str(), number)
        };
        let key_sets = (number..=number + u64::from(with_next)).map(key_set).collect();
        let payload = Payload::new(&response(user, key_sets).to_xml().unwrap()).unwrap();
        let answer = Response::success(&request, user.clone(), Some(payload), now).unwrap();
        Reply::new(200, answer.to_json().as_bytes())
    }
}

/// A server that answers every request for keys with this text.
pub(crate) async fn answering(payload: String) -> (Server, Client) {
    let answer = move |seen: &Seen| {
        let payload = Payload::new(&payload).unwrap();
        let response = Response::success(&seen.request(), uri(ALICE), Some(payload), at(NOW)).unwrap();
        Reply::new(200, response.to_json().as_bytes())
    };
    let (server, client, _) = crate::support::pair(answer).await;
    (server, client)
}

/// A refusal of a request.
pub(crate) fn refusal(seen: &Seen, code: ErrorCode) -> Reply {
    let response = Response::failure(uri(SKMS), uri(ALICE), (&seen.request()).into(), code, at(NOW)).unwrap();
    Reply::new(code.http_statuses()[0], response.to_json().as_bytes())
}
