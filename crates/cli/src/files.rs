//! The files that pass between commands: JSON, with the names of the KMS documents of 3GPP TS 33.180, annex D, and
//! octets in hexadecimal. Certificates and key sets may be those documents themselves, in XML.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use mikey_sakke::documents::{self, Document, KmsKeySet, KmsMessage, Tolerances};
use mikey_sakke::eccsi::{Ksak, SigningPair};
use mikey_sakke::identity::{KeyPeriod, UidFormat, Uri};
use mikey_sakke::imessage::{KeyBundle, Profile, SkId};
use mikey_sakke::kms::{KeySet, Kms, KmsCertificate, UserKeys};
use mikey_sakke::sakke::MasterSecret;
use mikey_sakke::secret::Secret;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// A KMS certificate.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct CertificateFile {
    kms_uri: String,
    /// 1: `tel` URI and month, 2: hashed UID, as the identifier schemes of the SAKKE payload.
    user_id_format: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_key_period: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_key_offset: Option<u64>,
    pub_enc_key: String,
    pub_auth_key: String,
}

impl From<&KmsCertificate> for CertificateFile {
    fn from(certificate: &KmsCertificate) -> Self {
        let (user_id_format, user_key_period, user_key_offset) = match certificate.uid_format() {
            UidFormat::Monthly => (1, None, None),
            UidFormat::Hashed { period, offset } => (2, Some(period), Some(offset)),
        };
        Self {
            kms_uri: certificate.kms_uri().to_string(),
            user_id_format,
            user_key_period,
            user_key_offset,
            pub_enc_key: hex::encode(certificate.public_key().to_octets()),
            pub_auth_key: hex::encode(certificate.kpak().to_octets()),
        }
    }
}

impl CertificateFile {
    fn uid_format(&self) -> anyhow::Result<UidFormat> {
        match (self.user_id_format, self.user_key_period, self.user_key_offset) {
            (1, None, None) => Ok(UidFormat::Monthly),
            (2, Some(period), Some(offset)) => Ok(UidFormat::hashed(period, offset)?),
            _ => bail!("UserIdFormat is 1, or 2 with UserKeyPeriod and UserKeyOffset"),
        }
    }

    fn check(&self) -> anyhow::Result<KmsCertificate> {
        let public_key = octets("PubEncKey", &self.pub_enc_key)?;
        let kpak = octets("PubAuthKey", &self.pub_auth_key)?;
        Ok(KmsCertificate::new(uri("KmsUri", &self.kms_uri)?, self.uid_format()?, &public_key, &kpak)?)
    }
}

/// The master secrets of a security domain, beside its certificate.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct MasterFile {
    certificate: CertificateFile,
    master_secret: Zeroizing<String>,
    ksak: Zeroizing<String>,
}

/// The keys of a user for a key period.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct KeySetFile {
    kms_uri: String,
    user_uri: String,
    #[serde(rename = "UserID")]
    user_id: String,
    /// The number of the period, or the month as `YYYY-MM`.
    key_period_no: String,
    user_decrypt_key: Zeroizing<String>,
    #[serde(rename = "UserSigningKeySSK")]
    ssk: Zeroizing<String>,
    #[serde(rename = "UserPubTokenPVT")]
    pvt: String,
}

/// A key with its SK-ID and RAND.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct BundleFile {
    #[serde(rename = "SkId")]
    id: String,
    rand: String,
    key: Zeroizing<String>,
}

pub(crate) fn read_certificate(path: &Path) -> anyhow::Result<Arc<KmsCertificate>> {
    let text = read_text(path)?;
    let certificate = || -> anyhow::Result<Arc<KmsCertificate>> {
        if !is_xml(&text) {
            return Ok(Arc::new(serde_json::from_str::<CertificateFile>(&text)?.check()?));
        }
        match Document::from_xml(text.as_bytes(), Tolerances::default())? {
            Document::Certificate(document) => Ok(document.certificate),
            Document::Response(response) => match response.message {
                Some(KmsMessage::Init(init)) => Ok(init.certificate.certificate),
                _ => bail!("the KmsResponse holds no KmsInit"),
            },
            _ => bail!("neither a KmsCertificate nor a KmsResponse"),
        }
    };
    certificate().with_context(|| in_file(path))
}

