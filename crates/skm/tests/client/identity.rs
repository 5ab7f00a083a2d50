//! The domain and the identity keys: what a client takes for them.

use std::sync::Arc;

use mikey_sakke::documents::{KeyContent, KmsCertCache, KmsError, KmsKeySet, KmsMessage, TransportKey};
use mikey_sakke::error::KeyMaterialError;
use mikey_sakke::identity::KeyPeriod;
use mikey_sakke::km::ErrorCode;
use mikey_sakke::km::domain::{Domain, DomainError};
use mikey_sakke::secret::Secret;
use skm::client::{AnswerError, Client, ClientError, IdentityKeys, Settings};

use crate::domains::{
    CURRENT, END, KMS, LEAD, OTHER, Site, answering, certificate, document, domain, new_kms, refusal, response,
};
use crate::support::{ALICE, Host, NOW, Reply, SKMS, at, pair, token, uri};

const BOB: &str = "sip:bob@example.org";

/// What comes of this text as Payload.
async fn imported_into(domain: &Domain, payload: String) -> Result<IdentityKeys, ClientError> {
    let (_server, client) = answering(payload).await;
    client.identity_keys(&uri(ALICE), domain).await
}

async fn imported(key_sets: Vec<KmsKeySet>) -> Result<IdentityKeys, ClientError> {
    imported_into(&domain(), response(&uri(ALICE), key_sets).to_xml().unwrap().to_string()).await
}

