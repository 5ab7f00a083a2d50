//! Random sources that are of no good.

use getrandom::SysRng;
use rand_core::TryRng;

/// A random source that fails.
pub(crate) struct Broken;

#[derive(Debug)]
pub(crate) struct Failure;

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("broken")
    }
}

impl std::error::Error for Failure {}

impl TryRng for Broken {
    type Error = Failure;
    fn try_next_u32(&mut self) -> Result<u32, Failure> {
        Err(Failure)
    }
    fn try_next_u64(&mut self) -> Result<u64, Failure> {
        Err(Failure)
    }
    fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Failure> {
        Err(Failure)
    }
}

impl rand_core::TryCryptoRng for Broken {}

/// A random source that gives the same again and again where 4 octets are asked for, as for an SK-ID.
pub(crate) struct SameIds(pub(crate) u8);

impl TryRng for SameIds {
    type Error = getrandom::Error;
    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(u32::from_be_bytes([self.0; 4]))
    }
    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        SysRng.try_next_u64()
    }
    fn try_fill_bytes(&mut self, octets: &mut [u8]) -> Result<(), Self::Error> {
        if octets.len() == 4 {
            octets.fill(self.0);
            return Ok(());
        }
        SysRng.try_fill_bytes(octets)
    }
}

impl rand_core::TryCryptoRng for SameIds {}
