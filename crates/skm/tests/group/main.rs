//! Group managers: keys for groups, and what is left of a distribution that was cut short. And clients off-network.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod distribution;
mod folder;
#[path = "../../examples/off_network.rs"]
#[allow(dead_code, reason = "the program around what is tested")]
mod off_network;
mod resuming;
mod sealed;
mod support;
mod verb;
mod without_server;
