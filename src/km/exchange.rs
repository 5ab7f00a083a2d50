//! What the servers of two domains tell each other of their certificates (KM-E of 3GPP TS 23.434).
//!
//! 3GPP names KM-E and leaves open what goes over it. Here one server asks with a nonce, and the other answers with its
//! [`Domain`], for this server and this nonce, signed with ECCSI under its own SKmsUri as a user of its domain: whoever
//! signs has the master secrets of the domain. An answer is believed under a certificate that is held already and not
//! revoked, and so a certificate that follows is vouched for by the one before it. Whose the first one is, people make
//! sure of.
//!
//! The answer is an object of two texts, `Statement` and `Signature`. The statement is an object with `Audience`,
//! `Nonce`, `DateTime` and, as a text, `Domain`; it is signed with a label before it, so that no other message is.

use core::fmt;
use core::time::Duration;

use alloc::string::String;
use alloc::vec::Vec;

use rand_core::TryCryptoRng;

use super::domain::{Domain, DomainError, MAX_DOMAIN_OCTETS};
use super::json::{Object, Writer};
use super::{BodyError, is_fresh};
use crate::eccsi::{SIGNATURE_OCTETS, Signature, SigningKey, VerifyingKey};
use crate::error::Error;
use crate::identity::Uri;
use crate::kms::{Kms, KmsCertificate, TrustedCertificates};
use crate::time::Timestamp;

/// The octets of a nonce.
pub const NONCE_OCTETS: usize = 16;

/// The octets that an answer may have: a domain in a text in a text.
pub const MAX_ANNOUNCEMENT_OCTETS: usize = 4 * MAX_DOMAIN_OCTETS;

/// How far the clocks of two domains may be apart, either way and inclusive.
pub const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);

/// What stands before a statement where it is signed. An I_MESSAGE, which the same key could sign, begins otherwise.
const LABEL: &[u8] = b"SEAL KM-E certificates\0";

/// What an answer has to be.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// SKmsUri of who asked.
    pub audience: &'a Uri,
    /// The nonce that it asked with.
    pub nonce: &'a [u8; NONCE_OCTETS],
    /// KmsUri of the domain that was asked.
    pub kms_uri: &'a Uri,
    /// SKmsUri of its server.
    pub skms_uri: &'a Uri,
    /// The time now.
    pub now: Timestamp,
}

/// An answer that is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExchangeError {
    /// It is malformed.
    Body(BodyError),
    /// Its domain is not accepted.
    Domain(DomainError),
    /// It is for another server, or the answer to another question.
    OtherQuestion,
    /// It is of another domain or server.
    OtherDomain,
    /// Its time is too far from now.
    Stale,
    /// No certificate of the domain is held that is valid now and not revoked.
    NotHeld,
    /// It is not signed under the certificate that is held.
    Signature,
}

impl fmt::Display for ExchangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Body(error) => return error.fmt(f),
            Self::Domain(error) => return error.fmt(f),
            Self::OtherQuestion => "it answers another question",
            Self::OtherDomain => "it is of another domain or server",
            Self::Stale => "its time is too far from now",
            Self::NotHeld => "no certificate of the domain is held that is valid now and not revoked",
            Self::Signature => "it is not signed under the certificate that is held",
        })
    }
}

impl core::error::Error for ExchangeError {}

impl From<BodyError> for ExchangeError {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}

impl From<DomainError> for ExchangeError {
    fn from(error: DomainError) -> Self {
        Self::Domain(error)
    }
}

