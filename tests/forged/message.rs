//! A message from Alice to Bob, and what Bob makes of those that were made from it.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use getrandom::SysRng;
use mikey_sakke::eccsi::SIGNATURE_OCTETS;
use mikey_sakke::identity::KeyPeriod;
use mikey_sakke::imessage::{Initiator, Initiators, KeyBundle, KeyProperties, Policy, Profile, Purpose, Responder};
use mikey_sakke::kms::UserKeys;
use mikey_sakke::mikey::payload::{GeneralExtension, Payload, Sakke, Sign};
use mikey_sakke::mikey::registry::SType;
use mikey_sakke::mikey::{Message, Tolerances};
use mikey_sakke::time::Timestamp;

use crate::domain::{DOMAIN, NUMBER, OTHER, keys, now, uri};
use crate::family::{Class, Family};

/// A message as it arrives.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Arrived {
    pub(crate) octets: Vec<u8>,
    /// The local time.
    pub(crate) now: Timestamp,
    /// A message that was accepted before.
    pub(crate) before: Option<Vec<u8>>,
}

/// Bob accepts keys of two purposes from Alice, and from users of either KMS; he has keys for two key periods.
pub(crate) fn receive(arrived: &Arrived) -> Result<(), Class> {
    let alices = Initiators::Only(BTreeSet::from([uri("sip:alice@example.org")]));
    let policy = Policy::for_purposes([(Purpose::PCK, alices.clone()), (Purpose::MSCCK, alices)]);
    let mut responder = Responder::new(DOMAIN.bob.clone(), policy);
    responder.add_keys(BOB_LATER.clone());
    responder.trust(DOMAIN.certificate()).unwrap();
    responder.trust(OTHER.certificate()).unwrap();
    if let Some(before) = &arrived.before {
        responder.extract(before, now()).unwrap();
    }
    let received = responder.extract(&arrived.octets, arrived.now)?;
    assert_eq!(received.initiator, uri("sip:alice@example.org"));
    assert_eq!(received.key, *BUNDLE.key());
    Ok(())
}

static BOB_LATER: LazyLock<Arc<UserKeys>> =
    LazyLock::new(|| keys(&DOMAIN.kms, "sip:bob@example.org", KeyPeriod::Number(NUMBER + 1)));

/// Another user of the same KMS.
pub(crate) static MALLORY: LazyLock<Arc<UserKeys>> =
    LazyLock::new(|| keys(&DOMAIN.kms, "sip:mallory@example.org", KeyPeriod::Number(NUMBER)));

pub(crate) static BUNDLE: LazyLock<KeyBundle> = LazyLock::new(bundle);

pub(crate) fn bundle() -> KeyBundle {
    let bundle = KeyBundle::generate(Profile::ts33180_pck(), &mut SysRng).unwrap();
    bundle.with_properties(KeyProperties::new(Purpose::PCK))
}

pub(crate) static GOOD: LazyLock<Arrived> =
    LazyLock::new(|| Arrived { octets: message(&DOMAIN.alice, &BUNDLE, now()), now: now(), before: None });

pub(crate) fn message(by: &Arc<UserKeys>, bundle: &KeyBundle, at: Timestamp) -> Vec<u8> {
    Initiator::new(by.clone()).distribute(bundle, &DOMAIN.to_bob(), at, &mut SysRng).unwrap()
}

pub(crate) fn family(name: &'static str) -> Family<Arrived> {
    Family::new(name, GOOD.clone(), receive)
}

/// Octets, with the signature of a user over them.
pub(crate) fn with_signature(mut octets: Vec<u8>, by: &UserKeys) -> Vec<u8> {
    let signature = by.signing().sign(&octets, &mut SysRng).unwrap();
    octets.extend_from_slice(signature.as_octets());
    octets
}

/// The good message, changed and then signed by a user.
pub(crate) fn signed(by: &UserKeys, change: impl FnOnce(&mut Message)) -> Vec<u8> {
    let mut octets = unsigned(change);
    octets.truncate(octets.len() - SIGNATURE_OCTETS);
    with_signature(octets, by)
}

/// The good message, changed, with the signature that it had.
pub(crate) fn unsigned(change: impl FnOnce(&mut Message)) -> Vec<u8> {
    let mut message = Message::decode(&GOOD.octets).unwrap();
    change(&mut message);
    let signature = GOOD.octets[GOOD.octets.len() - SIGNATURE_OCTETS..].to_vec();
    message.sign.get_or_insert(Sign { s_type: SType::ECCSI, signature });
    message.encode_with(Tolerances::default()).unwrap()
}

pub(crate) fn sakke(message: &mut Message) -> &mut Sakke {
    let sakke = message.payloads.iter_mut().find_map(|payload| match payload {
        Payload::Sakke(sakke) => Some(sakke),
        _ => None,
    });
    sakke.unwrap()
}

pub(crate) fn extension(message: &mut Message) -> &mut GeneralExtension {
    let extension = message.payloads.iter_mut().find_map(|payload| match payload {
        Payload::GeneralExtension(extension) => Some(extension),
        _ => None,
    });
    extension.unwrap()
}
