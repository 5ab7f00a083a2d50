//! What is wrong with a document, and where.

use alloc::boxed::Box;
use core::fmt;

use crate::error::{Error, KeyMaterialError, UsageError};

/// Octets that are not a document of TS 33.180, annex D, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentError {
    /// What is wrong.
    pub kind: DocumentErrorKind,
    /// The element that is concerned, without its prefix; none if the document is not even read as elements.
    pub element: Option<Box<str>>,
    /// Octets from the start of the document to what is wrong.
    pub offset: usize,
}

impl DocumentError {
    pub(super) const fn new(kind: DocumentErrorKind, offset: usize) -> Self {
        Self { kind, element: None, offset }
    }

    /// Names the element, as far as its name is of a sensible length.
    pub(super) fn in_element(self, name: &str) -> Self {
        const LONGEST: usize = 64;
        let name = name.char_indices().nth(LONGEST).map_or(name, |(end, _)| &name[..end]);
        Self { element: Some(name.into()), ..self }
    }
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed at octet {}", self.offset)?;
        if let Some(element) = &self.element {
            write!(f, ", {}", element.escape_debug())?;
        }
        write!(f, ": {}", self.kind)
    }
}

impl core::error::Error for DocumentError {}

/// The ways in which octets fail to be a document.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DocumentErrorKind {
    /// The document has more than [`MAX_OCTETS`](super::MAX_OCTETS).
    TooLong,
    /// The octets are not UTF-8, or declare themselves to be in another encoding.
    Encoding,
    /// A character that XML 1.0 does not allow, itself or by reference.
    Character,
    /// The XML is not well-formed, or ends too early.
    Syntax,
    /// There is a DOCTYPE.
    Doctype,
    /// A reference to an entity other than the five that XML predefines.
    Entity,
    /// There is a CDATA section.
    CData,
    /// There is a processing instruction.
    ProcessingInstruction,
    /// A comment stands in a value.
    Comment,
    /// Elements are nested too deeply.
    TooDeep,
    /// There are too many elements, or too many certificates or key sets.
    TooMany,
    /// An element has too many attributes.
    TooManyAttributes,
    /// A namespace prefix is not declared.
    Prefix,
    /// The document is another one than expected.
    Root,
    /// The document or a part of it is signed. XML signatures are not supported, and not ignored.
    Signed,
    /// The element is unknown, or has no place here.
    Unexpected,
    /// The element stands twice.
    Duplicate,
    /// The element stands where this one should, which comes later.
    Order(&'static str),
    /// This element or attribute is missing.
    Missing(&'static str),
    /// An attribute has no place here, stands twice, or has another value than it may.
    Attribute,
    /// There is text where elements should be.
    Text,
    /// The value is not what is named.
    Value(&'static str),
    /// The value has another number of octets than this.
    Length(usize),
    /// This is well-formed, and not supported.
    Unsupported(&'static str),
    /// There are two key sets of a user for a key period.
    DuplicateKeySet,
    /// A key of a certificate fails its checks.
    KeyMaterial(KeyMaterialError),
    /// A value cannot be used.
    Usage(UsageError),
}

impl fmt::Display for DocumentErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str("the document is too long"),
            Self::Encoding => f.write_str("the document is not in UTF-8"),
            Self::Character => f.write_str("a character that XML does not allow"),
            Self::Syntax => f.write_str("the XML is not well-formed"),
            Self::Doctype => f.write_str("a DOCTYPE is not accepted"),
            Self::Entity => f.write_str("an entity that is not predefined"),
            Self::CData => f.write_str("a CDATA section is not accepted"),
            Self::ProcessingInstruction => f.write_str("a processing instruction is not accepted"),
            Self::Comment => f.write_str("a comment in a value"),
            Self::TooDeep => f.write_str("elements are nested too deeply"),
            Self::TooMany => f.write_str("too many elements"),
            Self::TooManyAttributes => f.write_str("too many attributes"),
            Self::Prefix => f.write_str("a namespace prefix is not declared"),
            Self::Root => f.write_str("not the document that is expected"),
            Self::Signed => f.write_str("XML signatures are not supported"),
            Self::Unexpected => f.write_str("the element has no place here"),
            Self::Duplicate => f.write_str("the element stands twice"),
            Self::Order(expected) => write!(f, "the element stands where {expected} should"),
            Self::Missing(name) => write!(f, "{name} is missing"),
            Self::Attribute => f.write_str("an attribute has no place here or has another value than it may"),
            Self::Text => f.write_str("text stands among elements"),
            Self::Value(expected) => write!(f, "the value is not {expected}"),
            Self::Length(expected) => write!(f, "the value does not have {expected} octets"),
            Self::Unsupported(what) => write!(f, "{what} is not supported"),
            Self::DuplicateKeySet => f.write_str("two key sets of one user for one key period"),
            Self::KeyMaterial(error) => error.fmt(f),
            Self::Usage(error) => error.fmt(f),
        }
    }
}

impl From<UsageError> for DocumentErrorKind {
    fn from(error: UsageError) -> Self {
        Self::Usage(error)
    }
}

impl From<Error> for DocumentErrorKind {
    fn from(error: Error) -> Self {
        match error {
            Error::KeyMaterial(error) => Self::KeyMaterial(error),
            Error::Usage(error) => Self::Usage(error),
            _ => Self::Value("usable"),
        }
    }
}
