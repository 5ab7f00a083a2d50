//! Reading and writing of fields, each checked against what holds it.

use alloc::vec::Vec;

use super::field::Field;
use super::registry::PayloadType;
use crate::error::{DecodeError, DecodeErrorKind, UsageError};

/// What stands in a message after a next-payload octet, or after none.
pub(super) trait Body: Sized {
    /// Reads the fields, and no octet more.
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;

    /// Appends the fields. Fails with [`UsageError::FieldLength`] where a value does not fit.
    fn encode(&self, writer: &mut Writer) -> Result<(), UsageError>;

    /// How many octets the fields take.
    fn length(&self) -> usize;

    /// The fields with their names in the standards, in the order of the message.
    fn fields(&self) -> Vec<Field>;

    /// Passes over the fields; goes further than [`Body::decode`] where malformed content has a known length.
    fn skip(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        Self::decode(reader).map(drop)
    }
}

/// A next-payload octet, and where it stands.
#[derive(Clone, Copy)]
pub(super) struct NextPayload {
    pub(super) payload_type: PayloadType,
    pub(super) offset: usize,
}

/// A position in a message, and the end of the field that is being read.
pub(super) struct Reader<'a> {
    /// The message from its first octet to the end of the field: positions are offsets in the message.
    octets: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(octets: &'a [u8]) -> Self {
        Self { octets, position: 0 }
    }

    /// Octets from the start of the message.
    pub(super) const fn position(&self) -> usize {
        self.position
    }

    /// An error about the field at the present position.
    pub(super) const fn error(&self, kind: DecodeErrorKind) -> DecodeError {
        DecodeError { kind, offset: self.position }
    }

    /// A reader of the same octets from a position on.
    pub(super) const fn at(&self, position: usize) -> Self {
        Self { octets: self.octets, position }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.position == self.octets.len()
    }

    /// Makes sure that everything was read.
    pub(super) const fn finish(&self) -> Result<(), DecodeError> {
        if self.is_empty() { Ok(()) } else { Err(self.error(DecodeErrorKind::TrailingOctets)) }
    }

    /// The next `count` octets.
    pub(super) fn octets(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let rest = &self.octets[self.position..];
        let taken = rest.get(..count).ok_or(self.error(DecodeErrorKind::Truncated))?;
        self.position += count;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let rest = &self.octets[self.position..];
        let taken = rest.first_chunk().ok_or(self.error(DecodeErrorKind::Truncated))?;
        self.position += N;
        Ok(*taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_be_bytes)
    }

    /// All octets that are left.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        let rest = &self.octets[self.position..];
        self.position = self.octets.len();
        rest
    }

    /// As many octets as an algorithm's output has. The number of the algorithm is the octet just read.
    pub(super) fn output(&mut self, octets: Option<usize>, unknown: DecodeErrorKind) -> Result<Vec<u8>, DecodeError> {
        let unknown = DecodeError { kind: unknown, offset: self.position - 1 };
        self.octets(octets.ok_or(unknown)?).map(<[u8]>::to_vec)
    }

    /// Octets after their number in one octet.
    pub(super) fn short(&mut self) -> Result<Vec<u8>, DecodeError> {
        let length = self.u8()?;
        self.octets(length.into()).map(<[u8]>::to_vec)
    }

    /// Octets after their number in two octets.
    pub(super) fn long(&mut self) -> Result<Vec<u8>, DecodeError> {
        let length = self.u16()?;
        self.octets(length.into()).map(<[u8]>::to_vec)
    }

    /// A reader of the fields inside a field that has its length in two octets in front.
    pub(super) fn nested(&mut self) -> Result<Self, DecodeError> {
        let length = self.u16()?;
        let position = self.position;
        self.octets(length.into())?;
        Ok(Self { octets: &self.octets[..self.position], position })
    }

    /// A flag in the top bit of an octet, and the number in the other seven.
    pub(super) fn flagged(&mut self) -> Result<(bool, u8), DecodeError> {
        // A wrong mask, on demand, to see that the fuzz targets find it.
        const NUMBER: u8 = if cfg!(planted_bug) { 0x3f } else { 0x7f };
        let octet = self.u8()?;
        Ok((octet & 0x80 != 0, octet & NUMBER))
    }

    pub(super) fn next_payload(&mut self) -> Result<NextPayload, DecodeError> {
        let offset = self.position;
        Ok(NextPayload { payload_type: PayloadType(self.u8()?), offset })
    }
}

/// A message in the making.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn with_capacity(octets: usize) -> Self {
        Self(Vec::with_capacity(octets))
    }

    pub(super) fn into_octets(self) -> Vec<u8> {
        self.0
    }

    pub(super) fn octets(&mut self, octets: &[u8]) {
        self.0.extend_from_slice(octets);
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(super) fn u16(&mut self, value: u16) {
        self.octets(&value.to_be_bytes());
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.octets(&value.to_be_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.octets(&value.to_be_bytes());
    }

    /// A number of octets or of items, in one octet.
    pub(super) fn short_length(&mut self, length: usize) -> Result<(), UsageError> {
        self.u8(u8::try_from(length).map_err(|_| UsageError::FieldLength)?);
        Ok(())
    }

    /// A number of octets, in two octets.
    pub(super) fn long_length(&mut self, length: usize) -> Result<(), UsageError> {
        self.u16(u16::try_from(length).map_err(|_| UsageError::FieldLength)?);
        Ok(())
    }

    /// Octets after their number in one octet.
    pub(super) fn short(&mut self, octets: &[u8]) -> Result<(), UsageError> {
        self.short_length(octets.len())?;
        self.octets(octets);
        Ok(())
    }

    /// Octets after their number in two octets.
    pub(super) fn long(&mut self, octets: &[u8]) -> Result<(), UsageError> {
        self.long_length(octets.len())?;
        self.octets(octets);
        Ok(())
    }

    /// An algorithm's output, which has as many octets as that algorithm makes.
    pub(super) fn output(&mut self, octets: &[u8], expected: Option<usize>) -> Result<(), UsageError> {
        if expected != Some(octets.len()) {
            return Err(UsageError::FieldLength);
        }
        self.octets(octets);
        Ok(())
    }

    /// A number of four bits in front of another.
    pub(super) fn nibbles(&mut self, high: u8, low: u8) -> Result<(), UsageError> {
        if high > 0x0f || low > 0x0f {
            return Err(UsageError::FieldLength);
        }
        self.u8(high << 4 | low);
        Ok(())
    }

    /// A flag in the top bit of an octet, and a number in the other seven.
    pub(super) fn flagged(&mut self, flag: bool, value: usize) -> Result<(), UsageError> {
        let value = u8::try_from(value).ok().filter(|value| *value <= 0x7f).ok_or(UsageError::FieldLength)?;
        self.u8(u8::from(flag) << 7 | value);
        Ok(())
    }
}
