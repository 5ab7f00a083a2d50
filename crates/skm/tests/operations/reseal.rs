//! `skms reseal`: a store that gets another key, while a server has it open.

use mikey_sakke_files::write_kms;
use serde_json::json;

use crate::fleet::{Fleet, KMS, admin, patient};
use crate::http::Client;
use crate::program::{self, Run};
use crate::site::{IDENTITY_KEYS, Process, Site, claims, identity_request, set_owner_only};
use crate::softhsm::{PIN, Tokens};
use crate::support::with;

const NEW_KEY: &str = "6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b\n";

/// A site with master secrets, and a key file for later.
fn site() -> Site {
    let site = patient();
    write_kms(&site.path("master.json"), true, &KMS).unwrap();
    skms(&site, &["domain", "import", site.path("master.json").to_str().unwrap()]).done();
    write_key(&site, "new.key", NEW_KEY);
    site
}

fn write_key(site: &Site, name: &str, text: &str) {
    site.write(name, text);
    set_owner_only(&site.path(name));
}

fn skms(site: &Site, arguments: &[&str]) -> Run {
    program::run(site.command(arguments), "")
}

fn reseal(site: &Site, option: &str, file: &str) -> Run {
    skms(site, &["reseal", option, site.path(file).to_str().unwrap()])
}

/// What a run says that sealed the values of the domain anew, which are few.
fn resealed(run: Run) -> String {
    let all = run.out.split(' ').next().unwrap();
    assert_eq!((run.code, run.err), (0, format!("{all} of {all}\n")), "{}", run.out);
    assert!(run.out.contains(" values are sealed with a new data key"), "{}", run.out);
    run.out
}

