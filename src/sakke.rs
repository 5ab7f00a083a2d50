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

pub(crate) mod hash;

use core::fmt;

use rand_core::TryCryptoRng;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

use crate::error::{Error, KeyMaterialError, Rejected, UsageError};
use crate::field::Scalar;
use crate::group::curve::{AffinePoint, OrderQ, POINT_OCTETS};
use crate::group::edwards::EdwardsPoint;
use crate::group::pairing::MillerLines;
use crate::group::pf::Pf;
use crate::identity::Uid;
use crate::secret::{Secret, declassify};

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
    /// A new random master secret.
    ///
    /// # Errors
    ///
    /// [`Error::Random`] if the random source fails.
    pub fn generate<R: TryCryptoRng + ?Sized>(rng: &mut R) -> Result<Self, Error> {
        loop {
            if let Ok(z) = Self::from_scalar(Scalar::random(rng)?) {
                return Ok(z);
            }
        }
    }

    /// A master secret from 128 octets, big-endian.
    ///
    /// # Errors
    ///
    /// [`KeyMaterialError::MasterSecret`] if the length differs or the value is not in 2..q-1.
    pub fn from_octets(octets: &[u8]) -> Result<Self, KeyMaterialError> {
        let octets = octets.try_into().map_err(|_| KeyMaterialError::MasterSecret)?;
        let z = Scalar::from_octets(octets);
        if !declassify(z.is_some(), "a master secret out of range is not used") {
            return Err(KeyMaterialError::MasterSecret);
        }
        Self::from_scalar(z.unwrap_or(Scalar::ZERO))
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
        Secret::new(self.0.expose().to_octets())
    }

    /// The KMS Public Key Z = \[z\]P (RFC 6508, section 6.1.1).
    pub fn public_key(&self) -> PublicKey {
        let z = EdwardsPoint::from(&OrderQ::GENERATOR).multiply(self.0.expose());
        // z is not 0 mod q, so Z is not the identity and the fallback never chosen.
        PublicKey(z.to_order_q().unwrap_or(OrderQ::GENERATOR))
    }

    /// Extracts the RSK of an identity a: \[(a + z)^-1\]P (RFC 6508, section 6.1.2).
    ///
    /// # Errors
    ///
    /// [`UsageError::IdentityWithoutKey`] if a + z = 0 mod q.
    pub fn extract(&self, identity: &Uid) -> Result<Rsk, UsageError> {
        let a = Scalar::from_identity(identity.as_octets());
        let inverse = a.add(self.0.expose()).invert();
        if !declassify(inverse.is_some(), "that an identity has no key is the answer") {
            return Err(UsageError::IdentityWithoutKey);
        }
        let inverse = Zeroizing::new(inverse.unwrap_or(Scalar::ZERO));
        let rsk = Zeroizing::new(EdwardsPoint::from(&OrderQ::GENERATOR).multiply(&inverse));
        // The inverse is not 0 mod q either.
        let rsk = Zeroizing::new(rsk.to_order_q().unwrap_or(OrderQ::GENERATOR));
        Ok(Secret::new(rsk.affine().to_octets()))
    }
}

/// The KMS Public Key Z, a point of order q.
#[derive(Clone)]
pub struct PublicKey(OrderQ);

impl PublicKey {
    /// Reads 04, x, y, each coordinate in 128 octets, big-endian.
    ///
    /// # Errors
    ///
    /// [`KeyMaterialError::PublicKey`] unless length and prefix are right, both coordinates are below p, and the
    /// point is on E and has order q.
    pub fn from_octets(octets: &[u8]) -> Result<Self, KeyMaterialError> {
        let point: Option<OrderQ> = OrderQ::from_octets(octets).into();
        point.map(Self).ok_or(KeyMaterialError::PublicKey)
    }

    /// 04, x, y, each coordinate in 128 octets, big-endian.
    pub fn to_octets(&self) -> [u8; POINT_OCTETS] {
        self.0.affine().to_octets()
    }

