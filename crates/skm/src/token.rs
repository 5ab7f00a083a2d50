//! Access tokens (RFC 9068, RFC 6750): who sends a request, and what the token lets through.
//!
//! They are those of the SEAL identity management server, or of a CAPIF core function (3GPP TS 33.122).
//!
//! A [`Verifier`] checks a token against a [`KeySet`] and a given time; a [`KeySource`] keeps the set of the issuer
//! current. A token that was verified is
//! taken as valid for up to a minute. What a token permits is decided elsewhere: here it is only read and found valid.

mod capif;
mod claims;
mod error;
mod json;
mod key_set;
mod source;
mod verified;
mod verifier;

pub use capif::CapifTokenSettings;
pub use claims::AccessToken;
pub use error::{Part, TokenError};
pub use key_set::{Algorithm, KeySet, KeySetError};
pub use source::{Cache, KeySource, Location, SourceError};
pub use verifier::{MAX_TOKEN_OCTETS, TokenSettings, Verifier, bearer};
