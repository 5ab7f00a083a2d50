//! Keys under a transport key (TrK): AES key wrap, carried as an EncryptedKey of XML encryption.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec;
use core::fmt;

use aes_kw::{KeyInit, KwAes256, KwpAes256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::error::{DocumentError, DocumentErrorKind as Kind};
use super::fields::{self, Fields};
use super::tree::{Element, Space};
use super::writer::DocumentWriter;
use super::{ENCRYPTION, SIGNATURE, Tolerances};
use crate::error::{Error, Rejected, UsageError};
use crate::secret::{Reach, Secret, on_clean_stack};

/// AES-256 key wrap with padding (RFC 5649), as XML encryption 1.1 names it.
const KEY_WRAP_PAD: &str = "http://www.w3.org/2009/xmlenc11#kw-aes-256-pad";

/// AES-256 key wrap (RFC 3394), as XML encryption names it.
const KEY_WRAP: &str = "http://www.w3.org/2001/04/xmlenc#kw-aes256";

/// What key wrap works on, and what it adds.
const SEMIBLOCK: usize = 8;

/// What uncompressed points begin with. Values whose length is one more than a multiple of 8 are points.
const UNCOMPRESSED: u8 = 4;

/// A transport key (TrK): 32 octets that a KMS and a client share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransportKey {
    key: Secret<[u8; 32]>,
    name: Option<String>,
}

impl TransportKey {
    /// A transport key, with the name (TrK-ID) that is written beside what it wraps.
    pub const fn new(key: Secret<[u8; 32]>, name: Option<String>) -> Self {
        Self { key, name }
    }

    /// The name.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Wraps a key with padding (RFC 5649).
    ///
    /// # Errors
    ///
    /// [`UsageError::FieldLength`] if there is nothing to wrap.
    pub fn wrap<const N: usize>(&self, key: &Secret<[u8; N]>) -> Result<WrappedKey, UsageError> {
        if N == 0 {
            return Err(UsageError::FieldLength);
        }
        let mut octets = vec![0; Wrap::Padded.length(N)].into_boxed_slice();
        on_clean_stack(Reach::Cipher, || {
            let cipher = KwpAes256::new(self.key.expose().into());
            cipher.wrap_key(key.expose(), &mut octets).map(drop).map_err(|_| UsageError::FieldLength)
        })?;
        Ok(WrappedKey { wrap: Wrap::Padded, key_name: self.name.clone(), carried_name: None, octets })
    }

    /// Unwraps a key of N octets.
    ///
    /// # Errors
    ///
    /// [`Rejected`] if it was not wrapped under this key, was altered, or has another length.
    pub fn unwrap<const N: usize>(&self, wrapped: &WrappedKey) -> Result<Secret<[u8; N]>, Rejected> {
        if wrapped.octets.len() != wrapped.wrap.length(N) {
            return Err(Rejected);
        }
        on_clean_stack(Reach::Cipher, || self.open(wrapped))
    }

    fn open<const N: usize>(&self, wrapped: &WrappedKey) -> Result<Secret<[u8; N]>, Rejected> {
        let mut buffer = Zeroizing::new(vec![0; wrapped.octets.len() - SEMIBLOCK]);
        let mut key = Zeroizing::new([0; N]);
        match wrapped.wrap {
            Wrap::Padded => {
                let cipher = KwpAes256::new(self.key.expose().into());
                let unwrapped = cipher.unwrap_key(&wrapped.octets, &mut buffer).map_err(|_| Rejected)?;
                *key = unwrapped.try_into().map_err(|_| Rejected)?;
            }
            Wrap::Bare => {
                let cipher = KwAes256::new(self.key.expose().into());
                let unwrapped = cipher.unwrap_key(&wrapped.octets, &mut buffer).map_err(|_| Rejected)?;
                let (prefix, rest) = key.split_at_mut(N % SEMIBLOCK);
                prefix.fill(UNCOMPRESSED);
                rest.copy_from_slice(unwrapped);
            }
        }
        Ok(Secret::new(*key))
    }
}

/// How a key is wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrap {
    /// RFC 5649.
    Padded,
    /// RFC 3394, points without their first octet.
    Bare,
}

impl Wrap {
    /// The octets of a wrapped key of so many octets.
    const fn length(self, octets: usize) -> usize {
        SEMIBLOCK
            + match self {
                Self::Padded => octets.next_multiple_of(SEMIBLOCK),
                Self::Bare => octets - octets % SEMIBLOCK,
            }
    }
}

/// A key under a transport key.
#[derive(Clone, PartialEq, Eq)]
pub struct WrappedKey {
    wrap: Wrap,
    key_name: Option<String>,
    carried_name: Option<String>,
    octets: Box<[u8]>,
}

impl WrappedKey {
    /// The name of the transport key, where the document gives it.
    pub fn key_name(&self) -> Option<&str> {
        self.key_name.as_deref()
    }

    /// The name of the key that is wrapped, where the document gives it.
    pub fn carried_name(&self) -> Option<&str> {
        self.carried_name.as_deref()
    }

    /// The same wrapped key with a name of its own.
    #[must_use]
    pub fn with_carried_name(self, name: String) -> Self {
        Self { carried_name: Some(name), ..self }
    }

    /// The wrapped octets.
    pub const fn as_octets(&self) -> &[u8] {
        &self.octets
    }

