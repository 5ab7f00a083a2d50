//! The side that distributes a key.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use rand_core::TryCryptoRng;

use super::compose::Composer;
use super::{KeyBundle, Opened, open};
use crate::error::{Error, Refusal, UsageError};
use crate::identity::{Uid, Uri};
use crate::kms::{KmsCertificate, UserKeys};
use crate::mikey::i_message::IMessage;
use crate::mikey::payload::{Extension, GeneralExtension};
use crate::mikey::registry::ExtensionType;
use crate::mikey::{Message, Tolerances};
use crate::sakke::encapsulate_batch;
use crate::time::Timestamp;

/// Whom a key is for: a user, and the KMS that he has his keys from.
#[derive(Clone, Debug)]
pub struct Recipient {
    /// The user.
    pub user: Uri,
    /// The certificate of his KMS.
    pub certificate: Arc<KmsCertificate>,
}

impl Recipient {
    /// The UID that the key is encapsulated to.
    fn uid_at(&self, at: Timestamp) -> Result<Uid, UsageError> {
        match self.certificate.is_usable_at(at) {
            true => self.certificate.uid_at(&self.user, at),
            false => Err(UsageError::Certificate),
        }
    }
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
    /// [`UsageError::KeyPeriod`] if no usable keys are held for the key period of `at`; [`UsageError::Certificate`] if
    /// the recipient's KMS certificate is not usable then; [`UsageError::UidFormat`] if the recipient's URI does
    /// not fit the format of his KMS; [`UsageError::FieldLength`] or [`UsageError::OnlyTolerated`] if sessions,
    /// policies or properties do not fit the message; [`Error::Random`] if the random source fails.
    pub fn distribute<R: TryCryptoRng + ?Sized>(
        &self,
        bundle: &KeyBundle,
        recipient: &Recipient,
        at: Timestamp,
        rng: &mut R,
    ) -> Result<Vec<u8>, Error> {
        let composer = Composer::new(self.keys_at(at)?, bundle)?;
        let uid = recipient.uid_at(at)?;
        let encapsulated = recipient.certificate.public_key().encapsulate(&uid, bundle.key())?;
        composer.message(recipient, &uid, &encapsulated, at, rng)
    }

    /// Makes a message for each member of a group, in the order of the recipients. A recipient for whom it fails does
    /// not keep the others from theirs. The iterator works in batches of [`Initiator::BATCH`], and holds no more
    /// than one.
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

    /// Recovers a key from a message that this initiator made himself, by its SAKKE-to-self (TS 33.180, E.5). `near`
    /// tells the era of the timestamp: any instant within 68 years.
    ///
    /// # Errors
    ///
    /// [`Error::Decode`] for malformed octets; [`UsageError::KeyPeriod`] if the keys of the message's key period are
    /// not held; [`Refusal::Unsupported`] if the message has no SAKKE-to-self, or one of another parameter set or
    /// identifier scheme; [`Error::Rejected`] if a cryptographic check fails, as it does for messages of others.
    pub fn recover(&self, octets: &[u8], near: Timestamp) -> Result<Opened, Error> {
        let message = Message::decode_with(octets, Tolerances::NONE)?;
        let profile = IMessage::from_message(&message)?;
        let keys = self.keys_at(Timestamp::from_ntp(profile.timestamp, near))?;
        let extension = profile.extension(ExtensionType::SAKKE_TO_SELF).map(GeneralExtension::content);
        let sakke = match extension {
            Some(Ok(Extension::SakkeToSelf(sakke))) if open::is_supported(&sakke, keys) => sakke,
            _ => return Err(Refusal::Unsupported.into()),
        };
        open::verify(&profile, octets, &keys.signing().verifying_key(), Tolerances::NONE)?;
        Ok(open::decapsulate(&profile, &sakke, keys.receiver())?)
    }

    /// How many messages are made at a time.
    pub const BATCH: usize = 64;

    /// What the messages to so many members of a group have in common.
    pub(super) fn group<'a>(&'a self, bundle: &'a KeyBundle, members: usize, at: Timestamp) -> Group<'a> {
        let start = || {
            let keys = self.keys_at(at)?;
            Ok((Composer::new(keys, bundle)?, first_stamp(keys, members, at)?))
        };
        Group(start())
    }

    /// The keys of the key period that an instant falls in.
    fn keys_at(&self, at: Timestamp) -> Result<&Arc<UserKeys>, UsageError> {
        let in_period = |keys: &&Arc<UserKeys>| {
            let certificate = keys.certificate();
            certificate.is_usable_at(at) && certificate.uid_format().period_at(at) == Ok(keys.period())
        };
        self.keys.iter().find(in_period).ok_or(UsageError::KeyPeriod)
    }
}

/// What the messages to a group have in common, and the first timestamp.
pub(super) struct Group<'a>(Result<(Composer<'a>, Timestamp), UsageError>);

impl Group<'_> {
    /// A message for each of some recipients, the first of whom is the member at `position`.
    pub(super) fn messages<R: TryCryptoRng + ?Sized>(
        &self,
        position: usize,
        recipients: &[Recipient],
        rng: &mut R,
    ) -> Vec<Result<Vec<u8>, Error>> {
        let (composer, first) = match &self.0 {
            Ok(group) => group,
            Err(error) => return vec![Err((*error).into()); recipients.len()],
        };
        let stamp = |index: usize| first.offset_ticks((position + index) as i64);
        let uids: Vec<Result<Uid, UsageError>> =
            recipients.iter().enumerate().map(|(index, recipient)| recipient.uid_at(stamp(index))).collect();
        let with_uid = recipients
            .iter()
            .zip(&uids)
            .filter_map(|(recipient, uid)| uid.as_ref().ok().map(|uid| (recipient.certificate.public_key(), uid)));
        let mut encapsulated = encapsulate_batch(&with_uid.collect::<Vec<_>>(), composer.bundle().key()).into_iter();
        let message = |(index, (recipient, uid)): (usize, (&Recipient, Result<Uid, UsageError>))| {
            let uid = uid?;
            let encapsulated = encapsulated.next().unwrap_or(Err(UsageError::Range))?;
            composer.message(recipient, &uid, &encapsulated, stamp(index), rng)
        };
        recipients.iter().zip(uids).enumerate().map(message).collect()
    }
}

/// The first of `count` timestamps from `at` on; earlier, if they would otherwise reach into the next key period.
fn first_stamp(keys: &UserKeys, count: usize, at: Timestamp) -> Result<Timestamp, UsageError> {
    let count = i64::try_from(count).map_err(|_| UsageError::Range)?;
    let (start, end) = keys.certificate().uid_format().span(keys.period())?;
    Ok(at.min(end.offset_ticks(-count)).max(start))
}
