//! Issuing, on threads of its own.
//!
//! A key set takes long enough that requests for them would hold up all others on the threads that serve connections.
//! A thread issues what waits together, as several take less than one by one.

use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use getrandom::SysRng;
use mikey_sakke::error::Error;
use mikey_sakke::identity::{KeyPeriod, Uri};
use mikey_sakke::kms::{KeySet, Kms};
use mikey_sakke::sakke::Rsk;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::limits::OverLimit;
use crate::metrics::{Counted, Metrics};

/// When to come again if the queue is full.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The key sets that a thread issues at a time. The request that reaches it is taken as a whole.
const BATCH: usize = 32;

/// A key set to be issued.
#[derive(Clone, Debug)]
pub struct KeyOrder {
    /// Who issues it.
    pub kms: Arc<Kms>,
    /// For this key period.
    pub period: u64,
    /// With this RSK, if it was extracted before.
    pub rsk: Option<Rsk>,
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
                    let jobs = take(&waiting.lock().unwrap_or_else(PoisonError::into_inner));
                    // There are no more once the issuer and its slots are gone.
                    if jobs.is_empty() {
                        return;
                    }
                    // A thread that ended would be missed by all requests after these.
                    let _ = catch_unwind(AssertUnwindSafe(|| work(jobs)));
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

/// Waits for a request, and takes those that wait behind it; none once there will be no more.
fn take(waiting: &mpsc::Receiver<Job>) -> Vec<Job> {
    let mut jobs: Vec<Job> = waiting.recv().into_iter().collect();
    let mut orders: usize = jobs.iter().map(|job| job.orders.len()).sum();
    while !jobs.is_empty()
        && orders < BATCH
        && let Ok(job) = waiting.try_recv()
    {
        orders += job.orders.len();
        jobs.push(job);
    }
    jobs
}

fn work(mut jobs: Vec<Job>) {
    // Whoever asked may have gone.
    jobs.retain(|job| !job.reply.is_closed());
    let mut issued = issue(&jobs).into_iter();
    for Job { orders, reply, queued, .. } in jobs {
        drop(queued);
        let key_sets: Vec<_> = issued.by_ref().take(orders.len()).collect();
        let _ = reply.send(key_sets.into_iter().collect());
    }
}

/// The key sets of all orders, one job after the other.
fn issue(jobs: &[Job]) -> Vec<Result<KeySet, Error>> {
    let orders = || jobs.iter().flat_map(|job| job.orders.iter().map(|order| (&job.user, order))).enumerate();
    let mut issued = BTreeMap::new();
    for (place, (user, KeyOrder { kms, period, rsk })) in orders() {
        if let Some(rsk) = rsk {
            issued.insert(place, kms.issue_with(user, KeyPeriod::Number(*period), rsk.clone(), &mut SysRng));
        } else if !issued.contains_key(&place) {
            let of_kms = orders().filter(|(_, (_, order))| Arc::ptr_eq(&order.kms, kms) && order.rsk.is_none());
            let (places, users): (Vec<_>, Vec<_>) =
                of_kms.map(|(place, (user, order))| (place, (user, KeyPeriod::Number(order.period)))).unzip();
            issued.extend(places.into_iter().zip(kms.issue_batch(&users, &mut SysRng)));
        }
    }
    issued.into_values().collect()
}

#[cfg(test)]
mod tests {
    use mikey_sakke::identity::UidFormat;
    use mikey_sakke::kms::UserKeys;

    use super::*;

    fn issuer(threads: u32, queue: u32) -> Issuer {
        Issuer::start(threads, queue, Arc::default()).unwrap()
    }

    fn kms(format: UidFormat) -> Arc<Kms> {
        Arc::new(Kms::generate(Uri::parse("kms.example.org").unwrap(), format, &mut SysRng).unwrap())
    }

    fn hashed() -> Arc<Kms> {
        kms(UidFormat::hashed(2_592_000, 0).unwrap())
    }

    fn user(number: u64) -> Uri {
        Uri::parse(&format!("sip:user{number}@example.org")).unwrap()
    }

    type Reply = oneshot::Receiver<Result<Vec<KeySet>, Error>>;

    /// A request of a user for keys by each of these, for the periods from 1 on.
    fn job(number: u64, by: &[&Arc<Kms>]) -> (Job, Reply) {
        let (reply, issued) = oneshot::channel();
        let orders =
            by.iter().zip(1..).map(|(kms, period)| KeyOrder { kms: Arc::clone(kms), period, rsk: None }).collect();
        let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        (Job { user: user(number), orders, reply, queued: Metrics::default().queued(), _permit: permit }, issued)
    }

    #[test]
    fn a_thread_takes_what_waits_up_to_a_batch() {
        let (send, waiting) = mpsc::channel();
        let kms = hashed();
        let mut replies = Vec::new();
        for number in 0..BATCH as u64 + 10 {
            let (job, reply) = job(number, &[&kms, &kms][usize::from(number != 2)..]);
            send.send(job).unwrap();
            replies.push(reply);
        }
        assert_eq!(take(&waiting).len(), BATCH - 1, "one of them is for two");
        assert_eq!(take(&waiting).len(), 11, "and does not wait for more");
        drop(send);
        assert!(take(&waiting).is_empty());
    }

    #[test]
    fn of_a_batch_everyone_gets_what_he_asked_for() {
        // One forms no UIDs for the periods that are asked for.
        let (one, other, monthly) = (hashed(), hashed(), kms(UidFormat::Monthly));
        let asked =
            [vec![&one, &other], vec![&other], vec![&monthly, &one], vec![&one], vec![], vec![&other, &one, &one]];
        let (mut jobs, mut replies): (Vec<_>, Vec<_>) = (0..).zip(&asked).map(|(number, by)| job(number, by)).unzip();
        // Of one the RSK was extracted before.
        let rsk = other.issue(&user(5), KeyPeriod::Number(1), &mut SysRng).unwrap().rsk;
        jobs[5].orders[0].rsk = Some(rsk);
        // This one does not wait for his.
        drop(replies.remove(3));
        work(jobs);
        for (number, mut reply) in [0, 1, 2, 4, 5].into_iter().zip(replies) {
            let issued = reply.try_recv().unwrap();
            let by = &asked[number];
            if number == 2 {
                assert!(matches!(issued, Err(Error::Usage(_))), "{issued:?}");
                continue;
            }
            let issued = issued.unwrap();
            assert_eq!(issued.len(), by.len());
            for ((keys, kms), period) in issued.iter().zip(by).zip(1..) {
                assert_eq!((&keys.user, keys.period), (&user(number as u64), KeyPeriod::Number(period)));
                UserKeys::import(kms.certificate(), keys).unwrap();
            }
        }
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
        let (issuer, kms) = (issuer(1, 1), hashed());
        for period in [1, 2, 3] {
            let orders = [period, period + 1].map(|period| KeyOrder { kms: Arc::clone(&kms), period, rsk: None });
            let keys = issuer.reserve().unwrap().issue(user(1), orders.to_vec()).await.unwrap();
            let periods: Vec<_> = keys.iter().map(|keys| keys.period).collect();
            assert_eq!(periods, [KeyPeriod::Number(period), KeyPeriod::Number(period + 1)]);
        }
    }

    #[tokio::test]
    async fn without_threads_nobody_waits() {
        let slot = issuer(0, 1).reserve().unwrap();
        let issued = slot.issue(user(1), Vec::new()).await;
        assert!(matches!(issued, Err(IssueError::Thread)));
    }
}
