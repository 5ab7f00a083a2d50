//! Tables of a fixed point, and of a fixed element of PF_p: multiplication without doublings, or with few.
//!
//! A scalar is taken in signed digits of w bits. For each digit there is a table of the multiples 1 to 2^(w-1) of the
//! point, shifted to the place of that digit, so that a product is the sum of one entry of each. Lane l of a table of
//! groups holds a block of consecutive digits: with D rows, the table of group g serves the digits
//! D(Gl + g) + r for r = 0..D-1, one row after the other with w doublings between them. D = 1 needs no doubling; a
//! larger D takes as much less memory.
//!
//! Digits are secret: every entry is read, and one selected by mask. Where the digit is 0 the identity is.

mod each;

use alloc::vec;
use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::edwards::EdwardsPoint;
use super::pf::Pf;
use crate::field::digits::SignedDigits;
use crate::field::{Fp, Fp2, Lanes};

/// Bits of a scalar.
const SCALAR_BITS: usize = 1_022;

/// Entries of a table for one digit of 5 bits: what is fastest where memory does not matter.
pub(super) const ENTRIES: usize = 16;

/// Bits w of a digit that a table of N = 2^(w-1) entries serves.
pub(super) const fn window(entries: usize) -> usize {
    entries.ilog2() as usize + 1
}

/// Digits of a scalar, the last carry included.
const fn digits(entries: usize) -> usize {
    SCALAR_BITS / window(entries) + 1
}

/// A table of a point.
#[derive(Debug)]
pub(crate) struct PointTable<F, const N: usize> {
    rows: usize,
    groups: Vec<PointGroup<F, N>>,
}

/// The multiples for one digit in each lane, by coordinate.
#[derive(Debug)]
struct PointGroup<F, const N: usize> {
    minus: [F; N],
    plus: [F; N],
    t: [F; N],
}

/// The selection that a digit in each lane makes.
struct Selection<F: Lanes, const N: usize> {
    masks: [F::Mask; N],
    negative: F::Mask,
}

impl<F: Lanes, const N: usize> Selection<F, N> {
    fn new(digits: &SignedDigits, position: usize, stride: usize) -> Self {
        let magnitudes = digits.magnitudes(position, stride);
        let masks = core::array::from_fn(|i| F::equal(&magnitudes, i as u8 + 1));
        Self { masks, negative: F::equal(&digits.signs(position, stride), 1) }
    }

    fn entry(&self, entries: &[F; N], identity: &F) -> F {
        F::select(entries, &self.masks, identity)
    }
}

/// -value where the mask has the lane, else value.
fn signed<F: Lanes>(negative: &F::Mask, value: &F) -> F::Sum {
    F::choose(negative, &F::subtract(F::zero().as_sum(), value), value.as_sum())
}

impl<F: Lanes, const N: usize> PointTable<F, N> {
    /// The octets of a table with the given number of rows.
    pub(crate) const fn octets(rows: usize) -> usize {
        digits(N).div_ceil(F::LANES * rows) * size_of::<PointGroup<F, N>>()
    }

    /// A table with the given number of rows.
    pub(crate) fn new(point: &EdwardsPoint<Fp>, rows: usize) -> Self {
        let groups = digits(N).div_ceil(F::LANES * rows);
        // The first digit of each lane, then from group to group.
        let mut bases = Vec::with_capacity(F::LANES);
        let mut base = *point;
        for _ in 0..F::LANES {
            bases.push(base);
            for _ in 0..groups * rows * window(N) {
                base = base.double();
            }
        }
        let mut base = EdwardsPoint::<F>::gather(|lane| bases[lane]);
        let mut multiples = Vec::with_capacity(groups * N);
        for _ in 0..groups {
            let mut multiple = base;
            for _ in 0..N {
                multiples.push(multiple);
                multiple = multiple.add(&base);
            }
            for _ in 0..rows * window(N) {
                base = base.double();
            }
        }
        let mut multiples = multiples.iter().zip(inverses(multiples.iter().map(EdwardsPoint::z)));
        let groups = (0..groups).map(|_| PointGroup::new(&mut multiples)).collect();
        Self { rows, groups }
    }

    /// Adds to each lane of each sum its share of the product with a scalar, whose whole is the sum of the lanes. Group
    /// by group for all scalars, so that a group that was read stays in a near cache.
    pub(crate) fn accumulate(&self, sums: &mut [EdwardsPoint<F>], digits: &[SignedDigits]) {
        let stride = self.groups.len() * self.rows;
        for row in (0..self.rows).rev() {
            if row + 1 < self.rows {
                for sum in sums.iter_mut() {
                    for _ in 0..window(N) {
                        *sum = sum.double();
                    }
                }
            }
            for (g, group) in self.groups.iter().enumerate() {
                for (sum, digits) in sums.iter_mut().zip(digits) {
                    *sum = group.add(sum, &Selection::new(digits, g * self.rows + row, stride));
                }
            }
        }
    }
}

