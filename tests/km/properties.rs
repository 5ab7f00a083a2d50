//! What holds for all values.

use mikey_sakke::km::record::Record;
use mikey_sakke::km::retrieval::{KeyRecordQuery, ProblemDetails, ValKeyInfo, ValTargetUe};
use mikey_sakke::km::{
    DEFAULT_WINDOW, Echo, ErrorCode, Identifier, MAX_TEXT_OCTETS, Payload, Request, Response, Subject,
};
use mikey_sakke::kms::Validity;
use proptest::prelude::*;

use crate::common::{alice, at, id, now, server, uri};

fn identifier() -> impl Strategy<Value = Identifier> {
    let plain = |text: &String| !text.chars().any(char::is_control) && (1..=MAX_TEXT_OCTETS).contains(&text.len());
    any::<String>().prop_filter("fits", plain).prop_map(|text| id(&text))
}

fn subject() -> impl Strategy<Value = Subject> {
    prop_oneof![
        Just(Subject::Service),
        identifier().prop_map(Subject::Client),
        identifier().prop_map(Subject::Device),
        "sip:[a-zA-Z0-9._~-]{1,20}@[a-z0-9.-]{1,20}".prop_map(|text| Subject::User(uri(&text))),
    ]
}

fn request() -> impl Strategy<Value = Request> {
    (identifier(), subject(), 0..253_402_300_800u64)
        .prop_map(|(service, subject, seconds)| Request::new(server(), service, subject, at(seconds)).unwrap())
}

proptest! {
    #[test]
    fn what_is_written_is_read(request in request(), text: String, name in identifier(), code in 0..4usize) {
        let json = request.to_json();
        prop_assert_eq!(Request::from_json(json.as_bytes()), Ok(request.clone()));
        prop_assert_eq!(Echo::of_json(json.as_bytes()), Echo::from(&request));
        prop_assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok());

        let user = match request.subject() {
            Subject::User(user) => user.clone(),
            _ => alice(),
        };
        let payload = Payload::new(&text).unwrap();
        let success = Response::success(&request, user.clone(), Some(payload.clone()), request.date_time()).unwrap();
        let success = success.with_skms_id(name);
        let read = Response::from_json(success.to_json().as_bytes()).unwrap();
        prop_assert_eq!(&read, &success);
        prop_assert_eq!(read.accept(&request, request.date_time(), DEFAULT_WINDOW), Ok(Some(payload.clone())));
        let failure = Response::failure(server(), alice(), (&request).into(), ErrorCode::ALL[code], now()).unwrap();
        prop_assert_eq!(Response::from_json(failure.to_json().as_bytes()), Ok(failure));

        let record = Record::new(user, payload, Validity { from: Some(request.date_time()), to: None }).unwrap();
        prop_assert_eq!(Record::from_json(record.to_json().as_bytes()), Ok(record));
        let problem = ProblemDetails { status: Some(404), title: Some(text), detail: None, cause: None };
        prop_assert_eq!(ProblemDetails::from_json(problem.to_json().as_bytes()), Ok(problem));

        if let Ok(query) = KeyRecordQuery::from_request(&request) {
            prop_assert_eq!(KeyRecordQuery::parse(&query.to_query()), Ok(query.clone()));
            prop_assert_eq!(query.into_request(server(), request.date_time()), Ok(request));
            let info = ValKeyInfo::from_response(success.clone()).unwrap();
            prop_assert_eq!(info.val_tgt_ue.clone(), ValTargetUe::from_subject(&success.echo().subject).unwrap());
            prop_assert_eq!(ValKeyInfo::from_json(info.to_json().as_bytes()), Ok(info));
        }
    }

    /// A body means to this crate what it means to serde_json, wherever both read it.
    #[test]
    fn texts_are_read_as_serde_json_reads_them(text in "\\PC{0,40}|(\\\\[ubnrt\"/\\\\]|[0-9a-fdD8]|é){0,30}") {
        let body = format!("{{\"title\":\"{text}\"}}");
        let theirs = serde_json::from_str::<serde_json::Value>(&body).ok();
        let theirs = theirs.as_ref().and_then(|value| value["title"].as_str());
        let ours = ProblemDetails::from_json(body.as_bytes()).ok().and_then(|problem| problem.title);
        prop_assert_eq!(ours.as_deref(), theirs);
    }

    #[test]
    fn octets_at_random_are_refused_and_do_no_harm(octets: Vec<u8>, text: String) {
        prop_assert!(Request::from_json(&octets).is_err() && Response::from_json(&octets).is_err());
        let _ = KeyRecordQuery::parse(&text);
        let _ = ErrorCode::from_digits(&text);
    }
}
