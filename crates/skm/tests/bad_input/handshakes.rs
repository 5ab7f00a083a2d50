//! What is no handshake, or one that nobody should be let in with.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::HandshakeKind;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::http::{KM, connect, read_to_end};
use crate::site::{PATIENCE, Site, VAL};
use crate::world::World;

const TLS_1_2: [u8; 2] = [3, 3];
const ECDHE: [u8; 2] = [0xc0, 0x2b];
const AES_128_GCM: [u8; 2] = [0x13, 0x01];

const SERVER_NAME: u16 = 0;
const GROUPS: u16 = 10;
const SIGNATURES: u16 = 13;
const ALPN: u16 = 16;
const MASTER_SECRET: u16 = 23;
const VERSIONS: u16 = 43;
const KEY_SHARE: u16 = 51;

/// What comes back first: a handshake, or an alert with its description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    Handshake,
    Alert(u8),
    /// Something that is no TLS, or nothing.
    Other,
}

use First::{Alert, Handshake, Other};

const UNEXPECTED_MESSAGE: First = Alert(10);
const HANDSHAKE_FAILURE: First = Alert(40);
const ILLEGAL_PARAMETER: First = Alert(47);
const DECODE_ERROR: First = Alert(50);
const PROTOCOL_VERSION: First = Alert(70);
const NO_APPLICATION_PROTOCOL: First = Alert(120);

/// A ClientHello (RFC 8446, section 4.1.2).
#[derive(Clone)]
struct Hello {
    version: [u8; 2],
    suites: Vec<[u8; 2]>,
    compressions: Vec<u8>,
    extensions: Vec<(u16, Vec<u8>)>,
}

/// A length in two octets before what has it.
fn block(body: &[u8]) -> Vec<u8> {
    [&u16::try_from(body.len()).unwrap().to_be_bytes(), body].concat()
}

impl Hello {
    fn tls_1_2(suites: &[[u8; 2]]) -> Self {
        // secp256r1; ecdsa_secp256r1_sha256, rsa_pkcs1_sha256.
        let extensions = vec![
            (GROUPS, block(&[0, 23])),
            (11, vec![1, 0]),
            (SIGNATURES, block(&[4, 3, 4, 1])),
            (MASTER_SECRET, vec![]),
        ];
        Self { version: TLS_1_2, suites: suites.to_vec(), compressions: vec![0], extensions }
    }

    fn tls_1_3(suites: &[[u8; 2]]) -> Self {
        // x25519, with a key share.
        let share = block(&[&[0, 29][..], &block(&[9; 32])].concat());
        Self::tls_1_2(suites).with(GROUPS, &block(&[0, 29])).with(VERSIONS, &[2, 3, 4]).with(KEY_SHARE, &share)
    }

    /// With another extension in the place of the one of this type, or at the end.
    fn with(self, kind: u16, body: &[u8]) -> Self {
        self.without(kind).and(kind, body)
    }

    fn without(mut self, kind: u16) -> Self {
        self.extensions.retain(|(other, _)| *other != kind);
        self
    }

    fn and(mut self, kind: u16, body: &[u8]) -> Self {
        self.extensions.push((kind, body.to_vec()));
        self
    }

    fn named(self, names: &[u8]) -> Self {
        self.with(SERVER_NAME, &block(names))
    }

    /// As a record.
    fn octets(&self) -> Vec<u8> {
        let extensions = self.extensions.iter().map(|(kind, body)| [&kind.to_be_bytes()[..], &block(body)].concat());
        let extensions: Vec<u8> = extensions.collect::<Vec<_>>().concat();
        let compressions = [&[u8::try_from(self.compressions.len()).unwrap()], &self.compressions[..]].concat();
        let suites = block(self.suites.as_flattened());
        let hello = [&self.version[..], &[7; 32], &[0], &suites, &compressions, &block(&extensions)].concat();
        let length = u32::try_from(hello.len()).unwrap().to_be_bytes();
        record(22, &[&[1], &length[1..], &hello[..]].concat())
    }
}

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 3, 1], &block(body)[..]].concat()
}

/// A host name as it stands in server_name.
fn host(name: &[u8]) -> Vec<u8> {
    [&[0], &block(name)[..]].concat()
}

