//! Certificates of other domains that end, which is said in time.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use mikey_sakke::identity::Uri;
use mikey_sakke::time::Timestamp;

use super::{Moment, Service};
use crate::domain::{EXPIRY_WARNING, Externals};

/// How often the certificates are looked at.
const LOOK: Duration = Duration::from_secs(60);

/// How often the same is logged.
const REPEAT: Duration = Duration::from_secs(86_400);

/// When the certificates were looked at, and what was found and logged.
#[derive(Debug, Default)]
pub(super) struct Expiry(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    looked: Option<Instant>,
    ends: BTreeMap<Uri, Timestamp>,
    logged: BTreeMap<Uri, Instant>,
}

impl Seen {
    /// The KMSs to log, whose certificates end soon or have ended: each once a day.
    fn due(&mut self, now: Moment) -> Vec<(Uri, Timestamp)> {
        let soon = now.time.saturating_add(EXPIRY_WARNING);
        let ending: BTreeMap<_, _> = self.ends.iter().filter(|(_, end)| **end <= soon).collect();
        self.logged
            .retain(|kms, since| ending.contains_key(kms) && now.instant.saturating_duration_since(*since) < REPEAT);
        let due: Vec<_> = ending
            .into_iter()
            .filter(|(kms, _)| !self.logged.contains_key(kms))
            .map(|(kms, end)| (kms.clone(), *end))
            .collect();
        self.logged.extend(due.iter().map(|(kms, _)| (kms.clone(), now.instant)));
        due
    }
}

impl Service {
    /// Counts when the certificates of other domains end, and logs daily those that do so within 30 days. To be called
    /// every few seconds.
    pub async fn watch_certificates(&self) {
        let now = self.clock.now();
        {
            let mut seen = self.expiry.0.lock().unwrap_or_else(PoisonError::into_inner);
            if seen.looked.is_some_and(|looked| now.instant.saturating_duration_since(looked) < LOOK) {
                return;
            }
            seen.looked = Some(now.instant);
        }
        let ends = match Externals::load(&self.store).await {
            Ok(externals) => externals.ends(),
            Err(error) => return tracing::error!(%error, "cannot read the certificates of other domains"),
        };
        let mut seen = self.expiry.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut seen.ends, ends);
        for kms in before.keys().filter(|kms| !seen.ends.contains_key(*kms)) {
            self.metrics.certificates_removed(kms);
        }
        for (kms, end) in &seen.ends {
            self.metrics.certificates_end(kms, *end);
        }
        for (kms, end) in seen.due(now) {
            let days = end.to_unix().saturating_sub(now.time.to_unix()) / 86_400;
            tracing::warn!(%kms, days, "the certificates of another domain end: get new ones");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_soon_is_logged_once_a_day() {
        let (start, day) = (Instant::now(), Duration::from_secs(86_400));
        let at = |days: u32| Moment {
            time: Timestamp::from_unix(1_795_000_000).unwrap().saturating_add(days * day),
            instant: start + days * day,
        };
        let kms = |text: &str| Uri::parse(text).unwrap();
        let mut seen = Seen::default();
        seen.ends.insert(kms("kms.example.net"), at(31).time);
        seen.ends.insert(kms("kms.example.com"), at(60).time);
        assert_eq!(seen.due(at(0)), []);
        assert_eq!(seen.due(at(1)), [(kms("kms.example.net"), at(31).time)]);
        let hour = Moment { instant: at(1).instant + day / 24, ..at(1) };
        assert_eq!(seen.due(hour), []);
        assert_eq!(seen.due(at(2)).len(), 1);
        assert_eq!(seen.due(at(31)).len(), 2, "it has ended, and the other ends soon");
        seen.ends.remove(&kms("kms.example.net"));
        assert_eq!(seen.due(at(31)), []);
        seen.ends.insert(kms("kms.example.net"), at(31).time);
        assert_eq!(seen.due(at(31)).len(), 1, "it was removed and taken in again");
    }
}
