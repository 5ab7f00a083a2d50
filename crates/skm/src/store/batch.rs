//! Changes that are committed together.
//!
//! What becomes of a change depends on rows: a condition, a replay, a quota. A back end locks what nobody else may
//! change meanwhile, loads the rows that the changes of a [`Batch`] depend on, lets it [`apply`](Batch::apply) them one
//! after the other in memory, saves the rows that are other than they stand in the database, and commits. So the
//! decisions stand here once for all back ends, a change that comes to nothing costs its neighbours nothing, and a
//! batch takes a few statements.

use std::collections::BTreeMap;
use std::mem::take;
use std::sync::Arc;

use mikey_sakke::time::Timestamp;

use super::rows::{Change, Condition, Replay, RowKey, SealedRow};
use super::{RECORDS, StoreError};
use crate::audit::{Chain, Entry, Event, Head};

/// A change that is asked for.
#[derive(Debug)]
pub(super) enum Write {
    /// Inserts or replaces a row if the condition holds. Answered with a [`Change`].
    Put { key: RowKey, row: SealedRow, condition: Condition },
    /// Inserts or replaces rows if all conditions hold, or else none of them.
    PutAll { rows: Vec<(RowKey, SealedRow, Condition)> },
    /// Deletes a row if the condition holds. Answered with a [`Change`].
    Delete { key: RowKey, condition: Condition },
    /// Inserts a replay key, and increments the counter of issues that is below the limit. Answered with a [`Replay`].
    Accept { key: [u8; 32], expires: Timestamp, quota: Option<(IssueKey, u32)> },
    /// Deletes a replay key.
    Release { key: [u8; 32] },
    /// Inserts or replaces a delegate.
    AddDelegate { key: DelegateKey, expires: Timestamp },
    /// Deletes a delegate.
    RemoveDelegate { key: DelegateKey },
    /// Inserts a block.
    Block { uri: String },
    /// Deletes a block.
    Unblock { uri: String },
    /// Nothing but an entry of the audit log.
    Log,
}

/// User and number of the key period.
pub(super) type IssueKey = (String, i64);

/// Principal and user.
pub(super) type DelegateKey = (String, String);

/// What became of a [`Write`].
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    Row(Change),
    Request(Replay),
    /// Whether there was anything to do.
    Other(bool),
}

impl Answer {
    /// Whether it changed anything, and is to be logged.
    fn is_change(self) -> bool {
        match self {
            Self::Row(change) => !matches!(change, Change::Conflict | Change::NotFound),
            Self::Request(replay) => replay == Replay::Fresh,
            Self::Other(done) => done,
        }
    }
}

impl TryFrom<Answer> for Change {
    type Error = Answer;

    fn try_from(answer: Answer) -> Result<Self, Answer> {
        if let Answer::Row(change) = answer { Ok(change) } else { Err(answer) }
    }
}

impl TryFrom<Answer> for Replay {
    type Error = Answer;

    fn try_from(answer: Answer) -> Result<Self, Answer> {
        if let Answer::Request(replay) = answer { Ok(replay) } else { Err(answer) }
    }
}

impl TryFrom<Answer> for bool {
    type Error = Answer;

    fn try_from(answer: Answer) -> Result<Self, Answer> {
        if let Answer::Other(done) = answer { Ok(done) } else { Err(answer) }
    }
}

/// The rows of a table that a batch depends on, in the order of their keys.
#[derive(Debug)]
pub(super) struct Table<K, V> {
    rows: BTreeMap<K, Row<V>>,
}

#[derive(Debug)]
struct Row<V> {
    /// What is to stand in the database.
    value: Option<V>,
    /// What stands there, as far as that is known.
    stored: Option<V>,
}

impl<V: PartialEq> Row<V> {
    fn is_changed(&self) -> bool {
        self.value != self.stored
    }
}

impl<K: Ord, V: Clone + PartialEq> Table<K, V> {
    const fn new() -> Self {
        Self { rows: BTreeMap::new() }
    }

    /// Notes a row to load.
    fn want(&mut self, key: K) {
        self.rows.insert(key, Row { value: None, stored: None });
    }

    fn get(&self, key: &K) -> Option<&V> {
        self.rows.get(key)?.value.as_ref()
    }

    fn set(&mut self, key: K, value: Option<V>) {
        let stored = self.rows.remove(&key).and_then(|row| row.stored);
        self.rows.insert(key, Row { value, stored });
    }

