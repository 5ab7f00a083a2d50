//! Input of any length is refused in memory that does not grow with it.
#![cfg(all(feature = "hazmat", feature = "documents", feature = "km"))]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use mikey_sakke::documents::{Document, KmsKeySet, Tolerances};
use mikey_sakke::eccsi::{Kpak, Ksak, Signature, SigningKey};
use mikey_sakke::hazmat;
use mikey_sakke::identity::{Uid, UidFormat, Uri};
use mikey_sakke::imessage::{Policy, Responder};
use mikey_sakke::km::domain::Domain;
use mikey_sakke::km::exchange::Announcement;
use mikey_sakke::km::record::Record;
use mikey_sakke::km::retrieval::{KeyRecordQuery, ProblemDetails, ValKeyInfo};
use mikey_sakke::km::{Echo, Identifier, Request, Response};
use mikey_sakke::kms::{Kms, UserKeys};
use mikey_sakke::mikey::{MAX_OCTETS, Message, sdp};
use mikey_sakke::sakke::{MasterSecret, PublicKey, ReceiverKey};
use mikey_sakke::time::Timestamp;

/// What is allocated now, and the most that was.
static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: every call goes on to the allocator of the system as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Relaxed) + layout.size();
        MOST.fetch_max(now, Relaxed);
        // SAFETY: the caller's promises are those that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Octets allocated at most at one time while something runs, beyond what is there before.
fn most(run: impl FnOnce()) -> usize {
    let before = NOW.load(Relaxed);
    MOST.store(before, Relaxed);
    run();
    MOST.load(Relaxed) - before
}

const MIB: usize = 1 << 20;

/// Octets of each input.
const LENGTH: usize = 16 * MIB;

/// Some octets again and again, after others.
fn repeated(head: &[u8], octets: &[u8]) -> Vec<u8> {
    let mut all = head.to_vec();
    all.extend(octets.iter().cycle().take(LENGTH - head.len()));
    all
}

/// HDR with the empty map and no crypto session, before a payload of type RAND.
const HEADER: [u8; 10] = [1, 26, 11, 1, 0x50, 1, 2, 3, 0, 1];

fn text(octets: &[u8]) -> &str {
    core::str::from_utf8(octets).unwrap()
}

struct Keys {
    kms: Kms,
    user: Uid,
    keys: UserKeys,
}

fn keys() -> Keys {
    let rng = &mut getrandom::SysRng;
    let kms = Kms::generate(Uri::parse("kms.example.org").unwrap(), UidFormat::hashed(2_592_000, 0).unwrap(), rng);
    let kms = kms.unwrap();
    let (name, period) = (Uri::parse("sip:bob@example.org").unwrap(), kms.certificate().uid_format().period_at(now()));
    let issued = kms.issue(&name, period.unwrap(), rng).unwrap();
    let user = kms.certificate().uid(&name, period.unwrap()).unwrap();
    Keys { keys: UserKeys::import(kms.certificate(), &issued).unwrap(), kms, user }
}

fn now() -> Timestamp {
    Timestamp::from_unix(1_795_000_000).unwrap()
}

