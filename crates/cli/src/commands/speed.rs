//! `mikey-sakke speed`

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use getrandom::SysRng;
use mikey_sakke::eccsi::{Ksak, Signature, SigningKey, VerifyingKey};
use mikey_sakke::identity::{Uid, UidFormat, Uri};
use mikey_sakke::imessage::{Initiator, KeyBundle, Policy, Recipient, Responder};
use mikey_sakke::kms::{Kms, UserKeys};
use mikey_sakke::sakke::{EncapsulationKey, MasterSecret, ReceiverKey, Rsk, Ssv};
use mikey_sakke::time::Timestamp;
use serde::Serialize;

/// Slices that a measurement is cut into; the median of them is reported.
const SLICES: u32 = 5;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Seconds for each operation
    #[arg(long, default_value_t = 2.0, value_parser = seconds)]
    seconds: f64,
    /// Print one JSON array
    #[arg(long)]
    json: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.01..=3_600.0).contains(&seconds) => Ok(seconds),
        _ => Err("give a number of seconds from 0.01 to 3600".to_owned()),
    }
}

#[derive(Serialize)]
struct Measurement {
    op: &'static str,
    ops_per_second: f64,
    backend: &'static str,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let time = Duration::from_secs_f64(arguments.seconds);
    let mut measurements = Vec::new();
    for (op, prepare) in OPERATIONS {
        let mut operation = prepare()?;
        let measurement = Measurement { op, ops_per_second: measure(time, &mut *operation), backend: "portable" };
        if !arguments.json {
            println!("{:<28}{:>12.1} operations per second", op, measurement.ops_per_second);
        }
        measurements.push(measurement);
    }
    if arguments.json {
        println!("{}", serde_json::to_string(&measurements)?);
    }
    Ok(ExitCode::SUCCESS)
}

