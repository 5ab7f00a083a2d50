//! Client certificates, over KM-S and SEAL-X1.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CustomExtension, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyIdMethod, KeyPair, RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};
use rustls::client::ResolvesClientCert;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::{AlertDescription as Alert, ClientConfig, SignatureScheme};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::batch::Case;
use crate::site::{GROUPS, PATIENCE, Site, VAL, client_params, km_request};
use crate::world::{FORBIDDEN, GOOD, World, server};

/// The serial number of the certificate that is revoked.
const REVOKED: u64 = 7;

/// What is changed in the parameters of a certificate.
type Change = fn(&mut CertificateParams);

/// With the alert that the server ends the handshake with.
const CHANGES: &[(&str, Change, Alert)] = &[
    ("expired", |params| params.not_after = date_time_ymd(2020, 1, 1), Alert::CertificateExpired),
    ("not valid yet", |params| params.not_before = date_time_ymd(3000, 1, 1), Alert::CertificateExpired),
    ("revoked", |params| params.serial_number = Some(SerialNumber::from(REVOKED)), Alert::CertificateRevoked),
    (
        "for servers",
        |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth],
        Alert::UnsupportedCertificate,
    ),
    ("for nothing said", |params| params.extended_key_usages.clear(), Alert::UnsupportedCertificate),
    (
        "for anything",
        |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any],
        Alert::UnsupportedCertificate,
    ),
    ("of an authority", |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained), Alert::CertificateUnknown),
    ("a common name alone", |params| params.subject_alt_names.clear(), Alert::AccessDenied),
    ("two URIs", |params| params.subject_alt_names.push(name_uri(GROUPS.0)), Alert::AccessDenied),
    (
        "two DNS names",
        |params| params.subject_alt_names = ["val.example.org", "groups.example.org"].map(name_dns).into(),
        Alert::AccessDenied,
    ),
    ("a DNS name for all", |params| params.subject_alt_names = vec![name_dns("*.example.org")], Alert::AccessDenied),
    (
        "a mail address",
        |params| params.subject_alt_names = vec![SanType::Rfc822Name("val@example.org".try_into().unwrap())],
        Alert::AccessDenied,
    ),
    (
        "an IP address",
        |params| params.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())],
        Alert::AccessDenied,
    ),
    ("an empty URI", |params| params.subject_alt_names = vec![name_uri("")], Alert::AccessDenied),
    (
        "a URI with a line end",
        |params| params.subject_alt_names = vec![name_uri("https://val.example.org\n")],
        Alert::AccessDenied,
    ),
    (
        "a URI with NUL",
        |params| params.subject_alt_names = vec![name_uri("https://val.example.org\0.evil.example.org")],
        Alert::AccessDenied,
    ),
    (
        "a URI of 2,000 octets",
        |params| params.subject_alt_names = vec![name_uri(&format!("https://{}", "x".repeat(2000)))],
        Alert::AccessDenied,
    ),
    (
        "a critical extension that is not known",
        |params| params.custom_extensions.push(critical()),
        Alert::CertificateUnknown,
    ),
];

fn name_uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

fn name_dns(text: &str) -> SanType {
    SanType::DnsName(text.try_into().unwrap())
}

fn critical() -> CustomExtension {
    let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![5, 0]);
    extension.set_criticality(true);
    extension
}

/// Names that handshakes end well with, and whom no row of the policy knows.
const STRANGERS: &[(&str, Change)] = &[
    ("a DNS name in place of the URI", |params| params.subject_alt_names = vec![name_dns("val.example.org")]),
    ("another URI", |params| params.subject_alt_names = vec![name_uri("https://val.example.org.evil.example.org")]),
    ("another scheme", |params| params.subject_alt_names = vec![name_uri("http://val.example.org")]),
    ("an escape", |params| params.subject_alt_names = vec![name_uri("https://v%61l.example.org")]),
    ("the URI as a DNS name, beside another URI", |params| {
        params.subject_alt_names = vec![name_dns("val.example.org"), name_uri("urn:other")];
    }),
];

/// The alert that a handshake, or the first read after it, ends with. In TLS 1.3 a client is done before the server has
/// seen its certificate.
async fn alert(address: SocketAddr, tls: ClientConfig) -> Option<Alert> {
    let attempt = async {
        let tcp = TcpStream::connect(address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = TlsConnector::from(Arc::new(tls)).connect(name, tcp).await?;
        stream.read(&mut [0]).await
    };
    let error: io::Error = tokio::time::timeout(PATIENCE, attempt).await.unwrap().err()?;
    match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::AlertReceived(alert) => Some(*alert),
        _ => None,
    }
}

