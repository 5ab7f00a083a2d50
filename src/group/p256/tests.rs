use alloc::vec::Vec;

use num_bigint::BigUint;
use num_traits::One;
use p256::elliptic_curve::ops::{LinearCombination, Reduce};
use p256::elliptic_curve::sec1::{FromSec1Point, ToSec1Point};
use p256::elliptic_curve::{Group, PrimeField};
use p256::{FieldBytes, ProjectivePoint, Scalar, Sec1Point};
use proptest::prelude::*;
use subtle::ConstantTimeEq;

use super::{GENERATOR_OCTETS, INTEGER_OCTETS, Integer, POINT_OCTETS, Point, PreparedPoint};

type Octets = [u8; INTEGER_OCTETS];

const Q: &[u8] = b"ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

fn q() -> BigUint {
    BigUint::parse_bytes(Q, 16).unwrap()
}

fn octets(n: &BigUint) -> Octets {
    let bytes = n.to_bytes_be();
    let mut octets = [0; INTEGER_OCTETS];
    octets[INTEGER_OCTETS - bytes.len()..].copy_from_slice(&bytes);
    octets
}

fn integer(n: &BigUint) -> Integer {
    Integer::from_octets(&octets(&(n % q()))).unwrap()
}

/// An integer of the other implementation.
fn scalar(k: &Integer) -> Scalar {
    Scalar::reduce(&FieldBytes::from(k.to_octets()))
}

/// The encoding of a point of the other implementation.
fn encoded(point: &ProjectivePoint) -> Option<[u8; POINT_OCTETS]> {
    point.to_affine().to_sec1_point(false).as_bytes().try_into().ok()
}

fn theirs(point: &Point) -> ProjectivePoint {
    point.to_octets().map_or(ProjectivePoint::IDENTITY, |octets| {
        ProjectivePoint::from_sec1_point(&Sec1Point::from_bytes(octets).unwrap()).unwrap()
    })
}

/// \[k\]G as the other implementation has it, with a denominator other than 1.
fn multiple(k: &Integer) -> Point {
    let point = encoded(&ProjectivePoint::mul_by_generator(&scalar(k)));
    point.map_or(Point::IDENTITY, |octets| {
        let point = Point::from_octets(&octets).unwrap();
        point.double().add(&negated(&point))
    })
}

fn negated(point: &Point) -> Point {
    let mut point = *point;
    point.negate_masked(u64::MAX);
    point
}

/// Integers with extreme digits in windows of every size, and those around 0, q, q/2 and powers of 2.
fn edges() -> Vec<Integer> {
    let (q, one) = (q(), BigUint::one());
    let mut edges: Vec<BigUint> = Vec::new();
    for i in 0..20u8 {
        edges.extend([BigUint::from(i), &q - &one - i, (&q >> 1) - 10u8 + i]);
    }
    // Where the last addition of a multiplication of G meets equal points, and its neighbours.
    let last = (BigUint::from(30u8) << 252) - &q;
    edges.extend([&q - &last, &last - 1u8, &last + 1u8, &last + 2u8, &last - 2u8, last]);
    for i in 0..256 {
        edges.extend([&one << i, (&one << i) - 1u8, &q - (&one << i) % &q]);
    }
    for width in 1..=12 {
        for pattern in [1u64, (1 << width) - 1, 1 << (width - 1), (1 << (width - 1)) - 1, (1 << (width - 1)) + 1] {
            for period in [width, 2 * width] {
                edges.push((0..256).step_by(period).fold(BigUint::ZERO, |n, i| n | (BigUint::from(pattern) << i)));
            }
        }
    }
    edges.iter().map(integer).collect()
}

#[test]
fn the_generator_has_its_encoding() {
    assert_eq!(Point::GENERATOR.to_octets(), Some(GENERATOR_OCTETS));
}

