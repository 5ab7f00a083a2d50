//! What an attacker would send, over real TLS, to the program `skms`: tables of requests and of what answers them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/frames.rs"]
mod frames;
#[path = "../support/http.rs"]
mod http;
#[path = "../support/site.rs"]
mod site;
#[path = "../support/mod.rs"]
mod support;

mod batch;
mod bodies;
mod certificates;
mod clocks;
mod cross;
mod framing;
mod handshakes;
mod http2;
mod provisioning;
mod slow;
mod tokens;
mod world;
mod xml;
