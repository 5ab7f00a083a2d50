//! The profile of the I_MESSAGE, the only message of MIKEY-SAKKE (RFC 6509, section 2).
//!
//! An initiator sends HDR, T, RAND, IDRi, IDRr, IDRkmsi, IDRkmsr, SP, SAKKE, SIGN in this order, where IDR and SP may
//! be absent. A receiver takes the payloads in any order, HDR first and SIGN last; other payloads are left aside.

use super::header::DATA_TYPE_OFFSET;
use super::message::{Content, Message};
use super::payload::{GeneralExtension, Idr, Payload, Sakke, Sign, Sp, Ts};
use super::registry::{DataType, ExtensionType, IdRole, PayloadType};
use crate::error::{DecodeError, DecodeErrorKind};

/// Octets of RAND at least (RFC 3830, section 6.11, and what TS 33.180 sends).
pub const MIN_RAND_OCTETS: usize = 16;

/// Roles that one identity may have in a message. Old peers send others twice.
const SINGLE_ROLES: [IdRole; 6] = [
    IdRole::INITIATOR,
    IdRole::RESPONDER,
    IdRole::INITIATOR_KMS,
    IdRole::RESPONDER_KMS,
    IdRole::INITIATOR_UID,
    IdRole::RESPONDER_UID,
];

/// Octets from the start of a payload to its first field after the next-payload octet.
const FIRST_FIELD: usize = 1;

/// A message that has what an I_MESSAGE needs, each once.
#[derive(Clone, Copy, Debug)]
pub struct IMessage<'a> {
    /// The CSB ID; in the profiles of 3GPP, the identifier of the key.
    pub csb_id: [u8; 4],
    /// The timestamp in NTP's format, of TS type NTP-UTC or NTP: 32 bits of seconds, 32 bits of fraction.
    pub timestamp: u64,
    /// The octets of RAND, 16 to 255.
    pub rand: &'a [u8],
    /// The encapsulated key.
    pub sakke: &'a Sakke,
    /// The signature.
    pub sign: &'a Sign,
    message: &'a Message,
}

impl<'a> IMessage<'a> {
    /// Checks a message against the profile. The V flag, PRF and CS ID map may have any value.
    ///
    /// # Errors
    ///
    /// * [`DecodeErrorKind::DataType`] unless the data type is [`DataType::SAKKE_MSG`];
    /// * [`DecodeErrorKind::TimestampType`] for a timestamp other than NTP-UTC and NTP;
    /// * [`DecodeErrorKind::RandLength`] for a RAND shorter than [`MIN_RAND_OCTETS`];
    /// * [`DecodeErrorKind::Duplicate`] for a second T, RAND or SAKKE, [`DecodeErrorKind::DuplicateRole`] for a second
    ///   identity in the role of initiator, responder or KMS of either, [`DecodeErrorKind::DuplicatePolicy`] for a
    ///   second SP with one policy number;
    /// * [`DecodeErrorKind::Missing`], with offset 0, if T, RAND, SAKKE or SIGN is absent.
    pub fn from_message(message: &'a Message) -> Result<Self, DecodeError> {
        let data_type = message.header.data_type;
        if data_type != DataType::SAKKE_MSG {
            return Err(DecodeError { kind: DecodeErrorKind::DataType(data_type.0), offset: DATA_TYPE_OFFSET });
        }
        let (mut timestamp, mut rand, mut sakke) = (None, None, None);
        let mut seen = Seen { roles: [false; 256], policies: [false; 256] };
        for part in message.layout() {
            let Content::Payload(payload) = part.content else { continue };
            let once = |is_second: bool| {
                let kind = DecodeErrorKind::Duplicate(payload.payload_type().0);
                if is_second { Err(DecodeError { kind, offset: part.offset }) } else { Ok(()) }
            };
            let field = part.offset + FIRST_FIELD;
            match payload {
                Payload::T(ts) => once(timestamp.replace(ntp(*ts, field)?).is_some())?,
                Payload::Rand(octets) => once(rand.replace(long_enough(&octets.0, field)?).is_some())?,
                Payload::Sakke(content) => once(sakke.replace(content).is_some())?,
                Payload::Idr(idr) => seen.role(idr.role, field)?,
                Payload::Sp(sp) => seen.policy(sp.policy, field)?,
                _ => {}
            }
        }
        Ok(Self {
            csb_id: message.header.csb_id,
            timestamp: timestamp.ok_or(missing(PayloadType::T))?,
            rand: rand.ok_or(missing(PayloadType::RAND))?,
            sakke: sakke.ok_or(missing(PayloadType::SAKKE))?,
            sign: message.sign.as_ref().ok_or(missing(PayloadType::SIGN))?,
            message,
        })
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

    /// The first General Extension of a type.
    pub fn extension(&self, extension_type: ExtensionType) -> Option<&'a GeneralExtension> {
        self.message.payloads.iter().find_map(|payload| match payload {
            Payload::GeneralExtension(extension) if extension.extension_type == extension_type => Some(extension),
            _ => None,
        })
    }
}

/// The numbers that were met and must not be met again.
struct Seen {
    roles: [bool; 256],
    policies: [bool; 256],
}

impl Seen {
    fn role(&mut self, role: IdRole, offset: usize) -> Result<(), DecodeError> {
        let is_second = core::mem::replace(&mut self.roles[usize::from(role.0)], true);
        if is_second && SINGLE_ROLES.contains(&role) {
            return Err(DecodeError { kind: DecodeErrorKind::DuplicateRole(role.0), offset });
        }
        Ok(())
    }

    fn policy(&mut self, policy: u8, offset: usize) -> Result<(), DecodeError> {
        if core::mem::replace(&mut self.policies[usize::from(policy)], true) {
            return Err(DecodeError { kind: DecodeErrorKind::DuplicatePolicy(policy), offset });
        }
        Ok(())
    }
}

fn ntp(ts: Ts, offset: usize) -> Result<u64, DecodeError> {
    match ts {
        Ts::NtpUtc(bits) | Ts::Ntp(bits) => Ok(bits),
        Ts::Counter(_) | Ts::NtpUtc32(_) => {
            Err(DecodeError { kind: DecodeErrorKind::TimestampType(ts.ts_type().0), offset })
        }
    }
}

fn long_enough(rand: &[u8], offset: usize) -> Result<&[u8], DecodeError> {
    if rand.len() < MIN_RAND_OCTETS {
        return Err(DecodeError { kind: DecodeErrorKind::RandLength, offset });
    }
    Ok(rand)
}

const fn missing(payload_type: PayloadType) -> DecodeError {
    DecodeError { kind: DecodeErrorKind::Missing(payload_type.0), offset: 0 }
}
