//! The key management service of SEAL (3GPP TS 33.434).
//!
//! [`client`] is the SKM-C. With the feature `server`, which is on by default, the server as well: what an SKM-S keeps
//! and decides.

#[cfg(feature = "server")]
pub mod audit;
pub mod client;
#[cfg(feature = "server")]
pub mod config;
#[cfg(feature = "server")]
pub mod domain;
#[cfg(feature = "server")]
pub mod escrow;
#[cfg(feature = "server")]
pub mod exchange;
pub mod group;
mod interface;
#[cfg(feature = "server")]
pub mod limits;
#[cfg(feature = "server")]
pub mod metrics;
#[cfg(feature = "server")]
pub mod policy;
pub mod seal;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "server")]
pub mod service;
#[cfg(feature = "server")]
pub mod store;
pub mod tls;
#[cfg(feature = "server")]
pub mod token;
#[cfg(feature = "server")]
pub mod trial;
