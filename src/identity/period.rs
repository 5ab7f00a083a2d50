//! Key periods: which one an instant falls in, when one begins and ends, and how long its keys are accepted.

use core::fmt;
use core::time::Duration;

use ::time::{Date, Month, OffsetDateTime, UtcOffset};

use super::{Uid, Uri};
use crate::error::UsageError;
use crate::time::Timestamp;

const DAY: u64 = 86_400;

/// How a key management server forms UIDs, and by it the key periods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UidFormat {
    /// RFC 6509, section 3.2: `tel` URIs with calendar months in UTC. Identifier scheme 1 of the SAKKE payload.
    Monthly,
    /// 3GPP TS 33.180, F.2.1: hashed UIDs. Identifier scheme 2, the one of SEAL. See [`UidFormat::hashed`].
    Hashed {
        /// The length of a key period in seconds, at least 1.
        period: u64,
        /// Seconds from 1900-01-01T00:00:00Z to the start of period 0, less than the length of a period.
        offset: u64,
    },
}

impl UidFormat {
    /// Hashed UIDs with key periods of this many seconds, where period 0 began `offset` seconds after
    /// 1900-01-01T00:00:00Z. Usual are 2,592,000 (30 days) and 0.
    ///
    /// # Errors
    ///
    /// [`UsageError::UidFormat`] if the period is 0 or the offset not below it.
    pub const fn hashed(period: u64, offset: u64) -> Result<Self, UsageError> {
        let format = Self::Hashed { period, offset };
        if format.is_valid() { Ok(format) } else { Err(UsageError::UidFormat) }
    }

    pub(crate) const fn is_valid(self) -> bool {
        match self {
            Self::Monthly => true,
            Self::Hashed { period, offset } => offset < period,
        }
    }

    /// The key period that an instant falls in.
    ///
    /// # Errors
    ///
    /// [`UsageError::Time`] for an instant before period 0 or after the year 9999.
    pub fn period_at(self, at: Timestamp) -> Result<KeyPeriod, UsageError> {
        match self {
            Self::Monthly => {
                let seconds = i64::try_from(at.to_unix()).map_err(|_| UsageError::Time)?;
                let date = OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| UsageError::Time)?;
                let year = u16::try_from(date.year()).map_err(|_| UsageError::Time)?;
                Ok(KeyPeriod::Month { year, month: date.month().into() })
            }
            Self::Hashed { period, offset } => {
                let since = at.seconds_since_1900().checked_sub(offset).ok_or(UsageError::Time)?;
                since.checked_div(period).map(KeyPeriod::Number).ok_or(UsageError::UidFormat)
            }
        }
    }

    /// The first instant of a key period, and the first after it.
    ///
    /// # Errors
    ///
    /// [`UsageError::UidFormat`] if the period is not of this format; [`UsageError::Time`] if an end cannot be
    /// expressed.
    pub fn span(self, key_period: KeyPeriod) -> Result<(Timestamp, Timestamp), UsageError> {
        match (self, key_period) {
            (Self::Monthly, KeyPeriod::Month { year, month }) => {
                let next = if month == 12 { (year.saturating_add(1), 1) } else { (year, month.saturating_add(1)) };
                Ok((start_of_month(year, month)?, start_of_month(next.0, next.1)?))
            }
            (Self::Hashed { period, offset }, KeyPeriod::Number(number)) => {
                let start = number.checked_mul(period).and_then(|since| since.checked_add(offset));
                let end = start.and_then(|start| start.checked_add(period));
                let (start, end) = start.zip(end).ok_or(UsageError::Time)?;
                Ok((Timestamp::from_seconds_since_1900(start), Timestamp::from_seconds_since_1900(end)))
            }
            _ => Err(UsageError::UidFormat),
        }
    }

    /// The UID of a user under a KMS in a key period.
    ///
    /// # Errors
    ///
    /// [`UsageError::UidFormat`] if the URI or the period is not of this format.
    pub fn uid(self, user: &Uri, kms: &Uri, key_period: KeyPeriod) -> Result<Uid, UsageError> {
        match (self, key_period) {
            (Self::Monthly, KeyPeriod::Month { year, month }) => Uid::monthly(user, year, month),
            (Self::Hashed { period, offset }, KeyPeriod::Number(number)) => {
                Uid::hashed(user, kms, period, offset, number)
            }
            _ => Err(UsageError::UidFormat),
        }
    }

    /// Whether keys of a key period may be used at an instant, under the rules of [`Overlap`].
    pub fn accepts(self, key_period: KeyPeriod, at: Timestamp, overlap: Overlap) -> bool {
        self.span(key_period).is_ok_and(|(start, end)| {
            start.saturating_sub(overlap.early) <= at && at < end.saturating_add(overlap.late)
        })
    }

    /// The overlap that the standards recommend.
    ///
    /// Months: the new key from the second-to-last day of the month before, the old key on the first two days of the
    /// month after (RFC 6509, section 3.2). Hashed UIDs: the new key two days early as well, the old key for one
    /// period more, so that the current and the previous period are accepted.
    pub const fn overlap(self) -> Overlap {
        let two_days = Duration::from_secs(2 * DAY);
        match self {
            Self::Monthly => Overlap { early: two_days, late: two_days },
            Self::Hashed { period, .. } => Overlap { early: two_days, late: Duration::from_secs(period) },
        }
    }
}

