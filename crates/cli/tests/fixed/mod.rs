//! Messages in which nothing is left to chance: master secrets, keys and random numbers are given.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, LazyLock};

use mikey_sakke::eccsi::{Ksak, SIGNATURE_OCTETS};
use mikey_sakke::hazmat::{eccsi_issue, eccsi_sign};
use mikey_sakke::identity::{UidFormat, Uri};
use mikey_sakke::imessage::{Initiator, KeyBundle, KeyProperties, Profile, Purpose, Recipient, SkId, diversify};
use mikey_sakke::kms::{KeySet, Kms, UserKeys};
use mikey_sakke::mikey::registry::ProtType;
use mikey_sakke::mikey::{CsIdMap, GenericId};
use mikey_sakke::sakke::{MasterSecret, Ssv};
use mikey_sakke::time::Timestamp;
use rand_core::{TryCryptoRng, TryRng};

/// 2011-02-17T00:00:00Z.
pub(crate) fn at() -> Timestamp {
    Timestamp::from_unix(1_297_900_800).unwrap()
}

pub(crate) fn uri(text: &str) -> Uri {
    Uri::parse(text).unwrap()
}

/// A random source that gives what it was given, each draw as a whole.
pub(crate) struct Given(VecDeque<Vec<u8>>);

impl Given {
    pub(crate) fn new(draws: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self(draws.into_iter().collect())
    }
}

/// v of ECCSI's key issue and j of its signature: 32 octets.
pub(crate) fn integer(value: u32) -> Vec<u8> {
    [vec![0; 28], value.to_be_bytes().to_vec()].concat()
}

#[derive(Debug)]
pub(crate) struct Unexpected;

impl fmt::Display for Unexpected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a draw that was not foreseen")
    }
}

impl std::error::Error for Unexpected {}

impl TryRng for Given {
    type Error = Unexpected;

    fn try_next_u32(&mut self) -> Result<u32, Unexpected> {
        Err(Unexpected)
    }

    fn try_next_u64(&mut self) -> Result<u64, Unexpected> {
        Err(Unexpected)
    }

    fn try_fill_bytes(&mut self, octets: &mut [u8]) -> Result<(), Unexpected> {
        let draw = self.0.pop_front().filter(|draw| draw.len() == octets.len()).ok_or(Unexpected)?;
        octets.copy_from_slice(&draw);
        Ok(())
    }
}

impl TryCryptoRng for Given {}

/// The KMS `kms.example.org` with KSAK and z of the examples in RFC 6507 and RFC 6508.
fn kms(format: UidFormat) -> Kms {
    let z = hex::decode("aff429d35f84b110d094803b3595a6e2998bc99f").unwrap();
    let z = [vec![0; 128 - z.len()], z].concat();
    let ksak = Ksak::from_octets(&integer(0x12345)).unwrap();
    Kms::new(uri("kms.example.org"), format, ksak, MasterSecret::from_octets(&z).unwrap()).unwrap()
}

pub(crate) static MONTHLY: LazyLock<Kms> = LazyLock::new(|| kms(UidFormat::Monthly));
pub(crate) static HASHED: LazyLock<Kms> = LazyLock::new(|| kms(UidFormat::hashed(2_592_000, 0).unwrap()));

/// The keys of a user, issued with a given v.
pub(crate) fn keys(kms: &Kms, user: &str, v: u32) -> Arc<UserKeys> {
    let (certificate, user) = (kms.certificate(), uri(user));
    let period = certificate.uid_format().period_at(at()).unwrap();
    let uid = certificate.uid_format().uid(&user, certificate.kms_uri(), period).unwrap();
    let rsk = kms.master_secret().extract(&uid).unwrap();
    let (signing, _) = eccsi_issue(kms.ksak(), &uid, &integer(v)).unwrap();
    Arc::new(UserKeys::import(certificate, &KeySet { user, period, rsk, signing }).unwrap())
}

