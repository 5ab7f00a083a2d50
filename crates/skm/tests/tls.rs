//! The listeners over loopback: who gets past the handshake, and by what name.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ProtocolVersion, RootCertStore};
use skm::limits::Rate;
use skm::tls::{ClientAuth, ListenerSettings, MinVersion, Peer, San, Tls, TlsError, TlsListener, TlsSettings};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::server::TlsStream;

type Issuer = rcgen::Issuer<'static, KeyPair>;

fn authority(name: &str) -> (rcgen::Certificate, Issuer) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.self_signed(&key).unwrap(), Issuer::new(params, key))
}

/// The parameters of a client's certificate that is in order.
fn client() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "val.example.org");
    params.subject_alt_names = vec![uri("https://val.example.org/a")];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.serial_number = Some(SerialNumber::from(7_u64));
    params
}

fn with(change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = client();
    change(&mut params);
    params
}

fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

fn dns(text: &str) -> SanType {
    SanType::DnsName(text.try_into().unwrap())
}

/// An authority and a server with its files.
struct Site {
    directory: TempDir,
    authority: Issuer,
    root: CertificateDer<'static>,
}

impl Site {
    fn new() -> Self {
        let (certificate, authority) = authority("authority");
        let site = Self { directory: TempDir::new().unwrap(), authority, root: certificate.der().clone() };
        let key = KeyPair::generate().unwrap();
        let server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let server = server.signed_by(&key, &site.authority).unwrap();
        site.write("ca.pem", &certificate.pem());
        site.write("cert.pem", &server.pem());
        site.write("key.pem", &key.serialize_pem());
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Writes a revocation list of these serial numbers that ends in a year.
    fn write_crl(&self, name: &str, issuer: &Issuer, revoked: &[u64], year: i32) {
        let revoked_certs = revoked.iter().map(|&serial| RevokedCertParams {
            serial_number: SerialNumber::from(serial),
            revocation_time: date_time_ymd(2001, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2000, 1, 1),
            next_update: date_time_ymd(year, 1, 1),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: revoked_certs.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        self.write(name, &list.signed_by(issuer).unwrap().pem().unwrap());
    }

    fn settings(&self) -> TlsSettings {
        TlsSettings {
            cert: self.path("cert.pem"),
            key: self.path("key.pem"),
            client_ca: Some(self.path("ca.pem")),
            crl_files: Vec::new(),
            min_version: MinVersion::Tls12,
        }
    }

    fn with_crl(&self) -> TlsSettings {
        TlsSettings { crl_files: vec![self.path("crl.pem")], ..self.settings() }
    }

    /// A client that trusts the server, with a certificate of this site.
    fn client(&self, params: &CertificateParams) -> ClientConfig {
        self.client_of(params, &self.authority)
    }

    fn client_of(&self, params: &CertificateParams, issuer: &Issuer) -> ClientConfig {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        self.roots(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .with_client_auth_cert(vec![certificate.der().clone()], key)
            .unwrap()
    }

    fn anonymous(&self) -> ClientConfig {
        self.roots(&[&rustls::version::TLS13, &rustls::version::TLS12]).with_no_client_auth()
    }

    fn roots(
        &self,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
        builder.with_root_certificates(roots)
    }
}

async fn serve(tls: Arc<Tls>, settings: ListenerSettings) -> SocketAddr {
    let mut listener = TlsListener::bind(([127, 0, 0, 1], 0).into(), tls, settings).await.unwrap();
    let address = listener.address();
    tokio::spawn(async move {
        loop {
            if let (address, Ok(stream)) = listener.accept().await {
                tokio::spawn(answer(stream, address));
            }
        }
    });
    address
}

/// Answers a request with the name of who asks.
async fn answer(mut stream: TlsStream<TcpStream>, address: SocketAddr) -> std::io::Result<()> {
    let peer = Peer::of(&stream, address);
    let name = peer.certificate.map_or_else(|| "nobody".to_owned(), |certificate| certificate.san().to_string());
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await?);
    }
    stream.write_all(format!("HTTP/1.1 200 OK\r\n\r\n{name}").as_bytes()).await?;
    stream.shutdown().await
}

async fn start(settings: TlsSettings, clients: ClientAuth) -> SocketAddr {
    serve(Arc::new(Tls::new(settings, clients).unwrap()), ListenerSettings::default()).await
}

async fn mutual(settings: TlsSettings) -> SocketAddr {
    start(settings, ClientAuth::Demanded).await
}

/// Asks the server who one is; none if it does not answer.
async fn whoami(address: SocketAddr, client: ClientConfig) -> Option<String> {
    exchange(address, &Arc::new(client)).await.map(|(answer, ..)| answer)
}

/// The answer, the version, and whether early data was offered.
async fn exchange(address: SocketAddr, client: &Arc<ClientConfig>) -> Option<(String, ProtocolVersion, bool)> {
    let tcp = TcpStream::connect(address).await.ok()?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut is_early = false;
    let connect = TlsConnector::from(Arc::clone(client)).connect_with(name, tcp, |session| {
        is_early = session.early_data().is_some();
    });
    let mut stream = connect.await.ok()?;
    let request = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.ok()?;
    let mut answer = String::new();
    // An end without close_notify is an error after the answer.
    let _ = stream.read_to_string(&mut answer).await;
    let version = stream.get_ref().1.protocol_version()?;
    let body = answer.strip_prefix("HTTP/1.1 200")?.split_once("\r\n\r\n")?.1;
    Some((body.to_owned(), version, is_early))
}

/// Whether a client gets in where certificates are demanded.
async fn named(params: &CertificateParams) -> Option<String> {
    let site = Site::new();
    let address = mutual(site.settings()).await;
    assert!(whoami(address, site.client(&client())).await.is_some(), "the listener works");
    whoami(address, site.client(params)).await
}

#[tokio::test]
async fn a_client_is_known_by_its_uri() {
    assert_eq!(named(&client()).await.as_deref(), Some("https://val.example.org/a"));
}

#[tokio::test]
async fn a_uri_goes_before_dns_names() {
    let params = with(|params| params.subject_alt_names = vec![dns("a.example"), uri("urn:b"), dns("c.example")]);
    assert_eq!(named(&params).await.as_deref(), Some("urn:b"));
}

#[tokio::test]
async fn a_client_without_uri_is_known_by_its_dns_name() {
    let params = with(|params| params.subject_alt_names = vec![dns("VAL.example.org")]);
    assert_eq!(named(&params).await.as_deref(), Some("val.example.org"));
}

#[tokio::test]
async fn nobody_is_asked_on_a_listener_for_ues() {
    let site = Site::new();
    let address = start(site.settings(), ClientAuth::NotAsked).await;
    assert_eq!(whoami(address, site.anonymous()).await.as_deref(), Some("nobody"));
    assert_eq!(whoami(address, site.client(&client())).await.as_deref(), Some("nobody"));
}

#[tokio::test]
async fn no_certificate() {
    let site = Site::new();
    let address = mutual(site.settings()).await;
    assert_eq!(whoami(address, site.anonymous()).await, None);
}

#[tokio::test]
async fn certificate_of_another_authority() {
    let site = Site::new();
    let address = mutual(site.settings()).await;
    let (_, other) = authority("authority");
    assert_eq!(whoami(address, site.client_of(&client(), &other)).await, None);
}

#[tokio::test]
async fn expired_certificate() {
    assert_eq!(named(&with(|params| params.not_after = date_time_ymd(2001, 1, 1))).await, None);
}

#[tokio::test]
async fn certificate_of_the_future() {
    assert_eq!(named(&with(|params| params.not_before = date_time_ymd(3001, 1, 1))).await, None);
}

#[tokio::test]
async fn common_name_alone() {
    assert_eq!(named(&with(|params| params.subject_alt_names.clear())).await, None);
}

#[tokio::test]
async fn names_of_other_kinds_alone() {
    let names = vec![SanType::IpAddress([127, 0, 0, 1].into()), SanType::Rfc822Name("a@b.example".try_into().unwrap())];
    assert_eq!(named(&with(|params| params.subject_alt_names = names)).await, None);
}

#[tokio::test]
async fn two_uris() {
    assert_eq!(named(&with(|params| params.subject_alt_names.push(uri("https://val.example.org/b")))).await, None);
}

#[tokio::test]
async fn two_dns_names() {
    let names = vec![dns("a.example"), dns("b.example")];
    assert_eq!(named(&with(|params| params.subject_alt_names = names)).await, None);
}

#[tokio::test]
async fn names_that_are_malformed() {
    for name in [dns("*.example.org"), dns("https://val.example.org/a"), dns("a..b"), uri("val"), uri("urn:a b")] {
        assert_eq!(named(&with(|params| params.subject_alt_names = vec![name.clone()])).await, None, "{name:?}");
    }
}

#[tokio::test]
async fn certificate_for_servers() {
    let usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    assert_eq!(named(&with(|params| params.extended_key_usages = usages)).await, None);
}

#[tokio::test]
async fn certificate_without_extended_key_usage() {
    assert_eq!(named(&with(|params| params.extended_key_usages.clear())).await, None);
}

#[tokio::test]
async fn certificate_of_an_authority() {
    let params = with(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    assert_eq!(named(&params).await, None);
}

#[tokio::test]
async fn revocation() {
    let site = Site::new();
    site.write_crl("crl.pem", &site.authority, &[8], 3000);
    let address = mutual(site.with_crl()).await;
    assert!(whoami(address, site.client(&client())).await.is_some());
    let revoked = with(|params| params.serial_number = Some(SerialNumber::from(8_u64)));
    assert_eq!(whoami(address, site.client(&revoked)).await, None);
}

#[tokio::test]
async fn expired_revocation_list() {
    let site = Site::new();
    site.write_crl("crl.pem", &site.authority, &[], 2001);
    let address = mutual(site.with_crl()).await;
    assert_eq!(whoami(address, site.client(&client())).await, None);
}

#[tokio::test]
async fn revocation_list_of_another_authority() {
    let site = Site::new();
    let (_, other) = authority("another");
    site.write_crl("crl.pem", &other, &[], 3000);
    let address = mutual(site.with_crl()).await;
    assert_eq!(whoami(address, site.client(&client())).await, None, "nothing is known of the certificate");
}

#[tokio::test]
async fn what_is_read_again_counts_from_the_next_handshake() {
    let site = Site::new();
    site.write_crl("crl.pem", &site.authority, &[], 3000);
    let tls = Arc::new(Tls::new(site.with_crl(), ClientAuth::Demanded).unwrap());
    let address = serve(Arc::clone(&tls), ListenerSettings::default()).await;
    // One client, so that it would resume its session if the server let it.
    let client = Arc::new(site.client(&client()));
    assert!(exchange(address, &client).await.is_some());
    site.write_crl("crl.pem", &site.authority, &[7], 3000);
    assert!(exchange(address, &client).await.is_some());
    tls.reload().unwrap();
    assert!(exchange(address, &client).await.is_none());
}

#[tokio::test]
async fn what_cannot_be_read_again_leaves_all_as_it_was() {
    let site = Site::new();
    let tls = Arc::new(Tls::new(site.settings(), ClientAuth::Demanded).unwrap());
    let address = serve(Arc::clone(&tls), ListenerSettings::default()).await;
    site.write("cert.pem", "");
    assert!(matches!(tls.reload(), Err(TlsError::Empty(_))));
    assert!(whoami(address, site.client(&client())).await.is_some());
}

#[tokio::test]
async fn versions() {
    let site = Site::new();
    let both = start(site.settings(), ClientAuth::NotAsked).await;
    let narrow = TlsSettings { min_version: MinVersion::Tls13, ..site.settings() };
    let narrow = start(narrow, ClientAuth::NotAsked).await;
    let client = |version| Arc::new(site.roots(&[version]).with_no_client_auth());
    let (tls12, tls13) = (client(&rustls::version::TLS12), client(&rustls::version::TLS13));
    assert_eq!(exchange(both, &tls12).await.unwrap().1, ProtocolVersion::TLSv1_2);
    assert_eq!(exchange(both, &tls13).await.unwrap().1, ProtocolVersion::TLSv1_3);
    assert_eq!(exchange(narrow, &tls13).await.unwrap().1, ProtocolVersion::TLSv1_3);
    assert!(exchange(narrow, &tls12).await.is_none());
}

#[tokio::test]
async fn early_data() {
    let site = Site::new();
    let address = start(site.settings(), ClientAuth::NotAsked).await;
    let mut client = site.anonymous();
    client.enable_early_data = true;
    let client = Arc::new(client);
    for _ in 0..3 {
        let (.., is_early) = exchange(address, &client).await.unwrap();
        assert!(!is_early);
    }
}

/// A ClientHello of a version up to TLS 1.2 (RFC 5246, section 7.4.1.2) with these cipher suites.
fn client_hello(version: [u8; 2], suites: &[[u8; 2]], master_secret: bool) -> Vec<u8> {
    let block = |body: &[u8]| [&u16::try_from(body.len()).unwrap().to_be_bytes(), body].concat();
    let mut extensions = vec![
        // supported_groups: secp256r1; ec_point_formats: uncompressed.
        0, 10, 0, 4, 0, 2, 0, 23, 0, 11, 0, 2, 1, 0,
        // signature_algorithms: ecdsa_secp256r1_sha256, rsa_pkcs1_sha256.
        0, 13, 0, 6, 0, 4, 4, 3, 4, 1,
    ];
    if master_secret {
        extensions.extend([0, 23, 0, 0]);
    }
    let hello = [&version[..], &[7; 32], &[0], &block(suites.as_flattened()), &[1, 0], &block(&extensions)].concat();
    let length = u32::try_from(hello.len()).unwrap().to_be_bytes();
    let handshake = [&[1], &length[1..], &hello[..]].concat();
    [&[22, 3, 1], &block(&handshake)[..]].concat()
}

/// The type of the first record of the answer, and for an alert its description.
async fn first_record(address: SocketAddr, hello: &[u8]) -> (u8, Option<u8>) {
    let mut tcp = TcpStream::connect(address).await.unwrap();
    tcp.write_all(hello).await.unwrap();
    let mut record = [0; 7];
    tcp.read_exact(&mut record).await.unwrap();
    (record[0], (record[0] == ALERT.0).then_some(record[6]))
}

const HANDSHAKE: (u8, Option<u8>) = (22, None);
const ALERT: (u8, Option<u8>) = (21, None);
const TLS_1_1: [u8; 2] = [3, 2];
const TLS_1_2: [u8; 2] = [3, 3];
const ECDHE_ECDSA_AES_128_GCM: [u8; 2] = [0xc0, 0x2b];

#[tokio::test]
async fn ciphers_with_ecdhe_and_aes_gcm() {
    let site = Site::new();
    let address = mutual(site.settings()).await;
    for suite in [ECDHE_ECDSA_AES_128_GCM, [0xc0, 0x2c]] {
        assert_eq!(first_record(address, &client_hello(TLS_1_2, &[suite], true)).await, HANDSHAKE);
    }
}

#[tokio::test]
async fn other_ciphers() {
    let site = Site::new();
    let address = mutual(site.settings()).await;
    // CBC with SHA-1, with SHA-256, ChaCha20, static RSA with GCM, without encryption, with DHE.
    for suite in [[0xc0, 0x09], [0xc0, 0x23], [0xcc, 0xa9], [0, 0x9c], [0xc0, 0x06], [0, 0x9e]] {
        let hello = client_hello(TLS_1_2, &[suite], true);
        assert_eq!(first_record(address, &hello).await, (ALERT.0, Some(40)), "{suite:x?}");
    }
}

#[tokio::test]
async fn versions_before_1_2() {
    let site = Site::new();
    let address = mutual(site.settings()).await;
    for version in [TLS_1_1, [3, 1], [3, 0]] {
        let hello = client_hello(version, &[[0xc0, 0x09], ECDHE_ECDSA_AES_128_GCM], true);
        assert_eq!(first_record(address, &hello).await, (ALERT.0, Some(70)), "{version:?}");
    }
}

#[tokio::test]
async fn tls_1_2_without_extended_master_secret() {
    let site = Site::new();
    let address = mutual(site.settings()).await;
    let hello = client_hello(TLS_1_2, &[ECDHE_ECDSA_AES_128_GCM], false);
    assert_eq!(first_record(address, &hello).await.0, ALERT.0);
}

#[tokio::test]
async fn plain_http() {
    let site = Site::new();
    let address = mutual(site.settings()).await;
    let mut tcp = TcpStream::connect(address).await.unwrap();
    tcp.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = tcp.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"));
}

#[tokio::test]
async fn a_handshake_that_says_nothing_holds_up_no_other_and_ends() {
    let site = Site::new();
    let tls = Arc::new(Tls::new(site.settings(), ClientAuth::Demanded).unwrap());
    let handshake_timeout = Duration::from_secs(2);
    let address = serve(tls, ListenerSettings { handshake_timeout, ..ListenerSettings::default() }).await;
    let mut silent = TcpStream::connect(address).await.unwrap();
    assert!(whoami(address, site.client(&client())).await.is_some());
    let mut octet = [0];
    let end = tokio::time::timeout(Duration::from_secs(9), silent.read(&mut octet));
    let end = end.await.expect("it ends before the 10 seconds of the default");
    assert_eq!(end.unwrap_or(0), 0, "the server closes");
}

/// Opens 50 connections that say nothing; whether the last is closed before a handshake.
async fn is_flood_stopped(settings: ListenerSettings) -> bool {
    let site = Site::new();
    let tls = Arc::new(Tls::new(site.settings(), ClientAuth::Demanded).unwrap());
    let address = serve(tls, settings).await;
    let mut connections = Vec::new();
    for _ in 0..50 {
        connections.push(TcpStream::connect(address).await.unwrap());
    }
    let last = connections.last_mut().unwrap();
    let end = tokio::time::timeout(Duration::from_secs(3), last.read(&mut [0])).await;
    end.is_ok_and(|octets| octets.unwrap_or(0) == 0)
}

#[tokio::test]
async fn handshakes_of_one_address_are_limited() {
    let settings = ListenerSettings::default();
    let per_second = Rate { per_second: 1, burst: 2 };
    assert!(is_flood_stopped(ListenerSettings { rate_per_address: per_second, ..settings }).await);
    assert!(is_flood_stopped(ListenerSettings { handshakes_per_address: 2, ..settings }).await);
    assert!(!is_flood_stopped(settings).await);
}

#[test]
fn files() {
    let site = Site::new();
    let result = |settings, clients| Tls::new(settings, clients).map(drop);
    let settings = site.settings();
    let none = TlsSettings { client_ca: None, ..site.settings() };
    assert!(matches!(result(none.clone(), ClientAuth::Demanded), Err(TlsError::NoClientCa)));
    assert!(result(none, ClientAuth::NotAsked).is_ok());
    let missing = TlsSettings { cert: Path::new("missing.pem").into(), ..settings.clone() };
    assert!(matches!(result(missing, ClientAuth::NotAsked), Err(TlsError::File { .. })));
    let keyless = TlsSettings { key: site.path("cert.pem"), ..settings.clone() };
    assert!(matches!(result(keyless, ClientAuth::NotAsked), Err(TlsError::File { .. })));
    let listless = TlsSettings { crl_files: vec![site.path("ca.pem")], ..settings.clone() };
    assert!(matches!(result(listless, ClientAuth::Demanded), Err(TlsError::Empty(_))));
    site.write("key.pem", &KeyPair::generate().unwrap().serialize_pem());
    assert!(matches!(result(settings, ClientAuth::NotAsked), Err(TlsError::Certificate(_))), "another key");
}

#[test]
fn configured_names() {
    assert_eq!(San::parse("urn:a"), Ok(San::Uri("urn:a".into())));
    assert_eq!(San::parse("A.example"), Ok(San::Dns("a.example".into())));
    for bad in ["", ":", "urn:", ":a", "urn:\u{e9}", "a b", "*.example", ".", "a."] {
        assert!(San::parse(bad).is_err(), "{bad}");
    }
}
