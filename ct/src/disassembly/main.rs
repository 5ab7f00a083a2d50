//! Follows secrets through the machine code of the AVX-512 backend, which valgrind cannot run, and fails if a branch or
//! an address depends on one. Its argument is a program that uses all of the backend: `timing`.

mod flow;
mod functions;
mod program;

use std::collections::BTreeSet;
use std::process::ExitCode;

use flow::{Function, analyse};
use program::{Program, Symbol};

fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("usage: disassembly PROGRAM");
        return ExitCode::from(2);
    };
    match check(&path) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {path}: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether all is as it should be.
fn check(path: &str) -> Result<bool, Box<dyn std::error::Error>> {
    let octets = std::fs::read(path)?;
    let program = Program::new(&octets)?;
    let analysed: Vec<(&str, &Symbol)> =
        program.functions().iter().filter_map(|symbol| Some((functions::name(&symbol.name)?, symbol))).collect();
    let mut moves_octets: BTreeSet<u64> = program.pointers_to("memcpy").into_iter().collect();
    moves_octets.extend(analysed.iter().map(|(_, symbol)| symbol.address));
    let findings = |name: &str, symbol: &Symbol| {
        let function = Function { address: symbol.address, code: symbol.code, arguments: functions::arguments(name) };
        analyse(&function, |address| moves_octets.contains(&address))
    };

    let mut is_proof = true;
    for (control, finding) in functions::CONTROLS {
        let symbol = program.functions().iter().find(|symbol| symbol.name == control).ok_or(control)?;
        let is_found = findings(control, symbol).1.iter().any(|(_, found)| *found == finding);
        println!("control   {control}: {}", if is_found { "found" } else { "NOT FOUND" });
        is_proof &= is_found;
    }
    for expected in functions::EXPECTED {
        if !analysed.iter().any(|(name, _)| *name == expected) {
            println!("{expected}: NOT THERE");
            is_proof = false;
        }
    }
    let mut total = 0;
    for (name, symbol) in &analysed {
        let (instructions, found) = findings(name, symbol);
        println!("{name}: {instructions} instructions, {} findings", found.len());
        found.iter().for_each(|(address, finding)| println!("    {address:#x}: {finding}"));
        total += found.len();
    }
    println!("\n{} functions of the AVX-512 backend, {total} findings", analysed.len());
    Ok(is_proof && total == 0)
}
