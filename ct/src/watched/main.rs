//! Runs the operations of the engine under valgrind with their secrets marked, and fails if a branch or an address
//! depended on one. `.ci/run ct` builds and starts it.
//!
//! What valgrind cannot see: instructions whose own time depends on their operands (the engine has no division by a
//! secret), and AVX-512, which it does not run: see `disassembly` and `timing`.

#[cfg(not(mikey_sakke_ct))]
compile_error!("build with RUSTFLAGS=\"--cfg mikey_sakke_ct\", as .ci/run ct does");

mod control;
mod operations;
mod secrets;

use std::process::ExitCode;

use mikey_sakke::hazmat::backend::{Backend, select};
use mikey_sakke::hazmat::watched::{findings, is_watching, reasons};

use secrets::Secrets;

/// Those that valgrind can run.
const BACKENDS: [Backend; 2] = [Backend::Portable, Backend::Adx];

fn main() -> ExitCode {
    if !is_watching() {
        eprintln!("error: run it under valgrind, as .ci/run ct does");
        return ExitCode::from(2);
    }
    let controls = [("a branch", found(control::branch)), ("an address", found(control::index))];
    for (name, found) in controls {
        println!("control   {name} that depends on a secret: {}", if found > 0 { "found" } else { "NOT FOUND" });
    }
    control::divide();
    let mut total = 0;
    for backend in BACKENDS {
        if let Err(error) = select(backend) {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
        for (name, operation) in operations::ALL {
            let found = found(|| operation(&mut Secrets::default()));
            println!("{:<9} {name}: {found} findings", backend.name());
            total += found;
        }
    }
    println!("\nmade public, for these reasons:");
    reasons().iter().for_each(|(reason, times)| println!("  {reason} ({times} times)"));
    let operations = BACKENDS.len() * operations::ALL.len();
    println!("\n{operations} operations on marked secrets, {total} findings");
    let is_proof = total == 0 && controls.iter().all(|(_, found)| *found > 0);
    if is_proof { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What valgrind finds in an operation.
fn found(operation: impl FnOnce()) -> u64 {
    let before = findings();
    operation();
    findings() - before
}
