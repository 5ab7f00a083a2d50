//! Where the fuzz targets start from: the messages of the test vectors, and one message of every other kind.

use std::fs;
use std::path::Path;

use mikey_sakke::mikey::payload::{
    Cert, Chash, Dh, ErrorReport, Extension, Id, Kemac, KeyData, KeyId, KeyParameters, KeyValidity, Payload, Pke, Rand,
    Randr, Rest, Sakke, Sign, Sp, Tr, Ts, V,
};
use mikey_sakke::mikey::registry::{
    CertType, CsIdMapType, DataType, DhGroup, EncrAlg, ErrorNo, HashFunc, IdScheme, IdType, KeyDataType, KeyIdType,
    MacAlg, PayloadType, PrfFunc, RandRole, SType, SakkeParams, SrtpParam, TsRole,
};
use mikey_sakke::mikey::sdp::to_attribute;
use mikey_sakke::mikey::{CsIdMap, Header, Message, SrtpId, Tolerance, Tolerances, inspect};
use mikey_sakke::secret::Secret;

use crate::common::{rand, recorded, sakke, signed, sp, t, unhex};

fn message(data_type: DataType, payloads: Vec<Payload>, sign: Option<Sign>) -> Message {
    let session = SrtpId { policy: 0, ssrc: 0x1234_5678, roc: 0 };
    let header = Header {
        data_type,
        v: true,
        prf_func: PrfFunc::MIKEY_1,
        csb_id: [1, 2, 3, 4],
        cs_id_map: CsIdMap::SrtpId(vec![session]),
    };
    Message { header, payloads, sign }
}

fn keys() -> Secret<Vec<u8>> {
    let key = |key_type, salt: Option<Vec<u8>>, validity| KeyData {
        key_type,
        key: Secret::new(vec![0xaa; 16]),
        salt: salt.map(Secret::new),
        validity,
    };
    let keys = [
        key(KeyDataType::TGK_SALT, Some(vec![0xbb; 14]), KeyValidity::Spi(vec![1, 2, 3, 4])),
        key(KeyDataType::TEK, None, KeyValidity::Interval { from: vec![0; 6], to: vec![0xff; 6] }),
    ];
    KeyData::encode_all(&keys).unwrap()
}

/// Messages of the modes and with the payloads that the test vectors do not have.
fn others() -> Vec<Message> {
    let identity = || Payload::Id(Id { id_type: IdType::URI, data: b"sip:user@example.org".to_vec() });
    let policy = || Payload::Sp(Sp::srtp(0, &[(SrtpParam::ENCRYPTION, 1), (SrtpParam::AUTHENTICATION, 1)]));
    let kemac = |encr_alg| {
        let (mac_alg, mac) = (MacAlg::HMAC_SHA_1_160, vec![0xcc; 20]);
        Payload::Kemac(Kemac { encr_alg, encr_data: keys().expose().clone(), mac_alg, mac })
    };
    let rsa = || Some(Sign { s_type: SType::RSA_PKCS1, signature: vec![9; 256] });
    let cert = || Payload::Cert(Cert { cert_type: CertType::X509V3_SIGN, data: vec![0x30, 0x80, 0, 0] });
    let chash = || Payload::Chash(Chash { hash_func: HashFunc::SHA_1, hash: vec![0x77; 20] });
    let extension = |extension: Extension| Payload::GeneralExtension(extension.to_payload().unwrap());
    let rest = Rest { payload_type: PayloadType::TICKET, next_payload: PayloadType::V, octets: vec![1, 2, 3] };
    let sakke_to_self = Sakke { params: SakkeParams::SET_1, id_scheme: IdScheme::UID_3GPP, data: vec![4; 273] };
    let extensions = vec![
        t(),
        rand(16),
        extension(Extension::VendorId(b"vendor".to_vec())),
        extension(Extension::SdpIds(vec!["mikey".into(), "keyp1".into()])),
        extension(Extension::KeyIds(vec![KeyId { key_id_type: KeyIdType::MSK, key_id: vec![1, 2] }])),
        extension(Extension::CsbId(vec![1, 2, 3, 4])),
        extension(Extension::SakkeToSelf(sakke_to_self)),
        extension(Extension::KeyParameters(KeyParameters::Plain(vec![0; 18]))),
        sakke(),
    ];
    let mapped = |cs_id_map| {
        let message = signed(vec![t(), rand(8), sp(0), sakke()]);
        Message { header: Header { cs_id_map, ..message.header }, ..message }
    };
    vec![
        message(DataType::PRE_SHARED, vec![t(), rand(16), identity(), policy(), kemac(EncrAlg::NULL)], None),
        message(
            DataType::PSK_VER_MSG,
            vec![t(), Payload::V(V { auth_alg: MacAlg::HMAC_SHA_256_256, ver_data: vec![0xdd; 32] })],
            None,
        ),
        message(
            DataType::PUBLIC_KEY,
            vec![
                t(),
                rand(16),
                identity(),
                cert(),
                policy(),
                kemac(EncrAlg::AES_CM_128),
                chash(),
                Payload::Pke(Pke { c: 1, data: vec![0xee; 256] }),
            ],
            rsa(),
        ),
        message(
            DataType::DH_INIT,
            vec![
                Payload::T(Ts::Counter(1)),
                rand(16),
                identity(),
                policy(),
                Payload::Dh(Dh {
                    group: DhGroup::OAKLEY_1,
                    value: vec![0x55; 96],
                    reserved: 0,
                    validity: KeyValidity::Spi(vec![1, 2]),
                }),
            ],
            rsa(),
        ),
        message(
            DataType::ERROR,
            vec![t(), Payload::Err(ErrorReport { error_no: ErrorNo::INVALID_SP, reserved: 0 }), policy()],
            None,
        ),
        message(
            DataType::REQUEST_RESP,
            vec![
                Payload::Tr(Tr { role: TsRole::ISSUE, ts: Ts::NtpUtc32(7) }),
                Payload::Randr(Randr { role: RandRole::KMS, rand: vec![8; 16] }),
                Payload::Rest(rest),
            ],
            None,
        ),
        Message {
            header: Header { cs_id_map: CsIdMap::GenericId(vec![]), ..signed(vec![]).header },
            ..signed(extensions)
        },
        mapped(CsIdMap::Empty(0)),
        mapped(CsIdMap::GenericId(vec![])),
        mapped(CsIdMap::Missing { map_type: CsIdMapType::SRTP_ID, count: 2 }),
        signed(vec![Payload::T(Ts::Ntp(1)), Payload::Rand(Rand(vec![1; 16])), sakke(), sp(1), sp(2)]),
    ]
}

