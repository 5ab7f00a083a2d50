//! Payloads octet by octet.

use mikey_sakke::error::{DecodeError, DecodeErrorKind, Refusal, UsageError};
use mikey_sakke::mikey::payload::{
    Cert, Chash, Dh, ErrorReport, Extension, GeneralExtension, Kemac, KeyData, KeyId, KeyParameters, KeyValidity,
    Payload, Pke, ProtectedPayload, Randr, Rest, Sakke, Sp, SpParam, SrtpValue, Tr, Ts, V,
};
use mikey_sakke::mikey::registry::{
    CertType, DhGroup, EncrAlg, ErrorNo, ExtensionType, FecOrder, HashFunc, IdScheme, KeyDataType, KeyIdType, MacAlg,
    PayloadType, ProtType, RandRole, SType, SakkeParams, SrtpAuthentication, SrtpEncryption, SrtpParam, SrtpPrf,
    TsRole,
};
use mikey_sakke::mikey::{Message, Tolerances, inspect};
use mikey_sakke::secret::Secret;

use crate::common::{after_header, plain, recorded, unhex};

/// A payload and its octets, without the next-payload octet.
#[track_caller]
fn assert_octets(payload: Payload, hex: &str) {
    let octets = after_header(payload.payload_type().0, &format!("00{hex}"));
    assert_eq!(plain(vec![payload.clone()]).encode_with(Tolerances::default()).unwrap(), octets);
    assert_eq!(Message::decode(&octets).unwrap().payloads, [payload]);
}

#[test]
fn payloads_have_the_layout_of_the_standards() {
    for (ts, hex) in [
        (Ts::NtpUtc(0x0102_0304_0506_0708), "000102030405060708"),
        (Ts::Ntp(0x0102_0304_0506_0708), "010102030405060708"),
        (Ts::Counter(0x0102_0304), "0201020304"),
        (Ts::NtpUtc32(0x0102_0304), "0301020304"),
    ] {
        assert_octets(Payload::T(ts), hex);
        assert_octets(Payload::Tr(Tr { role: TsRole::END, ts }), &format!("03{hex}"));
    }
    assert_octets(Payload::Randr(Randr { role: RandRole::RESPONDER, rand: vec![0xaa, 0xbb] }), "0202aabb");
    assert_octets(Payload::Cert(Cert { cert_type: CertType::X509V3_SIGN, data: vec![0x30, 0] }), "0200023000");
    for (hash_func, length) in [(HashFunc::SHA_1, 20), (HashFunc::MD5, 16), (HashFunc::SHA_256, 32)] {
        let hex = format!("{:02x}{}", hash_func.0, "77".repeat(length));
        assert_octets(Payload::Chash(Chash { hash_func, hash: vec![0x77; length] }), &hex);
    }
    for (mac_alg, length) in [(MacAlg::NULL, 0), (MacAlg::HMAC_SHA_1_160, 20), (MacAlg::HMAC_SHA_256_256, 32)] {
        let mac = format!("{:02x}{}", mac_alg.0, "88".repeat(length));
        assert_octets(Payload::V(V { auth_alg: mac_alg, ver_data: vec![0x88; length] }), &mac);
        let (encr_alg, encr_data) = (EncrAlg::AES_CM_128, vec![1, 2, 3]);
        let kemac = Kemac { encr_alg, encr_data, mac_alg, mac: vec![0x88; length] };
        assert_octets(Payload::Kemac(kemac), &format!("010003010203{mac}"));
    }
    assert_octets(Payload::Err(ErrorReport { error_no: ErrorNo::INVALID_PRF, reserved: 0 }), "020000");
    assert_octets(Payload::Pke(Pke { c: 2, data: vec![9; 3] }), "8003090909");
    for (group, length) in [(DhGroup::OAKLEY_5, 192), (DhGroup::OAKLEY_1, 96), (DhGroup::OAKLEY_2, 128)] {
        let value = "55".repeat(length);
        let dh = |validity| Payload::Dh(Dh { group, value: vec![0x55; length], reserved: 0, validity });
        assert_octets(dh(KeyValidity::Null), &format!("{:02x}{value}00", group.0));
        assert_octets(dh(KeyValidity::Spi(vec![1, 2])), &format!("{:02x}{value}01020102", group.0));
        let interval = KeyValidity::Interval { from: vec![1], to: vec![2, 3] };
        assert_octets(dh(interval), &format!("{:02x}{value}020101020203", group.0));
    }
}

