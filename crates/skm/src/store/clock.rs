//! The latest time that a server has seen.

use mikey_sakke::time::Timestamp;

use super::{Store, StoreError};
use crate::audit::Event;

impl Store {
    /// The latest time that a server has seen, if one has.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn latest_time(&self) -> Result<Option<Timestamp>, StoreError> {
        let Some(seconds) = self.database.latest_time().await? else { return Ok(None) };
        let time = u64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_unix(seconds).ok());
        time.map(Some).ok_or(StoreError::Damaged("clock"))
    }

    /// Notes a time, unless a later one was noted before.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn see_time(&self, now: Timestamp) -> Result<(), StoreError> {
        self.database.note_time(now, false).await
    }

    /// Notes the time of an event, which is logged, in the place of any other.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn accept_time(&self, event: &Event) -> Result<(), StoreError> {
        self.log(event).await?;
        self.database.note_time(event.time, true).await
    }
}
