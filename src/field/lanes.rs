//! Elements of F_p side by side: what the algorithms of `group` are written in, whatever computes them.

use core::fmt;

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroize;

use super::{Fp, Pair};
use crate::backend::product::Product;

/// The most lanes that any backend has.
pub(crate) const MAX_LANES: usize = 8;

/// As many elements of F_p as a backend computes with at once, all treated alike.
///
/// A value is reduced as far as multiplication reduces it. Sums and differences of values are of another type, because
/// a backend may leave them unreduced. The rule that keeps them within bounds: where a sum of n values is multiplied by
/// one of m values, nm is at most 800, and so is the total over the products that are added up.
pub(crate) trait Lanes: Copy + Zeroize + Send + Sync + 'static {
    /// Sums and differences.
    type Sum: Copy + Zeroize + Send + Sync + fmt::Debug;
    /// Which lanes something applies to; may be secret.
    type Mask: Copy;
    /// Two elements that do not come from the lanes of a value.
    type Pair: Pair;

    /// How many elements there are.
    const LANES: usize;

    fn zero() -> Self;

    fn one() -> Self;

    /// An element for each lane.
    fn gather(element: impl Fn(usize) -> Fp) -> Self;

    /// The element in one lane.
    fn lane(&self, lane: usize) -> Fp;

    /// Lane i takes the element of lane i + `by`, modulo the number of lanes.
    fn rotate(&self, by: usize) -> Self;

    /// The sum in one lane, in all lanes.
    fn spread(sum: &Self::Sum, lane: usize) -> Self::Sum;

    /// Writes the first element of a pair into one lane: it counts as the 18 values that it is at most.
    fn set_lane(sum: &mut Self::Sum, lane: usize, pair: &Self::Pair);

    /// Lane i of value j changes places with lane j of value i, for as many of the values as there are lanes.
    fn transpose(values: &mut [Self; MAX_LANES]);

    /// This value as a sum of one.
    fn as_sum(&self) -> &Self::Sum;

    /// a + b.
    fn add(a: &Self::Sum, b: &Self::Sum) -> Self::Sum;

    /// a - b.
    fn subtract(a: &Self::Sum, b: &Self) -> Self::Sum;

    /// ab.
    fn multiply(a: &Self::Sum, b: &Self::Sum) -> Self;

    /// ab + cd.
    fn multiply_add(a: &Self::Sum, b: &Self::Sum, c: &Self::Sum, d: &Self::Sum) -> Self;

    /// The sum of three products.
    fn sum_of_products(pairs: [(&Self::Sum, &Self::Sum); 3]) -> Self;

    /// ab - c.
    fn multiply_subtract(a: &Self::Sum, b: &Self::Sum, c: &Self::Sum) -> Self;

    /// (a + ib)(c + id) in F_p^2: ac - bd and ad + bc.
    fn multiply_complex(a: &Self, b: &Self, c: &Self::Sum, d: &Self::Sum) -> (Self, Self);

    /// The lanes of a + ib joined into one element: for each lane but the last, in their order, the product so far is
    /// multiplied by it and then squared `squarings` times; by the last it is multiplied.
    fn join(a: &Self, b: &Self, squarings: usize) -> (Fp, Fp);

    /// The lanes in which an octet, one for each lane, has the given value.
    fn equal(octets: &[u8; MAX_LANES], value: u8) -> Self::Mask;

    /// In each lane the one sum or the other.
    fn choose(mask: &Self::Mask, set: &Self::Sum, unset: &Self::Sum) -> Self::Sum;

    /// In each lane the entry whose mask has that lane, and the default where none has. Every entry is read.
    fn select<const N: usize>(entries: &[Self; N], masks: &[Self::Mask; N], default: &Self) -> Self;
}

/// One element, computed by the backends `portable` and `adx`.
impl Lanes for Fp {
    type Sum = Self;
    type Mask = Choice;
    type Pair = [Self; 2];

    const LANES: usize = 1;

    fn zero() -> Self {
        Self::ZERO
    }

    fn one() -> Self {
        Self::ONE
    }

    fn gather(element: impl Fn(usize) -> Fp) -> Self {
        element(0)
    }

    fn lane(&self, _: usize) -> Fp {
        *self
    }

    fn rotate(&self, _: usize) -> Self {
        *self
    }

    fn spread(sum: &Self, _: usize) -> Self {
        *sum
    }

    fn set_lane(sum: &mut Self, _: usize, pair: &[Self; 2]) {
        [*sum, _] = *pair;
    }

    fn transpose(_: &mut [Self; MAX_LANES]) {}

    fn as_sum(&self) -> &Self {
        self
    }

    fn add(a: &Self, b: &Self) -> Self {
        a.add(b)
    }

    fn subtract(a: &Self, b: &Self) -> Self {
        a.subtract(b)
    }

    fn multiply(a: &Self, b: &Self) -> Self {
        a.multiply(b)
    }

    fn multiply_add(a: &Self, b: &Self, c: &Self, d: &Self) -> Self {
        Product::of(a, b).add(&Product::of(c, d)).reduce()
    }

    fn sum_of_products(pairs: [(&Self, &Self); 3]) -> Self {
        let [one, two, three] = pairs.map(|(a, b)| Product::of(a, b));
        one.add(&two).add(&three).reduce()
    }

