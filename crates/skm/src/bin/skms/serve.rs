//! `skms serve`: the server until it is told to stop.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use getrandom::SysRng;
use mikey_sakke::kms::Kms;
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};
use serde::Serialize;
use skm::audit::{Action, Event, Outcome};
use skm::config::Config;
use skm::domain::import;
use skm::exchange::follow;
use skm::seal::Secret;
use skm::server::{Addresses, Reloader, Server, ServerError};
use skm::service::{Clock, Service};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::is_trial;
use crate::fault::Fault;
use crate::operator::read_config;

/// The variable that says what is logged, as `info` or `warn,skm::server=debug`.
const LOG_VARIABLE: &str = "SKMS_LOG";

/// How long what still works in the background may take to end.
const END: Duration = Duration::from_secs(1);

/// Serves until SIGTERM or SIGINT; SIGHUP reads certificates and revocation lists again.
pub(crate) fn run(path: &Path, trial: bool) -> Result<(), Fault> {
    let config = read_config(path)?;
    permit(&config, trial)?;
    // Other processes of the same user stay out of the memory of this one.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).context("cannot keep others from reading the memory")?;
    let source = config.seal.source().with_context(|| format!("{}: no sealing key", path.display()))?;
    // Before the first thread, since a variable is unset once it is read.
    let secret = source.read().map_err(|error| Fault::usage(anyhow!("the sealing key: {error}")))?;
    start_log().map_err(Fault::usage)?;
    // A connection takes a file; the soft limit of most systems is for programs that have few.
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).context("cannot have more open files")?;
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(serve(&config, secret, trial));
    runtime.shutdown_timeout(END);
    result
}

async fn serve(config: &Config, secret: Secret, trial: bool) -> Result<(), Fault> {
    let [mut terminate, mut interrupt] = [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?];
    let mut hang_up = signal(SignalKind::hangup())?;
    let clock = Clock::system();
    let service = Arc::new(Service::open(config, secret, clock.clone()).await?);
    if trial {
        found_domain(&service, config, &clock).await?;
    }
    service.watch_clock().await;
    let peers = Arc::clone(&service);
    let server = Server::bind(config, service).await.map_err(|error| match error {
        ServerError::Tls { .. } => Fault::usage(error),
        _ => Fault::from(error),
    })?;
    let reloader = server.reloader();
    announce(&server)?;
    let stop = async {
        loop {
            tokio::select! {
                _ = terminate.recv() => return,
                _ = interrupt.recv() => return,
                _ = hang_up.recv() => reload(&reloader, config, trial),
            }
        }
    };
    let followed = async {
        match config.peer.is_empty() {
            true => std::future::pending().await,
            false => follow(config, peers, &clock).await,
        }
    };
    tokio::select! {
        () = server.run(stop) => {}
        () = followed => {}
    }
    tracing::info!("stopped");
    Ok(())
}

/// Makes master secrets for a domain that has none.
async fn found_domain(service: &Service, config: &Config, clock: &Clock) -> anyhow::Result<()> {
    let (store, domain) = (service.store(), &config.domain);
    if store.domain().await?.is_some() {
        return Ok(());
    }
    let kms = Kms::generate(domain.kms_uri.clone(), domain.uid_format()?, &mut SysRng)?;
    let event = Event {
        time: clock.now().time,
        principal: "serve --trial".into(),
        action: Action::Domain,
        target: domain.kms_uri.to_string(),
        period: None,
        outcome: Outcome::Done,
        request_id: String::new(),
    };
    import(store, domain, &kms, &event).await?;
    tracing::info!("the domain has new master secrets, for a trial");
    Ok(())
}

#[derive(Serialize)]
struct Announcement {
    ready: bool,
    #[serde(flatten)]
    addresses: Addresses,
}

/// Says on one line of standard output where the server listens.
fn announce(server: &Server) -> anyhow::Result<()> {
    let line = serde_json::to_string(&Announcement { ready: true, addresses: server.addresses() })?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("cannot say where the server listens")
}

fn reload(reloader: &Reloader, config: &Config, trial: bool) {
    match permit(config, trial).and_then(|()| Ok(reloader.reload()?)) {
        Ok(()) => tracing::info!("certificates and revocation lists are read again"),
        Err(error) => {
            tracing::error!(error = %format!("{error:#}"), "certificates or revocation lists stay as they were")
        }
    }
}

/// Refuses the certificates and the token issuer of a trial, unless it is one.
fn permit(config: &Config, trial: bool) -> anyhow::Result<()> {
    if is_trial(config) && !trial {
        Err(anyhow!("certificates or token issuer are of a trial: that needs --trial"))
    } else {
        Ok(())
    }
}

/// Logs to standard error, one JSON object a line.
fn start_log() -> anyhow::Result<()> {
    let text = std::env::var(LOG_VARIABLE).unwrap_or_else(|_| "info".into());
    let targets: Targets = text.parse().with_context(|| format!("environment variable {LOG_VARIABLE}: {text}"))?;
    let lines = tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(std::io::stderr);
    tracing_subscriber::registry().with(lines.with_filter(targets)).try_init()?;
    // What a panic says might be secret; where it happened is not.
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string);
        tracing::error!(location, "panicked");
    }));
    Ok(())
}
