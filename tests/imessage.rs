//! A key travels, and what does not pass: every refusal, in the order of the checks.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use getrandom::SysRng;
use mikey_sakke::Error;
use mikey_sakke::eccsi::SIGNATURE_OCTETS;
use mikey_sakke::error::{DecodeErrorKind, Refusal, UsageError};
use mikey_sakke::identity::{KeyPeriod, Overlap, UidFormat, Uri};
use mikey_sakke::imessage::{DistributedKey, Initiator, Initiators, KeyBundle, Policy, Recipient, Responder, SkId};
use mikey_sakke::kms::{Kms, KmsCertificate, UserKeys};
use mikey_sakke::mikey::Message;
use mikey_sakke::mikey::payload::{Idr, Payload, Rand, Sp, SpParam, Ts};
use mikey_sakke::mikey::registry::{DataType, IdRole, IdScheme, IdType, ProtType, SType, SakkeParams};
use mikey_sakke::sakke::Ssv;
use mikey_sakke::time::Timestamp;
use num_bigint::BigUint;

const PERIOD: u64 = 2_592_000;
const HASHED: UidFormat = UidFormat::Hashed { period: PERIOD, offset: 0 };
const NUMBER: u64 = 1_545;

/// The middle of key period 1545.
fn now() -> Timestamp {
    start().saturating_add(Duration::from_secs(PERIOD / 2))
}

fn start() -> Timestamp {
    HASHED.span(KeyPeriod::Number(NUMBER)).unwrap().0
}

fn uri(text: &str) -> Uri {
    Uri::parse(text).unwrap()
}

fn keys(kms: &Kms, user: &str, period: KeyPeriod) -> Arc<UserKeys> {
    let key_set = kms.issue(&uri(user), period, &mut SysRng).unwrap();
    Arc::new(UserKeys::import(kms.certificate(), &key_set).unwrap())
}

/// One domain, Alice who sends and Bob who receives.
struct Domain {
    kms: Kms,
    alice: Arc<UserKeys>,
    bob: Arc<UserKeys>,
}

static DOMAIN: LazyLock<Domain> = LazyLock::new(|| domain("kms.example.org"));
static OTHER: LazyLock<Domain> = LazyLock::new(|| domain("kms.example.net"));

/// A KMS whose users have telephone numbers.
static MONTHS: LazyLock<Kms> =
    LazyLock::new(|| Kms::generate(uri("kms.example.net"), UidFormat::Monthly, &mut SysRng).unwrap());

fn domain(name: &str) -> Domain {
    let kms = Kms::generate(uri(name), HASHED, &mut SysRng).unwrap();
    let [alice, bob] =
        ["alice", "bob"].map(|user| keys(&kms, &format!("sip:{user}@example.org"), KeyPeriod::Number(NUMBER)));
    Domain { kms, alice, bob }
}

impl Domain {
    fn certificate(&self) -> Arc<KmsCertificate> {
        self.kms.certificate().clone()
    }

    fn recipient(&self, user: &str) -> Recipient {
        Recipient { user: uri(user), certificate: self.certificate() }
    }

    fn to_bob(&self) -> Recipient {
        self.recipient("sip:bob@example.org")
    }

    /// Bob, who has seen nothing yet and trusts his KMS.
    fn responder(&self, policy: Policy) -> Responder {
        let mut responder = Responder::new(self.bob.clone(), policy);
        responder.trust(self.certificate());
        responder
    }

    fn extract(&self, message: &[u8], policy: Policy) -> Result<DistributedKey, Error> {
        self.responder(policy).extract(message, now())
    }

    fn message(&self, bundle: &KeyBundle) -> Vec<u8> {
        Initiator::new(self.alice.clone()).distribute(bundle, &self.to_bob(), now(), &mut SysRng).unwrap()
    }

