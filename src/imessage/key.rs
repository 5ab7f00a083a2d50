//! A key on its way: with its SK-ID and RAND, and what is derived from it.

use alloc::string::ToString;
use core::fmt;

use rand_core::TryCryptoRng;

use crate::error::{Error, UsageError};
use crate::mikey::prf::{self, KeyUse, Prf};
use crate::sakke::Ssv;
use crate::secret::Secret;
use crate::ts33220;

/// The identifier of a distributed key, carried in the CSB-ID: 4 bits of purpose, then 28 random bits
/// (TS 33.434, SK-ID; TS 33.180, K-ID).
///
/// What a purpose means is for the service to define: TS 33.180, annex G has a list, SEAL so far has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SkId([u8; 4]);

impl SkId {
    /// A new identifier for a key of the given purpose, 0 to 15.
    ///
    /// # Errors
    ///
    /// [`UsageError::FieldLength`] if the purpose does not fit 4 bits; [`Error::Random`] if the random source fails.
    pub fn generate<R: TryCryptoRng + ?Sized>(purpose: u8, rng: &mut R) -> Result<Self, Error> {
        if purpose > 15 {
            return Err(UsageError::FieldLength.into());
        }
        let mut octets = [0; 4];
        rng.try_fill_bytes(&mut octets).map_err(|_| Error::Random)?;
        octets[0] = purpose << 4 | octets[0] & 0x0f;
        Ok(Self(octets))
    }

    /// From the 4 octets of a CSB-ID.
    pub const fn from_octets(octets: [u8; 4]) -> Self {
        Self(octets)
    }

    /// The 4 octets of the CSB-ID.
    pub const fn to_octets(self) -> [u8; 4] {
        self.0
    }

    /// The 4 bits of purpose, 0 to 15.
    pub const fn purpose(self) -> u8 {
        self.0[0] >> 4
    }
}

/// 8 hexadecimal digits.
impl fmt::Display for SkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

/// A key to distribute. All members of a group get the same three values.
#[derive(Clone)]
pub struct KeyBundle {
    key: Ssv,
    id: SkId,
    rand: [u8; 16],
}

impl KeyBundle {
    /// A given key: 16 octets, its SK-ID, and the 16 octets of RAND that go into what is derived from it.
    pub const fn new(key: Ssv, id: SkId, rand: [u8; 16]) -> Self {
        Self { key, id, rand }
    }

    /// A new random key for a purpose, 0 to 15.
    ///
    /// # Errors
    ///
    /// [`UsageError::FieldLength`] if the purpose does not fit 4 bits; [`Error::Random`] if the random source fails.
    pub fn generate<R: TryCryptoRng + ?Sized>(purpose: u8, rng: &mut R) -> Result<Self, Error> {
        let mut bundle = Self::new(Ssv::new([0; 16]), SkId::generate(purpose, rng)?, [0; 16]);
        rng.try_fill_bytes(bundle.key.expose_mut()).map_err(|_| Error::Random)?;
        rng.try_fill_bytes(&mut bundle.rand).map_err(|_| Error::Random)?;
        Ok(bundle)
    }

    /// The key.
    pub const fn key(&self) -> &Ssv {
        &self.key
    }

    /// Its identifier.
    pub const fn id(&self) -> SkId {
        self.id
    }

    /// The RAND that is distributed with it.
    pub const fn rand(&self) -> &[u8; 16] {
        &self.rand
    }
}

/// The identifier alone.
impl fmt::Debug for KeyBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyBundle").field(&self.id.to_string()).finish()
    }
}

/// End-point diversity (TS 33.180, 5.2.3 and F.1.3): the identifier under which a key is known to one user, such as
/// the GUK-ID for a GMK-ID. The same call leads back.
///
/// The purpose stays; the 28 other bits are xored with the user salt, which depends on the key and the octets of the
/// user's URI.
///
/// # Errors
///
/// [`UsageError::FieldLength`] if the URI is longer than 65,535 octets.
pub fn diversify(key: &Ssv, id: SkId, user: &[u8]) -> Result<SkId, UsageError> {
    let mut octets = id.0;
    let salt = ts33220::kdf(key.expose(), 0x50, &[user])?;
    for (octet, salt) in octets.iter_mut().zip(&salt.expose()[28..]) {
        *octet ^= salt;
    }
    octets[0] = id.0[0] & 0xf0 | octets[0] & 0x0f;
    Ok(SkId(octets))
}

/// What SRTP starts from with AEAD_AES_128_GCM.
#[derive(Clone, Debug)]
pub struct SrtpKeys {
    /// The master key, 16 octets.
    pub master_key: Secret<[u8; 16]>,
    /// The master salt, 12 octets.
    pub master_salt: Secret<[u8; 12]>,
}

impl SrtpKeys {
    /// Derives master key and salt (RFC 3830, section 4.1.4) for a crypto session from the key, the identifier that
    /// the sender of the media goes by, and RAND.
    ///
    /// # Errors
    ///
    /// [`UsageError::Range`] never, for these lengths.
    pub fn derive(prf: Prf, key: &Ssv, cs_id: u8, id: SkId, rand: &[u8]) -> Result<Self, UsageError> {
        let mut keys = Self { master_key: Secret::new([0; 16]), master_salt: Secret::new([0; 12]) };
        prf::derive(prf, key.expose(), KeyUse::Tek, cs_id, id.0, rand, keys.master_key.expose_mut())?;
        prf::derive(prf, key.expose(), KeyUse::Salt, cs_id, id.0, rand, keys.master_salt.expose_mut())?;
        Ok(keys)
    }
}
