//! R50: clients of two UEs interact off-network (KM-PC5), with keys that they fetched while there was a network, as the
//! example shows it.

use std::net::{TcpStream, UdpSocket};

use mikey_sakke::error::{Error, Refusal};
use mikey_sakke::imessage::Policy;
use mikey_sakke::time::Timestamp;

use crate::ends::{EXCHANGE, Skms, responder};
use crate::example::{Client, exchange};
use crate::site::{ALICE, PATIENCE};
use crate::world::BOB;

#[test]
fn r50_clients_exchange_a_key_off_network() {
    let skms = Skms::new();
    let [alice, bob] = [ALICE, BOB].map(|user| Client { keys: skms.ue(user).keys() });
    let url = skms.url("km_uu");
    drop(skms);
    assert!(TcpStream::connect(url.strip_prefix("https://").unwrap()).is_err(), "the server is still there");
    exchange(&alice, &bob).unwrap();
    exchange(&bob, &alice).unwrap();
}

#[test]
fn r50_what_comes_off_network_is_checked_all_the_same() {
    let keys = &*EXCHANGE;
    let alice = Client { keys: keys.alice.clone() };
    let [here, there] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    there.set_read_timeout(Some(PATIENCE)).unwrap();
    let address = there.local_addr().unwrap();
    let datagram = || {
        let mut octets = vec![0; 65_507];
        let length = there.recv(&mut octets).unwrap();
        octets[..length].to_vec()
    };
    let mut bob = responder(&keys.bob, Policy::default());
    let mut receive = || bob.extract(&datagram(), Timestamp::now().unwrap());

    let sent = alice.send(&here, address, keys.bob.user()).unwrap();
    let message = datagram();
    let mut changed = message.clone();
    *changed.last_mut().unwrap() ^= 1;
    for octets in [&changed, &message, &message] {
        here.send_to(octets, address).unwrap();
    }
    assert!(matches!(receive(), Err(Error::Rejected)));
    assert_eq!(receive().unwrap().key, *sent.key());
    assert!(matches!(receive(), Err(Error::Refused(Refusal::Replay))));

    alice.send(&here, address, keys.carol.user()).unwrap();
    assert!(matches!(receive(), Err(Error::Refused(Refusal::NotForUs))));
    here.send_to(b"", address).unwrap();
    assert!(matches!(receive(), Err(Error::Decode(_))));
}
