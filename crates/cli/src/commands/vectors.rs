//! `mikey-sakke vectors`

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

/// Files of the schema `mikey-sakke-vectors-v1`
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Files of the schema described in test-vectors/README.md
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let (mut passed, mut failed) = (0, 0);
    for path in &arguments.files {
        let name = path.display();
        let report = fs::read_to_string(path).map_err(|error| error.to_string());
        match report.and_then(|json| mikey_sakke_vectors::run(&json)) {
            Ok(report) => {
                for failure in &report.failures {
                    println!("FAILED {name}: {failure}");
                }
                passed += report.passed;
                failed += report.failures.len();
            }
            Err(problem) => {
                eprintln!("error: {name}: {problem}");
                failed += 1;
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
