//! ECCSI, the certificateless signatures of RFC 6507, over P-256 with SHA-256 as RFC 6509 prescribes.
//!
//! A key management server holds the secret [`Ksak`] and publishes the [`Kpak`]. For each identity it issues a
//! [`SigningPair`]: a Secret Signing Key (SSK) and a Public Validation Token (PVT). The signer checks the pair
//! once, as a [`SigningKey`]. A signature carries the PVT, so that a [`VerifyingKey`] needs only KPAK and identity.
//!
//! ```
//! # fn main() -> Result<(), mikey_sakke::Error> {
//! use mikey_sakke::eccsi::{Ksak, SigningKey, VerifyingKey};
//! use mikey_sakke::identity::Uid;
//!
//! let mut rng = getrandom::SysRng;
//! let ksak = Ksak::generate(&mut rng)?;
//! let alice = Uid::from_octets(b"2026-11\0tel:+447700900123\0")?;
//! let pair = ksak.issue(&alice, &mut rng)?;
//! let key = SigningKey::import(&ksak.kpak(), &alice, pair.ssk.expose(), &pair.pvt)?;
//!
//! let signature = key.sign(b"message", &mut rng)?;
//! VerifyingKey::new(&ksak.kpak(), &alice).verify(b"message", &signature)?;
//! # Ok(())
//! # }
//! ```

mod encoding;
mod ephemeral;

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;

use once_cell::race::OnceBox;
use rand_core::TryCryptoRng;
use sha2::{Digest, Sha256};
use signature::{RandomizedSigner, Verifier};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::error::{Error, KeyMaterialError, Rejected};
use crate::group::p256::{GENERATOR_OCTETS, INTEGER_OCTETS, Integer, POINT_OCTETS, Point, PreparedPoint};
use crate::identity::Uid;
use crate::random;
use crate::secret::{Reach, Secret, declassify, on_clean_stack, publish};

use encoding::Components;
use ephemeral::Purpose;

pub use encoding::Signature;

/// Octets of a signature: r, s, PVT (RFC 6507, section 3.3).
pub const SIGNATURE_OCTETS: usize = 2 * INTEGER_OCTETS + POINT_OCTETS;

/// The KMS Secret Authentication Key, in 1..q-1 (RFC 6507, section 4.2).
#[derive(Clone, Debug)]
pub struct Ksak {
    secret: Secret<Integer>,
    kpak: Kpak,
}

impl Ksak {
    /// A new random KSAK: 256 bits, drawn until they are in range.
    ///
    /// # Errors
    ///
    /// [`Error::Random`] if the random source fails or repeats itself.
    pub fn generate<R: TryCryptoRng + ?Sized>(rng: &mut R) -> Result<Self, Error> {
        on_clean_stack(Reach::Octets, || {
            random::draw(rng, |octets: &[u8; INTEGER_OCTETS]| Self::from_octets(octets).ok())
        })
    }

    /// A KSAK from 32 octets, big-endian.
    ///
    /// # Errors
    ///
    /// [`KeyMaterialError::Ksak`] if the length differs or the value is not in 1..q-1.
    pub fn from_octets(octets: &[u8]) -> Result<Self, KeyMaterialError> {
        on_clean_stack(Reach::P256, || {
            let secret = Secret::new(secret_integer(octets).ok_or(KeyMaterialError::Ksak)?);
            Self::from_integer(secret).ok_or(KeyMaterialError::Ksak)
        })
    }

    fn from_integer(secret: Secret<Integer>) -> Option<Self> {
        let octets = publish(Point::multiply_generator(secret.expose()).to_octets()?, "KPAK is public");
        let kpak = Kpak::from_octets(&octets).ok()?;
        Some(Self { secret, kpak })
    }

    /// The 32 octets, big-endian.
    pub fn to_octets(&self) -> Secret<[u8; INTEGER_OCTETS]> {
        on_clean_stack(Reach::Octets, || Secret::new(self.secret.expose().to_octets()))
    }

