//! The keys of an issuer: what is read, from where, and how often.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mikey_sakke::time::Timestamp;
use serde_json::{Value, json};
use skm::token::{Cache, KeySet, KeySetError, KeySource, Location, SourceError, TokenError, Verifier};
use support::{Issuer, NOW, claims, header, now, settings, with};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Notify;

fn set_error(jwks: &Value) -> KeySetError {
    KeySet::from_json(jwks.to_string().as_bytes()).unwrap_err()
}

/// The set with one member of the key at an index changed; null removes it.
fn key_error(index: usize, name: &str, value: Value) -> Option<KeySetError> {
    let mut jwks = Issuer::new().jwks();
    let key = jwks["keys"][index].take();
    jwks["keys"] = json!([with(key, name, value)]);
    KeySet::from_json(jwks.to_string().as_bytes()).err()
}

#[test]
fn sets_that_are_none() {
    for text in ["", "[]", "{}", "{\"keys\":{}}", "{\"keys\":[1]}", "{\"keys\":[],\"keys\":[]}", "\u{0}"] {
        assert_eq!(KeySet::from_json(text.as_bytes()).unwrap_err(), KeySetError::Json, "{text}");
    }
    assert_eq!(set_error(&json!({"keys": []})), KeySetError::Empty);
    assert_eq!(set_error(&json!({"keys": [], "x": "x".repeat(65_536)})), KeySetError::Length);
}

#[test]
fn keys_of_no_use_are_left_out() {
    for (name, value) in [
        ("kid", Value::Null),
        ("kty", json!("oct")),
        ("kty", json!("OKP")),
        ("crv", json!("P-521")),
        ("crv", json!("secp256k1")),
        ("use", json!("enc")),
        ("alg", json!("ES384")),
        ("alg", json!("ECDH-ES")),
        ("key_ops", json!(["sign"])),
        ("key_ops", json!("verify")),
    ] {
        assert_eq!(key_error(0, name, value.clone()), Some(KeySetError::Empty), "{name} {value}");
    }
    assert_eq!(key_error(0, "key_ops", json!(["verify"])), None);
}

#[test]
fn keys_that_are_malformed() {
    let zeros = support::base64url([0; 32]);
    for value in [json!(""), json!("AA"), json!("x="), json!(1), json!(zeros), Value::Null] {
        assert_eq!(key_error(0, "x", value.clone()), Some(KeySetError::Key), "{value}");
    }
    let short = support::base64url([0xff; 128]);
    for value in [json!(""), json!(short), json!(support::base64url([0xff; 1025])), json!(support::base64url([0; 256]))]
    {
        assert_eq!(key_error(2, "n", value.clone()), Some(KeySetError::Key), "{value}");
    }
    assert_eq!(key_error(2, "e", json!("")), Some(KeySetError::Key));
    assert_eq!(key_error(0, "alg", json!(1)), Some(KeySetError::Key));
}

#[test]
fn private_keys_and_keys_of_one_name() {
    assert_eq!(key_error(0, "d", json!("AA")), Some(KeySetError::Private));
    assert_eq!(key_error(2, "d", json!("AA")), Some(KeySetError::Private));
    let mut jwks = Issuer::new().jwks();
    jwks["keys"][1]["kid"] = json!("p256");
    assert_eq!(set_error(&jwks), KeySetError::Duplicate);
}

#[test]
fn fetches_keep_their_distance() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut cache = Cache::default();
    assert!(cache.begin(at(0), false), "there are none");
    assert!(!cache.begin(at(29), true));
    assert!(cache.begin(at(30), false), "there are still none");
    cache.complete(Issuer::new().keys(), at(30));
    assert!(!cache.begin(at(100), false), "they are new");
    assert!(cache.begin(at(100), true), "one is asked for");
    for _ in 0..1000 {
        assert!(!cache.begin(at(129), true));
    }
    assert!(cache.begin(at(130), true));
    assert!(!cache.begin(at(329), false));
    assert!(cache.begin(at(330), false), "they are old");
}

#[test]
fn the_last_good_set_is_kept_for_an_hour() {
    let start = Instant::now();
    let mut cache = Cache::default();
    assert!(cache.current(start).is_none());
    cache.complete(Issuer::new().keys(), start);
    assert!(cache.current(start + Duration::from_secs(3600)).is_some());
    assert!(cache.current(start + Duration::from_secs(3601)).is_none());
}

