//! RAND.

use alloc::vec::Vec;

use crate::error::{DecodeError, UsageError};
use crate::mikey::codec::{Body, Reader, Writer};

/// The content of RAND: random octets, at most 255 (RFC 3830, section 6.11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rand(pub Vec<u8>);

impl Body for Rand {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.short().map(Self)
    }

    fn encode(&self, writer: &mut Writer) -> Result<(), UsageError> {
        writer.short(&self.0)
    }

    fn length(&self) -> usize {
        1 + self.0.len()
    }
}
