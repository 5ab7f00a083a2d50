//! Whether the time of an operation tells a fixed secret from random ones: for the AVX-512 backend, which valgrind
//! cannot run. A statistical test in the manner of dudect (Reparaz, Balasch, Verbauwhede, 2016): it finds leaks, and
//! proves nothing where it finds none.
//!
//! An operation passes if in one of three tries |t| of Welch's test stays below 5 over 100,000 samples or more, once
//! over all samples and once without the slowest, which are those that something else interrupted.

#[cfg(mikey_sakke_ct)]
compile_error!("build without --cfg mikey_sakke_ct, as .ci/run ct does");

mod control;
mod operations;
mod statistics;

use std::process::ExitCode;

use mikey_sakke::hazmat::backend::{Backend, select};
use mikey_sakke_ct::Octets;

use operations::{Class, Operation};
use statistics::Times;

const SAMPLES: usize = 100_000;
const TRIES: usize = 3;
const LIMIT: f64 = 5.0;

fn main() -> ExitCode {
    if let Err(error) = select(Backend::Ifma) {
        eprintln!("error: {error}");
        return ExitCode::from(2);
    }
    let mut random = Octets::default();
    let control = try_once(&control::operation(), &mut random).remove(0);
    let is_found = control.t() > LIMIT;
    println!("control   {}: {}, |t| = {:.1}", control.name, if is_found { "found" } else { "NOT FOUND" }, control.t());
    control::run_all();

    let mut failed = 0;
    let mut passed = 0;
    for operation in operations::all() {
        let mut open = operation.stages.to_vec();
        for attempt in 1..=TRIES {
            for times in try_once(&operation, &mut random) {
                if open.contains(&times.name) {
                    println!("{}: |t| = {:.2}, {} samples, try {attempt}", times.name, times.t(), SAMPLES);
                    if times.t() < LIMIT {
                        open.retain(|name| *name != times.name);
                        passed += 1;
                    }
                }
            }
            if open.is_empty() {
                break;
            }
        }
        failed += open.len();
    }
    println!("\n{passed} operations of the backend ifma tell no secret by their time, {failed} do");
    if is_found && failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The times of each stage of an operation, in an order of classes that chance gives.
fn try_once(operation: &Operation, random: &mut Octets) -> Vec<Times> {
    let mut sample = (operation.prepare)();
    let mut times: Vec<Times> = operation.stages.iter().map(|name| Times::new(name)).collect();
    for _ in 0..SAMPLES.div_ceil(8) {
        let [order] = random.take();
        for bit in 0..8 {
            let class = if order >> bit & 1 == 0 { Class::Fixed } else { Class::Random };
            for (times, time) in times.iter_mut().zip(sample(class)) {
                times.add(class, time);
            }
        }
    }
    times
}
