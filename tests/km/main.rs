//! The KM messages: what is read, what is written, and what an attacker would send. Names with `r` and a number are
//! those of requirements of 3GPP TS 33.434; each has its counterpart in the same function or the next.
#![cfg(feature = "km")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;
mod domain;
mod errors;
mod exchange;
mod malformed;
mod properties;
mod record;
mod replay;
mod request;
mod response;
mod retrieval;
mod seeds;
