//! Every backend that the processor has computes the same octets, alone and in batches.
//!
//! The choice of the backend counts for the whole process, so one test takes them in turn.
#![cfg(feature = "hazmat")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod oracle;

use getrandom::SysRng;
use mikey_sakke::Error;
use mikey_sakke::eccsi::Ksak;
use mikey_sakke::error::UsageError;
use mikey_sakke::hazmat::backend::{Backend, current, select};
use mikey_sakke::identity::{KeyPeriod, Uid, UidFormat, Uri};
use mikey_sakke::kms::{KeySet, Kms, UserKeys};
use mikey_sakke::sakke::{
    Encapsulated, EncapsulationKey, MasterSecret, PublicKey, ReceiverKey, Rsk, Ssv, TableSize, encapsulate_batch,
};
use num_bigint::BigUint;

/// The order q of parameter set 1 (RFC 6509, appendix A).
const Q: &str = concat!(
    "265eaec7c2958ff69971846636b4195e905b0338672d20986fa6b8d62cf8068bbd02aac9f8bf03c6c8a1cc354c69672c",
    "39e46ce7fdf222864d5b49fd2999a9b4389b1921cc9ad335144ab173595a07386dabfd2a0c614aa0a9f3cf14870f026a",
    "a7e535abd5a5c7c7ff38fa08e2615f6c203177c42b1eb3a1d99b601ebfaa17fb",
);

/// Two master secrets, each 128 octets of one value.
const MASTER_SECRETS: [[u8; 128]; 2] = [[0x1d; 128], [0x07; 128]];

/// Lengths on both sides of eight lanes, and of none.
const LENGTHS: [usize; 8] = [0, 1, 2, 7, 8, 9, 16, 20];

/// The positions of the identity q - z among the others.
const WITHOUT_KEY: [usize; 3] = [1, 8, 13];

/// What one backend computes.
struct Outputs {
    encapsulated: Vec<Result<Encapsulated, UsageError>>,
    rsks: Vec<Result<Rsk, Error>>,
    /// Of the key sets that a KMS issues.
    issued: Vec<Option<Rsk>>,
}

#[test]
fn every_backend_computes_the_same() {
    let mut first: Option<(PublicKey, Outputs)> = None;
    for backend in Backend::ALL {
        if !backend.is_available() {
            assert!(select(backend).is_err());
            println!("{backend}: not available");
            continue;
        }
        select(backend).unwrap();
        assert_eq!(current(), backend);
        let outputs = compute();
        println!("{backend}: ran");
        match &first {
            None => {
                let public_key = master_secret(0).public_key();
                public_key.encapsulate(&identities()[0], &ssv()).unwrap();
                first = Some((public_key, outputs));
            }
            Some((public_key, expected)) => {
                assert_eq!(outputs.encapsulated, expected.encapsulated, "{backend}");
                assert_eq!(outputs.rsks, expected.rsks, "{backend}");
                assert_eq!(outputs.issued, expected.issued, "{backend}");
                // Of a key that was prepared under the first backend.
                let (identity, ssv) = (&identities()[0], ssv());
                assert_eq!(public_key.encapsulate(identity, &ssv), expected.encapsulated[0], "{backend}");
            }
        }
    }
}

/// Encapsulates to and extracts for every identity, one by one; checks that batches of all lengths give the same, and
/// that what was encapsulated can be decapsulated.
fn compute() -> Outputs {
    let (z, identities, ssv) = (master_secret(0), identities(), ssv());
    // Two KMSs, and for the first of them alone q - z has no key.
    let public_keys = [z.public_key(), master_secret(1).public_key()];
    let recipients: Vec<(&PublicKey, &Uid)> = identities
        .iter()
        .enumerate()
        .map(|(index, identity)| (&public_keys[usize::from(index % 5 == 4)], identity))
        .collect();
    let encapsulated: Vec<_> = recipients.iter().map(|(key, identity)| key.encapsulate(identity, &ssv)).collect();
    let rsks: Vec<_> = identities.iter().map(|identity| z.extract(identity)).collect();

    for length in LENGTHS {
        assert_eq!(encapsulate_batch(&recipients[..length], &ssv), encapsulated[..length], "{length} recipients");
        assert_eq!(z.extract_batch(&identities[..length]), rsks[..length], "{length} identities");
    }
    for (index, identity) in identities.iter().enumerate() {
        let has_key = !WITHOUT_KEY.contains(&index);
        assert_eq!(encapsulated[index].is_ok(), has_key, "identity {index}");
        assert_eq!(rsks[index].is_ok(), has_key, "identity {index}");
        let (public_key, _) = recipients[index];
        match EncapsulationKey::new(public_key, identity) {
            Ok(key) => assert_eq!(key.encapsulate(&ssv), encapsulated[index], "identity {index}, prepared"),
            Err(error) => assert_eq!(Err(error), encapsulated[index], "identity {index}, prepared"),
        }
    }
    let prepared: Vec<EncapsulationKey> =
        recipients.iter().flat_map(|(key, identity)| EncapsulationKey::new(key, identity)).collect();
    let expected: Vec<_> = encapsulated.iter().filter(|result| result.is_ok()).copied().collect();
    // All of one size, of one but the last, and of all three.
    use TableSize::{Full, Small, Tiny};
    for sizes in [&[Small][..], &[Tiny], &[Small, Small, Small, Small, Small, Small, Small, Tiny], &[Full, Tiny, Small]]
    {
        let sizes = sizes.iter().cycle();
        let prepared: Vec<_> =
            prepared.iter().zip(sizes).map(|(key, size)| key.clone().with_table_size(*size)).collect();
        for length in LENGTHS.map(|length| length.min(prepared.len())) {
            let prepared: Vec<_> = prepared[..length].iter().collect();
            assert_eq!(EncapsulationKey::encapsulate_batch(&prepared, &ssv), expected[..length], "{length} prepared");
        }
    }
    for size in [Full, Small, Tiny] {
        let key = public_keys[0].clone().with_table_size(size);
        assert_eq!(key.encapsulate(&identities[0], &ssv), encapsulated[0], "{size:?}");
    }
    assert_eq!(
        [Full, Small, Tiny].map(TableSize::octets),
        if current() == Backend::Ifma { [1_597_440, 245_760, 30_720] } else { [1_259_520, 251_904, 24_576] }
    );
    let receiver = ReceiverKey::import(&public_keys[0], &identities[0], rsks[0].as_ref().unwrap().expose()).unwrap();
    receiver.prepare();
    assert_eq!(receiver.decapsulate(encapsulated[0].as_ref().unwrap()).unwrap(), ssv);
    Outputs { encapsulated, rsks, issued: issue() }
}

