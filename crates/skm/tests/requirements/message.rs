//! R39 to R43: the octets of a message, and what a receiver makes of them.

use getrandom::SysRng;
use mikey_sakke::eccsi::{SIGNATURE_OCTETS, Signature, VerifyingKey};
use mikey_sakke::error::{DecodeErrorKind, Error, Refusal};
use mikey_sakke::identity::{Uid, UidFormat};
use mikey_sakke::imessage::Policy;
use mikey_sakke::kms::{Kms, UserKeys};
use mikey_sakke::mikey::Message;
use mikey_sakke::mikey::i_message::IMessage;
use mikey_sakke::mikey::payload::Payload;
use mikey_sakke::mikey::registry::{DataType, IdRole};

use crate::ends::{
    EXCHANGE, Exchange, IDR, KMS, PERIOD, RAND, SAKKE, SIGN, Sent, Skms, T, extract, identity, idr_of, parts, payload,
    payloads, period, responder, sakke_of, uid,
};
use crate::oracle;
use crate::site::ALICE;
use crate::world::{BOB, CAROL, uri};

const CHECK_FAILED: &str = "a cryptographic check failed";

/// The key period in T of a message, by its first 32 bits alone.
fn period_of(message: &[u8]) -> u64 {
    period(u32::from_be_bytes(payload(message, T)[1..5].try_into().unwrap()).into())
}

/// Octets of a signature, and those that it covers.
fn split(message: &[u8]) -> (&[u8], &[u8]) {
    message.split_at(message.len() - SIGNATURE_OCTETS)
}

/// R39: the message is a MIKEY-SAKKE I_MESSAGE with SK-ID as CSB-ID.
#[test]
fn r39_the_message_is_an_i_message_with_sk_id_as_csb_id() {
    let Exchange { message, sent, times: (start, end), .. } = &*EXCHANGE;
    assert_eq!((message[0], message[1]), (1, 26), "version and data type");
    assert_eq!(message[4..8], sent.id().to_octets());
    assert_eq!(message[8..10], [0, 1], "no crypto sessions, the empty map");
    let payloads = payloads(message);
    let types: Vec<u8> = payloads.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(types, [T, RAND, IDR, IDR, IDR, IDR, SAKKE, SIGN]);
    let stamp = payload(message, T);
    assert_eq!(stamp[0], 0, "NTP-UTC");
    let since_1900 = u64::from_be_bytes(stamp[1..].try_into().unwrap());
    assert!(start.to_ntp() <= since_1900 && since_1900 <= end.to_ntp());
    assert_eq!(payload(message, RAND), [&[16], &sent.rand()[..]].concat());
    assert_eq!((payload(message, SAKKE)[0], payload(message, SAKKE).len()), (1, 4 + 257 + 16), "parameter set 1");
    assert_eq!(payload(message, SIGN)[..2], (2 << 12 | 129_u16).to_be_bytes(), "ECCSI");

    let decoded = Message::decode(message).unwrap();
    let decoded = IMessage::from_message(&decoded).unwrap();
    assert_eq!((decoded.csb_id, decoded.timestamp), (sent.id().to_octets(), since_1900));
}

#[test]
fn r39_another_message_is_refused() {
    let exchange = &*EXCHANGE;
    let other = exchange.forged(&exchange.alice, |message| message.header.data_type = DataType(0));
    let skms = Skms::shared();
    let error = skms.ue(BOB).receive(&other).unwrap_err();
    assert!(error.contains("data type 0 is not expected here"), "{error}");
    for kind in [T, RAND, SAKKE] {
        let without = exchange
            .forged(&exchange.alice, |message| message.payloads.retain(|payload| payload.payload_type().0 != kind));
        let error = extract(&exchange.bob, &without, exchange.at()).unwrap_err();
        assert!(matches!(&error, Error::Decode(error) if error.kind == DecodeErrorKind::Missing(kind)), "{error}");
    }
}

