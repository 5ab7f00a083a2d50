//! The configuration: what is taken, and where what is not stands.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use skm::config::{Config, Origin};
use skm::policy::Role;
use skm::seal::KeySource;
use skm::tls::MinVersion;

const GOOD: &str = r#"[domain]
skms_uri = "sip:skms.example.org"
kms_uri = "sip:kms.example.org"
user_key_period = 2592000

[listen]
km_uu = "127.0.0.1:0"

[tls]
cert = "cert.pem"
key = "key.pem"

[auth]
issuer = "https://id.example.org"
audience = "sip:skms.example.org"
jwks_file = "jwks.json"

[store]
url = "sqlite:skms.db"

[seal]
key_file = "seal.key"
"#;

const ROW: &str = r#"[[policy]]
san = "urn:example:val"
client_id = "val"
uri = "sip:val@example.org"
roles = ["val", "provisioner"]
services = ["urn:example:fleet"]
"#;

fn read(text: &str, variables: &[(&str, &str)]) -> Result<Config, skm::config::ConfigError> {
    Config::read(text, variables.iter().map(|(name, value)| ((*name).into(), (*value).into())))
}

#[test]
fn the_password_of_a_database_is_not_printed() {
    let url = "postgres://skms:canary@db.example.org/skms";
    let config = read(&GOOD.replace("sqlite:skms.db", url), &[]).unwrap();
    assert_eq!(config.store.url, url);
    let printed = format!("{config:?}");
    assert!(printed.contains("postgres://skms@db.example.org/skms") && !printed.contains("canary"), "{printed}");
}

#[test]
fn what_is_not_set_has_its_default() {
    let config = read(GOOD, &[("PATH", "/bin"), ("SKMS_KEY", "no setting")]).unwrap();
    assert_eq!(config.domain.next_lead_seconds, 172_800);
    assert_eq!(config.domain.past_periods, 1);
    assert_eq!(config.domain.identity_service_id.as_str(), "urn:mikey-sakke:identity-keys");
    assert_eq!(config.auth.max_token_seconds, 3600);
    assert_eq!(config.auth.scope_km, "seal:key-management");
    assert_eq!(config.auth.scope_kp, "seal:key-provisioning");
    assert_eq!(config.tls.min_version, MinVersion::Tls12);
    assert_eq!(config.time.window_seconds, 5);
    assert_eq!(config.limits.body_octets, 65_536);
    assert_eq!(config.limits.request_burst, 20);
    assert_eq!(config.limits.issues_per_period, 64);
    assert_eq!(config.listen.km_uu.unwrap().port(), 0);
    assert_eq!(config.seal.source(), Some(KeySource::File("seal.key".into())));
    assert!(!config.escrow.allow && config.escrow.recipients.is_empty());
    assert!(config.policy.is_empty());
}

#[test]
fn policy_rows_are_read() {
    let config = read(&format!("{GOOD}{ROW}"), &[]).unwrap();
    let row = &config.policy[0];
    assert_eq!((row.san.as_str(), row.client_id.as_ref().unwrap().as_str()), ("urn:example:val", "val"));
    assert_eq!(row.uri.as_ref().unwrap().as_str(), "sip:val@example.org");
    assert_eq!(row.roles, [Role::ValServer, Role::Provisioner]);
    assert_eq!(row.services[0].as_str(), "urn:example:fleet");
}

