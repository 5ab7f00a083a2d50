//! Key parameters (3GPP TS 33.180, E.6): the properties of the key, encrypted under a key that is derived from it,
//! DPCK.

use alloc::vec::Vec;

use aes_gcm::AesGcm;
use aes_gcm::aead::consts::U16;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::aes::Aes128;
use rand_core::TryCryptoRng;

use super::{KeyProperties, SkId};
use crate::error::{Error, Rejected, UsageError};
use crate::mikey::payload::{Extension, GeneralExtension, KeyParameters, ProtectedPayload};
use crate::sakke::Ssv;
use crate::secret::{Reach, Secret, on_clean_stack};
use crate::ts33220;

/// AEAD_AES_128_GCM, with an IV of 16 octets.
const ALGORITHM: u8 = 1;

/// Encrypted; the low bits are those that most peers send.
const MESSAGE_TYPE: u8 = 0x43;

/// Takes the content out of the extension, with the key that came beside it.
///
/// # Errors
///
/// [`Rejected`] if the form, the algorithm or the DPPK-ID is wrong, or the tag is.
pub(super) fn open(extension: &GeneralExtension, key: &Ssv, csb_id: SkId) -> Result<Secret<Vec<u8>>, Rejected> {
    let payload = match extension.content() {
        Ok(Extension::KeyParameters(KeyParameters::Protected(payload))) => payload,
        Ok(Extension::KeyParameters(KeyParameters::Plain(content))) => return Ok(Secret::new(content)),
        _ => return Err(Rejected),
    };
    if payload.algorithm != ALGORITHM || payload.dppk_id != csb_id.to_octets() {
        return Err(Rejected);
    }
    let aad = extension.data.get(..ProtectedPayload::HEADER_OCTETS).ok_or(Rejected)?;
    on_clean_stack(Reach::Cipher, || {
        let cipher = cipher(key, csb_id).map_err(|_| Rejected)?;
        let content = cipher.decrypt((&payload.iv).into(), Payload { msg: &payload.ciphertext, aad });
        content.map(Secret::new).map_err(|_| Rejected)
    })
}

/// The extension that carries properties of a key.
///
/// # Errors
///
/// [`UsageError::FieldLength`] if the properties do not fit; [`Error::Random`] if the random source fails.
pub(super) fn seal<R: TryCryptoRng + ?Sized>(
    properties: &KeyProperties,
    key: &Ssv,
    csb_id: SkId,
    rng: &mut R,
) -> Result<GeneralExtension, Error> {
    let content = Secret::new(properties.encode()?);
    let mut payload = ProtectedPayload {
        message_type: MESSAGE_TYPE,
        // These three are of no use here, and ignored by receivers.
        date_time: 0,
        payload_id: [0; 4],
        sequence_number: 0,
        algorithm: ALGORITHM,
        iv: [0; 16],
        dppk_id: csb_id.to_octets(),
        payload_type: 0,
        ciphertext: Vec::new(),
    };
    rng.try_fill_bytes(&mut payload.iv).map_err(|_| Error::Random)?;
    let extension = |payload| Extension::KeyParameters(KeyParameters::Protected(payload)).to_payload();
    let header = extension(payload.clone())?.data;
    let aad = header.get(..ProtectedPayload::HEADER_OCTETS).ok_or(UsageError::FieldLength)?;
    payload.ciphertext = on_clean_stack(Reach::Cipher, || {
        let sealed = cipher(key, csb_id)?.encrypt((&payload.iv).into(), Payload { msg: content.expose(), aad });
        sealed.map_err(|_| UsageError::FieldLength)
    })?;
    Ok(extension(payload)?)
}

/// The cipher under DPCK, the last 128 bits of the derived key.
fn cipher(key: &Ssv, csb_id: SkId) -> Result<AesGcm<Aes128, U16>, UsageError> {
    let derived = ts33220::kdf(key.expose(), 0x53, &[&csb_id.to_octets()])?;
    AesGcm::new_from_slice(&derived.expose()[16..]).map_err(|_| UsageError::FieldLength)
}
