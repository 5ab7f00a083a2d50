//! What a server publishes of its security domain.

use core::fmt;

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::json::{Object, Writer};
use super::{BodyError, Identifier};
use crate::eccsi::SIGNATURE_OCTETS;
use crate::error::{Error, KeyMaterialError, UsageError};
use crate::identity::{KeyPeriod, UidFormat, Uri};
use crate::imessage::Initiators;
use crate::kms::{KmsCertificate, TrustedCertificates, Validity};
use crate::sakke::{ENCAPSULATED_OCTETS, SSV_OCTETS};

/// The octets that the document may have.
pub const MAX_DOMAIN_OCTETS: usize = 1024 * 1024;

/// The certificates that a domain may have.
pub const MAX_CERTIFICATES: usize = 256;

/// Octets of Z and of KPAK.
const PUBLIC_KEY_OCTETS: usize = ENCAPSULATED_OCTETS - SSV_OCTETS;
const KPAK_OCTETS: usize = SIGNATURE_OCTETS - 64;

/// The userIdFormat of hashed UIDs, the only ones here (TS 33.180, F.2.1).
const HASHED: u64 = 2;

/// A security domain: its certificates one after the other, and whom to accept keys from.
#[derive(Clone, Debug)]
pub struct Domain {
    skms_uri: Uri,
    certificates: Vec<DomainCertificate>,
    trusted: TrustedCertificates,
    /// groupManagers: the users who may distribute keys to groups.
    pub group_managers: BTreeSet<Uri>,
    /// acceptableKms: the KMSs of other domains whose users may be accepted.
    pub acceptable_kms: BTreeSet<Uri>,
    /// revokedUsers: users whose keys are not accepted any more.
    pub revoked_users: BTreeSet<Uri>,
}

/// A certificate of a domain, for a range of key periods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainCertificate {
    cert_uri: Option<Identifier>,
    periods: Periods,
    certificate: Arc<KmsCertificate>,
}

/// A range of key periods by their numbers, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Periods {
    /// fromPeriod.
    pub from: u64,
    /// toPeriod; without one the range has no end.
    pub to: Option<u64>,
}

impl Periods {
    fn validity(self, format: UidFormat) -> Result<Validity, UsageError> {
        if self.to.is_some_and(|to| to < self.from) {
            return Err(UsageError::KeyPeriod);
        }
        let (from, _) = format.span(KeyPeriod::Number(self.from))?;
        let to = self.to.map(|to| format.span(KeyPeriod::Number(to))).transpose()?;
        Ok(Validity { from: Some(from), to: to.map(|(_, end)| end) })
    }
}

impl DomainCertificate {
    /// The certificate for a range of key periods, which becomes its validity.
    ///
    /// # Errors
    ///
    /// [`UsageError::UidFormat`] unless its UIDs are hashed, [`UsageError::KeyPeriod`] for a range that ends before it
    /// begins, [`UsageError::Time`] for one whose times cannot be expressed.
    pub fn new(
        certificate: &KmsCertificate,
        periods: Periods,
        cert_uri: Option<Identifier>,
    ) -> Result<Self, UsageError> {
        let validity = periods.validity(certificate.uid_format())?;
        Ok(Self { cert_uri, periods, certificate: Arc::new(certificate.clone().with_validity(validity)) })
    }

    /// CertUri: the URI of the certificate, as it was given.
    pub const fn cert_uri(&self) -> Option<&Identifier> {
        self.cert_uri.as_ref()
    }

    /// The key periods that it is for.
    pub const fn periods(&self) -> Periods {
        self.periods
    }

    /// The certificate, valid in these key periods.
    pub const fn certificate(&self) -> &Arc<KmsCertificate> {
        &self.certificate
    }

    fn read(object: &Object<'_>, kms_uri: &Uri, format: UidFormat) -> Result<Self, DomainError> {
        let z = object.octets::<PUBLIC_KEY_OCTETS>("PubEncKey")?;
        let kpak = object.octets::<KPAK_OCTETS>("PubAuthKey")?;
        let is_revoked = object.boolean("Revoked")?;
        let cert_uri = object.optional("CertUri", Object::identifier)?;
        let from = object.integer("fromPeriod")?;
        let periods = Periods { from, to: object.optional("toPeriod", Object::integer)? };
        let certificate = KmsCertificate::new(kms_uri.clone(), format, &z, &kpak)?;
        let certificate = if is_revoked { certificate.revoked() } else { certificate };
        Ok(Self::new(&certificate, periods, cert_uri)?)
    }

    fn write(&self, writer: &mut Writer) {
        let certificate = &self.certificate;
        let z = base16ct::upper::encode_string(&certificate.public_key().to_octets());
        let kpak = base16ct::upper::encode_string(&certificate.kpak().to_octets());
        writer.optional_text("CertUri", self.cert_uri.as_ref().map(Identifier::as_str));
        writer.text("PubEncKey", &z);
        writer.text("PubAuthKey", &kpak);
        writer.integer("fromPeriod", self.periods.from);
        if let Some(to) = self.periods.to {
            writer.integer("toPeriod", to);
        }
        writer.boolean("Revoked", certificate.is_revoked());
    }
}

