//! The walk from A to [q]A, one point after the other.

use alloc::vec;
use alloc::vec::Vec;

use zeroize::Zeroize;

use super::digits::{DIGITS, place};
use crate::field::{Fp, Lanes, Pair};
use crate::group::curve::{AffinePoint, OrderQ};
use crate::secret::Secret;

/// The slope of the tangent or chord that leads from one point (X/Z^2, Y/Z^3) of the walk to the next, as a fraction.
/// Its denominator is the next Z, and that is Z times `factor`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slope<S> {
    pub(super) numerator: S,
    pub(super) factor: S,
}

/// The slopes of one step: a doubling, the addition of a digit 2 or -2, a doubling, the addition of a digit 1 or -1. An
/// addition that there is not has the factor 1.
pub(super) type Slopes<S> = [Slope<S>; 4];

/// What the walk meets, every chunk of it in the lane that it belongs to.
#[derive(Debug)]
pub(super) struct Walk<F: Lanes> {
    pub(super) steps: Secret<Vec<Slopes<F::Sum>>>,
    /// X and Y where a chunk starts.
    pub(super) start: Secret<[F::Sum; 2]>,
    /// Z where a chunk ends.
    pub(super) end_z: Secret<F::Sum>,
}

impl<F: Lanes> Walk<F> {
    /// Constant time in the point.
    pub(super) fn new(point: &OrderQ) -> Self {
        let AffinePoint { x, y } = point.affine();
        let mut plus = F::Pair::new(x, y);
        let mut minus = F::Pair::new(x, &y.negate());
        let mut current = Jacobian { x: plus, yz: F::Pair::new(y, &Fp::ONE) };

        let (zero, one) = (*F::zero().as_sum(), *F::one().as_sum());
        let absent = Slope { numerator: zero, factor: one };
        let mut walk = Self {
            steps: Secret::new(vec![[absent; 4]; super::digits::chunk::<F>()]),
            start: Secret::new([zero; 2]),
            end_z: Secret::new(one),
        };
        walk.begin(0, &current);
        for (i, digit) in DIGITS.into_iter().enumerate() {
            let (lane, step) = place::<F>(i);
            if step == 0 {
                walk.begin(lane, &current);
            }
            let slopes = &mut walk.steps.expose_mut()[step];
            let addend = if digit < 0 { &minus } else { &plus };
            slopes[0].set_lane::<F>(lane, &current.double());
            if digit.abs() == 2 {
                slopes[1].set_lane::<F>(lane, &current.add(addend));
            }
            slopes[2].set_lane::<F>(lane, &current.double());
            // The chord of the last digit is the vertical through A and -A, left out by its position.
            if digit.abs() == 1 && i < DIGITS.len() - 1 {
                slopes[3].set_lane::<F>(lane, &current.add(addend));
            }
            F::set_lane(walk.end_z.expose_mut(), lane, &current.yz.swap());
        }
        [&mut plus, &mut minus, &mut current.x, &mut current.yz].into_iter().for_each(Zeroize::zeroize);
        walk
    }

    fn begin(&mut self, lane: usize, point: &Jacobian<F::Pair>) {
        let [x, y] = self.start.expose_mut();
        F::set_lane(x, lane, &point.x);
        F::set_lane(y, lane, &point.yz);
    }
}

impl<S> Slope<S> {
    fn set_lane<F: Lanes<Sum = S>>(&mut self, lane: usize, slope: &Slope<F::Pair>) {
        F::set_lane(&mut self.numerator, lane, &slope.numerator);
        F::set_lane(&mut self.factor, lane, &slope.factor);
    }
}

impl<S: Zeroize> Zeroize for Slope<S> {
    fn zeroize(&mut self) {
        self.numerator.zeroize();
        self.factor.zeroize();
    }
}

/// A point (X/Z^2, Y/Z^3): of the pair `x` only the first element counts, and so in slopes.
struct Jacobian<T> {
    x: T,
    yz: T,
}

// In the comments to the products, | stands between the two elements of a pair.
impl<T: Pair> Jacobian<T> {
    /// Doubles, and gives the slope n / (2YZ) of the tangent, n = 3(X - Z^2)(X + Z^2). 8 products.
    fn double(&mut self) -> Slope<T> {
        let (x, yz, zy) = (self.x, self.yz, self.yz.swap());
        // Y^2 | Z^2
        let yy_zz = yz.multiply(&yz);
        let zz_yy = yy_zz.swap();
        // (X - Z^2)(X + Z^2) | YZ
        let products = x.subtract(&zz_yy).with_second_of(&zy).multiply(&x.add(&zz_yy).with_second_of(&yz));
        let twice = products.double();
        let n = twice.add(&products);
        // XY^2 | n^2
        let second_n = n.swap();
        let xyy_nn = x.with_second_of(&second_n).multiply(&yy_zz.with_second_of(&second_n));
        let (nn, xyy4) = (xyy_nn.swap(), xyy_nn.double().double());
        let xyy8 = xyy4.double();
        // n(4XY^2 - X'), where X' = n^2 - 8XY^2 | Y^4
        let difference = xyy8.add(&xyy4).subtract(&nn);
        let last = n.with_second_of(&zz_yy).multiply(&difference.with_second_of(&zz_yy));
        let yyyy8 = last.swap().double().double().double();
        self.x = nn.subtract(&xyy8);
        self.yz = last.subtract(&yyyy8).with_second_of(&twice);
        Slope { numerator: n, factor: yz.double() }
    }

    /// Adds an affine point S, given as x | y, and gives the slope r / (Zh) of the chord, h = X - Sx Z^2 and
    /// r = Y - Sy Z^3. 11 products.
    fn add(&mut self, s: &T) -> Slope<T> {
        let (x, yz, zy) = (self.x, self.yz, self.yz.swap());
        let zz = zy.multiply(&zy);
        // Sx Z^2 | Z^3
        let products = s.with_second_of(&yz).multiply(&zz.with_second_of(&zz.swap()));
        let h = x.subtract(&products);
        let second_h = h.swap();
        // h^2 | Sy Z^3
        let hh_y = h.with_second_of(s).multiply(&h.with_second_of(&products));
        let r = yz.subtract(&hh_y.swap());
        // Xh^2 | h^3
        let xhh_hhh = x.with_second_of(&second_h).multiply(&hh_y.with_second_of(&hh_y.swap()));
        // r^2 | Zh
        let rr_z = r.with_second_of(&yz).multiply(&r.with_second_of(&second_h));
        // r(Xh^2 - X'), where X' = r^2 + h^3 - 2Xh^2 | Yh^3
        let sum = rr_z.add(&xhh_hhh.swap());
        let xhh2 = xhh_hhh.double();
        let difference = xhh2.add(&xhh_hhh).subtract(&sum);
        let last = r.with_second_of(&zy).multiply(&difference.with_second_of(&xhh_hhh));
        self.x = sum.subtract(&xhh2);
        self.yz = last.subtract(&last.swap()).with_second_of(&rr_z);
        Slope { numerator: r, factor: h }
    }
}
