//! The lines of a step as one polynomial.
//!
//! A step takes f to f^4 h. In h are the lines of the step, the first of them squared, divided by all verticals that
//! they have as factors together: the values of verticals lie in F_p. With C the point where the step starts and S = A
//! or -A, h is the function without poles but at infinity whose zeros are
//!
//! ```text
//! digit 0       C four times, and -F where F = [4]C
//! digit 1, -1   C four times, S, and -D where D = [4]C + S
//! digit 2, -2   C four times, S twice, and -F where F = [4]C + [2]S
//! ```
//!
//! So it is h = a(x) + y b(x), with as many coefficients as zeros but one, as the leading one, of xy, x^3 or
//! x^2 y, is 1. Let the first doubling have the tangent y = L_1 with slope l_1 and lead to E, or E come after it by a
//! chord y = L with slope m, when the digit is 2 or -2; let the tangent at E be y = L_2 with slope l_2. Then
//!
//! ```text
//! digit 0       h = (y - L_2)(x + s) - 2 L_1 (x - Fx)             s = 2 l_1 (l_1 + l_2) + Ex - 2 Cx
//! digit 1, -1   h = (x + s)(x - Sx)(x - Dx) - (y - L)((l_2 + m)(x + s) + 2 L_1)
//! digit 2, -2   h = (y - L_2) V - 2k (x - Fx)((x - Sx)(x - Ex) + kL)                      k = l_1 + m
//!               V = 2(x + u)(x + w) - (x + Ex - 2 Cx)(x - Sx) - (Ex - Cx)^2 - 2k Ey
//!               u = km - Sx, w = u + k l_2
//! ```
//!
//! where for 1 and -1 the chord y = L with slope m is the one through F and S. All of it follows from the product of
//! two lines through opposite points (Vx, Vy) and (Vx, -Vy), which has a vertical as a factor: if y = M_1 meets E also
//! in points with the coordinates x_1 and x_2,
//!
//! ```text
//! (y - M_1)(y - M_2) / (x - Vx) = (slope of M_1 + slope of M_2)(M_1 - y) + (x - x_1)(x - x_2)
//! ```

use zeroize::Zeroize;

use super::digits::{NOTHING, StepDigits};
use crate::field::{Fp2, Lanes};
use crate::group::curve::AffinePoint;

/// a_3 x^3 + a_2 x^2 + a_1 x + a_0 + y(b_2 x^2 + b_1 x + b_0), in each lane according to its digit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Polynomial<F: Lanes> {
    a: [F::Sum; 4],
    b: [F::Sum; 3],
    digits: StepDigits,
}

impl<F: Lanes> Polynomial<F> {
    /// f^4 h at [i]Q.
    ///
    /// With 4 multiplications for f^4 and 3 for the product, there are 10, 11 or 12 by the magnitude of the digit:
    /// 5,630 in the whole loop, with the reductions that sums share counted in full.
    pub(super) fn apply(&self, f: &Fp2<F>, q: &Argument<F>) -> Fp2<F> {
        let [a0, a1, a2, a3] = &self.a;
        let [b0, b1, b2] = &self.b;
        let [x, xx, xxx] = q.x.each_ref().map(F::as_sum);
        let [y, xy, xxy] = q.y.each_ref().map(F::as_sum);
        let quadratic = || F::add(F::multiply_add(a2, xx, a1, x).as_sum(), a0);
        let cubic = || F::add(F::sum_of_products([(a3, xxx), (a2, xx), (a1, x)]).as_sum(), a0);
        let (real, imaginary) = match self.digits.common_magnitude() {
            Some(0) => (quadratic(), F::add(xy, F::multiply(b0, y).as_sum())),
            Some(1) => (F::add(&quadratic(), xxx), *F::multiply_add(b1, xy, b0, y).as_sum()),
            Some(2) => (cubic(), F::add(xxy, F::multiply_add(b1, xy, b0, y).as_sum())),
            _ => (cubic(), *F::sum_of_products([(b2, xxy), (b1, xy), (b0, y)]).as_sum()),
        };
        f.square().square().multiply(&real, &imaginary)
    }

    /// What one lane has, in all lanes.
    pub(super) fn spread(&self, lane: usize) -> Self {
        let spread = |coefficient: &F::Sum| F::spread(coefficient, lane);
        Self { a: self.a.each_ref().map(spread), b: self.b.each_ref().map(spread), digits: self.digits.spread(lane) }
    }

    /// The same, but in the lanes with the given magnitude what `other` has.
    fn choose(&self, magnitude: u8, other: &Self) -> Self {
        let mask = self.digits.with::<F>(magnitude);
        let choose = |i: &F::Sum, j: &F::Sum| F::choose(&mask, j, i);
        Self {
            a: core::array::from_fn(|i| choose(&self.a[i], &other.a[i])),
            b: core::array::from_fn(|i| choose(&self.b[i], &other.b[i])),
            digits: self.digits,
        }
    }
}