#[test]
fn only_uncompressed_points_on_the_curve_are_read() {
    let mut octets = GENERATOR_OCTETS;
    assert!(Point::from_octets(&octets).is_some());
    assert!(Point::from_octets(&octets[..64]).is_none());
    assert!(Point::from_octets(&[]).is_none());
    for prefix in [0, 2, 3, 5, 6, 7] {
        octets[0] = prefix;
        assert!(Point::from_octets(&octets).is_none(), "{prefix}");
        assert!(Point::from_octets(&octets[..33]).is_none(), "{prefix}");
    }
    octets[0] = 4;
    octets[64] ^= 1;
    assert!(Point::from_octets(&octets).is_none());
    assert!(Point::from_octets(&[0]).is_none());
}

/// (0, sqrt b) is on the curve, and so would be (p, sqrt b) if coordinates were reduced.
#[test]
fn coordinates_that_are_not_reduced_are_refused() {
    let mut octets = [0; POINT_OCTETS];
    octets[0] = 4;
    octets[33..]
        .copy_from_slice(&hex_literal::hex!("66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4"));
    assert!(Point::from_octets(&octets).is_some());
    octets[1..33].copy_from_slice(&super::P);
    assert!(Point::from_octets(&octets).is_none());
}

#[test]
fn the_identity_has_no_encoding_and_no_x() {
    assert_eq!(Point::IDENTITY.to_octets(), None);
    assert!(!Point::IDENTITY.has_x_vartime(&[0; 32]));
    assert!(!Point::IDENTITY.has_x_vartime(&octets(&BigUint::one())));
    assert!(PreparedPoint::new(&Point::IDENTITY).is_none());
    assert_eq!(Point::multiply_generator(&Integer::ZERO).to_octets(), None);
}

#[test]
fn multiples_of_the_generator_are_right_for_extreme_integers() {
    for k in edges() {
        let expected = encoded(&ProjectivePoint::mul_by_generator(&scalar(&k)));
        assert_eq!(Point::multiply_generator(&k).to_octets(), expected, "{:x?}", k.to_octets());
        assert_eq!(Point::GENERATOR.multiply_vartime(&k).to_octets(), expected, "{:x?}", k.to_octets());
    }
}

#[test]
fn sums_are_right_for_equal_opposite_and_identity_points() {
    let three = multiple(&integer(&BigUint::from(3u8)));
    let points =
        [Point::IDENTITY, Point::GENERATOR, negated(&Point::GENERATOR), three, negated(&three), three.double()];
    for a in &points {
        for b in &points {
            let sum = theirs(a) + theirs(b);
            assert_eq!(a.add(b).to_octets(), encoded(&sum));
            assert_eq!(bool::from(a.ct_eq(b)), theirs(a) == theirs(b));
            if let Some(affine) = b.to_affine() {
                assert_eq!(a.add_affine_vartime(&affine).to_octets(), encoded(&sum));
            }
        }
        assert_eq!(a.double().to_octets(), encoded(&theirs(a).double()));
        assert!(bool::from(a.double().ct_eq(&a.add(a))));
    }
}

/// All three points within a few multiples of each other, so that partial sums coincide and cancel.
#[test]
fn sums_of_related_multiples_are_right() {
    let small = |n: i32| {
        let k = integer(&BigUint::from(n.unsigned_abs()));
        if n < 0 { Integer::ZERO.subtract(&k) } else { k }
    };
    for k in [-3, -1, 1, 2, 511] {
        let prepared = PreparedPoint::new(&multiple(&small(k))).unwrap();
        for m in [-2, -1, 0, 1, 3, 15] {
            let point = multiple(&small(m));
            for a in [-17, -1, 0, 1, 2, 511] {
                for b in [-256, -1, 0, 1, 3, 511] {
                    for c in [-5, -1, 0, 1, 2, 15] {
                        let (a, b, c) = (small(a), small(b), small(c));
                        let k = a.add(&b.multiply(&small(k))).add(&c.multiply(&small(m)));
                        let sum = Point::multiply_add_prepared_vartime(&a, &prepared, &b, &point, &c);
                        assert!(bool::from(sum.ct_eq(&multiple(&k))));
                    }
                }
            }
        }
    }
}

