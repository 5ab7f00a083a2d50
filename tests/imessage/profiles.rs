//! The profiles of TS 33.180.

use std::collections::BTreeSet;

use getrandom::SysRng;
use mikey_sakke::Error;
use mikey_sakke::error::{Refusal, UsageError};
use mikey_sakke::imessage::{
    DistributedKey, Initiator, Initiators, KeyBundle, KeyProperties, Policy, Profile, Purpose, SrtpKeys, diversify,
};
use mikey_sakke::mikey::payload::Payload;
use mikey_sakke::mikey::prf::Prf;
use mikey_sakke::mikey::registry::ProtType;
use mikey_sakke::mikey::registry::{ExtensionType, IdRole};
use mikey_sakke::mikey::{CsIdMap, GenericId, Message};

use crate::domain::*;

fn generate(profile: Profile) -> KeyBundle {
    KeyBundle::generate(profile, &mut SysRng).unwrap()
}

fn alice() -> Initiators {
    Initiators::Only(BTreeSet::from([uri("sip:alice@example.org")]))
}

fn anyone() -> Policy {
    Policy::ts33180(Initiators::Any, Initiators::Any)
}

fn received(bundle: &KeyBundle) -> DistributedKey {
    let received = DOMAIN.extract(&DOMAIN.message(bundle), anyone()).unwrap();
    assert_eq!((&received.key, received.id), (bundle.key(), bundle.id()));
    assert_eq!(received.rand, bundle.rand());
    received
}

#[test]
fn every_profile_carries_its_key() {
    let profiles = [Profile::ts33180_gmk(), Profile::ts33180_pck(), Profile::ts33180_csk(), Profile::ts33180_musik()];
    for (profile, purpose) in profiles.into_iter().zip([Purpose::GMK, Purpose::PCK, Purpose::CSK, Purpose::MUSIK]) {
        let bundle = generate(profile);
        assert_eq!(bundle.id().purpose(), purpose);
        let received = received(&bundle);
        assert_eq!(received.csb_id == received.id, purpose != Purpose::GMK);
        assert_eq!(received.csb_id.purpose(), purpose);
    }
}

#[test]
fn a_group_key_goes_by_an_identifier_of_each_users_own() {
    let bundle = generate(Profile::ts33180_gmk());
    let received = received(&bundle);
    assert_eq!(received.csb_id, diversify(bundle.key(), bundle.id(), b"sip:bob@example.org").unwrap());

    // Media of each sender have keys of their own, under his identifier.
    let carol = uri("sip:carol@example.org");
    let of_carol = diversify(bundle.key(), bundle.id(), b"sip:carol@example.org").unwrap();
    let keys = received.srtp_keys(4, &carol).unwrap();
    let expected = SrtpKeys::derive(Prf::HmacSha256, bundle.key(), 4, of_carol, bundle.rand()).unwrap();
    assert_eq!(keys.master_key, expected.master_key);
    assert_eq!(keys.master_salt, expected.master_salt);
    assert_eq!(keys.mki, [bundle.id().to_octets(), of_carol.to_octets()].concat());
    assert_ne!(keys.master_key, received.srtp_keys(4, &uri("sip:dave@example.org")).unwrap().master_key);
}

#[test]
fn a_key_that_is_not_diversified_is_the_same_for_all_senders() {
    let received = received(&generate(Profile::ts33180_pck()));
    let [one, other] =
        ["sip:alice@example.org", "sip:bob@example.org"].map(|sender| received.srtp_keys(0, &uri(sender)).unwrap());
    assert_eq!(one.master_key, other.master_key);
    assert_eq!(one.mki, received.id.to_octets());
}

#[test]
fn a_group_key_is_accepted_from_group_managers_alone() {
    let managers = |who: &str| Policy::ts33180(Initiators::Only(BTreeSet::from([uri(who)])), Initiators::Any);
    let message = DOMAIN.message(&generate(Profile::ts33180_gmk()));
    assert!(DOMAIN.extract(&message, managers("sip:alice@example.org")).is_ok());
    let mut responder = DOMAIN.responder(managers("sip:manager@example.org"));
    assert_refused(responder.extract(&message, now()), Refusal::Initiator);
    // After the signature: the message has entered the replay cache.
    assert_refused(responder.extract(&message, now()), Refusal::Replay);
    // A private call key may come from anybody.
    assert!(responder.extract(&DOMAIN.message(&generate(Profile::ts33180_pck())), now()).is_ok());
    let spk = generate(Profile::seal(Purpose::SPK));
    assert_refused(responder.extract(&DOMAIN.message(&spk), now()), Refusal::Purpose);
}