#[test]
fn what_is_of_another_length_than_its_algorithm_makes_is_refused() {
    let refused = |payload| assert_eq!(plain(vec![payload]).encode(), Err(UsageError::FieldLength));
    refused(Payload::Chash(Chash { hash_func: HashFunc::SHA_256, hash: vec![0; 20] }));
    refused(Payload::Chash(Chash { hash_func: HashFunc(9), hash: vec![] }));
    refused(Payload::V(V { auth_alg: MacAlg::NULL, ver_data: vec![0] }));
    refused(Payload::V(V { auth_alg: MacAlg(3), ver_data: vec![] }));
    let kemac = |mac_alg, length| Kemac { encr_alg: EncrAlg::NULL, encr_data: vec![], mac_alg, mac: vec![0; length] };
    refused(Payload::Kemac(kemac(MacAlg::HMAC_SHA_1_160, 32)));
    refused(Payload::Kemac(Kemac { encr_data: vec![0; 65_536], ..kemac(MacAlg::NULL, 0) }));
    refused(Payload::Pke(Pke { c: 4, data: vec![] }));
    refused(Payload::Pke(Pke { c: 0, data: vec![0; 16_384] }));
    let dh = |group, length, reserved| Dh { group, value: vec![0; length], reserved, validity: KeyValidity::Null };
    refused(Payload::Dh(dh(DhGroup::OAKLEY_1, 128, 0)));
    refused(Payload::Dh(dh(DhGroup(3), 0, 0)));
    refused(Payload::Dh(dh(DhGroup::OAKLEY_1, 96, 16)));
    refused(Payload::Dh(Dh { validity: KeyValidity::Spi(vec![0; 256]), ..dh(DhGroup::OAKLEY_1, 96, 0) }));
}

#[test]
fn a_payload_that_cannot_be_taken_apart_takes_what_is_left() {
    for payload_type in [16, 17, 22, 23, 24, 25] {
        let octets = after_header(11, &format!("{payload_type:02x}01aa04112233"));
        let message = Message::decode(&octets).unwrap();
        let rest = Rest {
            payload_type: PayloadType(payload_type),
            next_payload: PayloadType::SIGN,
            octets: vec![0x11, 0x22, 0x33],
        };
        assert_eq!(message.payloads[1], Payload::Rest(rest.clone()));
        assert_eq!(message.sign, None);
        assert_eq!(message.encode().unwrap(), octets);

        let followed = plain(vec![Payload::Rest(rest.clone()), message.payloads[0].clone()]);
        assert_eq!(followed.encode(), Err(UsageError::NotLast));
        assert_eq!(followed.encode_to_be_signed(SType::ECCSI, 129), Err(UsageError::NotLast));
        let other = plain(vec![Payload::Rest(Rest { payload_type: PayloadType::T, ..rest })]);
        assert_eq!(other.encode(), Err(UsageError::NotLast));
    }
}

// ---- keys in KEMAC

fn key(key_type: KeyDataType, salt: Option<Vec<u8>>, validity: KeyValidity) -> KeyData {
    KeyData { key_type, key: Secret::new(vec![0xaa; 16]), salt: salt.map(Secret::new), validity }
}

#[test]
fn keys_have_the_layout_of_the_standard() {
    let keys = [
        key(KeyDataType::TGK, None, KeyValidity::Null),
        key(KeyDataType::TEK_SALT, Some(vec![0xbb; 14]), KeyValidity::Spi(vec![1, 2, 3, 4])),
        key(KeyDataType::GTGK, None, KeyValidity::Interval { from: vec![5], to: vec![] }),
    ];
    let (key, salt) = ("aa".repeat(16), "bb".repeat(14));
    let expected = unhex(&format!("14000010{key}14310010{key}000e{salt}040102030400420010{key}010500"));
    let encoded = KeyData::encode_all(&keys).unwrap();
    assert_eq!(encoded.expose(), &expected);
    assert_eq!(KeyData::decode_all(&expected).unwrap(), keys);

    let kemac = |encr_alg| Kemac { encr_alg, encr_data: expected.clone(), mac_alg: MacAlg::NULL, mac: vec![] };
    assert_eq!(kemac(EncrAlg::NULL).null_encrypted(), Some(Ok(keys.to_vec())));
    assert_eq!(kemac(EncrAlg::AES_CM_128).null_encrypted(), None);
}

