//! `skms block`, `skms unblock` and `skms delegate`

use mikey_sakke::identity::Uri;
use mikey_sakke::time::Timestamp;

use super::Trial;

const EVE: &str = "sip:eve@example.org";
const PAIR: [&str; 4] = ["--principal", "https://val.example.org", "--user", "sip:alice@example.org"];
const LATER: [&str; 2] = ["--until", "9999-01-01T00:00:00Z"];

fn delegate(trial: &Trial, verb: &str, more: &[&str]) -> super::Run {
    trial.run(&[&["delegate", verb], more].concat())
}

#[tokio::test]
async fn a_user_is_blocked_and_no_longer() {
    let trial = Trial::new();
    let eve = Uri::parse(EVE).unwrap();
    trial.run(&["unblock", EVE]).fails(1, &["sip:eve@example.org is not blocked"]);
    assert!(trial.run(&["block", EVE]).done().contains("blocked"));
    assert!(trial.store().await.1.is_blocked(&eve).await.unwrap());
    assert!(trial.run(&["block", EVE]).done().contains("blocked already"));
    assert!(trial.run(&["unblock", EVE]).done().contains("no longer blocked"));
    assert!(!trial.store().await.1.is_blocked(&eve).await.unwrap());
    trial.run(&["block", "sip:Eve@EXAMPLE.org"]).fails(2, &["canonical"]);
    trial.run(&["block"]).fails(2, &["<URI>"]);
    let audit = trial.run(&["audit", "list"]).done();
    let lines: Vec<_> = audit.lines().collect();
    assert!(lines.len() == 2 && lines[0].contains("done: block sip:eve@example.org, by operator"), "{audit}");
    assert!(lines[1].contains("done: unblock sip:eve@example.org, by operator"), "{audit}");
}

#[tokio::test]
async fn a_delegate_is_added_listed_and_removed() {
    let trial = Trial::new();
    trial.write("skms.toml", &format!("{}\n[escrow]\nallow = true\n", trial.text("skms.toml")));
    assert_eq!(delegate(&trial, "list", &[]).done(), "no delegates\n");
    delegate(&trial, "add", &[&PAIR[..], &LATER].concat()).done();
    let line = "https://val.example.org has the keys of sip:alice@example.org until 9999-01-01T00:00:00Z\n";
    assert_eq!(delegate(&trial, "list", &[]).done(), line);
    let alice = Uri::parse(PAIR[3]).unwrap();
    let now = Timestamp::now().unwrap();
    assert!(trial.store().await.1.is_delegate(PAIR[1], &alice, now).await.unwrap());
    delegate(&trial, "remove", &["--principal", "other", "--user", PAIR[3]]).fails(1, &["other is no delegate"]);
    delegate(&trial, "remove", &PAIR).done();
    assert!(!trial.store().await.1.is_delegate(PAIR[1], &alice, now).await.unwrap());
    delegate(&trial, "remove", &PAIR).fails(1, &["is no delegate for", "skms delegate list"]);
    let audit = trial.run(&["audit", "list"]).done();
    let lines: Vec<_> = audit.lines().collect();
    let target = "sip:alice@example.org for https://val.example.org";
    assert!(lines[0].contains(&format!("done: delegate {target} until 9999-01-01T00:00:00Z, by operator")), "{audit}");
    assert!(lines[1].contains(&format!("done: remove-delegate {target}, by operator")), "{audit}");
}

#[test]
fn without_escrow_nobody_becomes_a_delegate() {
    let trial = Trial::new();
    delegate(&trial, "add", &[&PAIR[..], &LATER].concat())
        .fails(1, &["skms.toml: delegates are not allowed", "allow = true in [escrow]"]);
    assert_eq!(delegate(&trial, "list", &[]).done(), "no delegates\n");
    trial.write("skms.toml", &format!("{}\n[escrow]\nallow = true\n", trial.text("skms.toml")));
    delegate(&trial, "add", &[&PAIR[..], &LATER].concat()).done();
    trial.configure("allow = true", "allow = false");
    assert!(delegate(&trial, "list", &[]).done().contains("none of them counts"));
    delegate(&trial, "remove", &PAIR).done();
}

#[tokio::test]
async fn no_letter_stands_for_others() {
    let trial = Trial::new();
    trial.write("skms.toml", &format!("{}\n[escrow]\nallow = true\n", trial.text("skms.toml")));
    for (principal, user) in [("https://val.example.org", "sip:*@example.org"), ("*", PAIR[3]), ("%", PAIR[3])] {
        delegate(&trial, "add", &["--principal", principal, "--user", user, LATER[0], LATER[1]]).done();
    }
    let alice = Uri::parse(PAIR[3]).unwrap();
    assert!(!trial.store().await.1.is_delegate(PAIR[1], &alice, Timestamp::now().unwrap()).await.unwrap());
}

#[tokio::test]
async fn a_delegate_ends() {
    let trial = Trial::new();
    trial.write("skms.toml", &format!("{}\n[escrow]\nallow = true\n", trial.text("skms.toml")));
    delegate(&trial, "add", &PAIR).fails(2, &["--until"]);
    delegate(&trial, "add", &[&PAIR[..], &["--until", "2001-01-01T00:00:00Z"]].concat()).fails(2, &["is past already"]);
    delegate(&trial, "add", &[&PAIR[..], &["--until", "tomorrow"]].concat()).fails(2, &["2026-11-21T08:30:00Z"]);
    delegate(&trial, "add", &["--principal", "", "--user", PAIR[3], LATER[0], LATER[1]]).fails(2, &["--principal"]);
    delegate(&trial, "add", &[&PAIR[..], &LATER].concat()).done();
    trial.tamper("UPDATE delegates SET expires = 1000000000").await;
    assert!(delegate(&trial, "list", &[]).done().contains("until 2001-09-09T01:46:40Z (expired)"));
}
