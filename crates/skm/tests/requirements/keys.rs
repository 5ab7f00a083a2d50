//! R33, R34 and R37: clients have keys of their identity, for a time, from the server, before they use them.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use getrandom::SysRng;
use mikey_sakke::documents::KmsRequest;
use mikey_sakke::error::{Error, Refusal, UsageError};
use mikey_sakke::identity::KeyPeriod;
use mikey_sakke::imessage::{Initiator, Policy, Recipient};
use mikey_sakke::kms::UserKeys;
use mikey_sakke::time::Timestamp;
use mikey_sakke_files::read_user_keys;
use serde_json::Value;

use crate::ends::{EXCHANGE, KMS, PERIOD, Skms, Ue, parts, period_now, responder, uid};
use crate::http::{Answer, Client, XML};
use crate::oracle::{eccsi, sakke};
use crate::site::{ALICE, claims};
use crate::support::with;
use crate::world::{BOB, CAROL, uri};

const DAVE: &str = "sip:dave@example.org";

/// A member of a file, in octets.
fn octets(file: &Value, name: &str) -> Vec<u8> {
    hex::decode(file[name].as_str().unwrap()).unwrap()
}

/// R33: an end point has material for its identity from the server that manages the domain. What the server hands out
/// is what anybody computes who has the master secrets, without the engine.
#[test]
fn r33_every_rsk_can_be_recomputed_from_the_master_secrets() {
    let skms = Skms::shared();
    let master: Value = serde_json::from_slice(&fs::read(skms.site.path("master.json")).unwrap()).unwrap();
    let (z, ksak) = (octets(&master, "MasterSecret"), octets(&master, "Ksak"));
    let kpak = eccsi::master_key(&ksak).unwrap();
    for user in [ALICE, BOB, CAROL] {
        let (ue, id) = (skms.ue(user), uid(user, period_now()));
        let rsk = sakke::extract(&z, &id).unwrap();
        let mut pvts = vec![];
        for _ in 0..2 {
            ue.keys();
            let keys = ue.key_file();
            assert_eq!((&keys["UserUri"], octets(&keys, "UserID")), (&user.into(), id.to_vec()));
            assert_eq!(octets(&keys, "UserDecryptKey"), rsk);
            let (ssk, pvt) = (octets(&keys, "UserSigningKeySSK"), octets(&keys, "UserPubTokenPVT"));
            assert!(eccsi::validate(&kpak, &id, &ssk, &pvt));
            pvts.push(pvt);
        }
        assert_ne!(pvts[0], pvts[1]);
        let certificate: Value = serde_json::from_slice(&fs::read(ue.path("certificate.json")).unwrap()).unwrap();
        assert_eq!(octets(&certificate, "PubAuthKey"), kpak);
        assert_eq!(octets(&certificate, "PubEncKey"), sakke::master_key(&z).unwrap());
    }
}

