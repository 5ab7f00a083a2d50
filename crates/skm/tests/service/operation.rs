//! Health, metrics, logs, signals, and how the program begins and ends.

use std::process::Command;

use rustix::process::{Resource, Rlimit, Signal, prlimit};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::http::{Answer, Client, JSON, KM, connect, read_to_end};
use crate::site::{
    ALICE, IDENTITY_KEYS, PROVISIONER, Process, Site, VAL, claims, identity_request, km_request, run, trusting,
};

#[tokio::test]
async fn health() {
    let site = Site::new();
    let server = site.start().await;
    let admin = Client::plain(server.addresses.admin.unwrap());
    for path in ["/healthz", "/readyz"] {
        let answer = admin.get(path).await;
        assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")), "{path}: {answer:?}");
    }
    assert_eq!(admin.get("/").await.status, 404);
    assert_eq!(admin.send("POST", "/healthz", &[], "").await.status, 405);
    assert_eq!(admin.send("POST", KM, &[], "").await.status, 404);
}

#[tokio::test]
async fn without_the_keys_of_the_issuer_it_is_not_ready() {
    let site = Site::new();
    std::fs::remove_file(site.path("jwks.json")).unwrap();
    let server = site.start().await;
    let admin = Client::plain(server.addresses.admin.unwrap());
    assert_eq!(admin.get("/healthz").await.status, 200);
    let answer = admin.get("/readyz").await;
    assert_eq!((answer.status, answer.json()["cause"].as_str()), (503, Some("NOT_READY")), "{answer:?}");
}

