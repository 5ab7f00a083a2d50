//! The certificates of other domains, whose users are to be reached and accepted.
//!
//! They are taken in by the operator, or from a peer that he has taken in before, and kept sealed with where they came
//! from. What is revoked stays revoked, and keys never change silently: certificates of a KMS that are valid at the
//! same time are refused until the old ones are removed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mikey_sakke::documents::{
    self, Document, DocumentError, KmsCertCache, KmsMessage, MAX_CERTIFICATES, Role, Tolerances,
};
use mikey_sakke::error::UsageError;
use mikey_sakke::identity::Uri;
use mikey_sakke::km::Identifier;
use mikey_sakke::km::domain::{Domain, DomainError};
use mikey_sakke::kms::{KmsCertificate, TrustedCertificates};
use mikey_sakke::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::audit::Event;
use crate::config;
use crate::store::{DomainChange, Store, StoreError, Version};

/// How long before the last certificate of a KMS ends that is said: 30 days.
pub const EXPIRY_WARNING: Duration = Duration::from_secs(30 * 86_400);

/// How often a change is made again that met another.
const ATTEMPTS: usize = 3;

/// The certificates of other domains, as they stand in the store.
#[derive(Clone, Debug, Default)]
pub struct Externals {
    version: Option<Version>,
    cache_num: u64,
    certificates: Vec<ExternalCertificate>,
}

/// A certificate of another domain, with where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalCertificate {
    /// The certificate.
    pub document: documents::KmsCertificate,
    /// Where it came from, in the words of who took it in.
    pub origin: String,
    /// Who took it in.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

impl ExternalCertificate {
    /// The certificate itself.
    pub fn certificate(&self) -> &KmsCertificate {
        &self.document.certificate
    }
}

/// The certificates of a KMS, as they are offered: every point is checked.
#[derive(Clone, Debug)]
pub struct Offer {
    kms_uri: Uri,
    certificates: Vec<documents::KmsCertificate>,
}

/// What is no offer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OfferError {
    /// The domain document is not accepted.
    #[error("the domain document of an SKM-S: {0}")]
    Domain(#[from] DomainError),
    /// The XML document is not accepted.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// It is another document of TS 33.180.
    #[error("neither a KmsCertificate, nor a KmsResponse with KmsInit, nor the domain document of an SKM-S")]
    Other,
}

/// Certificates of another domain that are not taken in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExternalError {
    /// They are those of this domain.
    #[error("the KMS is that of this domain; its master secrets are taken in by skms domain import")]
    OwnKms,
    /// Another certificate of the KMS is valid at some of the same time.
    #[error("another certificate of {0} is valid at some of the same time: see skms certs list and remove")]
    Overlap(Uri),
    /// There are as many as clients take.
    #[error("no more than {MAX_CERTIFICATES} certificates of other domains can be kept; remove others first")]
    TooMany,
    /// A certificate cannot be written.
    #[error("a certificate cannot be kept: {0}")]
    Usage(#[from] UsageError),
    /// Others changed them at the same time.
    #[error("the certificates were changed by somebody else at the same time: try again")]
    Changed,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What became of an offer: numbers of certificates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Of new keys.
    pub new: usize,
    /// Of keys that were there, with another validity or a revocation.
    pub changed: usize,
    /// That were there as they are.
    pub known: usize,
}

impl Offer {
    /// Reads a file: the domain document of another SKM-S in JSON, or a KmsCertificate or a KmsResponse with KmsInit of
    /// TS 33.180.
    ///
    /// # Errors
    ///
    /// [`OfferError`], also if a point fails its checks.
    pub fn read(octets: &[u8]) -> Result<Self, OfferError> {
        if octets.trim_ascii_start().starts_with(b"{") {
            return Ok(Self::of_domain(&Domain::from_json(octets)?));
        }
        let certificate = match Document::from_xml(octets, Tolerances::default())? {
            Document::Certificate(certificate) => *certificate,
            Document::Response(response) => match response.message {
                Some(KmsMessage::Init(init)) => init.certificate,
                _ => return Err(OfferError::Other),
            },
            _ => return Err(OfferError::Other),
        };
        Ok(Self { kms_uri: certificate.certificate.kms_uri().clone(), certificates: vec![certificate] })
    }

