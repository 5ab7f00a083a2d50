//! The rows of a store, and what a database does with them.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use mikey_sakke::identity::Uri;
use mikey_sakke::km::Payload;
use mikey_sakke::km::record::Record;
use mikey_sakke::kms::Validity;
use mikey_sakke::time::Timestamp;
use zeroize::Zeroizing;

use super::StoreError;
use super::backup::{BackupError, Rows, Sink};
use super::batch::{Answer, Batch};
use super::keyring::Keyring;
use super::reseal::{Reseal, Resealed};
use super::rsks::RskRows;
use crate::audit::{Entry, Head};
use crate::seal::{RandomError, random};

/// The octets of z.
pub(super) const Z_OCTETS: usize = 128;

/// The version of a row. Each change gives it another, at random, so that a version never comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version(u64);

impl Version {
    pub(super) fn random() -> Result<Self, RandomError> {
        // 63 bits, for databases whose integers are signed.
        Ok(Self(u64::from_be_bytes(random()?) >> 1))
    }

    pub(super) const fn get(self) -> u64 {
        self.0
    }

    pub(super) fn from_column(column: i64) -> Option<Self> {
        u64::try_from(column).ok().map(Self)
    }

    pub(super) const fn to_column(self) -> i64 {
        self.0.cast_signed()
    }

    /// The version of a strong entity tag.
    pub fn from_etag(etag: &str) -> Option<Self> {
        let digits = etag.strip_prefix('"')?.strip_suffix('"')?;
        let is_ours = digits.len() == 16 && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        is_ours.then(|| u64::from_str_radix(digits, 16).ok().map(Self)).flatten()
    }
}

/// As a strong entity tag: 16 hexadecimal digits in quotes.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{:016x}\"", self.0)
    }
}

/// What must hold for a change to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    Any,
    /// There is no such row.
    Absent,
    /// There is such a row: `If-Match: *`.
    Present,
    /// The row has this version: `If-Match`.
    Is(Version),
}

impl Condition {
    pub(super) fn holds(self, found: Option<Version>) -> bool {
        match self {
            Self::Any => true,
            Self::Absent => found.is_none(),
            Self::Present => found.is_some(),
            Self::Is(version) => found == Some(version),
        }
    }
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// There is a new row.
    Created(Version),
    /// The row was replaced.
    Replaced(Version),
    /// The row was deleted.
    Deleted,
    /// The condition does not hold: nothing was changed, and nothing logged.
    Conflict,
    /// There is no row to delete: nothing was changed, and nothing logged.
    NotFound,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay {
    /// It is new.
    Fresh,
    /// It was accepted before.
    Replayed,
    /// The store cannot know, and does not accept any yet.
    Held,
    /// It is new, and one more than the quota allows: nothing was changed, and nothing logged.
    OverQuota,
}

/// How many key sets a user may be issued for a period.
#[derive(Clone, Copy, Debug)]
pub struct Quota<'a> {
    /// The user.
    pub user: &'a Uri,
    /// The number of the key period.
    pub period: u64,
    /// How many.
    pub limit: u32,
}

/// A principal that may have the keys of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegate {
    /// The principal.
    pub principal: String,
    /// The user.
    pub user: Uri,
    /// From when on it may not any more.
    pub expires: Timestamp,
}

/// What a server asks for again and again, to see whether what it knows still stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// Raised by whatever changes blocks, delegates or the domain.
    pub generation: i64,
    /// The time since 1970-01-01T00:00:00Z by the clock of the database; none for a file, which has no clock of its
    /// own.
    pub clock: Option<Duration>,
}

/// The key of a row with a sealed value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RowKey {
    /// What the row is of.
    pub(super) collection: &'static str,
    /// The ServiceID, for records; certificate and key period, for RSKs.
    pub(super) service: String,
    /// The kind of the subject, for records.
    pub(super) kind: &'static str,
    /// The identifier.
    pub(super) id: String,
}

impl RowKey {
    pub(super) fn new(collection: &'static str, id: &str) -> Self {
        Self { collection, service: String::new(), kind: "", id: id.into() }
    }

    pub(super) fn columns(&self) -> [&str; 3] {
        [&self.service, self.kind, &self.id]
    }
}

/// The version and the sealed value of a row as they stand in the database, whatever that holds.
pub(super) type RowColumns = (i64, Vec<u8>);

/// A row with a sealed value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SealedRow {
    /// Its version.
    pub(super) version: Version,
    /// The value.
    pub(super) sealed: Vec<u8>,
}