impl Domain {
    /// A domain with these certificates, that accepts keys for groups from nobody yet.
    ///
    /// # Errors
    ///
    /// [`UsageError::Certificate`] unless there are 1 to [`MAX_CERTIFICATES`], all of one KMS, with one format of
    /// UIDs, and each with keys of its own; [`UsageError::UidFormat`] unless the UIDs are hashed;
    /// [`UsageError::CertificateOverlap`] if two that are not revoked are for the same key period;
    /// [`UsageError::FieldLength`] if a URI has more than [`MAX_TEXT_OCTETS`](super::MAX_TEXT_OCTETS).
    pub fn new(skms_uri: Uri, certificates: Vec<DomainCertificate>) -> Result<Self, UsageError> {
        let first = certificates.first().ok_or(UsageError::Certificate)?.certificate();
        super::check_length(&skms_uri)?;
        super::check_length(first.kms_uri())?;
        if !matches!(first.uid_format(), UidFormat::Hashed { .. }) {
            return Err(UsageError::UidFormat);
        }
        let is_of_domain = |other: &DomainCertificate| {
            let other = other.certificate();
            other.kms_uri() == first.kms_uri() && other.uid_format() == first.uid_format()
        };
        if certificates.len() > MAX_CERTIFICATES || !certificates.iter().all(is_of_domain) {
            return Err(UsageError::Certificate);
        }
        let mut trusted = TrustedCertificates::default();
        certificates.iter().try_for_each(|certificate| trusted.add(certificate.certificate.clone()))?;
        // A certificate with the keys of another has taken its place.
        if trusted.iter().count() != certificates.len() {
            return Err(UsageError::Certificate);
        }
        let [group_managers, acceptable_kms, revoked_users] = [BTreeSet::new(), BTreeSet::new(), BTreeSet::new()];
        Ok(Self { skms_uri, certificates, trusted, group_managers, acceptable_kms, revoked_users })
    }

    /// Reads the document, with all checks of Z and KPAK.
    ///
    /// # Errors
    ///
    /// [`DomainError`].
    pub fn from_json(body: &[u8]) -> Result<Self, DomainError> {
        let object = Object::from_body(body, MAX_DOMAIN_OCTETS)?;
        let skms_uri = object.uri("SKmsUri")?;
        let kms_uri = object.uri("KmsUri")?;
        if object.integer("userIdFormat")? != HASHED {
            return Err(DomainError::UserIdFormat);
        }
        let format = UidFormat::hashed(object.integer("userKeyPeriod")?, object.integer("userKeyOffset")?)?;
        let certificates = object.objects("certificates", MAX_CERTIFICATES)?;
        let certificates =
            certificates.iter().map(|certificate| DomainCertificate::read(certificate, &kms_uri, format));
        let domain = Self::new(skms_uri, certificates.collect::<Result<_, _>>()?)?;
        Ok(Self {
            group_managers: object.uris("groupManagers")?,
            acceptable_kms: object.uris("acceptableKms")?,
            revoked_users: object.uris("revokedUsers")?,
            ..domain
        })
    }

    /// Writes the document.
    pub fn to_json(&self) -> String {
        let mut json = Writer::object(|writer| {
            writer.text("SKmsUri", self.skms_uri.as_str());
            writer.text("KmsUri", self.kms_uri().as_str());
            writer.integer("userIdFormat", HASHED);
            if let UidFormat::Hashed { period, offset } = self.uid_format() {
                writer.integer("userKeyPeriod", period);
                writer.integer("userKeyOffset", offset);
            }
            writer.objects("certificates", &self.certificates, |writer, certificate| certificate.write(writer));
            let lists = [
                ("groupManagers", &self.group_managers),
                ("acceptableKms", &self.acceptable_kms),
                ("revokedUsers", &self.revoked_users),
            ];
            for (name, list) in lists {
                writer.texts(name, list.iter().map(Uri::as_str));
            }
        });
        core::mem::take(&mut *json)
    }

    /// SKmsUri: the server.
    pub const fn skms_uri(&self) -> &Uri {
        &self.skms_uri
    }

    /// KmsUri: the KMS that UIDs are bound to.
    pub fn kms_uri(&self) -> &Uri {
        self.certificates[0].certificate.kms_uri()
    }

    /// How UIDs and key periods are formed.
    pub fn uid_format(&self) -> UidFormat {
        self.certificates[0].certificate.uid_format()
    }

    /// The certificates, at least one.
    pub fn certificates(&self) -> &[DomainCertificate] {
        &self.certificates
    }

    /// The certificates as a client trusts them; those of other domains are to be added.
    pub const fn trusted_certificates(&self) -> &TrustedCertificates {
        &self.trusted
    }

    /// Those who may distribute keys to groups: the group managers that are not revoked.
    pub fn group_initiators(&self) -> Initiators {
        Initiators::Only(self.group_managers.difference(&self.revoked_users).cloned().collect())
    }

    /// Those who may distribute keys otherwise: everybody who is not revoked.
    pub fn initiators(&self) -> Initiators {
        Initiators::AllBut(self.revoked_users.clone())
    }
}

/// A description of a domain that is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DomainError {
    /// The document is malformed.
    Body(BodyError),
    /// The UIDs are not hashed.
    UserIdFormat,
    /// Z or KPAK of a certificate fails its checks.
    KeyMaterial(KeyMaterialError),
    /// Certificates or key periods are impossible: see [`Domain::new`] and [`DomainCertificate::new`].
    Usage(UsageError),
}

impl fmt::Display for DomainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body(error) => error.fmt(f),
            Self::UserIdFormat => f.write_str("malformed: userIdFormat is not 2"),
            Self::KeyMaterial(error) => error.fmt(f),
            Self::Usage(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for DomainError {}

impl From<BodyError> for DomainError {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}

impl From<UsageError> for DomainError {
    fn from(error: UsageError) -> Self {
        Self::Usage(error)
    }
}

impl From<Error> for DomainError {
    fn from(error: Error) -> Self {
        match error {
            Error::KeyMaterial(error) => Self::KeyMaterial(error),
            Error::Usage(error) => Self::Usage(error),
            _ => Self::Body(BodyError::Json),
        }
    }
}
