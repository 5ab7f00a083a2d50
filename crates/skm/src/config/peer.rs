//! `[[peer]]`: the servers of other domains with which certificates are exchanged (KM-E).

use std::path::PathBuf;

use mikey_sakke::identity::Uri;
use serde::Deserialize;

use super::{Config, read};
use crate::tls::San;

/// The server of another domain.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerDomain {
    /// The URI of the KMS of the domain.
    #[serde(deserialize_with = "read::uri")]
    pub kms_uri: Uri,
    /// The URI of its server, which signs under it.
    #[serde(deserialize_with = "read::uri")]
    pub skms_uri: Uri,
    /// The address of its KM-S: https, with a path before that of the route if there is one.
    pub server: String,
    /// The name in the certificate with which it asks this server.
    #[serde(deserialize_with = "read::san")]
    pub san: San,
    /// The roots of the certificate of its server in PEM; those of `tls.client_ca` unless given.
    pub roots: Option<PathBuf>,
    /// The certificate that this server shows to it, and those that lead from it to the root, in PEM; that of `[tls]`
    /// unless given.
    pub cert: Option<PathBuf>,
    /// Its private key in PEM.
    pub key: Option<PathBuf>,
}

/// The first thing that is wrong with the peers, and what.
pub(super) fn check(config: &Config) -> Option<(&'static str, &'static str)> {
    let Config { peer: peers, domain, tls, .. } = config;
    let is_own = |peer: &PeerDomain| peer.kms_uri == domain.kms_uri || peer.skms_uri == domain.skms_uri;
    let is_double = |(index, peer): (usize, &PeerDomain)| {
        peers[..index].iter().any(|other| other.kms_uri == peer.kms_uri || other.san == peer.san)
    };
    let rules = [
        (peers.iter().any(is_own), "kms_uri and skms_uri are those of another domain and its server"),
        (peers.iter().enumerate().any(is_double), "two have the same kms_uri or the same san"),
        (peers.iter().any(|peer| peer.cert.is_some() != peer.key.is_some()), "cert and key go together"),
        (tls.client_ca.is_none() && peers.iter().any(|peer| peer.roots.is_none()), "needs roots, or tls.client_ca"),
    ];
    rules.into_iter().find(|(is_wrong, _)| *is_wrong).map(|(_, what)| ("peer", what))
}
