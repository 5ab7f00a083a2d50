//! The pairing < , > of RFC 6508, section 3.2, with the first argument prepared.
//!
//! Miller's loop walks from A to [q]A and multiplies up the lines through the points it meets, evaluated at the
//! distorted point [i]Q = (-x, iy). All that depends on A alone, which is everything but this evaluation, is
//! computed once.
//!
//! The RFC walks the bits of q - 1. This loop takes signed digits of q, two bits at a time, and for each of them one
//! polynomial in the coordinates of Q that has all lines of the step. That changes f by vertical lines and constants
//! alone, whose values lie in F_p and vanish in PF_p.
//!
//! Once prepared, the loop splits into chunks that do not wait for each other, one for each lane of the backend, joined
//! by squarings.
//!
//! The arguments may be exchanged, <A, B> = <B, A>, since both are multiples of P.

mod digits;
mod miller;
mod polynomial;
mod walk;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use once_cell::race::OnceBox;

use super::curve::{AffinePoint, OrderQ};
use crate::backend;
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
use crate::backend::ifma::Fp8;
use crate::field::{Fp, Fp2};

#[cfg(test)]
pub(super) use digits::DIGITS;
pub(super) use miller::MillerLines;

/// The lines of Miller's loop for a fixed first argument, which may be secret (an RSK), prepared for the backend in
/// use.
pub(crate) trait PreparedPairing: Send + Sync + fmt::Debug {
    /// <A, Q> as a class of F_p^2, where Q is a point of E of any order: the loop, then the power (p + 1)/q = 4.
    fn pair(&self, q: &AffinePoint) -> Fp2<Fp>;

    /// <A, Q> for each Q, at less cost than one by one.
    fn pair_batch(&self, q: &[AffinePoint]) -> Vec<Fp2<Fp>>;
}

/// Walks the loop. Constant time in the point.
pub(crate) fn prepare(point: &OrderQ) -> Box<dyn PreparedPairing> {
    match backend::current() {
        #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
        backend::Backend::Ifma => Box::new(MillerLines::<Fp8>::new(point)),
        _ => Box::new(MillerLines::<Fp>::new(point)),
    }
}

/// P, prepared at first use.
pub(crate) fn generator() -> &'static dyn PreparedPairing {
    static GENERATOR: OnceBox<Box<dyn PreparedPairing>> = OnceBox::new();
    &**GENERATOR.get_or_init(|| Box::new(prepare(&OrderQ::GENERATOR)))
}
