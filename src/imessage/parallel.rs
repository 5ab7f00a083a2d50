//! Distribution to a group on several threads.

use std::sync::Mutex;
use std::vec::Vec;

use rand_core::{TryCryptoRng, TryRng};
use rayon::iter::{IndexedParallelIterator, ParallelIterator};
use rayon::slice::ParallelSlice;

use super::{Initiator, KeyBundle, Recipient};
use crate::error::Error;
use crate::time::Timestamp;

impl Initiator {
    /// [`Initiator::distribute_to_group`] on all threads of the rayon pool in which the iterator is consumed;
    /// `ThreadPool::install` chooses another pool than the global one.
    ///
    /// Collected, the messages are in the order of the recipients. Each thread holds one batch, and all draw from the
    /// one random source in turn.
    pub fn par_distribute_to_group<'a, R: TryCryptoRng + Send + ?Sized>(
        &'a self,
        bundle: &'a KeyBundle,
        recipients: &'a [Recipient],
        at: Timestamp,
        rng: &'a mut R,
    ) -> impl ParallelIterator<Item = Result<Vec<u8>, Error>> + use<'a, R> {
        let group = self.group(bundle, recipients.len(), at);
        let rng = Mutex::new(rng);
        // Where there are fewer members than would fill a batch for each thread, smaller batches.
        let size = recipients.len().div_ceil(rayon::current_num_threads()).clamp(1, Self::BATCH);
        recipients
            .par_chunks(size)
            .enumerate()
            .flat_map_iter(move |(number, batch)| group.messages(number * size, batch, &mut InTurn(&rng)))
    }
}

/// A random source that several threads draw from, each value by one of them alone.
struct InTurn<'a, 'b, R: ?Sized>(&'a Mutex<&'b mut R>);

impl<R: TryRng + ?Sized> InTurn<'_, '_, R> {
    /// Fails where the source does, and for good if it has panicked.
    fn draw<T>(&self, draw: impl FnOnce(&mut R) -> Result<T, R::Error>) -> Result<T, Error> {
        let mut rng = self.0.lock().map_err(|_| Error::Random)?;
        draw(&mut rng).map_err(|_| Error::Random)
    }
}

impl<R: TryRng + ?Sized> TryRng for InTurn<'_, '_, R> {
    type Error = Error;

    fn try_next_u32(&mut self) -> Result<u32, Error> {
        self.draw(R::try_next_u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Error> {
        self.draw(R::try_next_u64)
    }

    fn try_fill_bytes(&mut self, octets: &mut [u8]) -> Result<(), Error> {
        self.draw(|rng| rng.try_fill_bytes(octets))
    }
}

impl<R: TryCryptoRng + ?Sized> TryCryptoRng for InTurn<'_, '_, R> {}
