//! The files that a server begins with.

use std::path::Path;

use anyhow::anyhow;
use mikey_sakke::time::Timestamp;
use skm::seal::KEY_OCTETS;
use skm::trial::{Authority, Issuer};
use zeroize::Zeroizing;

use crate::fault::Fault;

/// A file to be written.
pub(super) struct NewFile {
    pub(super) name: &'static str,
    /// What it holds, for people.
    pub(super) what: &'static str,
    /// Whether its owner alone may read it.
    pub(super) is_secret: bool,
    pub(super) text: Zeroizing<String>,
}

/// The clients of a trial: certificate, its key, what they are, and the URI in the certificate, by which the policy of
/// the configuration knows them.
const CLIENTS: [(&str, &str, &str, &str); 3] = [
    ("val-server.pem", "val-server.key", "certificate of a VAL server", "https://val.example.org"),
    ("provisioner.pem", "provisioner.key", "certificate of a provisioner", "https://provisioner.example.org"),
    ("group-manager.pem", "group-manager.key", "certificate of a group manager", "https://groups.example.org"),
];

fn public(name: &'static str, what: &'static str, text: String) -> NewFile {
    NewFile { name, what, is_secret: false, text: Zeroizing::new(text) }
}

fn secret(name: &'static str, what: &'static str, text: Zeroizing<String>) -> NewFile {
    NewFile { name, what, is_secret: true, text }
}

/// What an operator goes on from: a configuration to be filled in, which is the first of the files.
pub(super) fn template(directory: &Path) -> Result<Vec<NewFile>, Fault> {
    let text = configuration(directory, include_str!("template.toml"))?;
    Ok(vec![public("skms.toml", "configuration", text), seal_key()?])
}

/// All that a trial needs, its configuration first.
pub(super) fn trial(directory: &Path, now: Timestamp) -> Result<Vec<NewFile>, Fault> {
    let authority = Authority::new(now)?;
    let server = authority.server()?;
    let issuer = Issuer::generate()?;
    let mut files = vec![
        public("skms.toml", "configuration", configuration(directory, include_str!("trial.toml"))?),
        seal_key()?,
        public("ca.pem", "certificate of the authority, for clients to trust", authority.certificate()),
        public("server.pem", "certificate of the server", server.certificate),
        secret("server.key", "its private key", server.key),
        public("jwks.json", "public key of the token issuer", issuer.jwks()),
        secret("issuer.key", "its private key", issuer.to_jwk()),
    ];
    for (certificate, key, what, uri) in CLIENTS {
        let client = authority.client(uri)?;
        files.push(public(certificate, what, client.certificate));
        files.push(secret(key, "its private key", client.key));
    }
    Ok(files)
}

fn seal_key() -> Result<NewFile, Fault> {
    let mut key = Zeroizing::new([0; KEY_OCTETS]);
    getrandom::fill(key.as_mut_slice()).map_err(|_| anyhow!("the random source failed"))?;
    let mut text = Zeroizing::new(String::with_capacity(2 * KEY_OCTETS + 1));
    text.push_str(&Zeroizing::new(hex::encode(key.as_slice())));
    text.push('\n');
    Ok(secret("seal.key", "key that seals the store", text))
}

/// A configuration whose `{NAME}` are paths in the directory, so that it can be read from anywhere.
fn configuration(directory: &Path, text: &str) -> Result<String, Fault> {
    let path =
        directory.to_str().filter(|path| !path.contains(|letter: char| letter.is_control() || "?#".contains(letter)));
    let path = path.ok_or_else(|| {
        Fault::usage(anyhow!("{}: a path in the configuration is UTF-8, without ? and #", directory.display()))
    })?;
    let mut parts = text.split('{');
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').unwrap_or((part, ""));
        // The store is a URL with a path.
        let (scheme, name) = name.split_once(':').map_or(("", name), |(_, name)| ("sqlite:", name));
        filled.push_str(&toml::Value::from(format!("{scheme}{path}/{name}")).to_string());
        filled.push_str(rest);
    }
    Ok(filled)
}
