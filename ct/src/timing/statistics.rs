//! Welch's t-test.

use std::time::Duration;

use crate::operations::Class;

/// What share of the samples counts without the slowest.
const QUICKER: f64 = 0.9;

/// The times of an operation by class.
pub struct Times {
    /// Of which operation.
    pub name: &'static str,
    fixed: Vec<f64>,
    random: Vec<f64>,
}

impl Times {
    pub fn new(name: &'static str) -> Self {
        Self { name, fixed: Vec::new(), random: Vec::new() }
    }

    pub fn add(&mut self, class: Class, time: Duration) {
        let nanoseconds = time.as_nanos() as f64;
        match class {
            Class::Fixed => self.fixed.push(nanoseconds),
            Class::Random => self.random.push(nanoseconds),
        }
    }

    /// The greater |t| of the test over all samples and of that without the slowest.
    pub fn t(&self) -> f64 {
        let mut all: Vec<f64> = self.fixed.iter().chain(&self.random).copied().collect();
        all.sort_by(f64::total_cmp);
        let limit = all[(all.len() as f64 * QUICKER) as usize];
        let quicker = |times: &[f64]| times.iter().copied().filter(|time| *time <= limit).collect::<Vec<_>>();
        welch(&self.fixed, &self.random).max(welch(&quicker(&self.fixed), &quicker(&self.random)))
    }
}

/// |t| for the hypothesis that both have the same mean.
fn welch(one: &[f64], other: &[f64]) -> f64 {
    let [(mean, error), (other_mean, other_error)] = [one, other].map(mean_and_squared_error);
    (mean - other_mean).abs() / (error + other_error).sqrt()
}

fn mean_and_squared_error(times: &[f64]) -> (f64, f64) {
    let n = times.len() as f64;
    let mean = times.iter().sum::<f64>() / n;
    let variance = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, variance / n)
}
