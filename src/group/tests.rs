//! Curve, Edwards form, PF_p and pairing against the formulas of RFC 6508 over plain big integers.

use num_bigint::{BigInt, BigUint};
use num_traits::{One, Zero};
use proptest::prelude::*;

use super::curve::{AffinePoint, OrderQ};
use super::edwards::EdwardsPoint;
use super::fixed::{self, FixedPoint};
use super::pairing::{DIGITS, MillerLines, PreparedPairing};
use super::pf::Pf;
use super::table::{ENTRIES, PfTable, PointTable, window};
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
use crate::backend::{Backend, ifma::Fp8};
use crate::field::digits::SignedDigits;
use crate::field::{Fp, Fp2, Scalar};
use crate::oracle::curve::{Affine, Curve, Point};
use crate::oracle::{self, pairing};

/// E, q and P, as the oracle has them.
struct Set1 {
    curve: Curve,
    q: BigUint,
    generator: Point,
}

fn set_1() -> Set1 {
    let set = &*oracle::sakke::SET_1;
    Set1 { curve: set.curve.clone(), q: set.q.clone(), generator: Some(set.generator.clone()) }
}

/// The engine's form of a point.
fn point(curve: &Curve, point: &Point) -> OrderQ {
    OrderQ::from_octets(&curve.encode(point).unwrap()).unwrap()
}

fn scalar(k: &BigUint) -> Scalar {
    Scalar::from_octets_reduced(&oracle::octets(k, 128).try_into().unwrap())
}

/// Tables of a point, of every backend that there is and of different sizes.
fn tables(point: &EdwardsPoint<Fp>) -> Vec<Box<dyn FixedPoint>> {
    let mut tables: Vec<Box<dyn FixedPoint>> =
        vec![Box::new(PointTable::<Fp, ENTRIES>::new(point, 1)), Box::new(PointTable::<Fp, ENTRIES>::new(point, 5))];
    tables.push(Box::new(PointTable::<Fp, 8>::new(point, 32)));
    #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
    if Backend::Ifma.is_available() {
        tables.push(Box::new(PointTable::<Fp8, ENTRIES>::new(point, 1)));
        tables.push(Box::new(PointTable::<Fp8, 8>::new(point, 4)));
        tables.push(Box::new(PointTable::<Fp8, 8>::new(point, 32)));
    }
    tables
}

/// The power of g by every backend that there is.
fn powers_of_g(k: &Scalar) -> Vec<Pf> {
    let digits = [SignedDigits::new(k, window(ENTRIES))];
    let mut powers = PfTable::<Fp>::new(&Pf::G).powers(&digits);
    #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
    if Backend::Ifma.is_available() {
        powers.extend(PfTable::<Fp8>::new(&Pf::G).powers(&digits));
    }
    powers.iter().map(Pf::class_of).collect()
}

/// A point prepared for pairing, for every backend that there is.
fn pairings(point: &OrderQ) -> Vec<Box<dyn PreparedPairing>> {
    let mut pairings: Vec<Box<dyn PreparedPairing>> = vec![Box::new(MillerLines::<Fp>::new(point))];
    #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
    if Backend::Ifma.is_available() {
        pairings.push(Box::new(MillerLines::<Fp8>::new(point)));
    }
    pairings
}

/// The oracle's form of a result.
fn plain(curve: &Curve, point: &EdwardsPoint<Fp>) -> Point {
    let affine: Option<OrderQ> = point.to_order_q().into();
    affine.map(|point| curve.decode(&point.affine().to_octets()).unwrap())
}

fn scalars() -> impl Strategy<Value = BigUint> {
    let q = set_1().q;
    let edges = vec![BigUint::zero(), BigUint::one(), BigUint::from(2u32), BigUint::from(15u32), &q - 1u32, &q - 2u32];
    prop_oneof![
        4 => any::<[u8; 128]>().prop_map(move |octets| oracle::from_octets(&octets) % &q),
        1 => prop::sample::select(edges),
    ]
}

