//! Messages of the other modes, and payloads that MIKEY-SAKKE has no use for.

use mikey_sakke::mikey::envelope::EnvelopeKeys;
use mikey_sakke::mikey::error_message::ErrorMessage;
use mikey_sakke::mikey::payload::{
    Cert, Chash, Dh, Extension, Id, Kemac, KeyData, KeyId, KeyValidity, Payload, Pke, Rand, Randr, Sign, Sp, Tr, Ts, V,
};
use mikey_sakke::mikey::prf::Prf;
use mikey_sakke::mikey::registry::{
    CertType, DataType, DhGroup, EncrAlg, ErrorNo, HashFunc, IdType, KeyDataType, KeyIdType, MacAlg, PrfFunc, RandRole,
    SType, SrtpParam, TsRole,
};
use mikey_sakke::mikey::{CsIdMap, Header, Message, SrtpId};
use mikey_sakke::secret::Secret;

use crate::assert_dissected;

const CSB_ID: [u8; 4] = [0xaa, 0xbb, 0xcc, 0xdd];
const T: u64 = 0xec89_8da8_8000_0000;
const RAND: [u8; 16] = *b"sixteen octets!!";

fn message(data_type: DataType, payloads: Vec<Payload>, signature: Option<(SType, usize)>) -> Message {
    let payloads = [Payload::T(Ts::NtpUtc(T))].into_iter().chain(payloads).collect();
    Message {
        header: Header {
            data_type,
            v: true,
            prf_func: PrfFunc::MIKEY_1,
            csb_id: CSB_ID,
            cs_id_map: CsIdMap::SrtpId(vec![SrtpId { policy: 0, ssrc: 7, roc: 8 }]),
        },
        payloads,
        sign: signature.map(|(s_type, length)| Sign { s_type, signature: vec![0x99; length] }),
    }
}

fn octets(data_type: DataType, payloads: Vec<Payload>, signature: Option<(SType, usize)>) -> Vec<u8> {
    message(data_type, payloads, signature).encode().unwrap()
}

fn rand() -> Payload {
    Payload::Rand(Rand(RAND.to_vec()))
}

fn id(id_type: IdType, data: &str) -> Payload {
    Payload::Id(Id { id_type, data: data.as_bytes().to_vec() })
}

fn key(validity: KeyValidity) -> KeyData {
    let (key_type, salt) = match validity {
        KeyValidity::Null => (KeyDataType::TGK, None),
        _ => (KeyDataType::TEK_SALT, Some(Secret::new(vec![0xbb; 14]))),
    };
    KeyData { key_type, key: Secret::new(vec![0xaa; 16]), salt, validity }
}

/// A message with a pre-shared key, its KEMAC authenticated by HMAC-SHA-1.
fn pre_shared(encr_alg: EncrAlg, validity: KeyValidity) -> Vec<u8> {
    let mac_alg = MacAlg::HMAC_SHA_1_160;
    let keys = EnvelopeKeys::derive(Prf::Mikey1, b"a pre-shared key", CSB_ID, &RAND, mac_alg).unwrap();
    let encr_data = keys.encrypt(encr_alg, T, &[key(validity)]).unwrap();
    let kemac = Payload::Kemac(Kemac { encr_alg, encr_data, mac_alg, mac: vec![0; 20] });
    let policy = Payload::Sp(Sp::srtp(0, &[(SrtpParam::ENCRYPTION, 1), (SrtpParam::ENCRYPTION_KEY_LENGTH, 16)]));
    let named = [id(IdType::NAI, "alice@example.org"), id(IdType::URI, "sip:bob@example.org")];
    let payloads = [rand()].into_iter().chain(named).chain([policy, kemac]).collect();
    keys.seal(&message(DataType::PRE_SHARED, payloads, None), &[]).unwrap()
}

#[test]
fn pre_shared_keys() {
    let interval = KeyValidity::Interval { from: vec![0, 1], to: vec![2, 3, 4] };
    assert_dissected(&[
        ("a TGK in clear", pre_shared(EncrAlg::NULL, KeyValidity::Null)),
        ("a TEK with salt and MKI", pre_shared(EncrAlg::NULL, KeyValidity::Spi(vec![1, 2, 3, 4]))),
        ("a TEK with salt and interval", pre_shared(EncrAlg::NULL, interval)),
        ("an encrypted key", pre_shared(EncrAlg::AES_CM_128, KeyValidity::Null)),
    ]);
}

