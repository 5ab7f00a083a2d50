//! What octets say, and everything that is wrong with them.

use alloc::vec::Vec;
use core::fmt;

use super::codec::{Body, NextPayload, Reader};
use super::field::Field;
use super::header::{CsBlocks, Header};
use super::i_message::Check;
use super::message::{Message, departure};
use super::payload::{Payload, Sign};
use super::registry::{DataType, PayloadType};
use super::tolerance::{Tolerance, Tolerances};
use crate::error::{DecodeError, DecodeErrorKind};

/// What [`inspect`] finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection<'a> {
    /// HDR and the payloads, in the order of the message. A payload whose length cannot be told is the last, and has
    /// all octets that are left.
    pub parts: Vec<InspectedPart<'a>>,
    /// Everything that is wrong, in the order in which it was found.
    pub faults: Vec<Fault>,
    /// How many octets the parts have together: all of them, unless HDR is malformed or octets are left over.
    pub length: usize,
    /// How many octets the signature covers, if there is one.
    pub signed_length: Option<usize>,
    message: Option<Message>,
}

/// A stretch of what was inspected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InspectedPart<'a> {
    /// Octets from the start of the message.
    pub offset: usize,
    /// The octets, with the next-payload octet in front in all but HDR and SIGN.
    pub octets: &'a [u8],
    /// The type of the payload; `None` for HDR.
    pub payload_type: Option<PayloadType>,
    /// What stands there; `None` if it is malformed.
    pub content: Option<InspectedContent>,
}

/// The content of an [`InspectedPart`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InspectedContent {
    /// HDR.
    Header(Header),
    /// A payload between HDR and SIGN.
    Payload(Payload),
    /// SIGN.
    Sign(Sign),
}

/// Something that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong, and at which offset in the message.
    pub error: DecodeError,
    /// The payload that it is in, counted from 0 after HDR.
    pub payload: Option<usize>,
}

/// Takes octets apart as far as they can be read, and says all that is wrong: where they are malformed, where they
/// depart from the standards in a way that is not tolerated, where an I_MESSAGE does not follow its profile (RFC 6509),
/// and where the data of an extension or of KEMAC without encryption do not have their form.
///
/// It goes on after a malformed payload whose length can be told, and ends at one whose length cannot.
pub fn inspect(octets: &[u8], tolerances: Tolerances) -> Inspection<'_> {
    let walk = Walk::new(octets, CsBlocks::Present);
    let walk = if walk.faults.is_empty() || !tolerances.contains(Tolerance::MissingCsBlocks) {
        walk
    } else {
        let other = Walk::new(octets, CsBlocks::Missing);
        if other.faults.is_empty() { other } else { walk }
    };
    walk.finish(tolerances)
}

impl Inspection<'_> {
    /// The message, if nothing in it is malformed and every departure from the standards is tolerated:
    /// what [`Message::decode_with`] gives.
    pub const fn message(&self) -> Option<&Message> {
        self.message.as_ref()
    }

    /// HDR, if it could be read.
    pub fn header(&self) -> Option<&Header> {
        self.parts.iter().find_map(|part| match &part.content {
            Some(InspectedContent::Header(header)) => Some(header),
            _ => None,
        })
    }
}

impl InspectedPart<'_> {
    /// The fields with their names in the standards, in the order of the message; none if the part is malformed.
    pub fn fields(&self) -> Vec<Field> {
        match &self.content {
            Some(InspectedContent::Header(header)) => header.fields(),
            Some(InspectedContent::Payload(payload)) => payload.fields(),
            Some(InspectedContent::Sign(sign)) => sign.fields(),
            None => Vec::new(),
        }
    }
}

/// The name of the part in the standards.
impl fmt::Display for InspectedPart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.payload_type {
            None => f.pad("HDR"),
            Some(payload_type) => payload_type.fmt(f),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

/// A way through the octets, from HDR to the end or to where it cannot go on.
struct Walk<'a> {
    parts: Vec<InspectedPart<'a>>,
    faults: Vec<DecodeError>,
    reader: Reader<'a>,
    /// Whether every payload could be told apart.
    is_complete: bool,
}

impl<'a> Walk<'a> {
    fn new(octets: &'a [u8], blocks: CsBlocks) -> Self {
        let reader = Reader::new(octets);
        let mut walk = Self { parts: Vec::new(), faults: Vec::new(), reader, is_complete: false };
        if let Err(error) = walk.walk(octets, blocks) {
            walk.faults.push(error);
        }
        walk
    }

    /// Goes on until the end, or until a payload whose length cannot be told.
    fn walk(&mut self, octets: &'a [u8], blocks: CsBlocks) -> Result<(), DecodeError> {
        match Header::decode_version(&mut self.reader) {
            Err(error) if matches!(error.kind, DecodeErrorKind::Version(_)) => self.faults.push(error),
            outcome => outcome?,
        }
        let (header, mut next) = Header::decode_after_version(&mut self.reader, blocks)?;
        self.part(octets, 0, None, Some(InspectedContent::Header(header)));
        loop {
            let offset = self.reader.position();
            match next.payload_type {
                PayloadType::LAST => break,
                PayloadType::SIGN => {
                    let sign = Sign::decode(&mut self.reader).inspect_err(|_| self.rest(octets, offset, next))?;
                    self.part(octets, offset, Some(PayloadType::SIGN), Some(InspectedContent::Sign(sign)));
                    break;
                }
                payload_type => {
                    let (content, following) = self.payload(next).inspect_err(|_| self.rest(octets, offset, next))?;
                    self.part(octets, offset, Some(payload_type), content);
                    next = following;
                }
            }
        }
        self.is_complete = true;
        self.reader.finish()
    }

