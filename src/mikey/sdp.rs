//! MIKEY messages in SDP: the attribute `a=key-mgmt:mikey`, with the message in base64 (RFC 4567).
//!
//! ```
//! use mikey_sakke::mikey::sdp::{self, Level};
//!
//! let message = [0x01, 0x1a, 0x05, 0x01];
//! let session = format!("v=0\r\n{}\r\nm=audio 49000 RTP/SAVP 98\r\n", sdp::to_attribute(&message).unwrap());
//! let found: Vec<_> = sdp::attributes(&session).collect::<Result<_, _>>().unwrap();
//! assert_eq!((found[0].level, found[0].message.as_slice()), (Level::Session, message.as_slice()));
//! ```

use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::{DecodeError, DecodeErrorKind, UsageError};

/// The longest message that is read or written, in octets: more than any has.
pub const MAX_MESSAGE_OCTETS: usize = 65_535;

/// Its length in base64.
const MAX_BASE64: usize = MAX_MESSAGE_OCTETS.div_ceil(3) * 4;

const NAME: &str = "key-mgmt";
const PROTOCOL: &str = "mikey";

/// What part of a session description an attribute speaks of. An attribute of a medium goes before one of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// The whole session.
    Session,
    /// One medium, counted from 0.
    Media(usize),
}

/// A `key-mgmt` attribute of MIKEY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Where it stands.
    pub level: Level,
    /// The octets of the message, which have yet to be decoded.
    pub message: Vec<u8>,
}

/// The line of SDP that carries a message, without a line end.
///
/// # Errors
///
/// [`UsageError::FieldLength`] if the message has more than [`MAX_MESSAGE_OCTETS`] octets, or none.
pub fn to_attribute(message: &[u8]) -> Result<String, UsageError> {
    if message.is_empty() || message.len() > MAX_MESSAGE_OCTETS {
        return Err(UsageError::FieldLength);
    }
    let mut line = String::from("a=key-mgmt:mikey ");
    STANDARD.encode_string(message, &mut line);
    Ok(line)
}

/// The `key-mgmt` attributes of MIKEY in a session description, in its order. Those of other protocols and all other
/// lines are passed over.
///
/// Lines end with CR LF or LF. Names are read without regard to case, and more than one space or tab may stand where
/// one space belongs, or at the end of the line.
///
/// # Errors
///
/// For an attribute whose message cannot be read, a [`DecodeError`] with the offset of its base64 in the description:
/// [`DecodeErrorKind::Base64`], or [`DecodeErrorKind::TooLong`] for more than [`MAX_MESSAGE_OCTETS`] octets.
pub fn attributes(description: &str) -> impl Iterator<Item = Result<Attribute, DecodeError>> {
    let mut level = Level::Session;
    let mut end = 0;
    description.split_inclusive('\n').filter_map(move |line| {
        let start = end;
        end += line.len();
        if line.starts_with("m=") {
            level = match level {
                Level::Session => Level::Media(0),
                Level::Media(number) => Level::Media(number + 1),
            };
        }
        let base64 = base64_in(line)?;
        // What follows the base64 in its line is white space.
        let offset = start + line.trim_end_matches(is_space).len() - base64.len();
        let message = decode(base64).map_err(|kind| DecodeError { kind, offset });
        Some(message.map(|message| Attribute { level, message }))
    })
}

/// What stands behind `a=key-mgmt:mikey` in a line; `None` in other lines.
fn base64_in(line: &str) -> Option<&str> {
    let (name, value) = line.strip_prefix("a=")?.split_once(':')?;
    let value = value.trim_matches(is_space);
    let (protocol, data) = value.split_once(is_space).unwrap_or((value, ""));
    let is_ours = name.eq_ignore_ascii_case(NAME) && protocol.eq_ignore_ascii_case(PROTOCOL);
    is_ours.then(|| data.trim_matches(is_space))
}

const fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn decode(base64: &str) -> Result<Vec<u8>, DecodeErrorKind> {
    if base64.len() > MAX_BASE64 {
        return Err(DecodeErrorKind::TooLong);
    }
    let message = STANDARD.decode(base64).map_err(|_| DecodeErrorKind::Base64)?;
    if message.is_empty() { Err(DecodeErrorKind::Base64) } else { Ok(message) }
}
