//! A distribution that was cut short goes on with the same key, SK-ID and RAND.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use mikey_sakke::identity::Uri;
use skm::group::GroupError;

use crate::support::{House, Mailbox, id_and_rand, members, uri};

/// How many messages are made at a time.
const BATCH: usize = 64;

#[test]
fn a_run_that_was_killed_is_taken_up_with_the_same_key() {
    let members = members(2 * BATCH + 2);
    for crash_after in [0, 1, BATCH - 1, BATCH, BATCH + 1, 2 * BATCH + 1] {
        let house = House::new();
        let mut mailbox = Mailbox { crash_after: Some(crash_after), ..Mailbox::default() };
        let killed = catch_unwind(AssertUnwindSafe(|| house.distribute(&members, &mut mailbox)));
        assert!(killed.is_err());
        assert_eq!(mailbox.count(), crash_after);
        // The key was kept before the first message was made.
        let id = house.state().id().unwrap();

        house.now.set(house.now.get().saturating_add(Duration::from_secs(60)));
        mailbox.crash_after = None;
        let outcome = house.distribute(&members, &mut mailbox).unwrap();
        assert!(outcome.is_complete());
        let noted = crash_after / BATCH * BATCH;
        assert_eq!((outcome.earlier, outcome.delivered), (noted, members.len() - noted));
        // Those who had a message that was not noted have got another one.
        assert_eq!(mailbox.count(), members.len() + crash_after - noted);

        assert_eq!(mailbox.messages.keys().collect::<Vec<_>>().len(), members.len());
        let marks = id_and_rand(mailbox.all().next().unwrap().1);
        assert_eq!((marks.0, outcome.id), (id.to_octets(), id));
        assert!(mailbox.all().all(|(_, message)| id_and_rand(message) == marks), "{crash_after}");
        let extract = |number: usize| {
            let user = &members[number - 1];
            let messages = mailbox.messages[&uri(user)].iter();
            messages.map(|(_, message)| house.extract(user, message).unwrap().key).collect::<Vec<_>>()
        };
        let keys: Vec<_> =
            [1, crash_after.max(1), crash_after + 1, members.len()].into_iter().flat_map(extract).collect();
        assert!(keys.iter().all(|key| *key == keys[0]), "{crash_after}");
    }
}

#[test]
fn a_run_that_stops_leaves_the_others_for_the_next() {
    let (house, members) = (House::new(), members(2 * BATCH + 1));
    let mut mailbox = Mailbox::default();
    // Once up front, once for the first batch.
    house.patience.set(2);
    let outcome = house.distribute(&members, &mut mailbox).unwrap();
    assert!(matches!(outcome.stopped, Some(GroupError::Client(_))) && !outcome.is_complete());
    assert_eq!((outcome.reached(), mailbox.count()), (BATCH, BATCH));

    house.patience.set(usize::MAX);
    mailbox.is_full = true;
    let outcome = house.distribute(&members, &mut mailbox).unwrap();
    assert!(matches!(outcome.stopped, Some(GroupError::Sink(_))));
    // What may be lost is not noted.
    assert_eq!((outcome.reached(), mailbox.count()), (BATCH, 2 * BATCH));

    mailbox.is_full = false;
    let outcome = house.distribute(&members, &mut mailbox).unwrap();
    assert!(outcome.is_complete());
    assert_eq!((outcome.earlier, outcome.delivered, mailbox.count()), (BATCH, BATCH + 1, 3 * BATCH + 1));
    let marks = id_and_rand(mailbox.all().next().unwrap().1);
    assert!(mailbox.all().all(|(_, message)| id_and_rand(message) == marks));
}

#[test]
fn who_has_the_key_gets_it_no_more_and_who_joins_gets_the_same() {
    let house = House::new();
    let mut mailbox = Mailbox::default();
    let outcome = house.distribute(&members(3), &mut mailbox).unwrap();
    assert_eq!((outcome.earlier, outcome.delivered), (0, 3));
    assert!(house.state().has(&uri("sip:member3@example.org")) && !house.state().has(&uri("sip:member4@example.org")));

    let again = house.distribute(&members(3), &mut mailbox).unwrap();
    assert_eq!((again.id, again.earlier, again.delivered, mailbox.count()), (outcome.id, 3, 0, 3));
    assert!(again.is_complete());

    let joined = house.distribute(&members(4), &mut mailbox).unwrap();
    assert_eq!((joined.id, joined.earlier, joined.delivered, mailbox.count()), (outcome.id, 3, 1, 4));
    let keys: Vec<_> =
        mailbox.all().map(|(user, message)| house.extract(user.as_str(), message).unwrap().key).collect();
    assert!(keys.iter().all(|key| *key == keys[0]));
    let numbers: Vec<_> = mailbox.messages.values().map(|messages| messages[0].0).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);

    // Another state is another key.
    std::fs::remove_file(house.path("state")).unwrap();
    let other = house.distribute(&members(1), &mut mailbox).unwrap();
    let [(_, old), (_, new)] = &mailbox.messages[&uri("sip:member1@example.org")][..] else { panic!() };
    let [old, new] = [old, new].map(|message| house.extract("sip:member1@example.org", message).unwrap());
    assert_eq!(new.id, other.id);
    assert!(old.key != new.key && old.rand != new.rand);
}

#[test]
fn who_could_not_be_reached_is_tried_again() {
    let house = House::new();
    let lost: Vec<Uri> = [uri("sip:member2@example.org"), uri("sip:member65@example.org")].into();
    let mut mailbox = Mailbox { unreachable: lost.clone(), ..Mailbox::default() };
    let outcome = house.distribute(&members(70), &mut mailbox).unwrap();
    let failures: Vec<_> = outcome.failures.iter().map(ToString::to_string).collect();
    let says = |number, member| format!("member {number}, {member:?}: cannot be delivered: no such mailbox");
    assert_eq!(failures, [says(2, "sip:member2@example.org"), says(65, "sip:member65@example.org")]);
    assert!(outcome.reached() == 68 && !outcome.is_complete());

    mailbox.unreachable.clear();
    let outcome = house.distribute(&members(70), &mut mailbox).unwrap();
    assert!(outcome.is_complete() && outcome.delivered == 2);
    assert!(lost.iter().all(|user| mailbox.messages[user].len() == 1));
}