/// For how long keys are accepted outside their key period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// How long before the start of the period.
    pub early: Duration,
    /// How long after its end.
    pub late: Duration,
}

/// A key period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyPeriod {
    /// A calendar month in UTC.
    Month {
        /// The year, at most 9999.
        year: u16,
        /// The month, 1 to 12.
        month: u8,
    },
    /// The number of the period, counted from 1900.
    Number(u64),
}

/// `YYYY-MM` or the number.
impl fmt::Display for KeyPeriod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Month { year, month } => write!(f, "{year:04}-{month:02}"),
            Self::Number(number) => number.fmt(f),
        }
    }
}

impl core::str::FromStr for KeyPeriod {
    type Err = UsageError;

    fn from_str(text: &str) -> Result<Self, UsageError> {
        let digits = |text: &str, count| text.len() == count && text.bytes().all(|digit| digit.is_ascii_digit());
        let period = match text.split_once('-') {
            Some((year, month)) if digits(year, 4) && digits(month, 2) => {
                let month = month.parse().ok().filter(|month| (1..=12).contains(month));
                year.parse().ok().zip(month).map(|(year, month)| Self::Month { year, month })
            }
            None if digits(text, text.len()) => text.parse().ok().map(Self::Number),
            _ => None,
        };
        period.ok_or(UsageError::KeyPeriod)
    }
}