/// The points of order 2 and 4.
fn small_order(curve: &Curve) -> [Affine; 3] {
    let p = &curve.field.prime;
    let root = |a: &BigUint| a.modpow(&((p + 1u32) / 4u32), p);
    let c = root(&(p - 3u32));
    let y = root(&(&c * 6u32 % p));
    let zero = Affine { x: BigUint::zero(), y: BigUint::zero() };
    let four = Affine { x: p - &c, y: y.clone() };
    let minus_four = Affine { x: p - &c, y: p - y };
    [zero, four, minus_four]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.div_ceil(10)))]

    #[test]
    fn edwards_points_agree_with_the_curve(k in scalars(), l in scalars()) {
        let Set1 { curve, generator, .. } = set_1();
        let (expected_k, expected_l) = (curve.multiply(&k, &generator), curve.multiply(&l, &generator));
        let (at_k, at_l) = (fixed::multiply_generator_one(&scalar(&k)), fixed::multiply_generator_one(&scalar(&l)));
        prop_assert_eq!(plain(&curve, &at_k), expected_k.clone());
        prop_assert_eq!(plain(&curve, &at_k.add(&at_l)), curve.add(&expected_k, &expected_l));
        prop_assert_eq!(plain(&curve, &at_k.add(&at_k)), curve.add(&expected_k, &expected_k));
        prop_assert_eq!(plain(&curve, &at_k.double()), curve.add(&expected_k, &expected_k));
        prop_assert_eq!(bool::from(at_k.denominator().is_zero()), expected_k.is_none());
        if let Some(k_affine) = expected_k {
            let k_affine = *point(&curve, &Some(k_affine)).affine();
            prop_assert!(bool::from(at_k.is_affine(&k_affine)));
            prop_assert_eq!(bool::from(at_l.is_affine(&k_affine)), k == l);
            let opposite = AffinePoint { y: k_affine.y.negate(), ..k_affine };
            prop_assert!(!bool::from(at_k.is_affine(&opposite)));
            prop_assert!(bool::from(at_k.add(&EdwardsPoint::from(&OrderQ::from_octets(&opposite.to_octets()).unwrap())).denominator().is_zero()));
        }
    }

    #[test]
    fn tables_of_every_backend_agree_with_the_curve(k in scalars(), l in scalars(), m in scalars()) {
        let Set1 { curve, generator, .. } = set_1();
        prop_assume!(!m.is_zero());
        let base = curve.multiply(&m, &generator);
        let of_base = curve.multiply(&k, &base);
        let expected = curve.add(&of_base, &curve.multiply(&l, &generator));
        for table in tables(&EdwardsPoint::from(&point(&curve, &base))) {
            prop_assert_eq!(plain(&curve, &table.multiply(&[scalar(&k)])[0]), of_base.clone());
            // More of them than are computed side by side.
            let (ks, ls) = ([scalar(&k), Scalar::ONE].repeat(5), [scalar(&l), Scalar::ZERO].repeat(5));
            let products: Vec<Point> = table.multiply(&ks).iter().map(|product| plain(&curve, product)).collect();
            prop_assert_eq!(products, vec![[of_base.clone(), base.clone()]; 5].concat());
            let sums: Vec<Point> =
                table.multiply_add_generator(&ks, &ls).iter().map(|sum| plain(&curve, sum)).collect();
            prop_assert_eq!(sums, vec![[expected.clone(), base.clone()]; 5].concat());
            // Among others, in a batch.
            let (ks, ls) = ([Scalar::ONE, scalar(&k), Scalar::ZERO], [Scalar::ZERO, scalar(&l), Scalar::ONE]);
            let sums: Vec<Point> =
                table.multiply_add_generator(&ks, &ls).iter().map(|sum| plain(&curve, sum)).collect();
            prop_assert_eq!(sums, [base.clone(), expected.clone(), generator.clone()]);
        }
    }

    #[test]
    fn a_point_in_each_lane_agrees_with_the_curve(k in scalars(), l in scalars(), m in scalars(), at in 0..8usize) {
        let Set1 { curve, generator, .. } = set_1();
        prop_assume!(!m.is_zero());
        let bases = [generator.clone(), curve.multiply(&m, &generator)];
        let points = bases.each_ref().map(|base| EdwardsPoint::from(&point(&curve, base)));
        // The point with the interesting scalars among seven of another, which has both of them too.
        let base = |i: usize| usize::from(i == at);
        let of = |i: usize| if i % 2 == base(i) { &k } else { &l };
        let expected: Vec<Point> = (0..8).map(|i| curve.multiply(of(i), &bases[base(i)])).collect();
        let digits: Vec<SignedDigits> = (0..8).map(|i| SignedDigits::new(&scalar(of(i)), window(8))).collect();
        for rows in [4, 32] {
            let tables = points.each_ref().map(|point| PointTable::<Fp, 8>::new(point, rows));
            let product = PointTable::multiply_each(&[&tables[base(at)]], &digits[at..]);
            prop_assert_eq!(plain(&curve, &product), expected[at].clone());
            #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
            if Backend::Ifma.is_available() {
                let tables = points.each_ref().map(|point| PointTable::<Fp8, 8>::new(point, rows));
                let tables: Vec<_> = (0..8).map(|i| &tables[base(i)]).collect();
                let products = PointTable::multiply_each(&tables, &digits);
                let products: Vec<Point> = (0..8).map(|i| plain(&curve, &products.lane(i))).collect();
                prop_assert_eq!(&products, &expected);
            }
        }
    }

    #[test]
    fn pairing_agrees_with_its_definition(k in scalars(), l in scalars()) {
        let Set1 { curve, q, generator } = set_1();
        prop_assume!(!k.is_zero() && !l.is_zero());
        let (a, b) = (curve.multiply(&k, &generator), curve.multiply(&l, &generator));
        let expected = pairing::pairing(&curve, &q, a.as_ref().unwrap(), b.as_ref().unwrap()).unwrap();
        let (a, b) = (point(&curve, &a), point(&curve, &b));
        for (a, b) in [(a, b), (b, a)] {
            for prepared in pairings(&a) {
                let plain = |value: &Fp2<Fp>| oracle::from_octets(&Pf::class_of(value).to_octets());
                prop_assert_eq!(plain(&prepared.pair(b.affine())), expected.clone());
                let batch = prepared.pair_batch(&[*OrderQ::GENERATOR.affine(), *b.affine(), *OrderQ::GENERATOR.affine()]);
                prop_assert_eq!(plain(&batch[1]), expected.clone());
                prop_assert_eq!(batch.len(), 3);
            }
        }
    }

    #[test]
    fn powers_in_pf_agree_with_their_definition(k in scalars()) {
        let field = set_1().curve.field;
        let g = oracle::from_octets(&Pf::G.to_octets());
        let expected = pairing::pf_power(&field, &g, &k).unwrap();
        let public = Pf::class_of(&Pf::G.to_fp2().power_vartime(&scalar(&k)));
        prop_assert_eq!(oracle::from_octets(&public.to_octets()), expected.clone());
        prop_assert!(bool::from(public.is_class_of(&public.to_fp2())));
        for power in powers_of_g(&scalar(&k)) {
            prop_assert_eq!(oracle::from_octets(&power.to_octets()), expected.clone());
        }
    }

    #[test]
    fn sums_with_points_of_small_order_are_on_the_curve_and_not_of_order_q(k in scalars()) {
        let Set1 { curve, q, generator } = set_1();
        let of_order_q = curve.multiply(&k, &generator);
        for torsion in small_order(&curve) {
            let sum = curve.add(&of_order_q, &Some(torsion));
            let octets = curve.encode(&sum).unwrap();
            prop_assert!(!curve.has_order(&q, sum.as_ref().unwrap()));
            prop_assert!(bool::from(AffinePoint::from_octets(&octets).is_some()));
            prop_assert!(bool::from(OrderQ::from_octets(&octets).is_none()));
        }
    }
}

