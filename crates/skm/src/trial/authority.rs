//! The certificate authority of a trial.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mikey_sakke::time::Timestamp;
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::{FromDer as _, X509Certificate, X509Name};
use zeroize::Zeroizing;

use super::TrialError;

/// The organization (O) in every certificate of a trial.
pub const ORGANIZATION: &str = "mikey-sakke trial";

/// How long the certificates are valid.
const LIFE: Duration = Duration::days(90);

/// How long they are valid already, for the clocks of others.
const LEAD: Duration = Duration::days(1);

/// A certificate authority.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    validity: (OffsetDateTime, OffsetDateTime),
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority")
    }
}

/// A certificate and its private key, both in PEM.
#[derive(Clone)]
pub struct Credential {
    /// The certificate.
    pub certificate: String,
    /// Its private key, PKCS #8.
    pub key: Zeroizing<String>,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credential")
    }
}

impl Authority {
    /// A new authority, whose certificates are valid for 90 days.
    ///
    /// # Errors
    ///
    /// [`TrialError`].
    pub fn new(now: Timestamp) -> Result<Self, TrialError> {
        let seconds = i64::try_from(now.to_unix()).map_err(|_| TrialError::Time)?;
        let now = OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| TrialError::Time)?;
        let begin = now.checked_sub(LEAD).ok_or(TrialError::Time)?;
        let validity = (begin, now.checked_add(LIFE).ok_or(TrialError::Time)?);
        let mut params = params("authority", validity, Vec::new());
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Ok(Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate()?)?, validity })
    }

    /// The certificate of the authority, in PEM.
    pub fn certificate(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for a server on this host: localhost, 127.0.0.1 and ::1.
    ///
    /// # Errors
    ///
    /// [`TrialError::Certificate`].
    pub fn server(&self) -> Result<Credential, TrialError> {
        let names = vec![
            SanType::DnsName(Ia5String::try_from("localhost")?),
            SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            SanType::IpAddress(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        ];
        self.issue("server", names, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A certificate for a client that is known by this URI.
    ///
    /// # Errors
    ///
    /// [`TrialError::Certificate`].
    pub fn client(&self, uri: &str) -> Result<Credential, TrialError> {
        self.issue("client", vec![SanType::URI(Ia5String::try_from(uri)?)], ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn issue(&self, name: &str, names: Vec<SanType>, usage: ExtendedKeyUsagePurpose) -> Result<Credential, TrialError> {
        let mut params = params(name, self.validity, names);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Credential { certificate, key: Zeroizing::new(key.serialize_pem()) })
    }
}

fn params(name: &str, validity: (OffsetDateTime, OffsetDateTime), names: Vec<SanType>) -> CertificateParams {
    let mut params = CertificateParams::default();
    let mut subject = DistinguishedName::new();
    subject.push(DnType::OrganizationName, ORGANIZATION);
    subject.push(DnType::CommonName, name);
    params.distinguished_name = subject;
    params.subject_alt_names = names;
    (params.not_before, params.not_after) = validity;
    params
}

/// Whether a file in PEM holds a certificate of a trial, or one that such an authority issued.
pub fn is_trial_certificate(pem: &[u8]) -> bool {
    let certificates = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok);
    let mut names = certificates.map(|der| {
        X509Certificate::from_der(&der)
            .is_ok_and(|(_, certificate)| is_trial_name(certificate.subject()) || is_trial_name(certificate.issuer()))
    });
    names.any(|is_trial| is_trial)
}

fn is_trial_name(name: &X509Name<'_>) -> bool {
    name.iter_organization().any(|organization| organization.as_str() == Ok(ORGANIZATION))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::ClientCertificate;

    fn authority() -> Authority {
        Authority::new(Timestamp::from_unix(1_795_000_000).unwrap()).unwrap()
    }

    #[test]
    fn every_certificate_of_a_trial_is_known_again() {
        let authority = authority();
        let server = authority.server().unwrap();
        let client = authority.client("sip:val@example.org").unwrap();
        for pem in [&authority.certificate(), &server.certificate, &client.certificate] {
            assert!(is_trial_certificate(pem.as_bytes()));
        }
        let mut other = CertificateParams::default();
        other.distinguished_name.push(DnType::OrganizationName, "mikey-sakke trials");
        other.distinguished_name.push(DnType::CommonName, ORGANIZATION);
        let other = other.self_signed(&KeyPair::generate().unwrap()).unwrap().pem();
        assert!(!is_trial_certificate(other.as_bytes()));
        assert!(!is_trial_certificate(server.key.as_bytes()));
        assert!(!is_trial_certificate(b""));
        // A chain has it anywhere.
        assert!(is_trial_certificate([other, authority.certificate()].concat().as_bytes()));
    }

    #[test]
    fn a_client_is_known_by_its_uri() {
        let client = authority().client("sip:val@example.org").unwrap();
        let der = CertificateDer::from_pem_slice(client.certificate.as_bytes()).unwrap();
        assert_eq!(ClientCertificate::from_der(&der).unwrap().san().as_str(), "sip:val@example.org");
        assert!(!format!("{client:?}").contains("PRIVATE"));
    }
}
