//! The connections to a database.
//!
//! The pools of sqlx wait without end for a connection that comes back to them while the network falls silent, and
//! give it up to nobody else. Here whatever is asked has its time, and a connection that did not answer is closed.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::{ConnectOptions, Connection};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::StoreError;
use super::error::too_late;

/// How long an answer may take, with all that it takes to get to the database.
const ANSWER: Duration = Duration::from_secs(4);

/// How long a connection may be left alone, and is still taken for one that is there.
const FRESH: Duration = Duration::from_secs(1);

/// How long a connection that was left alone for longer may take to show that it is.
const ALIVE: Duration = Duration::from_secs(1);

/// What is asked of a database on a connection.
pub(super) type Answering<'c, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'c>>;

/// Connections, at most so many at once.
pub(super) struct Connections<C: Connection> {
    options: C::Options,
    /// Since when each is left alone.
    idle: Mutex<Vec<(C, Instant)>>,
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
    /// about to change is not changed, unless the commit was on its way. After a failure the others are closed as well,
    /// since they may have failed with it.
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
            self.idle().push((connection, Instant::now()));
            Ok(answer)
        };
        let answer = timeout(ANSWER, answer).await.unwrap_or_else(|_| Err(too_late().into()));
        if matches!(answer, Err(StoreError::Database(_))) {
            self.idle().clear();
        }
        answer
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(C, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection besides these, for what takes any time.
    pub(super) async fn connect(&self) -> Result<C, sqlx::Error> {
        (self.check)()?;
        let connection = self.options.connect().await?;
        (self.check)()?;
        Ok(connection)
    }

    async fn connection(&self) -> Result<C, sqlx::Error> {
        let idle = self.idle().pop();
        if let Some((mut connection, since)) = idle
            && (since.elapsed() < FRESH || matches!(timeout(ALIVE, connection.ping()).await, Ok(Ok(()))))
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
