//! The way out of the store for master secrets: in two shares, each encrypted to one of two recipients.
//!
//! z (128 octets) and KSAK (32) of a certificate become a random share and its exclusive or with the secrets: one share
//! says nothing, and both make the secrets. Each is encrypted with RSAES-OAEP (RFC 8017) with SHA-256, MGF1 with
//! SHA-256 and no label, so that its recipient opens it with common tools, or on a smart card.

use std::fmt;

use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use mikey_sakke::eccsi::Ksak;
use mikey_sakke::sakke::MasterSecret;
use rustls::pki_types::pem::{PemObject, SectionKind};
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::{FromDer as _, SubjectPublicKeyInfo};
use x509_parser::public_key::PublicKey;
use zeroize::Zeroizing;

use crate::seal::{RandomError, random};

/// The octets of a share.
const SHARE_OCTETS: usize = 128 + 32;

/// The bits of a recipient's modulus, at least.
const MODULUS_BITS: usize = 3072;

/// The exponent of a recipient's key, at least.
const EXPONENT: u64 = 65_537;

/// A key that nothing is exported to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecipientError {
    /// There is no public key in PEM, or more than one.
    #[error("not one public key in PEM (-----BEGIN PUBLIC KEY-----), as openssl pkey -pubout makes it")]
    Pem,
    /// There is a private key.
    #[error("a private key, which only its recipient should have; take the public key: openssl pkey -pubout")]
    Private,
    /// It is no RSA key, or malformed.
    #[error("no RSA key")]
    Rsa,
    /// Its modulus is too short, or longer than 8192 bits.
    #[error("the RSA key has {0} bits, and needs 3072 to 8192")]
    Size(usize),
    /// Its exponent is too small, or even.
    #[error("the RSA key has an exponent below 65537, an even one, or one of more than 64 bits")]
    Exponent,
    /// Both are the same.
    #[error("both recipients have the same key, and two people are to be needed")]
    Same,
}

/// Shares that were not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SplitError {
    /// The random source failed.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// A share cannot be encrypted.
    #[error("a share cannot be encrypted to its recipient")]
    Encryption,
}

/// The public key of a recipient.
pub struct Recipient {
    key: OaepPublicEncryptingKey,
    modulus: Vec<u8>,
    id: String,
}

impl Recipient {
    /// Reads an RSA key: SubjectPublicKeyInfo (RFC 5280) in PEM, alone in its file.
    ///
    /// # Errors
    ///
    /// [`RecipientError`].
    pub fn from_pem(pem: &[u8]) -> Result<Self, RecipientError> {
        let sections: Result<Vec<_>, _> = Section::pem_slice_iter(pem).collect();
        let sections = sections.map_err(|_| RecipientError::Pem)?;
        if sections.iter().any(|section| section.is_private()) {
            return Err(RecipientError::Private);
        }
        let [Section(SectionKind::PublicKey, der)] = sections.as_slice() else {
            return Err(RecipientError::Pem);
        };
        Self::from_der(der)
    }

    fn from_der(der: &[u8]) -> Result<Self, RecipientError> {
        let rsa = |_| RecipientError::Rsa;
        let Ok((&[], info)) = SubjectPublicKeyInfo::from_der(der) else { return Err(RecipientError::Rsa) };
        let Ok(PublicKey::RSA(numbers)) = info.parsed() else { return Err(RecipientError::Rsa) };
        let modulus: Vec<u8> = numbers.modulus.iter().skip_while(|&&octet| octet == 0).copied().collect();
        let exponent = numbers.try_exponent().map_err(|_| RecipientError::Exponent)?;
        if exponent < EXPONENT || exponent % 2 == 0 {
            return Err(RecipientError::Exponent);
        }
        let unused = modulus.first().map_or(0, |octet| octet.leading_zeros() as usize);
        let bits = 8 * modulus.len() - unused;
        if !(MODULUS_BITS..=8192).contains(&bits) {
            return Err(RecipientError::Size(bits));
        }
        let key = OaepPublicEncryptingKey::new(PublicEncryptingKey::from_der(der).map_err(rsa)?);
        let key = key.map_err(|_| RecipientError::Rsa)?;
        Ok(Self { key, modulus, id: hex::encode(Sha256::digest(der)) })
    }

    /// SHA-256 of the key (SubjectPublicKeyInfo in DER), in hexadecimal.
    pub fn id(&self) -> &str {
        &self.id
    }

    fn encrypt(&self, share: &[u8; SHARE_OCTETS]) -> Result<Vec<u8>, SplitError> {
        let mut encrypted = vec![0; self.key.ciphertext_size()];
        let written = self.key.encrypt(&OAEP_SHA256_MGF1SHA256, share, &mut encrypted, None);
        let length = written.map_err(|_| SplitError::Encryption)?.len();
        encrypted.truncate(length);
        Ok(encrypted)
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({})", self.id)
    }
}

/// Two recipients with different keys.
#[derive(Debug)]
pub struct Recipients([Recipient; 2]);

impl Recipients {
    /// Takes two.
    ///
    /// # Errors
    ///
    /// [`RecipientError::Same`].
    pub fn new(recipients: [Recipient; 2]) -> Result<Self, RecipientError> {
        // With the modulus in common, whoever has the private key of the one has that of the other.
        let [first, second] = &recipients;
        if first.modulus == second.modulus { Err(RecipientError::Same) } else { Ok(Self(recipients)) }
    }

    /// The two, in their order.
    pub fn get(&self) -> &[Recipient; 2] {
        &self.0
    }

    /// Splits master secrets: a share for each recipient, in their order, encrypted.
    ///
    /// # Errors
    ///
    /// [`SplitError`].
    pub fn split(&self, z: &MasterSecret, ksak: &Ksak) -> Result<[Vec<u8>; 2], SplitError> {
        let share = Zeroizing::new(random::<SHARE_OCTETS>()?);
        let mut other = share.clone();
        let (z, ksak) = (z.to_octets(), ksak.to_octets());
        let secrets = z.expose().iter().chain(ksak.expose());
        other.iter_mut().zip(secrets).for_each(|(octet, secret)| *octet ^= secret);
        let [first, second] = &self.0;
        Ok([first.encrypt(&share)?, second.encrypt(&other)?])
    }
}

/// A section of a file in PEM, of whatever kind.
struct Section(SectionKind, Zeroizing<Vec<u8>>);

impl Section {
    fn is_private(&self) -> bool {
        use SectionKind::{EcPrivateKey, PrivateKey, RsaPrivateKey};
        matches!(self.0, PrivateKey | RsaPrivateKey | EcPrivateKey)
    }
}

impl PemObject for Section {
    fn from_pem(kind: SectionKind, der: Vec<u8>) -> Option<Self> {
        Some(Self(kind, Zeroizing::new(der)))
    }
}