/// Why key sets are refused.
async fn fault(key_sets: Vec<KmsKeySet>) -> &'static str {
    match imported(key_sets).await {
        Err(ClientError::Answer(AnswerError::Keys(fault))) => fault,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn keys_of_this_and_in_the_lead_time_of_the_next_period_are_imported() {
    for (now, has_next) in [(NOW, false), (END - LEAD - 1, false), (END - LEAD, true), (END - 1, true)] {
        let site = Site::start(at(now)).await;
        let domain = site.client.domain().await.unwrap();
        let keys = site.client.identity_keys(&uri(ALICE), &domain).await.unwrap();
        assert_eq!(keys.current.keys.period(), KeyPeriod::Number(CURRENT));
        assert_eq!(keys.current.keys.user(), &uri(ALICE));
        assert_eq!(keys.current.key_set.rsk, crate::domains::issue(&KMS, ALICE, CURRENT).rsk);
        let next = keys.next.map(|next| next.keys.period());
        assert_eq!(next, has_next.then_some(KeyPeriod::Number(CURRENT + 1)), "{now}");
    }
}

#[tokio::test]
async fn the_server_may_say_what_it_is_called() {
    let site = Site::start(at(NOW)).await;
    let settings = Settings { skms_uri: None, ..site.settings.clone() };
    let client = Client::with_environment(&settings, token(), site.host.clone()).unwrap();
    client.identity_keys(&uri(ALICE), &domain()).await.unwrap();
    let paths: Vec<_> = site.server.seen().into_iter().map(|seen| seen.path).collect();
    assert_eq!(paths, ["/seal-km/v1/domain", "/seal-km/v1/km-request"]);
    assert_eq!(site.server.seen()[1].request().skms_uri(), &uri(SKMS));
    // Once, and it stays so.
    site.change(|state| {
        state.domain = Domain::new(uri("sip:other.example.org"), vec![certificate(&KMS, 0, None)]).unwrap();
    });
    assert!(matches!(client.domain().await, Err(ClientError::Answer(AnswerError::OtherServer))));
}

#[tokio::test]
async fn the_domain_of_another_server_is_refused() {
    let site = Site::start(at(NOW)).await;
    let settings = Settings { skms_uri: Some(uri("sip:other.example.org")), ..site.settings.clone() };
    let client = Client::with_environment(&settings, token(), Host::new(NOW)).unwrap();
    assert!(matches!(client.domain().await, Err(ClientError::Answer(AnswerError::OtherServer))));
}

#[tokio::test]
async fn malformed_domains_are_refused() {
    let json = domain().to_json();
    let cases = [
        String::new(),
        "[]".to_owned(),
        json.replacen("\"userIdFormat\":2", "\"userIdFormat\":1", 1),
        json.replacen("PubEncKey\":\"04", "PubEncKey\":\"05", 1),
        json.replacen("\"certificates\":[", "\"certificates\":[],\"x\":[", 1),
    ];
    for body in cases {
        let (_server, client, _) = pair(move |_| Reply::new(200, body.clone())).await;
        let result = client.domain().await;
        assert!(matches!(result, Err(ClientError::Answer(AnswerError::Domain(_)))), "{result:?}");
    }
    let long = "a".repeat(mikey_sakke::km::domain::MAX_DOMAIN_OCTETS + 1);
    let (_server, client, _) = pair(move |_| Reply::new(200, long.clone())).await;
    assert!(matches!(client.domain().await, Err(ClientError::Answer(AnswerError::TooLong))));
    assert!(matches!(Domain::from_json(b"{}"), Err(DomainError::Body(_))));
}

#[tokio::test]
async fn a_refusal_is_no_key() {
    let (_server, client, _) = pair(|seen| refusal(seen, ErrorCode::NotAvailable)).await;
    let result = client.identity_keys(&uri(ALICE), &domain()).await;
    assert!(matches!(result, Err(ClientError::Refused(refused)) if refused.code == ErrorCode::NotAvailable));
}

#[tokio::test]
async fn key_sets_are_those_that_were_asked_for() {
    let set = |period| document(&KMS, ALICE, period);
    let other_period = "holds keys of another key period or user";
    let other_number = "holds other than one or two key sets";
    assert_eq!(fault(vec![]).await, other_number);
    assert_eq!(fault(vec![set(CURRENT), set(CURRENT + 1), set(CURRENT + 2)]).await, other_number);
    assert_eq!(fault(vec![set(CURRENT - 1)]).await, other_period);
    assert_eq!(fault(vec![set(CURRENT + 1)]).await, other_period);
    assert_eq!(fault(vec![set(CURRENT), set(CURRENT + 2)]).await, other_period);
    assert_eq!(fault(vec![set(CURRENT), set(CURRENT - 1)]).await, other_period);
    assert_eq!(fault(vec![set(CURRENT + 1), set(CURRENT)]).await, other_period);
    assert_eq!(fault(vec![document(&KMS, BOB, CURRENT)]).await, other_period);
    assert_eq!(fault(vec![set(CURRENT), document(&KMS, BOB, CURRENT + 1)]).await, other_period);
}

#[tokio::test]
async fn the_document_is_one_with_keys_for_this_user_of_this_kms() {
    let alice = uri(ALICE);
    let good = response(&alice, vec![document(&KMS, ALICE, CURRENT)]);
    let mut cases = Vec::new();
    let mut other = good.clone();
    other.user_uri = uri(BOB);
    cases.push((other, "is for another user"));
    let mut other = good.clone();
    other.kms_uri = uri("kms.example.com");
    cases.push((other, "is from another KMS"));
    let mut other = good.clone();
    other.error = Some(KmsError { code: 1, message: "no".to_owned() });
    cases.push((other, "reports an error"));
    let mut other = good.clone();
    other.message = None;
    cases.push((other, "holds no KmsKeyProv"));
    let mut other = good.clone();
    other.message = Some(KmsMessage::CertCache(KmsCertCache { certificates: Vec::new(), cache_num: None }));
    cases.push((other, "holds no KmsKeyProv"));
    for (document, expected) in cases {
        let result = imported_into(&domain(), document.to_xml().unwrap().to_string()).await;
        assert!(matches!(result, Err(ClientError::Answer(AnswerError::Keys(f))) if f == expected), "{result:?}");
    }
    for text in ["", "<a/>", "key material", "<KmsResponse/>"] {
        let result = imported_into(&domain(), text.to_owned()).await;
        assert!(matches!(result, Err(ClientError::Answer(AnswerError::Document(_)))), "{text}: {result:?}");
    }
}

#[tokio::test]
async fn every_key_is_checked() {
    let material = |expected| {
        move |result: Result<IdentityKeys, ClientError>| match result {
            Err(ClientError::Answer(AnswerError::KeyMaterial(error))) => assert_eq!(error, expected),
            other => panic!("{other:?}"),
        }
    };
    let good = document(&KMS, ALICE, CURRENT);
    let foreign = document(&OTHER, ALICE, CURRENT);
    let bobs = document(&KMS, BOB, CURRENT);

    // Of other master secrets, of another user under this name, mixed, and revoked.
    let error = imported(vec![foreign.clone()]).await;
    assert!(matches!(error, Err(ClientError::Answer(AnswerError::KeyMaterial(_)))), "{error:?}");
    material(KeyMaterialError::Rsk)(imported(vec![KmsKeySet { rsk: foreign.rsk.clone(), ..good.clone() }]).await);
    material(KeyMaterialError::Ssk)(imported(vec![KmsKeySet { ssk: bobs.ssk.clone(), ..good.clone() }]).await);
    material(KeyMaterialError::Ssk)(imported(vec![KmsKeySet { pvt: bobs.pvt.clone(), ..good.clone() }]).await);
    let named = KmsKeySet { user_uri: uri(ALICE), ..bobs.clone() };
    material(KeyMaterialError::UserId)(imported(vec![named]).await);
    material(KeyMaterialError::Revoked)(imported(vec![KmsKeySet { is_revoked: true, ..good.clone() }]).await);
    let zero = KeyContent::Plain(Secret::new([0; 65]));
    material(KeyMaterialError::Pvt)(imported(vec![KmsKeySet { pvt: zero, ..good.clone() }]).await);

    // The second of two as the first.
    let next = document(&KMS, ALICE, CURRENT + 1);
    let broken = KmsKeySet { rsk: good.rsk.clone(), ..next };
    material(KeyMaterialError::Rsk)(imported(vec![good.clone(), broken]).await);

    let wrapped = good.wrapped(&TransportKey::new(Secret::new([7; 32]), Some("tk.1".to_owned()))).unwrap();
    assert_eq!(fault(vec![wrapped]).await, "holds keys under a transport key");
    let renamed = KmsKeySet { kms_uri: uri("kms.example.com"), ..good };
    assert_eq!(fault(vec![renamed]).await, "holds keys that do not belong to the certificate");
}

#[tokio::test]
async fn keys_need_a_certificate_for_their_key_period() {
    let xml = |key_sets| response(&uri(ALICE), key_sets).to_xml().unwrap().to_string();
    let good = || xml(vec![document(&KMS, ALICE, CURRENT)]);
    let without = "holds keys of a key period without certificate";
    let revoked = mikey_sakke::kms::KmsCertificate::clone(KMS.certificate()).revoked();
    let periods = mikey_sakke::km::domain::Periods { from: 0, to: None };
    let revoked = mikey_sakke::km::domain::DomainCertificate::new(&revoked, periods, None).unwrap();
    for certificate in [certificate(&KMS, CURRENT + 1, None), certificate(&KMS, 0, Some(CURRENT - 1)), revoked] {
        let domain = Domain::new(uri(SKMS), vec![certificate]).unwrap();
        let result = imported_into(&domain, good()).await;
        assert!(matches!(result, Err(ClientError::Answer(AnswerError::Keys(f))) if f == without), "{result:?}");
    }
    // Where new master secrets take over, each key set has a certificate of its own.
    let certificates = vec![certificate(&KMS, 0, Some(CURRENT)), certificate(&OTHER, CURRENT + 1, None)];
    let domain = Domain::new(uri(SKMS), certificates).unwrap();
    let sets = |next| xml(vec![document(&KMS, ALICE, CURRENT), document(next, ALICE, CURRENT + 1)]);
    let keys = imported_into(&domain, sets(&OTHER)).await.unwrap();
    assert_eq!(keys.next.unwrap().keys.certificate().kpak(), OTHER.certificate().kpak());
    assert!(imported_into(&domain, sets(&KMS)).await.is_err());
    // Another KMS altogether.
    let kms = Arc::new(new_kms("kms.example.com"));
    let domain = Domain::new(uri(SKMS), vec![certificate_of(&kms)]).unwrap();
    let result = imported_into(&domain, good()).await;
    assert!(matches!(result, Err(ClientError::Answer(AnswerError::Keys("is from another KMS")))), "{result:?}");
}

fn certificate_of(kms: &Arc<mikey_sakke::kms::Kms>) -> mikey_sakke::km::domain::DomainCertificate {
    certificate(kms, 0, None)
}
