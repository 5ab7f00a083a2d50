//! `skms config`

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use skm::config::Config;
use skm::seal::SALT_OCTETS;
use skm::tls::{ClientAuth, Tls};
use skm::token::KeySet;
use skm::trial::{is_trial_certificate, is_trial_issuer};

use crate::export::recipients;
use crate::fault::Fault;
use crate::operator::read_config;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Checks the configuration and the files that it names, and changes nothing
    Check,
}

pub(crate) fn run(Command::Check: &Command, path: &Path, out: &mut dyn Write) -> Result<(), Fault> {
    let config = read_config(path)?;
    let mut results = vec![seal(&config)];
    results.extend(tls(&config));
    results.push(issuer("auth", config.auth.jwks_file.as_ref()));
    results.push(issuer("capif", capif_keys(&config)));
    results.push(recipients(&config).map(drop));
    let faults: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    if let Some((last, others)) = faults.split_last() {
        for fault in others {
            eprintln!("error: {}: {fault:#}", path.display());
        }
        return Err(Fault::usage(anyhow!("{}: {last:#}", path.display())));
    }
    writeln!(out, "{}: in order", path.display())?;
    if is_trial(&config) {
        writeln!(out, "it is of a trial: serve needs --trial")?;
    }
    Ok(())
}

fn seal(config: &Config) -> anyhow::Result<()> {
    let source = config.seal.source().context("no source")?;
    // A data key that nobody uses shows whether the key does what it is for.
    let works = || source.read()?.open(&[0; SALT_OCTETS])?.new_data_key().map(drop);
    works().context("[seal]")
}

/// Every file that cannot be read; if all can, whether they are of use together.
fn tls(config: &Config) -> Vec<anyhow::Result<()>> {
    let Config { listen, tls, .. } = config;
    let files = [&tls.cert, &tls.key].into_iter().chain(&tls.client_ca).chain(&tls.crl_files);
    let opened = files.map(|path| File::open(path).map(drop).with_context(|| format!("[tls] {}", path.display())));
    let unread: Vec<_> = opened.filter(Result::is_err).collect();
    if !unread.is_empty() {
        return unread;
    }
    let clients = match listen.km_s.or(listen.seal_x1) {
        Some(_) => ClientAuth::Demanded,
        None => ClientAuth::NotAsked,
    };
    vec![Tls::new(tls.clone(), clients).map(drop).context("[tls]")]
}

fn issuer(section: &str, jwks_file: Option<&PathBuf>) -> anyhow::Result<()> {
    let Some(path) = jwks_file else { return Ok(()) };
    let read = || KeySet::from_json(&std::fs::read(path)?).map_err(anyhow::Error::from);
    read().map(drop).with_context(|| format!("[{section}] jwks_file {}", path.display()))
}

/// The keys of the core function, if they are in a file.
fn capif_keys(config: &Config) -> Option<&PathBuf> {
    config.capif.as_ref()?.jwks_file.as_ref()
}

/// Whether certificates or token issuer are those of a trial. A file that cannot be read is for those who need it.
pub(crate) fn is_trial(config: &Config) -> bool {
    let files = [Some(&config.tls.cert), config.tls.client_ca.as_ref()].into_iter().flatten();
    let mut certificates = files.filter_map(|path| std::fs::read(path).ok());
    let files = [config.auth.jwks_file.as_ref(), capif_keys(config)].into_iter().flatten();
    let mut key_sets = files.filter_map(|path| std::fs::read(path).ok());
    certificates.any(|pem| is_trial_certificate(&pem)) || key_sets.any(|jwks| is_trial_issuer(&jwks))
}
