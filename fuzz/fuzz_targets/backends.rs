//! Every backend that the processor has gives the octets of the portable one.
#![no_main]

mod schemes;

use std::sync::LazyLock;

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use mikey_sakke::eccsi::{Kpak, Ksak, Signature, SigningKey, VerifyingKey};
use mikey_sakke::hazmat;
use mikey_sakke::hazmat::backend::{Backend, select};
use mikey_sakke::identity::Uid;
use mikey_sakke::sakke::{EncapsulationKey, MasterSecret, PublicKey, ReceiverKey, Ssv, TableSize, encapsulate_batch};
use schemes::{ECCSI, SAKKE, damage, identity, p256, set_1, short};

/// What is computed, in octets; none for what is refused.
type Outputs = Vec<Option<Vec<u8>>>;

/// A receiver whose keys each backend has prepared for itself.
static RECEIVERS: LazyLock<Vec<(Backend, PublicKey, ReceiverKey)>> = LazyLock::new(|| {
    let receiver = |backend| {
        select(backend).expect("it is available");
        let z = MasterSecret::from_octets(&[0x1d; SAKKE]).expect("a fixed secret");
        let uid = Uid::from_octets(b"receiver").expect("a fixed identity");
        let rsk = z.extract(&uid).expect("it has a key");
        let key = ReceiverKey::import(&z.public_key(), &uid, rsk.expose()).expect("it was extracted");
        (backend, z.public_key(), key)
    };
    Backend::ALL.into_iter().filter(|backend| backend.is_available()).map(receiver).collect()
});

fuzz_target!(|octets: &[u8]| {
    let mut all = Vec::new();
    for (backend, public_key, receiver) in &*RECEIVERS {
        select(*backend).expect("it is available");
        let mut input = Unstructured::new(octets);
        all.push(outputs(&mut input, public_key, receiver).unwrap_or_default());
        assert_eq!(all.last(), all.first(), "{backend}");
    }
});

fn outputs(input: &mut Unstructured, public_key: &PublicKey, receiver: &ReceiverKey) -> Result<Outputs> {
    match input.int_in_range(0..=4u8)? {
        0 => extract(input),
        1 => encapsulate(input),
        2 => decapsulate(input, public_key, receiver),
        3 => import(input, public_key),
        _ => eccsi(input),
    }
}

/// On both sides of eight lanes.
fn identities(input: &mut Unstructured, z: &[u8]) -> Result<Vec<Uid>> {
    let length = *input.choose(&[1, 1, 1, 2, 3, 8, 9, 17])?;
    (0..length).map(|_| Ok(Uid::from_octets(&identity(input, z)?).expect("1 to 1000 octets"))).collect()
}

fn extract(input: &mut Unstructured) -> Result<Outputs> {
    let z = set_1().integer::<SAKKE>(input)?;
    let identities = identities(input, &z)?;
    let Ok(z) = MasterSecret::from_octets(&z) else { return Ok(vec![None]) };
    let rsks = z.extract_batch(&identities);
    assert_eq!(rsks.first(), Some(&z.extract(&identities[0])));
    let rsks = rsks.into_iter().map(|rsk| Some(rsk.ok()?.expose().to_vec()));
    Ok(rsks.chain([Some(z.public_key().to_octets().to_vec())]).collect())
}

fn encapsulate(input: &mut Unstructured) -> Result<Outputs> {
    let z = set_1().integer::<SAKKE>(input)?;
    let (identities, ssv) = (identities(input, &z)?, Ssv::new(input.arbitrary()?));
    let size = *input.choose(&[TableSize::Tiny, TableSize::Tiny, TableSize::Tiny, TableSize::Small])?;
    let Ok(z) = MasterSecret::from_octets(&z) else { return Ok(vec![None]) };
    let public_key = z.public_key().with_table_size(size);
    let recipients: Vec<_> = identities.iter().map(|identity| (&public_key, identity)).collect();
    let all = encapsulate_batch(&recipients, &ssv);
    assert_eq!(all.first(), Some(&public_key.encapsulate(&identities[0], &ssv)));
    // Prepared, of which a table for each is needed.
    let prepare =
        |identity| EncapsulationKey::new(&public_key, identity).map(|key| key.with_table_size(TableSize::Tiny));
    let keys: Vec<_> = identities.iter().take(3).map(prepare).collect();
    let prepared: Vec<_> = keys.iter().flatten().collect();
    let mut again = EncapsulationKey::encapsulate_batch(&prepared, &ssv).into_iter();
    for (key, expected) in keys.iter().zip(&all) {
        match key {
            Ok(_) => assert_eq!(again.next().as_ref(), Some(expected)),
            Err(error) => assert_eq!(Err(*error), *expected),
        }
    }
    Ok(all.into_iter().map(|encapsulated| encapsulated.ok().map(Vec::from)).collect())
}

