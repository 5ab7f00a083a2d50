//! Key sets in a second of one thread that issues, beside the engine's on one thread, by turns.

#![allow(clippy::unwrap_used, reason = "a measurement may panic")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use getrandom::SysRng;
use mikey_sakke::identity::{KeyPeriod, UidFormat, Uri};
use mikey_sakke::kms::Kms;
use skm::domain::{Issuer, KeyOrder};

const TURNS: usize = 15;
const DURATION: Duration = Duration::from_millis(400);
/// Key sets of one call of the engine.
const BATCH: u64 = 64;
/// Requests at once.
const CALLERS: [u64; 4] = [1, 8, 32, 128];

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let format = UidFormat::hashed(2_592_000, 0).unwrap();
    let kms = Arc::new(Kms::generate(Uri::parse("kms.example.org").unwrap(), format, &mut SysRng).unwrap());
    let issuer = Arc::new(Issuer::start(1, 1024, Arc::default()).unwrap());
    for callers in CALLERS {
        let (mut engine_rates, mut issuer_rates, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..TURNS {
            let (engine, issuer) = (engine(&kms), issuing(&issuer, &kms, callers).await);
            engine_rates.push(engine);
            issuer_rates.push(issuer);
            ratios.push(issuer / engine);
        }
        let [engine, issuer, ratio] = [engine_rates, issuer_rates, ratios].map(median);
        println!("{callers:3} callers: {issuer:6.0} a second, engine {engine:6.0}, {:.0} %", 100.0 * ratio);
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn user(number: u64) -> Uri {
    Uri::parse(&format!("sip:user{number}@example.org")).unwrap()
}

/// The engine's rate in batches, on this thread.
fn engine(kms: &Kms) -> f64 {
    let (begin, mut next) = (Instant::now(), 0);
    while begin.elapsed() < DURATION {
        let users: Vec<_> = (next..next + BATCH).map(user).collect();
        let users: Vec<_> = users.iter().map(|user| (user, KeyPeriod::Number(1532))).collect();
        black_box(kms.issue_batch(&users, &mut SysRng));
        next += BATCH;
    }
    next as f64 / begin.elapsed().as_secs_f64()
}

/// The rate of the thread that issues, for so many that each ask again once they have their keys.
async fn issuing(issuer: &Arc<Issuer>, kms: &Arc<Kms>, callers: u64) -> f64 {
    let begin = Instant::now();
    let call = |caller: u64| {
        let (issuer, kms) = (Arc::clone(issuer), Arc::clone(kms));
        tokio::spawn(async move {
            let mut next = caller;
            while begin.elapsed() < DURATION {
                let order = KeyOrder { kms: Arc::clone(&kms), period: 1532, rsk: None };
                black_box(issuer.reserve().unwrap().issue(user(next), vec![order]).await.unwrap());
                next += callers;
            }
            (next - caller) / callers
        })
    };
    let mut issued = 0;
    for task in (0..callers).map(call).collect::<Vec<_>>() {
        issued += task.await.unwrap();
    }
    issued as f64 / begin.elapsed().as_secs_f64()
}
