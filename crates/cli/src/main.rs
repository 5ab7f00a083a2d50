//! The command line of `mikey-sakke`.

mod commands;
mod files;
mod input;
mod moment;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use commands::{demo, distribute, extract, inspect, kms, speed, vectors};

/// Distributes keys with MIKEY-SAKKE: identity-based encryption and signatures (RFC 6507, 6508, 6509)
#[derive(Parser)]
#[command(name = "mikey-sakke", version)]
struct Arguments {
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
    /// Makes a message that carries a key to another user
    Distribute(distribute::Arguments),
    /// Takes the key out of a message
    Extract(extract::Arguments),
    /// Shows what a message says, without any key
    Inspect(inspect::Arguments),
    /// Runs files of test vectors
    Vectors(vectors::Arguments),
    /// Measures operations per second on one core
    Speed(speed::Arguments),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Kms(command) => kms::run(&command),
        Command::Distribute(arguments) => distribute::run(&arguments),
        Command::Extract(arguments) => extract::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Vectors(arguments) => vectors::run(&arguments),
        Command::Speed(arguments) => speed::run(&arguments),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
