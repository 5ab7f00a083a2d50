//! Instants, as MIKEY states them. The engine reads no clock: every instant is passed in.

use core::time::Duration;

use crate::error::UsageError;

/// Seconds from 1900-01-01 to 1970-01-01, both at 00:00 UTC.
const UNIX_EPOCH: u64 = 2_208_988_800;

/// An instant in UTC: whole seconds since 1900-01-01T00:00:00Z and a binary fraction, in units of 2^-32 seconds.
///
/// The seconds do not wrap in 2036 as those of an NTP timestamp do; see [`Timestamp::from_ntp`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    seconds: u64,
    fraction: u32,
}

impl Timestamp {
    /// An instant from whole seconds since 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    ///
    /// [`UsageError::Time`] after the year 9999.
    pub fn from_unix(seconds: u64) -> Result<Self, UsageError> {
        const YEAR_10000: u64 = 253_402_300_800;
        if seconds >= YEAR_10000 {
            return Err(UsageError::Time);
        }
        Ok(Self { seconds: seconds + UNIX_EPOCH, fraction: 0 })
    }

    /// The present instant, from the operating system's clock.
    ///
    /// # Errors
    ///
    /// [`UsageError::Time`] if that clock stands before 1970 or after 9999.
    #[cfg(feature = "std")]
    pub fn now() -> Result<Self, UsageError> {
        let since = std::time::SystemTime::UNIX_EPOCH.elapsed().map_err(|_| UsageError::Time)?;
        let whole = Self::from_unix(since.as_secs())?;
        Ok(Self { fraction: ((u64::from(since.subsec_nanos()) << 32) / 1_000_000_000) as u32, ..whole })
    }

    /// An instant from the 64 bits of an NTP timestamp: 32 bits of seconds, 32 bits of fraction.
    ///
    /// Those seconds wrap every 136 years (next in February 2036); the era taken is the one that brings the
    /// instant nearest to `near`, the local time (RFC 5905, section 6).
    pub fn from_ntp(bits: u64, near: Self) -> Self {
        let (low, fraction) = ((bits >> 32) as u32, bits as u32);
        let ahead = low.wrapping_sub(near.seconds as u32) as i32;
        let seconds = near.seconds.checked_add_signed(ahead.into()).unwrap_or(u64::from(low));
        Self { seconds, fraction }
    }

    /// The 64 bits of the NTP timestamp, without the era.
    pub const fn to_ntp(self) -> u64 {
        (self.seconds << 32) | self.fraction as u64
    }

    /// Whole seconds since 1900-01-01T00:00:00Z: TIME in TS 33.180, F.2.1.
    pub const fn seconds_since_1900(self) -> u64 {
        self.seconds
    }

    /// Whole seconds since 1970-01-01T00:00:00Z, 0 for earlier instants.
    pub const fn to_unix(self) -> u64 {
        self.seconds.saturating_sub(UNIX_EPOCH)
    }

    pub(crate) const fn from_seconds_since_1900(seconds: u64) -> Self {
        Self { seconds, fraction: 0 }
    }

    /// This instant moved later by `duration`, rounded down to the fraction; stops at the end of time.
    pub fn saturating_add(self, duration: Duration) -> Self {
        self.ticks()
            .checked_add(ticks(duration))
            .map_or(Self { seconds: u64::MAX, fraction: u32::MAX }, Self::from_ticks)
    }

    /// This instant moved earlier by `duration`, rounded down to the fraction; stops at 1900.
    pub fn saturating_sub(self, duration: Duration) -> Self {
        Self::from_ticks(self.ticks().saturating_sub(ticks(duration)))
    }

    /// This instant moved by a number of units of 2^-32 seconds.
    pub(crate) fn offset_ticks(self, offset: i64) -> Self {
        Self::from_ticks(self.ticks().saturating_add_signed(offset.into()))
    }

    const fn ticks(self) -> u128 {
        ((self.seconds as u128) << 32) | self.fraction as u128
    }

    const fn from_ticks(ticks: u128) -> Self {
        const END: u128 = (1 << 96) - 1;
        let ticks = if ticks < END { ticks } else { END };
        Self { seconds: (ticks >> 32) as u64, fraction: ticks as u32 }
    }
}

fn ticks(duration: Duration) -> u128 {
    (u128::from(duration.as_secs()) << 32) | ((u128::from(duration.subsec_nanos()) << 32) / 1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ntp_seconds_are_read_in_the_era_nearest_to_local_time() {
        let at = |unix| Timestamp::from_unix(unix).unwrap();
        let wrap = (1u64 << 32) - UNIX_EPOCH; // 2036-02-07T06:28:16Z
        for now in [1_300_000_000, wrap - 5, wrap, wrap + 5, wrap + 2_000_000_000] {
            for sent in [now - 3_600, now, now + 3_600] {
                assert_eq!(Timestamp::from_ntp(at(sent).to_ntp(), at(now)), at(sent));
            }
        }
    }

    #[test]
    fn the_example_of_the_key_provisioning_url_is_february_2014() {
        let at = Timestamp::from_ntp(0xD6B4_3232_0000_0000, Timestamp::from_unix(1_700_000_000).unwrap());
        assert_eq!(at.to_unix(), 1_393_144_754); // 2014-02-23T08:39:14Z
    }

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let start = Timestamp { seconds: 0, fraction: 0 };
        let end = Timestamp { seconds: u64::MAX, fraction: u32::MAX };
        assert_eq!(start.saturating_sub(Duration::from_secs(1)), start);
        assert_eq!(end.saturating_add(Duration::MAX), end);
        let half = start.saturating_add(Duration::from_millis(500));
        assert_eq!(half.to_ntp(), 1 << 31);
        assert_eq!(half.offset_ticks(-1).to_ntp(), (1 << 31) - 1);
    }
}
