//! An independent implementation of the schemes over plain big integers, to compare the engine with.
//!
//! It follows the formulas of RFC 6507 and RFC 6508, one bit at a time: multiples of points and the pairing without a
//! division for each slope, as that would take too long. It is neither fast nor constant-time, and it shares no code
//! and no constants with the engine. Each scheme takes and gives octets (`None` or `false` where the input must be
//! refused); what lies below takes big integers. `oracle_self` compares it with published vectors.
#![allow(dead_code, reason = "each test uses its own part of the oracle")]

pub(crate) mod curve;
pub(crate) mod eccsi;
pub(crate) mod identity;
pub(crate) mod pairing;
pub(crate) mod sakke;

use num_bigint::BigUint;
use sha2::{Digest, Sha256};

/// The integer that big-endian hexadecimal digits say; white space between them is skipped.
pub(crate) fn integer(hex: &str) -> BigUint {
    let digits: Vec<u8> = hex.bytes().filter(|digit| !digit.is_ascii_whitespace()).collect();
    BigUint::parse_bytes(&digits, 16).expect("hexadecimal digits")
}

/// An integer in `width` octets, big-endian. Panics if it does not fit.
pub(crate) fn octets(integer: &BigUint, width: usize) -> Vec<u8> {
    let digits = match integer.bits() {
        0 => Vec::new(),
        _ => integer.to_bytes_be(),
    };
    assert!(digits.len() <= width, "{} octets do not fit in {width}", digits.len());
    [vec![0; width - digits.len()], digits].concat()
}

/// The integer that octets encode, big-endian.
pub(crate) fn from_octets(octets: &[u8]) -> BigUint {
    BigUint::from_bytes_be(octets)
}

/// SHA-256 over the concatenation of `parts`.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    Sha256::digest(parts.concat()).into()
}