#[test]
fn addresses() {
    let is_taken = |url: &str| KeySource::new(&Location::Url(url.into())).is_ok();
    for url in ["https://idms.example.org/jwks", "http://127.0.0.1:8080/jwks", "http://[::1]/jwks"] {
        assert!(is_taken(url), "{url}");
    }
    for url in [
        "http://idms.example.org/jwks",
        "http://localhost.example.org/jwks",
        "http://127.0.0.1.example.org/jwks",
        "http://192.0.2.1/jwks",
        "https://user@idms.example.org/jwks",
        "https://user:password@idms.example.org/jwks",
        "https://idms.example.org/jwks#x",
        "file:///etc/passwd",
        "ftp://idms.example.org/",
        "jwks",
        "",
    ] {
        assert!(!is_taken(url), "{url}");
    }
}

/// Answers every request with these octets, and counts them.
async fn answer(octets: Vec<u8>) -> (Location, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let _ = tcp.read(&mut [0; 4096]).await;
            let _ = tcp.write_all(&octets).await;
        }
    });
    (Location::Url(url), count)
}

fn http(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

#[tokio::test]
async fn unknown_keys_cause_one_fetch() {
    let issuer = Issuer::new();
    let (location, count) = answer(http("200 OK", &issuer.jwks().to_string())).await;
    let source = KeySource::new(&location).unwrap();
    let (verifier, start) = (Verifier::new(settings()), Instant::now());
    let at = |seconds| (now(), start + Duration::from_secs(seconds));
    let good = issuer.es256(&claims());
    assert!(source.verify(&verifier, &good, None, at(0)).await.is_ok());
    for kid in 0..100 {
        let header = with(header(), "kid", json!(kid.to_string())).to_string();
        let unknown = issuer.token("ES256", &header, &claims().to_string());
        assert_eq!(source.verify(&verifier, &unknown, None, at(29)).await, Err(TokenError::UnknownKey));
    }
    assert_eq!(count.load(Ordering::SeqCst), 1);
    let header = with(header(), "kid", json!("new")).to_string();
    let unknown = issuer.token("ES256", &header, &claims().to_string());
    for _ in 0..10 {
        assert_eq!(source.verify(&verifier, &unknown, None, at(30)).await, Err(TokenError::UnknownKey));
    }
    assert_eq!(count.load(Ordering::SeqCst), 2);
    assert!(source.verify(&verifier, &good, None, at(31)).await.is_ok());
}

/// Answers requests with these octets once it is released, and tells when there is one.
async fn answer_later(octets: Vec<u8>) -> (Location, Arc<Notify>, Arc<Notify>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks", listener.local_addr().unwrap());
    let [asked, release] = [Arc::new(Notify::new()), Arc::new(Notify::new())];
    let (told, released) = (Arc::clone(&asked), Arc::clone(&release));
    tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let _ = tcp.read(&mut [0; 4096]).await;
        told.notify_one();
        released.notified().await;
        let _ = tcp.write_all(&octets).await;
    });
    (Location::Url(url), asked, release)
}

#[tokio::test]
async fn who_comes_during_a_fetch_waits_for_it() {
    let issuer = Issuer::new();
    let (location, asked, release) = answer_later(http("200 OK", &issuer.jwks().to_string())).await;
    let source = Arc::new(KeySource::new(&location).unwrap());
    let (good, start) = (issuer.es256(&claims()), Instant::now());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let (source, good) = (Arc::clone(&source), good.clone());
        tasks
            .spawn(async move { source.verify(&Verifier::new(settings()), &good, None, (now(), start)).await.is_ok() });
    }
    asked.notified().await;
    assert!(tasks.try_join_next().is_none(), "there are no keys yet");
    release.notify_one();
    assert_eq!(tasks.join_all().await, [true; 10]);
}

#[tokio::test]
async fn a_fetch_goes_on_without_the_one_who_began_it() {
    let issuer = Issuer::new();
    let (location, asked, release) = answer_later(http("200 OK", &issuer.jwks().to_string())).await;
    let source = KeySource::new(&location).unwrap();
    let (verifier, good, at) = (Verifier::new(settings()), issuer.es256(&claims()), (now(), Instant::now()));
    tokio::select! {
        _ = source.verify(&verifier, &good, None, at) => panic!("there are no keys yet"),
        () = asked.notified() => {}
    }
    release.notify_one();
    assert!(source.verify(&verifier, &good, None, at).await.is_ok());
}

