//! The files of a trial.

use std::fmt;
use std::path::{Path, PathBuf};

use mikey_sakke::time::Timestamp;
use zeroize::Zeroizing;

use super::{Authority, Issuer, TrialError};
use crate::seal::{KEY_OCTETS, random};

/// A file to be written.
pub struct TrialFile {
    /// Its name in the directory of the trial.
    pub name: &'static str,
    /// What it holds, for people.
    pub what: &'static str,
    /// Whether its owner alone may read it.
    pub is_secret: bool,
    /// The text.
    pub text: Zeroizing<String>,
}

impl fmt::Debug for TrialFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrialFile({})", self.name)
    }
}

/// The clients that have certificates: file of the certificate, file of its key, what they are, and the URI in the
/// certificate, which the policy of the configuration names.
const CLIENTS: [(&str, &str, &str, &str); 3] = [
    ("val-server.pem", "val-server.key", "certificate of a VAL server", "https://val.example.org"),
    ("provisioner.pem", "provisioner.key", "certificate of a provisioner", "https://provisioner.example.org"),
    ("group-manager.pem", "group-manager.key", "certificate of a group manager", "https://groups.example.org"),
];

/// The files of a trial in this directory, the configuration first. Its paths are absolute if `directory` is.
///
/// # Errors
///
/// [`TrialError`].
pub fn files(directory: &Path, now: Timestamp) -> Result<Vec<TrialFile>, TrialError> {
    let public = |name, what, text: String| TrialFile { name, what, is_secret: false, text: Zeroizing::new(text) };
    let secret = |name, what, text| TrialFile { name, what, is_secret: true, text };
    let authority = Authority::new(now)?;
    let server = authority.server()?;
    let issuer = Issuer::generate()?;
    let seal_key = Zeroizing::new(random::<KEY_OCTETS>()?);
    let mut files = vec![
        public("skms.toml", "configuration", configuration(directory)?),
        secret("seal.key", "key that seals the store", Zeroizing::new(format!("{}\n", &*hex_of(&*seal_key)))),
        public("ca.pem", "certificate of the authority, to be trusted by clients", authority.certificate()),
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

fn hex_of(octets: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(hex::encode(octets))
}

/// The configuration of a trial.
fn configuration(directory: &Path) -> Result<String, TrialError> {
    let path = |name: &str| quoted(directory.join(name));
    Ok(format!(
        include_str!("skms.toml"),
        cert = path("server.pem")?,
        key = path("server.key")?,
        client_ca = path("ca.pem")?,
        jwks = path("jwks.json")?,
        store = quoted(PathBuf::from(format!("sqlite:{}", text(&directory.join("skms.db"))?)))?,
        seal = path("seal.key")?,
    ))
}

/// A path as a text of TOML.
fn quoted(path: PathBuf) -> Result<String, TrialError> {
    Ok(toml::Value::from(text(&path)?).to_string())
}

fn text(path: &Path) -> Result<&str, TrialError> {
    let is_plain = |text: &&str| !text.contains(|letter: char| letter.is_control() || "?#".contains(letter));
    path.to_str().filter(is_plain).ok_or_else(|| TrialError::Path(path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::policy::Role;

    #[test]
    fn the_configuration_is_accepted_and_its_policy_matches_the_certificates() {
        let now = Timestamp::from_unix(1_795_000_000).unwrap();
        let files = files(Path::new("/a \"quoted\"\\ place"), now).unwrap();
        let config = Config::read(&files[0].text, []).unwrap();
        assert_eq!(config.tls.cert, Path::new("/a \"quoted\"\\ place/server.pem"));
        assert_eq!(config.store.url, "sqlite:/a \"quoted\"\\ place/skms.db");
        let rows: Vec<_> = config.policy.iter().map(|row| (row.san.as_str(), &row.roles[..])).collect();
        assert_eq!(rows, [
            (CLIENTS[0].3, &[Role::ValServer][..]),
            (CLIENTS[1].3, &[Role::Provisioner][..]),
            (CLIENTS[2].3, &[Role::GroupManager][..]),
        ]);
        let secrets: Vec<_> = files.iter().filter(|file| file.is_secret).map(|file| file.name).collect();
        let keys = ["seal.key", "server.key", "issuer.key", "val-server.key", "provisioner.key", "group-manager.key"];
        assert_eq!(secrets, keys);
        for file in files.iter().filter(|file| !file.is_secret) {
            assert!(!file.text.contains("PRIVATE") && !file.text.contains("\"d\""), "{}", file.name);
        }
    }

    #[test]
    fn a_directory_that_no_configuration_can_name_is_refused() {
        let now = Timestamp::from_unix(1_795_000_000).unwrap();
        for directory in ["/a?b", "/a#b", "/a\nb"] {
            assert!(matches!(files(Path::new(directory), now), Err(TrialError::Path(_))), "{directory:?}");
        }
    }
}