impl<F: Lanes> Zeroize for Polynomial<F> {
    fn zeroize(&mut self) {
        self.a.zeroize();
        self.b.zeroize();
    }
}

/// The second argument of the pairing, distorted: powers of -x, and y with each of them.
pub(super) struct Argument<F> {
    /// x, x^2, x^3.
    x: [F; 3],
    /// y, xy, x^2 y.
    y: [F; 3],
}

impl<F: Lanes> Argument<F> {
    /// [i](x, y) = (-x, iy); the i goes into [`Polynomial::apply`].
    pub(super) fn gather(point: impl Fn(usize) -> AffinePoint) -> Self {
        let x = F::gather(|lane| point(lane).x.negate());
        let y = F::gather(|lane| point(lane).y);
        let times_x = |value: &F| F::multiply(value.as_sum(), x.as_sum());
        let (xx, xy) = (times_x(&x), times_x(&y));
        Self { x: [x, xx, times_x(&xx)], y: [y, xy, times_x(&xy)] }
    }
}

/// A point of the walk, from which the next step starts.
#[derive(Clone, Copy)]
pub(super) struct Current<F> {
    pub(super) x: F,
    pub(super) y: F,
}

impl<F: Zeroize> Zeroize for Current<F> {
    fn zeroize(&mut self) {
        self.x.zeroize();
        self.y.zeroize();
    }
}

impl<F: Lanes> Current<F> {
    /// Where the line with this slope leads to, through a point with the coordinate x besides: the other point of the
    /// chord, or this point itself.
    fn follow(&self, slope: &F, x: &F) -> Self {
        let slope = slope.as_sum();
        let next_x = F::multiply_subtract(slope, slope, &F::add(self.x.as_sum(), x.as_sum()));
        let next_y = F::multiply_subtract(slope, &F::subtract(self.x.as_sum(), &next_x), self.y.as_sum());
        Self { x: next_x, y: next_y }
    }

    /// n of the line lx - n through this point.
    fn offset(&self, slope: &F) -> F {
        F::multiply_subtract(slope.as_sum(), self.x.as_sum(), self.y.as_sum())
    }

    fn choose(&self, mask: F::Mask, other: &Self) -> Self {
        let masks = [mask];
        Self { x: F::select(&[other.x], &masks, &self.x), y: F::select(&[other.y], &masks, &self.y) }
    }

    /// Goes one step along the slopes, and gives the polynomial; S in each lane is A or -A.
    pub(super) fn step(&mut self, [l1, m1, l2, m2]: &[F; 4], s: &Self, digits: StepDigits) -> Polynomial<F> {
        let c = *self;
        let mut e = c.follow(l1, &c.x);
        if digits.have(2) {
            e = e.choose(digits.with::<F>(2), &e.follow(m1, &s.x));
        }
        let f = e.follow(l2, &e.x);
        *self = f;
        let (zero, one) = (F::zero(), F::one());
        let mut polynomial = Polynomial { a: [*zero.as_sum(); 4], b: [*zero.as_sum(); 3], digits };
        polynomial.a[0] = *one.as_sum();
        let lines = StepLines { l1, l2, c: &c, s, e: &e, f: &f };
        if digits.have(0) || digits.have(1) {
            let double = lines.double();
            if digits.have(0) {
                polynomial = polynomial.choose(0, &lines.zero(&double, digits));
            }
            if digits.have(1) {
                *self = self.choose(digits.with::<F>(1), &f.follow(m2, &s.x));
                polynomial = polynomial.choose(1, &lines.one(&double, m2, self, digits));
            }
        }
        if digits.have(2) {
            polynomial = polynomial.choose(2, &lines.two(m1, digits));
        }
        if digits.have(NOTHING) {
            *self = self.choose(digits.with::<F>(NOTHING), &c);
        }
        polynomial
    }
}

/// The names that the head of this file gives.
struct StepLines<'a, F> {
    l1: &'a F,
    l2: &'a F,
    c: &'a Current<F>,
    s: &'a Current<F>,
    e: &'a Current<F>,
    f: &'a Current<F>,
}

/// What digits 0, 1 and -1 have in common: s, and n of L_1.
struct Double<F> {
    s: F,
    n1: F,
}

