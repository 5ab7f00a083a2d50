//! What is asked for again, when, and how often.

use std::time::Duration;

use mikey_sakke::km::{ErrorCode, Response, Subject};
use skm::client::{AnswerError, Client, ClientError, NetworkError, Retry};

use crate::support::{
    ALICE, Authority, Host, NOW, Reply, SKMS, Seen, Server, alice, at, granted_at, in_turn, pair, service, settings,
    token, uri,
};

fn failed(code: ErrorCode, status: u16) -> impl Fn(&Seen) -> Reply + Send + Sync + Clone + 'static {
    move |seen: &Seen| {
        let request = seen.request();
        let now = request.date_time();
        let response = Response::failure(uri(SKMS), uri(ALICE), (&request).into(), code, now).unwrap();
        Reply::new(status, response.to_json().as_bytes())
    }
}

/// Granted at the time that the client believes it is.
fn granted(seen: &Seen) -> Reply {
    granted_at(seen, seen.request().date_time().to_unix())
}

fn milliseconds(host: &Host) -> Vec<u128> {
    host.slept().iter().map(Duration::as_millis).collect()
}

#[tokio::test]
async fn attempts_are_bounded_and_ever_further_apart() {
    for (code, status) in [(ErrorCode::Unspecified, 500), (ErrorCode::Rejected, 429), (ErrorCode::Unspecified, 503)] {
        let (server, client, host) = pair(failed(code, status)).await;
        let error = client.record(&service(), &alice()).await.unwrap_err();
        assert!(matches!(error, ClientError::Refused(refused) if (refused.status, refused.code) == (status, code)));
        // The random part is nothing; after half a second, the next whole second is waited for.
        assert_eq!(milliseconds(&host), [500, 500, 1_000, 2_000]);
        assert_eq!(server.times(), [NOW, NOW + 1, NOW + 2, NOW + 4]);
    }
}

#[tokio::test]
async fn attempts_are_spread_at_random() {
    let (server, client, host) = pair(failed(ErrorCode::Unspecified, 500)).await;
    host.random.lock().unwrap().extend([1 << 63, u64::MAX, 0, 0]);
    client.record(&service(), &alice()).await.unwrap_err();
    assert_eq!(milliseconds(&host)[0], 750);
    let second = milliseconds(&host)[2];
    assert!((1_999..2_000).contains(&second), "{second}");
    assert_eq!(server.seen().len(), 4);
}

#[tokio::test]
async fn a_server_that_recovers_is_believed() {
    let (server, client, host) = pair(in_turn(vec![
        Box::new(|_| Reply::new(502, "<html>")),
        Box::new(failed(ErrorCode::Rejected, 429)),
        Box::new(granted),
    ]))
    .await;
    assert_eq!(client.record(&service(), &alice()).await.unwrap().expose(), "canary payload");
    assert_eq!(server.seen().len(), 3);
    assert!(host.slept().iter().sum::<Duration>() >= Duration::from_millis(1_500));
}

/// As that of a server that is killed.
#[tokio::test]
async fn a_connection_that_fails_is_made_again() {
    let authority = Authority::new("authority");
    for alpn in ["h2", "http/1.1"] {
        let cut = |seen: &Seen| Reply { is_cut: true, ..granted(seen) };
        let answers = in_turn(vec![Box::new(cut), Box::new(cut), Box::new(granted)]);
        let server = Server::start(authority.server("127.0.0.1"), &[alpn], answers).await;
        let host = Host::new(NOW);
        let client = Client::with_environment(&settings(&authority, &server), token(), host.clone()).unwrap();
        assert_eq!(client.record(&service(), &alice()).await.unwrap().expose(), "canary payload");
        // The first may have been granted: none is a replay of it.
        assert_eq!(
            (server.times(), milliseconds(&host)),
            (vec![NOW, NOW + 1, NOW + 2], vec![500, 500, 1_000]),
            "{alpn}"
        );
    }
}

#[tokio::test]
async fn a_connection_that_always_fails_is_told() {
    let (server, client, _) = pair(|_| Reply { is_cut: true, ..Reply::default() }).await;
    let error = client.record(&service(), &alice()).await.unwrap_err();
    assert!(matches!(error, ClientError::Network(NetworkError::Interrupted(_))), "{error:?}");
    assert_eq!(server.seen().len(), 4);
}

#[tokio::test]
async fn nothing_else_is_asked_for_again() {
    for (code, status) in [
        (ErrorCode::Rejected, 401),
        (ErrorCode::NotValidated, 400),
        (ErrorCode::NotValidated, 403),
        (ErrorCode::NotAvailable, 404),
        (ErrorCode::NotValidated, 413),
    ] {
        let (server, client, host) = pair(failed(code, status)).await;
        client.record(&service(), &alice()).await.unwrap_err();
        assert_eq!((server.seen().len(), host.slept()), (1, vec![]), "{status}");
    }
}

