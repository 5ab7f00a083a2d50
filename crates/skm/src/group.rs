//! Distribution of a key to a group, as an SGM-S does it (3GPP TS 33.434, clause 5.3).
//!
//! A group manager makes a key and distributes it to the members, in one I_MESSAGE for each. [`distribute`] does so
//! with the identity keys that it fetches from the SKM-S, hands each message to a [`Sink`], which is the caller's way
//! to the members, and keeps a [`State`] in a file: the key, its SK-ID and RAND, and who has it. A distribution that
//! was cut short is taken up again with the same three, for those who have not got it yet; a new key takes a new state.
//!
//! ```no_run
//! # fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use mikey_sakke::identity::Uri;
//! use mikey_sakke::imessage::Purpose;
//! use mikey_sakke::secret::Secret;
//! use skm::client::{Certificate, FileToken, Settings, blocking::Client};
//! use skm::group::{Folder, Group, State, distribute};
//! use skm::seal::SealKey;
//!
//! let certificate = Certificate { chain: std::fs::read("sgm.pem")?, key: Secret::new(std::fs::read("sgm.key")?) };
//! let settings = Settings::new("https://skms.example.org:8444", std::fs::read("ca.pem")?);
//! let settings = Settings { certificate: Some(certificate), ..settings };
//! let client = Client::new(&settings, FileToken::new("token"))?;
//!
//! let group = Group {
//!     manager: Uri::parse("sip:groups@example.org")?,
//!     uri: Uri::parse("sip:fleet@example.org")?,
//!     purpose: Purpose::GMK,
//! };
//! let mut state = State::open("fleet.state", SealKey::read("seal.key".as_ref())?, group)?;
//! let mut messages = Folder::open("messages")?;
//! let members = ["sip:alice@example.org", "sip:bob@example.org"];
//! let outcome = distribute(&client, &mut state, &members, &mut messages, &mut |_| ())?;
//! for failure in &outcome.failures {
//!     println!("{failure}");
//! }
//! # Ok(())
//! # }
//! ```

mod content;
mod error;
mod folder;
mod run;
mod state;

use std::error::Error;

use getrandom::SysRng;
use mikey_sakke::identity::Uri;
use mikey_sakke::imessage::{KeyProperties, Profile, Purpose};
use mikey_sakke::km::domain::Domain;
use mikey_sakke::time::Timestamp;

use crate::client::{ClientError, KeyCache, blocking};

pub use error::{Failure, GroupError, Reason, StateError};
pub use folder::Folder;
pub use run::{Outcome, distribute};
pub use state::State;

/// A group, who manages it, and what its key is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The group manager, one of the groupManagers of his domain.
    pub manager: Uri,
    /// The group. Where keys of the purpose have a list of groups in their properties, as GMKs do (TS 33.180, E.6),
    /// the members learn it with the key.
    pub uri: Uri,
    /// What the key is for.
    pub purpose: Purpose,
}

impl Group {
    /// The form of the messages: that of RFC 6509, with one SK-ID for all.
    const fn profile(&self) -> Profile {
        Profile::seal(self.purpose)
    }

    /// What is said of the key, if keys of its purpose have a list of groups.
    fn properties(&self) -> Option<KeyProperties> {
        let has_groups = matches!(self.purpose, Purpose::GMK | Purpose::MKFC | Purpose::MUSIK);
        let groups = vec![self.uri.as_str().as_bytes().to_vec()];
        has_groups.then(|| KeyProperties { groups, ..KeyProperties::new(self.purpose) })
    }
}

/// Where a group manager has his identity keys from: the SKM-S, by a client at SEAL-X1.
pub trait Provider {
    /// The description of the domain.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    fn domain(&self) -> Result<Domain, ClientError>;

    /// Fetches what the cache is due, and says what time it is.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    fn provide(&self, cache: &mut KeyCache) -> Result<Timestamp, ClientError>;
}

impl Provider for blocking::Client {
    fn domain(&self) -> Result<Domain, ClientError> {
        self.domain()
    }

    fn provide(&self, cache: &mut KeyCache) -> Result<Timestamp, ClientError> {
        let now = self.now()?;
        self.refresh(cache, now, &mut SysRng)?;
        Ok(now)
    }
}

/// Where the messages go.
pub trait Sink {
    /// Takes the message for a member, whose place in the list is counted from 1. What fails here concerns this member
    /// alone; he counts as one who has not got the key.
    ///
    /// # Errors
    ///
    /// Why it cannot be delivered.
    fn deliver(&mut self, number: usize, member: &Uri, message: &[u8]) -> Result<(), Box<dyn Error + Send + Sync>>;

    /// Makes what was delivered outlast a crash: after this, the members are noted as those who have got the key.
    ///
    /// # Errors
    ///
    /// Why not. The distribution stops.
    fn flush(&mut self) -> Result<(), Box<dyn Error + Send + Sync>>;
}
