//! HTTP/2 that no client library would speak.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use crate::frames::{
    CALM, CONTINUATION, DATA, END_HEADERS, END_STREAM, Frame, Frames, GO_AWAY, HEADERS, PING, RST_STREAM, SETTINGS,
    WINDOW_UPDATE, block, post,
};
use crate::http::{KM, connect, read_to_end};
use crate::site::{PATIENCE, km_request};
use crate::slow::{drained, hasty};
use crate::world::World;

const PRIORITY: u8 = 2;
const PUSH_PROMISE: u8 = 5;
const PADDED: u8 = 8;
const INITIAL_WINDOW: u16 = 4;

const PROTOCOL_ERROR: u32 = 1;
const FLOW_CONTROL_ERROR: u32 = 3;
const FRAME_SIZE_ERROR: u32 = 6;
const REFUSED_STREAM: u32 = 7;

/// How it ends. Which code goes with what is hyper's choice, mostly PROTOCOL_ERROR.
#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    /// Stream 1 is answered, by the KM route with this ErrorCode.
    Answered(&'static str),
    /// Stream 1 is answered with a problem of this cause.
    Problem(&'static str),
    /// Stream 1 is answered with nothing but a status.
    Status,
    /// A stream is reset.
    Reset(u32, u32),
    /// The connection ends.
    Away(u32),
}

use End::{Answered, Away, Problem, Reset, Status};

/// HEADERS of a request that is over with them.
fn whole(stream: u32) -> Frame {
    Frame::headers(stream, END_STREAM, &post(KM))
}

/// HEADERS of a request, with a field set or added; at the end of all for one that is empty.
fn with(name: &'static str, value: &'static str) -> Frame {
    let mut fields = post(KM);
    fields.retain(|(other, _)| !(name.starts_with(':') && *other == name));
    let at = if name.starts_with(':') { 0 } else { fields.len() };
    fields.insert(at, (name, value));
    Frame::headers(1, END_STREAM, &fields)
}

fn without(name: &str) -> Frame {
    let mut fields = post(KM);
    fields.retain(|(other, _)| *other != name);
    Frame::headers(1, END_STREAM, &fields)
}

fn and_first(field: (&'static str, &'static str)) -> Frame {
    Frame::headers(1, END_STREAM, &[&[field], &post(KM)[..]].concat())
}

fn and_last(field: (&'static str, &'static str)) -> Frame {
    Frame::headers(1, END_STREAM, &[&post(KM)[..], &[field]].concat())
}

/// A setting.
fn setting(name: u16, value: u32) -> Frame {
    Frame::new(SETTINGS, 0, 0, &[&name.to_be_bytes()[..], &value.to_be_bytes()].concat())
}

fn window(stream: u32, octets: u32) -> Frame {
    Frame::new(WINDOW_UPDATE, 0, stream, &octets.to_be_bytes())
}

/// A HEADERS frame with this header block.
fn raw(block: &[u8]) -> Frame {
    Frame::new(HEADERS, END_HEADERS | END_STREAM, 1, block)
}

fn cases() -> Vec<(&'static str, Vec<Frame>, End)> {
    let announced =
        |length: &'static str| Frame::headers(1, 0, &[&post(KM)[..], &[("content-length", length)]].concat());
    let body = || Frame::new(DATA, END_STREAM, 1, b"{}");
    vec![
        ("a request", vec![whole(1)], Answered("03")),
        ("no path", vec![without(":path")], Reset(1, PROTOCOL_ERROR)),
        ("no method", vec![without(":method")], Reset(1, PROTOCOL_ERROR)),
        ("an empty path", vec![with(":path", "")], Reset(1, PROTOCOL_ERROR)),
        ("a path without a solidus", vec![with(":path", "seal-km/v1/km-request")], Reset(1, PROTOCOL_ERROR)),
        ("a path with a space", vec![with(":path", "/seal-km/v1/km request")], Reset(1, PROTOCOL_ERROR)),
        ("a path with NUL", vec![with(":path", "/seal-km/v1/km-request\0")], Reset(1, PROTOCOL_ERROR)),
        ("a path with dots", vec![with(":path", "/seal-km/v1/x/../km-request")], Problem("NO_SUCH_RESOURCE")),
        (
            "a path with dots in escapes",
            vec![with(":path", "/seal-km/v1/%2e%2e/v1/km-request")],
            Problem("NO_SUCH_RESOURCE"),
        ),
        ("two paths", vec![and_first((":path", "/"))], Reset(1, PROTOCOL_ERROR)),
        ("two methods", vec![and_first((":method", "GET"))], Reset(1, PROTOCOL_ERROR)),
        ("a method that is none", vec![with(":method", "PO ST")], Away(PROTOCOL_ERROR)),
        ("CONNECT", vec![with(":method", "CONNECT")], Reset(1, PROTOCOL_ERROR)),
        ("a protocol", vec![and_first((":protocol", "websocket"))], Reset(1, PROTOCOL_ERROR)),
        ("the status of an answer", vec![and_first((":status", "200"))], Reset(1, PROTOCOL_ERROR)),
        ("a pseudo field that is not known", vec![and_first((":token", "x"))], Away(PROTOCOL_ERROR)),
        ("a pseudo field at the end", vec![and_last((":authority", "localhost"))], Reset(1, PROTOCOL_ERROR)),
        ("another scheme", vec![with(":scheme", "http")], Answered("03")),
        ("another authority", vec![with(":authority", "evil.example.org")], Answered("03")),
        ("an authority that is none", vec![with(":authority", "a b")], Reset(1, PROTOCOL_ERROR)),
        ("a name in upper case", vec![and_last(("X-Y", "z"))], Away(PROTOCOL_ERROR)),
        ("an empty name", vec![and_last(("", "z"))], Away(PROTOCOL_ERROR)),
        ("a name with a colon", vec![and_last(("x:y", "z"))], Away(PROTOCOL_ERROR)),
        ("a name with a line end", vec![and_last(("x\r\ny", "z"))], Away(PROTOCOL_ERROR)),
        ("a value with a line end", vec![and_last(("x", "y\r\nauthorization: Bearer z"))], Away(PROTOCOL_ERROR)),
        ("a value with NUL", vec![and_last(("x", "y\0"))], Away(PROTOCOL_ERROR)),
        ("a field of a connection", vec![and_last(("connection", "close"))], Reset(1, PROTOCOL_ERROR)),
        ("a coding for transfer", vec![and_last(("transfer-encoding", "chunked"))], Reset(1, PROTOCOL_ERROR)),
        ("an upgrade", vec![and_last(("upgrade", "h2c"))], Reset(1, PROTOCOL_ERROR)),
        ("trailers in gzip", vec![and_last(("te", "gzip"))], Reset(1, PROTOCOL_ERROR)),
        ("a length and no body", vec![and_last(("content-length", "100"))], Reset(1, PROTOCOL_ERROR)),
        ("a body that is too long", vec![announced("1"), body()], Reset(1, PROTOCOL_ERROR)),
        ("a body that is too short", vec![announced("100"), body()], Reset(1, PROTOCOL_ERROR)),
        ("a length that is none", vec![announced("-2"), body()], Reset(1, PROTOCOL_ERROR)),
        ("a header of 40,000 octets", long_header(), Status),
        ("a body on a stream that is over", vec![whole(1), body()], Away(PROTOCOL_ERROR)),
        ("a body without a header", vec![body()], Away(PROTOCOL_ERROR)),
        ("a body on no stream", vec![Frame::new(DATA, 0, 0, b"{}")], Away(PROTOCOL_ERROR)),
        ("a header on no stream", vec![whole(0)], Away(PROTOCOL_ERROR)),
        ("a stream of the server", vec![whole(2)], Away(PROTOCOL_ERROR)),
        ("a stream before the last", vec![whole(5), whole(3)], Away(PROTOCOL_ERROR)),
        ("more padding than there is", vec![Frame::new(DATA, PADDED, 1, &[200, 0])], Away(PROTOCOL_ERROR)),
        ("a frame that is too long", vec![Frame::new(DATA, 0, 1, &[0; 16_385])], Away(FRAME_SIZE_ERROR)),
        (
            "a frame in a header",
            vec![Frame::new(HEADERS, 0, 1, &block(&post(KM))), Frame::new(PING, 0, 0, &[0; 8])],
            Away(PROTOCOL_ERROR),
        ),
        ("CONTINUATION of nothing", vec![Frame::new(CONTINUATION, END_HEADERS, 1, &[])], Away(PROTOCOL_ERROR)),
        (
            "CONTINUATION of another stream",
            vec![Frame::new(HEADERS, 0, 1, &[]), Frame::new(CONTINUATION, 0, 3, &[])],
            Away(PROTOCOL_ERROR),
        ),
        ("an index of HPACK that there is not", vec![raw(&[0xff, 0x80, 0x01])], Away(PROTOCOL_ERROR)),
        ("index 0 of HPACK", vec![raw(&[0x80])], Away(PROTOCOL_ERROR)),
        ("an integer of HPACK without end", vec![raw(&[0xff; 100])], Away(PROTOCOL_ERROR)),
        (
            "a text of HPACK that is longer than all",
            vec![raw(&[0, 0x7f, 0xff, 0xff, 0xff, 0x07])],
            Away(PROTOCOL_ERROR),
        ),
        ("a Huffman code that is none", vec![raw(&[0, 0x84, 0xff, 0xff, 0xff, 0xff, 1, b'x'])], Away(PROTOCOL_ERROR)),
        ("a table of HPACK that is too large", vec![raw(&[0x3f, 0xff, 0xff, 0xff, 0x07])], Away(PROTOCOL_ERROR)),
        ("an increment of 0", vec![whole(1), window(0, 0)], Away(PROTOCOL_ERROR)),
        ("a window above 2^31", vec![window(0, 0x7fff_ffff)], Away(FLOW_CONTROL_ERROR)),
        (
            "a window of a stream above 2^31",
            vec![Frame::headers(1, 0, &post(KM)), window(1, 0x7fff_ffff)],
            Reset(1, FLOW_CONTROL_ERROR),
        ),
        ("a window of a stream that is idle", vec![window(1, 1)], Away(PROTOCOL_ERROR)),
        ("an initial window above 2^31", vec![setting(INITIAL_WINDOW, 0x8000_0000)], Away(PROTOCOL_ERROR)),
        ("a frame size that is too small", vec![setting(5, 100)], Away(PROTOCOL_ERROR)),
        ("push that is neither on nor off", vec![setting(2, 2)], Away(PROTOCOL_ERROR)),
        ("settings of 5 octets", vec![Frame::new(SETTINGS, 0, 0, &[0; 5])], Away(PROTOCOL_ERROR)),
        ("settings of a stream", vec![Frame::new(SETTINGS, 0, 1, &[])], Away(PROTOCOL_ERROR)),
        (
            "settings that acknowledge more than there is",
            vec![Frame::new(SETTINGS, 1, 0, &[0; 6])],
            Away(PROTOCOL_ERROR),
        ),
        ("a ping of 7 octets", vec![Frame::new(PING, 0, 0, &[0; 7])], Away(PROTOCOL_ERROR)),
        ("a ping of a stream", vec![Frame::new(PING, 0, 1, &[0; 8])], Away(PROTOCOL_ERROR)),
        ("a promise", vec![Frame::new(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2])], Away(PROTOCOL_ERROR)),
        ("a reset of a stream that is idle", vec![Frame::reset(1)], Away(PROTOCOL_ERROR)),
        ("a priority of 4 octets", vec![Frame::new(PRIORITY, 0, 1, &[0; 4])], Away(PROTOCOL_ERROR)),
        ("frames that are not known", vec![Frame::new(0xfe, 0xff, 7, &[1; 1000]), whole(1)], Answered("03")),
    ]
}