#[test]
fn signatures_with_certificates() {
    let certificate = |cert_type, data: &[u8]| Payload::Cert(Cert { cert_type, data: data.to_vec() });
    let der = certificate(CertType::X509V3, include_bytes!("certificate.der"));
    let url = certificate(CertType::X509V3_URL, b"https://example.org/alice.der");
    let alice = || id(IdType::NAI, "alice@example.org");
    let kemac = Payload::Kemac(Kemac {
        encr_alg: EncrAlg::AES_CM_128,
        encr_data: vec![0x55; 45],
        mac_alg: MacAlg::HMAC_SHA_1_160,
        mac: vec![0x77; 20],
    });
    let pke = Payload::Pke(Pke { c: 1, data: vec![0x33; 128] });
    let dh = |group: DhGroup| {
        let value = vec![0x44; group.octets().unwrap()];
        Payload::Dh(Dh { group, value, reserved: 0, validity: KeyValidity::Null })
    };
    let public_key = vec![rand(), alice(), der, kemac, pke];
    let group_5 = vec![rand(), alice(), url, dh(DhGroup::OAKLEY_5)];
    let group_2 = vec![rand(), dh(DhGroup::OAKLEY_2)];
    assert_dissected(&[
        ("public key", octets(DataType::PUBLIC_KEY, public_key, Some((SType::RSA_PKCS1, 128)))),
        ("Diffie-Hellman", octets(DataType::DH_INIT, group_5, Some((SType::RSA_PSS, 256)))),
        ("its response", octets(DataType::DH_RESP, group_2, Some((SType::RSA_PKCS1, 4_095)))),
    ]);
}

#[test]
fn errors() {
    let message = ErrorMessage {
        csb_id: CSB_ID,
        ts: Ts::NtpUtc(T),
        errors: (0..=15).map(ErrorNo).collect(),
        policies: vec![Sp::srtp(2, &[(SrtpParam::ENCRYPTION, 6)])],
    };
    let mut verified = message.to_message();
    let v = V { auth_alg: MacAlg::HMAC_SHA_1_160, ver_data: vec![0x66; 20] };
    verified.payloads.push(Payload::V(v));
    assert_dissected(&[
        ("Error", message.to_message().encode().unwrap()),
        ("Error with V", verified.encode().unwrap()),
    ]);
}

#[test]
fn extensions_and_verification() {
    let key_id = |key_id_type, key_id: &[u8]| KeyId { key_id_type, key_id: key_id.to_vec() };
    let extensions = [
        Extension::VendorId(b"example".to_vec()),
        Extension::SdpIds(vec!["mikey".into(), "kerberos".into()]),
        Extension::KeyIds(vec![key_id(KeyIdType::KEY_DOMAIN, &[0, 1, 2]), key_id(KeyIdType::MSK, &[0, 0, 0, 7])]),
        Extension::CsbId(vec![1, 2, 3, 4]),
    ];
    let extensions = extensions.iter().map(|extension| Payload::GeneralExtension(extension.to_payload().unwrap()));
    let v = |auth_alg: MacAlg| Payload::V(V { auth_alg, ver_data: vec![0x66; auth_alg.octets().unwrap()] });
    let with = |data_type, payloads| octets(data_type, payloads, None);
    let all = extensions.chain([id(IdType::URI, "sip:bob@example.org"), v(MacAlg::HMAC_SHA_1_160)]).collect();
    // Where Wireshark stops: at payloads without a dissector, and at a MAC of an algorithm that it does not know.
    let chash = Payload::Chash(Chash { hash_func: HashFunc::SHA_256, hash: vec![0x22; 32] });
    let randr = Payload::Randr(Randr { role: RandRole::RESPONDER, rand: RAND.to_vec() });
    let tr = Payload::Tr(Tr { role: TsRole::ISSUE, ts: Ts::NtpUtc(T) });
    assert_dissected(&[
        ("four extensions", with(DataType::PSK_VER_MSG, all)),
        ("HMAC-SHA-256", with(DataType::PSK_VER_MSG, vec![v(MacAlg::HMAC_SHA_256_256)])),
        ("CHASH", with(DataType::PK_VER_MSG, vec![rand(), chash])),
        ("RANDR", with(DataType::TRANSFER_RESP, vec![rand(), randr])),
        ("TR", with(DataType::REQUEST_RESP, vec![tr])),
    ]);
}
