//! The oracle against published vectors, before the engine is compared with it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod oracle;

use num_bigint::BigUint;
use num_traits::{One, Zero};
use oracle::pairing::{Fp2, pairing, pairing_by_slopes, pf_multiply, pf_power};
use oracle::{curve, eccsi, from_octets, identity, integer, octets, sakke};
use rayon::prelude::*;
use serde_json::Value;

/// g of parameter set 1 (RFC 6509, Appendix A).
const G: &str = "66fc2a432b6ea392148f15867d623068c6a87bd1fb94c41e27fabe658e015a87
                 371e94744c96feda449ae9563f8bc446cbfda85d5d00ef577072da8f541721be
                 ee0faed1828eab90b99dfb0138c7843355df0460b4a9fd74b4f1a32bcafa1ffa
                 d682c033a7942bcce3720f20b9b7b0403c8cae87b7a0042acde0fab36461ea46";

/// One test of a vector file.
struct Test {
    kind: String,
    fields: Value,
}

impl Test {
    fn text(&self, name: &str) -> &str {
        self.fields[name].as_str().unwrap_or_else(|| panic!("{name} of {}", self.name()))
    }

    fn octets(&self, name: &str) -> Vec<u8> {
        let hex = self.text(name);
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    fn number(&self, name: &str) -> u64 {
        self.fields[name].as_u64().unwrap_or_else(|| panic!("{name} of {}", self.name()))
    }

    fn name(&self) -> String {
        format!("{} {} {}", self.kind, self.fields["tcId"], self.fields["comment"])
    }

    /// The outputs that the oracle computes, by name; none where it refuses the input.
    fn run(&self) -> Option<Vec<(&'static str, Vec<u8>)>> {
        let get = |name| self.octets(name);
        match self.kind.as_str() {
            "HashToIntegerRange" => {
                Some(vec![("value", sakke::hash_to_integer_range(&get("message"), &get("modulus"))?)])
            }
            "SakkeMasterKey" => Some(vec![("publicKey", sakke::master_key(&get("masterSecret"))?)]),
            "SakkeExtract" => Some(vec![("rsk", sakke::extract(&get("masterSecret"), &get("identity"))?)]),
            "SakkeValidateRsk" => sakke::validate(&get("publicKey"), &get("identity"), &get("rsk")).then(Vec::new),
            "SakkeEncapsulate" => {
                let made = sakke::encapsulate(&get("publicKey"), &get("identity"), &get("ssv"))?;
                Some(vec![("encapsulated", made.encapsulated), ("r", made.r), ("gPowR", made.g_pow_r)])
            }
            "SakkeDecapsulate" => {
                let ssv = sakke::decapsulate(&get("publicKey"), &get("identity"), &get("rsk"), &get("encapsulated"))?;
                Some(vec![("ssv", ssv)])
            }
            "EccsiMasterKey" => Some(vec![("kpak", eccsi::master_key(&get("ksak"))?)]),
            "EccsiIssue" => {
                let issued = eccsi::issue(&get("ksak"), &get("identity"), &get("v"))?;
                Some(vec![("ssk", issued.ssk), ("pvt", issued.pvt), ("hs", issued.hs)])
            }
            "EccsiValidateKeys" => {
                eccsi::validate(&get("kpak"), &get("identity"), &get("ssk"), &get("pvt")).then(Vec::new)
            }
            "EccsiSign" => {
                let (kpak, identity, ssk) = (get("kpak"), get("identity"), get("ssk"));
                let signature = eccsi::sign(&kpak, &identity, &ssk, &get("pvt"), &get("message"), &get("j"))?;
                Some(vec![("signature", signature)])
            }
            "EccsiVerify" => {
                eccsi::verify(&get("kpak"), &get("identity"), &get("message"), &get("signature")).then(Vec::new)
            }
            "UidMonthly" => Some(vec![("uid", identity::monthly(self.text("month"), self.text("uri")))]),
            "UidHashed" => {
                let [period, offset, number] = ["period", "offset", "periodNumber"].map(|name| self.number(name));
                let uid = identity::hashed(&get("userUri"), &get("kmsUri"), period, offset, number)?;
                Some(vec![("uid", uid.to_vec())])
            }
            other => panic!("the oracle does not know {other}"),
        }
    }

    /// Panics if the oracle disagrees with the vector.
    fn check(&self) {
        let outputs = self.run();
        let valid = match self.text("result") {
            "valid" => true,
            "invalid" => false,
            other => panic!("result {other} of {}", self.name()),
        };
        assert_eq!(outputs.is_some(), valid, "{}", self.name());
        for (name, value) in outputs.unwrap_or_default() {
            if self.fields.get(name).is_some() {
                assert_eq!(value, self.octets(name), "{name} of {}", self.name());
            }
        }
    }
}

/// The tests of a file whose type is one of the oracle's.
fn tests(json: &str) -> Vec<Test> {
    let file: Value = serde_json::from_str(json).unwrap();
    let groups = file["testGroups"].as_array().unwrap();
    let of_group = |group: &Value| {
        let kind = group["type"].as_str().unwrap().to_owned();
        let tests = group["tests"].as_array().unwrap().clone();
        tests.into_iter().map(move |fields| Test { kind: kind.clone(), fields }).collect::<Vec<_>>()
    };
    groups.iter().flat_map(of_group).collect()
}

fn check_all(json: &str, expected: usize) {
    let tests = tests(json);
    assert_eq!(tests.len(), expected);
    tests.par_iter().for_each(Test::check);
}

#[test]
fn eccsi_agrees_with_rfc_6507() {
    check_all(include_str!("../test-vectors/rfc6507.json"), 5);
}

#[test]
fn eccsi_refuses_the_edge_cases() {
    check_all(include_str!("../test-vectors/eccsi_edge.json"), 11);
}

#[test]
fn sakke_agrees_with_rfc_6508() {
    check_all(include_str!("../test-vectors/rfc6508.json"), 6);
}

#[test]
fn sakke_refuses_the_edge_cases() {
    check_all(include_str!("../test-vectors/sakke_edge.json"), 30);
}

/// Computed by another oracle than this one.
#[test]
fn both_schemes_agree_at_the_edges() {
    check_all(include_str!("../test-vectors/edges.json"), 255);
}

#[test]
fn identifiers_agree_with_published_ones() {
    check_all(include_str!("../test-vectors/identity.json"), 5);
}

#[test]
fn a_wrong_output_is_noticed() {
    let mut test = tests(include_str!("../test-vectors/rfc6507.json")).remove(0);
    test.check();
    test.fields["kpak"] = Value::from("00");
    assert!(std::panic::catch_unwind(|| test.check()).is_err());
}

#[test]
fn parameters_are_consistent() {
    let set = &*sakke::SET_1;
    assert_eq!(&set.q * 4u32, &set.curve.field.prime + BigUint::one());
    assert_eq!((set.curve.width, set.q.bits()), (sakke::L, 1022));
    assert!(set.curve.contains(&set.generator) && set.curve.has_order(&set.q, &set.generator));
    assert_eq!(*sakke::G, integer(G));

    let p256 = &*eccsi::P256;
    let g = p256.g.as_ref().unwrap();
    assert!(p256.curve.contains(g) && p256.curve.has_order(&p256.q, g));
}

#[test]
fn curve_law_has_its_exceptions_right() {
    let set = &*sakke::SET_1;
    let p = Some(set.generator.clone());
    assert_eq!(set.curve.add(&p, &None), p);
    assert_eq!(set.curve.add(&None, &p), p);
    assert_eq!(set.curve.add(&p, &set.curve.negate(&p)), None);
    assert_eq!(set.curve.multiply(&BigUint::from(2u32), &p), set.curve.add(&p, &p));
    assert_eq!(set.curve.multiply(&BigUint::zero(), &p), None);
    let order_2 = Some(curve::Affine { x: BigUint::zero(), y: BigUint::zero() });
    assert_eq!(set.curve.add(&order_2, &order_2), None);
    assert_eq!(set.curve.encode(&None), None);
}

#[test]
fn multiples_are_repeated_additions() {
    let set = &*sakke::SET_1;
    let sizes = [(&set.curve, Some(set.generator.clone())), (&eccsi::P256.curve, eccsi::P256.g.clone())];
    for (curve, point) in sizes {
        let mut sum = None;
        for k in 0..20u32 {
            assert_eq!(curve.multiply(&BigUint::from(k), &point), sum, "k = {k}");
            sum = curve.add(&sum, &point);
        }
        // [2^64 - 1]P, by doubling and adding in affine coordinates.
        let long = (0..64).fold(None, |sum, _| curve.add(&curve.add(&sum, &sum), &point));
        assert_eq!(curve.multiply(&BigUint::from(u64::MAX), &point), long);
    }
    // A multiple that passes the identity, and then meets P itself: [q + 1]P, [q + 2]P and [2q + 1]P.
    let point = Some(set.generator.clone());
    assert_eq!(set.curve.multiply(&(&set.q + 1u32), &point), point);
    assert_eq!(set.curve.multiply(&(&set.q + 2u32), &point), set.curve.add(&point, &point));
    assert_eq!(set.curve.multiply(&(&set.q * 2u32 + 1u32), &point), point);
    // Below the identity, and through a point of order 2.
    assert_eq!(set.curve.multiply(&(&set.q - 1u32), &point), set.curve.negate(&point));
    let order_2 = Some(curve::Affine { x: BigUint::zero(), y: BigUint::zero() });
    for (k, expected) in [(2u32, None), (3, order_2.clone()), (4, None), (6, None), (7, order_2.clone())] {
        assert_eq!(set.curve.multiply(&BigUint::from(k), &order_2), expected, "k = {k}");
    }
}

#[test]
fn pairing_is_bilinear() {
    let set = &*sakke::SET_1;
    let field = &set.curve.field;
    let multiple = |k: &BigUint| set.curve.multiply(k, &Some(set.generator.clone())).unwrap();
    let (a, b) = (BigUint::from(0x0123_4567_89ab_cdef_u64), &set.q - BigUint::from(5u32));
    let pair = |left: &curve::Affine, right: &curve::Affine| pairing(&set.curve, &set.q, left, right);
    let power = |exponent: &BigUint| pf_power(field, &sakke::G, exponent);

    assert_eq!(pair(&multiple(&a), &multiple(&b)), power(&(&a * &b)));
    assert_eq!(pf_multiply(field, &power(&a).unwrap(), &power(&b).unwrap()), power(&(&a + &b)));
    assert_eq!(power(&set.q), Some(BigUint::zero()));
    assert_eq!(power(&(&set.q - BigUint::one())), Some(field.negate(&sakke::G)));
    let i = Fp2 { a: BigUint::zero(), b: BigUint::one() };
    assert_eq!(i.square(field), Fp2 { a: field.negate(&BigUint::one()), b: BigUint::zero() });
    assert_eq!(i.class(field), None);
}

#[test]
fn pairing_is_that_of_the_slopes() {
    let sakke::Set1 { curve, q, generator } = &*sakke::SET_1;
    let field = &curve.field;
    let multiple = |k: u32| curve.multiply(&k.into(), &Some(generator.clone())).unwrap();
    // (0, 0) has order 2; an x has a point of order 4 times q or a half of that, and \[q\] of it one of order 4 or 2.
    let order_2 = curve::Affine { x: BigUint::zero(), y: BigUint::zero() };
    let lift = |x: u32| {
        let x = BigUint::from(x);
        let square = field.subtract(&(&x * &x * &x), &(&x * 3u32));
        let y = square.modpow(q, &field.prime);
        Some(curve::Affine { x, y }).filter(|point| curve.contains(point))
    };
    let other = (4..).find_map(lift).unwrap();
    let low = curve.multiply(q, &Some(other.clone()));
    let mut points = vec![generator.clone(), multiple(2), multiple(77), order_2, other];
    points.extend(low);
    let mut refused = 0;
    for point in &points {
        let pair = pairing(curve, q, point, &multiple(5));
        assert_eq!(pair, pairing_by_slopes(curve, q, point, &multiple(5)));
        refused += usize::from(pair.is_none());
    }
    assert_eq!(pairing(curve, q, generator, &points[4]), pairing_by_slopes(curve, q, generator, &points[4]));
    assert!((1..=2).contains(&refused), "{refused}");
}

#[test]
fn hash_to_integer_range_counts_powers_of_two_once() {
    let hash = |modulus: &[u8]| sakke::hash_to_integer_range(b"message", modulus);
    let two_to = |exponent: usize| octets(&(BigUint::one() << exponent), exponent / 8 + 1);
    // One block for 2^128 and 2^256, two above.
    assert_eq!(hash(&two_to(128)).unwrap()[1..], hash(&two_to(256)).unwrap()[17..]);
    let two_blocks = hash(&octets(&((BigUint::one() << 256u32) + BigUint::one()), 33)).unwrap();
    assert_ne!(two_blocks, hash(&two_to(256)).unwrap());
    assert_eq!(hash(&[1]), Some(vec![0]));
    assert_eq!(hash(&[0]), None);
    assert!(hash(&two_to(65_536)).is_some());
    assert_eq!(hash(&octets(&(from_octets(&two_to(65_536)) + BigUint::one()), 8193)), None);
}
