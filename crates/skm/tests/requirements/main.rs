//! What docs/requirements.md asks of the service: under each number what is granted, and beside it what is refused.
//!
//! `tests/mutations/run` takes the checks away one after the other, and each time a test here has to fail.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/http.rs"]
mod http;
#[path = "../../../../tests/oracle/mod.rs"]
mod oracle;
#[path = "../support/site.rs"]
mod site;
#[path = "../support/mod.rs"]
mod support;

mod authorisation;
mod capif;
mod distribution;
mod documents;
mod ends;
#[path = "../../examples/off_network.rs"]
#[allow(dead_code, reason = "the program around what is tested")]
mod example;
mod keys;
mod material;
mod message;
mod network;
mod off_network;
mod request;
mod response;
mod transport;
mod world;
