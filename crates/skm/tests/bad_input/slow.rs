//! Clients that are slow, idle or greedy over TCP, TLS and HTTP/1.1.

use std::any::Any;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;

use crate::batch::all;
use crate::http::{Client, JSON, KM, connect, read_to_end};
use crate::site::{PATIENCE, Site, VAL, km_request};
use crate::world::{Expected, NO_TOKEN, World, roomy};

/// A connection that a client keeps.
type Kept = Box<dyn Any>;

/// Between two octets of a client that is slow.
const PAUSE: Duration = Duration::from_millis(100);

/// A site whose limits of time are short.
pub(crate) fn hasty() -> Site {
    let site = roomy().set("time", "window_seconds", "3600");
    site.set("limits", "header_seconds", "1").set("limits", "body_seconds", "1").set("limits", "idle_seconds", "2")
}

/// Whether the other end closes.
async fn ends(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> bool {
    timeout(PATIENCE, async { while stream.read(&mut [0; 4096]).await.is_ok_and(|octets| octets > 0) {} }).await.is_ok()
}

/// Waits until a listener has no connection any more, whatever its clients keep.
pub(crate) async fn drained(world: &World, listener: &str) {
    counted(world, &format!("skms_connections{{listener=\"{listener}\"}} 0")).await;
}

/// Waits until the metrics have this line.
async fn counted(world: &World, line: &str) {
    let admin = Client::plain(world.server.address("admin"));
    let counted = async {
        while !admin.get("/metrics").await.body.lines().any(|found| found == line) {
            sleep(PAUSE).await;
        }
    };
    let is_counted = timeout(PATIENCE, counted).await.is_ok();
    world.case(line, || assert!(is_counted, "the metrics never say {line}"));
}

#[tokio::test]
async fn slow_clients() {
    let world = World::of(hasty()).await;
    let scenes: Vec<Pin<Box<dyn Future<Output = Kept>>>> = vec![
        Box::pin(silent_tcp(&world)),
        Box::pin(half_a_handshake(&world)),
        Box::pin(silent_tls(&world)),
        Box::pin(slow_header(&world)),
        Box::pin(begun_header(&world)),
        Box::pin(slow_body(&world)),
        Box::pin(slow_chunks(&world)),
        Box::pin(no_body(&world)),
        Box::pin(endless(&world)),
        Box::pin(idle(&world)),
        Box::pin(unread_answers(&world)),
        Box::pin(crowd(&world)),
    ];
    let kept = all(scenes).await;
    drained(&world, "km_uu").await;
    drained(&world, "km_s").await;
    drop(kept);
    world.finish(15).await;
}

fn address(world: &World) -> SocketAddr {
    world.server.address("km_uu")
}

async fn silent_tcp(world: &World) -> Kept {
    let mut streams = Vec::new();
    for listener in ["km_uu", "km_s"] {
        let mut stream = TcpStream::connect(world.server.address(listener)).await.unwrap();
        let has_ended = ends(&mut stream).await;
        world.case("silent before the handshake", || assert!(has_ended));
        streams.push(stream);
    }
    Box::new(streams)
}

async fn half_a_handshake(world: &World) -> Kept {
    let mut stream = TcpStream::connect(address(world)).await.unwrap();
    // The head of a ClientHello of 512 octets, and then one octet after the other.
    stream.write_all(&[22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]).await.unwrap();
    let has_ended = timeout(PATIENCE, async {
        while stream.write_all(&[7]).await.is_ok() && timeout(PAUSE, stream.read_u8()).await.is_err() {}
    });
    let has_ended = has_ended.await.is_ok();
    world.case("half a ClientHello", || assert!(has_ended));
    Box::new(stream)
}

async fn silent_tls(world: &World) -> Kept {
    let mut streams = Vec::new();
    for alpn in [None, Some("http/1.1"), Some("h2")] {
        let mut stream = connect(address(world), world.anonymous(), alpn).await;
        let has_ended = ends(&mut stream).await;
        world.case("silent after the handshake", || assert!(has_ended, "{alpn:?}"));
        streams.push(stream);
    }
    let mut stream = connect(world.server.address("km_s"), world.site.client(VAL.0), None).await;
    let has_ended = ends(&mut stream).await;
    world.case("silent with a certificate", || assert!(has_ended));
    Box::new((streams, stream))
}

/// A request over HTTP/1.1 with these header fields, up to its body.
fn head(authorization: &str, fields: &str) -> String {
    format!(
        "POST {KM} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: {authorization}\r\n\
         {fields}\r\n\r\n"
    )
}

/// Sends octets, and then a piece again and again, until the server answers or ends the connection; all that it says.
async fn trickle(world: &World, octets: &str, piece: &str) -> (String, Kept) {
    let mut stream = connect(address(world), world.anonymous(), None).await;
    stream.write_all(octets.as_bytes()).await.unwrap();
    let mut first = [0];
    let written = async {
        while stream.write_all(piece.as_bytes()).await.is_ok() && stream.flush().await.is_ok() {
            match timeout(PAUSE, stream.read(&mut first)).await {
                Ok(Ok(1)) => return true,
                Ok(_) => return false,
                Err(_) => {}
            }
        }
        false
    };
    let is_answered = timeout(PATIENCE, written).await.expect("the server takes it all");
    let rest = read_to_end(&mut stream).await;
    let text = if is_answered { format!("{}{rest}", char::from(first[0])) } else { rest };
    (text, Box::new(stream))
}

/// Checks that there is one answer, of the KM route.
fn check(world: &World, name: &str, text: &str, (status, code): Expected) {
    world.case(name, || {
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{name}: {text}");
        let body: Value = serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap();
        assert_eq!(body["ErrorCode"], code, "{name}: {text}");
        assert!(text.contains("cache-control: no-store") && !world.has_token(text), "{name}: {text}");
    });
}

async fn slow_header(world: &World) -> Kept {
    let (text, kept) = trickle(world, "POST ", "/").await;
    world.case("a slow request line", || assert_eq!(text, ""));
    let (text, more) = trickle(world, "POST / HTTP/1.1\r\n", "X: y\r\n").await;
    world.case("a slow header", || assert_eq!(text, ""));
    Box::new((kept, more))
}

async fn begun_header(world: &World) -> Kept {
    let mut stream = connect(address(world), world.anonymous(), None).await;
    let request = head("Bearer x", "Content-Length: 2") + "{}POST ";
    stream.write_all(request.as_bytes()).await.unwrap();
    let text = read_to_end(&mut stream).await;
    check(world, "a second header that does not go on", &text, NO_TOKEN);
    Box::new(stream)
}

async fn slow_body(world: &World) -> Kept {
    let head = head(&world.alice(), "Content-Length: 60000");
    let (text, kept) = trickle(world, &head, " ").await;
    check(world, "a slow body", &text, (400, "04"));
    kept
}

async fn slow_chunks(world: &World) -> Kept {
    let head = head(&world.alice(), "Transfer-Encoding: chunked");
    let (text, kept) = trickle(world, &head, "1\r\n \r\n").await;
    check(world, "slow chunks", &text, (400, "04"));
    kept
}

async fn no_body(world: &World) -> Kept {
    let mut streams = Vec::new();
    let good = world.alice();
    for (name, authorization, expected) in
        [("no body", good.as_str(), (400, "04")), ("no body, no token", "Bearer x", NO_TOKEN)]
    {
        let mut stream = connect(address(world), world.anonymous(), None).await;
        stream.write_all(head(authorization, "Content-Length: 2").as_bytes()).await.unwrap();
        let text = read_to_end(&mut stream).await;
        check(world, name, &text, expected);
        streams.push(stream);
    }
    Box::new(streams)
}

/// What never ends, as fast as it can be sent.
async fn endless(world: &World) -> Kept {
    let mut kept = Vec::new();
    let chunked = "Transfer-Encoding: chunked";
    for (name, octets, piece) in [
        ("a request line without end", "POST /".to_owned(), "x".repeat(4096)),
        ("a header without end", "POST / HTTP/1.1\r\n".to_owned(), "X: y\r\n".repeat(700)),
        ("a field without end", "POST / HTTP/1.1\r\nX: ".to_owned(), "x".repeat(4096)),
        ("chunks without end", head(&world.alice(), chunked), format!("1000\r\n{}\r\n", " ".repeat(4096))),
        ("an extension of a chunk without end", head(&world.alice(), chunked) + "1;", "x".repeat(4096)),
        ("trailers without end", head(&world.alice(), chunked) + "0\r\n", "X: y\r\n".repeat(700)),
    ] {
        let mut stream = connect(address(world), world.anonymous(), None).await;
        let sent = async {
            stream.write_all(octets.as_bytes()).await?;
            for _ in 0..2000 {
                stream.write_all(piece.as_bytes()).await?;
            }
            stream.flush().await
        };
        let is_taken = timeout(PATIENCE, sent).await.expect("the server neither reads nor ends").is_ok();
        world.case(name, || assert!(!is_taken, "{name}: 8 MB are read"));
        kept.push(stream);
    }
    Box::new(kept)
}

async fn idle(world: &World) -> Kept {
    let mut stream = connect(address(world), world.anonymous(), None).await;
    stream.write_all((head("Bearer x", "Content-Length: 2") + "{}").as_bytes()).await.unwrap();
    let text = read_to_end(&mut stream).await;
    check(world, "idle after an answer", &text, NO_TOKEN);
    Box::new(stream)
}

/// Requests one after the other, of whose answers none is read.
async fn unread_answers(world: &World) -> Kept {
    let socket = TcpSocket::new_v4().unwrap();
    // So that answers soon wait in the server, and not here.
    socket.set_recv_buffer_size(4096).unwrap();
    let tcp = socket.connect(address(world)).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(world.anonymous())).connect(name, tcp).await.unwrap();
    let requests = (head("Bearer x", "Content-Length: 2") + "{}").repeat(100);
    let sent = async {
        for _ in 0..1000 {
            stream.write_all(requests.as_bytes()).await?;
        }
        stream.flush().await
    };
    let is_taken = timeout(PATIENCE, sent).await.expect("the server neither reads nor ends").is_ok();
    world.case("100,000 requests", || assert!(!is_taken, "all requests are taken"));
    Box::new(stream)
}

