//! PF_p, the group in which pairing values lie: F_p^2 without 0, modulo multiplication by F_p without 0.
//!
//! The class of a + ib with a other than 0 is represented by b/a (RFC 6508, section 2.1). The one class without
//! representation has order 2, and never occurs among pairing values.

use subtle::{Choice, ConstantTimeEq};

use crate::field::{Fp, Fp2};

/// An element of PF_p, by its representative b/a: encoded in 128 octets, big-endian.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pf(Fp);

impl Pf {
    /// g = <P, P> of parameter set 1 (RFC 6509, appendix A).
    pub(crate) const G: Self = Self(Fp::from_hex(concat!(
        "66fc2a432b6ea392148f15867d623068c6a87bd1fb94c41e27fabe658e015a87",
        "371e94744c96feda449ae9563f8bc446cbfda85d5d00ef577072da8f541721be",
        "ee0faed1828eab90b99dfb0138c7843355df0460b4a9fd74b4f1a32bcafa1ffa",
        "d682c033a7942bcce3720f20b9b7b0403c8cae87b7a0042acde0fab36461ea46",
    )));

    /// The class of an element of F_p^2 whose real part is not 0.
    #[cfg(test)]
    pub(crate) fn class_of(element: &Fp2<Fp>) -> Self {
        Self::class_with(element, &element.a.invert().unwrap_or(Fp::ZERO))
    }

    /// The class of an element of F_p^2, given the inverse of its real part.
    pub(crate) fn class_with(element: &Fp2<Fp>, inverse: &Fp) -> Self {
        Self(element.b.multiply(inverse))
    }

    /// An element of this class, 1 + it.
    pub(crate) fn to_fp2(self) -> Fp2<Fp> {
        Fp2 { a: Fp::ONE, b: self.0 }
    }

    /// Whether this is the class of an element, compared without inversion.
    pub(crate) fn is_class_of(&self, element: &Fp2<Fp>) -> Choice {
        self.0.multiply(&element.a).ct_eq(&element.b) & !element.a.is_zero()
    }

    pub(crate) fn to_octets(self) -> [u8; 128] {
        self.0.to_octets()
    }
}
