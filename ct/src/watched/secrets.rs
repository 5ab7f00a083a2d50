//! A random source whose octets are secret.

use std::convert::Infallible;
use std::hint::black_box;

use mikey_sakke::hazmat::watched::make_secret;
use mikey_sakke_ct::Octets;
use rand_core::{TryCryptoRng, TryRng};

/// Octets that valgrind follows.
#[derive(Default)]
pub struct Secrets(Octets);

impl Secrets {
    /// So many of them.
    pub fn octets<const N: usize>(&mut self) -> [u8; N] {
        let mut octets = [0; N];
        self.fill(&mut octets);
        octets
    }

    /// Octets that are given, which the compiler no longer knows.
    pub fn of(octets: &[u8]) -> Vec<u8> {
        let octets = black_box(octets.to_vec());
        make_secret(&octets);
        octets
    }

    fn fill(&mut self, octets: &mut [u8]) {
        self.0.fill(octets);
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