    /// A message from Alice to Bob that was changed before it was signed.
    fn changed(&self, change: impl FnOnce(&mut Message)) -> Vec<u8> {
        let mut message = Message::decode(&self.message(&bundle())).unwrap();
        change(&mut message);
        let mut octets = message.encode_to_be_signed(SType::ECCSI, SIGNATURE_OCTETS).unwrap();
        let signature = self.alice.signing().sign(&octets, &mut SysRng).unwrap();
        octets.extend_from_slice(signature.as_octets());
        octets
    }
}

fn bundle() -> KeyBundle {
    KeyBundle::generate(5, &mut SysRng).unwrap()
}

/// The outcome for Bob of a message that was changed before it was signed.
fn outcome(change: impl FnOnce(&mut Message)) -> Result<DistributedKey, Error> {
    DOMAIN.extract(&DOMAIN.changed(change), Policy::default())
}

#[track_caller]
fn assert_refused(outcome: Result<DistributedKey, Error>, refusal: Refusal) {
    assert_eq!(outcome.unwrap_err(), Error::Refused(refusal));
}

#[track_caller]
fn assert_malformed(outcome: Result<DistributedKey, Error>, kind: DecodeErrorKind) {
    match outcome.unwrap_err() {
        Error::Decode(error) => assert_eq!(error.kind, kind),
        error => panic!("{error}"),
    }
}

fn idr(role: IdRole, data: &str) -> Payload {
    Payload::Idr(Idr { role, id_type: IdType::URI, data: data.as_bytes().to_vec() })
}

/// Removes or replaces the identity in a role.
fn replace_idr(message: &mut Message, role: IdRole, replacement: Option<Payload>) {
    let position = message.payloads.iter().position(|payload| matches!(payload, Payload::Idr(idr) if idr.role == role));
    message.payloads.remove(position.unwrap());
    message.payloads.extend(replacement);
}

fn replace(message: &mut Message, replacement: Payload) {
    let payload_type = replacement.payload_type();
    *message.payloads.iter_mut().find(|payload| payload.payload_type() == payload_type).unwrap() = replacement;
}

#[test]
fn a_key_travels_under_both_uid_formats() {
    let months = Kms::generate(uri("kms.example.org"), UidFormat::Monthly, &mut SysRng).unwrap();
    let period = UidFormat::Monthly.period_at(now()).unwrap();
    let monthly = Domain {
        alice: keys(&months, "tel:+447700900123", period),
        bob: keys(&months, "tel:+447700900777", period),
        kms: months,
    };
    for (domain, to, scheme) in [
        (&*DOMAIN, "sip:bob@example.org", IdScheme::UID_3GPP),
        (&monthly, "tel:+447700900777", IdScheme::TEL_URI_MONTHLY),
    ] {
        let bundle = bundle();
        let message = Initiator::new(domain.alice.clone())
            .distribute(&bundle, &domain.recipient(to), now(), &mut SysRng)
            .unwrap();
        let received = domain.extract(&message, Policy::default()).unwrap();
        assert_eq!(received.key, *bundle.key());
        assert_eq!(received.id, bundle.id());
        assert_eq!(received.id.purpose(), 5);
        assert_eq!(received.rand, bundle.rand());
        assert_eq!(received.initiator, *domain.alice.user());
        assert_eq!(received.timestamp, now());
        assert!(
            received
                .message
                .payloads
                .iter()
                .any(|payload| matches!(payload, Payload::Sakke(sakke) if sakke.id_scheme == scheme))
        );
    }
}

#[test]
fn damaged_messages_are_refused_wherever_they_are_damaged() {
    let message = DOMAIN.message(&bundle());
    for octet in 0..message.len() {
        let mut damaged = message.clone();
        damaged[octet] ^= 0x40;
        assert!(DOMAIN.extract(&damaged, Policy::default()).is_err(), "octet {octet}");
        assert!(DOMAIN.extract(&message[..octet], Policy::default()).is_err(), "cut at {octet}");
    }
    assert_malformed(
        DOMAIN.extract(&[&message[..], &[0]].concat(), Policy::default()),
        DecodeErrorKind::TrailingOctets,
    );
}

