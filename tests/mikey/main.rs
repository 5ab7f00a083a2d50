//! The MIKEY codec against recorded messages, malformed ones, and properties that hold for all.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;
mod error_message;
mod i_message;
mod inspection;
mod limits;
mod malformed;
mod payloads;
mod properties;
mod recorded;
mod sdp;
mod seeds;
mod tolerances;