    /// Reads an element of type EncKeyContentType, for a key of so many octets.
    pub(super) fn read(element: &Element<'_>, octets: usize, tolerances: Tolerances) -> Result<Self, DocumentError> {
        if fields::declared_type(element).is_some_and(|name| name != "EncKeyContentType") {
            return Err(element.error(Kind::Attribute));
        }
        let mut content = Fields::of(element, &[], tolerances)?;
        let encrypted = content.required_in(Space::Encryption, "EncryptedKey")?;
        content.finish()?;

        let mut parts = Fields::of(encrypted, &["Type", "MimeType", "Recipient"], tolerances)?;
        let method = parts.required_in(Space::Encryption, "EncryptionMethod")?;
        let key_info = parts.in_space(Space::Signature, "KeyInfo");
        let data = parts.required_in(Space::Encryption, "CipherData")?;
        let carried_name = parts.in_space(Space::Encryption, "CarriedKeyName").map(fields::string).transpose()?;
        parts.finish()?;

        Fields::of(method, &["Algorithm"], tolerances)?.finish()?;
        let wrap = match fields::attribute(method, "Algorithm") {
            None => return Err(method.error(Kind::Missing("Algorithm"))),
            Some(KEY_WRAP_PAD) => Wrap::Padded,
            Some(KEY_WRAP) if tolerances.rfc3394_key_wrap => Wrap::Bare,
            Some(_) => return Err(method.error(Kind::Unsupported("this algorithm"))),
        };
        let key_name = key_info.map(|info| read_key_name(info, tolerances)).transpose()?.flatten();
        let mut data = Fields::of(data, &[], tolerances)?;
        let value = data.required_in(Space::Encryption, "CipherValue")?;
        data.finish()?;
        let wrapped = fields::base64(value)?;
        if wrapped.len() != wrap.length(octets) {
            return Err(value.text_error(Kind::Length(wrap.length(octets))));
        }
        Ok(Self { wrap, key_name, carried_name, octets: wrapped })
    }

    /// Writes an element of type EncKeyContentType.
    pub(super) fn write(&self, name: &'static str, writer: &mut DocumentWriter) -> Result<(), UsageError> {
        let algorithm = match self.wrap {
            Wrap::Padded => KEY_WRAP_PAD,
            Wrap::Bare => KEY_WRAP,
        };
        let spaces = [("xmlns:xenc", ENCRYPTION), ("xmlns:ds", SIGNATURE)];
        writer.element(name, &[("xsi:type", "EncKeyContentType")], |writer| {
            writer.element("xenc:EncryptedKey", &spaces, |writer| {
                writer.empty("xenc:EncryptionMethod", &[("Algorithm", algorithm)])?;
                if let Some(key_name) = &self.key_name {
                    writer.element("ds:KeyInfo", &[], |writer| writer.text("ds:KeyName", key_name))?;
                }
                writer.element("xenc:CipherData", &[], |writer| {
                    writer.text("xenc:CipherValue", &STANDARD.encode(&self.octets))
                })?;
                writer.optional_text("xenc:CarriedKeyName", self.carried_name.as_deref())
            })
        })
    }
}

/// The name alone: what is wrapped is confidential while the transport key is.
impl fmt::Debug for WrappedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WrappedKey")
    }
}

fn read_key_name(info: &Element<'_>, tolerances: Tolerances) -> Result<Option<String>, DocumentError> {
    let mut info = Fields::of(info, &[], tolerances)?;
    let name = info.in_space(Space::Signature, "KeyName").map(fields::string).transpose()?;
    info.finish()?;
    Ok(name)
}

/// A key of N octets as it stands in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyContent<const N: usize> {
    /// The key, which the channel must protect.
    Plain(Secret<[u8; N]>),
    /// The key under a transport key.
    Wrapped(WrappedKey),
}

impl<const N: usize> KeyContent<N> {
    /// The key.
    ///
    /// # Errors
    ///
    /// [`UsageError::TransportKey`] if it is wrapped and there is no transport key, [`Error::Rejected`] if it does not
    /// open under that.
    pub(super) fn open(&self, transport_key: Option<&TransportKey>) -> Result<Secret<[u8; N]>, Error> {
        match self {
            Self::Plain(key) => Ok(key.clone()),
            Self::Wrapped(wrapped) => Ok(transport_key.ok_or(UsageError::TransportKey)?.unwrap(wrapped)?),
        }
    }

    /// The same, wrapped unless it is already.
    pub(super) fn wrapped(&self, transport_key: &TransportKey) -> Result<Self, UsageError> {
        match self {
            Self::Plain(key) => transport_key.wrap(key).map(Self::Wrapped),
            Self::Wrapped(_) => Ok(self.clone()),
        }
    }

    pub(super) fn read(element: &Element<'_>, tolerances: Tolerances) -> Result<Self, DocumentError> {
        if !element.children.is_empty() || fields::declared_type(element) == Some("EncKeyContentType") {
            return WrappedKey::read(element, N, tolerances).map(Self::Wrapped);
        }
        if fields::declared_type(element).is_some_and(|name| name != "KeyContentType") {
            return Err(element.error(Kind::Attribute));
        }
        fields::hex(element).map(Self::Plain)
    }

    pub(super) fn write(&self, name: &'static str, writer: &mut DocumentWriter) -> Result<(), UsageError> {
        match self {
            Self::Plain(key) => writer.key(name, key.expose()),
            Self::Wrapped(wrapped) => wrapped.write(name, writer),
        }
    }
}
