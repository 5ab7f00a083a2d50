//! `mikey-sakke speed`

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use getrandom::SysRng;
use mikey_sakke::eccsi::{Ksak, Signature, SigningKey, VerifyingKey};
use mikey_sakke::hazmat::backend;
use mikey_sakke::identity::{Uid, UidFormat, Uri};
use mikey_sakke::imessage::{Initiator, KeyBundle, Policy, Profile, Purpose, Recipient, Responder};
use mikey_sakke::kms::{Kms, UserKeys};
use mikey_sakke::sakke::{EncapsulationKey, MasterSecret, ReceiverKey, Rsk, Ssv, encapsulate_batch};
use mikey_sakke::time::Timestamp;
use serde::Serialize;

/// Slices that a measurement is cut into; the median of them is reported.
const SLICES: u32 = 5;

/// Operations in one call of those that work in batches.
const BATCH: u32 = 64;

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
    let backend = backend::current().name();
    if !arguments.json {
        println!("Backend {backend}, one core");
    }
    let mut measurements = Vec::new();
    for (op, per_call, prepare) in OPERATIONS {
        let calls_per_second = measure(time, &mut *prepare()?)?;
        let measurement = Measurement { op, ops_per_second: f64::from(per_call) * calls_per_second, backend };
        if !arguments.json {
            println!("{:<34}{:>12.1} operations per second", op, measurement.ops_per_second);
        }
        measurements.push(measurement);
    }
    if arguments.json {
        println!("{}", serde_json::to_string(&measurements)?);
    }
    Ok(ExitCode::SUCCESS)
}

/// The median rate over the slices, in calls per second.
fn measure(time: Duration, operation: &mut dyn FnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    operation()?;
    let mut rates = Vec::new();
    for _ in 0..SLICES {
        let start = Instant::now();
        let mut count = 0;
        while start.elapsed() < time / SLICES {
            operation()?;
            count += 1;
        }
        rates.push(f64::from(count) / start.elapsed().as_secs_f64());
    }
    rates.sort_by(f64::total_cmp);
    Ok(rates[rates.len() / 2])
}

/// One call. A failure ends the measurement: its rate would be that of something else.
type Operation = Box<dyn FnMut() -> anyhow::Result<()>>;

type Prepare = fn() -> anyhow::Result<Operation>;

/// Names, operations per call, and what prepares the calls.
const OPERATIONS: [(&str, u32, Prepare); 14] = [
    ("sakke-encapsulate", 1, sakke_encapsulate),
    ("sakke-encapsulate-batch", BATCH, sakke_encapsulate_batch),
    ("sakke-encapsulate-prepared", 1, sakke_encapsulate_prepared),
    ("sakke-encapsulate-prepared-batch", BATCH, sakke_encapsulate_prepared_batch),
    ("sakke-decapsulate", 1, sakke_decapsulate),
    ("sakke-decapsulate-batch", BATCH, sakke_decapsulate_batch),
    ("sakke-validate-rsk", 1, sakke_validate_rsk),
    ("sakke-extract", 1, sakke_extract),
    ("sakke-extract-batch", BATCH, sakke_extract_batch),
    ("eccsi-sign", 1, eccsi_sign),
    ("eccsi-verify", 1, eccsi_verify),
    ("imessage-distribute", 1, imessage_distribute),
    ("imessage-distribute-batch", BATCH, imessage_distribute_batch),
    ("imessage-extract", 1, imessage_extract),
];

/// Distinct values, one after the other.
struct Counter(u64);

impl Counter {
    fn identity(&mut self) -> anyhow::Result<Uid> {
        self.0 += 1;
        Ok(Uid::from_octets(format!("2026-11\0tel:+4477{:08}\0", self.0).as_bytes())?)
    }

    fn identities(&mut self) -> anyhow::Result<Vec<Uid>> {
        (0..BATCH).map(|_| self.identity()).collect()
    }

    fn recipient(&mut self, kms: &Kms) -> anyhow::Result<Recipient> {
        self.0 += 1;
        let user = Uri::parse(&format!("sip:member{}@example.org", self.0))?;
        Ok(Recipient { user, certificate: kms.certificate().clone() })
    }

