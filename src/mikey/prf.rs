//! The derivation of session keys from a TGK (RFC 3830, section 4.1; RFC 6043).

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;
use zeroize::Zeroize;

use super::registry::PrfFunc;
use crate::error::UsageError;
use crate::secret::{Reach, on_clean_stack};

/// Octets of the TGK that key one HMAC, with either hash function.
const BLOCK_OCTETS: usize = 32;

/// A pseudo-random function that is implemented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prf {
    /// MIKEY-1, made of HMAC-SHA-1 (RFC 3830, section 4.1.2).
    Mikey1,
    /// PRF-HMAC-SHA-256, the same made of HMAC-SHA-256 (RFC 6043).
    HmacSha256,
}

impl Prf {
    /// The function that a header names, if it is implemented.
    pub const fn from_func(func: PrfFunc) -> Option<Self> {
        match func {
            PrfFunc::MIKEY_1 => Some(Self::Mikey1),
            PrfFunc::HMAC_SHA_256 => Some(Self::HmacSha256),
            _ => None,
        }
    }
}

impl From<Prf> for PrfFunc {
    fn from(prf: Prf) -> Self {
        match prf {
            Prf::Mikey1 => Self::MIKEY_1,
            Prf::HmacSha256 => Self::HMAC_SHA_256,
        }
    }
}

/// What a derived key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyUse {
    /// TEK, the traffic-encrypting key: for SRTP, the master key.
    Tek,
    /// Authentication key, for a security protocol that derives none itself.
    Auth,
    /// Encryption key, for a security protocol that derives none itself.
    Encr,
    /// Salting key: for SRTP, the master salt.
    Salt,
}

impl KeyUse {
    /// The constant that sets the keys apart (RFC 3830, section 4.1.3).
    const fn constant(self) -> [u8; 4] {
        match self {
            Self::Tek => [0x2a, 0xd0, 0x1c, 0x64],
            Self::Auth => [0x1b, 0x5c, 0x79, 0x73],
            Self::Encr => [0x15, 0x79, 0x8c, 0xef],
            Self::Salt => [0x39, 0xa2, 0xc1, 0x4b],
        }
    }
}

/// What a key is for that is derived from a pre-shared key or an envelope key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnvelopeUse {
    /// Encryption of the keys in KEMAC.
    Encr,
    /// The MAC of KEMAC or V.
    Auth,
    /// The salt of that encryption.
    Salt,
}

impl EnvelopeUse {
    /// The constant that sets the keys apart (RFC 3830, section 4.1.4).
    const fn constant(self) -> [u8; 4] {
        match self {
            Self::Encr => [0x15, 0x05, 0x33, 0xe1],
            Self::Auth => [0x2d, 0x22, 0xac, 0x75],
            Self::Salt => [0x29, 0xb8, 0x89, 0x16],
        }
    }
}

/// Stands in place of the CS ID where a key is for a whole message.
const NO_CS_ID: u8 = 0xff;

/// Derives a key of `out.len()` octets from a pre-shared key or an envelope key, for the protection of one message
/// (RFC 3830, section 4.1.4).
///
/// `key` and `out` are secret; the time taken depends on their lengths alone.
///
/// # Errors
///
/// [`UsageError::Range`] if `key` is empty.
pub fn derive_from_envelope(
    prf: Prf,
    key: &[u8],
    key_use: EnvelopeUse,
    csb_id: [u8; 4],
    rand: &[u8],
    out: &mut [u8],
) -> Result<(), UsageError> {
    expand(prf, key, [&key_use.constant(), &[NO_CS_ID], &csb_id, rand], out)
}

/// Derives a key of `out.len()` octets from a TGK, which in MIKEY-SAKKE is the SSV, for one crypto session.
///
/// `tgk` and `out` are secret; the time taken depends on their lengths alone. The other values are those of the
/// message: CS ID, CSB ID and the octets of RAND.
///
/// # Errors
///
/// [`UsageError::Range`] if `tgk` is empty.
pub fn derive(
    prf: Prf,
    tgk: &[u8],
    key_use: KeyUse,
    cs_id: u8,
    csb_id: [u8; 4],
    rand: &[u8],
    out: &mut [u8],
) -> Result<(), UsageError> {
    expand(prf, tgk, [&key_use.constant(), &[cs_id], &csb_id, rand], out)
}

/// PRF(key, label), as long as `out` (RFC 3830, section 4.1.2).
fn expand(prf: Prf, key: &[u8], label: [&[u8]; 4], out: &mut [u8]) -> Result<(), UsageError> {
    if key.is_empty() {
        return Err(UsageError::Range);
    }
    out.fill(0);
    on_clean_stack(Reach::Octets, || {
        key.chunks(BLOCK_OCTETS).try_for_each(|key| match prf {
            Prf::Mikey1 => xor_p::<Hmac<Sha1>>(key, label, out),
            Prf::HmacSha256 => xor_p::<Hmac<Sha256>>(key, label, out),
        })
    })
}

