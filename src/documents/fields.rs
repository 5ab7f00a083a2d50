//! From elements to values: which elements and attributes one has, in their order, and what their text says.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Tolerances;
use super::date_time;
use super::error::{DocumentError, DocumentErrorKind as Kind};
use super::tree::{Element, Space, is_space};
use crate::identity::{Uid, Uri};
use crate::secret::{Reach, Secret, on_clean_stack};
use crate::time::Timestamp;

/// The elements in an element, taken one after the other.
pub(super) struct Fields<'a, 'x> {
    parent: &'a Element<'x>,
    tolerances: Tolerances,
    taken: Vec<bool>,
}

impl<'a, 'x> Fields<'a, 'x> {
    /// `attributes` are those that may stand without prefix, besides Id.
    pub(super) fn of(
        parent: &'a Element<'x>,
        attributes: &[&str],
        tolerances: Tolerances,
    ) -> Result<Self, DocumentError> {
        check_attributes(parent, attributes)?;
        if !parent.text().is_empty() {
            return Err(parent.text_error(Kind::Text));
        }
        Ok(Self { parent, tolerances, taken: vec![false; parent.children.len()] })
    }

    /// The next element, if it is the one named.
    pub(super) fn optional(&mut self, name: &'static str) -> Option<&'a Element<'x>> {
        self.in_space(Space::Interface, name)
    }

    pub(super) fn in_space(&mut self, space: Space, name: &'static str) -> Option<&'a Element<'x>> {
        let rest = || self.parent.children.iter().zip(&self.taken).enumerate().filter(|(_, (_, taken))| !**taken);
        let is_named = |child: &Element<'_>| child.space == space && child.name == name;
        let found = if self.tolerances.element_order {
            rest().find(|(_, (child, _))| is_named(child))
        } else {
            rest().next().filter(|(_, (child, _))| is_named(child))
        };
        let (index, (child, _)) = found?;
        self.taken[index] = true;
        Some(child)
    }

    /// The next element, which must be the one named.
    pub(super) fn required(&mut self, name: &'static str) -> Result<&'a Element<'x>, DocumentError> {
        self.required_in(Space::Interface, name)
    }

    pub(super) fn required_in(&mut self, space: Space, name: &'static str) -> Result<&'a Element<'x>, DocumentError> {
        if let Some(child) = self.in_space(space, name) {
            return Ok(child);
        }
        if !self.parent.children.iter().any(|child| child.space == space && child.name == name) {
            return Err(self.parent.error(Kind::Missing(name)));
        }
        Err(match self.left() {
            Some(child) if self.is_taken(child) => child.error(Kind::Duplicate),
            Some(child) => child.error(Kind::Order(name)),
            None => self.parent.error(Kind::Duplicate),
        })
    }

    /// All of the name that follow.
    pub(super) fn all(&mut self, name: &'static str) -> impl Iterator<Item = &'a Element<'x>> {
        core::iter::from_fn(move || self.optional(name))
    }

    /// The value of an optional element, read by `read`.
    pub(super) fn value<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&Element<'_>) -> Result<T, DocumentError>,
    ) -> Result<Option<T>, DocumentError> {
        self.optional(name).map(read).transpose()
    }

    /// Nothing else may stand in the element.
    pub(super) fn finish(self) -> Result<(), DocumentError> {
        match self.left() {
            Some(child) if self.is_taken(child) => Err(child.error(Kind::Duplicate)),
            Some(child) => Err(child.error(Kind::Unexpected)),
            None => Ok(()),
        }
    }

    /// The first element that is not taken.
    fn left(&self) -> Option<&'a Element<'x>> {
        self.taken.iter().position(|taken| !taken).map(|index| &self.parent.children[index])
    }

    /// Whether one of the same name is taken.
    fn is_taken(&self, child: &Element<'_>) -> bool {
        let same = |other: &Element<'_>| other.space == child.space && other.name == child.name;
        self.parent.children.iter().zip(&self.taken).any(|(other, taken)| *taken && same(other))
    }
}

fn check_attributes(element: &Element<'_>, allowed: &[&str]) -> Result<(), DocumentError> {
    for attribute in &element.attributes {
        let name = &*attribute.name;
        let is_allowed = match attribute.space {
            Space::None => name == "Id" || allowed.contains(&name),
            // An element that declares itself nil has no value, whatever stands in it.
            _ => name != "nil",
        };
        if !is_allowed {
            return Err(element.error(Kind::Attribute));
        }
    }
    Ok(())
}

/// The value of an attribute without prefix.
pub(super) fn attribute<'a>(element: &'a Element<'_>, name: &str) -> Option<&'a str> {
    let found = element.attributes.iter().find(|found| found.space == Space::None && &*found.name == name)?;
    Some(found.value.trim_matches(is_space))
}

