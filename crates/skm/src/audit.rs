//! The audit log: who did what, each entry chained to the one before it.
//!
//! Every server has a chain of its own. An entry carries an HMAC-SHA-256 over its fields and over that of its
//! predecessor, and the head of the chain another over where the chain ends, so that whoever can write to the database
//! but does not have the key cannot change, remove, insert or reorder entries unnoticed, the last ones included. What
//! no chain can show is a database put back as a whole to an earlier state: for that, keep the [`Report`] elsewhere.
//!
//! No entry holds a key or a token.

use std::fmt;

use mikey_sakke::time::Timestamp;
use zeroize::Zeroizing;

use crate::seal::{KEY_OCTETS, is_mac, mac};

/// What happens, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub time: Timestamp,
    /// Who asked for it.
    pub principal: String,
    /// What was asked for.
    pub action: Action,
    /// For or about whom or what: a URI, or service, kind and identifier.
    pub target: String,
    /// The number of the key period, where there is one.
    pub period: Option<u64>,
    /// How it went.
    pub outcome: Outcome,
    /// The id of the request.
    pub request_id: String,
}

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The key set of a user.
    Issue,
    /// The key material of a record.
    ReadRecord,
    /// A record to be stored.
    Provision,
    /// A record to be deleted.
    DeleteRecord,
    /// A change of the security domain.
    Domain,
    /// The master secrets of the domain to be handed out.
    ExportDomain,
    /// The time to be taken for right, although it jumped.
    AcceptClock,
    /// A backup of the store.
    Backup,
    /// The store to be restored from a backup.
    Restore,
    /// RSKs to be extracted before they are asked for.
    Preissue,
    /// A change of who may do what.
    Policy,
    /// A principal to have the keys of another user.
    Delegate,
    /// It is not to have them any more.
    RemoveDelegate,
    /// A user to be blocked.
    Block,
    /// A user not to be blocked any more.
    Unblock,
    /// A store to be sealed with another key.
    Reseal,
    /// Something that never became one of these.
    Request,
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// It is not permitted.
    Refused,
    /// The server failed.
    Failed,
}

impl Action {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Issue => "issue",
            Self::ReadRecord => "read-record",
            Self::Provision => "provision",
            Self::DeleteRecord => "delete-record",
            Self::Domain => "domain",
            Self::ExportDomain => "export-domain",
            Self::AcceptClock => "accept-clock",
            Self::Backup => "backup",
            Self::Restore => "restore",
            Self::Preissue => "preissue",
            Self::Policy => "policy",
            Self::Delegate => "delegate",
            Self::RemoveDelegate => "remove-delegate",
            Self::Block => "block",
            Self::Unblock => "unblock",
            Self::Reseal => "reseal",
            Self::Request => "request",
        }
    }
}

impl Outcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// An entry as it stands in the database, whatever that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number, from 1.
    pub sequence: i64,
    /// Seconds since 1970-01-01T00:00:00Z.
    pub time: i64,
    /// [`Event::principal`].
    pub principal: String,
    /// [`Event::action`].
    pub action: String,
    /// [`Event::target`].
    pub target: String,
    /// [`Event::period`].
    pub period: Option<i64>,
    /// [`Event::outcome`].
    pub outcome: String,
    /// [`Event::request_id`].
    pub request_id: String,
    /// What chains it to the one before it.
    pub mac: Vec<u8>,
}

/// Where a chain ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The number of the last entry.
    pub sequence: i64,
    /// The MAC of the last entry.
    pub mac: Vec<u8>,
    /// A MAC over both.
    pub seal: Vec<u8>,
}

/// What a chain that is whole amounts to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The number of entries.
    pub entries: u64,
    /// The MAC of the last one, in hexadecimal.
    pub head: String,
}

/// Where a chain is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The entry of this number was changed, or stands in the place of another.
    Changed(i64),
    /// The entry of this number is missing.
    Missing(i64),
    /// The head of the chain was changed, or does not belong to its last entry.
    Head,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed(sequence) => write!(f, "entry {sequence} was changed or moved"),
            Self::Missing(sequence) => write!(f, "entry {sequence} is missing"),
            Self::Head => f.write_str("the head of the chain was changed"),
        }
    }
}

impl std::error::Error for Fault {}

/// The chain of a server, with the key to continue and to verify it.
#[derive(Clone)]
pub struct Chain {
    key: Zeroizing<[u8; KEY_OCTETS]>,
    server: String,
}

impl Chain {
    /// The chain of the server of this name.
    pub fn new(key: Zeroizing<[u8; KEY_OCTETS]>, server: String) -> Self {
        Self { key, server }
    }

    /// The key.
    pub(crate) fn key(&self) -> &[u8; KEY_OCTETS] {
        &self.key
    }

