//! A random source whose octets are secret, and the same in every run.

use std::convert::Infallible;

use mikey_sakke::hazmat::watched::make_secret;
use rand_core::{TryCryptoRng, TryRng};
use sha2::{Digest, Sha256};

/// Octets of SHA-256 in counter mode.
#[derive(Default)]
pub struct Secrets(u64);

impl Secrets {
    /// So many of them.
    pub fn octets<const N: usize>(&mut self) -> [u8; N] {
        let mut octets = [0; N];
        self.fill(&mut octets);
        octets
    }

    fn fill(&mut self, octets: &mut [u8]) {
        for block in octets.chunks_mut(32) {
            self.0 += 1;
            block.copy_from_slice(&Sha256::digest(self.0.to_be_bytes())[..block.len()]);
        }
        make_secret(octets);
    }
}

impl TryRng for Secrets {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_be_bytes(self.octets()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_be_bytes(self.octets()))
    }

    fn try_fill_bytes(&mut self, octets: &mut [u8]) -> Result<(), Infallible> {
        self.fill(octets);
        Ok(())
    }
}

impl TryCryptoRng for Secrets {}
