//! From a request to an answer that is accepted, with all attempts between.

use std::sync::PoisonError;
use std::time::Duration;

use mikey_sakke::documents::{KmsCertCache, KmsRequest, MAX_OCTETS};
use mikey_sakke::identity::Uri;
use mikey_sakke::km::domain::{Domain, MAX_DOMAIN_OCTETS};
use mikey_sakke::km::retrieval::{KeyRecordQuery, ValKeyInfo};
use mikey_sakke::km::{self, Identifier, MAX_RESPONSE_OCTETS, Payload, Request, Subject};
use mikey_sakke::time::Timestamp;

use super::answer::{self, Fault};
use super::transport::{Answer, JSON, XML};
use super::{Client, ClientError, NetworkError};
use crate::interface::{CERTCACHE, DOMAIN, KEY_RECORDS, KM_REQUEST};

const TOO_MANY_REQUESTS: u16 = 429;

/// A request that was granted.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) request: Request,
    pub(super) payload: Option<Payload>,
}

/// How far the server's clock is ahead of the local one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Offset {
    ahead: Duration,
    behind: Duration,
}

impl Offset {
    /// The server's time at this local time.
    pub(super) fn apply(self, local: Timestamp) -> Timestamp {
        local.saturating_add(self.ahead).saturating_sub(self.behind)
    }

    /// That of a server whose time was this between two local times, taken to be halfway.
    fn measured(server_time: Timestamp, sent: Timestamp, received: Timestamp) -> Self {
        let halfway = sent.saturating_add(since(received, sent) / 2);
        Self { ahead: since(server_time, halfway), behind: since(halfway, server_time) }
    }
}

/// From one instant to a later one, nothing if it is not later. Fractions of a nanosecond are left out.
pub(super) fn since(later: Timestamp, earlier: Timestamp) -> Duration {
    let parts = |at: Timestamp| {
        let nanos = (u64::from(at.to_ntp() as u32) * 1_000_000_000) >> 32;
        Duration::from_secs(at.seconds_since_1900()) + Duration::from_nanos(nanos)
    };
    parts(later).saturating_sub(parts(earlier))
}

impl Client {
    /// Makes a KM Request. A refusal because of its time is met once, by adopting the server's.
    pub(super) async fn request(&self, service: &Identifier, subject: &Subject) -> Result<Accepted, ClientError> {
        let (mut attempts, mut may_correct) = (0, true);
        loop {
            let request = self.new_request(service, subject).await?;
            let sent = self.local_time()?;
            let answer = self.transport.post(KM_REQUEST, JSON, request.to_json(), MAX_RESPONSE_OCTETS).await;
            let received = self.local_time()?;
            if self.waits_to_retry(&mut attempts, &answer).await? {
                continue;
            }
            match answer::payload(&answer?, &request, self.offset().apply(received), self.window) {
                Ok(payload) => return Ok(Accepted { request, payload }),
                Err(Fault { server_time: Some(server_time), .. }) if may_correct => {
                    may_correct = false;
                    self.correct(Offset::measured(server_time, sent, received));
                }
                Err(fault) => return Err(fault.error),
            }
        }
    }

    /// Asks for the description of the domain.
    pub(super) async fn fetch_domain(&self) -> Result<Domain, ClientError> {
        answer::domain(&self.get(DOMAIN, None, MAX_DOMAIN_OCTETS).await?)
    }

    /// Asks for the certificates of other domains.
    pub(super) async fn fetch_certificates(
        &self,
        user: &Uri,
        kms: &Uri,
        known: Option<u64>,
    ) -> Result<KmsCertCache, ClientError> {
        let mut attempts = 0;
        let path = known.map_or_else(|| CERTCACHE.to_owned(), |number| format!("{CERTCACHE}/{number}"));
        loop {
            let url = self.transport.url(&path, None).to_string();
            let request = KmsRequest::new(user.clone(), kms.clone(), self.now()?, url);
            let body = request.to_xml()?.to_string();
            let answer = self.transport.post(&path, XML, body, MAX_OCTETS).await;
            if !self.waits_to_retry(&mut attempts, &answer).await? {
                return answer::certificates(&answer?, &request, self.now()?, self.window);
            }
        }
    }

    /// Asks for key information by the REST API.
    pub(super) async fn retrieve(&self, query: &KeyRecordQuery) -> Result<ValKeyInfo, ClientError> {
        let answer = self.get(KEY_RECORDS, Some(&query.to_query()), MAX_RESPONSE_OCTETS).await?;
        answer::key_info(&answer, query)
    }

    async fn get(&self, path: &str, query: Option<&str>, limit: usize) -> Result<Answer, ClientError> {
        let mut attempts = 0;
        loop {
            let answer = self.transport.get(path, query, limit).await;
            if !self.waits_to_retry(&mut attempts, &answer).await? {
                return answer;
            }
        }
    }

    /// Whether the request is to be made again, after having waited for that.
    async fn waits_to_retry(
        &self,
        attempts: &mut u32,
        answer: &Result<Answer, ClientError>,
    ) -> Result<bool, ClientError> {
        let retry_after = match answer {
            Ok(answer) if matches!(answer.status, TOO_MANY_REQUESTS | 500..600) => answer.retry_after,
            Err(ClientError::Network(NetworkError::Interrupted(_))) => None,
            _ => return Ok(false),
        };
        *attempts += 1;
        let Some(wait) = self.retry.wait(*attempts, retry_after, self.environment.random()?) else {
            return Ok(false);
        };
        self.environment.sleep(wait).await;
        Ok(true)
    }

    /// Date/Time for a request, once it has come.
    pub(super) async fn slot(&self, service: &Identifier, subject: &Subject) -> Result<Timestamp, ClientError> {
        let now = self.now()?;
        let retention = km::replay_retention(self.window).as_secs();
        let slot = Timestamp::from_unix(self.slots.next(service, subject, now.to_unix(), retention))?;
        if slot > now {
            self.environment.sleep(since(slot, now)).await;
        }
        Ok(slot)
    }

    pub(super) fn offset(&self) -> Offset {
        *self.offset.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn correct(&self, offset: Offset) {
        *self.offset.lock().unwrap_or_else(PoisonError::into_inner) = offset;
        self.slots.clear();
    }

    pub(super) fn local_time(&self) -> Result<Timestamp, ClientError> {
        self.environment.now().map_err(ClientError::Clock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix(seconds).unwrap()
    }

    #[test]
    fn an_offset_leads_from_local_time_to_the_servers() {
        for server in [0, 900, 1_001, 1_500, 4_000_000_000] {
            let offset = Offset::measured(at(server), at(1_000), at(1_002));
            assert_eq!(offset.apply(at(1_001)), at(server));
            assert_eq!(offset.apply(at(1_011)), at(server + 10));
        }
    }

    #[test]
    fn spans_of_time_count_fractions() {
        let half = at(7).saturating_add(Duration::from_millis(500));
        assert_eq!(since(at(8), half), Duration::from_millis(500));
        assert_eq!(since(half, at(7)), Duration::from_millis(500));
        assert_eq!(since(at(7), half), Duration::ZERO);
    }
}
