//! Who sends a request, and what becomes of it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use mikey_sakke::identity::Uri;
use mikey_sakke::km::{Failure, Identifier, Subject};

use super::{Caller, Moment, Problem, Service};
use crate::audit::{Action, Event, Outcome};
use crate::domain::LoadError;
use crate::limits::OverLimit;
use crate::policy::{self, Channel, Standing};
use crate::store::StoreError;
use crate::tls::{ClientCertificate, San, network};
use crate::token::{AccessToken, KeySource, TokenError, Verifier, bearer};

/// Who is limited: the certificate, and subject and client of the token. That there are two issuers where there is
/// CAPIF does not matter, as a certificate goes with their tokens.
pub(super) type Principal = (Option<San>, Option<(Identifier, Identifier)>);

/// How the tokens of an issuer are checked.
#[derive(Debug)]
pub(super) struct Tokens {
    pub(super) verifier: Verifier,
    pub(super) keys: KeySource,
}

/// A request of somebody who is known.
#[derive(Debug)]
pub(super) struct Session<'a> {
    pub(super) caller: &'a Caller<'a>,
    /// The token, which is valid; none where CAPIF does without one.
    pub(super) token: Option<Arc<AccessToken>>,
    pub(super) moment: Moment,
    /// What the audit log says if the request ends here.
    pub(super) trace: Trace,
}

/// What a request is, as far as it was understood.
#[derive(Clone, Debug)]
pub(super) struct Trace {
    pub(super) action: Action,
    pub(super) target: String,
    pub(super) period: Option<u64>,
    /// The audit log has it already.
    pub(super) is_logged: bool,
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) failure: Failure,
    /// When to come again, in seconds.
    pub(super) retry_after: Option<u64>,
    /// What the routes say that answer with a problem, if it is not that of the failure.
    pub(super) problem: Option<Box<Problem>>,
}

impl Refused {
    /// The same with other words.
    pub(super) fn because(self, detail: &str) -> Self {
        let problem = Problem { detail: detail.to_owned(), ..self.failure.into() };
        Self { problem: Some(Box::new(problem)), ..self }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let problem = refused.problem.map_or_else(|| refused.failure.into(), |problem| *problem);
        Self { retry_after: refused.retry_after, ..problem }
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self { failure, retry_after: None, problem: None }
    }
}

impl From<OverLimit> for Refused {
    fn from(over: OverLimit) -> Self {
        Self { failure: Failure::OverLimit, retry_after: Some(over.retry_after_seconds()), problem: None }
    }
}

impl From<policy::Refusal> for Refused {
    fn from(refusal: policy::Refusal) -> Self {
        tracing::debug!(%refusal, "not permitted");
        Failure::from(refusal).into()
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        internal(&error)
    }
}

impl From<LoadError> for Refused {
    fn from(error: LoadError) -> Self {
        internal(&error)
    }
}

/// A failure of the server, of which the client learns nothing more.
pub(super) fn internal(error: &dyn std::error::Error) -> Refused {
    tracing::error!(%error, "a request failed");
    Failure::Internal.into()
}

impl Tokens {
    /// Checks the token of a request.
    pub(super) async fn verify(&self, caller: &Caller<'_>, moment: Moment) -> Result<Arc<AccessToken>, TokenError> {
        let token = caller.authorization.ok_or(TokenError::Missing).and_then(bearer)?;
        let thumbprint = caller.peer.certificate.as_ref().map(ClientCertificate::thumbprint);
        self.keys.verify(&self.verifier, token, thumbprint, (moment.time, moment.instant)).await
    }

    /// Fetches the keys of the issuer, where it is due.
    pub(super) async fn refresh(&self, now: Instant) {
        if let Err(error) = self.keys.refresh(now).await {
            tracing::warn!(%error, "the keys of the token issuer are not current");
        }
    }
}

