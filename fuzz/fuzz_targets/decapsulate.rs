//! A receiver accepts what was encapsulated to it and nothing else, as the oracle does.
#![no_main]

mod schemes;

use std::sync::LazyLock;

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use mikey_sakke::identity::Uid;
use mikey_sakke::sakke::{MasterSecret, PublicKey, ReceiverKey, Ssv};
use schemes::oracle::curve::Affine;
use schemes::oracle::{from_octets, octets};
use schemes::{SAKKE, damage, oracle, set_1};

struct Receiver {
    public_key: PublicKey,
    key: ReceiverKey,
    oracle: LazyLock<oracle::sakke::Receiver, Box<dyn Send + FnOnce() -> oracle::sakke::Receiver>>,
}

/// A receiver of an SKM-S, one whose identifier is longer than q, and one whose \[a\]P + Z is P.
static RECEIVERS: LazyLock<[Receiver; 3]> = LazyLock::new(|| {
    [(9, b"2026-11\0tel:+447700900123\0".to_vec()), (0x1d, vec![0xd1; 200]), (2, without_one(2))]
        .map(|(z, identity)| receiver(z, &identity).expect("fixed inputs"))
});

/// The identity 1 - z mod q.
fn without_one(z: u32) -> Vec<u8> {
    (set_1().order - z + 1u32).to_bytes_be()
}

fn receiver(z: u8, identity: &[u8]) -> Option<Receiver> {
    let mut octets = [0; SAKKE];
    octets[SAKKE - 1] = z;
    let z = MasterSecret::from_octets(&octets).ok()?;
    let (public_key, uid) = (z.public_key(), Uid::from_octets(identity).ok()?);
    let rsk = z.extract(&uid).ok()?;
    let key = ReceiverKey::import(&public_key, &uid, rsk.expose()).ok()?;
    let (z, identity) = (public_key.to_octets(), identity.to_vec());
    let import = move || oracle::sakke::Receiver::import(&z, &identity, rsk.expose()).expect("it was extracted");
    Some(Receiver { public_key, key, oracle: LazyLock::new(Box::new(import)) })
}

fuzz_target!(|octets: &[u8]| {
    let _ = check(&mut Unstructured::new(octets));
});

fn check(input: &mut Unstructured) -> Result<()> {
    let receiver = input.choose(&*RECEIVERS)?;
    // The oracle takes much longer, so it is asked about few.
    let is_compared = input.arbitrary::<u8>()? == u8::MAX;
    let ssv = Ssv::new(input.arbitrary()?);
    let sent = receiver.public_key.encapsulate(receiver.key.identity(), &ssv).expect("there is a key");
    let encapsulated = match input.int_in_range(0..=4u8)? {
        0 => input.bytes(input.len())?.to_vec(),
        1 => {
            let mut encapsulated = sent.to_vec();
            damage(&mut encapsulated, input)?;
            encapsulated
        }
        2 => [set_1().point::<SAKKE>(input)?, input.arbitrary::<[u8; 16]>()?.to_vec()].concat(),
        3 => unreduced(sent.to_vec(), input.arbitrary()?),
        // A point of another order, which the pairing may not tell from the one that was sent.
        _ => {
            let (curve, point) = (set_1().curve, set_1().point::<SAKKE>(input)?);
            let decode = |point| curve.decode(point);
            let sum: Option<Affine> = curve.add(&decode(&sent[..2 * SAKKE + 1]), &decode(&point));
            [curve.encode(&sum).unwrap_or_default(), sent[2 * SAKKE + 1..].to_vec()].concat()
        }
    };
    let received = receiver.key.decapsulate(&encapsulated);
    if let Ok(received) = &received {
        let again = receiver.public_key.encapsulate(receiver.key.identity(), received);
        assert_eq!(again.map(|again| again.to_vec()).as_ref(), Ok(&encapsulated));
    }
    assert_eq!(encapsulated == sent, received.as_ref() == Ok(&ssv));
    if is_compared {
        let expected = receiver.oracle.decapsulate(&encapsulated);
        assert_eq!(received.as_ref().ok().map(|ssv| ssv.expose().to_vec()), expected);
    }
    let batch = receiver.key.decapsulate_batch(&[&encapsulated, &sent, &encapsulated]);
    assert_eq!(batch, [received.clone(), Ok(ssv), received]);
    Ok(())
}

/// The same point, with p added to one of its coordinates where that fits.
fn unreduced(mut encapsulated: Vec<u8>, is_y: bool) -> Vec<u8> {
    let coordinate = &mut encapsulated[1 + SAKKE * usize::from(is_y)..][..SAKKE];
    let sum = from_octets(coordinate) + &set_1().curve.field.prime;
    if sum.bits() <= 8 * SAKKE as u64 {
        coordinate.copy_from_slice(&octets(&sum, SAKKE));
    }
    encapsulated
}
