//! Keys from one key period to the next.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use getrandom::SysRng;
use getrandom::rand_core::TryRng;
use mikey_sakke::error::{Error, Refusal};
use mikey_sakke::identity::{KeyPeriod, Uri};
use mikey_sakke::imessage::{Initiator, KeyBundle, Profile, Purpose, Recipient};
use mikey_sakke::km::domain::{Domain, DomainCertificate, Periods};
use mikey_sakke::kms::KmsCertificate;
use mikey_sakke::time::Timestamp;
use skm::client::{AnswerError, CacheSettings, ClientError, Due, KeyCache};

use crate::domains::{CURRENT, END, KMS, LEAD, OTHER, PERIOD, Site, certificate, domain};
use crate::support::{ALICE, NOW, SKMS, at, uri};

const BOB: &str = "sip:bob@example.org";
const HOUR: u64 = 3_600;

/// A source that says what it is told.
struct Said(u64);

impl TryRng for Said {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.0 as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0)
    }

    fn try_fill_bytes(&mut self, octets: &mut [u8]) -> Result<(), Infallible> {
        octets.fill(self.0 as u8);
        Ok(())
    }
}

/// Settings under which the domain is not fetched on its own account.
fn long() -> CacheSettings {
    CacheSettings { domain_age: Duration::from_secs(100 * PERIOD), ..CacheSettings::default() }
}

fn cache(settings: CacheSettings) -> KeyCache {
    KeyCache::new(uri(ALICE), settings)
}

async fn refresh(site: &Site, cache: &mut KeyCache) {
    site.client.refresh(cache, site.now(), &mut SysRng).await.unwrap();
}

fn periods(cache: &KeyCache) -> Vec<u64> {
    let number = |period| match period {
        KeyPeriod::Number(number) => number,
        KeyPeriod::Month { .. } => panic!("a month"),
    };
    cache.keys().map(|keys| number(keys.period())).collect()
}

/// The moment at which a cache wants the keys of the next key period, if the source says this.
fn moment(settings: &CacheSettings, now: u64, random: u64) -> u64 {
    let mut cache = cache(settings.clone());
    cache.take(domain(), None, at(now), &mut Said(random)).unwrap();
    cache.refresh_at().unwrap().to_unix()
}

#[test]
fn the_moment_is_always_in_the_lead_time_and_spread_over_it() {
    proptest::proptest!(|(random: u64, early in 0..PERIOD, lead in 64..2 * PERIOD)| {
        let settings = CacheSettings { lead: Duration::from_secs(lead), ..long() };
        let now = END - 1 - early;
        let at = moment(&settings, now, random);
        let start = (END - lead).max(END - PERIOD);
        assert!((start..=END - (END - start) / 8).contains(&at), "{at}");
        // In the order of the random numbers: all of the span is as likely.
        let share = (u128::from(END - start) * 7 / 8 * u128::from(random)) >> 64;
        assert!((at - start).abs_diff(share as u64) <= 1, "{at}");
    });
    assert_eq!(moment(&long(), NOW, 0), END - LEAD);
    assert_eq!(moment(&long(), NOW, 1 << 63), END - LEAD + LEAD * 7 / 16);
}

#[test]
fn moments_of_many_clients_are_spread() {
    let mut counts = [0; 7];
    for _ in 0..700 {
        let mut cache = cache(long());
        cache.take(domain(), None, at(NOW), &mut SysRng).unwrap();
        let since = cache.refresh_at().unwrap().to_unix() - (END - LEAD);
        counts[(since * 8 / LEAD) as usize] += 1;
    }
    // 100 are expected; that one is outside happens to one run in 10^8.
    assert!(counts.iter().all(|count| (40..180).contains(count)), "{counts:?}");
}

#[tokio::test]
async fn the_moment_is_drawn_once_in_a_key_period() {
    let site = Site::start(at(NOW)).await;
    let mut cache = cache(CacheSettings::default());
    site.client.refresh(&mut cache, at(NOW), &mut Said(1 << 63)).await.unwrap();
    let moment = END - LEAD + LEAD * 7 / 16;
    // The domain is fetched every hour, and whatever is drawn then does not count.
    for now in [NOW + HOUR, NOW + 2 * HOUR, moment - 1] {
        site.host.set(at(now));
        assert_eq!(cache.due(at(now), &mut Said(0)).unwrap(), Due::Domain, "{now}");
        site.client.refresh(&mut cache, at(now), &mut Said(0)).await.unwrap();
        assert_eq!(cache.refresh_at(), Some(at(now + HOUR).min(at(moment))));
    }
    assert_eq!(site.key_requests(), 1);
    assert_eq!(cache.due(at(moment), &mut Said(0)).unwrap(), Due::Keys);
}

