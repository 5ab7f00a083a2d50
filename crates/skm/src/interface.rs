//! What client and server have to agree on beside the messages.

/// The KM route.
pub(crate) const KM_REQUEST: &str = "/seal-km/v1/km-request";

/// The description of the security domain.
pub(crate) const DOMAIN: &str = "/seal-km/v1/domain";

/// The certificates of a domain, for the servers of others.
#[cfg(feature = "server")]
pub(crate) const CERTIFICATES: &str = "/seal-km/v1/certificates";

/// SS_KeyInfoRetrieval of TS 29.549.
pub(crate) const KEY_RECORDS: &str = "/ss-kir/v1/key-records";

/// The ServiceID under which identity keys are asked for, unless configured.
pub(crate) const IDENTITY_SERVICE_ID: &str = "urn:mikey-sakke:identity-keys";

/// How long before its beginning the keys of a key period are given out, in seconds, unless configured: two days.
pub(crate) const NEXT_LEAD_SECONDS: u64 = 172_800;

/// The key management of TS 33.180, annex D: the certificates of other domains.
pub(crate) const CERTCACHE: &str = "/keymanagement/identity/v1/certcache";
