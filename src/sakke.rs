//! SAKKE, the Sakai-Kasahara key encryption of RFC 6508, over parameter set 1 of RFC 6509, appendix A.
//!
//! A key management server holds the [`MasterSecret`] z and publishes the [`PublicKey`] Z = \[z\]P. It extracts for
//! each identity a Receiver Secret Key, the [`Rsk`]. Anyone encapsulates a Shared Secret Value, the [`Ssv`], to an
//! identity under Z; the holder of the RSK, once it has checked it as a [`ReceiverKey`], decapsulates.
//!
//! ```
//! # fn main() -> Result<(), mikey_sakke::Error> {
//! use mikey_sakke::identity::Uid;
//! use mikey_sakke::sakke::{MasterSecret, ReceiverKey, Ssv};
//!
//! let mut rng = getrandom::SysRng;
//! let z = MasterSecret::generate(&mut rng)?;
//! let bob = Uid::from_octets(b"2026-11\0tel:+447700900123\0")?;
//! let receiver = ReceiverKey::import(&z.public_key(), &bob, z.extract(&bob)?.expose())?;
//!
//! let ssv = Ssv::new([7; 16]);
//! let encapsulated = z.public_key().encapsulate(&bob, &ssv)?;
//! assert_eq!(receiver.decapsulate(&encapsulated)?, ssv);
//! # Ok(())
//! # }
//! ```

mod encapsulate;
pub(crate) mod hash;
mod public_key;
mod receiver;

use alloc::vec::Vec;

use rand_core::TryCryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::error::{Error, KeyMaterialError, UsageError};
use crate::field::{Fp, Scalar};
use crate::group::curve::{OrderQ, POINT_OCTETS};
use crate::group::edwards::EdwardsPoint;
use crate::group::fixed;
use crate::identity::Uid;
use crate::random;
use crate::secret::{Reach, Secret, declassify, on_clean_stack};

pub use crate::group::fixed::TableSize;
pub use encapsulate::{EncapsulationKey, encapsulate_batch};
pub use public_key::PublicKey;
pub use receiver::ReceiverKey;

/// Octets of an SSV.
pub const SSV_OCTETS: usize = 16;

/// Octets of encapsulated data: the point R, then H (RFC 6508, section 4).
pub const ENCAPSULATED_OCTETS: usize = POINT_OCTETS + SSV_OCTETS;

/// A Shared Secret Value: the key that is transported, 16 octets.
pub type Ssv = Secret<[u8; SSV_OCTETS]>;

/// A Receiver Secret Key as a key management server delivers it: 04, x, y, each coordinate in 128 octets,
/// big-endian. It is of use only as a [`ReceiverKey`].
pub type Rsk = Secret<[u8; POINT_OCTETS]>;

/// SAKKE encapsulated data: 04, Rx, Ry, each coordinate in 128 octets, big-endian, then H in 16 octets.
pub type Encapsulated = [u8; ENCAPSULATED_OCTETS];

/// The master secret z of a key management server, in 2..q-1 (RFC 6508, section 6.1.1).
#[derive(Clone, Debug)]
pub struct MasterSecret(Secret<Scalar>);

impl MasterSecret {
    /// A new random master secret: 1022 bits, drawn until they are in range.
    ///
    /// # Errors
    ///
    /// [`Error::Random`] if the random source fails or repeats itself.
    pub fn generate<R: TryCryptoRng + ?Sized>(rng: &mut R) -> Result<Self, Error> {
        on_clean_stack(Reach::Octets, || {
            random::draw(rng, |octets: &[u8; 128]| {
                let mut octets = Zeroizing::new(*octets);
                octets[0] &= 0x3f;
                Self::from_octets(octets.as_slice()).ok()
            })
        })
    }

    /// A master secret from 128 octets, big-endian.
    ///
    /// # Errors
    ///
    /// [`KeyMaterialError::MasterSecret`] if the length differs or the value is not in 2..q-1.
    pub fn from_octets(octets: &[u8]) -> Result<Self, KeyMaterialError> {
        let octets = octets.try_into().map_err(|_| KeyMaterialError::MasterSecret)?;
        on_clean_stack(Reach::Octets, || {
            let z = Scalar::from_octets(octets);
            if !declassify(z.is_some(), "a master secret out of range is not used") {
                return Err(KeyMaterialError::MasterSecret);
            }
            Self::from_scalar(z.unwrap_or(Scalar::ZERO))
        })
    }

    fn from_scalar(z: Scalar) -> Result<Self, KeyMaterialError> {
        let too_small = z.is_zero() | z.ct_eq(&Scalar::ONE);
        if declassify(too_small, "a master secret out of range is not used") {
            return Err(KeyMaterialError::MasterSecret);
        }
        Ok(Self(Secret::new(z)))
    }