/// Makes the answer to a question: the domain, signed by its server under the certificate that is valid now, whose
/// issuing side this is.
///
/// # Errors
///
/// [`Error::Random`] if the random source fails, [`Error::Usage`] if the time has no key period.
pub fn announce<R: TryCryptoRng + ?Sized>(
    kms: &Kms,
    domain: &Domain,
    audience: &Uri,
    nonce: &[u8; NONCE_OCTETS],
    now: Timestamp,
    rng: &mut R,
) -> Result<String, Error> {
    let statement = Writer::object(|writer| {
        writer.text("Audience", audience.as_str());
        writer.text("Nonce", &base16ct::lower::encode_string(nonce));
        writer.integer("DateTime", now.to_unix());
        writer.text("Domain", &domain.to_json());
    });
    let (certificate, uid) = (kms.certificate(), kms.certificate().uid_at(domain.skms_uri(), now)?);
    let pair = kms.ksak().issue(&uid, rng)?;
    let key = SigningKey::import(certificate.kpak(), &uid, pair.ssk.expose(), &pair.pvt)?;
    let signature = key.sign(&message(&statement), rng)?;
    let mut json = Writer::object(|writer| {
        writer.text("Statement", &statement);
        writer.text("Signature", &base16ct::lower::encode_string(signature.as_octets()));
    });
    Ok(core::mem::take(&mut *json))
}

/// An answer, which nobody has vouched for until it is verified.
#[derive(Clone, Debug)]
pub struct Announcement {
    statement: String,
    signature: Signature,
    audience: Uri,
    nonce: [u8; NONCE_OCTETS],
    date_time: Timestamp,
    domain: Domain,
}

impl Announcement {
    /// Reads an answer, with all checks of the points in it.
    ///
    /// # Errors
    ///
    /// [`ExchangeError::Body`] or [`ExchangeError::Domain`].
    pub fn from_json(body: &[u8]) -> Result<Self, ExchangeError> {
        let outer = Object::from_body(body, MAX_ANNOUNCEMENT_OCTETS)?;
        let statement = String::from(outer.string("Statement")?.as_str());
        let signature = outer.octets::<SIGNATURE_OCTETS>("Signature")?;
        let signature = Signature::try_from(&signature[..]).map_err(|_| BodyError::Length("Signature"))?;
        let object = Object::parse(&statement)?;
        let (audience, nonce) = (object.uri("Audience")?, object.octets("Nonce")?);
        let date_time = object.timestamp("DateTime")?;
        let domain = Domain::from_json(object.string("Domain")?.as_bytes())?;
        Ok(Self { signature, audience, nonce, date_time, domain, statement })
    }

    /// The domain, which may be anybody's until the answer is verified.
    pub const fn unverified_domain(&self) -> &Domain {
        &self.domain
    }

    /// Checks that it is the answer to a question, of the domain and server that were asked, of this time, and signed
    /// under the certificate of that domain that is held for this time.
    ///
    /// # Errors
    ///
    /// [`ExchangeError`].
    pub fn verify(&self, expected: &Expected<'_>, held: &TrustedCertificates) -> Result<&Domain, ExchangeError> {
        if self.audience != *expected.audience || self.nonce != *expected.nonce {
            return Err(ExchangeError::OtherQuestion);
        }
        if self.domain.kms_uri() != expected.kms_uri || self.domain.skms_uri() != expected.skms_uri {
            return Err(ExchangeError::OtherDomain);
        }
        if !is_fresh(self.date_time, expected.now, CLOCK_TOLERANCE) {
            return Err(ExchangeError::Stale);
        }
        let certificate = held.select(expected.kms_uri, self.date_time).ok_or(ExchangeError::NotHeld)?;
        self.check_signature(certificate)
    }

    fn check_signature(&self, certificate: &KmsCertificate) -> Result<&Domain, ExchangeError> {
        let uid = certificate.uid_at(self.domain.skms_uri(), self.date_time).map_err(|_| ExchangeError::Signature)?;
        let key = VerifyingKey::new(certificate.kpak(), &uid);
        key.verify(&message(&self.statement), &self.signature).map_err(|_| ExchangeError::Signature)?;
        Ok(&self.domain)
    }
}

fn message(statement: &str) -> Vec<u8> {
    [LABEL, statement.as_bytes()].concat()
}