#[tokio::test]
async fn answers_that_are_no_sets() {
    let issuer = Issuer::new();
    let (elsewhere, followed) = answer(http("200 OK", &issuer.jwks().to_string())).await;
    let Location::Url(elsewhere) = elsewhere else { unreachable!() };
    let redirect = format!("HTTP/1.1 302 Found\r\nLocation: {elsewhere}\r\nContent-Length: 0\r\n\r\n");
    let endless = format!("HTTP/1.1 200 OK\r\n\r\n{}", " ".repeat(70_000));
    let refresh = async |octets: Vec<u8>| {
        let (location, _) = answer(octets).await;
        KeySource::new(&location).unwrap().refresh(Instant::now()).await.unwrap_err()
    };
    assert!(matches!(refresh(redirect.into_bytes()).await, SourceError::Status(302)));
    assert_eq!(followed.load(Ordering::SeqCst), 0);
    assert!(matches!(refresh(http("503 Service Unavailable", "")).await, SourceError::Status(503)));
    assert!(matches!(refresh(http("200 OK", "{}")).await, SourceError::Set(KeySetError::Json)));
    assert!(matches!(refresh(endless.into_bytes()).await, SourceError::Set(KeySetError::Length)));
    assert!(matches!(refresh(Vec::new()).await, SourceError::Fetch(_)));
}

#[tokio::test]
async fn a_file_is_read_again() {
    let (old, new) = (Issuer::new(), Issuer::new());
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().join("jwks.json");
    let source = KeySource::new(&Location::File(path.clone())).unwrap();
    let (verifier, start) = (Verifier::new(settings()), Instant::now());
    let check = async |token: &str, seconds| {
        source.verify(&verifier, token, None, (now(), start + Duration::from_secs(seconds))).await.map(drop)
    };
    let (of_old, of_new) = (old.es256(&claims()), new.es256(&claims()));
    assert_eq!(check(&of_old, 0).await, Err(TokenError::UnknownKey), "there is no file");
    std::fs::write(&path, old.jwks().to_string()).unwrap();
    assert_eq!(check(&of_old, 30).await, Ok(()));
    std::fs::write(&path, "{").unwrap();
    assert_eq!(check(&of_old, 330).await, Ok(()), "the last good set");
    std::fs::write(&path, new.jwks().to_string()).unwrap();
    assert_eq!(check(&of_new, 360).await, Ok(()));
    assert_eq!(check(&of_old, 360).await, Err(TokenError::Signature));
}

/// Whether a token is looked at again shows in a time at which it would be refused: before it was issued, or after its
/// end.
#[tokio::test]
async fn a_token_is_looked_at_once_a_minute_and_never_taken_after_its_end() {
    let issuer = Issuer::new();
    let (location, _) = answer(http("200 OK", &issuer.jwks().to_string())).await;
    let source = KeySource::new(&location).unwrap();
    let (verifier, start) = (Verifier::new(settings()), Instant::now());
    let token = issuer.es256(&claims());
    let check = async |certificate: Option<&[u8; 32]>, time: u64, seconds| {
        let now = (Timestamp::from_unix(time).unwrap(), start + Duration::from_secs(seconds));
        source.verify(&verifier, &token, certificate, now).await.map(drop)
    };
    let before = NOW - 100;
    assert_eq!(check(None, before, 0).await, Err(TokenError::IssuedInFuture));
    assert_eq!(check(None, NOW, 0).await, Ok(()));
    assert_eq!(check(None, before, 59).await, Ok(()));
    assert_eq!(check(Some(&[7; 32]), before, 59).await, Err(TokenError::IssuedInFuture), "another certificate");
    assert_eq!(check(None, before, 60).await, Err(TokenError::IssuedInFuture));
    assert_eq!(check(None, NOW + 599, 60).await, Ok(()));
    assert_eq!(check(None, NOW + 629, 61).await, Ok(()), "within the leeway it is looked at");
    assert_eq!(check(None, NOW + 630, 61).await, Err(TokenError::Expired));
}

#[tokio::test]
async fn new_keys_forget_the_tokens_of_the_old() {
    let (old, new) = (Issuer::new(), Issuer::new());
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().join("jwks.json");
    let source = KeySource::new(&Location::File(path.clone())).unwrap();
    let (verifier, start) = (Verifier::new(settings()), Instant::now());
    let token = old.es256(&claims());
    let check = async |seconds| {
        let now = (now(), start + Duration::from_secs(seconds));
        source.verify(&verifier, &token, None, now).await.map(drop)
    };
    std::fs::write(&path, old.jwks().to_string()).unwrap();
    assert_eq!((check(0).await, check(299).await), (Ok(()), Ok(())));
    std::fs::write(&path, new.jwks().to_string()).unwrap();
    assert_eq!(check(300).await, Err(TokenError::Signature), "a second after it was looked at");
}