#[test]
fn messages_that_are_no_i_message_are_malformed() {
    assert_malformed(outcome(|message| message.header.data_type = DataType::ERROR), DecodeErrorKind::DataType(6));
    assert_malformed(outcome(|message| drop(message.payloads.remove(0))), DecodeErrorKind::Missing(5));
    assert_malformed(outcome(|message| drop(message.payloads.remove(1))), DecodeErrorKind::Missing(11));
    assert_malformed(outcome(|message| drop(message.payloads.pop())), DecodeErrorKind::Missing(26));
    assert_malformed(
        outcome(|message| message.payloads.push(Payload::Rand(Rand(vec![0; 16])))),
        DecodeErrorKind::Duplicate(11),
    );
    let mut unsigned = Message::decode(&DOMAIN.message(&bundle())).unwrap();
    unsigned.sign = None;
    assert_malformed(DOMAIN.extract(&unsigned.encode().unwrap(), Policy::default()), DecodeErrorKind::Missing(4));
}

#[test]
fn field_practice_is_accepted() {
    // A security policy with the empty map, another order of payloads, V set, #CS other than 0.
    let policy = Sp { policy: 0, prot_type: ProtType::SRTP, params: vec![SpParam { param_type: 0, value: vec![6] }] };
    let received = outcome(|message| {
        message.payloads.insert(2, Payload::Sp(policy.clone()));
        message.payloads.rotate_left(3);
        message.header.v = true;
    });
    assert!(received.unwrap().message.payloads.contains(&Payload::Sp(policy)));
}

#[test]
fn a_timestamp_outside_the_window_is_stale() {
    let message = DOMAIN.message(&bundle());
    let window = Policy::default().window;
    let at = |now| DOMAIN.responder(Policy::default()).extract(&message, now);
    assert!(at(now().saturating_add(window)).is_ok());
    assert!(at(now().saturating_sub(window)).is_ok());
    let more = window + Duration::from_nanos(1);
    assert_refused(at(now().saturating_add(more)), Refusal::Stale);
    assert_refused(at(now().saturating_sub(more)), Refusal::Stale);
    assert!(outcome(|message| replace(message, Payload::T(Ts::Ntp(now().to_ntp())))).is_ok());
}

#[test]
fn a_replay_is_refused_even_with_another_valid_signature() {
    let message = DOMAIN.message(&bundle());
    let mut responder = DOMAIN.responder(Policy::default());
    responder.extract(&message, now()).unwrap();
    assert_refused(responder.extract(&message, now()), Refusal::Replay);

    // (r, q - s) verifies wherever (r, s) does.
    let q = BigUint::parse_bytes(b"ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", 16).unwrap();
    let mut twin = message.clone();
    let s = message.len() - SIGNATURE_OCTETS + 32..message.len() - SIGNATURE_OCTETS + 64;
    let negated = (q - BigUint::from_bytes_be(&message[s.clone()])).to_bytes_be();
    twin[s].copy_from_slice(&[vec![0; 32 - negated.len()], negated].concat());
    assert_ne!(twin, message);
    assert!(DOMAIN.extract(&twin, Policy::default()).is_ok());
    assert_refused(responder.extract(&twin, now()), Refusal::Replay);
}

#[test]
fn what_is_not_verified_does_not_enter_the_replay_cache() {
    let message = DOMAIN.message(&bundle());
    let mut forged = message.clone();
    *forged.last_mut().unwrap() ^= 1;
    let mut responder = DOMAIN.responder(Policy { replay_capacity: 1, ..Policy::default() });
    assert_eq!(responder.extract(&forged, now()).unwrap_err(), Error::Rejected);
    assert!(responder.extract(&message, now()).is_ok());
    assert_refused(responder.extract(&DOMAIN.message(&bundle()), now()), Refusal::ReplayUnknown);
}

#[test]
fn after_a_restart_messages_of_the_window_are_refused() {
    let message = DOMAIN.message(&bundle());
    let mut responder = DOMAIN.responder(Policy::default());
    responder.restarted(now());
    assert_refused(responder.extract(&message, now()), Refusal::ReplayUnknown);
}