#[test]
fn r33_keys_of_another_identity_are_not_taken() {
    let skms = Skms::shared();
    let [alice, bob] = [ALICE, BOB].map(|user| skms.ue(user));
    let certificate = alice.keys().certificate().clone();
    bob.keys();
    let (own, others) = (alice.key_file(), bob.key_file());
    let import = |keys: &Value| {
        fs::write(alice.path("other.json"), keys.to_string()).unwrap();
        read_user_keys(&alice.path("other.json"), &certificate).map_err(|error| format!("{error:#}"))
    };
    import(&own).unwrap();
    for (members, says) in [
        (&["UserDecryptKey"][..], "the RSK does not belong"),
        (&["UserSigningKeySSK", "UserPubTokenPVT"], "SSK does not belong"),
        (&["UserSigningKeySSK"], "SSK does not belong"),
    ] {
        let mixed = members.iter().fold(own.clone(), |keys, name| with(keys, name, others[name].clone()));
        let error = import(&mixed).unwrap_err();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn r33_the_keys_of_another_user_are_refused() {
    let skms = Skms::shared();
    let bob = skms.ue(BOB);
    bob.skmc(&["keys", "--user", ALICE, "--out", "keys.json"]).fails(1, "error 04");
    assert!(!bob.path("keys.json").exists());
}

/// R34: a UE fetches its material on-network, before end-to-end security is set up.
#[test]
fn r34_with_fetched_keys_a_key_is_sent_and_received() {
    assert_eq!(parts(&EXCHANGE.sent), parts(&EXCHANGE.received));
}

#[test]
fn r34_without_fetched_keys_nothing_is_sent_or_received() {
    let skms = Skms::shared();
    let alice = skms.ue(ALICE);
    let send = ["send", "--user", ALICE, "--to", BOB, "--purpose", "1", "--out", "message", "--save-key", "key"];
    let nothing_is_sent = |ue: &Ue<'_>| assert!(!ue.path("message").exists() && !ue.path("key").exists());
    // A token for other services: the server hands out no keys.
    let token = skms.site.sign(&claims("client-1", "seal:key-management"));
    alice.skmc_with(&token, &send).fails(1, "error 04");
    nothing_is_sent(&alice);
    fs::write(alice.path("received"), &EXCHANGE.message).unwrap();
    alice.skmc_with(&token, &["receive", "received", "--user", ALICE]).fails(1, "error 04");

    let dave = skms.ue(DAVE);
    let send = send.map(|argument| if argument == ALICE { DAVE } else { argument });
    skms.operate(&["block", DAVE]);
    // Already the description of the domain is refused.
    dave.skmc(&send).fails(1, "refuses");
    nothing_is_sent(&dave);
    skms.operate(&["unblock", DAVE]);
    dave.skmc(&send).done();
    assert!(dave.path("message").exists() && dave.path("key").exists());
}

/// R37: both UEs hold material for a limited time, bound to their URIs.
#[test]
fn r37_both_ends_have_keys_for_their_uris_and_a_time() {
    let skms = Skms::shared();
    let period = period_now();
    for user in [ALICE, BOB] {
        let ue = skms.ue(user);
        let run = ue.skmc(&["keys", "--user", user, "--out", "now.json", "--next", "next.json"]).done();
        let (start, end) = KMS.certificate().uid_format().span(KeyPeriod::Number(period)).unwrap();
        assert_eq!(end.to_unix() - start.to_unix(), PERIOD);
        assert!(run.starts_with(&format!("{user}: keys for key period {period}, ")), "{run}");
        // It is the middle of a period, and the keys of the next are not given out yet.
        assert_eq!((run.lines().count(), ue.path("next.json").exists()), (1, false));
        let keys: Value = serde_json::from_slice(&fs::read(ue.path("now.json")).unwrap()).unwrap();
        assert_eq!((&keys["UserUri"], &keys["KeyPeriodNo"]), (&user.into(), &period.to_string().into()));
        assert_eq!(octets(&keys, "UserID"), uid(user, period));
    }
}

/// Asks for keys of the key period of a time.
async fn keys_at(skms: &Skms, at: Timestamp) -> Answer {
    let address = skms.url("km_uu").strip_prefix("https://").unwrap().parse().unwrap();
    let path = format!(
        "/keymanagement/identity/v1/keyprov/{}/{:016x}",
        ALICE.replace(':', "%3A").replace('@', "%40"),
        at.to_ntp()
    );
    let now = Timestamp::now().unwrap();
    let request = KmsRequest::new(uri(ALICE), uri("kms.example.org"), now, path.clone()).to_xml().unwrap();
    let authorization = format!("Bearer {}", skms.token(ALICE));
    let client = Client::new(address, skms.site.anonymous());
    client.send("POST", &path, &[XML, ("authorization", &authorization)], request.to_string()).await
}

#[tokio::test]
async fn r37_keys_of_other_periods_are_not_given_out() {
    let skms = Skms::shared();
    let (now, period) = (Timestamp::now().unwrap(), Duration::from_secs(PERIOD));
    for at in [now, now.saturating_sub(period)] {
        let answer = keys_at(&skms, at).await;
        assert!(answer.status == 200 && answer.body.contains("UserDecryptKey"), "{answer:?}");
    }
    for at in [now.saturating_add(period), now.saturating_sub(2 * period), now.saturating_add(2 * period)] {
        keys_at(&skms, at).await.assert_problem(404, "NOT_AVAILABLE");
    }
}

/// Keys of a user, as the server issues them in a key period.
fn issued(user: &str, period: u64) -> Arc<UserKeys> {
    let key_set = KMS.issue(&uri(user), KeyPeriod::Number(period), &mut SysRng).unwrap();
    Arc::new(UserKeys::import(KMS.certificate(), &key_set).unwrap())
}

#[test]
fn r37_keys_that_have_ended_are_not_used() {
    let (exchange, period) = (&*EXCHANGE, Duration::from_secs(PERIOD));
    let initiator = Initiator::new(exchange.alice.clone());
    let bob = Recipient { user: uri(BOB), certificate: exchange.alice.certificate().clone() };
    let distribute = |at| initiator.distribute(&exchange.sent, &bob, at, &mut SysRng);
    let at = exchange.at();
    assert!(distribute(at).is_ok());
    for at in [at.saturating_add(period), at.saturating_sub(period)] {
        assert!(matches!(distribute(at), Err(Error::Usage(UsageError::KeyPeriod))));
    }

    // With no regard to the age of the message, so that only that of the keys counts.
    let policy = Policy { window: 9 * period, ..Policy::default() };
    let receive = |keys: &Arc<UserKeys>, at| responder(keys, policy.clone()).extract(&exchange.message, at).map(|_| ());
    assert!(receive(&exchange.bob, at).is_ok());
    assert!(receive(&exchange.bob, at.saturating_add(period)).is_ok(), "the period after it, as TS 33.180 has it");
    let ended = Err(Error::Refused(Refusal::KeyPeriod));
    assert_eq!(receive(&exchange.bob, at.saturating_add(2 * period)), ended);
    assert_eq!(receive(&issued(BOB, period_now() - 1), at), ended);
    assert_eq!(receive(&issued(BOB, period_now() + 1), at), ended);
}

#[test]
fn r37_a_message_signed_with_keys_that_have_ended_is_refused() {
    let skms = Skms::shared();
    let ended = issued(ALICE, period_now() - 1);
    let error = skms.ue(BOB).receive(&EXCHANGE.forged(&ended, |_| ())).unwrap_err();
    assert!(error.contains("a cryptographic check failed"), "{error}");
}