/// R40: the key is encrypted to the UID of the receiver, of its URI and a time, under the domain's certificate; the
/// receiver's URI stands in IDRr.
#[test]
fn r40_the_key_is_encrypted_to_the_uid_of_the_receiver() {
    let Exchange { message, sent, .. } = &*EXCHANGE;
    assert_eq!(identity(message, 2), BOB);
    assert_eq!((identity(message, 6), identity(message, 7)), ("kms.example.org", "kms.example.org"));
    let id = uid(identity(message, 2), period_of(message));
    let encapsulated = &payload(message, SAKKE)[4..];
    // What is encapsulated follows from key, UID and Z alone.
    let z = KMS.certificate().public_key().to_octets();
    assert_eq!(oracle::sakke::encapsulate(&z, &id, sent.key().expose()).unwrap().encapsulated, encapsulated);
    let other = uid(identity(message, 2), period_of(message) - 1);
    assert_ne!(oracle::sakke::encapsulate(&z, &other, sent.key().expose()).unwrap().encapsulated, encapsulated);
}

#[test]
fn r40_a_key_for_another_uid_is_refused() {
    let (exchange, skms) = (&*EXCHANGE, Skms::shared());
    let bob = skms.ue(BOB);
    let other = Kms::generate(uri("kms.example.org"), UidFormat::hashed(PERIOD, 0).unwrap(), &mut SysRng).unwrap();
    let [ours, theirs] = [&*KMS, &other].map(|kms| kms.certificate().public_key());
    let now = period_of(&exchange.message);
    let to = |z: &mikey_sakke::sakke::PublicKey, user, period| {
        let id = Uid::from_octets(&uid(user, period)).unwrap();
        let encapsulated = z.encapsulate(&id, exchange.sent.key()).unwrap();
        exchange.forged(&exchange.alice, |message| sakke_of(message).data = encapsulated.to_vec())
    };
    assert_eq!(parts(&bob.receive(&to(ours, BOB, now)).unwrap().0), parts(&exchange.sent));
    for message in [to(ours, BOB, now - 1), to(ours, CAROL, now), to(theirs, BOB, now)] {
        let error = bob.receive(&message).unwrap_err();
        assert!(error.contains(CHECK_FAILED), "{error}");
    }
}

#[test]
fn r40_a_message_that_names_another_receiver_is_refused() {
    let (exchange, skms) = (&*EXCHANGE, Skms::shared());
    let to_carol = exchange.forged(&exchange.alice, |message| idr_of(message, IdRole::RESPONDER).data = CAROL.into());
    let error = skms.ue(BOB).receive(&to_carol).unwrap_err();
    assert!(error.contains("the message is for another responder"), "{error}");
}

/// R41: the message is signed with the initiator's key under the UID of its URI and the time; that URI stands in IDRi.
#[test]
fn r41_the_message_is_signed_under_the_uid_of_the_initiator() {
    let message = &EXCHANGE.message;
    assert_eq!(identity(message, 1), ALICE);
    let (signed, signature) = split(message);
    assert_eq!(signature, &payload(message, SIGN)[2..]);
    let kpak = KMS.certificate().kpak().to_octets();
    let verifies = |user, period| oracle::eccsi::verify(&kpak, &uid(user, period), signed, signature);
    let now = period_of(message);
    assert!(verifies(ALICE, now));
    assert!(!verifies(ALICE, now - 1) && !verifies(BOB, now));
    let engine = VerifyingKey::new(KMS.certificate().kpak(), &Uid::from_octets(&uid(ALICE, now)).unwrap());
    assert!(engine.verify(signed, &Signature::try_from(signature).unwrap()).is_ok());
}

