//! From octets to elements: the part of XML 1.0 that the documents need, within limits.
//!
//! There is no DTD, so that no entity can be declared, and nothing outside the octets is ever fetched. Elements of a
//! namespace that is unknown are an extension (TS 33.180, D.1) and left out with all that is in them.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};
use quick_xml::reader::NsReader;

use super::buffer::Buffer;
use super::error::{DocumentError, DocumentErrorKind as Kind};
use super::{ENCRYPTION, INSTANCE, INTERFACE, SIGNATURE};

/// The octets that a document may have.
pub const MAX_OCTETS: usize = 1 << 20;

/// The elements that may contain each other.
const MAX_DEPTH: usize = 16;

/// The elements of a document.
const MAX_ELEMENTS: usize = 1 << 14;

/// The attributes of an element, namespace declarations included.
const MAX_ATTRIBUTES: usize = 32;

/// The namespaces that have a meaning here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    /// The KMS interface.
    Interface,
    /// XML encryption.
    Encryption,
    /// XML signature, whose KeyInfo names keys.
    Signature,
    /// XML schema instance, of the attribute xsi:type.
    Instance,
    /// No namespace: that of attributes without prefix.
    None,
    /// Any other.
    Foreign,
}

impl Space {
    fn of(resolved: &ResolveResult<'_>) -> Option<Self> {
        match resolved {
            ResolveResult::Unbound => Some(Self::None),
            ResolveResult::Unknown(_) => None,
            ResolveResult::Bound(Namespace(INTERFACE)) => Some(Self::Interface),
            ResolveResult::Bound(Namespace(ENCRYPTION)) => Some(Self::Encryption),
            ResolveResult::Bound(Namespace(SIGNATURE)) => Some(Self::Signature),
            ResolveResult::Bound(Namespace(INSTANCE)) => Some(Self::Instance),
            ResolveResult::Bound(_) => Some(Self::Foreign),
        }
    }
}

/// An element, with those in it that have a meaning here.
pub(super) struct Element<'x> {
    pub(super) space: Space,
    pub(super) name: &'x str,
    /// Where its start tag begins.
    pub(super) offset: usize,
    /// Those without prefix and those of XML schema instance.
    pub(super) attributes: Vec<Attribute>,
    pub(super) children: Vec<Element<'x>>,
    /// Where its text begins.
    pub(super) text_offset: usize,
    text: Text<'x>,
    /// Comments or elements of an extension, which may not interrupt a value.
    interruption: Option<DocumentError>,
}

impl Element<'_> {
    /// The text, all references resolved.
    pub(super) fn text(&self) -> &str {
        match &self.text {
            Text::Blank => "",
            Text::Verbatim(text) => text,
            Text::Resolved(buffer) => buffer.as_str().unwrap_or_default(),
        }
    }

    pub(super) fn error(&self, kind: Kind) -> DocumentError {
        DocumentError::new(kind, self.offset).in_element(self.name)
    }

    /// An error in the text.
    pub(super) fn text_error(&self, kind: Kind) -> DocumentError {
        DocumentError::new(kind, self.text_offset).in_element(self.name)
    }
}

pub(super) struct Attribute {
    pub(super) space: Space,
    pub(super) name: Box<str>,
    pub(super) value: Box<str>,
}

/// A key is not copied unless it is written with references.
enum Text<'x> {
    Blank,
    Verbatim(&'x str),
    Resolved(Buffer),
}

impl<'x> Text<'x> {
    fn push(&mut self, piece: &'x str) {
        match self {
            Self::Blank => *self = Self::Verbatim(piece),
            Self::Verbatim(_) | Self::Resolved(_) => self.push_copy(piece),
        }
    }

    fn push_copy(&mut self, piece: &str) {
        if let Self::Blank | Self::Verbatim(_) = self {
            let mut buffer = Buffer::default();
            if let Self::Verbatim(text) = self {
                buffer.push(text.as_bytes());
            }
            *self = Self::Resolved(buffer);
        }
        if let Self::Resolved(buffer) = self {
            buffer.push(piece.as_bytes());
        }
    }
}

/// White space of XML.
pub(super) const fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn is_blank(text: &str) -> bool {
    text.chars().all(is_space)
}

/// A character that XML 1.0 allows (section 2.2).
pub(super) const fn is_character(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}

/// A name without colon, after XML Namespaces: wider for characters outside ASCII, which no name here has.
fn is_name(name: &str) -> bool {
    let starts = |c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii();
    name.starts_with(starts) && name.chars().all(|c| starts(c) || c.is_ascii_digit() || c == '-' || c == '.')
}

