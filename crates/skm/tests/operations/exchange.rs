//! Two running servers of two domains that exchange their certificates over mutual TLS (KM-E).

use std::sync::Arc;

use getrandom::SysRng;
use mikey_sakke::documents::{KmsMessage, KmsRequest, KmsResponse, Tolerances};
use mikey_sakke::identity::Uri;
use mikey_sakke::imessage::{Initiator, KeyBundle, Policy, Profile, Recipient, Responder};
use mikey_sakke::km::domain::Domain;
use mikey_sakke::kms::{KmsCertificate, UserKeys};
use mikey_sakke::time::Timestamp;
use rcgen::KeyPair;
use serde_json::{Value, json};

use crate::http::{Client, JSON, XML};
use crate::program::{Run, run};
use crate::site::{ALICE, IDENTITY_KEYS, Process, SERVICE, Site, claims, client_params, now};
use crate::support::with;

const BOB: &str = "sip:bob@example.net";
const CERTIFICATES: &str = "/seal-km/v1/certificates";

/// The URIs in the certificates with which the servers ask each other.
const ORG: &str = "https://skms.example.org";
const NET: &str = "https://skms.example.net";

/// The server of one of the domains.
struct Side {
    site: Site,
    /// The last part of its names.
    name: &'static str,
}

impl Side {
    fn new(name: &'static str) -> Self {
        let site = Site::new().set("domain", "skms_uri", &format!("\"sip:skms.example.{name}\"")).set(
            "domain",
            "kms_uri",
            &format!("\"kms.example.{name}\""),
        );
        Self { site, name }
    }

    /// Makes the other side a peer, which listens at a port and has given a certificate to ask with.
    fn knowing(mut self, other: &Site, other_name: &str, port: u16, own: &str, san: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = client_params(own).signed_by(&key, &other.authority).unwrap();
        self.site.write("peer.pem", &certificate.pem());
        self.site.write("peer.key", &key.serialize_pem());
        self.site.write("roots.pem", &std::fs::read_to_string(other.path("ca.pem")).unwrap());
        let path = |name: &str| format!("{:?}", self.site.path(name));
        let table = format!(
            "kms_uri = \"kms.example.{other_name}\"\nskms_uri = \"sip:skms.example.{other_name}\"\n\
             server = \"https://localhost:{port}\"\nsan = \"{san}\"\nroots = {}\ncert = {}\nkey = {}",
            path("roots.pem"),
            path("peer.pem"),
            path("peer.key"),
        );
        self.site = self.site.with_table("peer", &table);
        self
    }

    /// Asks another port of the peer.
    fn asking(self, old: u16, new: u16) -> Self {
        let address = |port| format!("server = \"https://localhost:{port}\"");
        Self { site: self.site.replace(&address(old), &address(new)), ..self }
    }

    fn skms(&self, arguments: &[&str]) -> Run {
        run(self.site.command(arguments), "")
    }

    /// Starts the server, with new master secrets if the store has none.
    fn serve(&self) -> Process {
        self.site.spawn(&["--trial"])
    }

    fn token(&self, user: &str) -> String {
        let claims = with(claims("client-1", "seal:key-management"), "val_user_id", json!(user));
        format!("Bearer {}", self.site.sign(&with(claims, "val_service_ids", json!([SERVICE, IDENTITY_KEYS]))))
    }

    fn ue(&self, server: &Process) -> Client {
        Client::new(server.address("km_uu"), self.site.anonymous())
    }

    async fn domain(&self, server: &Process, user: &str) -> Domain {
        let headers = [("authorization", self.token(user))];
        let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
        let answer = self.ue(server).send("GET", "/seal-km/v1/domain", &headers, "").await;
        Domain::from_json(answer.body.as_bytes()).unwrap()
    }

    /// The present certificate of this domain, and the keys of a user under it.
    async fn user(&self, server: &Process, user: &str) -> (Arc<KmsCertificate>, Arc<UserKeys>) {
        let domain = self.domain(server, user).await;
        let request = json!({"Version": "1.0.0", "SKmsUri": domain.skms_uri().as_str(), "ServiceID": IDENTITY_KEYS,
            "UserID": user, "DateTime": now()});
        let token = self.token(user);
        let headers = [JSON, ("authorization", token.as_str())];
        let answer = self.ue(server).send("POST", crate::http::KM, &headers, request.to_string()).await;
        let payload = answer.assert_km(200, None)["Payload"].as_str().unwrap().to_owned();
        let Some(KmsMessage::KeyProv(keys)) = message(&payload) else { panic!("{payload}") };
        let at = Timestamp::now().unwrap();
        let certificate = Arc::clone(domain.trusted_certificates().select(domain.kms_uri(), at).unwrap());
        let keys = keys.key_sets[0].import(&certificate, None).unwrap();
        (certificate, Arc::new(keys))
    }

