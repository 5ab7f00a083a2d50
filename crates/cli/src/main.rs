//! The command line of `mikey-sakke`.

mod commands;
mod input;
mod profile;
mod threads;

use std::process::ExitCode;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Parser, Subcommand};
use mikey_sakke::hazmat::backend::{Backend, select};

use commands::{demo, distribute, extract, inspect, kms, speed, vectors};

/// Distributes keys with MIKEY-SAKKE: identity-based encryption and signatures (RFC 6507, 6508, 6509)
#[derive(Parser)]
#[command(name = "mikey-sakke", version)]
struct Arguments {
    /// How to compute [default: the fastest that the processor has]
    #[arg(long, global = true, env = "MIKEY_SAKKE_BACKEND", value_name = "NAME", value_parser = backend())]
    backend: Option<Backend>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Shows the whole of it without any set-up: a KMS, two users, a key from one to the other, and what is refused
    Demo(demo::Arguments),
    /// Acts as a key management server
    #[command(subcommand)]
    Kms(kms::Command),
    /// Makes a message that carries a key to another user, or one for each member of a group
    Distribute(distribute::Arguments),
    /// Takes the key out of a message
    Extract(extract::Arguments),
    /// Shows what a message says; with keys, also whether it is authentic, and what it carries
    Inspect(inspect::Arguments),
    /// Runs files of test vectors
    Vectors(vectors::Arguments),
    /// Measures operations per second on one core
    Speed(speed::Arguments),
}

fn backend() -> impl TypedValueParser<Value = Backend> {
    let named = |name: String| Backend::ALL.into_iter().find(|backend| backend.name() == name);
    PossibleValuesParser::new(Backend::ALL.map(Backend::name))
        .try_map(move |name| named(name).ok_or("there is no such backend"))
}

fn main() -> ExitCode {
    run(Arguments::parse()).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    if let Some(backend) = arguments.backend {
        select(backend)?;
    }
    match arguments.command {
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Kms(command) => kms::run(&command),
        Command::Distribute(arguments) => distribute::run(&arguments),
        Command::Extract(arguments) => extract::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Vectors(arguments) => vectors::run(&arguments),
        Command::Speed(arguments) => speed::run(&arguments),
    }
}
