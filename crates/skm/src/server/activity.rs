//! What a connection does, and when it has been waited for long enough.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// Requests that a client may take back while the server works on them; with one more its connection ends. Otherwise it
/// would have more of them in the works than it may have streams (CVE-2023-44487).
const MAX_ABANDONED: u32 = 100;

/// How long a connection that is told to end may take, once nothing is in flight.
const FAREWELL: Duration = Duration::from_secs(1);

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For the first request, and for the rest of a header that has begun.
    pub(super) header: Duration,
    /// For the next request.
    pub(super) idle: Duration,
}

/// What one connection does. The time that the server takes to answer does not count.
#[derive(Debug)]
pub(super) struct Activity {
    patience: Patience,
    state: Mutex<State>,
    /// A request has ended.
    ended: Notify,
}

#[derive(Debug)]
struct State {
    in_flight: u32,
    abandoned: u32,
    awaited: Awaited,
    is_ending: bool,
}

/// What is waited for, and since when.
#[derive(Clone, Copy, Debug)]
enum Awaited {
    Header(Instant),
    Request(Instant),
}

impl Activity {
    /// A connection that begins now.
    pub(super) fn new(patience: Patience, now: Instant) -> Arc<Self> {
        let state = State { in_flight: 0, abandoned: 0, awaited: Awaited::Header(now), is_ending: false };
        Arc::new(Self { patience, state: Mutex::new(state), ended: Notify::new() })
    }

    /// A request has come in.
    pub(super) fn begin(self: &Arc<Self>) -> InFlight {
        self.lock().in_flight += 1;
        InFlight { activity: Arc::clone(self), is_answered: false }
    }

    /// Waits until a request ends, if none has since this was last waited for.
    pub(super) async fn request_ended(&self) {
        self.ended.notified().await;
    }

    /// Octets have come in, over HTTP/1: with no request in flight they begin the next one.
    pub(super) fn receive(&self, now: Instant) {
        let mut state = self.lock();
        if state.in_flight == 0 && matches!(state.awaited, Awaited::Request(_)) {
            state.awaited = Awaited::Header(now);
        }
    }

    /// The client is told that the connection ends: only what is in flight is waited for.
    pub(super) fn end_soon(&self, now: Instant) {
        let mut state = self.lock();
        state.is_ending = true;
        state.awaited = Awaited::Request(now);
    }

    /// When the connection ends unless something happens; none while a request is in flight.
    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        let state = self.lock();
        let Patience { header, idle } = match state.is_ending {
            true => Patience { header: FAREWELL, idle: FAREWELL },
            false if state.abandoned > MAX_ABANDONED => return Some(now),
            false => self.patience,
        };
        if state.in_flight > 0 {
            return None;
        }
        Some(match state.awaited {
            Awaited::Header(since) => since + header,
            Awaited::Request(since) => since + idle,
        })
    }

    fn finish(&self, is_answered: bool, now: Instant) {
        let mut state = self.lock();
        state.in_flight -= 1;
        state.abandoned += u32::from(!is_answered);
        state.awaited = Awaited::Request(now);
        drop(state);
        self.ended.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is not answered yet. If it is dropped before, the client has taken it back.
#[derive(Debug)]
pub(super) struct InFlight {
    activity: Arc<Activity>,
    is_answered: bool,
}

impl InFlight {
    /// The request is answered.
    pub(super) fn answered(mut self) {
        self.is_answered = true;
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.activity.finish(self.is_answered, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Duration = Duration::from_secs(1000);
    const IDLE: Duration = Duration::from_secs(6000);

    fn begun() -> (Arc<Activity>, Instant) {
        let now = Instant::now();
        (Activity::new(Patience { header: HEADER, idle: IDLE }, now), now)
    }

    #[test]
    fn the_first_header_is_waited_for_from_the_beginning() {
        let (activity, start) = begun();
        activity.receive(start + HEADER / 2);
        assert_eq!(activity.deadline(start), Some(start + HEADER), "what comes in does not prolong it");
    }

    #[test]
    fn a_request_in_flight_has_no_deadline() {
        let (activity, start) = begun();
        let [first, second] = [activity.begin(), activity.begin()];
        assert_eq!(activity.deadline(start), None);
        first.answered();
        assert_eq!(activity.deadline(start), None);
        second.answered();
        assert!(activity.deadline(start).is_some_and(|at| at >= start + IDLE));
    }

    #[tokio::test]
    async fn who_waits_learns_that_a_request_has_ended() {
        let (activity, _) = begun();
        let [answered, taken_back] = [activity.begin(), activity.begin()];
        answered.answered();
        activity.request_ended().await;
        drop(taken_back);
        activity.request_ended().await;
        let again = tokio::time::timeout(Duration::ZERO, activity.request_ended()).await;
        assert!(again.is_err(), "none has ended since");
    }

    #[test]
    fn a_header_that_begins_ends_the_idle_time() {
        let (activity, start) = begun();
        activity.begin().answered();
        let begin = start + IDLE / 2;
        activity.receive(begin);
        activity.receive(begin + HEADER / 2);
        assert_eq!(activity.deadline(start), Some(begin + HEADER));
    }

    #[test]
    fn an_ending_connection_is_waited_for_while_a_request_is_in_flight() {
        let (activity, start) = begun();
        let in_flight = activity.begin();
        activity.end_soon(start);
        assert_eq!(activity.deadline(start), None);
        in_flight.answered();
        assert!(activity.deadline(start).is_some_and(|at| at >= start + FAREWELL && at < start + HEADER));
        activity.end_soon(start);
        assert_eq!(activity.deadline(start), Some(start + FAREWELL));
    }

    #[test]
    fn who_takes_back_too_many_requests_is_cut_off() {
        let (activity, start) = begun();
        (0..MAX_ABANDONED).for_each(|_| drop(activity.begin()));
        assert_ne!(activity.deadline(start), Some(start));
        drop(activity.begin());
        assert_eq!(activity.deadline(start), Some(start));
        let _other = activity.begin();
        assert_eq!(activity.deadline(start), Some(start), "whatever else is in flight");
    }
}
