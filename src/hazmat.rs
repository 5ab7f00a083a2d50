//! The schemes with every ephemeral value chosen by the caller, and their inner functions: for test vectors.
//!
//! A value of j or v that is used twice, or known to anybody, gives SSK or KSAK away. Nothing here belongs in an
//! application.

use alloc::vec;
use alloc::vec::Vec;

use crypto_bigint::{BoxedUint, NonZero};

use crate::eccsi::{Ksak, Signature, SigningKey, SigningPair, VerifyingKey, secret_integer};
use crate::error::{Error, UsageError};
use crate::identity::Uid;
use crate::imessage::{self, Opened};
use crate::sakke::{Encapsulated, EncapsulationKey, PublicKey, ReceiverKey, Ssv, hash};

/// HashToIntegerRange(message, modulus) with SHA-256, for any modulus in 1..=2^65536 (RFC 6508, section 5.1).
///
/// The modulus is big-endian; the result too, in as many octets as the modulus was given in.
///
/// # Errors
///
/// [`UsageError::Range`] if the modulus is 0 or above 2^65536.
pub fn hash_to_integer_range(message: &[u8], modulus: &[u8]) -> Result<Vec<u8>, UsageError> {
    let precision = 8 * u32::try_from(modulus.len()).map_err(|_| UsageError::Range)?;
    let n = BoxedUint::from_be_slice(modulus, precision.max(1)).map_err(|_| UsageError::Range)?;
    let n: NonZero<BoxedUint> = Option::from(NonZero::new(n)).ok_or(UsageError::Range)?;
    // ceil(lg(n) / 256): a power of two is counted once.
    let bits = n.wrapping_sub(BoxedUint::one()).bits();
    if bits > 1 << 16 {
        return Err(UsageError::Range);
    }
    let mut blocks = vec![0; bits.div_ceil(256) as usize * hash::BLOCK];
    hash::fill_blocks(&[message], &mut blocks);
    let v = BoxedUint::from_be_slice(&blocks, 8 * blocks.len().max(1) as u32).map_err(|_| UsageError::Range)?;
    let result = v.rem(&n).to_be_bytes();
    let mut octets = vec![0; modulus.len()];
    let significant = result.len().min(octets.len());
    let start = octets.len() - significant;
    octets[start..].copy_from_slice(&result[result.len() - significant..]);
    Ok(octets)
}

/// What SAKKE encapsulation computes on its way.
#[derive(Debug)]
pub struct SakkeEncapsulation {
    /// R and H: 273 octets.
    pub encapsulated: Encapsulated,
    /// r, 128 octets, big-endian.
    pub r: [u8; 128],
    /// g^r as its representative in PF_p, 128 octets, big-endian.
    pub g_to_the_r: [u8; 128],
}

/// [`EncapsulationKey::encapsulate`] with its intermediate values.
///
/// # Errors
///
/// [`UsageError::IdentityWithoutKey`] if no RSK can exist for this identity.
pub fn sakke_encapsulate(public_key: &PublicKey, identity: &Uid, ssv: &Ssv) -> Result<SakkeEncapsulation, UsageError> {
    let result = EncapsulationKey::new(public_key, identity)?.encapsulate_with_intermediates(ssv)?;
    Ok(SakkeEncapsulation {
        encapsulated: result.encapsulated,
        r: result.r.expose().to_octets(),
        g_to_the_r: *result.g_to_the_r.expose(),
    })
}

/// Issues the ECCSI pair for a given v of 32 octets, and HS, the hash of the identity.
///
/// None if v is not in 1..q-1, or another has to be taken.
pub fn eccsi_issue(ksak: &Ksak, identity: &Uid, v: &[u8]) -> Option<(SigningPair, [u8; 32])> {
    ksak.issue_with(identity, &secret_integer(v)?).ok().flatten()
}

/// Signs with a given j of 32 octets.
///
/// None if j is not in 1..q-1, or another has to be taken.
pub fn eccsi_sign(key: &SigningKey, message: &[u8], j: &[u8]) -> Option<Signature> {
    key.sign_with(message, &secret_integer(j)?).ok().flatten()
}

/// The UID of TS 33.180, F.2.1, for names in any spelling.
///
/// # Errors
///
/// [`UsageError::FieldLength`] if a name is longer than 65,535 octets.
pub fn hashed_uid(user: &[u8], kms: &[u8], period: u64, offset: u64, number: u64) -> Result<Uid, UsageError> {
    Uid::hashed_octets(user, kms, period, offset, number)
}

/// Opens an I_MESSAGE for given identities: parse, verify, decapsulate, with neither clock nor replay cache nor policy.
///
/// # Errors
///
/// [`Error::Decode`] for malformed octets, [`Error::Rejected`] if a cryptographic check fails.
pub fn open_i_message(octets: &[u8], initiator: &VerifyingKey, responder: &ReceiverKey) -> Result<Opened, Error> {
    imessage::open(octets, initiator, responder)
}

/// Which implementation computes: to compare them, and to measure.
pub mod backend {
    pub use crate::backend::{Backend, Unavailable, select};

    /// The backend in use.
    pub fn current() -> Backend {
        crate::backend::current()
    }
}

/// Secrets as valgrind sees them: for the check of constant time, in builds with `--cfg mikey_sakke_ct`.
#[cfg(mikey_sakke_ct)]
pub mod watched {
    pub use crate::backend::valgrind::{findings, is_watching, make_public, make_secret};
    pub use crate::secret::watched::reasons;
}
