//! Requests that differ in nothing but their time do not have the same time.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use mikey_sakke::km::{Identifier, Subject};

/// Date/Time of the last request for each service and subject, in seconds since 1970. It counts in whole seconds, and
/// two requests with the same one would be a replay.
#[derive(Debug, Default)]
pub(super) struct Slots(Mutex<HashMap<(Identifier, Subject), Slot>>);

#[derive(Clone, Copy, Debug)]
struct Slot {
    date_time: u64,
    /// The time at which it was given out.
    given_at: u64,
}

impl Slots {
    /// The Date/Time for the next request: now, or the second after that of the last one. After `retention` seconds a
    /// server has forgotten a request, and a clock that stands back further than that has been set.
    pub(super) fn next(&self, service: &Identifier, subject: &Subject, now: u64, retention: u64) -> u64 {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = |slot: &Slot| {
            slot.date_time.saturating_add(retention) >= now && slot.given_at <= now.saturating_add(retention)
        };
        slots.retain(|_, slot| counts(slot));
        let key = (service.clone(), subject.clone());
        let after = slots.get(&key).map_or(0, |slot| slot.date_time.saturating_add(1));
        let date_time = now.max(after);
        slots.insert(key, Slot { date_time, given_at: now });
        date_time
    }

    /// Forgets all: the times were wrong.
    pub(super) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str) -> Identifier {
        Identifier::new(name).unwrap()
    }

    #[test]
    fn no_two_equal_requests_have_the_same_time() {
        let slots = Slots::default();
        let next = |now| slots.next(&service("a"), &Subject::Service, now, 11);
        assert_eq!([1_000, 1_000, 1_000, 1_001, 1_004, 1_004].map(next), [1_000, 1_001, 1_002, 1_003, 1_004, 1_005]);
        assert_eq!(next(1_003), 1_006, "a clock that was set back a little");
        assert_eq!(next(900), 900, "a clock that was set back by far");
    }

    #[test]
    fn requests_for_something_else_do_not_wait() {
        let slots = Slots::default();
        let client = Subject::Client(service("a"));
        for (name, subject) in
            [("a", Subject::Service), ("b", Subject::Service), ("a", client), ("a", Subject::Device(service("a")))]
        {
            assert_eq!(slots.next(&service(name), &subject, 1_000, 11), 1_000);
        }
    }

    #[test]
    fn a_long_queue_stays_in_order_and_old_entries_go() {
        let slots = Slots::default();
        for waiting in 0..100 {
            assert_eq!(slots.next(&service("a"), &Subject::Service, 1_000, 11), 1_000 + waiting);
        }
        assert_eq!(slots.next(&service("b"), &Subject::Service, 1_110, 11), 1_110);
        assert_eq!(slots.0.lock().unwrap().len(), 2);
        assert_eq!(slots.next(&service("b"), &Subject::Service, 1_111, 11), 1_111);
        assert_eq!(slots.0.lock().unwrap().len(), 1);
        slots.clear();
        assert!(slots.0.lock().unwrap().is_empty());
    }
}
