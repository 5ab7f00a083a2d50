//! The payloads of a message, each without its next-payload octet, which follows from the order of the payloads.

mod cert;
mod err;
mod extension;
mod general_extension;
mod id;
mod kemac;
mod key_data;
mod key_parameters;
mod public_key;
mod rand;
mod rest;
mod sakke;
mod sign;
mod sp;
mod timestamp;

use alloc::vec::Vec;

use super::codec::{Body, NextPayload, Reader, Writer};
use super::field::Field;
use super::registry::PayloadType;
use crate::error::{DecodeError, DecodeErrorKind, UsageError};

pub use cert::{Cert, Chash};
pub use err::ErrorReport;
pub use extension::{Extension, KeyId};
pub use general_extension::GeneralExtension;
pub use id::{Id, Idr};
pub use kemac::{Kemac, V};
pub use key_data::{KeyData, KeyValidity};
pub use key_parameters::{KeyParameters, ProtectedPayload};
pub use public_key::{Dh, Pke};
pub use rand::{Rand, Randr};
pub use rest::Rest;
pub use sakke::Sakke;
pub use sign::Sign;
pub use sp::{Sp, SpParam, SrtpValue};
pub use timestamp::{Tr, Ts};

/// Defines [`Payload`] and what depends on its variant, from one line for each.
macro_rules! payloads {
    ($($(#[$doc:meta])* $variant:ident($body:ty) = $payload_type:ident,)*) => {
        /// A payload between HDR and SIGN.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Payload {
            $($(#[$doc])* $variant($body),)*
            /// A payload that cannot be taken apart, with everything after it.
            Rest(Rest),
        }

        impl Payload {
            /// The type of the payload, as the next-payload octet before it states it.
            pub const fn payload_type(&self) -> PayloadType {
                match self {
                    $(Self::$variant(_) => PayloadType::$payload_type,)*
                    Self::Rest(rest) => rest.payload_type,
                }
            }

            /// The fields with their names in the standards, in the order of the message.
            pub fn fields(&self) -> Vec<Field> {
                match self {
                    $(Self::$variant(body) => body.fields(),)*
                    Self::Rest(rest) => rest.fields(),
                }
            }

            fn decode_body(announced: NextPayload, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                match announced.payload_type {
                    $(PayloadType::$payload_type => Body::decode(reader).map(Self::$variant),)*
                    _ => Err(announced.unknown()),
                }
            }

            fn skip_body(announced: NextPayload, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
                match announced.payload_type {
                    $(PayloadType::$payload_type => <$body>::skip(reader),)*
                    _ => Err(announced.unknown()),
                }
            }

            fn encode_body(&self, writer: &mut Writer) -> Result<(), UsageError> {
                match self {
                    $(Self::$variant(body) => body.encode(writer),)*
                    Self::Rest(rest) => {
                        writer.octets(&rest.octets);
                        Ok(())
                    }
                }
            }

            fn body_length(&self) -> usize {
                match self {
                    $(Self::$variant(body) => body.length(),)*
                    Self::Rest(rest) => rest.octets.len(),
                }
            }
        }
    };
}

payloads! {
    /// KEMAC, encrypted keys with a MAC.
    Kemac(Kemac) = KEMAC,
    /// PKE, an encrypted envelope key.
    Pke(Pke) = PKE,
    /// DH, a Diffie-Hellman public value.
    Dh(Dh) = DH,
    /// T, the timestamp.
    T(Ts) = T,
    /// ID, an identity.
    Id(Id) = ID,
    /// CERT, a certificate.
    Cert(Cert) = CERT,
    /// CHASH, the hash of a certificate.
    Chash(Chash) = CHASH,
    /// V, the verification message.
    V(V) = V,
    /// SP, a security policy.
    Sp(Sp) = SP,
    /// RAND, the random octets of the key derivation.
    Rand(Rand) = RAND,
    /// ERR, an error.
    Err(ErrorReport) = ERR,
    /// TR, a timestamp with its role.
    Tr(Tr) = TR,
    /// IDR, an identity with its role.
    Idr(Idr) = IDR,
    /// RANDR, random octets of one party.
    Randr(Randr) = RANDR,
    /// General Extension.
    GeneralExtension(GeneralExtension) = GENERAL_EXTENSION,
    /// SAKKE, an encapsulated key.
    Sakke(Sakke) = SAKKE,
}

impl Payload {
    /// Reads the payload that was announced, and what type of payload comes after it.
    pub(super) fn decode(announced: NextPayload, reader: &mut Reader<'_>) -> Result<(Self, NextPayload), DecodeError> {
        let next = reader.next_payload()?;
        if Rest::holds(announced.payload_type) {
            let next_payload = next.payload_type;
            let rest = Rest { payload_type: announced.payload_type, next_payload, octets: reader.rest().to_vec() };
            return Ok((Self::Rest(rest), NextPayload { payload_type: PayloadType::LAST, ..next }));
        }
        Ok((Self::decode_body(announced, reader)?, next))
    }

    /// Passes over the payload that was announced, if its length can be told.
    pub(super) fn skip(announced: NextPayload, reader: &mut Reader<'_>) -> Result<NextPayload, DecodeError> {
        let next = reader.next_payload()?;
        Self::skip_body(announced, reader)?;
        Ok(next)
    }

    pub(super) fn encode(&self, next: PayloadType, writer: &mut Writer) -> Result<(), UsageError> {
        match self {
            Self::Rest(_) if next != PayloadType::LAST => return Err(UsageError::NotLast),
            Self::Rest(rest) if !Rest::holds(rest.payload_type) => return Err(UsageError::NotLast),
            Self::Rest(rest) => writer.u8(rest.next_payload.0),
            _ => writer.u8(next.0),
        }
        self.encode_body(writer)
    }

    pub(super) fn length(&self) -> usize {
        1 + self.body_length()
    }
}

impl NextPayload {
    /// An error about a type whose payloads cannot be read.
    const fn unknown(self) -> DecodeError {
        DecodeError { kind: DecodeErrorKind::PayloadType(self.payload_type.0), offset: self.offset }
    }
}