fn hellos() -> Vec<(&'static str, Vec<u8>, First)> {
    let old = || Hello::tls_1_2(&[ECDHE]);
    let new = || Hello::tls_1_3(&[AES_128_GCM]);
    let version = |version| Hello { version, ..old() };
    let suite = |suite| Hello::tls_1_2(&[suite]);
    let length_of = |kind: u8, length: [u8; 2]| [&[kind, 3, 1], &length[..], &[0; 16]].concat();
    let cases = vec![
        ("TLS 1.2", old(), Handshake),
        ("TLS 1.3", new(), Handshake),
        ("SSL 3.0", version([3, 0]), PROTOCOL_VERSION),
        ("TLS 1.0", version([3, 1]), PROTOCOL_VERSION),
        ("TLS 1.1", version([3, 2]), PROTOCOL_VERSION),
        ("TLS 1.1 in the extension", new().with(VERSIONS, &[2, 3, 2]), PROTOCOL_VERSION),
        ("versions that there are not", new().with(VERSIONS, &[4, 0x7f, 0x1c, 0x0a, 0x0a]), PROTOCOL_VERSION),
        ("no versions", new().with(VERSIONS, &[0]), DECODE_ERROR),
        ("AES-CBC with SHA-1", suite([0xc0, 0x09]), HANDSHAKE_FAILURE),
        ("AES-CBC with SHA-256", suite([0xc0, 0x23]), HANDSHAKE_FAILURE),
        ("ChaCha20 in TLS 1.2", suite([0xcc, 0xa9]), HANDSHAKE_FAILURE),
        ("AES-CCM", suite([0xc0, 0xac]), HANDSHAKE_FAILURE),
        ("RC4", suite([0xc0, 0x07]), HANDSHAKE_FAILURE),
        ("3DES", suite([0xc0, 0x08]), HANDSHAKE_FAILURE),
        ("RSA key transport", suite([0x00, 0x9c]), HANDSHAKE_FAILURE),
        ("DHE", suite([0x00, 0x9e]), HANDSHAKE_FAILURE),
        ("no encryption", suite([0xc0, 0x06]), HANDSHAKE_FAILURE),
        ("a pre-shared key", suite([0x00, 0xa8]), HANDSHAKE_FAILURE),
        ("ChaCha20 in TLS 1.3", Hello::tls_1_3(&[[0x13, 0x03]]), HANDSHAKE_FAILURE),
        ("AES-CCM in TLS 1.3", Hello::tls_1_3(&[[0x13, 0x04]]), HANDSHAKE_FAILURE),
        ("no suites", Hello::tls_1_2(&[]), DECODE_ERROR),
        ("no extended master secret", old().without(MASTER_SECRET), HANDSHAKE_FAILURE),
        ("a curve that is not known", old().with(GROUPS, &block(&[0, 1])), HANDSHAKE_FAILURE),
        ("no curves", old().with(GROUPS, &block(&[])), DECODE_ERROR),
        ("SHA-1 alone", old().with(SIGNATURES, &block(&[2, 3])), HANDSHAKE_FAILURE),
        ("no signatures in TLS 1.3", new().without(SIGNATURES), HANDSHAKE_FAILURE),
        ("no key share", new().without(KEY_SHARE), HANDSHAKE_FAILURE),
        (
            "a key share of zeros",
            new().with(KEY_SHARE, &block(&[&[0, 29][..], &block(&[0; 32])].concat())),
            ILLEGAL_PARAMETER,
        ),
        (
            "a key share that is too short",
            new().with(KEY_SHARE, &block(&[&[0, 29][..], &block(&[9; 31])].concat())),
            ILLEGAL_PARAMETER,
        ),
        (
            "the same key share twice",
            new().with(KEY_SHARE, &block(&[&[0, 29][..], &block(&[9; 32])].concat().repeat(2))),
            ILLEGAL_PARAMETER,
        ),
        ("DEFLATE alone", Hello { compressions: vec![1], ..old() }, ILLEGAL_PARAMETER),
        ("an extension twice", old().and(MASTER_SECRET, &[]), ILLEGAL_PARAMETER),
        ("a heartbeat", old().and(15, &[1]), Handshake),
        ("another protocol", old().with(ALPN, &block(&[4, b's', b'm', b't', b'p'])), NO_APPLICATION_PROTOCOL),
        ("an empty protocol", new().with(ALPN, &block(&[0])), DECODE_ERROR),
        ("another host", new().named(&host(b"evil.example.org")), Handshake),
        ("an IP address as a host", new().named(&host(b"127.0.0.1")), Handshake),
        ("a host with NUL", new().named(&host(b"localhost\0.example.org")), ILLEGAL_PARAMETER),
        ("an empty host", new().named(&host(b"")), DECODE_ERROR),
        ("two hosts", new().named(&[host(b"localhost"), host(b"example.org")].concat()), DECODE_ERROR),
        ("a host of 9,000 octets", new().named(&host(&[b'x'; 9000])), ILLEGAL_PARAMETER),
        ("a resumption with a ticket that is none", new().with(45, &[1, 1]).and(41, &psk()), Handshake),
        ("a ticket that is not the last extension", new().with(41, &psk()).and(45, &[1, 1]), ILLEGAL_PARAMETER),
        ("early data with a ticket that is none", new().with(42, &[]).and(45, &[1, 1]).and(41, &psk()), Handshake),
    ];
    let mut cases: Vec<_> = cases.into_iter().map(|(name, hello, first)| (name, hello.octets(), first)).collect();
    cases.extend([
        ("plain HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(), DECODE_ERROR),
        ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), DECODE_ERROR),
        ("SSL 2.0", [&[0x80, 0x2e, 1, 0, 2, 0, 21, 0, 0, 0, 16][..], &[1; 37]].concat(), DECODE_ERROR),
        ("zeros", vec![0; 64], DECODE_ERROR),
        ("a record that is too long", length_of(22, [0xff, 0xff]), DECODE_ERROR),
        ("a record without a message", length_of(22, [0, 0]), DECODE_ERROR),
        ("data before the handshake", record(23, &[0; 32]), UNEXPECTED_MESSAGE),
        ("ChangeCipherSpec first", record(20, &[1]), UNEXPECTED_MESSAGE),
        ("Finished first", record(22, &[20, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), UNEXPECTED_MESSAGE),
        ("an alert first", record(21, &[2, 40]), Other),
        ("a ClientHello of 16 MB", record(22, &[1, 0xff, 0xff, 0xff, 3, 3]), Other),
    ]);
    cases
}