    /// The KMS Public Authentication Key, \[KSAK\]G.
    pub fn kpak(&self) -> Kpak {
        self.kpak.clone()
    }

    /// Issues a pair for an identity (RFC 6507, section 5.1.1). Every call draws a new v, and so gives another pair.
    ///
    /// # Errors
    ///
    /// [`Error::Random`] if the random source fails; [`Error::Fault`] if the pair fails the check that its user would
    /// make.
    pub fn issue<R: TryCryptoRng + ?Sized>(&self, identity: &Uid, rng: &mut R) -> Result<SigningPair, Error> {
        on_clean_stack(Reach::P256, || {
            let context = [identity.as_octets(), &self.kpak.octets];
            random::retry(|attempt| {
                let v = ephemeral::draw(self.secret.expose(), Purpose::Pair, context, attempt, rng)?;
                let issued = v.map(|v| self.issue_with(identity, v.expose())).transpose()?.flatten();
                Ok(issued.map(|(pair, _)| pair))
            })
        })
    }

    /// The pair for a given v, and HS; none if SSK or HS is 0 mod q and another v has to be taken.
    pub(crate) fn issue_with(
        &self,
        identity: &Uid,
        v: &Integer,
    ) -> Result<Option<(SigningPair, [u8; INTEGER_OCTETS])>, Error> {
        let Some(pvt) = Point::multiply_generator(v).to_octets() else { return Ok(None) };
        let pvt = publish(pvt, "PVT is public");
        let hs = self.kpak.hash_identity(identity, &pvt);
        let hs_integer = Integer::from_octets_reduced(&hs);
        let ssk = Zeroizing::new(hs_integer.multiply(v).add(self.secret.expose()));
        let is_usable = !ssk.is_zero() & !hs_integer.is_zero();
        if !declassify(is_usable, "a discarded pair is not used") {
            return Ok(None);
        }
        let pvt_point = Point::from_octets(&pvt).ok_or(Error::Fault)?;
        if !self.kpak.belongs(&ssk, &hs_integer, &pvt_point) {
            return Err(Error::Fault);
        }
        Ok(Some((SigningPair { ssk: Secret::new(ssk.to_octets()), pvt }, hs)))
    }
}

/// What a key management server issues to a signer. It is of use only as a [`SigningKey`].
#[derive(Clone, Debug)]
pub struct SigningPair {
    /// The Secret Signing Key: 32 octets, big-endian.
    pub ssk: Secret<[u8; INTEGER_OCTETS]>,
    /// The Public Validation Token: 04, x, y, each coordinate in 32 octets, big-endian.
    pub pvt: [u8; POINT_OCTETS],
}

/// The KMS Public Authentication Key: a point of P-256.
///
/// At its first verification it is prepared for all that follow, with a table of 16 KiB, which copies share.
#[derive(Clone)]
pub struct Kpak {
    point: Point,
    octets: [u8; POINT_OCTETS],
    prepared: Arc<OnceBox<PreparedPoint>>,
}

impl Kpak {
    /// Reads 04, x, y, each coordinate in 32 octets, big-endian.
    ///
    /// # Errors
    ///
    /// [`KeyMaterialError::Kpak`] unless length and prefix are right, both coordinates are below p, and the point is
    /// on P-256.
    pub fn from_octets(octets: &[u8]) -> Result<Self, KeyMaterialError> {
        let point = Point::from_octets(octets).ok_or(KeyMaterialError::Kpak)?;
        let octets = octets.try_into().map_err(|_| KeyMaterialError::Kpak)?;
        Ok(Self::from_point(point, octets))
    }

    fn from_point(point: Point, octets: [u8; POINT_OCTETS]) -> Self {
        Self { point, octets, prepared: Arc::default() }
    }

    /// None for the identity, which no KPAK is.
    fn prepared(&self) -> Option<&PreparedPoint> {
        let prepare = || PreparedPoint::new(&self.point).map(Box::new).ok_or(());
        self.prepared.get_or_try_init(prepare).ok()
    }

