//! The schemes against an independent implementation, on random inputs.
#![cfg(feature = "hazmat")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod oracle;

use mikey_sakke::eccsi::{Kpak, Ksak, Signature, SigningKey, VerifyingKey};
use mikey_sakke::hazmat;
use mikey_sakke::identity::{Uid, Uri};
use mikey_sakke::sakke::{MasterSecret, PublicKey, ReceiverKey, Ssv};
use proptest::prelude::*;

/// z or KSAK, v, j: random, and at the edges of their range.
fn secrets<const N: usize>(q: &str) -> impl Strategy<Value = [u8; N]> + use<N> {
    let q = oracle::integer(q);
    let at = |number| <[u8; N]>::try_from(oracle::octets(&number, N)).unwrap();
    let edges: Vec<[u8; N]> = [0u32.into(), 1u32.into(), 2u32.into(), &q - 1u32, q.clone(), &q + 1u32].map(at).to_vec();
    let below = any::<[u8; N]>().prop_map(move |octets| at(oracle::from_octets(&octets) % &q));
    prop_oneof![8 => below, 1 => prop::sample::select(edges)]
}

fn sakke_secret() -> impl Strategy<Value = [u8; 128]> {
    secrets(
        "265eaec7c2958ff69971846636b4195e905b0338672d20986fa6b8d62cf8068bbd02aac9f8bf03c6c8a1cc354c69672c\
         39e46ce7fdf222864d5b49fd2999a9b4389b1921cc9ad335144ab173595a07386dabfd2a0c614aa0a9f3cf14870f026a\
         a7e535abd5a5c7c7ff38fa08e2615f6c203177c42b1eb3a1d99b601ebfaa17fb",
    )
}

fn eccsi_secret() -> impl Strategy<Value = [u8; 32]> {
    secrets("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551")
}

