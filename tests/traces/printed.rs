//! What is printed holds no secret.

use std::collections::BTreeSet;
use std::fmt::{self, Debug};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use mikey_sakke::documents::{
    Document, KeyContent, KmsKeyProv, KmsKeySet, KmsMessage, KmsRequest, KmsResponse, NewKeys, Tolerances,
};
use mikey_sakke::eccsi::{Ksak, SigningKey};
use mikey_sakke::hazmat;
use mikey_sakke::imessage::{Initiator, KeyBundle, Keyring, Policy, Profile, Purpose, Responder, SkId, SrtpKeys};
use mikey_sakke::km::record::Record;
use mikey_sakke::km::retrieval::ValKeyInfo;
use mikey_sakke::km::{Payload, Response};
use mikey_sakke::kms::{KeySet, UserKeys};
use mikey_sakke::mikey::envelope::EnvelopeKeys;
use mikey_sakke::mikey::payload::{Kemac, KeyData};
use mikey_sakke::mikey::prf::Prf;
use mikey_sakke::mikey::registry::{DataType, EncrAlg, MacAlg, PrfFunc};
use mikey_sakke::mikey::{CsIdMap, Header, Message, inspect};
use mikey_sakke::sakke::{MasterSecret, ReceiverKey};
use rand_core::{TryCryptoRng, TryRng};

use crate::fixture::{CSB_ID, Context, RAND, context, id, uri};
use crate::listed;

/// Pieces of secrets as somebody would print them.
struct Printable(BTreeSet<String>);

impl Printable {
    /// Octets of a piece.
    const PIECE: usize = 6;

    fn of(Context { given, fixture }: &Context) -> Self {
        let srtp = SrtpKeys::derive(Prf::HmacSha256, &fixture.ssv, 0, id(), &RAND).unwrap();
        let bob = fixture.kms.master_secret().extract(&fixture.bob_uid).unwrap();
        let mut pieces = BTreeSet::new();
        for secret in [
            given.z.as_slice(),
            &given.ksak,
            &given.ssv,
            &given.transport_key,
            &given.envelope_key,
            &given.key_data,
            given.payload.as_bytes(),
            fixture.alice_keys.rsk.expose(),
            bob.expose(),
            fixture.alice_keys.signing.ssk.expose(),
            srtp.master_key.expose(),
            srtp.master_salt.expose(),
        ] {
            let reversed: Vec<u8> = secret.iter().rev().copied().collect();
            for octets in [secret, &reversed] {
                octets.windows(Self::PIECE).for_each(|piece| pieces.extend(forms(piece)));
            }
        }
        Self(pieces)
    }

    /// The first piece that a text has, which may be spread over lines.
    fn found_in(&self, text: &str) -> Option<&str> {
        let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        self.0.iter().find(|piece| text.contains(piece.as_str())).map(String::as_str)
    }
}

/// Octets in hexadecimal, in base64, as lists, as a word, and as text where they are.
fn forms(octets: &[u8]) -> impl Iterator<Item = String> {
    let list = |print: fn(&u8) -> String| octets.iter().map(print).collect::<Vec<_>>().join(",");
    let word = octets.iter().fold(0_u64, |word, octet| word << 8 | u64::from(*octet));
    let mut forms = vec![
        list(u8::to_string),
        list(|octet| format!("{octet:x}")),
        list(|octet| format!("0x{octet:02x}")),
        STANDARD.encode(octets),
        URL_SAFE.encode(octets),
        format!("{word:012x}"),
        format!("{word:012X}"),
    ];
    forms
        .extend(std::str::from_utf8(octets).ok().filter(|text| !text.contains(char::is_whitespace)).map(str::to_owned));
    forms.into_iter()
}

/// Both ways of `Debug`.
fn printed(value: &dyn Debug) -> [String; 2] {
    [format!("{value:?}"), format!("{value:#?}")]
}

