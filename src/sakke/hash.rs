//! HashToIntegerRange with SHA-256 (RFC 6508, section 5.1), for the two ranges that SAKKE needs.
//!
//! The RFC's v' is the concatenation of v_i = SHA-256(h_i || SHA-256(s)), where h_0 is 32 zero octets and h_i =
//! SHA-256(h_(i-1)); the result is v' mod n, with as many blocks as n has 256-bit words.

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{SSV_OCTETS, Ssv};
use crate::field::Scalar;
use crate::identity::Uid;

/// Octets of a block v_i.
pub(crate) const BLOCK: usize = 32;

/// HashToIntegerRange(SSV || b, q): q has 1022 bits, hence four blocks.
pub(crate) fn to_scalar(ssv: &Ssv, identity: &Uid) -> Scalar {
    let mut blocks = Zeroizing::new([0; 4 * BLOCK]);
    fill_blocks(&[ssv.expose(), identity.as_octets()], blocks.as_mut_slice());
    Scalar::from_octets_reduced(&blocks)
}

/// `octets` xor HashToIntegerRange(w, 2^128): one block, of which the modulus leaves the last 16 octets.
pub(crate) fn mask(octets: &[u8; SSV_OCTETS], w: &[u8; 128]) -> Zeroizing<[u8; SSV_OCTETS]> {
    let mut block = Zeroizing::new([0; BLOCK]);
    fill_blocks(&[w], block.as_mut_slice());
    let mut masked = Zeroizing::new(*octets);
    for (octet, mask) in masked.iter_mut().zip(&block[BLOCK - SSV_OCTETS..]) {
        *octet ^= mask;
    }
    masked
}

/// Fills v_1 || v_2 || ... for the message that the parts make up.
pub(crate) fn fill_blocks(message: &[&[u8]], blocks: &mut [u8]) {
    let mut digest = Sha256::new();
    for part in message {
        digest.update(part);
    }
    let a = Zeroizing::new(<[u8; BLOCK]>::from(digest.finalize()));
    let mut h = [0; BLOCK];
    for block in blocks.chunks_exact_mut(BLOCK) {
        h = Sha256::digest(h).into();
        block.copy_from_slice(&Sha256::new().chain_update(h).chain_update(a.as_slice()).finalize());
    }
}