    /// 04, x, y, each coordinate in 32 octets, big-endian.
    pub const fn to_octets(&self) -> [u8; POINT_OCTETS] {
        self.octets
    }

    /// HS = Hash(G || KPAK || ID || PVT).
    fn hash_identity(&self, identity: &Uid, pvt: &[u8; POINT_OCTETS]) -> [u8; INTEGER_OCTETS] {
        let hash = Sha256::new().chain_update(GENERATOR_OCTETS).chain_update(self.octets);
        hash.chain_update(identity.as_octets()).chain_update(pvt).finalize().into()
    }

    /// Whether KPAK = \[SSK\]G - \[HS\]PVT.
    fn belongs(&self, ssk: &Integer, hs: &Integer, pvt: &Point) -> bool {
        let ssk_g = Zeroizing::new(Point::multiply_generator(ssk));
        let hs_pvt = pvt.multiply_vartime(hs);
        declassify(ssk_g.ct_eq(&self.point.add(&hs_pvt)), "an SSK that fails its check is not used")
    }
}

impl PartialEq for Kpak {
    fn eq(&self, other: &Self) -> bool {
        self.octets == other.octets
    }
}

impl Eq for Kpak {}

impl fmt::Debug for Kpak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kpak")
    }
}

/// An SSK and PVT that were checked against their identity and KMS.
#[derive(Clone)]
pub struct SigningKey {
    kpak: Kpak,
    identity: Uid,
    ssk: Secret<Integer>,
    pvt: [u8; POINT_OCTETS],
    hs: [u8; INTEGER_OCTETS],
}

impl SigningKey {
    /// Takes a pair into use for an identity (RFC 6507, section 5.1.2): KPAK must be \[SSK\]G - \[HS\]PVT.
    ///
    /// `ssk` is 32 octets, `pvt` 65 as in [`SigningPair`].
    ///
    /// # Errors
    ///
    /// [`KeyMaterialError::Pvt`] if PVT is not a point, [`KeyMaterialError::Ssk`] if SSK is out of range or the
    /// equation does not hold.
    pub fn import(kpak: &Kpak, identity: &Uid, ssk: &[u8], pvt: &[u8]) -> Result<Self, KeyMaterialError> {
        let pvt_point = Point::from_octets(pvt).ok_or(KeyMaterialError::Pvt)?;
        let pvt = pvt.try_into().map_err(|_| KeyMaterialError::Pvt)?;
        let hs = kpak.hash_identity(identity, &pvt);
        let ssk = on_clean_stack(Reach::P256, || {
            let ssk = Secret::new(secret_integer(ssk)?);
            kpak.belongs(ssk.expose(), &Integer::from_octets_reduced(&hs), &pvt_point).then_some(ssk)
        });
        let ssk = ssk.ok_or(KeyMaterialError::Ssk)?;
        Ok(Self { kpak: kpak.clone(), identity: identity.clone(), ssk, pvt, hs })
    }

    /// The identity that signs.
    pub const fn identity(&self) -> &Uid {
        &self.identity
    }

