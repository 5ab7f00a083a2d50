//! Keys, their identifiers, and where they are held.

use getrandom::SysRng;
use mikey_sakke::Error;
use mikey_sakke::error::UsageError;
use mikey_sakke::imessage::{Initiator, KeyBundle, Keyring, Policy, Profile, Purpose, SkId, SrtpKeys};
use mikey_sakke::kms::Kms;
use mikey_sakke::mikey::prf::Prf;
use mikey_sakke::sakke::Ssv;

use crate::domain::*;
use crate::random::{Broken, SameIds};

#[test]
fn an_sk_id_is_a_purpose_and_28_random_bits() {
    for number in 0..16 {
        let purpose = Purpose::new(number).unwrap();
        let [one, other] = [(); 2].map(|()| SkId::generate(purpose, &mut SysRng).unwrap());
        assert_eq!((one.purpose(), other.purpose()), (purpose, purpose));
        assert_eq!(one.to_octets()[0] >> 4, number);
        assert_ne!(one, other);
    }
    assert_eq!(Purpose::new(16), Err(UsageError::FieldLength));
}

#[test]
fn a_key_of_another_purpose_does_not_fit_the_profile() {
    let new = |id| KeyBundle::new(Profile::ts33180_pck(), Ssv::new([1; 16]), SkId::from_octets(id), [3; 16]);
    assert_eq!(new([0x20, 0, 0, 1]).unwrap_err(), UsageError::Purpose);
    assert!(new([0x10, 0, 0, 1]).is_ok());
}

#[test]
fn keys_are_found_by_initiator_and_sk_id() {
    let mut keyring = Keyring::default();
    let (alice, bob) = (uri("sip:alice@example.org"), uri("sip:bob@example.org"));
    let id = SkId::from_octets([0x10, 0, 0, 1]);
    assert_eq!(keyring.insert(alice.clone(), id, "from alice"), None);
    assert_eq!(keyring.insert(bob.clone(), id, "from bob"), None);
    assert_eq!(keyring.get(&alice, id), Some(&"from alice"));
    assert_eq!(keyring.get(&bob, id), Some(&"from bob"));
    assert_eq!(keyring.insert(bob.clone(), id, "again"), Some("from bob"));
    assert_eq!(keyring.remove(&alice, id), Some("from alice"));
    assert_eq!(keyring.get(&alice, id), None);
    assert_eq!(keyring.iter().collect::<Vec<_>>(), [(&bob, id, &"again")]);
}

#[test]
fn an_initiator_takes_no_sk_id_twice() {
    let mut keyring = Keyring::default();
    let (alice, profile) = (uri("sip:alice@example.org"), Profile::ts33180_pck());
    let first = keyring.generate(&alice, &profile, &mut SameIds(7)).unwrap();
    assert_eq!(first.id().to_octets(), [0x17, 7, 7, 7]);
    assert_eq!(keyring.generate(&alice, &profile, &mut SameIds(7)).unwrap_err(), Error::Random);
    let second = keyring.generate(&alice, &profile, &mut SysRng).unwrap();
    assert_eq!(keyring.get(&alice, second.id()).unwrap().key(), second.key());
    // Another initiator may have it.
    assert!(keyring.generate(&uri("sip:bob@example.org"), &profile, &mut SameIds(7)).is_ok());
}

#[test]
fn srtp_keys_are_ready_for_libsrtp() {
    let keys =
        SrtpKeys::derive(Prf::HmacSha256, &Ssv::new([1; 16]), 4, SkId::from_octets([1, 2, 3, 4]), &[5; 16]).unwrap();
    let both = keys.key_and_salt();
    assert_eq!(both.expose()[..16], *keys.master_key.expose());
    assert_eq!(both.expose()[16..], *keys.master_salt.expose());
    assert_eq!(keys.mki, [1, 2, 3, 4]);
}

#[test]
fn a_failing_random_source_is_an_error() {
    assert_eq!(Kms::generate(uri("kms.example.org"), HASHED, &mut Broken).unwrap_err(), Error::Random);
    assert_eq!(KeyBundle::generate(Profile::ts33180_gmk(), &mut Broken).unwrap_err(), Error::Random);
    let bundle = KeyBundle::new(Profile::ts33180_gmk(), Ssv::new([1; 16]), SkId::from_octets([2; 4]), [3; 16]).unwrap();
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
