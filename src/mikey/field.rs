//! What a message says, for people and for other programs: names from the standards with their values.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use super::registry::IdType;

/// A field of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name in the standards.
    pub name: &'static str,
    /// The value.
    pub value: Value,
}

/// The value of a [`Field`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number.
    Number(u64),
    /// A number of a registry, with the name that it has there.
    Named(u8, Option<&'static str>),
    /// A flag.
    Flag(bool),
    /// Text without control characters.
    Text(String),
    /// Octets.
    Octets(Vec<u8>),
    /// 64 bits of an NTP timestamp in UTC.
    Ntp(u64),
    /// Fields inside this one.
    Fields(Vec<Field>),
    /// Values of one kind.
    List(Vec<Value>),
}

impl Field {
    pub(super) fn new(name: &'static str, value: impl Into<Value>) -> Self {
        Self { name, value: value.into() }
    }
}

impl Value {
    /// Octets, as text where they are meant to be and can be shown as such.
    pub(super) fn text(octets: &[u8]) -> Self {
        match core::str::from_utf8(octets) {
            Ok(text) if !text.contains(char::is_control) => Self::Text(text.to_owned()),
            _ => Self::Octets(octets.to_vec()),
        }
    }

    pub(super) fn identity(id_type: IdType, data: &[u8]) -> Self {
        if id_type == IdType::BYTE_STRING { data.into() } else { Self::text(data) }
    }
}

impl From<u8> for Value {
    fn from(number: u8) -> Self {
        Self::Number(number.into())
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::Number(number as u64)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<&[u8]> for Value {
    fn from(octets: &[u8]) -> Self {
        Self::Octets(octets.to_vec())
    }
}

impl From<&Vec<u8>> for Value {
    fn from(octets: &Vec<u8>) -> Self {
        octets.as_slice().into()
    }
}