fn identities() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 1..300)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.div_ceil(12)))]

    #[test]
    fn sakke_agrees(z in sakke_secret(), identity in identities(), ssv: [u8; 16], flip in 0..273usize) {
        let uid = Uid::from_octets(&identity).unwrap();
        let Ok(master_secret) = MasterSecret::from_octets(&z) else {
            prop_assert_eq!(oracle::sakke::master_key(&z), None);
            return Ok(());
        };
        let public_key = master_secret.public_key();
        let z_octets = public_key.to_octets();
        prop_assert_eq!(Some(z_octets.to_vec()), oracle::sakke::master_key(&z));
        let rsk = master_secret.extract(&uid).unwrap();
        prop_assert_eq!(Some(rsk.expose().to_vec()), oracle::sakke::extract(&z, &identity));

        let ssv = Ssv::new(ssv);
        let ours = hazmat::sakke_encapsulate(&public_key, &uid, &ssv).unwrap();
        let expected = oracle::sakke::encapsulate(&z_octets, &identity, ssv.expose()).unwrap();
        prop_assert_eq!(ours.encapsulated.to_vec(), expected.encapsulated);
        prop_assert_eq!(ours.r.to_vec(), expected.r);
        prop_assert_eq!(ours.g_to_the_r.to_vec(), expected.g_pow_r);

        let receiver = ReceiverKey::import(&public_key, &uid, rsk.expose()).unwrap();
        prop_assert_eq!(receiver.decapsulate(&ours.encapsulated).unwrap(), ssv.clone());
        let mut damaged = ours.encapsulated;
        damaged[flip] ^= 0x10;
        prop_assert!(receiver.decapsulate(&damaged).is_err());

        // More than a backend has lanes, good and bad ones among each other.
        let mut batch = vec![&ours.encapsulated[..]; 10];
        (batch[0], batch[4], batch[9]) = (&damaged, &[], &damaged);
        for (i, result) in receiver.decapsulate_batch(&batch).into_iter().enumerate() {
            prop_assert_eq!(result.ok(), (![0, 4, 9].contains(&i)).then(|| ssv.clone()));
        }
        prop_assert!(receiver.decapsulate_batch(&[]).is_empty());
    }

    #[test]
    fn eccsi_agrees(ksak in eccsi_secret(), v in eccsi_secret(), j in eccsi_secret(), identity in identities(), message: Vec<u8>, flip in 0..129usize) {
        let uid = Uid::from_octets(&identity).unwrap();
        let Ok(secret) = Ksak::from_octets(&ksak) else {
            prop_assert_eq!(oracle::eccsi::master_key(&ksak), None);
            return Ok(());
        };
        let kpak = secret.kpak();
        prop_assert_eq!(Some(kpak.to_octets().to_vec()), oracle::eccsi::master_key(&ksak));
        let Some((pair, hs)) = hazmat::eccsi_issue(&secret, &uid, &v) else {
            prop_assert!(oracle::eccsi::issue(&ksak, &identity, &v).is_none());
            return Ok(());
        };
        let expected = oracle::eccsi::issue(&ksak, &identity, &v).unwrap();
        prop_assert_eq!(pair.ssk.expose().as_slice(), expected.ssk.as_slice());
        prop_assert_eq!(pair.pvt.as_slice(), expected.pvt.as_slice());
        prop_assert_eq!(hs.as_slice(), expected.hs.as_slice());

        let key = SigningKey::import(&kpak, &uid, pair.ssk.expose(), &pair.pvt).unwrap();
        let signature = hazmat::eccsi_sign(&key, &message, &j);
        let octets = signature.map(|signature| signature.as_octets().to_vec());
        prop_assert_eq!(&octets, &oracle::eccsi::sign(&kpak.to_octets(), &identity, pair.ssk.expose(), &pair.pvt, &message, &j));
        if let (Some(signature), Some(mut octets)) = (signature, octets) {
            let verifying_key = VerifyingKey::new(&kpak, &uid);
            prop_assert!(verifying_key.verify(&message, &signature).is_ok());
            prop_assert!(verifying_key.verify(&[&message[..], &[0]].concat(), &signature).is_err());
            octets[flip] ^= 0x10;
            let damaged = Signature::try_from(&octets[..]).unwrap();
            prop_assert!(verifying_key.verify(&message, &damaged).is_err());
        }
    }

    #[test]
    fn key_material_of_others_is_refused(z in sakke_secret(), other in sakke_secret(), ksak in eccsi_secret(), other_ksak in eccsi_secret()) {
        let (Ok(z), Ok(other)) = (MasterSecret::from_octets(&z), MasterSecret::from_octets(&other)) else { return Ok(()) };
        let (Ok(ksak), Ok(other_ksak)) = (Ksak::from_octets(&ksak), Ksak::from_octets(&other_ksak)) else { return Ok(()) };
        prop_assume!(z.public_key() != other.public_key() && ksak.kpak() != other_ksak.kpak());
        let [alice, bob] = [b"alice", b"bob\0\0"].map(|name| Uid::from_octets(name).unwrap());
        let rsk = z.extract(&alice).unwrap();
        prop_assert!(ReceiverKey::import(&z.public_key(), &bob, rsk.expose()).is_err());
        prop_assert!(ReceiverKey::import(&other.public_key(), &alice, rsk.expose()).is_err());
        let pair = ksak.issue(&alice, &mut getrandom::SysRng).unwrap();
        prop_assert!(SigningKey::import(&ksak.kpak(), &bob, pair.ssk.expose(), &pair.pvt).is_err());
        prop_assert!(SigningKey::import(&other_ksak.kpak(), &alice, pair.ssk.expose(), &pair.pvt).is_err());
    }

    #[test]
    fn hash_to_integer_range_agrees(message: Vec<u8>, modulus in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(
            hazmat::hash_to_integer_range(&message, &modulus).ok(),
            oracle::sakke::hash_to_integer_range(&message, &modulus)
        );
    }

    #[test]
    fn hash_to_integer_range_agrees_at_powers_of_two(message: Vec<u8>, bit in 0..2050usize, less in any::<bool>()) {
        let modulus = (num_bigint::BigUint::from(1u32) << bit) - u32::from(less);
        let modulus = oracle::octets(&modulus, 260);
        prop_assert_eq!(
            hazmat::hash_to_integer_range(&message, &modulus).ok(),
            oracle::sakke::hash_to_integer_range(&message, &modulus)
        );
    }

    #[test]
    fn hashed_uids_agree(user in "sip:[a-z]{1,20}@example[.]org", kms in "[a-z]{1,20}[.]example[.]org", period in 1..u64::MAX, offset: u64, number: u64) {
        let ours = Uid::hashed(&Uri::parse(&user).unwrap(), &Uri::parse(&kms).unwrap(), period, offset, number);
        let expected = oracle::identity::hashed(user.as_bytes(), kms.as_bytes(), period, offset, number);
        prop_assert_eq!(ours.unwrap().as_octets().to_vec(), expected.unwrap().to_vec());
    }
}

#[test]
fn points_of_the_wrong_curve_or_order_are_no_key_material() {
    let origin = [&[4], &[0; 256][..]].concat(); // (0, 0), the point of order 2
    assert!(PublicKey::from_octets(&origin).is_err());
    assert!(Kpak::from_octets(&origin).is_err());
    assert!(Kpak::from_octets(&[0]).is_err());
}
