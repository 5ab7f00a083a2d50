//! The side that extracts a key.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use sha2::{Digest, Sha256};

use super::replay::ReplayCache;
use super::{KeyParameters, SkId, id_scheme, open};
use crate::eccsi::VerifyingKey;
use crate::error::{Error, Refusal};
use crate::identity::{Overlap, Uri};
use crate::kms::{KmsCertificate, UserKeys};
use crate::mikey::Message;
use crate::mikey::i_message::IMessage;
use crate::mikey::registry::{IdRole, IdType, SType, SakkeParams};
use crate::sakke::Ssv;
use crate::time::Timestamp;

/// What a responder accepts.
#[derive(Clone, Debug)]
pub struct Policy {
    /// How far the timestamp of a message may be from the local time, either way: 5 minutes by default.
    pub window: Duration,
    /// How long before and after its key period a key is used; by default what [`UidFormat::overlap`] recommends.
    ///
    /// [`UidFormat::overlap`]: crate::identity::UidFormat::overlap
    pub overlap: Option<Overlap>,
    /// Whose keys are accepted: by default, those of any user of a trusted KMS.
    pub initiators: Initiators,
    /// The purposes of keys that are expected, by the first 4 bits of the SK-ID; by default any.
    pub purposes: Option<BTreeSet<u8>>,
    /// How many messages the replay cache holds, each for as long as its timestamp is acceptable: 65,536 by default.
    /// When it is full, messages are refused until some expire.
    pub replay_capacity: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(300),
            overlap: None,
            initiators: Initiators::Any,
            purposes: None,
            replay_capacity: 65_536,
        }
    }
}

/// Whose keys are accepted.
#[derive(Clone, Debug)]
pub enum Initiators {
    /// Those of any user of a trusted KMS.
    Any,
    /// Those of these users.
    Only(BTreeSet<Uri>),
    /// Those of any user of a trusted KMS but these.
    AllBut(BTreeSet<Uri>),
}

impl Initiators {
    fn include(&self, initiator: &Uri) -> bool {
        match self {
            Self::Any => true,
            Self::Only(allowed) => allowed.contains(initiator),
            Self::AllBut(blocked) => !blocked.contains(initiator),
        }
    }
}

/// A key that was extracted, and what the message says of it.
#[derive(Debug)]
pub struct DistributedKey {
    /// The key.
    pub key: Ssv,
    /// Its identifier, the CSB-ID of the message.
    pub id: SkId,
    /// RAND, at least 16 octets: goes into what is derived from the key.
    pub rand: Vec<u8>,
    /// Who distributed it.
    pub initiator: Uri,
    /// The timestamp of the message.
    pub timestamp: Timestamp,
    /// The key parameters, where the message has them.
    pub key_parameters: Option<KeyParameters>,
    /// The whole message, for its security policies and extensions.
    pub message: Message,
}

/// A client that extracts keys: one user, with his keys for one or more key periods, the KMSs whose users he accepts
/// keys from, and the memory of what he has accepted.
#[derive(Clone, Debug)]
pub struct Responder {
    keys: Vec<Arc<UserKeys>>,
    trusted: BTreeMap<Uri, Arc<KmsCertificate>>,
    policy: Policy,
    replay: ReplayCache,
}

impl Responder {
    /// A responder with the keys of one key period, that trusts no KMS yet, not even its own.
    ///
    /// Its replay cache is empty: after a restart see [`Responder::restarted`].
    pub fn new(keys: Arc<UserKeys>, policy: Policy) -> Self {
        let replay = ReplayCache::new(policy.window, policy.replay_capacity);
        Self { keys: vec![keys], trusted: BTreeMap::new(), policy, replay }
    }

    /// States that messages accepted up to now were forgotten: everything is refused that may have been among them,
    /// which is all that is stamped before the end of the window around this instant (RFC 3830, section 5.4).
    pub fn restarted(&mut self, now: Timestamp) {
        self.replay.forget_before(now);
    }

    /// Adds the keys of the same user for another key period.
    pub fn add_keys(&mut self, keys: Arc<UserKeys>) {
        self.keys.push(keys);
    }

    /// Accepts messages from users of a KMS, in place of an earlier certificate for the same URI.
    pub fn trust(&mut self, certificate: Arc<KmsCertificate>) {
        self.trusted.insert(certificate.kms_uri().clone(), certificate);
    }

    /// Extracts the key from a message that names its initiator, at the local time `now`.
    ///
    /// The checks are made in this order: form, time window, replay, identities, signature, entry into the replay
    /// cache, decapsulation with TEST, purpose.
    ///
    /// # Errors
    ///
    /// [`Error::Decode`] for malformed octets, [`Error::Refused`] with the reason for a message that is not accepted,
    /// [`Error::Rejected`] if a cryptographic check fails.
    pub fn extract(&mut self, octets: &[u8], now: Timestamp) -> Result<DistributedKey, Error> {
        self.extract_from(octets, None, now)
    }

