//! `mikey-sakke demo`

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use getrandom::SysRng;
use indicatif::{ProgressBar, ProgressStyle};
use mikey_sakke::Error;
use mikey_sakke::error::Refusal;
use mikey_sakke::identity::{UidFormat, Uri};
use mikey_sakke::imessage::{DistributedKey, Initiator, KeyBundle, Policy, Profile, Purpose, Recipient, Responder};
use mikey_sakke::kms::{Kms, UserKeys};
use mikey_sakke::time::Timestamp;
use mikey_sakke_files::Moment;
use rayon::ThreadPool;
use rayon::iter::ParallelIterator;

use super::inspect;
use crate::threads::Threads;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Also distribute one group key to this many members, and show the rate
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    members: Option<u32>,
    #[command(flatten)]
    threads: Threads,
}

/// The purpose in the SK-ID of the demonstrated key. SEAL has assigned none so far.
const PURPOSE: u8 = 1;

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let now = Timestamp::now()?;
    let mut checks = Checks(true);
    let cast = Cast::new(now)?;

    println!("\nA key from Alice to Bob");
    let bundle = KeyBundle::generate(Profile::seal(Purpose::new(PURPOSE)?), &mut SysRng)?;
    let message = cast.alice().distribute(&bundle, &cast.recipient(&cast.bob), now, &mut SysRng)?;
    println!("  Alice distributes key {} in a message of {} octets:\n", bundle.id(), message.len());
    inspect::print(&message);

    println!("\nBob extracts it");
    let mut bob = cast.responder(&cast.bob)?;
    let received = bob.extract(&message, now);
    checks.see("the key is the same", received.as_ref().is_ok_and(|received| received.key == *bundle.key()));
    if let Ok(DistributedKey { id, initiator, timestamp, .. }) = &received {
        checks.see("its SK-ID is the same", *id == bundle.id());
        checks.see(&format!("it is from {initiator}"), initiator == cast.alice.user());
        checks.see(&format!("it was sent {}", Moment(*timestamp)), *timestamp == now);
    }

    println!("\nWhat is refused");
    checks.refused("a replay", &bob.extract(&message, now), |error| *error == Refusal::Replay.into());
    let flipped = (0..message.len()).filter(|octet| cast.accepts_flipped(&message, *octet, now)).count();
    checks.see(&format!("each of the {} messages with one octet flipped", message.len()), flipped == 0);
    let carol = cast.responder(&cast.carol)?.extract(&message, now);
    checks.refused("the same message, by Carol", &carol, |error| *error == Refusal::NotForUs.into());
    let (stranger, to_bob) = Cast::new(now).map(|other| (other.alice(), cast.recipient(&cast.bob)))?;
    let untrusted = stranger.distribute(&bundle, &to_bob, now, &mut SysRng)?;
    checks.refused(
        "a message from Alice under another KMS of the same name",
        &cast.responder(&cast.bob)?.extract(&untrusted, now),
        |error| *error == Error::Rejected,
    );
    let mut trusting_nobody = Responder::new(cast.bob.clone(), Policy::default());
    checks.refused("the message where no KMS is trusted", &trusting_nobody.extract(&message, now), |error| {
        *error == Refusal::UntrustedKms.into()
    });

    if let Some(members) = arguments.members {
        distribute_to_group(&cast, members, now, &arguments.threads.pool()?, &mut checks)?;
    }
    println!();
    Ok(checks.conclude())
}

/// A key management server and three of its users.
struct Cast {
    kms: Kms,
    alice: Arc<UserKeys>,
    bob: Arc<UserKeys>,
    carol: Arc<UserKeys>,
}

