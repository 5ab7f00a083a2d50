//! Multiples of fixed points and powers of g, by the backend that is in use.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::any::Any;
use core::fmt;

use once_cell::race::OnceBox;
use zeroize::Zeroizing;

use super::curve::OrderQ;
use super::edwards::EdwardsPoint;
use super::pf::Pf;
use super::table::{ENTRIES, PfTable, PointTable, window};
use crate::backend;
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
use crate::backend::ifma::Fp8;
use crate::field::digits::SignedDigits;
use crate::field::{Fp, Fp2, Lanes, Scalar};

/// A point with a table of its multiples, which belongs to the backend that was in use when it was made.
///
/// Everything is computed for several scalars at a time, at less cost than one by one, and in constant time.
pub(crate) trait FixedPoint: Any + Send + Sync + fmt::Debug {
    /// \[k\]self.
    fn multiply(&self, k: &[Scalar]) -> Vec<EdwardsPoint<Fp>>;

    /// \[k\]self + \[l\]P.
    fn multiply_add_generator(&self, k: &[Scalar], l: &[Scalar]) -> Vec<EdwardsPoint<Fp>>;
}

/// How much memory the table of a point takes. Time depends on it, results do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableSize {
    /// The fastest: 1,597,440 octets with the backend `ifma`, 1,259,520 with others.
    Full,
    /// 245,760 octets, or 251,904.
    Small,
    /// 30,720 octets, or 24,576.
    Tiny,
}

/// The entries of the smaller tables, for digits of 4 bits.
const FEW: usize = 8;

impl TableSize {
    /// The octets of a table of the backend in use.
    pub fn octets(self) -> usize {
        match backend::current() {
            #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
            backend::Backend::Ifma => self.octets_for::<Fp8>(),
            _ => self.octets_for::<Fp>(),
        }
    }

    const fn octets_for<F: Lanes>(self) -> usize {
        match self.shape(F::LANES) {
            (ENTRIES, rows) => PointTable::<F, ENTRIES>::octets(rows),
            (_, rows) => PointTable::<F, FEW>::octets(rows),
        }
    }

    /// The entries for a digit, and the digits that share them, each of those but one for the price of a doubling for
    /// each of its bits. A small table is at most 256 KiB: what is fastest within that depends on how many lanes
    /// share the doublings.
    const fn shape(self, lanes: usize) -> (usize, usize) {
        match self {
            Self::Full => (ENTRIES, 1),
            Self::Small if lanes == 1 => (ENTRIES, 5),
            Self::Small => (FEW, 4),
            Self::Tiny => (FEW, 32),
        }
    }
}

/// Prepares a point.
pub(crate) fn prepare(point: &EdwardsPoint<Fp>, size: TableSize) -> Box<dyn FixedPoint> {
    match backend::current() {
        #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
        backend::Backend::Ifma => prepare_for::<Fp8>(point, size),
        _ => prepare_for::<Fp>(point, size),
    }
}

fn prepare_for<F: HasConstants>(point: &EdwardsPoint<Fp>, size: TableSize) -> Box<dyn FixedPoint> {
    match size.shape(F::LANES) {
        (ENTRIES, rows) => Box::new(PointTable::<F, ENTRIES>::new(point, rows)),
        (_, rows) => Box::new(PointTable::<F, FEW>::new(point, rows)),
    }
}

