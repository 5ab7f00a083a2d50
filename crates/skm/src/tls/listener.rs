//! A listener that does the handshakes.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::{ClientCertificate, Tls};
use crate::limits::{Limiter, Rate};

/// How long to wait after the system refused to accept, for want of file descriptors for instance.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// Handshakes that are done, or failed, and not taken yet.
const DONE_QUEUE: usize = 64;

/// What a listener lets in. An address is here one of IPv4, or an IPv6 network of 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerSettings {
    /// How long a handshake may take.
    pub handshake_timeout: Duration,
    /// The handshakes at one time; further connections wait.
    pub max_handshakes: usize,
    /// The handshakes of an address at one time; further connections are closed.
    pub handshakes_per_address: u32,
    /// How often an address may begin a handshake; further connections are closed.
    pub rate_per_address: Rate,
}

impl Default for ListenerSettings {
    fn default() -> Self {
        let rate_per_address = Rate { per_second: 100, burst: 200 };
        Self {
            handshake_timeout: Duration::from_secs(10),
            max_handshakes: 512,
            handshakes_per_address: 64,
            rate_per_address,
        }
    }
}

/// Who is at the other end of a connection.
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

/// Why a connection came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The address has too many handshakes.
    #[error("too many handshakes of this address")]
    OverLimit,
    /// The handshake took too long.
    #[error("the handshake took too long")]
    Timeout,
    /// The handshake failed.
    #[error("the handshake failed: {0}")]
    Failed(#[from] io::Error),
}

/// A connection with the address that it comes from.
type Handshake = (SocketAddr, Result<TlsStream<TcpStream>, HandshakeError>);

/// Accepts TLS connections. A handshake that is slow holds up no other.
#[derive(Debug)]
pub struct TlsListener {
    address: SocketAddr,
    done: mpsc::Receiver<Handshake>,
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
        let (sender, done) = mpsc::channel(DONE_QUEUE);
        let task = tokio::spawn(accept_all(listener, tls, settings, sender));
        Ok(Self { address, done, task })
    }

    /// The address listened on.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next connection, or why there is none. It may be dropped before it is done.
    pub async fn accept(&mut self) -> Handshake {
        match self.done.recv().await {
            Some(handshake) => handshake,
            // The accepting task ends with the listener alone.
            None => std::future::pending().await,
        }
    }
}

impl Drop for TlsListener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept_all(listener: TcpListener, tls: Arc<Tls>, settings: ListenerSettings, done: mpsc::Sender<Handshake>) {
    let start = Instant::now();
    let rates = Limiter::new(settings.rate_per_address);
    let places = Arc::new(Places::new(settings.handshakes_per_address));
    let handshakes = Arc::new(Semaphore::new(settings.max_handshakes));
    while let Ok(permit) = Arc::clone(&handshakes).acquire_owned().await {
        let (stream, address) = accept_tcp(&listener).await;
        let place = places.take(address.ip()).filter(|_| rates.admit(&network(address.ip()), start.elapsed()).is_ok());
        let Some(place) = place else {
            // Whether anybody hears of it must not hold up the others.
            let _ = done.try_send((address, Err(HandshakeError::OverLimit)));
            continue;
        };
        let (acceptor, done) = (TlsAcceptor::from(tls.current()), done.clone());
        tokio::spawn(async move {
            let handshake = match tokio::time::timeout(settings.handshake_timeout, acceptor.accept(stream)).await {
                Ok(result) => result.map_err(HandshakeError::Failed),
                Err(_) => Err(HandshakeError::Timeout),
            };
            drop(place);
            // It fails if the listener is gone, and the connection goes with it.
            let _ = done.send((address, handshake)).await;
            drop(permit);
        });
    }
}

/// The next TCP connection; one that is gone before it is accepted is passed over, and other errors are those of the
/// system, which is tried again.
pub(crate) async fn accept_tcp(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    loop {
        match listener.accept().await {
            Err(error) if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) => {}
            Err(error) => {
                tracing::error!(%error, "cannot accept connections");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            Ok((stream, address)) => {
                // Answers are small, and each waited for. What a peer that is gone already says to it is for those who
                // read from it.
                let _ = stream.set_nodelay(true);
                return (stream, address);
            }
        }
    }
}

/// Places of each address, so many at a time.
#[derive(Debug)]
pub(crate) struct Places {
    limit: u32,
    taken: Mutex<HashMap<IpAddr, u32>>,
}

/// A place that is free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    network: IpAddr,
}

impl Places {
    /// So many places for each address.
    pub(crate) fn new(limit: u32) -> Self {
        Self { limit, taken: Mutex::default() }
    }

    /// Takes a place for an address, if there is one left.
    pub(crate) fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let network = network(address);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.get(&network).copied().unwrap_or_default();
        if count >= self.limit {
            return None;
        }
        taken.insert(network, count + 1);
        Some(Place { places: Arc::clone(self), network })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.network) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(taken.remove(&self.network)),
        }
    }
}

/// What counts as one address: an IPv6 host chooses the last 64 bits as it likes.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_an_address_are_limited_and_come_back() {
        let places = Arc::new(Places::new(2));
        let [one, two]: [IpAddr; 2] = ["192.0.2.1", "192.0.2.2"].map(|address| address.parse().unwrap());
        let first = places.take(one);
        let _second = places.take(one);
        assert!(first.is_some() && places.take(one).is_none());
        assert!(places.take(two).is_some(), "another address");
        drop(first);
        assert!(places.take(one).is_some());
        assert_eq!(places.taken.lock().unwrap().len(), 1, "what is free is forgotten");
    }

    #[test]
    fn an_ipv6_network_counts_as_one_address() {
        let places = Arc::new(Places::new(1));
        let take = |address: &str| places.take(address.parse().unwrap());
        let _place = take("2001:db8::1");
        assert!(take("2001:db8::ffff:1").is_none());
        let _mapped = take("::ffff:192.0.2.1");
        assert!(take("192.0.2.1").is_none());
        assert!(take("2001:db8:0:1::1").is_some());
    }
}
