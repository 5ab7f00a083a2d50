//! Two elements of F_p in registers, with the limbs of each across half of the lanes, as [`Complex`](super::Complex)
//! has them. Sums and differences keep their carries until a multiplication needs them gone.

use core::arch::x86_64::*;
use core::array::from_fn;

use zeroize::Zeroize;

use super::complex::{Halves, IMAGINARY, REGISTERS, carry, halves, multiply, swapped};
use super::{BITS, LANES, LIMBS, Limbs, P8, R_SQUARED, is_available, limbs};
use crate::backend::portable::Words;

/// Two elements: products are below 2p, with limbs below 2^52; what is subtracted is at most 16p, with limbs below
/// 2^56.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Pair(Halves);

/// 16p, with 2^56 lent to each limb by the next: no limb is below that of a number that is subtracted, if the upper
/// ones are not.
const P16_LENT: Limbs = {
    let mut lent = P8;
    let mut i = 0;
    while i < LIMBS {
        lent[i] *= 2;
        if i < LIMBS - 1 {
            lent[i] += 1 << 56;
        }
        if i > 0 {
            lent[i] -= 1 << (56 - BITS);
        }
        i += 1;
    }
    lent
};

impl Pair {
    /// Two numbers below 2^1024.
    pub(crate) fn from_numbers(first: &Words, second: &Words) -> Self {
        assert!(is_available(), "AVX-512 IFMA");
        // SAFETY: the processor has the features.
        unsafe { Self(multiply(&halves(&limbs(first), &limbs(second)), &halves(&R_SQUARED, &R_SQUARED))) }
    }

    /// The limbs of the first element.
    pub(crate) fn first(&self) -> Limbs {
        // SAFETY: a value exists; Halves and the array of words are 320 octets without invalid values.
        let lanes = unsafe { core::mem::transmute::<Halves, [[u64; LANES]; REGISTERS]>(carried(&self.0)) };
        from_fn(|limb| lanes[limb % REGISTERS][limb / REGISTERS])
    }

    pub(crate) fn multiply(&self, other: &Self) -> Self {
        // SAFETY: a value exists.
        unsafe { Self(multiply(&carried(&self.0), &carried(&other.0))) }
    }

    pub(crate) fn add(&self, other: &Self) -> Self {
        // SAFETY: a value exists.
        unsafe { Self(add(&self.0, &other.0)) }
    }

    pub(crate) fn subtract(&self, other: &Self) -> Self {
        // SAFETY: a value exists.
        unsafe { Self(subtract(&self.0, &other.0)) }
    }

    /// The second element, then the first.
    pub(crate) fn swap(&self) -> Self {
        // SAFETY: a value exists.
        unsafe { Self(swap(&self.0)) }
    }

    /// The first element of this pair, the second of another.
    pub(crate) fn with_second_of(&self, other: &Self) -> Self {
        // SAFETY: a value exists.
        unsafe { Self(with_second_of(&self.0, &other.0)) }
    }
}

impl Zeroize for Pair {
    fn zeroize(&mut self) {
        // SAFETY: 40 words that are valid, aligned, and borrowed for as long as this takes.
        let words = unsafe { core::slice::from_raw_parts_mut((&raw mut self.0).cast::<u64>(), REGISTERS * LANES) };
        words.zeroize();
    }
}

#[target_feature(enable = "avx512f")]
fn carried(x: &Halves) -> Halves {
    carry(*x)
}

#[target_feature(enable = "avx512f")]
fn add(a: &Halves, b: &Halves) -> Halves {
    let mut t = *a;
    for r in 0..REGISTERS {
        t[r] = _mm512_add_epi64(t[r], b[r]);
    }
    t
}

/// a - b + 16p.
#[target_feature(enable = "avx512f")]
fn subtract(a: &Halves, b: &Halves) -> Halves {
    let p16 = halves(&P16_LENT, &P16_LENT);
    let mut t = *a;
    for r in 0..REGISTERS {
        t[r] = _mm512_add_epi64(t[r], _mm512_sub_epi64(p16[r], b[r]));
    }
    t
}

#[target_feature(enable = "avx512f")]
fn swap(x: &Halves) -> Halves {
    let mut t = *x;
    for register in &mut t {
        *register = swapped(*register);
    }
    t
}

#[target_feature(enable = "avx512f")]
fn with_second_of(a: &Halves, b: &Halves) -> Halves {
    let mut t = *a;
    for r in 0..REGISTERS {
        t[r] = _mm512_mask_mov_epi64(t[r], IMAGINARY, b[r]);
    }
    t
}
