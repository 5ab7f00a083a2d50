//! Media types: what a body is declared to be, and what a client accepts (RFC 9110, sections 8.3 and 12.5.1).

use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderName};

/// The media type of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Media {
    Json,
    Xml,
}

impl Media {
    /// The value of Content-Type.
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Xml => "application/xml",
        }
    }

    /// Whether this is its name, or its alias text/xml (RFC 7303, section 9.2).
    fn is(self, name: &str) -> bool {
        let is_alias = self == Self::Xml && name.eq_ignore_ascii_case("text/xml");
        is_alias || name.eq_ignore_ascii_case(self.content_type())
    }

    /// Whether a body is declared to be of this type: in UTF-8 if a charset is named, and not under another coding.
    pub(super) fn is_declared(self, headers: &HeaderMap) -> bool {
        let Some(value) = only(headers, &CONTENT_TYPE) else { return false };
        let mut parts = value.split(';').map(str::trim);
        let is_type = parts.next().is_some_and(|name| self.is(name));
        let parameters: Vec<&str> = parts.filter(|parameter| !parameter.is_empty()).collect();
        let is_utf8 = match parameters[..] {
            [] => true,
            [parameter] => is_charset_utf8(parameter),
            _ => false,
        };
        is_type && is_utf8 && !headers.contains_key(CONTENT_ENCODING)
    }

    /// Whether a client accepts an answer of this type.
    pub(super) fn is_accepted(self, headers: &HeaderMap) -> bool {
        if !headers.contains_key(ACCEPT) {
            return true;
        }
        let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        // The range that fits best decides, whatever its place: itself, then its type, then all.
        let best = values.flat_map(|value| value.split(',')).filter_map(|range| self.fit(range)).max();
        best.is_some_and(|(_, is_wanted)| is_wanted)
    }

    /// How well a range fits, if it does, and whether it is wanted.
    fn fit(self, range: &str) -> Option<(u8, bool)> {
        let mut parts = range.split(';').map(str::trim);
        let fit = match parts.next()? {
            "*/*" => 0,
            name if name.eq_ignore_ascii_case("application/*") => 1,
            name if self.is(name) => 2,
            _ => return None,
        };
        let weight = parts.find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim().eq_ignore_ascii_case("q").then(|| value.trim().to_owned())
        });
        let is_wanted = weight.is_none_or(|weight| weight.parse().is_ok_and(|weight: f32| weight > 0.0));
        Some((fit, is_wanted))
    }
}

/// The value of a header field that stands once.
pub(super) fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() { None } else { value.to_str().ok() }
}

fn is_charset_utf8(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else { return false };
    let unquoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    name.eq_ignore_ascii_case("charset") && unquoted.unwrap_or(value).eq_ignore_ascii_case("utf-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn declared() {
        let is_json = |values: &[&'static str]| Media::Json.is_declared(&headers(CONTENT_TYPE, values));
        for value in [
            "application/json",
            "Application/JSON",
            "application/json;charset=utf-8",
            "application/json ; Charset=\"UTF-8\"",
            "application/json;",
        ] {
            assert!(is_json(&[value]), "{value}");
        }
        for value in [
            "",
            "json",
            "text/json",
            "application/json5",
            "application/problem+json",
            "application/xml",
            "application/x-www-form-urlencoded",
            "application/json, application/json",
            "application/json; charset=utf-16",
            "application/json; charset",
            "application/json; charset=\"utf-8",
            "application/json; charset=utf-8; charset=utf-16",
            "application/json; profile=x",
            "application/json\u{a0}",
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, value.as_bytes().try_into().unwrap())]);
            assert!(!Media::Json.is_declared(&headers), "{value}");
        }
        assert!(!is_json(&[]));
        assert!(!is_json(&["application/json", "application/json"]));
    }

    #[test]
    fn a_body_under_a_coding_is_none() {
        let mut coded = headers(CONTENT_TYPE, &["application/json"]);
        coded.insert(CONTENT_ENCODING, "gzip".parse().unwrap());
        assert!(!Media::Json.is_declared(&coded));
    }

    #[test]
    fn xml_has_two_names() {
        let is_xml = |value| Media::Xml.is_declared(&headers(CONTENT_TYPE, &[value]));
        assert!(is_xml("application/xml") && is_xml("text/xml; charset=UTF-8"));
        assert!(!is_xml("application/json") && !is_xml("text/html"));
    }

    #[test]
    fn accepted() {
        let accepts = |values: &[&'static str]| Media::Json.is_accepted(&headers(ACCEPT, values));
        assert!(accepts(&[]));
        for value in [
            "*/*",
            "application/*",
            "application/json",
            "text/html, application/JSON;q=0.5",
            "application/json;q=0.001",
            "text/*;q=0, */*;q=0.1",
            "application/*;q=0, application/json",
        ] {
            assert!(accepts(&[value]), "{value}");
        }
        for value in [
            "",
            "json",
            "text/html",
            "application/xml",
            "application/problem+json",
            "application/json;q=0",
            "application/json;q=0.000, */*",
            "application/json;q=x",
            "application/*;q=0, */*",
            "text/*",
        ] {
            assert!(!accepts(&[value]), "{value}");
        }
        assert!(accepts(&["text/html", "application/json"]), "two fields are one list");
        assert!(Media::Xml.is_accepted(&headers(ACCEPT, &["text/xml"])));
    }
}
