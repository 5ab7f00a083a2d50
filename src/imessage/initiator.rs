//! The side that distributes a key.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use rand_core::TryCryptoRng;

use super::{KeyBundle, id_scheme};
use crate::eccsi::SIGNATURE_OCTETS;
use crate::error::{Error, UsageError};
use crate::identity::{Uid, Uri};
use crate::kms::{KmsCertificate, UserKeys};
use crate::mikey::payload::{Idr, Payload, Rand, Sakke, Ts};
use crate::mikey::registry::{DataType, IdRole, IdType, PrfFunc, SType, SakkeParams};
use crate::mikey::{CsIdMap, Header, Message};
use crate::sakke::{Encapsulated, encapsulate_batch};
use crate::time::Timestamp;

/// Whom a key is for: a user, and the KMS that he has his keys from.
#[derive(Clone, Debug)]
pub struct Recipient {
    /// The user.
    pub user: Uri,
    /// The certificate of his KMS.
    pub certificate: Arc<KmsCertificate>,
}

/// A client that distributes keys: one user, with his keys for one or more key periods.
#[derive(Clone, Debug)]
pub struct Initiator {
    keys: Vec<Arc<UserKeys>>,
}

impl Initiator {
    /// An initiator with the keys of one key period.
    pub fn new(keys: Arc<UserKeys>) -> Self {
        Self { keys: vec![keys] }
    }

    /// Adds the keys of the same user for another key period.
    pub fn add_keys(&mut self, keys: Arc<UserKeys>) {
        self.keys.push(keys);
    }

    /// Makes a message that carries a key to a recipient.
    ///
    /// `at` becomes its timestamp and decides which key period counts. Each message from one initiator to one recipient
    /// must have a timestamp of its own.
    ///
    /// # Errors
    ///
    /// [`UsageError::KeyPeriod`] if no keys are held for the key period of `at`; [`UsageError::UidFormat`] if the
    /// recipient's URI does not fit the format of his KMS; [`Error::Random`] if the random source fails.
    pub fn distribute<R: TryCryptoRng + ?Sized>(
        &self,
        bundle: &KeyBundle,
        recipient: &Recipient,
        at: Timestamp,
        rng: &mut R,
    ) -> Result<Vec<u8>, Error> {
        let uid = recipient.certificate.uid_at(&recipient.user, at)?;
        let keys = self.keys_at(at)?;
        let encapsulated = recipient.certificate.public_key().encapsulate(&uid, bundle.key())?;
        sign(keys, bundle, recipient, &encapsulated, at, rng)
    }

    /// Makes a message for each member of a group, in the order of the recipients. A recipient for whom it fails does not
    /// keep the others from theirs. The iterator works in batches of [`Initiator::BATCH`], and holds no more than one.
    ///
    /// The messages are stamped one after the other from `at` on, 2^-32 seconds apart, and all in its key period.
    /// Errors are those of [`Initiator::distribute`].
    pub fn distribute_to_group<'a, R: TryCryptoRng + ?Sized>(
        &'a self,
        bundle: &'a KeyBundle,
        recipients: &'a [Recipient],
        at: Timestamp,
        rng: &'a mut R,
    ) -> impl Iterator<Item = Result<Vec<u8>, Error>> + use<'a, R> {
        let group = self.group(bundle, recipients.len(), at);
        let batches = recipients.chunks(Self::BATCH).enumerate();
        batches.flat_map(move |(number, batch)| group.messages(number * Self::BATCH, batch, rng))
    }

    /// How many messages are made at a time.
    pub const BATCH: usize = 64;

    /// What the messages to so many members of a group have in common.
    pub(super) fn group<'a>(&'a self, bundle: &'a KeyBundle, members: usize, at: Timestamp) -> Group<'a> {
        let stamps = self.keys_at(at).and_then(|keys| Ok((keys.as_ref(), first_stamp(keys, members, at)?)));
        Group { bundle, stamps }
    }

    /// The keys of the key period that an instant falls in.
    fn keys_at(&self, at: Timestamp) -> Result<&Arc<UserKeys>, UsageError> {
        let in_period = |keys: &&Arc<UserKeys>| {
            keys.certificate().uid_format().period_at(at).is_ok_and(|period| period == keys.period())
        };
        self.keys.iter().find(in_period).ok_or(UsageError::KeyPeriod)
    }
}

