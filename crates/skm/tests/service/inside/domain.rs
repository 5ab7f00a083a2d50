//! The domain: what is published of it, and how master secrets come into it.

use getrandom::SysRng;
use mikey_sakke::identity::{UidFormat, Uri};
use mikey_sakke::km::domain::Domain;
use mikey_sakke::kms::Kms;
use serde_json::json;
use skm::domain::{ImportError, import};
use skm::service::{Clock, Point, Problem, Service, ServiceError};

use super::{ALICE, Asker, BOB, GROUPS, House, KMS, MASTER, PERIOD, SKMS, event};

async fn get(house: &House, asker: &Asker) -> Result<Domain, Problem> {
    let document = house.service.domain_document(&house.connect(asker).caller()).await?;
    Ok(Domain::from_json(document.as_bytes()).unwrap())
}

#[tokio::test]
async fn the_document_says_what_clients_need() {
    let house = House::new().await;
    let domain = get(&house, &Asker::alice()).await.unwrap();
    assert_eq!((domain.skms_uri().as_str(), domain.kms_uri().as_str()), (SKMS, KMS));
    assert_eq!(domain.uid_format(), UidFormat::hashed(PERIOD, 0).unwrap());
    assert_eq!(domain.certificates().len(), 1);
    assert_eq!(domain.certificates()[0].certificate().kpak(), MASTER.certificate().kpak());
    assert_eq!(domain.group_managers.iter().map(Uri::as_str).collect::<Vec<_>>(), [GROUPS]);
    assert!(domain.acceptable_kms.is_empty() && domain.revoked_users.is_empty());
    let bob = Uri::parse(BOB).unwrap();
    house.service.store().set_blocked(&bob, true, &event()).await.unwrap();
    assert!(get(&house, &Asker::alice()).await.unwrap().revoked_users.contains(&bob));
}

#[tokio::test]
async fn the_document_is_for_whoever_has_the_scope() {
    let house = House::new().await;
    for asker in [Asker::alice(), Asker::val(), Asker::groups()] {
        assert!(get(&house, &asker).await.is_ok());
    }
    let refused = [
        Asker::alice().claiming("scope", json!("seal:key-provisioning")),
        Asker::val().claiming("client_id", json!("other")),
        Asker::alice().at(Point::KmS),
    ];
    for asker in refused {
        assert_eq!(get(&house, &asker).await.unwrap_err().status, 403);
    }
    let nobody = House::connect_with(&Asker::alice(), None);
    assert_eq!(house.service.domain_document(&nobody.caller()).await.unwrap_err().status, 401);
    house.service.store().set_blocked(&Uri::parse(ALICE).unwrap(), true, &event()).await.unwrap();
    assert_eq!(get(&house, &Asker::alice()).await.unwrap_err().status, 403);
}

#[tokio::test]
async fn without_master_secrets_there_is_no_document_until_there_is() {
    let house = House::without_keys(|_| {}).await;
    let refused = get(&house, &Asker::alice()).await.unwrap_err();
    assert_eq!((refused.status, refused.cause), (404, "NOT_AVAILABLE"));
    house.import().await;
    assert!(get(&house, &Asker::alice()).await.is_ok());
}

#[tokio::test]
async fn master_secrets_are_taken_once_and_for_the_domain_alone() {
    let house = House::without_keys(|_| {}).await;
    let (store, settings) = (house.service.store(), &house.config.domain);
    let kms = |uri: &str, period, offset| {
        let format = UidFormat::hashed(period, offset).unwrap();
        Kms::generate(Uri::parse(uri).unwrap(), format, &mut SysRng).unwrap()
    };
    let refused = async |kms: &Kms| import(store, settings, kms, &event()).await.unwrap_err();
    assert!(matches!(refused(&kms("kms.example.com", PERIOD, 0)).await, ImportError::OtherKms));
    assert!(matches!(refused(&kms(KMS, PERIOD + 1, 0)).await, ImportError::OtherPeriods));
    assert!(matches!(refused(&kms(KMS, PERIOD, 1)).await, ImportError::OtherPeriods));
    assert!(store.domain().await.unwrap().is_none());
    house.import().await;
    let (version, _) = store.domain().await.unwrap().unwrap();
    assert!(matches!(refused(&MASTER).await, ImportError::Present));
    assert!(matches!(refused(&kms(KMS, PERIOD, 0)).await, ImportError::Present));
    assert_eq!(store.domain().await.unwrap().unwrap().0, version);
}

#[tokio::test]
async fn a_domain_that_is_not_the_configured_one_is_not_served() {
    let house = House::new().await;
    type Change = fn(&mut skm::config::Domain);
    let changes: [Change; 3] = [
        |domain| domain.kms_uri = Uri::parse("kms.example.com").unwrap(),
        |domain| domain.skms_uri = Uri::parse("sip:other.example.org").unwrap(),
        |domain| domain.user_key_period += 1,
    ];
    for change in changes {
        let mut config = house.config.clone();
        change(&mut config.domain);
        let secret = config.seal.source().unwrap().read().unwrap();
        let error = Service::open(&config, secret, Clock::system()).await.unwrap_err();
        assert!(matches!(error, ServiceError::Domain(_)), "{error}");
    }
}

#[tokio::test]
async fn it_is_ready_once_it_has_the_keys_of_the_token_issuer() {
    let house = House::new().await;
    assert!(house.service.is_ready().await.is_ok());
    let unready = House::with(|config| config.auth.jwks_file = Some("no/such/file".into())).await;
    assert!(unready.service.is_ready().await.is_err());
}