fn decapsulate(input: &mut Unstructured, public_key: &PublicKey, receiver: &ReceiverKey) -> Result<Outputs> {
    let length = input.int_in_range(1..=10u8)?;
    let mut received = Vec::new();
    for _ in 0..length {
        let (ssv, what) = (Ssv::new(input.arbitrary()?), input.int_in_range(0..=3u8)?);
        let sent = public_key.encapsulate(receiver.identity(), &ssv).expect("it has a key");
        received.push(match what {
            0 => [set_1().point::<SAKKE>(input)?, ssv.expose().to_vec()].concat(),
            1 => short(input)?,
            _ => sent.to_vec(),
        });
    }
    if let Some(last) = received.last_mut() {
        damage(last, input)?;
    }
    let batch = receiver.decapsulate_batch(&received.iter().map(Vec::as_slice).collect::<Vec<_>>());
    assert_eq!(batch.first(), Some(&receiver.decapsulate(&received[0])));
    Ok(batch.into_iter().map(|ssv| Some(ssv.ok()?.expose().to_vec())).collect())
}

/// Points of any order, as Z and as the RSK of an identity.
fn import(input: &mut Unstructured, public_key: &PublicKey) -> Result<Outputs> {
    let (z, rsk) = (set_1().point::<SAKKE>(input)?, set_1().point::<SAKKE>(input)?);
    let uid = Uid::from_octets(&identity(input, &[0x1d; SAKKE])?).expect("1 to 1000 octets");
    let accepted = PublicKey::from_octets(&z).ok();
    // Without a known z.
    let ssv = Ssv::new([0x5a; 16]);
    let encapsulated = accepted.as_ref().and_then(|key| {
        let key = EncapsulationKey::new(key, &uid).ok()?.with_table_size(TableSize::Tiny);
        key.encapsulate(&ssv).ok().map(Vec::from)
    });
    let imported = ReceiverKey::import(public_key, &uid, &rsk).is_ok();
    Ok(vec![accepted.map(|key| key.to_octets().to_vec()), encapsulated, imported.then(Vec::new)])
}

fn eccsi(input: &mut Unstructured) -> Result<Outputs> {
    let [ksak, v, j] = [0; 3].map(|_| p256().integer::<ECCSI>(input));
    let (identity, message, other) = (identity(input, &[2])?, short(input)?, p256().point::<ECCSI>(input)?);
    let uid = Uid::from_octets(&identity).expect("1 to 1000 octets");
    let Ok(ksak) = Ksak::from_octets(&ksak?) else { return Ok(vec![None]) };
    let mut outputs = vec![Some(ksak.kpak().to_octets().to_vec())];
    let Some((pair, hs)) = hazmat::eccsi_issue(&ksak, &uid, &v?) else { return Ok(outputs) };
    outputs.push(Some([&pair.ssk.expose()[..], &pair.pvt, &hs].concat()));
    let key = SigningKey::import(&ksak.kpak(), &uid, pair.ssk.expose(), &pair.pvt).expect("it was issued");
    let Some(signature) = hazmat::eccsi_sign(&key, &message, &j?) else { return Ok(outputs) };
    assert_eq!(key.verifying_key().verify(&message, &signature), Ok(()));
    let mut octets = signature.as_octets().to_vec();
    outputs.push(Some(octets.clone()));
    damage(&mut octets, input)?;
    let verifies = |kpak: &[u8], octets: &[u8]| {
        let (kpak, signature) = (Kpak::from_octets(kpak).ok()?, Signature::try_from(octets).ok()?);
        VerifyingKey::new(&kpak, &uid).verify(&message, &signature).ok().map(|()| Vec::new())
    };
    let with_pvt = [&signature.as_octets()[..2 * ECCSI], &other].concat();
    outputs.push(verifies(&ksak.kpak().to_octets(), &octets));
    outputs.push(verifies(&other, &octets));
    outputs.push(verifies(&ksak.kpak().to_octets(), &with_pvt));
    Ok(outputs)
}