    /// The certificates of other domains, as a client gets them.
    async fn externals(&self, server: &Process, user: &str) -> Vec<Arc<KmsCertificate>> {
        let kms = Uri::parse(&format!("kms.example.{}", self.name)).unwrap();
        let request =
            KmsRequest::new(Uri::parse(user).unwrap(), kms, Timestamp::now().unwrap(), "https://localhost".into());
        let token = self.token(user);
        let headers = [XML, ("authorization", token.as_str())];
        let xml = request.to_xml().unwrap().to_string();
        let answer = self.ue(server).send("POST", "/keymanagement/identity/v1/certcache", &headers, xml).await;
        let Some(KmsMessage::CertCache(cache)) = message(&answer.body) else { panic!("{answer:?}") };
        cache.certificates.into_iter().map(|document| document.certificate).collect()
    }

    /// The fingerprints that the operator of this side reads out, in the order of the certificates.
    fn fingerprints(&self) -> Vec<String> {
        let path = self.site.path("export.json");
        let out = self.skms(&["certs", "export", "--force", path.to_str().unwrap()]).done();
        out.lines().skip(1).map(|line| line.trim().split(',').next().unwrap().to_owned()).collect()
    }
}

fn message(xml: &str) -> Option<KmsMessage> {
    KmsResponse::from_xml(xml.as_bytes(), Tolerances::default()).unwrap().message
}

fn port(server: &Process) -> u16 {
    server.address("km_s").port()
}

/// The key period that it is.
fn present() -> u64 {
    Timestamp::now().unwrap().seconds_since_1900() / 2_592_000
}

/// A server of example.net that answers example.org, and what example.org asks it with.
fn pair() -> (Side, Side, Process) {
    let org = Side::new("org");
    // Who answers does not ask here: nothing listens where it would.
    let net = Side::new("net").knowing(&org.site, "org", 1, NET, ORG);
    let server = net.serve();
    let org = org.knowing(&net.site, "net", port(&server), ORG, NET);
    (org, net, server)
}

#[tokio::test]
async fn users_of_two_domains_reach_each_other() {
    let (org, net, net_server) = pair();
    let [fingerprint] = <[String; 1]>::try_from(net.fingerprints()).unwrap();

    // Nobody has vouched for the first certificate: a person compares it.
    org.skms(&["certs", "fetch"]).fails(1, &["no certificate of the domain is held", &fingerprint, "--first"]);
    let other = "00".repeat(32);
    let first = |compared: &str| org.skms(&["certs", "fetch", "kms.example.net", "--first", compared]);
    first(&other).fails(1, &["another fingerprint", &fingerprint]);
    assert_eq!(org.skms(&["certs", "list"]).done(), "");
    assert!(first(&fingerprint).done().contains("kms.example.net: 1 new, 0 changed, 0 known"));
    let list = org.skms(&["certs", "list"]).done();
    assert!(list.contains(&fingerprint) && list.contains("from https://localhost:"), "{list}");
    assert!(org.skms(&["certs", "fetch"]).done().contains("0 new, 0 changed, 1 known"));

    // A server that starts asks at once.
    let org_server = org.serve();
    org_server.wait_for_log("asked a peer");
    let net = net.asking(1, port(&org_server));
    let [own] = <[String; 1]>::try_from(org.fingerprints()).unwrap();
    net.skms(&["certs", "fetch", "kms.example.org", "--first", &own]).done();

    let (org_certificate, alice) = org.user(&org_server, ALICE).await;
    let (net_certificate, bob) = net.user(&net_server, BOB).await;
    let [of_net] = <[_; 1]>::try_from(org.externals(&org_server, ALICE).await).unwrap();
    let [of_org] = <[_; 1]>::try_from(net.externals(&net_server, BOB).await).unwrap();
    assert!(of_net.has_the_keys_of(&net_certificate) && of_org.has_the_keys_of(&org_certificate));
    let at = Timestamp::now().unwrap();
    let bundle = KeyBundle::generate(Profile::ts33180_pck(), &mut SysRng).unwrap();
    let recipient = Recipient { user: Uri::parse(BOB).unwrap(), certificate: of_net };
    let sent = Initiator::new(alice).distribute(&bundle, &recipient, at, &mut SysRng).unwrap();
    let mut responder = Responder::new(bob, Policy::default());
    assert!(responder.extract(&sent, at).is_err(), "nobody of the other domain is accepted yet");
    responder.trust(of_org).unwrap();
    let received = responder.extract(&sent, at).unwrap();
    assert_eq!((received.initiator.as_str(), received.id), (ALICE, bundle.id()));
}

