//! What does not pass: every refusal, in the order of the checks.

use std::collections::BTreeSet;
use std::time::Duration;

use getrandom::SysRng;
use mikey_sakke::Error;
use mikey_sakke::eccsi::SIGNATURE_OCTETS;
use mikey_sakke::error::{DecodeErrorKind, Refusal, UsageError};
use mikey_sakke::identity::{KeyPeriod, Overlap, UidFormat};
use mikey_sakke::imessage::{Initiator, Initiators, Policy, Purpose, Responder};
use mikey_sakke::kms::Kms;
use mikey_sakke::mikey::payload::{Payload, Rand, Sp, SpParam, Ts};
use mikey_sakke::mikey::registry::{DataType, IdRole, IdScheme, PrfFunc, ProtType, SType, SakkeParams};
use mikey_sakke::mikey::{Message, Tolerance, Tolerances};
use num_bigint::BigUint;

use crate::domain::*;

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
        assert_eq!(received.id.purpose(), PURPOSE);
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
fn what_is_tolerated_is_for_policy_to_say() {
    let extract = |message: &[u8], tolerances| DOMAIN.extract(message, Policy { tolerances, ..Policy::default() });
    let policy = Sp { policy: 0, prot_type: ProtType::SRTP, params: vec![] };
    let with_policy = DOMAIN.changed(|message| message.payloads.insert(2, Payload::Sp(policy)));
    assert!(extract(&with_policy, Tolerances::default()).is_ok());
    assert_malformed(extract(&with_policy, Tolerances::NONE), DecodeErrorKind::SpWithEmptyMap);

    // Signed without the head of SIGN.
    let mut message = DOMAIN.message(&bundle());
    let signed = message.len() - SIGNATURE_OCTETS;
    let signature = DOMAIN.alice.signing().sign(&message[..signed - 2], &mut SysRng).unwrap();
    message.truncate(signed);
    message.extend_from_slice(signature.as_octets());
    assert_eq!(extract(&message, Tolerances::default()).unwrap_err(), Error::Rejected);
    let tolerances = Tolerances::default().with(Tolerance::SignHeaderExcluded);
    assert!(extract(&message, tolerances).is_ok());
    assert!(extract(&DOMAIN.message(&bundle()), tolerances).is_ok());

    let short = DOMAIN.changed(|message| replace(message, Payload::Rand(Rand(vec![7; 8]))));
    assert_malformed(extract(&short, Tolerances::default()), DecodeErrorKind::RandLength);
    assert_eq!(extract(&short, Tolerances::NONE.with(Tolerance::ShortRand)).unwrap().rand, [7; 8]);
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
    let with = |initiators| DOMAIN.extract(&message, Policy::for_purposes([(PURPOSE, initiators)]));
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
    trusting_other.trust(OTHER.certificate()).unwrap();
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
    responder.trust(OTHER.certificate()).unwrap();
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
fn security_policies_that_are_not_supported_are_refused() {
    let with = |prot_type, param_type, value: &[u8]| {
        let policy = Sp { policy: 0, prot_type, params: vec![SpParam { param_type, value: value.to_vec() }] };
        outcome(|message| message.payloads.insert(2, Payload::Sp(policy)))
    };
    assert!(with(ProtType::SRTP, 0, &[6]).is_ok());
    assert!(with(ProtType::SRTP, 200, &[1, 2, 3]).is_ok(), "parameters without a name are left aside");
    assert_refused(with(ProtType(9), 0, &[6]), Refusal::PolicyProtocol);
    assert_refused(with(ProtType::SRTP, 0, &[6, 6]), Refusal::PolicyParameter);
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
fn a_purpose_that_is_not_expected_is_refused_after_the_signature() {
    let accepting = |purposes: &[Purpose]| Policy::for_purposes(purposes.iter().map(|p| (*p, Initiators::Any)));
    let message = DOMAIN.message(&bundle());
    assert!(DOMAIN.extract(&message, accepting(&[PURPOSE])).is_ok());
    let mut responder = DOMAIN.responder(accepting(&[Purpose::PCK, Purpose::MUSIK]));
    assert_refused(responder.extract(&message, now()), Refusal::Purpose);
    assert_refused(responder.extract(&message, now()), Refusal::Replay);
    let mut forged = message.clone();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(DOMAIN.extract(&forged, accepting(&[])).unwrap_err(), Error::Rejected);
}

#[test]
fn a_message_with_a_prf_that_is_not_implemented_is_refused() {
    assert!(outcome(|message| message.header.prf_func = PrfFunc::MIKEY_1).is_ok());
    assert_refused(outcome(|message| message.header.prf_func = PrfFunc(2)), Refusal::Prf);
}
