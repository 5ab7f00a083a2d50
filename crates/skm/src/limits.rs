//! How often somebody may ask, with the time passed in.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mikey_sakke::km::Failure;

/// The names that a limiter remembers at one time; a name is forgotten once its burst is whole again.
const MAX_NAMES: usize = 65_536;

/// A rate, and how many may come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many in a second in the long run; 0 counts as 1.
    pub per_second: u32,
    /// How many at once after a pause; 0 counts as 1.
    pub burst: u32,
}

impl Rate {
    fn interval(self) -> Duration {
        Duration::from_secs(1) / self.per_second.max(1)
    }

    /// How far ahead of the time a name may be, and still be let in.
    fn tolerance(self) -> Duration {
        self.interval().saturating_mul(self.burst.max(1) - 1)
    }
}

/// There are too many requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many requests")]
pub struct OverLimit {
    /// When to come again.
    pub retry_after: Duration,
}

impl OverLimit {
    /// The value of a Retry-After header field: whole seconds, at least one.
    pub fn retry_after_seconds(self) -> u64 {
        let seconds = self.retry_after.as_secs() + u64::from(self.retry_after.subsec_nanos() > 0);
        seconds.max(1)
    }
}

impl From<OverLimit> for Failure {
    fn from(_: OverLimit) -> Self {
        Self::OverLimit
    }
}

/// Limits the requests of each name to a rate.
#[derive(Debug)]
pub struct Limiter<K> {
    rate: Rate,
    names: Mutex<Names<K>>,
}

#[derive(Debug)]
struct Names<K> {
    /// For each name the time at which its burst is whole again.
    whole_at: HashMap<K, Duration>,
    /// When to look next for names to forget.
    sweep_at: Duration,
}

impl<K: Clone + Eq + Hash> Limiter<K> {
    /// A limiter that has seen nobody.
    pub fn new(rate: Rate) -> Self {
        let names = Names { whole_at: HashMap::new(), sweep_at: Duration::ZERO };
        Self { rate, names: Mutex::new(names) }
    }

    /// Lets a request in, at a time since any fixed moment. What is refused does not count.
    ///
    /// # Errors
    ///
    /// [`OverLimit`]: also for a new name while too many others are remembered.
    pub fn admit(&self, name: &K, now: Duration) -> Result<(), OverLimit> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.make_room(name, self.rate, now)?;
        let whole_at = names.whole_at.get(name).copied().unwrap_or_default().max(now);
        let ahead = whole_at - now;
        if let Some(retry_after) = ahead.checked_sub(self.rate.tolerance()).filter(|wait| !wait.is_zero()) {
            return Err(OverLimit { retry_after });
        }
        names.whole_at.insert(name.clone(), whole_at.saturating_add(self.rate.interval()));
        Ok(())
    }
}

impl<K: Eq + Hash> Names<K> {
    /// Forgets those whose burst is whole, at most once in the time that a burst takes.
    fn make_room(&mut self, name: &K, rate: Rate, now: Duration) -> Result<(), OverLimit> {
        if self.whole_at.len() < MAX_NAMES || self.whole_at.contains_key(name) {
            return Ok(());
        }
        if now >= self.sweep_at {
            self.whole_at.retain(|_, whole_at| *whole_at > now);
            self.sweep_at = now.saturating_add(rate.interval().saturating_mul(rate.burst.max(1)));
        }
        if self.whole_at.len() < MAX_NAMES {
            return Ok(());
        }
        Err(OverLimit { retry_after: self.sweep_at.saturating_sub(now) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { per_second: 10, burst: 20 };

    fn at(milliseconds: u64) -> Duration {
        Duration::from_secs(100) + Duration::from_millis(milliseconds)
    }

    fn admitted(limiter: &Limiter<&str>, name: &'static str, now: Duration, requests: usize) -> usize {
        (0..requests).filter(|_| limiter.admit(&name, now).is_ok()).count()
    }

    #[test]
    fn a_burst_is_let_in_and_no_more() {
        let limiter = Limiter::new(RATE);
        assert_eq!(admitted(&limiter, "a", at(0), 100), 20);
    }

    #[test]
    fn the_rate_holds_after_a_burst() {
        let limiter = Limiter::new(RATE);
        assert_eq!(admitted(&limiter, "a", at(0), 100), 20);
        assert_eq!(admitted(&limiter, "a", at(99), 100), 0);
        assert_eq!(admitted(&limiter, "a", at(100), 100), 1);
        assert_eq!(admitted(&limiter, "a", at(1100), 100), 10);
    }

    #[test]
    fn a_pause_restores_the_burst_and_no_more() {
        let limiter = Limiter::new(RATE);
        assert_eq!(admitted(&limiter, "a", at(0), 100), 20);
        assert_eq!(admitted(&limiter, "a", at(1_000_000), 100), 20);
    }

    #[test]
    fn names_do_not_share() {
        let limiter = Limiter::new(RATE);
        assert_eq!(admitted(&limiter, "a", at(0), 100), 20);
        assert_eq!(admitted(&limiter, "b", at(0), 100), 20);
    }

    #[test]
    fn the_refused_learn_when_to_come_again() {
        let limiter = Limiter::new(RATE);
        assert_eq!(admitted(&limiter, "a", at(0), 20), 20);
        let refused = limiter.admit(&"a", at(30)).unwrap_err();
        assert_eq!(refused.retry_after, Duration::from_millis(70));
        assert_eq!(refused.retry_after_seconds(), 1);
        assert_eq!(limiter.admit(&"a", at(30) + refused.retry_after), Ok(()));
        assert_eq!(Failure::from(refused).http_status(), 429);
    }

    #[test]
    fn retry_after_is_rounded_up() {
        assert_eq!(OverLimit { retry_after: Duration::ZERO }.retry_after_seconds(), 1);
        assert_eq!(OverLimit { retry_after: Duration::from_millis(1001) }.retry_after_seconds(), 2);
        assert_eq!(OverLimit { retry_after: Duration::from_secs(2) }.retry_after_seconds(), 2);
    }

    #[test]
    fn a_clock_that_steps_back_lets_nobody_in_twice() {
        let limiter = Limiter::new(RATE);
        assert_eq!(admitted(&limiter, "a", at(5000), 100), 20);
        assert_eq!(admitted(&limiter, "a", at(0), 100), 0);
    }

    #[test]
    fn a_rate_of_nothing_counts_as_one() {
        let limiter = Limiter::new(Rate { per_second: 0, burst: 0 });
        assert_eq!(admitted(&limiter, "a", at(0), 100), 1);
        assert_eq!(admitted(&limiter, "a", at(1000), 100), 1);
    }

    #[test]
    fn many_names_are_bounded_and_forgotten() {
        let limiter = Limiter::new(RATE);
        for name in 0..MAX_NAMES {
            assert_eq!(limiter.admit(&name, at(0)), Ok(()));
        }
        let refused = limiter.admit(&MAX_NAMES, at(0)).unwrap_err();
        assert_eq!(refused.retry_after, Duration::from_secs(2));
        assert_eq!(limiter.admit(&7, at(0)), Ok(()), "a name that is remembered");
        assert_eq!(limiter.admit(&MAX_NAMES, at(2000)), Ok(()));
        assert!(limiter.names.lock().unwrap().whole_at.len() < 3);
    }
}
