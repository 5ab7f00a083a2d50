//! The payloads of a message, each without its next-payload octet, which follows from the order of the payloads.

mod cert;
mod general_extension;
mod id;
mod rand;
mod sakke;
mod sign;
mod sp;
mod timestamp;

use super::codec::{Body, NextPayload, Reader, Writer};
use super::registry::PayloadType;
use crate::error::{DecodeError, DecodeErrorKind, UsageError};

pub use cert::Cert;
pub use general_extension::GeneralExtension;
pub use id::{Id, Idr};
pub use rand::Rand;
pub use sakke::Sakke;
pub use sign::Sign;
pub use sp::{Sp, SpParam};
pub use timestamp::Ts;

/// Defines [`Payload`] and what depends on its variant, from one line for each.
macro_rules! payloads {
    ($($(#[$doc:meta])* $variant:ident($body:ty) = $payload_type:ident,)*) => {
        /// A payload between HDR and SIGN.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Payload {
            $($(#[$doc])* $variant($body),)*
        }

        impl Payload {
            /// The type of the payload, as the next-payload octet before it states it.
            pub const fn payload_type(&self) -> PayloadType {
                match self {
                    $(Self::$variant(_) => PayloadType::$payload_type,)*
                }
            }

            fn decode_body(announced: NextPayload, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                match announced.payload_type {
                    $(PayloadType::$payload_type => Body::decode(reader).map(Self::$variant),)*
                    PayloadType(unknown) => {
                        let kind = DecodeErrorKind::PayloadType(unknown);
                        Err(DecodeError { kind, offset: announced.offset })
                    }
                }
            }

            fn encode_body(&self, writer: &mut Writer) -> Result<(), UsageError> {
                match self {
                    $(Self::$variant(body) => body.encode(writer),)*
                }
            }

            fn body_length(&self) -> usize {
                match self {
                    $(Self::$variant(body) => body.length(),)*
                }
            }
        }
    };
}

payloads! {
    /// T, the timestamp.
    T(Ts) = T,
    /// RAND, the random octets of the key derivation.
    Rand(Rand) = RAND,
    /// ID, an identity.
    Id(Id) = ID,
    /// IDR, an identity with its role.
    Idr(Idr) = IDR,
    /// CERT, a certificate.
    Cert(Cert) = CERT,
    /// SP, a security policy.
    Sp(Sp) = SP,
    /// General Extension.
    GeneralExtension(GeneralExtension) = GENERAL_EXTENSION,
    /// SAKKE, an encapsulated key.
    Sakke(Sakke) = SAKKE,
}

impl Payload {
    /// Reads the payload that was announced, and what type of payload comes after it.
    pub(super) fn decode(announced: NextPayload, reader: &mut Reader<'_>) -> Result<(Self, NextPayload), DecodeError> {
        let next = reader.next_payload()?;
        let payload = Self::decode_body(announced, reader)?;
        Ok((payload, next))
    }

    pub(super) fn encode(&self, next: PayloadType, writer: &mut Writer) -> Result<(), UsageError> {
        writer.u8(next.0);
        self.encode_body(writer)
    }

    pub(super) fn length(&self) -> usize {
        1 + self.body_length()
    }
}
