//! The data of General Extensions.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::{GeneralExtension, KeyParameters, Sakke};
use crate::error::{DecodeError, DecodeErrorKind, UsageError};
use crate::mikey::codec::{Body, Reader, Writer};
use crate::mikey::field::{Field, Value};
use crate::mikey::registry::{ExtensionType, KeyIdType, PayloadType};

/// The data of a [`GeneralExtension`], by its type.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Extension {
    /// A Vendor ID, which only its vendor understands (RFC 3830, section 6.15).
    VendorId(Vec<u8>),
    /// The key management protocols that SDP offered, each by its identifier (RFC 4567, section 3.1.4).
    SdpIds(Vec<String>),
    /// Key identifiers (RFC 4563).
    KeyIds(Vec<KeyId>),
    /// A CSB ID, for a bundle other than that of the header (RFC 4738).
    CsbId(Vec<u8>),
    /// The key of the message once more, encapsulated to its initiator (TS 33.180, annex E.5).
    SakkeToSelf(Sakke),
    /// Parameters of the key (TS 33.180, annex E.6).
    KeyParameters(KeyParameters),
    /// Data of another type.
    Other(ExtensionType, Vec<u8>),
}

/// A key identifier in a Key ID extension (RFC 4563).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyId {
    /// What it identifies.
    pub key_id_type: KeyIdType,
    /// The identifier, at most 255 octets.
    pub key_id: Vec<u8>,
}

/// What stands between the identifiers of key management protocols.
const SDP_SEPARATOR: char = ';';

impl Extension {
    /// Takes data apart.
    pub(super) fn decode(extension_type: ExtensionType, data: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(data);
        let content = match extension_type {
            ExtensionType::VENDOR_ID => Self::VendorId(reader.rest().to_vec()),
            ExtensionType::SDP_IDS => Self::SdpIds(protocols(reader.rest())?),
            ExtensionType::KEY_ID => {
                let mut key_ids = Vec::new();
                while !reader.is_empty() {
                    key_ids.push(KeyId::decode(&mut reader)?);
                }
                Self::KeyIds(key_ids)
            }
            ExtensionType::CSB_ID => Self::CsbId(reader.rest().to_vec()),
            ExtensionType::SAKKE_TO_SELF => {
                // The next-payload octet of the payload inside is there, and says nothing.
                reader.u8()?;
                Self::SakkeToSelf(Sakke::decode(&mut reader)?)
            }
            ExtensionType::KEY_PARAMETERS => Self::KeyParameters(KeyParameters::decode(&mut reader)?),
            other => Self::Other(other, reader.rest().to_vec()),
        };
        reader.finish()?;
        Ok(content)
    }

    /// The payload with these data.
    ///
    /// # Errors
    ///
    /// [`UsageError::FieldLength`] if a value does not fit its field.
    pub fn to_payload(&self) -> Result<GeneralExtension, UsageError> {
        let mut writer = Writer::with_capacity(0);
        let extension_type = match self {
            Self::VendorId(id) => {
                writer.octets(id);
                ExtensionType::VENDOR_ID
            }
            Self::SdpIds(protocols) => {
                for (place, protocol) in protocols.iter().enumerate() {
                    let separated =
                        !protocol.is_empty() && !protocol.contains(|c: char| c == SDP_SEPARATOR || c.is_control());
                    if !separated {
                        return Err(UsageError::FieldLength);
                    }
                    writer.octets(if place == 0 { "" } else { ";" }.as_bytes());
                    writer.octets(protocol.as_bytes());
                }
                ExtensionType::SDP_IDS
            }
            Self::KeyIds(key_ids) => {
                key_ids.iter().try_for_each(|key_id| key_id.encode(&mut writer))?;
                ExtensionType::KEY_ID
            }
            Self::CsbId(csb_id) => {
                writer.octets(csb_id);
                ExtensionType::CSB_ID
            }
            Self::SakkeToSelf(sakke) => {
                writer.u8(PayloadType::LAST.0);
                sakke.encode(&mut writer)?;
                ExtensionType::SAKKE_TO_SELF
            }
            Self::KeyParameters(parameters) => {
                parameters.encode(&mut writer)?;
                ExtensionType::KEY_PARAMETERS
            }
            Self::Other(extension_type, data) => {
                writer.octets(data);
                *extension_type
            }
        };
        Ok(GeneralExtension { extension_type, data: writer.into_octets() })
    }

    pub(super) fn value(&self) -> Value {
        match self {
            Self::VendorId(id) => Value::text(id),
            Self::SdpIds(protocols) => Value::List(protocols.iter().cloned().map(Value::Text).collect()),
            Self::KeyIds(key_ids) => Value::List(key_ids.iter().map(|key_id| Value::Fields(key_id.fields())).collect()),
            Self::SakkeToSelf(sakke) => Value::Fields(sakke.fields()),
            Self::KeyParameters(parameters) => Value::Fields(parameters.fields()),
            Self::CsbId(octets) | Self::Other(_, octets) => octets.into(),
        }
    }
}

/// Identifiers with separators between them.
fn protocols(octets: &[u8]) -> Result<Vec<String>, DecodeError> {
    let fault = |offset| DecodeError { kind: DecodeErrorKind::Text, offset };
    let text = core::str::from_utf8(octets).map_err(|error| fault(error.valid_up_to()))?;
    match text.find(char::is_control) {
        Some(offset) => Err(fault(offset)),
        None => Ok(text.split(SDP_SEPARATOR).filter(|protocol| !protocol.is_empty()).map(String::from).collect()),
    }
}

impl Body for KeyId {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { key_id_type: KeyIdType(reader.u8()?), key_id: reader.short()? })
    }

    fn encode(&self, writer: &mut Writer) -> Result<(), UsageError> {
        writer.u8(self.key_id_type.0);
        writer.short(&self.key_id)
    }

    fn length(&self) -> usize {
        2 + self.key_id.len()
    }

    fn fields(&self) -> Vec<Field> {
        vec![Field::new("Key ID Type", self.key_id_type), Field::new("Key ID", &self.key_id)]
    }
}
