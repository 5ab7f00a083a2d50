//! The operations, each with its secrets marked as they enter, and what it publishes unmarked as it leaves.

use std::hint::black_box;
use std::sync::Arc;

use mikey_sakke::documents::TransportKey;
use mikey_sakke::eccsi::{Ksak, Signature, SigningKey, SigningPair};
use mikey_sakke::hazmat::{self, watched::make_public};
use mikey_sakke::identity::{KeyPeriod, Uid, UidFormat, Uri};
use mikey_sakke::imessage::{
    Initiator, KeyBundle, Policy, Profile, Purpose, Recipient, Responder, SkId, SrtpKeys, diversify,
};
use mikey_sakke::kms::{Kms, KmsCertificate, UserKeys};
use mikey_sakke::mikey::envelope::EnvelopeKeys;
use mikey_sakke::mikey::prf::Prf;
use mikey_sakke::mikey::registry::MacAlg;
use mikey_sakke::sakke::{EncapsulationKey, MasterSecret, PublicKey, ReceiverKey, Rsk, Ssv, encapsulate_batch};
use mikey_sakke::secret::Secret;

use crate::secrets::Secrets;

/// What is done with secrets while valgrind looks.
pub type Operation = fn(&mut Secrets);

/// All operations, by name.
pub const ALL: [(&str, Operation); 26] = [
    ("SAKKE: a master secret is drawn", master_secret_drawn),
    ("SAKKE: a master secret is read, and Z computed", master_secret_read),
    ("SAKKE: an RSK is extracted", extracted),
    ("SAKKE: RSKs are extracted in a batch", extracted_in_batch),
    ("SAKKE: RSKs are extracted beside an identity that has none", extracted_beside_none),
    ("SAKKE: an SSV is encapsulated", encapsulated),
    ("SAKKE: an SSV is encapsulated to a prepared recipient", encapsulated_prepared),
    ("SAKKE: an SSV is encapsulated in a batch", encapsulated_in_batch),
    ("SAKKE: an RSK is taken into use", rsk_imported),
    ("SAKKE: an RSK that fails its checks is refused", rsk_refused),
    ("SAKKE: an RSK is prepared", rsk_prepared),
    ("SAKKE: an SSV is decapsulated", decapsulated),
    ("SAKKE: SSVs are decapsulated in a batch", decapsulated_in_batch),
    ("SAKKE: an SSV that fails TEST is refused", decapsulation_refused),
    ("SAKKE: HashToIntegerRange", hash_to_integer_range),
    ("ECCSI: a KSAK is drawn", ksak_drawn),
    ("ECCSI: a KSAK is read, and KPAK computed", ksak_read),
    ("ECCSI: a pair is issued", pair_issued),
    ("ECCSI: an SSK is taken into use", ssk_imported),
    ("ECCSI: a message is signed", signed),
    ("secrets are compared", compared),
    ("a key is wrapped", wrapped),
    ("MIKEY: the keys of an envelope are derived", envelope_derived),
    ("I_MESSAGE: keys of SRTP are derived", srtp_keys),
    ("I_MESSAGE: an identifier is diversified", diversified),
    ("I_MESSAGE: a key is distributed and extracted", i_message),
];

/// q - 1, the greatest that there is: q is in RFC 6509, appendix A.
const LAST_MASTER_SECRET: [u64; 16] = [
    0x265e_aec7_c295_8ff6,
    0x9971_8466_36b4_195e,
    0x905b_0338_672d_2098,
    0x6fa6_b8d6_2cf8_068b,
    0xbd02_aac9_f8bf_03c6,
    0xc8a1_cc35_4c69_672c,
    0x39e4_6ce7_fdf2_2286,
    0x4d5b_49fd_2999_a9b4,
    0x389b_1921_cc9a_d335,
    0x144a_b173_595a_0738,
    0x6dab_fd2a_0c61_4aa0,
    0xa9f3_cf14_870f_026a,
    0xa7e5_35ab_d5a5_c7c7,
    0xff38_fa08_e261_5f6c,
    0x2031_77c4_2b1e_b3a1,
    0xd99b_601e_bfaa_17fa,
];

const FORMAT: UidFormat = UidFormat::Hashed { period: 2_592_000, offset: 0 };

fn id() -> SkId {
    SkId::from_octets([0x50, 1, 2, 3])
}

/// One of the year 2026.
const PERIOD: KeyPeriod = KeyPeriod::Number(1_545);

fn uri(text: &str) -> Uri {
    Uri::parse(text).expect("a URI")
}

fn uid(octets: &[u8]) -> Uid {
    Uid::from_octets(octets).expect("an identifier")
}

fn alice() -> Uid {
    uid(b"2026-11\0tel:+447700900123\0")
}

