//! The properties of a distributed key (3GPP TS 33.180, E.6), the content of its key parameters:
//!
//! | octets | field |
//! |---|---|
//! | 1 | key type, one of the numbers of [`Purpose`] |
//! | 4 | status |
//! | 5 | activation time |
//! | 5 | expiry time |
//! | 2, n | length, text |
//! | 2, 1, n | for group keys: length, number of groups, and for each an information element (type, 2 octets of length, URI) |
//!
//! What follows is reserved, and left aside.

use alloc::vec::Vec;

use super::Purpose;
use crate::error::{DecodeError, DecodeErrorKind, UsageError};

/// What the initiator says of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyProperties {
    /// What the key is for: the number of a [`Purpose`].
    pub key_type: u8,
    /// The status bits; see [`KeyProperties::is_revoked`].
    pub status: u32,
    /// When the key comes into use, in seconds since 1970-01-01T00:00:00Z: 40 bits, 0 for the timestamp of the
    /// message.
    pub activation: u64,
    /// When the key expires, in seconds since 1970-01-01T00:00:00Z: 40 bits, 0 for never.
    pub expiry: u64,
    /// A text, in UTF-8, for people to read.
    pub text: Vec<u8>,
    /// The URIs of the groups that a group key is for; none for keys of other types.
    pub groups: Vec<Vec<u8>>,
}

impl KeyProperties {
    /// Status bit 0: the key is not revoked.
    pub const NOT_REVOKED: u32 = 1;
    /// Status bit 1: the key is shared with a security gateway.
    pub const SHARED_WITH_GATEWAY: u32 = 2;

    /// A key that is in use from now on and does not expire.
    pub const fn new(purpose: Purpose) -> Self {
        Self {
            key_type: purpose.number(),
            status: Self::NOT_REVOKED,
            activation: 0,
            expiry: 0,
            text: Vec::new(),
            groups: Vec::new(),
        }
    }

    /// Whether bit 0 of the status is clear. Some peers send 0 with keys that are in use, so this alone is no reason to
    /// delete one.
    pub const fn is_revoked(&self) -> bool {
        self.status & Self::NOT_REVOKED == 0
    }

    /// Reads the content of key parameters.
    ///
    /// # Errors
    ///
    /// [`DecodeErrorKind::Truncated`] if it ends within a field, [`DecodeErrorKind::TrailingOctets`] if the list of
    /// groups is longer than its groups. Offsets count from the key type.
    pub fn decode(octets: &[u8]) -> Result<Self, DecodeError> {
        let mut fields = Fields { octets, offset: 0 };
        let key_type = fields.number(1)? as u8;
        let status = fields.number(4)? as u32;
        let activation = fields.number(5)?;
        let expiry = fields.number(5)?;
        let length = fields.number(2)? as usize;
        let text = fields.take(length)?.to_vec();
        let groups = match has_groups(key_type) && !fields.octets.is_empty() {
            true => fields.groups()?,
            false => Vec::new(),
        };
        Ok(Self { key_type, status, activation, expiry, text, groups })
    }

    /// The content of key parameters.
    ///
    /// # Errors
    ///
    /// [`UsageError::FieldLength`] if a time does not fit 40 bits, text or groups do not fit their length, there are
    /// more than 255 groups, or the key is none for groups and has some.
    pub fn encode(&self) -> Result<Vec<u8>, UsageError> {
        let mut octets = Vec::from([self.key_type]);
        octets.extend_from_slice(&self.status.to_be_bytes());
        for time in [self.activation, self.expiry] {
            let [0, 0, 0, rest @ ..] = time.to_be_bytes() else { return Err(UsageError::FieldLength) };
            octets.extend_from_slice(&rest);
        }
        extend_with_length(&mut octets, &self.text)?;
        if has_groups(self.key_type) {
            let mut list = Vec::from([u8::try_from(self.groups.len()).map_err(|_| UsageError::FieldLength)?]);
            for group in &self.groups {
                list.push(GROUP_ID);
                extend_with_length(&mut list, group)?;
            }
            extend_with_length(&mut octets, &list)?;
        } else if !self.groups.is_empty() {
            return Err(UsageError::FieldLength);
        }
        Ok(octets)
    }
}

/// The information element type of a group's URI, as it is sent.
const GROUP_ID: u8 = 0x7b;

/// The types of keys that have a list of groups.
const fn has_groups(key_type: u8) -> bool {
    key_type == Purpose::GMK.number() || key_type == Purpose::MKFC.number() || key_type == Purpose::MUSIK.number()
}

