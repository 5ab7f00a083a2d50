//! The fields against plain big integers.

use num_bigint::BigUint;
use num_traits::{One, Zero};
use proptest::prelude::*;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroize;

use super::fp::P;
use super::scalar::{Q, Scalar};
use super::{Fp, Fp2, Lanes, Pair};
use crate::backend::portable::{ModulusOf, Residue};
use crate::oracle;

mod edges;

fn modulus<M: ModulusOf>() -> BigUint {
    oracle::integer(M::HEX)
}

/// The residue of a number below 2^1024.
fn residue<M: ModulusOf>(number: &BigUint) -> Residue<M> {
    Residue::from_octets_reduced(&octets(number))
}

fn number<M: ModulusOf>(residue: &Residue<M>) -> BigUint {
    oracle::from_octets(&residue.to_octets())
}

fn octets(number: &BigUint) -> [u8; 128] {
    oracle::octets(number, 128).try_into().unwrap()
}

/// Numbers below 2^1024: random ones, and those at which carries run through all words.
fn numbers() -> impl Strategy<Value = BigUint> {
    let edges = |modulus: BigUint| {
        let around = (0..3u32).flat_map(move |i| [&modulus - i, &modulus + i, BigUint::from(i)]);
        let powers = (0..1024).step_by(32).map(|bit| (BigUint::one() << bit) - 1u32);
        around.chain(powers).chain([(BigUint::one() << 1024) - 1u32]).collect::<Vec<_>>()
    };
    prop_oneof![
        any::<[u8; 128]>().prop_map(|octets| oracle::from_octets(&octets)),
        prop::sample::select(edges(modulus::<P>())),
        prop::sample::select(edges(modulus::<Q>())),
    ]
}

/// All operations on two numbers, modulo one modulus.
fn agrees<M: ModulusOf>(a: &BigUint, b: &BigUint) {
    let m = modulus::<M>();
    let (a, b) = (a % &m, b % &m);
    let (x, y) = (residue::<M>(&a), residue::<M>(&b));
    assert_eq!(number(&x), a);
    assert_eq!(number(&x.add(&y)), (&a + &b) % &m);
    assert_eq!(number(&x.subtract(&y)), (&a + &m - &b) % &m);
    assert_eq!(number(&x.negate()), (&m - &a) % &m);
    assert_eq!(number(&x.double()), (&a * 2u32) % &m);
    assert_eq!(number(&x.multiply(&y)), (&a * &b) % &m);
    assert_eq!(number(&x.square()), (&a * &a) % &m);
    assert_eq!(Option::from(x.invert()).map(|inverse| number(&inverse)), a.modinv(&m));
    assert_eq!(bool::from(x.ct_eq(&y)), a == b);
    assert_eq!(bool::from(x.is_zero()), a.is_zero());
    assert_eq!(number(&Residue::conditional_select(&x, &y, Choice::from(0))), a);
    assert_eq!(number(&Residue::conditional_select(&x, &y, Choice::from(1))), b);
}