/// out = out xor P(key, label), with P as long as `out` (RFC 3830, section 4.1.2):
/// P = HMAC(key, A_1 || label) || HMAC(key, A_2 || label) || ..., where A_0 = label and A_i = HMAC(key, A_(i-1)).
fn xor_p<H: Mac + KeyInit + Clone>(key: &[u8], label: [&[u8]; 4], out: &mut [u8]) -> Result<(), UsageError> {
    let empty = H::new_from_slice(key).map_err(|_| UsageError::Range)?;
    let hmac = |parts: &[&[u8]]| {
        let mut mac = empty.clone();
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes()
    };
    let mut a = hmac(&label);
    for chunk in out.chunks_mut(a.len()) {
        let mut block = hmac(&[&[a.as_slice()], label.as_slice()].concat());
        chunk.iter_mut().zip(&block).for_each(|(octet, mask)| *octet ^= mask);
        block.as_mut_slice().zeroize();
        let following = hmac(&[&a]);
        a.as_mut_slice().zeroize();
        a = following;
    }
    a.as_mut_slice().zeroize();
    Ok(())
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use hex_literal::hex;

    use super::*;

    const CSB_ID: [u8; 4] = hex!("12345678");
    const RAND: [u8; 16] = hex!("404142434445464748494a4b4c4d4e4f");

    fn derived(prf: Prf, tgk_length: u8, key_use: KeyUse, length: usize) -> Vec<u8> {
        let mut out = vec![0xff; length];
        derive(prf, &Vec::from_iter(0..tgk_length), key_use, 1, CSB_ID, &RAND, &mut out).unwrap();
        out
    }

    #[test]
    fn each_use_has_the_published_constant() {
        let expected = [
            (KeyUse::Tek, hex!("ec818184b431749d0b4a1c5b02f45377d1eff40b5e0bba3310a23e2cf9cf0a12e3")),
            (KeyUse::Auth, hex!("163912d2e3389866df779529e0e7b494f2cba21fc15fb6ed3777e8fba5f4981458")),
            (KeyUse::Encr, hex!("46f9eac66436ff1ca637a976844446e05be038223d8b4eeda2379beaaee666484f")),
            (KeyUse::Salt, hex!("63ff6c96f8fd1bc07a776db265b2e26453629533e72a41c73839b0f45a7857efba")),
        ];
        for (key_use, out) in expected {
            assert_eq!(derived(Prf::HmacSha256, 16, key_use, 33), out);
        }
    }

    /// A published interoperability vector for TS 33.180: the SRTP master key and salt of a group call.
    #[test]
    fn the_srtp_keys_of_a_group_call() {
        let tgk = hex!("fcfe65cd967c58d260b603ccb9a887a9");
        let rand = hex!("6819e679461120e10ac458cce67b8024");
        let (mut key, mut salt) = ([0; 16], [0; 12]);
        derive(Prf::HmacSha256, &tgk, KeyUse::Tek, 4, hex!("01c8de7b"), &rand, &mut key).unwrap();
        derive(Prf::HmacSha256, &tgk, KeyUse::Salt, 4, hex!("01c8de7b"), &rand, &mut salt).unwrap();
        assert_eq!(key, hex!("64837d2b4d69a266e4489d3807353ad9"));
        assert_eq!(salt, hex!("8b2f081ce8e8bdab1f8d9eb8"));
    }

    /// Lengths on either side of a block, computed with Python's `hmac` module from the formula of RFC 3830.
    #[test]
    fn a_long_key_is_split_into_blocks_of_32_octets() {
        let expected = [
            (
                Prf::Mikey1,
                16,
                hex!("061dec4efe612b404b4d78c9fa6bef3741dcc63cec9205b9ac6c0119e85e546fa0c7b8700cd7e7a441093b43b0"),
            ),
            (
                Prf::Mikey1,
                32,
                hex!("4c69479faef8b27a524460a109fb58187b440bc8c644f7a2a6907523a32032c68f8c4ce43d354a033e4e200fe8"),
            ),
            (
                Prf::Mikey1,
                33,
                hex!("153f381da16dc9fae153c289bc565f05053e513a6db101df3d6c5c2f5615799ba96cd5d4066334d52ae6ce05a9"),
            ),
            (
                Prf::Mikey1,
                80,
                hex!("a9247b87641ec79d9035bc551549ccb81886ca1009f698ada919e238b1b5c5ab8e791818fdfd49b61fdcb2c53f"),
            ),
            (
                Prf::HmacSha256,
                32,
                hex!("942a1af8f3ba94046ab05cf877cc584d97da3c7871974f3f2f90855ec2479ec38f7b8248746cc4a50b0e5cd1aa"),
            ),
            (
                Prf::HmacSha256,
                33,
                hex!("63a57088b96c5dc08101f769d7632b9a86458d72b0e2e019fc216564455e834137870e4789d57a2227cbddedc5"),
            ),
            (
                Prf::HmacSha256,
                80,
                hex!("34d662b32982b16eadfde59a0ec8274868ee7f25a6cbf87b000382097d418d0106e3c271a2a599470f08906093"),
            ),
        ];
        for (prf, tgk_length, out) in expected {
            assert_eq!(derived(prf, tgk_length, KeyUse::Tek, 45), out, "{prf:?}, {tgk_length} octets");
        }
    }

    #[test]
    fn a_shorter_output_is_the_start_of_a_longer_one() {
        for prf in [Prf::Mikey1, Prf::HmacSha256] {
            let long = derived(prf, 16, KeyUse::Tek, 100);
            for length in 0..100 {
                assert_eq!(derived(prf, 16, KeyUse::Tek, length), long[..length]);
            }
        }
    }

    #[test]
    fn an_empty_key_is_refused() {
        let outcome = derive(Prf::HmacSha256, &[], KeyUse::Tek, 0, CSB_ID, &RAND, &mut [0; 16]);
        assert_eq!(outcome, Err(UsageError::Range));
    }

    #[test]
    fn functions_and_their_numbers_agree() {
        for prf in [Prf::Mikey1, Prf::HmacSha256] {
            assert_eq!(Prf::from_func(prf.into()), Some(prf));
        }
        assert_eq!(Prf::from_func(PrfFunc(2)), None);
    }
}
