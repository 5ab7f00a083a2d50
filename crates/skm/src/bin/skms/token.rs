//! `skms token`

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use mikey_sakke::time::Timestamp;
use mikey_sakke_files::{Access, write};
use skm::token::{KeySet, Verifier};
use skm::trial::{Claims, Issuer};
use zeroize::Zeroizing;

use crate::fault::Fault;
use crate::operator::read_config;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Subject: the user or device that the token is for; --user if none is given
    #[arg(long, required_unless_present = "user")]
    sub: Option<String>,
    /// Client that the token is for
    #[arg(long)]
    client_id: String,
    /// Scope; may be given several times, the scope for key management if none is given
    #[arg(long)]
    scope: Vec<String>,
    /// URI of the VAL user
    #[arg(long)]
    user: Option<String>,
    /// VAL service; may be given several times
    #[arg(long)]
    service: Vec<String>,
    /// Seconds that the token lives
    #[arg(long, default_value_t = 600)]
    ttl: u64,
    /// File for the token, readable for its owner alone; standard output if none is given
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the file if it exists
    #[arg(long, requires = "out")]
    force: bool,
}

pub(crate) fn run(arguments: &Arguments, config: &Path, out: &mut dyn Write) -> Result<(), Fault> {
    let Arguments { sub, client_id, scope, user, service, ttl, .. } = arguments;
    let auth = read_config(config)?.auth;
    let jwks = auth.jwks_file.as_ref().with_context(|| {
        format!("{}: tokens are issued for a trial alone, whose [auth] has a jwks_file", config.display())
    });
    let jwks = jwks.map_err(Fault::usage)?;
    let issuer = read_issuer(jwks).map_err(Fault::usage)?;
    if *ttl > auth.max_token_seconds {
        let limit = auth.max_token_seconds;
        return Err(Fault::usage(anyhow!("--ttl {ttl} is more than max_token_seconds of [auth], {limit}")));
    }
    let claims = Claims {
        subject: sub.clone().or_else(|| user.clone()).context("--sub is missing")?,
        client_id: client_id.clone(),
        scope: if scope.is_empty() { auth.scope_km.clone() } else { scope.join(" ") },
        user: user.clone(),
        services: service.clone(),
    };
    let now = Timestamp::now()?;
    let token = Zeroizing::new(issuer.token(&auth, &claims, now, *ttl)?);
    let keys = std::fs::read(jwks).with_context(|| format!("cannot read {}", jwks.display()))?;
    let keys = KeySet::from_json(&keys).with_context(|| jwks.display().to_string())?;
    Verifier::new(auth.token_settings())
        .verify(&token, &keys, None, now)
        .context("the server would refuse such a token")
        .map_err(Fault::usage)?;
    match &arguments.out {
        Some(path) => {
            write(path, Access::Owner, arguments.force, token.as_bytes())?;
            writeln!(out, "{}: token of {client_id}, for {ttl} s", path.display())?;
        }
        None => writeln!(out, "{}", &*token)?,
    }
    Ok(())
}

/// The private key beside the key set of a trial.
fn read_issuer(jwks: &Path) -> anyhow::Result<Issuer> {
    let path = jwks.with_file_name("issuer.key");
    let text = std::fs::read_to_string(&path).map(Zeroizing::new).with_context(|| {
        format!("{}: tokens are issued for a trial alone, which skms init --trial makes", path.display())
    })?;
    Issuer::from_jwk(&text).with_context(|| path.display().to_string())
}
