//! Which routes there are on which listener, and the header fields of what they answer.

use std::net::SocketAddr;

use reqwest::Version;

use crate::http::{Client, JSON, KM, XML, exchange};
use crate::site::{GROUPS, PROVISIONER, Running, SERVICE, Site, VAL, km_request};

const DOMAIN: &str = "/seal-km/v1/domain";
const RETRIEVAL: &str = "/ss-kir/v1/key-records";
const RECORD: &str = "/seal-km/v1/services/urn:example:fleet/key-records";
const INIT: &str = "/keymanagement/identity/v1/init";

/// A client for each listener, by its name.
fn clients(site: &Site, server: &Running) -> [(&'static str, Client); 3] {
    let address = |address: Option<SocketAddr>| address.unwrap();
    [
        ("km_uu", Client::new(address(server.addresses.km_uu), site.anonymous())),
        ("km_s", Client::new(address(server.addresses.km_s), site.client(VAL.0))),
        ("seal_x1", Client::new(address(server.addresses.seal_x1), site.client(GROUPS.0))),
    ]
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

#[tokio::test]
async fn each_listener_has_its_routes() {
    let site = Site::new();
    let server = site.start().await;
    let all = [
        ("POST", KM, ["km_uu", "km_s", "seal_x1"].as_slice()),
        ("GET", DOMAIN, &["km_uu", "km_s", "seal_x1"]),
        ("GET", RETRIEVAL, &["km_uu", "km_s"]),
        ("PUT", RECORD, &["km_s"]),
        ("GET", RECORD, &["km_s"]),
        ("DELETE", &format!("{RECORD}/client/c"), &["km_s"]),
        ("PUT", &format!("{RECORD}/device/d"), &["km_s"]),
        ("GET", &format!("{RECORD}/user/sip%3Aalice%40example.org"), &["km_s"]),
        ("POST", INIT, &["km_uu", "seal_x1"]),
        ("POST", "/keymanagement/identity/v1/keyprov", &["km_uu", "seal_x1"]),
        ("POST", "/keymanagement/identity/v1/keyprov/sip%3Aalice%40example.org", &["km_uu", "seal_x1"]),
        ("POST", "/keymanagement/identity/v1/keyprov/sip%3Aalice%40example.org/D6B4", &["km_uu", "seal_x1"]),
        ("POST", "/keymanagement/identity/v1/certcache", &["km_uu", "seal_x1"]),
        ("POST", "/keymanagement/identity/v1/certcache/7", &["km_uu", "seal_x1"]),
        ("GET", "/healthz", &[]),
        ("GET", "/metrics", &[]),
    ];
    for (listener, client) in clients(&site, &server) {
        for (method, path, listeners) in all {
            // Without a token: what there is says 401, what there is not 404.
            let answer = client.send(method, path, &[], "").await;
            let status = if listeners.contains(&listener) { 401 } else { 404 };
            assert_eq!(answer.status, status, "{method} {path} on {listener}: {answer:?}");
            answer.assert_headers();
        }
    }
}

#[tokio::test]
async fn paths_that_are_none() {
    let site = Site::new();
    let server = site.start().await;
    let client = Client::new(server.addresses.km_s.unwrap(), site.client(PROVISIONER.0));
    for path in [
        "/",
        "/seal-km/v1/km-request/",
        "/seal-km/v1//km-request",
        "/seal-km/v1/km%2Drequest",
        "/SEAL-KM/v1/km-request",
        "/seal-km/v2/km-request",
        "/seal-km/v1/services/a/b/key-records",
        "/seal-km/v1/services/a/key-records/",
        "/seal-km/v1/services/a/key-records/service/b",
        "/seal-km/v1/services/a/key-records/user",
        "/seal-km/v1/services/a/key-records/user/",
        "/seal-km/v1/services/a/key-records/user/b/c",
        "/seal-km/v1/services/a/key-records/group/b",
    ] {
        for method in ["GET", "POST"] {
            let answer = client.send(method, path, &[JSON], "{}").await;
            assert_eq!(answer.status, 404, "{path}");
            answer.assert_problem(404, "NO_SUCH_RESOURCE");
        }
    }
}

#[tokio::test]
async fn methods_that_are_none() {
    let site = Site::new();
    let server = site.start().await;
    let client = Client::new(server.addresses.km_s.unwrap(), site.client(PROVISIONER.0));
    for (path, methods) in [
        (KM, ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"].as_slice()),
        (DOMAIN, &["POST", "PUT", "DELETE"]),
        (RETRIEVAL, &["POST", "PUT", "DELETE"]),
        (RECORD, &["POST", "PATCH", "OPTIONS", "LINK"]),
    ] {
        for method in methods {
            let answer = client.send(method, path, &[JSON], "{}").await;
            answer.assert_problem(405, "METHOD");
            assert!(answer.header("allow").is_some(), "{method} {path}: {answer:?}");
        }
        let answer = client.send("HEAD", path, &[], "").await;
        assert_eq!(answer.status, 405, "HEAD {path}: a GET would be recorded");
        answer.assert_headers();
    }
}

#[tokio::test]
async fn both_versions_of_http() {
    let site = Site::new();
    let server = site.start().await;
    let address = server.addresses.km_uu.unwrap();
    for (client, version) in [
        (Client::new(address, site.anonymous()), Version::HTTP_2),
        (Client::http1(address, site.anonymous()), Version::HTTP_11),
    ] {
        let answer = client.key_request(&site.ue_token(), km_request().to_string()).await;
        assert_eq!(answer.version, version);
        answer.assert_km(404, Some("02"));
    }
}

#[tokio::test]
async fn http_1_0_and_no_alpn() {
    let site = Site::new();
    let server = site.start().await;
    let request = format!("POST {KM} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}");
    let answer = exchange(server.addresses.km_uu.unwrap(), site.anonymous(), request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.0 401 "), "{answer}");
}

#[tokio::test]
async fn content_types_of_the_km_route() {
    let site = Site::new();
    let server = site.start().await;
    let client = Client::new(server.addresses.km_uu.unwrap(), site.anonymous());
    // Each with a token of its own: the same twice would be a replay.
    let send = async |fields: &[(&str, &str)]| {
        let authorization = bearer(&site.ue_token());
        let headers = [&[("authorization", authorization.as_str())], fields].concat();
        client.send("POST", KM, &headers, km_request().to_string()).await
    };
    for good in ["application/json", "application/json; charset=utf-8", "Application/Json;charset=UTF-8"] {
        send(&[("content-type", good)]).await.assert_km(404, Some("02"));
    }
    for bad in ["text/plain", "application/xml", "application/json; charset=utf-16", "application/problem+json"] {
        send(&[("content-type", bad)]).await.assert_km(415, Some("04"));
    }
    send(&[]).await.assert_km(415, Some("04"));
    send(&[JSON, JSON]).await.assert_km(415, Some("04"));
    send(&[JSON, ("content-encoding", "gzip")]).await.assert_km(415, Some("04"));
}

#[tokio::test]
async fn accept() {
    let site = Site::new();
    let server = site.start().await;
    let client = Client::new(server.addresses.km_uu.unwrap(), site.anonymous());
    let authorization = bearer(&site.ue_token());
    let with = |accept| [("authorization", authorization.as_str()), ("accept", accept)];
    client.send("GET", DOMAIN, &with("text/html"), "").await.assert_problem(406, "ACCEPT");
    client.send("GET", RETRIEVAL, &with("application/xml"), "").await.assert_problem(406, "ACCEPT");
    client.send("POST", INIT, &with("application/json"), "").await.assert_problem(406, "ACCEPT");
    for accept in ["application/json", "*/*", "text/html, application/*;q=0.1"] {
        let answer = client.send("GET", DOMAIN, &with(accept), "").await;
        assert_ne!(answer.status, 406, "{accept}: {answer:?}");
    }
    // The KM route answers with a KM Response, whatever is asked for.
    let headers = [with("text/html")[0], ("accept", "text/html"), JSON];
    client.send("POST", KM, &headers, km_request().to_string()).await.assert_km(404, Some("02"));
}

#[tokio::test]
async fn tokens_in_two_header_fields() {
    let site = Site::new();
    let server = site.start().await;
    let client = Client::new(server.addresses.km_uu.unwrap(), site.anonymous());
    let authorization = bearer(&site.ue_token());
    let headers = [JSON, ("authorization", authorization.as_str()), ("authorization", authorization.as_str())];
    client.send("POST", KM, &headers, km_request().to_string()).await.assert_km(401, Some("03"));
    client.send("POST", KM, &headers[..2], km_request().to_string()).await.assert_km(404, Some("02"));
}

#[tokio::test]
async fn request_ids_are_of_the_server() {
    let site = Site::new();
    let server = site.start().await;
    let client = Client::new(server.addresses.km_uu.unwrap(), site.anonymous());
    let chosen = "0123456789abcdef0123456789abcdef";
    let first = client.send("GET", DOMAIN, &[("x-request-id", chosen)], "").await;
    let second = client.send("GET", DOMAIN, &[("x-request-id", chosen)], "").await;
    let ids = [&first, &second].map(|answer| answer.header("x-request-id").unwrap().to_owned());
    assert!(ids[0] != ids[1] && !ids.contains(&chosen.to_owned()));
}

#[tokio::test]
async fn what_proxies_would_say_plays_no_part() {
    let site = Site::new();
    let server = site.start().await;
    // The certificate is of nobody whom the policy knows; the header fields are of the VAL server.
    let client = Client::new(server.addresses.km_s.unwrap(), site.client("https://unknown.example.org"));
    let authorization = bearer(&site.token(VAL.1, "seal:key-management"));
    let headers = [
        JSON,
        ("authorization", authorization.as_str()),
        ("forwarded", "for=192.0.2.1;by=https://val.example.org"),
        ("x-forwarded-for", "192.0.2.1"),
        ("x-forwarded-client-cert", "URI=https://val.example.org"),
        ("x-ssl-client-cert", "val.example.org"),
        ("client-cert", ":AAAA:"),
    ];
    client.send("POST", KM, &headers, km_request().to_string()).await.assert_km(403, Some("04"));
    let known = Client::new(server.addresses.km_s.unwrap(), site.client(VAL.0));
    known.send("POST", KM, &headers[..2], km_request().to_string()).await.assert_km(404, Some("02"));
}

#[tokio::test]
async fn paths_and_queries_are_decoded_once() {
    let site = Site::new();
    let server = site.start().await;
    let client = Client::new(server.addresses.km_s.unwrap(), site.client(PROVISIONER.0));
    let authorization = bearer(&site.token(PROVISIONER.1, "seal:key-provisioning"));
    let headers = [("authorization", authorization.as_str()), JSON];
    let record = r#"{"UserUri":"sip:alice@example.org","Payload":"one"}"#;
    let put = |path: String| client.send("PUT", path.leak(), &headers, record);
    let encoded = SERVICE.replace(':', "%3A");
    let first = put(format!("/seal-km/v1/services/{encoded}/key-records/client/a%2Fb%20c+d")).await;
    assert_eq!(first.status, 201, "{first:?}");
    first.assert_headers();
    let etag = first.header("etag").unwrap().to_owned();
    let path = format!("/seal-km/v1/services/{SERVICE}/key-records/client/a%2fb%20c%2Bd");
    let same = client.send("GET", &path, &headers[..1], "").await;
    assert_eq!((same.status, same.header("etag")), (200, Some(etag.as_str())), "{same:?}");
    assert!(!same.body.contains("Payload") && !same.body.contains("one"), "{same:?}");
    let twice = client.send("GET", &path.replace("%20", "%2520"), &headers[..1], "").await;
    twice.assert_problem(404, "NOT_AVAILABLE");
    for bad in ["%FF", "%C0%80", "%ED%A0%80"] {
        let answer = client.send("GET", &format!("{RECORD}/client/{bad}"), &headers[..1], "").await;
        answer.assert_problem(400, "REQUEST");
    }
    let retrieval = Client::new(server.addresses.km_uu.unwrap(), site.anonymous());
    let authorization = bearer(&site.ue_token());
    let headers = [("authorization", authorization.as_str())];
    for (query, status, cause) in [
        (format!("val-service-id={encoded}"), 404, "NOT_AVAILABLE"),
        (
            format!("val-service-id={encoded}&val-tgt-ue=%7B%22valUserId%22%3A%22sip%3Aalice%40example.org%22%7D"),
            404,
            "NOT_AVAILABLE",
        ),
        (format!("val-service-id={encoded}&val-service-id={encoded}"), 400, "REQUEST"),
        (format!("val-service-id={encoded}&val-tgt-ue=%7B%7D&val-tgt-ue=%7B%7D"), 400, "REQUEST"),
        (
            format!("val-service-id={encoded}&val-tgt-ue=%7B%22valUserId%22%3A%22sip%3Aalice%40example.org%22"),
            400,
            "REQUEST",
        ),
        ("val-service-id=%FF".to_owned(), 400, "REQUEST"),
        (String::new(), 400, "REQUEST"),
    ] {
        let answer = retrieval.send("GET", &format!("{RETRIEVAL}?{query}"), &headers, "").await;
        answer.assert_problem(status, cause);
    }
}

#[tokio::test]
async fn records_change_under_their_condition() {
    let site = Site::new();
    let server = site.start().await;
    let client = Client::new(server.addresses.km_s.unwrap(), site.client(PROVISIONER.0));
    let authorization = bearer(&site.token(PROVISIONER.1, "seal:key-provisioning"));
    let record = r#"{"UserUri":"sip:alice@example.org","Payload":"one"}"#;
    let send = async |method: &str, conditions: &[(&str, &str)]| {
        let headers = [&[("authorization", authorization.as_str()), JSON], conditions].concat();
        client.send(method, RECORD, &headers, if method == "PUT" { record } else { "" }).await
    };
    let strange = [("if-match", "\"0123456789abcdef\"")];
    assert_eq!(send("PUT", &strange).await.status, 412);
    assert_eq!(send("PUT", &[("if-match", "*")]).await.status, 412);
    let created = send("PUT", &[("if-none-match", "*")]).await;
    assert_eq!(created.status, 201);
    let etag = created.header("etag").unwrap().to_owned();
    assert_eq!(send("PUT", &[("if-none-match", "*")]).await.status, 412);
    assert_eq!(send("PUT", &strange).await.status, 412);
    let replaced = send("PUT", &[strange[0], ("if-match", etag.as_str())]).await;
    assert_eq!(replaced.status, 204, "one of two lines: {replaced:?}");
    let newer = replaced.header("etag").unwrap().to_owned();
    assert_ne!(newer, etag);
    assert_eq!(send("DELETE", &[("if-match", etag.as_str())]).await.status, 412);
    assert_eq!(send("DELETE", &[("if-match", newer.as_str())]).await.status, 204);
    assert_eq!(send("GET", &[]).await.status, 404);
}

#[tokio::test]
async fn xml_of_the_identity_routes() {
    let site = Site::new();
    let server = site.start().await;
    let client = Client::new(server.addresses.km_uu.unwrap(), site.anonymous());
    let authorization = bearer(&site.ue_token());
    let authorization = ("authorization", authorization.as_str());
    client.send("POST", INIT, &[authorization, JSON], "{}").await.assert_problem(415, "CONTENT_TYPE");
    for xml in [XML, ("content-type", "text/xml; charset=utf-8")] {
        client.send("POST", INIT, &[authorization, xml], "<a/>").await.assert_problem(400, "REQUEST");
    }
    client.send("POST", INIT, &[XML], "<a/>").await.assert_problem(401, "TOKEN");
}
