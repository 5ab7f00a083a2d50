//! The keys of a store, and how it is opened with them.

use zeroize::Zeroizing;

use super::StoreError;
use super::rows::Database;
use crate::seal::{KEY_OCTETS, KeyError, Place, SALT_OCTETS, SealKey, Secret, random};

/// The keys of a store as they stand in its database.
#[derive(Clone, Debug)]
pub(super) struct Keyring {
    /// The id of the data key, which seals the rows.
    pub(super) key_id: String,
    /// The data key, wrapped by the key-encryption key.
    pub(super) data_key: Vec<u8>,
    /// The salt that goes with a passphrase.
    pub(super) salt: Vec<u8>,
    /// The key of the audit log, sealed by the data key.
    pub(super) audit_key: Vec<u8>,
}

/// The keys of a store that is open.
pub(super) struct Keys {
    /// The id of the key-encryption key.
    pub(super) wrapping: String,
    /// The data key.
    pub(super) data: SealKey,
    /// The key of the audit log.
    pub(super) audit: Zeroizing<[u8; KEY_OCTETS]>,
}

/// Opens the keyring of a database, which gets one if it has none.
pub(super) async fn open_keys(database: &dyn Database, secret: Secret) -> Result<Keys, StoreError> {
    loop {
        if let Some(keyring) = database.keyring().await? {
            return blocking(move || keyring.open(&secret)).await;
        }
        // Another server may do the same, and then this one opens what that one made.
        let made = secret.clone();
        let (keyring, _) = blocking(move || Keyring::make(&made, &Zeroizing::new(random()?))).await?;
        database.offer(&keyring).await?;
    }
}

impl Keyring {
    /// A keyring with a new data key.
    pub(super) fn make(secret: &Secret, audit_key: &[u8; KEY_OCTETS]) -> Result<(Self, SealKey), StoreError> {
        let salt: [u8; SALT_OCTETS] = random()?;
        let (data_key, wrapped) = secret.open(&salt)?.new_data_key()?;
        let data = SealKey::new(&data_key);
        let sealed = data.seal(place(&[&data.id()]), audit_key)?;
        Ok((Self { key_id: data.id(), data_key: wrapped, salt: salt.to_vec(), audit_key: sealed }, data))
    }

    /// Opens it.
    ///
    /// # Errors
    ///
    /// [`StoreError::WrongKey`] if another key wrapped the data key.
    pub(super) fn open(&self, secret: &Secret) -> Result<Keys, StoreError> {
        let damaged = || StoreError::Damaged("keyring");
        let salt = self.salt.as_slice().try_into().map_err(|_| damaged())?;
        let wrapping = secret.open(salt)?;
        let data_key = wrapping.unwrap(&self.data_key).map_err(|error| match error {
            KeyError::Wrapped => StoreError::WrongKey,
            error => error.into(),
        })?;
        let data = SealKey::new(&data_key);
        if data.id() != self.key_id {
            return Err(damaged());
        }
        let audit = data.open(place(&[&self.key_id]), &self.audit_key).map_err(|_| damaged())?;
        let audit = audit.as_slice().try_into().map(Zeroizing::new).map_err(|_| damaged())?;
        Ok(Keys { wrapping: wrapping.id(), data, audit })
    }
}

/// Where the key of the audit log stands, which is sealed by the data key of this id.
const fn place<'a>(key_id: &'a [&'a str; 1]) -> Place<'a> {
    Place { table: "keyring", row: key_id, column: "audit_key", version: 0 }
}

/// Runs what waits for a device, or computes for long, on a thread that serves nobody else.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| sqlx::Error::WorkerCrashed)?
}
