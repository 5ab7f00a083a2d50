//! SIGN.

use alloc::vec;
use alloc::vec::Vec;

use crate::error::{DecodeError, UsageError};
use crate::mikey::codec::{Body, Reader, Writer};
use crate::mikey::field::Field;
use crate::mikey::registry::SType;

const LENGTH_BITS: u32 = 12;
const LENGTH_MASK: u16 = (1 << LENGTH_BITS) - 1;

/// SIGN, the signature at the end of a message (RFC 3830, section 6.5). It has no next-payload octet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sign {
    /// The signature scheme, at most 15.
    pub s_type: SType,
    /// The signature, at most 4,095 octets; 129 with ECCSI.
    pub signature: Vec<u8>,
}

impl Sign {
    /// Octets of S type and signature length.
    pub(in crate::mikey) const HEAD_OCTETS: usize = 2;

    /// Appends S type and signature length, the last octets that the signature covers.
    pub(in crate::mikey) fn encode_head(s_type: SType, length: usize, writer: &mut Writer) -> Result<(), UsageError> {
        match u16::try_from(length) {
            Ok(length @ ..=LENGTH_MASK) if s_type.0 < 1 << (u16::BITS - LENGTH_BITS) => {
                writer.u16(u16::from(s_type.0) << LENGTH_BITS | length);
                Ok(())
            }
            _ => Err(UsageError::FieldLength),
        }
    }
}

impl Body for Sign {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let head = reader.u16()?;
        let signature = reader.octets((head & LENGTH_MASK).into())?.to_vec();
        Ok(Self { s_type: SType((head >> LENGTH_BITS) as u8), signature })
    }

    fn encode(&self, writer: &mut Writer) -> Result<(), UsageError> {
        Self::encode_head(self.s_type, self.signature.len(), writer)?;
        writer.octets(&self.signature);
        Ok(())
    }

    fn length(&self) -> usize {
        2 + self.signature.len()
    }

    fn fields(&self) -> Vec<Field> {
        vec![
            Field::new("S type", self.s_type),
            Field::new("Signature length", self.signature.len()),
            Field::new("Signature", &self.signature),
        ]
    }
}
