//! F_p, the field of SAKKE's curve in parameter set 1.

use subtle::{Choice, ConstantTimeEq};

use crate::backend;
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
use crate::backend::ifma;
use crate::backend::portable::{Modulus, ModulusOf, Residue};
use crate::field::scalar::Q;

/// The prime p of parameter set 1 (RFC 6509, appendix A); p = 4q - 1, so p = 3 mod 4.
#[derive(Clone, Copy)]
pub(crate) struct P;

impl ModulusOf for P {
    const HEX: &'static str = backend::P;
    const MODULUS: Modulus = Modulus::from_hex(Self::HEX);
}

/// An element of F_p: encoded in 128 octets, big-endian.
pub(crate) type Fp = Residue<P>;

impl Fp {
    /// The only candidate for a square root: self^((p+1)/4), where (p+1)/4 = q. It is one if its square is `self`.
    pub(crate) fn square_root_candidate(&self) -> Self {
        match backend::current() {
            #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
            backend::Backend::Ifma => Self::from_words(&ifma::power_vartime(&self.to_words(), &Q::MODULUS.words)),
            _ => self.power_vartime(&Q::MODULUS.words),
        }
    }

    /// Whether this is a square other than 0, by Euler's criterion: self^((p-1)/2) = 1.
    ///
    /// With s = self^q that power is s^2 / self, so it is 1 just when s^2 = self.
    pub(crate) fn is_nonzero_square(&self) -> Choice {
        self.square_root_candidate().square().ct_eq(self) & !self.is_zero()
    }
}
