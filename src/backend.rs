//! What differs by processor: multiplication of big integers modulo p and q.
//!
//! Everything above works on [`portable::Residue`] through `field`. This is the only module in which `unsafe`
//! may stand.

pub(crate) mod portable;
