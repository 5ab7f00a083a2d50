//! The documents that a client and a KMS exchange: XML of 3GPP TS 33.180, annex D.
//!
//! A client posts a [`KmsRequest`] and gets a [`KmsResponse`], with the KMS's own [`KmsCertificate`] ([`KmsInit`]), the
//! user's [`KmsKeySet`]s ([`KmsKeyProv`]), the certificates of other domains ([`KmsCertCache`]) or a [`KmsError`].
//! The transport is elsewhere.
//!
//! Reading is strict: elements stand in the order of the schema, at most as often as it says, in the namespace of the
//! interface under any prefix; what differs in the field is read by [`Tolerances`]. Elements and attributes of other
//! namespaces are extensions, and ignored (D.1). There is no DTD, no entity but the five that XML predefines, no CDATA,
//! no processing instruction; octets are UTF-8; a value is not interrupted by a comment. A document has at most
//! [`MAX_OCTETS`]. White space around a value is ignored, and each run of it inside a text counts as one space.
//! Hexadecimal is read in upper and lower case, UserID in base64 too; times without a zone are in UTC, and count to the
//! second.
//!
//! Signed documents (SignedKmsRequest, SignedKmsResponse, SignedKmsCertificate, any XML signature) are refused:
//! signatures are not supported, and what carries one is never read as if it carried none.
//!
//! Z and KPAK of a certificate are checked when it is read, the keys of a key set when it is imported:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use mikey_sakke::documents::{KmsKeySet, Tolerances, TransportKey};
//! use mikey_sakke::identity::{KeyPeriod, UidFormat, Uri};
//! use mikey_sakke::kms::Kms;
//! use mikey_sakke::secret::Secret;
//!
//! let mut rng = getrandom::SysRng;
//! let kms = Kms::generate(Uri::parse("kms.example.org")?, UidFormat::hashed(2_592_000, 0)?, &mut rng)?;
//! let key_set = kms.issue(&Uri::parse("sip:alice@example.org")?, KeyPeriod::Number(1_531), &mut rng)?;
//!
//! let transport_key = TransportKey::new(Secret::new([7; 32]), Some("tk.1.alice".into()));
//! let xml = KmsKeySet::new(kms.certificate(), &key_set)?.wrapped(&transport_key)?.to_xml()?;
//!
//! let received = KmsKeySet::from_xml(xml.as_bytes(), Tolerances::default())?;
//! let keys = received.import(kms.certificate(), Some(&transport_key))?;
//! # assert_eq!(keys.user().as_str(), "sip:alice@example.org");
//! # Ok(())
//! # }
//! ```

mod buffer;
mod certificate;
mod date_time;
mod error;
mod fields;
mod key_set;
mod key_wrap;
mod message;
mod request;
mod response;
mod tree;
mod writer;

use alloc::boxed::Box;

use crate::eccsi::SIGNATURE_OCTETS;
use crate::kms::Validity;
use crate::sakke::{ENCAPSULATED_OCTETS, SSV_OCTETS};

use error::DocumentErrorKind as Kind;
use fields::Fields;
use tree::{Element, Space};

pub use certificate::{KmsCertificate, Role};
pub use error::{DocumentError, DocumentErrorKind};
pub use key_set::KmsKeySet;
pub use key_wrap::{KeyContent, TransportKey, WrappedKey};
pub use message::{KmsCertCache, KmsInit, KmsKeyProv, KmsMessage, MAX_CERTIFICATES, MAX_KEY_SETS, NewKeys};
pub use request::KmsRequest;
pub use response::{KmsError, KmsResponse};
pub use tree::MAX_OCTETS;

/// The namespace of the documents.
const INTERFACE: &str = "urn:3gpp:ns:mcsecKMSInterface:1.0";
const ENCRYPTION: &str = "http://www.w3.org/2001/04/xmlenc#";
const SIGNATURE: &str = "http://www.w3.org/2000/09/xmldsig#";
const INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// The Version of KmsResponse, KmsInit, KmsKeyProv and KmsCertCache.
const VERSION: &str = "1.0.0";

/// The Version of KmsCertificate and KmsKeySet.
const CONTENT_VERSION: &str = "1.1.0";

/// Octets of an RSK.
pub const RSK_OCTETS: usize = ENCAPSULATED_OCTETS - SSV_OCTETS;

/// Octets of an SSK.
pub const SSK_OCTETS: usize = 32;

/// Octets of a PVT.
pub const PVT_OCTETS: usize = SIGNATURE_OCTETS - 2 * SSK_OCTETS;

/// Octets of a hashed UID.
const UID_OCTETS: usize = 32;

/// What is read although the standard has it otherwise. The default is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tolerances {
    /// Keys wrapped without padding (RFC 3394), points without their first octet, which is always 04.
    pub rfc3394_key_wrap: bool,
    /// Elements in any order, as long as each stands as often as it may.
    pub element_order: bool,
}

/// Any of the documents.
#[derive(Clone, Debug)]
pub enum Document {
    /// A request.
    Request(Box<KmsRequest>),
    /// A response.
    Response(Box<KmsResponse>),
    /// A certificate alone.
    Certificate(Box<KmsCertificate>),
    /// A key set alone.
    KeySet(Box<KmsKeySet>),
}

impl Document {
    /// Reads a document by what its root says that it is.
    ///
    /// # Errors
    ///
    /// [`DocumentError`].
    pub fn from_xml(octets: &[u8], tolerances: Tolerances) -> Result<Self, DocumentError> {
        let root = tree::parse(octets)?;
        match (root.space, root.name) {
            (Space::Interface, KmsRequest::ROOT) => {
                KmsRequest::read(&root, tolerances).map(|request| Self::Request(Box::new(request)))
            }
            (Space::Interface, KmsResponse::ROOT) => {
                KmsResponse::read(&root, tolerances).map(|response| Self::Response(Box::new(response)))
            }
            (Space::Interface, KmsCertificate::ROOT) => {
                KmsCertificate::read(&root, tolerances).map(|certificate| Self::Certificate(Box::new(certificate)))
            }
            (Space::Interface, KmsKeySet::ROOT) => {
                KmsKeySet::read(&root, tolerances).map(|key_set| Self::KeySet(Box::new(key_set)))
            }
            _ => Err(root.error(Kind::Root)),
        }
    }
}

/// The root, which must be the one named.
fn root<'a, 'x>(root: &'a Element<'x>, name: &str) -> Result<&'a Element<'x>, DocumentError> {
    if root.space == Space::Interface && root.name == name { Ok(root) } else { Err(root.error(Kind::Root)) }
}

/// ValidFrom and ValidTo, of which the second must be later.
fn read_validity(parts: &mut Fields<'_, '_>) -> Result<Validity, DocumentError> {
    let from = parts.value("ValidFrom", fields::timestamp)?;
    let end = parts.optional("ValidTo");
    let to = end.map(fields::timestamp).transpose()?;
    match (from, to, end) {
        (Some(from), Some(to), Some(end)) if to <= from => Err(end.text_error(Kind::Value("after ValidFrom"))),
        _ => Ok(Validity { from, to }),
    }
}
