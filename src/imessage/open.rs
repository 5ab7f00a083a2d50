//! The cryptographic part of receiving: verify, then decapsulate.

use alloc::vec::Vec;

use super::key_parameters::GROUP_MASTER_KEY;
use super::{KeyParameters, SkId, diversify};
use crate::eccsi::{Signature, VerifyingKey};
use crate::error::{Error, Rejected, UsageError};
use crate::mikey::Message;
use crate::mikey::i_message::IMessage;
use crate::mikey::registry::{ExtensionType, SType};
use crate::sakke::{ReceiverKey, Ssv};

/// What an I_MESSAGE held, once its signature and SAKKE's TEST have passed.
#[derive(Debug)]
pub struct Opened {
    /// The key.
    pub key: Ssv,
    /// The CSB-ID.
    pub csb_id: SkId,
    /// RAND, at least 16 octets.
    pub rand: Vec<u8>,
    /// The key parameters, where the message has them.
    pub key_parameters: Option<KeyParameters>,
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
        let key_type = self.key_parameters.as_ref().and_then(KeyParameters::key_type);
        if self.csb_id.purpose() == GROUP_MASTER_KEY || key_type == Some(GROUP_MASTER_KEY) {
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
    verify(&profile, octets, initiator)?;
    Ok(decapsulate(&profile, responder)?)
}

/// Verifies the signature, which covers all octets before it.
pub(super) fn verify(message: &IMessage<'_>, octets: &[u8], initiator: &VerifyingKey) -> Result<(), Rejected> {
    if message.sign.s_type != SType::ECCSI {
        return Err(Rejected);
    }
    let signature = Signature::try_from(message.sign.signature.as_slice())?;
    let signed = octets.len().checked_sub(signature.as_octets().len()).ok_or(Rejected)?;
    initiator.verify(&octets[..signed], &signature)
}

/// Takes the key out, and opens what is protected by it.
pub(super) fn decapsulate(message: &IMessage<'_>, responder: &ReceiverKey) -> Result<Opened, Rejected> {
    let key = responder.decapsulate(&message.sakke.data)?;
    let csb_id = SkId::from_octets(message.csb_id);
    let key_parameters = message.extension(ExtensionType::KEY_PARAMETERS);
    let key_parameters =
        key_parameters.map(|extension| KeyParameters::open(&extension.data, &key, csb_id)).transpose()?;
    Ok(Opened { key, csb_id, rand: message.rand.to_vec(), key_parameters })
}