pub(crate) fn read_kms(path: &Path) -> anyhow::Result<Kms> {
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

pub(crate) fn write_kms(path: &Path, force: bool, kms: &Kms) -> anyhow::Result<()> {
    let file = MasterFile {
        certificate: kms.certificate().as_ref().into(),
        master_secret: hex::encode(kms.master_secret().to_octets().expose()).into(),
        ksak: hex::encode(kms.ksak().to_octets().expose()).into(),
    };
    write(path, Access::Owner, force, to_json(&file)?.as_bytes())
}

pub(crate) fn read_user_keys(path: &Path, certificate: &Arc<KmsCertificate>) -> anyhow::Result<UserKeys> {
    let text = read_text(path)?;
    let keys = || -> anyhow::Result<UserKeys> {
        if is_xml(&text) {
            return Ok(
                key_set_of(Document::from_xml(text.as_bytes(), Tolerances::default())?)?.import(certificate, None)?
            );
        }
        let file: KeySetFile = serde_json::from_str(&text)?;
        if file.kms_uri != certificate.kms_uri().as_str() {
            bail!("the keys are of the KMS {}, the certificate of {}", file.kms_uri, certificate.kms_uri());
        }
        let period: KeyPeriod = file.key_period_no.parse().context("KeyPeriodNo")?;
        let user = uri("UserUri", &file.user_uri)?;
        if file.user_id != certificate.uid(&user, period)?.to_string() {
            bail!("UserID is not that of UserUri, KmsUri and KeyPeriodNo");
        }
        let signing =
            SigningPair { ssk: secret("UserSigningKeySSK", &file.ssk)?, pvt: array("UserPubTokenPVT", &file.pvt)? };
        let rsk = secret("UserDecryptKey", &file.user_decrypt_key)?;
        Ok(UserKeys::import(certificate, &KeySet { user, period, rsk, signing })?)
    };
    keys().with_context(|| in_file(path))
}

/// The key set that a document holds alone.
fn key_set_of(document: Document) -> anyhow::Result<KmsKeySet> {
    match document {
        Document::KeySet(key_set) => Ok(*key_set),
        Document::Response(response) => match response.message {
            Some(KmsMessage::KeyProv(provision)) => match <[KmsKeySet; 1]>::try_from(provision.key_sets) {
                Ok([key_set]) => Ok(key_set),
                Err(key_sets) => bail!("the KmsResponse holds {} key sets; give one as a KmsKeySet", key_sets.len()),
            },
            _ => bail!("the KmsResponse holds no KmsKeyProv"),
        },
        _ => bail!("neither a KmsKeySet nor a KmsResponse"),
    }
}

pub(crate) fn write_key_set(
    path: &Path,
    force: bool,
    xml: bool,
    certificate: &KmsCertificate,
    key_set: &KeySet,
) -> anyhow::Result<()> {
    if xml {
        let document = KmsKeySet::new(certificate, key_set).and_then(|document| document.to_xml());
        return write(path, Access::Owner, force, document.context(NO_XML)?.as_bytes());
    }
    let file = KeySetFile {
        kms_uri: certificate.kms_uri().to_string(),
        user_uri: key_set.user.to_string(),
        user_id: certificate.uid(&key_set.user, key_set.period)?.to_string(),
        key_period_no: key_set.period.to_string(),
        user_decrypt_key: hex::encode(key_set.rsk.expose()).into(),
        ssk: hex::encode(key_set.signing.ssk.expose()).into(),
        pvt: hex::encode(key_set.signing.pvt),
    };
    write(path, Access::Owner, force, to_json(&file)?.as_bytes())
}

pub(crate) fn read_bundle(path: &Path, profile: Profile) -> anyhow::Result<KeyBundle> {
    let file: BundleFile = read(path)?;
    let bundle = || -> anyhow::Result<KeyBundle> {
        let id = SkId::from_octets(array("SkId", &file.id)?);
        KeyBundle::new(profile, secret("Key", &file.key)?, id, array("Rand", &file.rand)?).with_context(|| {
            format!("key {id} is of purpose {}; pass the --profile, or the --purpose, that it is for", id.purpose())
        })
    };
    bundle().with_context(|| in_file(path))
}

pub(crate) fn write_bundle(path: &Path, force: bool, id: SkId, rand: &[u8], key: &[u8]) -> anyhow::Result<()> {
    let file = BundleFile { id: id.to_string(), rand: hex::encode(rand), key: hex::encode(key).into() };
    write(path, Access::Owner, force, to_json(&file)?.as_bytes())
}

/// A certificate as a document: JSON, or XML.
pub(crate) fn certificate_document(certificate: &Arc<KmsCertificate>, xml: bool) -> anyhow::Result<Zeroizing<String>> {
    if xml {
        return documents::KmsCertificate::from(certificate.clone()).to_xml().context(NO_XML);
    }
    to_json(&CertificateFile::from(certificate.as_ref()))
}

/// What a monthly domain meets.
const NO_XML: &str = "cannot be written as XML, which knows hashed UIDs alone";

pub(crate) fn to_json(file: &impl Serialize) -> anyhow::Result<Zeroizing<String>> {
    let mut json = Zeroizing::new(serde_json::to_string_pretty(file)?);
    json.push('\n');
    Ok(json)
}

/// Who may read a file that is written.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Access {
    /// The owner alone: mode 0600.
    Owner,
    Everyone,
}