/// The messages of the test vectors, wherever they stand, with the names of their files.
fn vectors() -> Vec<(String, Vec<u8>)> {
    fn messages(value: &serde_json::Value, found: &mut Vec<Vec<u8>>) {
        match value {
            serde_json::Value::Object(members) => members.iter().for_each(|(name, value)| match value.as_str() {
                Some(hex) if name == "message" && hex.starts_with("011a") => found.push(unhex(hex)),
                _ => messages(value, found),
            }),
            serde_json::Value::Array(values) => values.iter().for_each(|value| messages(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/test-vectors")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let json = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            let mut octets = Vec::new();
            messages(&json, &mut octets);
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            found.extend(octets.into_iter().enumerate().map(|(number, octets)| (format!("{name}-{number}"), octets)));
        }
    }
    found
}

const BUILT: &str = "built-";

fn all() -> Vec<(String, Vec<u8>)> {
    let every: Tolerances = Tolerance::ALL.into_iter().collect();
    let encoded =
        |(number, message): (usize, Message)| (format!("{BUILT}{number}"), message.encode_with(every).unwrap());
    vectors().into_iter().chain(others().into_iter().enumerate().map(encoded)).collect()
}

#[test]
fn seeds_have_every_payload_and_map() {
    let every: Tolerances = Tolerance::ALL.into_iter().collect();
    let seeds = all();
    assert!(seeds.len() > recorded().len() + 10);
    let mut seen = [false; 256];
    let mut maps = [false; 4];
    for (name, octets) in &seeds {
        let inspection = inspect(octets, every);
        // Among the vectors there are messages without their signature.
        assert!(inspection.message().is_some() || !name.starts_with(BUILT), "{name}: {:?}", inspection.faults);
        for part in &inspection.parts {
            seen[usize::from(part.payload_type.map_or(0, |payload_type| payload_type.0))] = true;
        }
        let map = &inspection.header().unwrap().cs_id_map;
        maps[if matches!(map, CsIdMap::Missing { .. }) { 3 } else { usize::from(map.map_type().0) }] = true;
    }
    assert_eq!(maps, [true; 4]);
    for payload_type in (0..=15).chain([17, 21, 26]) {
        assert!(seen[payload_type], "payload type {payload_type}");
    }
}

#[test]
#[ignore = "writes what the fuzz targets start from, fuzz/seeds"]
fn seeds() {
    let seeds = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds"));
    let write = |target: &str, name: &str, octets: &[u8]| {
        let folder = seeds.join(target);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), octets).unwrap();
    };
    // The order of the types in the target `payload`.
    let types = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20, 21, 22, 23, 24, 25, 26, 99];
    let every: Tolerances = Tolerance::ALL.into_iter().collect();
    write("payload", "keys", &[&[18], keys().expose().as_slice()].concat());
    for (name, octets) in all() {
        write("decode", &name, &octets);
        write("inspect", &name, &[&[0x1f], octets.as_slice()].concat());
        write("inspect", &format!("{name}-cut"), &[&[0], &octets[..octets.len() / 2]].concat());
        let line = to_attribute(&octets).unwrap();
        write("sdp", &name, format!("v=0\r\n{line}\r\nm=audio 1 RTP/SAVP 0\r\n{line}\r\n").as_bytes());
        for part in inspect(&octets, every).parts {
            let Some(payload_type) = part.payload_type else { continue };
            let choice = types.iter().position(|number| *number == payload_type.0).unwrap() as u8;
            let content = if payload_type == PayloadType::SIGN { part.octets } else { &part.octets[1..] };
            write("payload", &format!("{name}-{}", part.offset), &[&[choice], content].concat());
        }
    }
}
