//! F_p^2 = F_p[i] / (i^2 + 1).

use subtle::{Choice, ConditionallySelectable};
use zeroize::Zeroize;

use super::Fp;

/// a + ib.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fp2 {
    pub(crate) a: Fp,
    pub(crate) b: Fp,
}

impl Fp2 {
    pub(crate) const ONE: Self = Self { a: Fp::ONE, b: Fp::ZERO };

    /// (a + ib)(c + id) = (ac - bd) + i((a + b)(c + d) - ac - bd).
    pub(crate) fn multiply(&self, other: &Self) -> Self {
        let ac = self.a.multiply(&other.a);
        let bd = self.b.multiply(&other.b);
        let all = self.a.add(&self.b).multiply(&other.a.add(&other.b));
        Self { a: ac.subtract(&bd), b: all.subtract(&ac).subtract(&bd) }
    }

    /// (a + ib)^2 = (a + b)(a - b) + 2iab.
    pub(crate) fn square(&self) -> Self {
        let a = self.a.add(&self.b).multiply(&self.a.subtract(&self.b));
        Self { a, b: self.a.multiply(&self.b).double() }
    }
}

impl ConditionallySelectable for Fp2 {
    fn conditional_select(a: &Self, b: &Self, choice: Choice) -> Self {
        Self { a: Fp::conditional_select(&a.a, &b.a, choice), b: Fp::conditional_select(&a.b, &b.b, choice) }
    }
}

impl Zeroize for Fp2 {
    fn zeroize(&mut self) {
        self.a.zeroize();
        self.b.zeroize();
    }
}
