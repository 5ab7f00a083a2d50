//! Error messages (RFC 3830, sections 5.1.2 and 6.12): what a receiver may answer when it does not accept a message.
//!
//! [`answer`] has the table from failures to error numbers. What would tell an attacker something is not answered: a
//! failed cryptographic check, a replay, and failures of the receiver itself. Nor is an Error message.
//!
//! In MIKEY-SAKKE errors are optional, and commonly left to the session layer. One without a MAC or signature is no
//! more than a hint.

use alloc::vec::Vec;

use super::inspection::{InspectedContent, inspect};
use super::message::{Content, Message};
use super::payload::{ErrorReport, Payload, Sp, Ts};
use super::registry::{DataType, ErrorNo, PayloadType, PrfFunc};
use super::tolerance::Tolerances;
use super::{CsIdMap, Header};
use crate::error::{DecodeError, DecodeErrorKind, Error, Refusal};

/// The content of an Error message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorMessage {
    /// The CSB ID of the message that it answers.
    pub csb_id: [u8; 4],
    /// The timestamp of the message that it answers.
    pub ts: Ts,
    /// What went wrong.
    pub errors: Vec<ErrorNo>,
    /// Security policies that would have been accepted, with [`ErrorNo::INVALID_SP`] and [`ErrorNo::INVALID_SPPAR`].
    pub policies: Vec<Sp>,
}

impl ErrorMessage {
    /// Answers a message that was not accepted for the reason given; `None` if it must stay without answer: for such a
    /// reason, if it is an Error message itself, or if its HDR or its timestamp cannot be read.
    pub fn answering(received: &[u8], failure: &Error) -> Option<Self> {
        let error_no = answer(failure)?;
        let inspection = inspect(received, Tolerances::default());
        let header = inspection.header().filter(|header| header.data_type != DataType::ERROR)?;
        let ts = inspection.parts.iter().find_map(|part| match part.content {
            Some(InspectedContent::Payload(Payload::T(ts))) => Some(ts),
            _ => None,
        })?;
        Some(Self { csb_id: header.csb_id, ts, errors: [error_no].into(), policies: Vec::new() })
    }

    /// The message: HDR, T, ERR, SP. It has neither V nor SIGN, which the caller may add.
    pub fn to_message(&self) -> Message {
        let error = |error_no: &ErrorNo| Payload::Err(ErrorReport { error_no: *error_no, reserved: 0 });
        let policies = self.policies.iter().cloned().map(Payload::Sp);
        let payloads = [Payload::T(self.ts)].into_iter().chain(self.errors.iter().map(error)).chain(policies);
        Message {
            header: Header {
                data_type: DataType::ERROR,
                v: false,
                prf_func: PrfFunc::MIKEY_1,
                csb_id: self.csb_id,
                cs_id_map: CsIdMap::SrtpId(Vec::new()),
            },
            payloads: payloads.collect(),
            sign: None,
        }
    }

    /// Takes the content out of a message. V and SIGN are not looked at.
    ///
    /// # Errors
    ///
    /// [`DecodeErrorKind::DataType`] unless it is an Error message; [`DecodeErrorKind::Duplicate`] for a second T and
    /// [`DecodeErrorKind::Missing`], with offset 0, for none.
    pub fn from_message(message: &Message) -> Result<Self, DecodeError> {
        let data_type = message.header.data_type;
        if data_type != DataType::ERROR {
            let kind = DecodeErrorKind::DataType(data_type.0);
            return Err(DecodeError { kind, offset: super::header::DATA_TYPE_OFFSET });
        }
        let (mut stamp, mut errors, mut policies) = (None, Vec::new(), Vec::new());
        for part in message.layout() {
            match part.content {
                Content::Payload(Payload::T(ts)) if stamp.replace(*ts).is_some() => {
                    let kind = DecodeErrorKind::Duplicate(PayloadType::T.0);
                    return Err(DecodeError { kind, offset: part.offset });
                }
                Content::Payload(Payload::Err(report)) => errors.push(report.error_no),
                Content::Payload(Payload::Sp(sp)) => policies.push(sp.clone()),
                _ => {}
            }
        }
        let missing = DecodeError { kind: DecodeErrorKind::Missing(PayloadType::T.0), offset: 0 };
        Ok(Self { csb_id: message.header.csb_id, ts: stamp.ok_or(missing)?, errors, policies })
    }
}

/// The error number that a failure is reported with; `None` if it is not reported.
///
/// | failure | number |
/// |---|---|
/// | the message cannot be read, or is of a kind that is not supported | 13, Unsupported message type |
/// | the timestamp is outside the window, or in a key period without keys | 1, Invalid TS |
/// | the PRF is not implemented | 2, Invalid PRF |
/// | a party or a KMS is not named, or not accepted | 7, Invalid ID |
/// | local policy refuses the initiator or the purpose of the key | 0, Auth failure |
/// | the security protocol of a policy is not supported | 9, Invalid SP |
/// | a parameter of a policy is not supported | 10, Invalid SPpar |
/// | the key parameters cannot be read | 12, Unspecified |
/// | a signature or SAKKE's TEST failed, a replay, a failure of our own | none |
pub const fn answer(failure: &Error) -> Option<ErrorNo> {
    match failure {
        Error::Decode(_) => Some(ErrorNo::UNSUPPORTED_MESSAGE),
        Error::Refused(refusal) => answer_to_refusal(refusal),
        Error::Rejected | Error::KeyMaterial(_) | Error::Usage(_) | Error::Random | Error::Fault => None,
    }
}

const fn answer_to_refusal(refusal: &Refusal) -> Option<ErrorNo> {
    match refusal {
        Refusal::Stale | Refusal::KeyPeriod => Some(ErrorNo::INVALID_TS),
        Refusal::Prf => Some(ErrorNo::INVALID_PRF),
        Refusal::UnnamedParty | Refusal::NotForUs | Refusal::UntrustedKms => Some(ErrorNo::INVALID_ID),
        Refusal::Initiator | Refusal::Purpose => Some(ErrorNo::AUTH_FAILURE),
        Refusal::PolicyProtocol => Some(ErrorNo::INVALID_SP),
        Refusal::PolicyParameter => Some(ErrorNo::INVALID_SPPAR),
        Refusal::Unsupported => Some(ErrorNo::UNSUPPORTED_MESSAGE),
        Refusal::KeyParameters => Some(ErrorNo::UNSPECIFIED),
        Refusal::Replay | Refusal::ReplayUnknown => None,
    }
}
