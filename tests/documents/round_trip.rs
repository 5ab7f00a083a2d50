//! What is read is written as it was meant, and what cannot be read again is not written.

use mikey_sakke::documents::{Document, KmsCertificate, KmsError, KmsRequest, KmsResponse, Tolerances};
use mikey_sakke::error::UsageError;
use mikey_sakke::identity::UidFormat;
use mikey_sakke::kms::Kms;
use mikey_sakke::time::Timestamp;
use proptest::prelude::*;

use crate::common::*;

fn write(document: &Document) -> String {
    let written = match document {
        Document::Request(document) => document.to_xml(),
        Document::Response(document) => document.to_xml(),
        Document::Certificate(document) => document.to_xml(),
        Document::KeySet(document) => document.to_xml(),
    };
    written.unwrap().as_str().to_owned()
}

#[test]
fn every_example_is_stable_once_written() {
    for document in ALL.iter().chain(&[PEER_RFC3394]) {
        let tolerances = Tolerances { rfc3394_key_wrap: true, ..STRICT };
        let written = write(&Document::from_xml(document.as_bytes(), tolerances).unwrap());
        assert_eq!(write(&Document::from_xml(written.as_bytes(), tolerances).unwrap()), written);
    }
    for document in ALL.iter().filter(|document| !document.contains("k:KmsResponse")) {
        assert_eq!(write(&read(document).unwrap()), *document);
    }
}

fn request() -> KmsRequest {
    KmsRequest::from_xml(REQUEST.as_bytes(), STRICT).unwrap()
}

#[test]
fn text_that_would_not_be_read_again_is_not_written() {
    for text in ["", " ", " a", "a ", "a  b", "a\nb", "a\tb", "a\0b", "a\u{FFFE}", "\u{1}"] {
        let mut request = request();
        request.client_id = Some(text.into());
        assert_eq!(request.to_xml(), Err(UsageError::FieldLength), "{text:?}");
    }
    let mut request = request();
    request.device_id = Some("a".repeat(1 << 20));
    assert_eq!(request.to_xml(), Err(UsageError::FieldLength));
    request.device_id = None;
    request.time = Timestamp::from_unix(253_402_300_799).unwrap().saturating_add(core::time::Duration::from_secs(1));
    assert_eq!(request.to_xml(), Err(UsageError::Time));
}

#[test]
fn only_hashed_uids_have_documents() {
    let mut rng = getrandom::SysRng;
    let kms = Kms::generate(uri("kms.example.org"), UidFormat::Monthly, &mut rng).unwrap();
    let certificate = KmsCertificate::from(kms.certificate().clone());
    assert_eq!(certificate.to_xml(), Err(UsageError::UidFormat));
    let month = "2011-02".parse().unwrap();
    let key_set = kms.issue(&uri("tel:+447700900123"), month, &mut rng).unwrap();
    assert!(mikey_sakke::documents::KmsKeySet::new(kms.certificate(), &key_set).is_err());
}

/// Text of the form that reading leaves behind.
fn text() -> impl Strategy<Value = String> {
    "[!-~äß€𝄞]{1,20}( [!-~äß€𝄞]{1,8}){0,3}"
}

proptest! {
    #[test]
    fn requests_are_read_as_they_were_written(
        seconds in 0..253_402_300_800_u64,
        [client, device, url, message, transport, signature] in proptest::array::uniform6(text()),
        code: i64,
    ) {
        let mut request = request();
        request.time = Timestamp::from_unix(seconds).unwrap();
        (request.client_id, request.device_id, request.client_req_url) = (Some(client), Some(device), url);
        request.client_error = Some(KmsError { code, message: message.clone() });
        (request.transport_key_id, request.signature_id) = (Some(transport), Some(signature));
        let read = KmsRequest::from_xml(request.to_xml().unwrap().as_bytes(), STRICT);
        prop_assert_eq!(read.as_ref(), Ok(&request));

        let mut response = KmsResponse::to(&request, request.time);
        response.error = Some(KmsError { code, message });
        let read = KmsResponse::from_xml(response.to_xml().unwrap().as_bytes(), STRICT).unwrap();
        prop_assert_eq!(read.client_req_url, request.client_req_url);
        prop_assert_eq!(read.error, response.error);
    }

    #[test]
    fn damaged_documents_do_not_panic(which in 0..ALL.len(), at: prop::sample::Index, octet: u8, insert: bool) {
        let mut octets = ALL[which].as_bytes().to_vec();
        let at = at.index(octets.len());
        if insert { octets.insert(at, octet) } else { octets[at] = octet }
        if let Ok(document) = read(&octets) {
            prop_assert_eq!(write(&read(write(&document)).unwrap()), write(&document));
        }
    }
}