    /// The certificates of the domain of another SKM-S.
    pub fn of_domain(domain: &Domain) -> Self {
        let document = |entry: &mikey_sakke::km::domain::DomainCertificate| documents::KmsCertificate {
            cert_uri: entry.cert_uri().map(ToString::to_string),
            ..entry.certificate().clone().into()
        };
        Self { kms_uri: domain.kms_uri().clone(), certificates: domain.certificates().iter().map(document).collect() }
    }

    /// The KMS.
    pub const fn kms_uri(&self) -> &Uri {
        &self.kms_uri
    }

    /// The certificates, at least one.
    pub fn certificates(&self) -> impl Iterator<Item = &KmsCertificate> {
        self.certificates.iter().map(|document| &*document.certificate)
    }
}

impl Externals {
    /// Reads them from the store.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn load(store: &Store) -> Result<Self, StoreError> {
        match store.external().await? {
            Some((version, json)) => decode(version, &json).ok_or(StoreError::Damaged("external")),
            None => Ok(Self::default()),
        }
    }

    /// The certificates, those of a KMS together.
    pub fn certificates(&self) -> &[ExternalCertificate] {
        &self.certificates
    }

    /// The certificates by the URI of their KMS.
    pub fn by_kms(&self) -> BTreeMap<&Uri, Vec<&ExternalCertificate>> {
        let mut by_kms: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for entry in &self.certificates {
            by_kms.entry(entry.certificate().kms_uri()).or_default().push(entry);
        }
        by_kms
    }

    /// CacheNum: raised by every change of certificates, those of this domain included. It never comes back, not even
    /// when a backup of the store does, as long as the clock goes on.
    pub const fn cache_num(&self) -> u64 {
        self.cache_num
    }

    /// acceptableKms: the KMSs of which a certificate is not revoked.
    pub fn acceptable_kms(&self) -> BTreeSet<Uri> {
        let certificates = self.certificates.iter().map(ExternalCertificate::certificate);
        certificates.filter(|certificate| !certificate.is_revoked()).map(|kms| kms.kms_uri().clone()).collect()
    }

    /// The certificates as they are trusted.
    pub fn trusted(&self) -> TrustedCertificates {
        let mut trusted = TrustedCertificates::default();
        for entry in &self.certificates {
            // They were checked when they were taken in.
            let _ = trusted.add(entry.document.certificate.clone());
        }
        trusted
    }

    /// KmsCertCache for a client that has this state of it: none of them if that is the present one.
    pub fn cache(&self, known: Option<u64>) -> KmsCertCache {
        let certificates = match known {
            Some(number) if number == self.cache_num => Vec::new(),
            _ => self.certificates.iter().map(|entry| entry.document.clone()).collect(),
        };
        KmsCertCache { certificates, cache_num: Some(self.cache_num) }
    }

    /// When the certificates of each KMS end, of those that are not revoked the last. A KMS without end is left out.
    pub fn ends(&self) -> BTreeMap<Uri, Timestamp> {
        let mut ends = BTreeMap::new();
        for (kms, entries) in self.by_kms() {
            let certificates = entries.iter().map(|entry| entry.certificate());
            let valid: Vec<_> = certificates.filter(|certificate| !certificate.is_revoked()).collect();
            let each: Option<Vec<_>> = valid.iter().map(|certificate| certificate.validity().to).collect();
            if let Some(last) = each.and_then(|ends| ends.into_iter().max()) {
                ends.insert(kms.clone(), last);
            }
        }
        ends
    }

    /// The next state of them, as [`DomainChange`] has it.
    pub(super) fn next(&self, now: Timestamp) -> Result<(Option<Version>, String), UsageError> {
        let number = self.cache_num.saturating_add(1).max(now.to_unix());
        Ok((self.version, encode(number, &self.certificates)?))
    }

    /// Takes in what is offered.
    fn take(&mut self, offer: &Offer, origin: &str, event: &Event) -> Result<Taken, ExternalError> {
        let mut taken = Taken::default();
        for offered in &offer.certificates {
            let mut document = documents::KmsCertificate { role: Some(Role::External), ..offered.clone() };
            let has_its_keys =
                |entry: &&mut ExternalCertificate| entry.certificate().has_the_keys_of(&document.certificate);
            let found = self.certificates.iter_mut().find(has_its_keys);
            if found.as_ref().is_some_and(|found| found.certificate().is_revoked()) {
                document.certificate = KmsCertificate::clone(&document.certificate).revoked().into();
            }
            let (by, at) = (event.principal.clone(), event.time);
            match found {
                Some(found) if found.document == document => taken.known += 1,
                Some(found) => {
                    taken.changed += 1;
                    *found = ExternalCertificate { document, origin: origin.to_owned(), by, at };
                }
                None => {
                    taken.new += 1;
                    self.certificates.push(ExternalCertificate { document, origin: origin.to_owned(), by, at });
                }
            }
        }
        if self.certificates.len() > MAX_CERTIFICATES {
            return Err(ExternalError::TooMany);
        }
        let mut trusted = TrustedCertificates::default();
        for entry in &self.certificates {
            let added = trusted.add(entry.document.certificate.clone());
            added.map_err(|_| ExternalError::Overlap(offer.kms_uri.clone()))?;
        }
        self.certificates.sort_by(|one, other| order(one).cmp(&order(other)));
        Ok(taken)
    }
}

