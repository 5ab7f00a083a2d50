//! What somebody finds who takes the database away.

use getrandom::SysRng;
use mikey_sakke::eccsi::Ksak;
use mikey_sakke::sakke::MasterSecret;
use skm::store::{Condition, DomainChange, DomainKeys};

use crate::search::{contains, spellings};
use crate::site::Site;
use crate::{KEY, alice, event, name, record};

const CANARY: &str = "canary: 8f0c1a6e, the key material of a record";

on_both! {
    no_secret_is_in_the_database,
}

async fn no_secret_is_in_the_database(site: Site) {
    let store = site.open().await;
    let z = MasterSecret::generate(&mut SysRng).unwrap();
    let keys = DomainKeys { z, ksak: Ksak::generate(&mut SysRng).unwrap() };
    let service = name("urn:example:fleet");
    store.put_record(&service, &alice(), &record(CANARY), Condition::Any, &event("in the log")).await.unwrap();
    let change = DomainChange { keys: Some((name("2026"), keys.clone())), ..DomainChange::default() };
    assert!(store.change_domain(&change, &event("domain")).await.unwrap());
    assert!(!store.change_domain(&change, &event("domain")).await.unwrap());
    let found = store.domain_keys(&name("2026")).await.unwrap().unwrap();
    let (z, ksak) = (keys.z.to_octets(), keys.ksak.to_octets());
    assert_eq!(found.z.to_octets().expose(), z.expose());
    assert_eq!(found.ksak.to_octets().expose(), ksak.expose());

    // For SQLite first in the WAL, then in the file.
    let seal_key = hex::decode(KEY.trim()).unwrap();
    for checkpoint in [false, true] {
        if let (Site::Sqlite(_), true) = (&site, checkpoint) {
            site.tamper("PRAGMA wal_checkpoint(TRUNCATE)").await;
        }
        let everything = site.everything();
        // The search finds what is there: text, and octets as they are or in hexadecimal.
        assert!(contains(&everything, b"in the log"));
        let mac = &store.audit(0).await.unwrap()[0].mac;
        assert!(contains(&everything, mac) || contains(&everything, hex::encode(mac).as_bytes()));
        for secret in [CANARY.as_bytes(), z.expose(), ksak.expose(), &seal_key] {
            for spelling in spellings(secret) {
                assert!(!contains(&everything, &spelling), "{}", String::from_utf8_lossy(&spelling));
            }
        }
    }
}
