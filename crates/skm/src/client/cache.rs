//! The keys of a user, from one key period to the next.

mod plan;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use getrandom::rand_core::TryRng;
use mikey_sakke::error::UsageError;
use mikey_sakke::identity::{KeyPeriod, Uri};
use mikey_sakke::imessage::{Acceptance, Initiator, Policy, Purpose, Responder};
use mikey_sakke::km::domain::Domain;
use mikey_sakke::kms::UserKeys;
use mikey_sakke::time::Timestamp;

use super::ClientError;
use super::identity_keys::{IdentityKeys, certificate_of};
use crate::interface::NEXT_LEAD_SECONDS;

use plan::Plan;

/// How a cache works.
#[derive(Clone, Debug)]
pub struct CacheSettings {
    /// How long before the end of a key period the server releases the keys of the next: 48 hours by default.
    pub lead: Duration,
    /// How old the description of the domain may be, with those who are revoked: an hour by default.
    pub domain_age: Duration,
    /// The purposes of keys for groups, which are accepted from group managers alone: by default that of GMKs.
    pub group_purposes: BTreeSet<Purpose>,
    /// What the responder accepts, but for the initiators, which are those of the domain.
    pub policy: Policy,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self {
            lead: Duration::from_secs(NEXT_LEAD_SECONDS),
            domain_age: Duration::from_secs(3_600),
            group_purposes: BTreeSet::from([Purpose::GMK]),
            policy: Policy::default(),
        }
    }
}

/// What a cache needs at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing.
    Nothing,
    /// The description of the domain.
    Domain,
    /// The description of the domain, and keys.
    Keys,
}

/// The keys of a user for the key periods around the present, and the description of his domain.
///
/// [`Client::refresh`](super::Client::refresh) keeps it current: call it before the keys are used, and at
/// [`KeyCache::refresh_at`]. The keys of the next key period are fetched at a random moment of the lead time, drawn once, so
/// that not all clients come at once; if they are not there yet, again later, at random moments of what is left.
///
/// Keys are dropped, and wiped, once their key period is not accepted any more, or their certificate is revoked or
/// replaced.
#[derive(Debug)]
pub struct KeyCache {
    user: Uri,
    settings: CacheSettings,
    held: Option<Held>,
}

#[derive(Debug)]
struct Held {
    domain: Domain,
    fetched: Timestamp,
    keys: BTreeMap<KeyPeriod, Arc<UserKeys>>,
    plan: Plan,
    /// Outlives a time without keys, for what it remembers.
    responder: Option<Responder>,
}

impl KeyCache {
    /// An empty cache for the keys of a user.
    pub const fn new(user: Uri, settings: CacheSettings) -> Self {
        Self { user, settings, held: None }
    }

    /// The user.
    pub const fn user(&self) -> &Uri {
        &self.user
    }

    /// The description of the domain, once it is there.
    pub fn domain(&self) -> Option<&Domain> {
        self.held.as_ref().map(|held| &held.domain)
    }

    /// The keys that are held, by key period.
    pub fn keys(&self) -> impl Iterator<Item = &Arc<UserKeys>> {
        self.held.iter().flat_map(|held| held.keys.values())
    }

    /// The user as one who distributes keys, with all keys that are held; none if there are none.
    pub fn initiator(&self) -> Option<Initiator> {
        let mut keys = self.keys().cloned();
        let mut initiator = Initiator::new(keys.next()?);
        keys.for_each(|keys| initiator.add_keys(keys));
        Some(initiator)
    }

    /// The user as one who extracts keys, with all keys that are held; none if there are none. It trusts the domain,
    /// accepts no keys of those who are revoked, and keys for groups from group managers alone.
    ///
    /// What it has accepted it remembers across refreshes, and not across a restart of the program: see
    /// [`Responder::restarted`].
    pub fn responder(&mut self) -> Option<&mut Responder> {
        let held = self.held.as_mut()?;
        if held.keys.is_empty() { None } else { held.responder.as_mut() }
    }

    /// When to refresh next; none if nothing was fetched yet, and it is time.
    pub fn refresh_at(&self) -> Option<Timestamp> {
        let held = self.held.as_ref()?;
        let domain = held.fetched.saturating_add(self.settings.domain_age);
        Some(domain.min(held.plan.wake(held.has_next())))
    }