/// The memory of one allocator is watched, so all is one test.
#[test]
fn what_is_too_long_is_refused_in_little_memory() {
    let Keys { kms, user, keys } = keys();
    let mut responder = Responder::new(keys.into(), Policy::default());
    let certificate = kms.certificate();
    let mut failures = Vec::new();
    let mut refuse = |name: &str, octets: &[u8], is_refused: &mut dyn FnMut(&[u8]) -> bool| {
        assert_eq!(octets.len(), LENGTH, "{name}");
        let mut refused = false;
        let most = most(|| refused = is_refused(octets));
        if !refused || most > MIB {
            failures.push(format!("{name}: refused: {refused}, in {most} octets"));
        }
    };

    let messages = [
        ("zeros", repeated(&[], &[0])),
        ("one long RAND after another", repeated(&HEADER, &[&[11, 255], &[7; 255][..]].concat())),
        ("the shortest payload again and again", repeated(&HEADER, &[11, 0])),
        ("a policy with many parameters", repeated(&[1, 26, 10, 1, 0, 0, 0, 0, 1, 0], &[10, 0, 0, 0xff, 0xff])),
        ("SIGN", repeated(&[1, 26, 4, 1, 0, 0, 0, 0, 0, 1, 0x20, 129], &[4])),
    ];
    for (name, octets) in &messages {
        refuse(name, octets, &mut |octets| Message::decode(octets).is_err());
        refuse(name, octets, &mut |octets| responder.extract(octets, now()).is_err());
        refuse(name, octets, &mut |octets| responder.extract_hidden(octets, now()).is_err());
    }
    let description = repeated(b"v=0\r\na=key-mgmt:mikey ", b"ARoF");
    refuse("an attribute of SDP", &description, &mut |octets| {
        sdp::attributes(text(octets)).all(|found| found.is_err())
    });

    let octets = repeated(&[1], &[1]);
    refuse("an identity", &octets, &mut |octets| Uid::from_octets(octets).is_err());
    refuse("a name of a UID", &octets, &mut |octets| hazmat::hashed_uid(octets, b"kms", 1, 0, 0).is_err());
    refuse("the name of a KMS", &octets, &mut |octets| hazmat::hashed_uid(b"user", octets, 1, 0, 0).is_err());
    refuse("a master secret", &octets, &mut |octets| MasterSecret::from_octets(octets).is_err());
    refuse("a KSAK", &octets, &mut |octets| Ksak::from_octets(octets).is_err());
    let point = repeated(&[4], &[0]);
    refuse("Z", &point, &mut |octets| PublicKey::from_octets(octets).is_err());
    refuse("a KPAK", &point, &mut |octets| Kpak::from_octets(octets).is_err());
    refuse("an RSK", &point, &mut |octets| ReceiverKey::import(certificate.public_key(), &user, octets).is_err());
    refuse("a PVT", &point, &mut |octets| SigningKey::import(certificate.kpak(), &user, &[1; 32], octets).is_err());
    refuse("a signature", &point, &mut |octets| Signature::try_from(octets).is_err());

    let uri = repeated(b"sip:", b"a");
    refuse("a URI", &uri, &mut |octets| Uri::parse(text(octets)).is_err());
    refuse("an identifier", &uri, &mut |octets| Identifier::new(text(octets)).is_err());
    let query = repeated(b"val-service-id=", b"%61");
    refuse("a query", &query, &mut |octets| KeyRecordQuery::parse(text(octets)).is_err());
    for (name, octets) in [
        ("a list in a list", repeated(b"{\"Version\":", b"[")),
        ("an object in an object", repeated(b"", b"{\"a\":")),
        ("a long text", repeated(b"{\"Version\":\"", b"a")),
        ("a long number", repeated(b"{\"DateTime\":", b"1")),
        ("many members", repeated(b"{", b"\"a\":1,")),
        ("space", repeated(b"", b" ")),
    ] {
        refuse(name, &octets, &mut |octets| Request::from_json(octets).is_err());
        refuse(name, &octets, &mut |octets| Echo::of_json(octets) == Echo::NOTHING);
        refuse(name, &octets, &mut |octets| Response::from_json(octets).is_err());
        refuse(name, &octets, &mut |octets| Announcement::from_json(octets).is_err());
        refuse(name, &octets, &mut |octets| Domain::from_json(octets).is_err());
        refuse(name, &octets, &mut |octets| Record::from_json(octets).is_err());
        refuse(name, &octets, &mut |octets| ValKeyInfo::from_json(octets).is_err());
        refuse(name, &octets, &mut |octets| ProblemDetails::from_json(octets).is_err());
    }
    for (name, octets) in [
        ("elements in elements", repeated(b"<KmsResponse>", b"<a>")),
        ("elements after elements", repeated(b"<KmsResponse>", b"<a/>")),
        ("a long text", repeated(b"<KmsKeySet>", b"a")),
        ("attributes", repeated(b"<KmsKeySet ", b"a='' ")),
        ("a comment", repeated(b"<!--", b"a")),
    ] {
        refuse(name, &octets, &mut |octets| Document::from_xml(octets, Tolerances::default()).is_err());
        refuse(name, &octets, &mut |octets| KmsKeySet::from_xml(octets, Tolerances::default()).is_err());
    }
    assert!(failures.is_empty(), "{failures:#?}");

    // What is still read takes a multiple of its octets, of which the shortest payloads make the most.
    let mut longest = repeated(&HEADER, &[11, 0]);
    longest.truncate(MAX_OCTETS);
    let most = most(|| assert!(Message::decode(&longest).is_err()));
    println!("a message of {MAX_OCTETS} octets takes {most}");
    assert!(most > MAX_OCTETS && most <= 128 * MIB, "{most} octets");
}