fn bob() -> Uid {
    uid(b"2026-11\0tel:+447700900124\0")
}

fn master_secret(secrets: &mut Secrets) -> MasterSecret {
    let mut octets: [u8; 128] = secrets.octets();
    octets[0] &= 0x1f;
    MasterSecret::from_octets(&octets).expect("in range")
}

/// Z, as it is published.
fn public_key(z: &MasterSecret) -> PublicKey {
    let octets = z.public_key().to_octets();
    make_public(&octets);
    PublicKey::from_octets(&octets).expect("a point")
}

fn ksak(secrets: &mut Secrets) -> Ksak {
    let mut octets: [u8; 32] = secrets.octets();
    octets[0] &= 0x7f;
    Ksak::from_octets(&octets).expect("in range")
}

fn ssv(secrets: &mut Secrets) -> Ssv {
    Secret::new(secrets.octets())
}

fn master_secret_drawn(secrets: &mut Secrets) {
    black_box(MasterSecret::generate(secrets).expect("a secret"));
}

fn master_secret_read(secrets: &mut Secrets) {
    black_box(public_key(&master_secret(secrets)));
}

fn rsk(z: &MasterSecret) -> Rsk {
    z.extract(&alice()).expect("an RSK")
}

fn extracted(secrets: &mut Secrets) {
    black_box(rsk(&master_secret(secrets)));
}

fn extracted_in_batch(secrets: &mut Secrets) {
    let identities: Vec<_> = (0..9_u8).map(|n| uid(&[n; 32])).collect();
    black_box(master_secret(secrets).extract_batch(&identities));
}

/// z = q - 1, so that a + z = 0 mod q for the identity a = 1: the inversion that a batch shares has a zero in it.
fn extracted_beside_none(_: &mut Secrets) {
    let z = Secrets::of(LAST_MASTER_SECRET.map(u64::to_be_bytes).as_flattened());
    let rsks = MasterSecret::from_octets(&z).expect("in range").extract_batch(&[alice(), uid(&[1]), bob()]);
    assert!(rsks[0].is_ok() && rsks[1].is_err() && rsks[2].is_ok());
}

fn encapsulated(secrets: &mut Secrets) {
    let z = public_key(&master_secret(secrets));
    black_box(z.encapsulate(&alice(), &ssv(secrets)).expect("encapsulated data"));
}

fn encapsulated_prepared(secrets: &mut Secrets) {
    let z = public_key(&master_secret(secrets));
    let key = EncapsulationKey::new(&z, &alice()).expect("a recipient");
    black_box(key.encapsulate(&ssv(secrets)).expect("encapsulated data"));
}

fn encapsulated_in_batch(secrets: &mut Secrets) {
    let z = public_key(&master_secret(secrets));
    let (alice, bob) = (alice(), bob());
    black_box(encapsulate_batch(&[(&z, &alice), (&z, &bob), (&z, &alice)], &ssv(secrets)));
}

fn receiver(secrets: &mut Secrets) -> (PublicKey, ReceiverKey) {
    let z = master_secret(secrets);
    let public = public_key(&z);
    let key = ReceiverKey::import(&public, &alice(), rsk(&z).expose()).expect("an RSK");
    (public, key)
}

fn rsk_imported(secrets: &mut Secrets) {
    black_box(receiver(secrets));
}

fn rsk_refused(secrets: &mut Secrets) {
    let z = master_secret(secrets);
    assert!(ReceiverKey::import(&public_key(&z), &bob(), rsk(&z).expose()).is_err());
}

fn rsk_prepared(secrets: &mut Secrets) {
    receiver(secrets).1.prepare();
}

fn decapsulated(secrets: &mut Secrets) {
    let (z, key) = receiver(secrets);
    let ssv = ssv(secrets);
    let encapsulated = z.encapsulate(&alice(), &ssv).expect("encapsulated data");
    make_public(&encapsulated);
    assert!(key.decapsulate(&encapsulated).expect("an SSV") == ssv);
}

fn decapsulated_in_batch(secrets: &mut Secrets) {
    let (z, key) = receiver(secrets);
    let encapsulated: Vec<_> =
        (0..3).map(|_| z.encapsulate(&alice(), &ssv(secrets)).expect("encapsulated data")).collect();
    encapsulated.iter().for_each(|octets| make_public(octets));
    let all: Vec<&[u8]> = encapsulated.iter().map(|octets| octets.as_slice()).collect();
    assert!(key.decapsulate_batch(&all).iter().all(Result::is_ok));
}

fn decapsulation_refused(secrets: &mut Secrets) {
    let (z, key) = receiver(secrets);
    let encapsulated = z.encapsulate(&bob(), &ssv(secrets)).expect("encapsulated data");
    make_public(&encapsulated);
    assert!(key.decapsulate(&encapsulated).is_err());
}

