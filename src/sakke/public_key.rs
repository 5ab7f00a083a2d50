//! The KMS Public Key.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use once_cell::race::OnceBox;
use zeroize::Zeroizing;

use super::encapsulate::{Unfinished, encapsulate_batch};
use super::{Encapsulated, Ssv, hash};
use crate::error::{KeyMaterialError, UsageError};
use crate::field::Scalar;
use crate::group::curve::{OrderQ, POINT_OCTETS};
use crate::group::edwards::EdwardsPoint;
use crate::group::fixed::{self, FixedPoint, TableSize};
use crate::group::pairing::{self, PreparedPairing};
use crate::identity::Uid;

/// The KMS Public Key Z, a point of order q.
///
/// At its first encapsulation it is prepared for all that follow, with a table of [`TableSize::Full`] unless another
/// was chosen; at the first validation of an RSK, with some 580 KB of lines. Copies share both.
#[derive(Clone)]
pub struct PublicKey {
    point: OrderQ,
    table: Arc<OnceBox<Box<dyn FixedPoint>>>,
    table_size: TableSize,
    pairing: Arc<OnceBox<Box<dyn PreparedPairing>>>,
}

impl PublicKey {
    /// Reads 04, x, y, each coordinate in 128 octets, big-endian.
    ///
    /// # Errors
    ///
    /// [`KeyMaterialError::PublicKey`] unless length and prefix are right, both coordinates are below p, and the
    /// point is on E and has order q.
    pub fn from_octets(octets: &[u8]) -> Result<Self, KeyMaterialError> {
        let point: Option<OrderQ> = OrderQ::from_octets(octets).into();
        point.map(Self::from_point).ok_or(KeyMaterialError::PublicKey)
    }

    pub(super) fn from_point(point: OrderQ) -> Self {
        Self { point, table: Arc::default(), table_size: TableSize::Full, pairing: Arc::default() }
    }

    /// The same key, to be prepared with a table of this size.
    #[must_use]
    pub fn with_table_size(self, table_size: TableSize) -> Self {
        Self { table: Arc::default(), table_size, ..self }
    }

    /// 04, x, y, each coordinate in 128 octets, big-endian.
    pub fn to_octets(&self) -> [u8; POINT_OCTETS] {
        self.point.affine().to_octets()
    }

    /// Encapsulates an SSV to an identity (RFC 6508, section 6.2.1). The same SSV, identity and Z give the same
    /// octets.
    ///
    /// # Errors
    ///
    /// [`UsageError::IdentityWithoutKey`] if no RSK can exist for this identity.
    pub fn encapsulate(&self, identity: &Uid, ssv: &Ssv) -> Result<Encapsulated, UsageError> {
        encapsulate_batch(&[(self, identity)], ssv).pop().unwrap_or(Err(UsageError::IdentityWithoutKey))
    }

    /// r and R = \[r\](\[b\]P + Z) for each identity, as \[rb\]P + \[r\]Z: of both points there are tables.
    pub(super) fn begin(&self, identities: &[(&Self, &Uid)], ssv: &Ssv) -> Unfinished {
        let identities = || identities.iter().map(|(_, identity)| *identity);
        let r = Zeroizing::new(identities().map(|identity| hash::to_scalar(ssv, identity)).collect::<Vec<_>>());
        let multiply = |(r, identity): (&Scalar, &Uid)| r.multiply(&Scalar::from_identity(identity.as_octets()));
        let rb = Zeroizing::new(r.iter().zip(identities()).map(multiply).collect::<Vec<_>>());
        let points = Zeroizing::new(self.table().multiply_add_generator(&r, &rb));
        Unfinished { r, points }
    }

    /// Whether another key is a copy of this one.
    pub(super) fn is_copy_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.table, &other.table)
    }

    fn table(&self) -> &dyn FixedPoint {
        &**self.table.get_or_init(|| Box::new(fixed::prepare(&self.edwards(), self.table_size)))
    }

    /// Z, prepared for pairing.
    pub(super) fn pairing(&self) -> &dyn PreparedPairing {
        &**self.pairing.get_or_init(|| Box::new(pairing::prepare(&self.point)))
    }

    pub(super) fn edwards(&self) -> EdwardsPoint<crate::field::Fp> {
        EdwardsPoint::from(&self.point)
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.to_octets() == other.to_octets()
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey")
    }
}