    /// What is to be fetched now. Where it is keys of the next key period, they are not due again before another moment of
    /// the lead time, drawn with `rng`: this counts as the attempt.
    ///
    /// # Errors
    ///
    /// [`ClientError::Random`] if the random source fails; [`ClientError::Clock`] at a time without key period.
    pub fn due<R: TryRng + ?Sized>(&mut self, now: Timestamp, rng: &mut R) -> Result<Due, ClientError> {
        let Some(held) = &mut self.held else { return Ok(Due::Keys) };
        held.plan = held.plan.at(&held.domain, self.settings.lead, now, rng)?;
        let is_missing = !held.keys.contains_key(&held.plan.period());
        let is_planned = !held.has_next() && held.plan.begin(now, rng)?;
        let is_old = now >= held.fetched.saturating_add(self.settings.domain_age) || now < held.fetched;
        Ok(match () {
            () if is_missing || is_planned => Due::Keys,
            () if is_old => Due::Domain,
            () => Due::Nothing,
        })
    }

    /// Takes in what was fetched at this time, and drops what does not count any more.
    ///
    /// # Errors
    ///
    /// Those of [`KeyCache::due`]; the cache stays as it was.
    pub fn take<R: TryRng + ?Sized>(
        &mut self,
        domain: Domain,
        fetched: Option<IdentityKeys>,
        now: Timestamp,
        rng: &mut R,
    ) -> Result<(), ClientError> {
        let lead = self.settings.lead;
        let plan = match &self.held {
            Some(held) => held.plan.at(&domain, lead, now, rng)?,
            None => Plan::draw(&domain, lead, now, rng)?,
        };
        let held = self.held.iter().flat_map(|held| held.keys.values().cloned());
        let fetched = fetched.into_iter().flat_map(|IdentityKeys { current, next }| [Some(current), next]);
        let all = held.chain(fetched.flatten().map(|provisioned| provisioned.keys));
        let is_kept = |keys: &Arc<UserKeys>| {
            let certificate = certificate_of(&domain, keys.period());
            let accepted = self.settings.policy.overlap.unwrap_or_else(|| domain.uid_format().overlap());
            certificate.is_some_and(|certificate| certificate.has_the_keys_of(keys.certificate()))
                && (keys.period() > plan.period() || domain.uid_format().accepts(keys.period(), now, accepted))
        };
        let keys: BTreeMap<_, _> = all.filter(is_kept).map(|keys| (keys.period(), keys)).collect();
        let responder = self.new_responder(&domain, keys.values())?;
        let previous = self.held.take().and_then(|held| held.responder);
        let responder = match (responder, previous) {
            (Some(responder), Some(previous)) => Some(responder.remembering(previous)),
            (responder, previous) => responder.or(previous),
        };
        self.held = Some(Held { domain, fetched: now, keys, plan, responder });
        Ok(())
    }

    /// A responder that remembers nothing yet.
    fn new_responder<'a>(
        &self,
        domain: &Domain,
        mut keys: impl Iterator<Item = &'a Arc<UserKeys>>,
    ) -> Result<Option<Responder>, UsageError> {
        let Some(first) = keys.next() else { return Ok(None) };
        let mut responder = Responder::new(first.clone(), self.policy(domain));
        keys.for_each(|keys| responder.add_keys(keys.clone()));
        domain.trusted_certificates().iter().try_for_each(|certificate| responder.trust(certificate.clone()))?;
        Ok(Some(responder))
    }

    /// The policy with the initiators of the domain.
    fn policy(&self, domain: &Domain) -> Policy {
        let CacheSettings { policy, group_purposes, .. } = &self.settings;
        let accept = |purpose: &Purpose| {
            let initiators =
                if group_purposes.contains(purpose) { domain.group_initiators() } else { domain.initiators() };
            let is_diversified = policy.purposes.get(purpose).is_some_and(|acceptance| acceptance.is_diversified);
            (*purpose, Acceptance { initiators, is_diversified })
        };
        Policy {
            purposes: policy.purposes.keys().chain(group_purposes).map(accept).collect(),
            other_purposes: policy
                .other_purposes
                .as_ref()
                .map(|others| Acceptance { initiators: domain.initiators(), ..others.clone() }),
            ..policy.clone()
        }
    }
}

impl Held {
    /// Whether the keys of the next key period are there.
    fn has_next(&self) -> bool {
        self.keys.keys().next_back().is_some_and(|last| *last > self.plan.period())
    }
}
