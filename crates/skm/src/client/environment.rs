//! The clock and the random source of a client.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use getrandom::SysRng;
use getrandom::rand_core::TryRng as _;
use mikey_sakke::error::UsageError;
use mikey_sakke::time::Timestamp;

use super::ClientError;

/// What a client needs of its host beside the network.
#[async_trait]
pub trait Environment: Debug + Send + Sync {
    /// The local time.
    ///
    /// # Errors
    ///
    /// [`UsageError::Time`] if it cannot be expressed.
    fn now(&self) -> Result<Timestamp, UsageError>;

    /// Waits this long.
    async fn sleep(&self, duration: Duration);

    /// 64 random bits, which spread the retries of many clients.
    ///
    /// # Errors
    ///
    /// [`ClientError::Random`] if the source fails.
    fn random(&self) -> Result<u64, ClientError>;
}

/// The clock and the random source of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct System;

#[async_trait]
impl Environment for System {
    fn now(&self) -> Result<Timestamp, UsageError> {
        Timestamp::now()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    fn random(&self) -> Result<u64, ClientError> {
        SysRng.try_next_u64().map_err(|_| ClientError::Random)
    }
}
