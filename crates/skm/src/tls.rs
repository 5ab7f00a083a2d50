//! TLS of the listeners: TLS 1.3 and 1.2 with ECDHE and AES-GCM, as 3GPP TS 33.310 (annex E) and TS 33.210 (clause 6.2)
//! profile them, without early data.
//!
//! A [`Tls`] is one such configuration, read from files and read again on demand; a [`TlsListener`] accepts connections
//! with it, whose [`Peer`] is known after the handshake. Where client certificates are demanded, a client without
//! one that is valid, not revoked, for client authentication, and with one name to be known by ([`San`]) does not get
//! past the handshake.

#[cfg(feature = "server")]
mod client;
#[cfg(feature = "server")]
mod config;
#[cfg(feature = "server")]
mod listener;
mod provider;

#[cfg(feature = "server")]
pub use client::{ClientCertificate, IdentityError, San};
#[cfg(feature = "server")]
pub use config::{ClientAuth, MinVersion, Tls, TlsError, TlsSettings};
#[cfg(feature = "server")]
pub use listener::{HandshakeError, ListenerSettings, Peer, TlsListener};
#[cfg(feature = "server")]
pub(crate) use listener::{Places, accept_tcp, network};
pub use provider::provider;