#[test]
fn hidden_identities_are_not_in_the_message() {
    let bundle = generate(Profile::ts33180_pck().hiding_identities());
    let message = DOMAIN.message(&bundle);
    for name in ["alice", "bob"] {
        assert!(!message.windows(name.len()).any(|octets| octets == name.as_bytes()), "{name}");
    }
    assert_refused(DOMAIN.extract(&message, anyone()), Refusal::UnnamedParty);

    let hidden = DOMAIN.responder(anyone()).extract_hidden(&message, now()).unwrap();
    assert_eq!((&hidden.key, hidden.id), (bundle.key(), bundle.id()));
    let uid = DOMAIN.certificate().uid_at(&uri("sip:alice@example.org"), now()).unwrap();
    assert_eq!(*hidden.initiator.uid(), uid);
    let confirmed = hidden.clone().confirm(&uri("sip:alice@example.org")).unwrap();
    assert_eq!(confirmed.initiator, uri("sip:alice@example.org"));
    assert_eq!(hidden.confirm(&uri("sip:carol@example.org")).unwrap_err(), Refusal::Initiator);

    // Where signalling names the initiator, that is enough.
    let signalled = |name| DOMAIN.responder(anyone()).extract_signalled(&message, &uri(name), now());
    assert_eq!(signalled("sip:alice@example.org").unwrap().key, *bundle.key());
    assert_refused(signalled("sip:carol@example.org"), Refusal::Initiator);
}

#[test]
fn hidden_identities_are_checked() {
    let message = |initiator: &'static str, responder: &'static str| {
        DOMAIN.changed(|message| {
            let uid = |user| DOMAIN.certificate().uid_at(&uri(user), now()).unwrap();
            for (role, hidden, user) in [
                (IdRole::INITIATOR, IdRole::INITIATOR_UID, initiator),
                (IdRole::RESPONDER, IdRole::RESPONDER_UID, responder),
            ] {
                for payload in &mut message.payloads {
                    if let Payload::Idr(idr) = payload
                        && idr.role == role
                    {
                        idr.role = hidden;
                        idr.data = uid(user).as_octets().to_vec();
                    }
                }
            }
        })
    };
    let hidden = |octets: &[u8], policy| DOMAIN.responder(policy).extract_hidden(octets, now());
    let (alice_uri, bob, carol) = ("sip:alice@example.org", "sip:bob@example.org", "sip:carol@example.org");
    let seal = |initiators| Policy::for_purposes([(PURPOSE, initiators)]);
    assert!(hidden(&message(alice_uri, bob), seal(Initiators::Any)).is_ok());
    assert!(hidden(&message(alice_uri, bob), seal(alice())).is_ok());
    let refused = |octets: &[u8], policy| hidden(octets, policy).unwrap_err();
    assert_eq!(refused(&message(alice_uri, carol), Policy::default()), Error::Refused(Refusal::NotForUs));
    assert_eq!(refused(&message(carol, bob), Policy::default()), Error::Rejected);
    let others = Initiators::Only(BTreeSet::from([uri(carol)]));
    assert_eq!(refused(&message(alice_uri, bob), seal(others)), Error::Refused(Refusal::Initiator));
    let Initiators::Only(blocked) = alice() else { unreachable!() };
    assert_eq!(
        refused(&message(alice_uri, bob), seal(Initiators::AllBut(blocked))),
        Error::Refused(Refusal::Initiator)
    );
    assert_eq!(refused(&DOMAIN.message(&bundle()), Policy::default()), Error::Refused(Refusal::UnnamedParty));
}

#[test]
fn an_initiator_recovers_his_key_by_sakke_to_self() {
    let properties = KeyProperties { text: b"to self".to_vec(), ..KeyProperties::new(Purpose::PCK) };
    let bundle = generate(Profile::ts33180_pck().with_sakke_to_self()).with_properties(properties.clone());
    let message = DOMAIN.message(&bundle);
    let (alice, bob) = (Initiator::new(DOMAIN.alice.clone()), Initiator::new(DOMAIN.bob.clone()));
    let recovered = alice.recover(&message, now()).unwrap();
    assert_eq!((&recovered.key, recovered.csb_id), (bundle.key(), bundle.id()));
    assert_eq!(KeyProperties::decode(recovered.key_parameters.unwrap().expose()), Ok(properties));
    assert_eq!(bob.recover(&message, now()).unwrap_err(), Error::Rejected);
    let plain = DOMAIN.message(&generate(Profile::ts33180_pck()));
    assert_eq!(alice.recover(&plain, now()).unwrap_err(), Error::Refused(Refusal::Unsupported));
    let mut forged = message.clone();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(alice.recover(&forged, now()).unwrap_err(), Error::Rejected);
    assert_eq!(received(&bundle).properties, DOMAIN.extract(&message, anyone()).unwrap().properties);
}

