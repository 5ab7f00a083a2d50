//! MIKEY-SAKKE I_MESSAGEs (RFC 6509): a key travels from one client to another.
//!
//! An [`Initiator`] encapsulates a key to the recipient's identity, signs with its own, and puts the [`SkId`] of the
//! key into the CSB-ID. A [`Responder`] rebuilds both identities from the URIs and the timestamp of the message,
//! checks, and extracts.
//!
//! ```
//! # fn main() -> Result<(), mikey_sakke::Error> {
//! use std::sync::Arc;
//!
//! use mikey_sakke::identity::{UidFormat, Uri};
//! use mikey_sakke::imessage::{Initiator, KeyBundle, Policy, Profile, Purpose, Recipient, Responder};
//! use mikey_sakke::kms::{Kms, UserKeys};
//! use mikey_sakke::time::Timestamp;
//!
//! let mut rng = getrandom::SysRng;
//! let now = Timestamp::from_unix(1_795_000_000)?;
//! let kms = Kms::generate(Uri::parse("kms.example.org")?, UidFormat::hashed(2_592_000, 0)?, &mut rng)?;
//! let period = kms.certificate().uid_format().period_at(now)?;
//! let mut keys_of = |user| {
//!     let key_set = kms.issue(&Uri::parse(user)?, period, &mut rng)?;
//!     UserKeys::import(kms.certificate(), &key_set).map(Arc::new)
//! };
//! let (alice, bob) = (keys_of("sip:alice@example.org")?, keys_of("sip:bob@example.org")?);
//!
//! let bundle = KeyBundle::generate(Profile::seal(Purpose::new(1)?), &mut rng)?;
//! let recipient = Recipient { user: bob.user().clone(), certificate: kms.certificate().clone() };
//! let message = Initiator::new(alice).distribute(&bundle, &recipient, now, &mut rng)?;
//!
//! let mut responder = Responder::new(bob, Policy::default());
//! responder.trust(kms.certificate().clone())?;
//! let received = responder.extract(&message, now)?;
//! assert_eq!((received.key, received.id), (bundle.key().clone(), bundle.id()));
//! # Ok(())
//! # }
//! ```

mod compose;
mod distributed;
mod initiator;
mod key;
mod key_parameters;
mod keyring;
mod open;
#[cfg(feature = "rayon")]
mod parallel;
mod policy;
mod profile;
mod properties;
mod replay;
mod responder;
mod sender;

use crate::identity::UidFormat;
use crate::mikey::registry::IdScheme;

pub use distributed::{DistributedKey, HiddenInitiator};
pub use initiator::{Initiator, Recipient};
pub use key::{KeyBundle, SkId, SrtpKeys, diversify};
pub use keyring::Keyring;
pub use open::Opened;
pub(crate) use open::open;
pub use policy::{Acceptance, Initiators, Policy};
pub use profile::{Profile, Purpose};
pub use properties::KeyProperties;
pub use responder::Responder;

/// The identifier scheme that the SAKKE payload names for a UID format.
const fn id_scheme(format: UidFormat) -> IdScheme {
    match format {
        UidFormat::Monthly => IdScheme::TEL_URI_MONTHLY,
        UidFormat::Hashed { .. } => IdScheme::UID_3GPP,
    }
}
