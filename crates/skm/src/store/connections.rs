//! The connections to a database.
//!
//! The pools of sqlx wait without end for a connection that comes back to them while the network falls silent, and
//! give it up to nobody else. Here whatever is asked has its time, and a connection that did not answer is closed.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::{ConnectOptions, Connection};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::StoreError;
use super::error::too_late;

/// How long an answer may take, with all that it takes to get to the database.
const ANSWER: Duration = Duration::from_secs(4);

/// How long a connection that was left alone may take to show that it is still there.
const ALIVE: Duration = Duration::from_secs(1);

/// What is asked of a database on a connection.
pub(super) type Answering<'c, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'c>>;

/// Connections, at most so many at once.
pub(super) struct Connections<C: Connection> {
    options: C::Options,
    idle: Mutex<Vec<C>>,
    permits: Semaphore,
    check: Check,
}

/// Fails if what connections lead to is not the database any more that was opened.
pub(super) type Check = Arc<dyn Fn() -> Result<(), sqlx::Error> + Send + Sync>;

impl<C: Connection> Connections<C> {
    pub(super) fn new(options: C::Options, number: usize, check: Check) -> Self {
        Self { options, idle: Mutex::new(Vec::new()), permits: Semaphore::new(number), check }
    }

    /// Asks the database. Without an answer in time, or if this is dropped, the connection is closed, and what it was
    /// about to change is not changed, unless the commit was on its way.
    pub(super) async fn ask<T, E: Into<StoreError>>(
        &self,
        question: impl for<'c> FnOnce(&'c mut C) -> Answering<'c, T, E>,
    ) -> Result<T, StoreError> {
        let answer = async {
            // It is never closed.
            let _permit = self.permits.acquire().await.map_err(|_| sqlx::Error::PoolClosed)?;
            // Before as well, since a connection to another file takes the log of the first one for its own.
            (self.check)()?;
            let mut connection = self.connection().await?;
            (self.check)()?;
            let answer = question(&mut connection).await.map_err(Into::into)?;
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            Ok(answer)
        };
        timeout(ANSWER, answer).await.map_err(|_| too_late())?
    }

    async fn connection(&self) -> Result<C, sqlx::Error> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(mut connection) = idle
            && let Ok(Ok(())) = timeout(ALIVE, connection.ping()).await
        {
            return Ok(connection);
        }
        self.options.connect().await
    }
}

impl<C: Connection> fmt::Debug for Connections<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").field("permits", &self.permits).finish_non_exhaustive()
    }
}
