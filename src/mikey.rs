//! MIKEY messages (RFC 3830 and the RFCs that extend it): octets to typed payloads and back, and the key derivation.
//!
//! [`Message`] is any MIKEY message of payloads that are known. Everything that was decoded encodes to the same
//! octets: the next-payload octets and all lengths follow from the content and are not stored, and a value that has
//! no name is kept as the number it is. A payload of unknown type has no known length, so it cannot be skipped.
//!
//! What is made follows the standards. What is read may depart from them as far as a [`Tolerance`] allows, each by its
//! name: those that devices in the field need are the default.
//!
//! [`inspect`] says what octets hold and all that is wrong with them. [`i_message`] holds the profile of the one
//! message of MIKEY-SAKKE (RFC 6509), [`error_message`] the answer to one that is not accepted, [`prf`] the derivation
//! of session keys, [`sdp`] the way in which SDP carries messages. [`envelope`] protects messages of the modes with a
//! pre-shared or an envelope key. Nothing here signs, or looks at a clock.
//!
//! ```
//! # fn main() -> Result<(), mikey_sakke::Error> {
//! use mikey_sakke::mikey::payload::{Payload, Rand, Ts};
//! use mikey_sakke::mikey::registry::{DataType, PrfFunc};
//! use mikey_sakke::mikey::{CsIdMap, Header, Message};
//!
//! let message = Message {
//!     header: Header {
//!         data_type: DataType::SAKKE_MSG,
//!         v: false,
//!         prf_func: PrfFunc::HMAC_SHA_256,
//!         csb_id: [0x12, 0x34, 0x56, 0x78],
//!         cs_id_map: CsIdMap::EMPTY,
//!     },
//!     payloads: vec![Payload::T(Ts::NtpUtc(0xec89_8da8_0000_0000)), Payload::Rand(Rand(vec![7; 16]))],
//!     sign: None,
//! };
//! let octets = message.encode()?;
//! assert_eq!(Message::decode(&octets)?, message);
//!
//! let places: Vec<_> = message.layout().map(|part| (part.content.to_string(), part.offset, part.length)).collect();
//! assert_eq!(places, [("HDR".into(), 0, 10), ("T".into(), 10, 10), ("RAND".into(), 20, 18)]);
//! # Ok(())
//! # }
//! ```

mod codec;
pub mod envelope;
pub mod error_message;
mod field;
mod header;
pub mod i_message;
mod inspection;
mod message;
pub mod payload;
pub mod prf;
pub mod registry;
pub mod sdp;
mod tolerance;

pub use field::{Field, Value};
pub use header::{CsIdMap, GenericId, Header, SrtpId};
pub use inspection::{Fault, InspectedContent, InspectedPart, Inspection, inspect};
pub use message::{Content, MAX_OCTETS, Message, Part};
pub use tolerance::{Tolerance, Tolerances, UnknownTolerance};
