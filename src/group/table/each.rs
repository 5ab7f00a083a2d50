//! Multiples of several points, or several multiples of one, side by side: one in each lane.
//!
//! From a group one entry is selected in each lane, all of them for the same scalar. Transposed, they are as many
//! entries for all scalars.

use alloc::vec;

use zeroize::{Zeroize, Zeroizing};

use super::{PointGroup, PointTable, Selection, window};
use crate::field::Lanes;
use crate::field::digits::SignedDigits;
use crate::field::lanes::MAX_LANES;
use crate::group::edwards::EdwardsPoint;

impl<F: Lanes, const N: usize> PointTable<F, N> {
    /// Whether [`PointTable::multiply_each`] can take these tables: as many as there are lanes, and all of the same
    /// shape.
    pub(crate) fn fit_lanes(tables: &[&Self]) -> bool {
        tables.len() == F::LANES && tables.iter().all(|table| table.rows == tables[0].rows)
    }

    /// The product of each point and the scalar with the digits given, in the lane of the point, for tables that
    /// [fit](Self::fit_lanes). Each row of digits has a sum of its own until the end, so that a group is read once.
    pub(crate) fn multiply_each(tables: &[&Self], digits: &[SignedDigits]) -> EdwardsPoint<F> {
        let (rows, groups) = tables.first().map_or((0, 0), |table| (table.rows, table.groups.len()));
        let mut sums = Zeroizing::new(vec![EdwardsPoint::identity(); rows]);
        let mut selected = Selected::new();
        for g in 0..groups {
            for (row, sum) in sums.iter_mut().enumerate() {
                let groups_g = tables.iter().map(|table| &table.groups[g]);
                selected.add_to(sum, groups_g, digits, g * rows + row, groups * rows);
            }
        }
        let mut product = EdwardsPoint::identity();
        for sum in sums.iter().rev() {
            for _ in 0..window(N) {
                product = product.double();
            }
            product = product.add(sum);
        }
        product
    }

    /// Whether no doublings are needed.
    pub(crate) const fn is_full(&self) -> bool {
        self.rows == 1
    }

    /// Adds the products with as many scalars as there are lanes to the lanes of the first sum, those with the next
    /// ones to those of the second, and so on; for a [full](Self::is_full) table. Group by group, as in
    /// [`PointTable::accumulate`].
    pub(crate) fn accumulate_side_by_side(&self, sums: &mut [EdwardsPoint<F>], digits: &[SignedDigits]) {
        let mut selected = Selected::new();
        for (g, group) in self.groups.iter().enumerate() {
            for (sum, digits) in sums.iter_mut().zip(digits.chunks(F::LANES)) {
                selected.add_to(sum, core::iter::repeat(group), digits, g, self.groups.len());
            }
        }
    }
}

/// What is selected for one digit of as many scalars as there are lanes, by coordinate.
#[derive(Zeroize)]
struct Selected<F: Zeroize> {
    minus: [F; MAX_LANES],
    plus: [F; MAX_LANES],
    t: [F; MAX_LANES],
}

impl<F: Lanes> Selected<F> {
    fn new() -> Zeroizing<Self> {
        let [minus, plus, t] = [[F::zero(); MAX_LANES]; 3];
        Zeroizing::new(Self { minus, plus, t })
    }

    /// Adds to each lane of a sum what the digits of a scalar at `position`, and others `stride` apart, select from a
    /// group.
    fn add_to<'a, const N: usize>(
        &mut self,
        sum: &mut EdwardsPoint<F>,
        groups: impl Iterator<Item = &'a PointGroup<F, N>>,
        digits: &[SignedDigits],
        position: usize,
        stride: usize,
    ) {
        let Self { minus, plus, t } = self;
        for (i, (group, digits)) in groups.zip(digits).enumerate() {
            (minus[i], plus[i], t[i]) = group.select(&Selection::new(digits, position, stride));
        }
        for entries in [&mut *minus, plus, t] {
            F::transpose(entries);
        }
        for lane in 0..F::LANES {
            let sign = |i: usize| digits.get(i).map_or(0, |digits| digits.sign(position + lane * stride));
            let negative = F::equal(&core::array::from_fn(sign), 1);
            *sum = sum.add_selected(&negative, &minus[lane], &plus[lane], &t[lane]);
        }
    }
}
