//! The replay cache (RFC 3830, section 5.4).

use alloc::collections::BTreeSet;
use core::time::Duration;

use crate::error::Refusal;
use crate::time::Timestamp;

/// Remembers the messages that were accepted for as long as their timestamps are.
///
/// It never forgets an entry that could still be replayed: when it is full, new messages are refused instead.
#[derive(Clone, Debug)]
pub(super) struct ReplayCache {
    /// How far a timestamp may be from the local time, either way.
    window: Duration,
    capacity: usize,
    /// Timestamp and hash of each message. Ordered by time, so that the entries to forget are at the front.
    accepted: BTreeSet<(Timestamp, [u8; 32])>,
    /// Of messages stamped before this instant the cache cannot tell. Never moves back, even if the local clock does.
    horizon: Option<Timestamp>,
}

impl ReplayCache {
    pub(super) const fn new(window: Duration, capacity: usize) -> Self {
        Self { window, capacity, accepted: BTreeSet::new(), horizon: None }
    }

    /// The same with what an earlier cache holds in place of what is here.
    pub(super) fn after(self, earlier: Self) -> Self {
        Self { accepted: earlier.accepted, horizon: earlier.horizon, ..self }
    }

    /// Takes into account that entries may have been lost at an instant: whatever was acceptable by then may have
    /// been accepted.
    pub(super) fn forget_before(&mut self, lost_at: Timestamp) {
        self.raise_horizon(lost_at.saturating_add(self.window).offset_ticks(1));
    }

    /// Whether a message with this timestamp and hash may still be accepted.
    pub(super) fn check(&self, stamp: Timestamp, hash: &[u8; 32], now: Timestamp) -> Result<(), Refusal> {
        if stamp < now.saturating_sub(self.window) || stamp > now.saturating_add(self.window) {
            return Err(Refusal::Stale);
        }
        if self.horizon.is_some_and(|horizon| stamp < horizon) {
            return Err(Refusal::ReplayUnknown);
        }
        if self.accepted.contains(&(stamp, *hash)) {
            return Err(Refusal::Replay);
        }
        Ok(())
    }

    /// Enters a message that was verified, unless it is there already.
    pub(super) fn insert(&mut self, stamp: Timestamp, hash: [u8; 32], now: Timestamp) -> Result<(), Refusal> {
        self.check(stamp, &hash, now)?;
        let expired = now.saturating_sub(self.window);
        if self.accepted.first().is_some_and(|(oldest, _)| *oldest < expired) {
            self.accepted = self.accepted.split_off(&(expired, [0; 32]));
            self.raise_horizon(expired);
        }
        if self.accepted.len() >= self.capacity {
            return Err(Refusal::ReplayUnknown);
        }
        self.accepted.insert((stamp, hash));
        Ok(())
    }

    fn raise_horizon(&mut self, to: Timestamp) {
        self.horizon = self.horizon.max(Some(to));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(10);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix(seconds).unwrap()
    }

    #[test]
    fn the_window_includes_both_its_ends() {
        let cache = ReplayCache::new(WINDOW, 10);
        let check = |stamp| cache.check(stamp, &[0; 32], at(100));
        assert_eq!(check(at(90).offset_ticks(-1)), Err(Refusal::Stale));
        assert_eq!(check(at(90)), Ok(()));
        assert_eq!(check(at(110)), Ok(()));
        assert_eq!(check(at(110).offset_ticks(1)), Err(Refusal::Stale));
    }

    #[test]
    fn a_message_is_accepted_once_in_all_of_its_window() {
        let mut cache = ReplayCache::new(WINDOW, 10);
        assert_eq!(cache.insert(at(100), [1; 32], at(90)), Ok(()));
        for now in 90..=110 {
            assert_eq!(cache.insert(at(100), [1; 32], at(now)), Err(Refusal::Replay));
            assert_eq!(cache.insert(at(100), [now as u8; 32], at(now)).is_ok(), now < 99, "{now}");
        }
        assert_eq!(cache.insert(at(100), [1; 32], at(111)), Err(Refusal::Stale));
    }

    #[test]
    fn a_full_cache_refuses_until_entries_expire() {
        let mut cache = ReplayCache::new(WINDOW, 2);
        for i in 0..2 {
            assert_eq!(cache.insert(at(100), [i; 32], at(100)), Ok(()));
        }
        assert_eq!(cache.insert(at(105), [9; 32], at(105)), Err(Refusal::ReplayUnknown));
        assert_eq!(cache.insert(at(111), [9; 32], at(111)), Ok(()));
    }

    #[test]
    fn what_was_forgotten_is_not_accepted_again_when_the_clock_moves_back() {
        let mut cache = ReplayCache::new(WINDOW, 10);
        cache.insert(at(100), [1; 32], at(100)).unwrap();
        cache.insert(at(200), [2; 32], at(200)).unwrap();
        assert_eq!(cache.insert(at(100), [1; 32], at(100)), Err(Refusal::ReplayUnknown));
    }

    #[test]
    fn a_later_cache_goes_on_where_an_earlier_one_ended_with_a_window_of_its_own() {
        let mut earlier = ReplayCache::new(WINDOW, 10);
        earlier.insert(at(100), [1; 32], at(100)).unwrap();
        earlier.insert(at(200), [2; 32], at(200)).unwrap();
        let later = ReplayCache::new(20 * WINDOW, 10).after(earlier);
        assert_eq!(later.check(at(200), &[2; 32], at(200)), Err(Refusal::Replay));
        assert_eq!(later.check(at(100), &[1; 32], at(200)), Err(Refusal::ReplayUnknown));
        assert_eq!(later.check(at(200), &[3; 32], at(200)), Ok(()));
    }

    #[test]
    fn after_a_loss_nothing_is_accepted_that_could_have_been_before() {
        let mut cache = ReplayCache::new(WINDOW, 10);
        cache.forget_before(at(100));
        assert_eq!(cache.check(at(110), &[0; 32], at(100)), Err(Refusal::ReplayUnknown));
        assert_eq!(cache.check(at(110).offset_ticks(1), &[0; 32], at(101)), Ok(()));
    }
}
