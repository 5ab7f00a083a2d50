//! Whether the time of this host can be believed.
//!
//! Keys are issued for the period of the present time, so a clock that is far off gives users the keys of other
//! periods. The store remembers the latest time of all servers: where the present one is more than a key period from
//! it, either way, no identity keys are issued until an operator accepts it.

use std::sync::PoisonError;
use std::time::Duration;

use mikey_sakke::km::Failure;
use mikey_sakke::time::Timestamp;

use super::session::Refused;
use super::{NotReady, Service};
use crate::store::StoreError;

/// How far this host may be from the clock of the database.
const APART: Duration = Duration::from_secs(1);

impl Service {
    /// Compares the time with the latest of all servers, and notes it if it can be believed. To be called every few
    /// seconds.
    pub async fn watch_clock(&self) {
        if let Err(error) = self.see_time().await {
            tracing::error!(%error, "cannot note the time");
        }
    }

    async fn see_time(&self) -> Result<(), StoreError> {
        let now = self.clock.now().time;
        let latest = self.store.latest_time().await?;
        *self.latest.write().unwrap_or_else(PoisonError::into_inner) = latest;
        if self.jumped(now) {
            let (now, latest) = (now.to_unix(), latest.map(Timestamp::to_unix));
            tracing::error!(now, latest, "the clock has jumped: no keys are issued until skms clock accept");
            return Ok(());
        }
        self.store.see_time(now).await
    }

    /// Fails if the clock has jumped.
    pub(super) fn believe(&self, now: Timestamp) -> Result<(), Refused> {
        if self.jumped(now) {
            tracing::error!("no keys are issued: the clock has jumped; see skms clock show");
            return Err(Failure::Internal.into());
        }
        Ok(())
    }

    pub(super) fn jumped(&self, now: Timestamp) -> bool {
        let latest = *self.latest.read().unwrap_or_else(PoisonError::into_inner);
        latest.is_some_and(|latest| self.domain_settings.has_jumped(latest, now))
    }

    /// Fails if the clock has jumped, or is apart from that of the database.
    pub(super) async fn is_on_time(&self) -> Result<(), NotReady> {
        let before = since_1970(self.clock.now().time);
        let pulse = self.store.pulse().await.map_err(crate::domain::LoadError::from)?;
        let now = self.clock.now().time;
        if let Some(clock) = pulse.clock
            && (clock + APART < before || clock > since_1970(now) + APART)
        {
            return Err(NotReady::Apart);
        }
        if self.jumped(now) { Err(NotReady::Jumped) } else { Ok(()) }
    }
}

fn since_1970(time: Timestamp) -> Duration {
    let fraction = ((time.to_ntp() & u64::from(u32::MAX)) * 1_000_000_000) >> 32;
    Duration::from_secs(time.to_unix()) + Duration::from_nanos(fraction)
}
