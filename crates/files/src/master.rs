//! The master secrets of a security domain.

use std::path::Path;

use anyhow::{Context, bail};
use mikey_sakke::eccsi::Ksak;
use mikey_sakke::kms::Kms;
use mikey_sakke::sakke::MasterSecret;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::certificate::CertificateFile;
use crate::fields::{octets, uri};
use crate::file::{Access, in_file, read, to_json, write};

/// The master secrets, beside their certificate.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct MasterFile {
    certificate: CertificateFile,
    master_secret: Zeroizing<String>,
    ksak: Zeroizing<String>,
}

/// Reads master secrets.
///
/// # Errors
///
/// The file cannot be read, is malformed, or its certificate does not belong to the secrets.
pub fn read_kms(path: &Path) -> anyhow::Result<Kms> {
    let file: MasterFile = read(path)?;
    let kms = || -> anyhow::Result<Kms> {
        let ksak = Ksak::from_octets(&octets("Ksak", &file.ksak)?)?;
        let master_secret = MasterSecret::from_octets(&octets("MasterSecret", &file.master_secret)?)?;
        let kms_uri = uri("KmsUri", &file.certificate.kms_uri)?;
        let kms = Kms::new(kms_uri, file.certificate.uid_format()?, ksak, master_secret)?;
        if file.certificate.check()? != **kms.certificate() {
            bail!("the certificate does not belong to the master secrets");
        }
        Ok(kms)
    };
    kms().with_context(|| in_file(path))
}

/// Writes master secrets for their owner alone.
///
/// # Errors
///
/// Those of [`write()`].
pub fn write_kms(path: &Path, force: bool, kms: &Kms) -> anyhow::Result<()> {
    let file = MasterFile {
        certificate: kms.certificate().as_ref().into(),
        master_secret: hex::encode(kms.master_secret().to_octets().expose()).into(),
        ksak: hex::encode(kms.ksak().to_octets().expose()).into(),
    };
    write(path, Access::Owner, force, to_json(&file)?.as_bytes())
}
