//! The certificates of other domains.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use getrandom::SysRng;
use mikey_sakke::documents::{self, KmsCertCache, KmsError, KmsInit, KmsMessage, NewKeys};
use mikey_sakke::error::{Error, Refusal, UsageError};
use mikey_sakke::identity::KeyPeriod;
use mikey_sakke::imessage::{Initiator, KeyBundle, Profile, Purpose, Recipient};
use mikey_sakke::km::domain::Domain;
use mikey_sakke::kms::{Kms, KmsCertificate, UserKeys, Validity};
use skm::client::{AnswerError, CacheSettings, ClientError, KeyCache};

use crate::domains::{CERTCACHE, CURRENT, KMS, OTHER, Site, domain, new_kms};
use crate::support::{ALICE, NOW, at, uri};

const THERE: &str = "kms.example.net";
const BOB: &str = "sip:bob@example.net";
const HOUR: Duration = Duration::from_secs(3_600);

static EXTERNAL: LazyLock<Kms> = LazyLock::new(|| new_kms(THERE));
static REPLACED: LazyLock<Kms> = LazyLock::new(|| new_kms(THERE));

fn cache_of(certificates: &[&KmsCertificate], cache_num: u64) -> KmsCertCache {
    let certificates = certificates.iter().map(|certificate| Arc::new((*certificate).clone()).into()).collect();
    KmsCertCache { certificates, cache_num: Some(cache_num) }
}

fn accepting(kms: &[&str]) -> Domain {
    let mut domain = domain();
    domain.acceptable_kms = kms.iter().map(|kms| uri(kms)).collect();
    domain
}

async fn site(kms: &[&str], certificates: &[&KmsCertificate]) -> (Site, KeyCache) {
    let site = Site::start(at(NOW)).await;
    site.change(|state| {
        state.domain = accepting(kms);
        state.external = Some(cache_of(certificates, 5));
    });
    (site, KeyCache::new(uri(ALICE), CacheSettings::default()))
}

async fn refresh(site: &Site, cache: &mut KeyCache) -> Result<(), ClientError> {
    site.client.refresh(cache, site.now(), &mut SysRng).await
}

/// The paths of the requests for certificates so far.
fn asked(site: &Site) -> Vec<String> {
    let paths = site.server.seen().into_iter().map(|seen| seen.path);
    paths.filter_map(|path| path.strip_prefix(CERTCACHE).map(ToOwned::to_owned)).collect()
}

fn is_trusted(cache: &KeyCache, certificate: &KmsCertificate) -> bool {
    let found = cache.certificate(certificate.kms_uri(), at(NOW));
    found.is_some_and(|found| found.has_the_keys_of(certificate))
}

/// A message of Bob to Alice.
fn message(kms: &Kms, purpose: u8) -> Vec<u8> {
    let keys = kms.issue(&uri(BOB), KeyPeriod::Number(CURRENT), &mut SysRng).unwrap();
    let keys = Arc::new(UserKeys::import(kms.certificate(), &keys).unwrap());
    let bundle = KeyBundle::generate(Profile::seal(Purpose::new(purpose).unwrap()), &mut SysRng).unwrap();
    let recipient = Recipient { user: uri(ALICE), certificate: KMS.certificate().clone() };
    Initiator::new(keys).distribute(&bundle, &recipient, at(NOW), &mut SysRng).unwrap()
}

#[tokio::test]
async fn those_that_the_domain_accepts_are_trusted() {
    let fleet = new_kms("kms.example.com");
    let certificates =
        [EXTERNAL.certificate(), fleet.certificate(), OTHER.certificate()].map(|certificate| &**certificate);
    let (site, mut cache) = site(&[THERE], &certificates).await;
    refresh(&site, &mut cache).await.unwrap();
    assert!(is_trusted(&cache, EXTERNAL.certificate()) && is_trusted(&cache, KMS.certificate()));
    assert!(!is_trusted(&cache, fleet.certificate()), "the domain does not accept it");
    assert!(!is_trusted(&cache, OTHER.certificate()), "it would be one of this domain");
    let received = cache.responder().unwrap().extract(&message(&EXTERNAL, 1), at(NOW)).unwrap();
    assert_eq!((received.initiator.as_str(), received.initiator_kms.as_str()), (BOB, THERE));
    let refused = cache.responder().unwrap().extract(&message(&fleet, 1), at(NOW));
    assert!(matches!(refused, Err(Error::Refused(Refusal::UntrustedKms))));
    // Bob may be called as a group manager is called here; he is none of this domain.
    site.change(|state| {
        state.domain.group_managers.insert(uri(BOB));
    });
    site.host.pass(HOUR);
    refresh(&site, &mut cache).await.unwrap();
    let refused = cache.responder().unwrap().extract(&message(&EXTERNAL, 0), at(NOW));
    assert!(matches!(refused, Err(Error::Refused(Refusal::Initiator))));

    // It does not accept them any more.
    site.change(|state| state.domain = accepting(&[]));
    site.host.pass(HOUR);
    refresh(&site, &mut cache).await.unwrap();
    assert!(!is_trusted(&cache, EXTERNAL.certificate()));
}

