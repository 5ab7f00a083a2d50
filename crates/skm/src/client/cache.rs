//! The keys of a user, from one key period to the next.

mod plan;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use getrandom::rand_core::TryRng;
use mikey_sakke::documents::KmsCertCache;
use mikey_sakke::error::UsageError;
use mikey_sakke::identity::{KeyPeriod, Uri};
use mikey_sakke::imessage::{Acceptance, Initiator, Policy, Purpose, Responder};
use mikey_sakke::km::ErrorCode;
use mikey_sakke::km::domain::Domain;
use mikey_sakke::kms::{KmsCertificate, TrustedCertificates, UserKeys};
use mikey_sakke::time::Timestamp;

use super::identity_keys::{IdentityKeys, certificate_of};
use super::{AnswerError, ClientError, Refused};
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing.
    Nothing,
    /// The certificates of other domains, of which the state that is held has this CacheNum.
    Certificates {
        /// The KMS of the domain.
        kms: Uri,
        /// CacheNum; none if none are held.
        known: Option<u64>,
    },
    /// The description of the domain.
    Domain,
    /// The description of the domain, and keys.
    Keys,
}

/// The keys of a user for the key periods around the present, and the description of his domain.
///
/// [`Client::refresh`](super::Client::refresh) keeps it current: call it before the keys are used, and at
/// [`KeyCache::refresh_at`]. The keys of the next key period are fetched at a random moment of the lead time, drawn
/// once, so that not all clients come at once; if they are not there yet, again later, at random moments of what is
/// left.
///
/// Keys are dropped, and wiped, once their key period is not accepted any more, or their certificate is revoked or
/// replaced; those of the certificate in its place are then fetched at once. Of other domains those are trusted that
/// the domain accepts.
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
    /// The certificates of other domains, and whether they were fetched for this description of the domain.
    certificates: KmsCertCache,
    has_certificates: bool,
    /// Those of the domain, and those of other domains that it accepts.
    trusted: TrustedCertificates,
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

    /// The certificate for users of a KMS in messages of a time: of the domain, or of another one that it accepts. None
    /// if there is none, or it is revoked.
    pub fn certificate(&self, kms: &Uri, at: Timestamp) -> Option<&Arc<KmsCertificate>> {
        self.held.as_ref()?.trusted.select(kms, at)
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

    /// The user as one who extracts keys, with all keys that are held; none if there are none. It trusts the domain and
    /// those that the domain accepts, accepts no keys of those who are revoked, and keys for groups from group managers
    /// of the domain alone. Who distributed a key is told by URI and KMS: see
    /// [`initiator_kms`](mikey_sakke::imessage::DistributedKey::initiator_kms).
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

    /// What is to be fetched now. Where it is keys of the next key period, they are not due again before another moment
    /// of the lead time, drawn with `rng`: this counts as the attempt.
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
            () if !held.has_certificates => {
                Due::Certificates { kms: held.domain.kms_uri().clone(), known: held.certificates.cache_num }
            }
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
        let previous = self.held.take();
        let (certificates, responder) = match previous {
            Some(held) => (held.certificates, held.responder),
            None => (KmsCertCache { certificates: Vec::new(), cache_num: None }, None),
        };
        let has_certificates = domain.acceptable_kms.is_empty();
        let trusted = domain.trusted_certificates().clone();
        self.held = Some(Held { domain, fetched: now, certificates, has_certificates, trusted, keys, plan, responder });
        Ok(self.trust()?)
    }

    /// Takes in the certificates of other domains that were fetched. Where there are none to be had, over KM-S that is,
    /// none are trusted.
    ///
    /// # Errors
    ///
    /// That of the attempt to fetch them, and [`AnswerError::Certificates`]; the cache stays as it was.
    pub fn take_certificates(&mut self, fetched: Result<KmsCertCache, ClientError>) -> Result<(), ClientError> {
        let fetched = match fetched {
            Err(ClientError::Refused(Refused { code: ErrorCode::NotAvailable, .. })) => {
                KmsCertCache { certificates: Vec::new(), cache_num: None }
            }
            fetched => fetched?,
        };
        let Some(held) = &mut self.held else { return Ok(()) };
        // With the number that is known there come none.
        if fetched.cache_num.is_some() && fetched.cache_num == held.certificates.cache_num {
            held.has_certificates = true;
            return Ok(());
        }
        let mut all = TrustedCertificates::default();
        for document in &fetched.certificates {
            all.add(document.certificate.clone()).map_err(AnswerError::Certificates)?;
        }
        held.has_certificates = true;
        held.certificates = fetched;
        Ok(self.trust()?)
    }

    /// Trusts the domain and those that it accepts, with a responder that remembers what the one before did.
    fn trust(&mut self) -> Result<(), UsageError> {
        let Some(held) = &self.held else { return Ok(()) };
        let mut trusted = held.domain.trusted_certificates().clone();
        for document in &held.certificates.certificates {
            let kms = document.certificate.kms_uri();
            if kms != held.domain.kms_uri() && held.domain.acceptable_kms.contains(kms) {
                trusted.add(document.certificate.clone())?;
            }
        }
        let responder = self.new_responder(&held.domain, &trusted, held.keys.values())?;
        if let Some(held) = &mut self.held {
            held.trusted = trusted;
            held.responder = match (responder, held.responder.take()) {
                (Some(responder), Some(previous)) => Some(responder.remembering(previous)),
                (responder, previous) => responder.or(previous),
            };
        }
        Ok(())
    }

    /// A responder that remembers nothing yet.
    fn new_responder<'a>(
        &self,
        domain: &Domain,
        trusted: &TrustedCertificates,
        mut keys: impl Iterator<Item = &'a Arc<UserKeys>>,
    ) -> Result<Option<Responder>, UsageError> {
        let Some(first) = keys.next() else { return Ok(None) };
        let mut responder = Responder::new(first.clone(), self.policy(domain));
        keys.for_each(|keys| responder.add_keys(keys.clone()));
        trusted.iter().try_for_each(|certificate| responder.trust(certificate.clone()))?;
        Ok(Some(responder))
    }

    /// The policy with the initiators of the domain.
    fn policy(&self, domain: &Domain) -> Policy {
        let CacheSettings { policy, group_purposes, .. } = &self.settings;
        let accept = |purpose: &Purpose| {
            let is_for_groups = group_purposes.contains(purpose);
            let initiators = if is_for_groups { domain.group_initiators() } else { domain.initiators() };
            let kms = is_for_groups.then(|| domain.kms_uri().clone());
            let is_diversified = policy.purposes.get(purpose).is_some_and(|acceptance| acceptance.is_diversified);
            (*purpose, Acceptance { initiators, kms, is_diversified })
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

/// The steps of a refresh, of which each is taken once, whatever else is due.
#[derive(Debug, Default)]
pub(super) struct Steps {
    has_domain: bool,
    has_keys: bool,
}

impl Steps {
    /// What to do next.
    pub(super) fn next(&mut self, due: Due) -> Due {
        let is_done = match due {
            Due::Keys => {
                self.has_domain = true;
                std::mem::replace(&mut self.has_keys, true)
            }
            Due::Domain => std::mem::replace(&mut self.has_domain, true),
            Due::Nothing | Due::Certificates { .. } => false,
        };
        if is_done { Due::Nothing } else { due }
    }
}

impl Held {
    /// Whether the keys of the next key period are there.
    fn has_next(&self) -> bool {
        self.keys.keys().next_back().is_some_and(|last| *last > self.plan.period())
    }
}
