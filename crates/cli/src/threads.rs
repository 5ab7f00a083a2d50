//! How many threads work.

use anyhow::Context;
use rayon::{ThreadPool, ThreadPoolBuilder};

#[derive(clap::Args)]
pub(crate) struct Threads {
    /// Threads to work on [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1_024))]
    threads: Option<u16>,
}

impl Threads {
    pub(crate) fn pool(&self) -> anyhow::Result<ThreadPool> {
        // 0 stands for one for each core.
        let threads = self.threads.unwrap_or(0).into();
        ThreadPoolBuilder::new().num_threads(threads).build().context("cannot start the threads")
    }
}
