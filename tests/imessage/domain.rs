//! A security domain, its users, and their messages.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use getrandom::SysRng;
use mikey_sakke::Error;
use mikey_sakke::eccsi::SIGNATURE_OCTETS;
use mikey_sakke::error::{DecodeErrorKind, Refusal};
use mikey_sakke::identity::{KeyPeriod, UidFormat, Uri};
use mikey_sakke::imessage::{DistributedKey, Initiator, KeyBundle, Policy, Profile, Purpose, Recipient, Responder};
use mikey_sakke::kms::{Kms, KmsCertificate, UserKeys};
use mikey_sakke::mikey::payload::{Idr, Payload, Sign};
use mikey_sakke::mikey::registry::{IdRole, IdType, SType};
use mikey_sakke::mikey::{Message, Tolerances};
use mikey_sakke::time::Timestamp;

pub(crate) const PERIOD: u64 = 2_592_000;
pub(crate) const HASHED: UidFormat = UidFormat::Hashed { period: PERIOD, offset: 0 };
pub(crate) const NUMBER: u64 = 1_545;

/// A purpose of keys.
pub(crate) const PURPOSE: Purpose = Purpose::MSCCK;

/// The middle of key period 1545.
pub(crate) fn now() -> Timestamp {
    start().saturating_add(Duration::from_secs(PERIOD / 2))
}

pub(crate) fn start() -> Timestamp {
    HASHED.span(KeyPeriod::Number(NUMBER)).unwrap().0
}

pub(crate) fn uri(text: &str) -> Uri {
    Uri::parse(text).unwrap()
}

pub(crate) fn keys(kms: &Kms, user: &str, period: KeyPeriod) -> Arc<UserKeys> {
    let key_set = kms.issue(&uri(user), period, &mut SysRng).unwrap();
    Arc::new(UserKeys::import(kms.certificate(), &key_set).unwrap())
}

/// One domain, Alice who sends and Bob who receives.
pub(crate) struct Domain {
    pub(crate) kms: Kms,
    pub(crate) alice: Arc<UserKeys>,
    pub(crate) bob: Arc<UserKeys>,
}

pub(crate) static DOMAIN: LazyLock<Domain> = LazyLock::new(|| domain("kms.example.org"));
pub(crate) static OTHER: LazyLock<Domain> = LazyLock::new(|| domain("kms.example.net"));

/// A KMS whose users have telephone numbers.
pub(crate) static MONTHS: LazyLock<Kms> =
    LazyLock::new(|| Kms::generate(uri("kms.example.net"), UidFormat::Monthly, &mut SysRng).unwrap());

pub(crate) fn domain(name: &str) -> Domain {
    let kms = Kms::generate(uri(name), HASHED, &mut SysRng).unwrap();
    let [alice, bob] =
        ["alice", "bob"].map(|user| keys(&kms, &format!("sip:{user}@example.org"), KeyPeriod::Number(NUMBER)));
    Domain { kms, alice, bob }
}

impl Domain {
    pub(crate) fn certificate(&self) -> Arc<KmsCertificate> {
        self.kms.certificate().clone()
    }

    pub(crate) fn recipient(&self, user: &str) -> Recipient {
        Recipient { user: uri(user), certificate: self.certificate() }
    }

    pub(crate) fn to_bob(&self) -> Recipient {
        self.recipient("sip:bob@example.org")
    }

    /// Bob, who has seen nothing yet and trusts his KMS.
    pub(crate) fn responder(&self, policy: Policy) -> Responder {
        let mut responder = Responder::new(self.bob.clone(), policy);
        responder.trust(self.certificate()).unwrap();
        responder
    }

    pub(crate) fn extract(&self, message: &[u8], policy: Policy) -> Result<DistributedKey, Error> {
        self.responder(policy).extract(message, now())
    }

    pub(crate) fn message(&self, bundle: &KeyBundle) -> Vec<u8> {
        Initiator::new(self.alice.clone()).distribute(bundle, &self.to_bob(), now(), &mut SysRng).unwrap()
    }

    /// A message from Alice to Bob that was changed before it was signed.
    pub(crate) fn changed(&self, change: impl FnOnce(&mut Message)) -> Vec<u8> {
        self.resigned(&self.message(&bundle()), change)
    }

    /// A message of Alice, changed and signed again.
    pub(crate) fn resigned(&self, message: &[u8], change: impl FnOnce(&mut Message)) -> Vec<u8> {
        let mut message = Message::decode(message).unwrap();
        change(&mut message);
        message.sign = Some(Sign { s_type: SType::ECCSI, signature: vec![0; SIGNATURE_OCTETS] });
        let mut octets = message.encode_with(Tolerances::default()).unwrap();
        octets.truncate(octets.len() - SIGNATURE_OCTETS);
        let signature = self.alice.signing().sign(&octets, &mut SysRng).unwrap();
        octets.extend_from_slice(signature.as_octets());
        octets
    }
}

pub(crate) fn bundle() -> KeyBundle {
    KeyBundle::generate(Profile::seal(PURPOSE), &mut SysRng).unwrap()
}

/// The outcome for Bob of a message that was changed before it was signed.
pub(crate) fn outcome(change: impl FnOnce(&mut Message)) -> Result<DistributedKey, Error> {
    DOMAIN.extract(&DOMAIN.changed(change), Policy::default())
}

#[track_caller]
pub(crate) fn assert_refused(outcome: Result<DistributedKey, Error>, refusal: Refusal) {
    assert_eq!(outcome.unwrap_err(), Error::Refused(refusal));
}

#[track_caller]
pub(crate) fn assert_malformed(outcome: Result<DistributedKey, Error>, kind: DecodeErrorKind) {
    match outcome.unwrap_err() {
        Error::Decode(error) => assert_eq!(error.kind, kind),
        error => panic!("{error}"),
    }
}

pub(crate) fn idr(role: IdRole, data: &str) -> Payload {
    Payload::Idr(Idr { role, id_type: IdType::URI, data: data.as_bytes().to_vec() })
}

/// Removes or replaces the identity in a role.
pub(crate) fn replace_idr(message: &mut Message, role: IdRole, replacement: Option<Payload>) {
    let position = message.payloads.iter().position(|payload| matches!(payload, Payload::Idr(idr) if idr.role == role));
    message.payloads.remove(position.unwrap());
    message.payloads.extend(replacement);
}

pub(crate) fn replace(message: &mut Message, replacement: Payload) {
    let payload_type = replacement.payload_type();
    *message.payloads.iter_mut().find(|payload| payload.payload_type() == payload_type).unwrap() = replacement;
}
