//! R1 to R12: how messages are protected on each reference point.

use std::net::SocketAddr;
use std::sync::Arc;

use mikey_sakke::km::Subject;
use mikey_sakke::secret::Secret;
use rcgen::SerialNumber;
use reqwest::Version;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use serde_json::json;
use skm::client::{ClientError, NetworkError, Settings, SettingsError};
use skm::config::{Config, Origin};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::http::{Answer, Client, KM, exchange};
use crate::network::{impostor, proxy, tapped};
use crate::site::{GROUPS, SERVICE, Site, VAL, client_params};
use crate::world::{FORBIDDEN, World, fixed, payload, service};

/// Whether a server answers a client at all, whatever it says.
async fn answers(client: &Client) -> bool {
    Answer::of(client.request("POST", KM)).await.is_ok()
}

/// Asks with an SKM-C for the record of the service.
async fn fetch(world: &World, settings: &Settings) -> Result<String, ClientError> {
    let client = world.skm_c(settings);
    let payload = client.record(&service(SERVICE), &Subject::Service).await?;
    Ok(payload.expose().to_owned())
}

fn is_certificate(result: &Result<String, ClientError>) -> bool {
    matches!(result, Err(ClientError::Network(NetworkError::Certificate(_))))
}

/// TLS of a client with algorithms and a version of its own.
fn tls(site: &Site, only: &str, version: &'static SupportedProtocolVersion) -> ClientConfig {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.cipher_suites.retain(|suite| format!("{:?}", suite.suite()).contains(only));
    assert!(!provider.cipher_suites.is_empty());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(site.path("ca.pem")).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(provider)).with_protocol_versions(&[version]).unwrap();
    builder.with_root_certificates(roots).with_no_client_auth()
}

/// R1: there is a secure connection before any KM Request, and both messages travel in nothing else.
#[tokio::test]
async fn r1_what_is_sent_over_tls_is_answered() {
    let world = World::new().await;
    world.ue().gets(SERVICE, &Subject::Service).await;
}

#[tokio::test]
async fn r1_what_is_sent_in_the_clear_is_not_answered() {
    let world = World::new().await;
    for address in [world.km_uu(), world.km_s(), world.seal_x1()] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(format!("POST {KM} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").as_bytes())
            .await
            .unwrap();
        let mut answer = Vec::new();
        // The connection may be reset after the alert.
        let _ = stream.read_to_end(&mut answer).await;
        assert!(!String::from_utf8_lossy(&answer).contains("HTTP"), "{answer:?}");
    }
}

