//! XML that is read is written so that it reads the same, wrapped or not; nothing panics, and keys are imported by
//! their checks alone.
#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use mikey_sakke::documents::{
    Document, KeyContent, KmsCertificate, KmsKeySet, KmsMessage, KmsRequest, KmsResponse, Tolerances, TransportKey,
};
use mikey_sakke::secret::Secret;

const TOLERANT: Tolerances = Tolerances { rfc3394_key_wrap: true, element_order: true };

/// The certificate whose keys stand in the documents of the test vectors.
static CERTIFICATE: LazyLock<KmsCertificate> = LazyLock::new(|| {
    let xml = include_bytes!("../../test-vectors/documents/certificate.xml");
    KmsCertificate::from_xml(xml, Tolerances::default()).expect("a vector")
});

/// The request that the documents of the test vectors answer.
static REQUEST: LazyLock<KmsRequest> = LazyLock::new(|| {
    let xml = include_bytes!("../../test-vectors/documents/request.xml");
    KmsRequest::from_xml(xml, Tolerances::default()).expect("a vector")
});

/// The transport key of the test vectors.
fn transport_key() -> TransportKey {
    TransportKey::new(Secret::new(std::array::from_fn(|index| 0x40 + index as u8)), None)
}

fn write(document: &Document) -> Option<String> {
    let written = match document {
        Document::Request(document) => document.to_xml(),
        Document::Response(document) => document.to_xml(),
        Document::Certificate(document) => document.to_xml(),
        Document::KeySet(document) => document.to_xml(),
    };
    // What is read may be too long once it is indented.
    written.ok().map(|written| written.as_str().to_owned())
}

fuzz_target!(|octets: &[u8]| {
    let read = Document::from_xml(octets, TOLERANT);
    let root = read.as_ref().ok();
    let is = |found: bool, expected: bool| assert_eq!(found, expected);
    is(KmsRequest::from_xml(octets, TOLERANT).is_ok(), matches!(root, Some(Document::Request(_))));
    is(KmsResponse::from_xml(octets, TOLERANT).is_ok(), matches!(root, Some(Document::Response(_))));
    is(KmsCertificate::from_xml(octets, TOLERANT).is_ok(), matches!(root, Some(Document::Certificate(_))));
    is(KmsKeySet::from_xml(octets, TOLERANT).is_ok(), matches!(root, Some(Document::KeySet(_))));
    let document = match read {
        Ok(document) => document,
        Err(error) => {
            assert!(error.offset <= octets.len());
            assert!(!error.to_string().is_empty());
            assert!(Document::from_xml(octets, Tolerances::default()).is_err());
            return;
        }
    };
    // What is read without tolerance is read alike with it.
    match Document::from_xml(octets, Tolerances::default()) {
        Ok(strict) => assert_eq!(write(&strict), write(&document)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    if let Some(written) = write(&document) {
        let again = Document::from_xml(written.as_bytes(), Tolerances { element_order: false, ..TOLERANT });
        assert_eq!(write(&again.expect("what is written is read")), Some(written));
    }
    match document {
        Document::Request(request) => {
            let response = KmsResponse::to(&request, request.time);
            assert_eq!(response.check(&request, request.time, Duration::ZERO), Ok(()));
        }
        Document::Response(response) => {
            let _ = response.check(&REQUEST, REQUEST.time, Duration::from_secs(60));
            let KmsResponse { user_uri, kms_uri, time, client_req_url, .. } = (*response).clone();
            let _ = response.check(&KmsRequest::new(user_uri, kms_uri, time, client_req_url), time, Duration::ZERO);
            if let Some(KmsMessage::KeyProv(provision)) = response.message {
                for key in [provision.new_keys.transport_key, provision.new_keys.integrity_key].iter().flatten() {
                    let _ = transport_key().unwrap::<32>(key);
                }
                provision.key_sets.iter().take(2).for_each(check_key_set);
            }
        }
        Document::Certificate(document) => {
            let alone = KmsCertificate::from(document.certificate);
            let again =
                KmsCertificate::from_xml(alone.to_xml().expect("it was read").as_bytes(), Tolerances::default());
            assert_eq!(again, Ok(alone));
        }
        Document::KeySet(key_set) => check_key_set(&key_set),
    }
});

/// Keys in the clear are imported, or refused, as they are after they were wrapped.
fn check_key_set(key_set: &KmsKeySet) {
    let certificate = &CERTIFICATE.certificate;
    let imported = key_set.import(certificate, Some(&transport_key())).is_ok();
    let Ok(wrapped) = key_set.wrapped(&transport_key()) else { return };
    assert_eq!(wrapped.import(certificate, Some(&transport_key())).is_ok(), imported);
    let is_wrapped = matches!(wrapped.rsk, KeyContent::Wrapped(_));
    assert!(is_wrapped && wrapped.import(certificate, None).is_err());
}