#[tokio::test]
async fn an_empty_cache_fetches_at_once() {
    let site = Site::start(at(NOW)).await;
    let mut cache = cache(CacheSettings::default());
    assert_eq!(cache.refresh_at(), None);
    assert!(cache.initiator().is_none() && cache.responder().is_none() && cache.domain().is_none());
    assert_eq!(cache.due(at(NOW), &mut SysRng).unwrap(), Due::Keys);
    refresh(&site, &mut cache).await;
    assert_eq!(periods(&cache), [CURRENT]);
    assert_eq!(cache.refresh_at(), Some(at(NOW + HOUR)));
    refresh(&site, &mut cache).await;
    assert_eq!(site.server.seen().len(), 2, "nothing is due any more");
}

#[tokio::test]
async fn a_cache_that_starts_in_the_lead_time_has_both_at_once() {
    let site = Site::start(at(END - HOUR)).await;
    let mut cache = cache(long());
    refresh(&site, &mut cache).await;
    assert_eq!(periods(&cache), [CURRENT, CURRENT + 1]);
    assert_eq!(cache.refresh_at(), Some(at(END)));
    assert_eq!(cache.due(at(END - 1), &mut SysRng).unwrap(), Due::Nothing);
}

/// A message from one cache to a user.
fn message(initiator: &Initiator, to: &str, purpose: u8, at: Timestamp) -> Vec<u8> {
    let bundle = KeyBundle::generate(Profile::seal(Purpose::new(purpose).unwrap()), &mut SysRng).unwrap();
    let recipient = Recipient { user: uri(to), certificate: KMS.certificate().clone() };
    initiator.distribute(&bundle, &recipient, at, &mut SysRng).unwrap()
}

#[tokio::test]
async fn keys_turn_over_without_a_gap_and_messages_are_accepted_once() {
    let site = Site::start(at(NOW)).await;
    let [mut alice, mut bob] = [ALICE, BOB].map(|user| KeyCache::new(uri(user), long()));
    for cache in [&mut alice, &mut bob] {
        refresh(&site, cache).await;
    }

    // At a moment of the lead time.
    site.host.set(alice.refresh_at().unwrap().max(bob.refresh_at().unwrap()));
    for cache in [&mut alice, &mut bob] {
        refresh(&site, cache).await;
        assert_eq!(periods(cache), [CURRENT, CURRENT + 1]);
    }

    // Around the end of the key period, without the server.
    site.change(|state| state.is_down = true);
    let last = message(&alice.initiator().unwrap(), BOB, 1, at(END - 1));
    let first = message(&alice.initiator().unwrap(), BOB, 1, at(END));
    site.host.set(at(END + 1));
    assert_eq!(bob.due(site.now(), &mut SysRng).unwrap(), Due::Nothing);
    for octets in [&last, &first] {
        let key = bob.responder().unwrap().extract(octets, site.now()).unwrap();
        assert_eq!(key.initiator, uri(ALICE));
    }

    // A refresh keeps what was accepted.
    site.change(|state| state.is_down = false);
    let (domain, now) = (bob.domain().unwrap().clone(), site.now());
    bob.take(domain, None, now, &mut SysRng).unwrap();
    for octets in [&last, &first] {
        let error = bob.responder().unwrap().extract(octets, site.now()).unwrap_err();
        assert_eq!(error, Error::Refused(Refusal::Replay));
    }
}

#[tokio::test]
async fn keys_are_dropped_once_their_period_is_not_accepted() {
    let site = Site::start(at(END - HOUR)).await;
    let mut cache = cache(long());
    refresh(&site, &mut cache).await;
    let old = message(&cache.initiator().unwrap(), ALICE, 1, at(END - 1));
    // One period later the first one is still accepted, two periods later it is not.
    for (now, held) in [
        (END + PERIOD - 1, vec![CURRENT, CURRENT + 1, CURRENT + 2]),
        (END + PERIOD, vec![CURRENT + 1, CURRENT + 2]),
        (END + 2 * PERIOD + 9, vec![CURRENT + 2, CURRENT + 3]),
        (END + 50 * PERIOD, vec![CURRENT + 51]),
    ] {
        site.host.set(at(now));
        refresh(&site, &mut cache).await;
        let domain = cache.domain().unwrap().clone();
        cache.take(domain, None, site.now(), &mut SysRng).unwrap();
        assert_eq!(periods(&cache), held, "{now}");
    }
    let error = cache.responder().unwrap().extract(&old, at(END)).unwrap_err();
    assert_eq!(error, Error::Refused(Refusal::KeyPeriod));
}

