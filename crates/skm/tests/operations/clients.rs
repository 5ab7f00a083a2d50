//! What becomes of the clients of a server that dies.

use std::net::SocketAddr;
use std::sync::Arc;

use mikey_sakke::km::{Identifier, Subject};
use mikey_sakke::secret::Secret;
use rustix::process::Signal;
use skm::client::{Client, ClientError, FixedToken, NetworkError, Retry, Settings};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use crate::fleet::Fleet;
use crate::site::{SERVICE, Site};

const NAMES: [&str; 2] = ["skms-1", "skms-2"];

fn skm_c(fleet: &Fleet, address: SocketAddr, retry: Retry) -> Client {
    let roots = std::fs::read(fleet.site.path("ca.pem")).unwrap();
    let server = format!("https://localhost:{}", address.port());
    let token = FixedToken::new(Secret::new(fleet.site.ue_token()));
    Client::new(&Settings { retry, ..Settings::new(server, roots) }, token).unwrap()
}

async fn ask(client: &Client) -> Result<String, ClientError> {
    let subject = Subject::Client(Identifier::new("client-1").unwrap());
    let payload = client.record(&Identifier::new(SERVICE).unwrap(), &subject).await?;
    Ok(payload.expose().to_owned())
}

/// A load balancer that knows nothing of TLS: a connection goes to the first server that takes it.
async fn balancer(servers: [SocketAddr; 2]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                for server in servers {
                    if let Ok(mut server) = TcpStream::connect(server).await {
                        // It ends with either end.
                        let _ = copy_bidirectional(&mut client, &mut server).await;
                        return;
                    }
                }
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_a_server_that_dies_go_on_with_the_other() {
    let Some(fleet) = Fleet::of(Site::new()).await.map(Arc::new) else { return };
    fleet.found_domain();
    let [one, two] = NAMES.map(|name| fleet.serve(name));
    assert_eq!(fleet.link(&one).put("client-1", "keys of the fleet").await.unwrap().status, 201);
    let [of_one, of_two] = [&one, &two].map(|server| server.address("km_uu"));
    let once = Retry { attempts: 1, ..Retry::default() };
    let direct = [of_one, of_two].map(|address| skm_c(&fleet, address, once));
    let balanced = skm_c(&fleet, balancer([of_one, of_two]).await, Retry::default());
    for client in direct.iter().chain([&balanced]) {
        assert_eq!(ask(client).await.unwrap(), "keys of the fleet");
    }
    one.signal(Signal::KILL);
    one.wait();
    let error = ask(&direct[0]).await.unwrap_err();
    let is_network = matches!(error, ClientError::Network(NetworkError::Connect(_) | NetworkError::Interrupted(_)));
    assert!(is_network, "{error:?}");
    for client in [&direct[1], &balanced] {
        assert_eq!(ask(client).await.unwrap(), "keys of the fleet");
    }
}
