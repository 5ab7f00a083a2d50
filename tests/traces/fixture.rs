//! A security domain with its users and messages, and every secret of it.

use std::convert::Infallible;
use std::sync::Arc;

use mikey_sakke::documents::{KmsKeySet, TransportKey};
use mikey_sakke::eccsi::Ksak;
use mikey_sakke::identity::{KeyPeriod, Uid, UidFormat, Uri};
use mikey_sakke::imessage::{Initiator, KeyBundle, KeyProperties, Profile, Purpose, Recipient, SkId};
use mikey_sakke::km::record::Record;
use mikey_sakke::km::{Identifier, Payload, Request, Response, Subject};
use mikey_sakke::kms::{KeySet, Kms, UserKeys, Validity};
use mikey_sakke::mikey::envelope::EnvelopeKeys;
use mikey_sakke::mikey::payload::{KeyData, KeyValidity};
use mikey_sakke::mikey::prf::Prf;
use mikey_sakke::mikey::registry::{KeyDataType, MacAlg};
use mikey_sakke::sakke::{Encapsulated, EncapsulationKey, MasterSecret, Ssv};
use mikey_sakke::secret::Secret;
use mikey_sakke::time::Timestamp;
use rand_core::{TryCryptoRng, TryRng};
use sha2::{Digest, Sha256};

pub(crate) const FORMAT: UidFormat = UidFormat::Hashed { period: 2_592_000, offset: 0 };
pub(crate) const PERIOD: KeyPeriod = KeyPeriod::Number(1_545);
pub(crate) const RAND: [u8; 16] = [5; 16];
pub(crate) const CSB_ID: [u8; 4] = [0x50, 1, 2, 3];
pub(crate) const MESSAGE: &[u8] = b"message";

/// A random source that gives the same octets in every run: SHA-256 in counter mode, from a seed.
pub(crate) struct Seeded(pub(crate) u64);

impl Seeded {
    pub(crate) fn octets<const N: usize>(&mut self) -> [u8; N] {
        let mut octets = [0; N];
        for block in octets.chunks_mut(32) {
            self.0 += 1;
            block.copy_from_slice(&Sha256::digest(self.0.to_be_bytes())[..block.len()]);
        }
        octets
    }
}