#[test]
fn an_x_coordinate_is_compared_modulo_p_and_not_modulo_q() {
    // An x-coordinate in q..p-1, the least there is, and what it is modulo q.
    let (x, octets_of_point) = (0u32..)
        .find_map(|i| {
            let x = octets(&(q() + i));
            let compressed = [[2].as_slice(), &x].concat();
            let point = ProjectivePoint::from_sec1_point(&Sec1Point::from_bytes(&compressed).unwrap()).into_option()?;
            Some((x, encoded(&point)?))
        })
        .unwrap();
    let point = Point::from_octets(&octets_of_point).unwrap();
    for point in [point, negated(&point), point.double().add(&negated(&point))] {
        assert!(point.has_x_vartime(&x));
        assert!(!point.has_x_vartime(&octets(&(BigUint::from_bytes_be(&x) - q()))));
    }
    assert!(!point.double().has_x_vartime(&x));
    // x = 0 is that of (0, sqrt b), and p is no number below p.
    let zero = [
        [4].as_slice(),
        &[0; 32],
        &hex_literal::hex!("66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4"),
    ]
    .concat();
    let zero = Point::from_octets(&zero).unwrap();
    assert!(zero.has_x_vartime(&[0; 32]) && !zero.has_x_vartime(&super::P));
}

proptest! {
    #[test]
    fn multiplications_agree_with_another_implementation(a: Octets, b: Octets, c: Octets, d: Octets, e: Octets) {
        let [a, b, c, d, e] = [a, b, c, d, e].map(|octets| Integer::from_octets_reduced(&octets));
        let (first, second) = (Point::multiply_generator(&a), Point::multiply_generator(&b));
        prop_assert_eq!(first.to_octets(), encoded(&ProjectivePoint::mul_by_generator(&scalar(&a))));
        let lincomb = |terms: &[(ProjectivePoint, Scalar)]| encoded(&ProjectivePoint::lincomb_vartime(terms));
        let (p, r, g) = (theirs(&first), theirs(&second), ProjectivePoint::GENERATOR);
        prop_assert_eq!(first.multiply_vartime(&c).to_octets(), lincomb(&[(p, scalar(&c))]));
        let sum = first.multiply_add_vartime(&c, &second, &d);
        prop_assert_eq!(sum.to_octets(), lincomb(&[(p, scalar(&c)), (r, scalar(&d))]));
        let prepared = PreparedPoint::new(&first).unwrap();
        let sum = Point::multiply_add_prepared_vartime(&e, &prepared, &c, &second, &d);
        let expected = lincomb(&[(g, scalar(&e)), (p, scalar(&c)), (r, scalar(&d))]).unwrap();
        prop_assert_eq!(sum.to_octets(), Some(expected));
        prop_assert!(sum.has_x_vartime(expected[1..33].try_into().unwrap()));
        prop_assert!(!sum.double().has_x_vartime(expected[1..33].try_into().unwrap()));
        prop_assert!(bool::from(sum.ct_eq(&Point::from_octets(&expected).unwrap())));
        prop_assert_eq!(sum.add(&first).to_octets(), encoded(&(theirs(&sum) + p)));
    }

    #[test]
    fn integers_agree_with_another_implementation(a: Octets, b: Octets) {
        prop_assert_eq!(bool::from(Integer::from_octets(&a).is_some()), bool::from(Scalar::from_repr(a.into()).is_some()));
        let [a, b] = [a, b].map(|octets| Integer::from_octets_reduced(&octets));
        prop_assert_eq!(a.multiply(&b).to_octets(), <Octets>::from((scalar(&a) * scalar(&b)).to_repr()));
        prop_assert_eq!(a.add(&b).to_octets(), <Octets>::from((scalar(&a) + scalar(&b)).to_repr()));
        prop_assert_eq!(a.invert().unwrap().to_octets(), <Octets>::from(scalar(&a).invert().unwrap().to_repr()));
    }
}
