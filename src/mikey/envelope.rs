//! Keys from a pre-shared or an envelope key, and what they protect: the keys in KEMAC, and a whole message by the MAC
//! of KEMAC or V (RFC 3830, sections 4.1.4, 4.2.3 and 5.2).

use alloc::vec::Vec;

use aes_gcm::aes::Aes128;
use aes_gcm::aes::cipher::BlockCipherEncrypt;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::message::Message;
use super::payload::{KeyData, Payload};
use super::prf::{self, Prf};
use super::registry::{EncrAlg, MacAlg};
use crate::error::{DecodeError, Error, Rejected, UsageError};
use crate::secret::{Reach, Secret, declassify, on_clean_stack};

/// The keys that protect one message.
#[derive(Clone, Debug)]
pub struct EnvelopeKeys {
    encr: Secret<[u8; 16]>,
    auth: Secret<[u8; MAX_AUTH_OCTETS]>,
    salt: Secret<[u8; 14]>,
    csb_id: [u8; 4],
    mac_alg: MacAlg,
}

/// Octets of the longest authentication key, which is as long as the MAC.
const MAX_AUTH_OCTETS: usize = 32;

/// Octets of a block of AES.
const BLOCK_OCTETS: usize = 16;

impl EnvelopeKeys {
    /// Derives the keys from a pre-shared key or an envelope key; CSB ID and RAND are those of the message.
    ///
    /// # Errors
    ///
    /// [`UsageError::Range`] if the key is empty, or if the MAC algorithm is not one that makes a MAC.
    pub fn derive(prf: Prf, key: &[u8], csb_id: [u8; 4], rand: &[u8], mac_alg: MacAlg) -> Result<Self, UsageError> {
        let mac_octets = mac_alg.octets().filter(|octets| *octets > 0).ok_or(UsageError::Range)?;
        let mut keys = Self {
            encr: Secret::new([0; 16]),
            auth: Secret::new([0; MAX_AUTH_OCTETS]),
            salt: Secret::new([0; 14]),
            csb_id,
            mac_alg,
        };
        let derive = |key_use, out: &mut [u8]| prf::derive_from_envelope(prf, key, key_use, csb_id, rand, out);
        derive(prf::EnvelopeUse::Encr, keys.encr.expose_mut())?;
        derive(prf::EnvelopeUse::Auth, &mut keys.auth.expose_mut()[..mac_octets])?;
        derive(prf::EnvelopeUse::Salt, keys.salt.expose_mut())?;
        Ok(keys)
    }

    /// Encrypts keys for KEMAC: as they are with [`EncrAlg::NULL`], else with [`EncrAlg::AES_CM_128`]. `timestamp` is
    /// the 64-bit value of the message's T.
    ///
    /// # Errors
    ///
    /// [`UsageError::Range`] for another algorithm; those of [`KeyData::encode_all`].
    pub fn encrypt(&self, encr_alg: EncrAlg, timestamp: u64, keys: &[KeyData]) -> Result<Vec<u8>, UsageError> {
        // Wiped where this fails, before which it may be in clear.
        let mut data = KeyData::encode_all(keys)?;
        self.apply(encr_alg, timestamp, data.expose_mut())?;
        Ok(data.expose().clone())
    }

    /// Decrypts the keys of KEMAC, whose MAC was verified before.
    ///
    /// # Errors
    ///
    /// [`UsageError::Range`] for an algorithm other than those of [`EnvelopeKeys::encrypt`]; those of
    /// [`KeyData::decode_all`].
    pub fn decrypt(&self, encr_alg: EncrAlg, timestamp: u64, data: &[u8]) -> Result<Vec<KeyData>, Error> {
        let mut data = Secret::new(data.to_vec());
        self.apply(encr_alg, timestamp, data.expose_mut())?;
        KeyData::decode_all(data.expose()).map_err(|error: DecodeError| error.into())
    }

    /// AES in counter mode from the IV (salt xor (0000 || CSB ID || T)) || 0000, which counts in its last two octets.
    fn apply(&self, encr_alg: EncrAlg, timestamp: u64, data: &mut [u8]) -> Result<(), UsageError> {
        match encr_alg {
            EncrAlg::NULL => return Ok(()),
            EncrAlg::AES_CM_128 => {}
            _ => return Err(UsageError::Range),
        }
        on_clean_stack(Reach::Cipher, || self.count(timestamp, data))
    }

