//! Reading key material: records, and identity keys.
//!
//! What is not permitted is refused before anything is looked up. What is there is looked up before the request is
//! accepted, so that one entry of the audit log says how it ended, and answered after it: a request that was answered
//! before is refused whether or not there is anything.

use std::sync::Arc;
use std::time::Duration;

use mikey_sakke::documents::KmsKeySet;
use mikey_sakke::identity::{KeyPeriod, Uri};
use mikey_sakke::km::record::Record;
use mikey_sakke::km::{Failure, Identifier, Request, Subject, replay_retention};
use mikey_sakke::kms::KeySet;
use mikey_sakke::time::Timestamp;

use super::Service;
use super::session::{Refused, Session, internal};
use crate::audit::{Action, Outcome};
use crate::domain::{Asked, KeyOrder, NotReleased, SecurityDomain, Slot, released};
use crate::limits::OverLimit;
use crate::policy::Right;
use crate::store::{Quota, Replay};

/// Key material to answer with.
pub(super) enum Material {
    Record(Record),
    /// The key sets of a user, one or more.
    Keys {
        user: Uri,
        key_sets: Vec<KmsKeySet>,
    },
}

/// What was looked up.
enum Found {
    Nothing,
    Record(Record),
    Keys(Keys),
}

/// Keys that are to be issued.
struct Keys {
    domain: Arc<SecurityDomain>,
    user: Uri,
    /// The number of the period that was asked for.
    period: u64,
    /// That of the next one, if its keys are added.
    next: Option<u64>,
    slot: Slot,
}

/// How the server knows a request again, and how long it does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    pub(super) key: [u8; 32],
    pub(super) expires: Timestamp,
}

impl Service {
    /// Answers a request for key material that is well-formed, for this server, and of this time. If `answer` fails the
    /// request is forgotten, so that it may be sent again.
    pub(super) async fn retrieve<T>(
        &self,
        session: &mut Session<'_>,
        request: &Request,
        asked: Asked,
        memory: Memory,
        answer: impl FnOnce(Material) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        let (service, subject) = (request.service_id(), request.subject());
        let is_identity = service == self.policy.identity_service();
        session.trace.action = if is_identity { Action::Issue } else { Action::ReadRecord };
        session.trace.target = if is_identity { subject.value().to_owned() } else { target(service, subject) };
        let standing = self.standing(session, subject).await?;
        let right = self.policy.may_read(session.token.as_deref(), session.channel(), service, subject, standing)?;
        let found = match subject {
            Subject::User(user) if is_identity => self.find_keys(user, asked, request.date_time(), right).await?,
            _ if is_identity => Found::Nothing,
            _ => self.find_record(service, subject, session.moment.time).await?,
        };
        self.accept(session, &found, memory).await?;
        let material = match found {
            Found::Nothing => return Err(Failure::NoRecord.into()),
            Found::Record(record) => Ok(Material::Record(record)),
            Found::Keys(keys) => self.issue(keys).await,
        };
        let answered = material.and_then(answer);
        if answered.is_err()
            && let Err(error) = self.store.release(&memory.key, &session.event(Outcome::Failed)).await
        {
            internal(&error);
        }
        answered
    }

    /// How long a request with Date/Time is remembered.
    pub(super) fn remembered(&self, now: Timestamp) -> Timestamp {
        now.saturating_add(replay_retention(self.window))
    }

    async fn find_record(&self, service: &Identifier, subject: &Subject, now: Timestamp) -> Result<Found, Refused> {
        let record = self.store.record(service, subject).await?.map(|(_, record)| record);
        let valid = record.filter(|record| record.validity().includes(now));
        Ok(valid.map_or(Found::Nothing, Found::Record))
    }

    async fn find_keys(&self, user: &Uri, asked: Asked, at: Timestamp, right: Right) -> Result<Found, Refused> {
        let Some(domain) = self.domain().await? else { return Ok(Found::Nothing) };
        self.believe(at)?;
        let (period, next) = match released(domain.uid_format(), at, self.lead, asked, right) {
            Ok(periods) => periods,
            Err(NotReleased::NotNow) => return Ok(Found::Nothing),
            Err(NotReleased::Past) => return Err(Failure::NotPermitted.into()),
        };
        if domain.at(period).is_none() {
            return Ok(Found::Nothing);
        }
        let next = next.filter(|&next| domain.at(next).is_some());
        Ok(Found::Keys(Keys { slot: self.issuer.reserve()?, domain, user: user.clone(), period, next }))
    }

    async fn issue(&self, Keys { domain, user, period, next, slot }: Keys) -> Result<Material, Refused> {
        let mut orders = Vec::with_capacity(2);
        for period in [Some(period), next].into_iter().flatten() {
            if let Some((extraction, kms)) = domain.extraction(period) {
                let rsk = self.extracted(&extraction, &user).await;
                orders.push(KeyOrder { kms: Arc::clone(kms), period, rsk });
            }
        }
        let issued = slot.issue(user.clone(), orders).await.map_err(|error| internal(&error))?;
        let key_sets = issued.iter().map(|key_set| document(&domain, key_set)).collect::<Result<_, _>>()?;
        Ok(Material::Keys { user, key_sets })
    }

    /// Remembers the request with its end, unless it was answered before, or there were too many.
    async fn accept(&self, session: &mut Session<'_>, found: &Found, memory: Memory) -> Result<(), Refused> {
        let quota = match found {
            Found::Keys(Keys { user, period, .. }) => {
                session.trace.period = Some(*period);
                Some(Quota { user, period: *period, limit: self.issues_per_period })
            }
            _ => None,
        };
        let outcome = if matches!(found, Found::Nothing) { Outcome::Refused } else { Outcome::Done };
        match (self.store.accept(&memory.key, memory.expires, quota, &session.event(outcome)).await?, found) {
            (Replay::Fresh, _) => {
                session.trace.is_logged = true;
                Ok(())
            }
            (Replay::OverQuota, Found::Keys(keys)) => Err(keys.until_next(session.moment.time).into()),
            (Replay::Replayed | Replay::Held | Replay::OverQuota, _) => Err(Failure::Replay.into()),
        }
    }
}

impl Keys {
    /// To come again in the next period.
    fn until_next(&self, now: Timestamp) -> OverLimit {
        let span = self.domain.uid_format().span(KeyPeriod::Number(self.period));
        let seconds = span.map_or(0, |(_, end)| end.to_unix().saturating_sub(now.to_unix()));
        OverLimit { retry_after: Duration::from_secs(seconds) }
    }
}

/// The document of a key set.
fn document(domain: &SecurityDomain, key_set: &KeySet) -> Result<KmsKeySet, Refused> {
    let KeyPeriod::Number(period) = key_set.period else { return Err(Failure::Internal.into()) };
    let (certificate, _) = domain.at(period).ok_or(Failure::Internal)?;
    let document = KmsKeySet::new(certificate.certificate(), key_set).map_err(|error| internal(&error))?;
    Ok(KmsKeySet { cert_uri: certificate.cert_uri().map(|uri| uri.as_str().to_owned()), ..document })
}

/// A record, as the audit log names it.
pub(super) fn target(service: &Identifier, subject: &Subject) -> String {
    match subject {
        Subject::Service => service.to_string(),
        _ => format!("{service} {} {}", subject.kind().as_str(), subject.value()),
    }
}