#[tokio::test]
async fn without_its_store_it_is_not_ready() {
    let site = Site::new();
    let server = site.start().await;
    let (client, admin) = (Client::new(server.addresses.km_uu.unwrap(), site.anonymous()), server.addresses.admin);
    let admin = Client::plain(admin.unwrap());
    assert_eq!(admin.get("/readyz").await.status, 200);
    std::fs::remove_file(site.path("skms.db")).unwrap();
    let answer = admin.get("/readyz").await;
    assert_eq!((answer.status, answer.json()["cause"].as_str()), (503, Some("NOT_READY")), "{answer:?}");
    client.key_request(&site.ue_token(), km_request().to_string()).await.assert_km(500, Some("01"));
    assert_eq!(admin.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn metrics() {
    let site = Site::new();
    let server = site.start().await;
    let client = Client::new(server.addresses.km_uu.unwrap(), site.anonymous());
    let mut request = km_request();
    request["UserID"] = ALICE.into();
    client.key_request(&site.ue_token(), request.to_string()).await.assert_km(404, Some("02"));
    client.key_request("none", "{}").await.assert_km(401, Some("03"));
    client.get(&format!("/seal-km/v1/{ALICE}")).await.assert_problem(404, "NO_SUCH_RESOURCE");
    let mut nobody = TcpStream::connect(server.addresses.km_s.unwrap()).await.unwrap();
    nobody.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    nobody.read_to_end(&mut Vec::new()).await.unwrap();
    server.found_domain().await;
    let mut claims = claims("client-1", "seal:key-management");
    claims["val_service_ids"] = serde_json::json!([IDENTITY_KEYS]);
    let issued = client.key_request(&site.sign(&claims), identity_request().to_string()).await;
    issued.assert_km(200, None);
    let admin = Client::plain(server.addresses.admin.unwrap());
    let answer = admin.get("/metrics").await;
    assert!(answer.header("content-type").unwrap().starts_with("application/openmetrics-text"), "{answer:?}");
    for line in [
        r#"skms_requests_total{listener="km_uu",route="/seal-km/v1/km-request",status="404"} 1"#,
        r#"skms_requests_total{listener="km_uu",route="/seal-km/v1/km-request",status="401"} 1"#,
        r#"skms_requests_total{listener="km_uu",route="none",status="404"} 1"#,
        r#"skms_refusals_total{listener="km_uu",reason="TOKEN"} 1"#,
        r#"skms_refusals_total{listener="km_uu",reason="NOT_AVAILABLE"} 1"#,
        r#"skms_handshake_failures_total{listener="km_s",reason="failed"} 1"#,
        r#"skms_connections{listener="km_uu"} 1"#,
        "skms_issue_queue 0",
        "skms_issue_seconds_count 1",
    ] {
        assert!(answer.body.lines().any(|found| found == line), "{line} in\n{}", answer.body);
    }
    assert!(!answer.body.contains("alice") && !answer.body.contains("client-1"), "{}", answer.body);
}

#[tokio::test]
async fn a_request_in_flight_is_still_answered() {
    let site = Site::new();
    let mut server = site.start().await;
    let address = server.addresses.km_uu.unwrap();
    let mut busy = connect(address, site.anonymous(), None).await;
    let mut idle = connect(address, site.anonymous(), None).await;
    let body = km_request().to_string();
    let head = format!(
        "POST {KM} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n\
         Authorization: Bearer {}\r\nContent-Length: {}\r\n\r\n",
        site.ue_token(),
        body.len()
    );
    busy.write_all(head.as_bytes()).await.unwrap();
    // Now the request is in flight.
    busy.read_exact(&mut [0; 25]).await.unwrap();
    server.stop();
    assert_eq!(read_to_end(&mut idle).await, "", "what is idle ends at once");
    assert!(TcpStream::connect(address).await.is_err(), "nobody else is let in");
    busy.write_all(body.as_bytes()).await.unwrap();
    let answer = read_to_end(&mut busy).await;
    assert!(answer.starts_with("HTTP/1.1 404 ") && answer.contains(r#""ErrorCode":"02""#), "{answer}");
    server.stopped().await;
}

/// The lines of the log, each of which is a JSON object.
fn lines(log: &str) -> Vec<Value> {
    log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"))).collect()
}

#[tokio::test]
async fn the_program_serves_until_a_signal() {
    for signal in [Signal::TERM, Signal::INT] {
        let site = Site::new();
        site.write("skms.toml", site.config_text());
        let mut command = Command::new(env!("CARGO_BIN_EXE_skms"));
        // Even then, what clients send is not logged.
        command.args(["serve", "--config"]).arg(site.path("skms.toml")).env("SKMS_LOG", "trace");
        let server = Process::start(command);
        assert_eq!(server.ready["ready"], true);
        let mut names: Vec<&String> = server.ready.as_object().unwrap().keys().collect();
        names.sort();
        assert_eq!(names, ["admin", "km_s", "km_uu", "ready", "seal_x1"]);
        assert_eq!(Client::plain(server.address("admin")).get("/readyz").await.status, 200);
        let client = Client::new(server.address("km_s"), site.client(VAL.0));
        let token = site.token(VAL.1, "seal:key-management");
        let answer = client.key_request(&token, km_request().to_string()).await;
        answer.assert_km(404, Some("02"));
        let id = answer.header("x-request-id").unwrap().to_owned();
        let provisioning = site.token(PROVISIONER.1, "seal:key-provisioning");
        let headers = [JSON, ("authorization", &*format!("Bearer {provisioning}"))];
        let tls = site.client(PROVISIONER.0);
        for client in [Client::new(server.address("km_s"), tls.clone()), Client::http1(server.address("km_s"), tls)] {
            let record = r#"{"UserUri":"sip:alice@example.org","Payload":"canary-of-the-log"}"#;
            let path = "/seal-km/v1/services/urn:example:fleet/key-records/client/client-1";
            assert!([201, 204].contains(&client.send("PUT", path, &headers, record).await.status));
            let mut request = km_request();
            request["ClientID"] = VAL.1.into();
            client.key_request(&provisioning, request.to_string()).await.assert_km(403, Some("04"));
        }
        server.signal(signal);
        let (status, log) = server.wait();
        assert_eq!(status.code(), Some(0), "{log}");
        let answered: Vec<Value> = lines(&log).into_iter().filter(|line| line["request_id"] == id.as_str()).collect();
        assert!(answered.iter().any(|line| line["status"] == 404 && line["listener"] == "km_s"), "{log}");
        let signatures = [&token, &provisioning].map(|token| token.split('.').next_back().unwrap());
        for secret in [signatures[0], signatures[1], "canary-of-the-log", &"5a".repeat(32)] {
            assert!(!log.contains(secret), "{secret} in {log}");
        }
    }
}

#[tokio::test]
async fn the_program_reads_certificates_again() {
    let site = Site::new();
    let server = site.spawn(&[]);
    let is_answered = async |client: Client| Answer::of(client.request("POST", KM)).await.is_ok();
    let fresh = || Client::new(server.address("km_s"), site.client(VAL.0));
    assert!(is_answered(fresh()).await);
    site.write("server.pem", "nothing");
    server.signal(Signal::HUP);
    server.wait_for_log("stay as they were");
    assert!(is_answered(fresh()).await);
    let other = Site::new();
    site.write("server.pem", &std::fs::read_to_string(other.path("server.pem")).unwrap());
    site.write("server.key", &std::fs::read_to_string(other.path("server.key")).unwrap());
    server.signal(Signal::HUP);
    server.wait_for_log("are read again");
    assert!(!is_answered(fresh()).await, "the new certificate is of an authority that the client does not trust");
}

#[test]
fn the_program_leaves_no_core_and_no_key_behind() {
    let site = Site::new().unset("seal", "key_file").set("seal", "key_env", "\"SEAL_KEY_OF_TEST\"");
    site.write("skms.toml", site.config_text());
    let mut command = Command::new(env!("CARGO_BIN_EXE_skms"));
    command.args(["serve", "--config"]).arg(site.path("skms.toml")).env("SEAL_KEY_OF_TEST", "5a".repeat(32));
    let server = Process::start(command);
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let limit = prlimit(Some(server.id()), Resource::Core, none).unwrap();
    assert_eq!(limit, none);
    let files = std::fs::read_to_string(format!("/proc/{}/limits", server.id().as_raw_nonzero())).unwrap();
    let files: Vec<&str> =
        files.lines().find(|line| line.starts_with("Max open files")).unwrap().split_whitespace().collect();
    assert_eq!(files[3], files[4], "the soft limit is the hard one");
    server.signal(Signal::TERM);
    assert_eq!(server.wait().0.code(), Some(0));
}

#[test]
fn the_log_says_as_much_as_is_wanted() {
    let site = Site::new();
    site.write("skms.toml", site.config_text());
    let command = |level| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_skms"));
        command.args(["serve", "--config"]).arg(site.path("skms.toml")).env("SKMS_LOG", level);
        command
    };
    for (level, is_quiet) in [("error", true), ("info", false)] {
        let server = Process::start(command(level));
        server.signal(Signal::TERM);
        let (_, log) = server.wait();
        assert_eq!(lines(&log).is_empty(), is_quiet, "{log}");
    }
    let refused = command("skm=loud").output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8(refused.stderr).unwrap().contains("SKMS_LOG"));
}

#[test]
fn the_program_does_not_serve_what_it_should_not() {
    let serve = |site: &Site| {
        site.write("skms.toml", site.config_text());
        let (code, out, error) = run(&["serve", "--config", site.path("skms.toml").to_str().unwrap()]);
        assert_eq!(out, "");
        (code, error)
    };
    let (code, error) = serve(&Site::new().set("limits", "body_octet", "1"));
    assert!(code == Some(2) && error.contains("line ") && error.contains("body_octet"), "{error}");
    let (code, error) = serve(&Site::new().set("tls", "cert", "\"DIR/none.pem\""));
    assert!(code == Some(2) && error.contains("none.pem"), "{error}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("\"{}\"", taken.local_addr().unwrap());
    let (code, error) = serve(&Site::new().set("listen", "km_s", &address));
    assert!(code == Some(1) && error.contains("km_s"), "{error}");
    let (code, _, error) = run(&["serve", "--config", "/nowhere/skms.toml"]);
    assert!(code == Some(2) && error.contains("/nowhere/skms.toml"), "{error}");
}

#[tokio::test]
async fn a_trial_is_served_as_a_trial_alone() {
    use mikey_sakke::time::Timestamp;
    let site = Site::new();
    let trial = skm::trial::Authority::new(Timestamp::now().unwrap()).unwrap();
    let server = trial.server().unwrap();
    site.write("server.pem", &server.certificate);
    site.write("server.key", &server.key);
    site.write("skms.toml", site.config_text());
    let (code, out, error) = run(&["serve", "--config", site.path("skms.toml").to_str().unwrap()]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(error.contains("--trial"), "{error}");
    let mut domains = Vec::new();
    for _ in 0..2 {
        let server = site.spawn(&["--trial"]);
        assert_eq!(Client::plain(server.address("admin")).get("/readyz").await.status, 200);
        let tls = trusting(&trial.certificate());
        let client = Client::new(server.address("km_uu"), tls);
        let authorization = format!("Bearer {}", site.ue_token());
        let domain = client.send("GET", "/seal-km/v1/domain", &[("authorization", &authorization)], "").await;
        assert_eq!(domain.status, 200, "{domain:?}");
        domains.push(domain.json()["certificates"][0]["PubEncKey"].clone());
    }
    assert!(domains[0].is_string() && domains[0] == domains[1], "master secrets are made once");
}
