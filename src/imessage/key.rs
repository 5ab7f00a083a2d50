//! A key on its way: with its SK-ID and RAND, and what is derived from it.

use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;

use rand_core::TryCryptoRng;

use super::{KeyProperties, Profile, Purpose};
use crate::error::{Error, UsageError};
use crate::identity::Uri;
use crate::mikey::prf::{self, KeyUse, Prf};
use crate::random;
use crate::sakke::Ssv;
use crate::secret::{Reach, Secret, on_clean_stack};
use crate::ts33220;

/// The identifier of a distributed key, carried in the CSB-ID: 4 bits of purpose, then 28 random bits
/// (TS 33.434, SK-ID; TS 33.180, K-ID).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SkId([u8; 4]);

impl SkId {
    /// A new identifier for a key of the given purpose.
    ///
    /// # Errors
    ///
    /// [`Error::Random`] if the random source fails.
    pub fn generate<R: TryCryptoRng + ?Sized>(purpose: Purpose, rng: &mut R) -> Result<Self, Error> {
        let mut octets = [0; 4];
        rng.try_fill_bytes(&mut octets).map_err(|_| Error::Random)?;
        octets[0] = purpose.number() << 4 | octets[0] & 0x0f;
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

    /// What the key is for.
    pub const fn purpose(self) -> Purpose {
        Purpose::of_octet(self.0[0])
    }
}

/// 8 hexadecimal digits.
impl fmt::Display for SkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

/// A key to distribute, with what all who get it have in common: its SK-ID, RAND, and the form of the messages.
#[derive(Clone)]
pub struct KeyBundle {
    profile: Profile,
    key: Ssv,
    id: SkId,
    rand: [u8; 16],
    properties: Option<KeyProperties>,
}

impl KeyBundle {
    /// A given key: 16 octets, its SK-ID, and the 16 octets of RAND that go into what is derived from it. A
    /// distribution that is taken up again has to use the same three.
    ///
    /// # Errors
    ///
    /// [`UsageError::Purpose`] if the SK-ID is for another purpose than the profile.
    pub fn new(profile: Profile, key: Ssv, id: SkId, rand: [u8; 16]) -> Result<Self, UsageError> {
        if id.purpose() != profile.purpose() {
            return Err(UsageError::Purpose);
        }
        Ok(Self { profile, key, id, rand, properties: None })
    }

    /// A new random key. Where other keys of the same initiator are in use,
    /// [`Keyring::generate`](super::Keyring::generate) gives one whose SK-ID differs from theirs.
    ///
    /// # Errors
    ///
    /// [`Error::Random`] if the random source fails or repeats itself.
    pub fn generate<R: TryCryptoRng + ?Sized>(profile: Profile, rng: &mut R) -> Result<Self, Error> {
        let id = SkId::generate(profile.purpose(), rng)?;
        let mut bundle = Self { profile, key: Ssv::new([0; 16]), id, rand: [0; 16], properties: None };
        on_clean_stack(Reach::Octets, || rng.try_fill_bytes(bundle.key.expose_mut())).map_err(|_| Error::Random)?;
        rng.try_fill_bytes(&mut bundle.rand).map_err(|_| Error::Random)?;
        random::refuse_repetition(bundle.key.expose(), &bundle.rand)?;
        Ok(bundle)
    }

    /// The same key, with properties that are sent along, encrypted under a key that is derived from it.
    #[must_use]
    pub fn with_properties(self, properties: KeyProperties) -> Self {
        Self { properties: Some(properties), ..self }
    }

    /// The form of the messages.
    pub const fn profile(&self) -> &Profile {
        &self.profile
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

    /// The properties that are sent along.
    pub const fn properties(&self) -> Option<&KeyProperties> {
        self.properties.as_ref()
    }

    /// The identifier by which a user knows the key: his own if the profile is diversified, else the SK-ID.
    ///
    /// # Errors
    ///
    /// [`UsageError::FieldLength`] if the URI is longer than 65,535 octets.
    pub(super) fn id_for(&self, user: &Uri) -> Result<SkId, UsageError> {
        match self.profile.is_diversified() {
            true => diversify(&self.key, self.id, user.as_str().as_bytes()),
            false => Ok(self.id),
        }
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
    /// MKI, the master key identifier that packets carry.
    pub mki: Vec<u8>,
}

impl SrtpKeys {
    /// Derives master key and salt (RFC 3830, section 4.1.4) for a crypto session from the key, the identifier that
    /// the sender of the media goes by, and RAND. That identifier becomes MKI.
    ///
    /// # Errors
    ///
    /// [`UsageError::Range`] never, for these lengths.
    pub fn derive(prf: Prf, key: &Ssv, cs_id: u8, id: SkId, rand: &[u8]) -> Result<Self, UsageError> {
        let mki = id.0.to_vec();
        let mut keys = Self { master_key: Secret::new([0; 16]), master_salt: Secret::new([0; 12]), mki };
        prf::derive(prf, key.expose(), KeyUse::Tek, cs_id, id.0, rand, keys.master_key.expose_mut())?;
        prf::derive(prf, key.expose(), KeyUse::Salt, cs_id, id.0, rand, keys.master_salt.expose_mut())?;
        Ok(keys)
    }

    /// Master key and master salt behind one another, 28 octets, as libsrtp and its users take them.
    pub fn key_and_salt(&self) -> Secret<[u8; 28]> {
        let mut octets = Secret::new([0; 28]);
        let (key, salt) = octets.expose_mut().split_at_mut(16);
        key.copy_from_slice(self.master_key.expose());
        salt.copy_from_slice(self.master_salt.expose());
        octets
    }
}
