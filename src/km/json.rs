//! JSON objects, read strictly and written without leaving copies of what is secret.

use core::fmt;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde_core::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::{BodyError, Identifier, MAX_TEXT_OCTETS};
use crate::identity::Uri;
use crate::time::Timestamp;

/// The members of an object by their names, each with its value as it stands in the body.
#[derive(Debug)]
pub(super) struct Object<'a>(BTreeMap<String, &'a str>);

struct Members;

impl<'a> Visitor<'a> for Members {
    type Value = Vec<(String, &'a RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(members)
    }
}

impl<'a> Object<'a> {
    /// Takes the one object that a body of at most `limit` octets is.
    pub(super) fn from_body(body: &'a [u8], limit: usize) -> Result<Self, BodyError> {
        if body.len() > limit {
            return Err(BodyError::TooLong);
        }
        Self::parse(core::str::from_utf8(body).map_err(|_| BodyError::Json)?)
    }

    pub(super) fn parse(text: &'a str) -> Result<Self, BodyError> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let members = deserializer.deserialize_map(Members).map_err(|_| BodyError::Json)?;
        deserializer.end().map_err(|_| BodyError::Json)?;
        let mut object = BTreeMap::new();
        for (name, value) in members {
            if object.insert(name, value.get()).is_some() {
                return Err(BodyError::Duplicate);
            }
        }
        Ok(Self(object))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn raw(&self, name: &'static str) -> Result<&'a str, BodyError> {
        self.0.get(name).copied().ok_or(BodyError::Missing(name))
    }

    /// What `read` makes of a member, if it is there.
    pub(super) fn optional<T, E>(
        &self,
        name: &'static str,
        read: impl FnOnce(&Self, &'static str) -> Result<T, E>,
    ) -> Result<Option<T>, E> {
        self.has(name).then(|| read(self, name)).transpose()
    }

    /// A string of any length.
    pub(super) fn string(&self, name: &'static str) -> Result<Zeroizing<String>, BodyError> {
        unescape(self.raw(name)?).ok_or(BodyError::Text(name))
    }

    /// A string of 1 to [`MAX_TEXT_OCTETS`] octets.
    pub(super) fn text(&self, name: &'static str) -> Result<Zeroizing<String>, BodyError> {
        check_length(self.string(name)?, name)
    }

    pub(super) fn identifier(&self, name: &'static str) -> Result<Identifier, BodyError> {
        Identifier::read(&self.string(name)?, name)
    }

    /// N octets in hexadecimal, upper or lower case.
    pub(super) fn octets<const N: usize>(&self, name: &'static str) -> Result<[u8; N], BodyError> {
        let text = self.text(name)?;
        if text.len() != 2 * N {
            return Err(BodyError::Length(name));
        }
        let mut octets = [0; N];
        base16ct::mixed::decode(text.as_bytes(), &mut octets).map_err(|_| BodyError::Text(name))?;
        Ok(octets)
    }

    pub(super) fn uri(&self, name: &'static str) -> Result<Uri, BodyError> {
        Uri::parse(&self.text(name)?).map_err(|_| BodyError::Uri(name))
    }

    /// An integer in decimal digits alone: what JSON allows besides, u64 does not, nor JSON a plus sign.
    pub(super) fn integer(&self, name: &'static str) -> Result<u64, BodyError> {
        self.raw(name)?.parse().map_err(|_| BodyError::Integer(name))
    }

    /// An instant in seconds since 1970-01-01T00:00:00Z.
    pub(super) fn timestamp(&self, name: &'static str) -> Result<Timestamp, BodyError> {
        Timestamp::from_unix(self.integer(name)?).map_err(|_| BodyError::Integer(name))
    }

    pub(super) fn boolean(&self, name: &'static str) -> Result<bool, BodyError> {
        match self.raw(name)? {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(BodyError::Boolean(name)),
        }
    }

    pub(super) fn object(&self, name: &'static str) -> Result<Object<'a>, BodyError> {
        Self::parse(self.raw(name)?)
    }

    fn array(&self, name: &'static str) -> Result<Vec<&'a RawValue>, BodyError> {
        serde_json::from_str(self.raw(name)?).map_err(|_| BodyError::Array(name))
    }

    /// Objects, `limit` of them at most.
    pub(super) fn objects(&self, name: &'static str, limit: usize) -> Result<Vec<Object<'a>>, BodyError> {
        let elements = self.array(name)?;
        if elements.len() > limit {
            return Err(BodyError::Array(name));
        }
        elements.into_iter().map(|element| Self::parse(element.get())).collect()
    }

    /// URIs, each once if given more often.
    pub(super) fn uris<C: FromIterator<Uri>>(&self, name: &'static str) -> Result<C, BodyError> {
        let uri = |element: &RawValue| {
            let text = check_length(unescape(element.get()).ok_or(BodyError::Text(name))?, name)?;
            Uri::parse(&text).map_err(|_| BodyError::Uri(name))
        };
        self.array(name)?.into_iter().map(uri).collect()
    }
}

fn check_length(text: Zeroizing<String>, name: &'static str) -> Result<Zeroizing<String>, BodyError> {
    if (1..=MAX_TEXT_OCTETS).contains(&text.len()) { Ok(text) } else { Err(BodyError::Length(name)) }
}

/// The text that a JSON string stands for; none if the value is no string, or escapes half a surrogate pair.
fn unescape(raw: &str) -> Option<Zeroizing<String>> {
    let mut rest = raw.strip_prefix('"')?.strip_suffix('"')?;
    // An escape is longer than what it stands for, so the text does not grow beyond this.
    let mut text = Zeroizing::new(String::with_capacity(rest.len()));
    while let Some((before, escape)) = rest.split_once('\\') {
        text.push_str(before);
        let (character, octets) = match escape.bytes().next()? {
            b'u' => escaped(escape)?,
            b'b' => ('\u{8}', 1),
            b'f' => ('\u{c}', 1),
            b'n' => ('\n', 1),
            b'r' => ('\r', 1),
            b't' => ('\t', 1),
            other @ (b'"' | b'\\' | b'/') => (other.into(), 1),
            _ => return None,
        };
        text.push(character);
        rest = escape.get(octets..)?;
    }
    text.push_str(rest);
    Some(text)
}

/// The character that `uXXXX` or `uXXXX\uXXXX` escapes, and the octets of that.
fn escaped(escape: &str) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = escape.get(at..at + 4).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        u16::from_str_radix(digits, 16).ok()
    };
    let first = unit(1)?;
    if let Some(character) = char::from_u32(first.into()) {
        return Some((character, 5));
    }
    if escape.get(5..7)? != "\\u" {
        return None;
    }
    let character = char::decode_utf16([first, unit(7)?]).next()?.ok()?;
    Some((character, 11))
}

/// An object that is being written.
pub(super) struct Writer(Zeroizing<String>);

impl Writer {
    /// The object that `write` writes.
    pub(super) fn object(write: impl FnOnce(&mut Self)) -> Zeroizing<String> {
        let mut writer = Self(Zeroizing::default());
        writer.braced(write);
        writer.0
    }

    pub(super) fn text(&mut self, name: &str, text: &str) {
        self.name(name);
        self.string(text);
    }

    pub(super) fn optional_text(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    pub(super) fn integer(&mut self, name: &str, value: u64) {
        self.name(name);
        self.push(&alloc::format!("{value}"));
    }

    pub(super) fn boolean(&mut self, name: &str, value: bool) {
        self.name(name);
        self.push(if value { "true" } else { "false" });
    }

    pub(super) fn texts<'a>(&mut self, name: &str, texts: impl IntoIterator<Item = &'a str>) {
        self.array(name, texts, |writer, text| writer.string(text));
    }

    pub(super) fn objects<T>(&mut self, name: &str, items: impl IntoIterator<Item = T>, write: impl Fn(&mut Self, T)) {
        self.array(name, items, |writer, item| writer.braced(|writer| write(writer, item)));
    }

    pub(super) fn member(&mut self, name: &str, write: impl FnOnce(&mut Self)) {
        self.name(name);
        self.braced(write);
    }

    fn array<T>(&mut self, name: &str, items: impl IntoIterator<Item = T>, write: impl Fn(&mut Self, T)) {
        self.name(name);
        self.push("[");
        for item in items {
            self.separate();
            write(self, item);
        }
        self.push("]");
    }

    fn braced(&mut self, write: impl FnOnce(&mut Self)) {
        self.push("{");
        write(self);
        self.push("}");
    }

    fn name(&mut self, name: &str) {
        self.separate();
        self.string(name);
        self.push(":");
    }

    /// A comma, unless an object or array has just begun.
    fn separate(&mut self) {
        if !self.0.ends_with(['{', '[']) {
            self.push(",");
        }
    }

    fn string(&mut self, text: &str) {
        let mut rest = text;
        self.push("\"");
        while let Some(at) = rest.find(|c: char| c.is_ascii_control() || c == '"' || c == '\\') {
            self.push(&rest[..at]);
            self.push(&alloc::format!("\\u{:04x}", rest.as_bytes()[at]));
            rest = &rest[at + 1..];
        }
        self.push(rest);
        self.push("\"");
    }

    /// Appends to the text. Where that has to move, what it leaves behind is wiped.
    fn push(&mut self, piece: &str) {
        let length = self.0.len() + piece.len();
        if length > self.0.capacity() {
            let mut grown = Zeroizing::new(String::with_capacity(length.max(2 * self.0.capacity())));
            grown.push_str(&self.0);
            self.0 = grown;
        }
        self.0.push_str(piece);
    }
}
