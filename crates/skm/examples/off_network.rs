//! Two clients without a network but the one between them (KM-PC5 of 3GPP TS 33.434): they have fetched their keys
//! earlier, the server is gone, and a key goes from one to the other in an I_MESSAGE, over plain UDP on loopback.
//!
//! ```text
//! cargo run -p mikey-sakke-skm --example off_network
//! ```
//!
//! makes a domain for the purpose and drops it once the clients have their keys. With the files that `skmc keys` has
//! saved for two users of a domain, it takes those:
//!
//! ```text
//! cargo run -p mikey-sakke-skm --example off_network -- --certificate kms.json --from alice.json --to bob.json
//! ```

use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Parser;
use getrandom::SysRng;
use mikey_sakke::identity::{UidFormat, Uri};
use mikey_sakke::imessage::{
    DistributedKey, Initiator, Initiators, KeyBundle, Policy, Profile, Purpose, Recipient, Responder,
};
use mikey_sakke::kms::{Kms, UserKeys};
use mikey_sakke::time::Timestamp;
use mikey_sakke_files::{Moment, read_certificate, read_user_keys};

/// The octets that a UDP datagram may carry over IPv4.
const MAX_DATAGRAM: usize = 65_507;

/// How long a client waits for a message.
const PATIENCE: Duration = Duration::from_secs(10);

/// A key from one client to another over UDP, with keys fetched earlier and no server
#[derive(Parser)]
struct Arguments {
    /// File with the certificate of the KMS, as saved by skmc keys; a domain is made if none is given
    #[arg(long, requires = "from", requires = "to")]
    certificate: Option<PathBuf>,
    /// File with the keys of the user who sends
    #[arg(long, requires = "certificate")]
    from: Option<PathBuf>,
    /// File with the keys of the user who receives
    #[arg(long, requires = "certificate")]
    to: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let (from, to) = match (&arguments.certificate, &arguments.from, &arguments.to) {
        (Some(certificate), Some(from), Some(to)) => {
            let certificate = read_certificate(certificate)?;
            (Client::new(read_user_keys(from, &certificate)?), Client::new(read_user_keys(to, &certificate)?))
        }
        _ => fetched_earlier()?,
    };
    for Client { keys } in [&from, &to] {
        let (user, period) = (keys.user(), keys.period());
        let (start, end) = keys.certificate().uid_format().span(period)?;
        println!("{user} has keys for key period {period}, {} to {}", Moment(start), Moment(end));
    }
    println!("No server is asked from here on.");
    exchange(&from, &to)
}

/// What an SKM-C does while there is a network: it fetches the keys of two users. The server is gone once this is done.
pub(crate) fn fetched_earlier() -> anyhow::Result<(Client, Client)> {
    const DAYS_30: u64 = 2_592_000;
    let server = Kms::generate(Uri::parse("kms.example.org")?, UidFormat::hashed(DAYS_30, 0)?, &mut SysRng)?;
    let period = server.certificate().uid_format().period_at(Timestamp::now()?)?;
    let fetch = |user| {
        let key_set = server.issue(&Uri::parse(user)?, period, &mut SysRng)?;
        anyhow::Ok(Client::new(UserKeys::import(server.certificate(), &key_set)?))
    };
    Ok((fetch("sip:alice@example.org")?, fetch("sip:bob@example.org")?))
}

/// A key goes from one client to the other.
pub(crate) fn exchange(from: &Client, to: &Client) -> anyhow::Result<()> {
    let [here, there] = [UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?];
    let address = there.local_addr()?;
    let (sent, received) = std::thread::scope(|scope| {
        let receiving = scope.spawn(|| to.receive(&there));
        let sent = from.send(&here, address, to.keys.user());
        (sent, receiving.join())
    });
    let sent = sent?;
    let Ok(received) = received else { bail!("the client who receives has failed") };
    if received?.key != *sent.key() {
        bail!("the clients have different keys");
    }
    println!("Both have the same key.");
    Ok(())
}

/// A client with the keys that it has fetched, and the certificate of its KMS, which came with them.
pub(crate) struct Client {
    pub(crate) keys: Arc<UserKeys>,
}

impl Client {
    fn new(keys: UserKeys) -> Self {
        Self { keys: Arc::new(keys) }
    }

    /// Makes a key and sends it to a user of the same KMS.
    pub(crate) fn send(&self, socket: &UdpSocket, to: SocketAddr, user: &Uri) -> anyhow::Result<KeyBundle> {
        let bundle = KeyBundle::generate(Profile::seal(Purpose::PCK), &mut SysRng)?;
        let recipient = Recipient { user: user.clone(), certificate: self.keys.certificate().clone() };
        let initiator = Initiator::new(self.keys.clone());
        let message = initiator.distribute(&bundle, &recipient, Timestamp::now()?, &mut SysRng)?;
        socket.send_to(&message, to)?;
        let (id, own, from) = (bundle.id(), self.keys.user(), socket.local_addr()?);
        println!("{own} sends key {id} to {user}: {} octets, from {from} to {to}", message.len());
        Ok(bundle)
    }

    /// Waits for a key. What does not pass the checks is dropped, and who sent it learns nothing.
    pub(crate) fn receive(&self, socket: &UdpSocket) -> anyhow::Result<DistributedKey> {
        let mut responder = Responder::new(self.keys.clone(), Policy::for_purposes([(Purpose::PCK, Initiators::Any)]));
        responder.trust(self.keys.certificate().clone())?;
        let mut datagram = vec![0; MAX_DATAGRAM];
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            socket.set_read_timeout(Some(left))?;
            let (length, from) = socket.recv_from(&mut datagram).context("no key has come")?;
            match responder.extract(&datagram[..length], Timestamp::now()?) {
                Ok(received) => {
                    let (user, id, initiator) = (self.keys.user(), received.id, &received.initiator);
                    println!("{user} has extracted key {id} of {initiator}, from {from}");
                    return Ok(received);
                }
                Err(error) => println!("{} drops a message from {from}: {error}", self.keys.user()),
            }
        }
    }
}