#[tokio::test]
async fn a_retried_request_is_no_replay() {
    let (server, client, _) = pair(failed(ErrorCode::Unspecified, 500)).await;
    client.record(&service(), &alice()).await.unwrap_err();
    let mut times = server.times();
    times.dedup();
    assert_eq!(times.len(), 4);
}

#[tokio::test]
async fn retry_after_is_honoured_up_to_the_longest_wait() {
    let failing = failed(ErrorCode::Rejected, 429);
    for (value, waited) in
        [("7", Some(7_000)), ("0", Some(500)), ("Fri, 31 Dec 1999 23:59:59 GMT", Some(500)), ("61", None)]
    {
        let failing = failing.clone();
        let refuse = move |seen: &Seen| failing(seen).with("retry-after", value);
        let (server, client, host) = pair(in_turn(vec![Box::new(refuse), Box::new(granted)])).await;
        let result = client.record(&service(), &alice()).await;
        match waited {
            Some(waited) => {
                assert_eq!(result.unwrap().expose(), "canary payload");
                assert_eq!((server.seen().len(), milliseconds(&host)[0]), (2, waited), "{value}");
            }
            None => {
                let Err(ClientError::Refused(refused)) = result else { panic!("{result:?}") };
                assert_eq!(refused.retry_after, Some(Duration::from_secs(61)));
                assert_eq!((server.seen().len(), host.slept()), (1, vec![]));
            }
        }
    }
}

#[tokio::test]
async fn the_policy_can_be_chosen() {
    let authority = Authority::new("authority");
    let server = Server::start(authority.server("127.0.0.1"), &["h2"], failed(ErrorCode::Unspecified, 500)).await;
    let retry = Retry { attempts: 1, ..Retry::default() };
    let settings = skm::client::Settings { retry, ..settings(&authority, &server) };
    let host = Host::new(NOW);
    let client = Client::with_environment(&settings, token(), host.clone()).unwrap();
    client.record(&service(), &alice()).await.unwrap_err();
    assert_eq!((server.seen().len(), host.slept()), (1, vec![]));
}

#[tokio::test]
async fn a_gateway_that_keeps_failing_is_named() {
    let (server, client, _) = pair(|_| Reply::new(503, "try later")).await;
    let error = client.record(&service(), &alice()).await.unwrap_err();
    assert!(matches!(error, ClientError::Answer(AnswerError::Status(503))), "{error:?}");
    assert_eq!(server.seen().len(), 4);
}

#[tokio::test]
async fn a_success_with_the_status_of_a_failure_is_asked_for_again_and_never_believed() {
    let (server, client, _) = pair(|seen| Reply { status: 500, ..granted(seen) }).await;
    let error = client.record(&service(), &alice()).await.unwrap_err();
    assert!(matches!(error, ClientError::Answer(AnswerError::Inconsistent { status: 500, code: None })), "{error:?}");
    assert_eq!(server.seen().len(), 4);
}

#[tokio::test]
async fn the_domain_is_asked_for_again_too() {
    let (server, client, host) = pair(|_| Reply::new(500, "")).await;
    client.domain().await.unwrap_err();
    assert_eq!((server.seen().len(), milliseconds(&host)), (4, vec![500, 1_000, 2_000]));
}

#[tokio::test]
async fn equal_requests_are_a_second_apart_and_others_are_not() {
    let (server, client, host) = pair(granted).await;
    for _ in 0..3 {
        client.record(&service(), &alice()).await.unwrap();
    }
    client.record(&service(), &Subject::Service).await.unwrap();
    assert_eq!(server.times(), [NOW, NOW + 1, NOW + 2, NOW + 2]);
    assert_eq!(milliseconds(&host), [1_000, 1_000]);
    host.set(at(NOW + 9).saturating_add(Duration::from_millis(250)));
    client.record(&service(), &alice()).await.unwrap();
    client.record(&service(), &alice()).await.unwrap();
    assert_eq!(server.times()[4..], [NOW + 9, NOW + 10]);
    assert_eq!(milliseconds(&host)[2], 750);
}

#[tokio::test]
async fn equal_requests_at_once_are_spaced_too() {
    let (server, client, _) = pair(granted).await;
    let (service, alice) = (service(), alice());
    let ask = || client.record(&service, &alice);
    let (one, two, three) = tokio::join!(ask(), ask(), ask());
    assert!(one.is_ok() && two.is_ok() && three.is_ok(), "{one:?} {two:?} {three:?}");
    let mut times = server.times();
    times.sort_unstable();
    assert_eq!(times, [NOW, NOW + 1, NOW + 2]);
}
