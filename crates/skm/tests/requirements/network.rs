//! What may stand between a client and its server, or in the server's place.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::site::Site;

/// What was seen of each connection.
pub(crate) type Seen = Arc<Mutex<Vec<Vec<u8>>>>;

/// Serves connections to a free port of its own, each with `serve`.
async fn listen<F>(serve: impl Fn(TcpStream, Seen) -> F + Send + 'static) -> (SocketAddr, Seen)
where
    F: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, seen) = (listener.local_addr().unwrap(), Seen::default());
    let all = seen.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A peer that goes away is none of its business.
            tokio::spawn(serve(stream, all.clone()));
        }
    });
    (address, seen)
}

/// An HTTP proxy, which opens tunnels (CONNECT) to where it is told, or always to `instead`. What is seen are the
/// requests for tunnels.
pub(crate) async fn proxy(instead: Option<SocketAddr>) -> (SocketAddr, Seen) {
    listen(move |mut client, seen| async move {
        let head = read_head(&mut client).await?;
        let asked = String::from_utf8_lossy(&head).split(' ').nth(1).unwrap_or_default().to_owned();
        seen.lock().unwrap().push(head);
        let target = instead.map_or(asked, |address| address.to_string());
        let mut server = TcpStream::connect(target).await?;
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
        copy_bidirectional(&mut client, &mut server).await.map(drop)
    })
    .await
}

/// A wire to a server, of which somebody sees every octet in both directions.
pub(crate) async fn tapped(server: SocketAddr) -> (SocketAddr, Seen) {
    listen(move |client, seen| async move {
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = TcpStream::connect(server).await?.into_split();
        let forth = tokio::spawn(copy(from_client, to_server, seen.clone()));
        copy(from_server, to_client, seen).await?;
        forth.await.unwrap()
    })
    .await
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, seen: Seen) -> std::io::Result<()> {
    let mut buffer = vec![0; 4096];
    loop {
        let octets = from.read(&mut buffer).await?;
        if octets == 0 {
            return to.shutdown().await;
        }
        seen.lock().unwrap().push(buffer[..octets].to_vec());
        to.write_all(&buffer[..octets]).await?;
    }
}

/// A server with the certificate of a site, that answers every request with these octets.
pub(crate) async fn impostor(site: &Site, answer: String) -> (SocketAddr, Seen) {
    let chain = vec![CertificateDer::from_pem_file(site.path("server.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(site.path("server.key")).unwrap();
    let builder = ServerConfig::builder_with_provider(skm::tls::provider()).with_safe_default_protocol_versions();
    let tls = builder.unwrap().with_no_client_auth().with_single_cert(chain, key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    listen(move |stream, seen| {
        let (acceptor, answer) = (acceptor.clone(), answer.clone());
        async move {
            let mut stream = acceptor.accept(stream).await?;
            let mut request = read_head(&mut stream).await?;
            let length = length(&request);
            let head = request.len();
            request.resize(head + length, 0);
            stream.read_exact(&mut request[head..]).await?;
            seen.lock().unwrap().push(request);
            stream.write_all(answer.as_bytes()).await?;
            stream.shutdown().await
        }
    })
    .await
}

/// An answer over HTTP/1.1.
pub(crate) fn answer(status: &str, header: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{header}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(head)
}

fn length(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let value = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    value.map_or(0, |value| value.trim().parse().unwrap())
}