#[test]
fn what_is_printed_is_found() {
    let context = context(1);
    let printable = Printable::of(&context);
    let ssv = context.given.ssv;
    let texts = [
        format!("{ssv:?}"),
        format!("{ssv:#?}"),
        format!("{ssv:x?}"),
        ssv.iter().map(|octet| format!("{octet:02x}")).collect(),
        ssv.iter().map(|octet| format!("{octet:02X}")).collect(),
        format!("Ssv({})", STANDARD.encode(ssv)),
        format!("error in {:?}", context.given.payload),
    ];
    for text in texts {
        assert!(printable.found_in(&text).is_some(), "{text}");
    }
    assert_eq!(printable.found_in("KeySet { rsk: Secret, signing: [1, 2, 3, 4, 5, 6, 7, 8] }"), None);
}

#[test]
fn no_type_prints_a_secret() {
    let context = context(1);
    let printable = Printable::of(&context);
    let printed = printed_types(&context);
    for (name, texts) in &printed {
        for text in texts {
            assert_eq!(printable.found_in(text), None, "{name}: {text}");
            assert!(!text.is_empty(), "{name}");
        }
    }
    let names: BTreeSet<String> = printed.into_iter().map(|(name, _)| name.to_owned()).collect();
    let missing: Vec<_> = listed::holders_of_secrets().into_iter().filter(|name| !names.contains(name)).collect();
    assert!(missing.is_empty(), "not printed here: {missing:?}");
}

/// Every public type that holds a secret, by module and name, as it is printed.
fn printed_types(Context { given, fixture }: &Context) -> Vec<(&'static str, [String; 2])> {
    let kms = &fixture.kms;
    let mut responder = Responder::new(fixture.bob.clone(), Policy::default());
    responder.trust(kms.certificate().clone()).unwrap();
    let distributed = responder.extract(&fixture.i_message, fixture.now).unwrap();
    let bob = fixture.bob.receiver();
    let opened = hazmat::open_i_message(&fixture.i_message, &fixture.alice.signing().verifying_key(), bob).unwrap();
    let mut keyring = Keyring::default();
    keyring.insert(uri("sip:alice@example.org"), id(), fixture.bundle.clone());
    let srtp = SrtpKeys::derive(Prf::HmacSha256, &fixture.ssv, 0, id(), &RAND).unwrap();

    let provision = KmsKeyProv { key_sets: vec![fixture.key_set.clone()], new_keys: NewKeys::default() };
    let message = KmsMessage::KeyProv(provision.clone());
    let user = fixture.alice.user().clone();
    let request = KmsRequest::new(user, kms.certificate().kms_uri().clone(), fixture.now, "https://kms.test".into());
    let mut response = KmsResponse::to(&request, fixture.now);
    response.message = Some(message.clone());
    let document = Document::Response(Box::new(response.clone()));
    let wrapped = fixture.key_set.wrapped(&fixture.transport_key).unwrap();

    let key_data = || vec![fixture.key_data.clone()];
    let kemac = Kemac {
        encr_alg: EncrAlg::NULL,
        encr_data: KeyData::encode_all(&key_data()).unwrap().expose().clone(),
        mac_alg: MacAlg::NULL,
        mac: Vec::new(),
    };
    let header = Header {
        data_type: DataType::PRE_SHARED,
        v: false,
        prf_func: PrfFunc::MIKEY_1,
        csb_id: CSB_ID,
        cs_id_map: CsIdMap::EMPTY,
    };
    let payloads = vec![mikey_sakke::mikey::payload::Payload::Kemac(kemac.clone())];
    let mikey = Message { header, payloads, sign: None };
    let encoded = mikey.encode().unwrap();
    let inspected: Vec<_> = inspect(&encoded, Default::default()).parts.iter().flat_map(|part| part.fields()).collect();
    let key_info = ValKeyInfo::from_response(fixture.response.clone()).unwrap();

    vec![
        ("secret::Secret", printed(&fixture.ssv)),
        ("sakke::Ssv", printed(&fixture.ssv)),
        ("sakke::Rsk", printed(&fixture.alice_keys.rsk)),
        ("sakke::MasterSecret", printed(kms.master_secret())),
        ("sakke::ReceiverKey", printed(bob)),
        ("eccsi::Ksak", printed(kms.ksak())),
        ("eccsi::SigningPair", printed(&fixture.alice_keys.signing)),
        ("eccsi::SigningKey", printed(fixture.alice.signing())),
        ("kms::Kms", printed(kms)),
        ("kms::KeySet", printed(&fixture.alice_keys)),
        ("kms::UserKeys", printed(&fixture.alice)),
        ("imessage::KeyBundle", printed(&fixture.bundle)),
        ("imessage::Keyring", printed(&keyring)),
        ("imessage::Initiator", printed(&Initiator::new(fixture.alice.clone()))),
        ("imessage::Responder", printed(&responder)),
        ("imessage::DistributedKey", printed(&distributed)),
        ("imessage::Opened", printed(&opened)),
        ("imessage::SrtpKeys", printed(&srtp)),
        ("mikey::EnvelopeKeys", printed(&fixture.envelope)),
        ("mikey::KeyData", printed(&fixture.key_data)),
        ("mikey::Kemac", printed(&kemac)),
        ("mikey::Message", printed(&mikey)),
        ("mikey::Field", printed(&inspected)),
        ("documents::TransportKey", printed(&fixture.transport_key)),
        ("documents::KeyContent", printed(&KeyContent::Plain(fixture.alice_keys.rsk.clone()))),
        ("documents::KmsKeySet", printed(&[&fixture.key_set, &wrapped])),
        ("documents::KmsKeyProv", printed(&provision)),
        ("documents::KmsMessage", printed(&message)),
        ("documents::KmsResponse", printed(&response)),
        ("documents::Document", printed(&document)),
        ("km::Payload", printed(&Payload::new(&given.payload).unwrap())),
        ("km::Response", printed(&fixture.response)),
        ("km::Record", printed(&fixture.record)),
        ("km::ValKeyInfo", printed(&key_info)),
    ]
}

