//! SAKKE.

use alloc::vec;
use alloc::vec::Vec;

use crate::error::{DecodeError, UsageError};
use crate::mikey::codec::{Body, Reader, Writer};
use crate::mikey::field::Field;
use crate::mikey::registry::{IdScheme, SakkeParams};

/// The content of SAKKE, an encapsulated key (RFC 6509, section 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sakke {
    /// The parameter set of SAKKE.
    pub params: SakkeParams,
    /// How the identities of both parties are made into identifiers.
    pub id_scheme: IdScheme,
    /// The Encapsulated Data, at most 65,535 octets; 273 with parameter set 1.
    pub data: Vec<u8>,
}

impl Body for Sakke {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { params: SakkeParams(reader.u8()?), id_scheme: IdScheme(reader.u8()?), data: reader.long()? })
    }

    fn encode(&self, writer: &mut Writer) -> Result<(), UsageError> {
        writer.octets(&[self.params.0, self.id_scheme.0]);
        writer.long(&self.data)
    }

    fn length(&self) -> usize {
        4 + self.data.len()
    }

    fn fields(&self) -> Vec<Field> {
        vec![
            Field::new("SAKKE params", self.params),
            Field::new("ID scheme", self.id_scheme),
            Field::new("SAKKE data length", self.data.len()),
            Field::new("SAKKE data", &self.data),
        ]
    }
}
