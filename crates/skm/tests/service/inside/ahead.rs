//! RSKs that were extracted before they are asked for.

use mikey_sakke::documents::{KeyContent, KmsMessage, KmsResponse, Tolerances};
use mikey_sakke::identity::{KeyPeriod, Uri};
use mikey_sakke::km::Identifier;
use mikey_sakke::sakke::Rsk;
use serde_json::json;
use skm::domain::{Preissue, PreissueError, SecurityDomain};
use skm::store::Extraction;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, raw_sql};

use super::{ALICE, Asker, BOB, House, MASTER, PERIOD, payload, user_keys};

async fn domain(house: &House) -> SecurityDomain {
    SecurityDomain::load(house.service.store(), &house.config.domain).await.unwrap().unwrap()
}

async fn extraction(house: &House, period: u64) -> Extraction {
    domain(house).await.extraction(period).unwrap().0
}

/// The RSKs in the answer to a request for a user's keys.
async fn issued(house: &House, user: &str) -> Vec<Vec<u8>> {
    house.pass(1);
    let asker = Asker::alice().claiming("val_user_id", json!(user));
    let xml = payload(&house.keys(&asker, user).await.response).unwrap();
    let response = KmsResponse::from_xml(xml.as_bytes(), Tolerances::default()).unwrap();
    let Some(KmsMessage::KeyProv(provision)) = response.message else { panic!("no KmsKeyProv") };
    let rsk = |key: &KeyContent<257>| match key {
        KeyContent::Plain(rsk) => rsk.expose().to_vec(),
        KeyContent::Wrapped(_) => panic!("a wrapped key"),
    };
    provision.key_sets.iter().map(|set| rsk(&set.rsk)).collect()
}

fn extracted(user: &str, period: u64) -> Rsk {
    MASTER.extract_batch(&[(&Uri::parse(user).unwrap(), KeyPeriod::Number(period))]).remove(0).unwrap()
}

#[tokio::test]
async fn an_rsk_that_is_there_is_issued_and_any_other_extracted() {
    let house = House::new().await;
    let (number, start) = house.period();
    house.set_now(start + PERIOD - 100);
    // One that the engine would not have extracted, to be known again.
    let [present, next] = [extraction(&house, number).await, extraction(&house, number + 1).await];
    let ahead = Rsk::new([7; 257]);
    house.service.store().add_rsks(&next, &[(Uri::parse(ALICE).unwrap(), ahead.clone())]).await.unwrap();
    let other = Extraction { certificate: Identifier::new("another").unwrap(), ..present };
    house.service.store().add_rsks(&other, &[(Uri::parse(ALICE).unwrap(), ahead.clone())]).await.unwrap();
    let expected = [extracted(ALICE, number).expose().to_vec(), ahead.expose().to_vec()];
    assert_eq!(issued(&house, ALICE).await, expected);
    let expected = [number, number + 1].map(|period| extracted(BOB, period).expose().to_vec());
    assert_eq!(issued(&house, BOB).await, expected, "who has none");
}

#[tokio::test]
async fn what_was_issued_ahead_passes_the_checks_and_has_a_fresh_pvt() {
    let house = House::new().await;
    let (number, start) = house.period();
    assert_eq!(issued(&house, ALICE).await.len(), 1);
    let domain = domain(&house).await;
    let mut preissue = Preissue::new(house.service.store(), &domain, number + 1, number).unwrap();
    assert_eq!(preissue.count().await.unwrap(), 1);
    let page = preissue.page().await.unwrap().unwrap();
    assert_eq!((page.stored, page.failed.len()), (1, 0));
    assert!(preissue.page().await.unwrap().is_none());
    let found = house.service.store().rsk(preissue.extraction(), &Uri::parse(ALICE).unwrap()).await.unwrap();
    assert_eq!(found, Some(extracted(ALICE, number + 1)));

    house.set_now(start + PERIOD);
    let mut pvts = Vec::new();
    for _ in 0..2 {
        house.pass(1);
        let xml = payload(&house.keys(&Asker::alice(), ALICE).await.response).unwrap();
        let [keys] = &user_keys(&xml)[..] else { panic!("not one period") };
        assert_eq!(keys.period(), KeyPeriod::Number(number + 1));
        let response = KmsResponse::from_xml(xml.as_bytes(), Tolerances::default()).unwrap();
        let Some(KmsMessage::KeyProv(provision)) = response.message else { panic!("no KmsKeyProv") };
        let KeyContent::Plain(pvt) = &provision.key_sets[0].pvt else { panic!("a wrapped PVT") };
        pvts.push(pvt.expose().to_vec());
    }
    assert_ne!(pvts[0], pvts[1]);
}