fn hash_to_integer_range(secrets: &mut Secrets) {
    let (message, modulus) = (secrets.octets::<48>(), [0xd3; 128]);
    black_box(hazmat::hash_to_integer_range(&message, &modulus).expect("an integer"));
}

fn ksak_drawn(secrets: &mut Secrets) {
    black_box(Ksak::generate(secrets).expect("a KSAK"));
}

fn ksak_read(secrets: &mut Secrets) {
    black_box(ksak(secrets).kpak());
}

/// SSK, which stays secret, and PVT, which is published.
fn pair(ksak: &Ksak, secrets: &mut Secrets) -> SigningPair {
    let pair = ksak.issue(&alice(), secrets).expect("a pair");
    make_public(&pair.pvt);
    pair
}

fn pair_issued(secrets: &mut Secrets) {
    let ksak = ksak(secrets);
    black_box(pair(&ksak, secrets));
}

fn signing_key(secrets: &mut Secrets) -> SigningKey {
    let ksak = ksak(secrets);
    let pair = pair(&ksak, secrets);
    SigningKey::import(&ksak.kpak(), &alice(), pair.ssk.expose(), &pair.pvt).expect("a pair")
}

fn ssk_imported(secrets: &mut Secrets) {
    black_box(signing_key(secrets));
}

fn signed(secrets: &mut Secrets) {
    let key = signing_key(secrets);
    let signature = key.sign(b"message", secrets).expect("a signature");
    make_public(signature.as_octets());
    let signature = Signature::try_from(signature.as_octets().as_slice()).expect("a signature");
    key.verifying_key().verify(b"message", &signature).expect("a signature of this key");
}

fn compared(secrets: &mut Secrets) {
    let (one, other) = (ssv(secrets), ssv(secrets));
    assert!(one == one.clone() && one != other);
}

/// The integrity check of unwrapping is that of a library, which compares it octet by octet.
fn wrapped(secrets: &mut Secrets) {
    let key = TransportKey::new(Secret::new(secrets.octets()), None);
    black_box(key.wrap(&rsk(&master_secret(secrets))).expect("wrapped"));
}

fn envelope(secrets: &mut Secrets) -> EnvelopeKeys {
    let key: [u8; 32] = secrets.octets();
    EnvelopeKeys::derive(Prf::HmacSha256, &key, [1, 2, 3, 4], &[5; 16], MacAlg::HMAC_SHA_256_256).expect("keys")
}

fn envelope_derived(secrets: &mut Secrets) {
    black_box(envelope(secrets));
}

fn srtp_keys(secrets: &mut Secrets) {
    let keys = SrtpKeys::derive(Prf::HmacSha256, &ssv(secrets), 0, id(), &[5; 16]).expect("keys");
    black_box(keys.key_and_salt());
}

fn diversified(secrets: &mut Secrets) {
    black_box(diversify(&ssv(secrets), id(), b"sip:alice@example.org").expect("an identifier"));
}

/// The keys of a user, and the certificate that they were issued under.
fn user_keys(user: &str, kms: &Kms, secrets: &mut Secrets) -> (Arc<UserKeys>, Arc<KmsCertificate>) {
    let mut key_set = kms.issue(&uri(user), PERIOD, secrets).expect("keys");
    make_public(&key_set.signing.pvt);
    key_set.signing.pvt = black_box(key_set.signing.pvt);
    let (z, kpak) = (kms.certificate().public_key().to_octets(), kms.certificate().kpak().to_octets());
    make_public(&z);
    make_public(&kpak);
    let certificate = KmsCertificate::new(uri("kms.example.org"), FORMAT, &z, &kpak).expect("a certificate");
    let certificate = Arc::new(certificate);
    (Arc::new(UserKeys::import(&certificate, &key_set).expect("keys")), certificate)
}

fn i_message(secrets: &mut Secrets) {
    let kms = Kms::new(uri("kms.example.org"), FORMAT, ksak(secrets), master_secret(secrets)).expect("a KMS");
    let (alice, certificate) = user_keys("sip:alice@example.org", &kms, secrets);
    let (bob, _) = user_keys("sip:bob@example.org", &kms, secrets);
    let bundle = KeyBundle::new(Profile::seal(Purpose::MSCCK), ssv(secrets), id(), [5; 16]).expect("a key");
    let (now, _) = FORMAT.span(PERIOD).expect("a time");
    let recipient = Recipient { user: bob.user().clone(), certificate: certificate.clone() };
    let message = Initiator::new(alice).distribute(&bundle, &recipient, now, secrets).expect("a message");
    make_public(&message);
    let mut responder = Responder::new(bob, Policy::default());
    responder.trust(certificate).expect("a certificate");
    assert!(responder.extract(&message, now).expect("a key").key == *bundle.key());
}