#[test]
fn policy_on_the_initiator_is_applied() {
    let message = DOMAIN.message(&bundle());
    let with = |initiators| DOMAIN.extract(&message, Policy { initiators, ..Policy::default() });
    let alice = BTreeSet::from([uri("sip:alice@example.org")]);
    let bob = BTreeSet::from([uri("sip:bob@example.org")]);
    assert!(with(Initiators::Only(alice.clone())).is_ok());
    assert!(with(Initiators::AllBut(bob.clone())).is_ok());
    assert_refused(with(Initiators::Only(bob)), Refusal::Initiator);
    assert_refused(with(Initiators::AllBut(alice)), Refusal::Initiator);
}

#[test]
fn the_initiator_is_named_by_the_message_or_by_signalling() {
    let anonymous = DOMAIN.changed(|message| replace_idr(message, IdRole::INITIATOR, None));
    assert_refused(DOMAIN.extract(&anonymous, Policy::default()), Refusal::UnnamedParty);
    let signalled = |message: &[u8], initiator| {
        DOMAIN.responder(Policy::default()).extract_signalled(message, &uri(initiator), now())
    };
    assert_eq!(signalled(&anonymous, "sip:alice@example.org").unwrap().initiator, uri("sip:alice@example.org"));
    assert_eq!(signalled(&anonymous, "sip:bob@example.org").unwrap_err(), Error::Rejected);
    let named = DOMAIN.message(&bundle());
    assert!(signalled(&named, "sip:alice@example.org").is_ok());
    assert_refused(signalled(&named, "sip:bob@example.org"), Refusal::Initiator);
}

#[test]
fn names_in_another_spelling_are_refused() {
    let spelled = |role, name: &'static str| outcome(move |message| replace_idr(message, role, Some(idr(role, name))));
    assert_refused(spelled(IdRole::INITIATOR, "SIP:alice@example.org"), Refusal::Initiator);
    assert_refused(spelled(IdRole::RESPONDER, "sip:bob@Example.org"), Refusal::NotForUs);
    assert_refused(spelled(IdRole::INITIATOR_KMS, "KMS.example.org"), Refusal::UntrustedKms);
}

#[test]
fn a_message_claiming_to_be_from_somebody_else_is_rejected() {
    let forged = outcome(|message| {
        replace_idr(message, IdRole::INITIATOR, Some(idr(IdRole::INITIATOR, "sip:carol@example.org")))
    });
    assert_eq!(forged.unwrap_err(), Error::Rejected);
}

#[test]
fn messages_for_others_are_refused() {
    let carol = Initiator::new(DOMAIN.alice.clone())
        .distribute(&bundle(), &DOMAIN.recipient("sip:carol@example.org"), now(), &mut SysRng)
        .unwrap();
    assert_refused(DOMAIN.extract(&carol, Policy::default()), Refusal::NotForUs);
    // Without the name, decapsulation fails: the key is encapsulated to another identity.
    let mut unnamed = Message::decode(&carol).unwrap();
    replace_idr(&mut unnamed, IdRole::RESPONDER, None);
    let mut octets = unnamed.encode_to_be_signed(SType::ECCSI, SIGNATURE_OCTETS).unwrap();
    octets.extend_from_slice(DOMAIN.alice.signing().sign(&octets, &mut SysRng).unwrap().as_octets());
    assert_eq!(DOMAIN.extract(&octets, Policy::default()).unwrap_err(), Error::Rejected);
    // A message to Bob needs not name him.
    assert!(outcome(|message| replace_idr(message, IdRole::RESPONDER, None)).is_ok());
}