impl<F: Lanes, const N: usize> PointGroup<F, N> {
    /// From the multiples in their order, each with the inverse of its Z.
    fn new<'a>(multiples: &mut impl Iterator<Item = (&'a EdwardsPoint<F>, F)>) -> Self {
        let mut group = Self { minus: [F::one(); N], plus: [F::one(); N], t: [F::zero(); N] };
        // Multiplied by 1, since the entries of a table are values, not sums.
        let reduced = |sum: &F::Sum| F::multiply(sum, F::one().as_sum());
        for (i, (multiple, z_inverse)) in multiples.take(N).enumerate() {
            let (x, y) = multiple.scaled(&z_inverse);
            group.minus[i] = reduced(&F::subtract(y.as_sum(), &x));
            group.plus[i] = reduced(&F::add(y.as_sum(), x.as_sum()));
            group.t[i] = F::multiply(x.as_sum(), y.as_sum());
        }
        group
    }

    /// The sum with the multiples that are selected.
    fn add(&self, sum: &EdwardsPoint<F>, selection: &Selection<F, N>) -> EdwardsPoint<F> {
        let (minus, plus, t) = self.select(selection);
        sum.add_selected(&selection.negative, &minus, &plus, &t)
    }

    /// Y - X, Y + X and XY of the multiple that is selected, whatever its sign.
    fn select(&self, selection: &Selection<F, N>) -> (F, F, F) {
        let minus = selection.entry(&self.minus, &F::one());
        let plus = selection.entry(&self.plus, &F::one());
        let t = selection.entry(&self.t, &F::zero());
        (minus, plus, t)
    }
}

impl<F: Lanes> EdwardsPoint<F> {
    /// The sum with the affine point of which Y - X, Y + X and XY are given, or where `negative` with its opposite,
    /// which has X and XY of the other sign.
    fn add_selected(&self, negative: &F::Mask, minus: &F, plus: &F, t: &F) -> Self {
        let swap = |a: &F, b: &F| F::choose(negative, b.as_sum(), a.as_sum());
        self.add_affine(&swap(minus, plus), &swap(plus, minus), &signed(negative, t))
    }
}

/// The inverses of values that are not 0, in their order, with one inversion for each lane.
fn inverses<'a, F: Lanes>(values: impl DoubleEndedIterator<Item = &'a F> + ExactSizeIterator + Clone) -> Vec<F> {
    let mut products = Vec::new();
    let mut product = F::one();
    for value in values.clone() {
        products.push(product);
        product = F::multiply(product.as_sum(), value.as_sum());
    }
    let mut inverse = F::gather(|lane| product.lane(lane).invert().unwrap_or(Fp::ZERO));
    for (product, value) in products.iter_mut().zip(values).rev() {
        *product = F::multiply(inverse.as_sum(), product.as_sum());
        inverse = F::multiply(inverse.as_sum(), value.as_sum());
    }
    products
}

/// A table of an element of PF_p, by the representatives t of its powers.
#[derive(Debug)]
pub(crate) struct PfTable<F> {
    groups: Vec<[F; ENTRIES]>,
}

impl<F: Lanes> PfTable<F> {
    pub(crate) fn new(element: &Pf) -> Self {
        let groups = digits(ENTRIES).div_ceil(F::LANES);
        let mut bases = Vec::with_capacity(F::LANES);
        let mut base = element.to_fp2();
        for _ in 0..F::LANES {
            bases.push(base);
            for _ in 0..groups * window(ENTRIES) {
                base = base.square();
            }
        }
        let mut base = Fp2::<F> { a: F::gather(|lane| bases[lane].a), b: F::gather(|lane| bases[lane].b) };
        let mut powers = Vec::with_capacity(groups * ENTRIES);
        for _ in 0..groups {
            let mut power = base;
            for _ in 0..ENTRIES {
                powers.push(power);
                power = power.multiply(base.a.as_sum(), base.b.as_sum());
            }
            for _ in 0..window(ENTRIES) {
                base = base.square();
            }
        }
        let inverses = inverses(powers.iter().map(|power| &power.a));
        let mut powers = powers.iter().zip(&inverses);
        let representative = |(power, inverse): (&Fp2<F>, &F)| F::multiply(power.b.as_sum(), inverse.as_sum());
        let groups =
            (0..groups).map(|_| core::array::from_fn(|_| powers.next().map_or(F::zero(), representative))).collect();
        Self { groups }
    }

    /// The powers by scalars, as classes of F_p^2. Group by group for all scalars, as above.
    pub(crate) fn powers(&self, digits: &[SignedDigits]) -> Vec<Fp2<Fp>> {
        let mut products = Zeroizing::new(vec![(*F::one().as_sum(), *F::zero().as_sum()); digits.len()]);
        for (g, entries) in self.groups.iter().enumerate() {
            for ((a, b), digits) in products.iter_mut().zip(digits) {
                let selection = Selection::<F, ENTRIES>::new(digits, g, self.groups.len());
                // (a + ib)(1 + it) = (a - bt) + i(b + at); the inverse of 1 + it is 1 - it.
                let t = signed(&selection.negative, &selection.entry(entries, &F::zero()));
                let (at, bt) = (F::multiply(a, &t), F::multiply(b, &t));
                (*a, *b) = (F::subtract(a, &bt), F::add(b, at.as_sum()));
            }
        }
        let one = F::one();
        let fold = |(a, b): &(F::Sum, F::Sum)| {
            Fp2 { a: F::multiply(a, one.as_sum()), b: F::multiply(b, one.as_sum()) }.fold().lane(0)
        };
        products.iter().map(fold).collect()
    }
}