    fn count(&self, timestamp: u64, data: &mut [u8]) -> Result<(), UsageError> {
        let mut iv = [0; BLOCK_OCTETS];
        iv[2..6].copy_from_slice(&self.csb_id);
        iv[6..14].copy_from_slice(&timestamp.to_be_bytes());
        iv.iter_mut().zip(self.salt.expose()).for_each(|(octet, salt)| *octet ^= salt);
        let cipher = Aes128::new_from_slice(self.encr.expose()).map_err(|_| UsageError::Range)?;
        for (counter, chunk) in data.chunks_mut(BLOCK_OCTETS).enumerate() {
            let counter = u16::try_from(counter).map_err(|_| UsageError::FieldLength)?;
            iv[14..].copy_from_slice(&counter.to_be_bytes());
            let mut block = Secret::new(iv);
            cipher.encrypt_block(block.expose_mut().into());
            chunk.iter_mut().zip(block.expose()).for_each(|(octet, mask)| *octet ^= mask);
        }
        Ok(())
    }

    /// The octets of a message that ends with KEMAC or V, with its MAC computed: over all that stands before it, and
    /// over `more`, which for V is IDi, IDr and the timestamp. What stands in the field of the MAC is not looked
    /// at, except that it must be as long as the MAC.
    ///
    /// # Errors
    ///
    /// [`UsageError::Range`] if the message ends otherwise, or names another algorithm; those of [`Message::encode`].
    pub fn seal(&self, message: &Message, more: &[&[u8]]) -> Result<Vec<u8>, UsageError> {
        let mut octets = message.encode()?;
        let start = octets.len() - self.mac_octets(message).ok_or(UsageError::Range)?;
        let mac = self.mac(&octets[..start], more)?;
        octets[start..].copy_from_slice(&mac);
        Ok(octets)
    }

    /// Verifies the MAC at the end of a message, of which `message` are the octets decoded.
    ///
    /// # Errors
    ///
    /// [`Rejected`], also if the message does not end with KEMAC or V, or names another algorithm.
    pub fn verify(&self, octets: &[u8], message: &Message, more: &[&[u8]]) -> Result<(), Rejected> {
        let start = self.mac_octets(message).and_then(|mac| octets.len().checked_sub(mac)).ok_or(Rejected)?;
        let mac = self.mac(&octets[..start], more).map_err(|_| Rejected)?;
        let outcome = mac.ct_eq(&octets[start..]);
        if declassify(outcome, "whether a message is authentic is what the caller asked for") {
            Ok(())
        } else {
            Err(Rejected)
        }
    }

    /// How many octets at the end of a message are its MAC.
    fn mac_octets(&self, message: &Message) -> Option<usize> {
        let mac_alg = match (&message.sign, message.payloads.last()) {
            (None, Some(Payload::Kemac(kemac))) => kemac.mac_alg,
            (None, Some(Payload::V(v))) => v.auth_alg,
            _ => return None,
        };
        if mac_alg == self.mac_alg { mac_alg.octets() } else { None }
    }

    fn mac(&self, octets: &[u8], more: &[&[u8]]) -> Result<Vec<u8>, UsageError> {
        let key = &self.auth.expose()[..self.mac_alg.octets().unwrap_or(MAX_AUTH_OCTETS)];
        on_clean_stack(Reach::Octets, || match self.mac_alg {
            MacAlg::HMAC_SHA_1_160 => hmac::<Hmac<Sha1>>(key, octets, more),
            _ => hmac::<Hmac<Sha256>>(key, octets, more),
        })
    }
}

