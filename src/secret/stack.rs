//! The stack after an operation on secrets.
//!
//! What does not fit the registers the compiler keeps on the stack, and there it stays when the operation has returned,
//! until another writes over it. So the operations that the crate offers on secrets overwrite what they have used. What
//! they return lies on the heap, in a [`Secret`](super::Secret), so that none of it passes through the frames above.

use core::hint::black_box;

use crate::backend;

/// How far an operation reaches down the stack: as far as measured under each backend, and a little further.
///
/// Builds without optimisation reach further, where this is of no use: they spill everything anyway.
#[derive(Clone, Copy)]
pub(crate) enum Reach {
    /// Hash functions, and the encodings of integers.
    Octets,
    /// Ciphers.
    Cipher,
    /// Points of P-256.
    P256,
    /// Points and pairings of SAKKE.
    Sakke,
    /// Several of these at a time.
    SakkeBatch,
    /// The check of an RSK.
    Validation,
}

impl Reach {
    /// Of SAKKE with so many recipients or users at a time.
    pub(crate) const fn sakke(count: usize) -> Self {
        if count > 1 { Self::SakkeBatch } else { Self::Sakke }
    }

    fn overwrite(self) {
        let is_wide = is_wide();
        match (self, is_wide) {
            (Self::Octets, _) => overwrite::<{ 3 << 10 }>(),
            (Self::Cipher, _) => overwrite::<{ 7 << 10 }>(),
            (Self::P256, _) => overwrite::<{ 8 << 10 }>(),
            (Self::Sakke, false) => overwrite::<{ 10 << 10 }>(),
            (Self::Sakke, true) => overwrite::<{ 92 << 10 }>(),
            (Self::SakkeBatch, false) => overwrite::<{ 10 << 10 }>(),
            (Self::SakkeBatch, true) => overwrite::<{ 124 << 10 }>(),
            (Self::Validation, false) => overwrite::<{ 40 << 10 }>(),
            (Self::Validation, true) => overwrite::<{ 84 << 10 }>(),
        }
    }
}

/// Whether the backend in use computes with vectors of 512 bits.
fn is_wide() -> bool {
    match backend::current() {
        #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
        backend::Backend::Ifma => true,
        _ => false,
    }
}

/// Runs an operation and overwrites the part of the stack that it has used.
///
/// It overwrites what is below the caller of this function; in the caller's own frame nothing secret may stand.
pub(crate) fn on_clean_stack<R>(reach: Reach, operation: impl FnOnce() -> R) -> R {
    let result = below(operation);
    reach.overwrite();
    result
}

/// A frame of its own, so that the operation leaves nothing in that of the caller.
#[inline(never)]
fn below<R>(operation: impl FnOnce() -> R) -> R {
    operation()
}

/// Writes zeros to as many octets below the frame of the caller.
#[inline(never)]
fn overwrite<const OCTETS: usize>() {
    black_box(&mut [0_u8; OCTETS]);
}