/// A message signed with a given j, and before that a given IV where the key has properties.
pub(crate) fn message(kms: &Kms, from: &str, v: u32, to: &str, bundle: &KeyBundle, j: u32) -> Vec<u8> {
    let keys = keys(kms, from, v);
    let iv = bundle.properties().map(|_| (0..16).collect());
    // The engine makes j of what it draws and of what it signs, so it signs once, and then the given j does.
    let mut rng = Given::new(iv.into_iter().chain([integer(j)]));
    let recipient = Recipient { user: uri(to), certificate: kms.certificate().clone() };
    let mut message = Initiator::new(keys.clone()).distribute(bundle, &recipient, at(), &mut rng).unwrap();
    let end = message.len() - SIGNATURE_OCTETS;
    let (signed, signature) = message.split_at_mut(end);
    signature.copy_from_slice(eccsi_sign(keys.signing(), signed, &integer(j)).unwrap().as_octets());
    message
}

pub(crate) const ALICE: &str = "sip:alice@example.org";
pub(crate) const BOB: &str = "sip:bob@example.org";
pub(crate) const MANAGER: &str = "sip:groups@example.org";
pub(crate) const ALICE_V: u32 = 0x14142;
pub(crate) const BOB_V: u32 = 0x14143;
pub(crate) const MANAGER_V: u32 = 0x17320;

/// A key under an identifier, with RAND: 16 octets in sequence from those given.
pub(crate) fn bundle(profile: Profile, id: [u8; 4], key: u8, rand: u8) -> KeyBundle {
    let sequence = |first: u8| std::array::from_fn(|at| first + at as u8);
    KeyBundle::new(profile, Ssv::new(sequence(key)), SkId::from_octets(id), sequence(rand)).unwrap()
}

/// The plain message of RFC 6509.
pub(crate) fn plain() -> Vec<u8> {
    let key = Ssv::new(std::array::from_fn(|at| 0x11 * at as u8));
    let id = SkId::from_octets([0x2a, 0x5c, 0x19, 0xf7]);
    let rand = std::array::from_fn(|at| 0xa0 + at as u8);
    let bundle = KeyBundle::new(Profile::seal(Purpose::CSK), key, id, rand).unwrap();
    message(&MONTHLY, "tel:+447700900123", 0x31415, "tel:+447700900124", &bundle, 0x27182)
}

fn session(cs_id: u8, spi: Vec<u8>) -> GenericId {
    GenericId { cs_id, prot_type: ProtType::SRTP, s: false, policies: vec![0], session_data: vec![], spi }
}

/// A profile with sessions under its default policy.
fn with_sessions(profile: Profile, sessions: Vec<GenericId>) -> Profile {
    let policy = profile.default_srtp_policy(0).unwrap();
    profile.with_sessions(CsIdMap::GenericId(sessions), vec![policy])
}

/// The group master key of [`gmk`].
pub(crate) fn gmk_bundle() -> KeyBundle {
    let id = [0x0d, 0xf9, 0xbc, 0x39];
    let known = bundle(Profile::ts33180_gmk(), id, 0x20, 0x40);
    let guk_id = diversify(known.key(), known.id(), BOB.as_bytes()).unwrap();
    let spi = [id, guk_id.to_octets()].concat();
    let profile = with_sessions(Profile::ts33180_gmk(), vec![session(4, spi)]);
    bundle(profile, id, 0x20, 0x40).with_properties(KeyProperties {
        expiry: at().to_unix() + 86_400,
        groups: vec![b"sip:team@example.org".to_vec()],
        ..KeyProperties::new(Purpose::GMK)
    })
}

/// A group master key, with a crypto session, a policy and key parameters.
pub(crate) fn gmk() -> Vec<u8> {
    message(&HASHED, MANAGER, MANAGER_V, BOB, &gmk_bundle(), 0x22360)
}

/// The private call key of [`pck`].
pub(crate) fn pck_bundle() -> KeyBundle {
    let id = [0x1a, 0xbc, 0xde, 0xf0];
    let profile = Profile::ts33180_pck().hiding_identities().with_sakke_to_self();
    let profile = with_sessions(profile, vec![session(0, id.to_vec()), session(1, id.to_vec())]);
    bundle(profile, id, 0x60, 0xc0)
        .with_properties(KeyProperties { text: b"call".to_vec(), ..KeyProperties::new(Purpose::PCK) })
}

/// A private call key with everything: hidden identities, crypto sessions, a policy, SAKKE-to-self and key parameters.
pub(crate) fn pck() -> Vec<u8> {
    message(&HASHED, ALICE, ALICE_V, BOB, &pck_bundle(), 0x16180)
}