/// Many that say nothing do not keep others from being answered.
async fn crowd(world: &World) -> Kept {
    let mut idle = Vec::new();
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(TcpStream::connect(address(world)).await.unwrap());
        idle.push(connect(address(world), world.anonymous(), None).await);
    }
    let authorization = world.alice();
    let headers = [JSON, ("authorization", authorization.as_str())];
    let answer = world.uu().send("POST", KM, &headers, km_request().to_string()).await;
    world.check_km("in a crowd", &answer, (200, ""));
    Box::new((idle, silent))
}

#[tokio::test]
async fn limits() {
    let site = Site::new().set("limits", "requests_per_second", "1").set("limits", "request_burst", "5");
    let world =
        World::of(site.set("time", "window_seconds", "3600").set("limits", "connections_per_address", "20")).await;
    let client = world.uu();
    let mut statuses = Vec::new();
    for _ in 0..20 {
        let authorization = world.alice();
        let answer =
            client.send("POST", KM, &[JSON, ("authorization", &authorization)], km_request().to_string()).await;
        let expected = if answer.status == 429 { (429, "03") } else { (200, "") };
        world.check_km("more requests than allowed", &answer, expected);
        statuses.push(answer.status);
    }
    assert!(statuses[..5].iter().all(|status| *status == 200) && statuses.contains(&429), "{statuses:?}");
    // Ten times as many are looked at of an address whose tokens are not valid.
    let strangers = all((0..100).map(|_| client.key_request("x", "{}")).collect()).await;
    let is_refused = |status| strangers.iter().filter(|answer| answer.status == status).count();
    world.case("more tokens than allowed", || assert!(is_refused(401) >= 50 && is_refused(429) >= 1, "{strangers:?}"));
    for answer in strangers.iter().filter(|answer| answer.status == 429) {
        world.check_km("over the limit of strangers", answer, (429, "03"));
    }
    let bob = world.bearer(&crate::world::ue(crate::world::BOB, "client-2", "device-8", &[crate::site::SERVICE]));
    let answer = client.send("POST", KM, &[JSON, ("authorization", &bob)], km_request().to_string()).await;
    world.check_km("others from there", &answer, (200, ""));
    // One connection is the client's.
    let mut open = Vec::new();
    for _ in 0..19 {
        open.push(connect(address(&world), world.anonymous(), None).await);
    }
    counted(&world, r#"skms_connections{listener="km_uu"} 20"#).await;
    let mut more = connect(address(&world), world.anonymous(), None).await;
    let text = read_to_end(&mut more).await;
    world.case("more connections than allowed", || assert_eq!(text, ""));
    drop((open, client, more));
    drained(&world, "km_uu").await;
    world.finish(20).await;
}

#[tokio::test]
async fn places() {
    // Two connections at a time, and handshakes of four.
    let site = Site::new().set("limits", "max_connections", "2").set("limits", "handshakes_per_address", "4");
    let site = site.set("limits", "header_seconds", "2").set("time", "window_seconds", "3600");
    let world = World::of(site).await;
    let idle = [
        connect(address(&world), world.anonymous(), None).await,
        connect(address(&world), world.anonymous(), None).await,
    ];
    let authorization = world.alice();
    let client = world.uu();
    let answer = client.send("POST", KM, &[JSON, ("authorization", &authorization)], km_request().to_string()).await;
    world.check_km("after the others have been sent away", &answer, (200, ""));
    drop((idle, client));
    let mut silent = Vec::new();
    for _ in 0..4 {
        silent.push(TcpStream::connect(address(&world)).await.unwrap());
    }
    let mut more = TcpStream::connect(address(&world)).await.unwrap();
    let has_ended = ends(&mut more).await;
    world.case("a fifth handshake", || assert!(has_ended));
    counted(&world, r#"skms_handshake_failures_total{listener="km_uu",reason="over_limit"} 1"#).await;
    // The places of those who go away are free once the server has seen it.
    drop(silent);
    counted(&world, r#"skms_handshake_failures_total{listener="km_uu",reason="failed"} 4"#).await;
    world.finish(4).await;
}
