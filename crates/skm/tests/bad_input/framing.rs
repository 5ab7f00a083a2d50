//! What frames a request: HTTP/1.1 as octets, and paths.

use mikey_sakke::km::Response;
use tokio::io::AsyncWriteExt as _;

use crate::http::{connect, exchange, read_to_end};
use crate::site::{PROVISIONER, VAL, km_request};
use crate::world::{CANARY, World, server};

/// What comes before the header fields that a case is about. TOKEN, BODY and LENGTH are those of a good request.
const HEAD: &str = "POST /seal-km/v1/km-request HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
     Authorization: Bearer TOKEN\r\n";

/// A request that must not be taken for one of its own.
const SMUGGLED: &str =
    "POST /seal-km/v1/km-request HTTP/1.1\r\nHost: localhost\r\nX-Smuggled: 1\r\nContent-Length: 0\r\n\r\n";

/// Header fields and body, and the statuses of all that is answered.
const FRAMES: &[(&str, &str, &[u16])] = &[
    ("a length", "Content-Length: LENGTH\r\nConnection: close\r\n\r\nBODY", &[200]),
    ("chunks", "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\nHEXLEN\r\nBODY\r\n0\r\n\r\n", &[200]),
    (
        "the same length twice",
        "Content-Length: LENGTH\r\nContent-Length: LENGTH\r\nConnection: close\r\n\r\nBODY",
        &[200],
    ),
    ("two lengths", "Content-Length: LENGTH\r\nContent-Length: 1\r\n\r\nBODY", &[400]),
    ("two lengths in one line", "Content-Length: LENGTH, LENGTH\r\n\r\nBODY", &[400]),
    ("a length below zero", "Content-Length: -1\r\n\r\nBODY", &[400]),
    ("a length with a sign", "Content-Length: +LENGTH\r\n\r\nBODY", &[400]),
    ("a length in hexadecimal", "Content-Length: 0x10\r\n\r\nBODY", &[400]),
    ("a length with a fraction", "Content-Length: LENGTH.0\r\n\r\nBODY", &[400]),
    ("a length above 2^64", "Content-Length: 18446744073709551617\r\n\r\nBODY", &[400]),
    ("no number as a length", "Content-Length:\r\n\r\nBODY", &[400]),
    ("no length: the body is a request that is none", "\r\nBODY", &[400, 400]),
    ("a length too short: the rest is a request that is none", "Content-Length: 10\r\n\r\nBODY", &[400, 400]),
    ("a length too long: the connection ends in the body", "Content-Length: 5000\r\n\r\nBODY", &[400]),
    (
        "chunks under a length of zero",
        "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\nHEXLEN\r\nBODY\r\n0\r\n\r\nSMUGGLED",
        &[200],
    ),
    (
        "a length over chunks",
        "Transfer-Encoding: chunked\r\nContent-Length: 5000\r\n\r\nHEXLEN\r\nBODY\r\n0\r\n\r\nSMUGGLED",
        &[200],
    ),
    ("a coding that is not known", "Transfer-Encoding: gzip\r\n\r\nBODY", &[400]),
    ("a coding after chunks", "Transfer-Encoding: chunked, gzip\r\n\r\nBODY", &[400]),
    ("chunks twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\nBODY", &[400]),
    ("chunks with a letter before", "Transfer-Encoding: xchunked\r\n\r\nBODY", &[400]),
    ("chunks with a vertical tab", "Transfer-Encoding: \x0bchunked\r\n\r\nBODY", &[400]),
    ("a field name with a space after it", "Content-Length : LENGTH\r\n\r\nBODY", &[400]),
    ("a folded line", "X: y\r\n z\r\nContent-Length: LENGTH\r\n\r\nBODY", &[400]),
    ("NUL in a field", "X: \0\r\nContent-Length: LENGTH\r\n\r\nBODY", &[400]),
    ("a carriage return alone", "X: y\rZ: z\r\nContent-Length: LENGTH\r\n\r\nBODY", &[400]),
    ("a chunk whose length is none", "Transfer-Encoding: chunked\r\n\r\nxyz\r\nBODY\r\n0\r\n\r\n", &[400]),
    ("a chunk with a length below zero", "Transfer-Encoding: chunked\r\n\r\n-1\r\nBODY\r\n0\r\n\r\n", &[400]),
    (
        "a chunk with a length of 2^64",
        "Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\nBODY\r\n0\r\n\r\n",
        &[400],
    ),
    ("a chunk that is longer than it says", "Transfer-Encoding: chunked\r\n\r\n1\r\nBODY\r\n0\r\n\r\n", &[400]),
    (
        "a chunk of 70,000 octets",
        "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n11170\r\nLONG\r\n0\r\n\r\n",
        &[413],
    ),
    (
        "a trailer that would be a token",
        "Transfer-Encoding: chunked\r\nTrailer: Authorization\r\nConnection: close\r\n\r\nHEXLEN\r\n\
         BODY\r\n0\r\nAuthorization: Bearer x\r\n\r\n",
        &[200],
    ),
    ("two hosts", "Host: evil.example.org\r\nContent-Length: LENGTH\r\nConnection: close\r\n\r\nBODY", &[200]),
    (
        "an upgrade to HTTP/2",
        "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nContent-Length: LENGTH\r\nConnection: close\r\n\r\nBODY",
        &[200],
    ),
    (
        "an expectation that is not known",
        "Expect: 200-maybe\r\nContent-Length: LENGTH\r\nConnection: close\r\n\r\nBODY",
        &[200],
    ),
    ("a header of 40,000 octets", "X: LONG\r\n\r\n", &[431]),
    (
        "another method in a field",
        "X-HTTP-Method-Override: GET\r\nContent-Length: LENGTH\r\nConnection: close\r\n\r\nBODY",
        &[200],
    ),
];

