//! `skms preissue`

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::anyhow;
use mikey_sakke::identity::KeyPeriod;
use skm::audit::{Action, Event, Outcome};
use skm::domain::{Preissue, PreissueError, SecurityDomain};
use tokio::signal::unix::{SignalKind, signal};

use crate::fault::Fault;
use crate::operator::Operator;
use crate::progress::Progress;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Key period: next, or its number, which is that of the present or the next one
    #[arg(long, value_name = "next|N")]
    period: Period,
}

#[derive(Clone, Copy)]
enum Period {
    Next,
    Number(u64),
}

impl FromStr for Period {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = || text.parse().map(Self::Number).map_err(|_| "neither next nor a number");
        if text == "next" { Ok(Self::Next) } else { number() }
    }
}

/// What was done, and why no more.
#[derive(Default)]
struct Done {
    stored: u64,
    failed: u64,
    is_interrupted: bool,
    error: Option<PreissueError>,
}

pub(crate) fn run(arguments: &Arguments, config: &Path, out: &mut dyn Write) -> Result<ExitCode, Fault> {
    let operator = Operator::open(config)?;
    let latest = operator.wait(operator.store.latest_time())?;
    if latest.is_some_and(|latest| operator.config.domain.has_jumped(latest, operator.now)) {
        return Err(anyhow!("the clock is more than a key period from that of the servers; see skms clock show").into());
    }
    let domain = operator.wait(SecurityDomain::load(&operator.store, &operator.config.domain))?;
    let domain = domain.ok_or_else(|| anyhow!("there are no master secrets yet; see skms domain import"))?;
    let KeyPeriod::Number(present) = domain.uid_format().period_at(operator.now)? else {
        return Err(anyhow!("the key periods are months").into());
    };
    let period = match arguments.period {
        Period::Next => present + 1,
        Period::Number(number) => number,
    };
    let mut preissue = Preissue::new(&operator.store, &domain, period, present).map_err(|error| match error {
        PreissueError::Period { .. } => Fault::usage(error),
        _ => error.into(),
    })?;
    let done = operator.wait(work(&mut preissue))?;
    let certificate = &preissue.extraction().certificate;
    let event = operator.event(Action::Preissue, format!("{} users, {certificate}", done.stored))?;
    let outcome = if done.is_complete() { Outcome::Done } else { Outcome::Failed };
    let logged = operator.wait(operator.store.log(&Event { period: Some(period), outcome, ..event }));
    writeln!(out, "Key period {period}: {} RSKs were extracted and are in the store", done.stored)?;
    match done.error {
        // What is wrong with the store is said once.
        Some(error) => return Err(anyhow::Error::from(error).context("stopped; run it again to go on").into()),
        None => logged?,
    }
    if done.is_interrupted {
        eprintln!("error: interrupted; run it again to go on");
    }
    Ok(ExitCode::from(match done {
        _ if done.is_complete() => 0,
        Done { stored: 0, .. } => 1,
        _ => 3,
    }))
}

impl Done {
    const fn is_complete(&self) -> bool {
        self.failed == 0 && !self.is_interrupted && self.error.is_none()
    }
}

/// Works page by page, until there are no more users or the operator has it stopped.
async fn work(preissue: &mut Preissue<'_>) -> Result<Done, Fault> {
    let is_stopped = Arc::new(AtomicBool::new(false));
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        let (mut signal, is_stopped) = (signal(kind)?, Arc::clone(&is_stopped));
        tokio::spawn(async move {
            signal.recv().await;
            is_stopped.store(true, Ordering::Relaxed);
        });
    }
    let mut progress = Progress::new(usize::try_from(preissue.count().await?)?)?;
    let mut done = Done::default();
    loop {
        if is_stopped.load(Ordering::Relaxed) {
            done.is_interrupted = true;
            break;
        }
        match preissue.page().await {
            Ok(None) => break,
            Ok(Some(page)) => {
                done.stored += page.stored;
                done.failed += page.failed.len() as u64;
                for (user, error) in page.failed {
                    eprintln!("error: {user}: {error}");
                }
                progress.show(usize::try_from(done.stored + done.failed)?);
            }
            Err(error) => {
                done.error = Some(error);
                break;
            }
        }
    }
    progress.end();
    Ok(done)
}
