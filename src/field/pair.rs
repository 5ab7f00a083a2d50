//! Two elements of F_p side by side: for chains in which each product waits for the one before.

use zeroize::Zeroize;

use super::Fp;

/// Two elements that are treated alike.
///
/// Sums and differences are left unreduced where that is faster; multiplication reduces. The rule that keeps them
/// within bounds: what is subtracted is at most eight products added up, and what is multiplied is the sum of at most
/// eight products and two differences.
pub(crate) trait Pair: Copy + Zeroize {
    fn new(first: &Fp, second: &Fp) -> Self;

    /// Both products.
    fn multiply(&self, other: &Self) -> Self;

    fn add(&self, other: &Self) -> Self;

    fn subtract(&self, other: &Self) -> Self;

    /// The second element, then the first.
    fn swap(&self) -> Self;

    /// The first element of this pair, and the second of another.
    fn with_second_of(&self, other: &Self) -> Self;

    fn double(&self) -> Self {
        self.add(self)
    }
}

/// By the portable backend.
impl Pair for [Fp; 2] {
    fn new(first: &Fp, second: &Fp) -> Self {
        [*first, *second]
    }

    fn multiply(&self, other: &Self) -> Self {
        [self[0].multiply(&other[0]), self[1].multiply(&other[1])]
    }

    fn add(&self, other: &Self) -> Self {
        [self[0].add(&other[0]), self[1].add(&other[1])]
    }

    fn subtract(&self, other: &Self) -> Self {
        [self[0].subtract(&other[0]), self[1].subtract(&other[1])]
    }

    fn swap(&self) -> Self {
        [self[1], self[0]]
    }

    fn with_second_of(&self, other: &Self) -> Self {
        [self[0], other[1]]
    }
}
