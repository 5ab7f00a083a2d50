//! The operations on secrets.

use std::any::Any;

use mikey_sakke::documents::KmsKeySet;
use mikey_sakke::eccsi::{Ksak, SigningKey};
use mikey_sakke::imessage::{Initiator, KeyBundle, Policy, Profile, Purpose, Responder, SrtpKeys, diversify};
use mikey_sakke::km::record::Record;
use mikey_sakke::km::{Payload, Response};
use mikey_sakke::kms::UserKeys;
use mikey_sakke::mikey::prf::{self, EnvelopeUse, KeyUse, Prf};
use mikey_sakke::mikey::registry::EncrAlg;
use mikey_sakke::sakke::{EncapsulationKey, MasterSecret, ReceiverKey, encapsulate_batch};
use zeroize::Zeroizing;

use crate::fixture::{CSB_ID, Context, MESSAGE, PERIOD, RAND, envelope, id, rng, source};

/// How much of its stack an operation overwrites.
#[derive(Clone, Copy)]
pub(crate) enum Extent {
    /// All of it.
    Whole,
    /// What held secrets: it does more, with what is public.
    Parts,
}

use Extent::{Parts, Whole};

impl Extent {
    pub(crate) fn is_whole(self) -> bool {
        matches!(self, Whole)
    }
}

/// An operation, which gives what it made.
pub(crate) type Run = fn(&Context) -> Box<dyn Any + Send>;

/// What was made, and nothing else on the stack.
fn made<T: Send + 'static>(value: T) -> Box<dyn Any + Send> {
    Box::new(value)
}

