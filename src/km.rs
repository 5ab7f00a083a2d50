//! The messages that a key management client and server of SEAL exchange (3GPP TS 33.434, clause 5.3).
//!
//! A client sends a [`Request`] for the key material of a service, or of one client, device or user of it
//! ([`Subject`]); the server answers with a [`Response`]: a [`Payload`], or an [`ErrorCode`]. [`retrieval`] has the
//! same exchange as a REST API (TS 29.549, SS_KeyInfoRetrieval), [`domain`] what the server publishes of its security
//! domain, [`exchange`] what the servers of two domains tell each other of it, [`record`] what a provisioning service
//! stores.
//!
//! TS 33.434 fixes the fields and leaves their encoding open. Here they are JSON in UTF-8, under their names in the
//! standard, Date/Time as `DateTime` in seconds since 1970-01-01T00:00:00Z. Reading is strict: a member that stands
//! twice is refused, whether it is known or not, and so is an integer with a fraction, an exponent or quotes. Members
//! that are not known are ignored. A text has 1 to [`MAX_TEXT_OCTETS`] octets and no control characters, and a URI is
//! in its one spelling ([`Uri`]), so that two URIs are the same if their octets are.
//!
//! There is no transport, no clock and no store: the caller passes in the time, and decides who may have what.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use mikey_sakke::identity::Uri;
//! use mikey_sakke::km::{DEFAULT_WINDOW, Identifier, Payload, Request, Response, Subject};
//! use mikey_sakke::time::Timestamp;
//!
//! let now = Timestamp::from_unix(1_795_000_000)?;
//! let server = Uri::parse("sip:skms.example.org")?;
//! let alice = Uri::parse("sip:alice@example.org")?;
//! let service = Identifier::new("urn:example:fleet")?;
//! let request = Request::new(server.clone(), service, Subject::User(alice.clone()), now)?;
//!
//! let received = Request::from_json(request.to_json().as_bytes())?;
//! received.check(&server, now, DEFAULT_WINDOW)?;
//! let answer = Response::success(&received, alice, Some(Payload::new("key material")?), now)?;
//!
//! let answer = Response::from_json(answer.to_json().as_bytes())?;
//! let payload = answer.accept(&request, now, DEFAULT_WINDOW)?;
//! assert_eq!(payload.as_ref().map(Payload::expose), Some("key material"));
//! # Ok(())
//! # }
//! ```

pub mod domain;
mod error;
mod error_code;
pub mod exchange;
mod json;
mod payload;
pub mod record;
mod replay;
mod request;
mod response;
pub mod retrieval;
mod subject;

use core::time::Duration;

use crate::error::UsageError;
use crate::identity::Uri;
use crate::time::Timestamp;

pub use error::{BodyError, RequestError, ResponseError};
pub use error_code::{ErrorCode, Failure};
pub use payload::Payload;
pub use replay::{Token, replay_key, replay_retention};
pub use request::{Echo, Request};
pub use response::Response;
pub use subject::{Identifier, Kind, Subject};

/// The Version of a [`Request`].
pub const VERSION: &str = "1.0.0";

/// The octets that the body of a request or of a record may have.
pub const MAX_BODY_OCTETS: usize = 64 * 1024;

/// The octets that a text other than a payload may have; it has at least one.
pub const MAX_TEXT_OCTETS: usize = 1024;

/// The octets that a [`Payload`] may have.
pub const MAX_PAYLOAD_OCTETS: usize = 49_152;

/// The octets that the body of a response may have: its texts, with every octet escaped as six, and room between them.
pub const MAX_RESPONSE_OCTETS: usize = 6 * (MAX_PAYLOAD_OCTETS + 8 * MAX_TEXT_OCTETS);

/// How far the Date/Time of a message may be from the receiver's time, either way and inclusive, unless configured.
pub const DEFAULT_WINDOW: Duration = Duration::from_secs(5);

/// The UserUri of a response to somebody who is not authenticated.
pub const ANONYMOUS: &str = "sip:anonymous@anonymous.invalid";

/// Whether Date/Time is at most the window away from now, in whole seconds, which is all that a message states.
fn is_fresh(date_time: Timestamp, now: Timestamp, window: Duration) -> bool {
    Duration::from_secs(date_time.to_unix().abs_diff(now.to_unix())) <= window
}

/// The instant in whole seconds since 1970.
fn whole_seconds(at: Timestamp) -> Result<Timestamp, UsageError> {
    Timestamp::from_unix(at.to_unix())
}

fn check_length(uri: &Uri) -> Result<(), UsageError> {
    if uri.as_str().len() <= MAX_TEXT_OCTETS { Ok(()) } else { Err(UsageError::FieldLength) }
}
