//! The operations with a secret that the AVX-512 backend computes: those of SAKKE.

use std::hint::black_box;
use std::time::{Duration, Instant};

use mikey_sakke::identity::Uid;
use mikey_sakke::sakke::{Encapsulated, MasterSecret, PublicKey, ReceiverKey, Rsk, Ssv, encapsulate_batch};
use mikey_sakke_ct::Octets;

/// Which secret a sample is taken with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Always the same.
    Fixed,
    /// Another each time, or one of many.
    Random,
}

/// Takes one sample: the time of each stage.
pub type Sample = Box<dyn FnMut(Class) -> Vec<Duration>>;

/// What is measured.
pub struct Operation {
    /// The names of its stages.
    pub stages: &'static [&'static str],
    /// Makes the secrets of a try.
    pub prepare: Box<dyn Fn() -> Sample>,
}

/// Receivers in each class.
const RECEIVERS: usize = 32;

/// All of them.
pub fn all() -> Vec<Operation> {
    vec![
        Operation { stages: &["SAKKE: Z is computed", "SAKKE: an RSK is extracted"], prepare: Box::new(master_secret) },
        Operation { stages: &["SAKKE: RSKs are extracted in a batch"], prepare: Box::new(batch) },
        Operation { stages: &["SAKKE: an SSV is encapsulated"], prepare: Box::new(encapsulate) },
        Operation { stages: &["SAKKE: an SSV is encapsulated in a batch"], prepare: Box::new(encapsulate_to_many) },
        Operation {
            stages: &["SAKKE: an RSK is taken into use", "SAKKE: an RSK is prepared", "SAKKE: an SSV is decapsulated"],
            prepare: Box::new(receive),
        },
    ]
}

fn uid(octets: &[u8]) -> Uid {
    Uid::from_octets(octets).expect("an identifier")
}

fn alice() -> Uid {
    uid(b"2026-11\0tel:+447700900123\0")
}

fn eight() -> Vec<Uid> {
    (0..8_u8).map(|n| uid(&[n; 32])).collect()
}

/// The fixed one or a random one, at the same cost.
fn choose<const N: usize>(class: Class, fixed: &[u8; N], random: &mut Octets) -> [u8; N] {
    let other = random.take();
    match class {
        Class::Fixed => *fixed,
        Class::Random => other,
    }
}

fn z(mut octets: [u8; 128]) -> MasterSecret {
    octets[0] &= 0x1f;
    MasterSecret::from_octets(&octets).expect("in range")
}

fn timed<T>(operation: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    black_box(operation());
    start.elapsed()
}

fn master_secret() -> Sample {
    let mut random = Octets::default();
    let (fixed, alice) = (random.take(), alice());
    Box::new(move |class| {
        let z = z(choose(class, &fixed, &mut random));
        vec![timed(|| z.public_key()), timed(|| z.extract(&alice))]
    })
}

fn batch() -> Sample {
    let mut random = Octets::default();
    let (fixed, eight) = (random.take(), eight());
    Box::new(move |class| {
        let z = z(choose(class, &fixed, &mut random));
        vec![timed(|| z.extract_batch(&eight))]
    })
}

fn encapsulate() -> Sample {
    let mut random = Octets::default();
    let (public, alice, fixed) = (z(random.take()).public_key(), alice(), random.take());
    Box::new(move |class| {
        let ssv = Ssv::new(choose(class, &fixed, &mut random));
        vec![timed(|| public.encapsulate(&alice, &ssv))]
    })
}

fn encapsulate_to_many() -> Sample {
    let mut random = Octets::default();
    let (public, eight, fixed) = (z(random.take()).public_key(), eight(), random.take());
    Box::new(move |class| {
        let ssv = Ssv::new(choose(class, &fixed, &mut random));
        let recipients: Vec<_> = eight.iter().map(|uid| (&public, uid)).collect();
        vec![timed(|| encapsulate_batch(&recipients, &ssv))]
    })
}

/// What one receiver has and gets.
struct Receiver {
    public: PublicKey,
    rsk: Rsk,
    encapsulated: Encapsulated,
}

/// As many receivers in the one class as in the other, made in turns, so that memory is used alike.
fn receive() -> Sample {
    let mut random = Octets::default();
    let (fixed, alice) = (random.take(), alice());
    let mut receivers = [Vec::new(), Vec::new()];
    for _ in 0..RECEIVERS {
        for class in [Class::Fixed, Class::Random] {
            let z = z(choose(class, &fixed, &mut random));
            let public = z.public_key();
            let encapsulated = public.encapsulate(&alice, &Ssv::new(random.take())).expect("encapsulated data");
            let rsk = z.extract(&alice).expect("an RSK");
            receivers[class as usize].push(Receiver { public, rsk, encapsulated });
        }
    }
    Box::new(move |class| {
        let [which] = random.take::<1>();
        let Receiver { public, rsk, encapsulated } = &receivers[class as usize][usize::from(which) % RECEIVERS];
        let import = || ReceiverKey::import(public, &alice, rsk.expose()).expect("an RSK");
        let mut key = None;
        let imported = timed(|| key = Some(import()));
        let key = key.expect("imported");
        vec![imported, timed(|| key.prepare()), timed(|| key.decapsulate(encapsulated))]
    })
}
