//! Encapsulation to a recipient, and what all encapsulations end with.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use once_cell::race::OnceBox;
use zeroize::Zeroizing;

use super::{ENCAPSULATED_OCTETS, Encapsulated, PublicKey, Ssv, hash};
use crate::error::UsageError;
use crate::field::{Fp, Fp2, Scalar};
use crate::group::curve::{OrderQ, POINT_OCTETS};
use crate::group::edwards::EdwardsPoint;
use crate::group::fixed::{self, FixedPoint, Size};
use crate::group::pf::Pf;
use crate::identity::Uid;
use crate::secret::{Secret, declassify};

/// A recipient whom SSVs are often encapsulated to: an identity b under a KMS Public Key Z.
///
/// At its first encapsulation it is prepared for all that follow, with a table of \[b\]P + Z of some 400 KB, which
/// copies share.
#[derive(Clone)]
pub struct EncapsulationKey {
    identity: Uid,
    /// \[b\]P + Z, the point that the RSK of b answers to.
    point: OrderQ,
    table: Arc<OnceBox<Box<dyn FixedPoint>>>,
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
        Ok(Self { identity: identity.clone(), point: affine, table: Arc::default() })
    }

    /// The identity.
    pub const fn identity(&self) -> &Uid {
        &self.identity
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
        let point = self.table().multiply(r.expose());
        finish(vec![Unfinished::new(ssv, r, point)]).pop().unwrap_or(Err(UsageError::IdentityWithoutKey))
    }

    /// \[r\](\[b\]P + Z).
    pub(super) fn multiply(&self, r: &Scalar) -> Zeroizing<EdwardsPoint<Fp>> {
        Zeroizing::new(self.table().multiply(r))
    }

    fn table(&self) -> &dyn FixedPoint {
        &**self.table.get_or_init(|| Box::new(fixed::prepare(&EdwardsPoint::from(&self.point), Size::Quarter)))
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

    /// Encodes R and H = SSV xor HashToIntegerRange(g^r), given the inverses of R's denominator and of the real part of
    /// g^r.
    fn finish(self, point_inverse: &Fp, power_inverse: &Fp) -> Result<Encapsulation, UsageError> {
        // The denominator is 0 if R is the identity: if [b]P + Z is, or if r = 0.
        if declassify(point_inverse.is_zero(), "R is public") {
            return Err(UsageError::IdentityWithoutKey);
        }
        let point = self.point.expose().to_affine(point_inverse);
        let g_to_the_r = Secret::new(Pf::class_with(self.g_to_the_r.expose(), power_inverse).to_octets());
        let mut encapsulated = [0; ENCAPSULATED_OCTETS];
        let (encoded_point, h) = encapsulated.split_at_mut(POINT_OCTETS);
        encoded_point.copy_from_slice(&point.affine().to_octets());
        h.copy_from_slice(hash::mask(self.ssv.expose(), g_to_the_r.expose()).as_slice());
        Ok(Encapsulation { encapsulated, r: self.r, g_to_the_r })
    }
}

/// Encapsulates an SSV to each of several identities, at less cost than one by one. The results are in the order of the
/// recipients, and each is what [`PublicKey::encapsulate`] gives.
pub fn encapsulate_batch(recipients: &[(&PublicKey, &Uid)], ssv: &Ssv) -> Vec<Result<Encapsulated, UsageError>> {
    let batch = recipients.iter().map(|(public_key, identity)| public_key.begin(identity, ssv)).collect();
    finish(batch).into_iter().map(|result| result.map(|result| result.encapsulated)).collect()
}

/// Finishes a batch with one inversion.
fn finish(batch: Vec<Unfinished>) -> Vec<Result<Encapsulation, UsageError>> {
    let denominators =
        |unfinished: &Unfinished| [unfinished.point.expose().denominator(), unfinished.g_to_the_r.expose().a];
    let mut inverses = Zeroizing::new(batch.iter().flat_map(denominators).collect::<Vec<_>>());
    Fp::invert_all(&mut inverses);
    batch
        .into_iter()
        .zip(inverses.chunks_exact(2))
        .map(|(one, inverses)| one.finish(&inverses[0], &inverses[1]))
        .collect()
}
