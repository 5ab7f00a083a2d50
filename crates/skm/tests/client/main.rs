//! The client against a server that answers whatever it is told to, over TLS on loopback.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod answers;
mod blocking;
mod cache;
mod clock;
mod domains;
mod external;
mod identity;
mod network;
mod program;
mod proxy;
mod retries;
mod support;