fn order(entry: &ExternalCertificate) -> (&Uri, Option<Timestamp>) {
    (entry.certificate().kms_uri(), entry.certificate().validity().from)
}

/// Takes in the certificates of the KMS of another domain. Nothing is changed or logged if all are known.
///
/// # Errors
///
/// [`ExternalError`].
pub async fn import_external(
    store: &Store,
    settings: &config::Domain,
    offer: &Offer,
    origin: &Identifier,
    event: &Event,
) -> Result<Taken, ExternalError> {
    if *offer.kms_uri() == settings.kms_uri {
        return Err(ExternalError::OwnKms);
    }
    for _ in 0..ATTEMPTS {
        let mut externals = Externals::load(store).await?;
        let taken = externals.take(offer, origin.as_str(), event)?;
        let change = DomainChange { external: Some(externals.next(event.time)?), ..DomainChange::default() };
        if taken.new + taken.changed == 0 || store.change_domain(&change, event).await? {
            return Ok(taken);
        }
    }
    Err(ExternalError::Changed)
}

/// Removes the certificates of the KMS of another domain, and says how many there were.
///
/// # Errors
///
/// [`ExternalError`].
pub async fn remove_external(store: &Store, kms: &Uri, event: &Event) -> Result<usize, ExternalError> {
    for _ in 0..ATTEMPTS {
        let mut externals = Externals::load(store).await?;
        let before = externals.certificates.len();
        externals.certificates.retain(|entry| entry.certificate().kms_uri() != kms);
        let removed = before - externals.certificates.len();
        let change = DomainChange { external: Some(externals.next(event.time)?), ..DomainChange::default() };
        if removed == 0 || store.change_domain(&change, event).await? {
            return Ok(removed);
        }
    }
    Err(ExternalError::Changed)
}

/// The document of the store.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Kept {
    cache_num: u64,
    certificates: Vec<KeptCertificate>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct KeptCertificate {
    origin: String,
    by: String,
    /// Seconds since 1970-01-01T00:00:00Z.
    at: u64,
    /// KmsCertificate in XML.
    document: String,
}

fn encode(cache_num: u64, certificates: &[ExternalCertificate]) -> Result<String, UsageError> {
    let keep = |entry: &ExternalCertificate| {
        let document = entry.document.to_xml()?.to_string();
        let (origin, by) = (entry.origin.clone(), entry.by.clone());
        Ok(KeptCertificate { origin, by, at: entry.at.to_unix(), document })
    };
    let certificates = certificates.iter().map(keep).collect::<Result<_, UsageError>>()?;
    serde_json::to_string(&Kept { cache_num, certificates }).map_err(|_| UsageError::FieldLength)
}

fn decode(version: Version, json: &str) -> Option<Externals> {
    let Kept { cache_num, certificates } = serde_json::from_str(json).ok()?;
    let entry = |KeptCertificate { origin, by, at, document }| {
        let document = documents::KmsCertificate::from_xml(document.as_bytes(), Tolerances::default()).ok()?;
        Some(ExternalCertificate { document, origin, by, at: Timestamp::from_unix(at).ok()? })
    };
    let certificates = certificates.into_iter().map(entry).collect::<Option<_>>()?;
    Some(Externals { version: Some(version), cache_num, certificates })
}
