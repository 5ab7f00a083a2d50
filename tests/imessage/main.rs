//! Keys travel in I_MESSAGEs, and what does not pass.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod domain;
mod group;
mod keys;
mod profiles;
mod random;
mod refusals;
mod trust;
