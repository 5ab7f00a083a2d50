//! Encapsulation to a recipient, and what all encapsulations end with.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use once_cell::race::OnceBox;
use zeroize::Zeroizing;

use super::{ENCAPSULATED_OCTETS, Encapsulated, PublicKey, Ssv, hash};
use crate::error::UsageError;
use crate::field::{Fp, Fp2, Scalar};
use crate::group::curve::{OrderQ, POINT_OCTETS};
use crate::group::edwards::EdwardsPoint;
use crate::group::fixed::{self, FixedPoint, TableSize};
use crate::group::pf::Pf;
use crate::identity::Uid;
use crate::secret::{Reach, Secret, declassify, on_clean_stack};

/// A recipient whom SSVs are often encapsulated to: an identity b under a KMS Public Key Z.
///
/// At its first encapsulation it is prepared for all that follow, with a table of \[b\]P + Z of [`TableSize::Small`],
/// unless another was chosen. Copies share it.
#[derive(Clone)]
pub struct EncapsulationKey {
    identity: Uid,
    /// \[b\]P + Z, the point that the RSK of b answers to.
    point: OrderQ,
    table: Arc<OnceBox<Box<dyn FixedPoint>>>,
    table_size: TableSize,
}

impl EncapsulationKey {
    /// Prepares to encapsulate to an identity.
    ///
    /// # Errors
    ///
    /// [`UsageError::IdentityWithoutKey`] if \[b\]P + Z is the identity, so that no RSK can exist.
    pub fn new(public_key: &PublicKey, identity: &Uid) -> Result<Self, UsageError> {
        let b = Scalar::from_identity(identity.as_octets());
        let point = fixed::multiply_generator_one(&b).add(&public_key.edwards());
        let affine: Option<OrderQ> = point.to_order_q().into();
        let affine = affine.ok_or(UsageError::IdentityWithoutKey)?;
        Ok(Self { identity: identity.clone(), point: affine, table: Arc::default(), table_size: TableSize::Small })
    }

    /// The same key, to be prepared with a table of this size.
    #[must_use]
    pub fn with_table_size(self, table_size: TableSize) -> Self {
        Self { table: Arc::default(), table_size, ..self }
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

    /// Encapsulates an SSV to each of several recipients, at less cost than one by one. The results are in the order of
    /// the recipients, and each is what [`EncapsulationKey::encapsulate`] gives.
    pub fn encapsulate_batch(recipients: &[&Self], ssv: &Ssv) -> Vec<Result<Encapsulated, UsageError>> {
        let results = Self::batch_with_intermediates(recipients, ssv).into_iter();
        results.map(|result| result.map(|result| result.encapsulated)).collect()
    }

    pub(crate) fn encapsulate_with_intermediates(&self, ssv: &Ssv) -> Result<Encapsulation, UsageError> {
        Self::batch_with_intermediates(&[self], ssv).pop().unwrap_or(Err(UsageError::IdentityWithoutKey))
    }

    fn batch_with_intermediates(recipients: &[&Self], ssv: &Ssv) -> Vec<Result<Encapsulation, UsageError>> {
        let tables: Vec<_> = recipients.iter().map(|recipient| recipient.table()).collect();
        on_clean_stack(Reach::sakke(recipients.len()), || {
            let r = recipients.iter().map(|recipient| hash::to_scalar(ssv, &recipient.identity));
            let r = Zeroizing::new(r.collect::<Vec<_>>());
            let points = Zeroizing::new(fixed::multiply_each(&tables, &r));
            Unfinished { r, points }.finish(ssv)
        })
    }

    /// \[r\](\[b\]P + Z) for each r.
    pub(super) fn multiply(&self, r: &[Scalar]) -> Vec<EdwardsPoint<Fp>> {
        self.table().multiply(r)
    }

    pub(super) fn table(&self) -> &(dyn FixedPoint + 'static) {
        &**self.table.get_or_init(|| Box::new(fixed::prepare(&EdwardsPoint::from(&self.point), self.table_size)))
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

/// Encapsulates an SSV to each of several identities, at less cost than one by one. The results are in the order of the
/// recipients, and each is what [`PublicKey::encapsulate`] gives.
pub fn encapsulate_batch(recipients: &[(&PublicKey, &Uid)], ssv: &Ssv) -> Vec<Result<Encapsulated, UsageError>> {
    let results = on_clean_stack(Reach::sakke(recipients.len()), || {
        // With room for all: what grows leaves copies behind.
        let mut all = Unfinished {
            r: Zeroizing::new(Vec::with_capacity(recipients.len())),
            points: Zeroizing::new(Vec::with_capacity(recipients.len())),
        };
        for recipients in recipients.chunk_by(|(one, _), (next, _)| one.is_copy_of(next)) {
            if let Some((public_key, _)) = recipients.first() {
                let mut unfinished = public_key.begin(recipients, ssv);
                all.r.append(&mut unfinished.r);
                all.points.append(&mut unfinished.points);
            }
        }
        all.finish(ssv)
    });
    results.into_iter().map(|result| result.map(|result| result.encapsulated)).collect()
}

/// Encapsulations that lack g^r and the inversions.
pub(super) struct Unfinished {
    pub(super) r: Zeroizing<Vec<Scalar>>,
    /// R for each r.
    pub(super) points: Zeroizing<Vec<EdwardsPoint<Fp>>>,
}

impl Unfinished {
    /// Computes g^r, inverts all denominators at once, and encodes.
    fn finish(&self, ssv: &Ssv) -> Vec<Result<Encapsulation, UsageError>> {
        let powers = Zeroizing::new(fixed::powers_of_g(&self.r));
        let denominators = self.points.iter().map(EdwardsPoint::denominator);
        let mut inverses = Zeroizing::new(denominators.chain(powers.iter().map(|power| power.a)).collect::<Vec<_>>());
        Fp::invert_all(&mut inverses);
        let (of_points, of_powers) = inverses.split_at(self.points.len());
        let points = self.points.iter().zip(of_points);
        let powers = powers.iter().zip(of_powers);
        self.r.iter().zip(points.zip(powers)).map(|(r, (point, power))| encode(ssv, r, point, power)).collect()
    }
}

/// R and H = SSV xor HashToIntegerRange(g^r), where R comes with the inverse of its denominator, and g^r with that of
/// its real part.
fn encode(
    ssv: &Ssv,
    r: &Scalar,
    (point, point_inverse): (&EdwardsPoint<Fp>, &Fp),
    (power, power_inverse): (&Fp2<Fp>, &Fp),
) -> Result<Encapsulation, UsageError> {
    // The denominator is 0 if R is the identity: if [b]P + Z is, or if r = 0.
    if declassify(point_inverse.is_zero(), "R is public") {
        return Err(UsageError::IdentityWithoutKey);
    }
    let g_to_the_r = Secret::new(Pf::class_with(power, power_inverse).to_octets());
    let mut encapsulated = [0; ENCAPSULATED_OCTETS];
    let (encoded_point, h) = encapsulated.split_at_mut(POINT_OCTETS);
    encoded_point.copy_from_slice(&point.to_affine(point_inverse).affine().to_octets());
    h.copy_from_slice(hash::mask(ssv.expose(), g_to_the_r.expose()).as_slice());
    Ok(Encapsulation { encapsulated, r: Secret::new(*r), g_to_the_r })
}
