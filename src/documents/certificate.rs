//! KmsCertificate (TS 33.180, D.3.2).

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::Tolerances;
use super::error::{DocumentError, DocumentErrorKind as Kind};
use super::fields::{self, Fields};
use super::tree::{self, Element};
use super::writer::DocumentWriter;
use crate::error::{KeyMaterialError, UsageError};
use crate::identity::UidFormat;
use crate::kms::{self, Validity};

/// The UserIdFormat of hashed UIDs.
const HASHED: &str = "2";

/// The parameter set of RFC 6509, appendix A.
const PARAMETER_SET: u64 = 1;

/// Octets of Z and of KPAK.
const PUBLIC_KEY_OCTETS: usize = super::RSK_OCTETS;
const KPAK_OCTETS: usize = super::PVT_OCTETS;

/// What a KMS is to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The client's own KMS.
    Root,
    /// The KMS of another domain.
    External,
}

impl Role {
    const fn name(self) -> &'static str {
        match self {
            Self::Root => "Root",
            Self::External => "External",
        }
    }
}

/// A KMS certificate with all that its document says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KmsCertificate {
    /// The certificate, checked, with its validity and whether it is revoked.
    pub certificate: Arc<kms::KmsCertificate>,
    /// What the KMS is to the client.
    pub role: Option<Role>,
    /// Whether the KMS is that of a security gateway.
    pub is_security_gateway: bool,
    /// The URI of the certificate.
    pub cert_uri: Option<String>,
    /// Who issued it.
    pub issuer: Option<String>,
    /// The domains that the KMS serves.
    pub domains: Vec<String>,
}

impl From<Arc<kms::KmsCertificate>> for KmsCertificate {
    fn from(certificate: Arc<kms::KmsCertificate>) -> Self {
        Self { certificate, role: None, is_security_gateway: false, cert_uri: None, issuer: None, domains: Vec::new() }
    }
}

impl KmsCertificate {
    pub(super) const ROOT: &'static str = "KmsCertificate";

    /// Reads a document that is a KmsCertificate alone.
    ///
    /// # Errors
    ///
    /// [`DocumentError`], also if Z or KPAK fail their checks.
    pub fn from_xml(octets: &[u8], tolerances: Tolerances) -> Result<Self, DocumentError> {
        Self::read(super::root(&tree::parse(octets)?, Self::ROOT)?, tolerances)
    }

    /// Writes a document that is a KmsCertificate alone.
    ///
    /// # Errors
    ///
    /// [`UsageError::UidFormat`] unless the UIDs are hashed, the only ones these documents know;
    /// [`UsageError::FieldLength`] for text that cannot stand in XML; [`UsageError::Time`] for a year after 9999.
    pub fn to_xml(&self) -> Result<Zeroizing<String>, UsageError> {
        DocumentWriter::document(Self::ROOT, &self.attributes(), |writer| self.write_content(writer))
    }

