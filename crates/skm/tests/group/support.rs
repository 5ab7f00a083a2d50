//! A domain in memory, its manager, its members, and a place for messages.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use getrandom::SysRng;
use mikey_sakke::identity::{UidFormat, Uri};
use mikey_sakke::imessage::{DistributedKey, Purpose};
use mikey_sakke::km::domain::{Domain, DomainCertificate, Periods};
use mikey_sakke::kms::{Kms, UserKeys};
use mikey_sakke::mikey::Message;
use mikey_sakke::mikey::payload::Payload;
use mikey_sakke::time::Timestamp;
use skm::client::{CacheSettings, ClientError, Due, IdentityKeys, KeyCache, Provisioned};
use skm::group::{Group, GroupError, Outcome, Provider, Sink, State, StateError, distribute};
use skm::seal::{KEY_OCTETS, SealKey};
use tempfile::TempDir;

pub(crate) const NOW: u64 = 1_795_000_000;
pub(crate) const PERIOD: u64 = 2_592_000;
pub(crate) const MANAGER: &str = "sip:groups@example.org";
pub(crate) const FLEET: &str = "sip:fleet@example.org";
pub(crate) const SEAL: [u8; KEY_OCTETS] = [0x5a; KEY_OCTETS];

/// One for all tests, as they take long to make.
static KMS: LazyLock<Kms> = LazyLock::new(|| kms("kms.example.org"));

pub(crate) fn kms(name: &str) -> Kms {
    Kms::generate(uri(name), UidFormat::hashed(PERIOD, 0).unwrap(), &mut SysRng).unwrap()
}

pub(crate) fn uri(text: &str) -> Uri {
    Uri::parse(text).unwrap()
}

pub(crate) fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix(seconds).unwrap()
}

/// The URIs of so many members.
pub(crate) fn members(count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("sip:member{number}@example.org")).collect()
}

pub(crate) fn domain(kms: &Kms) -> Domain {
    let certificate = DomainCertificate::new(kms.certificate(), Periods { from: 0, to: None }, None).unwrap();
    let mut domain = Domain::new(uri("sip:skms.example.org"), vec![certificate]).unwrap();
    domain.group_managers.insert(uri(MANAGER));
    domain
}

pub(crate) fn group() -> Group {
    Group { manager: uri(MANAGER), uri: uri(FLEET), purpose: Purpose::GMK }
}

/// A server of identity keys, and the time in its domain.
pub(crate) struct House {
    kms: Option<Kms>,
    pub(crate) domain: RefCell<Domain>,
    pub(crate) now: Cell<Timestamp>,
    /// How much time passes from one request to the next.
    pub(crate) pace: Cell<Duration>,
    /// How many requests are answered.
    pub(crate) patience: Cell<usize>,
    pub(crate) directory: TempDir,
}

impl House {
    pub(crate) fn new() -> Self {
        Self {
            kms: None,
            domain: RefCell::new(domain(&KMS)),
            now: Cell::new(at(NOW)),
            pace: Cell::default(),
            patience: Cell::new(usize::MAX),
            directory: TempDir::new().unwrap(),
        }
    }

    /// The same house after all its secrets were replaced, under another name.
    pub(crate) fn moved(self, kms: Kms) -> Self {
        Self { domain: RefCell::new(domain(&kms)), kms: Some(kms), ..self }
    }

    fn kms(&self) -> &Kms {
        self.kms.as_ref().unwrap_or(&KMS)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The state of the group, sealed with the one key.
    pub(crate) fn state(&self) -> State {
        self.open(&SEAL, group()).unwrap()
    }

    pub(crate) fn open(&self, seal: &[u8; KEY_OCTETS], group: Group) -> Result<State, StateError> {
        State::open(self.path("state"), SealKey::new(seal), group)
    }

    /// Distributes to members, from the state as it is in its file.
    pub(crate) fn distribute(&self, members: &[String], sink: &mut dyn Sink) -> Result<Outcome, GroupError> {
        distribute(self, &mut self.state(), members, sink, &mut |_| ())
    }

    /// The keys of a user for the key period that it is.
    pub(crate) fn keys(&self, user: &Uri) -> Provisioned {
        let domain = self.domain.borrow();
        let period = domain.uid_format().period_at(self.now.get()).unwrap();
        let key_set = self.kms().issue(user, period, &mut SysRng).unwrap();
        let keys = UserKeys::import(domain.certificates()[0].certificate(), &key_set).unwrap();
        Provisioned { keys: Arc::new(keys), key_set }
    }

    /// The key in a message, as the user whom it is for extracts it with the policy of an SKM-C.
    pub(crate) fn extract(&self, user: &str, message: &[u8]) -> Result<DistributedKey, mikey_sakke::Error> {
        let mut cache = KeyCache::new(uri(user), CacheSettings::default());
        self.fill(&mut cache).unwrap();
        cache.responder().unwrap().extract(message, self.now.get())
    }

    fn fill(&self, cache: &mut KeyCache) -> Result<(), ClientError> {
        let now = self.now.get();
        let keys = match cache.due(now, &mut SysRng)? {
            Due::Nothing => return Ok(()),
            Due::Keys => Some(IdentityKeys { current: self.keys(cache.user()), next: None }),
            _ => None,
        };
        cache.take(self.domain.borrow().clone(), keys, now, &mut SysRng)
    }
}

impl Provider for House {
    fn domain(&self) -> Result<Domain, ClientError> {
        Ok(self.domain.borrow().clone())
    }

    fn provide(&self, cache: &mut KeyCache) -> Result<Timestamp, ClientError> {
        self.patience.set(self.patience.get().checked_sub(1).ok_or(ClientError::Thread)?);
        self.fill(cache)?;
        let now = self.now.get();
        self.now.set(now.saturating_add(self.pace.get()));
        Ok(now)
    }
}

/// Keeps the messages, and fails as it is told to.
#[derive(Default)]
pub(crate) struct Mailbox {
    /// By member, with the numbers that they came with.
    pub(crate) messages: BTreeMap<Uri, Vec<(usize, Vec<u8>)>>,
    /// Those to whom nothing can be delivered.
    pub(crate) unreachable: Vec<Uri>,
    /// After how many messages the program ends.
    pub(crate) crash_after: Option<usize>,
    /// Whether nothing can be kept.
    pub(crate) is_full: bool,
}

impl Mailbox {
    /// How many messages there are.
    pub(crate) fn count(&self) -> usize {
        self.messages.values().map(Vec::len).sum()
    }

    /// All messages with their members.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Uri, &[u8])> {
        self.messages.iter().flat_map(|(user, messages)| messages.iter().map(move |(_, message)| (user, &message[..])))
    }
}

impl Sink for Mailbox {
    fn deliver(&mut self, number: usize, member: &Uri, message: &[u8]) -> Result<(), Box<dyn Error + Send + Sync>> {
        if self.unreachable.contains(member) {
            return Err("no such mailbox".into());
        }
        assert!(self.crash_after != Some(self.count()), "the program ends here");
        self.messages.entry(member.clone()).or_default().push((number, message.to_vec()));
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Box<dyn Error + Send + Sync>> {
        if self.is_full { Err("no space left".into()) } else { Ok(()) }
    }
}

/// SK-ID and RAND, as a message has them for all to see.
pub(crate) fn id_and_rand(message: &[u8]) -> ([u8; 4], Vec<u8>) {
    let message = Message::decode(message).unwrap();
    let rand = message.payloads.iter().find_map(|payload| match payload {
        Payload::Rand(rand) => Some(rand.0.clone()),
        _ => None,
    });
    (message.header.csb_id, rand.unwrap())
}
