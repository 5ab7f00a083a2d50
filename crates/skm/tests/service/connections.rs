//! Connections that are slow, idle, greedy or strange: they end, and nobody else notices.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::frames::{
    CALM, CONTINUATION, DATA, END_HEADERS, END_STREAM, Frame, Frames, GO_AWAY, HEADERS, PING, RST_STREAM, SETTINGS,
    block, post,
};
use crate::http::{Client, KM, connect, exchange, read_to_end};
use crate::site::{PATIENCE, Running, Site, km_request};

/// A server, of which some limits are short, and its listener for UEs.
async fn start(limits: &[(&str, &str)]) -> (Site, Running, SocketAddr) {
    let site = limits.iter().fold(Site::new(), |site, (key, value)| site.set("limits", key, value));
    let server = site.start().await;
    let address = server.addresses.km_uu.unwrap();
    (site, server, address)
}

/// Checks that the server still answers others.
async fn assert_up(site: &Site, address: SocketAddr) {
    let client = Client::new(address, site.anonymous());
    client.key_request(&site.ue_token(), km_request().to_string()).await.assert_km(404, Some("02"));
}

/// A request over HTTP/1.1 that announces a length.
fn head(token: &str, length: usize) -> String {
    format!(
        "POST {KM} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Authorization: Bearer {token}\r\nContent-Length: {length}\r\n\r\n"
    )
}

/// The head of the next answer, and its body.
async fn next_answer(stream: &mut TlsStream<TcpStream>) -> (String, String) {
    let read = async {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        (head, String::from_utf8(body).unwrap())
    };
    tokio::time::timeout(PATIENCE, read).await.unwrap()
}

#[tokio::test]
async fn a_connection_without_a_request_ends() {
    let (site, _server, address) = start(&[("header_seconds", "1")]).await;
    for alpn in [None, Some("http/1.1"), Some("h2")] {
        let mut silent = connect(address, site.anonymous(), alpn).await;
        read_to_end(&mut silent).await;
    }
    assert_up(&site, address).await;
}

#[tokio::test]
async fn a_header_that_trickles_in_ends_the_connection() {
    let (site, _server, address) = start(&[("header_seconds", "1")]).await;
    let mut slow = connect(address, site.anonymous(), None).await;
    let started = tokio::time::Instant::now();
    for octet in head("token", 2).repeat(2).bytes() {
        if slow.write_all(&[octet]).await.is_err() {
            break;
        }
        if tokio::time::timeout(Duration::from_millis(100), slow.read(&mut [0])).await.is_ok() {
            break;
        }
    }
    assert!(started.elapsed() < Duration::from_secs(10), "it trickles on");
    assert_up(&site, address).await;
}

#[tokio::test]
async fn a_later_header_has_no_more_time() {
    let (site, _server, address) = start(&[("header_seconds", "1")]).await;
    let mut stream = connect(address, site.anonymous(), None).await;
    let request = [head("token", 2), "{}".to_owned()].concat();
    stream.write_all(request.as_bytes()).await.unwrap();
    assert!(next_answer(&mut stream).await.0.starts_with("HTTP/1.1 401 "));
    stream.write_all(b"POST /").await.unwrap();
    assert_eq!(read_to_end(&mut stream).await, "");
}

#[tokio::test]
async fn between_requests_a_connection_may_be_idle() {
    let (site, _server, address) = start(&[("header_seconds", "1")]).await;
    let mut stream = connect(address, site.anonymous(), None).await;
    let request = [head("token", 2), "{}".to_owned()].concat();
    for _ in 0..2 {
        stream.write_all(request.as_bytes()).await.unwrap();
        assert!(next_answer(&mut stream).await.0.starts_with("HTTP/1.1 401 "));
        // Longer than a header may take, shorter than a connection may be idle.
        tokio::time::sleep(Duration::from_millis(1500)).await;
    }
}

