//! Points that are not those they stand for.

use num_bigint::BigUint;
use num_traits::Zero;

use crate::oracle::curve::{Affine, Curve, Point};
use crate::oracle::eccsi::P256;
use crate::oracle::octets;
use crate::oracle::sakke::SET_1;

/// Coordinates as they are, whether on the curve or not.
pub(crate) fn encoded(x: &BigUint, y: &BigUint, width: usize) -> Vec<u8> {
    [vec![4], octets(x, width), octets(y, width)].concat()
}

/// A square root, where there is one: both primes are 3 mod 4.
fn root(curve: &Curve, square: &BigUint) -> Option<BigUint> {
    let p = &curve.field.prime;
    let root = square.modpow(&((p + 1u32) >> 2), p);
    (&root * &root % p == square % p).then_some(root)
}

/// x^3 - 3x + B.
fn right_side(curve: &Curve, x: &BigUint) -> BigUint {
    let field = &curve.field;
    let cube = field.multiply(&field.multiply(x, x), x);
    field.add(&field.subtract(&cube, &(x * 3u32)), &curve.b)
}

/// The least x from 2 on with a point of the curve, or, if `on_twist`, with a point of its twist.
fn least(curve: &Curve, on_twist: bool) -> Affine {
    let p = &curve.field.prime;
    let point = |x: u32| {
        let x = BigUint::from(x);
        let right = right_side(curve, &x);
        // -1 is no square.
        let y = if on_twist { root(curve, &(p - right)) } else { root(curve, &right) };
        y.map(|y| Affine { x, y })
    };
    (2..).find_map(point).unwrap()
}

