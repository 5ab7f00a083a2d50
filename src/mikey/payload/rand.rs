//! RAND and RANDR.

use alloc::vec;
use alloc::vec::Vec;

use crate::error::{DecodeError, UsageError};
use crate::mikey::codec::{Body, Reader, Writer};
use crate::mikey::field::Field;
use crate::mikey::registry::RandRole;

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

    fn fields(&self) -> Vec<Field> {
        vec![Field::new("RAND", &self.0)]
    }
}

/// The content of RANDR: random octets of one party (RFC 6043, section 6.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Randr {
    /// Whose they are.
    pub role: RandRole,
    /// The random octets, at most 255.
    pub rand: Vec<u8>,
}

impl Body for Randr {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { role: RandRole(reader.u8()?), rand: reader.short()? })
    }

    fn encode(&self, writer: &mut Writer) -> Result<(), UsageError> {
        writer.u8(self.role.0);
        writer.short(&self.rand)
    }

    fn length(&self) -> usize {
        2 + self.rand.len()
    }

    fn fields(&self) -> Vec<Field> {
        vec![Field::new("RAND role", self.role), Field::new("RAND", &self.rand)]
    }
}
