//! Who a client is by its certificate.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use sha2::{Digest as _, Sha256};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// The octets that a name may have.
const MAX_NAME_OCTETS: usize = 1024;

/// The name of a client: a subject alternative name of its certificate, never the common name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum San {
    /// A URI, compared octet for octet.
    Uri(Box<str>),
    /// A DNS name in lower case, without wildcard.
    Dns(Box<str>),
}

impl San {
    /// A name as it is configured: with a colon a URI, without one a DNS name.
    ///
    /// # Errors
    ///
    /// [`IdentityError::Name`] if it is neither.
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        if text.contains(':') { Self::uri(text) } else { Self::dns(text) }
    }

    /// The name.
    pub const fn as_str(&self) -> &str {
        match self {
            Self::Uri(name) | Self::Dns(name) => name,
        }
    }

    fn uri(text: &str) -> Result<Self, IdentityError> {
        let has_scheme = text.split_once(':').is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty());
        let is_uri = has_scheme && text.len() <= MAX_NAME_OCTETS && text.bytes().all(|octet| octet.is_ascii_graphic());
        if is_uri { Ok(Self::Uri(text.into())) } else { Err(IdentityError::Name) }
    }

    fn dns(text: &str) -> Result<Self, IdentityError> {
        let is_label = |label: &str| {
            !label.is_empty() && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_".contains(&octet))
        };
        let is_dns = text.len() <= 253 && text.split('.').all(is_label);
        if is_dns { Ok(Self::Dns(text.to_ascii_lowercase().into())) } else { Err(IdentityError::Name) }
    }
}

impl fmt::Display for San {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a certificate does not tell who a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// It is not an X.509 certificate with well-formed extensions.
    #[error("the certificate is malformed")]
    Certificate,
    /// Its extended key usage is missing, or lacks client authentication.
    #[error("the certificate is not for client authentication")]
    Usage,
    /// It has neither a URI nor a DNS name.
    #[error("the certificate has no subject alternative name of a client")]
    NoName,
    /// It has several URIs, or no URI and several DNS names.
    #[error("the certificate has several subject alternative names")]
    Ambiguous,
    /// A name is malformed.
    #[error("the name is neither a URI nor a DNS name")]
    Name,
}

/// The certificate of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    san: San,
    thumbprint: [u8; 32],
}

impl ClientCertificate {
    /// Reads who a certificate is for: its one URI, or without a URI its one DNS name. That the certificate is valid is
    /// checked elsewhere.
    ///
    /// # Errors
    ///
    /// [`IdentityError`].
    pub fn from_der(der: &[u8]) -> Result<Self, IdentityError> {
        let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| IdentityError::Certificate)?;
        let usage = certificate.extended_key_usage().map_err(|_| IdentityError::Certificate)?;
        if !rest.is_empty() {
            return Err(IdentityError::Certificate);
        }
        if !usage.is_some_and(|usage| usage.value.client_auth) {
            return Err(IdentityError::Usage);
        }
        let names = certificate.subject_alternative_name().map_err(|_| IdentityError::Certificate)?;
        let names = names.ok_or(IdentityError::NoName)?;
        Ok(Self { san: only_name(&names.value.general_names)?, thumbprint: Sha256::digest(der).into() })
    }

    /// The name.
    pub const fn san(&self) -> &San {
        &self.san
    }

    /// SHA-256 of the certificate in DER: `x5t#S256` of RFC 8705.
    pub const fn thumbprint(&self) -> &[u8; 32] {
        &self.thumbprint
    }
}

fn only_name(names: &[GeneralName<'_>]) -> Result<San, IdentityError> {
    if names.iter().any(|name| matches!(name, GeneralName::Invalid(..))) {
        return Err(IdentityError::Certificate);
    }
    let uris = names.iter().filter_map(|name| match name {
        GeneralName::URI(uri) => Some(*uri),
        _ => None,
    });
    let dns_names = names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(*name),
        _ => None,
    });
    let (uris, dns_names): (Vec<_>, Vec<_>) = (uris.collect(), dns_names.collect());
    match (&uris[..], &dns_names[..]) {
        ([uri], _) => San::uri(uri),
        ([], [name]) => San::dns(name),
        ([], []) => Err(IdentityError::NoName),
        _ => Err(IdentityError::Ambiguous),
    }
}

/// Checks the chain, its revocation and its times by webpki, and then that the certificate tells who the client is.
#[derive(Debug)]
pub(super) struct Verifier(pub(super) Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.0.verify_client_cert(end_entity, intermediates, now)?;
        match ClientCertificate::from_der(end_entity) {
            Ok(_) => Ok(verified),
            Err(IdentityError::Usage) => Err(CertificateError::InvalidPurpose.into()),
            Err(IdentityError::Certificate) => Err(CertificateError::BadEncoding.into()),
            Err(_) => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
