//! The key management service of SEAL (3GPP TS 33.434): what a server, the SKM-S, keeps and decides.

pub mod audit;
pub mod config;
pub mod limits;
pub mod policy;
pub mod seal;
pub mod store;
pub mod tls;
pub mod token;