    /// The keys of the rows to load.
    pub(super) fn wanted(&self) -> Vec<K>
    where
        K: Clone,
    {
        self.rows.keys().cloned().collect()
    }

    /// Takes a row that was found.
    pub(super) fn load(&mut self, key: K, value: V) {
        self.rows.insert(key, Row { value: Some(value.clone()), stored: Some(value) });
    }

    /// Takes a row of which something else was just stored, in advance, than what was found.
    pub(super) fn claim(&mut self, key: K, found: Option<V>, stored: V) {
        self.rows.insert(key, Row { value: found, stored: Some(stored) });
    }

    /// The keys of the rows that are other than before.
    fn changed(&self) -> impl Iterator<Item = &K> {
        self.rows.iter().filter(|(_, row)| row.is_changed()).map(|(key, _)| key)
    }

    /// The rows to insert or replace.
    pub(super) fn put(&self) -> impl Iterator<Item = (&K, &V)> {
        self.rows.iter().filter(|(_, row)| row.is_changed()).filter_map(|(key, row)| Some((key, row.value.as_ref()?)))
    }

    /// The keys of the rows to delete.
    pub(super) fn deleted(&self) -> impl Iterator<Item = &K> {
        self.rows.iter().filter(|(_, row)| row.is_changed() && row.value.is_none()).map(|(key, _)| key)
    }
}

/// Rows that a back end may store before it is known which of them stay.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// Replay keys, and when they expire.
    pub(super) replays: BTreeMap<[u8; 32], i64>,
    /// Counters of issues, and how much they increase.
    pub(super) issues: BTreeMap<IssueKey, i64>,
}

/// Changes with the rows that they depend on.
#[derive(Debug)]
pub(super) struct Batch {
    chain: Chain,
    key_id: Arc<str>,
    writes: Vec<(Write, Event)>,
    is_of_requests: bool,
    /// What may be stored in advance.
    pub(super) claims: Claims,
    pub(super) sealed: Table<RowKey, SealedRow>,
    /// When they expire, in seconds since 1970-01-01T00:00:00Z, as all times in rows.
    pub(super) replays: Table<[u8; 32], i64>,
    /// How many there were.
    pub(super) issues: Table<IssueKey, i64>,
    /// When they expire.
    pub(super) delegates: Table<DelegateKey, i64>,
    pub(super) blocks: Table<String, ()>,
    /// The time before which no request is accepted.
    pub(super) hold: Option<i64>,
    /// The head of the audit log.
    pub(super) head: Option<Head>,
    /// The entries to append to the audit log.
    pub(super) entries: Vec<Entry>,
    /// What became of each change.
    pub(super) answers: Vec<Answer>,
}

impl Batch {
    /// Changes by the server of a chain, which has the data key of this id.
    pub(super) fn new(chain: Chain, key_id: Arc<str>, writes: Vec<(Write, Event)>) -> Self {
        let mut batch = Self {
            chain,
            key_id,
            writes: Vec::new(),
            is_of_requests: writes.iter().all(|(write, _)| matches!(write, Write::Accept { .. } | Write::Log)),
            claims: Claims::default(),
            sealed: Table::new(),
            replays: Table::new(),
            issues: Table::new(),
            delegates: Table::new(),
            blocks: Table::new(),
            hold: None,
            head: None,
            entries: Vec::new(),
            answers: Vec::with_capacity(writes.len()),
        };
        for (write, _) in &writes {
            match write {
                Write::Put { key, .. } | Write::Delete { key, .. } => batch.sealed.want(key.clone()),
                Write::PutAll { rows } => rows.iter().for_each(|(key, ..)| batch.sealed.want(key.clone())),
                Write::Accept { key, expires, quota } => {
                    batch.replays.want(*key);
                    batch.claims.replays.entry(*key).or_insert(seconds(*expires));
                    if let Some((issue, _)) = quota {
                        batch.issues.want(issue.clone());
                        *batch.claims.issues.entry(issue.clone()).or_default() += 1;
                    }
                }
                Write::Release { key } => {
                    batch.replays.want(*key);
                    batch.claims.replays.entry(*key).or_insert(0);
                }
                Write::RemoveDelegate { key } => batch.delegates.want(key.clone()),
                Write::Block { uri } | Write::Unblock { uri } => batch.blocks.want(uri.clone()),
                Write::AddDelegate { .. } | Write::Log => {}
            }
        }
        batch.writes = writes;
        batch
    }

