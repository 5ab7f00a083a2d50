//! A key that was extracted.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::key::{SrtpKeys, diversify};
use super::policy::Initiators;
use super::{KeyProperties, SkId};
use crate::error::{Refusal, UsageError};
use crate::identity::{Uid, Uri};
use crate::kms::KmsCertificate;
use crate::mikey::Message;
use crate::mikey::prf::Prf;
use crate::sakke::Ssv;
use crate::time::Timestamp;

/// A key that was extracted, and what the message says of it: who distributed it above all, by URI or, for now, by
/// UID alone.
#[derive(Clone, Debug)]
pub struct DistributedKey<I = Uri> {
    /// The key.
    pub key: Ssv,
    /// Its identifier, the same for all who got the key.
    pub id: SkId,
    /// The CSB-ID of the message: `id`, or where the purpose is diversified, the identifier by which this user knows
    /// the key.
    pub csb_id: SkId,
    /// Whether each user knows the key by an identifier of his own.
    pub is_diversified: bool,
    /// RAND, at least 16 octets: goes into what is derived from the key.
    pub rand: Vec<u8>,
    /// The PRF that keys are derived with.
    pub prf: Prf,
    /// Who distributed it.
    pub initiator: I,
    /// The KMS that he has his keys from. Where several are trusted, this and the URI together say who he is.
    pub initiator_kms: Uri,
    /// The timestamp of the message.
    pub timestamp: Timestamp,
    /// The properties that came with the key.
    pub properties: Option<KeyProperties>,
    /// The whole message, for its security policies and extensions.
    pub message: Message,
}

impl<I> DistributedKey<I> {
    /// Whether the key is in use at an instant, by the activation and expiry times of its properties. Its status is
    /// left to the caller: see [`KeyProperties::is_revoked`].
    pub fn is_in_use_at(&self, at: Timestamp) -> bool {
        let Some(properties) = &self.properties else { return at >= self.timestamp };
        let is_activated = match properties.activation {
            0 => at >= self.timestamp,
            activation => at.to_unix() >= activation,
        };
        is_activated && (properties.expiry == 0 || at.to_unix() < properties.expiry)
    }

    /// What SRTP starts from, for a crypto session of media that `sender` sends: with end-point diversity each sender
    /// has keys of his own, and MKI is the identifier of the key followed by his own; without, all have the same,
    /// and MKI is the identifier of the key.
    ///
    /// # Errors
    ///
    /// [`UsageError::FieldLength`] if the URI is longer than 65,535 octets.
    pub fn srtp_keys(&self, cs_id: u8, sender: &Uri) -> Result<SrtpKeys, UsageError> {
        if !self.is_diversified {
            return SrtpKeys::derive(self.prf, &self.key, cs_id, self.id, &self.rand);
        }
        let of_sender = diversify(&self.key, self.id, sender.as_str().as_bytes())?;
        let keys = SrtpKeys::derive(self.prf, &self.key, cs_id, of_sender, &self.rand)?;
        let mki = [self.id.to_octets(), of_sender.to_octets()].concat();
        Ok(SrtpKeys { mki, ..keys })
    }
}

/// An initiator that a message names by UID alone (TS 33.180, 5.2.6).
#[derive(Clone, Debug)]
pub struct HiddenInitiator {
    pub(super) uid: Uid,
    pub(super) certificate: Arc<KmsCertificate>,
    /// Those of whom the initiator has to be one.
    pub(super) accepted: Initiators,
}

impl HiddenInitiator {
    /// The UID, which the signature has confirmed.
    pub const fn uid(&self) -> &Uid {
        &self.uid
    }
}

impl DistributedKey<HiddenInitiator> {
    /// The key as one of the user whom the signalling around the message names, which is encrypted under the key.
    /// Until then the key serves for nothing else.
    ///
    /// # Errors
    ///
    /// [`Refusal::Initiator`] if the UID is not his, or policy does not accept his keys. The key is gone then.
    pub fn confirm(self, initiator: &Uri) -> Result<DistributedKey, Refusal> {
        let HiddenInitiator { uid, certificate, accepted } = &self.initiator;
        if certificate.uid_at(initiator, self.timestamp).as_ref() != Ok(uid)
            || !accepted.include(|user| user == initiator)
        {
            return Err(Refusal::Initiator);
        }
        Ok(self.map_initiator(|_| initiator.clone()))
    }
}

impl<I> DistributedKey<I> {
    /// The same key with another way to name the initiator.
    pub(super) fn map_initiator<J>(self, map: impl FnOnce(I) -> J) -> DistributedKey<J> {
        DistributedKey {
            key: self.key,
            id: self.id,
            csb_id: self.csb_id,
            is_diversified: self.is_diversified,
            rand: self.rand,
            prf: self.prf,
            initiator: map(self.initiator),
            initiator_kms: self.initiator_kms,
            timestamp: self.timestamp,
            properties: self.properties,
            message: self.message,
        }
    }
}
