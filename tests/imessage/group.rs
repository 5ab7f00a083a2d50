//! A key for many.

use std::collections::BTreeSet;
use std::time::Duration;

use getrandom::SysRng;
use mikey_sakke::Error;
use mikey_sakke::eccsi::SIGNATURE_OCTETS;
use mikey_sakke::error::{Refusal, UsageError};
use mikey_sakke::identity::KeyPeriod;
use mikey_sakke::imessage::{Initiator, Policy};
use mikey_sakke::mikey::Message;
use mikey_sakke::mikey::payload::{Payload, Rand, Ts};
use mikey_sakke::time::Timestamp;

use crate::domain::*;
#[cfg(feature = "rayon")]
use crate::random::Broken;

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
