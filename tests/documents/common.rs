//! Documents to begin with, and ways to damage them.

use std::sync::{Arc, LazyLock};

use mikey_sakke::documents::{Document, DocumentError, DocumentErrorKind, KmsKeySet, Tolerances, TransportKey};
use mikey_sakke::eccsi::Ksak;
use mikey_sakke::hazmat;
use mikey_sakke::identity::{KeyPeriod, UidFormat, Uri};
use mikey_sakke::kms::{KeySet, Kms};
use mikey_sakke::sakke::MasterSecret;
use mikey_sakke::secret::Secret;

/// The examples that another implementation could have written, made from `worked_examples.json` by other means.
pub(crate) const PEER_INIT: &str = include_str!("../../test-vectors/documents/peer-init.xml");
pub(crate) const PEER_KEYPROV: &str = include_str!("../../test-vectors/documents/peer-keyprov.xml");
pub(crate) const PEER_WRAPPED: &str = include_str!("../../test-vectors/documents/peer-keyprov-wrapped.xml");
pub(crate) const PEER_RFC3394: &str = include_str!("../../test-vectors/documents/peer-keyprov-rfc3394.xml");

/// The examples that this crate writes.
pub(crate) const REQUEST: &str = include_str!("../../test-vectors/documents/request.xml");
pub(crate) const INIT: &str = include_str!("../../test-vectors/documents/response-init.xml");
pub(crate) const KEYPROV: &str = include_str!("../../test-vectors/documents/response-keyprov.xml");
pub(crate) const WRAPPED: &str = include_str!("../../test-vectors/documents/response-keyprov-wrapped.xml");
pub(crate) const CERTCACHE: &str = include_str!("../../test-vectors/documents/response-certcache.xml");
pub(crate) const ERROR: &str = include_str!("../../test-vectors/documents/response-error.xml");
pub(crate) const CERTIFICATE: &str = include_str!("../../test-vectors/documents/certificate.xml");
pub(crate) const KEY_SET: &str = include_str!("../../test-vectors/documents/key-set.xml");

pub(crate) const ALL: &[&str] =
    &[PEER_INIT, PEER_KEYPROV, PEER_WRAPPED, REQUEST, INIT, KEYPROV, WRAPPED, CERTCACHE, ERROR, CERTIFICATE, KEY_SET];

pub(crate) const STRICT: Tolerances = Tolerances { rfc3394_key_wrap: false, element_order: false };

/// The key period of the worked examples.
pub(crate) const PERIOD: u64 = 1352;

/// What the documents of `test-vectors/documents` are wrapped under: 40, 41, ... 5f.
pub(crate) fn transport_key() -> TransportKey {
    let octets = std::array::from_fn(|index| 0x40 + u8::try_from(index).unwrap());
    TransportKey::new(Secret::new(octets), Some("tk.12.alice@example.org".into()))
}

/// The KMS of the worked examples.
pub(crate) static KMS: LazyLock<Kms> = LazyLock::new(|| kms("kms.example.org"));

pub(crate) fn kms(uri: &str) -> Kms {
    let mut ksak = [0; 32];
    ksak[29..].copy_from_slice(&[0x01, 0x23, 0x45]);
    let z = hex_literal::hex!("aff429d35f84b110d094803b3595a6e2998bc99f");
    let mut secret = [0; 128];
    secret[108..].copy_from_slice(&z);
    let format = UidFormat::hashed(2_592_000, 0).unwrap();
    let (ksak, secret) = (Ksak::from_octets(&ksak).unwrap(), MasterSecret::from_octets(&secret).unwrap());
    Kms::new(Uri::parse(uri).unwrap(), format, ksak, secret).unwrap()
}

pub(crate) fn uri(text: &str) -> Uri {
    Uri::parse(text).unwrap()
}

/// Keys with a v that is always the same.
pub(crate) fn key_set(kms: &Kms, user: &str, period: u64, v: u32) -> KeySet {
    let (user, period) = (uri(user), KeyPeriod::Number(period));
    let uid = kms.certificate().uid(&user, period).unwrap();
    let mut octets = [0; 32];
    octets[28..].copy_from_slice(&v.to_be_bytes());
    let (signing, _) = hazmat::eccsi_issue(kms.ksak(), &uid, &octets).unwrap();
    KeySet { user, period, rsk: kms.master_secret().extract(&uid).unwrap(), signing }
}

/// Alice's keys in the worked examples.
pub(crate) fn alice() -> KeySet {
    key_set(&KMS, "sip:alice@example.org", PERIOD, 0x14142)
}

pub(crate) fn read(document: impl AsRef<[u8]>) -> Result<Document, DocumentError> {
    Document::from_xml(document.as_ref(), STRICT)
}

/// The document with one piece replaced, which must be there.
pub(crate) fn replaced(document: &str, from: &str, to: &str) -> String {
    assert!(document.contains(from), "{from}");
    document.replacen(from, to, 1)
}

/// What is wrong with the document.
#[track_caller]
pub(crate) fn refused(document: impl AsRef<[u8]>) -> DocumentErrorKind {
    read(document).unwrap_err().kind
}

/// What is wrong with the document, and where.
#[track_caller]
pub(crate) fn error(document: &str) -> (DocumentErrorKind, Option<String>, usize) {
    let DocumentError { kind, element, offset } = read(document).unwrap_err();
    (kind, element.map(Into::into), offset)
}

/// The content of an element that stands once.
pub(crate) fn value<'a>(document: &'a str, name: &str) -> &'a str {
    let start = document.find(&format!("<{name}")).unwrap();
    let start = start + document[start..].find('>').unwrap() + 1;
    &document[start..start + document[start..].find("</").unwrap()]
}

/// The key set that is the document.
pub(crate) fn lone_key_set(document: &str) -> KmsKeySet {
    KmsKeySet::from_xml(document.as_bytes(), STRICT).unwrap()
}

pub(crate) fn certificate() -> Arc<mikey_sakke::kms::KmsCertificate> {
    KMS.certificate().clone()
}
