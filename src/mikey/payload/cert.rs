//! CERT and CHASH.

use alloc::vec;
use alloc::vec::Vec;

use crate::error::{DecodeError, DecodeErrorKind, UsageError};
use crate::mikey::codec::{Body, Reader, Writer};
use crate::mikey::field::Field;
use crate::mikey::registry::{CertType, HashFunc};

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

    fn fields(&self) -> Vec<Field> {
        vec![Field::new("Cert type", self.cert_type), Field::new("Certificate", &self.data)]
    }
}

/// The content of CHASH, the hash of the certificate that was used (RFC 3830, section 6.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chash {
    /// The hash function.
    pub hash_func: HashFunc,
    /// The hash, of as many octets as the function makes.
    pub hash: Vec<u8>,
}

impl Body for Chash {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let hash_func = HashFunc(reader.u8()?);
        let hash = reader.output(hash_func.octets(), DecodeErrorKind::HashFunc(hash_func.0))?;
        Ok(Self { hash_func, hash })
    }

    fn encode(&self, writer: &mut Writer) -> Result<(), UsageError> {
        writer.u8(self.hash_func.0);
        writer.output(&self.hash, self.hash_func.octets())
    }

    fn length(&self) -> usize {
        1 + self.hash.len()
    }

    fn fields(&self) -> Vec<Field> {
        vec![Field::new("Hash func", self.hash_func), Field::new("Hash", &self.hash)]
    }
}
