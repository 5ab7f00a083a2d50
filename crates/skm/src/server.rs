//! The service over HTTP.
//!
//! A [`Server`] has a listener for each reference point that is configured, every one with routes, limits and a TLS
//! configuration of its own, and one for health and metrics. What a request is answered with is decided by
//! [`Service`]; here it is read, within bounds of length and time, and the answer written.

mod activity;
mod admin;
mod answer;
mod body;
mod connection;
mod front;
mod media;
mod routes;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use self::activity::Patience;
use self::body::Bounds;
use self::connection::{Connections, Version};
use self::front::{Front, name};
use crate::config::{Config, Limits};
use crate::limits::Rate;
use crate::metrics::Metrics;
use crate::service::{Point, Service};
use crate::tls::{ClientAuth, HandshakeError, ListenerSettings, Peer, Places, Tls, TlsError, TlsListener, accept_tcp};

/// How long requests may take to finish once the server stops.
const GRACE: Duration = Duration::from_secs(10);

/// How often what has expired is forgotten.
const PRUNE_INTERVAL: Duration = Duration::from_secs(5);

/// Connections to the listener for health and metrics at a time.
const ADMIN_CONNECTIONS: usize = 64;

/// Why a server cannot listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The TLS configuration of a listener is refused.
    #[error("{listener}: {error}")]
    Tls {
        /// Its name.
        listener: &'static str,
        /// What is wrong.
        error: TlsError,
    },
    /// The system does not let a listener listen.
    #[error("{listener}: cannot listen on {address}: {error}")]
    Listen {
        /// Its name.
        listener: &'static str,
        /// Where.
        address: SocketAddr,
        /// What is wrong.
        error: io::Error,
    },
}

/// Where a server listens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Addresses {
    /// KM-UU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub km_uu: Option<SocketAddr>,
    /// KM-S.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub km_s: Option<SocketAddr>,
    /// SEAL-X1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seal_x1: Option<SocketAddr>,
    /// Health and metrics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin: Option<SocketAddr>,
}

/// A server that listens, and answers once it runs.
#[derive(Debug)]
pub struct Server {
    service: Arc<Service>,
    listeners: Vec<Listener>,
    admin: Option<(TcpListener, Connections)>,
    addresses: Addresses,
}

/// The listener of a reference point.
#[derive(Debug)]
struct Listener {
    name: &'static str,
    tls: Arc<Tls>,
    socket: TlsListener,
    connections: Connections,
    limit: usize,
    per_address: Arc<Places>,
    metrics: Arc<Metrics>,
}

impl Server {
    /// Listens where the configuration says.
    ///
    /// # Errors
    ///
    /// [`ServerError`].
    pub async fn bind(config: &Config, service: Arc<Service>) -> Result<Self, ServerError> {
        let mut addresses = Addresses::default();
        let mut listeners = Vec::new();
        for (point, address, bound) in [
            (Point::KmUu, config.listen.km_uu, &mut addresses.km_uu),
            (Point::KmS, config.listen.km_s, &mut addresses.km_s),
            (Point::SealX1, config.listen.seal_x1, &mut addresses.seal_x1),
        ] {
            let Some(address) = address else { continue };
            let listener = Listener::bind(config, point, address, &service).await?;
            *bound = Some(listener.socket.address());
            listeners.push(listener);
        }
        let mut admin = None;
        if let Some(address) = config.listen.admin {
            let failed = |error| ServerError::Listen { listener: "admin", address, error };
            let socket = TcpListener::bind(address).await.map_err(failed)?;
            addresses.admin = Some(socket.local_addr().map_err(failed)?);
            let router = admin::router(Arc::clone(&service));
            admin = Some((socket, Connections::new(router, patience(&config.limits), config.limits.http2_streams)));
        }
        Ok(Self { service, listeners, admin, addresses })
    }

    /// Where it listens, with the ports that it was given.
    pub const fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// What reads certificates and revocation lists again.
    pub fn reloader(&self) -> Reloader {
        Reloader(self.listeners.iter().map(|listener| (listener.name, Arc::clone(&listener.tls))).collect())
    }

    /// Answers until `stop`, and then lets requests finish for up to 10 seconds.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let (stopping, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for listener in self.listeners {
            tasks.spawn(listener.run(stopped.clone()));
        }
        if let Some((socket, connections)) = self.admin {
            tasks.spawn(run_admin(socket, connections, stopped.clone()));
        }
        tasks.spawn(prune(self.service, stopped));
        stop.await;
        tracing::info!("stopping");
        // It fails if nobody listens any more.
        let _ = stopping.send(true);
        let finish = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, finish).await.is_err() {
            tracing::warn!("requests that take too long are dropped");
        }
    }
}