fn hmac<H: Mac + KeyInit>(key: &[u8], octets: &[u8], more: &[&[u8]]) -> Result<Vec<u8>, UsageError> {
    let mut mac = H::new_from_slice(key).map_err(|_| UsageError::Range)?;
    mac.update(octets);
    more.iter().for_each(|part| mac.update(part));
    Ok(mac.finalize().into_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use hex_literal::hex;

    use super::*;
    use crate::mikey::payload::{Kemac, KeyValidity, Ts, V};
    use crate::mikey::registry::{DataType, KeyDataType, PrfFunc};
    use crate::mikey::{CsIdMap, Header};

    const KEY: [u8; 16] = hex!("000102030405060708090a0b0c0d0e0f");
    const CSB_ID: [u8; 4] = hex!("12345678");
    const RAND: [u8; 16] = hex!("404142434445464748494a4b4c4d4e4f");
    const T: u64 = 0xec89_8da8_0000_0001;

    fn keys(mac_alg: MacAlg) -> EnvelopeKeys {
        EnvelopeKeys::derive(Prf::Mikey1, &KEY, CSB_ID, &RAND, mac_alg).unwrap()
    }

    fn key_data() -> KeyData {
        let key = Secret::new(vec![0xaa; 16]);
        KeyData { key_type: KeyDataType::TGK, key, salt: None, validity: KeyValidity::Null }
    }

    fn message(last: Payload) -> Message {
        let header = Header {
            data_type: DataType::PRE_SHARED,
            v: false,
            prf_func: PrfFunc::MIKEY_1,
            csb_id: CSB_ID,
            cs_id_map: CsIdMap::EMPTY,
        };
        Message { header, payloads: vec![Payload::T(Ts::NtpUtc(T)), last], sign: None }
    }

    /// Computed with Python's `hmac` module and OpenSSL from the formulas of RFC 3830.
    #[test]
    fn keys_are_those_of_the_formulas() {
        let keys = keys(MacAlg::HMAC_SHA_1_160);
        assert_eq!(keys.encr.expose(), &hex!("aa2d8113f906d708f459350a3a5a179a"));
        assert_eq!(keys.auth.expose()[..20], hex!("cbdbf0eed133cbcf61e2de9b1b21f1c3c8171261"));
        assert_eq!(keys.salt.expose(), &hex!("5538ef85aea7300f2f811ed43bd5"));
        let encrypted = keys.encrypt(EncrAlg::AES_CM_128, T, &[key_data()]).unwrap();
        assert_eq!(encrypted, hex!("a6a6e68a72e3944b70277d6d7325d0717530d36a"));
        let kemac = Kemac {
            encr_alg: EncrAlg::AES_CM_128,
            encr_data: encrypted,
            mac_alg: MacAlg::HMAC_SHA_1_160,
            mac: vec![0; 20],
        };
        let sealed = keys.seal(&message(Payload::Kemac(kemac)), &[]).unwrap();
        assert_eq!(sealed[sealed.len() - 20..], hex!("45be6c1508cd5cc02af5358c1d06f5b95499a414"));
    }

    #[test]
    fn what_is_encrypted_is_decrypted() {
        let keys = keys(MacAlg::HMAC_SHA_256_256);
        let long = KeyData { key: Secret::new(vec![0x5a; 1_000]), ..key_data() };
        for encr_alg in [EncrAlg::NULL, EncrAlg::AES_CM_128] {
            let data = keys.encrypt(encr_alg, T, &[key_data(), long.clone()]).unwrap();
            assert_eq!(keys.decrypt(encr_alg, T, &data).unwrap(), [key_data(), long.clone()]);
            let clear = KeyData::encode_all(&[key_data(), long.clone()]).unwrap();
            assert_eq!(data == *clear.expose(), encr_alg == EncrAlg::NULL);
        }
        assert_eq!(keys.encrypt(EncrAlg::AES_KW_128, T, &[key_data()]), Err(UsageError::Range));
        assert!(keys.decrypt(EncrAlg::AES_CM_128, T, &[]).is_err());
    }

    #[test]
    fn a_message_is_authentic_to_the_last_octet() {
        for mac_alg in [MacAlg::HMAC_SHA_1_160, MacAlg::HMAC_SHA_256_256] {
            let keys = keys(mac_alg);
            let ver_data = vec![0; mac_alg.octets().unwrap()];
            let unsealed = message(Payload::V(V { auth_alg: mac_alg, ver_data }));
            let more: &[&[u8]] = &[b"sip:alice@example.org", b"sip:bob@example.org", &T.to_be_bytes()];
            let sealed = keys.seal(&unsealed, more).unwrap();
            let verified = |octets: &[u8], more| keys.verify(octets, &Message::decode(octets).unwrap(), more);
            assert_eq!(verified(&sealed, more), Ok(()));
            assert_eq!(verified(&sealed, &more[..2]), Err(Rejected));
            for at in [4, 12, sealed.len() - 1] {
                let mut altered = sealed.clone();
                altered[at] ^= 1;
                assert_eq!(verified(&altered, more), Err(Rejected), "octet {at}");
            }
            let other =
                if mac_alg == MacAlg::HMAC_SHA_1_160 { MacAlg::HMAC_SHA_256_256 } else { MacAlg::HMAC_SHA_1_160 };
            let other = EnvelopeKeys::derive(Prf::Mikey1, &KEY, CSB_ID, &RAND, other).unwrap();
            assert_eq!(other.seal(&unsealed, more), Err(UsageError::Range));
            assert_eq!(other.verify(&sealed, &unsealed, more), Err(Rejected));
        }
    }

    #[test]
    fn there_is_no_key_for_no_mac() {
        for mac_alg in [MacAlg::NULL, MacAlg(9)] {
            let keys = EnvelopeKeys::derive(Prf::Mikey1, &KEY, CSB_ID, &RAND, mac_alg);
            assert_eq!(keys.err(), Some(UsageError::Range));
        }
        let unsealed = message(Payload::T(Ts::NtpUtc(T)));
        assert_eq!(keys(MacAlg::HMAC_SHA_1_160).seal(&unsealed, &[]), Err(UsageError::Range));
    }
}