    /// The name of the server.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The entries for events after the present head, which is checked first, and the new head. Control characters in
    /// what an event says are replaced by their numbers.
    ///
    /// # Errors
    ///
    /// [`Fault::Head`].
    pub fn append(&self, head: Option<Head>, events: &[Event]) -> Result<(Vec<Entry>, Option<Head>), Fault> {
        if head.as_ref().is_some_and(|head| !self.is_sealed(head)) {
            return Err(Fault::Head);
        }
        let (mut sequence, mut end) = head.map_or_else(Default::default, |head| (head.sequence, head.mac));
        let mut entries = Vec::with_capacity(events.len());
        for event in events {
            sequence += 1;
            let mut entry = Entry {
                sequence,
                time: event.time.to_unix().cast_signed(),
                principal: printable(&event.principal),
                action: event.action.as_str().into(),
                target: printable(&event.target),
                period: event.period.map(u64::cast_signed),
                outcome: event.outcome.as_str().into(),
                request_id: printable(&event.request_id),
                mac: Vec::new(),
            };
            entry.mac = self.with_fields(&end, &entry, |key, parts| mac(key, parts).to_vec());
            end.clone_from(&entry.mac);
            entries.push(entry);
        }
        let head = (sequence > 0).then(|| {
            let seal = self.with_end(sequence, &end, |key, parts| mac(key, parts).to_vec());
            Head { sequence, mac: end, seal }
        });
        Ok((entries, head))
    }

    /// Begins to verify the chain, from its first entry.
    pub fn verify(&self) -> Verifier<'_> {
        Verifier { chain: self, sequence: 0, mac: Vec::new() }
    }

    fn is_sealed(&self, head: &Head) -> bool {
        self.with_end(head.sequence, &head.mac, |key, parts| is_mac(key, parts, &head.seal))
    }

    fn with_end<T>(&self, sequence: i64, end: &[u8], then: impl FnOnce(&[u8; KEY_OCTETS], &[&[u8]]) -> T) -> T {
        then(&self.key, &[b"SKM-S audit head", self.server.as_bytes(), &sequence.to_be_bytes(), end])
    }

    fn with_fields<T>(&self, previous: &[u8], entry: &Entry, then: impl FnOnce(&[u8; KEY_OCTETS], &[&[u8]]) -> T) -> T {
        let period = entry.period.map(i64::to_be_bytes);
        let parts: [&[u8]; 11] = [
            b"SKM-S audit entry",
            self.server.as_bytes(),
            previous,
            &entry.sequence.to_be_bytes(),
            &entry.time.to_be_bytes(),
            entry.principal.as_bytes(),
            entry.action.as_bytes(),
            entry.target.as_bytes(),
            // No octets for no period.
            period.as_ref().map_or(&[][..], |period| period),
            entry.outcome.as_bytes(),
            entry.request_id.as_bytes(),
        ];
        then(&self.key, &parts)
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chain({})", self.server)
    }
}

/// A text with `\u{7}` for a control character: neither a terminal nor a database is to act on one.
fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            printable.extend(character.escape_unicode());
        } else {
            printable.push(character);
        }
    }
    printable
}

/// A chain on its way of being verified.
#[derive(Debug)]
pub struct Verifier<'a> {
    chain: &'a Chain,
    sequence: i64,
    mac: Vec<u8>,
}

impl Verifier<'_> {
    /// The number of the last entry that was verified.
    pub const fn sequence(&self) -> i64 {
        self.sequence
    }

    /// Verifies the next entry, in the order of their numbers.
    ///
    /// # Errors
    ///
    /// [`Fault::Missing`] or [`Fault::Changed`].
    pub fn entry(&mut self, entry: &Entry) -> Result<(), Fault> {
        let expected = self.sequence + 1;
        if entry.sequence > expected {
            return Err(Fault::Missing(expected));
        }
        let chain = self.chain;
        let is_next = entry.sequence == expected
            && chain.with_fields(&self.mac, entry, |key, parts| is_mac(key, parts, &entry.mac));
        if !is_next {
            return Err(Fault::Changed(entry.sequence));
        }
        self.sequence = expected;
        self.mac.clone_from(&entry.mac);
        Ok(())
    }

    /// Verifies that the chain ends here.
    ///
    /// # Errors
    ///
    /// [`Fault::Missing`] or [`Fault::Head`].
    pub fn finish(self, head: Option<&Head>) -> Result<Report, Fault> {
        match head {
            Some(head) if !self.chain.is_sealed(head) => return Err(Fault::Head),
            Some(head) if head.sequence > self.sequence => return Err(Fault::Missing(self.sequence + 1)),
            Some(head) if head.sequence == self.sequence && head.mac == self.mac => {}
            None if self.sequence == 0 => {}
            _ => return Err(Fault::Head),
        }
        Ok(Report { entries: self.sequence.cast_unsigned(), head: hex::encode(self.mac) })
    }
}
