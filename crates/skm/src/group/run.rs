//! The distribution itself.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use getrandom::SysRng;
use mikey_sakke::identity::Uri;
use mikey_sakke::imessage::{Initiator, KeyBundle, Recipient, SkId};
use mikey_sakke::km::domain::Domain;
use mikey_sakke::time::Timestamp;

use super::{Failure, GroupError, Provider, Reason, Sink, State};
use crate::client::{CacheSettings, KeyCache};

/// The state is written about so many times at most: it holds all members, and there are as many batches, of
/// [`Initiator::BATCH`] or more.
const MAX_BATCHES: usize = 100;

/// How a distribution ended.
#[derive(Debug)]
pub struct Outcome {
    /// The SK-ID of the key.
    pub id: SkId,
    /// How many members got the key now.
    pub delivered: usize,
    /// How many had it from earlier runs.
    pub earlier: usize,
    /// Who does not get it, by number.
    pub failures: Vec<Failure>,
    /// Why the distribution stopped before all members had their turn. The others have it when it is taken up again.
    pub stopped: Option<GroupError>,
}

impl Outcome {
    /// How many of the members have the key.
    pub const fn reached(&self) -> usize {
        self.delivered + self.earlier
    }

    /// Whether all who stand in the list have the key.
    pub const fn is_complete(&self) -> bool {
        self.failures.is_empty() && self.stopped.is_none()
    }
}

/// Distributes the key of a state to those of the members who do not have it yet, all users of the manager's KMS, with
/// the keys that a provider gives.
///
/// Members are URIs in canonical spelling, each once. One who is refused does not keep the others from theirs. The
/// members are dealt with in batches; after each, the state is written, and `progress` called with the number of
/// members dealt with up to then, by this run or earlier ones. Messages are stamped with the time of their batch:
/// members accept them for a short time after it alone, five minutes by default. A member gets a second message if a
/// run ends between the delivery and the note of it; it carries the same key.
///
/// # Errors
///
/// [`GroupError`] if nothing can be distributed; what comes up once the distribution has begun is in
/// [`Outcome::stopped`].
pub fn distribute<M: AsRef<str>>(
    provider: &dyn Provider,
    state: &mut State,
    members: &[M],
    sink: &mut dyn Sink,
    progress: &mut dyn FnMut(usize),
) -> Result<Outcome, GroupError> {
    // Before the keys are asked for: the server would refuse them, and not say why.
    check(&provider.domain()?, &state.group().manager)?;
    let mut manager = Manager::new(provider, state.group().manager.clone());
    let (_, domain) = manager.domain()?;
    let bundle = state.begin(domain.kms_uri())?;
    let mut outcome = Outcome { id: bundle.id(), delivered: 0, earlier: 0, failures: Vec::new(), stopped: None };
    let pending = sort(members, state, &mut outcome);
    let mut dealt = members.len() - pending.len();
    progress(dealt);
    for batch in pending.chunks(Initiator::BATCH.max(pending.len().div_ceil(MAX_BATCHES))) {
        if let Err(error) = distribute_batch(&mut manager, &bundle, batch, state, sink, &mut outcome) {
            outcome.stopped = Some(error);
            break;
        }
        dealt += batch.len();
        progress(dealt);
    }
    outcome.failures.sort_by_key(|failure| failure.number);
    Ok(outcome)
}

/// A member who does not have the key yet, with his number.
type Member = (usize, Uri);

/// The members who are to get the key.
fn sort<M: AsRef<str>>(members: &[M], state: &State, outcome: &mut Outcome) -> Vec<Member> {
    let mut numbers = BTreeMap::new();
    let mut pending = Vec::new();
    for (number, member) in (1..).zip(members) {
        let member = member.as_ref();
        let reason = match Uri::parse(member).map(|uri| numbers.entry(uri)) {
            Err(error) => Reason::Spelling(error),
            Ok(Entry::Occupied(first)) => Reason::Duplicate(*first.get()),
            Ok(Entry::Vacant(vacant)) => {
                match state.has(vacant.key()) {
                    true => outcome.earlier += 1,
                    false => pending.push((number, vacant.key().clone())),
                }
                vacant.insert(number);
                continue;
            }
        };
        outcome.failures.push(Failure { number, member: member.to_owned(), reason });
    }
    pending
}

fn distribute_batch(
    manager: &mut Manager<'_>,
    bundle: &KeyBundle,
    batch: &[Member],
    state: &mut State,
    sink: &mut dyn Sink,
    outcome: &mut Outcome,
) -> Result<(), GroupError> {
    let (now, domain) = manager.domain()?;
    let certificate = domain.trusted_certificates().select(domain.kms_uri(), now).ok_or(GroupError::Certificate)?;
    let (revoked, accepted): (Vec<_>, Vec<_>) = batch.iter().partition(|(_, user)| domain.revoked_users.contains(user));
    let recipient = |(_, user): &&Member| Recipient { user: user.clone(), certificate: certificate.clone() };
    let recipients: Vec<_> = accepted.iter().map(recipient).collect();
    let initiator = manager.initiator()?;

    let mut fail = |(number, user): &Member, reason| {
        outcome.failures.push(Failure { number: *number, member: user.to_string(), reason });
    };
    revoked.into_iter().for_each(|member| fail(member, Reason::Revoked));
    let mut delivered = Vec::new();
    let mut rng = SysRng;
    let messages = initiator.distribute_to_group(bundle, &recipients, now, &mut rng);
    for (member, message) in accepted.into_iter().zip(messages) {
        let (number, user) = member;
        let sent = message.map_err(Reason::Message);
        match sent.and_then(|message| sink.deliver(*number, user, &message).map_err(Reason::Delivery)) {
            Ok(()) => delivered.push(user.clone()),
            Err(reason) => fail(member, reason),
        }
    }
    sink.flush().map_err(GroupError::Sink)?;
    outcome.delivered += delivered.len();
    Ok(state.mark(delivered)?)
}

/// The manager, with current keys.
struct Manager<'a> {
    provider: &'a dyn Provider,
    cache: KeyCache,
}

impl<'a> Manager<'a> {
    fn new(provider: &'a dyn Provider, user: Uri) -> Self {
        Self { provider, cache: KeyCache::new(user, CacheSettings::default()) }
    }

    /// What time it is, and the domain, whose members accept keys from this manager now.
    fn domain(&mut self) -> Result<(Timestamp, &Domain), GroupError> {
        let now = self.provider.provide(&mut self.cache)?;
        let user = self.cache.user();
        let domain = self.cache.domain().ok_or_else(|| GroupError::Keys(user.clone()))?;
        check(domain, user)?;
        Ok((now, domain))
    }

    fn initiator(&self) -> Result<Initiator, GroupError> {
        self.cache.initiator().ok_or_else(|| GroupError::Keys(self.cache.user().clone()))
    }
}

/// Whether the members accept keys from a manager.
fn check(domain: &Domain, manager: &Uri) -> Result<(), GroupError> {
    if !domain.group_managers.contains(manager) {
        return Err(GroupError::NotManager(manager.clone()));
    }
    if domain.revoked_users.contains(manager) {
        return Err(GroupError::Revoked(manager.clone()));
    }
    Ok(())
}
