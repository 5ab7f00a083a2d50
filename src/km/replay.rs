//! How a server knows a request again.

use core::time::Duration;

use sha2::{Digest, Sha256};

use super::Request;

/// The access token that came with a request, by what identifies it.
#[derive(Clone, Copy, Debug)]
pub struct Token<'a> {
    /// `iss`: who issued it.
    pub issuer: &'a str,
    /// `sub`: whom it speaks for.
    pub subject: &'a str,
    /// `client_id`: who presents it.
    pub client: &'a str,
    /// SHA-256 of the token as it was presented.
    pub hash: &'a [u8; 32],
}

/// The key under which a server remembers a request: two requests have the same one if they are the same, sent with
/// the same token.
///
/// SHA-256 over a label, issuer, subject, client, hash of the token, SKmsUri, ServiceID, kind and value of the
/// identifier, and Date/Time in 8 octets, big-endian; before each stands its length, also in 8 octets, big-endian.
pub fn replay_key(token: &Token<'_>, request: &Request) -> [u8; 32] {
    let date_time = request.date_time().to_unix().to_be_bytes();
    let parts: [&[u8]; 10] = [
        b"SEAL KM replay",
        token.issuer.as_bytes(),
        token.subject.as_bytes(),
        token.client.as_bytes(),
        token.hash,
        request.skms_uri().as_str().as_bytes(),
        request.service_id().as_str().as_bytes(),
        request.subject().kind().as_str().as_bytes(),
        request.subject().value().as_bytes(),
        &date_time,
    ];
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// How long a server remembers a request that it accepted: twice the window, and the second that whole seconds leave
/// open, so that it is forgotten only once it would be refused as stale.
pub const fn replay_retention(window: Duration) -> Duration {
    window.saturating_mul(2).saturating_add(Duration::from_secs(1))
}