/// The median rate over the slices.
fn measure(time: Duration, operation: &mut dyn FnMut()) -> f64 {
    operation();
    let mut rates: Vec<f64> = (0..SLICES)
        .map(|_| {
            let start = Instant::now();
            let mut count = 0;
            while start.elapsed() < time / SLICES {
                operation();
                count += 1;
            }
            f64::from(count) / start.elapsed().as_secs_f64()
        })
        .collect();
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

type Prepare = fn() -> anyhow::Result<Box<dyn FnMut()>>;

const OPERATIONS: [(&str, Prepare); 9] = [
    ("sakke-encapsulate", sakke_encapsulate),
    ("sakke-encapsulate-prepared", sakke_encapsulate_prepared),
    ("sakke-decapsulate", sakke_decapsulate),
    ("sakke-validate-rsk", sakke_validate_rsk),
    ("sakke-extract", sakke_extract),
    ("eccsi-sign", eccsi_sign),
    ("eccsi-verify", eccsi_verify),
    ("imessage-distribute", imessage_distribute),
    ("imessage-extract", imessage_extract),
];

/// Distinct values, one after the other.
struct Counter(u64);

impl Counter {
    fn identity(&mut self) -> anyhow::Result<Uid> {
        self.0 += 1;
        Ok(Uid::from_octets(format!("2026-11\0tel:+4477{:08}\0", self.0).as_bytes())?)
    }

    fn ssv(&mut self) -> Ssv {
        self.0 += 1;
        Ssv::new(u128::from(self.0).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_be_bytes())
    }
}

fn sakke_encapsulate() -> anyhow::Result<Box<dyn FnMut()>> {
    let public_key = MasterSecret::generate(&mut SysRng)?.public_key();
    let mut counter = Counter(0);
    Ok(Box::new(move || {
        black_box(counter.identity().map(|identity| public_key.encapsulate(&identity, &counter.ssv())).ok());
    }))
}

fn sakke_encapsulate_prepared() -> anyhow::Result<Box<dyn FnMut()>> {
    let mut counter = Counter(0);
    let key = EncapsulationKey::new(&MasterSecret::generate(&mut SysRng)?.public_key(), &counter.identity()?)?;
    Ok(Box::new(move || {
        black_box(key.encapsulate(&counter.ssv()).ok());
    }))
}

/// A KMS, an identity and its RSK.
fn receiver() -> anyhow::Result<(MasterSecret, Uid, Rsk)> {
    let z = MasterSecret::generate(&mut SysRng)?;
    let identity = Counter(0).identity()?;
    let rsk = z.extract(&identity)?;
    Ok((z, identity, rsk))
}

fn sakke_decapsulate() -> anyhow::Result<Box<dyn FnMut()>> {
    let (z, identity, rsk) = receiver()?;
    let key = ReceiverKey::import(&z.public_key(), &identity, rsk.expose())?;
    let encapsulated = z.public_key().encapsulate(&identity, &Counter(0).ssv())?;
    Ok(Box::new(move || {
        black_box(key.decapsulate(black_box(&encapsulated)).ok());
    }))
}

fn sakke_validate_rsk() -> anyhow::Result<Box<dyn FnMut()>> {
    let (z, identity, rsk) = receiver()?;
    let public_key = z.public_key();
    Ok(Box::new(move || {
        black_box(ReceiverKey::import(&public_key, &identity, black_box(rsk.expose())).ok());
    }))
}

fn sakke_extract() -> anyhow::Result<Box<dyn FnMut()>> {
    let z = MasterSecret::generate(&mut SysRng)?;
    let mut counter = Counter(0);
    Ok(Box::new(move || {
        black_box(counter.identity().map(|identity| z.extract(&identity)).ok());
    }))
}

fn signing_key(ksak: &Ksak, identity: &Uid) -> anyhow::Result<SigningKey> {
    let pair = ksak.issue(identity, &mut SysRng)?;
    Ok(SigningKey::import(&ksak.kpak(), identity, pair.ssk.expose(), &pair.pvt)?)
}

fn eccsi_sign() -> anyhow::Result<Box<dyn FnMut()>> {
    let key = signing_key(&Ksak::generate(&mut SysRng)?, &Counter(0).identity()?)?;
    let mut counter = 0u64;
    Ok(Box::new(move || {
        counter += 1;
        black_box(key.sign(&counter.to_be_bytes(), &mut SysRng).ok());
    }))
}

fn eccsi_verify() -> anyhow::Result<Box<dyn FnMut()>> {
    const SIGNERS: usize = 1_024;
    let ksak = Ksak::generate(&mut SysRng)?;
    let mut counter = Counter(0);
    let signed: Vec<(VerifyingKey, Signature)> = (0..SIGNERS)
        .map(|_| {
            let key = signing_key(&ksak, &counter.identity()?)?;
            Ok((key.verifying_key(), key.sign(b"message", &mut SysRng)?))
        })
        .collect::<anyhow::Result<_>>()?;
    let mut signed = signed.into_iter().cycle();
    Ok(Box::new(move || {
        black_box(signed.next().map(|(key, signature)| key.verify(b"message", &signature)));
    }))
}

/// An instant well inside a key period.
const NOW: u64 = 1_795_000_000;

fn kms() -> anyhow::Result<Kms> {
    Ok(Kms::generate(Uri::parse("kms.example.org")?, UidFormat::hashed(2_592_000, 0)?, &mut SysRng)?)
}

fn user_keys(kms: &Kms, user: &str, at: Timestamp) -> anyhow::Result<Arc<UserKeys>> {
    let period = kms.certificate().uid_format().period_at(at)?;
    let key_set = kms.issue(&Uri::parse(user)?, period, &mut SysRng)?;
    Ok(Arc::new(UserKeys::import(kms.certificate(), &key_set)?))
}

fn imessage_distribute() -> anyhow::Result<Box<dyn FnMut()>> {
    let kms = kms()?;
    let at = Timestamp::from_unix(NOW)?;
    let initiator = Initiator::new(user_keys(&kms, "sip:alice@example.org", at)?);
    let bundle = KeyBundle::generate(0, &mut SysRng)?;
    let mut counter = 0;
    Ok(Box::new(move || {
        counter += 1;
        let message = Uri::parse(&format!("sip:member{counter}@example.org")).map(|user| {
            let recipient = Recipient { user, certificate: kms.certificate().clone() };
            initiator.distribute(&bundle, &recipient, at, &mut SysRng)
        });
        black_box(message.ok());
    }))
}

fn imessage_extract() -> anyhow::Result<Box<dyn FnMut()>> {
    let kms = kms()?;
    let at = Timestamp::from_unix(NOW)?;
    let alice = user_keys(&kms, "sip:alice@example.org", at)?;
    let bob = user_keys(&kms, "sip:bob@example.org", at)?;
    let recipient = Recipient { user: bob.user().clone(), certificate: kms.certificate().clone() };
    let message =
        Initiator::new(alice).distribute(&KeyBundle::generate(0, &mut SysRng)?, &recipient, at, &mut SysRng)?;
    let mut fresh = Responder::new(bob, Policy::default());
    fresh.trust(kms.certificate().clone());
    Ok(Box::new(move || {
        // A copy of a responder that has not seen the message, so that it is no replay.
        black_box(fresh.clone().extract(black_box(&message), at).ok());
    }))
}
