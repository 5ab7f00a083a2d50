//! mikey-sakke and wolfSSL side by side, in one process on one core.

#[cfg(wolfssl)]
mod check;
#[cfg(wolfssl)]
mod imessage;
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
use mikey_sakke::hazmat::backend;

const USAGE: &str =
    "usage: peer [--seconds S] [--backend NAME]   S seconds for each side of each operation, 2 if not given;
       the backend of mikey-sakke is the fastest that the processor has, if none is given";

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
            "--backend" => select(&arguments.next().context(USAGE)?)?,
            "--help" => return Ok(None),
            _ => bail!(USAGE),
        }
    }
    if !(0.01..=3_600.0).contains(&seconds) {
        bail!("give a number of seconds from 0.01 to 3600");
    }
    Ok(Some(Duration::from_secs_f64(seconds)))
}

/// Takes the backend of that name.
fn select(name: &str) -> anyhow::Result<()> {
    let backend = backend::Backend::ALL.into_iter().find(|backend| backend.name() == name).context(USAGE)?;
    Ok(backend::select(backend)?)
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
    println!(
        "ours with backend {}; operations per second on one core, medians of slices in turn\n",
        backend::current()
    );
    println!("{:<34}{:>12}{:>12}{:>16}", "operation", "wolfSSL", "ours", "ours / wolfSSL");
    for (operation, prepare) in operations::OPERATIONS {
        let mut pair = prepare(&material).with_context(|| operation)?;
        let comparison = measure::compare(&mut pair, time).with_context(|| operation)?;
        let measure::Comparison { peer, ours, ratio } = comparison;
        println!("{operation:<34}{peer:>12.1}{ours:>12.1}{ratio:>16.2}");
    }
    Ok(())
}
