//! Issuing, on threads of its own.
//!
//! A key set takes long enough that requests for them would hold up all others on the threads that serve connections.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use getrandom::SysRng;
use mikey_sakke::error::Error;
use mikey_sakke::identity::{KeyPeriod, Uri};
use mikey_sakke::kms::{KeySet, Kms};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::limits::OverLimit;
use crate::metrics::{Counted, Metrics};

/// When to come again if the queue is full.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A key set to be issued.
#[derive(Clone, Debug)]
pub struct KeyOrder {
    /// Who issues it.
    pub kms: Arc<Kms>,
    /// For this key period.
    pub period: u64,
}

/// Keys that were not issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// They cannot be.
    #[error(transparent)]
    Keys(#[from] Error),
    /// The thread that was to issue them failed.
    #[error("the thread that issues keys failed")]
    Thread,
}

struct Job {
    user: Uri,
    orders: Vec<KeyOrder>,
    reply: oneshot::Sender<Result<Vec<KeySet>, Error>>,
    /// That it waits.
    queued: Counted,
    /// Given back once the job is done.
    _permit: OwnedSemaphorePermit,
}

/// Issues key sets, and has so many requests for them wait.
#[derive(Debug)]
pub struct Issuer {
    jobs: mpsc::Sender<Job>,
    slots: Arc<Semaphore>,
    metrics: Arc<Metrics>,
}

/// A place in the queue.
#[derive(Debug)]
pub struct Slot {
    jobs: mpsc::Sender<Job>,
    permit: OwnedSemaphorePermit,
    metrics: Arc<Metrics>,
}

impl Issuer {
    /// Starts this many threads, before which this many requests may wait.
    ///
    /// # Errors
    ///
    /// Those of the system, if it gives no threads.
    pub fn start(threads: u32, queue: u32, metrics: Arc<Metrics>) -> io::Result<Self> {
        let (jobs, waiting) = mpsc::channel::<Job>();
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..threads {
            let waiting = Arc::clone(&waiting);
            thread::Builder::new().name("issuer".into()).spawn(move || {
                loop {
                    let job = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    // There are no more once the issuer and its slots are gone.
                    let Ok(job) = job else { return };
                    // A thread that ended would be missed by all requests after this one.
                    let _ = catch_unwind(AssertUnwindSafe(|| work(job)));
                }
            })?;
        }
        Ok(Self { jobs, slots: Arc::new(Semaphore::new(threads as usize + queue as usize)), metrics })
    }

    /// Takes a place in the queue, to be used or dropped.
    ///
    /// # Errors
    ///
    /// [`OverLimit`] if it is full.
    pub fn reserve(&self) -> Result<Slot, OverLimit> {
        let permit = Arc::clone(&self.slots).try_acquire_owned();
        let permit = permit.map_err(|_| OverLimit { retry_after: RETRY_AFTER })?;
        Ok(Slot { jobs: self.jobs.clone(), permit, metrics: Arc::clone(&self.metrics) })
    }
}

impl Slot {
    /// Issues key sets for a user, each with another SSK and PVT than ever before.
    ///
    /// # Errors
    ///
    /// [`IssueError`].
    pub async fn issue(self, user: Uri, orders: Vec<KeyOrder>) -> Result<Vec<KeySet>, IssueError> {
        let start = Instant::now();
        let (reply, issued) = oneshot::channel();
        let job = Job { user, orders, reply, queued: self.metrics.queued(), _permit: self.permit };
        self.jobs.send(job).map_err(|_| IssueError::Thread)?;
        let issued = issued.await.map_err(|_| IssueError::Thread)??;
        self.metrics.issued(start.elapsed());
        Ok(issued)
    }
}

fn work(job: Job) {
    drop(job.queued);
    // Whoever asked may have gone.
    if job.reply.is_closed() {
        return;
    }
    let issue = |order: &KeyOrder| order.kms.issue(&job.user, KeyPeriod::Number(order.period), &mut SysRng);
    let issued = job.orders.iter().map(issue).collect();
    let _ = job.reply.send(issued);
}

#[cfg(test)]
mod tests {
    use mikey_sakke::identity::UidFormat;

    use super::*;

    fn issuer(threads: u32, queue: u32) -> Issuer {
        Issuer::start(threads, queue, Arc::default()).unwrap()
    }

    #[test]
    fn a_full_queue_takes_no_more_until_one_is_done() {
        let issuer = issuer(1, 2);
        let mut slots: Vec<_> = (0..3).map(|_| issuer.reserve().unwrap()).collect();
        assert_eq!(issuer.reserve().unwrap_err(), OverLimit { retry_after: RETRY_AFTER });
        slots.pop();
        let again = issuer.reserve();
        assert!(again.is_ok() && issuer.reserve().is_err());
    }

    #[tokio::test]
    async fn a_place_is_free_again_once_the_keys_are_issued() {
        let issuer = issuer(1, 1);
        let format = UidFormat::hashed(2_592_000, 0).unwrap();
        let kms = Arc::new(Kms::generate(Uri::parse("kms.example.org").unwrap(), format, &mut SysRng).unwrap());
        let user = Uri::parse("sip:alice@example.org").unwrap();
        for period in [1, 2, 3] {
            let orders = [period, period + 1].map(|period| KeyOrder { kms: Arc::clone(&kms), period });
            let keys = issuer.reserve().unwrap().issue(user.clone(), orders.to_vec()).await.unwrap();
            let periods: Vec<_> = keys.iter().map(|keys| keys.period).collect();
            assert_eq!(periods, [KeyPeriod::Number(period), KeyPeriod::Number(period + 1)]);
        }
    }

    #[tokio::test]
    async fn without_threads_nobody_waits() {
        let slot = issuer(0, 1).reserve().unwrap();
        let issued = slot.issue(Uri::parse("sip:alice@example.org").unwrap(), Vec::new()).await;
        assert!(matches!(issued, Err(IssueError::Thread)));
    }
}
