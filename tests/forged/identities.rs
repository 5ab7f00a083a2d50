//! I_MESSAGEs that say that they are from somebody else, or for somebody else, or that others had a hand in: all of
//! them with a signature that somebody made for them.
//!
//! A valid user who sends encapsulated data of another in a message of its own is not among them: nothing in SAKKE
//! binds the data to who sends it (RFC 6509 leaves it to the signature), so the receiver takes the key as one of that
//! user.

use std::time::Duration;

use getrandom::SysRng;
use mikey_sakke::eccsi::SIGNATURE_OCTETS;
use mikey_sakke::error::Refusal;
use mikey_sakke::imessage::{Initiator, Purpose};
use mikey_sakke::mikey::Message;
use mikey_sakke::mikey::payload::{Payload, Rand, Ts};
use mikey_sakke::mikey::registry::{DataType, IdRole, IdScheme, IdType, PrfFunc, SakkeParams};

use crate::domain::{DOMAIN, NUMBER, OTHER, idr, now, replace, replace_idr};
use crate::family::Class::{Malformed, Refused, Rejected};
use crate::message::{BUNDLE, GOOD, MALLORY, bundle, family, message, sakke, signed, unsigned, with_signature};

const ALICE: &str = "sip:alice@example.org";
const BOB: &str = "sip:bob@example.org";
const MALLORY_URI: &str = "sip:mallory@example.org";
const KMS: &str = "kms.example.org";
const OTHER_KMS: &str = "kms.example.net";

fn name(message: &mut Message, role: IdRole, name: &str) {
    replace_idr(message, role, Some(idr(role, name)));
}

/// The encapsulated data of a message.
fn data_of(octets: &[u8]) -> Vec<u8> {
    sakke(&mut Message::decode(octets).unwrap()).data.clone()
}

#[test]
fn initiators() {
    let mut family = family("I_MESSAGEs of others");
    let (other_alice, other_bob, bob) = (&OTHER.alice, &OTHER.bob, &DOMAIN.bob);
    for (name, signer) in [
        ("another user", &*MALLORY),
        ("the responder", bob),
        ("a user of that name at another KMS", other_alice),
        ("another user of another KMS", other_bob),
    ] {
        family.refuse(format!("{name} signs for Alice"), Rejected, |arrived| arrived.octets = signed(signer, |_| ()));
    }
    let mallory = message(&MALLORY, &BUNDLE, now());
    family.refuse("from a user whose keys are not accepted", Refused(Refusal::Initiator), |arrived| {
        arrived.octets = mallory.clone();
    });
    family.refuse("his, with Alice's name", Rejected, |arrived| {
        let mut message = Message::decode(&mallory).unwrap();
        name(&mut message, IdRole::INITIATOR, ALICE);
        arrived.octets = message.encode().unwrap();
    });
    family.refuse("his, with Alice's signature", Rejected, |arrived| {
        let end = mallory.len() - SIGNATURE_OCTETS;
        arrived.octets = [&mallory[..end], &GOOD.octets[GOOD.octets.len() - SIGNATURE_OCTETS..]].concat();
    });
    family.refuse("Alice's, with his name and signature", Refused(Refusal::Initiator), |arrived| {
        arrived.octets = signed(&MALLORY, |message| name(message, IdRole::INITIATOR, MALLORY_URI));
    });
    family.refuse("Alice's, with his name", Rejected, |arrived| {
        arrived.octets = unsigned(|message| name(message, IdRole::INITIATOR, MALLORY_URI));
    });
    family.refuse("of the user of that name at another KMS, who says that it is ours", Rejected, |arrived| {
        arrived.octets = message(other_alice, &BUNDLE, now());
        let mut message = Message::decode(&arrived.octets).unwrap();
        name(&mut message, IdRole::INITIATOR_KMS, KMS);
        arrived.octets = message.encode().unwrap();
    });
    family.refuse("of Alice, who says that her KMS is another", Rejected, |arrived| {
        arrived.octets = signed(&DOMAIN.alice, |message| name(message, IdRole::INITIATOR_KMS, OTHER_KMS));
    });
    family.refuse("of Alice, from a KMS that is not trusted", Refused(Refusal::UntrustedKms), |arrived| {
        arrived.octets = signed(&DOMAIN.alice, |message| name(message, IdRole::INITIATOR_KMS, "kms.example.com"));
    });
    family.refuse("without a name", Refused(Refusal::UnnamedParty), |arrived| {
        arrived.octets = signed(&DOMAIN.alice, |message| replace_idr(message, IdRole::INITIATOR, None));
    });
    family.refuse("with the UID of another initiator", Refused(Refusal::Initiator), |arrived| {
        arrived.octets = signed(&DOMAIN.alice, |message| message.payloads.push(idr(IdRole::INITIATOR_UID, "x")));
    });
    family.refuse("with two initiators", Malformed, |arrived| {
        arrived.octets = signed(&DOMAIN.alice, |message| message.payloads.push(idr(IdRole::INITIATOR, MALLORY_URI)));
    });
    family.refuse("with a NAI for a name", Refused(Refusal::Initiator), |arrived| {
        arrived.octets = signed(&DOMAIN.alice, |message| {
            let mut payload = idr(IdRole::INITIATOR, ALICE);
            if let Payload::Idr(idr) = &mut payload {
                idr.id_type = IdType::NAI;
            }
            replace_idr(message, IdRole::INITIATOR, Some(payload));
        });
    });
    family.check(16);
}

