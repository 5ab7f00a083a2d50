//! R35, R36 and R38: whom a key comes from, whom it goes to, and what it is called.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use getrandom::SysRng;
use mikey_sakke::identity::KeyPeriod;
use mikey_sakke::imessage::{Initiator, KeyBundle, Profile, Purpose, Recipient, SkId};
use mikey_sakke::km::domain::{Domain, DomainCertificate, Periods};
use mikey_sakke::kms::{Kms, UserKeys};
use mikey_sakke::mikey::registry::IdRole;
use mikey_sakke::sakke::Ssv;
use mikey_sakke::time::Timestamp;
use rcgen::KeyPair;
use serde_json::Value;
use tempfile::TempDir;

use crate::ends::{EXCHANGE, KMS, Run, SAKKE, Sent, Skms, identity, idr_of, parts, payload, period_now, sakke_of};
use crate::site::{ALICE, GROUPS, VAL, claims, client_params};
use crate::support::with;
use crate::world::{BOB, CAROL, uri};

const MANAGER: &str = "sip:groups@example.org";
/// Another group manager: the URI in its certificate, and the client of its token.
const OTHERS: (&str, &str) = ("https://others.example.org", "other-manager");

/// Why a key for a group is refused that is not from its manager.
const NOT_FROM_THE_MANAGER: &str = "no keys are accepted from this initiator";

/// An SGM-S, by the URI in its certificate and the client of its token.
struct Manager {
    directory: TempDir,
}

impl Manager {
    fn new(skms: &Skms, (san, client_id): (&str, &str)) -> Self {
        let manager = Self { directory: TempDir::new().unwrap() };
        let key = KeyPair::generate().unwrap();
        let certificate = client_params(san).signed_by(&key, &skms.site.authority).unwrap();
        let claims = with(claims(client_id, "seal:key-management"), "val_user_id", Value::Null);
        let token = skms.site.sign(&with(claims, "val_service_ids", Value::Null));
        for (name, text) in [
            ("cert.pem", certificate.pem()),
            ("key.pem", key.serialize_pem()),
            ("token", token),
            ("members", format!("{ALICE}\n{BOB}\n")),
        ] {
            fs::write(manager.path(name), text).unwrap();
        }
        manager
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Distributes a key for a group to Alice and Bob, in the name of the manager of the domain.
    fn distribute(&self, skms: &Skms) -> Run {
        let file = |name: &str| skms.site.path(name).to_str().unwrap().to_owned();
        let mut command = Command::new(env!("CARGO_BIN_EXE_skms"));
        command.current_dir(self.directory.path()).args(["group", "distribute", "--server", &skms.url("seal_x1")]);
        command.args(["--root", &file("ca.pem"), "--seal-key", &file("seal.key")]);
        command.args(["--cert", "cert.pem", "--key", "key.pem", "--token-file", "token", "--members", "members"]);
        command.args([
            "--manager",
            MANAGER,
            "--group",
            "sip:fleet@example.org",
            "--out",
            "messages",
            "--state",
            "state",
        ]);
        Run::of(&mut command)
    }

    /// The messages in the order of the members.
    fn messages(&self) -> Vec<Vec<u8>> {
        let entries = fs::read_dir(self.path("messages")).into_iter().flatten();
        let paths: BTreeSet<PathBuf> =
            entries.map(|entry| entry.unwrap().path()).filter(|path| is_message(path)).collect();
        paths.into_iter().map(|path| fs::read(path).unwrap()).collect()
    }
}

fn is_message(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "mikey")
}

/// R35: keys of groups come from a group management server that the key management server has authorised and provided
/// with its keys; keys of two users from the UE that sets their communication up.
#[test]
fn r35_the_key_of_a_group_comes_from_its_manager() {
    let skms = Skms::shared();
    let manager = Manager::new(&skms, GROUPS);
    let run = manager.distribute(&skms);
    assert!(run.code == Some(0) && run.out.contains("2 of 2 members have it"), "{run:?}");
    let messages = manager.messages();
    let [alice, bob] = [(ALICE, &messages[0]), (BOB, &messages[1])].map(|(user, message)| {
        assert_eq!((identity(message, 1), identity(message, 2)), (MANAGER, user));
        let (key, said) = skms.ue(user).receive(message).unwrap();
        assert!(said.contains("of purpose 0") && said.contains(MANAGER), "{said}");
        key
    });
    assert_eq!(parts(&alice), parts(&bob));
}

