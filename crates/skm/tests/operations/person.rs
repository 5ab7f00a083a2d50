//! Users with an SKM-C.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use getrandom::SysRng;
use mikey_sakke::Error;
use mikey_sakke::identity::{UidFormat, Uri};
use mikey_sakke::imessage::{DistributedKey, KeyBundle, Profile, Purpose, Recipient};
use mikey_sakke::km::domain::Domain;
use mikey_sakke::kms::Kms;
use mikey_sakke::secret::Secret;
use mikey_sakke::time::Timestamp;
use mikey_sakke_files::write_kms;
use serde_json::json;
use skm::client::{CacheSettings, Client, ClientError, FixedToken, KeyCache, Settings};

use crate::http;
use crate::program::{Run, run};
use crate::site::{ALICE, IDENTITY_KEYS, PATIENCE, Process, Site, claims};
use crate::support::with;

pub(crate) const PERIOD: u64 = 2_592_000;

/// When period 0 began, such that whenever the tests run it is the middle of a key period.
static OFFSET: LazyLock<u64> = LazyLock::new(|| (Timestamp::now().unwrap().seconds_since_1900() - PERIOD / 2) % PERIOD);

/// How old the description of a domain may get.
const HOUR: Duration = Duration::from_secs(3_600);

pub(crate) fn uri(text: &str) -> Uri {
    Uri::parse(text).unwrap()
}

/// The key period that it is.
pub(crate) fn present() -> u64 {
    (Timestamp::now().unwrap().seconds_since_1900() - *OFFSET) / PERIOD
}

/// New master secrets, in a file of the site.
pub(crate) fn master(site: &Site, name: &str, kms: &str) -> (String, Kms) {
    let path = site.path(name);
    let kms = Kms::generate(uri(kms), UidFormat::hashed(PERIOD, *OFFSET).unwrap(), &mut SysRng).unwrap();
    write_kms(&path, false, &kms).unwrap();
    (path.to_str().unwrap().to_owned(), kms)
}

/// A site in the middle of a key period, whose domain has master secrets.
pub(crate) fn site(kms: &str) -> (Site, Kms) {
    let site = Site::new()
        .set("domain", "user_key_offset", &OFFSET.to_string())
        .set("domain", "kms_uri", &format!("{kms:?}"))
        .set("domain", "skms_uri", &format!("\"sip:s{kms}\""));
    let (path, kms) = master(&site, "master.json", kms);
    operate(&site, &["domain", "import", &path]).done();
    (site, kms)
}

/// Runs a verb on the server's host.
pub(crate) fn operate(site: &Site, arguments: &[&str]) -> Run {
    run(site.command(arguments), "")
}

/// A token of a user for his identity keys.
pub(crate) fn token(site: &Site, user: &str) -> String {
    let claims = with(claims("client-1", "seal:key-management"), "val_user_id", json!(user));
    site.sign(&with(claims, "val_service_ids", json!([IDENTITY_KEYS])))
}

/// What a server publishes of its domain.
pub(crate) async fn domain(site: &Site, server: &Process) -> Domain {
    let client = http::Client::new(server.address("km_uu"), site.anonymous());
    let authorization = format!("Bearer {}", token(site, ALICE));
    let answer = client.send("GET", "/seal-km/v1/domain", &[("authorization", &authorization)], "").await;
    Domain::from_json(answer.body.as_bytes()).unwrap()
}

/// The domain once it has so many certificates.
pub(crate) async fn domain_of(site: &Site, server: &Process, certificates: usize) -> Domain {
    let end = Instant::now() + PATIENCE;
    loop {
        let domain = domain(site, server).await;
        if domain.certificates().len() == certificates {
            return domain;
        }
        assert!(Instant::now() < end, "{domain:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A user with his keys.
pub(crate) struct Person {
    client: Client,
    pub(crate) cache: KeyCache,
}

impl Person {
    /// A user of a site who has fetched his keys.
    pub(crate) async fn new(site: &Site, server: &Process, user: &str) -> Self {
        let address = format!("https://{}", server.address("km_uu"));
        let settings = Settings::new(address, std::fs::read(site.path("ca.pem")).unwrap());
        let client = Client::new(&settings, FixedToken::new(Secret::new(token(site, user)))).unwrap();
        let cache = KeyCache::new(uri(user), CacheSettings::default());
        let mut person = Self { client, cache };
        person.refresh().await.unwrap();
        person
    }

    /// Fetches what is due, and nothing if the description of the domain is not old.
    pub(crate) async fn refresh(&mut self) -> Result<(), ClientError> {
        self.client.refresh(&mut self.cache, Timestamp::now().unwrap(), &mut SysRng).await
    }

    /// Fetches what is due in an hour.
    pub(crate) async fn refresh_later(&mut self) -> Result<(), ClientError> {
        self.client.refresh(&mut self.cache, Timestamp::now().unwrap().saturating_add(HOUR), &mut SysRng).await
    }

    /// A message with a new key to a user of a KMS, and the key; none if there is no certificate of that.
    pub(crate) fn send(&self, to: &str, kms: &str) -> Option<(Vec<u8>, KeyBundle)> {
        let now = Timestamp::now().unwrap();
        let certificate = self.cache.certificate(&uri(kms), now)?.clone();
        let bundle = KeyBundle::generate(Profile::seal(Purpose::new(1).unwrap()), &mut SysRng).unwrap();
        let recipient = Recipient { user: uri(to), certificate };
        let initiator = self.cache.initiator().unwrap();
        Some((initiator.distribute(&bundle, &recipient, now, &mut SysRng).unwrap(), bundle))
    }

    pub(crate) fn receive(&mut self, message: &[u8]) -> Result<DistributedKey, Error> {
        self.cache.responder().unwrap().extract(message, Timestamp::now().unwrap())
    }
}