proptest! {
    #[test]
    fn residues_agree_with_big_integers(a in numbers(), b in numbers()) {
        agrees::<P>(&a, &b);
        agrees::<Q>(&a, &b);
    }

    #[test]
    fn only_numbers_below_the_modulus_are_canonical(a in numbers()) {
        prop_assert_eq!(bool::from(Fp::from_octets(&octets(&a)).is_some()), a < modulus::<P>());
        prop_assert_eq!(bool::from(Scalar::from_octets(&octets(&a)).is_some()), a < modulus::<Q>());
        prop_assert_eq!(number(&residue::<P>(&a)), a % modulus::<P>());
    }

    #[test]
    fn fp2_agrees_with_big_integers(a in numbers(), b in numbers(), c in numbers(), d in numbers()) {
        let field = oracle::curve::Field { prime: modulus::<P>() };
        let plain = |a: &BigUint, b: &BigUint| oracle::pairing::Fp2 { a: field.reduce(a), b: field.reduce(b) };
        let element = |a, b| Fp2::<Fp> { a: residue(a), b: residue(b) };
        let back = |element: &Fp2<Fp>| plain(&number(&element.a), &number(&element.b));
        let (x, y) = (element(&a, &b), element(&c, &d));
        prop_assert_eq!(back(&x.multiply(&y.a, &y.b)), plain(&a, &b).multiply(&field, &plain(&c, &d)));
        prop_assert_eq!(back(&x.square()), plain(&a, &b).square(&field));
    }

    #[test]
    fn sums_of_products_agree_with_big_integers(a in numbers(), b in numbers(), c in numbers(), d in numbers()) {
        let p = modulus::<P>();
        let [x, y, z, w] = [&a, &b, &c, &d].map(residue::<P>);
        prop_assert_eq!(number(&<Fp as Lanes>::multiply_add(&x, &y, &z, &w)), (&a * &b + &c * &d) % &p);
        let (real, imaginary) = Fp::multiply_complex(&x, &y, &z, &w);
        prop_assert_eq!(number(&real), (&a * &c + &p * &b * &d - &b * &d) % &p);
        prop_assert_eq!(number(&imaginary), (&a * &d + &b * &c) % &p);
    }

    #[test]
    fn identities_are_integers_of_any_length(identity in prop::collection::vec(any::<u8>(), 1..600)) {
        let expected = oracle::from_octets(&identity) % modulus::<Q>();
        prop_assert_eq!(number(&Scalar::from_identity(&identity)), expected);
    }

    #[test]
    fn many_are_inverted_as_one_by_one(numbers in prop::collection::vec(numbers(), 0..20)) {
        let mut inverses: Vec<Fp> = numbers.iter().map(residue).collect();
        Fp::invert_all(&mut inverses);
        for (inverse, a) in inverses.iter().zip(&numbers) {
            prop_assert_eq!(number(inverse), a.modinv(&modulus::<P>()).unwrap_or_default());
        }
    }

    #[test]
    fn squares_have_the_candidate_as_their_root(a in numbers()) {
        let square = residue::<P>(&a).square();
        prop_assert!(bool::from(square.square_root_candidate().square().ct_eq(&square)));
        prop_assert_ne!(bool::from(square.is_nonzero_square()), bool::from(square.is_zero()));
        // -1 is no square modulo p.
        prop_assert!(!bool::from(square.negate().is_nonzero_square()));
    }
}

#[test]
fn the_moduli_are_those_of_the_standard() {
    assert_eq!(modulus::<P>() + 1u32, modulus::<Q>() * 4u32);
    assert_eq!(number(&Fp::ONE), BigUint::one());
    assert_eq!(number(&Scalar::TWO_TO_THE_1024), (BigUint::one() << 1024) % modulus::<Q>());
}

#[test]
fn residues_are_wiped() {
    let mut secret = residue::<P>(&BigUint::from(7u32));
    secret.zeroize();
    assert!(bool::from(secret.is_zero()));
}

/// Products and reductions, as words: every form of them.
mod words {
    use super::*;
    use crate::backend::portable::{WORDS, Word, Words, multiply, product, reduce};

    /// Words at which carries start, stop and run on.
    fn words<const N: usize>() -> impl Strategy<Value = [Word; N]> {
        let edge = prop::sample::select(vec![0, 1, 2, Word::MAX / 2, Word::MAX / 2 + 1, Word::MAX - 1, Word::MAX]);
        let mixed = prop::array::uniform::<_, N>(prop_oneof![3 => edge.clone(), 1 => any::<Word>()]);
        prop_oneof![mixed, any::<[Word; N]>(), edge.prop_map(|word| [word; N])]
    }

    fn integer(words: &[Word]) -> BigUint {
        words.iter().rev().fold(BigUint::zero(), |number, word| (number << Word::BITS) + *word)
    }

    fn padded<const N: usize>(number: &BigUint) -> [Word; N] {
        core::array::from_fn(|i| ((number >> (i * Word::BITS as usize)) & BigUint::from(Word::MAX)).try_into().unwrap())
    }

    fn products_agree(a: &Words, b: &Words) {
        let expected = integer(a) * integer(b);
        assert_eq!(integer(&product(a, b)), expected);
        #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
        if let Some(adx) = crate::backend::adx::Adx::new() {
            assert_eq!(integer(&adx.product(a, b)), expected);
        }
    }

