//! The cryptographic part of receiving: verify, then decapsulate.

use alloc::vec::Vec;

use super::{Purpose, SkId, diversify, id_scheme, key_parameters};
use crate::eccsi::{Signature, VerifyingKey};
use crate::error::{Error, Rejected, UsageError};
use crate::kms::UserKeys;
use crate::mikey::i_message::IMessage;
use crate::mikey::payload::Sakke;
use crate::mikey::registry::{ExtensionType, SType, SakkeParams};
use crate::mikey::{Message, Tolerances};
use crate::sakke::{ReceiverKey, Ssv};
use crate::secret::Secret;

/// What an I_MESSAGE held, once its signature and SAKKE's TEST have passed.
#[derive(Debug)]
pub struct Opened {
    /// The key.
    pub key: Ssv,
    /// The CSB-ID.
    pub csb_id: SkId,
    /// RAND, at least 16 octets.
    pub rand: Vec<u8>,
    /// The content of the key parameters, where the message has them: see [`KeyProperties::decode`].
    ///
    /// [`KeyProperties::decode`]: super::KeyProperties::decode
    pub key_parameters: Option<Secret<Vec<u8>>>,
}

impl Opened {
    /// The identifier of the key under the profiles of TS 33.180: a group master key is sent to each user under an
    /// identifier of his own, and this is the one that all share; others go by the CSB-ID.
    ///
    /// A group master key is known by the purpose in the CSB-ID, or by the key type in the key parameters.
    ///
    /// # Errors
    ///
    /// [`UsageError::FieldLength`] if the user's URI is longer than 65,535 octets.
    pub fn key_id(&self, user: &[u8]) -> Result<SkId, UsageError> {
        let key_type = self.key_parameters.as_ref().and_then(|parameters| parameters.expose().first());
        if self.csb_id.purpose() == Purpose::GMK || key_type == Some(&Purpose::GMK.number()) {
            diversify(&self.key, self.csb_id, user)
        } else {
            Ok(self.csb_id)
        }
    }
}

/// Opens a message for given identities, with neither clock nor replay cache nor policy.
#[cfg_attr(not(feature = "hazmat"), expect(dead_code, reason = "called by hazmat alone"))]
pub(crate) fn open(octets: &[u8], initiator: &VerifyingKey, responder: &ReceiverKey) -> Result<Opened, Error> {
    let message = Message::decode(octets)?;
    let profile = IMessage::from_message(&message)?;
    verify(&profile, octets, initiator, Tolerances::default())?;
    Ok(decapsulate(&profile, profile.sakke, responder)?)
}

/// Verifies the signature, which covers all octets before it, or as many as a tolerance allows.
pub(super) fn verify(
    message: &IMessage<'_>,
    octets: &[u8],
    initiator: &VerifyingKey,
    tolerances: Tolerances,
) -> Result<(), Rejected> {
    if message.sign.s_type != SType::ECCSI {
        return Err(Rejected);
    }
    let signature = Signature::try_from(message.sign.signature.as_slice())?;
    let mut lengths = message.message().signed_lengths(tolerances);
    let verifies = |length| octets.get(..length).is_some_and(|signed| initiator.verify(signed, &signature).is_ok());
    if lengths.any(verifies) { Ok(()) } else { Err(Rejected) }
}

/// Whether a SAKKE payload is of the parameter set that is implemented, and for identities as the user's KMS forms
/// them.
pub(super) fn is_supported(sakke: &Sakke, keys: &UserKeys) -> bool {
    sakke.params == SakkeParams::SET_1 && sakke.id_scheme == id_scheme(keys.certificate().uid_format())
}

/// Takes the key out of a SAKKE payload of the message, and opens what is protected by it.
pub(super) fn decapsulate(message: &IMessage<'_>, sakke: &Sakke, receiver: &ReceiverKey) -> Result<Opened, Rejected> {
    let key = receiver.decapsulate(&sakke.data)?;
    let csb_id = SkId::from_octets(message.csb_id);
    let extension = message.extension(ExtensionType::KEY_PARAMETERS);
    let key_parameters = extension.map(|extension| key_parameters::open(extension, &key, csb_id)).transpose()?;
    Ok(Opened { key, csb_id, rand: message.rand.to_vec(), key_parameters })
}
