//! Keys that wrap keys.
//!
//! What is in a store is sealed with a data key, made at random and kept in the store, wrapped by a key-encryption key
//! that is kept elsewhere. So the key-encryption key can stay in a device that has no way to seal every row, and what
//! is in the store and in its backups opens with that one key.

use zeroize::Zeroizing;

use super::error::KeyError;
use super::{KEY_OCTETS, OpenError, Place, SealKey, random};

/// Where a wrapped data key stands, for a key that seals.
const PLACE: Place<'static> = Place { table: "keyring", row: &[], column: "data_key", version: 0 };

/// A data key, which is random.
pub type DataKey = Zeroizing<[u8; KEY_OCTETS]>;

/// A key that wraps data keys.
pub trait KeyEncryptionKey: Send + Sync {
    /// What tells this key from others, for people. It is public.
    fn id(&self) -> String;

    /// Wraps a data key.
    ///
    /// # Errors
    ///
    /// [`KeyError`].
    fn wrap(&self, key: &DataKey) -> Result<Vec<u8>, KeyError>;

    /// Makes a data key at random, and wraps it.
    ///
    /// # Errors
    ///
    /// [`KeyError`], also if it cannot be unwrapped again: a token may permit one and not the other.
    fn new_data_key(&self) -> Result<(DataKey, Vec<u8>), KeyError> {
        let key = Zeroizing::new(random()?);
        let wrapped = self.wrap(&key)?;
        let is_same = SealKey::new(&*self.unwrap(&wrapped)?).id() == SealKey::new(&key).id();
        is_same.then_some((key, wrapped)).ok_or(KeyError::Wrapped)
    }

    /// Unwraps a data key.
    ///
    /// # Errors
    ///
    /// [`KeyError::Wrapped`] if another key wrapped it or it was changed since, otherwise another [`KeyError`].
    fn unwrap(&self, wrapped: &[u8]) -> Result<DataKey, KeyError>;
}

impl KeyEncryptionKey for SealKey {
    fn id(&self) -> String {
        self.id()
    }

    fn wrap(&self, key: &DataKey) -> Result<Vec<u8>, KeyError> {
        Ok(self.seal(PLACE, key.as_slice())?)
    }

    fn unwrap(&self, wrapped: &[u8]) -> Result<DataKey, KeyError> {
        let key = self.open(PLACE, wrapped).map_err(|OpenError| KeyError::Wrapped)?;
        key.as_slice().try_into().map(Zeroizing::new).map_err(|_| KeyError::Wrapped)
    }
}
