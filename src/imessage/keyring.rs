//! Keys that are held.

use alloc::collections::BTreeMap;

use rand_core::TryCryptoRng;

use super::{KeyBundle, Profile, SkId};
use crate::error::Error;
use crate::identity::Uri;

/// Keys by who distributed them and their SK-ID: a [`DistributedKey`](super::DistributedKey) at a responder, a
/// [`KeyBundle`] at an initiator.
///
/// An SK-ID alone names no key. Its 28 random bits are as likely as not to collide among 19,000 keys, and another
/// initiator may choose them at will.
#[derive(Clone, Debug)]
pub struct Keyring<K>(BTreeMap<(Uri, SkId), K>);

impl<K> Default for Keyring<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K> Keyring<K> {
    /// Holds a key. Gives back the one that was held under the same initiator and SK-ID.
    pub fn insert(&mut self, initiator: Uri, id: SkId, key: K) -> Option<K> {
        self.0.insert((initiator, id), key)
    }

    /// The key that an initiator distributed under an SK-ID.
    pub fn get(&self, initiator: &Uri, id: SkId) -> Option<&K> {
        self.0.get(&(initiator.clone(), id))
    }

    /// Holds a key no longer, and gives it back.
    pub fn remove(&mut self, initiator: &Uri, id: SkId) -> Option<K> {
        self.0.remove(&(initiator.clone(), id))
    }

    /// All keys, by initiator and SK-ID.
    pub fn iter(&self) -> impl Iterator<Item = (&Uri, SkId, &K)> {
        self.0.iter().map(|((initiator, id), key)| (initiator, *id, key))
    }
}

impl Keyring<KeyBundle> {
    /// A new random key of an initiator, under an SK-ID that no other key of his has here. It is held from now on.
    ///
    /// # Errors
    ///
    /// [`Error::Random`] if the random source fails, or gives nothing but SK-IDs that are taken.
    pub fn generate<R: TryCryptoRng + ?Sized>(
        &mut self,
        initiator: &Uri,
        profile: &Profile,
        rng: &mut R,
    ) -> Result<KeyBundle, Error> {
        /// More draws than a working source ever needs, short of holding a good part of all 2^28.
        const DRAWS: usize = 1_000;
        for _ in 0..DRAWS {
            let bundle = KeyBundle::generate(profile.clone(), rng)?;
            if self.get(initiator, bundle.id()).is_none() {
                self.insert(initiator.clone(), bundle.id(), bundle.clone());
                return Ok(bundle);
            }
        }
        Err(Error::Random)
    }
}
