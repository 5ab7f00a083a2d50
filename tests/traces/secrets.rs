//! The secrets of the fixture, and those that the operations compute from them on their way.

use std::collections::BTreeSet;

use mikey_sakke::eccsi::Ksak;
use mikey_sakke::hazmat;
use mikey_sakke::imessage::{KeyBundle, Profile, Purpose, SrtpKeys};
use mikey_sakke::mikey::prf::{self, EnvelopeUse, Prf};
use mikey_sakke::sakke::{EncapsulationKey, MasterSecret, ReceiverKey};

use crate::fixture::{CSB_ID, Context, MESSAGE, RAND, id, rng, source};
use crate::heap;
use crate::oracle::eccsi::{P256, hs};
use crate::oracle::sakke::SET_1;
use crate::oracle::{from_octets, sha256};
use crate::sought::Sought;

/// All of them, in all their forms.
pub(crate) fn of(context: &Context) -> Sought {
    let mut sought = Sought::default();
    sakke(context, &mut sought);
    eccsi(context, &mut sought);
    keys(context, &mut sought);
    sought
}

fn sakke(Context { given, fixture }: &Context, sought: &mut Sought) {
    let (p, q) = (&SET_1.curve.field.prime, &SET_1.q);
    let z = from_octets(&given.z);
    sought.integer("z", &z, q, 1024);
    sought.integer(
        "a drawn z",
        &from_octets(MasterSecret::generate(&mut source(1)).unwrap().to_octets().expose()),
        q,
        1024,
    );
    for uid in [&fixture.alice_uid, &fixture.bob_uid] {
        let sum = (from_octets(uid.as_octets()) + &z) % q;
        sought.integer("a + z", &sum, q, 1024);
        sought.integer("the inverse of a + z", &sum.modinv(q).unwrap(), q, 1024);
        let rsk = fixture.kms.master_secret().extract(uid).unwrap();
        sought.integer("x of an RSK", &from_octets(&rsk.expose()[1..129]), p, 1024);
        sought.integer("y of an RSK", &from_octets(&rsk.expose()[129..]), p, 1024);
        let encapsulation =
            hazmat::sakke_encapsulate(fixture.kms.certificate().public_key(), uid, &fixture.ssv).unwrap();
        let r = from_octets(&encapsulation.r);
        sought.integer("rb", &(&r * from_octets(uid.as_octets()) % q), q, 1024);
        sought.integer("r", &r, q, 1024);
        sought.integer("g^r", &from_octets(&encapsulation.g_to_the_r), p, 1024);
    }
}

fn eccsi(Context { given, fixture }: &Context, sought: &mut Sought) {
    let q = &P256.q;
    let ksak = from_octets(&given.ksak);
    sought.integer("KSAK", &ksak, q, 256);
    sought.integer("a drawn KSAK", &from_octets(Ksak::generate(&mut source(2)).unwrap().to_octets().expose()), q, 256);
    let kpak = fixture.kms.certificate().kpak().to_octets();
    let of_pair = |pair: &mikey_sakke::eccsi::SigningPair, uid: &[u8], sought: &mut Sought| {
        let ssk = from_octets(pair.ssk.expose());
        let hs = from_octets(&hs(&kpak, uid, &pair.pvt).unwrap());
        // SSK = KSAK + HS v
        let v = (&ssk + q - &ksak) * hs.modinv(q).unwrap() % q;
        sought.integer("SSK", &ssk, q, 256);
        sought.integer("v", &v, q, 256);
    };
    of_pair(&fixture.alice_keys.signing, fixture.alice_uid.as_octets(), sought);
    for user in [&fixture.alice, &fixture.bob] {
        let uid = fixture.kms.certificate().uid(user.user(), user.period()).unwrap();
        let pair = fixture.kms.ksak().issue(&uid, &mut rng()).unwrap();
        of_pair(&pair, uid.as_octets(), sought);
    }
    let pair = &fixture.alice_keys.signing;
    let signature = fixture.alice.signing().sign(MESSAGE, &mut rng()).unwrap();
    let (r, s) = (&signature.as_octets()[..32], from_octets(&signature.as_octets()[32..64]));
    let hs = hs(&kpak, fixture.alice_uid.as_octets(), &pair.pvt).unwrap();
    let he = from_octets(&sha256(&[&hs, r, MESSAGE]));
    // s = j / (HE + r SSK)
    let denominator = (he + from_octets(r) * from_octets(pair.ssk.expose())) % q;
    sought.integer("HE + r SSK", &denominator, q, 256);
    sought.integer("the inverse of HE + r SSK", &denominator.modinv(q).unwrap(), q, 256);
    sought.integer("j", &(s * denominator % q), q, 256);
}

fn keys(Context { given, fixture }: &Context, sought: &mut Sought) {
    sought.octets("an SSV", &given.ssv);
    sought.octets("a transport key", &given.transport_key);
    sought.octets("an envelope key", &given.envelope_key);
    sought.octets("a key in KEMAC", &given.key_data);
    sought.text("a payload", &given.payload);
    let drawn = KeyBundle::generate(Profile::seal(Purpose::MSCCK), &mut source(3)).unwrap();
    sought.octets("a drawn SSV", drawn.key().expose());
    let srtp = SrtpKeys::derive(Prf::HmacSha256, &fixture.ssv, 0, id(), &RAND).unwrap();
    sought.octets("a master key of SRTP", srtp.master_key.expose());
    sought.octets("a master salt of SRTP", srtp.master_salt.expose());
    for prf in [Prf::Mikey1, Prf::HmacSha256] {
        for (key_use, length) in [(EnvelopeUse::Encr, 16), (EnvelopeUse::Auth, 32), (EnvelopeUse::Salt, 14)] {
            let mut key = vec![0; length];
            prf::derive_from_envelope(prf, &given.envelope_key, key_use, CSB_ID, &RAND, &mut key).unwrap();
            sought.octets("a key from an envelope key", &key);
        }
    }
}

/// The words of an RSK and of what is prepared from it, as the backend in use has them in memory: those that its memory
/// has, and that of another RSK has not, nor that of public keys.
pub(crate) fn of_prepared(context: &Context, other: &Context) -> (ReceiverKey, BTreeSet<u64>) {
    let prepared = |Context { fixture, .. }: &Context| {
        let public_key = fixture.kms.certificate().public_key();
        heap::words_of(|| {
            let key = ReceiverKey::import(public_key, &fixture.alice_uid, fixture.alice_keys.rsk.expose()).unwrap();
            key.prepare();
            key
        })
    };
    let public = heap::words_of(|| {
        let Context { fixture, .. } = context;
        let key = EncapsulationKey::new(fixture.kms.certificate().public_key(), &fixture.alice_uid).unwrap();
        key.encapsulate(&fixture.ssv).unwrap();
        key
    });
    let (key, words) = prepared(context);
    let (_, others) = prepared(other);
    (key, words.into_iter().filter(|word| !others.contains(word) && !public.1.contains(word)).collect())
}