fn extend_with_length(octets: &mut Vec<u8>, value: &[u8]) -> Result<(), UsageError> {
    let length = u16::try_from(value.len()).map_err(|_| UsageError::FieldLength)?;
    octets.extend_from_slice(&length.to_be_bytes());
    octets.extend_from_slice(value);
    Ok(())
}

/// What is left to read.
struct Fields<'a> {
    octets: &'a [u8],
    offset: usize,
}

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let truncated = DecodeError { kind: DecodeErrorKind::Truncated, offset: self.offset };
        let (taken, rest) = self.octets.split_at_checked(length).ok_or(truncated)?;
        self.octets = rest;
        self.offset += length;
        Ok(taken)
    }

    /// A big-endian number of at most 8 octets.
    fn number(&mut self, length: usize) -> Result<u64, DecodeError> {
        Ok(self.take(length)?.iter().fold(0, |number, octet| number << 8 | u64::from(*octet)))
    }

    fn groups(&mut self) -> Result<Vec<Vec<u8>>, DecodeError> {
        let length = self.number(2)? as usize;
        let mut list = Fields { offset: self.offset, octets: self.take(length)? };
        let count = list.number(1)?;
        let mut groups = Vec::new();
        for _ in 0..count {
            let _element_type = list.number(1)?;
            let length = list.number(2)? as usize;
            groups.push(list.take(length)?.to_vec());
        }
        match list.octets {
            [] => Ok(groups),
            _ => Err(DecodeError { kind: DecodeErrorKind::TrailingOctets, offset: list.offset }),
        }
    }
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;

    use super::*;

    const GROUP: &[u8] = b"sip:group@example.org";

    #[test]
    fn fields_stand_where_the_table_says() {
        let pck = hex!("01 00000001 0000000000 0000000000 0000");
        assert_eq!(KeyProperties::new(Purpose::PCK).encode().unwrap(), pck);
        assert_eq!(KeyProperties::decode(&pck), Ok(KeyProperties::new(Purpose::PCK)));

        let gmk = KeyProperties {
            status: 0,
            activation: 0x68d7_eafa,
            expiry: 0xffff_ffff,
            groups: vec![GROUP.to_vec()],
            ..KeyProperties::new(Purpose::GMK)
        };
        let octets = [&hex!("00 00000000 0068d7eafa 00ffffffff 0000 0019 01 7b 0015")[..], GROUP].concat();
        assert_eq!(gmk.encode().unwrap(), octets);
        assert_eq!(KeyProperties::decode(&octets).as_ref(), Ok(&gmk));
        assert!(gmk.is_revoked() && !KeyProperties::new(Purpose::GMK).is_revoked());
    }

    #[test]
    fn what_is_reserved_is_left_aside() {
        let octets = hex!("02 00000001 0000000000 0000000000 0000 ffff");
        assert_eq!(KeyProperties::decode(&octets), Ok(KeyProperties::new(Purpose::CSK)));
        let without_list = hex!("00 00000001 0000000000 0000000000 0000");
        assert_eq!(KeyProperties::decode(&without_list), Ok(KeyProperties::new(Purpose::GMK)));
    }

    #[test]
    fn no_shortened_content_is_read_as_another() {
        let whole =
            KeyProperties { groups: vec![GROUP.to_vec()], text: vec![b't'; 3], ..KeyProperties::new(Purpose::GMK) };
        let octets = whole.encode().unwrap();
        for length in 0..octets.len() {
            // Up to the list of groups, which may be absent, the content may end nowhere.
            assert_eq!(KeyProperties::decode(&octets[..length]).is_ok(), length == 20, "{length}");
        }
    }

    #[test]
    fn a_list_of_groups_agrees_with_its_length() {
        let head = hex!("00 00000001 0000000000 0000000000 0000");
        for list in [
            &hex!("0000")[..],
            &hex!("0002 00 00"),
            &hex!("0001 01"),
            &hex!("0004 01 7b 0001"),
            &hex!("0005 02 7b 0001 61"),
        ] {
            assert!(KeyProperties::decode(&[&head[..], list].concat()).is_err(), "{list:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let pck = || KeyProperties::new(Purpose::PCK);
        let unfit = [
            KeyProperties { activation: 1 << 40, ..pck() },
            KeyProperties { expiry: 1 << 40, ..pck() },
            KeyProperties { text: vec![0; 65_536], ..pck() },
            KeyProperties { groups: vec![vec![]], ..pck() },
            KeyProperties { groups: vec![vec![]; 256], ..KeyProperties::new(Purpose::GMK) },
        ];
        assert!(unfit.iter().all(|properties| properties.encode() == Err(UsageError::FieldLength)));
    }
}