    /// The key that verifies.
    pub fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey::new(&self.kpak, &self.identity)
    }

    /// Signs a message (RFC 6507, section 5.2.1).
    ///
    /// # Errors
    ///
    /// [`Error::Random`] if the random source fails; [`Error::Fault`] if the computation was disturbed, whose result
    /// could give SSK away.
    pub fn sign<R: TryCryptoRng + ?Sized>(&self, message: &[u8], rng: &mut R) -> Result<Signature, Error> {
        on_clean_stack(Reach::P256, || {
            random::retry(|attempt| {
                let j = ephemeral::draw(self.ssk.expose(), Purpose::Signature, [&self.hs, message], attempt, rng)?;
                Ok(j.map(|j| self.sign_with(message, j.expose())).transpose()?.flatten())
            })
        })
    }

    /// The signature for a given j; none if HE + r SSK = 0 mod q and another j has to be taken.
    ///
    /// The RFC's last step, s = q - s' where s' has more than N octets, never applies: q < 2^256.
    pub(crate) fn sign_with(&self, message: &[u8], j: &Integer) -> Result<Option<Signature>, Error> {
        let Some(point) = Point::multiply_generator(j).to_octets() else { return Ok(None) };
        let point = publish(point, "whoever verifies a signature computes J");
        let Some((r, _)) = point[1..].split_first_chunk::<INTEGER_OCTETS>() else { return Ok(None) };
        let he = Integer::from_octets_reduced(&hash_message(&self.hs, r, message));
        let denominator = Zeroizing::new(Integer::from_octets_reduced(r).multiply(self.ssk.expose()).add(&he));
        let inverse = denominator.invert();
        if !declassify(inverse.is_some(), "a discarded j is not used") {
            return Ok(None);
        }
        let s = Zeroizing::new(inverse.unwrap_or(Integer::ZERO)).multiply(j);
        if Point::from_octets(&point).is_none() || !is_consistent(&s, &denominator, j) {
            return Err(Error::Fault);
        }

        let mut octets = [0; SIGNATURE_OCTETS];
        octets[..INTEGER_OCTETS].copy_from_slice(r);
        octets[INTEGER_OCTETS..2 * INTEGER_OCTETS].copy_from_slice(&s.to_octets());
        octets[2 * INTEGER_OCTETS..].copy_from_slice(&self.pvt);
        Ok(Some(Signature(octets)))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

impl RandomizedSigner<Signature> for SigningKey {
    fn try_sign_with_rng<R: TryCryptoRng + ?Sized>(
        &self,
        rng: &mut R,
        message: &[u8],
    ) -> Result<Signature, signature::Error> {
        self.sign(message, rng).map_err(|_| signature::Error::new())
    }
}

/// What verifies the signatures of one identity: KPAK and the identity.
#[derive(Clone, Debug)]
pub struct VerifyingKey {
    kpak: Kpak,
    identity: Uid,
}

impl VerifyingKey {
    /// The verifying key of an identity whose pair was issued under this KPAK.
    pub fn new(kpak: &Kpak, identity: &Uid) -> Self {
        Self { kpak: kpak.clone(), identity: identity.clone() }
    }

    /// Verifies a signature (RFC 6507, section 5.2.2). All values are public, and time depends on them.
    ///
    /// # Errors
    ///
    /// [`Rejected`], whatever is wrong.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), Rejected> {
        let Components { r, s, pvt, pvt_octets } = signature.components().ok_or(Rejected)?;
        let hs = self.kpak.hash_identity(&self.identity, pvt_octets);
        let he = Integer::from_octets_reduced(&hash_message(&hs, r, message));
        // J = [s]([HE]G + [r]([HS]PVT + KPAK)), as one sum of three multiples.
        let sr = s.multiply(&Integer::from_octets_reduced(r));
        let kpak = self.kpak.prepared().ok_or(Rejected)?;
        let pvt_multiple = sr.multiply(&Integer::from_octets_reduced(&hs));
        let j = Point::multiply_add_prepared_vartime(&he.multiply(&s), kpak, &sr, &pvt, &pvt_multiple);
        // r is compared as it stands, modulo p: never reduced modulo q. It is not 0, so neither is Jx.
        if j.has_x_vartime(r) { Ok(()) } else { Err(Rejected) }
    }
}

impl Verifier<Signature> for VerifyingKey {
    fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), signature::Error> {
        Self::verify(self, message, signature).map_err(|_| signature::Error::new())
    }
}

/// HE = Hash(HS || r || M).
fn hash_message(hs: &[u8; INTEGER_OCTETS], r: &[u8; INTEGER_OCTETS], message: &[u8]) -> [u8; INTEGER_OCTETS] {
    Sha256::new().chain_update(hs).chain_update(r).chain_update(message).finalize().into()
}