    /// Encapsulates an SSV to an identity, as [`EncapsulationKey::encapsulate`] does.
    ///
    /// # Errors
    ///
    /// [`UsageError::IdentityWithoutKey`] if no RSK can exist for this identity.
    pub fn encapsulate(&self, identity: &Uid, ssv: &Ssv) -> Result<Encapsulated, UsageError> {
        EncapsulationKey::new(self, identity)?.encapsulate(ssv)
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

/// What SSVs are encapsulated to: an identity b under a KMS Public Key Z, with \[b\]P + Z computed.
#[derive(Clone)]
pub struct EncapsulationKey {
    identity: Uid,
    /// \[b\]P + Z, the point that the RSK of b answers to; not the identity.
    point: EdwardsPoint,
}

impl EncapsulationKey {
    /// Prepares to encapsulate to an identity.
    ///
    /// # Errors
    ///
    /// [`UsageError::IdentityWithoutKey`] if \[b\]P + Z is the identity, so that no RSK can exist.
    pub fn new(public_key: &PublicKey, identity: &Uid) -> Result<Self, UsageError> {
        let b = Scalar::from_identity(identity.as_octets());
        let point = EdwardsPoint::from(&OrderQ::GENERATOR).multiply(&b).add(&EdwardsPoint::from(&public_key.0));
        if point.is_identity().into() {
            return Err(UsageError::IdentityWithoutKey);
        }
        Ok(Self { identity: identity.clone(), point })
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
        let point = self.multiply(r.expose()).to_order_q();
        if !declassify(point.is_some(), "R is public") {
            return Err(UsageError::IdentityWithoutKey);
        }
        let point = point.unwrap_or(OrderQ::GENERATOR);
        let g_to_the_r = Secret::new(Pf::G.power(r.expose()).to_octets());

        let mut encapsulated = [0; ENCAPSULATED_OCTETS];
        let (encoded_point, h) = encapsulated.split_at_mut(POINT_OCTETS);
        encoded_point.copy_from_slice(&point.affine().to_octets());
        h.copy_from_slice(hash::mask(ssv.expose(), g_to_the_r.expose()).as_slice());
        Ok(Encapsulation { encapsulated, r, g_to_the_r })
    }

    /// \[r\](\[b\]P + Z).
    fn multiply(&self, r: &Scalar) -> Zeroizing<EdwardsPoint> {
        Zeroizing::new(self.point.multiply(r))
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

/// An RSK that was checked against its identity and KMS, prepared to decapsulate: some 350 KiB.
#[derive(Clone)]
pub struct ReceiverKey {
    encapsulation_key: EncapsulationKey,
    lines: MillerLines,
}

impl ReceiverKey {
    /// Takes an RSK into use for an identity a (RFC 6508, section 6.1.2): it must encode a point of order q,
    /// which the RFC's own check does not imply, and < \[a\]P + Z, RSK > must be g.
    ///
    /// # Errors
    ///
    /// [`KeyMaterialError::Rsk`] if a check fails; [`UsageError::IdentityWithoutKey`] if no RSK can exist for the identity.
    pub fn import(public_key: &PublicKey, identity: &Uid, rsk: &[u8]) -> Result<Self, Error> {
        let encapsulation_key = EncapsulationKey::new(public_key, identity)?;
        let argument = encapsulation_key.point.to_order_q().unwrap_or(OrderQ::GENERATOR);
        let rsk = OrderQ::from_octets(rsk);
        let well_formed = rsk.is_some();
        let rsk = Zeroizing::new(rsk.unwrap_or(OrderQ::GENERATOR));
        let lines = MillerLines::prepare(&rsk);
        let belongs = lines.pair(argument.affine()).ct_eq(&Pf::G);
        if !declassify(well_formed & belongs, "an RSK that fails its checks is not used") {
            return Err(KeyMaterialError::Rsk.into());
        }
        Ok(Self { encapsulation_key, lines })
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
        let encapsulated: &Encapsulated = encapsulated.try_into().map_err(|_| Rejected)?;
        let (point, h) = encapsulated.split_first_chunk::<POINT_OCTETS>().ok_or(Rejected)?;
        let h: &[u8; SSV_OCTETS] = h.try_into().map_err(|_| Rejected)?;
        // R is public, and may have any order: only a multiple of [b]P + Z passes TEST.
        let point = Option::<AffinePoint>::from(AffinePoint::from_octets(point)).ok_or(Rejected)?;

        let w = Zeroizing::new(self.lines.pair(&point).to_octets());
        let ssv = Secret::new(*hash::mask(h, &w));
        let r = Zeroizing::new(hash::to_scalar(&ssv, self.identity()));
        let test = self.encapsulation_key.multiply(&r);
        release(ssv, test.is_affine(&point))
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
