//! Who gets past the handshake of which listener, and how many.

use std::pin::pin;
use std::time::Duration;

use rcgen::SerialNumber;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::http::{Answer, Client, KM, connect, read_to_end};
use crate::site::{GROUPS, PATIENCE, Site, VAL, client_params};

/// A site whose server waits for headers far longer than a test does.
fn patient() -> Site {
    Site::new().set("limits", "header_seconds", "100000")
}

async fn is_answered(client: &Client) -> bool {
    Answer::of(client.request("POST", KM)).await.is_ok()
}

#[tokio::test]
async fn two_listeners_demand_a_certificate() {
    let (site, stranger) = (Site::new(), Site::new());
    let server = site.start().await;
    for (address, demands) in
        [(server.addresses.km_uu, false), (server.addresses.km_s, true), (server.addresses.seal_x1, true)]
    {
        let address = address.unwrap();
        assert_eq!(is_answered(&Client::new(address, site.anonymous())).await, !demands);
        assert!(is_answered(&Client::new(address, site.client(VAL.0))).await);
        let mut nameless = client_params(GROUPS.0);
        nameless.subject_alt_names.clear();
        assert_eq!(is_answered(&Client::new(address, site.client_with(&nameless))).await, !demands);
        let strange = site.client_of(&client_params(VAL.0), &stranger.authority);
        assert_eq!(is_answered(&Client::new(address, strange)).await, !demands);
    }
}

#[tokio::test]
async fn a_client_trusts_no_other_server() {
    let (site, other) = (Site::new(), Site::new());
    let server = site.start().await;
    assert!(!is_answered(&Client::new(server.addresses.km_uu.unwrap(), other.anonymous())).await);
}

#[tokio::test]
async fn only_what_is_configured_listens() {
    let site = Site::new().unset("listen", "km_s").unset("listen", "seal_x1").unset("listen", "admin");
    let server = site.start().await;
    let addresses = server.addresses;
    assert!(addresses.km_uu.is_some_and(|address| address.port() != 0));
    assert_eq!((addresses.km_s, addresses.seal_x1, addresses.admin), (None, None, None));
    assert_eq!(serde_json::to_value(addresses).unwrap().as_object().unwrap().len(), 1);
}

#[tokio::test]
async fn revocation_counts_after_a_reload() {
    let site = Site::new().set("tls", "crl_files", "[\"DIR/crl.pem\"]");
    site.write_crl("crl.pem", &[]);
    let server = site.start().await;
    let address = server.addresses.km_s.unwrap();
    let mut params = client_params(VAL.0);
    params.serial_number = Some(SerialNumber::from(7_u64));
    let tls = site.client_with(&params);
    assert!(is_answered(&Client::new(address, tls.clone())).await);
    site.write_crl("crl.pem", &[7]);
    assert!(is_answered(&Client::new(address, tls.clone())).await, "nobody has read it");
    server.reloader.reload().unwrap();
    assert!(!is_answered(&Client::new(address, tls)).await);
    assert!(is_answered(&Client::new(address, site.client(VAL.0))).await);
}

#[tokio::test]
async fn files_that_are_refused_leave_all_as_it_was() {
    let site = Site::new();
    let server = site.start().await;
    site.write("server.pem", "");
    assert!(server.reloader.reload().is_err());
    assert!(is_answered(&Client::new(server.addresses.km_uu.unwrap(), site.anonymous())).await);
    site.write_server_certificate();
    server.reloader.reload().unwrap();
    assert!(is_answered(&Client::new(server.addresses.km_uu.unwrap(), site.anonymous())).await);
}

#[tokio::test]
async fn a_silent_handshake_ends_and_holds_up_nobody() {
    let site = Site::new().set("limits", "header_seconds", "1");
    let server = site.start().await;
    let address = server.addresses.km_s.unwrap();
    let mut silent = Vec::new();
    for _ in 0..32 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    assert!(is_answered(&Client::new(address, site.client(VAL.0))).await);
    let all_end = async {
        for stream in &mut silent {
            assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0);
        }
    };
    tokio::time::timeout(Duration::from_secs(9), all_end).await.expect("they end before the 10 seconds of the default");
}

#[tokio::test]
async fn handshakes_of_an_address_are_limited() {
    let site = patient().set("limits", "handshakes_per_address", "4");
    let server = site.start().await;
    let address = server.addresses.km_uu.unwrap();
    let mut silent = Vec::new();
    for _ in 0..4 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let mut one_more = TcpStream::connect(address).await.unwrap();
    let end = tokio::time::timeout(PATIENCE, one_more.read(&mut [0])).await.expect("it stays open");
    assert_eq!(end.unwrap_or(0), 0, "closed before a handshake");
    drop(silent);
    let until_answered = async { while !is_answered(&Client::new(address, site.anonymous())).await {} };
    tokio::time::timeout(PATIENCE, until_answered).await.expect("the places come back");
}

#[tokio::test]
async fn connections_of_an_address_are_limited() {
    let site = patient().set("limits", "connections_per_address", "2");
    let server = site.start().await;
    let address = server.addresses.km_uu.unwrap();
    let open = [connect(address, site.anonymous(), None).await, connect(address, site.anonymous(), None).await];
    let mut one_more = connect(address, site.anonymous(), None).await;
    assert_eq!(read_to_end(&mut one_more).await, "");
    drop(open);
}

#[tokio::test]
async fn connections_beyond_the_limit_wait() {
    let site = patient().set("limits", "max_connections", "1");
    let server = site.start().await;
    let address = server.addresses.km_uu.unwrap();
    let silent = connect(address, site.anonymous(), None).await;
    let client = Client::new(address, site.anonymous());
    let mut next = pin!(is_answered(&client));
    assert!(tokio::time::timeout(Duration::from_millis(500), &mut next).await.is_err(), "there is no place");
    drop(silent);
    assert!(next.await);
}