#[test]
fn r35_the_key_of_a_group_from_somebody_else_is_refused() {
    let skms = Skms::shared();
    let Sent { message, .. } = skms.ue(ALICE).send(BOB, 0);
    let error = skms.ue(BOB).receive(&message).unwrap_err();
    assert!(error.contains(NOT_FROM_THE_MANAGER), "{error}");
}

/// Another KMS that is trusted can issue keys for every URI, that of the manager as well.
#[test]
fn r35_the_key_of_a_group_from_a_namesake_of_the_manager_is_refused() {
    let skms = Skms::new();
    let other = Kms::generate(uri("kms.example.net"), KMS.certificate().uid_format(), &mut SysRng).unwrap();
    let certificate = DomainCertificate::new(other.certificate(), Periods { from: 0, to: None }, None).unwrap();
    let document = Domain::new(uri("sip:skms.example.net"), vec![certificate]).unwrap().to_json();
    skms.site.write("other.json", &document);
    let file = skms.site.path("other.json");
    skms.operate(&["certs", "import", file.to_str().unwrap(), "--role", "external", "--origin", "a test"]);

    let at = Timestamp::now().unwrap();
    let keys = other.issue(&uri(MANAGER), KeyPeriod::Number(period_now()), &mut SysRng).unwrap();
    let keys = UserKeys::import(other.certificate(), &keys).unwrap();
    let recipient = Recipient { user: uri(BOB), certificate: KMS.certificate().clone() };
    let message = |purpose| {
        let bundle = KeyBundle::generate(Profile::seal(Purpose::new(purpose).unwrap()), &mut SysRng).unwrap();
        Initiator::new(keys.clone().into()).distribute(&bundle, &recipient, at, &mut SysRng).unwrap()
    };
    let bob = skms.ue(BOB);
    let error = bob.receive(&message(0)).unwrap_err();
    assert!(error.contains(NOT_FROM_THE_MANAGER), "{error}");
    let (_, said) = bob.receive(&message(1)).unwrap();
    assert!(said.contains("from sip:groups@example.org of kms.example.net"), "{said}");
}

#[test]
fn r35_a_key_is_refused_by_its_purpose_after_the_signature_and_before_decapsulation() {
    let skms = Skms::shared();
    let bob = skms.ue(BOB);
    // What is encapsulated is nothing: decapsulation would say that a check failed.
    let mut message = EXCHANGE.forged(&EXCHANGE.alice, |message| {
        message.header.csb_id[0] &= 0x0f;
        *sakke_of(message).data.last_mut().unwrap() ^= 1;
    });
    let error = bob.receive(&message).unwrap_err();
    assert!(error.contains(NOT_FROM_THE_MANAGER), "{error}");
    *message.last_mut().unwrap() ^= 1;
    let error = bob.receive(&message).unwrap_err();
    assert!(error.contains("a cryptographic check failed"), "{error}");
}

#[test]
fn r35_who_is_not_the_manager_gets_no_keys_of_his() {
    let skms = Skms::shared();
    for other in [OTHERS, VAL] {
        let manager = Manager::new(&skms, other);
        let run = manager.distribute(&skms);
        assert!(run.code == Some(1) && run.out.is_empty(), "{run:?}");
        assert!(manager.messages().is_empty() && !manager.path("state").exists());
    }
    let ue = skms.ue(MANAGER);
    ue.skmc(&["keys", "--user", MANAGER, "--out", "keys.json"]).fails(1, "error 04");
    assert!(!ue.path("keys.json").exists());
}

