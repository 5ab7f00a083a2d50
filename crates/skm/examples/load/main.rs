//! How much a key management server serves on this machine: mutual TLS, a distinct request each time, and answers that
//! are all looked at.
//!
//! ```text
//! cargo run -p mikey-sakke-skm --release --example load
//! ```
//!
//! makes a site to be thrown away, runs the server in a process of its own and sends it requests for records. In turns
//! with it stands a control: the same listener, which for each request verifies one ES256 signature and stores one row
//! by the same batches, and nothing more. `--kind identity` asks for identity keys, beside which stands what the engine
//! issues without a server. The exit status is 1 if any answer is another than expected.

mod client;
mod control;
mod figures;
mod process;
mod report;
mod requests;
mod site;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Parser, Subcommand, ValueEnum};
use tokio::runtime::Runtime;

use client::{Progress, Turn};
use process::{Cores, Running, Side};
use report::Report;
use requests::Requests;
use site::Site;

/// Requests before those that are measured: connections, tables and caches are made with them.
const WARM_UP: u64 = 2_000;

/// How much a key management server serves on this machine
#[derive(Parser)]
struct Arguments {
    /// What is asked for
    #[arg(long, value_enum, default_value_t = Kind::Record)]
    kind: Kind,
    /// URL of the store, as in [store] url; PostgreSQL needs an empty database [default: SQLite in the site]
    #[arg(long)]
    store: Option<String>,
    /// Version of HTTP
    #[arg(long, value_name = "VERSION", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
    http: u8,
    /// Requests at a time; HTTP/1.1 has a connection for each, HTTP/2 one for 16
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1024))]
    at_once: u32,
    /// Requests of a turn
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(100..=1_000_000))]
    requests: u64,
    /// Turns of each side
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    turns: u32,
    /// Send each request with a token that no other has, so that the server has none of them in its cache
    #[arg(long)]
    fresh_tokens: bool,
    /// Directory of the site, which is made if it is not there, and kept
    #[arg(long)]
    site: Option<PathBuf>,
    /// Drive the listener km_s of a server that runs already with the configuration of the site
    #[arg(long, value_name = "ADDRESS", requires = "site")]
    running: Option<SocketAddr>,
    #[command(subcommand)]
    internal: Option<Internal>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Opaque records of devices
    Record,
    /// Identity key sets of users
    Identity,
}

#[derive(Subcommand)]
enum Internal {
    /// Runs one side in this process
    #[command(hide = true)]
    Side { side: Side, site: PathBuf },
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    if let Some(Internal::Side { side, site }) = &arguments.internal {
        process::run(*side, &Site::open(site)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let to_be_dropped = tempfile::tempdir().context("no directory for the site")?;
    let directory = arguments.site.as_deref().unwrap_or_else(|| to_be_dropped.path());
    let site = match Site::exists(directory) {
        true => Site::open(directory)?,
        false => Runtime::new()?.block_on(Site::make(directory, arguments.store.as_deref()))?,
    };
    measure(&arguments, &Arc::new(site))
}

fn measure(arguments: &Arguments, site: &Arc<Site>) -> anyhow::Result<ExitCode> {
    let (server_cores, own_cores) = Cores::halves()?;
    own_cores.confine()?;
    let runtime = Runtime::new()?;
    let mut report = Report::begin(arguments, site, &server_cores, &own_cores);
    let sides = match (arguments.running, arguments.kind) {
        (Some(_), _) => &[Side::Service][..],
        (None, Kind::Record) => &[Side::Service, Side::Control],
        (None, Kind::Identity) => &[Side::Service, Side::Engine],
    };
    for _ in 0..arguments.turns {
        for &side in sides {
            if side == Side::Engine {
                report.engine(process::engine(site, &server_cores)?);
                continue;
            }
            let fresh = arguments.fresh_tokens.then_some(WARM_UP + arguments.requests);
            let turn = Turn {
                site: Arc::clone(site),
                requests: Requests::new(Arc::clone(site), arguments.kind, fresh)?,
                server: match arguments.running {
                    Some(address) => Running::elsewhere(address),
                    None => Running::start(side, site, &server_cores)?,
                },
                side,
                http: arguments.http,
                at_once: arguments.at_once,
                warm_up: WARM_UP,
                measured: arguments.requests,
                progress: Progress::default(),
            };
            report.turn(side, runtime.block_on(turn.run())?);
        }
    }
    Ok(if report.end() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
