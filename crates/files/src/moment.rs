//! Instants, as people write and read them.

use std::fmt;
use std::str::FromStr;

use mikey_sakke::time::Timestamp;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// An instant, written as in RFC 3339 (`2026-11-21T08:30:00Z`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(pub Timestamp);

impl Moment {
    /// The instant given, or else the present one.
    ///
    /// # Errors
    ///
    /// The clock stands before 1970 or after 9999.
    pub fn or_now(given: Option<Self>) -> anyhow::Result<Timestamp> {
        match given {
            Some(moment) => Ok(moment.0),
            None => Ok(Timestamp::now()?),
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let instant = OffsetDateTime::parse(text, &Rfc3339);
        let seconds = instant.ok().and_then(|instant| u64::try_from(instant.unix_timestamp()).ok());
        let timestamp = seconds.and_then(|seconds| Timestamp::from_unix(seconds).ok());
        timestamp.map(Self).ok_or_else(|| "write the time as 2026-11-21T08:30:00Z, from 1970 on".to_owned())
    }
}

/// To the second, in UTC.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = i64::try_from(self.0.to_unix()).unwrap_or(i64::MAX);
        match OffsetDateTime::from_unix_timestamp(seconds).ok().and_then(|instant| instant.format(&Rfc3339).ok()) {
            Some(text) => f.write_str(&text),
            None => write!(f, "{seconds} s after 1970"),
        }
    }
}
