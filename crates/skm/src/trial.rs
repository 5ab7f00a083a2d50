//! What a trial needs and no service may run with: a certificate authority, certificates and an issuer of access
//! tokens, all to be thrown away.
//!
//! Everything is marked, so that `serve` knows it again: the certificates by their [organization](ORGANIZATION), the
//! issuer's keys by how their `kid` begins. The key of the authority is not kept.

mod authority;
mod issuer;

pub use authority::{Authority, Credential, ORGANIZATION, is_trial_certificate};
pub use issuer::{Claims, Issuer, is_trial_issuer};

/// Why a trial cannot be made, or a token not be issued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrialError {
    /// A certificate cannot be made.
    #[error("the certificate cannot be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The time is not one that certificates can state.
    #[error("the clock stands at a time that no certificate can state")]
    Time,
    /// The key of the issuer is malformed.
    #[error("not a private key of a trial issuer, as init --trial writes it")]
    Key,
    /// The key pair cannot be made, or does not sign.
    #[error("the cryptographic library refuses: {0}")]
    Crypto(#[from] aws_lc_rs::error::Unspecified),
    /// The random source failed.
    #[error(transparent)]
    Random(#[from] crate::seal::RandomError),
}