/// Scalars whose digits are extreme in windows of every size, and those around 0, q / 2 and q.
fn extreme_scalars() -> Vec<BigUint> {
    let (q, one) = (set_1().q, BigUint::one());
    let mut scalars: Vec<BigUint> =
        (0..4u32).flat_map(|i| [BigUint::from(i), &q - 1u32 - i, (&q >> 1) - 1u32 + i]).collect();
    scalars.extend([52, 64, 512, 1008, 1020, 1021].map(|bit| &one << bit));
    scalars.extend([52, 64, 512, 1008, 1020, 1021].map(|bit| (&one << bit) - 1u32));
    for width in 2..=8u32 {
        for digit in [1u32, 1 << (width - 1), (1 << (width - 1)) + 1, (1 << width) - 1] {
            let stripes = (0..1021 - width).step_by(width as usize);
            scalars.push(stripes.fold(BigUint::zero(), |sum, at| sum + (BigUint::from(digit) << at)));
        }
    }
    scalars
}

/// \[k\]R + \[l\]P where both are equal, opposite, or one of them is the identity.
#[test]
fn tables_are_right_where_points_are_equal_opposite_or_the_identity() {
    let Set1 { curve, q, generator } = set_1();
    let m = BigUint::from(3u32);
    let base = curve.multiply(&m, &generator);
    let ks = extreme_scalars();
    let opposites: Vec<BigUint> = ks.iter().map(|k| (&q - k) * &m % &q).collect();
    let equals: Vec<BigUint> = ks.iter().map(|k| k * &m % &q).collect();
    let zeros = vec![BigUint::zero(); ks.len()];
    let of_base: Vec<Point> = ks.iter().map(|k| curve.multiply(k, &base)).collect();
    let doubles: Vec<Point> = of_base.iter().map(|point| curve.add(point, point)).collect();
    let engine = |scalars: &[BigUint]| scalars.iter().map(scalar).collect::<Vec<_>>();
    for table in tables(&EdwardsPoint::from(&point(&curve, &base))) {
        let plain_all = |points: &[EdwardsPoint<Fp>]| points.iter().map(|sum| plain(&curve, sum)).collect::<Vec<_>>();
        let sums = |ls: &[BigUint]| plain_all(&table.multiply_add_generator(&engine(&ks), &engine(ls)));
        assert_eq!(plain_all(&table.multiply(&engine(&ks))), of_base);
        assert_eq!(sums(&zeros), of_base);
        assert_eq!(sums(&equals), doubles);
        assert_eq!(sums(&opposites), vec![None; ks.len()]);
        // The other way round: the identity and a multiple of P.
        let multiples = plain_all(&table.multiply_add_generator(&engine(&zeros), &engine(&equals)));
        assert_eq!(multiples, of_base);
    }
    assert_eq!(
        fixed::multiply_generator(&engine(&equals)).iter().map(|p| plain(&curve, p)).collect::<Vec<_>>(),
        of_base
    );
}

