//! Who gets the key, who does not, and from whom it is accepted.

use std::collections::BTreeSet;
use std::time::Duration;

use getrandom::SysRng;
use mikey_sakke::error::Refusal;
use mikey_sakke::imessage::{Initiator, KeyBundle, Profile, Purpose, Recipient};
use skm::group::{Group, GroupError, Reason, distribute};

use crate::support::{FLEET, House, MANAGER, Mailbox, NOW, PERIOD, at, group, id_and_rand, members, uri};

#[test]
fn a_thousand_members_get_one_key() {
    let (house, members) = (House::new(), members(1_000));
    let (mut mailbox, mut shown) = (Mailbox::default(), Vec::new());
    let outcome =
        distribute(&house, &mut house.state(), &members, &mut mailbox, &mut |dealt| shown.push(dealt)).unwrap();
    assert!(outcome.is_complete());
    assert_eq!((outcome.delivered, outcome.earlier, mailbox.count()), (1_000, 0, 1_000));
    assert!(shown.is_sorted() && shown.first() == Some(&0) && shown.last() == Some(&1_000), "{shown:?}");

    let marks = id_and_rand(&mailbox.messages[&uri(&members[0])][0].1);
    let (mut signed, mut keys) = (BTreeSet::new(), Vec::new());
    for (number, member) in (1..).zip(&members) {
        let [(place, message)] = &mailbox.messages[&uri(member)][..] else { panic!("{member}") };
        assert_eq!((*place, id_and_rand(message)), (number, marks.clone()));
        assert!(signed.insert(message));
        // Each extraction takes the issue of keys as well.
        if number % 37 == 0 || number == 1_000 {
            let received = house.extract(member, message).unwrap();
            assert_eq!((received.id, received.csb_id, received.initiator), (outcome.id, outcome.id, uri(MANAGER)));
            assert_eq!(received.properties.unwrap().groups, [FLEET.as_bytes()]);
            keys.push(received.key);
        }
    }
    assert!(keys.len() == 28 && keys.iter().all(|key| *key == keys[0]));
    // A message is for one member alone.
    let (member, message) = (&members[0], &mailbox.messages[&uri(&members[1])][0].1);
    assert_eq!(house.extract(member, message).unwrap_err(), Refusal::NotForUs.into());
}

#[test]
fn r35_members_accept_group_keys_from_group_managers_alone() {
    let house = House::new();
    let initiator = Initiator::new(house.keys(&uri("sip:alice@example.org")).keys);
    let certificate = house.domain.borrow().certificates()[0].certificate().clone();
    let recipient = Recipient { user: uri("sip:bob@example.org"), certificate };
    let send = |purpose| {
        let bundle = KeyBundle::generate(Profile::seal(purpose), &mut SysRng).unwrap();
        initiator.distribute(&bundle, &recipient, at(NOW), &mut SysRng).unwrap()
    };
    let refused = house.extract("sip:bob@example.org", &send(Purpose::GMK));
    assert_eq!(refused.unwrap_err(), Refusal::Initiator.into());
    house.extract("sip:bob@example.org", &send(Purpose::PCK)).unwrap();
}

#[test]
fn r35_who_is_no_group_manager_begins_nothing() {
    for revoked in [false, true] {
        let house = House::new();
        if revoked {
            house.domain.borrow_mut().revoked_users.insert(uri(MANAGER));
        } else {
            house.domain.borrow_mut().group_managers.clear();
        }
        // No keys are asked for.
        house.patience.set(0);
        let mut mailbox = Mailbox::default();
        let error = house.distribute(&members(2), &mut mailbox).unwrap_err();
        match revoked {
            true => assert!(matches!(&error, GroupError::Revoked(user) if *user == uri(MANAGER))),
            false => assert!(matches!(&error, GroupError::NotManager(user) if *user == uri(MANAGER))),
        }
        assert!(error.to_string().contains(MANAGER) && error.to_string().contains("every member would refuse"));
        assert!(mailbox.count() == 0 && !house.path("state").exists());
    }
}

