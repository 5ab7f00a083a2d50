//! KEMAC and V.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use super::key_data::KeyData;
use crate::error::{DecodeError, DecodeErrorKind, UsageError};
use crate::mikey::codec::{Body, Reader, Writer};
use crate::mikey::field::{Field, Value};
use crate::mikey::registry::{EncrAlg, MacAlg};

/// The content of KEMAC, encrypted keys with a MAC (RFC 3830, section 6.2).
#[derive(Clone, PartialEq, Eq)]
pub struct Kemac {
    /// How the data are encrypted.
    pub encr_alg: EncrAlg,
    /// The encrypted Key data sub-payloads, at most 65,535 octets.
    pub encr_data: Vec<u8>,
    /// How the MAC is made.
    pub mac_alg: MacAlg,
    /// The MAC, of as many octets as its algorithm makes.
    pub mac: Vec<u8>,
}

/// The content of V, the verification message (RFC 3830, section 6.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct V {
    /// How the MAC is made.
    pub auth_alg: MacAlg,
    /// The MAC, of as many octets as its algorithm makes.
    pub ver_data: Vec<u8>,
}

impl Kemac {
    /// The Key data sub-payloads, if they are not encrypted.
    ///
    /// # Errors
    ///
    /// Those of [`KeyData::decode_all`], with offsets from the start of the data.
    pub fn null_encrypted(&self) -> Option<Result<Vec<KeyData>, DecodeError>> {
        (self.encr_alg == EncrAlg::NULL).then(|| KeyData::decode_all(&self.encr_data))
    }
}

/// Without the keys, which may not be encrypted.
impl fmt::Debug for Kemac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut kemac = f.debug_struct("Kemac");
        kemac.field("encr_alg", &self.encr_alg).field("mac_alg", &self.mac_alg).finish_non_exhaustive()
    }
}

impl Body for Kemac {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let encr_alg = EncrAlg(reader.u8()?);
        let encr_data = reader.long()?;
        let mac_alg = MacAlg(reader.u8()?);
        let mac = reader.output(mac_alg.octets(), DecodeErrorKind::MacAlg(mac_alg.0))?;
        Ok(Self { encr_alg, encr_data, mac_alg, mac })
    }

    fn encode(&self, writer: &mut Writer) -> Result<(), UsageError> {
        writer.u8(self.encr_alg.0);
        writer.long(&self.encr_data)?;
        writer.u8(self.mac_alg.0);
        writer.output(&self.mac, self.mac_alg.octets())
    }

    fn length(&self) -> usize {
        4 + self.encr_data.len() + self.mac.len()
    }

    fn fields(&self) -> Vec<Field> {
        let data = match self.null_encrypted() {
            Some(Ok(keys)) => Value::List(keys.iter().map(|key| Value::Fields(key.fields())).collect()),
            _ => Value::from(&self.encr_data),
        };
        vec![
            Field::new("Encr alg", self.encr_alg),
            Field::new("Encr data", data),
            Field::new("MAC alg", self.mac_alg),
            Field::new("MAC", &self.mac),
        ]
    }
}

impl Body for V {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let auth_alg = MacAlg(reader.u8()?);
        let ver_data = reader.output(auth_alg.octets(), DecodeErrorKind::MacAlg(auth_alg.0))?;
        Ok(Self { auth_alg, ver_data })
    }

    fn encode(&self, writer: &mut Writer) -> Result<(), UsageError> {
        writer.u8(self.auth_alg.0);
        writer.output(&self.ver_data, self.auth_alg.octets())
    }

    fn length(&self) -> usize {
        1 + self.ver_data.len()
    }

    fn fields(&self) -> Vec<Field> {
        vec![Field::new("Auth alg", self.auth_alg), Field::new("Ver data", &self.ver_data)]
    }
}
