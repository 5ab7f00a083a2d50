//! Identifiers: monthly (RFC 6509, section 3.2) and hashed (TS 33.180, F.2.1).

use num_bigint::BigUint;

use super::sha256;

/// `YYYY-MM`, NUL, the URI, NUL.
pub(crate) fn monthly(month: &str, uri: &str) -> Vec<u8> {
    format!("{month}\0{uri}\0").into_bytes()
}

/// The UID of a user in one key period, whose length and offset are in seconds.
///
/// None where a URI is longer than its length field can say.
pub(crate) fn hashed(user_uri: &[u8], kms_uri: &[u8], period: u64, offset: u64, number: u64) -> Option<[u8; 32]> {
    // No leading zero octets; zero itself is one octet.
    let minimal = |value: u64| BigUint::from(value).to_bytes_be();
    let parameters: [&[u8]; 6] =
        [b"MIKEY-SAKKE-UID", user_uri, kms_uri, &minimal(period), &minimal(offset), &minimal(number)];
    let mut s = vec![0x00];
    for parameter in parameters {
        s.extend(parameter);
        s.extend(u16::try_from(parameter.len()).ok()?.to_be_bytes());
    }
    Some(sha256(&[&s]))
}
