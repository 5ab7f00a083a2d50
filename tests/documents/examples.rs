//! The examples that another implementation could have written say what they were made to say.

use mikey_sakke::documents::{Document, KmsMessage, KmsResponse, Role};
use mikey_sakke::identity::{KeyPeriod, UidFormat};

use crate::common::*;

fn response(document: &str) -> KmsResponse {
    KmsResponse::from_xml(document.as_bytes(), STRICT).unwrap()
}

#[test]
fn a_certificate_is_read_with_all_that_it_says() {
    let response = response(PEER_INIT);
    assert_eq!(response.user_uri, uri("sip:alice@example.org"));
    assert_eq!(response.kms_uri, uri("kms.example.org"));
    assert_eq!(response.time.to_unix(), 1_297_684_800);
    assert_eq!(response.kms_id.as_deref(), Some("KMSProvider12345"));
    assert_eq!(response.client_req_url, "https://kms.example.org/keymanagement/identity/v1/init?a=1&b=2");
    assert!(response.error.is_none() && response.transport_key_id.is_none() && response.signature_id.is_none());
    let Some(KmsMessage::Init(init)) = response.message else { panic!("no certificate") };
    assert!(init.new_keys.transport_key.is_none() && init.new_keys.integrity_key.is_none());
    let document = init.certificate;
    assert_eq!(document.role, Some(Role::Root));
    assert!(!document.is_security_gateway);
    assert_eq!(document.cert_uri.as_deref(), Some("cert1.kms.example.org"));
    assert_eq!(document.issuer.as_deref(), Some("www.example.org"));
    assert_eq!(document.domains, ["sec1.example.org", "sec2.example.org"]);
    let certificate = document.certificate;
    assert_eq!(certificate.uid_format(), UidFormat::Hashed { period: 2_592_000, offset: 0 });
    assert_eq!(certificate.public_key(), KMS.certificate().public_key());
    assert_eq!(certificate.kpak(), KMS.certificate().kpak());
    assert!(!certificate.is_revoked());
    assert_eq!(certificate.validity().from.unwrap().to_unix(), 1_262_304_000);
    assert_eq!(certificate.validity().to.unwrap().to_unix(), 1_924_992_000);
}

#[test]
fn keys_are_those_of_the_worked_example() {
    let Some(KmsMessage::KeyProv(provision)) = response(PEER_KEYPROV).message else { panic!("no keys") };
    let [key_set] = provision.key_sets.as_slice() else { panic!("not one key set") };
    let uid = KMS.certificate().uid(&uri("sip:alice@example.org"), KeyPeriod::Number(PERIOD)).unwrap();
    assert_eq!(key_set.user_id, uid);
    assert_eq!(key_set.key_period_no, PERIOD);
    assert_eq!(key_set.validity.from.unwrap().to_unix(), 1_293_840_000);
    assert_eq!(key_set.validity.to.unwrap().to_unix(), 1_298_937_600);
    // The same keys as this crate issues with the v of that example.
    let ours = lone_key_set(KEY_SET);
    assert_eq!((&key_set.rsk, &key_set.ssk, &key_set.pvt), (&ours.rsk, &ours.ssk, &ours.pvt));
}

#[test]
fn every_other_document_is_read() {
    let Document::Request(request) = read(REQUEST).unwrap() else { panic!("not a request") };
    assert_eq!(request.client_id.as_deref(), Some("client-1"));
    let Some(KmsMessage::CertCache(cache)) = response(CERTCACHE).message else { panic!("no cache") };
    assert_eq!(cache.cache_num, Some(7));
    let revoked: Vec<_> = cache.certificates.iter().map(|one| one.certificate.is_revoked()).collect();
    assert_eq!(revoked, [false, true]);
    assert!(cache.certificates[1].is_security_gateway);
    let error = response(ERROR).error.unwrap();
    assert_eq!((error.code, error.message.as_str()), (5, "no such certificate: <kms.example.net>"));
    assert_eq!(response(WRAPPED).transport_key_id.as_deref(), Some("tk.12.alice@example.org"));
    let Document::Certificate(_) = read(CERTIFICATE).unwrap() else { panic!("not a certificate") };
}
