//! The whole message: HDR, payloads, SIGN.

use alloc::vec::Vec;
use core::{fmt, iter};

use super::codec::{Body, Reader, Writer};
use super::header::{CS_COUNT_OFFSET, CsBlocks, CsIdMap, Header};
use super::payload::{Payload, Sign};
use super::registry::{PayloadType, SType};
use super::tolerance::{Tolerance, Tolerances};
use crate::error::{DecodeError, DecodeErrorKind, UsageError};

/// The longest message that is read, in octets: more than any has, and few enough for what is made of the shortest
/// payloads.
pub const MAX_OCTETS: usize = 1 << 20;

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
    /// Reads a message, with the default [`Tolerances`].
    ///
    /// # Errors
    ///
    /// Those of [`Message::decode_with`].
    pub fn decode(octets: &[u8]) -> Result<Self, DecodeError> {
        Self::decode_with(octets, Tolerances::default())
    }

    /// Reads a message of at most [`MAX_OCTETS`].
    ///
    /// Nothing is asked of order, number or presence of payloads, except that SIGN comes last and that no SP stands
    /// beside the empty map.
    ///
    /// # Errors
    ///
    /// [`DecodeErrorKind::TooLong`]; else a [`DecodeError`] with the offset of the first field that cannot be read:
    /// [`DecodeErrorKind::PayloadType`] and its like for a number that decides how the following octets are to be read
    /// and is not known, then with the offset of that number. [`DecodeErrorKind::SpWithEmptyMap`] and
    /// [`DecodeErrorKind::NoCryptoSessions`] unless tolerated.
    pub fn decode_with(octets: &[u8], tolerances: Tolerances) -> Result<Self, DecodeError> {
        if octets.len() > MAX_OCTETS {
            return Err(DecodeError { kind: DecodeErrorKind::TooLong, offset: MAX_OCTETS });
        }
        let message = match Self::read(octets, CsBlocks::Present) {
            Err(error) if tolerances.contains(Tolerance::MissingCsBlocks) => {
                Self::read(octets, CsBlocks::Missing).map_err(|_| error)?
            }
            outcome => outcome?,
        };
        match message.departure(tolerances) {
            Some(departure) => Err(departure),
            None => Ok(message),
        }
    }

    /// Reads a message without regard to what it may not have.
    fn read(octets: &[u8], blocks: CsBlocks) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(octets);
        let (header, mut next) = Header::decode(&mut reader, blocks)?;
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

    /// Where the message departs from the standards in a way that is not tolerated.
    fn departure(&self, tolerances: Tolerances) -> Option<DecodeError> {
        let parts = self.layout().filter_map(|part| match part.content {
            Content::Payload(payload) => Some((part.offset, payload)),
            _ => None,
        });
        departure(&self.header, parts, tolerances)
    }

    /// The octets of this message, as the standards have it.
    ///
    /// # Errors
    ///
    /// Those of [`Message::encode_with`], and [`UsageError::OnlyTolerated`] for a message that cannot be read without
    /// a [`Tolerance`].
    pub fn encode(&self) -> Result<Vec<u8>, UsageError> {
        self.encode_with(Tolerances::NONE)
    }

    /// The octets of this message; for one that was decoded with the same tolerances, those that it was decoded from.
    ///
    /// # Errors
    ///
    /// [`UsageError::FieldLength`] if a value does not fit its field; [`UsageError::NotLast`] if a payload comes after
    /// [`Payload::Rest`]; [`UsageError::OnlyTolerated`] if the message departs from the standards in a way that is not
    /// tolerated.
    pub fn encode_with(&self, tolerances: Tolerances) -> Result<Vec<u8>, UsageError> {
        let mut writer = Writer::with_capacity(self.length());
        match &self.sign {
            Some(sign) => {
                self.encode_before(PayloadType::SIGN, tolerances, &mut writer)?;
                sign.encode(&mut writer)?;
            }
            None => self.encode_before(PayloadType::LAST, tolerances, &mut writer)?,
        }
        Ok(writer.into_octets())
    }

    /// What a signature of the given type, with `length` octets, has to cover: the message up to and with S type and
    /// signature length. The signature appended, it is the whole message. [`Message::sign`] is not looked at.
    ///
    /// # Errors
    ///
    /// Those of [`Message::encode`]; S type has 4 bits, the length 12.
    pub fn encode_to_be_signed(&self, s_type: SType, length: usize) -> Result<Vec<u8>, UsageError> {
        let mut writer = Writer::with_capacity(self.length() + 2 + length.min(usize::from(u16::MAX)));
        self.encode_before(PayloadType::SIGN, Tolerances::NONE, &mut writer)?;
        Sign::encode_head(s_type, length, &mut writer)?;
        Ok(writer.into_octets())
    }

    /// How many octets of the message the signature covers, counted from the first: all but the signature itself
    /// (RFC 3830, section 6.5). `None` if there is no SIGN.
    pub fn signed_length(&self) -> Option<usize> {
        self.sign.as_ref().map(|sign| self.length() - sign.signature.len())
    }

    /// How many octets of the message a signature may cover: [`Message::signed_length`], and with
    /// [`Tolerance::SignHeaderExcluded`] also without S type and signature length.
    pub fn signed_lengths(&self, tolerances: Tolerances) -> impl Iterator<Item = usize> + use<> {
        let length = self.signed_length();
        let without_head = length.filter(|_| tolerances.contains(Tolerance::SignHeaderExcluded));
        length.into_iter().chain(without_head.map(|length| length - Sign::HEAD_OCTETS))
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
    fn encode_before(&self, last: PayloadType, tolerances: Tolerances, writer: &mut Writer) -> Result<(), UsageError> {
        if self.departure(tolerances).is_some() {
            return Err(UsageError::OnlyTolerated);
        }
        let mut following = self.payloads.iter().map(Payload::payload_type).chain([last]);
        let mut next = || following.next().unwrap_or(last);
        self.header.encode(next(), writer)?;
        self.payloads.iter().try_for_each(|payload| payload.encode(next(), writer))
    }
}

/// Where a message of these payloads, each with its offset, departs from the standards in a way that is not tolerated.
pub(super) fn departure<'a>(
    header: &Header,
    payloads: impl Iterator<Item = (usize, &'a Payload)>,
    tolerances: Tolerances,
) -> Option<DecodeError> {
    let (tolerance, kind, offset) = match &header.cs_id_map {
        CsIdMap::Missing { .. } => {
            (Tolerance::MissingCsBlocks, DecodeErrorKind::MissingCsBlocks, Some(CS_COUNT_OFFSET))
        }
        CsIdMap::GenericId(sessions) => {
            let offset = sessions.is_empty().then_some(CS_COUNT_OFFSET);
            (Tolerance::GenericIdNoCs, DecodeErrorKind::NoCryptoSessions, offset)
        }
        CsIdMap::Empty(_) => {
            let mut policies = payloads.filter(|(_, payload)| matches!(payload, Payload::Sp(_)));
            let offset = policies.next().map(|(offset, _)| offset);
            (Tolerance::SpWithEmptyMap, DecodeErrorKind::SpWithEmptyMap, offset)
        }
        CsIdMap::SrtpId(_) => return None,
    };
    let offset = offset.filter(|_| !tolerances.contains(tolerance));
    offset.map(|offset| DecodeError { kind, offset })
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