impl<F: Lanes> StepLines<'_, F> {
    fn double(&self) -> Double<F> {
        let [l1, l2, cx] = [self.l1, self.l2, &self.c.x].map(F::as_sum);
        let cx2_minus_ex = F::subtract(&F::add(cx, cx), &self.e.x);
        Double { s: F::multiply_subtract(&F::add(l1, l1), &F::add(l1, l2), &cx2_minus_ex), n1: self.c.offset(self.l1) }
    }

    fn zero(&self, Double { s, n1 }: &Double<F>, digits: StepDigits) -> Polynomial<F> {
        let n2 = self.e.offset(self.l2);
        let [l1, l2, fx, s_sum, n1, n2] = [self.l1, self.l2, &self.f.x, s, n1, &n2].map(F::as_sum);
        let (l1_fx, n1_fx) = (F::multiply(l1, fx), F::multiply(n1, fx));
        let (l2_s, n2_s) = (F::multiply(l2, s_sum), F::multiply(n2, s_sum));
        let zero = F::zero();
        let minus_l2 = F::subtract(zero.as_sum(), self.l2);
        let a2 = F::subtract(&F::subtract(&minus_l2, self.l1), self.l1);
        let sum = F::add(n1, l1_fx.as_sum());
        let a1 = F::subtract(&F::add(&F::add(&sum, &sum), n2), &l2_s);
        let a0 = F::subtract(&F::subtract(n2_s.as_sum(), &n1_fx), &n1_fx);
        let [zero, one] = [*zero.as_sum(), *F::one().as_sum()];
        Polynomial { a: [a0, a1, a2, zero], b: [*s_sum, one, zero], digits }
    }

    /// With -w_1 x - w_0 = -((l_2 + m)(x + s) + 2 L_1).
    fn one(&self, Double { s, n1 }: &Double<F>, m: &F, d: &Current<F>, digits: StepDigits) -> Polynomial<F> {
        let n = self.s.offset(m);
        let [l2, m_sum, s_sum, n1, n] = [self.l2, m, s, n1, &n].map(F::as_sum);
        let zero = F::zero();
        let minus = |sum: F::Sum, value: &F| F::subtract(&sum, value);
        let w1 = minus(minus(minus(minus(*zero.as_sum(), self.l2), m), self.l1), self.l1);
        let w0 = F::subtract(&F::add(n1, n1), &F::multiply(&F::add(l2, m_sum), s_sum));
        // (x - Sx)(x - Dx) = x^2 - px + r
        let p = F::add(self.s.x.as_sum(), d.x.as_sum());
        let r = F::multiply(self.s.x.as_sum(), d.x.as_sum());
        let a2 = minus(minus(F::subtract(s_sum, &self.s.x), &d.x), &F::multiply(m_sum, &w1));
        let a1 = F::add(r.as_sum(), F::multiply(n, &w1).as_sum());
        let a1 = minus(minus(a1, &F::multiply(s_sum, &p)), &F::multiply(m_sum, &w0));
        let a0 = *F::multiply_add(s_sum, r.as_sum(), n, &w0).as_sum();
        let [zero, one] = [*zero.as_sum(), *F::one().as_sum()];
        Polynomial { a: [a0, a1, a2, one], b: [w0, w1, zero], digits }
    }

    fn two(&self, m: &F, digits: StepDigits) -> Polynomial<F> {
        let (n, n2) = (self.s.offset(m), self.e.offset(self.l2));
        let [l1, l2, m_sum, n, n2] = [self.l1, self.l2, m, &n, &n2].map(F::as_sum);
        let [cx, sx, ex, ey, fx] = [&self.c.x, &self.s.x, &self.e.x, &self.e.y, &self.f.x].map(F::as_sum);
        let k = F::add(l1, m_sum);
        let u = F::subtract(F::multiply(&k, m_sum).as_sum(), &self.s.x);
        let w = F::add(&u, F::multiply(&k, l2).as_sum());
        // V = x^2 + v_1 x + v_0
        let u_plus_w = F::add(&u, &w);
        let v1 = F::subtract(&F::add(&F::add(&u_plus_w, &u_plus_w), &F::add(&F::add(cx, cx), sx)), &self.e.x);
        let ex_minus_cx = F::subtract(ex, &self.c.x);
        let v0 = F::subtract(F::multiply(&u, &w).as_sum(), &F::multiply(&k, ey));
        let v0 = F::add(&F::add(&v0, &v0), F::multiply(&F::subtract(&ex_minus_cx, &self.c.x), sx).as_sum());
        let v0 = F::subtract(&v0, &F::multiply(&ex_minus_cx, &ex_minus_cx));
        // (x - Sx)(x - Ex) + kL = x^2 + px + r
        let p = F::subtract(&u, &self.e.x);
        let r = F::subtract(F::multiply(sx, ex).as_sum(), &F::multiply(&k, n));

        let k2 = F::add(&k, &k);
        let zero = F::zero();
        let a3 = F::subtract(&F::subtract(&F::subtract(zero.as_sum(), self.l2), self.l1), self.l1);
        let a3 = F::subtract(&F::subtract(&a3, m), m);
        let a2 = F::subtract(n2, &F::multiply(l2, &v1));
        let a2 = F::subtract(&a2, &F::multiply(&k2, &F::subtract(&p, &self.f.x)));
        let a1 = F::subtract(F::multiply(n2, &v1).as_sum(), &F::multiply(l2, &v0));
        let a1 = F::subtract(&a1, &F::multiply(&k2, &F::subtract(&r, &F::multiply(fx, &p))));
        let a0 = *F::multiply_add(n2, &v0, &k2, F::multiply(&r, fx).as_sum()).as_sum();
        Polynomial { a: [a0, a1, a2, a3], b: [v0, v1, *F::one().as_sum()], digits }
    }
}
