//! The command line of the key management client.

#[path = "../common/asking.rs"]
mod asking;
mod connection;
#[path = "../common/fault.rs"]
mod fault;
mod keys;
mod receive;
mod record;
mod send;

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use rustix::process::{Resource, Rlimit, setrlimit};

use fault::Fault;

/// Key management client of SEAL (3GPP TS 33.434)
#[derive(Parser)]
#[command(name = "skmc", version, after_help = EXIT_STATUS)]
struct Arguments {
    #[command(flatten)]
    connection: connection::Arguments,
    #[command(subcommand)]
    command: Command,
}

const EXIT_STATUS: &str = "Exit status: 0 done, 1 refused or failed, 2 wrong usage or configuration.";

#[derive(Subcommand)]
enum Command {
    /// Fetches the identity keys of a user, and checks them
    Keys(keys::Arguments),
    /// Fetches the key material of a service, or of one client, device or user of it, and prints it
    Record(record::Arguments),
    /// Fetches the keys of a user and makes a message with them that carries a new key to another user
    Send(send::Arguments),
    /// Fetches the keys of a user and takes the key out of a message with them
    Receive(receive::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut out = std::io::stdout().lock();
    let result = run(&arguments, &mut out).and_then(|()| Ok(out.flush()?));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads only the first lines has what was asked for.
        Err(fault) if fault.is(ErrorKind::BrokenPipe) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("error: {:#}", fault.error());
            fault.code()
        }
    }
}

fn run(Arguments { connection, command }: &Arguments, out: &mut dyn Write) -> Result<(), Fault> {
    // A core dump would hold keys.
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })
        .map_err(|error| anyhow::anyhow!("core dumps cannot be switched off: {error}"))?;
    let client = connection.client()?;
    match command {
        Command::Keys(arguments) => keys::run(arguments, &client, out),
        Command::Record(arguments) => record::run(arguments, &client, out),
        Command::Send(arguments) => send::run(arguments, &client, out),
        Command::Receive(arguments) => receive::run(arguments, &client, out),
    }
}
