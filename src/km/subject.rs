//! What key material is for.

use alloc::boxed::Box;
use core::fmt;

use super::json::{Object, Writer};
use super::{BodyError, MAX_TEXT_OCTETS};
use crate::error::UsageError;
use crate::identity::Uri;

/// The identifier of a service, client, device or server: opaque text of 1 to [`MAX_TEXT_OCTETS`] octets, without
/// control characters. Two are the same if their octets are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identifier(Box<str>);

impl Identifier {
    /// Takes a text.
    ///
    /// # Errors
    ///
    /// [`UsageError::FieldLength`] if it is empty, too long, or has control characters.
    pub fn new(text: &str) -> Result<Self, UsageError> {
        if !(1..=MAX_TEXT_OCTETS).contains(&text.len()) || text.chars().any(char::is_control) {
            return Err(UsageError::FieldLength);
        }
        Ok(Self(text.into()))
    }

    /// Reads the text of a member.
    pub(super) fn read(text: &str, name: &'static str) -> Result<Self, BodyError> {
        let is_short = (1..=MAX_TEXT_OCTETS).contains(&text.len());
        let error = if is_short { BodyError::Character(name) } else { BodyError::Length(name) };
        Self::new(text).map_err(|_| error)
    }

    /// The text.
    pub const fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whose key material of a service is meant (TS 33.434, 5.3.2): at most one identifier stands beside the ServiceID.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// That of the service as a whole.
    Service,
    /// That of a VAL client: ClientID.
    Client(Identifier),
    /// That of a VAL UE: DeviceID.
    Device(Identifier),
    /// That of a VAL user: UserID.
    User(Uri),
}

/// The kind of a [`Subject`], by the names that it has in paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `service`
    Service,
    /// `client`
    Client,
    /// `device`
    Device,
    /// `user`
    User,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Service, Self::Client, Self::Device, Self::User];

    /// The name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Client => "client",
            Self::Device => "device",
            Self::User => "user",
        }
    }

    /// The kind of this name, which is in lower case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The member of a message that names such a subject.
    const fn member(self) -> Option<&'static str> {
        match self {
            Self::Service => None,
            Self::Client => Some("ClientID"),
            Self::Device => Some("DeviceID"),
            Self::User => Some("UserID"),
        }
    }
}

impl Subject {
    /// A subject of its kind; the value is empty for [`Kind::Service`].
    ///
    /// # Errors
    ///
    /// [`UsageError::FieldLength`] if the value does not fit, [`UsageError::Uri`] if that of a user is not a URI in its
    /// one spelling.
    pub fn new(kind: Kind, value: &str) -> Result<Self, UsageError> {
        match kind {
            Kind::Service if value.is_empty() => Ok(Self::Service),
            Kind::Service => Err(UsageError::FieldLength),
            Kind::Client => Identifier::new(value).map(Self::Client),
            Kind::Device => Identifier::new(value).map(Self::Device),
            Kind::User => {
                let user = Uri::parse(value)?;
                super::check_length(&user).map(|()| Self::User(user))
            }
        }
    }

    /// The kind.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Service => Kind::Service,
            Self::Client(_) => Kind::Client,
            Self::Device(_) => Kind::Device,
            Self::User(_) => Kind::User,
        }
    }

    /// The identifier, empty for the service as a whole.
    pub const fn value(&self) -> &str {
        match self {
            Self::Service => "",
            Self::Client(identifier) | Self::Device(identifier) => identifier.as_str(),
            Self::User(uri) => uri.as_str(),
        }
    }

    pub(super) fn check_length(&self) -> Result<(), UsageError> {
        match self {
            Self::User(uri) => super::check_length(uri),
            _ => Ok(()),
        }
    }

    /// How many subjects a message names.
    pub(super) fn count(object: &Object<'_>) -> usize {
        Kind::ALL.into_iter().filter_map(Kind::member).filter(|member| object.has(member)).count()
    }

    /// The subject that a message names, at most one.
    pub(super) fn read(object: &Object<'_>) -> Result<Self, BodyError> {
        Ok(if let Some(client) = object.optional("ClientID", Object::identifier)? {
            Self::Client(client)
        } else if let Some(device) = object.optional("DeviceID", Object::identifier)? {
            Self::Device(device)
        } else if let Some(user) = object.optional("UserID", Object::uri)? {
            Self::User(user)
        } else {
            Self::Service
        })
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        if let Some(member) = self.kind().member() {
            writer.text(member, self.value());
        }
    }
}
