//! Multiples of fixed points and powers of g, by the backend that is in use.

use alloc::boxed::Box;
use core::fmt;

use once_cell::race::OnceBox;

use super::curve::OrderQ;
use super::edwards::EdwardsPoint;
use super::pf::Pf;
use super::table::{PfTable, PointTable, WINDOW};
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
use crate::backend::ifma::Fp8;
use crate::backend::{self, Backend};
use crate::field::digits::SignedDigits;
use crate::field::{Fp, Fp2, Lanes, Scalar};

/// A point with a table of its multiples, which belongs to the backend that was in use when it was made.
pub(crate) trait FixedPoint: Send + Sync + fmt::Debug {
    /// \[k\]self, in constant time.
    fn multiply(&self, k: &Scalar) -> EdwardsPoint<Fp>;

    /// \[k\]self + \[l\]P, in constant time.
    fn multiply_add_generator(&self, k: &Scalar, l: &Scalar) -> EdwardsPoint<Fp>;
}

/// How much memory a table may take.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Size {
    /// No doublings: some 1.6 MB.
    Full,
    /// Four digits to each table: some 400 KB.
    Quarter,
}

/// Prepares a point.
pub(crate) fn prepare(point: &EdwardsPoint<Fp>, size: Size) -> Box<dyn FixedPoint> {
    let rows = match size {
        Size::Full => 1,
        Size::Quarter => 4,
    };
    match backend::current() {
        #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
        Backend::Ifma => Box::new(PointTable::<Fp8>::new(point, rows)),
        _ => Box::new(PointTable::<Fp>::new(point, rows)),
    }
}

/// \[k\]P, in constant time.
pub(crate) fn multiply_generator(k: &Scalar) -> EdwardsPoint<Fp> {
    match backend::current() {
        #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
        Backend::Ifma => Fp8::constants().generator.multiply(k),
        _ => Fp::constants().generator.multiply(k),
    }
}

/// g^k as a class of F_p^2, in constant time.
pub(crate) fn power_of_g(k: &Scalar) -> Fp2<Fp> {
    let digits = SignedDigits::new(k, WINDOW);
    match backend::current() {
        #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
        Backend::Ifma => Fp8::constants().g.power(&digits),
        _ => Fp::constants().g.power(&digits),
    }
}

/// The tables of P and g: made at their first use, and kept.
pub(crate) struct Constants<F> {
    generator: PointTable<F>,
    g: PfTable<F>,
}

impl<F: Lanes> Constants<F> {
    fn new() -> Box<Self> {
        let generator = PointTable::new(&EdwardsPoint::from(&OrderQ::GENERATOR), 1);
        Box::new(Self { generator, g: PfTable::new(&Pf::G) })
    }
}

/// Where the [`Constants`] of a backend are.
pub(crate) trait HasConstants: Lanes + fmt::Debug {
    fn constants() -> &'static Constants<Self>;
}

impl HasConstants for Fp {
    fn constants() -> &'static Constants<Self> {
        static CONSTANTS: OnceBox<Constants<Fp>> = OnceBox::new();
        CONSTANTS.get_or_init(Constants::new)
    }
}

#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
impl HasConstants for Fp8 {
    fn constants() -> &'static Constants<Self> {
        static CONSTANTS: OnceBox<Constants<Fp8>> = OnceBox::new();
        CONSTANTS.get_or_init(Constants::new)
    }
}

impl<F: HasConstants> FixedPoint for PointTable<F> {
    fn multiply(&self, k: &Scalar) -> EdwardsPoint<Fp> {
        let k = SignedDigits::new(k, WINDOW);
        self.accumulate(EdwardsPoint::identity(), &k).fold().lane(0)
    }

    fn multiply_add_generator(&self, k: &Scalar, l: &Scalar) -> EdwardsPoint<Fp> {
        let [k, l] = [k, l].map(|scalar| SignedDigits::new(scalar, WINDOW));
        // This table first: its rows may need doublings, the table of P has none.
        let sum = self.accumulate(EdwardsPoint::identity(), &k);
        F::constants().generator.accumulate(sum, &l).fold().lane(0)
    }
}