#[test]
fn variables_come_before_the_file() {
    let variables = [
        ("SKMS__DOMAIN__SKMS_URI", "sip:other.example.org"),
        ("SKMS__DOMAIN__SKMS_ID", "\"7\""),
        ("SKMS__TIME__WINDOW_SECONDS", "9"),
        ("SKMS__ESCROW__ALLOW", "true"),
        ("SKMS__TLS__CRL_FILES", r#"["a.crl", "b.crl"]"#),
        ("SKMS__STORE__URL", "sqlite:/var/lib/skms.db"),
    ];
    let config = read(GOOD, &variables).unwrap();
    assert_eq!(config.domain.skms_uri.as_str(), "sip:other.example.org");
    assert_eq!(config.domain.skms_id.as_ref().unwrap().as_str(), "7");
    assert_eq!(config.time.window_seconds, 9);
    assert!(config.escrow.allow);
    assert_eq!(config.tls.crl_files.len(), 2);
    assert_eq!(config.store.url, "sqlite:/var/lib/skms.db");
}

#[test]
fn an_error_names_key_and_line() {
    let replaced = |from: &str, to: &str| {
        assert!(GOOD.contains(from), "{from}");
        GOOD.replacen(from, to, 1)
    };
    let cases = [
        (replaced("key_file", "key_fil"), 22, "key_fil"),
        (replaced("[store]", "[stores]"), 18, "stores"),
        (replaced("2592000", "\"a month\""), 4, "a month"),
        (replaced("2592000", "-1"), 4, "-1"),
        (replaced("2592000", "0"), 4, "domain.user_key_period"),
        (
            replaced("sip:skms.example.org", "SIP:skms.example.org"),
            2,
            "\"SIP:skms.example.org\" is not a URI in its one spelling",
        ),
        (replaced("sip:skms.example.org", ""), 2, "empty"),
        (replaced("sip:skms.example.org", &format!("sip:{}", "x".repeat(1025))), 2, "domain.skms_uri"),
        (replaced("sip:kms.example.org", &format!("sip:{}", "x".repeat(1025))), 3, "domain.kms_uri"),
        (replaced("kms_uri = \"sip:kms.example.org\"\n", ""), 1, "kms_uri"),
        (replaced("127.0.0.1:0", "localhost"), 7, "address"),
        (replaced("km_uu = \"127.0.0.1:0\"", ""), 6, "listen"),
        (replaced("km_uu = \"127.0.0.1:0\"", "admin = \"0.0.0.0:9\"\nkm_uu = \"[::1]:1\""), 7, "listen.admin"),
        (replaced("km_uu", "km_s"), 9, "tls.client_ca"),
        (replaced("jwks_file", "jwks_url = \"https://a\"\njwks_file"), 13, "auth"),
        (replaced("key_file", "key_env = \"KEY\"\nkey_file"), 21, "seal"),
        (replaced("https://id.example.org", ""), 14, "auth.issuer"),
        (format!("{GOOD}[time]\nwindow_seconds = 0\n"), 24, "time.window_seconds"),
        (format!("{GOOD}[limits]\nbody_octets = 0\n"), 24, "limits.body_octets"),
        (format!("{GOOD}[limits]\nbody_octet = 1\n"), 24, "body_octet"),
        (format!("{GOOD}[[policy]]\nsan = \"a\"\nrole = []\n"), 25, "role"),
        (format!("{GOOD}[[policy]]\nsan = \"a\"\n"), 23, "client_id"),
        (format!("{GOOD}[[policy]]\nclient_id = \"a\"\n"), 23, "san"),
        (format!("{GOOD}[[policy]]\nsan = \"a b\"\nclient_id = \"a\"\n"), 24, "URI nor a DNS name"),
        (format!("{GOOD}[[policy]]\nsan = \"a\"\nclient_id = \"a\"\nroles = [\"admin\"]\n"), 26, "admin"),
        (format!("{GOOD}[[policy]]\nsan = \"a\"\nclient_id = \"a\"\nroles = [\"sgm\"]\n"), 23, "needs a uri"),
        (format!("{GOOD}{ROW}{ROW}"), 23, "two rows"),
        (format!("{GOOD}[limits]\nissue_threads = 0\n"), 24, "limits.issue_threads"),
        (format!("{GOOD}[escrow]\nrecipients = [\"a.pem\"]\n"), 24, "escrow.recipients"),
        (format!("{GOOD}[domain]\n"), 23, "duplicate"),
        (format!("{GOOD}key_file = \"again\"\n"), 23, "duplicate"),
        (format!("{GOOD}what\n"), 23, ""),
    ];
    for (text, line, what) in cases {
        let error = read(&text, &[]).unwrap_err();
        assert_eq!(error.place, Origin::Line(line), "{error}");
        assert!(error.to_string().contains(what), "{error}: not {what}");
    }
}

#[test]
fn an_error_names_the_variable() {
    let cases = [
        ("SKMS__DOMAIN__SKMS_URL", "sip:a.example.org"),
        ("SKMS__NOWHERE__KEY", "1"),
        ("SKMS__DOMAIN__SKMS_URI", "SIP:a"),
        ("SKMS__DOMAIN__USER_KEY_PERIOD", "month"),
        ("SKMS__DOMAIN__USER_KEY_PERIOD", "0"),
        ("SKMS__TLS__CRL_FILES", "[1]"),
        ("SKMS__LISTEN__ADMIN", "0.0.0.0:0"),
        ("SKMS__", "1"),
        ("SKMS__DOMAIN", "1"),
        ("SKMS____KEY", "1"),
        ("SKMS__DOMAIN__", "1"),
    ];
    for (name, value) in cases {
        let error = read(GOOD, &[("SKMS__ESCROW__ALLOW", "false"), (name, value)]).unwrap_err();
        assert_eq!(error.place, Origin::Variable(name.into()), "{error}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Config::load("no/such/file.toml".as_ref()).unwrap_err();
    assert!(error.to_string().contains("no/such/file.toml"), "{error}");
}

#[test]
fn peers_are_servers_of_other_domains() {
    const PEER: &str = "[[peer]]\nkms_uri = \"kms.example.net\"\nskms_uri = \"sip:skms.example.net\"\n\
        server = \"https://skms.example.net\"\nsan = \"https://skms.example.net\"\nroots = \"roots.pem\"\n";
    let config = read(&format!("{GOOD}{PEER}"), &[]).unwrap();
    assert_eq!((config.peer[0].kms_uri.as_str(), config.peer[0].cert.is_none()), ("kms.example.net", true));
    for (from, to, says) in [
        ("kms.example.net", "sip:kms.example.org", "of another domain"),
        ("sip:skms.example.net", "sip:skms.example.org", "of another domain"),
        ("roots = \"roots.pem\"\n", "", "roots"),
        ("roots = ", "key = \"key.pem\"\nroots = ", "cert and key"),
        ("san = \"https://skms.example.net\"\n", "", "san"),
        ("roots = ", "rots = ", "rots"),
    ] {
        let error = read(&format!("{GOOD}{}", PEER.replacen(from, to, 1)), &[]).unwrap_err().to_string();
        assert!(error.contains(says), "{from}: {error}");
    }
    let two = |other: &str| format!("{GOOD}{PEER}{other}");
    let other = PEER.replace("example.net", "example.com");
    assert!(read(&two(&other), &[]).is_ok());
    for same in ["kms_uri = \"kms.example.com\"", "san = \"https://skms.example.com\""] {
        let other = other.replace(same, &same.replace("example.com", "example.net"));
        assert!(read(&two(&other), &[]).unwrap_err().to_string().contains("two have the same"), "{same}");
    }
}