/// A header that is longer than may be.
fn long_header() -> Vec<Frame> {
    let value = "x".repeat(10_000);
    let fields: Vec<(&str, &str)> = post(KM).into_iter().chain([("x", value.as_str()); 4]).collect();
    let block = block(&fields);
    let mut pieces = block.chunks(16_000).enumerate().map(|(index, piece)| {
        let kind = if index == 0 { HEADERS } else { CONTINUATION };
        Frame::new(kind, if index == 0 { END_STREAM } else { 0 }, 1, piece)
    });
    let mut frames: Vec<Frame> = pieces.by_ref().collect();
    frames.last_mut().unwrap().flags |= END_HEADERS;
    frames
}

/// What becomes of frames.
async fn end(frames: &mut Frames) -> Option<End> {
    let mut body = Vec::new();
    while let Some(frame) = frames.next().await {
        match frame.kind {
            GO_AWAY => return Some(Away(frame.number(4))),
            RST_STREAM => return Some(Reset(frame.stream, frame.number(0))),
            HEADERS if frame.stream == 1 && frame.flags & END_STREAM != 0 => return Some(Status),
            DATA if frame.stream == 1 => {
                body.extend_from_slice(&frame.payload);
                if frame.flags & END_STREAM != 0 {
                    let value: Value = serde_json::from_slice(&body).unwrap();
                    let text = |name: &str| value[name].as_str().map(|text| &*text.to_owned().leak());
                    return text("ErrorCode").map(Answered).or(text("cause").map(Problem));
                }
            }
            _ => {}
        }
    }
    None
}

