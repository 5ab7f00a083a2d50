//! The side that extracts a key.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use sha2::{Digest, Sha256};

use super::policy::{Acceptance, Initiators, Policy};
use super::replay::ReplayCache;
use super::sender::{HomeKms, Name};
use super::{DistributedKey, HiddenInitiator, KeyProperties, SkId, diversify, open};
use crate::eccsi::VerifyingKey;
use crate::error::{Error, Refusal, UsageError};
use crate::identity::{Uid, Uri};
use crate::kms::{KmsCertificate, TrustedCertificates, UserKeys};
use crate::mikey::Message;
use crate::mikey::i_message::IMessage;
use crate::mikey::prf::Prf;
use crate::mikey::registry::{IdRole, IdType, SType};
use crate::time::Timestamp;

/// A client that extracts keys: one user, with his keys for one or more key periods, the KMSs whose users he accepts
/// keys from, and the memory of what he has accepted.
#[derive(Clone, Debug)]
pub struct Responder {
    keys: Vec<Arc<UserKeys>>,
    trusted: TrustedCertificates,
    policy: Policy,
    replay: ReplayCache,
}

impl Responder {
    /// A responder with the keys of one key period, that trusts no KMS yet, not even its own.
    ///
    /// Its replay cache is empty: after a restart see [`Responder::restarted`].
    pub fn new(keys: Arc<UserKeys>, policy: Policy) -> Self {
        let replay = ReplayCache::new(policy.window, policy.replay_capacity);
        Self { keys: vec![keys], trusted: TrustedCertificates::default(), policy, replay }
    }

    /// States that messages accepted up to now were forgotten: everything is refused that may have been among them,
    /// which is all that is stamped before the end of the window around this instant (RFC 3830, section 5.4).
    pub fn restarted(&mut self, now: Timestamp) {
        self.replay.forget_before(now);
    }

    /// The same with the memory of an earlier responder of this user, whose place it takes: what that one has accepted
    /// is not accepted again.
    #[must_use]
    pub fn remembering(self, earlier: Self) -> Self {
        Self { replay: self.replay.after(earlier.replay), ..self }
    }

    /// Adds the keys of the same user for another key period.
    pub fn add_keys(&mut self, keys: Arc<UserKeys>) {
        self.keys.push(keys);
    }

    /// Accepts messages from users of a KMS, while its certificate is valid and not revoked.
    ///
    /// # Errors
    ///
    /// Those of [`TrustedCertificates::add`].
    pub fn trust(&mut self, certificate: Arc<KmsCertificate>) -> Result<(), UsageError> {
        self.trusted.add(certificate)
    }

    /// Extracts the key from a message that names its initiator, at the local time `now`.
    ///
    /// The checks are made in this order: form, time window, replay, identities, signature, entry into the replay
    /// cache, purpose and initiator, decapsulation with TEST.
    ///
    /// # Errors
    ///
    /// [`Error::Decode`] for malformed octets, [`Error::Refused`] with the reason for a message that is not accepted,
    /// [`Error::Rejected`] if a cryptographic check fails.
    pub fn extract(&mut self, octets: &[u8], now: Timestamp) -> Result<DistributedKey, Error> {
        self.extract_from(octets, None, now)
    }

    /// As [`Responder::extract`], for a message that came in a session whose signalling names the initiator. The
    /// message need not name him too; if it does, by URI or UID, the names must agree.
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