/// Writes a file in one piece: it appears whole or not at all, and replaces another only if forced.
pub(crate) fn write(path: &Path, access: Access, force: bool, octets: &[u8]) -> anyhow::Result<()> {
    if path.exists() && !force {
        bail!("{} exists already; choose another name, or pass --force to replace it", path.display());
    }
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}.draft", std::process::id()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if access == Access::Owner {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    let written = options.open(&draft).and_then(|mut file| {
        file.write_all(octets)?;
        file.sync_all()?;
        // Linking, unlike renaming, fails if the name was taken meanwhile.
        if force { std::fs::rename(&draft, path) } else { std::fs::hard_link(&draft, path) }
    });
    // After a rename the draft is gone already.
    let _ = std::fs::remove_file(&draft);
    written.with_context(|| format!("cannot write {}", path.display()))
}

fn read<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    serde_json::from_str(&read_text(path)?).with_context(|| in_file(path))
}

fn read_text(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Zeroizing::new(text))
}

/// JSON does not begin like this.
fn is_xml(text: &str) -> bool {
    text.trim_start_matches('\u{FEFF}').trim_start().starts_with('<')
}

fn in_file(path: &Path) -> String {
    format!("in {}", path.display())
}

fn uri(name: &str, text: &str) -> anyhow::Result<Uri> {
    Uri::parse(text).with_context(|| format!("{name}: {text}"))
}

fn octets(name: &str, text: &str) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    hex::decode(text).map(Zeroizing::new).map_err(|_| anyhow!("{name} is not hexadecimal"))
}

fn array<const N: usize>(name: &str, text: &str) -> anyhow::Result<[u8; N]> {
    let octets = octets(name, text)?;
    octets.as_slice().try_into().map_err(|_| anyhow!("{name} has {} octets, not {N}", octets.len()))
}

fn secret<const N: usize>(name: &str, text: &str) -> anyhow::Result<Secret<[u8; N]>> {
    array(name, text).map(Secret::new)
}
