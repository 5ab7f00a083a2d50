//! Sealing at rest: what is secret in the store is encrypted to its place there.
//!
//! A value is sealed with AES-256-GCM under a random nonce. Its associated data name the table, the row, the column,
//! the key and the version of the row, so that a value moved to any other place, or left over from an earlier version,
//! does not open. Sealed octets are: the format (1 octet), the key id (8), the nonce (12), ciphertext and tag.
//!
//! With random nonces of 96 bits a key is good for 2^32 values.

mod error;
mod file;
#[cfg(feature = "server")]
mod source;
#[cfg(feature = "server")]
mod token;
#[cfg(feature = "server")]
mod wrapping;

use std::fmt;

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce, Tag};
use getrandom::SysRng;
use getrandom::rand_core::TryRng;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

pub use error::{Form, KeyError};
pub(crate) use file::open_private;
#[cfg(feature = "server")]
pub use source::{KeySource, SALT_OCTETS, Secret};
#[cfg(feature = "server")]
pub use token::{TokenError, TokenSource};
#[cfg(feature = "server")]
pub use wrapping::{DataKey, KeyEncryptionKey};

/// The octets of a sealing key.
pub const KEY_OCTETS: usize = 32;

const FORMAT: u8 = 1;
const KEY_ID_OCTETS: usize = 8;
const NONCE_OCTETS: usize = 12;
const TAG_OCTETS: usize = 16;
const HEADER_OCTETS: usize = 1 + KEY_ID_OCTETS + NONCE_OCTETS;

/// The octets by which a sealed value is longer.
pub const SEALED_OCTETS: usize = HEADER_OCTETS + TAG_OCTETS;

/// Where a sealed value stands.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The table.
    pub table: &'a str,
    /// The columns of the row's key, in their order.
    pub row: &'a [&'a str],
    /// The column.
    pub column: &'a str,
    /// The version of the row.
    pub version: u64,
}

/// The operating system's random source failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the random source failed")]
pub struct RandomError;

/// A sealed value that does not open: damaged, sealed with another key, or not in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sealed value does not open")]
pub struct OpenError;

/// A key that seals values at rest.
pub struct SealKey {
    cipher: Aes256Gcm,
    id: [u8; KEY_ID_OCTETS],
}

impl SealKey {
    /// The key of these octets, which are to be random.
    pub fn new(key: &[u8; KEY_OCTETS]) -> Self {
        let mut id = [0; KEY_ID_OCTETS];
        id.copy_from_slice(&mac(key, &[b"SKM-S sealing key id"])[..KEY_ID_OCTETS]);
        Self { cipher: Aes256Gcm::new(key.into()), id }
    }

    /// What tells this key from others, in hexadecimal. It is public.
    pub fn id(&self) -> String {
        hex::encode(self.id)
    }

    /// Seals a value for its place.
    ///
    /// # Errors
    ///
    /// [`RandomError`].
    pub fn seal(&self, place: Place<'_>, value: &[u8]) -> Result<Vec<u8>, RandomError> {
        let nonce: [u8; NONCE_OCTETS] = random()?;
        let mut sealed = Vec::with_capacity(HEADER_OCTETS + value.len() + TAG_OCTETS);
        sealed.push(FORMAT);
        sealed.extend_from_slice(&self.id);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(value);
        let tag = self
            .cipher
            .encrypt_inout_detached(&Nonce::from(nonce), &self.associated(place), (&mut sealed[HEADER_OCTETS..]).into())
            // Only a value longer than GCM can take, 64 GiB, fails.
            .map_err(|_| RandomError)?;
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }

    /// Whether a value says that it was sealed with this key.
    #[cfg(feature = "server")]
    pub(crate) fn sealed(&self, value: &[u8]) -> bool {
        value.get(1..=KEY_ID_OCTETS) == Some(&self.id)
    }

