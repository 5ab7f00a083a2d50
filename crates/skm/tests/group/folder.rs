//! Messages as files.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;

use skm::group::{Folder, Sink as _};
use tempfile::TempDir;

use crate::support::{House, members, uri};

#[test]
fn each_member_has_a_file() {
    let house = House::new();
    let path = house.path("deep").join("messages");
    let mut folder = Folder::open(&path).unwrap();
    assert!(!folder.has_messages().unwrap());
    let outcome = house.distribute(&members(3), &mut folder).unwrap();
    assert!(outcome.is_complete() && folder.has_messages().unwrap());
    let names = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    let expected = [1, 2, 3].map(|number| format!("{number:06}-sip%3Amember{number}%40example.org.mikey"));
    assert_eq!(names, expected);
    for (name, user) in expected.iter().zip(members(3)) {
        assert_eq!(*name, Folder::name(name[..6].parse().unwrap(), &uri(&user)));
        assert_eq!(house.extract(&user, &fs::read(path.join(name)).unwrap()).unwrap().id, outcome.id);
    }
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_second_message_takes_the_place_of_the_first() {
    let directory = TempDir::new().unwrap();
    let mut folder = Folder::open(directory.path()).unwrap();
    let user = uri("sip:alice@example.org");
    // As a run that was killed leaves it.
    let path = directory.path().join(Folder::name(1, &user));
    fs::write(path.with_extension("draft"), "half of a much longer message").unwrap();
    for message in ["first", "other"] {
        folder.deliver(1, &user, message.as_bytes()).unwrap();
        folder.flush().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), message);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(folder.deliver(1, &user, b"third").is_err());
}

#[test]
fn two_distributions_do_not_share_one() {
    let directory = TempDir::new().unwrap();
    let first = Folder::open(directory.path()).unwrap();
    assert_eq!(Folder::open(directory.path()).unwrap_err().kind(), ErrorKind::WouldBlock);
    drop(first);
    Folder::open(directory.path()).unwrap();
    fs::write(directory.path().join("file"), "").unwrap();
    assert!(Folder::open(directory.path().join("file")).is_err());
}