#[test]
fn only_trusted_kms_are_accepted() {
    let message = DOMAIN.message(&bundle());
    let mut trusting_none = Responder::new(DOMAIN.bob.clone(), Policy::default());
    assert_refused(trusting_none.extract(&message, now()), Refusal::UntrustedKms);
    let mut trusting_other = Responder::new(DOMAIN.bob.clone(), Policy::default());
    trusting_other.trust(OTHER.certificate());
    assert_refused(trusting_other.extract(&message, now()), Refusal::UntrustedKms);
    // The responder's own KMS is not taken for granted where the message names none.
    let unnamed = DOMAIN.changed(|message| replace_idr(message, IdRole::INITIATOR_KMS, None));
    assert_refused(trusting_other.extract(&unnamed, now()), Refusal::UntrustedKms);
    assert!(DOMAIN.extract(&unnamed, Policy::default()).is_ok());
    let other_responder_kms = outcome(|message| {
        replace_idr(message, IdRole::RESPONDER_KMS, Some(idr(IdRole::RESPONDER_KMS, "kms.example.net")))
    });
    assert_refused(other_responder_kms, Refusal::UntrustedKms);
}

#[test]
fn a_key_travels_between_domains() {
    let bundle = bundle();
    let from_other = Initiator::new(OTHER.alice.clone());
    let message = from_other.distribute(&bundle, &DOMAIN.to_bob(), now(), &mut SysRng).unwrap();
    assert_refused(DOMAIN.extract(&message, Policy::default()), Refusal::UntrustedKms);
    let mut responder = DOMAIN.responder(Policy::default());
    responder.trust(OTHER.certificate());
    assert_eq!(responder.extract(&message, now()).unwrap().key, *bundle.key());
}

#[test]
fn unsupported_signatures_and_schemes_are_refused() {
    let sakke = |change: fn(&mut mikey_sakke::mikey::payload::Sakke)| {
        outcome(|message| {
            for payload in &mut message.payloads {
                if let Payload::Sakke(sakke) = payload {
                    change(sakke);
                }
            }
        })
    };
    assert_refused(sakke(|sakke| sakke.params = SakkeParams(2)), Refusal::Unsupported);
    assert_refused(sakke(|sakke| sakke.id_scheme = IdScheme::TEL_URI_MONTHLY), Refusal::Unsupported);
    assert_eq!(sakke(|sakke| sakke.data.truncate(272)).unwrap_err(), Error::Rejected);
    let mut message = Message::decode(&DOMAIN.message(&bundle())).unwrap();
    message.sign.as_mut().unwrap().s_type = SType::RSA_PSS;
    assert_refused(DOMAIN.extract(&message.encode().unwrap(), Policy::default()), Refusal::Unsupported);
}

#[test]
fn keys_are_used_in_their_period_and_its_overlap() {
    let (next, at_boundary) = (KeyPeriod::Number(NUMBER + 1), HASHED.span(KeyPeriod::Number(NUMBER)).unwrap().1);
    let alice_next = keys(&DOMAIN.kms, "sip:alice@example.org", next);
    let just_before = at_boundary.saturating_sub(Duration::from_secs(1));

    // Sent just before the boundary, received just after: the old keys are still good.
    let mut initiator = Initiator::new(DOMAIN.alice.clone());
    assert_eq!(
        initiator.distribute(&bundle(), &DOMAIN.to_bob(), at_boundary, &mut SysRng).unwrap_err(),
        Error::Usage(UsageError::KeyPeriod)
    );
    initiator.add_keys(alice_next);
    let old = initiator.distribute(&bundle(), &DOMAIN.to_bob(), just_before, &mut SysRng).unwrap();
    let new = initiator.distribute(&bundle(), &DOMAIN.to_bob(), at_boundary, &mut SysRng).unwrap();
    let mut responder = DOMAIN.responder(Policy::default());
    assert!(responder.extract(&old, at_boundary).is_ok());
    assert_refused(responder.extract(&new, at_boundary), Refusal::KeyPeriod);
    responder.add_keys(keys(&DOMAIN.kms, "sip:bob@example.org", next));
    assert!(responder.extract(&new, at_boundary).is_ok());

    // Without overlap they are not.
    let strict = Overlap { early: Duration::ZERO, late: Duration::ZERO };
    let mut responder = DOMAIN.responder(Policy { overlap: Some(strict), ..Policy::default() });
    assert!(responder.extract(&old, just_before).is_ok());
    let mut responder = DOMAIN.responder(Policy { overlap: Some(strict), ..Policy::default() });
    assert_refused(responder.extract(&old, at_boundary), Refusal::KeyPeriod);
}