/// Reads a document into its root.
pub(super) fn parse(octets: &[u8]) -> Result<Element<'_>, DocumentError> {
    const BOM: &str = "\u{FEFF}";
    if octets.len() > MAX_OCTETS {
        return Err(DocumentError::new(Kind::TooLong, MAX_OCTETS));
    }
    let text = core::str::from_utf8(octets).map_err(|error| DocumentError::new(Kind::Encoding, error.valid_up_to()))?;
    if let Some((offset, _)) = text.char_indices().find(|(_, c)| !is_character(*c)) {
        return Err(DocumentError::new(Kind::Character, offset));
    }
    Parser::new(text, text.len() - text.strip_prefix(BOM).unwrap_or(text).len()).run()
}

struct Parser<'x> {
    document: &'x str,
    /// Octets of the byte order mark, which the reader leaves out of its count.
    bom: usize,
    reader: NsReader<&'x [u8]>,
    /// The elements that are open.
    open: Vec<Element<'x>>,
    root: Option<Element<'x>>,
    elements: usize,
    /// Where the present event begins.
    offset: usize,
}

impl<'x> Parser<'x> {
    fn new(document: &'x str, bom: usize) -> Self {
        let mut reader = NsReader::from_str(&document[bom..]);
        reader.config_mut().enable_all_checks(true);
        Self { document, bom, reader, open: Vec::new(), root: None, elements: 0, offset: bom }
    }

