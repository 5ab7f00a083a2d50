//! Key parameters (3GPP TS 33.180, E.6): what a General Extension of type 7 says of the distributed key.
//!
//! They travel as an MCData protected payload (TS 33.180, 8.5.4):
//!
//! | octets | field |
//! |---|---|
//! | 1 | message type: bit 7 says encrypted, bit 8 authenticated |
//! | 5 | date and time |
//! | 4 | payload ID |
//! | 1 | payload sequence number |
//! | 1 | algorithm: 1 is AEAD_AES_128_GCM |
//! | 16 | IV |
//! | 4 | DPPK-ID: the CSB-ID of the message |
//! | 1, 2, n | type, length, ciphertext with its 16-octet tag |

use alloc::vec::Vec;
use core::fmt;

use aes_gcm::AesGcm;
use aes_gcm::aead::consts::U16;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::aes::Aes128;
use zeroize::Zeroize;

use super::SkId;
use crate::error::Rejected;
use crate::sakke::Ssv;
use crate::ts33220;

/// The key is a group master key, in the list of purposes that key type and SK-ID share (TS 33.180, annex G).
pub(super) const GROUP_MASTER_KEY: u8 = 0;

/// Octets before the ciphertext's own type and length: also what is authenticated with it.
const HEADER: usize = 32;

/// The content of the key parameters.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyParameters(Vec<u8>);

impl KeyParameters {
    /// Opens the data of the extension with the key that came beside it.
    ///
    /// Data that do not declare themselves encrypted are an older form of the profile, and are the content itself.
    ///
    /// # Errors
    ///
    /// [`Rejected`] if lengths, algorithm or DPPK-ID are wrong, or the tag is.
    pub(super) fn open(data: &[u8], key: &Ssv, csb_id: SkId) -> Result<Self, Rejected> {
        const ENCRYPTED: u8 = 0x40;
        const AUTHENTICATED: u8 = 0x80;
        const AES_128_GCM: u8 = 1;

        let message_type = *data.first().ok_or(Rejected)?;
        if message_type & (ENCRYPTED | AUTHENTICATED) == 0 {
            return Ok(Self(data.to_vec()));
        }
        let (header, protected) = data.split_first_chunk::<HEADER>().ok_or(Rejected)?;
        let (iv, dppk_id) = header[12..].split_first_chunk::<16>().ok_or(Rejected)?;
        if header[11] != AES_128_GCM || *dppk_id != csb_id.to_octets() {
            return Err(Rejected);
        }
        let [_, length_high, length_low, ciphertext @ ..] = protected else { return Err(Rejected) };
        if ciphertext.len() != usize::from(u16::from_be_bytes([*length_high, *length_low])) {
            return Err(Rejected);
        }
        // DPCK is the last 128 bits of the derived key.
        let derived = ts33220::kdf(key.expose(), 0x53, &[dppk_id]).map_err(|_| Rejected)?;
        let cipher = AesGcm::<Aes128, U16>::new_from_slice(&derived.expose()[16..]).map_err(|_| Rejected)?;
        let content = cipher.decrypt(iv.into(), Payload { msg: ciphertext, aad: header }).map_err(|_| Rejected)?;
        Ok(Self(content))
    }

    /// The content as it was sent: key type (1), status (4), activation time (5), expiry time (5), text with its length (2 and n), and for group
    /// keys group identities.
    pub fn as_octets(&self) -> &[u8] {
        &self.0
    }

    /// The key type, one of the purposes of TS 33.180, annex G.
    pub fn key_type(&self) -> Option<u8> {
        self.0.first().copied()
    }
}

impl Drop for KeyParameters {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// The name alone: the content was confidential.
impl fmt::Debug for KeyParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyParameters")
    }
}
