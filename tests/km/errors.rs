//! ErrorCode, HTTP status, and the conditions that lead to them.

use mikey_sakke::km::retrieval::ProblemDetails;
use mikey_sakke::km::{BodyError, ErrorCode, Failure, RequestError};

#[test]
fn the_error_codes_have_their_digits_and_statuses() {
    let table: [(&str, ErrorCode, &[u16]); 4] = [
        ("01", ErrorCode::Unspecified, &[500]),
        ("02", ErrorCode::NotAvailable, &[404]),
        ("03", ErrorCode::Rejected, &[401, 429]),
        ("04", ErrorCode::NotValidated, &[400, 403, 413, 415]),
    ];
    for (digits, code, statuses) in table {
        assert_eq!((code.as_str(), code.to_string().as_str()), (digits, digits));
        assert_eq!(ErrorCode::from_digits(digits), Some(code));
        assert_eq!(code.http_statuses(), statuses);
        for status in statuses {
            assert_eq!(ErrorCode::from_http_status(*status), Some(code));
        }
    }
}

#[test]
fn reserved_codes_are_read_as_unspecified_and_others_not_at_all() {
    for code in 5..=0xff {
        for digits in [format!("{code:02x}"), format!("{code:02X}")] {
            assert_eq!(ErrorCode::from_digits(&digits), Some(ErrorCode::Unspecified), "{digits}");
        }
    }
    for text in ["", "00", "0", "1", "001", "0x1", "+1", "-1", " 1", "1 ", "01 ", "0g", "é", "０１", "0\u{661}"] {
        assert_eq!(ErrorCode::from_digits(text), None, "{text}");
    }
}

#[test]
fn statuses_without_a_code_are_unspecified_errors_or_none() {
    for status in [402, 405, 406, 412, 418, 431, 499, 501, 503, 599] {
        assert_eq!(ErrorCode::from_http_status(status), Some(ErrorCode::Unspecified), "{status}");
    }
    for status in [0, 100, 200, 204, 307, 308, 399, 600, 4_000, u16::MAX] {
        assert_eq!(ErrorCode::from_http_status(status), None, "{status}");
    }
}

#[test]
fn every_condition_has_its_code_and_status() {
    let malformed = |error| Failure::Request(RequestError::Body(error));
    let table = [
        (Failure::OverLimit, 429, "03"),
        (Failure::Token, 401, "03"),
        (malformed(BodyError::TooLong), 413, "04"),
        (Failure::ContentType, 415, "04"),
        (malformed(BodyError::Json), 400, "04"),
        (malformed(BodyError::Missing("ServiceID")), 400, "04"),
        (malformed(BodyError::Duplicate), 400, "04"),
        (Failure::Request(RequestError::Version), 400, "04"),
        (Failure::Request(RequestError::Identifiers), 400, "04"),
        (Failure::Request(RequestError::OtherServer), 400, "04"),
        (Failure::Request(RequestError::Stale), 400, "04"),
        (Failure::NotPermitted, 403, "04"),
        (Failure::Replay, 403, "04"),
        (Failure::NoRecord, 404, "02"),
        (Failure::Internal, 500, "01"),
    ];
    for (failure, status, code) in table {
        assert_eq!((failure.http_status(), failure.error_code().as_str()), (status, code), "{failure}");
        let problem = ProblemDetails::from(failure);
        assert_eq!((problem.status, problem.error_code()), (Some(status), Some(failure.error_code())));
        assert_eq!(ProblemDetails::from_json(problem.to_json().as_bytes()), Ok(problem));
    }
}

#[test]
fn problem_details_have_no_member_that_is_required() {
    let read = |json: &str| ProblemDetails::from_json(json.as_bytes());
    assert_eq!(read("{}"), Ok(ProblemDetails::default()));
    assert_eq!(read(r#"{"status":404,"invalidParams":[],"type":"about:blank"}"#).unwrap().status, Some(404));
    for (json, error) in [
        ("", BodyError::Json),
        ("null", BodyError::Json),
        (r#"{"status":99}"#, BodyError::Integer("status")),
        (r#"{"status":600}"#, BodyError::Integer("status")),
        (r#"{"status":65936}"#, BodyError::Integer("status")),
        (r#"{"status":"404"}"#, BodyError::Integer("status")),
        (r#"{"status":404,"status":200}"#, BodyError::Duplicate),
        (r#"{"title":1}"#, BodyError::Text("title")),
    ] {
        assert_eq!(read(json), Err(error), "{json}");
    }
}
