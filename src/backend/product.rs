//! Products before Montgomery's reduction, which a sum of several then shares.

use core::marker::PhantomData;

use super::portable::{
    self, DoubleWords, ModulusOf, Residue, Words, add_words, halves, raise_once, reduce_once, subtract_words,
};
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
use super::select;

/// A sum of products of residues: a number modulo mR, always reduced to 0..mR-1, with R = 2^1024.
///
/// As m is below R, a product of residues is below mR, and so is a product of a residue and any number below R.
#[derive(Clone, Copy)]
pub(crate) struct Product<M> {
    words: DoubleWords,
    modulus: PhantomData<M>,
}

impl<M: ModulusOf> Product<M> {
    const fn from_halves(low: &Words, high: &Words) -> Self {
        let mut words = [0; 2 * portable::WORDS];
        let (first, second) = words.split_at_mut(portable::WORDS);
        first.copy_from_slice(low);
        second.copy_from_slice(high);
        Self { words, modulus: PhantomData }
    }

    pub(crate) fn of(a: &Residue<M>, b: &Residue<M>) -> Self {
        #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
        if let Some(adx) = select::adx() {
            return Self { words: adx.product(&a.words, &b.words), modulus: PhantomData };
        }
        Self { words: portable::product(&a.words, &b.words), modulus: PhantomData }
    }

    pub(crate) fn add(&self, other: &Self) -> Self {
        let ((low, high), (other_low, other_high)) = (halves(&self.words), halves(&other.words));
        let (low, carry) = add_words(low, other_low, false);
        let (high, carry) = add_words(high, other_high, carry);
        Self::from_halves(&low, &reduce_once(&high, carry, &M::MODULUS.words))
    }

    pub(crate) fn subtract(&self, other: &Self) -> Self {
        let ((low, high), (other_low, other_high)) = (halves(&self.words), halves(&other.words));
        let (low, borrow) = subtract_words(low, other_low, false);
        let (high, borrow) = subtract_words(high, other_high, borrow);
        Self::from_halves(&low, &raise_once(&high, borrow, &M::MODULUS.words))
    }

    /// The residue: divided by R modulo m.
    pub(crate) fn reduce(self) -> Residue<M> {
        #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
        if let Some(adx) = select::adx() {
            let mut words = self.words;
            return Residue::from_montgomery(adx.reduce(&mut words, &M::MODULUS.adx));
        }
        Residue::from_montgomery(portable::reduce(self.words, &M::MODULUS))
    }
}

/// The product of two residues.
pub(super) fn multiply<M: ModulusOf>(a: &Residue<M>, b: &Residue<M>) -> Residue<M> {
    #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
    if select::adx().is_some() {
        return Product::of(a, b).reduce();
    }
    Residue::from_montgomery(portable::multiply(&a.words, &b.words, &M::MODULUS))
}