    /// A residue times any number.
    fn multiplications_agree<M: ModulusOf>(a: &Words, b: &Words) {
        let a = padded(&(integer(a) % modulus::<M>()));
        let expected = reduce(product(&a, b), &M::MODULUS);
        assert_eq!(multiply(&a, b, &M::MODULUS), expected);
        assert_eq!(multiply(b, &a, &M::MODULUS), expected);
    }

    /// For any number, modulo mR.
    fn reductions_agree<M: ModulusOf>(t: &BigUint) {
        let m = modulus::<M>();
        let t = t % (&m << 1024);
        let reduced = reduce(padded(&t), &M::MODULUS);
        let number = integer(&reduced);
        assert!(number < m);
        assert_eq!((number << 1024) % &m, &t % &m);
        #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
        if let Some(adx) = crate::backend::adx::Adx::new() {
            assert_eq!(adx.reduce(&mut padded(&t), &M::MODULUS.adx), reduced);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases * 8))]

        #[test]
        fn products_agree_with_big_integers(a in words::<WORDS>(), b in words::<WORDS>()) {
            products_agree(&a, &b);
            multiplications_agree::<P>(&a, &b);
            multiplications_agree::<Q>(&a, &b);
        }

        #[test]
        fn reductions_agree_with_big_integers(low in words::<WORDS>(), high in words::<WORDS>()) {
            let t = (integer(&high) << 1024) + integer(&low);
            reductions_agree::<P>(&t);
            reductions_agree::<Q>(&t);
        }

        /// Their reductions are near 0 and m.
        #[test]
        fn reductions_of_numbers_near_multiples_agree(k in words::<WORDS>(), i in 0..5u32) {
            let near = |m: BigUint| integer(&k) * &m + &m - 2u32 + i;
            reductions_agree::<P>(&near(modulus::<P>()));
            reductions_agree::<Q>(&near(modulus::<Q>()));
        }
    }

    #[test]
    fn products_and_reductions_agree_at_the_edges() {
        let r = BigUint::one() << 1024;
        let numbers = |m: &BigUint| {
            let powers = (0..1024u32).flat_map(|bit| [BigUint::one() << bit, (BigUint::one() << bit) - 1u32]);
            let below: Vec<_> = powers.clone().filter(|power| power < m).map(|power| m - 1u32 - power).collect();
            powers.chain(below).chain([&r - 1u32]).collect::<Vec<_>>()
        };
        for m in [modulus::<P>(), modulus::<Q>()] {
            let numbers = numbers(&m);
            for (a, b) in numbers.iter().zip(numbers.iter().rev().chain(&numbers)) {
                products_agree(&padded(a), &padded(b));
                products_agree(&padded(a), &padded(a));
                multiplications_agree::<P>(&padded(a), &padded(b));
                multiplications_agree::<Q>(&padded(a), &padded(b));
                for t in [a * b, a * a, (&m - 1u32) * a, (a << 1024) + b, (a << 1024) + &r - 1u32, &m * &r - 1u32 - a] {
                    reductions_agree::<P>(&t);
                    reductions_agree::<Q>(&t);
                }
            }
        }
    }
}

/// Every operation on lanes, at values and sums as far as the bounds allow them.
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
mod lanes {
    use super::*;
    use crate::backend::Backend;
    use crate::backend::ifma::Fp8;

    /// Every operation on pairs, with what is subtracted and multiplied as large as the rule allows it. Of all results
    /// the first elements and then the second ones.
    fn pairs<F: Lanes>(numbers: &[BigUint; 4]) -> Vec<BigUint> {
        let [a, b, c, d] = numbers.each_ref().map(residue::<P>);
        let (x, y) = (F::Pair::new(&a, &b), F::Pair::new(&c, &d));
        let (xx, yy) = (x.multiply(&x), y.multiply(&y));
        let eight = |pair: &F::Pair| pair.double().double().double();
        let one = xx.subtract(&eight(&yy)).subtract(&eight(&xx)).add(&eight(&yy));
        let other = yy.subtract(&eight(&yy)).subtract(&eight(&yy)).add(&eight(&xx));
        let product = one.multiply(&other);
        let results = [x, xx, one, other, product, product.with_second_of(&x), product.swap().with_second_of(&xx)];
        let first = |pair: &F::Pair| {
            let mut sum = *F::zero().as_sum();
            F::set_lane(&mut sum, 0, pair);
            number(&F::multiply(&sum, F::one().as_sum()).lane(0))
        };
        results.iter().map(first).chain(results.iter().map(|pair| first(&pair.swap()))).collect()
    }