/// R may be any point of the curve until TEST: with a component of order 2 or 4, or nothing else.
#[test]
fn pairings_of_points_with_a_component_of_small_order_are_those_of_the_definition() {
    let Set1 { curve, q, generator } = set_1();
    let rsk = curve.multiply(&BigUint::from(0x1234_5678u32), &generator);
    let r = curve.multiply(&BigUint::from(0x9abc_def0u32), &generator);
    for torsion in small_order(&curve) {
        let sum = curve.add(&r, &Some(torsion)).unwrap();
        let expected = pairing::pairing(&curve, &q, rsk.as_ref().unwrap(), &sum).unwrap();
        let affine = AffinePoint::from_octets(&curve.encode(&Some(sum)).unwrap()).unwrap();
        for prepared in pairings(&point(&curve, &rsk)) {
            for value in [prepared.pair(&affine), prepared.pair_batch(&[affine; 9])[8]] {
                assert_eq!(oracle::from_octets(&Pf::class_of(&value).to_octets()), expected);
            }
        }
    }
}

#[test]
fn the_generator_and_g_are_those_of_the_standard() {
    let Set1 { curve, generator, .. } = set_1();
    assert_eq!(curve.encode(&generator).unwrap(), OrderQ::GENERATOR.affine().to_octets());
    for prepared in pairings(&OrderQ::GENERATOR) {
        assert!(bool::from(Pf::G.is_class_of(&prepared.pair(OrderQ::GENERATOR.affine()))));
    }
}

#[test]
fn the_constants_of_the_isomorphism_satisfy_their_equations() {
    use super::{curve::C, edwards::K};
    let p = set_1().curve.field.prime;
    let [c, k] = [C, K].map(|constant| oracle::from_octets(&constant.to_octets()));
    assert_eq!(&c * &c % &p, &p - 3u32);
    assert_eq!(&k * &k % &p, (&p - &c) * 2u32 % &p);
    assert!(bool::from(C.is_nonzero_square()));
}

#[test]
fn malformed_points_are_refused() {
    let refused =
        |octets: &[u8]| bool::from(AffinePoint::from_octets(octets).is_none() & OrderQ::from_octets(octets).is_none());
    let good = OrderQ::GENERATOR.affine().to_octets();
    assert!(!refused(&good));
    for length in [0, 1, 128, 129, 256] {
        assert!(refused(&good[..length]));
    }
    assert!(refused(&[&good[..], &[0]].concat()));
    for prefix in [0, 2, 3, 5, 6, 7] {
        assert!(refused(&[&[prefix], &good[1..]].concat()));
    }
    assert!(refused(&[4; 257]));
    let mut off_curve = good;
    off_curve[256] ^= 1;
    assert!(refused(&off_curve));
    // The same point with a coordinate that is not reduced; x + p does not fit 128 octets, y of (0, 0) does.
    let p = oracle::octets(&set_1().curve.field.prime, 128);
    assert!(refused(&[&[4], &[0; 128][..], &p].concat()));
    assert!(refused(&[&[4], &p[..], &[0; 128]].concat()));
}

#[test]
fn the_digits_of_the_loop_are_those_of_q() {
    let value = DIGITS.iter().fold(BigInt::one(), |value, digit| value * 4 + *digit);
    assert_eq!(value, BigInt::from(set_1().q));
    assert!(DIGITS.iter().all(|digit| (-2..=2).contains(digit)));
    assert!(DIGITS.windows(2).all(|pair| pair[0].abs() < 2 || pair[1].abs() < 2));
}
