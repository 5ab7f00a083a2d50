//! What the programs share: the files that pass between them, and how instants are written.
//!
//! Files are JSON, with the names of the KMS documents of 3GPP TS 33.180, annex D, and octets in hexadecimal; only what
//! other tools are to open is in base64. Certificates and key sets may be those documents themselves, in XML.
//!
//! Errors name the file, and what in it is wrong.

mod bundle;
mod certificate;
mod fields;
mod file;
mod key_set;
mod master;
mod moment;
mod share;

pub use bundle::{read_bundle, write_bundle};
pub use certificate::{certificate_document, read_certificate};
pub use file::{Access, write};
pub use key_set::{read_user_keys, write_key_set};
pub use master::{read_kms, write_kms};
pub use moment::Moment;
pub use share::{SHARE_OCTETS, Share, join_shares, read_share, write_share};