    /// As [`Responder::extract`], for a message that names its initiator by UID alone, where the signalling that tells
    /// his URI is encrypted under the key (TS 33.180, 5.2.6).
    ///
    /// # Errors
    ///
    /// Those of [`Responder::extract`]; [`Refusal::UnnamedParty`] if the message has no UID of the initiator.
    pub fn extract_hidden(&mut self, octets: &[u8], now: Timestamp) -> Result<DistributedKey<HiddenInitiator>, Error> {
        let name = |message: &IMessage<'_>| {
            let uid = identity(message, IdRole::INITIATOR_UID).ok_or(Refusal::UnnamedParty)?;
            Uid::from_octets(uid).map_err(|_| Refusal::Initiator)
        };
        let received = self.receive(octets, name, now)?;
        Ok(received.map_initiator(|Sender { name: uid, home, accepted }| HiddenInitiator {
            uid,
            certificate: home.certificate,
            accepted,
        }))
    }

    fn extract_from(
        &mut self,
        octets: &[u8],
        signalled: Option<&Uri>,
        now: Timestamp,
    ) -> Result<DistributedKey, Error> {
        let name = |message: &IMessage<'_>| {
            let named = uri(message, IdRole::INITIATOR, Refusal::Initiator)?;
            match (named, signalled) {
                (Some(named), Some(signalled)) if named != *signalled => Err(Refusal::Initiator),
                (named, signalled) => named.or_else(|| signalled.cloned()).ok_or(Refusal::UnnamedParty),
            }
        };
        Ok(self.receive(octets, name, now)?.map_initiator(|sender| sender.name))
    }

    /// The whole way of a message, with the initiator called what `name` finds in it.
    fn receive<N: Name>(
        &mut self,
        octets: &[u8],
        name: impl FnOnce(&IMessage<'_>) -> Result<N, Refusal>,
        now: Timestamp,
    ) -> Result<DistributedKey<Sender<N>>, Error> {
        let tolerances = self.policy.tolerances;
        let message = Message::decode_with(octets, tolerances)?;
        let profile = IMessage::from_message_with(&message, tolerances)?;
        let timestamp = Timestamp::from_ntp(profile.timestamp, now);
        // Over the octets that are signed: the signature itself can be altered and still be valid.
        let hash = Sha256::digest(&octets[..octets.len() - profile.sign.signature.len()]).into();
        self.replay.check(timestamp, &hash, now)?;

        let name = name(&profile)?;
        let keys = self.own_keys(&profile, timestamp, now)?;
        let home = self.home_kms(&profile, &keys, timestamp)?;
        let prf = supported(&profile, &keys)?;
        let uid = name.uid(&home)?;
        if identity(&profile, IdRole::INITIATOR_UID).is_some_and(|stated| stated != uid.as_octets()) {
            return Err(Refusal::Initiator.into());
        }
        open::verify(&profile, octets, &VerifyingKey::new(home.certificate.kpak(), &uid), tolerances)?;
        self.replay.insert(timestamp, hash, now)?;

        let csb_id = SkId::from_octets(profile.csb_id);
        let acceptance = self.policy.acceptance(csb_id.purpose())?.clone();
        let Acceptance { initiators: accepted, kms, is_diversified } = acceptance;
        let initiator_kms = home.certificate.kms_uri().clone();
        if kms.is_some_and(|kms| kms != initiator_kms) || !name.is_among(&accepted, &home) {
            return Err(Refusal::Initiator.into());
        }
        let opened = open::decapsulate(&profile, profile.sakke, keys.receiver())?;
        let id = match is_diversified {
            true => diversify(&opened.key, csb_id, keys.user().as_str().as_bytes())?,
            false => csb_id,
        };
        let properties = opened.key_parameters.map(|content| KeyProperties::decode(content.expose())).transpose();
        Ok(DistributedKey {
            key: opened.key,
            id,
            csb_id,
            is_diversified,
            rand: opened.rand,
            prf,
            initiator: Sender { name, home, accepted },
            initiator_kms,
            timestamp,
            properties: properties.map_err(|_| Refusal::KeyParameters)?,
            message,
        })
    }

    /// The keys of the user that the message is for, of the key period that its timestamp falls in, if they may be used
    /// now.
    fn own_keys(&self, message: &IMessage<'_>, timestamp: Timestamp, now: Timestamp) -> Result<Arc<UserKeys>, Refusal> {
        let usable = |keys: &&Arc<UserKeys>| {
            let certificate = keys.certificate();
            let format = certificate.uid_format();
            let overlap = self.policy.overlap.unwrap_or_else(|| format.overlap());
            format.period_at(timestamp) == Ok(keys.period())
                && format.accepts(keys.period(), now, overlap)
                && certificate.is_usable_at(timestamp)
                && !self.trusted.is_revoked(certificate)
        };
        let keys = self.keys.iter().find(usable).ok_or(Refusal::KeyPeriod)?;
        let responder = uri(message, IdRole::RESPONDER, Refusal::NotForUs)?;
        if responder.is_some_and(|responder| responder != *keys.user()) {
            return Err(Refusal::NotForUs);
        }
        if let Some(stated) = identity(message, IdRole::RESPONDER_UID) {
            let own = keys.certificate().uid(keys.user(), keys.period()).map_err(|_| Refusal::KeyPeriod)?;
            if stated != own.as_octets() {
                return Err(Refusal::NotForUs);
            }
        }
        let kms = uri(message, IdRole::RESPONDER_KMS, Refusal::UntrustedKms)?;
        if kms.is_some_and(|kms| kms != *keys.certificate().kms_uri()) {
            return Err(Refusal::UntrustedKms);
        }
        Ok(keys.clone())
    }

    /// The KMS that the initiator has his keys from: ours, unless the message names another.
    fn home_kms(&self, message: &IMessage<'_>, own: &UserKeys, at: Timestamp) -> Result<HomeKms, Refusal> {
        let named = uri(message, IdRole::INITIATOR_KMS, Refusal::UntrustedKms)?;
        let kms = named.as_ref().unwrap_or(own.certificate().kms_uri());
        let certificate = self.trusted.select(kms, at).ok_or(Refusal::UntrustedKms)?.clone();
        Ok(HomeKms { certificate, at })
    }
}

/// An initiator as the message names him, and what policy asks of him.
#[derive(Debug)]
struct Sender<N> {
    name: N,
    home: HomeKms,
    accepted: Initiators,
}

/// The PRF of a message, if that is supported, and the algorithms and security policies of the message are.
fn supported(message: &IMessage<'_>, own: &UserKeys) -> Result<Prf, Refusal> {
    if message.sign.s_type != SType::ECCSI || !open::is_supported(message.sakke, own) {
        return Err(Refusal::Unsupported);
    }
    message.policies().try_for_each(|policy| policy.srtp_params().map(drop))?;
    Prf::from_func(message.message().header.prf_func).ok_or(Refusal::Prf)
}

/// The octets that the message gives for a role.
fn identity<'a>(message: &IMessage<'a>, role: IdRole) -> Option<&'a [u8]> {
    message.idr(role).map(|identity| identity.data.as_slice())
}

/// The URI that the message gives for a role; refused with the reason given if it is none in canonical spelling.
fn uri(message: &IMessage<'_>, role: IdRole, refusal: Refusal) -> Result<Option<Uri>, Refusal> {
    let Some(identity) = message.idr(role) else { return Ok(None) };
    let text = core::str::from_utf8(&identity.data).ok().filter(|_| identity.id_type == IdType::URI);
    text.and_then(|text| Uri::parse(text).ok()).map(Some).ok_or(refusal)
}
