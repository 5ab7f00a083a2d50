//! The files that this crate writes are what it writes still.

use std::sync::Arc;
use std::time::Duration;

use mikey_sakke::documents::{
    KmsCertCache, KmsCertificate, KmsError, KmsInit, KmsKeyProv, KmsKeySet, KmsMessage, KmsRequest, KmsResponse,
    NewKeys, Role,
};
use mikey_sakke::kms::{self, Validity};
use mikey_sakke::secret::Secret;
use mikey_sakke::time::Timestamp;

use crate::common::*;

/// 2011-02-14T12:00:00Z, in key period 1352.
fn time() -> Timestamp {
    Timestamp::from_unix(1_297_684_800).unwrap()
}

fn request(what: &str) -> KmsRequest {
    let url = format!("https://kms.example.org/keymanagement/identity/v1/{what}");
    let mut request = KmsRequest::new(uri("sip:alice@example.org"), uri("kms.example.org"), time(), url);
    request.client_id = Some("client-1".into());
    request
}

fn response(what: &str) -> KmsResponse {
    let mut response = KmsResponse::to(&request(what), time().saturating_add(Duration::from_secs(2)));
    response.kms_id = Some("KMS & Sons".into());
    response
}

fn root_certificate() -> KmsCertificate {
    let validity = Validity { from: Some(Timestamp::from_unix(1_262_304_000).unwrap()), to: None };
    let certificate = kms::KmsCertificate::clone(KMS.certificate()).with_validity(validity);
    let mut certificate = KmsCertificate::from(Arc::new(certificate));
    certificate.role = Some(Role::Root);
    certificate.cert_uri = Some("cert1.kms.example.org".into());
    certificate.issuer = Some("www.example.org".into());
    certificate.domains = vec!["sec1.example.org".into(), "sec2.example.org".into()];
    certificate
}

fn external_certificates() -> Vec<KmsCertificate> {
    let external = |name: &str| {
        let mut certificate = KmsCertificate::from(kms(name).certificate().clone());
        certificate.role = Some(Role::External);
        certificate
    };
    let mut certificates = vec![external("kms.example.com"), external("kms.example.net")];
    let revoked = kms::KmsCertificate::clone(&certificates[1].certificate).revoked();
    certificates[1].certificate = Arc::new(revoked);
    certificates[1].is_security_gateway = true;
    certificates
}

fn key_sets() -> Vec<KmsKeySet> {
    let next = key_set(&KMS, "sip:alice@example.org", PERIOD + 1, 0x27182);
    [alice(), next].iter().map(|key_set| KmsKeySet::new(KMS.certificate(), key_set).unwrap()).collect()
}

fn new_keys() -> NewKeys {
    let transport_key = transport_key();
    let wrap = |first: u8, name: &str| {
        let key = Secret::new(std::array::from_fn::<_, 32, _>(|index| first + u8::try_from(index).unwrap()));
        Some(transport_key.wrap(&key).unwrap().with_carried_name(name.into()))
    };
    NewKeys {
        transport_key: wrap(0x60, "tk.13.alice@example.org"),
        integrity_key: wrap(0x80, "ik.13.alice@example.org"),
    }
}

fn key_provision() -> KmsResponse {
    let mut response = response("keyprov");
    response.message = Some(KmsMessage::KeyProv(KmsKeyProv { key_sets: key_sets(), new_keys: NewKeys::default() }));
    response
}

fn wrapped_key_provision() -> KmsResponse {
    let mut response = response("keyprov");
    let key_sets = key_sets().iter().map(|key_set| key_set.wrapped(&transport_key()).unwrap()).collect();
    response.message = Some(KmsMessage::KeyProv(KmsKeyProv { key_sets, new_keys: new_keys() }));
    response.transport_key_id = Some("tk.12.alice@example.org".into());
    response
}

#[test]
fn the_files_are_written_to_the_octet() {
    let mut init = response("init");
    init.message = Some(KmsMessage::Init(KmsInit { certificate: root_certificate(), new_keys: NewKeys::default() }));
    let mut cache = response("certcache");
    cache.message =
        Some(KmsMessage::CertCache(KmsCertCache { certificates: external_certificates(), cache_num: Some(7) }));
    let mut error = response("cert?uri=kms.example.net");
    error.error = Some(KmsError { code: 5, message: "no such certificate: <kms.example.net>".into() });
    let files = [
        ("request.xml", request("init").to_xml().unwrap(), REQUEST),
        ("response-init.xml", init.to_xml().unwrap(), INIT),
        ("response-keyprov.xml", key_provision().to_xml().unwrap(), KEYPROV),
        ("response-keyprov-wrapped.xml", wrapped_key_provision().to_xml().unwrap(), WRAPPED),
        ("response-certcache.xml", cache.to_xml().unwrap(), CERTCACHE),
        ("response-error.xml", error.to_xml().unwrap(), ERROR),
        ("certificate.xml", root_certificate().to_xml().unwrap(), CERTIFICATE),
        ("key-set.xml", key_sets()[0].to_xml().unwrap(), KEY_SET),
    ];
    // MIKEY_SAKKE_WRITE_DOCUMENTS=1 writes them anew.
    if std::env::var_os("MIKEY_SAKKE_WRITE_DOCUMENTS").is_some() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("test-vectors/documents");
        files.iter().for_each(|(name, written, _)| std::fs::write(folder.join(name), written.as_str()).unwrap());
    }
    for (name, written, stored) in files {
        assert_eq!(written.as_str(), stored, "{name}");
    }
}
