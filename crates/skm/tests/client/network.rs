//! Whom a client talks to, and how.

use std::sync::Arc;
use std::time::Duration;

use rcgen::{ExtendedKeyUsagePurpose, date_time_ymd};
use rustls::ServerConfig;
use skm::client::{AnswerError, Certificate, Client, ClientError, NetworkError, Settings, SettingsError, TokenError};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use crate::support::{Authority, Host, NOW, Reply, Server, alice, granted, pair, service, settings, token};

fn client(settings: &Settings) -> Client {
    Client::with_environment(settings, token(), Host::new(NOW)).unwrap()
}

async fn ask(settings: &Settings) -> Result<String, ClientError> {
    client(settings).record(&service(), &alice()).await.map(|payload| payload.expose().to_owned())
}

async fn server(tls: ServerConfig) -> Server {
    Server::start(tls, &["h2", "http/1.1"], granted).await
}

fn is_certificate(result: &Result<String, ClientError>) -> bool {
    matches!(result, Err(ClientError::Network(NetworkError::Certificate(_))))
}

#[tokio::test]
async fn http_1_and_2_are_spoken() {
    let authority = Authority::new("authority");
    for (alpn, version) in [
        (vec!["h2", "http/1.1"], hyper::Version::HTTP_2),
        (vec!["http/1.1"], hyper::Version::HTTP_11),
        (vec![], hyper::Version::HTTP_11),
    ] {
        let server = Server::start(authority.server("127.0.0.1"), &alpn, granted).await;
        assert_eq!(ask(&settings(&authority, &server)).await.unwrap(), "canary payload");
        assert_eq!(server.seen()[0].version, version);
    }
}

#[tokio::test]
async fn tls_1_2_is_spoken_too() {
    let authority = Authority::new("authority");
    let mut tls = authority.server("127.0.0.1");
    assert_eq!(tls.crypto_provider().cipher_suites.len(), 6);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let (chain, key) = authority.issue("127.0.0.1", |_| ());
        let builder = ServerConfig::builder_with_provider(skm::tls::provider());
        let builder = builder.with_protocol_versions(&[version]).unwrap().with_no_client_auth();
        tls = builder.with_single_cert(chain, key).unwrap();
        let server = server(tls).await;
        assert_eq!(ask(&settings(&authority, &server)).await.unwrap(), "canary payload");
    }
}

#[tokio::test]
async fn other_algorithms_than_aes_gcm_are_not_spoken() {
    let authority = Authority::new("authority");
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.cipher_suites.retain(|suite| format!("{:?}", suite.suite()).contains("CHACHA20"));
    assert_eq!(provider.cipher_suites.len(), 3);
    let (chain, key) = authority.issue("127.0.0.1", |_| ());
    let builder =
        ServerConfig::builder_with_provider(Arc::new(provider)).with_safe_default_protocol_versions().unwrap();
    let server = server(builder.with_no_client_auth().with_single_cert(chain, key).unwrap()).await;
    let result = ask(&settings(&authority, &server)).await;
    assert!(matches!(result, Err(ClientError::Network(NetworkError::Tls(_)))), "{result:?}");
}

#[tokio::test]
async fn only_the_chosen_roots_are_trusted() {
    let (authority, other) = (Authority::new("authority"), Authority::new("authority"));
    let server = server(authority.server("127.0.0.1")).await;
    let wrong = Settings { roots: other.pem.clone().into(), ..settings(&authority, &server) };
    let result = ask(&wrong).await;
    assert!(is_certificate(&result), "{result:?}");
    let both = Settings { roots: (other.pem + &authority.pem).into(), ..wrong };
    assert_eq!(ask(&both).await.unwrap(), "canary payload");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn the_certificate_is_for_this_server_and_this_time() {
    let authority = Authority::new("authority");
    let configurations = [
        authority.server("127.0.0.2"),
        authority.server("localhost"),
        authority.server_with("127.0.0.1", |params| params.not_after = date_time_ymd(2020, 1, 1)),
        authority.server_with("127.0.0.1", |params| params.not_before = date_time_ymd(2100, 1, 1)),
        authority.server_with("127.0.0.1", |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        }),
    ];
    for (index, tls) in configurations.into_iter().enumerate() {
        let server = server(tls).await;
        let result = ask(&settings(&authority, &server)).await;
        assert!(is_certificate(&result), "{index}: {result:?}");
        assert_eq!(server.seen().len(), 0);
    }
}

