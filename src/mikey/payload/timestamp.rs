//! T and TR, the timestamps.

use alloc::vec;
use alloc::vec::Vec;

use crate::error::{DecodeError, DecodeErrorKind, UsageError};
use crate::mikey::codec::{Body, Reader, Writer};
use crate::mikey::field::{Field, Value};
use crate::mikey::registry::{TsRole, TsType};

/// The content of T, the timestamp payload: TS type and TS value (RFC 3830, section 6.6; RFC 6043).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ts {
    /// TS type 0: an NTP timestamp in UTC, 32 bits of seconds since 1900 and 32 bits of fraction.
    NtpUtc(u64),
    /// TS type 1: an NTP timestamp of a clock that need not keep UTC, in the same format.
    Ntp(u64),
    /// TS type 2: a counter.
    Counter(u32),
    /// TS type 3: the seconds of an NTP timestamp in UTC.
    NtpUtc32(u32),
}

impl Ts {
    /// The TS type.
    pub const fn ts_type(self) -> TsType {
        match self {
            Self::NtpUtc(_) => TsType::NTP_UTC,
            Self::Ntp(_) => TsType::NTP,
            Self::Counter(_) => TsType::COUNTER,
            Self::NtpUtc32(_) => TsType::NTP_UTC_32,
        }
    }
}

impl Body for Ts {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let offset = reader.position();
        match TsType(reader.u8()?) {
            TsType::NTP_UTC => reader.u64().map(Self::NtpUtc),
            TsType::NTP => reader.u64().map(Self::Ntp),
            TsType::COUNTER => reader.u32().map(Self::Counter),
            TsType::NTP_UTC_32 => reader.u32().map(Self::NtpUtc32),
            TsType(unknown) => Err(DecodeError { kind: DecodeErrorKind::TimestampType(unknown), offset }),
        }
    }

    fn encode(&self, writer: &mut Writer) -> Result<(), UsageError> {
        writer.u8(self.ts_type().0);
        match *self {
            Self::NtpUtc(value) | Self::Ntp(value) => writer.u64(value),
            Self::Counter(value) | Self::NtpUtc32(value) => writer.u32(value),
        }
        Ok(())
    }

    fn length(&self) -> usize {
        match self {
            Self::NtpUtc(_) | Self::Ntp(_) => 9,
            Self::Counter(_) | Self::NtpUtc32(_) => 5,
        }
    }

    fn fields(&self) -> Vec<Field> {
        let value = match *self {
            Self::NtpUtc(value) => Value::Ntp(value),
            Self::NtpUtc32(seconds) => Value::Ntp(u64::from(seconds) << 32),
            Self::Ntp(value) => value.to_be_bytes().as_slice().into(),
            Self::Counter(value) => value.into(),
        };
        vec![Field::new("TS type", self.ts_type()), Field::new("TS value", value)]
    }
}

/// The content of TR, a timestamp with its role (RFC 6043, section 6.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tr {
    /// What the timestamp is for.
    pub role: TsRole,
    /// The timestamp.
    pub ts: Ts,
}

impl Body for Tr {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { role: TsRole(reader.u8()?), ts: Ts::decode(reader)? })
    }

    fn encode(&self, writer: &mut Writer) -> Result<(), UsageError> {
        writer.u8(self.role.0);
        self.ts.encode(writer)
    }

    fn length(&self) -> usize {
        1 + self.ts.length()
    }

    fn fields(&self) -> Vec<Field> {
        let mut fields = vec![Field::new("TS role", self.role)];
        fields.extend(self.ts.fields());
        fields
    }
}