#[tokio::test]
async fn one_that_cannot_be_opened_is_extracted() {
    let house = House::new().await;
    let (number, _) = house.period();
    let present = extraction(&house, number).await;
    let rsk = extracted(ALICE, number);
    house.service.store().add_rsks(&present, &[(Uri::parse(ALICE).unwrap(), rsk.clone())]).await.unwrap();
    let mut connection = SqliteConnection::connect(&house.database()).await.unwrap();
    raw_sql("UPDATE sealed_rows SET sealed = x'00' WHERE collection = 'rsks'").execute(&mut connection).await.unwrap();
    assert_eq!(issued(&house, ALICE).await, [rsk.expose().to_vec()]);
}

#[tokio::test]
async fn those_of_past_periods_and_other_certificates_are_dropped() {
    let house = House::new().await;
    let (number, start) = house.period();
    let store = house.service.store();
    let periods = [number - 1, number, number + 1, number + 2];
    let add = async || {
        let other = Extraction { certificate: Identifier::new("another").unwrap(), period: number };
        store.add_rsks(&other, &[(Uri::parse(ALICE).unwrap(), Rsk::new([7; 257]))]).await.unwrap();
        for period in periods {
            let extraction = extraction(&house, period).await;
            store.add_rsks(&extraction, &[(Uri::parse(ALICE).unwrap(), Rsk::new([7; 257]))]).await.unwrap();
        }
        other
    };
    let there = async || {
        let mut there = Vec::new();
        for period in periods {
            there.push(store.has_rsks(&extraction(&house, period).await).await.unwrap());
        }
        there
    };
    let other = add().await;
    house.service.prune().await;
    assert_eq!(there().await, [false, true, true, false]);
    assert!(!store.has_rsks(&other).await.unwrap());
    house.set_now(start + PERIOD);
    house.service.prune().await;
    assert_eq!(there().await, [false, false, true, false]);
}

#[tokio::test]
async fn nobody_is_issued_keys_ahead_for_other_periods() {
    let house = House::new().await;
    let (number, _) = house.period();
    let domain = domain(&house).await;
    let store = house.service.store();
    for period in [number, number + 1] {
        assert!(Preissue::new(store, &domain, period, number).is_ok());
    }
    for period in [0, number - 1, number + 2, u64::MAX] {
        let refused = Preissue::new(store, &domain, period, number).unwrap_err();
        assert!(matches!(refused, PreissueError::Period { asked, present } if (asked, present) == (period, number)));
    }
}

#[tokio::test]
async fn a_name_that_is_no_uri_is_passed_over() {
    let house = House::new().await;
    let (number, _) = house.period();
    let mut connection = SqliteConnection::connect(&house.database()).await.unwrap();
    let insert = format!("INSERT INTO issues VALUES ('Nobody', {number}, 1), ('{ALICE}', {number}, 1)");
    raw_sql(sqlx::AssertSqlSafe(insert)).execute(&mut connection).await.unwrap();
    let domain = domain(&house).await;
    let mut preissue = Preissue::new(house.service.store(), &domain, number + 1, number).unwrap();
    let page = preissue.page().await.unwrap().unwrap();
    assert_eq!((page.stored, page.failed.len(), page.failed[0].0.as_str()), (1, 1, "Nobody"));
    assert!(preissue.page().await.unwrap().is_none(), "one that failed is not tried for ever");
}
