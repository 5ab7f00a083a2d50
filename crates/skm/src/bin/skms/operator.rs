//! The operator at the host of the server: configuration and store, without the server.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, anyhow};
use mikey_sakke::time::Timestamp;
use skm::audit::{Action, Event, Outcome};
use skm::config::Config;
use skm::seal::Secret;
use skm::store::{Store, shown};
use tokio::runtime::{Builder, Runtime};

use crate::fault::Fault;

/// Who acts, in the audit log.
const PRINCIPAL: &str = "operator";

/// An operator with the store open.
pub(crate) struct Operator {
    pub(crate) config: Config,
    pub(crate) store: Store,
    pub(crate) now: Timestamp,
    runtime: Runtime,
}

impl Operator {
    /// Reads the configuration and opens the store; a file is made if there is none.
    pub(crate) fn open(path: &Path) -> Result<Self, Fault> {
        Self::start(path, false)
    }

    /// As [`open`](Self::open), and brings the schema of the store up to date before.
    pub(crate) fn migrate(path: &Path) -> Result<Self, Fault> {
        Self::start(path, true)
    }

    fn start(path: &Path, migrate: bool) -> Result<Self, Fault> {
        let (config, secret, runtime) = prepare(path)?;
        let url = &config.store.url;
        let opened = runtime.block_on(async {
            if migrate {
                Store::migrate(url).await?;
            }
            Store::open(url, secret, config.domain.server()).await
        });
        let store = opened.with_context(|| format!("store {}", shown(url)))?;
        Ok(Self { config, store, now: Timestamp::now()?, runtime })
    }

    /// Runs what the store does.
    pub(crate) fn wait<T>(&self, done: impl Future<Output = T>) -> T {
        self.runtime.block_on(done)
    }

    /// What the operator does, for the audit log.
    pub(crate) fn event(&self, action: Action, target: impl ToString) -> Result<Event, Fault> {
        event(self.now, action, target)
    }
}

/// What the operator does at a time, for the audit log.
pub(crate) fn event(time: Timestamp, action: Action, target: impl ToString) -> Result<Event, Fault> {
    let mut id = [0; 8];
    getrandom::fill(&mut id).map_err(|_| anyhow!("the random source failed"))?;
    Ok(Event {
        time,
        principal: PRINCIPAL.into(),
        action,
        target: target.to_string(),
        period: None,
        outcome: Outcome::Done,
        request_id: hex::encode(id),
    })
}

/// What it takes to open the store.
pub(crate) fn prepare(path: &Path) -> Result<(Config, Secret, Runtime), Fault> {
    let config = read_config(path)?;
    let source = config.seal.source().with_context(|| format!("{}: no sealing key", path.display()))?;
    // Before there are threads, as a variable is unset.
    let secret = source.read().context("the sealing key")?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    Ok((config, secret, runtime))
}

/// Reads the configuration.
pub(crate) fn read_config(path: &Path) -> Result<Config, Fault> {
    if let Err(error) = File::open(path) {
        let is_missing = error.kind() == ErrorKind::NotFound;
        let advice = if is_missing { "; pass --config FILE, or make one with skms init" } else { "" };
        return Err(Fault::usage(anyhow!("{}: {error}{advice}", path.display())));
    }
    Ok(Config::load(path).with_context(|| path.display().to_string())?)
}
