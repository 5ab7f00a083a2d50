//! F_p^2 = F_p[i] / (i^2 + 1).

use zeroize::Zeroize;

use super::{Fp, Lanes, Scalar};

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
    pub(crate) fn lane(&self, lane: usize) -> Fp2<Fp> {
        Fp2 { a: self.a.lane(lane), b: self.b.lane(lane) }
    }
}

impl Fp2<Fp> {
    /// This element to a power, the exponent being public: the time depends on it, and only on it.
    pub(crate) fn power_vartime(&self, exponent: &Scalar) -> Self {
        let mut multiples = [Self::one(); 16];
        for i in 1..16 {
            multiples[i] = self.multiply(&multiples[i - 1].a, &multiples[i - 1].b);
        }
        let digits = exponent.to_octets().into_iter().flat_map(|octet| [octet >> 4, octet & 15]);
        let mut power = Self::one();
        for digit in digits.skip_while(|digit| *digit == 0) {
            let factor = multiples[usize::from(digit)];
            power = power.square().square().square().square().multiply(&factor.a, &factor.b);
        }
        multiples.iter_mut().for_each(Zeroize::zeroize);
        power
    }
}

impl<F: Zeroize> Zeroize for Fp2<F> {
    fn zeroize(&mut self) {
        self.a.zeroize();
        self.b.zeroize();
    }
}