#[test]
fn malformed_keys_are_refused() {
    let refused = |hex: &str, kind, offset| {
        assert_eq!(KeyData::decode_all(&unhex(hex)), Err(DecodeError { kind, offset }), "{hex}");
    };
    refused("", DecodeErrorKind::Truncated, 0);
    refused("0000", DecodeErrorKind::Truncated, 2);
    refused("00000002aa", DecodeErrorKind::Truncated, 4);
    refused("00100001aa", DecodeErrorKind::Truncated, 5); // the salt is not there
    refused("00700001aa", DecodeErrorKind::KeyDataType(7), 1);
    refused("00030001aa", DecodeErrorKind::Kv(3), 1);
    refused("05000001aa0000", DecodeErrorKind::PayloadType(5), 0);
    refused("14000001aa", DecodeErrorKind::Truncated, 5);
    refused("00000001aa00", DecodeErrorKind::TrailingOctets, 5);
    refused("00010001aa02bb", DecodeErrorKind::Truncated, 6); // SPI
    refused("00020001aa01bb", DecodeErrorKind::Truncated, 7); // end of the interval
}

#[test]
fn keys_that_do_not_fit_are_refused() {
    let refused = |keys: &[KeyData]| assert_eq!(KeyData::encode_all(keys).err(), Some(UsageError::FieldLength));
    refused(&[]);
    refused(&[key(KeyDataType::TGK, Some(vec![1]), KeyValidity::Null)]);
    refused(&[key(KeyDataType::TGK_SALT, None, KeyValidity::Null)]);
    refused(&[key(KeyDataType(7), None, KeyValidity::Null)]);
    refused(&[key(KeyDataType(16), None, KeyValidity::Null)]);
    refused(&[key(KeyDataType::TGK, None, KeyValidity::Spi(vec![0; 256]))]);
    refused(&[KeyData { key: Secret::new(vec![0; 65_536]), ..key(KeyDataType::TGK, None, KeyValidity::Null) }]);
}

#[test]
fn keys_are_compared_and_not_printed() {
    let one = key(KeyDataType::TGK_SALT, Some(vec![1]), KeyValidity::Null);
    assert_eq!(one, one.clone());
    assert_ne!(one, KeyData { key: Secret::new(vec![0xab; 16]), ..one.clone() });
    assert_ne!(one, KeyData { salt: Some(Secret::new(vec![2])), ..one.clone() });
    assert_ne!(one, KeyData { salt: None, ..one.clone() });
    assert_ne!(one, KeyData { validity: KeyValidity::Spi(vec![]), ..one.clone() });
    assert!(!format!("{one:?}").contains("170"));
}

// ---- policies

#[test]
fn srtp_parameters_have_types() {
    let sp = Sp::srtp(
        3,
        &[
            (SrtpParam::ENCRYPTION, 6),
            (SrtpParam::ENCRYPTION_KEY_LENGTH, 16),
            (SrtpParam::AUTHENTICATION, 4),
            (SrtpParam::PRF, 0),
            (SrtpParam::SRTP_ENCRYPTION_SWITCH, 1),
            (SrtpParam::FEC_ORDER, 0),
            (SrtpParam::ROC_TRANSMISSION_RATE, 1),
        ],
    );
    assert_octets(
        Payload::Sp(sp.clone()),
        "03000016000106010110020104050100070101090100 0d020001".replace(' ', "").as_str(),
    );
    let expected = [
        (SrtpParam::ENCRYPTION, SrtpValue::Encryption(SrtpEncryption::AES_GCM)),
        (SrtpParam::ENCRYPTION_KEY_LENGTH, SrtpValue::Number(16)),
        (SrtpParam::AUTHENTICATION, SrtpValue::Authentication(SrtpAuthentication::RCC_M3)),
        (SrtpParam::PRF, SrtpValue::Prf(SrtpPrf::AES_CM)),
        (SrtpParam::SRTP_ENCRYPTION_SWITCH, SrtpValue::Switch(true)),
        (SrtpParam::FEC_ORDER, SrtpValue::FecOrder(FecOrder::FEC_THEN_SRTP)),
        (SrtpParam::ROC_TRANSMISSION_RATE, SrtpValue::Number(1)),
    ];
    assert_eq!(sp.srtp_params().unwrap(), expected);
    assert_eq!(Sp { prot_type: ProtType(1), ..sp }.srtp_params(), Err(Refusal::PolicyProtocol));
}