    /// Reads a payload, or notes what is wrong with it and passes over it.
    fn payload(&mut self, announced: NextPayload) -> Result<(Option<InspectedContent>, NextPayload), DecodeError> {
        let start = self.reader.at(self.reader.position());
        match Payload::decode(announced, &mut self.reader) {
            Ok((payload, next)) => Ok((Some(InspectedContent::Payload(payload)), next)),
            Err(error) => {
                self.reader = start;
                let next = Payload::skip(announced, &mut self.reader).map_err(|_| error)?;
                self.faults.push(error);
                Ok((None, next))
            }
        }
    }

    /// Notes a payload whose length cannot be told: it has all that is left.
    fn rest(&mut self, octets: &'a [u8], offset: usize, announced: NextPayload) {
        let octets = &octets[offset..];
        if !octets.is_empty() {
            let payload_type = Some(announced.payload_type);
            self.parts.push(InspectedPart { offset, octets, payload_type, content: None });
        }
    }

    fn part(
        &mut self,
        octets: &'a [u8],
        offset: usize,
        payload_type: Option<PayloadType>,
        content: Option<InspectedContent>,
    ) {
        let octets = &octets[offset..self.reader.position()];
        self.parts.push(InspectedPart { offset, octets, payload_type, content });
    }

    fn finish(self, tolerances: Tolerances) -> Inspection<'a> {
        let Self { parts, faults: mut errors, is_complete, .. } = self;
        let header = parts.iter().find_map(|part| match &part.content {
            Some(InspectedContent::Header(header)) => Some(header),
            _ => None,
        });
        let sign = parts.iter().find_map(|part| match &part.content {
            Some(InspectedContent::Sign(sign)) => Some((part, sign)),
            _ => None,
        });
        errors.extend(header.and_then(|header| departure(header, payloads(&parts), tolerances)));
        let message = header.filter(|_| errors.is_empty()).map(|header| Message {
            header: header.clone(),
            payloads: payloads(&parts).map(|(_, payload)| payload.clone()).collect(),
            sign: sign.map(|(_, sign)| sign.clone()),
        });
        let mut report = |error| errors.push(error);
        if let Some(header) = header.filter(|header| header.data_type == DataType::SAKKE_MSG) {
            let mut check = Check::new(tolerances);
            check.data_type(header.data_type, &mut report);
            for part in &parts {
                match (&part.content, part.payload_type) {
                    (Some(InspectedContent::Payload(payload)), _) => check.payload(part.offset, payload, &mut report),
                    (None, Some(payload_type)) => check.payload_type(part.offset, payload_type, &mut report),
                    _ => {}
                }
            }
            if is_complete {
                check.presence(sign.is_some(), &mut report);
            }
        }
        let data_type = header.map(|header| header.data_type);
        payloads(&parts).filter_map(|(offset, payload)| inner_fault(offset, payload, data_type)).for_each(report);

        let signed_length = sign.map(|(part, sign)| part.offset + part.octets.len() - sign.signature.len());
        let is_in = |part: &InspectedPart<'_>, offset| {
            let end = part.offset + part.octets.len();
            (part.offset..end).contains(&offset) || part.content.is_none() && offset == end
        };
        let fault = |error: DecodeError| {
            let payload = parts.iter().position(|part| is_in(part, error.offset)).and_then(|part| part.checked_sub(1));
            Fault { error, payload }
        };
        let faults = errors.into_iter().map(fault).collect();
        let length = parts.last().map_or(0, |part| part.offset + part.octets.len());
        Inspection { faults, length, signed_length, message, parts }
    }
}

/// The payloads that could be read, with their offsets.
fn payloads<'a>(parts: &'a [InspectedPart<'_>]) -> impl Iterator<Item = (usize, &'a Payload)> {
    parts.iter().filter_map(|part| match &part.content {
        Some(InspectedContent::Payload(payload)) => Some((part.offset, payload)),
        _ => None,
    })
}

/// What is wrong with data inside a payload.
fn inner_fault(offset: usize, payload: &Payload, data_type: Option<DataType>) -> Option<DecodeError> {
    // Next payload, type or algorithm, and length stand before the data.
    const BEFORE_DATA: usize = 4;
    let fault = match payload {
        Payload::GeneralExtension(extension) => extension.content().err(),
        // In the public-key modes an identity stands before the keys.
        Payload::Kemac(kemac) if data_type == Some(DataType::PRE_SHARED) => {
            kemac.null_encrypted().and_then(Result::err)
        }
        _ => None,
    };
    fault.map(|DecodeError { kind, offset: inner }| DecodeError { kind, offset: offset + BEFORE_DATA + inner })
}