/// All operations: what they do, how much they overwrite, and how they are run.
pub(crate) const ALL: &[(&str, Extent, Run)] = &[
    ("SAKKE: z is drawn", Whole, |_| made(MasterSecret::generate(&mut source(1)))),
    ("SAKKE: z is read", Whole, |context| made(MasterSecret::from_octets(&context.given.z))),
    ("SAKKE: z is written", Whole, |context| made(context.fixture.kms.master_secret().to_octets())),
    ("SAKKE: Z is computed", Whole, |context| made(context.fixture.kms.master_secret().public_key())),
    ("SAKKE: an RSK is extracted", Whole, |Context { fixture, .. }| {
        made(fixture.kms.master_secret().extract(&fixture.alice_uid))
    }),
    ("SAKKE: RSKs are extracted in a batch", Whole, |Context { fixture, .. }| {
        made(fixture.kms.master_secret().extract_batch(&vec![fixture.alice_uid.clone(); 9]))
    }),
    ("SAKKE: an SSV is encapsulated", Whole, |Context { fixture, .. }| {
        made(fixture.kms.certificate().public_key().encapsulate(&fixture.bob_uid, &fixture.ssv))
    }),
    ("SAKKE: an SSV is encapsulated to a prepared recipient", Whole, |Context { fixture, .. }| {
        made(fixture.encapsulation_key.encapsulate(&fixture.ssv))
    }),
    ("SAKKE: an SSV is encapsulated in a batch", Whole, |Context { fixture, .. }| {
        let recipient = (fixture.kms.certificate().public_key(), &fixture.bob_uid);
        made(encapsulate_batch(&[recipient; 9], &fixture.ssv))
    }),
    ("SAKKE: an SSV is encapsulated to prepared recipients in a batch", Whole, |Context { fixture, .. }| {
        let recipients = [&fixture.encapsulation_key; 9];
        made(EncapsulationKey::encapsulate_batch(&recipients, &fixture.ssv))
    }),
    ("SAKKE: an RSK is taken into use", Whole, |Context { fixture, .. }| {
        let public_key = fixture.kms.certificate().public_key();
        made(ReceiverKey::import(public_key, &fixture.alice_uid, fixture.alice_keys.rsk.expose()))
    }),
    ("SAKKE: an RSK is refused", Whole, |Context { fixture, .. }| {
        let public_key = fixture.kms.certificate().public_key();
        made(ReceiverKey::import(public_key, &fixture.bob_uid, fixture.alice_keys.rsk.expose()))
    }),
    ("SAKKE: an RSK is prepared", Parts, |Context { fixture, .. }| {
        let public_key = fixture.kms.certificate().public_key();
        let key = ReceiverKey::import(public_key, &fixture.alice_uid, fixture.alice_keys.rsk.expose());
        key.as_ref().unwrap().prepare();
        made(key)
    }),
    ("SAKKE: an SSV is decapsulated", Whole, |Context { fixture, .. }| {
        made(fixture.bob.receiver().decapsulate(&fixture.encapsulated))
    }),
    ("SAKKE: SSVs are decapsulated in a batch", Whole, |Context { fixture, .. }| {
        made(fixture.bob.receiver().decapsulate_batch(&[fixture.encapsulated.as_slice(); 9]))
    }),
    ("SAKKE: an SSV that fails TEST is refused", Whole, |Context { fixture, .. }| {
        let mut encapsulated = fixture.encapsulated;
        encapsulated[272] ^= 1;
        made(fixture.bob.receiver().decapsulate(&encapsulated))
    }),
    ("ECCSI: KSAK is drawn", Whole, |_| made(Ksak::generate(&mut source(2)))),
    ("ECCSI: KSAK is read", Whole, |context| made(Ksak::from_octets(&context.given.ksak))),
    ("ECCSI: KSAK is written", Whole, |context| made(context.fixture.kms.ksak().to_octets())),
    ("ECCSI: a pair is issued", Whole, |Context { fixture, .. }| {
        made(fixture.kms.ksak().issue(&fixture.alice_uid, &mut rng()))
    }),
    ("ECCSI: a pair is taken into use", Whole, |Context { fixture, .. }| {
        let pair = &fixture.alice_keys.signing;
        made(SigningKey::import(fixture.kms.certificate().kpak(), &fixture.alice_uid, pair.ssk.expose(), &pair.pvt))
    }),
    ("ECCSI: a message is signed", Whole, |Context { fixture, .. }| {
        made(fixture.alice.signing().sign(MESSAGE, &mut rng()))
    }),
    ("secrets are compared", Parts, |Context { fixture, .. }| made(fixture.ssv == *fixture.bundle.key())),
    ("KMS: keys are issued", Whole, |Context { fixture, .. }| {
        made(fixture.kms.issue(fixture.alice.user(), PERIOD, &mut rng()))
    }),
    ("KMS: keys are issued in a batch", Whole, |Context { fixture, .. }| {
        made(fixture.kms.issue_batch(&[(fixture.alice.user(), PERIOD), (fixture.bob.user(), PERIOD)], &mut rng()))
    }),
    ("KMS: keys are taken into use", Whole, |Context { fixture, .. }| {
        made(UserKeys::import(fixture.kms.certificate(), &fixture.alice_keys))
    }),
    ("MIKEY: a key is derived from a TGK", Whole, |context| {
        let mut key = Zeroizing::new(vec![0; 16]);
        let derived = prf::derive(Prf::HmacSha256, &context.given.ssv, KeyUse::Tek, 0, CSB_ID, &RAND, &mut key);
        made((derived, key))
    }),
    ("MIKEY: a key is derived from an envelope key by MIKEY-1", Whole, |context| {
        let mut key = Zeroizing::new(vec![0; 14]);
        let source = &context.given.envelope_key;
        let derived = prf::derive_from_envelope(Prf::Mikey1, source, EnvelopeUse::Salt, CSB_ID, &RAND, &mut key);
        made((derived, key))
    }),
    ("MIKEY: the keys of an envelope are derived", Whole, |context| made(envelope(&context.given))),
    ("MIKEY: keys are encrypted", Whole, |Context { fixture, .. }| {
        made(fixture.envelope.encrypt(EncrAlg::AES_CM_128, 7, std::slice::from_ref(&fixture.key_data)))
    }),
    ("MIKEY: keys are decrypted", Whole, |Context { fixture, .. }| {
        let keys = fixture.envelope.encrypt(EncrAlg::AES_CM_128, 7, std::slice::from_ref(&fixture.key_data));
        made(fixture.envelope.decrypt(EncrAlg::AES_CM_128, 7, &keys.unwrap()))
    }),
    ("I_MESSAGE: a key is drawn", Whole, |_| made(KeyBundle::generate(Profile::seal(Purpose::MSCCK), &mut source(3)))),
    ("I_MESSAGE: a key is distributed", Parts, |Context { fixture, .. }| {
        let initiator = Initiator::new(fixture.alice.clone());
        made(initiator.distribute(&fixture.bundle, &fixture.recipient, fixture.now, &mut rng()))
    }),
    ("I_MESSAGE: a key is distributed to a group", Parts, |Context { fixture, .. }| {
        let initiator = Initiator::new(fixture.alice.clone());
        let recipients = vec![fixture.recipient.clone(); 3];
        let mut rng = rng();
        let messages = initiator.distribute_to_group(&fixture.bundle, &recipients, fixture.now, &mut rng);
        made(messages.collect::<Vec<_>>())
    }),
    ("I_MESSAGE: a key is extracted", Parts, |Context { fixture, .. }| {
        let mut responder = Responder::new(fixture.bob.clone(), Policy::default());
        responder.trust(fixture.kms.certificate().clone()).unwrap();
        let extracted = responder.extract(&fixture.i_message, fixture.now);
        made((extracted, responder))
    }),
    ("I_MESSAGE: an identifier is diversified", Whole, |Context { fixture, .. }| {
        made(diversify(&fixture.ssv, id(), b"sip:alice@example.org"))
    }),
    ("I_MESSAGE: keys of SRTP are derived", Whole, |Context { fixture, .. }| {
        let keys = SrtpKeys::derive(Prf::HmacSha256, &fixture.ssv, 0, id(), &RAND);
        let joined = keys.as_ref().ok().map(SrtpKeys::key_and_salt);
        made((joined, keys))
    }),
    ("documents: keys are wrapped", Whole, |Context { fixture, .. }| {
        made(fixture.key_set.wrapped(&fixture.transport_key))
    }),
    ("documents: wrapped keys are taken into use", Whole, |Context { fixture, .. }| {
        let wrapped = fixture.key_set.wrapped(&fixture.transport_key).unwrap();
        made(wrapped.import(fixture.kms.certificate(), Some(&fixture.transport_key)))
    }),
    ("documents: keys are written and read", Parts, |Context { fixture, .. }| {
        let xml = fixture.key_set.to_xml().unwrap();
        made((KmsKeySet::from_xml(xml.as_bytes(), Default::default()), xml))
    }),
    ("KM: a payload is made", Parts, |context| made(Payload::new(&context.given.payload))),
    ("KM: a response is written and read", Parts, |Context { fixture, .. }| {
        let json = fixture.response.to_json();
        made((Response::from_json(json.as_bytes()), json))
    }),
    ("KM: a record is written and read", Parts, |Context { fixture, .. }| {
        let json = fixture.record.to_json();
        made((Record::from_json(json.as_bytes()), json))
    }),
];