/// The points of order 2 and 4 of SAKKE's curve.
pub(crate) fn small_order() -> [(&'static str, Affine); 3] {
    let curve = &SET_1.curve;
    let p = &curve.field.prime;
    let c = root(curve, &(p - 3u32)).unwrap();
    let y = root(curve, &right_side(curve, &(p - &c))).or_else(|| root(curve, &right_side(curve, &c)));
    let x = if root(curve, &right_side(curve, &(p - &c))).is_some() { p - &c } else { c };
    let four = Affine { x, y: y.unwrap() };
    let minus_four = curve.negate(&Some(four.clone())).unwrap();
    let two = Affine { x: BigUint::zero(), y: BigUint::zero() };
    assert_eq!(curve.add(&Some(four.clone()), &Some(four.clone())), Some(two.clone()));
    [("T2", two), ("T4", four), ("-T4", minus_four)]
}

/// What stands in for a point of SAKKE's group, by name: 257 octets each.
pub(crate) fn for_sakke(good: &[u8]) -> Vec<(String, Vec<u8>)> {
    let curve = &SET_1.curve;
    let width = curve.width;
    let p = &curve.field.prime;
    let point = curve.decode(good).unwrap();
    let encode = |point: Point| curve.encode(&point).unwrap();
    let mut points: Vec<(String, Vec<u8>)> = vec![
        ("negated".into(), encode(curve.negate(&Some(point.clone())))),
        ("doubled".into(), encode(curve.add(&Some(point.clone()), &Some(point.clone())))),
        ("P".into(), encode(Some(SET_1.generator.clone()))),
        ("-P".into(), encode(curve.negate(&Some(SET_1.generator.clone())))),
        ("+ P".into(), encode(curve.add(&Some(point.clone()), &Some(SET_1.generator.clone())))),
        ("x and y swapped".into(), encoded(&point.y, &point.x, width)),
        ("y + 1".into(), encoded(&point.x, &((&point.y + 1u32) % p), width)),
        ("x + 1".into(), encoded(&((&point.x + 1u32) % p), &point.y, width)),
        ("y = 0".into(), encoded(&point.x, &BigUint::zero(), width)),
        ("x = 0".into(), encoded(&BigUint::zero(), &point.y, width)),
        ("x = p - x".into(), encoded(&(p - &point.x), &point.y, width)),
        ("x = p, y = 0".into(), encoded(p, &BigUint::zero(), width)),
        ("x = 0, y = p".into(), encoded(&BigUint::zero(), p, width)),
        ("x = p, y = p".into(), encoded(p, p, width)),
        ("x = p".into(), encoded(p, &point.y, width)),
        ("y = p".into(), encoded(&point.x, p, width)),
        ("all ones".into(), [vec![4], vec![0xff; 2 * width]].concat()),
        ("all octets 0".into(), vec![0; 2 * width + 1]),
        ("all octets 4".into(), vec![4; 2 * width + 1]),
        ("of full order".into(), encode(Some(least(curve, false)))),
        ("on the twist".into(), encode(Some(least(curve, true)))),
        ("that of P-256".into(), {
            let Affine { x, y } = P256.g.clone().unwrap();
            encoded(&x, &y, width)
        }),
    ];
    for (name, torsion) in small_order() {
        points.push((name.into(), encode(Some(torsion.clone()))));
        points.push((format!("+ {name}"), encode(curve.add(&Some(point.clone()), &Some(torsion)))));
    }
    // Not reduced, where it fits 1024 bits.
    for (name, x, y) in [
        ("x + p", &point.x + p, point.y.clone()),
        ("y + p", point.x.clone(), &point.y + p),
        ("x + p, y + p", &point.x + p, &point.y + p),
    ] {
        if x.bits().max(y.bits()) <= 1024 {
            points.push((name.into(), encoded(&x, &y, width)));
        }
    }
    points.extend(prefixes(good, &point));
    points
}

/// What stands in for a point of P-256, by name: 65 octets each.
pub(crate) fn for_eccsi(good: &[u8]) -> Vec<(String, Vec<u8>)> {
    let curve = &P256.curve;
    let width = curve.width;
    let p = &curve.field.prime;
    let point = curve.decode(good).unwrap();
    let encode = |point: Point| curve.encode(&point).unwrap();
    let zero = BigUint::zero();
    let at_zero = root(curve, &curve.b).unwrap();
    let mut points: Vec<(String, Vec<u8>)> = vec![
        ("negated".into(), encode(curve.negate(&Some(point.clone())))),
        ("doubled".into(), encode(curve.add(&Some(point.clone()), &Some(point.clone())))),
        ("G".into(), encode(P256.g.clone())),
        ("-G".into(), encode(curve.negate(&P256.g))),
        ("+ G".into(), encode(curve.add(&Some(point.clone()), &P256.g))),
        ("x and y swapped".into(), encoded(&point.y, &point.x, width)),
        ("on a curve with another B, by y".into(), encoded(&point.x, &((&point.y + 1u32) % p), width)),
        ("on a curve with another B, by x".into(), encoded(&((&point.x + 1u32) % p), &point.y, width)),
        ("y = 0: order 2 on another curve".into(), encoded(&point.x, &zero, width)),
        ("x = 0".into(), encoded(&zero, &point.y, width)),
        ("(0, 0)".into(), encoded(&zero, &zero, width)),
        ("x = 0, on the curve".into(), encoded(&zero, &at_zero, width)),
        ("x = p, which is 0".into(), encoded(p, &at_zero, width)),
        ("x = p".into(), encoded(p, &point.y, width)),
        ("y = p".into(), encoded(&point.x, p, width)),
        ("x = p, y = p".into(), encoded(p, p, width)),
        ("all ones".into(), [vec![4], vec![0xff; 2 * width]].concat()),
        ("all octets 0".into(), vec![0; 2 * width + 1]),
        ("all octets 4".into(), vec![4; 2 * width + 1]),
        ("on the twist".into(), {
            let Affine { x, y } = least(curve, true);
            encoded(&x, &y, width)
        }),
        ("of SAKKE's curve, cut".into(), {
            let octets = octets(&SET_1.generator.x, 128);
            [vec![4], octets[..2 * width].to_vec()].concat()
        }),
    ];
    points.extend(prefixes(good, &point));
    points
}

/// Every prefix but the right one that some encoding has, and the forms that go with some of them.
fn prefixes(good: &[u8], point: &Affine) -> Vec<(String, Vec<u8>)> {
    let width = (good.len() - 1) / 2;
    let mut points = Vec::new();
    for prefix in [0, 1, 2, 3, 5, 6, 7, 0x84, 0xff] {
        let mut octets = good.to_vec();
        octets[0] = prefix;
        points.push((format!("prefix {prefix:02x}"), octets));
    }
    let compressed = [vec![2 + u8::from(point.y.bit(0))], octets(&point.x, width)].concat();
    points.push(("compressed, with zeros".into(), [compressed, vec![0; width]].concat()));
    points.push(("the identity, with ones".into(), [vec![0], vec![0xff; 2 * width]].concat()));
    points
}
