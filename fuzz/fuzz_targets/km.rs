//! KM messages: a body of a kind chosen by the first octet; what is read is written so that it is read again alike.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mikey_sakke::identity::Uri;
use mikey_sakke::km::domain::Domain;
use mikey_sakke::km::exchange::{Announcement, Expected};
use mikey_sakke::km::record::Record;
use mikey_sakke::km::retrieval::{KeyRecordQuery, ProblemDetails, ValKeyInfo};
use mikey_sakke::km::{DEFAULT_WINDOW, Echo, Request, Response};
use mikey_sakke::time::Timestamp;

fuzz_target!(|octets: &[u8]| {
    let Some((kind, body)) = octets.split_first() else { return };
    match kind {
        0 => match Request::from_json(body) {
            Ok(request) => {
                assert_eq!(Request::from_json(request.to_json().as_bytes()), Ok(request.clone()));
                assert_eq!(Echo::of_json(body), Echo::from(&request));
                assert_eq!(request.check(request.skms_uri(), request.date_time(), DEFAULT_WINDOW), Ok(()));
                if let Ok(query) = KeyRecordQuery::from_request(&request) {
                    assert_eq!(KeyRecordQuery::parse(&query.to_query()), Ok(query));
                }
            }
            Err(error) => {
                assert!(matches!(error.http_status(), 400 | 413));
                let _ = Echo::of_json(body);
            }
        },
        1 => {
            if let Ok(response) = Response::from_json(body) {
                assert_eq!(Response::from_json(response.to_json().as_bytes()), Ok(response));
            }
        }
        2 => {
            if let Ok(record) = Record::from_json(body) {
                assert_eq!(Record::from_json(record.to_json().as_bytes()).as_ref(), Ok(&record));
            }
        }
        3 => {
            if let Some(query) = core::str::from_utf8(body).ok().and_then(|query| KeyRecordQuery::parse(query).ok()) {
                assert_eq!(KeyRecordQuery::parse(&query.to_query()), Ok(query));
            }
        }
        4 => {
            if let Ok(info) = ValKeyInfo::from_json(body) {
                assert_eq!(ValKeyInfo::from_json(info.to_json().as_bytes()), Ok(info));
            }
        }
        5 => {
            if let Ok(problem) = ProblemDetails::from_json(body) {
                assert_eq!(ProblemDetails::from_json(problem.to_json().as_bytes()), Ok(problem));
            }
        }
        6 => {
            if let Ok(domain) = Domain::from_json(body) {
                let json = domain.to_json();
                assert_eq!(Domain::from_json(json.as_bytes()).map(|domain| domain.to_json()), Ok(json));
            }
        }
        _ => {
            if let Ok(announcement) = Announcement::from_json(body) {
                // A domain can vouch for itself, but not without its KMS.
                let domain = announcement.unverified_domain();
                let now = Timestamp::from_unix(1_795_000_000).expect("before 9999");
                let audience = Uri::parse("sip:skms.example.net").expect("a fixed URI");
                let (kms_uri, skms_uri) = (domain.kms_uri(), domain.skms_uri());
                let expected = Expected { audience: &audience, nonce: &[7; 16], kms_uri, skms_uri, now };
                assert!(announcement.verify(&expected, domain.trusted_certificates()).is_err());
            }
        }
    }
});
