//! Functions that must be found: each uses a secret as it should not. They are public and not inlined, so that the
//! compiler keeps them as they are.

use std::hint::black_box;

/// Branches on a secret.
#[inline(never)]
pub fn branched(secret: &[u8; 1]) -> u8 {
    if secret[0] > 3 { black_box(5) } else { black_box(secret[0]).wrapping_mul(black_box(7)) }
}

/// Reads a table at a secret place.
#[inline(never)]
pub fn indexed(table: &[u8; 256], secret: &[u8; 1]) -> u8 {
    table[usize::from(secret[0])]
}

/// Divides a secret.
#[inline(never)]
pub fn divided(secret: &[u64; 2]) -> u64 {
    secret[0].checked_div(secret[1]).unwrap_or_default()
}
