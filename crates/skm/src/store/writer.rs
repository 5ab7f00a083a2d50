//! The one task that writes.
//!
//! A commit waits for the disk. So the changes that come while one is under way are committed together by the next:
//! one alone does not wait for others, and many share the wait.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;
use tokio::time::timeout;

use super::StoreError;
use super::batch::{Answer, Batch, Write};
use super::error::too_late;
use super::rows::Database;
use crate::audit::{Chain, Event};

/// The changes of a commit, at most.
const BATCH: usize = 256;

/// How long a change may take, with the time that it waits for others.
const PATIENCE: Duration = Duration::from_secs(8);

/// A change with the one who waits for its answer.
#[derive(Debug)]
struct Job {
    write: Write,
    event: Event,
    answer: oneshot::Sender<Result<Answer, StoreError>>,
}

/// Where changes go.
#[derive(Debug)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Job>,
}

impl Writer {
    /// Starts the task for the server of a chain, which has the data key of this id. It ends when this is dropped.
    pub(super) fn start(database: Arc<dyn Database>, chain: Chain, key_id: String) -> Self {
        let (jobs, queue) = mpsc::channel(BATCH);
        tokio::spawn(run(database, chain, key_id.into(), queue));
        Self { jobs }
    }

    /// Makes a change. It is made or not if this is dropped.
    pub(super) async fn write(&self, write: Write, event: Event) -> Result<Answer, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job = Job { write, event, answer };
        let answered = async {
            self.jobs.send(job).await.map_err(|_| sqlx::Error::WorkerCrashed)?;
            answered.await.map_err(|_| sqlx::Error::WorkerCrashed)?
        };
        timeout(PATIENCE, answered).await.map_err(|_| too_late())?
    }
}

async fn run(database: Arc<dyn Database>, chain: Chain, key_id: Arc<str>, mut queue: mpsc::Receiver<Job>) {
    let mut jobs = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut jobs, BATCH).await > 0 {
        // Whoever stopped waiting takes the change for refused.
        jobs.retain(|job| !job.answer.is_closed());
        if jobs.is_empty() {
            continue;
        }
        let (writes, waiting): (Vec<_>, Vec<_>) =
            jobs.drain(..).map(|job| ((job.write, job.event), job.answer)).unzip();
        match database.commit(Batch::new(chain.clone(), key_id.clone(), writes)).await {
            Ok(answers) => waiting.into_iter().zip(answers).for_each(|(waiting, answer)| tell(waiting, Ok(answer))),
            Err(error) => waiting.into_iter().for_each(|waiting| tell(waiting, Err(error.clone()))),
        }
        // Those who were just answered may have more to change, which is to be in the next batch as a whole.
        yield_now().await;
    }
}

/// Answers, which does not matter to one who is gone.
fn tell(waiting: oneshot::Sender<Result<Answer, StoreError>>, answer: Result<Answer, StoreError>) {
    let _ = waiting.send(answer);
}