#[tokio::test]
async fn frames() {
    let world = World::of(hasty()).await;
    let address = world.server.address("km_uu");
    for (name, sent, expected) in cases() {
        let mut frames = Frames::connect(address, world.anonymous(), &[]).await;
        frames.send(&sent).await;
        let found = end(&mut frames).await;
        world.case(name, || assert_eq!(found, Some(expected), "{name}"));
    }
    for preface in
        ["PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "PRI * HTTP/2.0\r\n"]
    {
        let mut stream = connect(address, world.anonymous(), Some("h2")).await;
        stream.write_all(preface.as_bytes()).await.unwrap();
        let text = read_to_end(&mut stream).await;
        world.case(preface, || assert!(!text.contains("HTTP/1.1"), "{text}"));
    }
    drained(&world, "km_uu").await;
    world.finish(60).await;
}

/// Sends frames and reads nothing; whether the server reads on, or ends the connection.
async fn flood(world: &World, address: SocketAddr, begin: &[Frame], again: &Frame) -> (Frames, bool) {
    let mut frames = Frames::connect(address, world.anonymous(), &[]).await;
    frames.send(begin).await;
    let batch = vec![again.clone(); 100];
    let sent = async {
        for _ in 0..200 {
            frames.send(&batch).await;
        }
    };
    let is_done = timeout(PATIENCE, sent).await.is_ok();
    (frames, is_done)
}

#[tokio::test]
async fn floods() {
    let world = World::of(hasty()).await;
    let address = world.server.address("km_uu");
    let open = || vec![Frame::headers(1, 0, &post(KM))];
    let piece = block(&[("x", &"y".repeat(1000))]);
    let mut kept = Vec::new();
    // Nothing is read: what waits to be answered must not grow without end.
    for (name, begin, again) in [
        ("settings", vec![], setting(INITIAL_WINDOW, 65_535)),
        ("pings", vec![], Frame::new(PING, 0, 0, &[7; 8])),
        ("priorities", vec![], Frame::new(PRIORITY, 0, 3, &[0, 0, 0, 5, 16])),
        ("frames that are not known", vec![], Frame::new(0xfe, 0, 0, &[0; 100])),
        ("empty bodies", open(), Frame::new(DATA, 0, 1, &[])),
        ("padding", open(), Frame::new(DATA, PADDED, 1, &[0])),
        (
            "pieces of a header",
            vec![Frame::new(HEADERS, 0, 1, &block(&post(KM)))],
            Frame::new(CONTINUATION, 0, 1, &piece),
        ),
        (
            "empty pieces of a header",
            vec![Frame::new(HEADERS, 0, 1, &block(&post(KM)))],
            Frame::new(CONTINUATION, 0, 1, &[]),
        ),
        ("windows", open(), window(1, 1)),
    ] {
        let (frames, is_done) = flood(&world, address, &begin, &again).await;
        world.case(name, || assert!(is_done, "{name}"));
        kept.push(frames);
    }
    kept.push(answers_unread(&world, address).await);
    kept.push(answers_in_octets(&world, address).await);
    kept.push(stalled_header(&world, address).await);
    kept.push(stalled_bodies(&world, address).await);
    drained(&world, "km_uu").await;
    drop(kept);
    resets(&world, address).await;
    table(&world, address).await;
    too_many_streams(&world, address).await;
    world.finish(15).await;
}

/// Requests whose answers the client lets nobody send.
async fn answers_unread(world: &World, address: SocketAddr) -> Frames {
    let mut frames = Frames::connect(address, world.anonymous(), &[(INITIAL_WINDOW, 0)]).await;
    frames.send(&(0..100).map(|index| whole(2 * index + 1)).collect::<Vec<_>>()).await;
    let answer = frames.find(|frame| frame.kind == HEADERS).await;
    world.case("answers that nobody reads", || assert!(answer.is_some()));
    frames
}

/// A window that is opened by one octet after the other does not keep a connection from being idle.
async fn answers_in_octets(world: &World, address: SocketAddr) -> Frames {
    let mut frames = Frames::connect(address, world.anonymous(), &[(INITIAL_WINDOW, 1)]).await;
    frames.send(&[whole(1)]).await;
    let mut octets = 0;
    let ended = async {
        while let Some(frame) = frames.next().await {
            if frame.kind == DATA {
                octets += frame.payload.len();
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                frames.send(&[window(1, 1)]).await;
            }
            if frame.kind == GO_AWAY {
                return;
            }
        }
    };
    let has_ended = timeout(PATIENCE, ended).await.is_ok();
    world.case("an answer octet by octet", || assert!(has_ended && octets < 150, "{octets}"));
    frames
}

async fn stalled_header(world: &World, address: SocketAddr) -> Frames {
    let mut frames = Frames::connect(address, world.anonymous(), &[]).await;
    frames.send(&[Frame::new(HEADERS, 0, 1, &block(&post(KM)))]).await;
    let rest = frames.rest().await;
    world.case("a header that does not go on", || assert!(rest.iter().all(|frame| frame.kind != HEADERS), "{rest:?}"));
    frames
}

/// Bodies that do not come, on all streams that there may be.
async fn stalled_bodies(world: &World, address: SocketAddr) -> Frames {
    let mut frames = Frames::connect(address, world.anonymous(), &[]).await;
    let authorization = world.alice();
    let fields = [&post(KM)[..], &[("authorization", &authorization)]].concat();
    let open = (0..100).map(|index| Frame::headers(2 * index + 1, 0, &fields));
    let begun = (0..100).map(|index| Frame::new(DATA, 0, 2 * index + 1, b"{"));
    frames.send(&open.chain(begun).collect::<Vec<_>>()).await;
    let mut answered = 0;
    while answered < 100 {
        let Some(frame) = frames.next().await else { break };
        if frame.kind == DATA && frame.flags & END_STREAM != 0 {
            let body: Value = serde_json::from_slice(&frame.payload).unwrap();
            assert_eq!(body["ErrorCode"], "04", "{body}");
            answered += 1;
        }
    }
    world.case("100 bodies that do not come", || assert_eq!(answered, 100));
    frames
}

/// Streams that are reset by the client, and streams that it makes the server reset.
async fn resets(world: &World, address: SocketAddr) {
    let request = |stream| Frame::headers(stream, 0, &post(KM));
    for (name, again, code) in [
        ("by the client", Frame::reset(0), CALM),
        ("by an increment of 0", window(0, 0), PROTOCOL_ERROR),
        ("by a window that is too large", window(0, 0x7fff_ffff), CALM),
    ] {
        let pairs =
            (0..500).map(|index| 2 * index + 1).flat_map(|stream| [request(stream), Frame { stream, ..again.clone() }]);
        let mut frames = Frames::connect(address, world.anonymous(), &[]).await;
        frames.send(&pairs.collect::<Vec<_>>()).await;
        let away = frames.rest().await.into_iter().find(|frame| frame.kind == GO_AWAY).map(|frame| frame.number(4));
        world.case(name, || assert_eq!(away, Some(code), "{name}"));
    }
    // With a token that is valid, a request that is taken back is recorded: that is work.
    let authorization = world.alice();
    let fields = [&post(KM)[..], &[("authorization", &authorization)]].concat();
    let mut frames = Frames::connect(address, world.anonymous(), &[]).await;
    let mut is_open = true;
    for index in 0..200 {
        frames.send(&[Frame::headers(2 * index + 1, 0, &fields), Frame::new(PING, 0, 0, &[0; 8])]).await;
        let next = frames.find(|frame| frame.kind == PING || frame.kind == GO_AWAY).await;
        is_open = next.is_some_and(|frame| frame.kind == PING);
        if !is_open {
            break;
        }
        frames.send(&[Frame::reset(2 * index + 1)]).await;
    }
    world.case("one after the other", || assert!(!is_open, "200 are taken"));
}

/// A field of 4,000 octets that goes into the table of HPACK, and is then named by its index again and again.
async fn table(world: &World, address: SocketAddr) {
    let mut frames = Frames::connect(address, world.anonymous(), &[]).await;
    let mut bomb = block(&post(KM));
    let large = block(&[("x", &"y".repeat(3900))]);
    bomb.push(0x40);
    bomb.extend_from_slice(&large[1..]);
    bomb.extend(std::iter::repeat_n(0x80 | 62, 10_000));
    frames.send(&[raw(&bomb)]).await;
    let found = end(&mut frames).await;
    world.case("a header of 40 MB in 14,000 octets", || assert_eq!(found, Some(Away(CALM))));
}

async fn too_many_streams(world: &World, address: SocketAddr) {
    let mut frames = Frames::connect(address, world.anonymous(), &[]).await;
    frames.send(&(0..101).map(|index| Frame::headers(2 * index + 1, 0, &post(KM))).collect::<Vec<_>>()).await;
    let refused = frames.find(|frame| frame.kind == RST_STREAM || frame.kind == GO_AWAY).await.unwrap();
    let found = (refused.kind, refused.stream, refused.number(0));
    world.case("one stream too many", || assert_eq!(found, (RST_STREAM, 201, REFUSED_STREAM)));
    let request = km_request().to_string();
    let authorization = world.alice();
    let fields = [&post(KM)[..], &[("authorization", &authorization)]].concat();
    let mut other = Frames::connect(address, world.anonymous(), &[]).await;
    other.send(&[Frame::headers(1, 0, &fields), Frame::new(DATA, END_STREAM, 1, request.as_bytes())]).await;
    let answer = other.find(|frame| frame.kind == DATA).await;
    world.case("another connection", || {
        assert!(String::from_utf8(answer.unwrap().payload).unwrap().contains("Payload"))
    });
}
