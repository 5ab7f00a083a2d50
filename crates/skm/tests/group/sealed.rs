//! The file of a state: whose it is, what it tells, and which ones are refused.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};

use mikey_sakke::imessage::Purpose;
use skm::group::{Group, GroupError, State, StateError};
use skm::seal::{KeyError, SealKey};

use crate::support::{FLEET, House, MANAGER, Mailbox, SEAL, group, kms, members, uri};

/// A house with a distribution to two members behind it.
fn house() -> (House, Mailbox) {
    let (house, mut mailbox) = (House::new(), Mailbox::default());
    house.distribute(&members(2), &mut mailbox).unwrap();
    (house, mailbox)
}

fn contains(octets: &[u8], part: &[u8]) -> bool {
    octets.windows(part.len()).any(|window| window == part)
}

#[test]
fn the_file_is_its_owners_alone_and_tells_nothing() {
    let (house, mailbox) = house();
    let (user, message) = mailbox.all().next().unwrap();
    let received = house.extract(user.as_str(), message).unwrap();
    let octets = fs::read(house.path("state")).unwrap();
    let key = received.key.expose();
    for part in [&key[..], hex::encode(key).as_bytes(), &received.rand, user.as_str().as_bytes(), FLEET.as_bytes()] {
        assert!(!contains(&octets, part));
    }
    let printed = format!("{:?}", house.state());
    assert!(!printed.contains(&hex::encode(key)) && !printed.contains(&format!("{key:?}")), "{printed}");
    assert!(printed.contains(&received.id.to_string()));
    for name in ["state", "state.lock"] {
        assert_eq!(fs::metadata(house.path(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    let names = fs::read_dir(house.directory.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.count(), 2);
}

#[test]
fn another_key_or_a_changed_octet_does_not_open_it() {
    let (house, _) = house();
    let octets = fs::read(house.path("state")).unwrap();
    assert!(matches!(house.open(&[0x5b; 32], group()), Err(StateError::Sealed(_))));
    let refused = |octets: &[u8]| {
        fs::write(house.path("state"), octets).unwrap();
        matches!(house.open(&SEAL, group()), Err(StateError::Sealed(_)))
    };
    for at in 0..octets.len() {
        let mut damaged = octets.clone();
        damaged[at] ^= 0x10;
        assert!(refused(&damaged), "octet {at}");
        assert!(refused(&octets[..at]), "first {at}");
    }
    assert!(refused(&[&octets[..], &[0]].concat()));
    // Nothing was distributed under another key meanwhile.
    fs::write(house.path("state"), &octets).unwrap();
    assert!(house.open(&SEAL, group()).unwrap().id().is_some());
}

#[test]
fn an_empty_file_is_damaged_and_no_beginning() {
    let house = House::new();
    fs::write(house.path("state"), "").unwrap();
    fs::set_permissions(house.path("state"), Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(house.open(&SEAL, group()), Err(StateError::Sealed(_))));
}

#[test]
fn the_state_of_another_distribution_is_refused() {
    let (house, _) = house();
    let other = uri("sip:other@example.org");
    let refusals = [
        (Group { manager: other.clone(), ..group() }, MANAGER),
        (Group { uri: other, ..group() }, FLEET),
        (Group { purpose: Purpose::MUSIK, ..group() }, "purpose 0"),
    ];
    for (number, (group, says)) in refusals.into_iter().enumerate() {
        let error = house.open(&SEAL, group).unwrap_err();
        match (number, &error) {
            (0, StateError::Manager(..)) | (1, StateError::Group(..)) | (2, StateError::Purpose(..)) => {}
            _ => panic!("{error:?}"),
        }
        assert!(error.to_string().contains(says) && error.to_string().contains("choose another file"), "{error}");
    }
    let (moved, mut mailbox) = (house.moved(kms("other.example.org")), Mailbox::default());
    let error = moved.distribute(&members(3), &mut mailbox).unwrap_err();
    assert!(matches!(error, GroupError::State(StateError::Kms(..))), "{error:?}");
    assert_eq!(mailbox.count(), 0);
}

#[test]
fn two_runs_are_kept_apart() {
    let house = House::new();
    let (mut mailbox, first) = (Mailbox::default(), house.state());
    assert!(matches!(house.open(&SEAL, group()), Err(StateError::Locked(_))));
    // By another way to the same file as well.
    let way = house.path("").join("..").join(house.directory.path().file_name().unwrap()).join("state");
    assert!(matches!(State::open(way, SealKey::new(&SEAL), group()), Err(StateError::Locked(_))));
    drop(first);
    house.distribute(&members(1), &mut mailbox).unwrap();
    assert_eq!(mailbox.count(), 1);
}

#[test]
fn a_file_that_others_can_reach_is_refused() {
    let (house, _) = house();
    let path = house.path("state");
    for mode in [0o644, 0o620, 0o604] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let error = house.open(&SEAL, group()).unwrap_err();
        assert!(matches!(error, StateError::File(KeyError::Access(_, found)) if found == mode), "{error:?}");
    }
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    // A link would be locked under another name than the file.
    fs::rename(&path, house.path("elsewhere")).unwrap();
    symlink(house.path("elsewhere"), &path).unwrap();
    assert!(matches!(house.open(&SEAL, group()), Err(StateError::File(KeyError::NotAFile(_)))));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(house.open(&SEAL, group()), Err(StateError::File(KeyError::NotAFile(_)))));
}

#[test]
fn without_a_place_for_the_key_nobody_gets_it() {
    let nowhere = House::new().path("nowhere").join("state");
    let error = State::open(nowhere, SealKey::new(&SEAL), group()).unwrap_err();
    assert!(matches!(error, StateError::Write(..)), "{error:?}");

    let (house, mut mailbox) = (House::new(), Mailbox::default());
    fs::create_dir(house.path("state.draft")).unwrap();
    let error = house.distribute(&members(1), &mut mailbox).unwrap_err();
    assert!(matches!(error, GroupError::State(StateError::Write(..))), "{error:?}");
    assert_eq!(mailbox.count(), 0);
}

#[test]
fn a_draft_that_was_left_is_replaced_and_not_followed() {
    let house = House::new();
    fs::write(house.path("other"), "other").unwrap();
    symlink(house.path("other"), house.path("state.draft")).unwrap();
    house.distribute(&members(1), &mut Mailbox::default()).unwrap();
    assert_eq!(fs::read_to_string(house.path("other")).unwrap(), "other");
    assert!(house.state().id().is_some());
}
