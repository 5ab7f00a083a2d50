//! A random source that gives the same octets in every run.

use sha2::{Digest, Sha256};

/// Octets of SHA-256 in counter mode.
#[derive(Default)]
pub struct Octets(u64);

impl Octets {
    /// Writes the next ones.
    pub fn fill(&mut self, octets: &mut [u8]) {
        for block in octets.chunks_mut(32) {
            self.0 += 1;
            block.copy_from_slice(&Sha256::digest(self.0.to_be_bytes())[..block.len()]);
        }
    }

    /// So many of them.
    pub fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut octets = [0; N];
        self.fill(&mut octets);
        octets
    }
}
