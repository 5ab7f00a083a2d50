//! PKE and DH, of the modes that agree on a key by public-key means other than SAKKE.

use alloc::vec;
use alloc::vec::Vec;

use super::key_data::KeyValidity;
use crate::error::{DecodeError, DecodeErrorKind, UsageError};
use crate::mikey::codec::{Body, Reader, Writer};
use crate::mikey::field::Field;
use crate::mikey::registry::{DhGroup, Kv};

const PKE_LENGTH_BITS: u32 = 14;
const PKE_LENGTH_MASK: u16 = (1 << PKE_LENGTH_BITS) - 1;

/// The content of PKE, an encrypted envelope key (RFC 3830, section 6.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pke {
    /// How the envelope key is cached, at most 3: 0 not at all, 1 for the session, 2 for more than one.
    pub c: u8,
    /// The encrypted envelope key, at most 16,383 octets.
    pub data: Vec<u8>,
}

impl Body for Pke {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let head = reader.u16()?;
        let data = reader.octets((head & PKE_LENGTH_MASK).into())?.to_vec();
        Ok(Self { c: (head >> PKE_LENGTH_BITS) as u8, data })
    }

    fn encode(&self, writer: &mut Writer) -> Result<(), UsageError> {
        match u16::try_from(self.data.len()) {
            Ok(length @ ..=PKE_LENGTH_MASK) if self.c < 1 << (u16::BITS - PKE_LENGTH_BITS) => {
                writer.u16(u16::from(self.c) << PKE_LENGTH_BITS | length);
                writer.octets(&self.data);
                Ok(())
            }
            _ => Err(UsageError::FieldLength),
        }
    }

    fn length(&self) -> usize {
        2 + self.data.len()
    }

    fn fields(&self) -> Vec<Field> {
        vec![Field::new("C", self.c), Field::new("Data", &self.data)]
    }
}

/// The content of DH, a Diffie-Hellman public value (RFC 3830, section 6.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dh {
    /// The group.
    pub group: DhGroup,
    /// The public value, of as many octets as an element of the group has.
    pub value: Vec<u8>,
    /// Four bits that are not used: 0 in what is sent.
    pub reserved: u8,
    /// The validity of the key that is agreed on.
    pub validity: KeyValidity,
}

impl Body for Dh {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let group = DhGroup(reader.u8()?);
        let value = reader.output(group.octets(), DecodeErrorKind::DhGroup(group.0))?;
        let offset = reader.position();
        let octet = reader.u8()?;
        let validity = KeyValidity::decode(Kv(octet & 0x0f), offset, reader)?;
        Ok(Self { group, value, reserved: octet >> 4, validity })
    }

    fn encode(&self, writer: &mut Writer) -> Result<(), UsageError> {
        writer.u8(self.group.0);
        writer.output(&self.value, self.group.octets())?;
        writer.nibbles(self.reserved, self.validity.kv().0)?;
        self.validity.encode(writer)
    }

    fn length(&self) -> usize {
        2 + self.value.len() + self.validity.length()
    }

    fn fields(&self) -> Vec<Field> {
        let mut fields = vec![Field::new("DH-Group", self.group), Field::new("DH-value", &self.value)];
        fields.extend(self.validity.fields());
        fields
    }
}