#[tokio::test]
async fn an_idle_connection_ends() {
    let (site, _server, address) = start(&[("idle_seconds", "1")]).await;
    let mut stream = connect(address, site.anonymous(), None).await;
    stream.write_all([head("token", 2), "{}".to_owned()].concat().as_bytes()).await.unwrap();
    assert!(next_answer(&mut stream).await.0.starts_with("HTTP/1.1 401 "));
    assert_eq!(read_to_end(&mut stream).await, "");

    let mut frames = Frames::connect(address, site.anonymous(), &[]).await;
    frames.send(&[Frame::headers(1, END_STREAM, &post(KM))]).await;
    assert!(frames.find(|frame| frame.kind == HEADERS).await.is_some());
    let ping = Frame::new(PING, 0, 0, &[0; 8]);
    frames.send(&[ping]).await;
    assert!(frames.rest().await.iter().any(|frame| frame.kind == GO_AWAY), "a ping is no request");
}

#[tokio::test]
async fn a_body_that_does_not_come() {
    let (site, _server, address) = start(&[("body_seconds", "1")]).await;
    let mut slow = connect(address, site.anonymous(), None).await;
    slow.write_all((head(&site.ue_token(), 100) + "{").as_bytes()).await.unwrap();
    let (head, body) = next_answer(&mut slow).await;
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    assert!(body.contains(r#""ErrorCode":"04""#), "{body}");
    assert_eq!(read_to_end(&mut slow).await, "", "what comes now is not known to be a request");

    let mut frames = Frames::connect(address, site.anonymous(), &[]).await;
    frames.send(&[Frame::headers(1, 0, &post(KM)), Frame::new(DATA, 0, 1, b"{")]).await;
    assert!(frames.find(|frame| frame.kind == HEADERS && frame.stream == 1).await.is_some(), "401, without a token");
    assert_up(&site, address).await;
}

#[tokio::test]
async fn a_body_that_breaks_off() {
    let (site, _server, address) = start(&[]).await;
    let mut stream = connect(address, site.anonymous(), None).await;
    stream.write_all((head(&site.ue_token(), 100) + "{").as_bytes()).await.unwrap();
    drop(stream);
    assert_up(&site, address).await;
}

#[tokio::test]
async fn bodies_that_are_too_long() {
    let (site, _server, address) = start(&[]).await;
    for client in [Client::new(address, site.anonymous()), Client::http1(address, site.anonymous())] {
        for octets in [65_537, 300_000, 1_048_576] {
            client.key_request(&site.ue_token(), " ".repeat(octets)).await.assert_km(413, Some("04"));
        }
        let mut fits = km_request().to_string();
        fits.push_str(&" ".repeat(65_536 - fits.len()));
        client.key_request(&site.ue_token(), fits).await.assert_km(404, Some("02"));
        // The token comes first.
        client.key_request("none", " ".repeat(65_537)).await.assert_km(401, Some("03"));
    }
}

#[tokio::test]
async fn a_body_far_too_long_is_not_read() {
    let (site, _server, address) = start(&[]).await;
    let mut stream = connect(address, site.anonymous(), None).await;
    stream.write_all(head(&site.ue_token(), usize::MAX / 4).as_bytes()).await.unwrap();
    let (head, body) = next_answer(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 413 "), "{head}");
    assert!(body.contains(r#""ErrorCode":"04""#), "{body}");
}

#[tokio::test]
async fn chunks_that_never_end() {
    let (site, _server, address) = start(&[("body_seconds", "5")]).await;
    let mut stream = connect(address, site.anonymous(), None).await;
    let token = site.ue_token();
    let head = format!(
        "POST {KM} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Authorization: Bearer {token}\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x1_0000));
    let sent = async { while stream.write_all(chunk.as_bytes()).await.is_ok() {} };
    tokio::time::timeout(PATIENCE, sent).await.expect("the server reads on");
    assert_up(&site, address).await;
}

#[tokio::test]
async fn lengths_that_are_none() {
    let (site, _server, address) = start(&[("header_seconds", "1"), ("body_seconds", "1")]).await;
    for fields in [
        "Content-Length: -1",
        "Content-Length: +2",
        "Content-Length: 2, 3",
        "Content-Length: 2\r\nContent-Length: 3",
        "Content-Length: 99999999999999999999",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: chunked, identity",
    ] {
        let request = format!("POST {KM} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n\r\n{{}}");
        let answer = exchange(address, site.anonymous(), request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{fields}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{fields}: {answer}");
    }
}

#[tokio::test]
async fn what_is_not_http() {
    let (site, _server, address) = start(&[("header_seconds", "1")]).await;
    for octets in [
        b"\0\0\0\0\0\0\0\0\r\n\r\n".as_slice(),
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        b"POST / HTTP/1.1\r\nHost : x\r\n\r\n",
        b"POST / HTTP/1.1\r\n\x80: x\r\n\r\n",
    ] {
        let answer = exchange(address, site.anonymous(), octets).await;
        assert!(!answer.contains(" 200 "), "{answer}");
    }
    let mut frames = Frames::connect(address, site.anonymous(), &[]).await;
    frames.send(&[Frame::new(DATA, 0, 1, b"no stream")]).await;
    assert!(frames.rest().await.iter().any(|frame| frame.kind == GO_AWAY));
    assert_up(&site, address).await;
}

#[tokio::test]
async fn headers_that_are_too_large() {
    let (site, _server, address) = start(&[]).await;
    let long = "x".repeat(100_000);
    let request = format!("POST {KM} HTTP/1.1\r\nHost: localhost\r\nX-Long: {long}\r\n\r\n");
    let answer = exchange(address, site.anonymous(), request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let many = "X: y\r\n".repeat(200);
    let request = format!("POST {KM} HTTP/1.1\r\nHost: localhost\r\n{many}\r\n");
    let answer = exchange(address, site.anonymous(), request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    assert_up(&site, address).await;
}

#[tokio::test]
async fn header_lists_that_are_too_large() {
    let (site, _server, address) = start(&[]).await;
    for (octets, is_refused) in [(10_000, false), (100_000, true)] {
        let mut frames = Frames::connect(address, site.anonymous(), &[]).await;
        let long = "x".repeat(octets);
        let block = block(&[post(KM), vec![("x-long", long.as_str())]].concat());
        let mut pieces = block.chunks(16_000).map(<[u8]>::to_vec);
        let mut request = vec![Frame::new(HEADERS, END_STREAM, 1, &pieces.next().unwrap())];
        request.extend(pieces.map(|piece| Frame::new(CONTINUATION, 0, 1, &piece)));
        request.last_mut().unwrap().flags |= END_HEADERS;
        frames.send(&request).await;
        let answer = frames.find(|frame| frame.kind == HEADERS).await.unwrap();
        // What the library refuses has no body; what the service refuses has.
        assert_eq!(answer.flags & END_STREAM != 0, is_refused, "{octets}");
    }
    assert_up(&site, address).await;
}

#[tokio::test]
async fn requests_that_come_at_once_are_answered_one_by_one() {
    let (site, _server, address) = start(&[]).await;
    let mut stream = connect(address, site.anonymous(), None).await;
    let request = [head("token", 2), "{}".to_owned()].concat();
    stream.write_all(request.repeat(3).as_bytes()).await.unwrap();
    for _ in 0..3 {
        assert!(next_answer(&mut stream).await.0.starts_with("HTTP/1.1 401 "));
    }
}

#[tokio::test]
async fn a_client_that_asks_is_told_to_continue() {
    let (site, _server, address) = start(&[]).await;
    let mut stream = connect(address, site.anonymous(), None).await;
    let request = head("token", 2).replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut first = [0; 25];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"{}").await.unwrap();
    assert!(next_answer(&mut stream).await.0.starts_with("HTTP/1.1 401 "));
}

#[tokio::test]
async fn streams_are_bounded() {
    let (site, _server, address) = start(&[("http2_streams", "3")]).await;
    let mut frames = Frames::connect(address, site.anonymous(), &[]).await;
    let settings = frames.find(|frame| frame.kind == SETTINGS && !frame.payload.is_empty()).await.unwrap();
    let max_streams = settings.payload.chunks(6).find(|setting| setting[..2] == [0, 3]).unwrap();
    assert_eq!(max_streams[2..], 3_u32.to_be_bytes());
    let open: Vec<Frame> = (0..4).map(|index| Frame::headers(2 * index + 1, 0, &post(KM))).collect();
    frames.send(&open).await;
    let refused = frames.find(|frame| frame.kind == RST_STREAM || frame.kind == GO_AWAY).await.unwrap();
    assert_eq!((refused.kind, refused.stream), (RST_STREAM, 7), "{refused:?}");
    assert_up(&site, address).await;
}

#[tokio::test]
async fn resets_in_rapid_succession_end_the_connection() {
    let (site, _server, address) = start(&[]).await;
    let mut frames = Frames::connect(address, site.anonymous(), &[]).await;
    let pairs = (0..500).flat_map(|index| {
        let stream = 2 * index + 1;
        [Frame::headers(stream, END_STREAM, &post(KM)), Frame::reset(stream)]
    });
    frames.send(&pairs.collect::<Vec<_>>()).await;
    let end = frames.rest().await;
    let away = end.iter().find(|frame| frame.kind == GO_AWAY).expect("the server ends the connection");
    assert_eq!(away.number(4), CALM);
    assert_up(&site, address).await;
}

#[tokio::test]
async fn requests_that_are_begun_and_taken_back_end_the_connection() {
    let (site, _server, address) = start(&[]).await;
    let mut frames = Frames::connect(address, site.anonymous(), &[]).await;
    // With a token that is valid, a refusal is recorded: that is work.
    let authorization = format!("Bearer {}", site.ue_token());
    let fields = [post(KM), vec![("authorization", authorization.as_str())]].concat();
    for index in 0..200 {
        // The server is given the time to begin.
        let stream = 2 * index + 1;
        frames.send(&[Frame::headers(stream, 0, &fields), Frame::new(PING, 0, 0, &[0; 8])]).await;
        let next = frames.find(|frame| frame.kind == PING || frame.kind == GO_AWAY).await.unwrap();
        if next.kind == GO_AWAY {
            break;
        }
        assert!(index < 150, "it goes on");
        frames.send(&[Frame::reset(stream)]).await;
    }
    frames.rest().await;
    assert_up(&site, address).await;
}

#[tokio::test]
async fn a_header_in_endless_pieces_ends_the_connection() {
    let (site, _server, address) = start(&[]).await;
    let mut frames = Frames::connect(address, site.anonymous(), &[]).await;
    let piece = block(&[("x", &"y".repeat(1000))]);
    let first = Frame::new(HEADERS, 0, 1, &block(&post(KM)));
    let pieces = (0..1000).map(|_| Frame::new(CONTINUATION, 0, 1, &piece));
    frames.send(&[first].into_iter().chain(pieces).collect::<Vec<_>>()).await;
    assert!(frames.rest().await.iter().all(|frame| frame.kind != HEADERS));
    assert_up(&site, address).await;
}

#[tokio::test]
async fn answers_that_nobody_reads_end_with_the_connection() {
    let (site, _server, address) = start(&[("idle_seconds", "1")]).await;
    // SETTINGS_INITIAL_WINDOW_SIZE is 0: no answer may be sent.
    let mut frames = Frames::connect(address, site.anonymous(), &[(4, 0)]).await;
    let requests: Vec<Frame> = (0..100).map(|index| Frame::headers(2 * index + 1, END_STREAM, &post(KM))).collect();
    frames.send(&requests).await;
    let frames = frames.rest().await;
    assert!(frames.iter().any(|frame| frame.kind == HEADERS && frame.flags & END_HEADERS != 0));
    assert!(frames.iter().all(|frame| frame.kind != DATA || frame.payload.is_empty()));
    assert_up(&site, address).await;
}
