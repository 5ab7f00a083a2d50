//! What the checks of constant time share.

pub mod control;
mod random;

pub use random::Octets;
