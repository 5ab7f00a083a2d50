//! Values that do not fit their fields.

use mikey_sakke::error::UsageError;
use mikey_sakke::mikey::payload::{Cert, GeneralExtension, Id, Idr, Payload, Rand, Sakke, Sign, Sp, SpParam};
use mikey_sakke::mikey::registry::{
    CertType, ExtensionType, IdRole, IdScheme, IdType, PrfFunc, ProtType, SType, SakkeParams,
};
use mikey_sakke::mikey::{CsIdMap, GenericId, Header, Message, SrtpId, Tolerances};

use crate::common::{after_header, plain};

/// The longest value goes, one octet or item more does not.
#[track_caller]
fn assert_limit(limit: usize, message: impl Fn(usize) -> Message) {
    let longest = message(limit);
    assert_eq!(Message::decode(&longest.encode_with(Tolerances::default()).unwrap()).unwrap(), longest);
    assert_eq!(message(limit + 1).encode_with(Tolerances::default()), Err(UsageError::FieldLength));
}

#[test]
fn a_value_longer_than_its_field_is_refused() {
    let (id_type, role) = (IdType::URI, IdRole::INITIATOR);
    let data = |length| vec![0x5a; length];
    assert_limit(255, |n| plain(vec![Payload::Rand(Rand(data(n)))]));
    assert_limit(65_535, |n| plain(vec![Payload::Id(Id { id_type, data: data(n) })]));
    assert_limit(65_535, |n| plain(vec![Payload::Idr(Idr { role, id_type, data: data(n) })]));
    assert_limit(65_535, |n| plain(vec![Payload::Cert(Cert { cert_type: CertType::X509V3, data: data(n) })]));
    assert_limit(65_535, |n| {
        let extension_type = ExtensionType::VENDOR_ID;
        plain(vec![Payload::GeneralExtension(GeneralExtension { extension_type, data: data(n) })])
    });
    assert_limit(65_535, |n| {
        let (params, id_scheme) = (SakkeParams::SET_1, IdScheme::UID_3GPP);
        plain(vec![Payload::Sakke(Sakke { params, id_scheme, data: data(n) })])
    });
    let sp = |params| plain(vec![Payload::Sp(Sp { policy: 0, prot_type: ProtType::SRTP, params })]);
    assert_limit(255, |n| sp(vec![SpParam { param_type: 0, value: data(n) }]));
    // 21,845 parameters of one octet take 65,535 octets.
    assert_limit(21_845, |n| sp(vec![SpParam { param_type: 0, value: data(1) }; n]));
    assert_limit(4_095, |n| Message { sign: Some(Sign { s_type: SType::ECCSI, signature: data(n) }), ..plain(vec![]) });
    assert_limit(15, |n| Message { sign: Some(Sign { s_type: SType(n as u8), signature: data(1) }), ..plain(vec![]) });

    let with = |header: Header| Message { header, payloads: vec![], sign: None };
    let header = || plain(vec![]).header;
    assert_limit(127, |n| with(Header { prf_func: PrfFunc(n as u8), ..header() }));
    let mapped = |cs_id_map| with(Header { cs_id_map, ..header() });
    assert_limit(255, |n| mapped(CsIdMap::SrtpId(vec![SrtpId { policy: 0, ssrc: 1, roc: 2 }; n])));
    let session = |policies, session_data, spi| GenericId {
        cs_id: 0,
        prot_type: ProtType::SRTP,
        s: true,
        policies: data(policies),
        session_data: data(session_data),
        spi: data(spi),
    };
    assert_limit(255, |n| mapped(CsIdMap::GenericId(vec![session(0, 0, 0); n])));
    assert_limit(127, |n| mapped(CsIdMap::GenericId(vec![session(n, 0, 0)])));
    assert_limit(65_535, |n| mapped(CsIdMap::GenericId(vec![session(0, n, 0)])));
    assert_limit(255, |n| mapped(CsIdMap::GenericId(vec![session(0, 0, n)])));
}

#[test]
fn a_signature_that_cannot_be_announced_is_refused() {
    let message = plain(vec![]);
    assert_eq!(message.encode_to_be_signed(SType(15), 4_095).unwrap(), after_header(4, "ffff"));
    assert_eq!(message.encode_to_be_signed(SType(16), 1), Err(UsageError::FieldLength));
    assert_eq!(message.encode_to_be_signed(SType::ECCSI, 4_096), Err(UsageError::FieldLength));
    assert_eq!(message.encode_to_be_signed(SType::ECCSI, usize::MAX), Err(UsageError::FieldLength));
    assert_eq!(message.signed_length(), None);
}
