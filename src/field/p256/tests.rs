use alloc::vec::Vec;

use num_bigint::BigUint;
use num_traits::{One, Zero};
use proptest::prelude::*;

use super::{Coordinate, Integer, ModulusOf, OCTETS, P, Product, Q, Residue, product, reduce, square};
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
use crate::backend::adx::Adx;

fn modulus<M: ModulusOf>() -> BigUint {
    number(M::MODULUS.words)
}

fn number<const N: usize>(words: [u64; N]) -> BigUint {
    words.iter().rev().fold(BigUint::zero(), |n, word| (n << 64) + word)
}

fn octets(n: &BigUint) -> [u8; OCTETS] {
    let bytes = n.to_bytes_be();
    let mut octets = [0; OCTETS];
    octets[OCTETS - bytes.len()..].copy_from_slice(&bytes);
    octets
}

/// Numbers below 2^256 around 0, m, powers of 2 and 2^256.
fn edges<M: ModulusOf>() -> Vec<BigUint> {
    let (m, one) = (modulus::<M>(), BigUint::one());
    let limit: BigUint = BigUint::one() << 256;
    let mut edges = Vec::new();
    for centre in [BigUint::zero(), m.clone(), &m >> 1, limit.clone() - &m, limit.clone() - (&limit - &m) * 2u8] {
        for i in 0..3u8 {
            edges.push(&centre + i);
            edges.push(if centre >= one { &centre - &one } else { &m - &one - i });
        }
    }
    edges.extend((0..256).map(|i| &one << i));
    edges.extend((0..256).map(|i| &limit - (&one << i)));
    edges.retain(|n| *n < limit);
    edges
}

fn agrees<M: ModulusOf>(x: &[u8; OCTETS], y: &[u8; OCTETS]) {
    let m = modulus::<M>();
    let (a, b) = (BigUint::from_bytes_be(x), BigUint::from_bytes_be(y));
    let (ra, rb) = (Residue::<M>::from_octets_reduced(x), Residue::<M>::from_octets_reduced(y));
    let same = |residue: Residue<M>, expected: BigUint| assert_eq!(residue.to_octets(), octets(&(expected % &m)));
    same(ra, a.clone());
    same(ra.add(&rb), &a + &b);
    same(ra.subtract(&rb), &a + &m * 2u8 - &b % &m);
    same(ra.negate(), &m - &a % &m);
    same(ra.double(), &a * 2u8);
    same(ra.halve().double(), a.clone());
    same(ra.multiply(&rb), &a * &b);
    same(ra.square(), &a * &a);
    same(Residue::difference_of_products(&ra, &rb, &rb, &rb), &a * &b + &m * &b - &b % &m * &b);
    same(Residue::difference_of_products(&ra, &ra, &ra, &rb), &a * &a + &m * &a - &b % &m * &a);
    same(ra.invert_vartime(), a.modpow(&(&m - 2u8), &m));
    assert_eq!(Residue::<M>::from_octets(x).is_some().unwrap_u8() == 1, a < m);
    let inverse = ra.invert();
    let invertible = a.clone() % &m != BigUint::zero();
    assert_eq!(bool::from(inverse.is_some()), invertible);
    if invertible {
        same(inverse.unwrap(), a.modpow(&(&m - 2u8), &m));
    }
}

#[test]
fn moduli_are_those_of_the_standard() {
    let two = |n: u32| BigUint::one() << n;
    assert_eq!(modulus::<P>(), two(256) - two(224) + two(192) + two(96) - 1u8);
    let low = BigUint::parse_bytes(b"4319055258e8617b0c46353d039cdaaf", 16).unwrap();
    assert_eq!(modulus::<Q>(), two(256) - two(224) + two(192) - low);
}

#[test]
fn derived_constants_follow_from_the_modulus() {
    fn check<M: ModulusOf>() {
        let m = modulus::<M>();
        let r: BigUint = BigUint::one() << 256;
        assert_eq!(number(M::MODULUS.one), &r % &m);
        assert_eq!(number(M::MODULUS.r_squared), &r * &r % &m);
        assert_eq!(number(M::MODULUS.r_cubed), &r * &r * &r % &m);
        assert_eq!(M::MODULUS.words[0].wrapping_mul(M::MODULUS.negative_inverse), u64::MAX);
    }
    check::<P>();
    check::<Q>();
}

