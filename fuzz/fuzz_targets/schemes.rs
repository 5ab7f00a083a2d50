//! What the targets of the schemes share: values that tend to the edges, and damage to what is valid.
#![allow(dead_code, reason = "each target uses its own part")]

#[path = "../../tests/oracle/mod.rs"]
pub mod oracle;

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use num_bigint::BigUint;

use oracle::curve::{Affine, Curve};
use oracle::eccsi::P256;
use oracle::sakke::SET_1;
use oracle::{from_octets, octets};

/// Octets of an integer and a coordinate of ECCSI.
pub const ECCSI: usize = 32;
/// Octets of an integer and a coordinate of SAKKE.
pub const SAKKE: usize = oracle::sakke::L;

/// A curve and what the edges of its integers are.
pub struct Group {
    pub curve: &'static Curve,
    pub order: &'static BigUint,
    pub generator: Affine,
}

pub fn p256() -> Group {
    Group { curve: &P256.curve, order: &P256.q, generator: P256.g.clone().expect("not the identity") }
}

pub fn set_1() -> Group {
    Group { curve: &SET_1.curve, order: &SET_1.q, generator: SET_1.generator.clone() }
}

impl Group {
    /// N octets: any, or an integer beside 0, the order, half of it, the prime or a power of two.
    pub fn integer<const N: usize>(&self, input: &mut Unstructured) -> Result<[u8; N]> {
        let choice: u8 = input.arbitrary()?;
        if choice < 128 {
            return input.arbitrary();
        }
        let power = || BigUint::from(1u32);
        let edge = match choice % 5 {
            0 => BigUint::ZERO,
            1 => self.order.clone(),
            2 => self.order >> 1,
            3 => self.curve.field.prime.clone(),
            _ => power() << (usize::from(input.arbitrary::<u16>()?) % (8 * N)),
        };
        let (less, beside) = (input.arbitrary::<bool>()?, BigUint::from(input.arbitrary::<u8>()? % 16));
        // Where it would be negative or too long it is 0.
        let value = if less { (edge >= beside).then(|| edge - beside) } else { Some(edge + beside) };
        let value = value.filter(|value| value.bits() <= 8 * N as u64).unwrap_or_default();
        Ok(octets(&value, N).try_into().expect("N octets"))
    }

    /// An encoded point: any octets, points of any order on the curve or beside it, and coordinates that are not
    /// reduced.
    pub fn point<const N: usize>(&self, input: &mut Unstructured) -> Result<Vec<u8>> {
        let multiple = |k: &BigUint, point| self.curve.multiply(k, &Some(point));
        let point = match input.int_in_range(0..=4u8)? {
            0 => {
                let length = (2 * N + 1).min(input.len());
                let mut encoded = input.bytes(length)?.to_vec();
                encoded.resize(2 * N + 1, 0);
                return Ok(encoded);
            }
            1 => Some(self.lift::<N>(input)?),
            2 => multiple(&from_octets(&self.integer::<N>(input)?), self.generator.clone()),
            3 => multiple(self.order, self.lift::<N>(input)?),
            _ => {
                let low = multiple(self.order, self.lift::<N>(input)?);
                self.curve.add(&multiple(&from_octets(&self.integer::<N>(input)?), self.generator.clone()), &low)
            }
        };
        let Some(Affine { mut x, mut y }) = point else { return Ok(vec![0; 2 * N + 1]) };
        let fits = |coordinate: &BigUint| (coordinate + &self.curve.field.prime).bits() <= 8 * N as u64;
        match input.arbitrary::<u8>()? {
            128.. => {}
            0 => y = self.curve.field.negate(&y),
            1 if fits(&x) => x += &self.curve.field.prime,
            2 if fits(&y) => y += &self.curve.field.prime,
            3 => y = (y + 1u32) % &self.curve.field.prime,
            _ => {}
        }
        Ok([vec![4], octets(&x, N), octets(&y, N)].concat())
    }

    /// The point with an x of the input if there is one, otherwise one that is not on the curve.
    fn lift<const N: usize>(&self, input: &mut Unstructured) -> Result<Affine> {
        let (field, x) = (&self.curve.field, from_octets(&self.integer::<N>(input)?));
        let x = field.reduce(&x);
        let cube = field.multiply(&field.multiply(&x, &x), &x);
        let square = field.add(&field.subtract(&cube, &(&x * 3u32)), &self.curve.b);
        // Both primes are 3 mod 4.
        let y = square.modpow(&((&field.prime + 1u32) >> 2), &field.prime);
        Ok(Affine { x, y })
    }
}

/// An identity of 1 to 1000 octets; now and then the one that has no key under the master secret z.
pub fn identity(input: &mut Unstructured, z: &[u8]) -> Result<Vec<u8>> {
    let q = &SET_1.q;
    let without_key = || q - from_octets(z) % q;
    Ok(match input.arbitrary::<u8>()? {
        252 => without_key().to_bytes_be(),
        253 => (without_key() + q).to_bytes_be(),
        254 => (without_key() + 1u32).to_bytes_be(),
        255 => vec![input.arbitrary()?; 1000],
        length => {
            let mut identity = take(input, length)?;
            identity.resize(identity.len().max(1), 0);
            identity
        }
    })
}

/// As many octets, or what is left.
pub fn take(input: &mut Unstructured, length: u8) -> Result<Vec<u8>> {
    Ok(input.bytes(usize::from(length).min(input.len()))?.to_vec())
}

/// Up to 255 octets.
pub fn short(input: &mut Unstructured) -> Result<Vec<u8>> {
    let length = input.arbitrary()?;
    take(input, length)
}

/// Damages octets as the rest of the input says; if nothing is left of it, not at all.
pub fn damage(octets: &mut Vec<u8>, input: &mut Unstructured) -> Result<()> {
    while !input.is_empty() {
        let (what, at, value): (u8, u16, u8) = (input.arbitrary()?, input.arbitrary()?, input.arbitrary()?);
        let at = if octets.is_empty() { 0 } else { usize::from(at) % octets.len() };
        match what % 8 {
            0 => octets.truncate(at),
            1 => octets.push(value),
            2 => octets.insert(at, value),
            3 if !octets.is_empty() => drop(octets.remove(at)),
            4 | 5 => octets.iter_mut().skip(at).take(1).for_each(|octet| *octet = value),
            _ => octets.iter_mut().skip(at).take(1).for_each(|octet| *octet ^= 1 << (value % 8)),
        }
    }
    Ok(())
}
