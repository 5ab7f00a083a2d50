//! CERT.

use alloc::vec::Vec;

use crate::error::{DecodeError, UsageError};
use crate::mikey::codec::{Body, Reader, Writer};
use crate::mikey::registry::CertType;

/// The content of CERT, one certificate of a chain (RFC 3830, section 6.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cert {
    /// The kind of certificate.
    pub cert_type: CertType,
    /// The certificate in DER, or its URL, at most 65,535 octets.
    pub data: Vec<u8>,
}

impl Body for Cert {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { cert_type: CertType(reader.u8()?), data: reader.long()? })
    }

    fn encode(&self, writer: &mut Writer) -> Result<(), UsageError> {
        writer.u8(self.cert_type.0);
        writer.long(&self.data)
    }

    fn length(&self) -> usize {
        3 + self.data.len()
    }
}