    fn multiply_subtract(a: &Self, b: &Self, c: &Self) -> Self {
        a.multiply(b).subtract(c)
    }

    /// By Karatsuba's method, three products for four, and with two reductions.
    fn multiply_complex(a: &Self, b: &Self, c: &Self, d: &Self) -> (Self, Self) {
        let (ac, bd) = (Product::of(a, c), Product::of(b, d));
        let all = Product::of(&a.add(b), &c.add(d));
        (ac.subtract(&bd).reduce(), all.subtract(&ac).subtract(&bd).reduce())
    }

    fn join(a: &Self, b: &Self, _: usize) -> (Fp, Fp) {
        (*a, *b)
    }

    fn equal(octets: &[u8; MAX_LANES], value: u8) -> Choice {
        octets[0].ct_eq(&value)
    }

    fn choose(mask: &Choice, set: &Self, unset: &Self) -> Self {
        Self::conditional_select(unset, set, *mask)
    }

    fn select<const N: usize>(entries: &[Self; N], masks: &[Choice; N], default: &Self) -> Self {
        let mut selected = *default;
        for (entry, mask) in entries.iter().zip(masks) {
            selected.conditional_assign(entry, *mask);
        }
        selected
    }
}

/// Eight elements in AVX-512 IFMA.
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
mod ifma {
    use zeroize::Zeroize;

    use super::{Fp, Lanes, MAX_LANES, Pair};
    use crate::backend::ifma::{self, Complex, Fp8, LANES, Sum8};

    impl Lanes for Fp8 {
        type Sum = Sum8;
        type Mask = u8;
        type Pair = ifma::Pair;

        const LANES: usize = LANES;

        fn zero() -> Self {
            Self::zero()
        }

        fn one() -> Self {
            Self::one()
        }

        fn gather(element: impl Fn(usize) -> Fp) -> Self {
            Self::from_numbers(&core::array::from_fn(|lane| element(lane).to_words()))
        }

        fn lane(&self, lane: usize) -> Fp {
            Fp::from_words(&self.number(lane))
        }

        fn rotate(&self, by: usize) -> Self {
            self.rotate(by)
        }

        fn spread(sum: &Sum8, lane: usize) -> Sum8 {
            sum.spread(lane)
        }

        fn set_lane(sum: &mut Sum8, lane: usize, pair: &ifma::Pair) {
            sum.set_lane(lane, &pair.first());
        }

        fn transpose(values: &mut [Self; MAX_LANES]) {
            Self::transpose(values);
        }

        fn as_sum(&self) -> &Sum8 {
            self.as_sum()
        }

        fn add(a: &Sum8, b: &Sum8) -> Sum8 {
            a.add(b)
        }

        fn subtract(a: &Sum8, b: &Self) -> Sum8 {
            a.subtract(b)
        }

        fn multiply(a: &Sum8, b: &Sum8) -> Self {
            a.multiply(b)
        }

        fn multiply_add(a: &Sum8, b: &Sum8, c: &Sum8, d: &Sum8) -> Self {
            Sum8::multiply_add(a, b, c, d)
        }

        fn sum_of_products(pairs: [(&Sum8, &Sum8); 3]) -> Self {
            Sum8::sum_of_products(pairs)
        }

        fn multiply_subtract(a: &Sum8, b: &Sum8, c: &Sum8) -> Self {
            Sum8::multiply_add(a, b, c, Self::minus_one().as_sum())
        }

        /// Two products share a reduction.
        fn multiply_complex(a: &Self, b: &Self, c: &Sum8, d: &Sum8) -> (Self, Self) {
            let minus_b = Self::zero().as_sum().subtract(b);
            let (a, b) = (a.as_sum(), b.as_sum());
            (Sum8::multiply_add(a, c, &minus_b, d), Sum8::multiply_add(a, d, b, c))
        }

        fn join(a: &Self, b: &Self, squarings: usize) -> (Fp, Fp) {
            let mut product = Complex::from_lane(a, b, 0);
            for lane in 1..LANES {
                for _ in 0..squarings {
                    product = product.square();
                }
                product = product.multiply(&Complex::from_lane(a, b, lane));
            }
            let [a, b] = product.numbers();
            product.zeroize();
            (Fp::from_words(&a), Fp::from_words(&b))
        }

        fn equal(octets: &[u8; MAX_LANES], value: u8) -> u8 {
            ifma::equal(octets, value)
        }

        fn choose(mask: &u8, set: &Sum8, unset: &Sum8) -> Sum8 {
            Sum8::choose(*mask, set, unset)
        }

        fn select<const N: usize>(entries: &[Self; N], masks: &[u8; N], default: &Self) -> Self {
            Self::select(entries, masks, default)
        }
    }

    impl Pair for ifma::Pair {
        fn new(first: &Fp, second: &Fp) -> Self {
            Self::from_numbers(&first.to_words(), &second.to_words())
        }

        fn multiply(&self, other: &Self) -> Self {
            self.multiply(other)
        }

        fn add(&self, other: &Self) -> Self {
            self.add(other)
        }

        fn subtract(&self, other: &Self) -> Self {
            self.subtract(other)
        }

        fn swap(&self) -> Self {
            self.swap()
        }

        fn with_second_of(&self, other: &Self) -> Self {
            self.with_second_of(other)
        }
    }
}
