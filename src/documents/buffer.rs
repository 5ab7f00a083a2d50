//! Text that may hold keys.

use std::io;

use alloc::string::String;
use alloc::vec::Vec;

use zeroize::Zeroizing;

/// Octets that are wiped when dropped, and wherever they lay before the buffer grew.
#[derive(Default)]
pub(super) struct Buffer(Zeroizing<Vec<u8>>);

impl Buffer {
    pub(super) fn push(&mut self, octets: &[u8]) {
        let length = self.0.len() + octets.len();
        if length > self.0.capacity() {
            let mut grown = Zeroizing::new(Vec::with_capacity(length.max(2 * self.0.capacity())));
            grown.extend_from_slice(&self.0);
            self.0 = grown;
        }
        self.0.extend_from_slice(octets);
    }

    /// The text; none unless only UTF-8 was pushed.
    pub(super) fn as_str(&self) -> Option<&str> {
        core::str::from_utf8(&self.0).ok()
    }

    /// The text; none unless only UTF-8 was pushed.
    pub(super) fn into_string(mut self) -> Option<Zeroizing<String>> {
        String::from_utf8(core::mem::take(&mut *self.0)).map(Zeroizing::new).ok()
    }
}

impl io::Write for Buffer {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.push(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
