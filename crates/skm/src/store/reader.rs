//! The one task that reads sealed rows.
//!
//! To ask a database takes longer than to find a row. So the rows that are asked for while it finds others are asked
//! for together with the next question: one alone does not wait for others, and many share the way.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;
use tokio::time::timeout;

use super::StoreError;
use super::error::too_late;
use super::rows::{Database, RowColumns, RowKey, SealedRow, Version};

/// The rows of a question, at most. A row may have some 50,000 octets.
const QUESTION: usize = 64;

/// How long an answer may take, with the time that it waits for others.
const PATIENCE: Duration = Duration::from_secs(8);

/// A row that somebody waits for.
#[derive(Debug)]
struct Job {
    key: RowKey,
    answer: oneshot::Sender<Result<Option<SealedRow>, StoreError>>,
}

/// Where rows are asked for.
#[derive(Debug)]
pub(super) struct Reader {
    jobs: mpsc::Sender<Job>,
}

impl Reader {
    /// Starts the task, which ends when this is dropped.
    pub(super) fn start(database: Arc<dyn Database>) -> Self {
        let (jobs, queue) = mpsc::channel(QUESTION);
        tokio::spawn(run(database, queue));
        Self { jobs }
    }

    /// The row of a key.
    pub(super) async fn read(&self, key: &RowKey) -> Result<Option<SealedRow>, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job = Job { key: key.clone(), answer };
        let answered = async {
            self.jobs.send(job).await.map_err(|_| sqlx::Error::WorkerCrashed)?;
            answered.await.map_err(|_| sqlx::Error::WorkerCrashed)?
        };
        timeout(PATIENCE, answered).await.map_err(|_| too_late())?
    }
}

async fn run(database: Arc<dyn Database>, mut queue: mpsc::Receiver<Job>) {
    let mut jobs = Vec::with_capacity(QUESTION);
    while queue.recv_many(&mut jobs, QUESTION).await > 0 {
        jobs.retain(|job| !job.answer.is_closed());
        if jobs.is_empty() {
            continue;
        }
        let (keys, waiting): (Vec<_>, Vec<_>) = jobs.drain(..).map(|job| (job.key, job.answer)).unzip();
        let collections: Vec<_> = keys.iter().map(|key| key.collection).collect();
        let mut rows = database.rows(keys).await.map(Vec::into_iter);
        for (collection, waiting) in collections.into_iter().zip(waiting) {
            let row = match &mut rows {
                // A row that is damaged is so for those alone who asked for it.
                Ok(rows) => rows.next().flatten().map(|columns| sealed_row(columns, collection)).transpose(),
                Err(error) => Err(error.clone()),
            };
            // One who is gone does not need it.
            let _ = waiting.send(row);
        }
        // Those who were just answered may ask for more, which is to be in the next question as a whole.
        yield_now().await;
    }
}

fn sealed_row((version, sealed): RowColumns, collection: &'static str) -> Result<SealedRow, StoreError> {
    let version = Version::from_column(version).ok_or(StoreError::Damaged(collection))?;
    Ok(SealedRow { version, sealed })
}
