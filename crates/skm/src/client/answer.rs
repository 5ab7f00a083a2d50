//! What to make of an answer.

use std::time::Duration;

use mikey_sakke::documents::{KmsCertCache, KmsMessage, KmsRequest, KmsResponse, Tolerances};
use mikey_sakke::km::domain::Domain;
use mikey_sakke::km::retrieval::{KeyRecordQuery, ValKeyInfo, ValTargetUe};
use mikey_sakke::km::{ErrorCode, Payload, Request, Response, ResponseError};
use mikey_sakke::time::Timestamp;

use super::transport::Answer;
use super::{AnswerError, ClientError, Refused};

const OK: u16 = 200;
const BAD_REQUEST: u16 = 400;

/// Why an answer does not give what was asked for.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) error: ClientError,
    /// The server's time, if the request was refused with another time than that.
    pub(super) server_time: Option<Timestamp>,
}

impl<E: Into<ClientError>> From<E> for Fault {
    fn from(error: E) -> Self {
        Self { error: error.into(), server_time: None }
    }
}

/// The key material of a KM Response, with all checks.
pub(super) fn payload(
    answer: &Answer,
    request: &Request,
    now: Timestamp,
    window: Duration,
) -> Result<Option<Payload>, Fault> {
    let &Answer { status, retry_after, .. } = answer;
    let response = Response::from_json(&answer.body).map_err(|error| match status {
        OK => AnswerError::from(error),
        _ => AnswerError::Status(status),
    })?;
    let code = response.error_code();
    let is_consistent = match code {
        None => status == OK,
        code => code == ErrorCode::from_http_status(status),
    };
    if !is_consistent {
        return Err(AnswerError::Inconsistent { status, code }.into());
    }
    let is_off = |server_time: Timestamp| {
        Duration::from_secs(server_time.to_unix().abs_diff(request.date_time().to_unix())) > window
    };
    response.accept(request, now, window).map_err(|error| match error {
        ResponseError::Failed(code) => Refused { status, code, retry_after }.into(),
        ResponseError::Stale { server_time, error_code: Some(code) } => Fault {
            error: Refused { status, code, retry_after }.into(),
            server_time: (status == BAD_REQUEST && is_off(server_time)).then_some(server_time),
        },
        error => AnswerError::from(error).into(),
    })
}

/// The description of a domain.
pub(super) fn domain(answer: &Answer) -> Result<Domain, ClientError> {
    check_status(answer)?;
    Ok(Domain::from_json(&answer.body).map_err(AnswerError::from)?)
}

/// The certificates of other domains.
pub(super) fn certificates(
    answer: &Answer,
    request: &KmsRequest,
    now: Timestamp,
    window: Duration,
) -> Result<KmsCertCache, ClientError> {
    check_status(answer)?;
    let response = KmsResponse::from_xml(&answer.body, Tolerances::default()).map_err(AnswerError::from)?;
    response.check(request, now, window).map_err(AnswerError::CertCache)?;
    match (response.message, response.error) {
        (Some(KmsMessage::CertCache(cache)), None) => Ok(cache),
        _ => Err(AnswerError::NoCertCache.into()),
    }
}

/// The key information of the REST API, for what was asked.
pub(super) fn key_info(answer: &Answer, query: &KeyRecordQuery) -> Result<ValKeyInfo, ClientError> {
    check_status(answer)?;
    let info = ValKeyInfo::from_json(&answer.body).map_err(AnswerError::from)?;
    let is_other_user = match &info.val_tgt_ue {
        Some(ValTargetUe::ValUserId(user)) => *user != info.user_uri,
        _ => false,
    };
    let error = match () {
        () if info.val_service != query.val_service_id => ResponseError::ServiceId,
        () if info.val_tgt_ue != query.val_tgt_ue => ResponseError::Subject,
        () if is_other_user => ResponseError::UserUri,
        () => return Ok(info),
    };
    Err(AnswerError::from(error).into())
}

/// The REST API says by its status alone whether a request failed.
fn check_status(answer: &Answer) -> Result<(), ClientError> {
    let &Answer { status, retry_after, .. } = answer;
    match ErrorCode::from_http_status(status) {
        _ if status == OK => Ok(()),
        Some(code) => Err(Refused { status, code, retry_after }.into()),
        None => Err(AnswerError::Status(status).into()),
    }
}
