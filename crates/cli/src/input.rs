//! Messages as people have them: in a file, or pasted.

use std::fs;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mikey_sakke::identity::Uri;

/// The most octets that are read: far more than any message has.
const LIMIT: u64 = 1 << 20;

/// The octets of a message given as the name of a file, as `-` for standard input, or as text.
pub(crate) fn message(argument: &str) -> anyhow::Result<Vec<u8>> {
    let source: Box<dyn Read> = match argument {
        "-" => Box::new(std::io::stdin()),
        path => match fs::File::open(path) {
            Ok(file) => Box::new(file),
            Err(_) => match from_text(argument) {
                Some(octets) => return Ok(octets),
                None => bail!(
                    "{argument:?} is neither a file that can be read, nor hexadecimal, base64 or an SDP key-mgmt attribute"
                ),
            },
        },
    };
    let mut octets = Vec::new();
    source.take(LIMIT + 1).read_to_end(&mut octets).with_context(|| format!("cannot read {argument}"))?;
    if octets.len() as u64 > LIMIT {
        bail!("{argument} is larger than a message can be");
    }
    let text = std::str::from_utf8(&octets).ok().and_then(from_text);
    Ok(text.unwrap_or(octets))
}

/// The URIs in a file, one on each line; empty lines do not count.
pub(crate) fn uris(path: &Path) -> anyhow::Result<Vec<Uri>> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
    let uri = |(line, number): (&str, u32)| {
        Uri::parse(line.trim()).with_context(|| format!("{}, line {number}", path.display()))
    };
    lines.map(uri).collect()
}

/// Hexadecimal, with or without separators; base64; or base64 behind `mikey`, as in the key-mgmt attribute of SDP
/// (RFC 4567).
fn from_text(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    let text = text.strip_prefix("a=").unwrap_or(text);
    let text = text.strip_prefix("key-mgmt:").unwrap_or(text).trim_start();
    let attribute = text.strip_prefix("mikey ");
    let compact: String = attribute.unwrap_or(text).split_whitespace().collect();
    let digits = compact.replace(':', "");
    let octets = match attribute {
        None => hex::decode(digits).ok().or_else(|| STANDARD.decode(&compact).ok()),
        Some(_) => STANDARD.decode(&compact).ok(),
    };
    octets.filter(|octets| !octets.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_recognised() {
        let octets = Some(vec![1, 26, 5, 1]);
        for text in [
            "011a0501",
            "01 1A 05 01\n",
            "01:1a:05:01",
            "ARoFAQ==",
            "mikey ARoFAQ==",
            "key-mgmt:mikey ARoFAQ==",
            "a=key-mgmt:mikey ARoFAQ==\r\n",
        ] {
            assert_eq!(from_text(text), octets, "{text}");
        }
        for text in ["", "mikey ", "011a050", "ARoFAQ=", "mikey 011a0501!", "räv"] {
            assert_eq!(from_text(text), None, "{text}");
        }
    }
}