    /// As [`Responder::extract`], for a message that came in a session whose signalling names the initiator. The
    /// message need not name him too; if it does, the names must agree.
    ///
    /// # Errors
    ///
    /// Those of [`Responder::extract`].
    pub fn extract_signalled(
        &mut self,
        octets: &[u8],
        initiator: &Uri,
        now: Timestamp,
    ) -> Result<DistributedKey, Error> {
        self.extract_from(octets, Some(initiator), now)
    }

    fn extract_from(
        &mut self,
        octets: &[u8],
        signalled: Option<&Uri>,
        now: Timestamp,
    ) -> Result<DistributedKey, Error> {
        let message = Message::decode(octets)?;
        let profile = IMessage::from_message(&message)?;
        let timestamp = Timestamp::from_ntp(profile.timestamp, now);
        // Over the octets that are signed: the signature itself can be altered and still be valid.
        let hash = Sha256::digest(&octets[..octets.len() - profile.sign.signature.len()]).into();
        self.replay.check(timestamp, &hash, now)?;

        let parties = self.parties(&profile, signalled, timestamp, now)?;
        open::verify(&profile, octets, &parties.verifying_key)?;
        self.replay.insert(timestamp, hash, now)?;

        let opened = open::decapsulate(&profile, parties.keys.receiver())?;
        if self.policy.purposes.as_ref().is_some_and(|expected| !expected.contains(&opened.csb_id.purpose())) {
            return Err(Refusal::Purpose.into());
        }
        Ok(DistributedKey {
            key: opened.key,
            id: opened.csb_id,
            rand: opened.rand,
            initiator: parties.initiator,
            timestamp,
            key_parameters: opened.key_parameters,
            message,
        })
    }

    /// Who the message is from and to, by policy and by the key period of its timestamp.
    fn parties(
        &self,
        message: &IMessage<'_>,
        signalled: Option<&Uri>,
        timestamp: Timestamp,
        now: Timestamp,
    ) -> Result<Parties, Refusal> {
        let initiator = named(message, IdRole::INITIATOR, Refusal::Initiator)?;
        let initiator = match (initiator, signalled) {
            (Some(named), Some(signalled)) if named != *signalled => return Err(Refusal::Initiator),
            (named, signalled) => named.or_else(|| signalled.cloned()).ok_or(Refusal::UnnamedParty)?,
        };
        if !self.policy.initiators.include(&initiator) {
            return Err(Refusal::Initiator);
        }

        let keys = self.keys_at(timestamp, now)?;
        let own_kms = keys.certificate();
        if named(message, IdRole::RESPONDER, Refusal::NotForUs)?.is_some_and(|responder| responder != *keys.user()) {
            return Err(Refusal::NotForUs);
        }
        let responder_kms = named(message, IdRole::RESPONDER_KMS, Refusal::UntrustedKms)?;
        if responder_kms.is_some_and(|kms| kms != *own_kms.kms_uri()) {
            return Err(Refusal::UntrustedKms);
        }
        let initiator_kms = named(message, IdRole::INITIATOR_KMS, Refusal::UntrustedKms)?;
        let initiator_kms = initiator_kms.unwrap_or_else(|| own_kms.kms_uri().clone());
        let certificate = self.trusted.get(&initiator_kms).ok_or(Refusal::UntrustedKms)?;

        let is_supported = message.sign.s_type == SType::ECCSI
            && message.sakke.params == SakkeParams::SET_1
            && message.sakke.id_scheme == id_scheme(own_kms.uid_format());
        if !is_supported {
            return Err(Refusal::Unsupported);
        }
        let uid = certificate.uid_at(&initiator, timestamp).map_err(|_| Refusal::Initiator)?;
        Ok(Parties { verifying_key: VerifyingKey::new(certificate.kpak(), &uid), keys: keys.clone(), initiator })
    }

    /// The keys of the key period that the timestamp falls in, if they may be used now.
    fn keys_at(&self, timestamp: Timestamp, now: Timestamp) -> Result<&Arc<UserKeys>, Refusal> {
        let usable = |keys: &&Arc<UserKeys>| {
            let format = keys.certificate().uid_format();
            let overlap = self.policy.overlap.unwrap_or_else(|| format.overlap());
            format.period_at(timestamp) == Ok(keys.period()) && format.accepts(keys.period(), now, overlap)
        };
        self.keys.iter().find(usable).ok_or(Refusal::KeyPeriod)
    }
}

/// The two ends of a message.
struct Parties {
    initiator: Uri,
    verifying_key: VerifyingKey,
    keys: Arc<UserKeys>,
}

/// The URI that the message gives for a role; refused with the reason given if it is none in canonical spelling.
fn named(message: &IMessage<'_>, role: IdRole, refusal: Refusal) -> Result<Option<Uri>, Refusal> {
    let Some(identity) = message.idr(role) else { return Ok(None) };
    let text = core::str::from_utf8(&identity.data).ok().filter(|_| identity.id_type == IdType::URI);
    text.and_then(|text| Uri::parse(text).ok()).map(Some).ok_or(refusal)
}
