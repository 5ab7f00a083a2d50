//! The groups: SAKKE's curve E and its pairing into PF_p, and P-256 for ECCSI.
//!
//! A point takes one of three forms. [`curve::AffinePoint`] is what octets decode to: on E, of any order.
//! [`curve::OrderQ`] is one whose order was checked. Only that becomes an [`edwards::EdwardsPoint`], whose
//! addition law is complete for points of order q and for no others, or the argument of
//! [`pairing::MillerLines`].

pub(crate) mod curve;
pub(crate) mod edwards;
pub(crate) mod fixed;
pub(crate) mod p256;
pub(crate) mod pairing;
pub(crate) mod pf;
pub(crate) mod table;

#[cfg(test)]
mod tests;
