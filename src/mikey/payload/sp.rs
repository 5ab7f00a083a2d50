//! SP, the security policies.

use alloc::vec::Vec;

use crate::error::{DecodeError, UsageError};
use crate::mikey::codec::{Body, Reader, Writer};
use crate::mikey::registry::ProtType;

/// The content of SP, a security policy (RFC 3830, section 6.10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sp {
    /// The policy number, by which the CS ID map refers to this policy.
    pub policy: u8,
    /// The security protocol.
    pub prot_type: ProtType,
    /// The parameters as they stand in the message, repeated and unknown ones included: at most 65,535 octets, each
    /// counted with two octets more than its value. For a parameter that is absent the protocol's default holds.
    pub params: Vec<SpParam>,
}

/// A parameter of a security policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpParam {
    /// Which parameter of the security protocol; [`SrtpParam`](crate::mikey::registry::SrtpParam) for SRTP.
    pub param_type: u8,
    /// The value, at most 255 octets, big-endian where it is a number.
    pub value: Vec<u8>,
}

impl Body for Sp {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let policy = reader.u8()?;
        let prot_type = ProtType(reader.u8()?);
        let mut inner = reader.nested()?;
        let mut params = Vec::new();
        while !inner.is_empty() {
            params.push(SpParam::decode(&mut inner)?);
        }
        Ok(Self { policy, prot_type, params })
    }

    fn encode(&self, writer: &mut Writer) -> Result<(), UsageError> {
        writer.octets(&[self.policy, self.prot_type.0]);
        writer.long_length(self.params_length())?;
        self.params.iter().try_for_each(|param| param.encode(writer))
    }

    fn length(&self) -> usize {
        4 + self.params_length()
    }
}

impl Sp {
    fn params_length(&self) -> usize {
        self.params.iter().map(Body::length).sum()
    }
}

impl Body for SpParam {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { param_type: reader.u8()?, value: reader.short()? })
    }

    fn encode(&self, writer: &mut Writer) -> Result<(), UsageError> {
        writer.u8(self.param_type);
        writer.short(&self.value)
    }

    fn length(&self) -> usize {
        2 + self.value.len()
    }
}
