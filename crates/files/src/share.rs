//! The master secrets of a security domain, exported in two shares.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mikey_sakke::eccsi::Ksak;
use mikey_sakke::kms::{Kms, KmsCertificate};
use mikey_sakke::sakke::MasterSecret;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::certificate::CertificateFile;
use crate::file::{Access, in_file, read, to_json, write};
use crate::moment::Moment;

/// The octets of z.
const Z_OCTETS: usize = 128;

/// The octets of KSAK.
const KSAK_OCTETS: usize = 32;

/// The octets of a share: those of z and KSAK, which both shares make together by exclusive or.
pub const SHARE_OCTETS: usize = Z_OCTETS + KSAK_OCTETS;

/// A share as it is handed to its recipient, with all that is public about the export.
#[derive(Clone, Debug)]
pub struct Share {
    /// The certificate whose master secrets were exported.
    pub certificate: Arc<KmsCertificate>,
    /// Its CertUri.
    pub cert_uri: Option<String>,
    /// Why they were.
    pub reason: String,
    /// When.
    pub time: Moment,
    /// What names the export in the audit log, and is the same in both shares.
    pub export: String,
    /// SHA-256 of the recipient's public key (SubjectPublicKeyInfo in DER), in hexadecimal.
    pub recipient: String,
    /// The share, encrypted to the recipient.
    pub share: Vec<u8>,
}

/// Octets are in base64 here, which the tools that open them take.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ShareFile {
    certificate: CertificateFile,
    #[serde(skip_serializing_if = "Option::is_none")]
    cert_uri: Option<String>,
    reason: String,
    time: String,
    export: String,
    recipient: String,
    share: String,
}

/// Writes a share for its owner alone.
///
/// # Errors
///
/// Those of [`write()`].
pub fn write_share(path: &Path, share: &Share) -> anyhow::Result<()> {
    let file = ShareFile {
        certificate: share.certificate.as_ref().into(),
        cert_uri: share.cert_uri.clone(),
        reason: share.reason.clone(),
        time: share.time.to_string(),
        export: share.export.clone(),
        recipient: share.recipient.clone(),
        share: STANDARD.encode(&share.share),
    };
    write(path, Access::Owner, false, to_json(&file)?.as_bytes())
}

/// Reads a share.
///
/// # Errors
///
/// The file cannot be read, is malformed, or its certificate fails the checks.
pub fn read_share(path: &Path) -> anyhow::Result<Share> {
    let file: ShareFile = read(path)?;
    let share = || -> anyhow::Result<Share> {
        Ok(Share {
            certificate: Arc::new(file.certificate.check()?),
            time: file.time.parse().map_err(anyhow::Error::msg).context("Time")?,
            share: STANDARD.decode(&file.share).context("Share")?,
            cert_uri: file.cert_uri,
            reason: file.reason,
            export: file.export,
            recipient: file.recipient,
        })
    };
    share().with_context(|| in_file(path))
}

/// Puts the two opened shares of a certificate's master secrets together.
///
/// # Errors
///
/// They do not make the master secrets of the certificate.
pub fn join_shares(certificate: &KmsCertificate, shares: [&[u8; SHARE_OCTETS]; 2]) -> anyhow::Result<Kms> {
    let [first, second] = shares;
    if first == second {
        bail!("both are the same share; the other one is needed as well");
    }
    let mut secrets = Zeroizing::new(*first);
    secrets.iter_mut().zip(second).for_each(|(octet, other)| *octet ^= other);
    let (z, ksak) = secrets.split_at(Z_OCTETS);
    let join = || -> Option<Kms> {
        let (z, ksak) = (MasterSecret::from_octets(z).ok()?, Ksak::from_octets(ksak).ok()?);
        let kms = Kms::new(certificate.kms_uri().clone(), certificate.uid_format(), ksak, z).ok()?;
        (**kms.certificate() == *certificate).then_some(kms)
    };
    join()
        .context("the shares are of two exports, or of another certificate, or one of them was not opened as it should")
}