impl Listener {
    async fn bind(
        config: &Config,
        point: Point,
        address: SocketAddr,
        service: &Arc<Service>,
    ) -> Result<Self, ServerError> {
        let (limits, name) = (&config.limits, name(point));
        let clients = if point == Point::KmUu { ClientAuth::NotAsked } else { ClientAuth::Demanded };
        let tls = Tls::new(config.tls.clone(), clients);
        let tls = Arc::new(tls.map_err(|error| ServerError::Tls { listener: name, error })?);
        let socket = TlsListener::bind(address, Arc::clone(&tls), listener_settings(limits)).await;
        let socket = socket.map_err(|error| ServerError::Listen { listener: name, address, error })?;
        let octets = usize::try_from(limits.body_octets).unwrap_or(usize::MAX);
        let front = Front {
            service: Arc::clone(service),
            point,
            bounds: Bounds { octets, time: seconds(limits.body_seconds) },
        };
        let connections = Connections::new(routes::router(Arc::new(front)), patience(limits), limits.http2_streams);
        let per_address = Arc::new(Places::new(limits.connections_per_address));
        let limit = usize::try_from(limits.max_connections).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        let metrics = Arc::clone(service.metrics());
        Ok(Self { name, tls, socket, connections, limit, per_address, metrics })
    }

    /// Serves connections until the server stops, and then waits for those that are left.
    async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let places = Arc::new(Semaphore::new(self.limit));
        let mut tasks = JoinSet::new();
        loop {
            // Without a place for one more, connections wait with their handshakes.
            let next = async {
                let place = Arc::clone(&places).acquire_owned().await;
                (place, self.socket.accept().await)
            };
            let (place, (address, handshake)) = tokio::select! {
                next = next => next,
                Some(_) = tasks.join_next() => continue,
                _ = stop.wait_for(|is_stopping| *is_stopping) => break,
            };
            let stream = match handshake {
                Ok(stream) => stream,
                Err(error) => {
                    self.metrics.handshake_failure(self.name, reason(&error));
                    tracing::debug!(listener = self.name, %address, %error, "no connection");
                    continue;
                }
            };
            let Some(own_place) = self.per_address.take(address.ip()) else {
                self.metrics.handshake_failure(self.name, "over_limit");
                tracing::debug!(listener = self.name, %address, "too many connections of this address");
                continue;
            };
            let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            let version = if is_http2 { Version::Http2 } else { Version::Http1 };
            let peer = Peer::of(&stream, address);
            let connection = self.connections.clone().serve(stream, version, peer, stop.clone());
            let counted = self.metrics.connection(self.name);
            tasks.spawn(async move {
                connection.await;
                drop((place, own_place, counted));
            });
        }
        drop(self.socket);
        while tasks.join_next().await.is_some() {}
    }
}

/// Reads certificates and revocation lists again.
#[derive(Clone, Debug)]
pub struct Reloader(Vec<(&'static str, Arc<Tls>)>);

impl Reloader {
    /// Reads them for the handshakes from now on. A listener whose files are refused keeps what it has.
    ///
    /// # Errors
    ///
    /// The first [`ServerError::Tls`], after all listeners were tried.
    pub fn reload(&self) -> Result<(), ServerError> {
        let results = self
            .0
            .iter()
            .map(|&(listener, ref tls)| tls.reload().map_err(|error| ServerError::Tls { listener, error }));
        // All of them first: one that is refused keeps none of the others from its new certificate.
        let results: Vec<_> = results.collect();
        results.into_iter().collect()
    }
}

async fn run_admin(socket: TcpListener, connections: Connections, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(ADMIN_CONNECTIONS));
    let mut tasks = JoinSet::new();
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, accept_tcp(&socket).await)
        };
        let (place, (stream, address)) = tokio::select! {
            next = next => next,
            Some(_) = tasks.join_next() => continue,
            _ = stop.wait_for(|is_stopping| *is_stopping) => break,
        };
        let peer = Peer { address, certificate: None };
        let connection = connections.clone().serve(stream, Version::Http1, peer, stop.clone());
        tasks.spawn(async move {
            connection.await;
            drop(place);
        });
    }
    drop(socket);
    while tasks.join_next().await.is_some() {}
}

async fn prune(service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    while tokio::time::timeout(PRUNE_INTERVAL, stop.changed()).await.is_err() {
        service.prune().await;
        service.watch_clock().await;
        service.watch_certificates().await;
    }
}

/// A failed handshake as a label.
const fn reason(error: &HandshakeError) -> &'static str {
    match error {
        HandshakeError::OverLimit => "over_limit",
        HandshakeError::Timeout => "timeout",
        HandshakeError::Failed(_) => "failed",
    }
}

fn listener_settings(limits: &Limits) -> ListenerSettings {
    let per_second = limits.handshakes_per_second;
    ListenerSettings {
        handshake_timeout: seconds(limits.header_seconds),
        handshakes_per_address: limits.handshakes_per_address,
        rate_per_address: Rate { per_second, burst: per_second.saturating_mul(2) },
        ..ListenerSettings::default()
    }
}

fn patience(limits: &Limits) -> Patience {
    Patience { header: seconds(limits.header_seconds), idle: seconds(limits.idle_seconds) }
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}