    /// The same with big integers.
    fn expected_pairs([a, b, c, d]: &[BigUint; 4]) -> Vec<BigUint> {
        let p = modulus::<P>();
        let element = |x: &BigUint, y: &BigUint| {
            let (xx, yy) = (x * x % &p, y * y % &p);
            let one = (&xx + (&p - &xx) * 8u32) % &p;
            let other = (&yy + (&p - &yy) * 16u32 + &xx * 8u32) % &p;
            let product = &one * &other % &p;
            [x % &p, xx, one, other, product]
        };
        let (first, second) = (element(a, c), element(b, d));
        let [all @ .., product] = &first;
        let [others @ .., other_product] = &second;
        let head = all.iter().chain([product, product, other_product]);
        let tail = others.iter().chain([other_product, &second[0], &second[1]]);
        head.chain(tail).cloned().collect()
    }

    /// An element for each lane.
    fn elements() -> impl Strategy<Value = [BigUint; 8]> {
        prop::array::uniform8(numbers()).prop_map(|numbers| numbers.map(|number| number % modulus::<P>()))
    }

    fn gather(numbers: &[BigUint; 8]) -> Fp8 {
        Fp8::gather(|lane| residue(&numbers[lane]))
    }

    fn all(value: &Fp8) -> [BigUint; 8] {
        core::array::from_fn(|lane| number(&value.lane(lane)))
    }

    /// All operations on four elements for each lane, on the lanes of which the mask selects some.
    pub(super) fn agree(a: &[BigUint; 8], b: &[BigUint; 8], c: &[BigUint; 8], d: &[BigUint; 8], mask: u8) {
        let p = modulus::<P>();
        let [x, y, z, w] = [a, b, c, d].map(gather);
        let reduced = |sum: &<Fp8 as Lanes>::Sum| all(&Fp8::multiply(sum, Fp8::one().as_sum()));
        let zip = |f: &dyn Fn(&BigUint, &BigUint) -> BigUint| core::array::from_fn::<_, 8, _>(|i| f(&a[i], &b[i]) % &p);
        assert_eq!(all(&x), a.clone());
        assert_eq!(all(&Fp8::multiply(x.as_sum(), y.as_sum())), zip(&|a, b| a * b));
        assert_eq!(reduced(&Fp8::add(x.as_sum(), y.as_sum())), zip(&|a, b| a + b));
        assert_eq!(reduced(&Fp8::subtract(x.as_sum(), &y)), zip(&|a, b| a + &p - b));
        let products = all(&Fp8::multiply_add(x.as_sum(), y.as_sum(), z.as_sum(), w.as_sum()));
        let expected: [_; 8] = core::array::from_fn(|i| (&a[i] * &b[i] + &c[i] * &d[i]) % &p);
        assert_eq!(products, expected);
        let (x_sum, y_sum, z_sum, w_sum) = (x.as_sum(), y.as_sum(), z.as_sum(), w.as_sum());
        let products = all(&Fp8::sum_of_products([(x_sum, y_sum), (z_sum, w_sum), (x_sum, z_sum)]));
        let expected: [_; 8] = core::array::from_fn(|i| (&a[i] * (&b[i] + &c[i]) + &c[i] * &d[i]) % &p);
        assert_eq!(products, expected);
        let difference = all(&Fp8::multiply_subtract(x_sum, y_sum, z_sum));
        let expected: [_; 8] = core::array::from_fn(|i| (&a[i] * &b[i] + &p - &c[i]) % &p);
        assert_eq!(difference, expected);
        for lane in 0..8 {
            assert_eq!(reduced(&Fp8::spread(x_sum, lane)), core::array::from_fn(|_| a[lane].clone()));
            let mut written = *x_sum;
            Fp8::set_lane(&mut written, lane, &<Fp8 as Lanes>::Pair::new(&y.lane(lane), &z.lane(lane)));
            let expected: [_; 8] = core::array::from_fn(|i| if i == lane { b[i].clone() } else { a[i].clone() });
            assert_eq!(reduced(&written), expected);
        }

        let chosen = |i: usize| if mask >> i & 1 == 1 { &b[i] } else { &a[i] };
        let expected: [_; 8] = core::array::from_fn(|i| chosen(i).clone());
        assert_eq!(reduced(&Fp8::choose(&mask, y.as_sum(), x.as_sum())), expected.clone());
        assert_eq!(all(&Fp8::select(&[z, y], &[0, mask], &x)), expected);
        for by in [1, 2, 4] {
            let expected: [_; 8] = core::array::from_fn(|i| a[(i + by) % 8].clone());
            assert_eq!(all(&x.rotate(by)), expected);
        }
    }