#[test]
fn srtp_parameters_have_sizes_and_ranges() {
    let value = |param: SrtpParam, value: &[u8]| SpParam { param_type: param.0, value: value.to_vec() }.srtp_value();
    assert_eq!(value(SrtpParam::ROC_TRANSMISSION_RATE, &[5]), Ok(SrtpValue::Number(5)));
    assert_eq!(value(SrtpParam::KEY_DERIVATION_RATE, &[1, 0, 0, 0]), Ok(SrtpValue::Number(1 << 24)));
    assert_eq!(value(SrtpParam(21), &[1, 2, 3]), Ok(SrtpValue::Octets(vec![1, 2, 3])));
    assert_eq!(value(SrtpParam(21), &[]), Ok(SrtpValue::Octets(vec![])));
    assert_eq!(value(SrtpParam::ENCRYPTION, &[99]), Ok(SrtpValue::Encryption(SrtpEncryption(99))));
    for param in (0..=20).map(SrtpParam).filter(|param| param.name().is_some()) {
        assert_eq!(value(param, &[]), Err(Refusal::PolicyParameter), "{param}");
        assert_eq!(value(param, &[0; 5]), Err(Refusal::PolicyParameter), "{param}");
        assert!(value(param, &[0]).is_ok(), "{param}");
    }
    for param in [SrtpParam::SRTP_ENCRYPTION_SWITCH, SrtpParam::SRTCP_ENCRYPTION_SWITCH] {
        assert_eq!(value(param, &[2]), Err(Refusal::PolicyParameter));
    }
    assert_eq!(value(SrtpParam::ENCRYPTION, &[0, 1]), Err(Refusal::PolicyParameter));
}

// ---- extensions

/// An extension and its data, both ways.
#[track_caller]
fn assert_extension(extension: Extension, extension_type: ExtensionType, hex: &str) {
    let payload = GeneralExtension { extension_type, data: unhex(hex) };
    assert_eq!(extension.to_payload().unwrap(), payload);
    assert_eq!(payload.content().unwrap(), extension);
}

fn protected() -> ProtectedPayload {
    ProtectedPayload {
        message_type: 0x43,
        date_time: 1,
        payload_id: [0; 4],
        sequence_number: 0,
        algorithm: 1,
        iv: [7; 16],
        dppk_id: [1, 2, 3, 4],
        payload_type: 0,
        ciphertext: vec![0xcc; 20],
    }
}

#[test]
fn extensions_have_the_layout_of_their_types() {
    assert_extension(Extension::VendorId(b"abc".to_vec()), ExtensionType::VENDOR_ID, "616263");
    assert_extension(Extension::SdpIds(vec!["mikey".into(), "x".into()]), ExtensionType::SDP_IDS, "6d696b65793b78");
    let key_id = |key_id_type, key_id: &[u8]| KeyId { key_id_type, key_id: key_id.to_vec() };
    let key_ids = vec![key_id(KeyIdType::KEY_DOMAIN, &[1, 2, 3]), key_id(KeyIdType::MSK, &[4])];
    assert_extension(Extension::KeyIds(key_ids), ExtensionType::KEY_ID, "0003010203010104");
    assert_extension(Extension::CsbId(vec![1, 2, 3, 4]), ExtensionType::CSB_ID, "01020304");
    let sakke = Sakke { params: SakkeParams::SET_1, id_scheme: IdScheme::UID_3GPP, data: vec![4; 273] };
    let hex = format!("0001020111{}", "04".repeat(273));
    assert_extension(Extension::SakkeToSelf(sakke), ExtensionType::SAKKE_TO_SELF, &hex);
    let hex = format!("43000000000100000000 0001{}01020304000014{}", "07".repeat(16), "cc".repeat(20));
    let parameters = KeyParameters::Protected(protected());
    assert_extension(Extension::KeyParameters(parameters), ExtensionType::KEY_PARAMETERS, &hex.replace(' ', ""));
    let plain = KeyParameters::Plain(unhex("0200000001"));
    assert_extension(Extension::KeyParameters(plain), ExtensionType::KEY_PARAMETERS, "0200000001");
    assert_extension(Extension::Other(ExtensionType(99), vec![1]), ExtensionType(99), "01");
}

