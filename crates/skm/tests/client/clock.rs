//! A client whose clock is wrong.

use std::sync::Arc;
use std::time::Duration;

use mikey_sakke::km::{ErrorCode, Response, ResponseError};
use skm::client::{AnswerError, Client, ClientError};

use crate::support::{ALICE, Host, NOW, Reply, SKMS, Seen, Server, alice, at, granted_at, pair, service, uri};

/// What a server says whose clock stands at a time and whose window is 5 seconds.
fn server_at(now: u64) -> impl Fn(&Seen) -> Reply + Send + Sync + 'static {
    move |seen| {
        if seen.request().date_time().to_unix().abs_diff(now) <= 5 {
            return granted_at(seen, now);
        }
        refused(seen, 400, ErrorCode::NotValidated, now)
    }
}

fn refused(seen: &Seen, status: u16, code: ErrorCode, now: u64) -> Reply {
    let response = Response::failure(uri(SKMS), uri(ALICE), (&seen.request()).into(), code, at(now)).unwrap();
    Reply::new(status, response.to_json().as_bytes())
}

async fn pair_with_server_at(now: u64) -> (Server, Client, Arc<Host>) {
    pair(server_at(now)).await
}

#[tokio::test]
async fn a_wrong_clock_is_corrected_once_and_stays_so() {
    for server_time in [NOW + 3_600, NOW - 3_600, NOW + 6, NOW - 6, 1, 4_000_000_000] {
        let (server, client, _) = pair_with_server_at(server_time).await;
        assert_eq!(client.now().unwrap(), at(NOW));
        assert_eq!(client.record(&service(), &alice()).await.unwrap().expose(), "canary payload");
        assert_eq!(server.times(), [NOW, server_time]);
        assert_eq!(client.now().unwrap(), at(server_time));
        // It is known from now on.
        client.record(&service(), &alice()).await.unwrap();
        assert_eq!(server.times()[2..], [server_time + 1]);
    }
}

#[tokio::test]
async fn a_clock_within_the_window_is_not_corrected() {
    let (server, client, _) = pair(|seen| refused(seen, 400, ErrorCode::NotValidated, NOW + 5)).await;
    let error = client.record(&service(), &alice()).await.unwrap_err();
    assert!(matches!(error, ClientError::Refused(refused) if refused.status == 400), "{error:?}");
    assert_eq!((server.seen().len(), client.now().unwrap()), (1, at(NOW)));
}

#[tokio::test]
async fn there_is_one_correction_in_a_request() {
    // A server whose clock is never that of the request.
    let (server, client, host) = pair(|seen| {
        let now = seen.request().date_time().to_unix() + 1_000;
        refused(seen, 400, ErrorCode::NotValidated, now)
    })
    .await;
    let error = client.record(&service(), &alice()).await.unwrap_err();
    assert!(matches!(error, ClientError::Refused(refused) if refused.status == 400), "{error:?}");
    assert_eq!(server.times(), [NOW, NOW + 1_000]);
    assert_eq!(host.slept(), Vec::<Duration>::new());
}

#[tokio::test]
async fn other_refusals_correct_nothing() {
    let cases = [
        (401, ErrorCode::Rejected),
        (403, ErrorCode::NotValidated),
        (404, ErrorCode::NotAvailable),
        (413, ErrorCode::NotValidated),
    ];
    for (status, code) in cases {
        let (server, client, _) = pair(move |seen| refused(seen, status, code, NOW + 3_600)).await;
        let error = client.record(&service(), &alice()).await.unwrap_err();
        assert!(matches!(error, ClientError::Refused(refused) if refused.status == status), "{error:?}");
        assert_eq!((server.seen().len(), client.now().unwrap()), (1, at(NOW)), "{status}");
    }
}

#[tokio::test]
async fn an_answer_that_is_granted_corrects_nothing() {
    let (server, client, _) = pair(|seen| granted_at(seen, NOW + 3_600)).await;
    let error = client.record(&service(), &alice()).await.unwrap_err();
    let ClientError::Answer(AnswerError::Response(ResponseError::Stale { server_time, error_code: None })) = error
    else {
        panic!("{error:?}")
    };
    assert_eq!((server_time, server.seen().len(), client.now().unwrap()), (at(NOW + 3_600), 1, at(NOW)));
}

#[tokio::test]
async fn the_refusal_of_another_server_corrects_nothing() {
    let (server, client, _) = pair(|seen| {
        let other = uri("sip:other.example.org");
        let code = ErrorCode::NotValidated;
        let response = Response::failure(other, uri(ALICE), (&seen.request()).into(), code, at(NOW + 3_600)).unwrap();
        Reply::new(400, response.to_json().as_bytes())
    })
    .await;
    let error = client.record(&service(), &alice()).await.unwrap_err();
    assert!(matches!(error, ClientError::Answer(AnswerError::Response(ResponseError::OtherServer))), "{error:?}");
    assert_eq!((server.seen().len(), client.now().unwrap()), (1, at(NOW)));
}

#[tokio::test]
async fn a_clock_that_is_set_right_later_is_corrected_again() {
    let (server, client, host) = pair_with_server_at(NOW + 3_600).await;
    client.record(&service(), &alice()).await.unwrap();
    host.pass(Duration::from_secs(3_600));
    client.record(&service(), &alice()).await.unwrap();
    assert_eq!(server.times()[2..], [NOW + 7_200, NOW + 3_600]);
    assert_eq!(client.now().unwrap(), at(NOW + 3_600));
}

#[tokio::test]
async fn a_clock_that_says_nothing_is_told() {
    let (server, client, host) = pair_with_server_at(NOW).await;
    *host.time.lock().unwrap() = None;
    assert!(matches!(client.record(&service(), &alice()).await, Err(ClientError::Clock(_))));
    assert_eq!(server.seen().len(), 0);
}
