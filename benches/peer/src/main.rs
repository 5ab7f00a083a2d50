//! mikey-sakke and wolfSSL side by side, in one process on one core.

#[cfg(wolfssl)]
mod check;
#[cfg(wolfssl)]
mod material;
#[cfg(wolfssl)]
mod measure;
#[cfg(wolfssl)]
mod operations;
#[cfg(wolfssl)]
mod wolfssl;

use std::env;
use std::time::Duration;

use anyhow::{Context, bail};

const USAGE: &str = "usage: peer [--seconds S]   S seconds for each side of each operation, 2 if not given";

fn main() -> anyhow::Result<()> {
    match arguments()? {
        Some(time) => run(time),
        None => {
            println!("{USAGE}");
            Ok(())
        }
    }
}

/// The time for each side of each operation; none if help is asked for.
fn arguments() -> anyhow::Result<Option<Duration>> {
    let mut seconds = 2.0;
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--seconds" => seconds = arguments.next().context(USAGE)?.parse().context(USAGE)?,
            "--help" => return Ok(None),
            _ => bail!(USAGE),
        }
    }
    if !(0.01..=3_600.0).contains(&seconds) {
        bail!("give a number of seconds from 0.01 to 3600");
    }
    Ok(Some(Duration::from_secs_f64(seconds)))
}

#[cfg(not(wolfssl))]
fn run(_time: Duration) -> anyhow::Result<()> {
    println!(
        "libwolfssl is not installed: nothing to compare with; \
         install it with its headers, SAKKE and ECCSI included (Debian: libwolfssl-dev), and run again"
    );
    Ok(())
}

#[cfg(wolfssl)]
fn run(time: Duration) -> anyhow::Result<()> {
    wolfssl::pin_to_core();
    let material = material::Material::generate()?;
    let tables = check::agree(&material).context("the libraries do not agree, so nothing is measured")?;
    println!("wolfSSL {}, with {tables} octets of SAKKE tables; each accepts what the other makes", wolfssl::version());
    println!("operations per second on one core, medians of slices in turn\n");
    println!("{:<28}{:>12}{:>12}{:>16}", "operation", "wolfSSL", "ours", "ours / wolfSSL");
    for (operation, prepare) in operations::OPERATIONS {
        let mut pair = prepare(&material).with_context(|| operation)?;
        let comparison = measure::compare(&mut pair, time).with_context(|| operation)?;
        let measure::Comparison { peer, ours, ratio } = comparison;
        println!("{operation:<28}{peer:>12.1}{ours:>12.1}{ratio:>16.2}");
    }
    Ok(())
}