/// pre_shared_key with one identity and a binder, both made up.
fn psk() -> Vec<u8> {
    let identity = [&block(&[5; 32])[..], &[0; 4]].concat();
    let binder = [&[32], &[6; 32][..]].concat();
    [block(&identity), block(&binder)].concat()
}

/// What comes back first on octets.
async fn first(address: SocketAddr, octets: &[u8]) -> First {
    let answer = async {
        let mut tcp = TcpStream::connect(address).await.unwrap();
        tcp.write_all(octets).await.unwrap();
        let mut record = [0; 7];
        match tcp.read_exact(&mut record).await {
            Ok(_) if record[0] == 22 => Handshake,
            Ok(_) if record[0] == 21 => Alert(record[6]),
            _ => Other,
        }
    };
    tokio::time::timeout(PATIENCE, answer).await.unwrap()
}

#[tokio::test]
async fn handshakes() {
    let world = World::new().await;
    for (name, octets, expected) in hellos() {
        let listener = if name.len() % 2 == 0 { "km_uu" } else { "km_s" };
        let found = first(world.server.address(listener), &octets).await;
        world.case(name, || assert_eq!(found, expected, "{name} on {listener}"));
    }
    resumption(&world).await;
    let admin = world.server.address("admin");
    let found = first(admin, &Hello::tls_1_3(&[AES_128_GCM]).octets()).await;
    world.case("TLS on the listener in the clear", || assert_eq!(found, Other));
    world.finish(20).await;
}

/// Early data is accepted nowhere, and no session resumed where certificates are demanded.
async fn resumption(world: &World) {
    let (resumed, full) = (HandshakeKind::Resumed, HandshakeKind::Full);
    for (listener, mut tls, last) in [("km_uu", world.anonymous(), resumed), ("km_s", world.site.client(VAL.0), full)] {
        tls.enable_early_data = true;
        let tls = Arc::new(tls);
        let mut kinds = Vec::new();
        for _ in 0..3 {
            let tcp = TcpStream::connect(world.server.address(listener)).await.unwrap();
            let name = ServerName::try_from("localhost").unwrap();
            let mut is_early = false;
            let connect = TlsConnector::from(Arc::clone(&tls))
                .connect_with(name, tcp, |session| is_early = session.early_data().is_some());
            let mut stream = connect.await.unwrap();
            let request =
                format!("POST {KM} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            // An answer, and with it the tickets that a server sends.
            let answer = read_to_end(&mut stream).await;
            assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
            kinds.push((is_early, stream.get_ref().1.handshake_kind()));
        }
        world.case(listener, || assert_eq!(kinds.last(), Some(&(false, Some(last))), "{kinds:?}"));
        world.case("early data", || assert!(kinds.iter().all(|(is_early, _)| !is_early), "{kinds:?}"));
    }
}

#[tokio::test]
async fn tls_1_3_alone() {
    let site = Site::new().set("tls", "min_version", "\"1.3\"");
    let server = site.spawn(&[]);
    for listener in ["km_uu", "km_s", "seal_x1"] {
        let address = server.address(listener);
        assert_eq!(first(address, &Hello::tls_1_2(&[ECDHE]).octets()).await, PROTOCOL_VERSION, "{listener}");
        assert_eq!(first(address, &Hello::tls_1_3(&[AES_128_GCM]).octets()).await, Handshake, "{listener}");
    }
    connect(server.address("km_uu"), site.anonymous(), Some("h2")).await;
}
