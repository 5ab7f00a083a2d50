//! General Extension.

use alloc::vec;
use alloc::vec::Vec;

use super::extension::Extension;
use crate::error::{DecodeError, UsageError};
use crate::mikey::codec::{Body, Reader, Writer};
use crate::mikey::field::{Field, Value};
use crate::mikey::registry::ExtensionType;

/// The content of a General Extension payload (RFC 3830, section 6.15).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneralExtension {
    /// What the data is.
    pub extension_type: ExtensionType,
    /// The data as that type defines it, at most 65,535 octets. [`GeneralExtension::content`] takes it apart.
    pub data: Vec<u8>,
}

impl GeneralExtension {
    /// The data, taken apart as its type defines it.
    ///
    /// # Errors
    ///
    /// A [`DecodeError`] with the offset from the start of the data, if they do not have the form of their type.
    pub fn content(&self) -> Result<Extension, DecodeError> {
        Extension::decode(self.extension_type, &self.data)
    }
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

    fn fields(&self) -> Vec<Field> {
        let data = self.content().map_or_else(|_| Value::from(&self.data), |content| content.value());
        vec![Field::new("Type", self.extension_type), Field::new("Length", self.data.len()), Field::new("Data", data)]
    }
}