/// Whether s (HE + r SSK) = j mod q, and s is not 0.
fn is_consistent(s: &Integer, denominator: &Integer, j: &Integer) -> bool {
    let is_consistent = s.multiply(denominator).ct_eq(j) & !s.is_zero();
    declassify(is_consistent, "a signature that fails its check is not used")
}

/// A secret in 1..q-1 from 32 octets.
pub(crate) fn secret_integer(octets: &[u8]) -> Option<Integer> {
    let integer = Integer::from_octets(octets.try_into().ok()?);
    let in_range = integer.is_some() & !integer.unwrap_or(Integer::ZERO).is_zero();
    declassify(in_range, "a secret out of range is not used").then(|| integer.unwrap_or(Integer::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integer(octet: u8) -> Integer {
        Integer::from_octets_reduced(&[octet; INTEGER_OCTETS])
    }

    #[test]
    fn a_pair_that_its_user_would_refuse_is_not_issued() {
        let alice = Uid::from_octets(b"alice").unwrap();
        let ksak = Ksak::from_octets(&[1; 32]).unwrap();
        assert!(matches!(ksak.issue_with(&alice, &integer(3)), Ok(Some(_))));
        let disturbed = Ksak { kpak: Ksak::from_octets(&[2; 32]).unwrap().kpak(), ..ksak };
        assert!(matches!(disturbed.issue_with(&alice, &integer(3)), Err(Error::Fault)));
    }

    /// A KSAK with HS v + KSAK = 0, which nobody finds for its own KPAK.
    #[test]
    fn another_v_is_taken_where_ssk_would_be_0() {
        let (alice, v) = (Uid::from_octets(b"alice").unwrap(), integer(3));
        let ksak = Ksak::from_octets(&[1; 32]).unwrap();
        let (_, hs) = ksak.issue_with(&alice, &v).unwrap().unwrap();
        let secret = Integer::ZERO.subtract(&Integer::from_octets_reduced(&hs).multiply(&v));
        let ksak = Ksak { secret: Secret::new(secret), ..ksak };
        assert!(matches!(ksak.issue_with(&alice, &v), Ok(None)));
    }

    /// An SSK with HE + r SSK = 0, which nobody finds for its own PVT.
    #[test]
    fn another_j_is_taken_where_the_denominator_would_be_0() {
        let (alice, j) = (Uid::from_octets(b"alice").unwrap(), integer(5));
        let ksak = Ksak::from_octets(&[1; 32]).unwrap();
        let (pair, _) = ksak.issue_with(&alice, &integer(3)).unwrap().unwrap();
        let key = SigningKey::import(&ksak.kpak(), &alice, pair.ssk.expose(), &pair.pvt).unwrap();
        let signature = key.sign_with(b"message", &j).unwrap().unwrap();
        let r = signature.as_octets().first_chunk().unwrap();
        let he = Integer::from_octets_reduced(&hash_message(&key.hs, r, b"message"));
        let ssk = Integer::ZERO.subtract(&he.multiply(&Integer::from_octets_reduced(r).invert().unwrap()));
        let key = SigningKey { ssk: Secret::new(ssk), ..key };
        assert!(matches!(key.sign_with(b"message", &j), Ok(None)));
        assert!(matches!(key.sign_with(b"message", &integer(6)), Ok(Some(_))));
        assert!(matches!(key.sign_with(b"other", &j), Ok(Some(_))));
    }

    #[test]
    fn a_signature_of_a_disturbed_computation_is_noticed() {
        let (j, denominator) = (integer(3), integer(5));
        let s = denominator.invert().unwrap().multiply(&j);
        assert!(is_consistent(&s, &denominator, &j));
        let zero = Integer::ZERO;
        for (s, denominator, j) in
            [(j, denominator, j), (s, j, j), (s, denominator, denominator), (zero, denominator, zero)]
        {
            assert!(!is_consistent(&s, &denominator, &j));
        }
    }
}
