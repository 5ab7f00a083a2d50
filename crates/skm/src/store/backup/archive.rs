//! The form of a backup: a header in the clear, and behind it octets in sealed chunks.
//!
//! The header is a mark (16 octets), the version of the form (4, big-endian), the length of what follows (4,
//! big-endian), and in JSON what is needed to open the rest. Every chunk but the last has 65,536 octets, and is longer
//! by what sealing adds. A chunk is sealed for its number, for this header, and for being the last or not: none can be
//! left out, repeated, moved or taken from another backup, and nothing can be cut off or added at the end.

use std::cmp::Ordering;
use std::io::{self, Read, Write};

use mikey_sakke::time::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::BackupError;
use crate::seal::{Place, SEALED_OCTETS, SealKey};
use crate::store::keyring::Keyring;
use crate::store::schema;

const MARK: [u8; 16] = *b"SKM-S backup\r\n\x1a\n";

/// The version of the form.
const VERSION: u32 = 1;

/// The octets of a header's JSON, at most.
const HEADER_OCTETS: u32 = 16 * 1024;

/// The octets of a chunk before it is sealed.
pub(super) const CHUNK_OCTETS: usize = 64 * 1024;

/// What a backup says of itself to everybody.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    /// The version of the schema whose rows follow.
    schema: i64,
    /// When it was made, in seconds since 1970-01-01T00:00:00Z.
    time: u64,
    /// What tells it from other backups of the same second: 32 hexadecimal digits.
    id: String,
    key_id: String,
    data_key: String,
    salt: String,
    audit_key: String,
}

impl Header {
    pub(super) fn new(time: Timestamp, id: [u8; 16], keyring: &Keyring) -> Self {
        Self {
            schema: schema::VERSION,
            time: time.to_unix(),
            id: hex::encode(id),
            key_id: keyring.key_id.clone(),
            data_key: hex::encode(&keyring.data_key),
            salt: hex::encode(&keyring.salt),
            audit_key: hex::encode(&keyring.audit_key),
        }
    }

    /// When the backup was made.
    pub(super) fn time(&self) -> Result<Timestamp, BackupError> {
        Timestamp::from_unix(self.time).map_err(|_| BackupError::Damaged)
    }

    /// The keys of the store, wrapped and sealed.
    pub(super) fn keyring(&self) -> Result<Keyring, BackupError> {
        let octets = |text| hex::decode(text).map_err(|_| BackupError::Damaged);
        Ok(Keyring {
            key_id: self.key_id.clone(),
            data_key: octets(&self.data_key)?,
            salt: octets(&self.salt)?,
            audit_key: octets(&self.audit_key)?,
        })
    }

    fn to_octets(&self) -> Result<Vec<u8>, BackupError> {
        let json = serde_json::to_vec(self).map_err(io::Error::from)?;
        let length = u32::try_from(json.len()).map_err(io::Error::other)?;
        Ok([&MARK[..], &VERSION.to_be_bytes(), &length.to_be_bytes(), &json].concat())
    }

    /// Reads the header, and what its chunks are bound to.
    pub(super) fn read(from: &mut impl Read) -> Result<(Self, Binding), BackupError> {
        let mut start = [0; MARK.len() + 8];
        let length = fill(from, &mut start)?;
        if length < MARK.len() || start[..MARK.len()] != MARK {
            return Err(BackupError::NotABackup);
        }
        let number = |at: usize| start[at..at + 4].iter().fold(0, |number, &octet| number << 8 | u32::from(octet));
        let (version, length) = (number(MARK.len()), number(MARK.len() + 4));
        if version > VERSION {
            return Err(BackupError::Newer);
        }
        if version != VERSION || length > HEADER_OCTETS {
            return Err(BackupError::Damaged);
        }
        let mut json = vec![0; length as usize];
        if fill(from, &mut json)? < json.len() {
            return Err(BackupError::Damaged);
        }
        let header: Self = serde_json::from_slice(&json).map_err(|_| BackupError::Damaged)?;
        match header.schema.cmp(&schema::VERSION) {
            Ordering::Greater => Err(BackupError::Newer),
            Ordering::Less => Err(BackupError::Older),
            Ordering::Equal => Ok((header, Binding::of(&[&start[..], &json].concat()))),
        }
    }
}

/// What the chunks of a backup are bound to: SHA-256 of its header, in hexadecimal.
#[derive(Clone, Debug)]
pub(super) struct Binding(String);

impl Binding {
    fn of(header: &[u8]) -> Self {
        Self(hex::encode(Sha256::digest(header)))
    }

