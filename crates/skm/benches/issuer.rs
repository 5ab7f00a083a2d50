//! Key sets of one thread that issues in a second of its processor time, beside the engine's on one thread, by turns:
//! so the ratio holds on a machine that others use as well. Needs Linux, for the time of a thread.

#![allow(clippy::unwrap_used, reason = "a measurement may panic")]

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, Builder};
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

/// The processor time of the threads of this name, in seconds.
fn spent(name: &str) -> f64 {
    let threads = std::fs::read_dir("/proc/self/task").unwrap().map(|entry| entry.unwrap().path());
    let threads = threads.filter(|path| std::fs::read_to_string(path.join("comm")).unwrap().trim_end() == name);
    let nanoseconds = |path: PathBuf| -> f64 {
        let schedule = std::fs::read_to_string(path.join("schedstat")).unwrap();
        schedule.split(' ').next().unwrap().parse().unwrap()
    };
    threads.map(nanoseconds).sum::<f64>() / 1e9
}

/// The engine's rate in batches, on a thread.
fn engine(kms: &Kms) -> f64 {
    thread::scope(|scope| {
        Builder::new().name("engine".into()).spawn_scoped(scope, || run(kms)).unwrap().join().unwrap()
    })
}

fn run(kms: &Kms) -> f64 {
    let (begin, before, mut next) = (Instant::now(), spent("engine"), 0);
    while begin.elapsed() < DURATION {
        let users: Vec<_> = (next..next + BATCH).map(user).collect();
        let users: Vec<_> = users.iter().map(|user| (user, KeyPeriod::Number(1532))).collect();
        black_box(kms.issue_batch(&users, &mut SysRng));
        next += BATCH;
    }
    next as f64 / (spent("engine") - before)
}

/// The rate of the thread that issues, for so many that each ask again once they have their keys.
async fn issuing(issuer: &Arc<Issuer>, kms: &Arc<Kms>, callers: u64) -> f64 {
    let (begin, before) = (Instant::now(), spent("issuer"));
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
    issued as f64 / (spent("issuer") - before)
}