#[test]
fn edges_agree_with_big_integers() {
    fn check<M: ModulusOf>() {
        let edges = edges::<M>();
        for (i, a) in edges.iter().enumerate() {
            for b in edges.iter().take(16).chain([&edges[edges.len() - 1 - i]]) {
                agrees::<M>(&octets(a), &octets(b));
            }
        }
    }
    check::<P>();
    check::<Q>();
}

proptest! {
    #[test]
    fn random_numbers_agree_with_big_integers(a: [u8; OCTETS], b: [u8; OCTETS]) {
        agrees::<P>(&a, &b);
        agrees::<Q>(&a, &b);
    }

    /// Words of zeros and ones only, where carries run far.
    #[test]
    fn sparse_words_agree_with_big_integers(a: u32, b: u32) {
        let spread = |n: u32| core::array::from_fn(|i| if n >> i & 1 == 1 { 0xff } else { 0 });
        agrees::<P>(&spread(a), &spread(b));
        agrees::<Q>(&spread(a), &spread(b));
    }

    /// The reductions made for p are the general one, up to its limit of pR.
    #[test]
    fn all_reductions_modulo_p_agree(words: [u64; 8], ones: u8, zeros: u8) {
        let mut t = with_ones_and_zeros(words, ones, zeros);
        t[7] = t[7].min(P::MODULUS.words[3] - 1);
        reductions_agree(t);
    }

    #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
    #[test]
    fn all_products_agree(words: [u64; 8], ones: u8, zeros: u8) {
        let [a0, a1, a2, a3, b @ ..] = with_ones_and_zeros(words, ones, zeros);
        let a = [a0, a1, a2, a3];
        if let Some(adx) = Adx::new() {
            prop_assert_eq!(adx.p256_product(&a, &b), product(&a, &b));
            prop_assert_eq!(adx.p256_square(&a), square(&a));
        }
        prop_assert_eq!(number(product(&a, &b)), number(a) * number(b));
        prop_assert_eq!(number(square(&a)), number(a) * number(a));
    }
}

/// The words, of which some are replaced by 2^64 - 1 and some by 0.
fn with_ones_and_zeros(words: [u64; 8], ones: u8, zeros: u8) -> [u64; 8] {
    core::array::from_fn(|i| match (ones >> i & 1, zeros >> i & 1) {
        (1, _) => u64::MAX,
        (_, 1) => 0,
        _ => words[i],
    })
}

fn reductions_agree(t: Product) {
    let m = &P::MODULUS;
    let expected = reduce(t, &m.words, m.negative_inverse);
    assert_eq!(P::reduce(t), expected, "{t:x?}");
    #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
    if let Some(adx) = Adx::new() {
        assert_eq!(adx.p256_reduce(t), expected, "{t:x?}");
    }
}

/// Sums of both halves around p and 2^256, where the last subtraction is decided.
#[test]
fn reductions_agree_where_the_result_wraps() {
    let m = modulus::<P>();
    let r: BigUint = BigUint::one() << 256;
    let words = |n: BigUint| core::array::from_fn(|i| n.iter_u64_digits().nth(i).unwrap_or(0));
    for lower in (0..64).map(|i| BigUint::from(u64::MAX) << (i * 3)).chain([BigUint::one(), &r - 1u8]) {
        // What the lower half comes to: lower / R mod p, or p instead of 0.
        let reduced = lower.clone() % &r * r.modinv(&m).unwrap() % &m;
        for target in [&m - 1u8, m.clone(), &m + 1u8, &r - 1u8, r.clone(), &r + 1u8] {
            if target >= reduced && &target - &reduced < m {
                reductions_agree(words(lower.clone() % &r + (&target - &reduced) * &r));
            }
        }
    }
}

#[test]
fn the_largest_product_is_reduced() {
    let mut t: Product = [u64::MAX; 8];
    t[4..].copy_from_slice(&P::MODULUS.words);
    t[4] -= 1;
    reductions_agree(t);
    assert_eq!(
        number(P::reduce(t)),
        number(t) * (BigUint::one() << 256u32).modinv(&modulus::<P>()).unwrap() % modulus::<P>()
    );
}

#[test]
fn zero_is_zero() {
    assert!(bool::from(Coordinate::ZERO.is_zero()) && Coordinate::ZERO.is_zero_vartime());
    assert!(!bool::from(Integer::ONE.is_zero()) && !Integer::ONE.is_zero_vartime());
    assert!(bool::from(Integer::ZERO.invert().is_none()));
    assert!(Integer::ZERO.invert_vartime().is_zero_vartime());
}
