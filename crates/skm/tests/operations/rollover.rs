//! New master secrets in the place of those that a domain has, under a server that goes on.

use std::thread;

use mikey_sakke::Error;
use mikey_sakke::error::Refusal;
use skm::domain::fingerprint;

use crate::person::{Person, domain, domain_of, master, operate, present, site};
use crate::program::{Run, run};
use crate::site::{ALICE, Site};

const KMS: &str = "kms.example.org";
const BOB: &str = "sip:bob@example.org";

fn roll_over(site: &Site, arguments: &[&str]) -> Run {
    operate(site, &[&["domain", "rollover"], arguments].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn new_master_secrets_are_published_before_they_count() {
    let (site, old) = site(KMS);
    let server = site.spawn(&[]);
    let alice = Person::new(&site, &server, ALICE).await;
    let (file, new) = master(&site, "new.json", KMS);
    let [soon, later] = [present() + 1, present() + 2].map(|period| period.to_string());

    for period in ["0", &present().to_string()] {
        let says = format!("already; {soon} is the first");
        roll_over(&site, &["--from-period", period, "--key", &file]).fails(1, &[&says]);
    }
    let (known, elsewhere) = (site.path("master.json"), master(&site, "other.json", "kms.example.net").0);
    roll_over(&site, &["--from-period", &later, "--key", known.to_str().unwrap()]).fails(1, &["these master secrets"]);
    roll_over(&site, &["--from-period", &later, "--key", &elsewhere]).fails(1, &["are of kms.example.net"]);
    roll_over(&site, &["--from-period", &u64::MAX.to_string()]).fails(1, &[]);
    for arguments in [&[][..], &["--now"], &["--revoke-old"], &["--now", "--revoke-old", "--from-period", &later]] {
        assert_eq!(roll_over(&site, arguments).code, 2, "{arguments:?}");
    }
    assert_eq!(domain(&site, &server).await.certificates().len(), 1);

    let out = roll_over(&site, &["--from-period", &later, "--key", &file]).done();
    assert!(out.contains(&format!("from key period {later} on")) && out.contains(&fingerprint(new.certificate())));
    roll_over(&site, &["--from-period", &soon]).fails(1, &[&format!("from key period {later} on are there already")]);
    let domain = domain_of(&site, &server, 2).await;
    let ranges: Vec<_> = domain.certificates().iter().map(|entry| entry.periods()).collect();
    assert_eq!(
        ranges.iter().map(|range| (range.from, range.to)).collect::<Vec<_>>(),
        [(0, Some(present() + 1)), (present() + 2, None)]
    );
    assert!(domain.certificates()[0].certificate().has_the_keys_of(old.certificate()));
    assert!(domain.certificates()[1].certificate().has_the_keys_of(new.certificate()));

    // What is fetched now is of the old ones, and the present keys go on.
    let mut bob = Person::new(&site, &server, BOB).await;
    assert!(bob.cache.keys().all(|keys| keys.certificate().has_the_keys_of(old.certificate())));
    let (message, sent) = alice.send(BOB, KMS).unwrap();
    assert_eq!(&bob.receive(&message).unwrap().key, sent.key());
    let audit = operate(&site, &["audit", "list"]).done();
    let name = domain.certificates()[1].cert_uri().unwrap();
    assert!(audit.contains(&format!("done: domain {name}, period {later}, by operator")), "{audit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_operators_one_replaces_the_master_secrets() {
    let (site, _) = site(KMS);
    let period = (present() + 5).to_string();
    // The configuration is written with each command.
    let commands = [(); 2].map(|()| site.command(&["domain", "rollover", "--from-period", &period]));
    let runs =
        thread::scope(|scope| commands.map(|command| scope.spawn(|| run(command, ""))).map(|run| run.join().unwrap()));
    let mut codes = runs.each_ref().map(|run| run.code);
    codes.sort_unstable();
    assert_eq!(codes, [0, 1], "{runs:?}");
    let shown = operate(&site, &["domain", "show"]).done();
    assert_eq!(shown.matches("Certificate ").count(), 2, "{shown}");
    assert_eq!(operate(&site, &["audit", "list"]).done().matches(&format!("period {period}")).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn master_secrets_that_were_stolen_are_replaced_at_once() {
    let (site, _) = site(KMS);
    let server = site.spawn(&[]);
    let mut alice = Person::new(&site, &server, ALICE).await;
    let mut bob = Person::new(&site, &server, BOB).await;
    let (message, sent) = alice.send(BOB, KMS).unwrap();
    assert_eq!(&bob.receive(&message).unwrap().key, sent.key());
    let in_flight = alice.send(BOB, KMS).unwrap().0;
    let planned = (present() + 9).to_string();
    roll_over(&site, &["--from-period", &planned]).done();

    let out = roll_over(&site, &["--now", "--revoke-old"]).done();
    assert!(out.contains(&format!("from key period {} on", present())), "{out}");
    let domain = domain_of(&site, &server, 3).await;
    let revoked: Vec<_> = domain.certificates().iter().map(|entry| entry.certificate().is_revoked()).collect();
    assert_eq!(revoked, [true, true, false], "the one that was planned as well");

    // A client that has not noticed reads what another wrote that has not.
    alice.refresh().await.unwrap();
    let unnoticed = alice.send(BOB, KMS).unwrap().0;
    assert!(bob.receive(&unnoticed).is_ok());
    // One that has noticed has new keys with the same step, and does not.
    let unread = alice.send(BOB, KMS).unwrap().0;
    bob.refresh_later().await.unwrap();
    let keys: Vec<_> = bob.cache.keys().collect();
    assert!(keys.len() == 1 && keys[0].certificate().has_the_keys_of(domain.certificates()[2].certificate()));
    for message in [in_flight, unread] {
        assert!(matches!(bob.receive(&message), Err(Error::Rejected)), "made with revoked keys");
    }
    assert!(matches!(bob.receive(&unnoticed), Err(Error::Refused(Refusal::Replay))), "what was read is remembered");
    let to_alice = bob.send(ALICE, KMS).unwrap().0;
    assert!(matches!(alice.receive(&to_alice), Err(Error::Rejected)), "made with keys not yet known");

    alice.refresh_later().await.unwrap();
    let (message, sent) = alice.send(BOB, KMS).unwrap();
    assert_eq!(&bob.receive(&message).unwrap().key, sent.key());
    let (message, sent) = bob.send(ALICE, KMS).unwrap();
    assert_eq!(&alice.receive(&message).unwrap().key, sent.key());
    operate(&site, &["audit", "verify"]).done();
}
