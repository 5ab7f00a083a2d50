//! Times as the documents write them: `YYYY-MM-DDTHH:MM:SS` with or without a zone.

use alloc::format;
use alloc::string::String;

use ::time::{Date, Month, OffsetDateTime};

use crate::error::UsageError;
use crate::time::Timestamp;

/// From the start of 1900 to that of 1970, in seconds.
const UNIX_EPOCH: i64 = 2_208_988_800;

/// Reads an instant of the years 1900 to 9999. Without a zone it is in UTC; a fraction of a second is dropped.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_once('T')?;
    let zone = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(zone);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    if fraction.is_empty() || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    let date = Date::from_calendar_date(year.into(), month, u8::try_from(day).ok()?).ok()?;
    let date_time = date.with_hms(hour.try_into().ok()?, minute.try_into().ok()?, second.try_into().ok()?).ok()?;
    let seconds = date_time.assume_utc().unix_timestamp() - offset(zone)?;
    let instant = Timestamp::from_seconds_since_1900(u64::try_from(seconds.checked_add(UNIX_EPOCH)?).ok()?);
    // An offset may lead out of the years that can be written.
    write(instant).ok().map(|_| instant)
}

/// Seconds that local time is ahead of UTC.
fn offset(zone: &str) -> Option<i64> {
    let sign = match zone.chars().next() {
        None => return Some(0),
        Some('Z') => return (zone.len() == 1).then_some(0),
        Some('+') => 1,
        Some(_) => -1,
    };
    let [hours, minutes] = numbers(zone.get(1..)?, ':', [2, 2])?;
    let ahead = i64::from(hours) * 60 + i64::from(minutes);
    (minutes < 60 && ahead <= 14 * 60).then_some(sign * ahead * 60)
}

/// Numbers of so many digits each, with a separator between them.
fn numbers<const N: usize>(text: &str, separator: char, digits: [usize; N]) -> Option<[u16; N]> {
    let mut numbers = [0; N];
    let mut parts = text.split(separator);
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part = parts.next()?;
        if part.len() != digits || !part.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

/// Writes an instant of the years 1900 to 9999 in UTC. A fraction of a second is dropped.
///
/// # Errors
///
/// [`UsageError::Time`] for any other year.
pub(super) fn write(at: Timestamp) -> Result<String, UsageError> {
    let seconds = i64::try_from(at.seconds_since_1900()).map_err(|_| UsageError::Time)?;
    let at = OffsetDateTime::from_unix_timestamp(seconds - UNIX_EPOCH).map_err(|_| UsageError::Time)?;
    let (year, month, day) = at.to_calendar_date();
    if year > 9999 {
        return Err(UsageError::Time);
    }
    let (hour, minute, second) = at.to_hms();
    let month = u8::from(month);
    Ok(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_zone() {
        // The provisioning time that the standard gives as D6B4323200000000.
        for text in [
            "2014-02-23T08:39:14Z",
            "2014-02-23T08:39:14",
            "2014-02-23T08:39:14.999999999",
            "2014-02-23T17:39:14+09:00",
            "2014-02-22T22:39:14.5-10:00",
        ] {
            let instant = parse(text).unwrap();
            assert_eq!(instant.to_ntp(), 0xD6B4_3232_0000_0000, "{text}");
            assert_eq!(write(instant).unwrap(), "2014-02-23T08:39:14Z");
        }
        assert_eq!(parse("1900-01-01T00:00:00Z").unwrap().seconds_since_1900(), 0);
        assert_eq!(write(parse("9999-12-31T23:59:59Z").unwrap()).unwrap(), "9999-12-31T23:59:59Z");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2014-02-23",
            "2014-02-23 08:39:14",
            "2014-02-23t08:39:14z",
            "2014-02-23T08:39",
            "2014-02-23T08:39:14ZZ",
            "2014-02-23T08:39:14.Z",
            "2014-02-23T08:39:14.5x",
            "2014-02-23T08:39:60Z",
            "2014-02-23T24:00:00Z",
            "2014-02-30T08:39:14Z",
            "2014-13-23T08:39:14Z",
            "2014-2-23T08:39:14Z",
            "-2014-02-23T08:39:14Z",
            "12014-02-23T08:39:14Z",
            "2014-02-23T08:39:14+9:00",
            "2014-02-23T08:39:14+15:00",
            "2014-02-23T08:39:14+14:01",
            "2014-02-23T08:39:14+01:60",
            "2014-02-23T08:39:14+",
            "2014-02-23T08:39:14é",
            "1899-12-31T23:59:59Z",
            "1900-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "２０１４-02-23T08:39:14Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
