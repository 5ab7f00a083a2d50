//! Malformed and forged inputs. Each is made from a good one, which is accepted, and each is refused: without a panic,
//! and with the error of whoever is at fault.
#![cfg(all(feature = "hazmat", feature = "documents", feature = "km"))]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../imessage/domain.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod domain;
#[path = "../oracle/mod.rs"]
mod oracle;

mod documents;
mod encapsulated;
mod family;
mod header;
mod identities;
mod key_parameters;
mod km;
mod master_secrets;
mod message;
mod points;
mod receiver_keys;
mod signatures;
mod signing_keys;
mod structure;