/// The type that an element declares by xsi:type, without its prefix.
pub(super) fn declared_type<'a>(element: &'a Element<'_>) -> Option<&'a str> {
    let is_type = |space, name: &str| space == Space::Instance && name == "type";
    let found = element.attributes.iter().find(|attribute| is_type(attribute.space, &attribute.name))?;
    let name = found.value.trim_matches(is_space);
    Some(name.split_once(':').map_or(name, |(_, local)| local))
}

/// The Version is 1.x.y where there is one.
pub(super) fn check_version(element: &Element<'_>) -> Result<(), DocumentError> {
    let Some(version) = attribute(element, "Version") else { return Ok(()) };
    let mut parts = version.split('.');
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|digit| digit.is_ascii_digit());
    let is_known = parts.next() == Some("1") && parts.by_ref().take(2).filter(|part| is_number(part)).count() == 2;
    if is_known && parts.next().is_none() { Ok(()) } else { Err(element.error(Kind::Attribute)) }
}

/// The text of an element that has neither elements nor attributes of its own, white space at both ends removed.
fn trimmed<'a>(element: &'a Element<'_>) -> Result<&'a str, DocumentError> {
    check_attributes(element, &[])?;
    if let Some(child) = element.children.first() {
        return Err(child.error(Kind::Unexpected));
    }
    match element.text().trim_matches(is_space) {
        "" => Err(element.text_error(Kind::Value("there"))),
        text => Ok(text),
    }
}

/// The text of an element, with each run of white space as one space.
pub(super) fn text<'a>(element: &'a Element<'_>) -> Result<Cow<'a, str>, DocumentError> {
    let text = trimmed(element)?;
    let is_collapsed = !text.contains(['\t', '\r', '\n']) && !text.contains("  ");
    Ok(if is_collapsed {
        text.into()
    } else {
        text.split(is_space).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ").into()
    })
}

pub(super) fn string(element: &Element<'_>) -> Result<String, DocumentError> {
    Ok(text(element)?.into_owned())
}

pub(super) fn uri(element: &Element<'_>) -> Result<Uri, DocumentError> {
    Uri::parse(&text(element)?).map_err(|error| element.text_error(error.into()))
}

pub(super) fn timestamp(element: &Element<'_>) -> Result<Timestamp, DocumentError> {
    date_time::parse(&text(element)?).ok_or_else(|| element.text_error(Kind::Value("a date and time")))
}

/// A number in decimal digits.
pub(super) fn number(element: &Element<'_>) -> Result<u64, DocumentError> {
    parse_number(&text(element)?).ok_or_else(|| element.text_error(Kind::Value("a number")))
}

pub(super) fn parse_number(text: &str) -> Option<u64> {
    text.bytes().all(|digit| digit.is_ascii_digit()).then(|| text.parse().ok())?
}

/// A number in decimal digits with an optional sign.
pub(super) fn integer(element: &Element<'_>) -> Result<i64, DocumentError> {
    text(element)?.parse().map_err(|_| element.text_error(Kind::Value("an integer")))
}

pub(super) fn boolean(element: &Element<'_>) -> Result<bool, DocumentError> {
    parse_boolean(&text(element)?).ok_or_else(|| element.text_error(Kind::Value("true or false")))
}

pub(super) fn parse_boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// Octets in hexadecimal, upper or lower case. What they are is not learned from the time this takes.
pub(super) fn hex<const N: usize>(element: &Element<'_>) -> Result<Secret<[u8; N]>, DocumentError> {
    let text = trimmed(element)?;
    if text.len() % 2 == 1 {
        return Err(element.text_error(Kind::Value("hexadecimal")));
    }
    if text.len() != 2 * N {
        return Err(element.text_error(Kind::Length(N)));
    }
    let mut octets = Secret::new([0; N]);
    let decoded = on_clean_stack(Reach::Octets, || base16ct::mixed::decode(text, octets.expose_mut()).is_ok());
    if decoded { Ok(octets) } else { Err(element.text_error(Kind::Value("hexadecimal"))) }
}

/// Octets in base64, with white space anywhere.
pub(super) fn base64(element: &Element<'_>) -> Result<Box<[u8]>, DocumentError> {
    let text: String = trimmed(element)?.chars().filter(|c| !is_space(*c)).collect();
    let octets = STANDARD.decode(text).map_err(|_| element.text_error(Kind::Value("base64")))?;
    Ok(octets.into())
}

/// The 32 octets of a hashed UID: in hexadecimal, or in base64 as some have read the standard.
pub(super) fn uid(element: &Element<'_>) -> Result<Uid, DocumentError> {
    const OCTETS: usize = super::UID_OCTETS;
    let text = trimmed(element)?;
    let from = |octets: &[u8]| Uid::from_octets(octets).map_err(|error| element.text_error(error.into()));
    if text.len() == OCTETS.div_ceil(3) * 4 && text.ends_with('=') {
        let octets = base64(element)?;
        return if octets.len() == OCTETS { from(&octets) } else { Err(element.text_error(Kind::Length(OCTETS))) };
    }
    from(hex::<OCTETS>(element)?.expose())
}