    /// Opens a value that was sealed for this place.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let (header, rest) = sealed.split_at_checked(HEADER_OCTETS).ok_or(OpenError)?;
        let (value, tag) = rest.split_at_checked(rest.len().wrapping_sub(TAG_OCTETS)).ok_or(OpenError)?;
        let (marks, nonce) = header.split_at(1 + KEY_ID_OCTETS);
        if marks[0] != FORMAT || marks[1..] != self.id {
            return Err(OpenError);
        }
        let nonce = Nonce::try_from(nonce).map_err(|_| OpenError)?;
        let tag = Tag::try_from(tag).map_err(|_| OpenError)?;
        let mut value = Zeroizing::new(value.to_vec());
        self.cipher
            .decrypt_inout_detached(&nonce, &self.associated(place), value.as_mut_slice().into(), &tag)
            .map_err(|_| OpenError)?;
        Ok(value)
    }

    /// The associated data: every part behind its length in 8 octets, big-endian.
    fn associated(&self, place: Place<'_>) -> Vec<u8> {
        let version = place.version.to_be_bytes();
        let ends: [&[u8]; 4] = [place.column.as_bytes(), &self.id, &version, &[FORMAT]];
        let row = place.row.iter().map(|part| part.as_bytes());
        let parts = std::iter::once(place.table.as_bytes()).chain(row).chain(ends);
        let mut data = Vec::new();
        for part in parts {
            data.extend_from_slice(&(part.len() as u64).to_be_bytes());
            data.extend_from_slice(part);
        }
        data
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealKey({})", self.id())
    }
}

/// HMAC-SHA-256 over parts, each behind its length in 8 octets, big-endian.
pub(crate) fn mac(key: &[u8; KEY_OCTETS], parts: &[&[u8]]) -> [u8; 32] {
    fed(key, parts).finalize().into_bytes().into()
}

/// Whether this is the HMAC-SHA-256 over the parts, in constant time.
#[cfg(feature = "server")]
pub(crate) fn is_mac(key: &[u8; KEY_OCTETS], parts: &[&[u8]], expected: &[u8]) -> bool {
    fed(key, parts).verify_slice(expected).is_ok()
}

fn fed(key: &[u8; KEY_OCTETS], parts: &[&[u8]]) -> Hmac<Sha256> {
    // HMAC fills a short key up with zeros to the block of its hash.
    let mut block = Zeroizing::new([0; 64]);
    block[..KEY_OCTETS].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new((&*block).into());
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac
}

/// Random octets.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], RandomError> {
    let mut octets = [0; N];
    SysRng.try_fill_bytes(&mut octets).map_err(|_| RandomError)?;
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'static> =
        Place { table: "records", row: &["urn:service", "user", "sip:a@example.org"], column: "sealed", version: 7 };

    #[test]
    fn a_value_opens_in_its_place_alone() {
        let key = SealKey::new(&[1; KEY_OCTETS]);
        let sealed = key.seal(PLACE, b"secret").unwrap();
        assert_eq!(key.open(PLACE, &sealed).unwrap().as_slice(), b"secret");
        let others = [
            Place { table: "domain_keys", ..PLACE },
            Place { column: "other", ..PLACE },
            Place { version: 8, ..PLACE },
            Place { row: &["urn:service", "user", "sip:b@example.org"], ..PLACE },
            // The same octets, cut elsewhere.
            Place { row: &["urn:serviceu", "ser", "sip:a@example.org"], ..PLACE },
            Place { row: &["urn:service", "user"], column: "sip:a@example.org", ..PLACE },
        ];
        for other in others {
            assert_eq!(key.open(other, &sealed), Err(OpenError), "{other:?}");
        }
        assert_eq!(SealKey::new(&[2; KEY_OCTETS]).open(PLACE, &sealed), Err(OpenError));
    }

    #[test]
    fn every_octet_counts() {
        let key = SealKey::new(&[1; KEY_OCTETS]);
        let sealed = key.seal(PLACE, b"secret").unwrap();
        assert_eq!(sealed.len(), HEADER_OCTETS + 6 + TAG_OCTETS);
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert_eq!(key.open(PLACE, &damaged), Err(OpenError), "octet {at}");
            assert_eq!(key.open(PLACE, &sealed[..at]), Err(OpenError), "first {at}");
        }
        assert_eq!(key.open(PLACE, &[&sealed[..], &[0]].concat()), Err(OpenError));
    }

    #[test]
    fn nonces_differ_and_nothing_is_printed() {
        let key = SealKey::new(&[1; KEY_OCTETS]);
        assert_ne!(key.seal(PLACE, b"secret").unwrap(), key.seal(PLACE, b"secret").unwrap());
        assert_eq!(format!("{key:?}"), format!("SealKey({})", key.id()));
    }
}