/// A database.
#[async_trait]
pub(super) trait Database: RskRows + Send + Sync {
    /// The keyring, if there is one.
    async fn keyring(&self) -> Result<Option<Keyring>, StoreError>;
    /// Inserts a keyring, unless there is one.
    async fn offer(&self, keyring: &Keyring) -> Result<(), StoreError>;

    /// The id of the sealing key in the keyring, and the pulse.
    async fn pulse(&self) -> Result<(String, Pulse), StoreError>;

    /// Makes the changes of a batch and appends their events to the audit log in one transaction, or does neither.
    async fn commit(&self, batch: Batch) -> Result<Vec<Answer>, StoreError>;
    /// Deletes the replay keys that have expired.
    async fn prune_replays(&self, now: Timestamp) -> Result<(), StoreError>;
    /// The latest time that was noted, in seconds since 1970-01-01T00:00:00Z.
    async fn latest_time(&self) -> Result<Option<i64>, StoreError>;
    /// Notes a time in the place of any other, or only of an earlier one.
    async fn note_time(&self, time: Timestamp, any: bool) -> Result<(), StoreError>;
    /// Accepts nothing until then.
    async fn hold(&self, until: Timestamp) -> Result<(), StoreError>;

    /// Gives away all that stands there at one moment.
    async fn dump(&self, sink: &mut dyn Sink) -> Result<(), BackupError>;
    /// Puts rows where there are none, accepts nothing until a time, and makes the changes of a batch, or does nothing.
    async fn restore(
        &self,
        keyring: &Keyring,
        rows: Rows<'_>,
        until: Timestamp,
        batch: Batch,
    ) -> Result<(), BackupError>;

    /// Replaces the keyring and all sealed values, and makes the changes of a batch, or does nothing.
    async fn reseal(&self, reseal: Reseal<'_>, batch: Batch) -> Result<Resealed, StoreError>;

    /// Rows with sealed values, as many as keys and in their order.
    async fn rows(&self, keys: Vec<RowKey>) -> Result<Vec<Option<RowColumns>>, StoreError>;
    /// Whether there is such a delegate that has not expired.
    async fn is_delegate(&self, principal: &str, user: &str, now: Timestamp) -> Result<bool, StoreError>;
    /// All delegates.
    async fn delegates(&self) -> Result<Vec<Delegate>, StoreError>;
    /// Whether there is such a block.
    async fn is_blocked(&self, uri: &str) -> Result<bool, StoreError>;
    /// All blocks.
    async fn blocked(&self) -> Result<Vec<Uri>, StoreError>;
    /// Entries after a number, in their order.
    async fn entries(&self, server: &str, after: i64, limit: u32) -> Result<Vec<Entry>, StoreError>;
    /// The head of a chain.
    async fn head(&self, server: &str) -> Result<Option<Head>, StoreError>;
}

/// A record in octets: the length of UserUri (4, big-endian), UserUri, ValidFrom and ValidTo (8 each, big-endian, all
/// ones for none), Payload.
pub(super) fn encode_record(record: &Record) -> Zeroizing<Vec<u8>> {
    let user = record.user_uri().as_str().as_bytes();
    let payload = record.payload().expose().as_bytes();
    let Validity { from, to } = record.validity();
    let mut octets = Zeroizing::new(Vec::with_capacity(20 + user.len() + payload.len()));
    octets.extend_from_slice(&(user.len() as u32).to_be_bytes());
    octets.extend_from_slice(user);
    for at in [from, to] {
        octets.extend_from_slice(&at.map_or(u64::MAX, Timestamp::to_unix).to_be_bytes());
    }
    octets.extend_from_slice(payload);
    octets
}

pub(super) fn decode_record(octets: &[u8]) -> Option<Record> {
    let (length, rest) = octets.split_first_chunk()?;
    let (user, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    let (from, rest) = rest.split_first_chunk()?;
    let (to, payload) = rest.split_first_chunk()?;
    let user = Uri::parse(str::from_utf8(user).ok()?).ok()?;
    let payload = Payload::new(str::from_utf8(payload).ok()?).ok()?;
    let validity = Validity { from: decode_time(*from)?, to: decode_time(*to)? };
    Record::new(user, payload, validity).ok()
}

fn decode_time(octets: [u8; 8]) -> Option<Option<Timestamp>> {
    match u64::from_be_bytes(octets) {
        u64::MAX => Some(None),
        seconds => Timestamp::from_unix(seconds).ok().map(Some),
    }
}
