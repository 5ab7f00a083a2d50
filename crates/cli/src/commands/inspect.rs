//! `mikey-sakke inspect`

mod json;
mod keys;
mod report;
mod srtp;
mod text;

use std::process::ExitCode;

use mikey_sakke::mikey::{Tolerance, Tolerances, inspect};

use crate::input;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The message: a file, `-` for standard input, or hexadecimal, base64 or an SDP key-mgmt attribute
    message: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Departures from the standards to accept: sp-with-empty-map and generic-id-no-cs, which are accepted anyway,
    /// missing-cs-blocks, short-rand, sign-header-excluded
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    tolerate: Vec<Tolerance>,
    /// Accept no departure from the standards but those given with --tolerate
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    keys: keys::KeyArguments,
}

impl Arguments {
    fn tolerances(&self) -> Tolerances {
        let base = if self.strict { Tolerances::NONE } else { Tolerances::default() };
        self.tolerate.iter().copied().fold(base, Tolerances::with)
    }
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let octets = input::message(&arguments.message)?;
    let tolerances = arguments.tolerances();
    let inspection = inspect(&octets, tolerances);
    // What is malformed is not opened.
    let message = inspection.message().filter(|_| inspection.faults.is_empty());
    let opening = match message {
        Some(message) => arguments.keys.open(&octets, message, tolerances)?,
        None => None,
    };
    if arguments.json {
        let mut object = json::to_json(&inspection, &octets);
        if let Some(opening) = &opening {
            report::add_to(&mut object, opening);
        }
        println!("{}", serde_json::to_string_pretty(&object)?);
    } else {
        text::print(&inspection, &octets, true);
        match &opening {
            Some(opening) => report::print(opening),
            None if arguments.keys.are_given() => println!("  The message is not opened, for what is wrong with it."),
            None => {}
        }
    }
    let is_sound = inspection.faults.is_empty() && opening.is_none_or(|opening| opening.fault.is_none());
    Ok(if is_sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Shows a message as people read it, without its octets.
pub(crate) fn print(octets: &[u8]) {
    text::print(&inspect(octets, Tolerances::default()), octets, false);
}
