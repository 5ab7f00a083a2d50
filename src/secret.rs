//! The one wrapper for secrets.

use core::fmt;

use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A value that is wiped when dropped, never printed, and compared in constant time.
#[derive(Clone)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes a value into custody. The caller's own copies are the caller's to wipe.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value. What is done with it must not branch on it, nor index by it.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    pub(crate) const fn expose_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> ZeroizeOnDrop for Secret<T> {}

impl<T: Zeroize + ConstantTimeEq> ConstantTimeEq for Secret<T> {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl<T: Zeroize + ConstantTimeEq> PartialEq for Secret<T> {
    fn eq(&self, other: &Self) -> bool {
        declassify(self.ct_eq(other), "the outcome of a comparison is what the caller asked for")
    }
}

impl<T: Zeroize + ConstantTimeEq> Eq for Secret<T> {}

/// Makes the outcome of a computation on secrets public, for the reason given.
///
/// Every place where a secret steers what is seen from outside goes through here, so that all of them can be listed.
pub(crate) fn declassify(outcome: Choice, _reason: &'static str) -> bool {
    outcome.into()
}
