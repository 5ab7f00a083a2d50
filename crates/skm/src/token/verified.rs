//! Tokens that were found valid a moment ago.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mikey_sakke::time::Timestamp;
use sha2::{Digest as _, Sha256};

use super::KeySet;

/// How long a token is taken as valid without another look.
const MAX_AGE: Duration = Duration::from_secs(60);

/// The tokens that are remembered at a time; the oldest go first.
const MAX_TOKENS: usize = 8192;

/// By what a token is known again: its SHA-256, and that of the certificate of who presents it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    token: [u8; 32],
    certificate: Option<[u8; 32]>,
}

impl Key {
    pub(super) fn new(token: &str, certificate: Option<&[u8; 32]>) -> Self {
        Self { token: Sha256::digest(token).into(), certificate: certificate.copied() }
    }
}

struct Entry<T> {
    token: Arc<T>,
    since: Instant,
    expires: Timestamp,
}

/// Tokens that one set of keys has verified.
pub(super) struct Verified<T> {
    keys: Option<Arc<KeySet>>,
    entries: HashMap<Key, Entry<T>>,
    /// Every entry once, the oldest first.
    order: VecDeque<Key>,
}

impl<T> Default for Verified<T> {
    fn default() -> Self {
        Self { keys: None, entries: HashMap::new(), order: VecDeque::new() }
    }
}

/// How many, and not by what to look them up.
impl<T> fmt::Debug for Verified<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified").field("tokens", &self.entries.len()).finish_non_exhaustive()
    }
}

impl<T> Verified<T> {
    /// The token, if these keys verified it less than a minute ago and it has not expired.
    pub(super) fn get(&self, keys: &Arc<KeySet>, key: &Key, now: (Timestamp, Instant)) -> Option<Arc<T>> {
        let entry = self.entries.get(key).filter(|_| self.is_of(keys))?;
        let is_current = !entry.is_old(now.1) && now.0 < entry.expires;
        is_current.then(|| Arc::clone(&entry.token))
    }

    /// Remembers a token that these keys verified. With other keys than before, all that was remembered is forgotten.
    pub(super) fn insert(
        &mut self,
        keys: &Arc<KeySet>,
        key: Key,
        token: &Arc<T>,
        expires: Timestamp,
        now: (Timestamp, Instant),
    ) {
        if !self.is_of(keys) {
            *self = Self { keys: Some(Arc::clone(keys)), ..Self::default() };
        }
        while let Some(oldest) = self.order.front()
            && (self.order.len() >= MAX_TOKENS || self.entries.get(oldest).is_none_or(|entry| entry.is_old(now.1)))
        {
            self.entries.remove(oldest);
            self.order.pop_front();
        }
        // Within the leeway after its end a token is looked at each time.
        if now.0 < expires && !self.entries.contains_key(&key) {
            self.entries.insert(key, Entry { token: Arc::clone(token), since: now.1, expires });
            self.order.push_back(key);
        }
    }

    fn is_of(&self, keys: &Arc<KeySet>) -> bool {
        self.keys.as_ref().is_some_and(|own| Arc::ptr_eq(own, keys))
    }
}

impl<T> Entry<T> {
    fn is_old(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= MAX_AGE
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    /// The first key of RFC 7517, appendix A.1.
    const KEYS: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"1",
        "x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}"#;

    const EXPIRES: u64 = 1_795_000_600;

    struct Trial {
        keys: Arc<KeySet>,
        start: Instant,
        verified: Verified<usize>,
    }

    impl Trial {
        fn new() -> Self {
            Self { keys: keys(), start: Instant::now(), verified: Verified::default() }
        }

        /// So many seconds after the start, at which the token has twenty minutes.
        fn at(&self, seconds: u64) -> (Timestamp, Instant) {
            (time(EXPIRES - 1200 + seconds), self.start + Duration::from_secs(seconds))
        }

        fn insert(&mut self, token: &str, number: usize, seconds: u64) {
            let now = self.at(seconds);
            self.verified.insert(&self.keys, Key::new(token, None), &Arc::new(number), time(EXPIRES), now);
        }

        fn get(&self, token: &str, seconds: u64) -> Option<usize> {
            self.verified.get(&self.keys, &Key::new(token, None), self.at(seconds)).map(|number| *number)
        }
    }

    fn keys() -> Arc<KeySet> {
        Arc::new(KeySet::from_json(KEYS.as_bytes()).unwrap())
    }

    fn time(seconds: u64) -> Timestamp {
        Timestamp::from_unix(seconds).unwrap()
    }

    #[test]
    fn a_token_is_remembered_for_a_minute() {
        let mut trial = Trial::new();
        trial.insert("a", 1, 0);
        assert_eq!((trial.get("a", 0), trial.get("a", 59)), (Some(1), Some(1)));
        assert_eq!(trial.get("a", 60), None);
        trial.insert("a", 2, 60);
        assert_eq!((trial.get("a", 119), trial.get("a", 120)), (Some(2), None));
        assert_eq!((trial.verified.entries.len(), trial.verified.order.len()), (1, 1));
    }

    #[test]
    fn asking_does_not_make_it_younger() {
        let mut trial = Trial::new();
        trial.insert("a", 1, 0);
        trial.insert("a", 2, 40);
        assert_eq!((trial.get("a", 59), trial.get("a", 60)), (Some(1), None));
    }

    #[test]
    fn a_token_is_not_remembered_beyond_its_end() {
        let mut trial = Trial::new();
        trial.insert("a", 1, 1199 - 30);
        assert_eq!((trial.get("a", 1199), trial.get("a", 1200)), (Some(1), None));
        trial.insert("b", 1, 1200);
        assert_eq!((trial.get("b", 1200), trial.verified.entries.len()), (None, 1));
    }

    #[test]
    fn another_token_or_certificate_is_another() {
        let mut trial = Trial::new();
        let now = trial.at(0);
        let with = Key::new("a", Some(&[7; 32]));
        trial.verified.insert(&trial.keys, with, &Arc::new(1), time(EXPIRES), now);
        let get = |certificate| trial.verified.get(&trial.keys, &Key::new("a", certificate), now).is_some();
        assert!(get(Some(&[7; 32])));
        assert!(!get(Some(&[8; 32])) && !get(None));
        assert_eq!(trial.get("b", 0), None);
    }

    #[test]
    fn with_other_keys_all_is_forgotten() {
        let mut trial = Trial::new();
        trial.insert("a", 1, 0);
        let old = std::mem::replace(&mut trial.keys, keys());
        assert_eq!(trial.get("a", 0), None);
        trial.insert("b", 2, 0);
        trial.keys = old;
        assert_eq!((trial.get("a", 0), trial.get("b", 0)), (None, None));
        assert_eq!(trial.verified.entries.len(), 1);
    }

    #[test]
    fn only_so_many_are_remembered() {
        let mut trial = Trial::new();
        for number in 0..=MAX_TOKENS {
            trial.insert(&number.to_string(), number, 0);
        }
        assert_eq!((trial.verified.entries.len(), trial.verified.order.len()), (MAX_TOKENS, MAX_TOKENS));
        assert_eq!((trial.get("0", 0), trial.get("1", 0)), (None, Some(1)));
        assert_eq!(trial.get(&MAX_TOKENS.to_string(), 0), Some(MAX_TOKENS));
        trial.insert("next", 1, 60);
        assert_eq!((trial.verified.entries.len(), trial.verified.order.len()), (1, 1), "what is old goes");
    }
}
