//! The issuing side, and what it hands out: certificates and key sets.
//!
//! A [`Kms`] holds the master secrets of a security domain. It publishes a [`KmsCertificate`], and issues to each
//! user, for each key period, a [`KeySet`]. The user checks that against the certificate and gets [`UserKeys`].
//!
//! In the terms of SEAL (TS 33.434) this is what an SKM-S does; the transport is elsewhere.

mod certificate;
mod trust;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use rand_core::TryCryptoRng;

use crate::eccsi::{Ksak, SigningKey, SigningPair};
#[cfg(doc)]
use crate::error::KeyMaterialError;
use crate::error::{Error, UsageError};
use crate::identity::{KeyPeriod, UidFormat, Uri};
use crate::sakke::{MasterSecret, ReceiverKey, Rsk};

pub use certificate::{KmsCertificate, Validity};
pub use trust::TrustedCertificates;

/// A key management server: the master secrets of a security domain.
#[derive(Debug)]
pub struct Kms {
    certificate: Arc<KmsCertificate>,
    ksak: Ksak,
    master_secret: MasterSecret,
}

impl Kms {
    /// A new domain with random master secrets.
    ///
    /// # Errors
    ///
    /// [`Error::Random`] if the random source fails; [`UsageError::UidFormat`] for impossible key periods.
    pub fn generate<R: TryCryptoRng + ?Sized>(kms_uri: Uri, uid_format: UidFormat, rng: &mut R) -> Result<Self, Error> {
        Self::new(kms_uri, uid_format, Ksak::generate(rng)?, MasterSecret::generate(rng)?)
    }

    /// A domain with given master secrets.
    ///
    /// # Errors
    ///
    /// [`UsageError::UidFormat`] for impossible key periods.
    pub fn new(kms_uri: Uri, uid_format: UidFormat, ksak: Ksak, master_secret: MasterSecret) -> Result<Self, Error> {
        let certificate = KmsCertificate::from_keys(kms_uri, uid_format, master_secret.public_key(), ksak.kpak())?;
        Ok(Self { certificate: Arc::new(certificate), ksak, master_secret })
    }

    /// The certificate to publish.
    pub const fn certificate(&self) -> &Arc<KmsCertificate> {
        &self.certificate
    }

    /// KSAK, to be kept as secret as the user keys of the whole domain.
    pub const fn ksak(&self) -> &Ksak {
        &self.ksak
    }

    /// The SAKKE master secret z, to be kept as secret as the user keys of the whole domain.
    pub const fn master_secret(&self) -> &MasterSecret {
        &self.master_secret
    }

    /// Issues the keys of a user for a key period: always the same RSK, each time another SSK and PVT.
    ///
    /// Who may have them is the caller's to decide; the channel to the user must be confidential and authenticated.
    ///
    /// # Errors
    ///
    /// [`UsageError::UidFormat`] if URI or period do not fit the format; [`UsageError::IdentityWithoutKey`], which
    /// does not happen by chance; [`Error::Random`] if the random source fails; [`Error::Fault`] if a computation was
    /// disturbed, whose result is withheld.
    pub fn issue<R: TryCryptoRng + ?Sized>(&self, user: &Uri, period: KeyPeriod, rng: &mut R) -> Result<KeySet, Error> {
        let uid = self.certificate.uid(user, period)?;
        self.issue_with(user, period, self.master_secret.extract(&uid)?, rng)
    }

    /// Issues the keys of several users and periods, at less cost than one by one. The results are in the order given,
    /// and each is what [`Kms::issue`] gives; one that fails leaves the others as they are.
    pub fn issue_batch<R: TryCryptoRng + ?Sized>(
        &self,
        users: &[(&Uri, KeyPeriod)],
        rng: &mut R,
    ) -> Vec<Result<KeySet, Error>> {
        let rsks = self.extract_batch(users).into_iter();
        rsks.zip(users).map(|(rsk, &(user, period))| self.issue_with(user, period, rsk?, rng)).collect()
    }

    /// Extracts the RSKs of several users and periods ahead of [`Kms::issue_with`]. The results are in the order given.
    ///
    /// Each can fail as [`Kms::issue`] can, but for the random source.
    pub fn extract_batch(&self, users: &[(&Uri, KeyPeriod)]) -> Vec<Result<Rsk, Error>> {
        let uids: Vec<_> = users.iter().map(|(user, period)| self.certificate.uid(user, *period)).collect();
        let identities: Vec<_> = uids.iter().flatten().cloned().collect();
        let mut rsks = self.master_secret.extract_batch(&identities).into_iter();
        let mut next = || rsks.next().unwrap_or(Err(UsageError::IdentityWithoutKey.into()));
        uids.into_iter().map(|uid| uid.map_err(Error::from).and_then(|_| next())).collect()
    }

    /// Issues the keys of a user for a key period with the RSK that was extracted for them before, which is not
    /// checked.
    ///
    /// # Errors
    ///
    /// [`UsageError::UidFormat`] if URI or period do not fit the format; [`Error::Random`] if the random source fails.
    pub fn issue_with<R: TryCryptoRng + ?Sized>(
        &self,
        user: &Uri,
        period: KeyPeriod,
        rsk: Rsk,
        rng: &mut R,
    ) -> Result<KeySet, Error> {
        let signing = self.ksak.issue(&self.certificate.uid(user, period)?, rng)?;
        Ok(KeySet { user: user.clone(), period, rsk, signing })
    }
}

/// The keys of a user for a key period, as they are delivered: of use only as [`UserKeys`].
#[derive(Clone, Debug)]
pub struct KeySet {
    /// The user.
    pub user: Uri,
    /// The key period.
    pub period: KeyPeriod,
    /// The RSK.
    pub rsk: Rsk,
    /// SSK and PVT.
    pub signing: SigningPair,
}

/// The keys of a user for a key period, checked against the certificate of the KMS that issued them.
#[derive(Clone)]
pub struct UserKeys {
    certificate: Arc<KmsCertificate>,
    user: Uri,
    period: KeyPeriod,
    receiver: ReceiverKey,
    signing: SigningKey,
}

impl UserKeys {
    /// Takes a key set into use: both checks of the RFCs are made (RFC 6507, section 5.1.2; RFC 6508, section 6.1.2).
    ///
    /// # Errors
    ///
    /// [`KeyMaterialError`] naming the element that fails; [`UsageError::UidFormat`] if URI or period do not fit the
    /// certificate.
    pub fn import(certificate: &Arc<KmsCertificate>, key_set: &KeySet) -> Result<Self, Error> {
        let KeySet { user, period, rsk, signing } = key_set;
        let uid = certificate.uid(user, *period)?;
        let signing = SigningKey::import(certificate.kpak(), &uid, signing.ssk.expose(), &signing.pvt)?;
        let receiver = ReceiverKey::import(certificate.public_key(), &uid, rsk.expose())?;
        Ok(Self { certificate: certificate.clone(), user: user.clone(), period: *period, receiver, signing })
    }

    /// The certificate of the KMS that issued these keys.
    pub const fn certificate(&self) -> &Arc<KmsCertificate> {
        &self.certificate
    }

    /// The user.
    pub const fn user(&self) -> &Uri {
        &self.user
    }

    /// The key period.
    pub const fn period(&self) -> KeyPeriod {
        self.period
    }

    /// The RSK, prepared.
    pub const fn receiver(&self) -> &ReceiverKey {
        &self.receiver
    }

    /// SSK and PVT.
    pub const fn signing(&self) -> &SigningKey {
        &self.signing
    }
}

impl fmt::Debug for UserKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserKeys({}, {})", self.user, self.period)
    }
}