fn start_of_month(year: u16, month: u8) -> Result<Timestamp, UsageError> {
    let month = Month::try_from(month).map_err(|_| UsageError::UidFormat)?;
    let first = Date::from_calendar_date(year.into(), month, 1).map_err(|_| UsageError::Time)?;
    let seconds = first.midnight().assume_offset(UtcOffset::UTC).unix_timestamp();
    u64::try_from(seconds).map_err(|_| UsageError::Time).and_then(Timestamp::from_unix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(unix: u64) -> Timestamp {
        Timestamp::from_unix(unix).unwrap()
    }

    const HASHED: UidFormat = UidFormat::Hashed { period: 2_592_000, offset: 0 };

    #[test]
    fn months_begin_and_end_at_midnight_utc() {
        let leap = UidFormat::Monthly.period_at(at(1_709_164_800)).unwrap(); // 2024-02-29T00:00:00Z
        assert_eq!(leap, KeyPeriod::Month { year: 2024, month: 2 });
        let march = at(1_709_251_200); // 2024-03-01T00:00:00Z
        assert_eq!(UidFormat::Monthly.span(leap), Ok((at(1_706_745_600), march)));
        assert_eq!(UidFormat::Monthly.period_at(march), Ok(KeyPeriod::Month { year: 2024, month: 3 }));
        let december = KeyPeriod::Month { year: 2026, month: 12 };
        assert_eq!(UidFormat::Monthly.span(december).unwrap().1.to_unix(), 1_798_761_600); // 2027-01-01
        let end_of_time = KeyPeriod::Month { year: u16::MAX, month: 12 };
        assert_eq!(UidFormat::Monthly.span(end_of_time), Err(UsageError::Time));
        let no_month = KeyPeriod::Month { year: 2026, month: u8::MAX };
        assert_eq!(UidFormat::Monthly.span(no_month), Err(UsageError::UidFormat));
    }

    #[test]
    fn a_new_month_is_taken_from_the_second_to_last_day_and_an_old_one_for_two_days() {
        let march = KeyPeriod::Month { year: 2024, month: 3 };
        let (start, end) = UidFormat::Monthly.span(march).unwrap();
        let accepts = |instant| UidFormat::Monthly.accepts(march, instant, UidFormat::Monthly.overlap());
        let days = |days| Duration::from_secs(days * DAY);
        assert!(!accepts(start.saturating_sub(days(2)).offset_ticks(-1)));
        assert!(accepts(start.saturating_sub(days(2)))); // 2024-02-28, of 29 days
        assert!(accepts(end.saturating_add(days(2)).offset_ticks(-1)));
        assert!(!accepts(end.saturating_add(days(2)))); // 2024-04-03
    }

    #[test]
    fn hashed_periods_count_from_the_offset() {
        let format = UidFormat::hashed(100, 30).unwrap();
        let instant = |seconds| Timestamp::from_seconds_since_1900(seconds);
        assert_eq!(format.period_at(instant(29)), Err(UsageError::Time));
        assert_eq!(format.period_at(instant(30)), Ok(KeyPeriod::Number(0)));
        assert_eq!(format.period_at(instant(129)), Ok(KeyPeriod::Number(0)));
        assert_eq!(format.period_at(instant(130)), Ok(KeyPeriod::Number(1)));
        assert_eq!(format.span(KeyPeriod::Number(1)), Ok((instant(130), instant(230))));
        assert_eq!(format.span(KeyPeriod::Number(u64::MAX)), Err(UsageError::Time));
        assert!(UidFormat::hashed(0, 0).is_err() && UidFormat::hashed(100, 100).is_err());
    }

    #[test]
    fn of_hashed_periods_the_current_and_the_previous_are_accepted() {
        let now = HASHED.span(KeyPeriod::Number(1_500)).unwrap().0.saturating_add(Duration::from_secs(5 * DAY));
        let accepted = |number| HASHED.accepts(KeyPeriod::Number(number), now, HASHED.overlap());
        assert_eq!([1_498, 1_499, 1_500, 1_501].map(accepted), [false, true, true, false]);
    }

    #[test]
    fn a_format_refuses_the_periods_and_uris_of_the_other() {
        let [tel, sip, kms] =
            ["tel:+447700900123", "sip:user@example.org", "kms.example.org"].map(|uri| Uri::parse(uri).unwrap());
        let month = KeyPeriod::Month { year: 2026, month: 11 };
        assert!(UidFormat::Monthly.uid(&tel, &kms, month).is_ok());
        assert_eq!(UidFormat::Monthly.uid(&sip, &kms, month), Err(UsageError::UidFormat));
        assert_eq!(UidFormat::Monthly.uid(&tel, &kms, KeyPeriod::Number(1)), Err(UsageError::UidFormat));
        assert_eq!(HASHED.uid(&sip, &kms, month), Err(UsageError::UidFormat));
        assert!(!HASHED.accepts(month, at(0), HASHED.overlap()));
    }

    #[test]
    fn key_periods_print_as_they_are_read() {
        for text in ["2026-11", "0099-01", "0", "1531"] {
            assert_eq!(text.parse::<KeyPeriod>().unwrap().to_string(), text);
        }
        for text in ["", "2026-13", "2026-00", "26-1", "-1", "2026-1", "2026-+1", "+1", "x"] {
            assert_eq!(text.parse::<KeyPeriod>(), Err(UsageError::KeyPeriod), "{text}");
        }
    }
}