#[tokio::test]
async fn r1_what_is_sent_before_the_handshake_is_complete_is_not_taken_in() {
    let world = World::new().await;
    let mut tls = world.site.anonymous();
    tls.enable_early_data = true;
    // The first connection leaves a ticket, with which the next one may be resumed.
    exchange(world.km_uu(), tls.clone(), b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    let mut next = rustls::ClientConnection::new(Arc::new(tls), ServerName::try_from("localhost").unwrap()).unwrap();
    assert!(next.early_data().is_none());
}

/// R2: HTTPS, by the TLS profile of 3GPP: TLS 1.2 and 1.3, ECDHE, authenticated encryption.
#[tokio::test]
async fn r2_tls_1_2_and_1_3_with_aes_gcm_are_spoken() {
    let world = World::new().await;
    for version in [&TLS12, &TLS13] {
        let client = Client::new(world.km_uu(), tls(&world.site, "AES_128_GCM", version));
        world.ue().through(client).gets(SERVICE, &Subject::Service).await;
    }
}

#[tokio::test]
async fn r2_other_algorithms_are_refused() {
    let world = World::new().await;
    for version in [&TLS12, &TLS13] {
        assert!(!answers(&Client::new(world.km_uu(), tls(&world.site, "CHACHA20", version))).await);
    }
}

/// R3: CoAP would be protected by DTLS, TLS or OSCORE. It is not offered, and who asks for it is told so.
#[test]
fn r3_coap_is_refused() {
    let site = Site::new().set("listen", "km_uu", "\"coaps://127.0.0.1:5684\"");
    let error = Config::read(site.config_text(), []).unwrap_err();
    assert!(matches!(error.place, Origin::Line(_)) && error.what.contains("address"), "{error}");
    let roots = std::fs::read(site.path("ca.pem")).unwrap();
    let error = skm::client::Client::new(&Settings::new("coaps://localhost", roots), fixed("token")).unwrap_err();
    assert!(matches!(error, SettingsError::Server) && error.to_string().contains("not https"), "{error}");
}

/// R4: KM-UU is protected as SEAL-UU is: HTTPS, with a server that the client authenticates.
#[tokio::test]
async fn r4_a_client_in_a_ue_is_answered_over_km_uu() {
    let world = World::new().await;
    assert_eq!(fetch(&world, &world.settings(world.km_uu())).await.unwrap(), payload(SERVICE, &Subject::Service));
}

#[tokio::test]
async fn r4_a_server_that_is_not_https_is_not_asked() {
    let world = World::new().await;
    let settings = world.settings(world.km_uu());
    let settings = Settings { server: settings.server.replace("https", "http"), ..settings };
    assert!(matches!(skm::client::Client::new(&settings, fixed("token")), Err(SettingsError::Server)));
}

#[tokio::test]
async fn r4_a_server_of_another_authority_is_not_asked() {
    let (world, other) = (World::new().await, World::new().await);
    let result = fetch(&world, &world.settings(other.km_uu())).await;
    assert!(is_certificate(&result), "{result:?}");
}

/// R5: KM-S is protected as SEAL-S is, with certificates of both ends.
#[tokio::test]
async fn r5_a_val_server_is_answered_over_km_s() {
    let world = World::new().await;
    world.val_server().gets(SERVICE, &Subject::Service).await;
}

#[tokio::test]
async fn r5_without_a_certificate_nothing_is_answered_over_km_s() {
    let world = World::new().await;
    assert!(!answers(&Client::new(world.km_s(), world.site.anonymous())).await);
    let stranger = world.site.client_of(&client_params(VAL.0), &Site::new().authority);
    assert!(!answers(&Client::new(world.km_s(), stranger)).await);
}

/// R7: without CAPIF a VAL server is authenticated by its certificate, whose name counts in the policy, and authorised
/// by its access token.
#[tokio::test]
async fn r7_certificate_and_token_of_one_policy_row_are_answered() {
    let world = World::new().await;
    world.val_server().gets(SERVICE, &Subject::Service).await;
}

#[tokio::test]
async fn r7_a_certificate_without_a_policy_row_is_refused() {
    let world = World::new().await;
    let asker = world.server_on(world.km_s(), ("https://unknown.example.org", VAL.1));
    asker.is_refused(SERVICE, &Subject::Service, FORBIDDEN).await;
}

#[tokio::test]
async fn r7_a_token_of_another_client_is_refused() {
    let world = World::new().await;
    let asker = world.val_server().claiming("client_id", json!("another-server"));
    asker.is_refused(SERVICE, &Subject::Service, FORBIDDEN).await;
}

#[tokio::test]
async fn r7_a_revoked_certificate_is_refused() {
    let site = Site::new().set("tls", "crl_files", "[\"DIR/crl.pem\"]");
    site.write_crl("crl.pem", &[7]);
    let world = World::of(site).await;
    for (serial, is_answered) in [(7_u64, false), (8, true)] {
        let mut params = client_params(VAL.0);
        params.serial_number = Some(SerialNumber::from(serial));
        assert_eq!(answers(&Client::new(world.km_s(), world.site.client_with(&params))).await, is_answered);
    }
}

/// R9: SEAL-X1 is HTTPS, of any version of HTTP.
#[tokio::test]
async fn r9_a_group_management_server_is_answered_over_seal_x1() {
    let world = World::new().await;
    for (client, version) in [
        (Client::new(world.seal_x1(), world.site.client(GROUPS.0)), Version::HTTP_2),
        (Client::http1(world.seal_x1(), world.site.client(GROUPS.0)), Version::HTTP_11),
    ] {
        let answer = world.group_manager().through(client).ask(&[]).await;
        answer.assert_km(200, None);
        assert_eq!(answer.version, version);
    }
}

#[tokio::test]
async fn r9_without_a_certificate_nothing_is_answered_over_seal_x1() {
    let world = World::new().await;
    assert!(!answers(&Client::new(world.seal_x1(), world.site.anonymous())).await);
}

#[tokio::test]
async fn r9_a_server_that_manages_no_groups_is_refused() {
    let world = World::new().await;
    world.server_on(world.seal_x1(), VAL).is_refused(SERVICE, &Subject::Service, FORBIDDEN).await;
}

/// R12: requests come directly or through an HTTP proxy, and TLS ends at the server either way.
#[tokio::test]
async fn r12_both_versions_of_http_are_answered_directly() {
    let world = World::new().await;
    for (client, version) in [
        (Client::new(world.km_uu(), world.site.anonymous()), Version::HTTP_2),
        (Client::http1(world.km_uu(), world.site.anonymous()), Version::HTTP_11),
    ] {
        let answer = world.ue().through(client).ask(&[]).await;
        answer.assert_km(200, None);
        assert_eq!(answer.version, version);
    }
}

#[tokio::test]
async fn r12_a_request_through_a_proxy_is_answered() {
    let world = World::new().await;
    let (wire, octets) = tapped(world.km_uu()).await;
    let (address, tunnels) = proxy(Some(wire)).await;
    let settings = through(address, world.settings(world.km_uu()));
    assert_eq!(fetch(&world, &settings).await.unwrap(), payload(SERVICE, &Subject::Service));
    let head = String::from_utf8(tunnels.lock().unwrap().concat()).unwrap();
    assert!(head.starts_with(&format!("CONNECT localhost:{} HTTP/1.1\r\n", world.km_uu().port())), "{head}");
    let octets = octets.lock().unwrap().concat();
    assert!(!head.contains("Bearer") && !octets.windows(6).any(|window| window == b"Bearer"));
}

#[tokio::test]
async fn r12_a_proxy_that_ends_tls_is_refused() {
    let (world, other) = (World::new().await, Site::new());
    let (middle, requests) = impostor(&other, String::new()).await;
    let (address, tunnels) = proxy(Some(middle)).await;
    let result = fetch(&world, &through(address, world.settings(world.km_uu()))).await;
    assert!(is_certificate(&result), "{result:?}");
    assert_eq!((tunnels.lock().unwrap().len(), requests.lock().unwrap().len()), (1, 0));
}

#[tokio::test]
async fn r12_a_proxy_is_not_gone_around() {
    let world = World::new().await;
    let (nowhere, _) = proxy(Some("127.0.0.1:9".parse().unwrap())).await;
    let result = fetch(&world, &through(nowhere, world.settings(world.km_uu()))).await;
    assert!(matches!(result, Err(ClientError::Network(_))), "{result:?}");
}

fn through(proxy: SocketAddr, settings: Settings) -> Settings {
    Settings { proxy: Some(Secret::new(format!("http://{proxy}"))), ..settings }
}
