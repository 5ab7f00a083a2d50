//! The search for secrets where none should be.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};

/// The spellings by which part of a secret is found: as it is, in hexadecimal, and in base64 at every alignment.
pub(crate) fn spellings(secret: &[u8]) -> Vec<Vec<u8>> {
    let base64 = (0..3).flat_map(|phase| {
        let part = &secret[phase..phase + 15];
        [BASE64_STANDARD.encode(part), BASE64_URL_SAFE_NO_PAD.encode(part)]
    });
    let texts = base64.chain([hex::encode(&secret[..16]), hex::encode_upper(&secret[..16])]);
    texts.map(String::into_bytes).chain([secret[..16].to_vec()]).collect()
}

pub(crate) fn contains(octets: &[u8], part: &[u8]) -> bool {
    octets.windows(part.len()).any(|window| window == part)
}