#[test]
fn properties_travel_with_the_key_and_under_it() {
    let group = b"sip:group@example.org".to_vec();
    let properties = KeyProperties {
        activation: now().to_unix() + 60,
        expiry: now().to_unix() + 120,
        text: "für alle".as_bytes().to_vec(),
        groups: vec![group.clone()],
        ..KeyProperties::new(Purpose::GMK)
    };
    let bundle = generate(Profile::ts33180_gmk()).with_properties(properties.clone());
    let message = DOMAIN.message(&bundle);
    assert!(!message.windows(group.len()).any(|octets| octets == group));
    let received = DOMAIN.extract(&message, anyone()).unwrap();
    assert_eq!(received.properties, Some(properties));
    let is_in_use = |seconds| received.is_in_use_at(now().saturating_add(std::time::Duration::from_secs(seconds)));
    assert_eq!([0, 59, 60, 119, 120].map(is_in_use), [false, false, true, true, false]);
    // The IV is random.
    assert_ne!(extension(&message), extension(&DOMAIN.message(&bundle)));

    let unfit = KeyProperties { activation: 1 << 40, ..KeyProperties::new(Purpose::GMK) };
    let bundle = generate(Profile::ts33180_gmk()).with_properties(unfit);
    let distributed = Initiator::new(DOMAIN.alice.clone()).distribute(&bundle, &DOMAIN.to_bob(), now(), &mut SysRng);
    assert_eq!(distributed, Err(Error::Usage(UsageError::FieldLength)));
}

/// The data of the key parameters of a message.
fn extension(message: &[u8]) -> Vec<u8> {
    let data = |payload| match payload {
        Payload::GeneralExtension(extension) if extension.extension_type == ExtensionType::KEY_PARAMETERS => {
            Some(extension.data)
        }
        _ => None,
    };
    Message::decode(message).unwrap().payloads.into_iter().find_map(data).unwrap()
}

#[test]
fn damaged_properties_reject_the_message() {
    let bundle = generate(Profile::ts33180_pck()).with_properties(KeyProperties::new(Purpose::PCK));
    let data = extension(&DOMAIN.message(&bundle));
    let with_data = |change: &dyn Fn(&mut Vec<u8>)| {
        let message = DOMAIN.message(&bundle);
        let octets = DOMAIN.resigned(&message, |message| {
            for payload in &mut message.payloads {
                if let Payload::GeneralExtension(extension) = payload {
                    change(&mut extension.data);
                }
            }
        });
        DOMAIN.extract(&octets, anyone())
    };
    assert!(with_data(&|_| ()).is_ok());
    // Date and time, payload ID and sequence number count nothing, but they are authenticated.
    for octet in 0..data.len() {
        // The type octet before the ciphertext is outside of what is authenticated.
        let outcome = with_data(&|data| data[octet] ^= 1);
        assert_eq!(outcome.is_err(), octet != 32, "octet {octet}");
    }
    for length in 0..data.len() {
        assert!(with_data(&|data| data.truncate(length)).is_err(), "{length} octets");
    }
    // Content that declares no protection is an older form of the profile; this one is too short.
    assert_refused(with_data(&|data| *data = vec![1, 0, 0, 0, 1]), Refusal::KeyParameters);
}

#[test]
fn sessions_and_policies_are_stated_where_the_profile_has_them() {
    let policy = Profile::ts33180_gmk().default_srtp_policy(3).unwrap();
    assert_eq!((policy.policy, policy.params.len()), (3, 10));
    assert_eq!(Profile::ts33180_pck().default_srtp_policy(0).unwrap().params.len(), 6);
    assert_eq!(Profile::seal(Purpose::SPK).default_srtp_policy(0), None);
    let session = GenericId {
        cs_id: 4,
        prot_type: ProtType::SRTP,
        s: false,
        policies: vec![3],
        session_data: vec![],
        spi: vec![1, 2, 3, 4],
    };
    let map = CsIdMap::GenericId(vec![session]);
    let bundle = generate(Profile::ts33180_gmk().with_sessions(map.clone(), vec![policy.clone()]));
    let message = received(&bundle).message;
    assert_eq!(message.header.cs_id_map, map);
    assert!(message.payloads.contains(&Payload::Sp(policy)));
}