/// Presents a chain and uses a key, whatever they are.
#[derive(Debug)]
struct Shown(Arc<CertifiedKey>);

impl ResolvesClientCert for Shown {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// A client that shows a chain and signs with a key.
fn shown(site: &Site, chain: &[&rcgen::Certificate], key: &KeyPair) -> ClientConfig {
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let key = skm::tls::provider().key_provider.load_private_key(key).unwrap();
    let chain = chain.iter().map(|certificate| certificate.der().clone()).collect();
    let mut tls = site.anonymous();
    tls.client_auth_cert_resolver = Arc::new(Shown(Arc::new(CertifiedKey::new(chain, key))));
    tls
}

/// Clients with certificates that are not made by parameters alone.
fn made(site: &Site) -> Vec<(&'static str, ClientConfig, Alert)> {
    let (key, other_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let params = client_params(VAL.0);
    let good = params.signed_by(&key, &site.authority).unwrap();
    let signed_by_client = params.signed_by(&other_key, &Issuer::new(params.clone(), &key)).unwrap();
    let of_other = site.client_of(&params, &Site::new().authority);
    vec![
        ("none", site.anonymous(), Alert::CertificateRequired),
        ("of another authority of the same name", of_other, Alert::DecryptError),
        ("signed by itself", shown(site, &[&params.self_signed(&key).unwrap()], &key), Alert::UnknownCA),
        ("signed by a client", shown(site, &[&signed_by_client, &good], &other_key), Alert::CertificateUnknown),
        ("of somebody else", shown(site, &[&good], &other_key), Alert::DecryptError),
        ("after another one", shown(site, &[&signed_by_client, &good], &key), Alert::CertificateUnknown),
        ("an empty chain", shown(site, &[], &key), Alert::CertificateRequired),
    ]
}

#[tokio::test]
async fn certificates() {
    let site = Site::new().set("time", "window_seconds", "3600").set("tls", "crl_files", "[\"DIR/crl.pem\"]");
    site.write_crl("crl.pem", &[REVOKED]);
    let world = World::of(site).await;
    let changed = CHANGES.iter().map(|(name, change, alert)| {
        let mut params = client_params(VAL.0);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &world.site.authority).unwrap();
        (*name, shown(&world.site, &[&certificate], &key), *alert)
    });
    for (name, tls, expected) in changed.chain(made(&world.site)) {
        for listener in ["km_s", "seal_x1"] {
            let found = alert(world.server.address(listener), tls.clone()).await;
            world.case(name, || assert_eq!(found, Some(expected), "{name} on {listener}"));
        }
    }
    for (name, change) in STRANGERS {
        let mut params = client_params(VAL.0);
        change(&mut params);
        let client = crate::http::Client::new(world.server.address("km_s"), world.site.client_with(&params));
        let body = km_request().to_string().into();
        world.run([Case::km(name, &client, world.bearer(&server(VAL.1)), body, FORBIDDEN)]).await;
    }
    // Whom KM-UU does not ask, it does not listen to: a certificate gives nobody there the rights of a server.
    let client = crate::http::Client::new(world.server.address("km_uu"), world.site.client(VAL.0));
    let body = || km_request().to_string().into();
    world.run([Case::km("on KM-UU", &client, world.bearer(&server(VAL.1)), body(), FORBIDDEN)]).await;
    let client = world.mutual("km_s", VAL.0);
    world.run([Case::km("as it should be", &client, world.bearer(&server(VAL.1)), body(), GOOD)]).await;
    world.finish(40).await;
}

#[tokio::test]
async fn revocation_lists() {
    for (name, is_own, next_update, expected) in [
        ("past its next update", true, 2010, Alert::UnknownCA),
        ("of another authority", false, 3000, Alert::HandshakeFailure),
    ] {
        let site = Site::new().set("tls", "crl_files", "[\"DIR/crl.pem\"]");
        let other = Site::new();
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2000, 1, 1),
            next_update: date_time_ymd(next_update, 1, 1),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: Vec::<RevokedCertParams>::new(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(if is_own { &site.authority } else { &other.authority }).unwrap();
        site.write("crl.pem", &list.pem().unwrap());
        let server = site.spawn(&[]);
        for (listener, san) in [("km_s", VAL.0), ("seal_x1", GROUPS.0)] {
            assert_eq!(alert(server.address(listener), site.client(san)).await, Some(expected), "{name} on {listener}");
        }
        assert_eq!(crate::http::Client::plain(server.address("admin")).get("/readyz").await.status, 200, "{name}");
    }
}
