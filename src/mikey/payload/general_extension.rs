//! General Extension.

use alloc::vec::Vec;

use crate::error::{DecodeError, UsageError};
use crate::mikey::codec::{Body, Reader, Writer};
use crate::mikey::registry::ExtensionType;

/// The content of a General Extension payload (RFC 3830, section 6.15).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneralExtension {
    /// What the data is.
    pub extension_type: ExtensionType,
    /// The data as that type defines it, at most 65,535 octets.
    pub data: Vec<u8>,
}

impl Body for GeneralExtension {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { extension_type: ExtensionType(reader.u8()?), data: reader.long()? })
    }

    fn encode(&self, writer: &mut Writer) -> Result<(), UsageError> {
        writer.u8(self.extension_type.0);
        writer.long(&self.data)
    }

    fn length(&self) -> usize {
        3 + self.data.len()
    }
}
