//! Which key periods keys are given out for.

use std::time::Duration;

use mikey_sakke::error::UsageError;
use mikey_sakke::identity::{KeyPeriod, UidFormat};
use mikey_sakke::time::Timestamp;

use crate::policy::Right;

/// For how long keys are given out before and after their period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lead {
    /// How long before its beginning.
    pub next: Duration,
    /// How many periods back, to the user alone.
    pub past_periods: u64,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// What the user needs now: the keys of the present period, and of the next one once they are given out.
    Needed,
    /// The keys of the period of an instant.
    At(Timestamp),
}

/// Why there are no keys for a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReleased {
    /// There are none yet, or not any more.
    #[error("there are no keys for this period")]
    NotNow,
    /// There are some, for the user alone.
    #[error("the keys of a past period are for the user alone")]
    Past,
}

/// The number of the key period to give keys out for, at a time and by a right, and that of one more to add to them.
///
/// # Errors
///
/// [`NotReleased`].
pub fn released(
    format: UidFormat,
    at: Timestamp,
    lead: Lead,
    asked: Asked,
    right: Right,
) -> Result<(u64, Option<u64>), NotReleased> {
    let number = |at| number_at(format, at).map_err(|_| NotReleased::NotNow);
    let present = number(at)?;
    let has_next = is_in_lead(format, at, present, lead.next).map_err(|_| NotReleased::NotNow)?;
    let next = present + 1;
    match asked {
        Asked::Needed => Ok((present, has_next.then_some(next))),
        Asked::At(asked) => match number(asked)? {
            asked if asked == present || (asked == next && has_next) => Ok((asked, None)),
            asked if asked < present && present - asked <= lead.past_periods => match right {
                Right::Own => Ok((asked, None)),
                Right::Delegate => Err(NotReleased::Past),
            },
            _ => Err(NotReleased::NotNow),
        },
    }
}

fn number_at(format: UidFormat, at: Timestamp) -> Result<u64, UsageError> {
    match format.period_at(at)? {
        KeyPeriod::Number(number) => Ok(number),
        KeyPeriod::Month { .. } => Err(UsageError::UidFormat),
    }
}

/// Whether the next period begins within the lead time.
fn is_in_lead(format: UidFormat, at: Timestamp, present: u64, lead: Duration) -> Result<bool, UsageError> {
    let (_, end) = format.span(KeyPeriod::Number(present))?;
    Ok(at.saturating_add(lead) >= end)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: u64 = 2_592_000;
    const LEAD: Lead = Lead { next: Duration::from_secs(172_800), past_periods: 1 };

    fn format() -> UidFormat {
        UidFormat::hashed(PERIOD, 0).unwrap()
    }

    /// So many seconds after the beginning of period 1531.
    fn at(seconds: i64) -> Timestamp {
        let (start, _) = format().span(KeyPeriod::Number(1531)).unwrap();
        Timestamp::from_unix(start.to_unix().checked_add_signed(seconds).unwrap()).unwrap()
    }

    fn needed(seconds: i64) -> (u64, Option<u64>) {
        released(format(), at(seconds), LEAD, Asked::Needed, Right::Own).unwrap()
    }

    #[test]
    fn the_present_period_comes_first_and_the_next_within_the_lead_time() {
        let end = PERIOD.cast_signed();
        assert_eq!(needed(0), (1531, None));
        assert_eq!(needed(end - 172_801), (1531, None));
        assert_eq!(needed(end - 172_800), (1531, Some(1532)));
        assert_eq!(needed(end - 1), (1531, Some(1532)));
        assert_eq!(needed(end), (1532, None));
    }

    #[test]
    fn a_period_is_asked_for_by_any_of_its_instants() {
        let end = PERIOD.cast_signed();
        let ask = |now, asked, right| released(format(), at(now), LEAD, Asked::At(at(asked)), right);
        assert_eq!(ask(10, 0, Right::Own), Ok((1531, None)));
        assert_eq!(ask(10, end - 1, Right::Delegate), Ok((1531, None)));
        assert_eq!(ask(10, end, Right::Own), Err(NotReleased::NotNow), "before the lead time");
        assert_eq!(ask(end - 172_800, end, Right::Delegate), Ok((1532, None)));
        assert_eq!(ask(end - 1, 2 * end, Right::Own), Err(NotReleased::NotNow), "the one after the next");
    }

    #[test]
    fn past_periods_are_for_the_user_alone_and_not_for_ever() {
        let past = -PERIOD.cast_signed();
        let ask = |asked, right| released(format(), at(10), LEAD, Asked::At(at(asked)), right);
        assert_eq!(ask(-1, Right::Own), Ok((1530, None)));
        assert_eq!(ask(past, Right::Own), Ok((1530, None)));
        assert_eq!(ask(-1, Right::Delegate), Err(NotReleased::Past));
        assert_eq!(ask(past - 1, Right::Own), Err(NotReleased::NotNow));
        assert_eq!(ask(past - 1, Right::Delegate), Err(NotReleased::NotNow));
        let none = Lead { past_periods: 0, ..LEAD };
        let ask = released(format(), at(10), none, Asked::At(at(-1)), Right::Own);
        assert_eq!(ask, Err(NotReleased::NotNow));
    }

    #[test]
    fn there_is_no_period_before_the_first() {
        let late = UidFormat::hashed(PERIOD, PERIOD - 1).unwrap();
        let before = at(0).saturating_sub(Duration::MAX);
        assert_eq!(released(late, before, LEAD, Asked::Needed, Right::Own), Err(NotReleased::NotNow));
    }
}