#[test]
fn responders() {
    let mut family = family("I_MESSAGEs for others");
    let alice = &DOMAIN.alice;
    let carol = Initiator::new(alice.clone())
        .distribute(&BUNDLE, &DOMAIN.recipient("sip:carol@example.org"), now(), &mut SysRng)
        .unwrap();
    family.refuse("to another user", Refused(Refusal::NotForUs), |arrived| arrived.octets = carol.clone());
    family.refuse("to another user, with Bob's name", Rejected, |arrived| {
        let mut message = Message::decode(&carol).unwrap();
        name(&mut message, IdRole::RESPONDER, BOB);
        arrived.octets = message.encode().unwrap();
    });
    let carols = data_of(&carol);
    family.refuse("data of another user, signed by Alice", Rejected, |arrived| {
        arrived.octets = signed(alice, |message| sakke(message).data = carols.clone());
    });
    family.refuse("the responder is named otherwise", Refused(Refusal::NotForUs), |arrived| {
        arrived.octets = signed(alice, |message| name(message, IdRole::RESPONDER, "sip:carol@example.org"));
    });
    family.refuse("initiator and responder swapped", Refused(Refusal::NotForUs), |arrived| {
        arrived.octets = signed(alice, |message| {
            name(message, IdRole::INITIATOR, BOB);
            name(message, IdRole::RESPONDER, ALICE);
        });
    });
    family.refuse("the message sent back", Refused(Refusal::NotForUs), |arrived| {
        arrived.octets = signed(&DOMAIN.bob, |message| {
            name(message, IdRole::INITIATOR, BOB);
            name(message, IdRole::RESPONDER, ALICE);
        });
    });
    family.refuse("the responder's KMS is another", Refused(Refusal::UntrustedKms), |arrived| {
        arrived.octets = signed(alice, |message| name(message, IdRole::RESPONDER_KMS, OTHER_KMS));
    });
    family.refuse("the KMSs of both are another", Refused(Refusal::UntrustedKms), |arrived| {
        arrived.octets = signed(alice, |message| {
            name(message, IdRole::INITIATOR_KMS, OTHER_KMS);
            name(message, IdRole::RESPONDER_KMS, OTHER_KMS);
        });
    });
    family.refuse("the UID of another responder", Refused(Refusal::NotForUs), |arrived| {
        arrived.octets = signed(alice, |message| message.payloads.push(idr(IdRole::RESPONDER_UID, "x")));
    });
    family.refuse("two responders", Malformed, |arrived| {
        arrived.octets = signed(alice, |message| message.payloads.push(idr(IdRole::RESPONDER, "sip:x@example.org")));
    });
    family.refuse("encapsulated under another KMS", Rejected, |arrived| {
        let user = &DOMAIN.to_bob().user;
        let uid = OTHER.certificate().uid_at(user, now()).unwrap();
        let data = OTHER.certificate().public_key().encapsulate(&uid, BUNDLE.key()).unwrap();
        arrived.octets = signed(alice, |message| sakke(message).data = data.to_vec());
    });
    family.refuse("encapsulated for another key period", Rejected, |arrived| {
        let user = &DOMAIN.to_bob().user;
        let period = mikey_sakke::identity::KeyPeriod::Number(NUMBER + 1);
        let uid = DOMAIN.certificate().uid(user, period).unwrap();
        let data = DOMAIN.certificate().public_key().encapsulate(&uid, BUNDLE.key()).unwrap();
        arrived.octets = signed(alice, |message| sakke(message).data = data.to_vec());
    });
    family.check(12);
}

