//! The string construction and key derivation function of 3GPP TS 33.220, annex B.2.

use alloc::vec::Vec;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::error::UsageError;
use crate::secret::{Reach, Secret, on_clean_stack};

/// S = FC || P0 || L0 || P1 || L1 ..., each length in 2 octets, big-endian.
///
/// # Errors
///
/// [`UsageError::FieldLength`] if a parameter is longer than 65,535 octets.
pub(crate) fn string(fc: u8, parameters: &[&[u8]]) -> Result<Vec<u8>, UsageError> {
    let mut s = Vec::from([fc]);
    for parameter in parameters {
        let length = u16::try_from(parameter.len()).map_err(|_| UsageError::FieldLength)?;
        s.extend_from_slice(parameter);
        s.extend_from_slice(&length.to_be_bytes());
    }
    Ok(s)
}

/// HMAC-SHA-256(key, S), 32 octets. Where 128 bits are wanted, they are the last 16.
pub(crate) fn kdf(key: &[u8], fc: u8, parameters: &[&[u8]]) -> Result<Secret<[u8; 32]>, UsageError> {
    let s = string(fc, parameters)?;
    on_clean_stack(Reach::Octets, || {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| UsageError::FieldLength)?;
        mac.update(&s);
        Ok(Secret::new(mac.finalize().into_bytes().into()))
    })
}

/// An integer as a parameter: big-endian in as few octets as it takes, zero in one.
pub(crate) fn integer(value: u64) -> Vec<u8> {
    let octets = value.to_be_bytes();
    let leading = octets.iter().take_while(|octet| **octet == 0).count().min(octets.len() - 1);
    octets[leading..].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_have_no_leading_zero_octets() {
        assert_eq!(integer(0), [0]);
        assert_eq!(integer(255), [255]);
        assert_eq!(integer(256), [1, 0]);
        assert_eq!(integer(u64::MAX), [255; 8]);
    }

    #[test]
    fn a_parameter_beyond_its_length_field_is_refused() {
        assert_eq!(string(0, &[&[0; 65_536]]), Err(UsageError::FieldLength));
        assert_eq!(string(0, &[&[0; 65_535]]).map(|s| s.len()), Ok(1 + 65_535 + 2));
    }
}