impl<'a> Session<'a> {
    /// The token, for those who are not served without.
    pub(super) fn token(&self) -> Result<&AccessToken, Failure> {
        self.token.as_deref().ok_or(Failure::Token)
    }

    pub(super) const fn channel(&self) -> Channel<'a> {
        self.caller.channel()
    }

    /// The entry for the audit log.
    pub(super) fn event(&self, outcome: Outcome) -> Event {
        let Trace { action, target, period, .. } = self.trace.clone();
        Event {
            time: self.moment.time,
            principal: policy::principal(self.token.as_deref(), self.channel()).to_owned(),
            action,
            target,
            period,
            outcome,
            request_id: self.caller.request_id.to_owned(),
        }
    }
}

impl Service {
    /// Checks the token, and then how often its principal has come.
    ///
    /// Tokens that are not valid count against the address that they come from; it is limited in what it is answered,
    /// and not in what is looked at, so that others behind the same address go on.
    pub(super) async fn authenticate<'a>(
        &self,
        caller: &'a Caller<'a>,
        moment: Moment,
    ) -> Result<Session<'a>, Refused> {
        let verified = self.tokens.verify(caller, moment).await;
        self.admit(caller, moment, verified.map(Some))
    }

    /// Takes in who was found to send a request, unless there are too many of it.
    pub(super) fn admit<'a>(
        &self,
        caller: &'a Caller<'a>,
        moment: Moment,
        verified: Result<Option<Arc<AccessToken>>, TokenError>,
    ) -> Result<Session<'a>, Refused> {
        let since_start = moment.instant.saturating_duration_since(self.start);
        let token = match verified {
            Ok(token) => token,
            Err(error) => {
                tracing::info!(%error, request_id = caller.request_id, "the token is not valid");
                self.strangers.admit(&address(caller), since_start)?;
                return Err(Failure::Token.into());
            }
        };
        let san = caller.peer.certificate.as_ref().map(|certificate| certificate.san().clone());
        let of_token = token.as_ref().map(|token| (token.subject().clone(), token.client_id().clone()));
        self.principals.admit(&(san, of_token), since_start)?;
        let trace = Trace { action: Action::Request, target: String::new(), period: None, is_logged: false };
        Ok(Session { caller, token, moment, trace })
    }

    /// Logs that a request was refused, unless it is logged, or there are too many.
    pub(super) async fn conclude<T>(&self, session: &Session<'_>, result: Result<T, Refused>) -> Result<T, Refused> {
        let outcome = match &result {
            Ok(_) => return result,
            Err(Refused { failure: Failure::OverLimit, .. }) => return result,
            Err(Refused { failure: Failure::Internal, .. }) => Outcome::Failed,
            Err(_) => Outcome::Refused,
        };
        if session.trace.is_logged {
            return result;
        }
        self.store.log(&session.event(outcome)).await?;
        result
    }

    /// What the store says about a request, and whom its answer is for.
    pub(super) async fn standing(&self, session: &Session<'_>, subject: &Subject) -> Result<Standing, Refused> {
        let delegate = match subject {
            Subject::User(user) if self.escrow => self.is_delegate(session, user).await?,
            _ => false,
        };
        Ok(Standing { blocked: self.is_blocked(session, subject).await?, delegate })
    }

    pub(super) async fn is_blocked(&self, session: &Session<'_>, subject: &Subject) -> Result<bool, Refused> {
        for uri in self.policy.concerned(session.token.as_deref(), session.channel(), subject) {
            if self.store.is_blocked(&uri).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn is_delegate(&self, session: &Session<'_>, user: &Uri) -> Result<bool, Refused> {
        let Some(delegate) = policy::delegate(session.token.as_deref(), session.channel()) else { return Ok(false) };
        Ok(self.store.is_delegate(delegate, user, session.moment.time).await?)
    }
}

fn address(caller: &Caller<'_>) -> IpAddr {
    network(caller.peer.address.ip())
}