#[test]
fn who_is_refused_is_listed_and_the_others_get_the_key() {
    let house = House::new();
    house.domain.borrow_mut().revoked_users.insert(uri("sip:mallory@example.org"));
    let list = [
        "sip:alice@example.org",
        "SIP:bob@example.org",
        "sip:mallory@example.org",
        "sip:alice@example.org",
        "",
        "sip:bob@example.org:5060",
        " sip:bob@example.org",
        "sip:bob@example.org\u{1b}[2J",
        "sip:bob@example.org",
        "SIP:bob@example.org",
        MANAGER,
    ];
    let mut mailbox = Mailbox::default();
    let outcome = distribute(&house, &mut house.state(), &list, &mut mailbox, &mut |_| ()).unwrap();
    assert_eq!((outcome.delivered, mailbox.count()), (3, 3));
    let kinds = outcome.failures.iter().map(|failure| {
        assert_eq!(failure.member, list[failure.number - 1]);
        // Whatever stands in the list does not reach a terminal.
        assert!(!failure.to_string().contains(char::is_control));
        let kind = match failure.reason {
            Reason::Spelling(_) => "spelling",
            Reason::Revoked => "revoked",
            Reason::Duplicate(1) => "duplicate of 1",
            _ => "other",
        };
        (failure.number, kind)
    });
    let spelling = |number| (number, "spelling");
    assert_eq!(
        kinds.collect::<Vec<_>>(),
        [
            spelling(2),
            (3, "revoked"),
            (4, "duplicate of 1"),
            spelling(5),
            spelling(6),
            spelling(7),
            spelling(8),
            spelling(10),
        ]
    );
}

#[test]
fn a_list_of_nobody_reaches_nobody() {
    let house = House::new();
    for (list, failures) in [(&[][..], 0), (&["bob@EXAMPLE.org"], 1)] {
        let outcome = distribute(&house, &mut house.state(), list, &mut Mailbox::default(), &mut |_| ()).unwrap();
        assert_eq!((outcome.reached(), outcome.failures.len()), (0, failures));
    }
}

#[test]
fn who_is_revoked_meanwhile_gets_no_key() {
    let (house, members) = (House::new(), members(65));
    // Longer than a description of the domain is used.
    house.pace.set(Duration::from_secs(3_600));
    let mut mailbox = Mailbox::default();
    let mut revoke = |_| {
        house.domain.borrow_mut().revoked_users.insert(uri("sip:member65@example.org"));
    };
    let outcome = distribute(&house, &mut house.state(), &members, &mut mailbox, &mut revoke).unwrap();
    assert!(matches!(outcome.failures[..], [skm::group::Failure { number: 65, reason: Reason::Revoked, .. }]));
    assert!(outcome.delivered == 64 && outcome.stopped.is_none());

    let (house, mut mailbox) = (House::new(), Mailbox::default());
    house.pace.set(Duration::from_secs(3_600));
    let mut dealt = 0;
    let mut depose = |now| {
        dealt = now;
        if now > 0 {
            house.domain.borrow_mut().group_managers.clear();
        }
    };
    let outcome = distribute(&house, &mut house.state(), &members, &mut mailbox, &mut depose).unwrap();
    assert!(matches!(outcome.stopped, Some(GroupError::NotManager(_))) && outcome.delivered == 64 && dealt == 64);
}

#[test]
fn a_distribution_goes_on_in_the_next_key_period() {
    let (house, members) = (House::new(), members(65));
    let end = (NOW / PERIOD + 1) * PERIOD;
    house.now.set(at(end - 15));
    house.pace.set(Duration::from_secs(10));
    let mut mailbox = Mailbox::default();
    let outcome = house.distribute(&members, &mut mailbox).unwrap();
    assert!(outcome.is_complete(), "{outcome:?}");
    let extract = |number: usize, now| {
        house.now.set(at(now));
        house.extract(&members[number - 1], &mailbox.messages[&uri(&members[number - 1])][0].1).unwrap()
    };
    let (before, after) = (extract(64, end - 1), extract(65, end + 10));
    assert!(before.timestamp < at(end) && after.timestamp >= at(end));
    assert_eq!(before.key, after.key);
}

#[test]
fn the_purpose_decides_what_is_said_of_the_key() {
    for number in [1, 4, 9] {
        let (house, purpose) = (House::new(), Purpose::new(number).unwrap());
        let mut state = house.open(&[1; 32], Group { purpose, ..group() }).unwrap();
        let mut mailbox = Mailbox::default();
        let outcome = distribute(&house, &mut state, &members(1), &mut mailbox, &mut |_| ()).unwrap();
        assert_eq!(outcome.id.purpose(), purpose);
        let (user, message) = mailbox.all().next().unwrap();
        let received = house.extract(user.as_str(), message).unwrap();
        assert_eq!(received.id, outcome.id);
        let groups = received.properties.map(|properties| properties.groups);
        assert_eq!(groups, (number == 4).then(|| vec![FLEET.into()]));
    }
}