#[test]
fn an_unexpected_purpose_is_refused_last() {
    let purposes = |purposes: &[u8]| Policy { purposes: Some(purposes.iter().copied().collect()), ..Policy::default() };
    let message = DOMAIN.message(&bundle());
    assert!(DOMAIN.extract(&message, purposes(&[5])).is_ok());
    let mut responder = DOMAIN.responder(purposes(&[4, 6]));
    assert_refused(responder.extract(&message, now()), Refusal::Purpose);
    assert_refused(responder.extract(&message, now()), Refusal::Replay);
}

#[test]
fn each_member_of_a_group_has_a_message_or_an_error_of_his_own() {
    let mut recipients: Vec<_> = (0..6).map(|i| DOMAIN.recipient(&format!("sip:member{i}@example.org"))).collect();
    recipients.insert(3, DOMAIN.to_bob());
    recipients[1].certificate = MONTHS.certificate().clone(); // has no UIDs for sip URIs
    let bundle = bundle();
    let initiator = Initiator::new(DOMAIN.alice.clone());
    let messages: Vec<_> = initiator.distribute_to_group(&bundle, &recipients, now(), &mut SysRng).collect();

    assert_eq!(messages.len(), recipients.len());
    assert_eq!(messages[1], Err(Error::Usage(UsageError::UidFormat)));
    let stamps: BTreeSet<u64> = messages
        .iter()
        .flatten()
        .map(|octets| match Message::decode(octets).unwrap().payloads[..] {
            [Payload::T(Ts::NtpUtc(bits)), Payload::Rand(Rand(ref rand)), ..] if rand == bundle.rand() => bits,
            _ => panic!("unexpected payloads"),
        })
        .collect();
    assert_eq!(stamps.len(), 6);
    assert_eq!(DOMAIN.extract(messages[3].as_ref().unwrap(), Policy::default()).unwrap().key, *bundle.key());
    assert_refused(DOMAIN.extract(messages[0].as_ref().unwrap(), Policy::default()), Refusal::NotForUs);
}

#[cfg(feature = "rayon")]
#[test]
fn several_threads_make_the_messages_that_one_makes() {
    use rayon::iter::ParallelIterator;

    let initiator = Initiator::new(DOMAIN.alice.clone());
    let bundle = bundle();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    for members in [0, 1, 7, 3 * Initiator::BATCH + 1] {
        let member = |i| DOMAIN.recipient(&format!("sip:member{i}@example.org"));
        let mut recipients: Vec<_> = (0..members).map(member).collect();
        if let [_, outsider, .., bob] = &mut recipients[..] {
            outsider.certificate = MONTHS.certificate().clone(); // has no UIDs for sip URIs
            *bob = DOMAIN.to_bob();
        }
        let one: Vec<_> = initiator.distribute_to_group(&bundle, &recipients, now(), &mut SysRng).collect();
        let several: Vec<_> =
            pool.install(|| initiator.par_distribute_to_group(&bundle, &recipients, now(), &mut SysRng).collect());
        // All is determined but the signatures.
        let signed = |message: &Result<Vec<u8>, Error>| {
            message.clone().map(|octets| octets[..octets.len() - SIGNATURE_OCTETS].to_vec())
        };
        assert_eq!(several.iter().map(signed).collect::<Vec<_>>(), one.iter().map(signed).collect::<Vec<_>>());
        let r = |octets: &Vec<u8>| octets[octets.len() - SIGNATURE_OCTETS..][..32].to_vec();
        let valid = several.iter().flatten().count();
        assert_eq!(several.iter().chain(&one).flatten().map(r).collect::<BTreeSet<_>>().len(), 2 * valid);
        if members > 1 {
            assert_eq!((valid, &several[1]), (members - 1, &Err(Error::Usage(UsageError::UidFormat))));
            let last = several.last().unwrap().as_ref().unwrap();
            assert_eq!(DOMAIN.extract(last, Policy::default()).unwrap().key, *bundle.key());
        }
    }
    let failed: Vec<_> =
        initiator.par_distribute_to_group(&bundle, &[(); 9].map(|()| DOMAIN.to_bob()), now(), &mut Broken).collect();
    assert_eq!(failed, vec![Err(Error::Random); 9]);
}

