//! The profile of the I_MESSAGE, the only message of MIKEY-SAKKE (RFC 6509, section 2).
//!
//! An initiator sends HDR, T, RAND, IDRi, IDRr, IDRkmsi, IDRkmsr, SP, SAKKE, SIGN in this order, where IDR and SP may
//! be absent. A receiver takes the payloads in any order, HDR first and SIGN last; other payloads are left aside.

use super::header::DATA_TYPE_OFFSET;
use super::message::{Content, Message};
use super::payload::{GeneralExtension, Idr, Payload, Sakke, Sign, Sp, Ts};
use super::registry::{DataType, ExtensionType, IdRole, PayloadType};
use super::tolerance::{Tolerance, Tolerances};
use crate::error::{DecodeError, DecodeErrorKind};

/// Octets of RAND at least (RFC 3830, section 6.11, and what TS 33.180 sends).
pub const MIN_RAND_OCTETS: usize = 16;

/// Octets of RAND at least under [`Tolerance::ShortRand`].
pub const MIN_SHORT_RAND_OCTETS: usize = 8;

/// Roles that one identity may have in a message. Old peers send others twice.
const SINGLE_ROLES: [IdRole; 6] = [
    IdRole::INITIATOR,
    IdRole::RESPONDER,
    IdRole::INITIATOR_KMS,
    IdRole::RESPONDER_KMS,
    IdRole::INITIATOR_UID,
    IdRole::RESPONDER_UID,
];

/// Extensions that say something of the one key: which of two counted would be for each receiver to guess.
const SINGLE_EXTENSIONS: [ExtensionType; 2] = [ExtensionType::SAKKE_TO_SELF, ExtensionType::KEY_PARAMETERS];

/// Octets from the start of a payload to its first field after the next-payload octet.
const FIRST_FIELD: usize = 1;

/// A message that has what an I_MESSAGE needs, each once.
#[derive(Clone, Copy, Debug)]
pub struct IMessage<'a> {
    /// The CSB ID; in the profiles of 3GPP, the identifier of the key.
    pub csb_id: [u8; 4],
    /// The timestamp in NTP's format, of TS type NTP-UTC or NTP: 32 bits of seconds, 32 bits of fraction.
    pub timestamp: u64,
    /// The octets of RAND, 16 to 255; from 8 under [`Tolerance::ShortRand`].
    pub rand: &'a [u8],
    /// The encapsulated key.
    pub sakke: &'a Sakke,
    /// The signature.
    pub sign: &'a Sign,
    message: &'a Message,
}

impl<'a> IMessage<'a> {
    /// Checks a message against the profile, with the default [`Tolerances`].
    ///
    /// # Errors
    ///
    /// Those of [`IMessage::from_message_with`].
    pub fn from_message(message: &'a Message) -> Result<Self, DecodeError> {
        Self::from_message_with(message, Tolerances::default())
    }

    /// Checks a message against the profile. The V flag, PRF and CS ID map may have any value.
    ///
    /// # Errors
    ///
    /// * [`DecodeErrorKind::DataType`] unless the data type is [`DataType::SAKKE_MSG`];
    /// * [`DecodeErrorKind::TimestampType`] for a timestamp other than NTP-UTC and NTP;
    /// * [`DecodeErrorKind::RandLength`] for a RAND shorter than [`MIN_RAND_OCTETS`];
    /// * [`DecodeErrorKind::Duplicate`] for a second T, RAND or SAKKE, [`DecodeErrorKind::DuplicateRole`] for a second
    ///   identity in the role of initiator, responder or KMS of either, [`DecodeErrorKind::DuplicatePolicy`] for a
    ///   second SP with one policy number, [`DecodeErrorKind::DuplicateExtension`] for a second SAKKE-to-self or second
    ///   key parameters;
    /// * [`DecodeErrorKind::Missing`], with offset 0, if T, RAND, SAKKE or SIGN is absent.
    pub fn from_message_with(message: &'a Message, tolerances: Tolerances) -> Result<Self, DecodeError> {
        let mut check = Check::new(tolerances);
        let mut fault = None;
        let mut report = |error| {
            fault.get_or_insert(error);
        };
        check.data_type(message.header.data_type, &mut report);
        for part in message.layout() {
            if let Content::Payload(payload) = part.content {
                check.payload(part.offset, payload, &mut report);
            }
        }
        check.presence(message.sign.is_some(), &mut report);
        match (fault, check.timestamp, check.rand, check.sakke, &message.sign) {
            (None, Some(timestamp), Some(rand), Some(sakke), Some(sign)) => {
                Ok(Self { csb_id: message.header.csb_id, timestamp, rand, sakke, sign, message })
            }
            (fault, ..) => Err(fault.unwrap_or(missing(PayloadType::SIGN))),
        }
    }