#[tokio::test]
async fn they_are_fetched_with_the_domain_and_only_if_they_have_changed() {
    let (site, mut cache) = site(&[], &[EXTERNAL.certificate()]).await;
    refresh(&site, &mut cache).await.unwrap();
    assert!(asked(&site).is_empty(), "no other domain is accepted");
    site.change(|state| state.domain = accepting(&[THERE]));
    for expected in [&[""][..], &["", "/5"]] {
        site.host.pass(HOUR);
        for _ in 0..2 {
            refresh(&site, &mut cache).await.unwrap();
        }
        assert_eq!(asked(&site), expected);
        assert!(is_trusted(&cache, EXTERNAL.certificate()));
    }
    let revoked = KmsCertificate::clone(EXTERNAL.certificate()).revoked();
    site.change(|state| state.external = Some(cache_of(&[&revoked, REPLACED.certificate()], 6)));
    site.host.pass(HOUR);
    refresh(&site, &mut cache).await.unwrap();
    assert!(is_trusted(&cache, REPLACED.certificate()));
    assert_eq!(cache.responder().unwrap().extract(&message(&EXTERNAL, 1), at(NOW)).unwrap_err(), Error::Rejected);
    site.host.pass(HOUR);
    refresh(&site, &mut cache).await.unwrap();
    assert_eq!(asked(&site), ["", "/5", "/5", "/6"]);
}

#[tokio::test]
async fn an_answer_that_is_not_to_be_believed_changes_nothing_else() {
    let (site, mut cache) = site(&[THERE], &[EXTERNAL.certificate()]).await;
    let forgeries: [fn(&mut documents::KmsResponse); 8] = [
        |response| response.user_uri = uri(BOB),
        |response| response.kms_uri = uri(THERE),
        |response| response.client_req_url.push('x'),
        |response| response.time = at(NOW - 3_600),
        |response| response.message = None,
        |response| response.error = Some(KmsError { code: 1, message: "no".into() }),
        |response| {
            let certificate = KMS.certificate().clone().into();
            response.message = Some(KmsMessage::Init(KmsInit { certificate, new_keys: NewKeys::default() }));
        },
        |response| {
            let both = [&**EXTERNAL.certificate(), &**REPLACED.certificate()];
            response.message = Some(KmsMessage::CertCache(cache_of(&both, 6)));
        },
    ];
    for (number, forge) in forgeries.into_iter().enumerate() {
        site.change(|state| state.forge = forge);
        let refused = refresh(&site, &mut cache).await;
        assert!(matches!(refused, Err(ClientError::Answer(_))), "{number}: {refused:?}");
        assert_eq!(cache.keys().count(), 1, "his own keys are there");
        assert!(!is_trusted(&cache, EXTERNAL.certificate()));
    }
    let refused = refresh(&site, &mut cache).await.unwrap_err();
    let overlap = UsageError::CertificateOverlap;
    assert!(matches!(refused, ClientError::Answer(AnswerError::Certificates(error)) if error == overlap));
    // It is tried again at once, not in an hour.
    site.change(|state| state.forge = |_| ());
    refresh(&site, &mut cache).await.unwrap();
    assert!(is_trusted(&cache, EXTERNAL.certificate()));
}

#[tokio::test]
async fn where_there_are_none_to_be_had_there_are_none() {
    let (site, mut cache) = site(&[THERE], &[EXTERNAL.certificate()]).await;
    site.change(|state| state.external = None);
    for _ in 0..2 {
        refresh(&site, &mut cache).await.unwrap();
    }
    assert_eq!(asked(&site).len(), 1);
    assert!(is_trusted(&cache, KMS.certificate()) && !is_trusted(&cache, EXTERNAL.certificate()));
}

#[tokio::test]
async fn the_time_of_a_message_selects_among_them() {
    let [old, new] = [(None, Some(at(NOW))), (Some(at(NOW)), None)].map(|(from, to)| Validity { from, to });
    let old = KmsCertificate::clone(EXTERNAL.certificate()).with_validity(old);
    let new = KmsCertificate::clone(REPLACED.certificate()).with_validity(new);
    let (site, mut cache) = site(&[THERE], &[&old, &new]).await;
    refresh(&site, &mut cache).await.unwrap();
    let found = [NOW - 1, NOW].map(|time| cache.certificate(&uri(THERE), at(time)).unwrap().kpak().to_octets());
    assert_eq!(found, [old, new].map(|certificate| certificate.kpak().to_octets()));
}

#[test]
fn the_blocking_client_fetches_them_as_well() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (site, mut cache) = runtime.block_on(site(&[THERE], &[EXTERNAL.certificate()]));
    let client =
        skm::client::blocking::Client::with_environment(&site.settings, crate::support::token(), site.host.clone());
    let client = client.unwrap();
    client.refresh(&mut cache, site.now(), &mut SysRng).unwrap();
    assert!(is_trusted(&cache, EXTERNAL.certificate()));
    let domain = cache.domain().unwrap();
    let fetched = client.cert_cache(&uri(ALICE), domain, None).unwrap();
    assert_eq!((fetched.cache_num, fetched.certificates.len()), (Some(5), 1));
    assert!(client.cert_cache(&uri(ALICE), domain, Some(5)).unwrap().certificates.is_empty());
}