#[test]
fn r41_a_message_signed_by_somebody_else_is_refused() {
    let (exchange, skms) = (&*EXCHANGE, Skms::shared());
    let bob = skms.ue(BOB);
    let named = |signer: &UserKeys, user: &str| {
        exchange.forged(signer, |message| idr_of(message, IdRole::INITIATOR).data = user.into())
    };
    assert!(bob.receive(&named(&exchange.carol, CAROL)).unwrap().1.contains(CAROL));
    for message in [named(&exchange.carol, ALICE), named(&exchange.alice, CAROL)] {
        let error = bob.receive(&message).unwrap_err();
        assert!(error.contains(CHECK_FAILED), "{error}");
    }
}

/// R42: the receiver takes the initiator from IDRi, checks the signature under its UID, and only if it is valid takes
/// the key out and reads SK-ID.
#[test]
fn r42_the_receiver_reads_initiator_and_sk_id() {
    let Exchange { said, sent, received, .. } = &*EXCHANGE;
    assert!(said.contains(&format!("key {} of purpose 1, from {ALICE} of kms.example.org, ", sent.id())), "{said}");
    assert_eq!(parts(received), parts(sent));
}

#[test]
fn r42_without_an_initiator_nothing_is_received() {
    let (exchange, skms) = (&*EXCHANGE, Skms::shared());
    let is_initiator = |payload: &Payload| matches!(payload, Payload::Idr(idr) if idr.role == IdRole::INITIATOR);
    let nameless =
        exchange.forged(&exchange.alice, |message| message.payloads.retain(|payload| !is_initiator(payload)));
    let error = skms.ue(BOB).receive(&nameless).unwrap_err();
    assert!(error.contains("a party is not named"), "{error}");
}

#[test]
fn r42_what_is_not_signed_leaves_no_trace() {
    let exchange = &*EXCHANGE;
    let mut bob = responder(&exchange.bob, Policy::default());
    let mut unsigned = exchange.message.clone();
    *unsigned.last_mut().unwrap() ^= 1;
    for _ in 0..2 {
        assert!(matches!(bob.extract(&unsigned, exchange.at()), Err(Error::Rejected)));
    }
    // Had the first been noted, this would count as a repetition of it.
    assert_eq!(bob.extract(&exchange.message, exchange.at()).unwrap().key, *exchange.sent.key());
    let again = bob.extract(&exchange.message, exchange.at());
    assert!(matches!(again, Err(Error::Refused(Refusal::Replay))));
}

/// R43: so the key is confidential, unchanged and authentic.
#[test]
fn r43_the_key_does_not_stand_in_the_message() {
    let Exchange { message, sent, alice, bob, .. } = &*EXCHANGE;
    let z = KMS.master_secret().to_octets();
    let rsk =
        |keys: &UserKeys| oracle::sakke::extract(z.expose(), &uid(keys.user().as_str(), period_of(message))).unwrap();
    for secret in [sent.key().expose().to_vec(), rsk(alice), rsk(bob)] {
        // Not even 8 octets of it in a row.
        for part in secret.windows(8) {
            assert!(!message.windows(8).any(|window| window == part));
        }
    }
}

#[test]
fn r43_no_octet_can_be_changed() {
    let exchange = &*EXCHANGE;
    let mut bob = responder(&exchange.bob, Policy::default());
    for place in 0..exchange.message.len() {
        let mut changed = exchange.message.clone();
        changed[place] ^= 1;
        assert!(bob.extract(&changed, exchange.at()).is_err(), "octet {place}");
    }
    assert!(bob.extract(&exchange.message, exchange.at()).is_ok());
}

#[test]
fn r43_what_was_changed_on_its_way_is_not_received() {
    let skms = Skms::shared();
    let Sent { mut message, bundle } = skms.ue(ALICE).send(BOB, 1);
    // RAND goes into what is derived from the key, and nothing but the signature covers it.
    let rand = message.windows(16).position(|window| window == bundle.rand()).unwrap();
    message[rand] ^= 0x80;
    let error = skms.ue(BOB).receive(&message).unwrap_err();
    assert!(error.contains(CHECK_FAILED), "{error}");
}
