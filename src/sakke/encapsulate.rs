//! Encapsulation to a recipient, and what all encapsulations end with.

use alloc::sync::Arc;
use core::fmt;

use subtle::{Choice, ConditionallySelectable};
use zeroize::Zeroizing;

use super::{ENCAPSULATED_OCTETS, Encapsulated, PublicKey, Ssv, hash};
use crate::error::UsageError;
use crate::field::{Fp, Fp2, Scalar};
use crate::group::curve::{AffinePoint, OrderQ, POINT_OCTETS};
use crate::group::edwards::EdwardsPoint;
use crate::group::fixed::{self, FixedPoint, Size};
use crate::group::pf::Pf;
use crate::identity::Uid;
use crate::secret::{Secret, declassify};

/// A recipient whom SSVs are often encapsulated to: an identity b under a KMS Public Key Z, with a table of \[b\]P + Z
/// of some 400 KB, which copies share.
#[derive(Clone)]
pub struct EncapsulationKey {
    identity: Uid,
    /// \[b\]P + Z, the point that the RSK of b answers to.
    point: OrderQ,
    table: Arc<dyn FixedPoint>,
}

impl EncapsulationKey {
    /// Prepares to encapsulate to an identity.
    ///
    /// # Errors
    ///
    /// [`UsageError::IdentityWithoutKey`] if \[b\]P + Z is the identity, so that no RSK can exist.
    pub fn new(public_key: &PublicKey, identity: &Uid) -> Result<Self, UsageError> {
        let b = Scalar::from_identity(identity.as_octets());
        let point = fixed::multiply_generator(&b).add(&public_key.edwards());
        let affine: Option<OrderQ> = point.to_order_q().into();
        let affine = affine.ok_or(UsageError::IdentityWithoutKey)?;
        let table = fixed::prepare(&EdwardsPoint::from(&affine), Size::Quarter).into();
        Ok(Self { identity: identity.clone(), point: affine, table })
    }

    /// The identity.
    pub const fn identity(&self) -> &Uid {
        &self.identity
    }

    pub(super) const fn point(&self) -> &AffinePoint {
        self.point.affine()
    }

    /// Encapsulates an SSV (RFC 6508, section 6.2.1). The same SSV gives the same octets.
    ///
    /// # Errors
    ///
    /// [`UsageError::IdentityWithoutKey`] if r = 0, which no SSV is known to give.
    pub fn encapsulate(&self, ssv: &Ssv) -> Result<Encapsulated, UsageError> {
        self.encapsulate_with_intermediates(ssv).map(|result| result.encapsulated)
    }

    pub(crate) fn encapsulate_with_intermediates(&self, ssv: &Ssv) -> Result<Encapsulation, UsageError> {
        let r = Secret::new(hash::to_scalar(ssv, &self.identity));
        let point = self.table.multiply(r.expose());
        let [result] = finish([Unfinished::new(ssv, r, point)]);
        result
    }

    /// \[r\](\[b\]P + Z).
    pub(super) fn multiply(&self, r: &Scalar) -> Zeroizing<EdwardsPoint<Fp>> {
        Zeroizing::new(self.table.multiply(r))
    }
}

impl fmt::Debug for EncapsulationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncapsulationKey({})", self.identity)
    }
}

/// Encapsulated data with the values on the way to it.
pub(crate) struct Encapsulation {
    pub(crate) encapsulated: Encapsulated,
    #[cfg_attr(not(feature = "hazmat"), expect(dead_code, reason = "read by hazmat alone"))]
    pub(crate) r: Secret<Scalar>,
    #[cfg_attr(not(feature = "hazmat"), expect(dead_code, reason = "read by hazmat alone"))]
    pub(crate) g_to_the_r: Secret<[u8; 128]>,
}

/// An encapsulation that lacks the inversions.
pub(super) struct Unfinished {
    ssv: Ssv,
    r: Secret<Scalar>,
    point: Secret<EdwardsPoint<Fp>>,
    g_to_the_r: Secret<Fp2<Fp>>,
}

impl Unfinished {
    /// With R, the multiple by r of \[b\]P + Z.
    pub(super) fn new(ssv: &Ssv, r: Secret<Scalar>, point: EdwardsPoint<Fp>) -> Self {
        let g_to_the_r = Secret::new(fixed::power_of_g(r.expose()));
        Self { ssv: ssv.clone(), r, point: Secret::new(point), g_to_the_r }
    }

    /// What has to be inverted, for R and for g^r, and whether R is a point other than the identity. If it is not, its
    /// denominator 0 is replaced, lest it spoil the inversion that it shares with others.
    fn denominators(&self) -> (Fp, Fp, Choice) {
        let denominator = self.point.expose().denominator();
        let is_identity = denominator.is_zero();
        (Fp::conditional_select(&denominator, &Fp::ONE, is_identity), self.g_to_the_r.expose().a, !is_identity)
    }

    /// Encodes R and H = SSV xor HashToIntegerRange(g^r).
    fn finish(self, inverses: &(Fp, Fp), is_point: Choice) -> Result<Encapsulation, UsageError> {
        // R is the identity if [b]P + Z is, or if r = 0.
        if !declassify(is_point, "R is public") {
            return Err(UsageError::IdentityWithoutKey);
        }
        let point = self.point.expose().to_affine(&inverses.0);
        let g_to_the_r = Secret::new(Pf::class_with(self.g_to_the_r.expose(), &inverses.1).to_octets());
        let mut encapsulated = [0; ENCAPSULATED_OCTETS];
        let (encoded_point, h) = encapsulated.split_at_mut(POINT_OCTETS);
        encoded_point.copy_from_slice(&point.affine().to_octets());
        h.copy_from_slice(hash::mask(self.ssv.expose(), g_to_the_r.expose()).as_slice());
        Ok(Encapsulation { encapsulated, r: self.r, g_to_the_r })
    }
}

/// Finishes a batch with one inversion.
pub(super) fn finish<const N: usize>(batch: [Unfinished; N]) -> [Result<Encapsulation, UsageError>; N] {
    let denominators = batch.each_ref().map(Unfinished::denominators);
    // products[i] is the product of all before i.
    let mut product = Fp::ONE;
    let products = denominators.each_ref().map(|(point, power, _)| {
        let before = product;
        product = product.multiply(point).multiply(power);
        before
    });
    let mut inverse = product.invert().unwrap_or(Fp::ZERO);
    let mut inverses = Zeroizing::new([(Fp::ZERO, Fp::ZERO); N]);
    for (i, (point, power, _)) in denominators.iter().enumerate().rev() {
        let own = inverse.multiply(&products[i]);
        inverses[i] = (own.multiply(power), own.multiply(point));
        inverse = inverse.multiply(point).multiply(power);
    }
    let mut results = inverses.iter().zip(denominators);
    batch.map(|unfinished| match results.next() {
        Some((inverses, (_, _, is_point))) => unfinished.finish(inverses, is_point),
        None => Err(UsageError::Range),
    })
}
