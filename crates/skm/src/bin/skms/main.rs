//! The command line of the key management server.

#[path = "../common/asking.rs"]
mod asking;
mod audit;
mod backup;
mod block;
mod certs;
mod clock;
mod config;
mod delegate;
mod domain;
mod export;
#[path = "../common/fault.rs"]
mod fault;
mod group;
mod init;
mod migrate;
mod operator;
mod preissue;
mod progress;
mod provision;
mod reseal;
mod serve;
mod token;

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use rustix::process::{Resource, Rlimit, setrlimit};

use fault::Fault;

/// Key management server of SEAL (3GPP TS 33.434)
#[derive(Parser)]
#[command(name = "skms", version, after_help = EXIT_STATUS)]
struct Arguments {
    /// File with the configuration
    #[arg(long, global = true, default_value = "skms.toml", value_name = "FILE")]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

const EXIT_STATUS: &str =
    "Exit status: 0 done, 1 refused or failed, 2 wrong usage or configuration, 3 done for some and not for all.";

#[derive(Subcommand)]
enum Command {
    /// Makes a configuration to be filled in, or all files of a trial
    Init(init::Arguments),
    /// Runs the server until it is told to stop, by SIGTERM or SIGINT; SIGHUP makes it read its certificates again
    Serve {
        /// Accept the certificates and the token issuer of a trial
        #[arg(long)]
        trial: bool,
    },
    /// Looks after the configuration
    #[command(subcommand)]
    Config(config::Command),
    /// Brings the schema of the store up to date
    Migrate,
    /// Seals the store with another key, and everything in it with another data key
    Reseal(reseal::Arguments),
    /// Shows the time, or takes it for right after a jump
    #[command(subcommand)]
    Clock(clock::Command),
    /// Writes all that is in the store to a file, sealed
    Backup(backup::Arguments),
    /// Brings a backup into an empty store
    Restore(backup::Arguments),
    /// Shows the security domain, gives it its master secrets or others, or hands them out
    #[command(subcommand)]
    Domain(domain::Command),
    /// Takes in, lists and removes the certificates of other domains, and writes those of this one
    #[command(subcommand)]
    Certs(certs::Command),
    /// Extracts the RSKs of all users who were issued keys lately, so that they are there when the users ask for them;
    /// run again, it goes on with those who have none yet
    Preissue(preissue::Arguments),
    /// Stores, shows and deletes records of key material
    #[command(subcommand)]
    Provision(provision::Command),
    /// Gives a user no keys any more, and tells the others to accept none from it
    Block(block::Arguments),
    /// Gives a user keys again
    Unblock(block::Arguments),
    /// Says who may have the keys of another user
    #[command(subcommand)]
    Delegate(delegate::Command),
    /// Distributes keys to groups, as a group manager: with a server, and without its configuration
    #[command(subcommand)]
    Group(group::Command),
    /// Shows and verifies the audit log
    #[command(subcommand)]
    Audit(audit::Command),
    /// Issues an access token of a trial
    Token(token::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut out = std::io::stdout().lock();
    let result = run(&arguments, &mut out).and_then(|code| Ok(out.flush().map(|()| code)?));
    result.unwrap_or_else(|fault| {
        // Whoever reads only the first lines has what was asked for.
        if fault.is(ErrorKind::BrokenPipe) {
            return ExitCode::SUCCESS;
        }
        eprintln!("error: {:#}", fault.error());
        fault.code()
    })
}

fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<ExitCode, Fault> {
    // A core dump would hold keys.
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })
        .map_err(|error| anyhow::anyhow!("core dumps cannot be switched off: {error}"))?;
    let config: &Path = &arguments.config;
    match &arguments.command {
        Command::Init(arguments) => init::run(arguments, out)?,
        Command::Serve { trial } => serve::run(config, *trial)?,
        Command::Config(command) => config::run(command, config, out)?,
        Command::Migrate => migrate::run(config, out)?,
        Command::Reseal(arguments) => reseal::run(arguments, config, out)?,
        Command::Clock(command) => clock::run(command, config, out)?,
        Command::Backup(arguments) => backup::backup(arguments, config, out)?,
        Command::Restore(arguments) => backup::restore(arguments, config, out)?,
        Command::Domain(command) => domain::run(command, config, out)?,
        Command::Certs(command) => certs::run(command, config, out)?,
        Command::Provision(command) => provision::run(command, config, out)?,
        Command::Block(arguments) => block::run(arguments, true, config, out)?,
        Command::Unblock(arguments) => block::run(arguments, false, config, out)?,
        Command::Delegate(command) => delegate::run(command, config, out)?,
        Command::Preissue(arguments) => return preissue::run(arguments, config, out),
        Command::Group(command) => return group::run(command, out),
        Command::Audit(command) => audit::run(command, config, out)?,
        Command::Token(arguments) => token::run(arguments, config, out)?,
    }
    Ok(ExitCode::SUCCESS)
}
