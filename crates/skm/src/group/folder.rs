//! The messages as files.

use std::error::Error;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use mikey_sakke::identity::Uri;
use sha2::{Digest as _, Sha256};

use super::Sink;

/// What the names of messages end with.
const ENDING: &str = ".mikey";

/// The octets of a member's URI that a name has room for, once escaped.
const MAX_ESCAPED: usize = 160;

/// A directory with a file for each message, in binary. What it holds is public but for who is in the group.
///
/// The name of a file is the number of the member in 6 digits or more, a hyphen, his URI, and `.mikey`. In the URI
/// every octet but ASCII letters, digits, `-`, `.` and `_` is escaped as `%` with two upper-case digits (RFC 3986,
/// section 2.1), so that undoing it gives the URI. One that is longer than 160 octets then is cut off there, before an
/// escape that it would cut, and has `~` and the first 16 hexadecimal digits of its SHA-256 in place of the rest.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Locked for as long as it is open: the numbers of two distributions would be the same.
    directory: File,
    /// The files since the last flush.
    written: Vec<File>,
}

impl Folder {
    /// Opens a directory, which is made for its owner alone if there is none.
    ///
    /// # Errors
    ///
    /// What the system says; [`ErrorKind::WouldBlock`] if another distribution writes there.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
        let directory = File::open(&path)?;
        directory.try_lock().map_err(|error| match error {
            TryLockError::Error(error) => error,
            TryLockError::WouldBlock => {
                io::Error::new(ErrorKind::WouldBlock, "another distribution writes its messages there")
            }
        })?;
        Ok(Self { path, directory, written: Vec::new() })
    }

    /// Whether there are messages already.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn has_messages(&self) -> io::Result<bool> {
        for entry in std::fs::read_dir(&self.path)? {
            if entry?.file_name().as_encoded_bytes().ends_with(ENDING.as_bytes()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The name of the file for a member.
    pub fn name(number: usize, member: &Uri) -> String {
        format!("{number:06}-{}{ENDING}", escaped(member))
    }
}

impl Sink for Folder {
    fn deliver(&mut self, number: usize, member: &Uri, message: &[u8]) -> Result<(), Box<dyn Error + Send + Sync>> {
        let path = self.path.join(Self::name(number, member));
        let draft = path.with_extension("draft");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&draft)?;
        file.write_all(message)?;
        std::fs::rename(&draft, &path)?;
        self.written.push(file);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Box<dyn Error + Send + Sync>> {
        for file in self.written.drain(..) {
            file.sync_all()?;
        }
        Ok(self.directory.sync_all()?)
    }
}

fn escaped(uri: &Uri) -> String {
    let mut escaped = String::new();
    for octet in uri.as_str().bytes() {
        let piece = match octet {
            b'-' | b'.' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => char::from(octet).to_string(),
            _ => format!("%{octet:02X}"),
        };
        if escaped.len() + piece.len() > MAX_ESCAPED {
            let hash = Sha256::digest(uri.as_str());
            return format!("{escaped}~{}", hex::encode(&hash[..8]));
        }
        escaped.push_str(&piece);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: usize, uri: &str) -> String {
        Folder::name(number, &Uri::parse(uri).unwrap())
    }

    #[test]
    fn names_are_numbers_and_escaped_uris() {
        assert_eq!(name(1, "sip:alice@example.org"), "000001-sip%3Aalice%40example.org.mikey");
        assert_eq!(name(1_234_567, "tel:+447700900123"), "1234567-tel%3A%2B447700900123.mikey");
        assert_eq!(name(2, "https://example.org/../a"), "000002-https%3A%2F%2Fexample.org%2F..%2Fa.mikey");
        assert_eq!(name(3, "sip:r%C3%BCdiger@example.org"), "000003-sip%3Ar%25C3%25BCdiger%40example.org.mikey");
        assert_eq!(name(3, "sip:rüdiger@example.org"), "000003-sip%3Ar%C3%BCdiger%40example.org.mikey");
    }

    #[test]
    fn long_uris_are_cut_and_told_apart() {
        let long = |length: usize, last: &str| format!("urn:{}{last}", "a".repeat(length));
        // "urn:" has 6 octets once escaped.
        assert_eq!(name(1, &long(153, "b")), format!("000001-urn%3A{}b.mikey", "a".repeat(153)));
        let cut = name(1, &long(154, "b"));
        let stem = format!("000001-urn%3A{}~", "a".repeat(154));
        assert!(cut.starts_with(&stem) && cut.len() == stem.len() + 16 + ENDING.len(), "{cut}");
        assert_ne!(cut, name(1, &long(154, "c")));
        assert!(name(1, &long(152, "/b")).contains("aa~"));
        assert!(name(usize::MAX, &long(65_000, "b")).len() < 255);
    }
}
