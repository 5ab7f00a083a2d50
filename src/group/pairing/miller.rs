//! Miller's loop over prepared steps.

use alloc::vec::Vec;
use core::fmt;

use zeroize::{Zeroize, Zeroizing};

use super::PreparedPairing;
use super::digits::{StepDigits, chunk};
use super::polynomial::{Argument, Current, Polynomial};
use super::walk::Walk;
use crate::field::{Fp, Fp2, Lanes};
use crate::group::curve::{AffinePoint, OrderQ};
use crate::secret::Secret;

/// The steps of the loop in as many chunks as F has lanes: some 460 KB with one lane, 570 KB with eight.
#[derive(Debug)]
pub(crate) struct MillerLines<F: Lanes>(Secret<Vec<Polynomial<F>>>);

impl<F: Lanes> MillerLines<F> {
    /// Constant time in the point.
    pub(crate) fn new(point: &OrderQ) -> Self {
        let walk = Walk::<F>::new(point);
        // From the last step to the first: 1/Z gives the slopes that lead here, and times their factors the 1/Z before.
        let mut z_inverse = Zeroizing::new(inverse::<F>(walk.end_z.expose()));
        let mut slopes = Secret::new(Vec::with_capacity(chunk::<F>()));
        for step in (0..chunk::<F>()).rev() {
            let digits = StepDigits::new::<F>(step);
            let mut own = [F::zero(); 4];
            for (i, fraction) in walk.steps.expose()[step].iter().enumerate().rev() {
                if digits.have_slope(i) {
                    own[i] = F::multiply(&fraction.numerator, z_inverse.as_sum());
                    *z_inverse = F::multiply(&fraction.factor, z_inverse.as_sum());
                }
            }
            slopes.expose_mut().push(own);
        }
        // Back to the last one, along the points.
        let [x, y] = walk.start.expose();
        let square = F::multiply(z_inverse.as_sum(), z_inverse.as_sum());
        let y = F::multiply(y, z_inverse.as_sum());
        let scaled = |value: &F::Sum| F::multiply(value, square.as_sum());
        let mut current = Zeroizing::new(Current { x: scaled(x), y: scaled(y.as_sum()) });
        let mut steps = Secret::new(Vec::with_capacity(chunk::<F>()));
        let AffinePoint { x, y } = *point.affine();
        let own = Zeroizing::new([F::gather(|_| x), F::gather(|_| y), F::gather(|_| y.negate())]);
        let [x, plus, minus] = &*own;
        for (step, slopes) in slopes.expose().iter().rev().enumerate() {
            let digits = StepDigits::new::<F>(step);
            let y = F::select(core::array::from_ref(minus), &[digits.negative::<F>()], plus);
            let s = Zeroizing::new(Current { x: *x, y });
            steps.expose_mut().push(current.step(slopes, &s, digits));
        }
        Self(steps)
    }
}

/// The inverse in each lane, with one inversion; no lane is 0, since a walk of a point of order q does not meet, before
/// its end, points of order 2, nor A and -A.
fn inverse<F: Lanes>(sum: &F::Sum) -> F {
    let value = F::multiply(sum, F::one().as_sum());
    let mut lanes: Zeroizing<Vec<Fp>> = Zeroizing::new((0..F::LANES).map(|lane| value.lane(lane)).collect());
    Fp::invert_all(&mut lanes);
    F::gather(|lane| lanes[lane])
}

impl<F: Lanes + fmt::Debug> PreparedPairing for MillerLines<F> {
    /// Each lane takes its own chunk.
    fn pair(&self, q: &AffinePoint) -> Fp2<Fp> {
        let q = Argument::<F>::gather(|_| *q);
        let mut f = Fp2::one();
        for step in self.0.expose() {
            f = step.apply(&f, &q);
        }
        let (a, b) = F::join(&f.a, &f.b, 2 * chunk::<F>());
        f.zeroize();
        Fp2 { a, b }.square().square()
    }

    /// Each lane takes an argument of its own, through all chunks.
    fn pair_batch(&self, q: &[AffinePoint]) -> Vec<Fp2<Fp>> {
        let mut values = Vec::with_capacity(q.len());
        for q in q.chunks(F::LANES) {
            // Lanes without an argument repeat the first.
            let argument = Argument::<F>::gather(|lane| q[if lane < q.len() { lane } else { 0 }]);
            let mut f = Fp2::<F>::one();
            for lane in 0..F::LANES {
                for step in self.0.expose() {
                    f = step.spread(lane).apply(&f, &argument);
                }
            }
            f = f.square().square();
            values.extend((0..q.len()).map(|lane| f.lane(lane)));
            f.zeroize();
        }
        values
    }
}