    fn position(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX).saturating_add(self.bom)
    }

    fn error(&self, kind: Kind) -> DocumentError {
        let error = DocumentError::new(kind, self.offset);
        match self.open.last() {
            Some(element) => error.in_element(element.name),
            None => error,
        }
    }

    fn run(mut self) -> Result<Element<'x>, DocumentError> {
        loop {
            self.offset = self.position();
            match self.reader.read_event().map_err(|_| self.error(Kind::Syntax))? {
                Event::Start(tag) => self.start(&tag)?,
                Event::Empty(tag) => {
                    self.start(&tag)?;
                    self.end()?;
                }
                Event::End(_) => self.end()?,
                Event::Text(text) => match text.into_inner() {
                    Cow::Borrowed(piece) => self.text(piece)?,
                    Cow::Owned(_) => return Err(self.error(Kind::Syntax)),
                },
                Event::GeneralRef(reference) => self.reference(&reference)?,
                Event::Comment(_) => self.interrupt(Kind::Comment),
                Event::Decl(declaration) => self.declaration(&declaration)?,
                Event::CData(_) => return Err(self.error(Kind::CData)),
                Event::PI(_) => return Err(self.error(Kind::ProcessingInstruction)),
                Event::DocType(_) => return Err(self.error(Kind::Doctype)),
                Event::Eof => break,
            }
        }
        if !self.open.is_empty() {
            return Err(self.error(Kind::Syntax));
        }
        self.root.ok_or(DocumentError::new(Kind::Syntax, self.offset))
    }

    fn declaration(&self, declaration: &BytesDecl<'_>) -> Result<(), DocumentError> {
        let encoding = declaration.encoding().transpose().map_err(|_| self.error(Kind::Syntax))?;
        if self.offset != self.bom || declaration.version().is_ok_and(|version| version != "1.0") {
            return Err(self.error(Kind::Syntax));
        }
        declaration.version().map_err(|_| self.error(Kind::Syntax))?;
        if encoding.is_some_and(|encoding| !encoding.eq_ignore_ascii_case("utf-8")) {
            return Err(self.error(Kind::Encoding));
        }
        Ok(())
    }

    fn start(&mut self, tag: &BytesStart<'_>) -> Result<(), DocumentError> {
        if self.open.is_empty() && self.root.is_some() {
            return Err(self.error(Kind::Syntax));
        }
        self.elements += 1;
        if self.elements > MAX_ELEMENTS {
            return Err(self.error(Kind::TooMany));
        }
        if self.open.len() == MAX_DEPTH {
            return Err(self.error(Kind::TooDeep));
        }
        let (resolved, local) = self.reader.resolver().resolve_element(tag.name());
        let space = Space::of(&resolved).ok_or_else(|| self.error(Kind::Prefix))?;
        let prefix = tag.name().prefix().map_or(0, |prefix| prefix.as_ref().len() + 1);
        let start = self.offset + 1 + prefix;
        let name = self.document.get(start..start + local.as_ref().len()).unwrap_or_default();
        let is_prefix = tag.name().prefix().is_none_or(|prefix| is_name(prefix.as_ref()));
        if !is_name(name) || !is_prefix || name != local.as_ref() {
            return Err(self.error(Kind::Syntax));
        }
        let attributes = self.attributes(tag).map_err(|error| error.in_element(name))?;
        let element = Element {
            space,
            name,
            offset: self.offset,
            attributes,
            children: Vec::new(),
            text_offset: self.position(),
            text: Text::Blank,
            interruption: None,
        };
        let is_signed = match space {
            Space::Interface => name.starts_with("Signed"),
            Space::Signature => name == "Signature",
            _ => false,
        };
        if is_signed {
            return Err(element.error(Kind::Signed));
        }
        self.open.push(element);
        Ok(())
    }

    /// The attributes that have a meaning here; of all others only the form is checked.
    fn attributes(&self, tag: &BytesStart<'_>) -> Result<Vec<Attribute>, DocumentError> {
        let mut attributes: Vec<Attribute> = Vec::new();
        for (count, attribute) in tag.attributes().enumerate() {
            if count == MAX_ATTRIBUTES {
                return Err(self.error(Kind::TooManyAttributes));
            }
            let attribute = attribute.map_err(|_| self.error(Kind::Syntax))?;
            if attribute.value.contains('<') {
                return Err(self.error(Kind::Syntax));
            }
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|_| self.error(Kind::Entity))?;
            if value.contains(|c| !is_character(c)) {
                return Err(self.error(Kind::Character));
            }
            if attribute.key.as_namespace_binding().is_some() {
                continue;
            }
            let (resolved, local) = self.reader.resolver().resolve_attribute(attribute.key);
            let space = Space::of(&resolved).ok_or_else(|| self.error(Kind::Prefix))?;
            if !matches!(space, Space::None | Space::Instance) {
                continue;
            }
            let name: Box<str> = local.as_ref().into();
            if attributes.iter().any(|other| other.space == space && other.name == name) {
                return Err(self.error(Kind::Attribute));
            }
            attributes.push(Attribute { space, name, value: value.into() });
        }
        Ok(attributes)
    }

    fn end(&mut self) -> Result<(), DocumentError> {
        let element = self.open.pop().ok_or_else(|| self.error(Kind::Syntax))?;
        let is_extension = matches!(element.space, Space::Foreign | Space::None | Space::Instance);
        if let (false, false, Some(interruption)) = (is_extension, is_blank(element.text()), &element.interruption) {
            return Err(interruption.clone());
        }
        match self.open.last_mut() {
            None => self.root = Some(element),
            Some(parent) if is_extension => {
                if parent.interruption.is_none() {
                    parent.interruption = Some(element.error(Kind::Unexpected));
                }
            }
            Some(parent) => parent.children.push(element),
        }
        Ok(())
    }

    fn text(&mut self, piece: &'x str) -> Result<(), DocumentError> {
        if piece.contains("]]>") {
            return Err(self.error(Kind::Syntax));
        }
        let offset = self.offset;
        match self.open.last_mut() {
            Some(element) => {
                if !matches!(element.text, Text::Blank) {
                    element.text.push(piece);
                } else if !is_blank(piece) {
                    let lead = piece.len() - piece.trim_start_matches(is_space).len();
                    element.text_offset = offset + lead;
                    element.text.push(&piece[lead..]);
                }
                Ok(())
            }
            None if is_blank(piece) => Ok(()),
            None => Err(self.error(Kind::Syntax)),
        }
    }

    /// A character by its number, or by one of the five names that need no declaration.
    fn reference(&mut self, reference: &BytesRef<'_>) -> Result<(), DocumentError> {
        let by_number = reference.resolve_char_ref().map_err(|_| self.error(Kind::Character))?;
        let character = match (by_number, reference.as_ref()) {
            (Some(c), _) => c,
            (None, "amp") => '&',
            (None, "lt") => '<',
            (None, "gt") => '>',
            (None, "apos") => '\'',
            (None, "quot") => '"',
            _ => return Err(self.error(Kind::Entity)),
        };
        if !is_character(character) {
            return Err(self.error(Kind::Character));
        }
        let offset = self.offset;
        let Some(element) = self.open.last_mut() else { return Err(self.error(Kind::Syntax)) };
        if matches!(element.text, Text::Blank) {
            element.text_offset = offset;
        }
        element.text.push_copy(character.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn interrupt(&mut self, kind: Kind) {
        let error = self.error(kind);
        if let Some(element) = self.open.last_mut() {
            element.interruption.get_or_insert(error);
        }
    }
}
