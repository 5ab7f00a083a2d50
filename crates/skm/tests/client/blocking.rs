//! The client that blocks, inside and outside a runtime.

use std::sync::Arc;
use std::time::Duration;

use mikey_sakke::km::Subject;
use skm::client::blocking::Client;
use skm::client::{ClientError, NetworkError, Settings};
use tokio::runtime::Runtime;

use crate::support::{Authority, Host, NOW, Reply, Server, alice, at, granted, service, settings, token};

fn started() -> (Runtime, Authority, Server) {
    let runtime = Runtime::new().unwrap();
    let authority = Authority::new("authority");
    let server = runtime.block_on(Server::start(authority.server("127.0.0.1"), &["h2"], granted));
    (runtime, authority, server)
}

fn client(authority: &Authority, server: &Server) -> Client {
    Client::with_environment(&settings(authority, server), token(), Host::new(NOW)).unwrap()
}

#[test]
fn it_works_without_a_runtime() {
    let (_runtime, authority, server) = started();
    let client = client(&authority, &server);
    assert_eq!(client.now().unwrap(), at(NOW));
    assert_eq!(client.record(&service(), &alice()).unwrap().expose(), "canary payload");
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn it_works_inside_runtimes_of_either_kind() {
    let (_runtime, authority, server) = started();
    let current = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let several = Runtime::new().unwrap();
    for runtime in [current, several] {
        runtime.block_on(async {
            // Made, used and dropped inside.
            let client = client(&authority, &server);
            assert_eq!(client.record(&service(), &alice()).unwrap().expose(), "canary payload");
        });
    }
}

#[test]
fn threads_share_it() {
    let (_runtime, authority, server) = started();
    let client = Arc::new(client(&authority, &server));
    let ask = |_| {
        let client = client.clone();
        std::thread::spawn(move || client.record(&service(), &Subject::Service).map(|payload| payload.expose().len()))
    };
    let threads: Vec<_> = (0..4).map(ask).collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap().unwrap(), "canary payload".len());
    }
    let mut times = server.times();
    times.sort_unstable();
    assert_eq!(times, [NOW, NOW + 1, NOW + 2, NOW + 3]);
}

#[test]
fn errors_are_the_same() {
    let runtime = Runtime::new().unwrap();
    let authority = Authority::new("authority");
    let slow = |seen: &crate::support::Seen| Reply { delay: Duration::from_secs(60), ..granted(seen) };
    let server = runtime.block_on(Server::start(authority.server("127.0.0.1"), &["h2"], slow));
    let settings = Settings { timeout: Duration::from_secs(2), ..settings(&authority, &server) };
    let client = Client::with_environment(&settings, token(), Host::new(NOW)).unwrap();
    let error = client.record(&service(), &alice()).unwrap_err();
    assert!(matches!(error, ClientError::Network(NetworkError::Timeout)), "{error:?}");
}

#[test]
fn a_server_that_goes_away_is_told() {
    let runtime = Runtime::new().unwrap();
    let authority = Authority::new("authority");
    let slow = |seen: &crate::support::Seen| Reply { delay: Duration::from_secs(600), ..granted(seen) };
    let server = runtime.block_on(Server::start(authority.server("127.0.0.1"), &["h2"], slow));
    let client = client(&authority, &server);
    let asking = std::thread::spawn(move || client.domain().unwrap_err());
    while server.seen().is_empty() {
        assert!(!asking.is_finished(), "it has not asked");
        std::thread::yield_now();
    }
    drop((server, runtime));
    let error = asking.join().unwrap();
    // The request is made again, and there is nobody any more.
    assert!(matches!(error, ClientError::Network(NetworkError::Connect(_))), "{error:?}");
}