#[tokio::test]
async fn a_client_certificate_is_shown_if_there_is_one() {
    let authority = Authority::new("authority");
    let server = server(authority.mutual_server("127.0.0.1")).await;
    let without = settings(&authority, &server);
    let result = ask(&without).await;
    assert!(matches!(result, Err(ClientError::Network(_))), "{result:?}");
    assert!(!is_certificate(&result), "{result:?}");
    let with = Settings { certificate: Some(authority.client()), ..without.clone() };
    assert_eq!(ask(&with).await.unwrap(), "canary payload");
    let of_others = Settings { certificate: Some(Authority::new("other").client()), ..without };
    assert!(matches!(ask(&of_others).await, Err(ClientError::Network(_))));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn redirections_are_not_followed() {
    let authority = Authority::new("authority");
    let target = server(authority.server("127.0.0.1")).await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!("{}/seal-km/v1/km-request", target.url());
        let redirect = move |_: &crate::support::Seen| Reply::new(status, "").with("location", &location);
        let server = Server::start(authority.server("127.0.0.1"), &["h2"], redirect).await;
        let result = ask(&settings(&authority, &server)).await;
        assert!(matches!(result, Err(ClientError::Answer(AnswerError::Status(s))) if s == status), "{result:?}");
        let result = client(&settings(&authority, &server)).domain().await;
        assert!(matches!(result, Err(ClientError::Answer(AnswerError::Status(s))) if s == status), "{result:?}");
        assert_eq!(server.seen().len(), 2);
    }
    assert_eq!(target.seen().len(), 0);
}

#[tokio::test]
async fn an_answer_has_to_be_complete_in_time() {
    let authority = Authority::new("authority");
    let slow = |seen: &crate::support::Seen| Reply { delay: Duration::from_secs(60), ..granted(seen) };
    let server = Server::start(authority.server("127.0.0.1"), &["h2"], slow).await;
    let settings = Settings { timeout: Duration::from_secs(2), ..settings(&authority, &server) };
    let result = ask(&settings).await;
    assert!(matches!(result, Err(ClientError::Network(NetworkError::Timeout))), "{result:?}");
    assert_eq!(server.seen().len(), 1, "a request that may have been granted is not made again");
}

#[tokio::test]
async fn a_peer_that_says_nothing_is_not_waited_for() {
    let authority = Authority::new("authority");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let settings = Settings { timeout: Duration::from_millis(200), ..Settings::new(url, authority.pem) };
    let result = ask(&settings).await;
    assert!(matches!(result, Err(ClientError::Network(NetworkError::Timeout))), "{result:?}");
}

#[tokio::test]
async fn a_peer_without_tls_is_refused() {
    let authority = Authority::new("authority");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        }
    });
    let result = ask(&Settings::new(url, authority.pem)).await;
    assert!(matches!(result, Err(ClientError::Network(NetworkError::Tls(_)))), "{result:?}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told() {
    let authority = Authority::new("authority");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    drop(listener);
    let result = ask(&Settings::new(url, authority.pem)).await;
    assert!(matches!(result, Err(ClientError::Network(NetworkError::Connect(_)))), "{result:?}");
}

#[tokio::test]
async fn an_address_may_have_a_path() {
    let authority = Authority::new("authority");
    let server = server(authority.server("127.0.0.1")).await;
    for base in ["", "/", "/api", "/api/"] {
        let settings = Settings { server: server.url() + base, ..settings(&authority, &server) };
        ask(&settings).await.unwrap();
    }
    let paths: Vec<_> = server.seen().into_iter().map(|seen| seen.path).collect();
    let [plain, below] = ["/seal-km/v1/km-request", "/api/seal-km/v1/km-request"];
    assert_eq!(paths, [plain, plain, below, below]);
}

#[tokio::test]
async fn a_source_of_tokens_that_fails_sends_nothing() {
    let authority = Authority::new("authority");
    let server = server(authority.server("127.0.0.1")).await;
    let settings = settings(&authority, &server);
    let missing = skm::client::FileToken::new("/nonexistent/token");
    let client = Client::new(&settings, missing).unwrap();
    let error = client.record(&service(), &alice()).await.unwrap_err();
    assert!(matches!(error, ClientError::Token(TokenError::Source(_))), "{error:?}");
    let split = skm::client::FixedToken::new(mikey_sakke::secret::Secret::new("a\r\nx: canary".to_owned()));
    let client = Client::new(&settings, split).unwrap();
    let error = client.record(&service(), &alice()).await.unwrap_err();
    assert!(matches!(error, ClientError::Token(TokenError::Form)), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("canary"));
    assert_eq!(server.seen().len(), 0);
}

#[tokio::test]
async fn settings_are_checked() {
    let (authority, other) = (Authority::new("authority"), Authority::new("other"));
    let (server, _, _) = pair(granted).await;
    let good = settings(&authority, &server);
    let error = |settings: Settings| Client::new(&settings, token()).unwrap_err();
    assert!(matches!(error(Settings { roots: Vec::new(), ..good.clone() }), SettingsError::Empty("roots")));
    assert!(matches!(error(Settings { roots: b"nothing".to_vec(), ..good.clone() }), SettingsError::Empty("roots")));
    let broken = b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n".to_vec();
    assert!(matches!(error(Settings { roots: broken, ..good.clone() }), SettingsError::Pem("roots", _)));
    let mixed = Certificate { key: other.client().key, ..authority.client() };
    assert!(matches!(error(Settings { certificate: Some(mixed), ..good.clone() }), SettingsError::Certificate(_)));
    let id = String::new();
    assert!(matches!(error(Settings { identity_service_id: id, ..good.clone() }), SettingsError::ServiceId));
    let plain = server.url().replace("https", "http");
    assert!(matches!(error(Settings { server: plain, ..good }), SettingsError::Server));
}
