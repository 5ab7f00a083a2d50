//! The one wrapper for secrets.

mod stack;

use alloc::boxed::Box;
use core::fmt;

use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop};

pub(crate) use stack::{Reach, on_clean_stack};

/// A value that is wiped when dropped, never printed, and compared in constant time.
///
/// It lies on the heap, so that a move copies where it is and not what it is, wherever it moves to.
#[derive(Clone)]
pub struct Secret<T: Zeroize>(Box<T>);

impl<T: Zeroize> Secret<T> {
    /// Takes a value into custody. The caller's own copies are the caller's to wipe.
    pub fn new(value: T) -> Self {
        Self(Box::new(value))
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
        T::zeroize(&mut self.0);
    }
}

impl<T: Zeroize> ZeroizeOnDrop for Secret<T> {}

impl<const N: usize> ConstantTimeEq for Secret<[u8; N]> {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.as_slice().ct_eq(other.0.as_slice())
    }
}

impl<const N: usize> PartialEq for Secret<[u8; N]> {
    fn eq(&self, other: &Self) -> bool {
        declassify(self.ct_eq(other), "the outcome of a comparison is what the caller asked for")
    }
}

impl<const N: usize> Eq for Secret<[u8; N]> {}

/// Makes the outcome of a computation on secrets public, for the reason given.
///
/// Every place where a secret steers what is seen from outside goes through here, so that all of them can be listed.
pub(crate) fn declassify(outcome: Choice, reason: &'static str) -> bool {
    #[cfg(mikey_sakke_ct)]
    let outcome = watched::declassified(outcome, reason);
    #[cfg(not(mikey_sakke_ct))]
    let _ = reason;
    outcome.into()
}

/// Octets that were computed from secrets and are public from here on, for the reason given.
pub(crate) fn publish<const N: usize>(octets: [u8; N], reason: &'static str) -> [u8; N] {
    #[cfg(mikey_sakke_ct)]
    let octets = watched::published(octets, reason);
    #[cfg(not(mikey_sakke_ct))]
    let _ = reason;
    octets
}

/// What is made public, for the check of constant time.
#[cfg(mikey_sakke_ct)]
pub(crate) mod watched {
    use std::collections::BTreeMap;
    use std::hint::black_box;
    use std::sync::{Mutex, PoisonError};

    use subtle::Choice;

    use crate::backend::valgrind::make_public;

    static REASONS: Mutex<BTreeMap<&'static str, u64>> = Mutex::new(BTreeMap::new());

    /// Tells valgrind that an outcome is public, and counts the reason.
    pub(super) fn declassified(outcome: Choice, reason: &'static str) -> Choice {
        published([outcome.unwrap_u8()], reason)[0].into()
    }

    /// Tells valgrind that octets are public, and counts the reason.
    pub(super) fn published<const N: usize>(octets: [u8; N], reason: &'static str) -> [u8; N] {
        make_public(&octets);
        *REASONS.lock().unwrap_or_else(PoisonError::into_inner).entry(reason).or_default() += 1;
        // Read again, as what valgrind says of a register is not what it says of the memory.
        black_box(octets)
    }

    /// The reasons, and how often each was given.
    pub fn reasons() -> BTreeMap<&'static str, u64> {
        REASONS.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_compared_and_not_printed() {
        let secret = Secret::new([1, 2, 3]);
        assert_eq!(secret, Secret::new([1, 2, 3]));
        assert_ne!(secret, Secret::new([1, 2, 4]));
        assert_eq!(format!("{secret:?}"), "Secret");
    }
}
