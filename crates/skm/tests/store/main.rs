//! The store on each database that it has a back end for.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use mikey_sakke::identity::Uri;
use mikey_sakke::km::record::Record;
use mikey_sakke::km::{Identifier, Payload, Subject};
use mikey_sakke::kms::Validity;
use mikey_sakke::time::Timestamp;
use skm::audit::{Action, Event, Outcome};
use skm::store::{Store, StoreError, Version};

/// Runs tests on each back end; on PostgreSQL only where that is installed.
macro_rules! on_both {
    ($($test:ident,)*) => {
        mod on_sqlite {
            $(#[tokio::test]
            async fn $test() {
                super::$test($crate::site::Site::sqlite()).await;
            })*
        }

        mod on_postgres {
            $(#[tokio::test]
            async fn $test() {
                if let Some(site) = $crate::site::Site::postgres().await {
                    super::$test(site).await;
                }
            })*
        }
    };
}

mod audit;
mod backup;
mod crash;
mod keyring;
mod outage;
#[path = "../support/postgres.rs"]
mod postgres;
mod requests;
mod reseal;
mod rows;
mod rsks;
mod schema;
#[path = "../support/search.rs"]
mod search;
mod secrets;
mod servers;
mod site;

const KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n";
const NOW: u64 = 1_795_000_000;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix(seconds).unwrap()
}

fn uri(text: &str) -> Uri {
    Uri::parse(text).unwrap()
}

fn name(text: &str) -> Identifier {
    Identifier::new(text).unwrap()
}

fn alice() -> Subject {
    Subject::User(uri("sip:alice@example.org"))
}

fn event(target: &str) -> Event {
    Event {
        time: at(NOW),
        principal: "urn:example:operator".into(),
        action: Action::Provision,
        target: target.into(),
        period: None,
        outcome: Outcome::Done,
        request_id: "7".into(),
    }
}

fn record(payload: &str) -> Record {
    let validity = Validity { from: Some(at(NOW)), to: None };
    Record::new(uri("sip:alice@example.org"), Payload::new(payload).unwrap(), validity).unwrap()
}

#[tokio::test]
async fn urls_without_a_back_end_are_refused() {
    let bad = ["", "sqlite:", "sqlite://", "sqlite::memory:", "sqlite:a.db?mode=memory", "mysql://host/skm", "a.db"];
    for url in bad.into_iter().chain(["postgres:", "postgres:skm", "postgres://host:x/skm", "postgres://h/?sslmode=x"])
    {
        let opened = Store::open(url, skm::seal::Secret::from_key(KEY).unwrap(), "skms-1").await;
        assert!(matches!(opened, Err(StoreError::Url)), "{url}: {opened:?}");
    }
}

#[test]
fn other_entity_tags_are_no_versions() {
    let bad = ["", "\"", "\"\"", "*", "0123456789abcdef", "W/\"0123456789abcdef\"", "\"0123456789ABCDEF\""];
    let worse = ["\"+123456789abcdef\"", "\"0123456789abcde\"", "\"0123456789abcdef0\"", "\"0123456789abcdé\""];
    for etag in bad.into_iter().chain(worse) {
        assert_eq!(Version::from_etag(etag), None, "{etag}");
    }
}