    proptest! {
        #[test]
        fn agree_with_big_integers(a in elements(), b in elements(), c in elements(), d in elements(), mask: u8) {
            if Backend::Ifma.is_available() {
                agree(&a, &b, &c, &d, mask);
            }
        }

        #[test]
        fn pairs_agree_with_big_integers(numbers in prop::array::uniform4(numbers())) {
            let expected = expected_pairs(&numbers);
            prop_assert_eq!(pairs::<Fp>(&numbers), expected.clone());
            if Backend::Ifma.is_available() {
                prop_assert_eq!(pairs::<Fp8>(&numbers), expected);
            }
        }

        #[test]
        fn sums_stay_within_bounds(a in elements(), b in elements()) {
            if !Backend::Ifma.is_available() {
                return Ok(());
            }
            // 28 values in one sum and 28 in the other: 784 of the 800 that the rule allows.
            let p = modulus::<P>();
            let (x, y) = (gather(&a), gather(&b));
            let (mut minus, mut plus) = (*x.as_sum(), *y.as_sum());
            for _ in 0..27 {
                minus = Fp8::subtract(&minus, &y);
                plus = Fp8::add(&plus, x.as_sum());
            }
            let product = Fp8::multiply(&minus, &plus);
            let expected: [_; 8] = core::array::from_fn(|i| (&a[i] + (&p - &b[i]) * 27u32) * (&b[i] + &a[i] * 27u32) % &p);
            prop_assert_eq!(all(&product), expected.clone());
            // The product is a value again: it may be subtracted.
            let zero = Fp8::subtract(product.as_sum(), &product);
            prop_assert_eq!(all(&Fp8::multiply(&zero, Fp8::one().as_sum())), core::array::from_fn(|_| BigUint::zero()));
        }

        #[test]
        fn powers_are_those_of_the_portable_backend(a in numbers(), exponent in numbers()) {
            if !Backend::Ifma.is_available() {
                return Ok(());
            }
            let (base, exponent) = (residue::<P>(&a), residue::<Q>(&exponent).to_words());
            let power = Fp::from_words(&crate::backend::ifma::power_vartime(&base.to_words(), &exponent));
            prop_assert_eq!(number(&power), number(&base.power_vartime(&exponent)));
        }

        #[test]
        fn lanes_are_joined_by_squarings(a in elements(), b in elements(), squarings in 0..4usize) {
            if !Backend::Ifma.is_available() {
                return Ok(());
            }
            let (joined_a, joined_b) = Fp8::join(&gather(&a), &gather(&b), squarings);
            let field = oracle::curve::Field { prime: modulus::<P>() };
            let lane = |i: usize| oracle::pairing::Fp2 { a: a[i].clone(), b: b[i].clone() };
            let expected = (1..8).fold(lane(0), |product, i| {
                (0..squarings).fold(product, |power, _| power.square(&field)).multiply(&field, &lane(i))
            });
            prop_assert_eq!((number(&joined_a), number(&joined_b)), (expected.a, expected.b));
        }

        #[test]
        fn equality_of_octets_is_found_in_each_lane(octets: [u8; 8], other in 0..8usize, value: u8) {
            let mut octets = octets;
            octets[other] = value;
            let expected = (0..8).filter(|lane| octets[*lane] == value).map(|lane| 1u8 << lane).sum::<u8>();
            prop_assert_eq!(crate::backend::ifma::equal(&octets, value), expected);
        }
    }
}
