//! The server over real TLS on loopback, in this process and as the program `skms`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/frames.rs"]
mod frames;
#[path = "../support/http.rs"]
mod http;
#[path = "../support/search.rs"]
mod search;
#[path = "../support/site.rs"]
mod site;
#[path = "../support/mod.rs"]
mod support;

mod canaries;
mod connections;
mod inside;
mod listeners;
mod oidc;
mod operation;
mod routes;
