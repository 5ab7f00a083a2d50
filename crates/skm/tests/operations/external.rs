//! Two domains whose users reach each other.

use std::fs;
use std::process::Command;
use std::time::Duration;

use mikey_sakke::Error;
use mikey_sakke::error::Refusal;
use tempfile::TempDir;

use crate::person::{Person, domain_of, operate, site, token};
use crate::site::{ALICE, Process, Site};

const HERE: &str = "kms.example.org";
const THERE: &str = "kms.example.net";
const BOB: &str = "sip:bob@example.net";

/// Waits until servers have noticed what was changed, which they look for twice a second.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(600)).await;
}

/// Gives the certificates of one domain to the operator of the other.
async fn introduce(one: &Site, other: &Site) {
    let file = one.path("certificates.json");
    let file = file.to_str().unwrap();
    operate(one, &["certs", "export", file, "--force"]).done();
    operate(other, &["certs", "import", file, "--role", "external", "--origin", "in person"]).done();
    settle().await;
}

/// Runs the program of the client for a user.
fn skmc(folder: &TempDir, site: &Site, server: &Process, user: &str, arguments: &[&str]) -> String {
    fs::write(folder.path().join("token"), token(site, user)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_skmc"));
    command.current_dir(folder.path()).args(["--server", &format!("https://{}", server.address("km_uu"))]);
    command.arg("--root").arg(site.path("ca.pem")).args(["--token-file", "token"]).args(arguments);
    let output = command.args(["--user", user]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn users_of_two_domains_reach_each_other_while_both_want_it() {
    let ((here, _), (there, _)) = (site(HERE), site(THERE));
    let [one, two] = [&here, &there].map(|site| site.spawn(&[]));
    let mut alice = Person::new(&here, &one, ALICE).await;
    let mut bob = Person::new(&there, &two, BOB).await;
    assert!(alice.send(BOB, THERE).is_none() && bob.send(ALICE, HERE).is_none());

    introduce(&there, &here).await;
    alice.refresh_later().await.unwrap();
    let (message, _) = alice.send(BOB, THERE).unwrap();
    let refused = bob.receive(&message);
    assert!(matches!(refused, Err(Error::Refused(Refusal::UntrustedKms))), "{refused:?}");

    introduce(&here, &there).await;
    bob.refresh_later().await.unwrap();
    let (message, sent) = alice.send(BOB, THERE).unwrap();
    let received = bob.receive(&message).unwrap();
    assert_eq!((&received.key, received.initiator.as_str()), (sent.key(), ALICE));
    assert_eq!(received.initiator_kms.as_str(), HERE);
    let (message, sent) = bob.send(ALICE, HERE).unwrap();
    assert_eq!(&alice.receive(&message).unwrap().key, sent.key());

    // With other master secrets there, the first ones are still accepted here, but not used by anybody any more.
    operate(&there, &["domain", "rollover", "--now", "--revoke-old"]).done();
    domain_of(&there, &two, 2).await;
    let carol = Person::new(&there, &two, "sip:carol@example.net").await;
    let message = carol.send(ALICE, HERE).unwrap().0;
    assert!(matches!(alice.receive(&message), Err(Error::Rejected)));
    introduce(&there, &here).await;
    let mut alice = Person::new(&here, &one, ALICE).await;
    let (message, sent) = carol.send(ALICE, HERE).unwrap();
    assert_eq!(&alice.receive(&message).unwrap().key, sent.key());
    let list = operate(&here, &["certs", "list"]).done();
    assert_eq!((list.matches(", revoked").count(), list.matches("in person").count()), (1, 2), "{list}");

    operate(&here, &["certs", "remove", THERE]).done();
    settle().await;
    let mut alice = Person::new(&here, &one, ALICE).await;
    assert!(alice.send(BOB, THERE).is_none());
    let message = carol.send(ALICE, HERE).unwrap().0;
    assert!(matches!(alice.receive(&message), Err(Error::Refused(Refusal::UntrustedKms))));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_of_the_client_reaches_users_of_other_domains() {
    let ((here, _), (there, _)) = (site(HERE), site(THERE));
    introduce(&here, &there).await;
    introduce(&there, &here).await;
    let [one, two] = [&here, &there].map(|site| site.spawn(&[]));
    let folder = TempDir::new().unwrap();
    let send = ["send", "--to", BOB, "--kms", THERE, "--purpose", "1", "--out", "message"];
    skmc(&folder, &here, &one, ALICE, &send);
    let said = skmc(&folder, &there, &two, BOB, &["receive", "message"]);
    assert!(said.contains(&format!("from {ALICE} of {HERE}, sent ")), "{said}");
}