/// What the messages to a group have in common.
#[derive(Clone, Copy)]
pub(super) struct Group<'a> {
    bundle: &'a KeyBundle,
    /// The keys that sign, and the first timestamp.
    stamps: Result<(&'a UserKeys, Timestamp), UsageError>,
}

impl Group<'_> {
    /// A message for each of some recipients, the first of whom is the member at `position`.
    pub(super) fn messages<R: TryCryptoRng + ?Sized>(
        &self,
        position: usize,
        recipients: &[Recipient],
        rng: &mut R,
    ) -> Vec<Result<Vec<u8>, Error>> {
        let (keys, first) = match self.stamps {
            Ok(stamps) => stamps,
            Err(error) => return vec![Err(error.into()); recipients.len()],
        };
        let stamp = |index: usize| first.offset_ticks((position + index) as i64);
        let uids: Vec<Result<Uid, UsageError>> = recipients
            .iter()
            .enumerate()
            .map(|(index, recipient)| recipient.certificate.uid_at(&recipient.user, stamp(index)))
            .collect();
        let with_uid = recipients
            .iter()
            .zip(&uids)
            .filter_map(|(recipient, uid)| uid.as_ref().ok().map(|uid| (recipient.certificate.public_key(), uid)));
        let mut encapsulated = encapsulate_batch(&with_uid.collect::<Vec<_>>(), self.bundle.key()).into_iter();
        let message = |(index, (recipient, uid)): (usize, (&Recipient, Result<Uid, UsageError>))| {
            let encapsulated = uid.and_then(|_| encapsulated.next().unwrap_or(Err(UsageError::Range)))?;
            sign(keys, self.bundle, recipient, &encapsulated, stamp(index), rng)
        };
        recipients.iter().zip(uids).enumerate().map(message).collect()
    }
}

/// The message that carries encapsulated data, signed.
fn sign<R: TryCryptoRng + ?Sized>(
    keys: &UserKeys,
    bundle: &KeyBundle,
    recipient: &Recipient,
    encapsulated: &Encapsulated,
    at: Timestamp,
    rng: &mut R,
) -> Result<Vec<u8>, Error> {
    let message = Message {
        header: Header {
            data_type: DataType::SAKKE_MSG,
            v: false,
            prf_func: PrfFunc::HMAC_SHA_256,
            csb_id: bundle.id().to_octets(),
            cs_id_map: CsIdMap::EMPTY,
        },
        payloads: vec![
            Payload::T(Ts::NtpUtc(at.to_ntp())),
            Payload::Rand(Rand(bundle.rand().to_vec())),
            uri(IdRole::INITIATOR, keys.user()),
            uri(IdRole::RESPONDER, &recipient.user),
            uri(IdRole::INITIATOR_KMS, keys.certificate().kms_uri()),
            uri(IdRole::RESPONDER_KMS, recipient.certificate.kms_uri()),
            Payload::Sakke(Sakke {
                params: SakkeParams::SET_1,
                id_scheme: id_scheme(recipient.certificate.uid_format()),
                data: encapsulated.to_vec(),
            }),
        ],
        sign: None,
    };
    let mut octets = message.encode_to_be_signed(SType::ECCSI, SIGNATURE_OCTETS)?;
    let signature = keys.signing().sign(&octets, rng)?;
    octets.extend_from_slice(signature.as_octets());
    Ok(octets)
}

fn uri(role: IdRole, uri: &Uri) -> Payload {
    Payload::Idr(Idr { role, id_type: IdType::URI, data: uri.as_str().as_bytes().to_vec() })
}

/// The first of `count` timestamps from `at` on; earlier, if they would otherwise reach into the next key period.
fn first_stamp(keys: &UserKeys, count: usize, at: Timestamp) -> Result<Timestamp, UsageError> {
    let count = i64::try_from(count).map_err(|_| UsageError::Range)?;
    let (start, end) = keys.certificate().uid_format().span(keys.period())?;
    Ok(at.min(end.offset_ticks(-count)).max(start))
}