#[tokio::test]
async fn a_server_that_releases_late_is_asked_again_before_the_end() {
    let site = Site::start(at(NOW)).await;
    site.change(|state| state.lead = 600);
    let mut cache = cache(long());
    refresh(&site, &mut cache).await;
    let mut moments = vec![cache.refresh_at().unwrap()];
    while periods(&cache).len() == 1 {
        site.host.set(cache.refresh_at().unwrap());
        refresh(&site, &mut cache).await;
        moments.push(cache.refresh_at().unwrap());
    }
    assert!(moments.is_sorted());
    assert!(moments.windows(2).all(|pair| pair[1].to_unix() - pair[0].to_unix() >= 59 || pair[1] == at(END)));
    assert!(site.now() <= at(END), "{:?}", site.now());
    assert!(site.key_requests() < 200, "{}", site.key_requests());
}

#[tokio::test]
async fn a_failed_refresh_changes_nothing_and_is_tried_again() {
    let site = Site::start(at(NOW)).await;
    let mut cache = cache(long());
    refresh(&site, &mut cache).await;
    let moment = cache.refresh_at().unwrap();
    site.host.set(moment);
    site.change(|state| state.is_down = true);
    assert!(site.client.refresh(&mut cache, moment, &mut SysRng).await.is_err());
    assert_eq!(periods(&cache), [CURRENT]);
    assert!(cache.initiator().is_some() && cache.responder().is_some());
    let again = cache.refresh_at().unwrap();
    assert!(moment < again && again < at(END));
    site.change(|state| state.is_down = false);
    site.host.set(again);
    refresh(&site, &mut cache).await;
    assert_eq!(periods(&cache), [CURRENT, CURRENT + 1]);
}

#[tokio::test]
async fn group_keys_are_from_group_managers_and_no_keys_from_the_revoked() {
    let site = Site::start(at(NOW)).await;
    let [mut alice, mut bob] = [ALICE, BOB].map(|user| KeyCache::new(uri(user), CacheSettings::default()));
    for cache in [&mut alice, &mut bob] {
        refresh(&site, cache).await;
    }
    let mut stamp = site.now();
    let mut outcome = |bob: &mut KeyCache, purpose| {
        stamp = stamp.saturating_add(Duration::from_millis(1));
        let octets = message(&alice.initiator().unwrap(), BOB, purpose, stamp);
        bob.responder().unwrap().extract(&octets, stamp).map(|key| key.id.purpose().number())
    };
    let refused = Err(Error::Refused(Refusal::Initiator));
    assert_eq!(outcome(&mut bob, 0), refused);
    assert_eq!(outcome(&mut bob, 1), Ok(1));

    let change = |users: fn(&mut Domain) -> &mut BTreeSet<Uri>| {
        site.change(|state| assert!(users(&mut state.domain).insert(uri(ALICE))));
        site.host.pass(Duration::from_secs(HOUR));
    };
    change(|domain| &mut domain.group_managers);
    refresh(&site, &mut bob).await;
    assert_eq!((outcome(&mut bob, 0), outcome(&mut bob, 1)), (Ok(0), Ok(1)));

    change(|domain| &mut domain.revoked_users);
    refresh(&site, &mut bob).await;
    assert_eq!((outcome(&mut bob, 0), outcome(&mut bob, 1)), (refused.clone(), refused));
    assert_eq!(site.key_requests(), 2, "the domain alone is fetched");
}

#[tokio::test]
async fn purposes_of_group_keys_can_be_chosen() {
    let site = Site::start(at(NOW)).await;
    let settings = CacheSettings { group_purposes: BTreeSet::from([Purpose::new(5).unwrap()]), ..long() };
    let mut cache = cache(settings);
    refresh(&site, &mut cache).await;
    for (purpose, is_accepted) in [(0, true), (1, true), (5, false)] {
        let octets = message(&cache.initiator().unwrap(), ALICE, purpose, site.now());
        let result = cache.responder().unwrap().extract(&octets, site.now());
        assert_eq!(result.is_ok(), is_accepted, "{purpose}");
    }
}

