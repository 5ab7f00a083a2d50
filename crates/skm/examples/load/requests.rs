//! Requests, each of which is another one than all others.
//!
//! A server refuses a request that it has answered: the same token, service and subject in the same second. So there
//! are many of them, and none comes twice in a second.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::anyhow;
use axum::http::HeaderValue;
use mikey_sakke::km::{Identifier, Kind as SubjectKind, Request, Subject};
use mikey_sakke::time::Timestamp;
use skm::trial::Claims;

use crate::Kind;
use crate::site::{DEVICES, SERVICES, Site, device, service, user};

/// Users who ask for identity keys.
const USERS: u64 = 16_384;

/// How long the tokens are valid.
const TOKEN_SECONDS: u64 = 3600;

/// How long to wait before it is looked whether the next second has begun.
const PAUSE: Duration = Duration::from_millis(5);

/// A supply of requests.
pub(crate) struct Requests {
    site: Arc<Site>,
    kind: Kind,
    tokens: Vec<HeaderValue>,
    services: Vec<Identifier>,
    /// How many there are in a second.
    different: u64,
    next: Mutex<Next>,
}

#[derive(Default)]
struct Next {
    number: u64,
    second: u64,
    sent: u64,
}

impl Requests {
    /// With a token for each device or user, or with so many of them that each request has its own.
    pub(crate) fn new(site: Arc<Site>, kind: Kind, fresh: Option<u64>) -> anyhow::Result<Self> {
        let subjects = match kind {
            Kind::Record => DEVICES,
            Kind::Identity => USERS,
        };
        let services = match kind {
            Kind::Record => (0..SERVICES).map(|number| Identifier::new(&service(number))).collect::<Result<_, _>>()?,
            Kind::Identity => vec![site.config.domain.identity_service_id.clone()],
        };
        let now = Timestamp::now()?;
        let token = |number: u64| {
            let number = number % subjects;
            let claims = Claims {
                subject: device(number),
                client_id: "load".into(),
                scope: site.config.auth.scope_km.clone(),
                user: (kind == Kind::Identity).then(|| user(number)),
                services: Vec::new(),
            };
            let token = site.tokens.token(&site.config.auth, &claims, now, TOKEN_SECONDS)?;
            anyhow::Ok(HeaderValue::try_from(format!("Bearer {token}"))?)
        };
        let tokens = (0..fresh.unwrap_or(subjects)).map(token).collect::<Result<_, _>>()?;
        let different = if fresh.is_some() { u64::MAX } else { subjects * services.len() as u64 };
        Ok(Self { site, kind, tokens, services, different, next: Mutex::default() })
    }

    /// The next one, with its token. It waits if there are no more in this second.
    pub(crate) async fn next(&self) -> anyhow::Result<(Request, HeaderValue)> {
        loop {
            let now = Timestamp::now()?;
            if let Some(number) = self.draw(now.to_unix()) {
                return self.request(number, now);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn draw(&self, second: u64) -> Option<u64> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if next.second != second {
            (next.second, next.sent) = (second, 0);
        }
        if next.sent == self.different {
            return None;
        }
        next.sent += 1;
        next.number += 1;
        Some(next.number - 1)
    }

    fn request(&self, number: u64, now: Timestamp) -> anyhow::Result<(Request, HeaderValue)> {
        let place = |number: u64, places: usize| usize::try_from(number % places as u64).unwrap_or_default();
        let token = &self.tokens[place(number, self.tokens.len())];
        let (subject, service) = match self.kind {
            Kind::Record => (Subject::new(SubjectKind::Device, &device(number % DEVICES))?, number / DEVICES),
            Kind::Identity => (Subject::new(SubjectKind::User, &user(number % USERS))?, 0),
        };
        let service = self.services[place(service, self.services.len())].clone();
        let request = Request::new(self.site.config.domain.skms_uri.clone(), service, subject, now);
        Ok((request.map_err(|error| anyhow!("no request: {error}"))?, token.clone()))
    }
}