    fn ssv(&mut self) -> Ssv {
        self.0 += 1;
        Ssv::new(u128::from(self.0).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_be_bytes())
    }
}

/// The results of a batch, or its first error.
fn all<T, E>(results: impl IntoIterator<Item = Result<T, E>>) -> Result<Vec<T>, E> {
    results.into_iter().collect()
}

fn sakke_encapsulate() -> anyhow::Result<Operation> {
    let public_key = MasterSecret::generate(&mut SysRng)?.public_key();
    let mut counter = Counter(0);
    Ok(Box::new(move || {
        black_box(public_key.encapsulate(&counter.identity()?, &counter.ssv())?);
        Ok(())
    }))
}

fn sakke_encapsulate_batch() -> anyhow::Result<Operation> {
    let public_key = MasterSecret::generate(&mut SysRng)?.public_key();
    let mut counter = Counter(0);
    Ok(Box::new(move || {
        let identities = counter.identities()?;
        let recipients: Vec<_> = identities.iter().map(|identity| (&public_key, identity)).collect();
        black_box(all(encapsulate_batch(&recipients, &counter.ssv()))?);
        Ok(())
    }))
}

fn sakke_encapsulate_prepared() -> anyhow::Result<Operation> {
    let mut counter = Counter(0);
    let key = EncapsulationKey::new(&MasterSecret::generate(&mut SysRng)?.public_key(), &counter.identity()?)?;
    Ok(Box::new(move || {
        black_box(key.encapsulate(&counter.ssv())?);
        Ok(())
    }))
}

fn sakke_encapsulate_prepared_batch() -> anyhow::Result<Operation> {
    let public_key = MasterSecret::generate(&mut SysRng)?.public_key();
    let mut counter = Counter(0);
    let recipients = counter.identities()?;
    let recipients = all(recipients.iter().map(|identity| EncapsulationKey::new(&public_key, identity)))?;
    Ok(Box::new(move || {
        let recipients: Vec<&EncapsulationKey> = recipients.iter().collect();
        black_box(all(EncapsulationKey::encapsulate_batch(&recipients, &counter.ssv()))?);
        Ok(())
    }))
}

/// A KMS, an identity and its RSK.
fn receiver() -> anyhow::Result<(MasterSecret, Uid, Rsk)> {
    let z = MasterSecret::generate(&mut SysRng)?;
    let identity = Counter(0).identity()?;
    let rsk = z.extract(&identity)?;
    Ok((z, identity, rsk))
}

fn sakke_decapsulate() -> anyhow::Result<Operation> {
    let (z, identity, rsk) = receiver()?;
    let key = ReceiverKey::import(&z.public_key(), &identity, rsk.expose())?;
    let encapsulated = z.public_key().encapsulate(&identity, &Counter(0).ssv())?;
    Ok(Box::new(move || {
        black_box(key.decapsulate(black_box(&encapsulated))?);
        Ok(())
    }))
}

fn sakke_decapsulate_batch() -> anyhow::Result<Operation> {
    let (z, identity, rsk) = receiver()?;
    let key = ReceiverKey::import(&z.public_key(), &identity, rsk.expose())?;
    let mut counter = Counter(0);
    let encapsulate = |_| Ok(z.public_key().encapsulate(&identity, &counter.ssv())?.to_vec());
    let encapsulated: Vec<Vec<u8>> = (0..BATCH).map(encapsulate).collect::<anyhow::Result<_>>()?;
    Ok(Box::new(move || {
        let encapsulated: Vec<&[u8]> = encapsulated.iter().map(Vec::as_slice).collect();
        black_box(all(key.decapsulate_batch(black_box(&encapsulated)))?);
        Ok(())
    }))
}

fn sakke_validate_rsk() -> anyhow::Result<Operation> {
    let (z, identity, rsk) = receiver()?;
    let public_key = z.public_key();
    Ok(Box::new(move || {
        black_box(ReceiverKey::import(&public_key, &identity, black_box(rsk.expose()))?);
        Ok(())
    }))
}