    fn with<T>(&self, number: u64, is_last: bool, then: impl FnOnce(Place<'_>) -> T) -> T {
        let column = if is_last { "last chunk" } else { "chunk" };
        then(Place { table: "backup", row: &[&self.0], column, version: number })
    }
}

/// Seals what is written to it, in chunks.
pub(super) struct Sealer<'a, W> {
    out: W,
    key: &'a SealKey,
    binding: Binding,
    number: u64,
    chunk: Zeroizing<Vec<u8>>,
}

impl<'a, W: Write> Sealer<'a, W> {
    /// Writes the header.
    pub(super) fn start(mut out: W, key: &'a SealKey, header: &Header) -> Result<Self, BackupError> {
        let octets = header.to_octets()?;
        out.write_all(&octets)?;
        let chunk = Zeroizing::new(Vec::with_capacity(CHUNK_OCTETS));
        Ok(Self { out, key, binding: Binding::of(&octets), number: 0, chunk })
    }

    pub(super) fn write(&mut self, mut octets: &[u8]) -> Result<(), BackupError> {
        while !octets.is_empty() {
            if self.chunk.len() == CHUNK_OCTETS {
                self.seal(false)?;
            }
            let (now, later) = octets.split_at(octets.len().min(CHUNK_OCTETS - self.chunk.len()));
            self.chunk.extend_from_slice(now);
            octets = later;
        }
        Ok(())
    }

    /// Writes the last chunk. What was written without it is no backup.
    pub(super) fn finish(mut self) -> Result<(), BackupError> {
        self.seal(true)?;
        Ok(self.out.flush()?)
    }

    fn seal(&mut self, is_last: bool) -> Result<(), BackupError> {
        let sealed = self.binding.with(self.number, is_last, |place| self.key.seal(place, &self.chunk));
        self.out.write_all(&sealed.map_err(super::StoreError::from)?)?;
        self.chunk.clear();
        self.number += 1;
        Ok(())
    }
}

/// Opens what is read from it, chunk by chunk.
pub(super) struct Opener<'a, R> {
    from: R,
    key: &'a SealKey,
    binding: Binding,
    number: u64,
    /// What was read of the next chunk: by more than nothing, the present one is not the last.
    ahead: Vec<u8>,
    chunk: Zeroizing<Vec<u8>>,
    taken: usize,
    is_last: bool,
}

impl<'a, R: Read> Opener<'a, R> {
    /// Goes on behind the header.
    pub(super) fn new(mut from: R, key: &'a SealKey, binding: Binding) -> Result<Self, BackupError> {
        let ahead = sealed(&mut from)?;
        Ok(Self { from, key, binding, number: 0, ahead, chunk: Zeroizing::default(), taken: 0, is_last: false })
    }

    /// Fills a buffer. False if there is nothing more; a part of it is [`BackupError::Damaged`].
    pub(super) fn fill(&mut self, mut octets: &mut [u8]) -> Result<bool, BackupError> {
        let wanted = octets.len();
        while !octets.is_empty() {
            let left = &self.chunk[self.taken..];
            if left.is_empty() {
                if !self.is_last {
                    self.open()?;
                    continue;
                }
                return if octets.len() == wanted { Ok(false) } else { Err(BackupError::Damaged) };
            }
            let length = left.len().min(octets.len());
            let (now, later) = octets.split_at_mut(length);
            now.copy_from_slice(&left[..length]);
            self.taken += length;
            octets = later;
        }
        Ok(true)
    }

    fn open(&mut self) -> Result<(), BackupError> {
        let next = sealed(&mut self.from)?;
        self.is_last = next.is_empty();
        let opened = self.binding.with(self.number, self.is_last, |place| self.key.open(place, &self.ahead));
        self.chunk = opened.map_err(|_| BackupError::Damaged)?;
        (self.taken, self.ahead) = (0, next);
        self.number += 1;
        Ok(())
    }
}

/// The next sealed chunk, nothing at the end.
fn sealed(from: &mut impl Read) -> Result<Vec<u8>, BackupError> {
    let mut octets = vec![0; CHUNK_OCTETS + SEALED_OCTETS];
    let length = fill(from, &mut octets)?;
    octets.truncate(length);
    Ok(octets)
}

/// Reads until a buffer is full, or to the end.
fn fill(from: &mut impl Read, octets: &mut [u8]) -> Result<usize, BackupError> {
    let mut filled = 0;
    while filled < octets.len() {
        match from.read(&mut octets[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(filled)
}