    /// Whether it is of nothing but requests and entries of the audit log. Such batches of several servers exclude
    /// each other by the rows that they claim, if these are claimed in their order, the replay keys first.
    pub(super) const fn is_of_requests(&self) -> bool {
        self.is_of_requests
    }

    /// The id of the data key of the server.
    pub(super) fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The name of the server whose audit log is continued.
    pub(super) fn server(&self) -> &str {
        self.chain.server()
    }

    /// Whether it changes what servers keep in memory.
    pub(super) fn changes_what_is_kept(&self) -> bool {
        let is_domain = self.sealed.changed().any(|key| key.collection != RECORDS);
        is_domain || self.blocks.changed().next().is_some() || self.delegates.changed().next().is_some()
    }

    /// Applies the changes in their order to the rows that were loaded. False if there is nothing to save.
    ///
    /// # Errors
    ///
    /// [`StoreError::Audit`] if the head was changed outside of the store.
    pub(super) fn apply(&mut self) -> Result<bool, StoreError> {
        let mut events = Vec::with_capacity(self.writes.len());
        for (write, event) in take(&mut self.writes) {
            let answer = self.apply_one(write, event.time);
            self.answers.push(answer);
            if answer.is_change() {
                events.push(event);
            }
        }
        if events.is_empty() {
            return Ok(false);
        }
        (self.entries, self.head) = self.chain.append(self.head.take(), &events)?;
        Ok(true)
    }

    fn apply_one(&mut self, write: Write, now: Timestamp) -> Answer {
        match write {
            Write::Put { key, row, condition } => {
                let found = self.sealed.get(&key).map(|row| row.version);
                let version = row.version;
                if !condition.holds(found) {
                    return Answer::Row(Change::Conflict);
                }
                self.sealed.set(key, Some(row));
                Answer::Row(if found.is_some() { Change::Replaced(version) } else { Change::Created(version) })
            }
            Write::PutAll { rows } => {
                let holds = |(key, _, condition): &(RowKey, SealedRow, Condition)| {
                    condition.holds(self.sealed.get(key).map(|row| row.version))
                };
                let all_hold = rows.iter().all(holds);
                if all_hold {
                    rows.into_iter().for_each(|(key, row, _)| self.sealed.set(key, Some(row)));
                }
                Answer::Other(all_hold)
            }
            Write::Delete { key, condition } => {
                let found = self.sealed.get(&key).map(|row| row.version);
                if !condition.holds(found) {
                    return Answer::Row(Change::Conflict);
                }
                if found.is_none() {
                    return Answer::Row(Change::NotFound);
                }
                self.sealed.set(key, None);
                Answer::Row(Change::Deleted)
            }
            Write::Accept { key, expires, quota } => Answer::Request(self.accept(key, expires, quota, now)),
            Write::Release { key } => {
                self.replays.set(key, None);
                Answer::Other(true)
            }
            Write::AddDelegate { key, expires } => {
                self.delegates.set(key, Some(seconds(expires)));
                Answer::Other(true)
            }
            Write::RemoveDelegate { key } => {
                let found = self.delegates.get(&key).is_some();
                if found {
                    self.delegates.set(key, None);
                }
                Answer::Other(found)
            }
            Write::Block { uri } => {
                let is_new = self.blocks.get(&uri).is_none();
                if is_new {
                    self.blocks.set(uri, Some(()));
                }
                Answer::Other(is_new)
            }
            Write::Unblock { uri } => {
                let found = self.blocks.get(&uri).is_some();
                if found {
                    self.blocks.set(uri, None);
                }
                Answer::Other(found)
            }
            Write::Log => Answer::Other(true),
        }
    }

    fn accept(&mut self, key: [u8; 32], expires: Timestamp, quota: Option<(IssueKey, u32)>, now: Timestamp) -> Replay {
        if self.hold.is_some_and(|until| until > seconds(now)) {
            return Replay::Held;
        }
        if self.replays.get(&key).is_some() {
            return Replay::Replayed;
        }
        if let Some((issue, limit)) = quota {
            let count = self.issues.get(&issue).copied().unwrap_or(0);
            if count >= i64::from(limit) {
                return Replay::OverQuota;
            }
            self.issues.set(issue, Some(count + 1));
        }
        self.replays.set(key, Some(seconds(expires)));
        Replay::Fresh
    }
}

/// A time as it stands in a column.
pub(super) const fn seconds(at: Timestamp) -> i64 {
    at.to_unix().cast_signed()
}
