//! The receiving side.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use once_cell::race::OnceBox;
use subtle::{Choice, ConditionallySelectable};
use zeroize::Zeroizing;

use super::{Encapsulated, EncapsulationKey, PublicKey, SSV_OCTETS, Ssv, hash};
#[cfg(doc)]
use crate::error::UsageError;
use crate::error::{Error, KeyMaterialError, Rejected};
use crate::field::{Fp, Fp2, Scalar};
use crate::group::curve::{AffinePoint, OrderQ, POINT_OCTETS};
use crate::group::pairing::{self, PreparedPairing};
use crate::group::pf::Pf;
use crate::identity::Uid;
use crate::secret::{Reach, Secret, declassify, on_clean_stack};

/// An RSK that was checked against its identity and KMS.
///
/// At its first decapsulation it is prepared for all that follow, or by [`ReceiverKey::prepare`] ahead of it: some 800
/// KB, which copies share.
#[derive(Clone)]
pub struct ReceiverKey {
    encapsulation_key: EncapsulationKey,
    rsk: Secret<OrderQ>,
    prepared: Arc<OnceBox<Box<dyn PreparedPairing>>>,
}

impl ReceiverKey {
    /// Takes an RSK into use for an identity a (RFC 6508, section 6.1.2): it must encode a point of order q,
    /// which the RFC's own check does not imply, and < \[a\]P + Z, RSK > must be g.
    ///
    /// The pairing is computed as < P, RSK >^a < Z, RSK >: P and Z are the same for all RSKs of a KMS, and prepared.
    ///
    /// # Errors
    ///
    /// [`KeyMaterialError::Rsk`] if a check fails; [`UsageError::IdentityWithoutKey`] if no RSK can exist for the
    /// identity.
    pub fn import(public_key: &PublicKey, identity: &Uid, rsk: &[u8]) -> Result<Self, Error> {
        let encapsulation_key = EncapsulationKey::new(public_key, identity)?;
        let (p, z) = (pairing::generator(), public_key.pairing());
        let rsk = on_clean_stack(Reach::Validation, || {
            let rsk = OrderQ::from_octets(rsk);
            let well_formed = rsk.is_some();
            let rsk = Secret::new(rsk.unwrap_or(OrderQ::GENERATOR));

            let a = Scalar::from_identity(identity.as_octets());
            let with_p = Zeroizing::new(p.pair(rsk.expose().affine()));
            let with_z = Zeroizing::new(z.pair(rsk.expose().affine()));
            let product = Zeroizing::new(with_p.power_vartime(&a).multiply(&with_z.a, &with_z.b));
            let belongs = Pf::G.is_class_of(&product);
            declassify(well_formed & belongs, "an RSK that fails its checks is not used").then_some(rsk)
        });
        let rsk = rsk.ok_or(KeyMaterialError::Rsk)?;
        Ok(Self { encapsulation_key, rsk, prepared: Arc::default() })
    }

    /// Prepares for decapsulation, so that the first one takes no longer than others. Without effect if that was done.
    pub fn prepare(&self) {
        self.prepared();
        self.encapsulation_key.table();
    }

    /// The lines of Miller's loop from the RSK.
    fn prepared(&self) -> &dyn PreparedPairing {
        let prepare = || on_clean_stack(Reach::Sakke, || pairing::prepare(self.rsk.expose()));
        &**self.prepared.get_or_init(|| Box::new(prepare()))
    }

    /// The identity whose RSK this is.
    pub const fn identity(&self) -> &Uid {
        self.encapsulation_key.identity()
    }

    /// Decapsulates an SSV (RFC 6508, section 6.2.2), TEST included.
    ///
    /// # Errors
    ///
    /// [`Rejected`], whatever is wrong with the octets.
    pub fn decapsulate(&self, encapsulated: &[u8]) -> Result<Ssv, Rejected> {
        let received = Received::decode(encapsulated)?;
        let lines = self.prepared();
        on_clean_stack(Reach::Sakke, || self.finish(&[received], vec![lines.pair(&received.point)]))
            .pop()
            .unwrap_or(Err(Rejected))
    }

    /// Decapsulates several SSVs, at less cost than one by one. The results are in the order of the octets, and each is
    /// what [`ReceiverKey::decapsulate`] gives.
    pub fn decapsulate_batch(&self, encapsulated: &[&[u8]]) -> Vec<Result<Ssv, Rejected>> {
        let decoded: Vec<Result<Received, Rejected>> =
            encapsulated.iter().map(|octets| Received::decode(octets)).collect();
        let received: Vec<Received> = decoded.iter().flatten().copied().collect();
        let points: Vec<AffinePoint> = received.iter().map(|received| received.point).collect();
        let lines = self.prepared();
        let results =
            on_clean_stack(Reach::sakke(received.len()), || self.finish(&received, lines.pair_batch(&points)));
        let mut results = results.into_iter();
        decoded.into_iter().map(|decoded| decoded.and_then(|_| results.next().unwrap_or(Err(Rejected)))).collect()
    }

    /// From w = < R, RSK > to SSV and TEST, with one inversion for all.
    fn finish(&self, received: &[Received], w: Vec<Fp2<Fp>>) -> Vec<Result<Ssv, Rejected>> {
        let w = Zeroizing::new(w);
        let mut inverses = Zeroizing::new(w.iter().map(|w| w.a).collect::<Vec<_>>());
        Fp::invert_all(&mut inverses);
        let unmask = |(received, (w, inverse)): (&Received, (&Fp2<Fp>, &Fp))| {
            let w = Zeroizing::new(Pf::class_with(w, inverse).to_octets());
            Secret::new(*hash::mask(&received.h, &w))
        };
        let ssvs: Vec<Ssv> = received.iter().zip(w.iter().zip(inverses.iter())).map(unmask).collect();
        let r = Zeroizing::new(ssvs.iter().map(|ssv| hash::to_scalar(ssv, self.identity())).collect::<Vec<_>>());
        let tests = Zeroizing::new(self.encapsulation_key.multiply(&r));
        let accepted = tests.iter().zip(received).map(|(test, received)| test.is_affine(&received.point));
        ssvs.into_iter().zip(accepted).map(|(ssv, accepted)| release(ssv, accepted)).collect()
    }
}

/// Encapsulated data, decoded. R is public, and may have any order: only a multiple of \[b\]P + Z passes TEST.
#[derive(Clone, Copy)]
struct Received {
    point: AffinePoint,
    h: [u8; SSV_OCTETS],
}

impl Received {
    fn decode(encapsulated: &[u8]) -> Result<Self, Rejected> {
        let encapsulated: &Encapsulated = encapsulated.try_into().map_err(|_| Rejected)?;
        let (point, h) = encapsulated.split_first_chunk::<POINT_OCTETS>().ok_or(Rejected)?;
        let h = h.try_into().map_err(|_| Rejected)?;
        let point = Option::<AffinePoint>::from(AffinePoint::from_octets(point)).ok_or(Rejected)?;
        Ok(Self { point, h })
    }
}

impl fmt::Debug for ReceiverKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReceiverKey")
    }
}

/// The SSV if it was accepted; otherwise it is overwritten before anything branches on the outcome.
fn release(mut ssv: Ssv, accepted: Choice) -> Result<Ssv, Rejected> {
    for octet in ssv.expose_mut() {
        octet.conditional_assign(&0, !accepted);
    }
    if declassify(accepted, "the outcome of TEST is the answer") { Ok(ssv) } else { Err(Rejected) }
}
