//! When to ask again.

use std::time::Duration;

/// How often and after how long a request is made again that the server has no time for (429) or fails at (5xx), or
/// whose connection fails, as that of a server that is killed does: another may answer in its place.
///
/// A connection that cannot be made, and an answer that does not come in time, are told at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How often a request is made at most; 0 counts as 1.
    pub attempts: u32,
    /// The longest wait before the second attempt, doubled with each further one.
    pub first: Duration,
    /// The longest wait of all. A server that asks for more by Retry-After is not asked again.
    pub longest: Duration,
}

/// Four attempts, within 7 seconds unless the server asks for more.
impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 4, first: Duration::from_secs(1), longest: Duration::from_secs(60) }
    }
}

impl Retry {
    /// How long to wait after so many attempts, at least 1: between half of the longest wait for this attempt and the
    /// whole, as `random` has it, and no less than the server asks for. None if the request is not to be made again.
    pub(super) fn wait(&self, attempts: u32, retry_after: Option<Duration>, random: u64) -> Option<Duration> {
        if attempts >= self.attempts || retry_after.is_some_and(|asked| asked > self.longest) {
            return None;
        }
        let doubled = self.first.saturating_mul(1_u32.checked_shl(attempts - 1).unwrap_or(u32::MAX));
        let half = doubled.min(self.longest) / 2;
        let wait = half + spread(half, random);
        Some(retry_after.map_or(wait, |asked| wait.max(asked)))
    }
}

/// A part of a span of time, as 64 random bits have it: from nothing up to and without the whole.
pub(super) fn spread(span: Duration, random: u64) -> Duration {
    // Below 2^64, as the span is and the random bits are a fraction of 2^64.
    let span = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
    Duration::from_nanos(((u128::from(span) * u128::from(random)) >> 64) as u64)
}

/// Retry-After in seconds (RFC 9110, section 10.2.3); as a date it is ignored.
pub(super) fn retry_after(value: &[u8]) -> Option<Duration> {
    let digits = std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|digit| digit.is_ascii_digit()))?;
    // More digits than a number holds ask for more than anybody waits.
    (!digits.is_empty()).then(|| Duration::from_secs(digits.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRY: Retry = Retry { attempts: 6, first: Duration::from_secs(1), longest: Duration::from_secs(8) };

    #[test]
    fn waits_double_up_to_the_longest() {
        let waits = |random| [1, 2, 3, 4, 5, 6].map(|attempts| RETRY.wait(attempts, None, random));
        let seconds = |seconds: [u64; 5]| {
            let mut waits = [None; 6];
            for (wait, seconds) in waits.iter_mut().zip(seconds) {
                *wait = Some(Duration::from_millis(seconds));
            }
            waits
        };
        assert_eq!(waits(0), seconds([500, 1_000, 2_000, 4_000, 4_000]));
        assert_eq!(waits(1 << 63), seconds([750, 1_500, 3_000, 6_000, 6_000]));
        let most = waits(u64::MAX);
        assert!(most.iter().flatten().zip([1, 2, 4, 8, 8]).all(|(wait, most)| *wait < Duration::from_secs(most)));
    }

    #[test]
    fn the_server_may_ask_for_more_up_to_the_longest() {
        let wait = |seconds| RETRY.wait(1, Some(Duration::from_secs(seconds)), 0);
        assert_eq!(wait(0), Some(Duration::from_millis(500)));
        assert_eq!(wait(3), Some(Duration::from_secs(3)));
        assert_eq!(wait(8), Some(Duration::from_secs(8)));
        assert_eq!(wait(9), None);
        assert_eq!(wait(u64::MAX), None);
    }

    #[test]
    fn there_is_one_attempt_at_least_and_no_overflow() {
        assert_eq!(Retry { attempts: 0, ..RETRY }.wait(1, None, 0), None);
        let endless = Retry { attempts: u32::MAX, longest: Duration::MAX, first: Duration::MAX };
        assert!([1, 32, 33, 34, 1_000_000].iter().all(|&attempts| endless.wait(attempts, None, u64::MAX).is_some()));
    }

    #[test]
    fn retry_after_is_read_in_seconds_alone() {
        for (value, seconds) in [("0", 0), ("7", 7), ("007", 7), ("99999999999999999999999", u64::MAX)] {
            assert_eq!(retry_after(value.as_bytes()), Some(Duration::from_secs(seconds)));
        }
        for value in ["", "-1", "+1", "1.5", " 1", "Fri, 31 Dec 1999 23:59:59 GMT", "\u{663}"] {
            assert_eq!(retry_after(value.as_bytes()), None, "{value}");
        }
        assert_eq!(retry_after(&[0xff]), None);
    }
}