#[tokio::test]
async fn new_master_secrets_take_over_at_a_key_period() {
    let site = Site::start(at(NOW)).await;
    let mut cache = cache(CacheSettings::default());
    refresh(&site, &mut cache).await;
    let first = cache.keys().next().unwrap().clone();
    site.change(|state| {
        let certificates = vec![certificate(&KMS, 0, Some(CURRENT)), certificate(&OTHER, CURRENT + 1, None)];
        state.domain = Domain::new(uri(SKMS), certificates).unwrap();
        state.issuers.insert(CURRENT + 1, OTHER.clone());
    });
    site.host.pass(Duration::from_secs(HOUR));
    refresh(&site, &mut cache).await;
    assert_eq!(site.key_requests(), 1, "the keys at hand stay, though their certificate ends earlier now");
    assert!(std::sync::Arc::ptr_eq(cache.keys().next().unwrap(), &first));
    site.host.set(at(END - HOUR));
    refresh(&site, &mut cache).await;
    assert_eq!(periods(&cache), [CURRENT, CURRENT + 1]);
    site.host.set(at(END));
    let bundle = KeyBundle::generate(Profile::seal(Purpose::PCK), &mut SysRng).unwrap();
    let recipient = Recipient { user: uri(ALICE), certificate: OTHER.certificate().clone() };
    let octets = cache.initiator().unwrap().distribute(&bundle, &recipient, at(END), &mut SysRng).unwrap();
    assert_eq!(cache.responder().unwrap().extract(&octets, at(END)).unwrap().key, *bundle.key());
}

#[tokio::test]
async fn keys_of_a_revoked_or_replaced_certificate_are_dropped_and_fetched_anew() {
    let site = Site::start(at(NOW)).await;
    let mut cache = cache(CacheSettings::default());
    refresh(&site, &mut cache).await;
    let octets = message(&cache.initiator().unwrap(), ALICE, 1, at(NOW));

    let revoked = KmsCertificate::clone(KMS.certificate()).revoked();
    let revoked = DomainCertificate::new(&revoked, Periods { from: 0, to: None }, None).unwrap();
    site.change(|state| state.domain = Domain::new(uri(SKMS), vec![revoked.clone()]).unwrap());
    site.host.pass(Duration::from_secs(HOUR));
    let refreshed = site.client.refresh(&mut cache, site.now(), &mut SysRng).await;
    assert!(matches!(refreshed, Err(ClientError::Answer(AnswerError::Keys(_)))), "there are no others");
    assert_eq!(periods(&cache), [0; 0]);
    assert!(cache.initiator().is_none() && cache.responder().is_none());
    assert_eq!(cache.due(site.now(), &mut SysRng).unwrap(), Due::Keys);

    site.change(|state| {
        state.domain = Domain::new(uri(SKMS), vec![revoked, certificate(&OTHER, 0, None)]).unwrap();
        state.issuers.insert(0, OTHER.clone());
    });
    refresh(&site, &mut cache).await;
    assert_eq!(periods(&cache), [CURRENT]);
    assert_eq!(cache.keys().next().unwrap().certificate().kpak(), OTHER.certificate().kpak());
    assert!(cache.responder().unwrap().extract(&octets, at(NOW)).is_err());

    // Back again: what was accepted before is remembered through a time without keys.
    site.change(|state| {
        state.domain = domain();
        state.issuers.insert(0, KMS.clone());
    });
    site.host.pass(Duration::from_secs(HOUR));
    refresh(&site, &mut cache).await;
    assert_eq!(cache.keys().next().unwrap().certificate().kpak(), KMS.certificate().kpak());
}

#[test]
fn the_blocking_client_refreshes_as_well() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let site = runtime.block_on(Site::start(at(END - HOUR)));
    let client =
        skm::client::blocking::Client::with_environment(&site.settings, crate::support::token(), site.host.clone())
            .unwrap();
    let mut cache = cache(CacheSettings::default());
    for _ in 0..2 {
        client.refresh(&mut cache, site.now(), &mut SysRng).unwrap();
        assert_eq!(periods(&cache), [CURRENT, CURRENT + 1]);
        assert_eq!(site.server.seen().len(), 2);
    }
    site.host.pass(Duration::from_secs(HOUR - 1));
    client.refresh(&mut cache, site.now(), &mut SysRng).unwrap();
    assert_eq!(site.server.seen().len(), 2);
}
