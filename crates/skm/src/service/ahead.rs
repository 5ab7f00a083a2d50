//! RSKs that were extracted before they are asked for.
//!
//! Whether any are there for a key period is asked of the store every now and then, so that requests of a period
//! without them take no longer. One that cannot be read is extracted like one that is not there.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use mikey_sakke::identity::{KeyPeriod, Uri};
use mikey_sakke::sakke::Rsk;

use super::Service;
use crate::domain::LoadError;
use crate::store::Extraction;

/// For how long it is believed that there are RSKs for a key period, or none.
const BELIEVED: Duration = Duration::from_secs(10);

/// What is believed, and what was tidied up last.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    believed: Mutex<BTreeMap<Extraction, (Instant, bool)>>,
    kept: Mutex<Option<Vec<Extraction>>>,
}

impl Ahead {
    fn believed(&self, extraction: &Extraction, now: Instant) -> Option<bool> {
        let mut believed = self.believed.lock().unwrap_or_else(PoisonError::into_inner);
        believed.retain(|_, (since, _)| now.saturating_duration_since(*since) < BELIEVED);
        believed.get(extraction).map(|(_, found)| *found)
    }

    fn believe(&self, extraction: &Extraction, found: bool, now: Instant) {
        let mut believed = self.believed.lock().unwrap_or_else(PoisonError::into_inner);
        believed.insert(extraction.clone(), (now, found));
    }
}

impl Service {
    /// The RSK of a user, if it was extracted before.
    pub(super) async fn extracted(&self, extraction: &Extraction, user: &Uri) -> Option<Rsk> {
        let now = self.clock.now().instant;
        let found = async {
            let found = match self.ahead.believed(extraction, now) {
                Some(found) => found,
                None => {
                    let found = self.store.has_rsks(extraction).await?;
                    self.ahead.believe(extraction, found, now);
                    found
                }
            };
            if found { self.store.rsk(extraction, user).await } else { Ok(None) }
        };
        found.await.unwrap_or_else(|error| {
            tracing::warn!(%error, "an RSK that was extracted before cannot be read");
            None
        })
    }

    /// Deletes the RSKs of other key periods than the present one and the next, and of certificates that are not those
    /// of these periods, once for each change of either.
    pub(super) async fn drop_extracted(&self) -> Result<(), LoadError> {
        let Some(domain) = self.domain().await? else { return Ok(()) };
        let Ok(KeyPeriod::Number(present)) = domain.uid_format().period_at(self.clock.now().time) else {
            return Ok(());
        };
        let extraction = |period| domain.extraction(period).map(|(extraction, _)| extraction);
        let kept: Vec<_> = [present, present + 1].into_iter().filter_map(extraction).collect();
        if *self.ahead.kept.lock().unwrap_or_else(PoisonError::into_inner) == Some(kept.clone()) {
            return Ok(());
        }
        self.store.keep_rsks(&kept).await?;
        *self.ahead.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        Ok(())
    }
}