    /// The message as it was before the check.
    pub const fn message(&self) -> &'a Message {
        self.message
    }

    /// The identity in a role, the first one if the role may have several.
    pub fn idr(&self, role: IdRole) -> Option<&'a Idr> {
        self.message.payloads.iter().find_map(|payload| match payload {
            Payload::Idr(idr) if idr.role == role => Some(idr),
            _ => None,
        })
    }

    /// The security policies, each with a policy number of its own.
    pub fn policies(&self) -> impl Iterator<Item = &'a Sp> + use<'a> {
        self.message.payloads.iter().filter_map(|payload| match payload {
            Payload::Sp(sp) => Some(sp),
            _ => None,
        })
    }

    /// The General Extension of a type, the first one if there may be several.
    pub fn extension(&self, extension_type: ExtensionType) -> Option<&'a GeneralExtension> {
        self.message.payloads.iter().find_map(|payload| match payload {
            Payload::GeneralExtension(extension) if extension.extension_type == extension_type => Some(extension),
            _ => None,
        })
    }
}

/// The check of a message against the profile, payload by payload. Every fault is reported.
pub(super) struct Check<'a> {
    tolerances: Tolerances,
    /// The payload types that were met, well formed or not.
    types: [bool; 256],
    roles: [bool; 256],
    policies: [bool; 256],
    extensions: [bool; 256],
    timestamp: Option<u64>,
    rand: Option<&'a [u8]>,
    sakke: Option<&'a Sakke>,
}

impl<'a> Check<'a> {
    pub(super) const fn new(tolerances: Tolerances) -> Self {
        let none = [false; 256];
        Self {
            tolerances,
            types: none,
            roles: none,
            policies: none,
            extensions: none,
            timestamp: None,
            rand: None,
            sakke: None,
        }
    }

    pub(super) fn data_type(&self, data_type: DataType, report: &mut dyn FnMut(DecodeError)) {
        if data_type != DataType::SAKKE_MSG {
            report(DecodeError { kind: DecodeErrorKind::DataType(data_type.0), offset: DATA_TYPE_OFFSET });
        }
    }

    /// Notes that a payload of a type is there.
    pub(super) fn payload_type(
        &mut self,
        offset: usize,
        payload_type: PayloadType,
        report: &mut dyn FnMut(DecodeError),
    ) {
        let once = matches!(payload_type, PayloadType::T | PayloadType::RAND | PayloadType::SAKKE);
        if seen(&mut self.types, payload_type.0) && once {
            report(DecodeError { kind: DecodeErrorKind::Duplicate(payload_type.0), offset });
        }
    }

    pub(super) fn payload(&mut self, offset: usize, payload: &'a Payload, report: &mut dyn FnMut(DecodeError)) {
        self.payload_type(offset, payload.payload_type(), report);
        let offset = offset + FIRST_FIELD;
        let mut fault = |kind| report(DecodeError { kind, offset });
        match payload {
            Payload::T(Ts::NtpUtc(bits) | Ts::Ntp(bits)) => self.timestamp = Some(*bits),
            Payload::T(ts) => fault(DecodeErrorKind::TimestampType(ts.ts_type().0)),
            Payload::Rand(rand) => {
                let short = self.tolerances.contains(Tolerance::ShortRand);
                let least = if short { MIN_SHORT_RAND_OCTETS } else { MIN_RAND_OCTETS };
                if rand.0.len() < least {
                    fault(DecodeErrorKind::RandLength);
                }
                self.rand = Some(&rand.0);
            }
            Payload::Sakke(sakke) => self.sakke = Some(sakke),
            Payload::Idr(idr) if seen(&mut self.roles, idr.role.0) && SINGLE_ROLES.contains(&idr.role) => {
                fault(DecodeErrorKind::DuplicateRole(idr.role.0));
            }
            Payload::Sp(sp) if seen(&mut self.policies, sp.policy) => {
                fault(DecodeErrorKind::DuplicatePolicy(sp.policy));
            }
            Payload::GeneralExtension(GeneralExtension { extension_type, .. })
                if seen(&mut self.extensions, extension_type.0) && SINGLE_EXTENSIONS.contains(extension_type) =>
            {
                fault(DecodeErrorKind::DuplicateExtension(extension_type.0));
            }
            _ => {}
        }
    }

    /// Reports what is absent, after the last payload.
    pub(super) fn presence(&self, is_signed: bool, report: &mut dyn FnMut(DecodeError)) {
        for needed in [PayloadType::T, PayloadType::RAND, PayloadType::SAKKE] {
            if !self.types[usize::from(needed.0)] {
                report(missing(needed));
            }
        }
        if !is_signed {
            report(missing(PayloadType::SIGN));
        }
    }
}

/// Notes a number; whether it was noted before.
fn seen(numbers: &mut [bool; 256], number: u8) -> bool {
    core::mem::replace(&mut numbers[usize::from(number)], true)
}

const fn missing(payload_type: PayloadType) -> DecodeError {
    DecodeError { kind: DecodeErrorKind::Missing(payload_type.0), offset: 0 }
}
