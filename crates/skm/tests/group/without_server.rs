//! R50: clients of two UEs interact off-network, with the program that shows it.

use std::net::UdpSocket;

use crate::off_network::{Client, exchange, fetched_earlier};

#[test]
fn r50_clients_exchange_a_key_without_a_server() {
    let (alice, bob) = fetched_earlier().unwrap();
    exchange(&alice, &bob).unwrap();
    exchange(&bob, &alice).unwrap();
}

#[test]
fn r50_what_is_no_key_for_a_client_is_dropped() {
    let (alice, bob) = fetched_earlier().unwrap();
    // Of the same name, in another domain.
    let (stranger, _): (Client, Client) = fetched_earlier().unwrap();
    let [here, there] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    let address = there.local_addr().unwrap();
    here.send_to(b"", address).unwrap();
    here.send_to(&[0x1a; 700], address).unwrap();
    stranger.send(&here, address, bob.keys.user()).unwrap();
    alice.send(&here, address, alice.keys.user()).unwrap();
    let sent = alice.send(&here, address, bob.keys.user()).unwrap();
    let received = bob.receive(&there).unwrap();
    assert_eq!((&received.key, received.id), (sent.key(), sent.id()));
}
