//! Messages to test with.

use mikey_sakke::mikey::payload::{GeneralExtension, Idr, Payload, Rand, Sakke, Sign, Sp, Ts};
use mikey_sakke::mikey::registry::{
    DataType, ExtensionType, IdRole, IdScheme, IdType, PrfFunc, ProtType, SType, SakkeParams,
};
use mikey_sakke::mikey::{CsIdMap, Header, Message};

pub(crate) fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// The messages of `test-vectors/imessage.json`: a group master key, a client-server key.
pub(crate) fn recorded() -> Vec<Vec<u8>> {
    let file: serde_json::Value = serde_json::from_str(include_str!("../../test-vectors/imessage.json")).unwrap();
    let tests = file["testGroups"][0]["tests"].as_array().unwrap();
    tests.iter().map(|test| unhex(test["message"].as_str().unwrap())).collect()
}

const HEADER: &str = "011a__01aabbccdd0001"; // __ is the next payload

/// Octets of a header with the empty map, announcing `next`, and of what follows.
pub(crate) fn after_header(next: u8, rest: &str) -> Vec<u8> {
    unhex(&(HEADER.replace("__", &format!("{next:02x}")) + rest))
}

pub(crate) fn plain(payloads: Vec<Payload>) -> Message {
    Message {
        header: Header {
            data_type: DataType::SAKKE_MSG,
            v: false,
            prf_func: PrfFunc::HMAC_SHA_256,
            csb_id: [0xaa, 0xbb, 0xcc, 0xdd],
            cs_id_map: CsIdMap::EMPTY,
        },
        payloads,
        sign: None,
    }
}

pub(crate) fn idr(role: IdRole) -> Payload {
    Payload::Idr(Idr { role, id_type: IdType::URI, data: b"sip:user@example.org".to_vec() })
}

pub(crate) fn sp(policy: u8) -> Payload {
    Payload::Sp(Sp { policy, prot_type: ProtType::SRTP, params: vec![] })
}

pub(crate) fn extension(data: u8) -> Payload {
    Payload::GeneralExtension(GeneralExtension { extension_type: ExtensionType::KEY_PARAMETERS, data: vec![data] })
}

pub(crate) fn t() -> Payload {
    Payload::T(Ts::NtpUtc(0xec89_8da8_0000_0001))
}

pub(crate) fn rand(length: usize) -> Payload {
    Payload::Rand(Rand(vec![7; length]))
}

pub(crate) fn sakke() -> Payload {
    Payload::Sakke(Sakke { params: SakkeParams::SET_1, id_scheme: IdScheme::UID_3GPP, data: vec![4; 273] })
}

pub(crate) fn signed(payloads: Vec<Payload>) -> Message {
    Message { sign: Some(Sign { s_type: SType::ECCSI, signature: vec![9; 129] }), ..plain(payloads) }
}
