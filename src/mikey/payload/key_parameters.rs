//! The data of the key parameters extension: an MCData protected payload.

use alloc::vec;
use alloc::vec::Vec;

use crate::error::{DecodeError, UsageError};
use crate::mikey::codec::{Body, Reader, Writer};
use crate::mikey::field::{Field, Value};

/// The bits of the message type that say: encrypted, authenticated.
const PROTECTED: u8 = 0x40 | 0x80;

/// The data of an extension that holds key parameters (TS 33.180, annex E.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyParameters {
    /// As TS 33.180 has it, encrypted under a key that follows from the distributed one.
    Protected(ProtectedPayload),
    /// Parameters in clear, as older forms of the profile have it: at least one octet, of which bits 7 and 8 are 0.
    Plain(Vec<u8>),
}

/// An MCData protected payload (TS 33.180, 8.5.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtectedPayload {
    /// The message type: bit 7 says encrypted, bit 8 authenticated, and one of them is 1.
    pub message_type: u8,
    /// Date and time: seconds since 1970, in 40 bits. Receivers ignore it.
    pub date_time: u64,
    /// The payload ID.
    pub payload_id: [u8; 4],
    /// The payload sequence number.
    pub sequence_number: u8,
    /// The algorithm: 1 is AEAD_AES_128_GCM.
    pub algorithm: u8,
    /// The IV.
    pub iv: [u8; 16],
    /// The DPPK-ID: the CSB ID of the message.
    pub dppk_id: [u8; 4],
    /// The type octet in front of the ciphertext.
    pub payload_type: u8,
    /// The ciphertext with its tag, at most 65,535 octets.
    pub ciphertext: Vec<u8>,
}

impl ProtectedPayload {
    /// Octets before type and length of the ciphertext, which are authenticated with it.
    pub const HEADER_OCTETS: usize = 32;
}

impl KeyParameters {
    /// Whether the first octet of data announces a protected payload.
    const fn is_protected(message_type: u8) -> bool {
        message_type & PROTECTED != 0
    }
}

impl Body for KeyParameters {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let first = reader.at(reader.position()).u8()?;
        if Self::is_protected(first) {
            ProtectedPayload::decode(reader).map(Self::Protected)
        } else {
            Ok(Self::Plain(reader.rest().to_vec()))
        }
    }

    fn encode(&self, writer: &mut Writer) -> Result<(), UsageError> {
        match self {
            Self::Protected(payload) if Self::is_protected(payload.message_type) => payload.encode(writer),
            Self::Plain(content) if content.first().is_some_and(|first| !Self::is_protected(*first)) => {
                writer.octets(content);
                Ok(())
            }
            _ => Err(UsageError::FieldLength),
        }
    }

    fn length(&self) -> usize {
        match self {
            Self::Protected(payload) => payload.length(),
            Self::Plain(content) => content.len(),
        }
    }

    fn fields(&self) -> Vec<Field> {
        match self {
            Self::Protected(payload) => payload.fields(),
            Self::Plain(content) => vec![Field::new("Key Parameters", content)],
        }
    }
}

impl Body for ProtectedPayload {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            message_type: reader.u8()?,
            date_time: u64::from(reader.u8()?) << 32 | u64::from(reader.u32()?),
            payload_id: reader.array()?,
            sequence_number: reader.u8()?,
            algorithm: reader.u8()?,
            iv: reader.array()?,
            dppk_id: reader.array()?,
            payload_type: reader.u8()?,
            ciphertext: reader.long()?,
        })
    }

    fn encode(&self, writer: &mut Writer) -> Result<(), UsageError> {
        let [0, 0, 0, date_time @ ..] = self.date_time.to_be_bytes() else { return Err(UsageError::FieldLength) };
        writer.u8(self.message_type);
        writer.octets(&date_time);
        writer.octets(&self.payload_id);
        writer.octets(&[self.sequence_number, self.algorithm]);
        writer.octets(&self.iv);
        writer.octets(&self.dppk_id);
        writer.u8(self.payload_type);
        writer.long(&self.ciphertext)
    }

    fn length(&self) -> usize {
        Self::HEADER_OCTETS + 3 + self.ciphertext.len()
    }

    fn fields(&self) -> Vec<Field> {
        vec![
            Field::new("Message type", self.message_type),
            Field::new("Date and time", Value::Number(self.date_time)),
            Field::new("Payload ID", self.payload_id.as_slice()),
            Field::new("Payload sequence number", self.sequence_number),
            Field::new("Algorithm", self.algorithm),
            Field::new("IV", self.iv.as_slice()),
            Field::new("DPPK-ID", self.dppk_id.as_slice()),
            Field::new("Payload type", self.payload_type),
            Field::new("Payload", &self.ciphertext),
        ]
    }
}
