//! Key material on its way.

use alloc::string::{String, ToString};

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::MAX_PAYLOAD_OCTETS;
use crate::error::UsageError;
use crate::secret::{Secret, declassify};

/// The key material of a response: text in the format of its service, at most [`MAX_PAYLOAD_OCTETS`] octets.
///
/// It is wiped when dropped and never printed. Reading and writing it as JSON takes a time that depends on the text.
#[derive(Clone, Debug)]
pub struct Payload(Secret<String>);

impl Payload {
    /// Takes a copy of the text.
    ///
    /// # Errors
    ///
    /// [`UsageError::FieldLength`] if it is too long.
    pub fn new(text: &str) -> Result<Self, UsageError> {
        if text.len() > MAX_PAYLOAD_OCTETS {
            return Err(UsageError::FieldLength);
        }
        Ok(Self(Secret::new(text.to_string())))
    }

    /// Takes a text that is secret already.
    pub(super) fn take(mut text: Zeroizing<String>) -> Result<Self, UsageError> {
        if text.len() > MAX_PAYLOAD_OCTETS {
            return Err(UsageError::FieldLength);
        }
        Ok(Self(Secret::new(core::mem::take(&mut *text))))
    }

    /// The text.
    pub const fn expose(&self) -> &str {
        self.0.expose().as_str()
    }
}

/// No text.
impl Default for Payload {
    fn default() -> Self {
        Self(Secret::new(String::new()))
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        let is_equal = self.expose().as_bytes().ct_eq(other.expose().as_bytes());
        declassify(is_equal, "the outcome of a comparison is what the caller asked for")
    }
}

impl Eq for Payload {}