/// \[k\]A for each point A and its scalar k.
pub(crate) fn multiply_each(points: &[&(dyn FixedPoint + 'static)], k: &[Scalar]) -> Vec<EdwardsPoint<Fp>> {
    match backend::current() {
        #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
        backend::Backend::Ifma => multiply_each_for::<Fp8>(points, k),
        _ => multiply_each_for::<Fp>(points, k),
    }
}

/// With a point in each lane where enough of the tables are small ones, otherwise point by point.
fn multiply_each_for<F: Lanes>(points: &[&(dyn FixedPoint + 'static)], k: &[Scalar]) -> Vec<EdwardsPoint<Fp>> {
    // With room for all: what grows leaves copies behind.
    let mut products = Vec::with_capacity(points.len());
    for (points, k) in points.chunks(F::LANES).zip(k.chunks(F::LANES)) {
        let small = points.iter().filter_map(|point| (*point as &dyn Any).downcast_ref::<PointTable<F, FEW>>());
        let small: Vec<_> = small.collect();
        if F::LANES > 1 && PointTable::fit_lanes(&small) {
            let side_by_side = Zeroizing::new(PointTable::multiply_each(&small, &digits(k, FEW)));
            products.extend(side_by_side.lanes());
        } else {
            let product = |(point, k)| only(FixedPoint::multiply(point, core::slice::from_ref(k)));
            products.extend(points.iter().copied().zip(k).map(product));
        }
    }
    products
}

/// \[k\]P for each k, in constant time.
pub(crate) fn multiply_generator(k: &[Scalar]) -> Vec<EdwardsPoint<Fp>> {
    match backend::current() {
        #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
        backend::Backend::Ifma => Fp8::constants().generator.multiply(k),
        _ => Fp::constants().generator.multiply(k),
    }
}

/// \[k\]P for one k, in constant time.
pub(crate) fn multiply_generator_one(k: &Scalar) -> EdwardsPoint<Fp> {
    only(multiply_generator(core::slice::from_ref(k)))
}

fn only(products: Vec<EdwardsPoint<Fp>>) -> EdwardsPoint<Fp> {
    products.first().copied().unwrap_or_else(EdwardsPoint::identity)
}

/// g^k as a class of F_p^2 for each k, in constant time.
pub(crate) fn powers_of_g(k: &[Scalar]) -> Vec<Fp2<Fp>> {
    let digits = digits(k, ENTRIES);
    match backend::current() {
        #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
        backend::Backend::Ifma => Fp8::constants().g.powers(&digits),
        _ => Fp::constants().g.powers(&digits),
    }
}

/// The tables of P and g: made at their first use, and kept.
pub(crate) struct Constants<F> {
    generator: PointTable<F, ENTRIES>,
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

impl<F: HasConstants, const N: usize> FixedPoint for PointTable<F, N> {
    fn multiply(&self, k: &[Scalar]) -> Vec<EdwardsPoint<Fp>> {
        // With room for all: what grows leaves copies behind.
        let mut products = Vec::with_capacity(k.len());
        let (whole, rest) = k.split_at(side_by_side::<F, N>(self, k.len()));
        let mut sums = Zeroizing::new(vec![EdwardsPoint::identity(); whole.len() / F::LANES]);
        self.accumulate_side_by_side(&mut sums, &digits(whole, N));
        products.extend(sums.iter().flat_map(EdwardsPoint::lanes));

        let mut sums = Zeroizing::new(vec![EdwardsPoint::identity(); rest.len()]);
        self.accumulate(&mut sums, &digits(rest, N));
        products.extend(sums.iter().map(|sum| sum.fold().lane(0)));
        products
    }

    fn multiply_add_generator(&self, k: &[Scalar], l: &[Scalar]) -> Vec<EdwardsPoint<Fp>> {
        let generator = &F::constants().generator;
        let mut products = Vec::with_capacity(k.len());
        let whole = side_by_side::<F, N>(self, k.len());
        let ((whole_k, rest_k), (whole_l, rest_l)) = (k.split_at(whole), l.split_at(whole));
        let mut sums = Zeroizing::new(vec![EdwardsPoint::identity(); whole / F::LANES]);
        self.accumulate_side_by_side(&mut sums, &digits(whole_k, N));
        generator.accumulate_side_by_side(&mut sums, &digits(whole_l, ENTRIES));
        products.extend(sums.iter().flat_map(EdwardsPoint::lanes));

        let mut sums = Zeroizing::new(vec![EdwardsPoint::identity(); rest_k.len()]);
        // This table first: its rows may need doublings, the table of P has none.
        self.accumulate(&mut sums, &digits(rest_k, N));
        generator.accumulate(&mut sums, &digits(rest_l, ENTRIES));
        products.extend(sums.iter().map(|sum| sum.fold().lane(0)));
        products
    }
}

/// How many of so many scalars are multiplied side by side, a scalar in each lane: which saves the sum over the lanes.
fn side_by_side<F: Lanes, const N: usize>(table: &PointTable<F, N>, scalars: usize) -> usize {
    if F::LANES > 1 && table.is_full() { scalars - scalars % F::LANES } else { 0 }
}

/// The digits for tables of so many entries.
fn digits(scalars: &[Scalar], entries: usize) -> Vec<SignedDigits> {
    scalars.iter().map(|scalar| SignedDigits::new(scalar, window(entries))).collect()
}