/// Request lines, and the statuses of what answers them.
const LINES: &[(&str, u16)] = &[
    ("POST /seal-km/v1/x/../km-request HTTP/1.1", 404),
    ("POST /seal-km/v1/x/%2e%2e/km-request HTTP/1.1", 404),
    ("POST /seal-km/v1/./km-request HTTP/1.1", 404),
    ("POST //seal-km/v1/km-request HTTP/1.1", 404),
    ("POST /seal-km/v1/km-request%00 HTTP/1.1", 404),
    ("POST /seal-km/v1/km-request%2F HTTP/1.1", 404),
    ("POST /seal-km/v1/km-request;a=b HTTP/1.1", 404),
    ("POST /seal-km%2Fv1%2Fkm-request HTTP/1.1", 404),
    ("POST /seal-km/v1/%6bm-request HTTP/1.1", 404),
    ("POST /%c0%ae%c0%ae/seal-km/v1/km-request HTTP/1.1", 404),
    ("POST /seal-km\\v1\\km-request HTTP/1.1", 404),
    ("POST /seal-km/v1/km-request\u{e9} HTTP/1.1", 404),
    ("POST /seal-km/v1/km-request?x=y HTTP/1.1", 401),
    ("POST https://evil.example.org/seal-km/v1/km-request HTTP/1.1", 401),
    ("POST seal-km/v1/km-request HTTP/1.1", 400),
    ("POST /seal-km/v1/km request HTTP/1.1", 400),
    ("POST /seal-km/v1/km-request\0 HTTP/1.1", 400),
    ("POST /seal-km/v1/km-request HTTP/2.0", 400),
    ("POST /seal-km/v1/km-request HTTP/1.11", 400),
    ("POST /seal-km/v1/km-request", 400),
    ("post /seal-km/v1/km-request HTTP/1.1", 405),
    ("OPTIONS * HTTP/1.1", 404),
    ("CONNECT evil.example.org:443 HTTP/1.1", 404),
    ("P(ST /seal-km/v1/km-request HTTP/1.1", 400),
    ("GET /seal-km/v1/services/urn:example:fleet/key-records/user/%FF HTTP/1.1", 400),
    ("GET /seal-km/v1/services/%00/key-records HTTP/1.1", 401),
    ("GET /seal-km/v1/services/%E2%82/key-records HTTP/1.1", 400),
    ("GET /seal-km/v1/services/%ED%A0%80/key-records HTTP/1.1", 400),
    ("GET /seal-km/v1/services/../../../etc/passwd HTTP/1.1", 404),
    ("GET /healthz HTTP/1.1", 404),
    ("GET /metrics HTTP/1.1", 404),
];