#[test]
fn malformed_extensions_are_refused_where_they_are_wrong() {
    let refused = |extension_type, hex: &str, kind, offset| {
        let extension = GeneralExtension { extension_type, data: unhex(hex) };
        assert_eq!(extension.content(), Err(DecodeError { kind, offset }), "{hex}");
        // A message with it can be read all the same; an inspection says what is wrong.
        let octets = plain(vec![Payload::GeneralExtension(extension)]).encode().unwrap();
        let faults = inspect(&octets, Tolerances::default()).faults;
        let expected = DecodeError { kind, offset: 10 + 4 + offset };
        assert!(faults.iter().any(|fault| fault.error == expected), "{faults:?}");
    };
    refused(ExtensionType::SDP_IDS, "6dff", DecodeErrorKind::Text, 1);
    refused(ExtensionType::SDP_IDS, "6d3b780a", DecodeErrorKind::Text, 3);
    refused(ExtensionType::KEY_ID, "0002aa", DecodeErrorKind::Truncated, 2);
    refused(ExtensionType::KEY_ID, "0001aa00", DecodeErrorKind::Truncated, 4);
    refused(ExtensionType::SAKKE_TO_SELF, "", DecodeErrorKind::Truncated, 0);
    refused(ExtensionType::SAKKE_TO_SELF, "0001020002aa", DecodeErrorKind::Truncated, 5);
    refused(ExtensionType::SAKKE_TO_SELF, "0001020001aa00", DecodeErrorKind::TrailingOctets, 6);
    refused(ExtensionType::KEY_PARAMETERS, "", DecodeErrorKind::Truncated, 0);
    refused(ExtensionType::KEY_PARAMETERS, "40000000", DecodeErrorKind::Truncated, 2);
    let protected = format!("40{}", "00".repeat(31));
    refused(ExtensionType::KEY_PARAMETERS, &format!("{protected}000002aa"), DecodeErrorKind::Truncated, 35);
    refused(ExtensionType::KEY_PARAMETERS, &format!("{protected}000001aabb"), DecodeErrorKind::TrailingOctets, 36);
}

#[test]
fn extensions_that_do_not_fit_are_refused() {
    let refused = |extension: Extension| assert_eq!(extension.to_payload(), Err(UsageError::FieldLength));
    for id in ["", "a;b", "a\r\n"] {
        refused(Extension::SdpIds(vec![id.into()]));
    }
    refused(Extension::KeyIds(vec![KeyId { key_id_type: KeyIdType::MTK, key_id: vec![0; 256] }]));
    let parameters = |payload| Extension::KeyParameters(KeyParameters::Protected(payload));
    refused(parameters(ProtectedPayload { message_type: 0x3f, ..protected() }));
    refused(parameters(ProtectedPayload { date_time: 1 << 40, ..protected() }));
    refused(Extension::KeyParameters(KeyParameters::Plain(vec![0x40])));
    refused(Extension::KeyParameters(KeyParameters::Plain(vec![])));
}

#[test]
fn recorded_extensions_are_taken_apart() {
    let mut seen = 0;
    for octets in recorded() {
        let message = Message::decode(&octets).unwrap();
        for payload in &message.payloads {
            let Payload::GeneralExtension(extension) = payload else { continue };
            let content = extension.content().unwrap();
            assert_eq!(content.to_payload().unwrap(), *extension);
            let Extension::KeyParameters(KeyParameters::Protected(parameters)) = content else { continue };
            assert_eq!((parameters.algorithm, parameters.dppk_id), (1, message.header.csb_id));
            seen += 1;
        }
    }
    assert!(seen > 0);
}
