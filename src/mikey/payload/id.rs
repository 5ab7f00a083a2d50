//! ID and IDR.

use alloc::vec;
use alloc::vec::Vec;

use crate::error::{DecodeError, UsageError};
use crate::mikey::codec::{Body, Reader, Writer};
use crate::mikey::field::{Field, Value};
use crate::mikey::registry::{IdRole, IdType};

/// The content of ID, an identity (RFC 3830, section 6.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Id {
    /// The form of the identity.
    pub id_type: IdType,
    /// The identity, at most 65,535 octets.
    pub data: Vec<u8>,
}

impl Body for Id {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { id_type: IdType(reader.u8()?), data: reader.long()? })
    }

    fn encode(&self, writer: &mut Writer) -> Result<(), UsageError> {
        writer.u8(self.id_type.0);
        writer.long(&self.data)
    }

    fn length(&self) -> usize {
        3 + self.data.len()
    }

    fn fields(&self) -> Vec<Field> {
        let data = Value::identity(self.id_type, &self.data);
        vec![Field::new("ID type", self.id_type), Field::new("ID data", data)]
    }
}

/// The content of IDR, an identity with its role (RFC 6043, section 6.6; RFC 6509, section 4.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idr {
    /// What the identity is for.
    pub role: IdRole,
    /// The form of the identity.
    pub id_type: IdType,
    /// The identity, at most 65,535 octets.
    pub data: Vec<u8>,
}

impl Body for Idr {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { role: IdRole(reader.u8()?), id_type: IdType(reader.u8()?), data: reader.long()? })
    }

    fn encode(&self, writer: &mut Writer) -> Result<(), UsageError> {
        writer.octets(&[self.role.0, self.id_type.0]);
        writer.long(&self.data)
    }

    fn length(&self) -> usize {
        4 + self.data.len()
    }

    fn fields(&self) -> Vec<Field> {
        let data = Value::identity(self.id_type, &self.data);
        vec![Field::new("ID role", self.role), Field::new("ID type", self.id_type), Field::new("ID data", data)]
    }
}
