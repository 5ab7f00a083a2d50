//! What is printed.

use std::collections::BTreeMap;

use crate::figures::{Figures, MARK};
use crate::process::{Cores, Side};
use crate::site::Site;
use crate::{Arguments, Kind};

const MEBIBYTE: f64 = 1_048_576.0;

/// The figures of all turns.
pub(crate) struct Report {
    kind: Kind,
    service: Vec<Figures>,
    control: Vec<Figures>,
    /// Key sets in a second of processor time.
    engine: Vec<f64>,
}

impl Report {
    pub(crate) fn begin(arguments: &Arguments, site: &Site, server: &Cores, own: &Cores) -> Self {
        let what = match arguments.kind {
            Kind::Record => "records",
            Kind::Identity => "identity key sets",
        };
        let http = if arguments.http == 2 { "HTTP/2" } else { "HTTP/1.1" };
        let store = site.config.store.url.split(':').next().unwrap_or_default();
        let tokens = if arguments.fresh_tokens { "a token for each" } else { "tokens used again" };
        println!("{what} over {http}, mutual TLS; store {store}; {} at a time, {tokens}", arguments.at_once);
        match arguments.running {
            Some(address) => println!("server at {address}"),
            None => println!("processors: {} for the server, {} for the generator", server.number(), own.number()),
        }
        println!();
        println!(
            "{:<8} {:>9} {:>8} {:>8} {:>8} {:>8} {:>8} {:>11} {:>8}",
            "", "a second", "50 % ms", "90 %", "99 %", "99.9 %", "slowest", "processor us", "MiB"
        );
        Self { kind: arguments.kind, service: Vec::new(), control: Vec::new(), engine: Vec::new() }
    }

    /// Prints the figures of a turn and keeps them.
    pub(crate) fn turn(&mut self, side: Side, figures: Figures) {
        let name = if side == Side::Control { "control" } else { "service" };
        print!("{name:<8} {:>9.0}", figures.rate());
        for thousandths in [500, 900, 990, 999, 1000] {
            print!(" {:>8.2}", figures.percentile(thousandths));
        }
        if let Some(usage) = figures.usage {
            print!(" {:>12.0} {:>8.1}", figures.each(usage.processor), usage.memory as f64 / MEBIBYTE);
        }
        println!();
        match side {
            Side::Control => self.control.push(figures),
            _ => self.service.push(figures),
        }
    }

    /// Prints what the engine issues without a server, and keeps it.
    pub(crate) fn engine(&mut self, rate: f64) {
        println!("{:<8} {rate:>9.0} {:>57.0}", "engine", 1e6 / rate);
        self.engine.push(rate);
    }

    /// Prints how the sides compare, by their medians, and what was not expected. False if anything was not.
    pub(crate) fn end(self) -> bool {
        println!();
        let rate = median(self.service.iter().map(Figures::rate));
        let processor = |figures: &Figures| figures.usage.map(|usage| figures.each(usage.processor));
        if !self.control.is_empty() {
            let control = median(self.control.iter().map(Figures::rate));
            let [own, other] = [&self.service, &self.control].map(|side| median(side.iter().filter_map(processor)));
            println!("rate: {:.0} % of the control", 100.0 * rate / control);
            println!(
                "processor time: {own:.0} us for a request, {other:.0} us of the control ({:.0} %)",
                100.0 * other / own
            );
        }
        if self.kind == Kind::Identity && !self.engine.is_empty() {
            let issuing = median(self.service.iter().filter_map(|figures| Some(figures.each(figures.usage?.issuing))));
            let engine = median(self.engine.iter().copied());
            println!(
                "processor time to issue: {issuing:.0} us for a key set, {:.0} us of the engine ({:.0} % of its rate)",
                1e6 / engine,
                100.0 * 1e6 / issuing / engine
            );
        }
        for figures in &self.service {
            if let (Some(mark), Some(usage)) = (figures.memory_at_mark, figures.usage) {
                let end = usage.memory as f64 / MEBIBYTE;
                let begin = mark as f64 / MEBIBYTE;
                println!("memory: {begin:.1} MiB after {MARK} requests, {end:.1} MiB at the end ({:+.1})", end - begin);
            }
        }
        let mut unexpected = BTreeMap::<_, u64>::new();
        for (what, number) in self.service.iter().chain(&self.control).flat_map(|figures| &figures.unexpected) {
            *unexpected.entry(what).or_default() += number;
        }
        for (what, number) in &unexpected {
            println!("UNEXPECTED, {number} times: {what}");
        }
        unexpected.is_empty()
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
