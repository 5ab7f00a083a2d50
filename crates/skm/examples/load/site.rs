//! A site to be thrown away: certificates, tokens, configuration, master secrets and records.

use std::fs::create_dir_all;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use getrandom::SysRng;
use mikey_sakke::identity::Uri;
use mikey_sakke::km::record::Record;
use mikey_sakke::km::{Identifier, Kind, Payload, Subject};
use mikey_sakke::kms::{Kms, Validity};
use mikey_sakke::time::Timestamp;
use mikey_sakke_files::{Access, write};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use skm::audit::{Action, Event, Outcome};
use skm::config::Config;
use skm::domain::import;
use skm::store::{Condition, Store};
use skm::trial::{Authority, Issuer};
use tokio::task::JoinSet;

/// Devices, each with a record of every service.
pub(crate) const DEVICES: u64 = 1024;

/// Services with records.
pub(crate) const SERVICES: u64 = 16;

/// Octets of a Payload: some keys with what goes with them, in base64.
const PAYLOAD_OCTETS: usize = 512;

/// The client that all requests come from: its URI in its certificate, and its name in tokens.
const CLIENT: (&str, &str) = ("https://load.example.org", "load");

/// What a device is called.
pub(crate) fn device(number: u64) -> String {
    format!("device-{number}")
}

/// What a user is called.
pub(crate) fn user(number: u64) -> String {
    format!("sip:user-{number}@example.org")
}

/// What a service is called.
pub(crate) fn service(number: u64) -> String {
    format!("urn:example:service-{number}")
}

/// The files, and what stands in them.
pub(crate) struct Site {
    pub(crate) directory: PathBuf,
    pub(crate) config: Config,
    pub(crate) tokens: Issuer,
}

impl Site {
    pub(crate) fn exists(directory: &Path) -> bool {
        directory.join("skms.toml").exists()
    }

    /// Writes the files, and fills the store.
    pub(crate) async fn make(directory: &Path, store: Option<&str>) -> anyhow::Result<Self> {
        create_dir_all(directory).with_context(|| directory.display().to_string())?;
        let authority = Authority::new(Timestamp::now()?)?;
        let (server, client) = (authority.server()?, authority.client(CLIENT.0)?);
        let issuer = Issuer::generate()?;
        let mut seal_key = [0; 32];
        getrandom::fill(&mut seal_key).map_err(|_| anyhow!("the random source failed"))?;
        let path = directory.canonicalize()?;
        let path = path.to_str().ok_or_else(|| anyhow!("{}: not UTF-8", path.display()))?;
        let url = store.map_or_else(|| format!("sqlite:{path}/skms.db"), ToOwned::to_owned);
        for (name, text) in [
            ("ca.pem", authority.certificate().as_str()),
            ("server.pem", &server.certificate),
            ("server.key", &server.key),
            ("client.pem", &client.certificate),
            ("client.key", &client.key),
            ("jwks.json", &issuer.jwks()),
            ("issuer.key", &issuer.to_jwk()),
            ("seal.key", &hex::encode(seal_key)),
            ("skms.toml", &configuration(path, &url)),
        ] {
            write(&directory.join(name), Access::Owner, false, text.as_bytes())?;
        }
        let site = Self::open(directory)?;
        site.fill().await?;
        Ok(site)
    }

    /// Reads the files.
    pub(crate) fn open(directory: &Path) -> anyhow::Result<Self> {
        let read = |name| std::fs::read_to_string(directory.join(name)).with_context(|| format!("cannot read {name}"));
        let config = Config::read(&read("skms.toml")?, [])?;
        let tokens = Issuer::from_jwk(&read("issuer.key")?)?;
        Ok(Self { directory: directory.to_owned(), config, tokens })
    }

    /// The store, for a server of this name in the audit log.
    pub(crate) async fn store(&self, server: &str) -> anyhow::Result<Store> {
        let source = self.config.seal.source().ok_or_else(|| anyhow!("no sealing key"))?;
        Ok(Store::open(&self.config.store.url, source.read()?, server).await?)
    }

    /// TLS of the client, which speaks this protocol.
    pub(crate) fn tls(&self, protocol: &str) -> anyhow::Result<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.directory.join("ca.pem"))?)?;
        let chain = vec![CertificateDer::from_pem_file(self.directory.join("client.pem"))?];
        let key = PrivateKeyDer::from_pem_file(self.directory.join("client.key"))?;
        let builder =
            ClientConfig::builder_with_provider(skm::tls::provider()).with_safe_default_protocol_versions()?;
        let mut config = builder.with_root_certificates(roots).with_client_auth_cert(chain, key)?;
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        Ok(config)
    }

    async fn fill(&self) -> anyhow::Result<()> {
        let domain = &self.config.domain;
        Store::migrate(&self.config.store.url).await?;
        let store = Arc::new(self.store(domain.skms_uri.as_str()).await?);
        let event = Event {
            time: Timestamp::now()?,
            principal: "load".into(),
            action: Action::Provision,
            target: String::new(),
            period: None,
            outcome: Outcome::Done,
            request_id: String::new(),
        };
        let kms = Kms::generate(domain.kms_uri.clone(), domain.uid_format()?, &mut SysRng)?;
        import(&store, domain, &kms, &event).await?;
        let validity = Validity { from: None, to: None };
        let payload = Payload::new(&"A".repeat(PAYLOAD_OCTETS))?;
        let mut tasks = JoinSet::new();
        for number in 0..DEVICES {
            let (store, event, payload) = (Arc::clone(&store), event.clone(), payload.clone());
            tasks.spawn(async move {
                let record = Record::new(Uri::parse(&user(number))?, payload, validity)?;
                let device = Subject::new(Kind::Device, &device(number))?;
                for number in 0..SERVICES {
                    let service = Identifier::new(&service(number))?;
                    store.put_record(&service, &device, &record, Condition::Any, &event).await?;
                }
                anyhow::Ok(())
            });
        }
        tasks.join_all().await.into_iter().collect()
    }
}

fn configuration(path: &str, url: &str) -> String {
    let (san, client_id) = CLIENT;
    let services: String = (0..SERVICES).map(|number| format!("{:?}, ", service(number))).collect();
    let [path, url] = [path, url].map(|text| toml::Value::from(text).to_string());
    let path = path.trim_matches(['"', '\'']);
    format!(
        r#"# A site of the load generator, to be thrown away.

[domain]
skms_uri = "sip:skms.example.org"
kms_uri = "kms.example.org"
user_key_period = 2592000

[listen]
km_s = "127.0.0.1:0"

[tls]
cert = "{path}/server.pem"
key = "{path}/server.key"
client_ca = "{path}/ca.pem"

[auth]
issuer = "https://trial.example.org"
audience = "sip:skms.example.org"
jwks_file = "{path}/jwks.json"

[store]
url = {url}

[seal]
key_file = "{path}/seal.key"

# One client does what thousands would.
[limits]
handshakes_per_address = 1024
handshakes_per_second = 100000
requests_per_second = 1000000
request_burst = 1000000
issues_per_period = 1000000
issue_queue = 1024

[[policy]]
san = "{san}"
client_id = "{client_id}"
roles = ["val"]
services = [{services}"urn:mikey-sakke:identity-keys"]
"#
    )
}
