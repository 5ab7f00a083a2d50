//! The sides, each in a process of its own, with processors of its own.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use clap::ValueEnum;
use getrandom::SysRng;
use mikey_sakke::identity::Uri;
use mikey_sakke::kms::Kms;
use mikey_sakke::time::Timestamp;
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use skm::server::Server;
use skm::service::{Clock, Service};
use tracing_subscriber::filter::LevelFilter;

use crate::control;
use crate::figures::{Usage, processor_time};
use crate::site::{Site, user};

/// How long the engine issues keys.
const ENGINE: Duration = Duration::from_secs(2);

/// Key sets of a batch of the engine.
const BATCH: u64 = 32;

/// What stands in turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Side {
    /// The key management server
    Service,
    /// A server that does as little as one can
    Control,
    /// No server: the engine alone
    Engine,
}

/// Processors.
#[derive(Clone, Debug)]
pub(crate) struct Cores(Vec<usize>);

impl Cores {
    /// Half of those that there are for the server, and half for the generator; one that is alone is for both.
    pub(crate) fn halves() -> anyhow::Result<(Self, Self)> {
        let all = sched_getaffinity(None)?;
        let all: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|&core| all.is_set(core)).collect();
        let (server, generator) = all.split_at(all.len().div_ceil(2));
        let generator = if generator.is_empty() { server } else { generator };
        Ok((Self(server.to_vec()), Self(generator.to_vec())))
    }

    pub(crate) fn number(&self) -> usize {
        self.0.len()
    }

    /// Confines this thread, and the threads and processes that it starts.
    pub(crate) fn confine(&self) -> anyhow::Result<()> {
        let mut set = CpuSet::new();
        self.0.iter().for_each(|&core| set.set(core));
        sched_setaffinity(None, &set).context("cannot choose the processors")
    }
}

/// A server that runs.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    /// None if it was running before.
    process: Option<Child>,
}

impl Running {
    pub(crate) const fn elsewhere(address: SocketAddr) -> Self {
        Self { address, process: None }
    }

    /// Starts a side. It stops when this is dropped.
    pub(crate) fn start(side: Side, site: &Site, cores: &Cores) -> anyhow::Result<Self> {
        let name = side.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        let log = site.directory.join(format!("{name}.log"));
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["side", &name]).arg(&site.directory);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(File::create(&log)?);
        let cores = cores.clone();
        // The process has the processors of the thread that starts it.
        let start = thread::spawn(move || {
            cores.confine()?;
            Ok::<_, anyhow::Error>(command.spawn()?)
        });
        let mut process = start.join().map_err(|_| anyhow!("cannot start the server"))??;
        let mut line = String::new();
        if let Some(out) = process.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        let address = line.trim().parse().map_err(|_| {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            anyhow!("the server does not start: {said}")
        })?;
        Ok(Self { address, process: Some(process) })
    }

    /// What it has used so far, if it can be seen.
    pub(crate) fn usage(&self) -> anyhow::Result<Option<Usage>> {
        self.process.as_ref().map(|process| Usage::of(Pid::from_child(process))).transpose()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(process) = &mut self.process else { return };
        drop(process.stdin.take());
        // Whatever became of it, it is over.
        let _ = process.wait();
    }
}

/// Runs a side in this process, until its input ends.
pub(crate) fn run(side: Side, site: &Site) -> anyhow::Result<()> {
    // As `skms serve` logs.
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_max_level(LevelFilter::INFO)
        .with_writer(std::io::stderr)
        .init();
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let stop = async {
            // It ends with the generator, however that ends.
            let _ = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await;
        };
        match side {
            Side::Control => control::run(site, stop).await,
            _ => serve(site, stop).await,
        }
    })
}

async fn serve(site: &Site, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    let source = site.config.seal.source().ok_or_else(|| anyhow!("no sealing key"))?;
    let service = Arc::new(Service::open(&site.config, source.read()?, Clock::system()).await?);
    let server = Server::bind(&site.config, service).await?;
    println!("{}", server.addresses().km_s.ok_or_else(|| anyhow!("no listener km_s"))?);
    server.run(stop).await;
    Ok(())
}

/// The key sets that the engine issues in a second of processor time.
pub(crate) fn engine(site: &Site, cores: &Cores) -> anyhow::Result<f64> {
    let domain = &site.config.domain;
    let kms = Kms::generate(domain.kms_uri.clone(), domain.uid_format()?, &mut SysRng)?;
    let period = domain.uid_format()?.period_at(Timestamp::now()?)?;
    let cores = cores.clone();
    let issue = thread::spawn(move || {
        cores.confine()?;
        let this_thread = Path::new("/proc/thread-self");
        let (begin, before, mut issued) = (Instant::now(), processor_time(this_thread)?, 0);
        while begin.elapsed() < ENGINE {
            let users = (issued..issued + BATCH).map(|number| Uri::parse(&user(number)));
            let users = users.collect::<Result<Vec<_>, _>>()?;
            let orders: Vec<_> = users.iter().map(|user| (user, period)).collect();
            for issuing in kms.issue_batch(&orders, &mut SysRng) {
                issuing?;
            }
            issued += BATCH;
        }
        let time = processor_time(this_thread)? - before;
        Ok(issued as f64 / time.as_secs_f64())
    });
    issue.join().map_err(|_| anyhow!("the engine failed"))?
}