#[test]
fn the_timestamps_of_a_group_stay_in_one_key_period() {
    let recipients = vec![DOMAIN.to_bob(); 3];
    let initiator = Initiator::new(DOMAIN.alice.clone());
    let last_moment = Timestamp::from_ntp(HASHED.span(KeyPeriod::Number(NUMBER)).unwrap().1.to_ntp() - 1, now());
    let mut responder = DOMAIN.responder(Policy::default());
    for message in initiator.distribute_to_group(&bundle(), &recipients, last_moment, &mut SysRng) {
        let received = responder.extract(&message.unwrap(), last_moment).unwrap();
        assert_eq!(HASHED.period_at(received.timestamp), Ok(KeyPeriod::Number(NUMBER)));
    }
}

#[test]
fn a_group_without_members_takes_no_messages_and_keys_of_another_period_none() {
    let initiator = Initiator::new(DOMAIN.alice.clone());
    assert_eq!(initiator.distribute_to_group(&bundle(), &[], now(), &mut SysRng).count(), 0);
    let too_early = start().saturating_sub(Duration::from_secs(1));
    let recipients = [DOMAIN.to_bob()];
    let messages: Vec<_> = initiator.distribute_to_group(&bundle(), &recipients, too_early, &mut SysRng).collect();
    assert_eq!(messages, [Err(Error::Usage(UsageError::KeyPeriod))]);
}

#[test]
fn an_sk_id_is_a_purpose_and_28_random_bits() {
    for purpose in 0..16 {
        let [one, other] = [(); 2].map(|()| SkId::generate(purpose, &mut SysRng).unwrap());
        assert_eq!((one.purpose(), other.purpose()), (purpose, purpose));
        assert_ne!(one, other);
    }
    assert_eq!(SkId::generate(16, &mut SysRng), Err(Error::Usage(UsageError::FieldLength)));
}

/// A random source that fails.
struct Broken;

#[derive(Debug)]
struct Failure;

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("broken")
    }
}

impl std::error::Error for Failure {}

impl rand_core::TryRng for Broken {
    type Error = Failure;
    fn try_next_u32(&mut self) -> Result<u32, Failure> {
        Err(Failure)
    }
    fn try_next_u64(&mut self) -> Result<u64, Failure> {
        Err(Failure)
    }
    fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Failure> {
        Err(Failure)
    }
}

impl rand_core::TryCryptoRng for Broken {}

#[test]
fn a_failing_random_source_is_an_error() {
    assert_eq!(Kms::generate(uri("kms.example.org"), HASHED, &mut Broken).unwrap_err(), Error::Random);
    assert_eq!(KeyBundle::generate(0, &mut Broken).unwrap_err(), Error::Random);
    let bundle = KeyBundle::new(Ssv::new([1; 16]), SkId::from_octets([2; 4]), [3; 16]);
    let distributed = Initiator::new(DOMAIN.alice.clone()).distribute(&bundle, &DOMAIN.to_bob(), now(), &mut Broken);
    assert_eq!(distributed, Err(Error::Random));
}

#[test]
fn secrets_do_not_print() {
    let bundle = bundle();
    let printed = format!("{bundle:?} {:?} {:?} {:?}", DOMAIN.kms, DOMAIN.bob, DOMAIN.bob.receiver());
    assert!(printed.len() < 1_000, "{printed}");
    let received = DOMAIN.extract(&DOMAIN.message(&bundle), Policy::default()).unwrap();
    let key: Vec<String> = bundle.key().expose().iter().map(u8::to_string).collect();
    assert!(!format!("{received:?}").contains(&key.join(", ")));
}
