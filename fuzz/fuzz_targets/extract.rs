//! A responder takes the message that its KMS's users sent, and refuses all others; nothing panics.
//!
//! After an octet ff, which begins no message, the input says how the message that was sent is damaged.
#![no_main]

mod schemes;

use std::convert::Infallible;
use std::sync::{Arc, LazyLock};

use libfuzzer_sys::arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;
use mikey_sakke::Error;
use mikey_sakke::eccsi::Ksak;
use mikey_sakke::hazmat;
use mikey_sakke::identity::{KeyPeriod, UidFormat, Uri};
use mikey_sakke::imessage::{Initiator, KeyBundle, KeyProperties, Policy, Profile, Purpose, Recipient, Responder};
use mikey_sakke::kms::{KeySet, Kms, UserKeys};
use mikey_sakke::sakke::MasterSecret;
use mikey_sakke::time::Timestamp;
use rand_core::{TryCryptoRng, TryRng};

/// Bob, Alice, and what she sent to him.
struct Parties {
    responder: Responder,
    initiator: Initiator,
    alice: Uri,
    message: Vec<u8>,
}

static PARTIES: LazyLock<Parties> = LazyLock::new(|| parties().expect("fixed inputs"));

/// Well inside key period 1500.
const NOW: u64 = 1_500 * 2_592_000 - 2_208_988_800 + 1_000_000;

fn now() -> Timestamp {
    Timestamp::from_unix(NOW).expect("before 9999")
}

/// A count, the same in every run.
struct Count(u64);

impl TryRng for Count {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|number| number as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 += 1;
        Ok(self.0)
    }

    fn try_fill_bytes(&mut self, octets: &mut [u8]) -> Result<(), Infallible> {
        for chunk in octets.chunks_mut(8) {
            let number = self.try_next_u64()?.to_le_bytes();
            chunk.copy_from_slice(&number[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for Count {}

fn parties() -> Result<Parties, Error> {
    let mut z = [0; 128];
    z[127] = 9;
    let kms = Kms::new(
        Uri::parse("kms.example.org")?,
        UidFormat::hashed(2_592_000, 0)?,
        Ksak::from_octets(&[1; 32])?,
        MasterSecret::from_octets(&z)?,
    )?;
    let keys = |user: &Uri| {
        let period = KeyPeriod::Number(1_500);
        let uid = kms.certificate().uid(user, period)?;
        let (signing, _) = hazmat::eccsi_issue(kms.ksak(), &uid, &[2; 32]).expect("a fixed v that can be used");
        let rsk = kms.master_secret().extract(&uid)?;
        UserKeys::import(kms.certificate(), &KeySet { user: user.clone(), period, rsk, signing }).map(Arc::new)
    };
    let (alice, bob) = (Uri::parse("sip:alice@example.org")?, Uri::parse("sip:bob@example.org")?);
    let mut responder = Responder::new(keys(&bob)?, Policy::default());
    responder.trust(kms.certificate().clone())?;
    let initiator = Initiator::new(keys(&alice)?);
    let mut source = Count(0);
    let bundle = KeyBundle::generate(Profile::ts33180_csk().with_sakke_to_self(), &mut source)?
        .with_properties(KeyProperties::new(Purpose::CSK));
    let recipient = Recipient { user: bob, certificate: kms.certificate().clone() };
    let message = initiator.distribute(&bundle, &recipient, now(), &mut source)?;
    Ok(Parties { responder, initiator, alice, message })
}

fuzz_target!(|octets: &[u8]| {
    let Parties { responder, initiator, alice, message } = &*PARTIES;
    let mut octets = octets.to_vec();
    if let [0xff, damage @ ..] = &octets[..] {
        let mut damaged = message.clone();
        if schemes::damage(&mut damaged, &mut Unstructured::new(damage)).is_err() {
            return;
        }
        octets = damaged;
    }
    let is_sent = octets == *message;
    assert_eq!(responder.clone().extract(&octets, now()).is_ok(), is_sent);
    assert_eq!(responder.clone().extract_signalled(&octets, alice, now()).is_ok(), is_sent);
    assert_eq!(initiator.recover(&octets, now()).is_ok(), is_sent);
    assert!(responder.clone().extract_hidden(&octets, now()).is_err());
});
