//! HDR, the common header (RFC 3830, section 6.1).

use alloc::vec;
use alloc::vec::Vec;

use super::codec::{Body, NextPayload, Reader, Writer};
use super::field::{Field, Value};
use super::registry::{CsIdMapType, DataType, PayloadType, PrfFunc, ProtType};
use crate::error::{DecodeError, DecodeErrorKind, UsageError};

const VERSION: u8 = 1;

/// Where #CS stands in a message.
pub(super) const CS_COUNT_OFFSET: usize = 8;

/// Where the data type stands in a message.
pub(super) const DATA_TYPE_OFFSET: usize = 1;

/// HDR, the common header, of version 1.
///
/// Its next-payload octet follows from the rest of the message and is not stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Which message of which exchange this is.
    pub data_type: DataType,
    /// The V flag: whether the initiator asks for a verification message.
    pub v: bool,
    /// The PRF of the key derivation, at most 127.
    pub prf_func: PrfFunc,
    /// The CSB ID, which identifies the crypto session bundle; in the profiles of 3GPP, the key.
    pub csb_id: [u8; 4],
    /// The crypto sessions of the bundle.
    pub cs_id_map: CsIdMap,
}

/// The crypto sessions of a bundle: #CS, CS ID map type and CS ID map info.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CsIdMap {
    /// Map type 0, SRTP-ID (RFC 3830, section 6.1.1): at most 255 streams, with CS IDs from 1 on.
    SrtpId(Vec<SrtpId>),
    /// Map type 1, the empty map (RFC 4563): nothing is said of the crypto sessions but #CS.
    Empty(u8),
    /// Map type 2, GENERIC-ID (RFC 6043): at most 255 crypto sessions.
    GenericId(Vec<GenericId>),
    /// A map of type SRTP-ID or GENERIC-ID that announces crypto sessions and holds none: read under
    /// [`Tolerance::MissingCsBlocks`](super::Tolerance::MissingCsBlocks).
    Missing {
        /// The map type.
        map_type: CsIdMapType,
        /// The value of #CS, at least 1.
        count: u8,
    },
}

/// How the map info is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum CsBlocks {
    Present,
    Missing,
}

/// A crypto session in a map of type SRTP-ID (RFC 3830, section 6.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SrtpId {
    /// The policy number of the SP payload that applies.
    pub policy: u8,
    /// The SSRC of the stream; 0 leaves it to the responder.
    pub ssrc: u32,
    /// The rollover counter of the stream.
    pub roc: u32,
}

/// A crypto session in a map of type GENERIC-ID (RFC 6043).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenericId {
    /// The CS ID, which enters the key derivation.
    pub cs_id: u8,
    /// The security protocol.
    pub prot_type: ProtType,
    /// The S flag: whether ROC and SEQ follow the SSRC in the session data of SRTP.
    pub s: bool,
    /// The policy numbers of the SP payloads that apply, at most 127.
    pub policies: Vec<u8>,
    /// Session data as the security protocol defines it, at most 65,535 octets.
    pub session_data: Vec<u8>,
    /// The SPI, for SRTP the MKI, at most 255 octets.
    pub spi: Vec<u8>,
}

impl Header {
    /// Reads HDR, and what type of payload comes after it.
    pub(super) fn decode(reader: &mut Reader<'_>, blocks: CsBlocks) -> Result<(Self, NextPayload), DecodeError> {
        Self::decode_version(reader)?;
        Self::decode_after_version(reader, blocks)
    }

    pub(super) fn decode_version(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        let offset = reader.position();
        match reader.u8()? {
            VERSION => Ok(()),
            version => Err(DecodeError { kind: DecodeErrorKind::Version(version), offset }),
        }
    }

    pub(super) fn decode_after_version(
        reader: &mut Reader<'_>,
        blocks: CsBlocks,
    ) -> Result<(Self, NextPayload), DecodeError> {
        let data_type = DataType(reader.u8()?);
        let next = reader.next_payload()?;
        let (v, prf_func) = reader.flagged()?;
        let header = Self {
            data_type,
            v,
            prf_func: PrfFunc(prf_func),
            csb_id: reader.array()?,
            cs_id_map: CsIdMap::decode(reader, blocks)?,
        };
        Ok((header, next))
    }

    pub(super) fn encode(&self, next: PayloadType, writer: &mut Writer) -> Result<(), UsageError> {
        writer.octets(&[VERSION, self.data_type.0, next.0]);
        writer.flagged(self.v, self.prf_func.0.into())?;
        writer.octets(&self.csb_id);
        self.cs_id_map.encode(writer)
    }

    pub(super) fn length(&self) -> usize {
        CS_COUNT_OFFSET + self.cs_id_map.length()
    }

    /// The fields with their names in the standards, in the order of the message, without the next-payload octet.
    pub fn fields(&self) -> Vec<Field> {
        vec![
            Field::new("version", VERSION),
            Field::new("data type", self.data_type),
            Field::new("V", self.v),
            Field::new("PRF func", self.prf_func),
            Field::new("CSB ID", self.csb_id.as_slice()),
            Field::new("#CS", self.cs_id_map.count()),
            Field::new("CS ID map type", self.cs_id_map.map_type()),
            Field::new("CS ID map info", self.cs_id_map.sessions()),
        ]
    }
}

