//! The forms that a secret has in memory, cut into fragments of 8 octets.
//!
//! A secret that was copied, moved by a vector register or spilled word by word leaves at least one whole fragment of
//! one of its forms, at any address. Secrets are random, so that nothing else has one.

use std::collections::{BTreeMap, BTreeSet};

use num_bigint::BigUint;
use num_traits::One;

/// Octets of a fragment.
pub(crate) const FRAGMENT: usize = 8;

/// Fragments, with the secret and the form that each is of.
#[derive(Default)]
pub(crate) struct Sought {
    fragments: BTreeMap<u64, String>,
    /// Whether there is a fragment with these low bits: most words are none, and are told so by this.
    filter: Vec<u64>,
}

const FILTER_BITS: u32 = 22;

impl Sought {
    /// The octets of a secret: as they are, in words of 4 octets as SHA-256 takes them, in hexadecimal, and all of that
    /// under the two masks of HMAC.
    pub(crate) fn octets(&mut self, name: &str, octets: &[u8]) {
        for (mask, keyed) in [(0, ""), (0x36, ", masked inside HMAC"), (0x5c, ", masked outside HMAC")] {
            let octets: Vec<u8> = octets.iter().map(|octet| octet ^ mask).collect();
            let words: Vec<u8> = octets.chunks_exact(4).flat_map(|word| word.iter().rev().copied()).collect();
            self.cut(format!("{name}{keyed}"), &octets);
            self.cut(format!("{name} in words of SHA-256{keyed}"), &words);
        }
        let hex: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
        self.cut(format!("{name} in hexadecimal"), hex.as_bytes());
        self.cut(format!("{name} in hexadecimal"), hex.to_uppercase().as_bytes());
    }

    /// A secret text.
    pub(crate) fn text(&mut self, name: &str, text: &str) {
        self.cut(name.to_owned(), text.as_bytes());
    }

    /// An integer modulo m of so many bits: its octets, its words, and its words multiplied by R = 2^bits, as
    /// Montgomery's multiplication has it.
    pub(crate) fn integer(&mut self, name: &str, integer: &BigUint, modulus: &BigUint, bits: usize) {
        let octets = |integer: &BigUint| crate::oracle::octets(integer, bits / 8);
        self.octets(name, &octets(integer));
        let montgomery = (integer << bits) % modulus;
        for (form, integer) in [("words", integer), ("Montgomery form", &montgomery)] {
            let words: Vec<u8> = octets(integer).into_iter().rev().collect();
            self.cut(format!("{name} in {form}"), &words);
        }
        // As the lanes of AVX-512 IFMA hold it: digits of 52 bits, of which R is the power 20.
        if bits == 1024 {
            let digit = |number: &BigUint, i: usize| {
                let digit = (number >> (52 * i)) & ((BigUint::one() << 52usize) - BigUint::one());
                digit.iter_u64_digits().next().unwrap_or(0)
            };
            for number in [integer.clone(), (integer << 1040usize) % modulus] {
                self.words(&format!("{name} in digits of 52 bits"), (0..20).map(|i| digit(&number, i)));
            }
        }
    }

    /// Words that were seen in memory.
    pub(crate) fn words(&mut self, name: &str, words: impl IntoIterator<Item = u64>) {
        for word in words.into_iter().filter(|word| is_random(*word)) {
            self.insert(name.to_owned(), word);
        }
    }

    fn cut(&mut self, name: String, octets: &[u8]) {
        let last = octets.len().saturating_sub(FRAGMENT);
        for at in (0..=last).step_by(FRAGMENT).chain([last]) {
            if let Some(fragment) = octets.get(at..at + FRAGMENT) {
                self.insert(name.clone(), u64::from_le_bytes(fragment.try_into().unwrap()));
            }
        }
    }

    fn insert(&mut self, name: String, fragment: u64) {
        self.filter.resize(1 << (FILTER_BITS - 6), 0);
        let bit = filter_bit(fragment);
        self.filter[bit / 64] |= 1 << (bit % 64);
        self.fragments.insert(fragment, name);
    }

    /// The secret that a word is a fragment of.
    pub(crate) fn name(&self, fragment: u64) -> Option<&str> {
        self.fragments.get(&fragment).map(String::as_str)
    }

    /// Passes on every fragment in memory that `read` reads octet by octet. Allocates nothing.
    pub(crate) fn search(&self, octets: impl Iterator<Item = u8>, mut found: impl FnMut(u64)) {
        let mut word = 0;
        for (index, octet) in octets.enumerate() {
            word = word >> 8 | u64::from(octet) << 56;
            let bit = filter_bit(word);
            let is_likely = self.filter.get(bit / 64).is_some_and(|bits| bits >> (bit % 64) & 1 == 1);
            if is_likely && index + 1 >= FRAGMENT && self.fragments.contains_key(&word) {
                found(word);
            }
        }
    }

    /// What is found in octets.
    pub(crate) fn found_in(&self, octets: &[u8]) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        self.search(octets.iter().copied(), |fragment| found.extend(self.name(fragment)));
        found
    }
}

/// Whether a word is neither a small number nor an address. Where those have 32 bits a word is two of them.
fn is_random(word: u64) -> bool {
    match usize::BITS {
        64 => word >= 1 << 48,
        _ => word >> 32 >= 1 << 24 && word & 0xffff_ffff >= 1 << 24,
    }
}

fn filter_bit(word: u64) -> usize {
    (word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - FILTER_BITS)) as usize
}
