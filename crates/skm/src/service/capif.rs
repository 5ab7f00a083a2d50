//! API invokers, who come with what a CAPIF core function has given to them (3GPP TS 33.122, 6.5.2).

use super::session::{Refused, Session, Tokens};
use super::{Caller, Moment, Point, Service};
use crate::config::{Auth, Capif};
use crate::token::{KeySource, SourceError, Verifier, bearer};

/// How the tokens of the core function are checked, if they are taken.
pub(super) fn tokens(capif: &Capif, auth: &Auth) -> Result<Option<Tokens>, SourceError> {
    let Some((settings, location)) = capif.tokens(auth) else { return Ok(None) };
    Ok(Some(Tokens { verifier: Verifier::of_capif(settings), keys: KeySource::new(&location)? }))
}

impl Service {
    /// Checks who asks for key material by the API of TS 29.549: on KM-S an API invoker by its certificate alone, if
    /// there is a row for that, or by a token of the core function; anybody else as on the other routes.
    pub(super) async fn authenticate_invoker<'a>(
        &self,
        caller: &'a Caller<'a>,
        moment: Moment,
    ) -> Result<Session<'a>, Refused> {
        if caller.point == Point::KmS {
            if caller.authorization.is_none() && self.policy.needs_no_token(caller.channel()) {
                return self.admit(caller, moment, Ok(None));
            }
            let token = caller.authorization.and_then(|value| bearer(value).ok());
            if let (Some(tokens), Some(token)) = (&self.capif_tokens, token)
                && tokens.verifier.is_asked(token)
            {
                let verified = tokens.verify(caller, moment).await;
                return self.admit(caller, moment, verified.map(Some));
            }
        }
        self.authenticate(caller, moment).await
    }
}
