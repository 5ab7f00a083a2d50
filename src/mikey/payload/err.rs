//! ERR.

use alloc::vec;
use alloc::vec::Vec;

use crate::error::{DecodeError, UsageError};
use crate::mikey::codec::{Body, Reader, Writer};
use crate::mikey::field::Field;
use crate::mikey::registry::ErrorNo;

/// The content of ERR, one error of an Error message (RFC 3830, section 6.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorReport {
    /// What went wrong.
    pub error_no: ErrorNo,
    /// 16 bits that are not used: 0 in what is sent.
    pub reserved: u16,
}

impl Body for ErrorReport {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { error_no: ErrorNo(reader.u8()?), reserved: reader.u16()? })
    }

    fn encode(&self, writer: &mut Writer) -> Result<(), UsageError> {
        writer.u8(self.error_no.0);
        writer.u16(self.reserved);
        Ok(())
    }

    fn length(&self) -> usize {
        3
    }

    fn fields(&self) -> Vec<Field> {
        vec![Field::new("Error no", self.error_no)]
    }
}