/// Paths of records that a provisioner asks for, and what answers it.
const RECORDS: &[(&str, u16)] = &[
    ("urn:example:fleet/key-records", 200),
    ("urn:example:fleet/key-records/user/sip:alice@example.org", 200),
    ("urn:example:fleet/key-records/user/sip%3Aalice%40example.org", 200),
    ("urn:example:fleet/key-records/user/sip:alice@EXAMPLE.org", 400),
    ("urn:example:fleet/key-records/user/sip:alice@example.org%00", 400),
    ("urn:example:fleet/key-records/user/%73ip:%2561lice@example.org", 400),
    ("urn:example:fleet/key-records/client/client-1%0A", 400),
    ("urn:example:fleet/key-records/client/%2e%2e%2fclient-1", 404),
    ("urn:example:fleet/key-records/client/..", 404),
    ("urn:example:fleet/key-records/client/client-1%", 404),
    ("urn:example:fleet/key-records/client/client-%zz", 404),
    ("urn:example:fleet%00/key-records", 400),
    ("urn:example:fleet%20/key-records", 403),
    ("urn:example:other/key-records", 403),
    ("urn:example:other%2Fkey-records%2F..%2F..%2Furn:example:fleet/key-records", 403),
    ("urn:mikey-sakke:identity-keys/key-records", 403),
    ("%20/key-records", 403),
];

#[tokio::test]
async fn framing() {
    let world = World::new().await;
    let (address, tls) = (world.server.address("km_uu"), world.anonymous());
    for (name, frame, statuses) in FRAMES {
        let (authorization, body) = (world.alice(), km_request().to_string());
        let text = [HEAD, frame].concat();
        let text = text.replace("HEXLEN", &format!("{:x}", body.len())).replace("LENGTH", &body.len().to_string());
        let text = text.replace("BODY", &body).replace("LONG", &" ".repeat(70_000)).replace("SMUGGLED", SMUGGLED);
        let text = text.replace("TOKEN", authorization.strip_prefix("Bearer ").unwrap());
        let mut stream = connect(address, tls.clone(), None).await;
        // The server may have gone by now; what it said is there to be read.
        let _ = stream.write_all(text.as_bytes()).await;
        if name.ends_with("ends in the body") {
            stream.shutdown().await.unwrap();
        }
        let answer = read_to_end(&mut stream).await;
        check(&world, name, &answer, statuses);
    }
    for (line, status) in LINES {
        let text = format!(
            "{line}\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\
             Connection: close\r\n\r\n{{}}"
        );
        let (address, tls) = if line.contains("/services/") {
            (world.server.address("km_s"), world.site.client(VAL.0))
        } else {
            (address, tls.clone())
        };
        let answer = exchange(address, tls, text.as_bytes()).await;
        check(&world, line, &answer, &[*status]);
    }
    for (path, status) in RECORDS {
        let authorization = world.bearer(&server(PROVISIONER.1));
        let text = format!(
            "GET /seal-km/v1/services/{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {authorization}\r\n\
             Connection: close\r\n\r\n"
        );
        let (address, tls) = (world.server.address("km_s"), world.site.client(PROVISIONER.0));
        let answer = exchange(address, tls, text.as_bytes()).await;
        check(&world, path, &answer, &[*status]);
        assert!(!answer.contains(CANARY), "{answer}");
    }
    world.finish(80).await;
}

/// Checks what came back on a connection: answers of these statuses, one after the other.
fn check(world: &World, name: &str, text: &str, statuses: &[u16]) {
    world.case(name, || {
        let answers: Vec<(u16, &str)> =
            text.split("HTTP/1.1 ").skip(1).map(|answer| (answer[..3].parse().unwrap(), answer)).collect();
        assert_eq!(answers.iter().map(|(status, _)| *status).collect::<Vec<_>>(), statuses, "{name}: {text}");
        for (status, answer) in answers {
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            if head.contains("content-type: application/json\r\n") && !head.contains("etag: ") {
                Response::from_json(body.as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}: {body}"));
            }
            // What is no HTTP is refused before there is a request to answer, with nothing but a status.
            assert!(body.is_empty() || head.contains("cache-control: no-store"), "{name}: {answer}");
            assert!(status == 200 || !body.contains(CANARY), "{name}: {answer}");
        }
        assert!(!world.has_token(text), "{name}: {text}");
    });
}
