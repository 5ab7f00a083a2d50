//! Proxies between client and server.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use mikey_sakke::secret::Secret;
use skm::client::{Client, ClientError, NetworkError, Settings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Authority, Host, NOW, Seen, Server, alice, granted, service, settings, token};

/// What a proxy was sent before it opened a tunnel.
type Requests = Arc<Mutex<Vec<String>>>;

/// A proxy that opens a tunnel to where it is told, or always to one place, or answers with a status.
enum Mode {
    Honest,
    To(SocketAddr),
    Refuses(&'static str),
}

async fn proxy(mode: Mode) -> (String, Requests) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (requests, mode) = (Requests::default(), Arc::new(mode));
    let seen = requests.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(tunnel(stream, mode.clone(), seen.clone()));
        }
    });
    (url, requests)
}

async fn tunnel(mut client: TcpStream, mode: Arc<Mode>, requests: Requests) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let target = head.split(' ').nth(1).unwrap().to_owned();
    requests.lock().unwrap().push(head);
    let target = match &*mode {
        Mode::Honest => target,
        Mode::To(address) => address.to_string(),
        Mode::Refuses(status) => {
            let _ = client.write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").as_bytes()).await;
            return;
        }
    };
    let mut server = TcpStream::connect(target).await.unwrap();
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
    let _ = copy_bidirectional(&mut client, &mut server).await;
}

async fn ask(settings: &Settings) -> Result<String, ClientError> {
    let client = Client::with_environment(settings, token(), Host::new(NOW)).unwrap();
    client.record(&service(), &alice()).await.map(|payload| payload.expose().to_owned())
}

async fn server(authority: &Authority) -> Server {
    Server::start(authority.server("127.0.0.1"), &["h2"], granted).await
}

fn through(proxy: &str, settings: Settings) -> Settings {
    Settings { proxy: Some(Secret::new(proxy.to_owned())), ..settings }
}

#[tokio::test]
async fn a_proxy_opens_a_tunnel_and_learns_nothing() {
    let authority = Authority::new("authority");
    let (server, (url, requests)) = (server(&authority).await, proxy(Mode::Honest).await);
    let proxy = url.replace("http://", "http://user:canary@");
    let settings = through(&proxy, settings(&authority, &server));
    assert!(!format!("{settings:?}").contains("canary"));
    assert_eq!(ask(&settings).await.unwrap(), "canary payload");
    let requests = requests.lock().unwrap();
    let [head] = requests.as_slice() else { panic!("{requests:?}") };
    assert!(head.starts_with(&format!("CONNECT {} HTTP/1.1\r\n", server.address)), "{head}");
    assert!(head.to_ascii_lowercase().contains("proxy-authorization: basic "), "{head}");
    assert!(!head.contains("Bearer") && !head.contains("km-request"), "{head}");
    let [seen] = <[Seen; 1]>::try_from(server.seen()).unwrap();
    assert!(!seen.headers.contains_key("proxy-authorization"));
    assert_eq!(seen.version, hyper::Version::HTTP_2);
}

#[tokio::test]
async fn a_proxy_that_ends_tls_is_refused() {
    let (authority, of_proxy) = (Authority::new("authority"), Authority::new("proxy"));
    // It has a certificate for the very address of the server, under a root of its own.
    let middle = server(&of_proxy).await;
    let server = server(&authority).await;
    let (url, requests) = proxy(Mode::To(middle.address)).await;
    let result = ask(&through(&url, settings(&authority, &server))).await;
    assert!(matches!(result, Err(ClientError::Network(NetworkError::Certificate(_)))), "{result:?}");
    assert_eq!((requests.lock().unwrap().len(), server.seen().len(), middle.seen().len()), (1, 0, 0));
}

#[tokio::test]
async fn a_proxy_that_refuses_is_told() {
    let authority = Authority::new("authority");
    let server = server(&authority).await;
    for status in ["403 Forbidden", "407 Proxy Authentication Required", "302 Found", "502 Bad Gateway"] {
        let (url, requests) = proxy(Mode::Refuses(status)).await;
        let result = ask(&through(&url, settings(&authority, &server))).await;
        assert!(matches!(result, Err(ClientError::Network(NetworkError::Connect(_)))), "{result:?}");
        assert_eq!((requests.lock().unwrap().len(), server.seen().len()), (1, 0));
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_not_gone_around() {
    let authority = Authority::new("authority");
    let server = server(&authority).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let result = ask(&through(&url, settings(&authority, &server))).await;
    assert!(matches!(result, Err(ClientError::Network(NetworkError::Connect(_)))), "{result:?}");
    assert_eq!(server.seen().len(), 0);
}
