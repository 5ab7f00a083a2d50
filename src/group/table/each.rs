//! Multiples of several points at once, each by its own table: one point in each lane.

use alloc::vec;

use zeroize::Zeroizing;

use super::{PointTable, Selection, window};
use crate::field::Lanes;
use crate::field::digits::SignedDigits;
use crate::field::lanes::MAX_LANES;
use crate::group::edwards::EdwardsPoint;

impl<F: Lanes, const N: usize> PointTable<F, N> {
    /// Whether [`PointTable::multiply_each`] can take these tables: as many as there are lanes, and all of the same shape.
    pub(crate) fn fit_lanes(tables: &[&Self]) -> bool {
        tables.len() == F::LANES && tables.iter().all(|table| table.rows == tables[0].rows)
    }

    /// The product of each point and the scalar with the digits given, in the lane of the point, for tables that
    /// [fit](Self::fit_lanes).
    ///
    /// From a group one entry is selected in each lane, all of them for the same point. Transposed, they are as many
    /// entries for all points. Each row of digits has a sum of its own until the end, so that a group is read once.
    pub(crate) fn multiply_each(tables: &[&Self], digits: &[SignedDigits]) -> EdwardsPoint<F> {
        let (rows, groups) = tables.first().map_or((0, 0), |table| (table.rows, table.groups.len()));
        let stride = rows * groups;
        let mut sums = Zeroizing::new(vec![EdwardsPoint::identity(); rows]);
        let [mut minus, mut plus, mut t] = [(); 3].map(|()| Zeroizing::new([F::zero(); MAX_LANES]));
        for g in 0..groups {
            for (row, sum) in sums.iter_mut().enumerate() {
                let position = g * rows + row;
                for (i, (table, digits)) in tables.iter().zip(digits).enumerate() {
                    let selection = Selection::new(digits, position, stride);
                    (minus[i], plus[i], t[i]) = table.groups[g].select(&selection);
                }
                for entries in [&mut minus, &mut plus, &mut t] {
                    F::transpose(entries);
                }
                for lane in 0..F::LANES {
                    let sign = |i: usize| digits.get(i).map_or(0, |digits| digits.sign(position + lane * stride));
                    let negative = F::equal(&core::array::from_fn(sign), 1);
                    *sum = sum.add_selected(&negative, &minus[lane], &plus[lane], &t[lane]);
                }
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
}