#[test]
fn no_error_prints_a_secret() {
    let context = context(1);
    let printable = Printable::of(&context);
    for (name, error) in errors(&context) {
        let error = error.unwrap_or_else(|| panic!("{name}: no error"));
        assert!(!error.is_empty(), "{name}");
        assert_eq!(printable.found_in(&error), None, "{name}: {error}");
    }
}

/// An error as it is printed, in all ways.
fn failed<T, E: std::error::Error>(result: Result<T, E>) -> Option<String> {
    result.err().map(|error| format!("{error:?} {error:#?} {error}"))
}

/// What operations say of secrets that are out of range, damaged, cut off, or not the right ones.
fn errors(Context { given, fixture }: &Context) -> Vec<(&'static str, Option<String>)> {
    let certificate = fixture.kms.certificate();
    let damaged = |octets: &[u8]| {
        let mut octets = octets.to_vec();
        *octets.last_mut().unwrap() ^= 1;
        octets
    };
    let too_large = |octets: &[u8]| [&[0xff; 4], &octets[4..]].concat();
    let rsk = fixture.alice_keys.rsk.expose();
    let import_rsk = |rsk: &[u8]| failed(ReceiverKey::import(certificate.public_key(), &fixture.alice_uid, rsk));
    let pair = &fixture.alice_keys.signing;
    let import_ssk = |ssk: &[u8]| failed(SigningKey::import(certificate.kpak(), &fixture.alice_uid, ssk, &pair.pvt));
    let key_set = KeySet { user: uri("sip:bob@example.org"), ..fixture.alice_keys.clone() };

    let xml = fixture.key_set.to_xml().unwrap();
    let read_xml = |xml: &str| failed(KmsKeySet::from_xml(xml.as_bytes(), Tolerances::default()));
    let wrapped = fixture.key_set.wrapped(&fixture.transport_key).unwrap();
    let other = mikey_sakke::documents::TransportKey::new(mikey_sakke::secret::Secret::new([1; 32]), None);

    let json = fixture.response.to_json();
    let record = fixture.record.to_json();
    let encoded = KeyData::encode_all(std::slice::from_ref(&fixture.key_data)).unwrap();
    let cut = |octets: &[u8]| octets[..octets.len() - 1].to_vec();
    let long = given.payload.repeat(2_000);
    vec![
        ("z too large", failed(MasterSecret::from_octets(&too_large(&given.z)))),
        ("z cut off", failed(MasterSecret::from_octets(&cut(&given.z)))),
        (
            "KSAK too large",
            failed(Ksak::from_octets(&too_large(&given.ksak).iter().map(|octet| octet | 0xf0).collect::<Vec<_>>())),
        ),
        ("KSAK cut off", failed(Ksak::from_octets(&cut(&given.ksak)))),
        ("RSK damaged", import_rsk(&damaged(rsk))),
        ("RSK cut off", import_rsk(&cut(rsk))),
        ("RSK of another", {
            let rsk = fixture.kms.master_secret().extract(&fixture.bob_uid).unwrap();
            import_rsk(rsk.expose())
        }),
        ("SSK damaged", import_ssk(&damaged(pair.ssk.expose()))),
        ("SSK cut off", import_ssk(&cut(pair.ssk.expose()))),
        ("key set of another", failed(UserKeys::import(certificate, &key_set))),
        ("SSV that fails TEST", failed(fixture.bob.receiver().decapsulate(&damaged(&fixture.encapsulated)))),
        ("SSV for another purpose", {
            let profile = Profile::seal(Purpose::GMK);
            failed(KeyBundle::new(profile, fixture.ssv.clone(), SkId::from_octets(CSB_ID), RAND))
        }),
        ("I_MESSAGE damaged", {
            let mut responder = Responder::new(fixture.bob.clone(), Policy::default());
            responder.trust(certificate.clone()).unwrap();
            failed(responder.extract(&damaged(&fixture.i_message), fixture.now))
        }),
        ("empty key derived from", failed(EnvelopeKeys::derive(Prf::Mikey1, &[], CSB_ID, &RAND, MacAlg::NULL))),
        ("keys of KEMAC cut off", failed(KeyData::decode_all(&cut(encoded.expose())))),
        (
            "keys of KEMAC under another algorithm",
            failed(fixture.envelope.decrypt(EncrAlg::AES_KW_128, 7, encoded.expose())),
        ),
        ("keys of KEMAC under another key", failed(fixture.envelope.decrypt(EncrAlg::AES_CM_128, 7, encoded.expose()))),
        ("keys wrapped under another key", failed(wrapped.import(certificate, Some(&other)))),
        ("keys wrapped, no key", failed(wrapped.import(certificate, None))),
        (
            "digits of a key that are none",
            read_xml(&xml.replacen(
                "UserDecryptKey xsi:type=\"KeyContentType\">0",
                "UserDecryptKey xsi:type=\"KeyContentType\">g",
                1,
            )),
        ),
        ("a key in an element of another name", read_xml(&xml.replace("UserDecryptKey", "UserDecryptKeys"))),
        ("a key that is longer", read_xml(&xml.replace("</UserSigningKeySSK>", "00</UserSigningKeySSK>"))),
        ("a document cut off", read_xml(&xml[..xml.len() - 30])),
        ("payload too long", failed(Payload::new(&long))),
        ("response cut off", failed(Response::from_json(&cut(json.as_bytes())))),
        (
            "payload with an escape that is none",
            failed(Response::from_json(json.replace(&given.payload, &format!("{}\\x", given.payload)).as_bytes())),
        ),
        ("record cut off", failed(Record::from_json(&cut(record.as_bytes())))),
        (
            "record with a payload twice",
            failed(Record::from_json(
                record.replacen('{', &format!("{{\"Payload\":\"{}\",", given.payload), 1).as_bytes(),
            )),
        ),
        (
            "response with an error and a payload",
            failed(Response::from_json(json.replacen('{', "{\"ErrorCode\":\"1\",", 1).as_bytes())),
        ),
        ("random source", failed(MasterSecret::generate(&mut Broken))),
        ("random source of a pair", failed(fixture.kms.ksak().issue(&fixture.alice_uid, &mut Broken))),
        ("random source of a signature", failed(fixture.alice.signing().sign(b"message", &mut Broken))),
    ]
}

/// A random source that fails.
struct Broken;

impl TryRng for Broken {
    type Error = fmt::Error;

    fn try_next_u32(&mut self) -> Result<u32, fmt::Error> {
        Err(fmt::Error)
    }

    fn try_next_u64(&mut self) -> Result<u64, fmt::Error> {
        Err(fmt::Error)
    }

    fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), fmt::Error> {
        Err(fmt::Error)
    }
}

impl TryCryptoRng for Broken {}
