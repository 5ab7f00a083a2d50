//! New master secrets in the place of those that a domain has.

use std::time::Duration;

use mikey_sakke::error::UsageError;
use mikey_sakke::identity::{KeyPeriod, UidFormat};
use mikey_sakke::km::domain::{Domain, DomainCertificate, Periods};
use mikey_sakke::kms::{Kms, KmsCertificate};
use mikey_sakke::time::Timestamp;

use super::import::{cert_uri, check_kms};
use super::{Asked, Externals, ImportError, Lead, LoadError, check, released};
use crate::audit::Event;
use crate::config::Config;
use crate::policy::Right;
use crate::store::{DomainChange, DomainKeys, Store, StoreError};

/// How far the clock of a server may be ahead of this one, with the time that it takes a server to notice the change.
const MARGIN: Duration = Duration::from_secs(60);

/// From when on new master secrets count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// From a key period on of which no keys were given out yet; the present ones count until then.
    Period(u64),
    /// At once, for the present key period. All certificates of the domain are revoked: none of their keys is accepted
    /// any more.
    Now,
}

/// Why master secrets are not replaced.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RolloverError {
    /// There are none.
    #[error("the domain has no master secrets yet")]
    None,
    /// The new ones do not fit the domain, or cannot be stored.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The stored domain cannot be used.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A certificate of the domain has z or KSAK already.
    #[error("the domain has, or had, these master secrets already, or a part of them")]
    Known,
    /// Keys of the period may have been given out, or are just about to be.
    #[error("keys are given out for this key period already; {earliest} is the first that can have new master secrets")]
    TooEarly {
        /// The first period that can have new master secrets.
        earliest: u64,
    },
    /// New master secrets from a later period on are there already.
    #[error("new master secrets from key period {0} on are there already")]
    Planned(u64),
    /// Somebody else changed the domain at the same time.
    #[error("the domain was changed by somebody else at the same time")]
    Changed,
}

impl From<UsageError> for RolloverError {
    fn from(error: UsageError) -> Self {
        Self::Import(error.into())
    }
}

impl From<StoreError> for RolloverError {
    fn from(error: StoreError) -> Self {
        Self::Import(error.into())
    }
}

/// Gives a domain new master secrets, and returns the first key period that they count for. The servers of the domain
/// notice by themselves.
///
/// # Errors
///
/// [`RolloverError`]; nothing is changed then.
pub async fn roll_over(
    store: &Store,
    config: &Config,
    kms: &Kms,
    start: Start,
    event: &Event,
) -> Result<u64, RolloverError> {
    let (settings, format) = (&config.domain, kms.certificate().uid_format());
    check_kms(settings, kms)?;
    let (version, json) = store.domain().await?.ok_or(RolloverError::None)?;
    let document = Domain::from_json(json.as_bytes()).map_err(LoadError::from)?;
    check(&document, settings)?;
    if document.certificates().iter().any(|entry| has_a_key_of(entry.certificate(), kms.certificate())) {
        return Err(RolloverError::Known);
    }
    let (from, mut certificates) = match start {
        Start::Period(from) => (from, shortened(&document, from, earliest(config, format, event.time)?)?),
        Start::Now => {
            let revoked = |entry: &DomainCertificate| {
                let certificate = KmsCertificate::clone(entry.certificate()).revoked();
                DomainCertificate::new(&certificate, entry.periods(), entry.cert_uri().cloned())
            };
            let KeyPeriod::Number(present) = format.period_at(event.time)? else {
                return Err(UsageError::UidFormat.into());
            };
            (present, document.certificates().iter().map(revoked).collect::<Result<_, _>>()?)
        }
    };
    let name = cert_uri(kms.certificate())?;
    certificates.push(DomainCertificate::new(kms.certificate(), Periods { from, to: None }, Some(name.clone()))?);
    let document = Domain::new(settings.skms_uri.clone(), certificates)?;
    let revoked = if start == Start::Now { ", all before it revoked" } else { "" };
    let event = Event { target: format!("{name}{revoked}"), period: Some(from), ..event.clone() };
    let change = DomainChange {
        keys: Some((name, DomainKeys { z: kms.master_secret().clone(), ksak: kms.ksak().clone() })),
        domain: Some((Some(version), document.to_json())),
        external: Some(Externals::load(store).await?.next(event.time)?),
    };
    if store.change_domain(&change, &event).await? { Ok(from) } else { Err(RolloverError::Changed) }
}

/// The first key period of which no server has given out keys, or is about to. A request may be dated ahead by the
/// window.
fn earliest(config: &Config, format: UidFormat, now: Timestamp) -> Result<u64, UsageError> {
    let lead = Lead { next: Duration::from_secs(config.domain.next_lead_seconds), past_periods: 0 };
    let latest = now.saturating_add(Duration::from_secs(config.time.window_seconds) + MARGIN);
    let (present, next) =
        released(format, latest, lead, Asked::Needed, Right::Own).map_err(|_| UsageError::KeyPeriod)?;
    Ok(next.unwrap_or(present) + 1)
}

/// The certificates of a domain, the last of them to the period before this one.
fn shortened(document: &Domain, from: u64, earliest: u64) -> Result<Vec<DomainCertificate>, RolloverError> {
    if from < earliest {
        return Err(RolloverError::TooEarly { earliest });
    }
    let is_valid = |entry: &&DomainCertificate| !entry.certificate().is_revoked();
    let starts = document.certificates().iter().filter(is_valid).map(|entry| entry.periods().from);
    if let Some(planned) = starts.max().filter(|&planned| planned >= earliest) {
        return Err(RolloverError::Planned(planned));
    }
    let shorten = |entry: &DomainCertificate| {
        let Periods { from: first, to } = entry.periods();
        let is_longer = is_valid(&entry) && to.is_none_or(|to| to >= from);
        let periods = if is_longer { Periods { from: first, to: Some(from - 1) } } else { entry.periods() };
        DomainCertificate::new(entry.certificate(), periods, entry.cert_uri().cloned())
    };
    Ok(document.certificates().iter().map(shorten).collect::<Result<_, _>>()?)
}

fn has_a_key_of(one: &KmsCertificate, other: &KmsCertificate) -> bool {
    one.public_key() == other.public_key() || one.kpak() == other.kpak()
}