    pub(super) fn read(element: &Element<'_>, tolerances: Tolerances) -> Result<Self, DocumentError> {
        fields::check_version(element)?;
        let mut parts = Fields::of(element, &["Version", "Role", "IsSecurityGateway"], tolerances)?;
        let cert_uri = parts.value("CertUri", fields::string)?;
        let kms_uri = fields::uri(parts.required("KmsUri")?)?;
        let issuer = parts.value("Issuer", fields::string)?;
        let validity = super::read_validity(&mut parts)?;
        let is_revoked = parts.value("Revoked", fields::boolean)?.unwrap_or(false);
        let format = parts.required("UserIdFormat")?;
        let period = fields::number(parts.required("UserKeyPeriod")?)?;
        let offset = fields::number(parts.required("UserKeyOffset")?)?;
        let public_key = parts.required("PubEncKey")?;
        let kpak = parts.required("PubAuthKey")?;
        let parameter_set = parts.optional("ParameterSet");
        let domains = match parts.optional("KmsDomainList") {
            Some(list) => {
                let mut list = Fields::of(list, &[], tolerances)?;
                let domains = list.all("KmsDomain").map(fields::string).collect::<Result<_, _>>()?;
                list.finish()?;
                domains
            }
            None => Vec::new(),
        };
        parts.finish()?;

        if fields::text(format)? != HASHED {
            return Err(format.text_error(Kind::Unsupported("this format of UIDs")));
        }
        if let Some(set) = parameter_set
            && fields::number(set)? != PARAMETER_SET
        {
            return Err(set.text_error(Kind::Unsupported("this parameter set")));
        }
        let uid_format = UidFormat::hashed(period, offset).map_err(|error| element.error(error.into()))?;
        let z = fields::hex::<PUBLIC_KEY_OCTETS>(public_key)?;
        let kpak_octets = fields::hex::<KPAK_OCTETS>(kpak)?;
        let certificate = kms::KmsCertificate::new(kms_uri, uid_format, z.expose(), kpak_octets.expose());
        let certificate = certificate.map_err(|error| match Kind::from(error) {
            kind @ Kind::KeyMaterial(KeyMaterialError::PublicKey) => public_key.text_error(kind),
            kind @ Kind::KeyMaterial(KeyMaterialError::Kpak) => kpak.text_error(kind),
            kind => element.error(kind),
        })?;
        let certificate = certificate.with_validity(validity);
        let certificate = if is_revoked { certificate.revoked() } else { certificate };
        let role = match fields::attribute(element, "Role") {
            None => None,
            Some("Root") => Some(Role::Root),
            Some("External") => Some(Role::External),
            Some(_) => return Err(element.error(Kind::Attribute)),
        };
        let is_security_gateway = match fields::attribute(element, "IsSecurityGateway") {
            None => false,
            Some(text) => fields::parse_boolean(text).ok_or_else(|| element.error(Kind::Attribute))?,
        };
        Ok(Self { certificate: Arc::new(certificate), role, is_security_gateway, cert_uri, issuer, domains })
    }

    pub(super) fn write(&self, writer: &mut DocumentWriter) -> Result<(), UsageError> {
        writer.element(Self::ROOT, &self.attributes(), |writer| self.write_content(writer))
    }

    fn attributes(&self) -> Vec<(&'static str, &'static str)> {
        let mut attributes = Vec::from([("Version", super::CONTENT_VERSION)]);
        attributes.extend(self.role.map(|role| ("Role", role.name())));
        attributes.extend(self.is_security_gateway.then_some(("IsSecurityGateway", "true")));
        attributes
    }

    fn write_content(&self, writer: &mut DocumentWriter) -> Result<(), UsageError> {
        let certificate = &self.certificate;
        let UidFormat::Hashed { period, offset } = certificate.uid_format() else { return Err(UsageError::UidFormat) };
        writer.optional_text("CertUri", self.cert_uri.as_deref())?;
        writer.text("KmsUri", certificate.kms_uri().as_str())?;
        writer.optional_text("Issuer", self.issuer.as_deref())?;
        let Validity { from, to } = certificate.validity();
        writer.optional_time("ValidFrom", from)?;
        writer.optional_time("ValidTo", to)?;
        writer.text("Revoked", if certificate.is_revoked() { "true" } else { "false" })?;
        writer.text("UserIdFormat", HASHED)?;
        writer.text("UserKeyPeriod", &period.to_string())?;
        writer.text("UserKeyOffset", &offset.to_string())?;
        writer.hex("PubEncKey", &certificate.public_key().to_octets())?;
        writer.hex("PubAuthKey", &certificate.kpak().to_octets())?;
        writer.text("ParameterSet", &PARAMETER_SET.to_string())?;
        if self.domains.is_empty() {
            return Ok(());
        }
        writer.element("KmsDomainList", &[], |writer| {
            self.domains.iter().try_for_each(|domain| writer.text("KmsDomain", domain))
        })
    }
}
