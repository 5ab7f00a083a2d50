//! A listener for [`axum::serve`] that does the handshakes.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::{ClientCertificate, Tls};
use crate::limits::{Limiter, Rate};

/// How long to wait after the system refused to accept, for want of file descriptors for instance.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// Connections that are ready and not taken yet.
const READY_QUEUE: usize = 64;

/// What a listener lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerSettings {
    /// How long a handshake may take.
    pub handshake_timeout: Duration,
    /// The handshakes at one time; further connections wait.
    pub max_handshakes: usize,
    /// The handshakes of one address, or of one IPv6 network of 64 bits; further connections are closed.
    pub per_address: Rate,
}

impl Default for ListenerSettings {
    fn default() -> Self {
        let per_address = Rate { per_second: 20, burst: 40 };
        Self { handshake_timeout: Duration::from_secs(10), max_handshakes: 512, per_address }
    }
}

/// Who is at the other end of a connection, for handlers: `ConnectInfo<Peer>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The address that the connection comes from.
    pub address: SocketAddr,
    /// The certificate, where one was demanded.
    pub certificate: Option<ClientCertificate>,
}

impl Peer {
    /// The peer of a connection after its handshake.
    pub fn of(stream: &TlsStream<TcpStream>, address: SocketAddr) -> Self {
        let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        // The handshake has refused certificates that cannot be read: whoever has none here has no rights by one.
        let certificate = certificate.and_then(|der| ClientCertificate::from_der(der).ok());
        Self { address, certificate }
    }
}

impl Connected<IncomingStream<'_, TlsListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Self {
        Self::of(stream.io(), *stream.remote_addr())
    }
}

/// Accepts TLS connections. A handshake that is slow holds up no other.
#[derive(Debug)]
pub struct TlsListener {
    address: SocketAddr,
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    task: JoinHandle<()>,
}

impl TlsListener {
    /// Listens on an address; port 0 takes a free one.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub async fn bind(address: SocketAddr, tls: Arc<Tls>, settings: ListenerSettings) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (sender, ready) = mpsc::channel(READY_QUEUE);
        let task = tokio::spawn(accept_all(listener, tls, settings, sender));
        Ok(Self { address, ready, task })
    }

    /// The address listened on.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for TlsListener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(connection) => connection,
            // The accepting task ends with the listener alone.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

async fn accept_all(
    listener: TcpListener,
    tls: Arc<Tls>,
    settings: ListenerSettings,
    ready: mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>,
) {
    let start = Instant::now();
    let addresses = Limiter::new(settings.per_address);
    let handshakes = Arc::new(Semaphore::new(settings.max_handshakes));
    while let Ok(permit) = Arc::clone(&handshakes).acquire_owned().await {
        let (stream, address) = match listener.accept().await {
            Ok(connection) => connection,
            Err(error) if is_of_one_connection(&error) => continue,
            Err(error) => {
                tracing::error!(%error, "cannot accept connections");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if addresses.admit(&network(address.ip()), start.elapsed()).is_err() {
            tracing::debug!(%address, "too many handshakes");
            continue;
        }
        let (acceptor, ready) = (TlsAcceptor::from(tls.current()), ready.clone());
        tokio::spawn(async move {
            match tokio::time::timeout(settings.handshake_timeout, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => {
                    // It fails if the listener is gone, and the connection goes with it.
                    let _ = ready.send((stream, address)).await;
                }
                Ok(Err(error)) => tracing::debug!(%address, %error, "the handshake failed"),
                Err(_) => tracing::debug!(%address, "the handshake took too long"),
            }
            drop(permit);
        });
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// What counts as one address: an IPv6 host chooses the last 64 bits as it likes.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address => address,
    }
}