#[test]
fn contents() {
    let mut family = family("contents of an I_MESSAGE that its initiator has signed");
    let alice = &DOMAIN.alice;
    // With the keys of her period she signs a message of the next.
    let next_period = now().saturating_add(Duration::from_secs(2_592_000));
    family.refuse("a timestamp of another key period", Rejected, |arrived| {
        arrived.now = next_period;
        arrived.octets = signed(alice, |message| replace(message, Payload::T(Ts::NtpUtc(next_period.to_ntp()))));
    });
    let no_keys = next_period.saturating_add(Duration::from_secs(2_592_000));
    family.refuse("a timestamp of a key period without keys", Refused(Refusal::KeyPeriod), |arrived| {
        arrived.now = no_keys;
        arrived.octets = signed(alice, |message| replace(message, Payload::T(Ts::NtpUtc(no_keys.to_ntp()))));
    });
    family.refuse("a counter for a timestamp", Malformed, |arrived| {
        arrived.octets = signed(alice, |message| replace(message, Payload::T(Ts::Counter(7))));
    });
    family.refuse("a timestamp of seconds alone", Malformed, |arrived| {
        let seconds = (now().to_ntp() >> 32) as u32;
        arrived.octets = signed(alice, |message| replace(message, Payload::T(Ts::NtpUtc32(seconds))));
    });
    for length in [0, 1, 8, 15] {
        family.refuse(format!("RAND of {length} octets"), Malformed, |arrived| {
            arrived.octets = signed(alice, |message| replace(message, Payload::Rand(Rand(vec![7; length]))));
        });
    }
    for purpose in [Purpose::GMK, Purpose::CSK, Purpose::SPK, Purpose::MUSIK] {
        family.refuse(format!("a key of purpose {}", purpose.number()), Refused(Refusal::Purpose), |arrived| {
            arrived.octets = signed(alice, |message| message.header.csb_id[0] = purpose.number() << 4);
        });
    }
    family.refuse("PRF 2", Refused(Refusal::Prf), |arrived| {
        arrived.octets = signed(alice, |message| message.header.prf_func = PrfFunc(2));
    });
    family.refuse("an Error message", Malformed, |arrived| {
        arrived.octets = signed(alice, |message| message.header.data_type = DataType::ERROR);
    });
    family.refuse("SAKKE parameters 2", Refused(Refusal::Unsupported), |arrived| {
        arrived.octets = signed(alice, |message| sakke(message).params = SakkeParams(2));
    });
    family.refuse("identifiers of months", Refused(Refusal::Unsupported), |arrived| {
        arrived.octets = signed(alice, |message| sakke(message).id_scheme = IdScheme::TEL_URI_MONTHLY);
    });
    for length in [0, 1, 256, 257, 272, 274, 546] {
        family.refuse(format!("{length} octets of encapsulated data"), Rejected, |arrived| {
            arrived.octets = signed(alice, |message| sakke(message).data.resize(length, 4));
        });
    }
    // Key parameters are under the key of their own message.
    let other = message(alice, &bundle(), now());
    family.refuse("the encapsulated data of another message", Rejected, |arrived| {
        arrived.octets = signed(alice, |message| sakke(message).data = data_of(&other));
    });
    family.refuse("the CSB ID of another message", Rejected, |arrived| {
        let csb_id = Message::decode(&other).unwrap().header.csb_id;
        arrived.octets = signed(alice, |message| message.header.csb_id = csb_id);
    });
    family.refuse("R of one message, H of another", Rejected, |arrived| {
        let data = data_of(&other);
        arrived.octets = signed(alice, |message| sakke(message).data[257..].copy_from_slice(&data[257..]));
    });
    family.refuse("the signature of another message", Rejected, |arrived| {
        let at = arrived.octets.len() - SIGNATURE_OCTETS;
        arrived.octets.truncate(at);
        arrived.octets.extend_from_slice(&other[other.len() - SIGNATURE_OCTETS..]);
    });
    family.refuse("the parts of two messages", Rejected, |arrived| {
        let head = 38;
        arrived.octets = [&other[..head], &arrived.octets[head..]].concat();
    });
    family.refuse("signed without HDR", Rejected, |arrived| {
        let end = arrived.octets.len() - SIGNATURE_OCTETS;
        let tail = with_signature(arrived.octets[10..end].to_vec(), alice);
        arrived.octets = [&arrived.octets[..10], &tail].concat();
    });
    family.refuse("signed without the head of SIGN", Rejected, |arrived| {
        let end = arrived.octets.len() - SIGNATURE_OCTETS;
        let signed = with_signature(arrived.octets[..end - 2].to_vec(), alice);
        arrived.octets = [&arrived.octets[..end], &signed[end - 2..]].concat();
    });
    family.refuse("signed up to SAKKE", Rejected, |arrived| {
        let end = arrived.octets.len() - SIGNATURE_OCTETS;
        let signed = with_signature(arrived.octets[..200].to_vec(), alice);
        arrived.octets = [&arrived.octets[..end], &signed[200..]].concat();
    });
    family.refuse("nothing signed", Rejected, |arrived| {
        let end = arrived.octets.len() - SIGNATURE_OCTETS;
        arrived.octets = [&arrived.octets[..end], &with_signature(vec![], alice)].concat();
    });
    family.refuse("signed with a signature of zeros in place", Rejected, |arrived| {
        let end = arrived.octets.len() - SIGNATURE_OCTETS;
        let whole = with_signature([&arrived.octets[..end], &[0; SIGNATURE_OCTETS]].concat(), alice);
        arrived.octets = [&arrived.octets[..end], &whole[end + SIGNATURE_OCTETS..]].concat();
    });
    family.check(33);
}