impl TryRng for Seeded {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_be_bytes(self.octets()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_be_bytes(self.octets()))
    }

    fn try_fill_bytes(&mut self, octets: &mut [u8]) -> Result<(), Infallible> {
        for block in octets.chunks_mut(32) {
            block.copy_from_slice(&self.octets::<32>()[..block.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for Seeded {}

/// The random source of an operation, which so makes the same of the same.
pub(crate) fn rng() -> Seeded {
    Seeded(1 << 32)
}

/// The one of an operation that draws a secret.
pub(crate) fn source(secret: u64) -> Seeded {
    Seeded((2 + secret) << 32)
}

pub(crate) fn uri(text: &str) -> Uri {
    Uri::parse(text).unwrap()
}

/// The secrets as they are given to the engine.
pub(crate) struct Given {
    pub(crate) z: [u8; 128],
    pub(crate) ksak: [u8; 32],
    pub(crate) ssv: [u8; 16],
    pub(crate) transport_key: [u8; 32],
    pub(crate) envelope_key: [u8; 16],
    pub(crate) key_data: [u8; 16],
    pub(crate) payload: String,
}

impl Given {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Seeded(seed << 16);
        let (mut z, mut ksak) = (random.octets::<128>(), random.octets::<32>());
        (z[0], ksak[0]) = (z[0] & 0x1f, ksak[0] & 0x7f);
        Self {
            z,
            ksak,
            ssv: random.octets(),
            transport_key: random.octets(),
            envelope_key: random.octets(),
            key_data: random.octets(),
            payload: random
                .octets::<48>()
                .iter()
                .map(|octet| char::from(b'!' + octet % 90))
                .collect::<String>()
                .replace(['"', '\\', '&', '<', '>', '\''], "x"),
        }
    }
}

/// The secrets as they are given, and what the engine has made of them.
pub(crate) struct Context {
    pub(crate) given: Given,
    pub(crate) fixture: Fixture,
}

/// A context whose secrets follow from the seed.
pub(crate) fn context(seed: u64) -> Context {
    let given = Given::new(seed);
    Context { fixture: Fixture::new(&given), given }
}

/// What the engine has made of them.
pub(crate) struct Fixture {
    pub(crate) kms: Kms,
    pub(crate) alice_uid: Uid,
    pub(crate) alice_keys: KeySet,
    pub(crate) alice: Arc<UserKeys>,
    pub(crate) bob: Arc<UserKeys>,
    pub(crate) bob_uid: Uid,
    pub(crate) encapsulation_key: EncapsulationKey,
    pub(crate) ssv: Ssv,
    pub(crate) encapsulated: Encapsulated,
    pub(crate) bundle: KeyBundle,
    pub(crate) recipient: Recipient,
    pub(crate) now: Timestamp,
    pub(crate) i_message: Vec<u8>,
    pub(crate) transport_key: TransportKey,
    pub(crate) key_set: KmsKeySet,
    pub(crate) envelope: EnvelopeKeys,
    pub(crate) key_data: KeyData,
    pub(crate) response: Response,
    pub(crate) record: Record,
}

impl Fixture {
    pub(crate) fn new(given: &Given) -> Self {
        let ksak = Ksak::from_octets(&given.ksak).unwrap();
        let kms = Kms::new(uri("kms.example.org"), FORMAT, ksak, MasterSecret::from_octets(&given.z).unwrap()).unwrap();
        let certificate = kms.certificate().clone();
        let issue = |user: &str| kms.issue(&uri(user), PERIOD, &mut rng()).unwrap();
        let (alice_keys, bob_keys) = (issue("sip:alice@example.org"), issue("sip:bob@example.org"));
        let import = |keys| Arc::new(UserKeys::import(&certificate, keys).unwrap());
        let (alice, bob) = (import(&alice_keys), import(&bob_keys));
        bob.receiver().prepare();
        let alice_uid = certificate.uid(alice.user(), PERIOD).unwrap();
        let bob_uid = certificate.uid(bob.user(), PERIOD).unwrap();
        let ssv = Ssv::new(given.ssv);
        let properties = KeyProperties::new(Purpose::MSCCK);
        let bundle = KeyBundle::new(Profile::seal(Purpose::MSCCK), ssv.clone(), id(), RAND).unwrap();
        let bundle = bundle.with_properties(properties);
        let (now, _) = FORMAT.span(PERIOD).unwrap();
        let recipient = Recipient { user: bob.user().clone(), certificate: certificate.clone() };
        let initiator = Initiator::new(alice.clone());
        let i_message = initiator.distribute(&bundle, &recipient, now, &mut rng()).unwrap();
        let service = Identifier::new("urn:example:fleet").unwrap();
        let subject = Subject::User(alice.user().clone());
        let request = Request::new(uri("sip:skms.example.org"), service, subject, now).unwrap();
        let payload = || Payload::new(&given.payload).unwrap();
        let encapsulation_key = EncapsulationKey::new(certificate.public_key(), &bob_uid).unwrap();
        Self {
            encapsulated: encapsulation_key.encapsulate(&ssv).unwrap(),
            encapsulation_key,
            alice_uid,
            key_set: KmsKeySet::new(&certificate, &alice_keys).unwrap(),
            alice_keys,
            bob_uid,
            alice,
            bob,
            ssv,
            bundle,
            recipient,
            now,
            i_message,
            transport_key: TransportKey::new(Secret::new(given.transport_key), None),
            envelope: envelope(given),
            key_data: KeyData {
                key_type: KeyDataType::TGK,
                key: Secret::new(given.key_data.to_vec()),
                salt: None,
                validity: KeyValidity::Null,
            },
            response: Response::success(&request, uri("sip:alice@example.org"), Some(payload()), now).unwrap(),
            record: Record::new(uri("sip:alice@example.org"), payload(), Validity::ALWAYS).unwrap(),
            kms,
        }
    }
}

pub(crate) fn id() -> SkId {
    SkId::from_octets(CSB_ID)
}

pub(crate) fn envelope(given: &Given) -> EnvelopeKeys {
    EnvelopeKeys::derive(Prf::HmacSha256, &given.envelope_key, CSB_ID, &RAND, MacAlg::HMAC_SHA_256_256).unwrap()
}
