//! Messages of MIKEY-SAKKE, in all profiles.

use mikey_sakke::imessage::{KeyBundle, KeyProperties, Profile, Purpose};
use mikey_sakke::mikey::payload::{Payload, Sp};
use mikey_sakke::mikey::registry::{ExtensionType, IdRole, SrtpParam};
use mikey_sakke::mikey::{CsIdMap, Message, SrtpId};

use crate::assert_dissected;
use crate::fixed::{ALICE, ALICE_V, BOB, HASHED, MANAGER, MANAGER_V, bundle, gmk, message, pck, plain};

fn from_alice(bundle: &KeyBundle) -> Vec<u8> {
    message(&HASHED, ALICE, ALICE_V, BOB, bundle, 0x1234)
}

fn bare(profile: Profile) -> Vec<u8> {
    let purpose = profile.purpose().number();
    from_alice(&bundle(profile, [purpose << 4, 2, 3, 4], 0x50, 0x70))
}

fn types(octets: &[u8]) -> Vec<String> {
    Message::decode(octets).unwrap().layout().map(|part| part.content.to_string()).collect()
}

#[test]
fn plain_messages() {
    assert_eq!(types(&plain()), ["HDR", "T", "RAND", "IDR", "IDR", "IDR", "IDR", "SAKKE", "SIGN"]);
    let seal = bare(Profile::seal(Purpose::new(9).unwrap()));
    assert_dissected(&[("tel URIs and months", plain()), ("SEAL", seal)]);
}

#[test]
fn group_master_keys() {
    let bare = bundle(Profile::ts33180_gmk(), [0, 1, 2, 3], 1, 2);
    let bare = message(&HASHED, MANAGER, MANAGER_V, BOB, &bare, 0x4321);
    // The message has the identifier of the member, not that of the key.
    assert_ne!(bare[4..8], [0, 1, 2, 3]);
    assert_eq!(types(&gmk())[6..], ["IDR", "SP", "SAKKE", "General Extension", "SIGN"]);
    assert_dissected(&[("GMK", bare), ("GMK with session, policy and key parameters", gmk())]);
}

#[test]
fn private_call_keys() {
    let everything = Message::decode(&pck()).unwrap();
    let has = |test: &dyn Fn(&Payload) -> bool| everything.payloads.iter().any(test);
    for role in [IdRole::INITIATOR_UID, IdRole::RESPONDER_UID] {
        assert!(has(&|payload| matches!(payload, Payload::Idr(idr) if idr.role == role)));
    }
    for wanted in [ExtensionType::SAKKE_TO_SELF, ExtensionType::KEY_PARAMETERS] {
        assert!(has(
            &|payload| matches!(payload, Payload::GeneralExtension(extension) if extension.extension_type == wanted)
        ));
    }
    assert!(has(&|payload| matches!(payload, Payload::Sp(_))));
    assert!(matches!(&everything.header.cs_id_map, CsIdMap::GenericId(sessions) if sessions.len() == 2));
    assert_dissected(&[("PCK with everything", pck()), ("PCK", bare(Profile::ts33180_pck()))]);
}

#[test]
fn signalling_keys() {
    let parameters = bundle(Profile::ts33180_csk(), [0x2a, 0, 0, 1], 3, 4);
    let parameters = parameters.with_properties(KeyProperties::new(Purpose::CSK));
    assert_dissected(&[
        ("CSK", bare(Profile::ts33180_csk())),
        ("CSK with key parameters", from_alice(&parameters)),
        ("MuSiK", bare(Profile::ts33180_musik())),
    ]);
}

#[test]
fn a_map_of_srtp_streams() {
    let stream = |policy, ssrc, roc| SrtpId { policy, ssrc, roc };
    let map = CsIdMap::SrtpId(vec![stream(0, 0x1122_3344, 0), stream(1, 0, 0xffff_fffe)]);
    let policies = vec![
        Sp::srtp(0, &[(SrtpParam::ENCRYPTION, 1), (SrtpParam::AUTHENTICATION, 1)]),
        Sp::srtp(1, &(0..13).chain([18, 19, 20]).map(|param| (SrtpParam(param), 1)).collect::<Vec<_>>()),
    ];
    let streams = bare(Profile::ts33180_pck().with_sessions(map, policies));
    let none = bare(Profile::ts33180_pck().with_sessions(CsIdMap::SrtpId(vec![]), vec![]));
    let counted = bare(Profile::ts33180_pck().with_sessions(CsIdMap::Empty(3), vec![]));
    assert_dissected(&[("two streams", streams), ("no stream", none), ("the empty map with #CS 3", counted)]);
}
