//! The XML documents of 3GPP TS 33.180, annex D: what is read, what is written, and what an attacker would send.
#![cfg(all(feature = "documents", feature = "hazmat"))]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod attacks;
mod common;
mod examples;
mod generated;
mod keys;
mod round_trip;
mod values;