impl CsIdMap {
    /// The empty map with #CS 0.
    pub const EMPTY: Self = Self::Empty(0);

    /// The CS ID map type.
    pub const fn map_type(&self) -> CsIdMapType {
        match self {
            Self::SrtpId(_) => CsIdMapType::SRTP_ID,
            Self::Empty(_) => CsIdMapType::EMPTY,
            Self::GenericId(_) => CsIdMapType::GENERIC_ID,
            Self::Missing { map_type, .. } => *map_type,
        }
    }

    /// The value of #CS, which a message can hold up to 255.
    pub const fn count(&self) -> usize {
        match self {
            Self::SrtpId(sessions) => sessions.len(),
            Self::Empty(count) | Self::Missing { count, .. } => *count as usize,
            Self::GenericId(sessions) => sessions.len(),
        }
    }
}

impl CsIdMap {
    fn decode(reader: &mut Reader<'_>, blocks: CsBlocks) -> Result<Self, DecodeError> {
        let count = reader.u8()?;
        let offset = reader.position();
        match CsIdMapType(reader.u8()?) {
            map_type @ (CsIdMapType::SRTP_ID | CsIdMapType::GENERIC_ID) if blocks == CsBlocks::Missing && count > 0 => {
                Ok(Self::Missing { map_type, count })
            }
            CsIdMapType::SRTP_ID => {
                (0..count).map(|_| SrtpId::decode(reader)).collect::<Result<_, _>>().map(Self::SrtpId)
            }
            CsIdMapType::EMPTY => Ok(Self::Empty(count)),
            CsIdMapType::GENERIC_ID => {
                (0..count).map(|_| GenericId::decode(reader)).collect::<Result<_, _>>().map(Self::GenericId)
            }
            CsIdMapType(unknown) => Err(DecodeError { kind: DecodeErrorKind::CsIdMapType(unknown), offset }),
        }
    }

    fn encode(&self, writer: &mut Writer) -> Result<(), UsageError> {
        if matches!(self, Self::Missing { map_type: CsIdMapType::EMPTY, .. } | Self::Missing { count: 0, .. }) {
            return Err(UsageError::FieldLength);
        }
        writer.short_length(self.count())?;
        writer.u8(self.map_type().0);
        match self {
            Self::SrtpId(sessions) => sessions.iter().try_for_each(|session| session.encode(writer)),
            Self::Empty(_) | Self::Missing { .. } => Ok(()),
            Self::GenericId(sessions) => sessions.iter().try_for_each(|session| session.encode(writer)),
        }
    }

    fn length(&self) -> usize {
        2 + match self {
            Self::SrtpId(sessions) => sessions.iter().map(Body::length).sum(),
            Self::Empty(_) | Self::Missing { .. } => 0,
            Self::GenericId(sessions) => sessions.iter().map(Body::length).sum::<usize>(),
        }
    }

    fn sessions(&self) -> Value {
        let fields =
            |sessions: &mut dyn Iterator<Item = Vec<Field>>| Value::List(sessions.map(Value::Fields).collect());
        match self {
            Self::SrtpId(sessions) => fields(&mut sessions.iter().map(Body::fields)),
            Self::Empty(_) | Self::Missing { .. } => Value::List(Vec::new()),
            Self::GenericId(sessions) => fields(&mut sessions.iter().map(Body::fields)),
        }
    }
}

impl Body for SrtpId {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { policy: reader.u8()?, ssrc: reader.u32()?, roc: reader.u32()? })
    }

    fn encode(&self, writer: &mut Writer) -> Result<(), UsageError> {
        writer.u8(self.policy);
        writer.u32(self.ssrc);
        writer.u32(self.roc);
        Ok(())
    }

    fn length(&self) -> usize {
        9
    }

    fn fields(&self) -> Vec<Field> {
        vec![Field::new("Policy no", self.policy), Field::new("SSRC", self.ssrc), Field::new("ROC", self.roc)]
    }
}

impl Body for GenericId {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let cs_id = reader.u8()?;
        let prot_type = ProtType(reader.u8()?);
        let (s, policies) = reader.flagged()?;
        Ok(Self {
            cs_id,
            prot_type,
            s,
            policies: reader.octets(policies.into())?.to_vec(),
            session_data: reader.long()?,
            spi: reader.short()?,
        })
    }

    fn encode(&self, writer: &mut Writer) -> Result<(), UsageError> {
        writer.octets(&[self.cs_id, self.prot_type.0]);
        writer.flagged(self.s, self.policies.len())?;
        writer.octets(&self.policies);
        writer.long(&self.session_data)?;
        writer.short(&self.spi)
    }

    fn length(&self) -> usize {
        6 + self.policies.len() + self.session_data.len() + self.spi.len()
    }

    fn fields(&self) -> Vec<Field> {
        let policies = self.policies.iter().map(|policy| Value::from(*policy)).collect();
        vec![
            Field::new("CS ID", self.cs_id),
            Field::new("Prot type", self.prot_type),
            Field::new("S", self.s),
            Field::new("Policy no", Value::List(policies)),
            Field::new("Session data", &self.session_data),
            Field::new("SPI", &self.spi),
        ]
    }
}