impl Cast {
    fn new(now: Timestamp) -> anyhow::Result<Self> {
        const DAYS_30: u64 = 2_592_000;
        let kms = Kms::generate(Uri::parse("kms.example.org")?, UidFormat::hashed(DAYS_30, 0)?, &mut SysRng)?;
        let period = kms.certificate().uid_format().period_at(now)?;
        let user = |uri| -> anyhow::Result<Arc<UserKeys>> {
            let key_set = kms.issue(&Uri::parse(uri)?, period, &mut SysRng)?;
            Ok(Arc::new(UserKeys::import(kms.certificate(), &key_set)?))
        };
        let [alice, bob, carol] = ["sip:alice@example.org", "sip:bob@example.org", "sip:carol@example.org"].map(user);
        Ok(Self { alice: alice?, bob: bob?, carol: carol?, kms })
    }

    fn alice(&self) -> Initiator {
        Initiator::new(self.alice.clone())
    }

    fn recipient(&self, user: &UserKeys) -> Recipient {
        Recipient { user: user.user().clone(), certificate: self.kms.certificate().clone() }
    }

    /// A responder that has seen no message yet.
    fn responder(&self, user: &Arc<UserKeys>) -> anyhow::Result<Responder> {
        let mut responder = Responder::new(user.clone(), Policy::default());
        responder.trust(self.kms.certificate().clone())?;
        Ok(responder)
    }

    fn accepts_flipped(&self, message: &[u8], octet: usize, now: Timestamp) -> bool {
        let mut message = message.to_vec();
        message[octet] ^= 1 << (octet % 8);
        self.responder(&self.bob).is_ok_and(|mut bob| bob.extract(&message, now).is_ok())
    }
}

fn distribute_to_group(
    cast: &Cast,
    members: u32,
    now: Timestamp,
    pool: &ThreadPool,
    checks: &mut Checks,
) -> anyhow::Result<()> {
    println!("\nOne key to a group of {members}");
    let mut recipients = vec![cast.recipient(&cast.bob)];
    for number in 2..=members {
        let user = Uri::parse(&format!("sip:member{number}@example.org"))?;
        recipients.push(Recipient { user, certificate: cast.kms.certificate().clone() });
    }
    let bundle = KeyBundle::generate(Profile::seal(Purpose::new(PURPOSE)?), &mut SysRng)?;
    let bar = ProgressBar::new(members.into());
    bar.set_style(ProgressStyle::with_template("  {wide_bar} {pos}/{len}, {per_sec}, {eta} left")?);

    let alice = cast.alice();
    let start = Instant::now();
    // How many failed, and the first of those that did not.
    let (failed, first) = pool.install(|| {
        alice
            .par_distribute_to_group(&bundle, &recipients, now, &mut SysRng)
            .inspect(|_| bar.inc(1))
            .map(|message| (u32::from(message.is_err()), message.ok()))
            .reduce(|| (0, None), |(failed, first), (more, next)| (failed + more, first.or(next)))
    });
    let seconds = start.elapsed().as_secs_f64();
    bar.finish_and_clear();
    let rate = f64::from(members) / seconds;
    println!("  {members} messages in {seconds:.2} s: {rate:.0} per second, threads: {}", pool.current_num_threads());
    checks.see("every member has a message", failed == 0);
    let mut bob = cast.responder(&cast.bob)?;
    let received = first.map(|message| bob.extract(&message, now));
    checks.see(
        "the first member extracts the key",
        received.is_some_and(|key| key.is_ok_and(|key| key.key == *bundle.key())),
    );
    Ok(())
}

/// Whether all that should hold did.
struct Checks(bool);

impl Checks {
    fn see(&mut self, what: &str, holds: bool) {
        println!("  {} {what}", if holds { "ok    " } else { "FAILED" });
        self.0 &= holds;
    }

    fn refused(&mut self, what: &str, outcome: &Result<DistributedKey, Error>, expected: impl Fn(&Error) -> bool) {
        match outcome {
            Ok(_) => self.see(&format!("{what}: accepted"), false),
            Err(error) => self.see(&format!("{what}: {error}"), expected(error)),
        }
    }

    fn conclude(self) -> ExitCode {
        if self.0 {
            println!("All of it holds.");
            return ExitCode::SUCCESS;
        }
        eprintln!("error: not all of it holds; see the lines marked FAILED");
        ExitCode::FAILURE
    }
}
