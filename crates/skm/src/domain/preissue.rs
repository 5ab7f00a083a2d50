//! RSKs of known users, extracted before they are asked for.
//!
//! An RSK is always the same, and most of the work of a key set; SSK and PVT are made anew each time. So the RSKs of
//! the next key period can be extracted at a quiet hour, in batches, and lie in the store until their users come.

use std::num::NonZero;
use std::sync::Arc;
use std::thread;

use mikey_sakke::Error;
use mikey_sakke::identity::{KeyPeriod, Uri};
use mikey_sakke::kms::Kms;
use mikey_sakke::sakke::Rsk;
use tokio::task::spawn_blocking;

use super::SecurityDomain;
use crate::store::{Awaiting, Extraction, Store, StoreError};

/// Why RSKs are not extracted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PreissueError {
    /// Nobody is known who will ask for them, or nobody will any more.
    #[error("key period {asked} is neither the present one, {present}, nor the next one")]
    Period {
        /// The number that is asked for.
        asked: u64,
        /// That of the present one.
        present: u64,
    },
    /// The domain has none to extract them by.
    #[error("the domain has no certificate for key period {0} that is not revoked")]
    NoCertificate(u64),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The threads that extract failed.
    #[error("a thread that extracts keys failed")]
    Thread,
}

/// Extracts the RSKs for a key period of all who were issued keys in the present or the past one, are not blocked, and
/// have none in the store yet, page by page. What was left undone is done by the next one.
#[derive(Debug)]
pub struct Preissue<'a> {
    store: &'a Store,
    kms: Arc<Kms>,
    awaiting: Awaiting,
    /// The last user of the last page.
    after: String,
}

/// What became of some users.
#[derive(Debug, Default)]
pub struct Page {
    /// How many have their RSK in the store now.
    pub stored: u64,
    /// Who has not, and why.
    pub failed: Vec<(String, Error)>,
}

impl<'a> Preissue<'a> {
    /// Begins, in the present key period.
    ///
    /// # Errors
    ///
    /// [`PreissueError::Period`] and [`PreissueError::NoCertificate`].
    pub fn new(store: &'a Store, domain: &SecurityDomain, period: u64, present: u64) -> Result<Self, PreissueError> {
        if period != present && Some(period) != present.checked_add(1) {
            return Err(PreissueError::Period { asked: period, present });
        }
        let (extraction, kms) = domain.extraction(period).ok_or(PreissueError::NoCertificate(period))?;
        let (awaiting, kms) = (Awaiting { extraction, since: present.saturating_sub(1) }, Arc::clone(kms));
        Ok(Self { store, kms, awaiting, after: String::new() })
    }

    /// What the RSKs are extracted for.
    pub const fn extraction(&self) -> &Extraction {
        &self.awaiting.extraction
    }

    /// How many users have none yet.
    ///
    /// # Errors
    ///
    /// [`PreissueError::Store`].
    pub async fn count(&self) -> Result<u64, PreissueError> {
        Ok(self.store.count_awaiting(&self.awaiting).await?)
    }

    /// Extracts the RSKs of a page of users, on all cores, and stores them; none if there are no users any more.
    ///
    /// # Errors
    ///
    /// [`PreissueError::Store`] and [`PreissueError::Thread`]; those of earlier pages are stored.
    pub async fn page(&mut self) -> Result<Option<Page>, PreissueError> {
        let names = self.store.awaiting(&self.awaiting, &self.after).await?;
        let Some(last) = names.last() else { return Ok(None) };
        self.after.clone_from(last);
        let mut page = Page::default();
        let mut users = Vec::with_capacity(names.len());
        for name in names {
            match Uri::parse(&name) {
                Ok(user) => users.push(user),
                Err(error) => page.failed.push((name, error.into())),
            }
        }
        let (kms, period) = (Arc::clone(&self.kms), self.awaiting.extraction.period);
        let extract = move || extract(&kms, &users, period).map(|rsks| (users, rsks));
        let extracted = spawn_blocking(extract).await.map_err(|_| PreissueError::Thread)?;
        let (users, extracted) = extracted.map_err(|_| PreissueError::Thread)?;
        let mut rsks = Vec::with_capacity(users.len());
        for (user, rsk) in users.into_iter().zip(extracted) {
            match rsk {
                Ok(rsk) => rsks.push((user, rsk)),
                Err(error) => page.failed.push((user.to_string(), error)),
            }
        }
        self.store.add_rsks(&self.awaiting.extraction, &rsks).await?;
        page.stored = rsks.len() as u64;
        Ok(Some(page))
    }
}

/// Extracts on as many threads as there are cores.
fn extract(kms: &Kms, users: &[Uri], period: u64) -> thread::Result<Vec<Result<Rsk, Error>>> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let extract = |users: &[Uri]| {
        let users: Vec<_> = users.iter().map(|user| (user, KeyPeriod::Number(period))).collect();
        kms.extract_batch(&users)
    };
    thread::scope(|scope| {
        let shares = users.chunks(users.len().div_ceil(threads).max(1));
        let threads: Vec<_> = shares.map(|users| scope.spawn(move || extract(users))).collect();
        let rsks: thread::Result<Vec<_>> = threads.into_iter().map(thread::ScopedJoinHandle::join).collect();
        Ok(rsks?.into_iter().flatten().collect())
    })
}
