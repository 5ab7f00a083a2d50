//! Key data, the sub-payloads of KEMAC, and the validity of keys.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use subtle::ConstantTimeEq;

use crate::error::{DecodeError, DecodeErrorKind, UsageError};
use crate::mikey::codec::{Body, Reader, Writer};
use crate::mikey::field::Field;
use crate::mikey::registry::{KeyDataType, Kv, PayloadType};
use crate::secret::{Secret, declassify};

/// A Key data sub-payload: a key, and what is said of it (RFC 3830, section 6.13).
#[derive(Clone)]
pub struct KeyData {
    /// The kind of key, at most 15.
    pub key_type: KeyDataType,
    /// The key, at most 65,535 octets.
    pub key: Secret<Vec<u8>>,
    /// The salt, at most 65,535 octets: there if the kind of key has one, and only then.
    pub salt: Option<Secret<Vec<u8>>>,
    /// The validity of the key.
    pub validity: KeyValidity,
}

/// KV data, the validity of a key (RFC 3830, section 6.14). Each value has at most 255 octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyValidity {
    /// Nothing is said.
    Null,
    /// The key is the one of this SPI, for SRTP this MKI.
    Spi(Vec<u8>),
    /// The key is valid from one point to another, as the security protocol counts.
    Interval {
        /// The first point.
        from: Vec<u8>,
        /// The last point.
        to: Vec<u8>,
    },
}

impl KeyData {
    /// Reads all Key data sub-payloads, from decrypted or not encrypted data.
    ///
    /// # Errors
    ///
    /// A [`DecodeError`] with the offset from the start of the data: [`DecodeErrorKind::KeyDataType`] and
    /// [`DecodeErrorKind::Kv`] for kinds that are not known, [`DecodeErrorKind::PayloadType`] for a sub-payload of
    /// another type.
    pub fn decode_all(octets: &[u8]) -> Result<Vec<Self>, DecodeError> {
        let mut reader = Reader::new(octets);
        let mut keys = Vec::new();
        loop {
            let next = reader.next_payload()?;
            keys.push(Self::decode(&mut reader)?);
            match next.payload_type {
                PayloadType::KEY_DATA => {}
                PayloadType::LAST => break,
                PayloadType(other) => {
                    return Err(DecodeError { kind: DecodeErrorKind::PayloadType(other), offset: next.offset });
                }
            }
        }
        reader.finish()?;
        Ok(keys)
    }

    /// The octets of one or more Key data sub-payloads, before encryption.
    ///
    /// # Errors
    ///
    /// [`UsageError::FieldLength`] if there is no key, if a value does not fit its field, or if a salt is there and the
    /// kind of key has none, or the other way round.
    pub fn encode_all(keys: &[Self]) -> Result<Secret<Vec<u8>>, UsageError> {
        let Some(last) = keys.len().checked_sub(1) else { return Err(UsageError::FieldLength) };
        let length = keys.iter().map(|key| 1 + key.length()).sum();
        let mut writer = Writer::with_capacity(length);
        keys.iter().enumerate().try_for_each(|(place, key)| {
            let next = if place == last { PayloadType::LAST } else { PayloadType::KEY_DATA };
            writer.u8(next.0);
            key.encode(&mut writer)
        })?;
        Ok(Secret::new(writer.into_octets()))
    }
}

impl KeyValidity {
    /// The number that stands for this way to state the validity.
    pub const fn kv(&self) -> Kv {
        match self {
            Self::Null => Kv::NULL,
            Self::Spi(_) => Kv::SPI,
            Self::Interval { .. } => Kv::INTERVAL,
        }
    }

    /// Reads KV data of the kind that the octet at `offset` named.
    pub(super) fn decode(kv: Kv, offset: usize, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match kv {
            Kv::NULL => Ok(Self::Null),
            Kv::SPI => reader.short().map(Self::Spi),
            Kv::INTERVAL => Ok(Self::Interval { from: reader.short()?, to: reader.short()? }),
            Kv(unknown) => Err(DecodeError { kind: DecodeErrorKind::Kv(unknown), offset }),
        }
    }

    pub(super) fn encode(&self, writer: &mut Writer) -> Result<(), UsageError> {
        match self {
            Self::Null => Ok(()),
            Self::Spi(spi) => writer.short(spi),
            Self::Interval { from, to } => {
                writer.short(from)?;
                writer.short(to)
            }
        }
    }

    pub(super) fn length(&self) -> usize {
        match self {
            Self::Null => 0,
            Self::Spi(spi) => 1 + spi.len(),
            Self::Interval { from, to } => 2 + from.len() + to.len(),
        }
    }

    pub(super) fn fields(&self) -> Vec<Field> {
        let mut fields = vec![Field::new("KV", self.kv())];
        match self {
            Self::Null => {}
            Self::Spi(spi) => fields.push(Field::new("SPI", spi)),
            Self::Interval { from, to } => {
                fields.extend([Field::new("Valid From", from), Field::new("Valid To", to)]);
            }
        }
        fields
    }
}

impl Body for KeyData {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let offset = reader.position();
        let octet = reader.u8()?;
        let (key_type, kv) = (KeyDataType(octet >> 4), Kv(octet & 0x0f));
        let has_salt =
            key_type.has_salt().ok_or(DecodeError { kind: DecodeErrorKind::KeyDataType(key_type.0), offset })?;
        let key = Secret::new(reader.long()?);
        let salt = if has_salt { Some(Secret::new(reader.long()?)) } else { None };
        Ok(Self { key_type, key, salt, validity: KeyValidity::decode(kv, offset, reader)? })
    }

    fn encode(&self, writer: &mut Writer) -> Result<(), UsageError> {
        if self.key_type.has_salt() != Some(self.salt.is_some()) {
            return Err(UsageError::FieldLength);
        }
        writer.nibbles(self.key_type.0, self.validity.kv().0)?;
        writer.long(self.key.expose())?;
        if let Some(salt) = &self.salt {
            writer.long(salt.expose())?;
        }
        self.validity.encode(writer)
    }

    fn length(&self) -> usize {
        let salt = self.salt.as_ref().map_or(0, |salt| 2 + salt.expose().len());
        3 + self.key.expose().len() + salt + self.validity.length()
    }

    /// Without the key and the salt.
    fn fields(&self) -> Vec<Field> {
        let mut fields =
            vec![Field::new("Type", self.key_type), Field::new("Key data length", self.key.expose().len())];
        fields.extend(self.salt.as_ref().map(|salt| Field::new("Salt length", salt.expose().len())));
        fields.extend(self.validity.fields());
        fields
    }
}

/// Keys and salts of one length are compared in constant time.
impl PartialEq for KeyData {
    fn eq(&self, other: &Self) -> bool {
        let salts = match (&self.salt, &other.salt) {
            (Some(one), Some(two)) => one.expose().ct_eq(two.expose()),
            (one, two) => u8::from(one.is_none() && two.is_none()).into(),
        };
        let keys = self.key.expose().ct_eq(other.key.expose());
        (self.key_type, &self.validity) == (other.key_type, &other.validity)
            && declassify(keys & salts, "the outcome of a comparison is what the caller asked for")
    }
}

impl Eq for KeyData {}

/// Without the key and the salt.
impl fmt::Debug for KeyData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyData").field("key_type", &self.key_type).field("validity", &self.validity).finish()
    }
}
