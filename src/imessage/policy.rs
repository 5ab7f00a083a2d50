//! What a responder accepts.

use alloc::collections::{BTreeMap, BTreeSet};
use core::time::Duration;

use super::Purpose;
use crate::error::Refusal;
use crate::identity::{Overlap, Uri};
use crate::mikey::Tolerances;

/// What a responder accepts. By default, keys of any purpose from any user of a trusted KMS.
#[derive(Clone, Debug)]
pub struct Policy {
    /// How far the timestamp of a message may be from the local time, either way: 5 minutes by default.
    pub window: Duration,
    /// How long before and after its key period a key is used; by default what [`UidFormat::overlap`] recommends.
    ///
    /// [`UidFormat::overlap`]: crate::identity::UidFormat::overlap
    pub overlap: Option<Overlap>,
    /// How keys of each purpose are accepted.
    pub purposes: BTreeMap<Purpose, Acceptance>,
    /// How keys of a purpose that is not among these are accepted, if at all.
    pub other_purposes: Option<Acceptance>,
    /// How many messages the replay cache holds, each for as long as its timestamp is acceptable: 65,536 by default.
    /// When it is full, messages are refused until some expire.
    pub replay_capacity: usize,
    /// In what messages may depart from the standards: by default in what devices in the field need.
    pub tolerances: Tolerances,
}

/// How keys of a purpose are accepted.
#[derive(Clone, Debug)]
pub struct Acceptance {
    /// Whose keys are accepted.
    pub initiators: Initiators,
    /// The KMS that they have their keys from; any that is trusted, unless given. A user is told from another by his
    /// KMS as well as his URI: a KMS can issue keys for every URI, those of other domains included.
    pub kms: Option<Uri>,
    /// Whether each user knows such keys by an identifier of his own; see
    /// [`Profile::is_diversified`](super::Profile::is_diversified).
    pub is_diversified: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(300),
            overlap: None,
            purposes: BTreeMap::new(),
            other_purposes: Some(Acceptance { initiators: Initiators::Any, kms: None, is_diversified: false }),
            replay_capacity: 65_536,
            tolerances: Tolerances::default(),
        }
    }
}

impl Policy {
    /// For a service of its own: keys of these purposes and no others, under one identifier for all users.
    pub fn for_purposes(purposes: impl IntoIterator<Item = (Purpose, Initiators)>) -> Self {
        let accept = |(purpose, initiators)| (purpose, Acceptance { initiators, kms: None, is_diversified: false });
        Self { purposes: purposes.into_iter().map(accept).collect(), other_purposes: None, ..Self::default() }
    }

    /// For the services of TS 33.180: group master keys, with end-point diversity, and keys for multicast signalling
    /// from the servers given alone; private call keys and client-server keys from anyone.
    pub fn ts33180(group_managers: Initiators, signalling_servers: Initiators) -> Self {
        let others =
            [(Purpose::PCK, Initiators::Any), (Purpose::CSK, Initiators::Any), (Purpose::MUSIK, signalling_servers)];
        let mut policy = Self::for_purposes(others);
        let group_keys = Acceptance { initiators: group_managers, kms: None, is_diversified: true };
        policy.purposes.insert(Purpose::GMK, group_keys);
        policy
    }

    /// How keys of a purpose are accepted.
    pub(super) fn acceptance(&self, purpose: Purpose) -> Result<&Acceptance, Refusal> {
        self.purposes.get(&purpose).or(self.other_purposes.as_ref()).ok_or(Refusal::Purpose)
    }
}

/// Whose keys are accepted.
#[derive(Clone, Debug)]
pub enum Initiators {
    /// Those of any user of a trusted KMS.
    Any,
    /// Those of these users.
    Only(BTreeSet<Uri>),
    /// Those of any user of a trusted KMS but these.
    AllBut(BTreeSet<Uri>),
}

impl Initiators {
    /// Whether they include the one initiator for whom the condition holds.
    pub(super) fn include(&self, is_initiator: impl FnMut(&Uri) -> bool) -> bool {
        match self {
            Self::Any => true,
            Self::Only(allowed) => allowed.iter().any(is_initiator),
            Self::AllBut(blocked) => !blocked.iter().any(is_initiator),
        }
    }
}
