//! Why a key is not distributed, to one member or to any.

use std::fmt;
use std::io;
use std::path::PathBuf;

use mikey_sakke::error::{Error, UsageError};
use mikey_sakke::identity::Uri;
use mikey_sakke::imessage::Purpose;

use crate::client::ClientError;
use crate::seal::{KeyError, RandomError};

/// Why a distribution does not begin, or stops. None of these shows a key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GroupError {
    /// The manager is none.
    #[error(
        "{0} is not among the groupManagers of the domain, so that every member would refuse the key; \
         the SKM-S needs a policy row with the role sgm and this URI"
    )]
    NotManager(Uri),
    /// The manager is revoked.
    #[error("{0} is among the revokedUsers of the domain, so that every member would refuse the key")]
    Revoked(Uri),
    /// The domain has no certificate that is valid now.
    #[error("the domain has no certificate that is valid now")]
    Certificate,
    /// There are no identity keys of the manager.
    #[error("there are no identity keys of {0}")]
    Keys(Uri),
    /// The identity keys, or the description of the domain, cannot be fetched.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The state is not accepted, or cannot be kept.
    #[error(transparent)]
    State(#[from] StateError),
    /// The messages cannot be kept.
    #[error("the messages cannot be kept: {0}")]
    Sink(Box<dyn std::error::Error + Send + Sync>),
}

/// Why a state is not accepted, or cannot be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The file cannot be read, or is not its owner's alone.
    #[error(transparent)]
    File(#[from] KeyError),
    /// The file, the one beside it, or their directory cannot be written.
    #[error("{0}: {1}")]
    Write(PathBuf, #[source] io::Error),
    /// Another run is at work with the file.
    #[error("{0}: another distribution is at work with this state")]
    Locked(PathBuf),
    /// The file does not open.
    #[error("{0}: damaged, not the state of a distribution, or sealed with another key")]
    Sealed(PathBuf),
    /// The state is that of another manager.
    #[error("{0}: the state of a distribution by {1}; choose another file")]
    Manager(PathBuf, Uri),
    /// The state is that of another group.
    #[error("{0}: the state of a distribution to {1}; choose another file")]
    Group(PathBuf, Uri),
    /// The key is for another purpose.
    #[error("{0}: the state of a distribution of a key of purpose {1}; choose another file")]
    Purpose(PathBuf, Purpose),
    /// The key is for another domain.
    #[error("{0}: the state of a distribution in the domain of {1}; choose another file")]
    Kms(PathBuf, Uri),
    /// The random source failed.
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// A member who does not get the key.
#[derive(Debug)]
pub struct Failure {
    /// His place in the list, counted from 1.
    pub number: usize,
    /// What stands there.
    pub member: String,
    /// Why he does not get it.
    pub reason: Reason,
}

/// On one line, whatever stands in the list.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "member {}, {:?}: {}", self.number, self.member, self.reason)
    }
}

/// Why a member does not get the key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// What stands in the list is not a URI in canonical spelling.
    #[error(transparent)]
    Spelling(UsageError),
    /// He stands in the list already.
    #[error("stands in the list already, as member {0}")]
    Duplicate(usize),
    /// He is revoked.
    #[error("is among the revokedUsers of the domain")]
    Revoked,
    /// There is no message to him.
    #[error(transparent)]
    Message(Error),
    /// The message cannot be delivered.
    #[error("cannot be delivered: {0}")]
    Delivery(Box<dyn std::error::Error + Send + Sync>),
}
