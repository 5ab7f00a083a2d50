//! The fields: F_p and F_p^2 of SAKKE, the integers modulo its group order q, and both fields of P-256.

pub(crate) mod digits;
pub(crate) mod fp;
pub(crate) mod fp2;
mod inversion;
pub(crate) mod lanes;
pub(crate) mod p256;
mod pair;
pub(crate) mod scalar;

use alloc::vec::Vec;

use subtle::{Choice, ConditionallySelectable, CtOption};
use zeroize::Zeroizing;

use crate::backend::portable::{ModulusOf, Residue, Words};
use inversion::Inverter;

pub(crate) use fp::Fp;
pub(crate) use fp2::Fp2;
pub(crate) use lanes::Lanes;
pub(crate) use pair::Pair;
pub(crate) use scalar::Scalar;

#[cfg(test)]
mod tests;

impl<M: ModulusOf> Residue<M> {
    /// The inverse, in constant time; none for 0.
    pub(crate) fn invert(&self) -> CtOption<Self> {
        let inverse = Zeroizing::new(M::INVERTER.invert(&Zeroizing::new(self.to_words_64())));
        CtOption::new(Self::from_words_64(&inverse), !self.is_zero())
    }

    /// Inverts all of the residues, in constant time, with one inversion. A 0 stays, and does not touch the others.
    pub(crate) fn invert_all(residues: &mut [Self]) {
        let is_zero: Vec<Choice> = residues.iter().map(Self::is_zero).collect();
        // Before each residue, the product of those before it.
        let mut products = Zeroizing::new(Vec::with_capacity(residues.len()));
        let mut product = Self::ONE;
        for (residue, is_zero) in residues.iter_mut().zip(&is_zero) {
            residue.conditional_assign(&Self::ONE, *is_zero);
            products.push(product);
            product = product.multiply(residue);
        }
        let mut inverse = product.invert().unwrap_or(Self::ZERO);
        for ((residue, is_zero), product) in residues.iter_mut().zip(&is_zero).zip(products.iter()).rev() {
            let own = inverse.multiply(product);
            inverse = inverse.multiply(residue);
            *residue = Self::conditional_select(&own, &Self::ZERO, *is_zero);
        }
    }

    /// This residue to a power, the exponent being public: time and access pattern depend on it.
    pub(crate) fn power_vartime(&self, exponent: &Words) -> Self {
        let mut multiples = [Self::ONE; 16];
        for i in 1..16 {
            multiples[i] = multiples[i - 1].multiply(self);
        }
        let mut power = Self::ONE;
        for word in exponent.iter().rev() {
            for shift in (0..crate::backend::portable::Word::BITS).step_by(4).rev() {
                for _ in 0..4 {
                    power = power.square();
                }
                let digit = (word >> shift) & 15;
                if digit != 0 {
                    power = power.multiply(&multiples[digit as usize]);
                }
            }
        }
        multiples.iter_mut().for_each(zeroize::Zeroize::zeroize);
        power
    }
}

/// A modulus in the form that inversion needs.
trait Invertible: ModulusOf {
    const INVERTER: Inverter<16, 17>;
}

impl<M: ModulusOf> Invertible for M {
    const INVERTER: Inverter<16, 17> = Inverter::new(&M::MODULUS.words_64(), M::MODULUS.inverse_64());
}
