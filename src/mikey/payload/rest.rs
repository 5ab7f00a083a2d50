//! What cannot be taken apart.

use alloc::vec;
use alloc::vec::Vec;

use crate::mikey::field::Field;
use crate::mikey::registry::PayloadType;

/// A payload of the ticket modes or of MIKEY-IBAKE (RFC 6043, RFC 6267), and everything after it.
///
/// These payloads have no length that this crate knows, so that the octets after their beginning cannot be told apart:
/// they are kept as they are, up to the end of the message. Nothing can stand after this in a [`Message`], nor can the
/// message have a [`Sign`].
///
/// [`Message`]: crate::mikey::Message
/// [`Sign`]: super::Sign
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rest {
    /// The type of the first payload that stands here.
    pub payload_type: PayloadType,
    /// The type of the payload that comes after it.
    pub next_payload: PayloadType,
    /// The octets after the next-payload octet, up to the end of the message.
    pub octets: Vec<u8>,
}

impl Rest {
    /// Whether payloads of a type are kept in this form.
    pub(super) const fn holds(payload_type: PayloadType) -> bool {
        matches!(
            payload_type,
            PayloadType::TP
                | PayloadType::TICKET
                | PayloadType::IBAKE
                | PayloadType::ESK
                | PayloadType::SK
                | PayloadType::ECCPT
        )
    }

    pub(super) fn fields(&self) -> Vec<Field> {
        vec![Field::new("Next payload", self.next_payload), Field::new("Data", &self.octets)]
    }
}
