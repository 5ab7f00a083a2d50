//! SP, the security policies.

use alloc::vec;
use alloc::vec::Vec;

use crate::error::{DecodeError, Refusal, UsageError};
use crate::mikey::codec::{Body, Reader, Writer};
use crate::mikey::field::{Field, Value};
use crate::mikey::registry::{FecOrder, ProtType, SrtpAuthentication, SrtpEncryption, SrtpParam, SrtpPrf};

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
    /// Which parameter of the security protocol; [`SrtpParam`] for SRTP.
    pub param_type: u8,
    /// The value, at most 255 octets, big-endian where it is a number.
    pub value: Vec<u8>,
}

/// The value of an SRTP parameter, by its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SrtpValue {
    /// Of [`SrtpParam::ENCRYPTION`].
    Encryption(SrtpEncryption),
    /// Of [`SrtpParam::AUTHENTICATION`].
    Authentication(SrtpAuthentication),
    /// Of [`SrtpParam::PRF`].
    Prf(SrtpPrf),
    /// Of [`SrtpParam::FEC_ORDER`].
    FecOrder(FecOrder),
    /// Of the parameters that switch something on or off.
    Switch(bool),
    /// Of lengths in octets and of rates.
    Number(u32),
    /// Of a parameter without a name.
    Octets(Vec<u8>),
}

impl Sp {
    /// A policy for SRTP, from parameters with values of one octet; the ROC transmission rate gets two (RFC 4771).
    pub fn srtp(policy: u8, params: &[(SrtpParam, u8)]) -> Self {
        let param = |&(param, value): &(SrtpParam, u8)| SpParam {
            param_type: param.0,
            value: if param == SrtpParam::ROC_TRANSMISSION_RATE { vec![0, value] } else { vec![value] },
        };
        Self { policy, prot_type: ProtType::SRTP, params: params.iter().map(param).collect() }
    }

    /// The parameters of a policy for SRTP, in the order of the message.
    ///
    /// # Errors
    ///
    /// [`Refusal::PolicyProtocol`] if the policy is for another security protocol; [`Refusal::PolicyParameter`] if a
    /// parameter with a name has a value of another size or range.
    pub fn srtp_params(&self) -> Result<Vec<(SrtpParam, SrtpValue)>, Refusal> {
        if self.prot_type != ProtType::SRTP {
            return Err(Refusal::PolicyProtocol);
        }
        let param = |param: &SpParam| Ok((SrtpParam(param.param_type), param.srtp_value()?));
        self.params.iter().map(param).collect()
    }

    fn params_length(&self) -> usize {
        self.params.iter().map(Body::length).sum()
    }
}

impl SpParam {
    /// The value of this parameter in a policy for SRTP. Numbers have one to four octets.
    ///
    /// # Errors
    ///
    /// [`Refusal::PolicyParameter`] if the parameter has a name and its value another size or range.
    pub fn srtp_value(&self) -> Result<SrtpValue, Refusal> {
        let param = SrtpParam(self.param_type);
        let octet = || match self.value.as_slice() {
            [octet] => Ok(*octet),
            _ => Err(Refusal::PolicyParameter),
        };
        Ok(match param {
            SrtpParam::ENCRYPTION => SrtpValue::Encryption(SrtpEncryption(octet()?)),
            SrtpParam::AUTHENTICATION => SrtpValue::Authentication(SrtpAuthentication(octet()?)),
            SrtpParam::PRF => SrtpValue::Prf(SrtpPrf(octet()?)),
            SrtpParam::FEC_ORDER => SrtpValue::FecOrder(FecOrder(octet()?)),
            SrtpParam::SRTP_ENCRYPTION_SWITCH
            | SrtpParam::SRTCP_ENCRYPTION_SWITCH
            | SrtpParam::SRTP_AUTHENTICATION_SWITCH => match octet()? {
                0 => SrtpValue::Switch(false),
                1 => SrtpValue::Switch(true),
                _ => return Err(Refusal::PolicyParameter),
            },
            param if param.name().is_some() => SrtpValue::Number(self.number()?),
            _ => SrtpValue::Octets(self.value.clone()),
        })
    }

    fn number(&self) -> Result<u32, Refusal> {
        match self.value.len() {
            1..=4 => Ok(self.value.iter().fold(0, |number, octet| number << 8 | u32::from(*octet))),
            _ => Err(Refusal::PolicyParameter),
        }
    }
}

impl From<SrtpValue> for Value {
    fn from(value: SrtpValue) -> Self {
        match value {
            SrtpValue::Encryption(number) => number.into(),
            SrtpValue::Authentication(number) => number.into(),
            SrtpValue::Prf(number) => number.into(),
            SrtpValue::FecOrder(number) => number.into(),
            SrtpValue::Switch(on) => on.into(),
            SrtpValue::Number(number) => number.into(),
            SrtpValue::Octets(octets) => Self::Octets(octets),
        }
    }
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

    fn skip(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        reader.u16()?;
        reader.nested().map(drop)
    }

    fn encode(&self, writer: &mut Writer) -> Result<(), UsageError> {
        writer.octets(&[self.policy, self.prot_type.0]);
        writer.long_length(self.params_length())?;
        self.params.iter().try_for_each(|param| param.encode(writer))
    }

    fn length(&self) -> usize {
        4 + self.params_length()
    }

    fn fields(&self) -> Vec<Field> {
        let param = |param: &SpParam| {
            let fields = match param.srtp_value() {
                Ok(value) if self.prot_type == ProtType::SRTP => {
                    vec![Field::new("Type", SrtpParam(param.param_type)), Field::new("Value", value)]
                }
                _ => param.fields(),
            };
            Value::Fields(fields)
        };
        vec![
            Field::new("Policy no", self.policy),
            Field::new("Prot type", self.prot_type),
            Field::new("Policy param", Value::List(self.params.iter().map(param).collect())),
        ]
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

    fn fields(&self) -> Vec<Field> {
        vec![Field::new("Type", self.param_type), Field::new("Value", &self.value)]
    }
}