#[test]
fn r35_each_pair_has_a_key_of_its_own() {
    let skms = Skms::shared();
    let alice = skms.ue(ALICE);
    let sent = [BOB, CAROL, BOB].map(|user| alice.send(user, 1).bundle);
    let keys: BTreeSet<_> = sent.iter().map(|bundle| parts(bundle).0).collect();
    assert_eq!(keys.len(), 3);
    let ids: BTreeSet<_> = sent.iter().map(|bundle| parts(bundle).1).collect();
    assert_eq!(ids.len(), 3);
}

/// R36: the key goes from initiator to receiver, encrypted to the receiver and signed by the initiator.
#[test]
fn r36_the_key_goes_from_initiator_to_receiver() {
    let skms = Skms::shared();
    let Sent { message, bundle } = skms.ue(BOB).send(CAROL, 2);
    assert_eq!((identity(&message, 1), identity(&message, 2)), (BOB, CAROL));
    let (received, said) = skms.ue(CAROL).receive(&message).unwrap();
    assert_eq!(parts(&received), parts(&bundle));
    assert!(said.contains(BOB), "{said}");
}

#[test]
fn r36_a_third_user_cannot_open_it() {
    let skms = Skms::shared();
    let (exchange, carol) = (&*EXCHANGE, skms.ue(CAROL));
    let error = carol.receive(&skms.ue(ALICE).send(BOB, 1).message).unwrap_err();
    assert!(error.contains("the message is for another responder"), "{error}");
    // Her own name in it does not help her, whoever has put it there, nor does her key alone.
    let to_carol = |signer| exchange.forged(signer, |message| idr_of(message, IdRole::RESPONDER).data = CAROL.into());
    for signer in [&exchange.alice, &exchange.carol] {
        let error = carol.receive(&to_carol(signer)).unwrap_err();
        assert!(error.contains("a cryptographic check failed"), "{error}");
    }
    let encapsulated = &payload(&exchange.message, SAKKE)[4..];
    assert!(exchange.carol.receiver().decapsulate(encapsulated).is_err());
    assert_eq!(exchange.bob.receiver().decapsulate(encapsulated).unwrap(), *exchange.sent.key());
}

/// R38: SK-ID has 32 bits, made by the initiator with the key: 4 for the purpose, 28 at random.
#[test]
fn r38_sk_id_is_a_purpose_and_28_random_bits() {
    let skms = Skms::shared();
    let (alice, bob) = (skms.ue(ALICE), skms.ue(BOB));
    for purpose in [1, 2, 15] {
        let Sent { message, bundle } = alice.send(BOB, purpose);
        assert_eq!(message[4] >> 4, purpose);
        assert_eq!(message[4..8], bundle.id().to_octets());
        let (received, said) = bob.receive(&message).unwrap();
        assert_eq!(received.id(), bundle.id());
        assert!(said.contains(&format!("key {} of purpose {purpose}", bundle.id())), "{said}");
    }
    // Of the identifiers of 64 keys, made as the SKM-C does, each bit is now this and now that.
    let profile = Profile::seal(Purpose::new(5).unwrap());
    let ids =
        [(); 64].map(|()| u32::from_be_bytes(parts(&KeyBundle::generate(profile.clone(), &mut SysRng).unwrap()).1));
    let (ones, zeros) = ids.iter().fold((0, 0), |(ones, zeros), id| (ones | id, zeros | !id));
    assert_eq!((ones, zeros), (0x5fff_ffff, 0xafff_ffff));
    assert_eq!(BTreeSet::from(ids).len(), 64);
}

#[test]
fn r38_a_purpose_that_sk_id_cannot_have_is_refused() {
    let skms = Skms::shared();
    let alice = skms.ue(ALICE);
    alice.skmc(&["send", "--user", ALICE, "--to", BOB, "--purpose", "16", "--out", "message"]).fails(2, "--purpose");
    assert!(!alice.path("message").exists());
    assert!(Purpose::new(15).is_ok() && Purpose::new(16).is_err());
    // An SK-ID of another purpose than that of the key.
    let of_purpose = |purpose: u8| {
        let id = SkId::from_octets([purpose << 4, 1, 2, 3]);
        KeyBundle::new(Profile::seal(Purpose::PCK), Ssv::new([7; 16]), id, [9; 16])
    };
    assert!(of_purpose(1).is_ok() && of_purpose(2).is_err());
}