/// Asks for Alice's identity keys: her RSK, in hexadecimal.
async fn rsk(site: &Site, server: &Process) -> Result<String, u16> {
    let ue = Client::new(server.address("km_uu"), site.anonymous());
    let claims = with(claims("client-1", "seal:key-management"), "val_service_ids", json!([IDENTITY_KEYS]));
    let token = site.sign(&claims);
    let answer = ue.key_request(&token, identity_request().to_string()).await;
    if answer.status != 200 {
        return Err(answer.status);
    }
    let after = answer.body.split("UserDecryptKey").nth(1).unwrap();
    let digits = after.split(|letter: char| !letter.is_ascii_hexdigit()).find(|run| run.len() == 514);
    Ok(digits.unwrap_or_else(|| panic!("no RSK in {}", answer.body)).to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_refuses_until_it_has_the_new_key() {
    let site = site();
    let server = Process::start(site.command(&["serve"]));
    let before = rsk(&site, &server).await.unwrap();
    assert_eq!(admin(&server).get("/readyz").await.status, 200);

    let said = resealed(reseal(&site, "--new-key-file", "new.key"));
    assert!(said.contains("new.key"), "{said}");
    assert!(said.contains("restart") && !said.contains(NEW_KEY.trim()), "{said}");
    assert_eq!(rsk(&site, &server).await, Err(500));
    let ready = admin(&server).get("/readyz").await;
    assert_eq!(ready.status, 503);
    assert!(ready.body.contains("the key in [seal] is not the one"), "{}", ready.body);
    drop(server);
    skms(&site, &["serve"]).fails(2, &["the key in [seal] is not the one"]);

    let site = site.set("seal", "key_file", "\"DIR/new.key\"");
    let server = Process::start(site.command(&["serve"]));
    assert_eq!(rsk(&site, &server).await.unwrap(), before);
    assert_eq!(admin(&server).get("/readyz").await.status, 200);
    let audit = skms(&site, &["audit", "list"]).done();
    assert!(audit.contains("done: reseal key_file ") && audit.contains("new.key, by operator"), "{audit}");
    skms(&site, &["audit", "verify"]).done();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_server_on_the_database_refuses() {
    let Some(fleet) = Fleet::of(patient()).await else { return };
    fleet.found_domain();
    write_key(&fleet.site, "new.key", NEW_KEY);
    let servers = ["skms-1", "skms-2"].map(|name| fleet.serve(name));
    let put = async |fleet: &Fleet, server| fleet.link(server).put("client-1", "7").await.unwrap().status;
    let before = rsk(&fleet.site, &servers[0]).await.unwrap();
    assert_eq!(put(&fleet, &servers[1]).await, 201);
    resealed(reseal(&fleet.site, "--new-key-file", "new.key"));
    for server in &servers {
        assert_eq!(rsk(&fleet.site, server).await, Err(500));
        assert_eq!(put(&fleet, server).await, 500);
        assert_eq!(admin(server).get("/readyz").await.status, 503);
    }
    let fleet = Fleet { site: fleet.site.set("seal", "key_file", "\"DIR/new.key\""), ..fleet };
    let server = fleet.serve("skms-1");
    assert_eq!(rsk(&fleet.site, &server).await.unwrap(), before);
    assert_eq!(put(&fleet, &server).await, 204);
}

#[test]
fn the_key_moves_into_a_token_and_out_again() {
    let Some(tokens) = Tokens::new() else { return };
    let site = site();
    tokens.write_pin(&site, PIN);
    let directory = site.directory.path().to_str().unwrap();
    let source = format!("pkcs11 = {}", tokens.source("skms", "kek").replace("DIR", directory));
    let text = site.config_text().replace(&format!("key_file = \"{directory}/seal.key\""), &source);
    assert!(text.contains("pkcs11"));
    site.write("token.toml", &text);
    let run = |config: &str, arguments: &[&str]| {
        let mut command = program::skms(arguments.iter().copied());
        site.write("skms.toml", site.config_text());
        command.arg("--config").arg(site.path(config));
        tokens.run(command)
    };
    let (to, back) = (site.path("token.toml"), site.path("new.key"));
    let said = resealed(run("skms.toml", &["reseal", "--to", to.to_str().unwrap()]));
    assert!(said.contains("pkcs11 key kek in token skms"), "{said}");
    run("skms.toml", &["audit", "verify"]).fails(2, &["the key in [seal] is not the one"]);
    run("token.toml", &["domain", "show"]).done();
    // Another data key, under the same key in the token.
    resealed(run("token.toml", &["reseal", "--to", to.to_str().unwrap()]));
    run("token.toml", &["domain", "show"]).done();
    resealed(run("token.toml", &["reseal", "--new-key-file", back.to_str().unwrap()]));
    run("token.toml", &["domain", "show"]).fails(2, &["the key in [seal] is not the one"]);
    let site = site.set("seal", "key_file", "\"DIR/new.key\"");
    skms(&site, &["domain", "show"]).done();
}

#[test]
fn what_is_no_new_key_changes_nothing() {
    let site = site();
    skms(&site, &["reseal"]).fails(2, &["--new-key-file"]);
    let both = ["reseal", "--new-key-file", "a", "--to", "b"];
    skms(&site, &both).fails(2, &["cannot be used with"]);
    reseal(&site, "--new-key-file", "none.key").fails(2, &["the new key", "none.key"]);
    reseal(&site, "--new-key-file", "seal.key").fails(2, &["this is the key that the store has"]);
    site.write("open.key", NEW_KEY);
    reseal(&site, "--new-key-file", "open.key").fails(2, &["open.key: open to others"]);
    reseal(&site, "--to", "none.toml").fails(2, &["none.toml"]);
    site.write("bad.toml", &site.config_text().replace("key_file", "key_fil"));
    reseal(&site, "--to", "bad.toml").fails(2, &["bad.toml", "key_fil"]);
    site.write("other.toml", &site.config_text().replace("skms.db", "other.db").replace("seal.key", "new.key"));
    reseal(&site, "--to", "other.toml").fails(2, &["other.toml: store.url is another"]);
    assert!(!site.path("other.db").exists());
    skms(&site, &["domain", "show"]).done();
    assert!(!skms(&site, &["audit", "list"]).done().contains("reseal"));
}