#[tokio::test]
async fn new_master_secrets_are_followed_and_revoked_ones_are_not() {
    let (org, net, net_server) = pair();
    let [old] = <[String; 1]>::try_from(net.fingerprints()).unwrap();
    org.skms(&["certs", "fetch", "kms.example.net", "--first", &old]).done();

    // The old keys vouch for the new ones.
    net.skms(&["domain", "rollover", "--from-period", &(present() + 2).to_string()]).done();
    let both = net.fingerprints();
    let org_server = org.serve();
    org_server.wait_for_log("asked a peer");
    let list = org.skms(&["certs", "list"]).done();
    assert!(both.len() == 2 && both.iter().all(|fingerprint| list.contains(fingerprint)), "{list}");

    // Nobody vouches for keys that take the place of revoked ones.
    net.skms(&["domain", "rollover", "--now", "--revoke-old"]).done();
    org.skms(&["certs", "fetch"]).fails(1, &["not signed under the certificate that is held"]);
    let listed = org.skms(&["certs", "list"]).done();
    assert_eq!(listed, list);
    org.skms(&["certs", "remove", "kms.example.net"]).done();
    let newest = net.fingerprints().into_iter().find(|fingerprint| !both.contains(fingerprint)).unwrap();
    org.skms(&["certs", "fetch", "kms.example.net", "--first", &newest]).done();
    drop(net_server);
    org.skms(&["certs", "fetch"]).fails(1, &["kms.example.net", "cannot reach the server"]);
}

#[tokio::test]
async fn only_a_peer_is_answered_and_only_for_itself() {
    let (org, net, server) = pair();
    let ask = async |uri: &str, path: &str| Client::new(server.address("km_s"), net.site.client(uri)).get(path).await;
    let question = format!("{CERTIFICATES}?nonce={}", "07".repeat(16));
    let answer = ask(ORG, &question).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")), "{answer:?}");
    let statement: Value = serde_json::from_str(answer.json()["Statement"].as_str().unwrap()).unwrap();
    assert_eq!(statement["Audience"], "sip:skms.example.org");
    for stranger in ["https://skms.example.com", crate::site::VAL.0] {
        ask(stranger, &question).await.assert_problem(403, "NOT_PERMITTED");
    }
    for malformed in ["", "?", "?nonce=", "?nonce=07", "?audience=sip:skms.example.org"] {
        ask(ORG, &format!("{CERTIFICATES}{malformed}")).await.assert_problem(400, "REQUEST");
    }
    let ue = Client::new(server.address("km_uu"), net.site.anonymous());
    assert_eq!(ue.get(&question).await.status, 404);
    let groups = Client::new(server.address("seal_x1"), net.site.client(ORG));
    assert_eq!(groups.get(&question).await.status, 404);

    // Whoever else has a certificate of that server's name does not have its master secrets.
    let [fingerprint] = <[String; 1]>::try_from(net.fingerprints()).unwrap();
    org.skms(&["certs", "fetch", "kms.example.net", "--first", &fingerprint]).done();
    let impostor = Side { site: net.site.set("store", "url", "\"sqlite:DIR/impostor.db\""), name: "net" };
    let impostor_server = impostor.serve();
    let org = org.asking(port(&server), port(&impostor_server));
    org.skms(&["certs", "fetch"]).fails(1, &["not signed under the certificate that is held"]);
    // A server of another authority is not even asked.
    let foreign = Side::new("net").knowing(&org.site, "org", 1, NET, ORG);
    let foreign_server = foreign.serve();
    let org = org.asking(port(&impostor_server), port(&foreign_server));
    org.skms(&["certs", "fetch"]).fails(1, &["cannot reach the server"]);
    assert!(org.skms(&["certs", "list"]).done().contains(&fingerprint));
}
