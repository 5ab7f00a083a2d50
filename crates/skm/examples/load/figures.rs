//! What is measured.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use rustix::process::Pid;

/// What a process has used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// Processor time of all threads.
    pub(crate) processor: Duration,
    /// Processor time of the threads that issue keys.
    pub(crate) issuing: Duration,
    /// Resident memory in octets.
    pub(crate) memory: u64,
}

impl Usage {
    pub(crate) fn of(process: Pid) -> anyhow::Result<Self> {
        let directory = format!("/proc/{}", process.as_raw_nonzero());
        let mut usage = Self::default();
        for thread in fs::read_dir(format!("{directory}/task"))? {
            let thread = thread?.path();
            // A thread may have ended since.
            let (Ok(name), Ok(time)) = (fs::read_to_string(thread.join("comm")), processor_time(&thread)) else {
                continue;
            };
            usage.processor += time;
            if name.trim() == "issuer" {
                usage.issuing += time;
            }
        }
        let status = fs::read_to_string(format!("{directory}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes: u64 = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).context("no VmRSS")?;
        usage.memory = kibibytes * 1024;
        Ok(usage)
    }

    /// What it has used since.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            processor: self.processor.saturating_sub(earlier.processor),
            issuing: self.issuing.saturating_sub(earlier.issuing),
            memory: self.memory,
        }
    }
}

/// Processor time of a thread so far, by its directory under `/proc`.
pub(crate) fn processor_time(thread: &Path) -> anyhow::Result<Duration> {
    let text = fs::read_to_string(thread.join("schedstat"))?;
    let nanoseconds = text.split(' ').next().ok_or_else(|| anyhow!("no schedstat"))?.parse()?;
    Ok(Duration::from_nanos(nanoseconds))
}

/// The figures of a turn.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    /// How long it took.
    pub(crate) elapsed: Duration,
    /// How long each answer took, the shortest first.
    pub(crate) latencies: Vec<Duration>,
    /// Answers other than expected, and how often.
    pub(crate) unexpected: BTreeMap<String, u64>,
    /// What the server has used for it.
    pub(crate) usage: Option<Usage>,
    /// Resident memory in octets after [`MARK`] requests.
    pub(crate) memory_at_mark: Option<u64>,
}

/// The request after which memory is looked at: by then all is made that is made once.
pub(crate) const MARK: u64 = 20_000;

impl Figures {
    pub(crate) fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// The time in which so many in a thousand answers came, in milliseconds.
    pub(crate) fn percentile(&self, thousandths: usize) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let latency = self.latencies.get(last * thousandths / 1000).copied().unwrap_or_default();
        latency.as_secs_f64() * 1e3
    }

    /// A duration per request in microseconds.
    pub(crate) fn each(&self, time: Duration) -> f64 {
        time.as_secs_f64() * 1e6 / self.latencies.len() as f64
    }
}
