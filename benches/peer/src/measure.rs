//! Rates of two operations, taken in turn.

use std::time::{Duration, Instant};

use crate::operations::{Operation, Pair};
use crate::wolfssl::cpu_seconds;

/// Slices of each side.
const SLICES: u32 = 7;

/// Medians over the slices.
pub(crate) struct Comparison {
    /// Operations per second of wolfSSL.
    pub(crate) peer: f64,
    /// Operations per second of ours.
    pub(crate) ours: f64,
    /// Ours / wolfSSL, of neighbouring slices.
    pub(crate) ratio: f64,
}

/// Measures both sides, each for about `time`, in alternating slices, so that what else happens on the machine meets
/// both.
pub(crate) fn compare(pair: &mut Pair, time: Duration) -> anyhow::Result<Comparison> {
    let slice = time / SLICES;
    // Not counted: wolfSSL makes its tables of recurring points at their first uses.
    rate(&mut pair.peer, 1, slice)?;
    rate(&mut pair.ours, pair.batch, slice)?;
    let mut rates = Vec::new();
    for _ in 0..SLICES {
        rates.push((rate(&mut pair.peer, 1, slice)?, rate(&mut pair.ours, pair.batch, slice)?));
    }
    Ok(Comparison {
        peer: median(rates.iter().map(|(peer, _)| *peer)),
        ours: median(rates.iter().map(|(_, ours)| *ours)),
        ratio: median(rates.iter().map(|(peer, ours)| ours / peer)),
    })
}

/// Operations per second of processor time, where a call does `batch` of them.
fn rate(operation: &mut Operation<'_>, batch: u32, time: Duration) -> anyhow::Result<f64> {
    let start = Instant::now();
    let cpu = cpu_seconds();
    let mut count = 0;
    loop {
        operation()?;
        count += batch;
        if start.elapsed() >= time {
            return Ok(f64::from(count) / (cpu_seconds() - cpu));
        }
    }
}

fn median(rates: impl Iterator<Item = f64>) -> f64 {
    let mut rates: Vec<f64> = rates.collect();
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}
