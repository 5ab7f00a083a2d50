//! How a message is put together: one way for all profiles.

use alloc::vec::Vec;

use rand_core::TryCryptoRng;

use super::{KeyBundle, Recipient, id_scheme, key_parameters};
use crate::eccsi::SIGNATURE_OCTETS;
use crate::error::{Error, UsageError};
use crate::identity::{Uid, Uri};
use crate::kms::{KmsCertificate, UserKeys};
use crate::mikey::payload::{Extension, GeneralExtension, Idr, Payload, Rand, Sakke, Ts};
use crate::mikey::registry::{DataType, IdRole, IdType, PrfFunc, SType, SakkeParams};
use crate::mikey::{Header, Message};
use crate::sakke::Encapsulated;
use crate::time::Timestamp;

/// What all messages have in common that carry a key from one initiator in one key period.
#[derive(Clone)]
pub(super) struct Composer<'a> {
    keys: &'a UserKeys,
    bundle: &'a KeyBundle,
    /// The initiator's own UID.
    uid: Uid,
    /// SAKKE-to-self, if the profile has it.
    to_self: Option<GeneralExtension>,
}

impl<'a> Composer<'a> {
    pub(super) fn new(keys: &'a UserKeys, bundle: &'a KeyBundle) -> Result<Self, UsageError> {
        let certificate = keys.certificate();
        let uid = certificate.uid(keys.user(), keys.period())?;
        let to_self = match bundle.profile().has_sakke_to_self() {
            true => {
                let encapsulated = certificate.public_key().encapsulate(&uid, bundle.key())?;
                Some(Extension::SakkeToSelf(sakke(certificate, &encapsulated)).to_payload()?)
            }
            false => None,
        };
        Ok(Self { keys, bundle, uid, to_self })
    }

    pub(super) const fn bundle(&self) -> &'a KeyBundle {
        self.bundle
    }

    /// The message to a recipient with the given UID, signed.
    pub(super) fn message<R: TryCryptoRng + ?Sized>(
        &self,
        recipient: &Recipient,
        uid: &Uid,
        encapsulated: &Encapsulated,
        at: Timestamp,
        rng: &mut R,
    ) -> Result<Vec<u8>, Error> {
        let (keys, bundle, profile) = (self.keys, self.bundle, self.bundle.profile());
        let csb_id = bundle.id_for(&recipient.user)?;
        let mut payloads =
            Vec::from([Payload::T(Ts::NtpUtc(at.to_ntp())), Payload::Rand(Rand(bundle.rand().to_vec()))]);
        payloads.extend(match profile.hides_identities() {
            true => [
                identity(IdRole::INITIATOR_UID, self.uid.as_octets()),
                identity(IdRole::RESPONDER_UID, uid.as_octets()),
            ],
            false => [uri(IdRole::INITIATOR, keys.user()), uri(IdRole::RESPONDER, &recipient.user)],
        });
        payloads.push(uri(IdRole::INITIATOR_KMS, keys.certificate().kms_uri()));
        payloads.push(uri(IdRole::RESPONDER_KMS, recipient.certificate.kms_uri()));
        payloads.extend(profile.policies().iter().cloned().map(Payload::Sp));
        payloads.push(Payload::Sakke(sakke(&recipient.certificate, encapsulated)));
        payloads.extend(self.to_self.clone().map(Payload::GeneralExtension));
        if let Some(properties) = bundle.properties() {
            let extension = key_parameters::seal(properties, bundle.key(), csb_id, rng)?;
            payloads.push(Payload::GeneralExtension(extension));
        }
        let header = Header {
            data_type: DataType::SAKKE_MSG,
            v: false,
            prf_func: PrfFunc::HMAC_SHA_256,
            csb_id: csb_id.to_octets(),
            cs_id_map: profile.sessions().clone(),
        };
        let message = Message { header, payloads, sign: None };
        let mut octets = message.encode_to_be_signed(SType::ECCSI, SIGNATURE_OCTETS)?;
        let signature = keys.signing().sign(&octets, rng)?;
        octets.extend_from_slice(signature.as_octets());
        Ok(octets)
    }
}

fn sakke(certificate: &KmsCertificate, encapsulated: &Encapsulated) -> Sakke {
    let id_scheme = id_scheme(certificate.uid_format());
    Sakke { params: SakkeParams::SET_1, id_scheme, data: encapsulated.to_vec() }
}

fn uri(role: IdRole, uri: &Uri) -> Payload {
    identity(role, uri.as_str().as_bytes())
}

fn identity(role: IdRole, octets: &[u8]) -> Payload {
    Payload::Idr(Idr { role, id_type: IdType::URI, data: octets.to_vec() })
}
