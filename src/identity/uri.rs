//! URIs in their one spelling.

use alloc::boxed::Box;
use core::fmt;

use unicode_normalization::is_nfkc;

use crate::error::UsageError;

/// The URI of a user or a key management server, in its canonical spelling.
///
/// Keys are bound to the octets of a URI, so a second spelling would be a second identity. A URI in any other
/// spelling is refused, never repaired. The canonical one is UTF-8 in Unicode's form NFKC, 1 to 65,535 octets, without
/// white space or control characters; scheme and host are in lower case; there is no port, no parameter, no header,
/// no query and no fragment; percent-escapes have upper-case digits and escape no unreserved character. A `tel` URI
/// is a global number without separators: `tel:+` and digits (RFC 6509, section 3.2). The scheme may be missing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uri(Box<str>);

impl Uri {
    /// Takes a URI in canonical spelling.
    ///
    /// # Errors
    ///
    /// [`UsageError::Uri`] for any other spelling.
    pub fn parse(text: &str) -> Result<Self, UsageError> {
        if is_canonical(text) { Ok(Self(text.into())) } else { Err(UsageError::Uri) }
    }

    /// The URI.
    pub const fn as_str(&self) -> &str {
        &self.0
    }

    /// The scheme, where there is one.
    pub fn scheme(&self) -> Option<&str> {
        split_scheme(&self.0).0
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::str::FromStr for Uri {
    type Err = UsageError;

    fn from_str(text: &str) -> Result<Self, UsageError> {
        Self::parse(text)
    }
}

fn is_canonical(text: &str) -> bool {
    let (scheme, rest) = split_scheme(text);
    let rest_is_canonical = match scheme {
        Some("tel") => is_global_number(rest),
        Some("urn") => !rest.is_empty(),
        _ => is_canonical_host(host(rest)),
    };
    (1..=0xFFFF).contains(&text.len())
        && !text.chars().any(|c| c.is_whitespace() || c.is_control() || ";?#".contains(c))
        && !scheme.is_some_and(has_upper_case)
        && rest_is_canonical
        && has_canonical_escapes(text)
        && is_nfkc(text)
}

/// The scheme, if what stands before the first colon can be one, and the rest.
fn split_scheme(text: &str) -> (Option<&str>, &str) {
    match text.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme), rest),
        _ => (None, text),
    }
}

/// RFC 3986, section 3.1. A dot could stand in a scheme too; here it tells `kms.example.org:443` from one.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '+' || c == '-')
}

fn is_global_number(rest: &str) -> bool {
    rest.strip_prefix('+')
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit()))
}

/// The host: behind `//` or the user part, up to the path.
fn host(rest: &str) -> &str {
    let authority = rest.strip_prefix("//").unwrap_or(rest);
    let authority = authority.split_once('/').map_or(authority, |(authority, _)| authority);
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

/// A name or address in lower case, an IPv6 address in brackets, and no port behind it.
fn is_canonical_host(host: &str) -> bool {
    let name = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    !host.is_empty() && !has_upper_case(host) && (name.is_some() || !host.contains(':'))
}

fn has_upper_case(text: &str) -> bool {
    text.chars().any(char::is_uppercase)
}

/// Every `%` is followed by two upper-case hexadecimal digits, for a character that has to be escaped.
fn has_canonical_escapes(text: &str) -> bool {
    text.split('%').skip(1).all(|escape| {
        let digits = escape.get(..2).filter(|digits| digits.bytes().all(|c| matches!(c, b'0'..=b'9' | b'A'..=b'F')));
        let escaped = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        escaped.is_some_and(|c| !c.is_ascii_alphanumeric() && !b"-._~".contains(&c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_spellings_are_taken() {
        for uri in [
            "tel:+447700900123",
            "sip:user@example.org",
            "sip:User.Name@example.org",
            "sip:example.org",
            "sip:user@[2001:db8::1]",
            "kms.example.org",
            "gms@example.org",
            "https://kms.example.org/identity",
            "sip:r%C3%BCdiger@example.org",
            "sip:rüdiger@example.org",
            "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
        ] {
            assert_eq!(Uri::parse(uri).map(|uri| uri.to_string()).as_deref(), Ok(uri));
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        for uri in [
            "",
            "SIP:user@example.org",
            "sip:user@Example.org",
            "sip:user@example.org:5060",
            "sip:user@[2001:db8::1]:5060",
            "sip:user@[2001:DB8::1]",
            "sip:user@example.org;transport=tcp",
            "sip:user@example.org?subject=x",
            "sip:user@example.org#x",
            "sip:user@",
            "sip:",
            "sip:us er@example.org",
            "sip:user@example.org\0",
            "sip:%75ser@example.org",
            "sip:r%c3%bcdiger@example.org",
            "sip:100%@example.org",
            "sip:100%4",
            "sip:ru\u{308}diger@example.org", // u and a combining diaeresis
            "sip:user@ｅxample.org",          // a full-width e
            "Kms.example.org",
            "kms.example.org:443",
            "https://kms.example.org:443/",
            "tel:447700900123",
            "tel:+44-7700-900123",
            "tel:+44;ext=1",
            "tel:+",
            "TEL:+447700900123",
        ] {
            assert_eq!(Uri::parse(uri), Err(UsageError::Uri), "{uri}");
        }
    }

    #[test]
    fn a_uri_fits_its_length_field() {
        let longest = "a".repeat(65_535);
        assert!(Uri::parse(&longest).is_ok());
        assert_eq!(Uri::parse(&(longest + "a")), Err(UsageError::Uri));
    }
}
