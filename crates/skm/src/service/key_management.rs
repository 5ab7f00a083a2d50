//! The KM route, and the same exchange as TS 29.549 has it.

use mikey_sakke::documents::{KmsKeyProv, KmsKeySet, KmsMessage, KmsRequest, KmsResponse, NewKeys};
use mikey_sakke::identity::Uri;
use mikey_sakke::km::retrieval::{KeyRecordQuery, ValKeyInfo};
use mikey_sakke::km::{Echo, Failure, Payload, Request, Response, replay_key};
use mikey_sakke::time::Timestamp;
use zeroize::Zeroizing;

use super::retrieval::{Material, Memory};
use super::session::{Refused, Session, internal};
use super::{Body, Caller, KmAnswer, Service};
use crate::domain::Asked;
use crate::interface::KM_REQUEST;
use crate::seal::random;

impl Service {
    pub(super) async fn answer_key_request(&self, caller: &Caller<'_>, body: Body<'_>) -> KmAnswer {
        let moment = self.clock.now();
        let echo = body.octets.map_or(Echo::NOTHING, Echo::of_json);
        let mut user = None;
        let result = match self.authenticate(caller, moment).await {
            Ok(mut session) => {
                user = self.policy.user_uri(session.token.as_deref(), session.channel(), &echo.subject);
                let result = self.read_for_km(&mut session, body).await;
                self.conclude(&session, result).await
            }
            Err(refused) => Err(refused),
        };
        match result {
            Ok(response) => KmAnswer { status: 200, response, retry_after: None },
            Err(refused) => self.km_failure(&refused, user, echo, moment.time),
        }
    }

    async fn read_for_km(&self, session: &mut Session<'_>, body: Body<'_>) -> Result<Response, Refused> {
        let request = Request::from_json(body.read()?).map_err(Failure::from)?;
        request.check(&self.skms_uri, session.moment.time, self.window).map_err(Failure::from)?;
        let key = replay_key(&session.token()?.replay_token(), &request);
        let memory = Memory { key, expires: self.remembered(session.moment.time) };
        self.respond(session, &request, memory).await
    }

    pub(super) async fn read_for_retrieval(
        &self,
        session: &mut Session<'_>,
        query: Option<&str>,
    ) -> Result<Zeroizing<String>, Refused> {
        let now = session.moment.time;
        let query = KeyRecordQuery::parse(query.unwrap_or_default()).map_err(Failure::from)?;
        let request = query.into_request(self.skms_uri.clone(), now).map_err(|error| internal(&error))?;
        // There is no Date/Time by which to know a request again: each is another one, and need not be remembered.
        let key = random().map_err(|error| internal(&error))?;
        let response = self.respond(session, &request, Memory { key, expires: now }).await?;
        Ok(ValKeyInfo::from_response(response).map_err(|error| internal(&error))?.to_json())
    }

    /// The KM Response with what is asked for.
    async fn respond(&self, session: &mut Session<'_>, request: &Request, memory: Memory) -> Result<Response, Refused> {
        let now = session.moment.time;
        let user = self.policy.user_uri(session.token.as_deref(), session.channel(), request.subject());
        let answer = |material| {
            let (found_for, payload) = match material {
                Material::Record(record) => (record.user_uri().clone(), record.payload().clone()),
                Material::Keys { user, key_sets } => (user.clone(), self.payload(user, key_sets, now)?),
            };
            let response = Response::success(request, user.unwrap_or(found_for), Some(payload), now);
            Ok(self.named(response.map_err(|error| internal(&error))?))
        };
        self.retrieve(session, request, Asked::Needed, memory, answer).await
    }

    /// Key sets as a Payload: a KmsResponse with KmsKeyProv, which names the KM route as what was posted to.
    fn payload(&self, user: Uri, key_sets: Vec<KmsKeySet>, now: Timestamp) -> Result<Payload, Refused> {
        let request = KmsRequest::new(user, self.kms_uri.clone(), now, KM_REQUEST.into());
        let xml = self.key_provision(&request, key_sets, now)?;
        Payload::new(&xml).map_err(|error| internal(&error))
    }

    /// The KmsResponse with key sets.
    pub(super) fn key_provision(
        &self,
        request: &KmsRequest,
        key_sets: Vec<KmsKeySet>,
        now: Timestamp,
    ) -> Result<Zeroizing<String>, Refused> {
        let message = KmsMessage::KeyProv(KmsKeyProv { key_sets, new_keys: NewKeys::default() });
        self.kms_response(request, message, now)
    }

    /// A KmsResponse.
    pub(super) fn kms_response(
        &self,
        request: &KmsRequest,
        message: KmsMessage,
        now: Timestamp,
    ) -> Result<Zeroizing<String>, Refused> {
        let kms_id = self.skms_id.as_ref().map(ToString::to_string);
        let response = KmsResponse { kms_id, message: Some(message), ..KmsResponse::to(request, now) };
        response.to_xml().map_err(|error| internal(&error))
    }

    /// The answer to a KM Request that is refused.
    pub(super) fn km_failure(&self, refused: &Refused, user: Option<Uri>, echo: Echo, now: Timestamp) -> KmAnswer {
        let failure = refused.failure;
        let failed = |user, echo| Response::failure(self.skms_uri.clone(), user, echo, failure.error_code(), now);
        let response = failed(user.unwrap_or_else(|| self.nobody.clone()), echo)
            .or_else(|_| failed(self.nobody.clone(), Echo::NOTHING))
            .unwrap_or_else(|_| unreachable!("such an answer was made when the service was opened"));
        KmAnswer { status: failure.http_status(), response: self.named(response), retry_after: refused.retry_after }
    }

    /// The response with the name of this server.
    fn named(&self, response: Response) -> Response {
        match &self.skms_id {
            Some(skms_id) => response.with_skms_id(skms_id.clone()),
            None => response,
        }
    }
}