fn sakke_extract() -> anyhow::Result<Operation> {
    let z = MasterSecret::generate(&mut SysRng)?;
    let mut counter = Counter(0);
    Ok(Box::new(move || {
        black_box(z.extract(&counter.identity()?)?);
        Ok(())
    }))
}

fn sakke_extract_batch() -> anyhow::Result<Operation> {
    let z = MasterSecret::generate(&mut SysRng)?;
    let mut counter = Counter(0);
    Ok(Box::new(move || {
        black_box(all(z.extract_batch(&counter.identities()?))?);
        Ok(())
    }))
}

fn signing_key(ksak: &Ksak, identity: &Uid) -> anyhow::Result<SigningKey> {
    let pair = ksak.issue(identity, &mut SysRng)?;
    Ok(SigningKey::import(&ksak.kpak(), identity, pair.ssk.expose(), &pair.pvt)?)
}

fn eccsi_sign() -> anyhow::Result<Operation> {
    let key = signing_key(&Ksak::generate(&mut SysRng)?, &Counter(0).identity()?)?;
    let mut counter = 0u64;
    Ok(Box::new(move || {
        counter += 1;
        black_box(key.sign(&counter.to_be_bytes(), &mut SysRng)?);
        Ok(())
    }))
}

fn eccsi_verify() -> anyhow::Result<Operation> {
    const SIGNERS: usize = 1_024;
    let ksak = Ksak::generate(&mut SysRng)?;
    let mut counter = Counter(0);
    let signed: Vec<(VerifyingKey, Signature)> = (0..SIGNERS)
        .map(|_| {
            let key = signing_key(&ksak, &counter.identity()?)?;
            Ok((key.verifying_key(), key.sign(b"message", &mut SysRng)?))
        })
        .collect::<anyhow::Result<_>>()?;
    let mut next = 0;
    Ok(Box::new(move || {
        let (key, signature) = &signed[next];
        next = (next + 1) % SIGNERS;
        black_box(key.verify(b"message", signature)?);
        Ok(())
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

fn imessage_distribute() -> anyhow::Result<Operation> {
    let kms = kms()?;
    let at = Timestamp::from_unix(NOW)?;
    let initiator = Initiator::new(user_keys(&kms, "sip:alice@example.org", at)?);
    let bundle = KeyBundle::generate(Profile::seal(Purpose::new(0)?), &mut SysRng)?;
    let mut counter = Counter(0);
    Ok(Box::new(move || {
        let recipient = counter.recipient(&kms)?;
        black_box(initiator.distribute(&bundle, &recipient, at, &mut SysRng)?);
        Ok(())
    }))
}

fn imessage_distribute_batch() -> anyhow::Result<Operation> {
    let kms = kms()?;
    let at = Timestamp::from_unix(NOW)?;
    let initiator = Initiator::new(user_keys(&kms, "sip:alice@example.org", at)?);
    let bundle = KeyBundle::generate(Profile::seal(Purpose::new(0)?), &mut SysRng)?;
    let mut counter = Counter(0);
    Ok(Box::new(move || {
        let recipients = (0..BATCH).map(|_| counter.recipient(&kms)).collect::<anyhow::Result<Vec<_>>>()?;
        black_box(all(initiator.distribute_to_group(&bundle, &recipients, at, &mut SysRng))?);
        Ok(())
    }))
}

fn imessage_extract() -> anyhow::Result<Operation> {
    let kms = kms()?;
    let at = Timestamp::from_unix(NOW)?;
    let alice = user_keys(&kms, "sip:alice@example.org", at)?;
    let bob = user_keys(&kms, "sip:bob@example.org", at)?;
    let recipient = Recipient { user: bob.user().clone(), certificate: kms.certificate().clone() };
    let message = Initiator::new(alice).distribute(
        &KeyBundle::generate(Profile::seal(Purpose::new(0)?), &mut SysRng)?,
        &recipient,
        at,
        &mut SysRng,
    )?;
    let mut fresh = Responder::new(bob, Policy::default());
    fresh.trust(kms.certificate().clone())?;
    Ok(Box::new(move || {
        // A copy of a responder that has not seen the message, so that it is no replay.
        black_box(fresh.clone().extract(black_box(&message), at)?);
        Ok(())
    }))
}
