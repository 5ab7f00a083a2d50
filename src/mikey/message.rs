//! The whole message: HDR, payloads, SIGN.

use alloc::vec::Vec;
use core::{fmt, iter};

use super::codec::{Body, Reader, Writer};
use super::header::Header;
use super::payload::{Payload, Sign};
use super::registry::{PayloadType, SType};
#[cfg(doc)]
use crate::error::DecodeErrorKind;
use crate::error::{DecodeError, UsageError};

/// A MIKEY message (RFC 3830, section 6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// HDR.
    pub header: Header,
    /// The payloads after HDR and before SIGN, in the order of the message.
    pub payloads: Vec<Payload>,
    /// SIGN, which is always the last payload.
    pub sign: Option<Sign>,
}

/// A stretch of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// Octets from the start of the message to the first octet of this part, which is the next-payload octet in all
    /// but HDR and SIGN.
    pub offset: usize,
    /// Octets in this part.
    pub length: usize,
    /// What stands there.
    pub content: Content<'a>,
}

/// The content of a [`Part`]. It prints as the standards name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// HDR, the first part.
    Header(&'a Header),
    /// A payload between HDR and SIGN.
    Payload(&'a Payload),
    /// SIGN, the last part.
    Sign(&'a Sign),
}

impl Message {
    /// Reads a message. No more is allocated than a small multiple of the octets that are there.
    ///
    /// Nothing is asked of order, number or presence of payloads, except that SIGN comes last.
    ///
    /// # Errors
    ///
    /// A [`DecodeError`] with the offset of the first field that cannot be read: [`DecodeErrorKind::PayloadType`] and
    /// its like for a number that decides how the following octets are to be read and is not known, then with the
    /// offset of that number.
    pub fn decode(octets: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(octets);
        let (header, mut next) = Header::decode(&mut reader)?;
        let mut payloads = Vec::new();
        let sign = loop {
            match next.payload_type {
                PayloadType::LAST => break None,
                PayloadType::SIGN => break Some(Sign::decode(&mut reader)?),
                _ => {
                    let (payload, following) = Payload::decode(next, &mut reader)?;
                    payloads.push(payload);
                    next = following;
                }
            }
        };
        reader.finish()?;
        Ok(Self { header, payloads, sign })
    }

    /// The octets of this message; for one that was decoded, those that it was decoded from.
    ///
    /// # Errors
    ///
    /// [`UsageError::FieldLength`] if a value does not fit its field.
    pub fn encode(&self) -> Result<Vec<u8>, UsageError> {
        let mut writer = Writer::with_capacity(self.length());
        match &self.sign {
            Some(sign) => {
                self.encode_before(PayloadType::SIGN, &mut writer)?;
                sign.encode(&mut writer)?;
            }
            None => self.encode_before(PayloadType::LAST, &mut writer)?,
        }
        Ok(writer.into_octets())
    }

    /// What a signature of the given type, with `length` octets, has to cover: the message up to and with S type and
    /// signature length. The signature appended, it is the whole message. [`Message::sign`] is not looked at.
    ///
    /// # Errors
    ///
    /// [`UsageError::FieldLength`] if a value does not fit its field; S type has 4 bits, the length 12.
    pub fn encode_to_be_signed(&self, s_type: SType, length: usize) -> Result<Vec<u8>, UsageError> {
        let mut writer = Writer::with_capacity(self.length() + 2 + length.min(usize::from(u16::MAX)));
        self.encode_before(PayloadType::SIGN, &mut writer)?;
        Sign::encode_head(s_type, length, &mut writer)?;
        Ok(writer.into_octets())
    }

    /// How many octets of the message the signature covers, counted from the first: all but the signature itself
    /// (RFC 3830, section 6.5). `None` if there is no SIGN.
    pub fn signed_length(&self) -> Option<usize> {
        self.sign.as_ref().map(|sign| self.length() - sign.signature.len())
    }

    /// The parts of the message in their order, with the places they have in its octets.
    pub fn layout(&self) -> impl Iterator<Item = Part<'_>> {
        let header = iter::once((Content::Header(&self.header), self.header.length()));
        let payloads = self.payloads.iter().map(|payload| (Content::Payload(payload), payload.length()));
        let sign = self.sign.iter().map(|sign| (Content::Sign(sign), sign.length()));
        header.chain(payloads).chain(sign).scan(0, |end, (content, length)| {
            let offset = *end;
            *end += length;
            Some(Part { offset, length, content })
        })
    }

    fn length(&self) -> usize {
        self.layout().map(|part| part.length).sum()
    }

    /// Appends HDR and the payloads, the last of them announcing `last`.
    fn encode_before(&self, last: PayloadType, writer: &mut Writer) -> Result<(), UsageError> {
        let mut following = self.payloads.iter().map(Payload::payload_type).chain([last]);
        let mut next = || following.next().unwrap_or(last);
        self.header.encode(next(), writer)?;
        self.payloads.iter().try_for_each(|payload| payload.encode(next(), writer))
    }
}

impl fmt::Display for Content<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(_) => f.pad("HDR"),
            Self::Payload(payload) => payload.payload_type().fmt(f),
            Self::Sign(_) => PayloadType::SIGN.fmt(f),
        }
    }
}
