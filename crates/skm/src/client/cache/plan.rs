//! When the keys of the next key period are fetched.

use std::time::Duration;

use getrandom::rand_core::TryRng;
use mikey_sakke::identity::KeyPeriod;
use mikey_sakke::km::domain::Domain;
use mikey_sakke::time::Timestamp;

use crate::client::ClientError;
use crate::client::exchange::since;
use crate::client::retry::spread;

/// Two attempts are at least this far apart.
const MIN_INTERVAL: Duration = Duration::from_secs(60);

/// The plan for a key period: a random moment before its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    period: KeyPeriod,
    moment: Timestamp,
    end: Timestamp,
}

impl Plan {
    /// Draws a moment of the lead time, in its first seven eighths, so that there is time for further attempts.
    pub(super) fn draw<R: TryRng + ?Sized>(
        domain: &Domain,
        lead: Duration,
        now: Timestamp,
        rng: &mut R,
    ) -> Result<Self, ClientError> {
        let period = domain.uid_format().period_at(now).map_err(ClientError::Clock)?;
        let (start, end) = domain.uid_format().span(period).map_err(ClientError::Clock)?;
        let from = end.saturating_sub(lead).max(start);
        let moment = from.saturating_add(spread(since(end, from) / 8 * 7, random(rng)?));
        Ok(Self { period, moment, end })
    }

    /// The plan at this time: the same in the same key period, else another.
    pub(super) fn at<R: TryRng + ?Sized>(
        self,
        domain: &Domain,
        lead: Duration,
        now: Timestamp,
        rng: &mut R,
    ) -> Result<Self, ClientError> {
        let period = domain.uid_format().period_at(now).map_err(ClientError::Clock)?;
        let is_same = period == self.period && domain.uid_format().span(period).map(|(_, end)| end) == Ok(self.end);
        if is_same { Ok(self) } else { Self::draw(domain, lead, now, rng) }
    }

    /// The key period that it is for, the one before that of the keys.
    pub(super) const fn period(&self) -> KeyPeriod {
        self.period
    }

    /// Whether to fetch now. Then another moment of the first half of what is left is drawn, for the case that it
    /// fails.
    pub(super) fn begin<R: TryRng + ?Sized>(&mut self, now: Timestamp, rng: &mut R) -> Result<bool, ClientError> {
        if now < self.moment {
            return Ok(false);
        }
        let wait = spread(since(self.end, now) / 2, random(rng)?).max(MIN_INTERVAL);
        self.moment = now.saturating_add(wait);
        Ok(true)
    }

    /// When something is to be done next: the moment, or if there are the keys already, the end of the period.
    pub(super) fn wake(&self, has_next: bool) -> Timestamp {
        if has_next { self.end } else { self.moment.min(self.end) }
    }
}

fn random<R: TryRng + ?Sized>(rng: &mut R) -> Result<u64, ClientError> {
    rng.try_next_u64().map_err(|_| ClientError::Random)
}
