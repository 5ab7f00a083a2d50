//! How an initiator is named, by URI or by UID, and what follows from it.

use alloc::sync::Arc;

use super::policy::Initiators;
use crate::error::Refusal;
use crate::identity::{Uid, Uri};
use crate::kms::KmsCertificate;
use crate::time::Timestamp;

/// The KMS of an initiator, at the instant of the message.
#[derive(Debug)]
pub(super) struct HomeKms {
    pub(super) certificate: Arc<KmsCertificate>,
    pub(super) at: Timestamp,
}

/// What an initiator is called.
pub(super) trait Name {
    /// The UID under which the signature is verified.
    fn uid(&self, home: &HomeKms) -> Result<Uid, Refusal>;

    /// Whether the initiators whose keys are accepted include this one.
    fn is_among(&self, accepted: &Initiators, home: &HomeKms) -> bool;
}

impl Name for Uri {
    fn uid(&self, home: &HomeKms) -> Result<Uid, Refusal> {
        home.certificate.uid_at(self, home.at).map_err(|_| Refusal::Initiator)
    }

    fn is_among(&self, accepted: &Initiators, _: &HomeKms) -> bool {
        accepted.include(|user| user == self)
    }
}

impl Name for Uid {
    fn uid(&self, _: &HomeKms) -> Result<Uid, Refusal> {
        Ok(self.clone())
    }

    /// Who is accepted is known by URI, and by that has a UID under this KMS.
    fn is_among(&self, accepted: &Initiators, home: &HomeKms) -> bool {
        accepted.include(|user| home.certificate.uid_at(user, home.at).as_ref() == Ok(self))
    }
}
