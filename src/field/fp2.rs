//! F_p^2 = F_p[i] / (i^2 + 1).

use zeroize::Zeroize;

use super::Lanes;

/// a + ib.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fp2<F> {
    pub(crate) a: F,
    pub(crate) b: F,
}

impl<F: Lanes> Fp2<F> {
    pub(crate) fn one() -> Self {
        Self { a: F::one(), b: F::zero() }
    }

    /// (a + ib)(c + id) = (ac - bd) + i(ad + bc), where c and d may be sums.
    pub(crate) fn multiply(&self, c: &F::Sum, d: &F::Sum) -> Self {
        let (a, b) = F::multiply_complex(&self.a, &self.b, c, d);
        Self { a, b }
    }

    /// (a + ib)^2 = (a + b)(a - b) + i(2a)b.
    pub(crate) fn square(&self) -> Self {
        let (a, b) = (self.a.as_sum(), self.b.as_sum());
        Self { a: F::multiply(&F::add(a, b), &F::subtract(a, &self.b)), b: F::multiply(&F::add(a, a), b) }
    }

    /// The product of all lanes, in each of them.
    pub(crate) fn fold(&self) -> Self {
        let mut product = *self;
        let mut by = F::LANES / 2;
        while by > 0 {
            let (a, b) = (product.a.rotate(by), product.b.rotate(by));
            product = product.multiply(a.as_sum(), b.as_sum());
            by /= 2;
        }
        product
    }

    /// One lane.
    pub(crate) fn lane(&self, lane: usize) -> Fp2<super::Fp> {
        Fp2 { a: self.a.lane(lane), b: self.b.lane(lane) }
    }
}

impl<F: Zeroize> Zeroize for Fp2<F> {
    fn zeroize(&mut self) {
        self.a.zeroize();
        self.b.zeroize();
    }
}