/// The position of the user with a period of the wrong kind among the others.
const WITHOUT_UID: usize = 3;

/// Issues to users of different periods, one by one; checks that batches of all lengths give the same RSK to each, that
/// it is that of the oracle, and that each key set passes both checks of its user with an SSK and PVT of its own.
fn issue() -> Vec<Option<Rsk>> {
    let format = UidFormat::hashed(2_592_000, 0).unwrap();
    let ksak = Ksak::from_octets(&[0x2b; 32]).unwrap();
    let kms = Kms::new(Uri::parse("kms.example.org").unwrap(), format, ksak, master_secret(0)).unwrap();
    let uris: Vec<_> = (0..20).map(|index| Uri::parse(&format!("sip:{}@example.org", index % 18)).unwrap()).collect();
    let period = |index: usize| match index {
        WITHOUT_UID => KeyPeriod::Month { year: 2026, month: 11 },
        index => KeyPeriod::Number(1531 + index as u64 / 9),
    };
    let users: Vec<_> = uris.iter().enumerate().map(|(index, uri)| (uri, period(index))).collect();
    let one_by_one: Vec<_> = users.iter().map(|(user, period)| kms.issue(user, *period, &mut SysRng).ok()).collect();
    let mut pvts: Vec<_> = one_by_one.iter().flatten().map(|keys| keys.signing.pvt).collect();
    for length in LENGTHS {
        let batch = kms.issue_batch(&users[..length], &mut SysRng);
        assert_eq!(batch.len(), length);
        let ahead = kms.extract_batch(&users[..length]);
        for (((issued, ahead), alone), &(user, period)) in batch.iter().zip(ahead).zip(&one_by_one).zip(&users) {
            let Some(alone) = alone else {
                assert_eq!(issued.as_ref().unwrap_err().to_string(), ahead.unwrap_err().to_string());
                continue;
            };
            let issued = issued.as_ref().unwrap();
            assert_eq!((&issued.user, issued.period), (user, period));
            assert_eq!(issued.rsk, alone.rsk);
            assert_eq!(ahead.unwrap(), alone.rsk);
            pvts.push(issued.signing.pvt);
        }
        // Both checks take their time.
        let last: Option<&KeySet> = batch.iter().flatten().last();
        last.map(|issued| UserKeys::import(kms.certificate(), issued).unwrap());
    }
    let later = kms.issue_with(users[0].0, users[0].1, one_by_one[0].clone().unwrap().rsk, &mut SysRng).unwrap();
    UserKeys::import(kms.certificate(), &later).unwrap();
    pvts.push(later.signing.pvt);
    let all = pvts.len();
    pvts.sort_unstable();
    pvts.dedup();
    assert_eq!(pvts.len(), all, "each PVT is new");
    for index in [0, 9, 19] {
        let uid = kms.certificate().uid(users[index].0, users[index].1).unwrap();
        let expected = oracle::sakke::extract(&MASTER_SECRETS[0], uid.as_octets());
        assert_eq!(one_by_one[index].as_ref().map(|keys| keys.rsk.expose().to_vec()), expected);
    }
    let has_keys = |index: usize| index != WITHOUT_UID;
    assert!(one_by_one.iter().enumerate().all(|(index, keys)| keys.is_some() == has_keys(index)));
    one_by_one.into_iter().map(|keys| keys.map(|keys| keys.rsk)).collect()
}

fn master_secret(index: usize) -> MasterSecret {
    MasterSecret::from_octets(&MASTER_SECRETS[index]).unwrap()
}

fn ssv() -> Ssv {
    Ssv::new([0x5a; 16])
}

/// Twenty identities. Three of them are q - z for the first z, so that b + z = 0 mod q.
fn identities() -> Vec<Uid> {
    let q = BigUint::parse_bytes(Q.as_bytes(), 16).unwrap();
    let without_key = (q - BigUint::from_bytes_be(&MASTER_SECRETS[0])).to_bytes_be();
    let identity = |index| match index {
        index if WITHOUT_KEY.contains(&index) => Uid::from_octets(&without_key),
        index => Uid::from_octets(format!("2026-11\0tel:+4477{index:08}\0").as_bytes()),
    };
    (0..20).map(|index| identity(index).unwrap()).collect()
}