    /// The 128 octets, big-endian.
    pub fn to_octets(&self) -> Secret<[u8; 128]> {
        on_clean_stack(Reach::Octets, || Secret::new(self.0.expose().to_octets()))
    }

    /// The KMS Public Key Z = \[z\]P (RFC 6508, section 6.1.1).
    pub fn public_key(&self) -> PublicKey {
        on_clean_stack(Reach::Sakke, || {
            let z = fixed::multiply_generator_one(self.0.expose());
            // z is not 0 mod q, so Z is not the identity and the fallback never chosen.
            PublicKey::from_point(z.to_order_q().unwrap_or(OrderQ::GENERATOR))
        })
    }

    /// Extracts the RSK of an identity a: \[(a + z)^-1\]P (RFC 6508, section 6.1.2).
    ///
    /// # Errors
    ///
    /// [`UsageError::IdentityWithoutKey`] if a + z = 0 mod q; [`Error::Fault`] if the computation was disturbed.
    pub fn extract(&self, identity: &Uid) -> Result<Rsk, Error> {
        let rsk = self.extract_batch(core::slice::from_ref(identity)).pop();
        rsk.unwrap_or(Err(UsageError::IdentityWithoutKey.into()))
    }

    /// Extracts the RSKs of several identities, at less cost than one by one. The results are in the order of the
    /// identities, and each is what [`MasterSecret::extract`] gives.
    pub fn extract_batch(&self, identities: &[Uid]) -> Vec<Result<Rsk, Error>> {
        on_clean_stack(Reach::sakke(identities.len()), || self.extract_each(identities))
    }

    fn extract_each(&self, identities: &[Uid]) -> Vec<Result<Rsk, Error>> {
        let sum = |identity: &Uid| Scalar::from_identity(identity.as_octets()).add(self.0.expose());
        let sums = Zeroizing::new(identities.iter().map(sum).collect::<Vec<_>>());
        let mut inverses = sums.clone();
        Scalar::invert_all(&mut inverses);
        let points = Zeroizing::new(fixed::multiply_generator(&inverses));
        let mut denominators = Zeroizing::new(points.iter().map(EdwardsPoint::denominator).collect::<Vec<_>>());
        Fp::invert_all(&mut denominators);
        let computed = sums.iter().zip(inverses.iter()).zip(points.iter().zip(denominators.iter()));
        computed.map(|((sum, k), (point, denominator_inverse))| release(sum, k, point, denominator_inverse)).collect()
    }
}

/// The RSK \[k\]P from a + z, k and \[k\]P, once k (a + z) = 1 mod q, and the RSK is on E and not the identity, which
/// has no inverse of its denominator.
fn release(sum: &Scalar, k: &Scalar, point: &EdwardsPoint<Fp>, denominator_inverse: &Fp) -> Result<Rsk, Error> {
    if declassify(sum.is_zero(), "that an identity has no key is the answer") {
        return Err(UsageError::IdentityWithoutKey.into());
    }
    let rsk = Zeroizing::new(point.to_affine(denominator_inverse));
    let is_sound = sum.multiply(k).ct_eq(&Scalar::ONE) & !denominator_inverse.is_zero() & rsk.affine().is_on_curve();
    if !declassify(is_sound, "an RSK of a disturbed computation is withheld") {
        return Err(Error::Fault);
    }
    Ok(Secret::new(rsk.affine().to_octets()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_rsk_of_a_disturbed_computation_is_withheld() {
        let sum = Scalar::from_identity(&[3; 32]);
        let mut k = [sum];
        Scalar::invert_all(&mut k);
        let [k] = k;
        let multiply = |k: Scalar| fixed::multiply_generator(&[k]).remove(0);
        let inverted = |denominator: Fp| denominator.invert().unwrap_or(Fp::ZERO);
        let point = multiply(k);
        let inverse = inverted(point.denominator());
        assert!(release(&sum, &k, &point, &inverse).is_ok());

        let other = sum.add(&Scalar::ONE);
        assert!(matches!(release(&other, &k, &point, &inverse), Err(Error::Fault)));
        assert!(matches!(release(&sum, &other, &multiply(other), &inverse), Err(Error::Fault)));
        // Off the curve.
        assert!(matches!(release(&sum, &k, &point, &inverse.double()), Err(Error::Fault)));
        // The identity.
        let identity = multiply(Scalar::ZERO);
        assert!(matches!(release(&sum, &k, &identity, &inverted(identity.denominator())), Err(Error::Fault)));
        assert!(matches!(
            release(&Scalar::ZERO, &k, &point, &inverse),
            Err(Error::Usage(UsageError::IdentityWithoutKey))
        ));
    }
}
