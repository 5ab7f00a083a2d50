//! What the store keeps of the security domain: master secrets, the document, the certificates of other domains.

use mikey_sakke::eccsi::Ksak;
use mikey_sakke::km::Identifier;
use mikey_sakke::sakke::MasterSecret;
use zeroize::Zeroizing;

use super::batch::Write;
use super::rows::{Condition, RowKey, Version, Z_OCTETS};
use super::{Store, StoreError};
use crate::audit::Event;

/// The collection of master secrets.
const DOMAIN_KEYS: &str = "domain_keys";
/// The collection of the published document of the domain.
const DOMAIN: &str = "domain";
/// The collection of what is known of other domains.
const EXTERNAL: &str = "external";

/// The master secrets of a security domain.
#[derive(Clone, Debug)]
pub struct DomainKeys {
    /// The SAKKE master secret z.
    pub z: MasterSecret,
    /// KSAK.
    pub ksak: Ksak,
}

/// What is written at once where certificates change. A document takes the place of the version that was read, of none
/// where there was none.
#[derive(Debug, Default)]
pub struct DomainChange {
    /// Master secrets, under a name that has none yet.
    pub keys: Option<(Identifier, DomainKeys)>,
    /// The document of the domain.
    pub domain: Option<(Option<Version>, String)>,
    /// The document of the certificates of other domains.
    pub external: Option<(Option<Version>, String)>,
}

impl Store {
    /// The master secrets of this name.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn domain_keys(&self, name: &Identifier) -> Result<Option<DomainKeys>, StoreError> {
        let Some((_, value)) = self.get(&RowKey::new(DOMAIN_KEYS, name.as_str())).await? else {
            return Ok(None);
        };
        let damaged = || StoreError::Damaged(DOMAIN_KEYS);
        let (z, ksak) = value.split_at_checked(Z_OCTETS).ok_or_else(damaged)?;
        let z = MasterSecret::from_octets(z).map_err(|_| damaged())?;
        let ksak = Ksak::from_octets(ksak).map_err(|_| damaged())?;
        Ok(Some(DomainKeys { z, ksak }))
    }

    /// The published document of the domain. It is sealed as well, so that nobody else names group managers.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn domain(&self) -> Result<Option<(Version, String)>, StoreError> {
        self.document(DOMAIN).await
    }

    /// The document of the certificates of other domains. It is sealed, so that nobody else says whom to trust.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn external(&self) -> Result<Option<(Version, String)>, StoreError> {
        self.document(EXTERNAL).await
    }

    /// Makes a change of the domain as a whole. False, with nothing changed or logged, if something else was changed
    /// since it was read.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn change_domain(&self, change: &DomainChange, event: &Event) -> Result<bool, StoreError> {
        let DomainChange { keys, domain, external } = change;
        let mut rows = Vec::new();
        if let Some((name, DomainKeys { z, ksak })) = keys {
            let mut value = Zeroizing::new(Vec::with_capacity(256));
            value.extend_from_slice(z.to_octets().expose());
            value.extend_from_slice(ksak.to_octets().expose());
            rows.push(self.sealed(RowKey::new(DOMAIN_KEYS, name.as_str()), &value, Condition::Absent)?);
        }
        for (collection, document) in [(DOMAIN, domain), (EXTERNAL, external)] {
            if let Some((read, json)) = document {
                let condition = read.map_or(Condition::Absent, Condition::Is);
                rows.push(self.sealed(RowKey::new(collection, ""), json.as_bytes(), condition)?);
            }
        }
        self.change(Write::PutAll { rows }, event).await
    }

    async fn document(&self, collection: &'static str) -> Result<Option<(Version, String)>, StoreError> {
        let Some((version, value)) = self.get(&RowKey::new(collection, "")).await? else {
            return Ok(None);
        };
        let document = String::from_utf8(value.to_vec()).map_err(|_| StoreError::Damaged(collection))?;
        Ok(Some((version, document)))
    }
}
